"""GGUF: a header of keys and tensors, then blocks that hold codes and scales side by side.

Dimensions stand in the file with the fastest first and are turned round. Nothing is believed: every length is held
against the size of the file before anything is made of it.
"""

from __future__ import annotations

import math
import os
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tilevm.checkpoints.gguf_blocks import BLOCKS
from tilevm.errors import CheckpointError
from tilevm.files import MappedFile
from tilevm.packed_array import PackedArray
from tilevm.quantization import QuantizedTensor

__all__ = ["Gguf"]

_SIMPLE = {0: "<f4", 1: "<f2", 24: "i1", 25: "<i2", 26: "<i4", 27: "<i8", 28: "<f8", 30: "<u2"}
_SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
_BF16 = 30


@dataclass(frozen=True)
class _Place:
    kind: int
    shape: tuple[int, ...]
    start: int
    stop: int


class Gguf:
    """A GGUF file of version 2 or 3, mapped. Raises ``CheckpointError`` H006 for a header that lies, H007 for a type of
    tensors that is not read.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        self._file = MappedFile(path)
        self._data = self._file.data
        self._at = 0
        self.places = self._header()

    def _fail(self, reason: str) -> CheckpointError:
        return CheckpointError("H006", f"{self.path!r} is not a sound GGUF file: byte {self._at}: {reason}")

    def _take(self, count: int) -> bytes:
        if count > self._data.size - self._at:
            raise self._fail(f"{count} bytes are wanted, and the file ends at byte {self._data.size}")
        self._at += count
        return self._data[self._at - count : self._at].tobytes()

    def _number(self, form: str) -> int:
        return int(struct.unpack("<" + form, self._take(struct.calcsize(form)))[0])

    def _text(self) -> str:
        length = self._number("Q")
        try:
            return self._take(length).decode("utf-8")
        except UnicodeDecodeError:
            raise self._fail("a name is not UTF-8") from None

    def _skip(self, kind: int, depth: int = 0) -> None:
        """A value of a key: numbers, text, or an array of them."""
        if kind == 8:
            self._take(self._number("Q"))
        elif kind == 9 and depth < 4:
            inner, count = self._number("I"), self._number("Q")
            if inner in _SIZES:
                self._take(count * _SIZES[inner])
            else:
                if count > self._data.size:
                    raise self._fail(f"an array is said to have {count} elements")
                for _ in range(count):
                    self._skip(inner, depth + 1)
        elif kind in _SIZES:
            self._take(_SIZES[kind])
        else:
            raise self._fail(f"there is no type of values {kind}")

    def _header(self) -> dict[str, _Place]:
        if self._take(4) != b"GGUF" or self._number("I") not in (2, 3):
            raise self._fail("the file does not begin with GGUF and version 2 or 3")
        tensors, keys, alignment = self._number("Q"), self._number("Q"), 32
        for _ in range(keys):
            key, kind = self._text(), self._number("I")
            if key == "general.alignment" and kind == 4:
                alignment = self._number("I")
            else:
                self._skip(kind)
        if alignment < 8 or alignment & (alignment - 1):
            raise self._fail(f"data cannot be aligned to {alignment} bytes")
        entries: dict[str, tuple[int, tuple[int, ...], int]] = {}
        for _ in range(tensors):
            name, rank = self._text(), self._number("I")
            if name in entries or rank > 4:
                raise self._fail(f"tensor {name!r} is there twice or has {rank} dimensions")
            shape = tuple(self._number("Q") for _ in range(rank))[::-1]
            entries[name] = self._number("I"), shape, self._number("Q")
        start = -(-self._at // alignment) * alignment
        places = {name: self._place(name, *entry, start, alignment) for name, entry in entries.items()}
        self._check_order(places)
        return places

    def _place(self, name: str, kind: int, shape: tuple[int, ...], offset: int, start: int, alignment: int) -> _Place:
        if kind in _SIMPLE:
            per, size = 1, np.dtype(_SIMPLE[kind]).itemsize
        elif kind in BLOCKS:
            per, size = BLOCKS[kind].elements, BLOCKS[kind].nbytes
        else:
            raise CheckpointError("H007", f"{self.path!r}: tensor {name!r} has the GGUF type {kind}, which is not read")
        if math.prod(shape) >= 2**60 or (kind in BLOCKS and 0 in shape):
            raise self._fail(f"tensor {name!r}: {list(shape)} is not a shape")
        if (shape[-1] if shape else 1) % per:
            raise self._fail(f"tensor {name!r}: {list(shape)} is not whole blocks of {per}")
        stop = start + offset + math.prod(shape) // per * size
        if offset % alignment or stop > self._data.size:
            where = f"at byte {start + offset} is said to end at byte {stop}"
            raise self._fail(f"tensor {name!r} {where}, and the file at byte {self._data.size}")
        return _Place(kind, shape, start + offset, stop)

    def _check_order(self, places: dict[str, _Place]) -> None:
        reached, before = 0, ""
        for name, place in sorted(places.items(), key=lambda each: (each[1].start, each[1].stop)):
            if place.start < reached:
                raise self._fail(f"tensor {name!r} at byte {place.start} overlaps {before!r}")
            reached, before = place.stop, name

    def format_of(self, name: str) -> str:
        """``Q4_K`` and so on, or ``plain``."""
        kind = self.places[name].kind
        return BLOCKS[kind].name if kind in BLOCKS else "plain"

    def nbytes(self, name: str) -> int:
        """Bytes that a tensor takes in the file."""
        return self.places[name].stop - self.places[name].start

    def release(self, name: str) -> None:
        """Lets the system take back the memory into which the tensor was read."""
        self._file.release(self.places[name].start, self.places[name].stop)

    def tensor(self, name: str) -> QuantizedTensor | NDArray[Any] | PackedArray:
        """The tensor; bf16 as a ``PackedArray``."""
        place = self.places[name]
        data = self._data[place.start : place.stop]
        if place.kind == _BF16:
            return PackedArray(data, "bf16", place.shape)
        if place.kind in _SIMPLE:
            return data.view(_SIMPLE[place.kind]).reshape(place.shape)
        block = BLOCKS[place.kind]
        return block.read(data.reshape(-1, block.nbytes), place.shape, lambda: self.release(name))
