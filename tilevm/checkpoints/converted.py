"""Conversion to tilevm's own form, see ``tilevm.quantization.files``: one tensor at a time, each of them read once."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tilevm.checkpoints.reader import Checkpoint
from tilevm.quantization.files import announced, chunks, described, metadata, parts
from tilevm.safetensors import LONGEST_HEADER, writing

__all__ = ["Converted", "convert"]

_PARTS = {"plain": 1, "tilevm": 16}
"""A tensor of other formats has at most five parts, with those of scales and offsets."""
_PART, _SHAPE, _TABLE = 400, 700, 8000
"""Beside its name a part takes so many bytes of the header, and a shape and a codebook of its own so many more."""


@dataclass(frozen=True)
class Converted:
    """A tensor that was written: its name, what format it had, and its bytes there and here."""

    name: str
    format: str
    bytes_in: int
    bytes_out: int


def convert(
    source: Checkpoint, path: str | os.PathLike[str], progress: Callable[[Converted], None] = lambda done: None
) -> None:
    """Writes every tensor, one at a time, whole or not at all; ``progress`` is told of each after it.

    Raises what ``Checkpoint.tensor`` raises, and ``UsageError`` F002 where the file cannot be written; then nothing is
    at ``path`` that was not there before.
    """
    facts: dict[str, Any] = {}
    told: dict[str, str] = {}
    with writing(path, _room(source), told) as writer:
        for name in source.names:
            tensor = source.tensor(name)
            facts[name] = described(tensor)
            before = writer.nbytes
            for each, part in parts(tensor).items():
                writer.tensor(f"{name}.{each}", *announced(part), chunks(part))
            del tensor, part
            source.release(name)
            progress(Converted(name, source.format_of(name), source.nbytes(name), writer.nbytes - before))
        told |= metadata(facts)


def _room(source: Checkpoint) -> int:
    """Bytes that the header takes at most."""
    room = 200
    for name in source.names:
        form = source.format_of(name)
        many = _PARTS.get(form, 5)
        table = _TABLE if form in ("nf4", "fp4", "tilevm") else 0
        room += _SHAPE + table + many * (_PART + 2 * len(json.dumps(name)))
    return min(room, LONGEST_HEADER)
