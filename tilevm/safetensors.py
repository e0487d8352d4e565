"""The safetensors container: a JSON header with the place of every tensor, then the data, without gaps.

    bytes 0 … 8      length of the header, little-endian
    bytes 8 … 8 + n  JSON: name -> {"dtype", "shape", "data_offsets"}, and "__metadata__": name -> text
    the rest         the tensors; offsets count from here

A file is opened without its data being read: it is mapped into memory, and the header is checked as a whole before a
tensor is touched, so that a header that lies is found at once. Writing streams: the header is written at the end, into
room that was kept for it. The format is that of the library `safetensors` 0.8.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, BinaryIO, NoReturn, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tilevm.dtypes import DType, dtype
from tilevm.errors import CheckpointError
from tilevm.files import MappedFile, replacing
from tilevm.packed_array import PackedArray

__all__ = ["Chunks", "SafeTensors", "TensorInfo", "Writer", "write", "writing"]

LONGEST_HEADER = 100_000_000
"""Bytes; the limit of the library."""

# Name in the header, bits of an element, the array that holds its codes, the format of tilevm.
_TYPES: dict[str, tuple[int, str, str | None]] = {
    "BOOL": (8, "?", "bool"),
    **{f"U{bits}": (bits, f"<u{bits // 8}", f"u{bits}") for bits in (8, 16, 32, 64)},
    **{f"I{bits}": (bits, f"<i{bits // 8}", f"i{bits}") for bits in (8, 16, 32, 64)},
    "F16": (16, "<f2", "f16"),
    "F32": (32, "<f4", "f32"),
    "F64": (64, "<f8", "f64"),
    "C64": (64, "<c8", None),
    "BF16": (16, "<u2", "bf16"),
    "F8_E4M3": (8, "u1", "f8e4m3"),
    "F8_E5M2": (8, "u1", "f8e5m2"),
    "F8_E8M0": (8, "u1", "e8m0"),
    "F8_E4M3FNUZ": (8, "u1", "f8e4m3fnuz"),
    "F8_E5M2FNUZ": (8, "u1", "f8e5m2fnuz"),
    "F6_E2M3": (6, "u1", "f6e2m3"),
    "F6_E3M2": (6, "u1", "f6e3m2"),
    "F4": (4, "u1", "f4e2m1"),
}
_NAMES = {dtype(kind): name for name, (_, _, kind) in _TYPES.items() if kind not in (None, "bool")}
_OF_NUMPY = {np.dtype(array): name for name, (_, array, _) in _TYPES.items() if name[0] in "BUIFC" and array[0] != "u"}
_OF_NUMPY |= {np.dtype(f"u{size}"): f"U{8 * size}" for size in (1, 2, 4, 8)}


@dataclass(frozen=True)
class TensorInfo:
    """What the header says of a tensor; ``start`` and ``stop`` are bytes of the file."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    start: int
    stop: int

    @property
    def format(self) -> DType | None:
        """The number format of the elements; None for complex numbers."""
        kind = _TYPES[self.dtype][2]
        return None if kind is None else dtype(kind)

    @property
    def nbytes(self) -> int:
        """Bytes of data."""
        return self.stop - self.start


class SafeTensors:
    """A safetensors file, mapped into memory; a context manager. Arrays that were taken from it outlive it.

    Raises ``UsageError`` F002 for a file that cannot be read, ``CheckpointError`` H001 for a header that is not there
    or not JSON of the right form, H002 for a tensor whose type, shape and place contradict each other or the file,
    H003 for a name that is not in it.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        self._file: MappedFile | None = MappedFile(path)
        start, header = _header(self.path, self._file.data)
        self.metadata, self._infos = _checked(self.path, header, start, self._file.data.size)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the tensors, in the order of the header."""
        return tuple(self._infos)

    def info(self, name: str) -> TensorInfo:
        """Type, shape and place of a tensor."""
        if name not in self._infos:
            raise CheckpointError("H003", f"{self.path!r} has no tensor {name!r}")
        return self._infos[name]

    def array(self, name: str) -> NDArray[Any]:
        """The elements, without a copy and read-only: floats that NumPy lacks as their codes, in ``uint8`` or
        ``uint16``; elements of less than 8 bits as packed ``uint8[bytes]``.
        """
        info = self.info(name)
        if self._file is None:
            raise CheckpointError("H003", f"{self.path!r} is closed, so {name!r} cannot be read")
        bits, kind, _ = _TYPES[info.dtype]
        taken = self._file.data[info.start : info.stop].view(kind)
        return taken if bits < 8 else taken.reshape(info.shape)

    def packed(self, name: str) -> PackedArray:
        """The elements in their number format."""
        info = self.info(name)
        if info.format is None:
            raise CheckpointError("H003", f"tensor {name!r} is complex, and there is no number format for it")
        data = self.array(name)
        if info.dtype == "BOOL":
            return PackedArray.from_codes(data, "u1")
        return PackedArray(np.ascontiguousarray(data).reshape(-1).view(np.uint8), info.format, info.shape)

    def release(self, name: str) -> None:
        """Lets the system take back the memory into which the tensor was read."""
        if self._file is not None:
            self._file.release(self.info(name).start, self.info(name).stop)

    def close(self) -> None:
        """Lets go of the file; the last array that was taken from it ends the mapping."""
        self._file = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _broken(path: str, byte: int, reason: str) -> NoReturn:
    raise CheckpointError("H001", f"{path!r} is not a safetensors file: byte {byte}: {reason}")


def _header(path: str, data: NDArray[np.uint8]) -> tuple[int, dict[str, Any]]:
    """Where the data begin, and the header as it is written."""
    size = data.size
    if size < 8:
        _broken(path, size, "the file ends before the length of the header")
    length = int.from_bytes(data[:8].tobytes(), "little")
    if length > LONGEST_HEADER:
        _broken(path, 0, f"the header is said to have {length} bytes, and {LONGEST_HEADER} is the limit")
    if length > size - 8:
        _broken(path, 0, f"the header is said to have {length} bytes, and the file has {size - 8} after its length")
    text = data[8 : 8 + length].tobytes()
    if not text.startswith(b"{"):
        _broken(path, 8, "the header does not begin with a brace")

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            seen: set[str] = set()
            twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
            _broken(path, 8, f"the name {twice!r} stands in the header twice")
        return found

    try:
        header = json.loads(text.decode("utf-8"), object_pairs_hook=unique)
    except UnicodeDecodeError as error:
        _broken(path, 8 + error.start, "the header is not UTF-8")
    except json.JSONDecodeError as error:
        _broken(path, 8 + len(error.doc[: error.pos].encode()), f"the header is not JSON: {error.msg}")
    except (ValueError, RecursionError):
        _broken(path, 8, "the header is JSON with numbers too long or nested too deep")
    return 8 + length, header


def _checked(path: str, header: dict[str, Any], start: int, size: int) -> tuple[dict[str, str], dict[str, TensorInfo]]:
    """Metadata and tensors of a header in which every claim holds."""
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(each, str) for each in metadata.values()):
        _broken(path, 8, "__metadata__ is not an object of texts")
    infos = {name: _tensor(path, name, entry, start, size) for name, entry in header.items()}
    reached, before = start, ""
    for info in sorted(infos.values(), key=lambda each: (each.start, each.stop)):
        if info.start != reached:
            what = "overlaps" if info.start < reached else "leaves a hole after"
            raise CheckpointError("H002", f"{path!r}: tensor {info.name!r} at byte {info.start} {what} {before!r}")
        reached, before = info.stop, info.name
    if reached != size:
        raise CheckpointError("H002", f"{path!r}: the tensors end at byte {reached}, and the file at byte {size}")
    return metadata, infos


def _tensor(path: str, name: str, entry: Any, start: int, size: int) -> TensorInfo:
    def wrong(reason: str) -> NoReturn:
        raise CheckpointError("H002", f"{path!r}: tensor {name!r}: {reason}")

    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        wrong("its entry is not an object of dtype, shape and data_offsets")
    kind, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(kind, str) or kind not in _TYPES:
        wrong(f"there is no type {kind!r}")
    if not _lengths(shape) or len(shape) > 32 or math.prod(shape) >= 2**60:
        wrong(f"{shape!r} is not a shape")
    if not _lengths(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        wrong(f"{offsets!r} are not a first byte and the byte behind the last")
    if start + offsets[1] > size:
        wrong(f"it is said to end at byte {start + offsets[1]}, and the file ends at byte {size}")
    bits, given = math.prod(shape) * _TYPES[kind][0], 8 * (offsets[1] - offsets[0])
    if bits != given:
        wrong(f"{kind}{shape} takes {bits} bits, and from byte {offsets[0]} to {offsets[1]} there are {given}")
    return TensorInfo(name, kind, tuple(shape), start + offsets[0], start + offsets[1])


def _lengths(given: Any) -> bool:
    return isinstance(given, list) and all(type(each) is int and 0 <= each < 2**63 for each in given)


@dataclass(frozen=True, eq=False)
class Chunks:
    """A tensor that is made piece by piece: type as in the header, shape, and arrays that follow each other."""

    dtype: str
    shape: tuple[int, ...]
    chunks: Iterable[NDArray[Any]]


class Writer:
    """Writes tensors one after another. Where each of them lies is known when all are there, so that the header, which
    stands first, is written last, into ``room`` bytes that are kept for it; spaces fill up what it leaves.

    Raises ``CheckpointError`` H004 for a type that does not exist, a name that stands twice, data of another length
    than their shape says, and a header that does not fit.
    """

    def __init__(self, file: BinaryIO, room: int) -> None:
        self._file, self._room, self._end = file, -(-room // 8) * 8, 0
        self._entries: dict[str, Any] = {}
        file.seek(8 + self._room)

    @property
    def nbytes(self) -> int:
        """Bytes of data that were written."""
        return self._end

    def tensor(self, name: str, kind: str, shape: tuple[int, ...], chunks: Iterable[ArrayLike]) -> None:
        """The next tensor: its type as in the header, its shape, and its data, arrays one after the other."""
        self._entries[name] = entry = _entry(name, kind, shape, self._end, self._entries)
        start, stop = entry["data_offsets"]
        for chunk in chunks:
            data = np.ascontiguousarray(chunk).reshape(-1).view(np.uint8)
            self._end += data.size
            if self._end > stop:
                raise CheckpointError("H004", f"tensor {name!r} takes {stop - start} bytes, and more came")
            self._file.write(data.data)
        if self._end < stop:
            raise CheckpointError(
                "H004", f"tensor {name!r} takes {stop - start} bytes, and {stop - self._end} did not come"
            )

    def finish(self, metadata: Mapping[str, str]) -> None:
        """Writes the header; no tensor comes after it."""
        text = _text(metadata, self._entries).ljust(self._room)
        if len(text) > min(self._room, LONGEST_HEADER):
            raise CheckpointError("H004", f"the header has {len(text)} bytes, and {self._room} were kept for it")
        self._file.seek(0)
        self._file.write(len(text).to_bytes(8, "little") + text)


def _entry(name: str, kind: str, shape: tuple[int, ...], start: int, before: Mapping[str, Any]) -> dict[str, Any]:
    """What the header says of a tensor whose data begin at ``start``."""
    bits = math.prod(shape) * _TYPES[kind][0] if kind in _TYPES else -1
    if bits < 0 or bits % 8 or name in before or name == "__metadata__":
        raise CheckpointError("H004", f"tensor {name!r} of {kind}{list(shape)} cannot be written")
    return {"dtype": kind, "shape": list(shape), "data_offsets": [start, start + bits // 8]}


def _text(metadata: Mapping[str, str], entries: Mapping[str, Any]) -> bytes:
    header = {"__metadata__": dict(metadata)} | dict(entries) if metadata else dict(entries)
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    return text + b" " * (-len(text) % 8)


@contextmanager
def writing(path: str | os.PathLike[str], room: int, metadata: Mapping[str, str]) -> Iterator[Writer]:
    """A ``Writer`` whose file appears at ``path`` when the block ends without an error; ``metadata`` may be filled in
    the block.
    """
    with replacing(path) as file:
        writer = Writer(file, room)
        yield writer
        writer.finish(metadata)


def write(
    path: str | os.PathLike[str],
    tensors: Mapping[str, NDArray[Any] | PackedArray | Chunks],
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Writes a file, whole or not at all. A ``PackedArray`` of a format that safetensors lacks becomes its bytes, U8.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write(f"{folder}/a.safetensors", {"w": np.ones((2, 3), "f2")}, {"by": "hand"})
    ...     with SafeTensors(f"{folder}/a.safetensors") as file:
    ...         print(file.metadata, file.info("w").shape, file.array("w").dtype)
    {'by': 'hand'} (2, 3) float16
    """
    streams = {name: _stream(name, tensor) for name, tensor in tensors.items()}
    entries: dict[str, Any] = {}
    end = 0
    for name, stream in streams.items():
        entries[name] = _entry(name, stream.dtype, stream.shape, end, entries)
        end = entries[name]["data_offsets"][1]
    with writing(path, len(_text(metadata or {}, entries)), metadata or {}) as writer:
        for name, stream in streams.items():
            writer.tensor(name, stream.dtype, stream.shape, stream.chunks)


def _stream(name: str, tensor: NDArray[Any] | PackedArray | Chunks) -> Chunks:
    if isinstance(tensor, Chunks):
        return tensor
    if isinstance(tensor, PackedArray):
        kind = _NAMES.get(tensor.dtype)
        if kind is None or tensor.layout is not None or tensor.size * tensor.dtype.bits % 8:
            return Chunks("U8", (tensor.nbytes,), [tensor.data])
        return Chunks(kind, tensor.shape, [tensor.data])
    if tensor.dtype.newbyteorder("<") not in _OF_NUMPY:
        raise CheckpointError("H004", f"tensor {name!r} of {tensor.dtype}{list(tensor.shape)} cannot be written")
    little = tensor.astype(tensor.dtype.newbyteorder("<"), copy=False)
    return Chunks(_OF_NUMPY[little.dtype], tensor.shape, [little])
