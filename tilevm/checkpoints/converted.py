"""Checkpoints in tilevm's own form, see ``tilevm.quantization.files``: read, and written one tensor at a time."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Protocol

from tilevm.quantization import QuantizedTensor
from tilevm.quantization.files import Part, announced, data, described, entries, metadata, parts, rebuilt
from tilevm.safetensors import writing

__all__ = ["convert", "entries", "rebuilt"]


class Source(Protocol):
    """What has named tensors: a ``Checkpoint``."""

    @property
    def names(self) -> tuple[str, ...]: ...

    def tensor(self, name: str) -> QuantizedTensor | Part: ...


def convert(source: Source, path: str | os.PathLike[str], progress: Callable[[str], None] = lambda name: None) -> None:
    """Writes every tensor, one at a time, whole or not at all; ``progress`` is told each name after it.

    Each tensor is unpacked twice: once before anything is written, for the header and to find every mistake.
    """
    facts: dict[str, Any] = {}
    held: list[tuple[str, str, tuple[int, ...]]] = []
    for name in source.names:
        tensor = source.tensor(name)
        facts[name] = described(tensor)
        held += [(f"{name}.{each}", *announced(part)) for each, part in parts(tensor).items()]
        del tensor
    with writing(path, held, metadata(facts)) as writer:
        for name in source.names:
            for each, part in parts(source.tensor(name)).items():
                writer.write(f"{name}.{each}", data(part))
            progress(name)
