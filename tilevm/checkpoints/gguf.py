"""GGUF: a header of keys and tensors, then blocks that hold codes and scales side by side.

Layouts are those of ggml's ``ggml-quants.c``; dimensions stand in the file with the fastest first and are turned round.
The offsets of K-quants stay what they are, a float for each group that is subtracted after scaling.
"""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tilevm.errors import CheckpointError
from tilevm.files import file_errors
from tilevm.packed_array import PackedArray
from tilevm.quantization import QuantizedTensor

__all__ = ["Gguf"]

_SIMPLE = {0: "<f4", 1: "<f2", 24: "i1", 25: "<i2", 26: "<i4", 27: "<i8", 28: "<f8", 30: "<u2"}
_SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}


@dataclass(frozen=True)
class _Place:
    kind: int
    shape: tuple[int, ...]
    start: int
    nbytes: int


class Gguf:
    """A GGUF file of version 2 or 3, mapped. Raises ``CheckpointError`` H006 for a header that lies."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        with file_errors(path, "read"):
            self._data = np.memmap(path, np.uint8, "r") if os.path.getsize(path) else np.empty(0, np.uint8)
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
            self._text()
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
        return {name: self._place(name, *entry, start) for name, entry in entries.items()}

    def _place(self, name: str, kind: int, shape: tuple[int, ...], offset: int, start: int) -> _Place:
        if kind in _SIMPLE:
            per, size = 1, np.dtype(_SIMPLE[kind]).itemsize
        elif kind in _BLOCKS:
            _, per, size, _ = _BLOCKS[kind]
        else:
            raise CheckpointError("H007", f"{self.path!r}: tensor {name!r} has the GGUF type {kind}, which is not read")
        if (shape[-1] if shape else 1) % per:
            raise self._fail(f"tensor {name!r}: {list(shape)} is not whole blocks of {per}")
        nbytes = math.prod(shape) // per * size
        if start + offset + nbytes > self._data.size:
            end = start + offset + nbytes
            raise self._fail(f"tensor {name!r} is said to end at byte {end}, and the file at byte {self._data.size}")
        return _Place(kind, shape, start + offset, nbytes)

    def format_of(self, name: str) -> str:
        """``Q4_K`` and so on, or ``plain``."""
        kind = self.places[name].kind
        return _BLOCKS[kind][0] if kind in _BLOCKS else "plain"

    def tensor(self, name: str) -> QuantizedTensor | NDArray[Any] | PackedArray:
        """The tensor; bf16 as a ``PackedArray``."""
        place = self.places[name]
        data = np.asarray(self._data[place.start : place.start + place.nbytes])
        if place.kind == 30:
            return PackedArray(data, "bf16", place.shape)
        if place.kind in _SIMPLE:
            return data.view(_SIMPLE[place.kind]).reshape(place.shape)
        _, _, size, unpacked = _BLOCKS[place.kind]
        return unpacked(data.reshape(-1, size), place.shape)


def _half(part: NDArray[np.uint8]) -> NDArray[np.float16]:
    return np.ascontiguousarray(part).view("<f2")


def _groups(each: NDArray[Any], shape: tuple[int, ...], size: int) -> NDArray[Any]:
    return np.ascontiguousarray(each).reshape(*shape[:-1], shape[-1] // size)


def _split(pairs: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Low nibbles of a run of bytes, then the high ones."""
    return np.concatenate([pairs & 15, pairs >> 4], axis=-1)


def _q4_0(blocks: NDArray[np.uint8], shape: tuple[int, ...]) -> QuantizedTensor:
    codes = (_split(blocks[:, 2:]) ^ 8).reshape(shape)
    return QuantizedTensor.from_codes(codes, "i4", _groups(_half(blocks[:, :2]), shape, 32), 32, len(shape) - 1)


def _q8_0(blocks: NDArray[np.uint8], shape: tuple[int, ...]) -> QuantizedTensor:
    codes = PackedArray(np.ascontiguousarray(blocks[:, 2:]).reshape(-1), "i8", shape)
    return QuantizedTensor.grouped(codes, _groups(_half(blocks[:, :2]), shape, 32), 32, len(shape) - 1)


def _mxfp4(blocks: NDArray[np.uint8], shape: tuple[int, ...]) -> QuantizedTensor:
    codes = _split(blocks[:, 1:]).reshape(shape)
    scales = PackedArray.from_codes(_groups(blocks[:, 0], shape, 32), "e8m0")
    return QuantizedTensor.from_codes(codes, "f4e2m1", scales, 32, len(shape) - 1)


def _scales_and_offsets(blocks: NDArray[np.uint8], shape: tuple[int, ...]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Twelve bytes hold eight 6-bit scales and eight 6-bit minima: the last four of each are split."""
    scale, least = _half(blocks[:, :2]).astype(np.float32), _half(blocks[:, 2:4]).astype(np.float32)
    first, second, third = blocks[:, 4:8], blocks[:, 8:12], blocks[:, 12:16]
    factors = np.concatenate([first & 63, (third & 15) | (first >> 6) << 4], 1)
    minima = np.concatenate([second & 63, third >> 4 | (second >> 6) << 4], 1)
    return _groups(scale * factors, shape, 32), _groups(least * minima, shape, 32)


def _q4_k(blocks: NDArray[np.uint8], shape: tuple[int, ...]) -> QuantizedTensor:
    scales, offsets = _scales_and_offsets(blocks, shape)
    codes = _split(blocks[:, 16:].reshape(-1, 4, 32)).reshape(shape)
    return QuantizedTensor.from_codes(codes, "u4", scales, 32, len(shape) - 1, offsets=offsets)


def _q5_k(blocks: NDArray[np.uint8], shape: tuple[int, ...]) -> QuantizedTensor:
    scales, offsets = _scales_and_offsets(blocks, shape)
    low = _split(blocks[:, 48:].reshape(-1, 4, 32)).reshape(-1, 8, 32)
    high = blocks[:, None, 16:48] >> np.arange(8, dtype=np.uint8)[:, None] & 1
    return QuantizedTensor.from_codes(
        (low | high << 4).reshape(shape), "u5", scales, 32, len(shape) - 1, offsets=offsets
    )


def _q6_k(blocks: NDArray[np.uint8], shape: tuple[int, ...]) -> QuantizedTensor:
    low = _split(blocks[:, :128].reshape(-1, 2, 64)).reshape(-1, 2, 4, 32)
    high = blocks[:, 128:192].reshape(-1, 2, 1, 32) >> np.arange(0, 8, 2, dtype=np.uint8)[:, None] & 3
    codes = ((low | high << 4) ^ 32).reshape(shape)
    scales = _half(blocks[:, 208:]).astype(np.float32) * blocks[:, 192:208].view(np.int8)
    return QuantizedTensor.from_codes(codes, "i6", _groups(scales, shape, 16), 16, len(shape) - 1)


_Unpacked = Callable[[NDArray[np.uint8], tuple[int, ...]], QuantizedTensor]
# The file's number of a type: name, elements and bytes of a block, and how it is read.
_BLOCKS: dict[int, tuple[str, int, int, _Unpacked]] = {
    2: ("Q4_0", 32, 18, _q4_0),
    8: ("Q8_0", 32, 34, _q8_0),
    12: ("Q4_K", 256, 144, _q4_k),
    13: ("Q5_K", 256, 176, _q5_k),
    14: ("Q6_K", 256, 210, _q6_k),
    39: ("MXFP4", 32, 17, _mxfp4),
}
