"""Checkpoints in tilevm's own form: a safetensors file whose metadata say how the parts of each tensor go together.

Part ``codes`` of tensor ``w`` is the tensor ``w.codes``, and so on; formats that safetensors lacks are bytes, and the
metadata entry ``tilevm`` has format and shape of every part. A plain tensor has the one part ``plain``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tilevm.checkpoints.stored import StoredTensor
from tilevm.errors import CheckpointError, DTypeError
from tilevm.packed_array import PackedArray
from tilevm.safetensors import SafeTensors, writing

__all__ = ["convert", "entries", "load"]

Part = NDArray[Any] | PackedArray
_NUMPY = {"f2": "F16", "f4": "F32", "f8": "F64", "b1": "BOOL", "c8": "C64"} | {
    f"{kind}{size}": f"{kind.upper()}{8 * size}" for kind in "iu" for size in (1, 2, 4, 8)
}


class Source(Protocol):
    """What has named tensors: a ``Checkpoint``."""

    @property
    def names(self) -> tuple[str, ...]: ...

    def tensor(self, name: str) -> StoredTensor | Part: ...


def convert(source: Source, path: str | os.PathLike[str], progress: Callable[[str], None] = lambda name: None) -> None:
    """Writes every tensor, one at a time, whole or not at all; ``progress`` is told each name after it.

    Each tensor is unpacked twice: once before anything is written, for the header and to find every mistake.
    """
    facts: dict[str, Any] = {}
    announced: list[tuple[str, str, tuple[int, ...]]] = []
    for name in source.names:
        tensor = source.tensor(name)
        parts = _parts(tensor)
        facts[name] = {"parts": {each: _fact(part) for each, part in parts.items()}}
        if isinstance(tensor, StoredTensor):
            facts[name] |= {"group": tensor.group, "axis": tensor.axis}
        announced += [(f"{name}.{each}", *_announced(part)) for each, part in parts.items()]
        del tensor, parts
    with writing(path, announced, {"tilevm": json.dumps({"version": 1, "tensors": facts})}) as writer:
        for name in source.names:
            for each, part in _parts(source.tensor(name)).items():
                writer.write(f"{name}.{each}", part.data if isinstance(part, PackedArray) else part)
            progress(name)


def entries(file: SafeTensors) -> dict[str, Any]:
    """What the metadata say of each tensor. Raises ``CheckpointError`` H008 for metadata of another form."""
    try:
        facts = json.loads(file.metadata["tilevm"])
        if facts["version"] == 1 and all("parts" in each for each in facts["tensors"].values()):
            return dict(facts["tensors"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        pass
    raise CheckpointError("H008", f"{file.path!r}: the metadata entry `tilevm` is damaged or of another version")


def load(file: SafeTensors, name: str, entry: dict[str, Any]) -> StoredTensor | Part:
    """The tensor that ``convert`` wrote."""
    try:
        parts: dict[str, Any] = {}
        for each, (kind, shape) in entry["parts"].items():
            data = file.array(f"{name}.{each}")
            parts[each] = data if kind is None else PackedArray(data.reshape(-1).view("u1"), kind, tuple(shape))
        if "plain" in parts:
            plain: Part = parts["plain"]
            return plain
        more = {each: parts.get(each) for each in ("offsets", "permutation")}
        return StoredTensor(
            parts["codes"], parts["scales"], parts.get("zeros"), int(entry["group"]), int(entry["axis"]), **more
        )
    except (ValueError, KeyError, TypeError, AttributeError, DTypeError) as error:
        raise CheckpointError("H008", f"{file.path!r}: the parts of {name!r} do not go together: {error}") from None


def _parts(tensor: StoredTensor | Part) -> dict[str, Part]:
    if not isinstance(tensor, StoredTensor):
        return {"plain": tensor}
    found = {each: getattr(tensor, each) for each in ("codes", "scales", "zeros", "offsets", "permutation")}
    return {each: part for each, part in found.items() if part is not None}


def _fact(part: Part) -> tuple[str | None, tuple[int, ...]]:
    return (part.dtype.name, part.shape) if isinstance(part, PackedArray) else (None, part.shape)


def _announced(part: Part) -> tuple[str, tuple[int, ...]]:
    if isinstance(part, PackedArray):
        return "U8", (part.nbytes,)
    return _NUMPY[np.dtype(part.dtype).str[1:]], part.shape
