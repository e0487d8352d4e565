"""Arrays of any bit width on the host: packed bits, a number format, a shape, and where each element lies.

``PackedArray`` is to widths that NumPy has not what ``ndarray`` is to the others. Elements lie in row-major order,
one right after the other, unless a memory layout says at which bit each one lies. The bytes may lie on a GPU, for
kernels to take them there; then nothing else can be done with the array.

>>> p = PackedArray.from_values([[0.5, -1.0, 6.0], [0.0, 1.5, -0.5]], "f4e2m1")
>>> p.nbytes, p[0:2, 1:3].numpy().tolist()
(3, [[-1.0, 6.0], [1.5, -0.5]])
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tilevm.dtypes import DType, Random, codebook, dtype
from tilevm.errors import DTypeError, UsageError
from tilevm.files import file_errors, replacing
from tilevm.fragment_order import FragmentOrder
from tilevm.layout import Layout
from tilevm.layout_text import parse as parse_layout
from tilevm.memory_pattern import Placement
from tilevm.packing import pack, packed_bytes, unpack

__all__ = ["PackedArray"]


class PackedArray:
    """Packed elements. ``data`` is ``uint8[nbytes]``, ``shape`` counts elements, ``layout`` None means row-major and
    dense. ``data`` may be an array of these bytes on a GPU, with ``__cuda_array_interface__``: it is kept as it is.

    Raises ``DTypeError`` D007 for data that are too short, D008 for a shape or a layout that does not fit; and D016 for
    whatever asks for the elements of an array that lies on a GPU.
    """

    def __init__(
        self, data: ArrayLike, dtype: DType | str, shape: tuple[int, ...], layout: Placement | None = None
    ) -> None:
        self.dtype = _format(dtype)
        self.shape = _shape(shape)
        self.layout = _fitting(layout, self.dtype, self.shape)
        needed = packed_bytes(self.size, self.dtype.bits) if self.layout is None else -(-self.layout.size_bits // 8)
        self.data: NDArray[np.uint8]
        if hasattr(data, "__cuda_array_interface__"):
            self._data_on_device(data, needed)
            return
        given = np.asarray(data)
        if given.dtype != np.uint8 or given.ndim != 1:
            raise DTypeError("D007", f"packed data are uint8[bytes], not {given.dtype}{list(given.shape)}")
        self._check_length(given.size, needed)
        self.data = np.ascontiguousarray(given[:needed])

    def _check_length(self, length: int, needed: int) -> None:
        if length < needed:
            raise DTypeError("D007", f"{self.dtype}{list(self.shape)} takes {needed} bytes, but there are {length}")

    def _data_on_device(self, data: Any, needed: int) -> None:
        interface = data.__cuda_array_interface__
        kind, shape, strides = interface["typestr"], interface["shape"], interface.get("strides")
        if kind != "|u1" or len(shape) != 1 or strides not in (None, (1,)):
            raise DTypeError("D007", f"packed data are uint8[bytes] without gaps, not {kind}{list(shape)} on a GPU")
        self._check_length(shape[0], needed)
        self.data = data if shape[0] == needed else data[:needed]

    @property
    def on_device(self) -> bool:
        """Whether the bytes lie on a GPU."""
        return not isinstance(self.data, np.ndarray)

    @classmethod
    def from_codes(cls, codes: ArrayLike, dtype: DType | str, layout: Placement | None = None) -> PackedArray:
        """Packs codes, integers in the shape of the result.

        Raises ``DTypeError`` D003 for what is not a code, D008 for a layout that does not fit, or that gives bits to
        several elements whose codes differ.
        """
        kind = _format(dtype)
        checked = kind.checked(codes)
        fitting = _fitting(layout, kind, checked.shape)
        if fitting is None:
            return cls(pack(checked, kind.bits), kind, checked.shape)
        if isinstance(fitting, FragmentOrder):
            return cls(fitting.arranged(checked), kind, checked.shape, fitting)
        packed = cls(_placed(checked, fitting), kind, checked.shape, fitting)
        if not np.array_equal(packed.codes(), checked):
            raise DTypeError(
                "D008",
                f"the layout {fitting} puts different codes in the same bits",
                help="strides of 0, or less than an element, only read: copy the array that repeats elements",
            )
        return packed

    @classmethod
    def from_values(
        cls,
        values: ArrayLike,
        dtype: DType | str,
        rounding: str = "nearest_even",
        saturate: bool | None = None,
        random: Random = None,
        layout: Placement | None = None,
    ) -> PackedArray:
        """Encodes numbers (see ``DType.encode``) and packs them."""
        kind = _format(dtype)
        return cls.from_codes(kind.encode(values, rounding, saturate, random), kind, layout)

    @property
    def size(self) -> int:
        """How many elements there are."""
        return math.prod(self.shape)

    @property
    def ndim(self) -> int:
        """How many dimensions there are."""
        return len(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of packed data."""
        return len(self.data)

    def codes(self) -> NDArray[Any]:
        """The codes, in the format's storage type and the array's shape."""
        self._check_on_host()
        if self.layout is None:
            flat = unpack(self.data, self.dtype.bits, self.size)
            return flat.astype(self.dtype.storage, copy=False).reshape(self.shape)
        if isinstance(self.layout, FragmentOrder):
            return self.layout.codes(self.data).astype(self.dtype.storage, copy=False)
        offsets = self.layout.bit_offsets()
        slots = _slots(offsets, self.dtype.bits)
        if slots is not None:
            held = unpack(self.data, self.dtype.bits, int(slots.max(initial=-1)) + 1)
            return held.astype(self.dtype.storage, copy=False)[slots]
        padded = np.concatenate([self.data, np.zeros(9, np.uint8)])
        first, shift = offsets >> 3, (offsets & 7).astype(np.uint64)
        words = np.zeros(offsets.shape, np.uint64)
        # An element of 64 bits that starts within a byte ends in a ninth one.
        for place in range(min((self.dtype.bits + 14) // 8, 8)):
            words |= padded[first + place].astype(np.uint64) << np.uint64(8 * place)
        words >>= shift
        if self.dtype.bits > 57:
            words |= np.where(shift > 0, padded[first + 8].astype(np.uint64) << (np.uint64(64) - shift), 0)
        return (words & np.uint64((1 << self.dtype.bits) - 1)).astype(self.dtype.storage)

    def _check_on_host(self) -> None:
        if self.on_device:
            raise DTypeError(
                "D016",
                f"this {self.dtype}{list(self.shape)} lies on a GPU",
                help="on the host: tilevm.PackedArray(cupy.asnumpy(p.data), p.dtype, p.shape, p.layout)",
            )

    def numpy(self) -> NDArray[Any]:
        """The numbers: integers in the smallest NumPy type of their kind, ``u1`` as ``bool``, ``f16`` and ``f64`` as
        they are, all others as ``float32``, which is exact."""
        codes = self.codes()
        if self.dtype.name in ("f16", "f64"):
            return codes.view(f"f{self.dtype.bits // 8}")
        if self.dtype.carrier is not None:
            return self.dtype.to_values(codes)
        if self.dtype.kind == "int":
            spare = np.int8(8 - self.dtype.bits)
            return (codes.view(np.int8) << spare) >> spare
        return codes if self.dtype.kind == "uint" else self.dtype.decode_to(codes, np.float32)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError("the numbers of a PackedArray are made by unpacking, which is a copy")
        return self.numpy() if dtype is None else self.numpy().astype(dtype)

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("an array without dimensions has no length")
        return self.shape[0]

    def __iter__(self) -> Iterator[PackedArray]:
        return (self[place] for place in range(len(self)))

    def __getitem__(self, window: Any) -> PackedArray:
        """A window: slices without a step keep a dimension, integers drop it.

        Raises ``DTypeError`` D009 for another index, or one out of range.
        """
        index = window if isinstance(window, tuple) else (window,)
        if len(index) > self.ndim:
            raise DTypeError("D009", f"{len(index)} indices for an array of {self.ndim} dimensions")
        bounds = [_bounds(each, extent) for each, extent in zip(index, self.shape, strict=False)]
        own = tuple(slice(*bound) if isinstance(bound, tuple) else bound for bound in bounds)
        self._check_on_host()
        if self.layout is not None or not bounds:
            return PackedArray.from_codes(self.codes()[own], self.dtype)
        first, last = bounds[0] if isinstance(bounds[0], tuple) else (bounds[0], bounds[0] + 1)
        inner = (slice(None) if isinstance(bounds[0], tuple) else 0, *own[1:])
        return PackedArray.from_codes(self._rows(first, last)[inner], self.dtype)

    def _rows(self, first: int, last: int) -> NDArray[Any]:
        """The codes of some rows of a dense array; only the bytes that hold them are unpacked."""
        row = math.prod(self.shape[1:])
        start, count = first * row, (last - first) * row
        spare = start % 8
        data = self.data[(start - spare) * self.dtype.bits // 8 :]
        codes = unpack(data, self.dtype.bits, spare + count)[spare:]
        return codes.astype(self.dtype.storage, copy=False).reshape(last - first, *self.shape[1:])

    def __repr__(self) -> str:
        if self.on_device:
            layout = "" if self.layout is None else f" @ {self.layout}"
            return f"PackedArray({self.dtype}{list(self.shape)}{layout}, {self.nbytes} bytes on a GPU)"
        corner = self[tuple(slice(0, 4) for _ in self.shape)].numpy() if self.size and self.shape else self.numpy()
        shown = np.array2string(corner, precision=4, separator=", ")
        rest = ", …" if math.prod(corner.shape) < self.size else ""
        layout = "" if self.layout is None else f" @ {self.layout}"
        return f"PackedArray({self.dtype}{list(self.shape)}{layout}, {self.nbytes} bytes, {shown}{rest})"

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the array to a file, whole or not at all: a NumPy ``.npz`` archive without pickled objects.

        Raises ``UsageError`` F002 where that is not possible.
        """
        self._check_on_host()
        fields = {
            "data": self.data,
            "dtype": np.array(self.dtype.name),
            "table": np.array(self.dtype.table, np.float64),
            "shape": np.array(self.shape, np.int64),
            "layout": np.array("" if self.layout is None else str(self.layout)),
        }
        with replacing(path) as file:
            np.savez(file, allow_pickle=False, **fields)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> PackedArray:
        """Reads an array that ``save`` wrote. Nothing in the file is executed or unpickled.

        Raises ``UsageError`` F002 where the file cannot be read, F003 where it is not such a file.
        """
        # NumPy leaves a file open that it opened itself and cannot read.
        with file_errors(path, "read"), open(path, "rb") as file:
            try:
                with np.load(file, allow_pickle=False) as held:
                    fields = {name: held[name] for name in ("data", "dtype", "table", "shape", "layout")}
                return cls._from_fields(fields)
            except Exception as error:  # which ones damage may cause in NumPy, zipfile and zlib is not documented
                reason = str(error).splitlines()[0] if str(error) else type(error).__name__
                raise UsageError(
                    "F003",
                    f"{os.fspath(path)!r} does not hold a PackedArray: {reason}",
                    help="PackedArray.save writes such a file",
                ) from None

    @classmethod
    def _from_fields(cls, fields: dict[str, NDArray[Any]]) -> PackedArray:
        name, text = str(fields["dtype"][()]), str(fields["layout"][()])
        kind = codebook(name, fields["table"].tolist()) if fields["table"].size and name != "trit" else dtype(name)
        shape = tuple(int(extent) for extent in fields["shape"])
        return cls(fields["data"], kind, shape, _placement(text, shape, kind) if text else None)


def _placement(text: str, shape: tuple[int, ...], kind: DType) -> Placement:
    found = parse_layout(text)
    return found if isinstance(found, Layout) else found.placed(shape, kind.bits)


def _format(given: DType | str) -> DType:
    return dtype(given)


def _shape(shape: Any) -> tuple[int, ...]:
    extents = tuple(shape) if isinstance(shape, tuple | list) else (shape,)
    if not all(isinstance(extent, int | np.integer) and extent >= 0 for extent in extents):
        raise DTypeError("D008", f"a shape holds integers of at least 0, not {list(extents)}")
    return tuple(int(extent) for extent in extents)


def _fitting(layout: Placement | None, kind: DType, shape: tuple[int, ...]) -> Placement | None:
    if layout is None:
        return None
    fits = isinstance(layout, Placement) and layout.is_memory and layout.shape == shape and layout.width == kind.bits
    if not fits:
        raise DTypeError(
            "D008",
            f"the layout {layout} is not a memory layout of {kind}{list(shape)}",
            help="placed(shape, bits) of a memory pattern gives one: blocks(4, 4).placed((8, 8), 6)",
        )
    return layout


def _slots(offsets: NDArray[np.int64], bits: int) -> NDArray[np.int64] | None:
    """The place of each element in a dense stream of elements; None where some lie between its places."""
    slots = offsets // bits
    return slots if np.array_equal(slots * bits, offsets) else None


def _placed(codes: NDArray[Any], layout: Layout) -> NDArray[np.uint8]:
    """The bytes of a memory layout that hold codes; bits between elements are zero."""
    data = np.zeros(-(-layout.size_bits // 8), np.uint8)
    offsets = layout.bit_offsets()
    slots = _slots(offsets, layout.width)
    if slots is not None:
        dense = np.zeros(int(slots.max(initial=-1)) + 1, codes.dtype)
        dense[slots] = codes
        packed = pack(dense, layout.width)
        data[: packed.size] = packed
        return data
    bits = np.zeros(8 * data.size, np.uint8)
    for plane in range(layout.width):
        bits[offsets + plane] = (codes >> codes.dtype.type(plane)) & codes.dtype.type(1)
    return np.packbits(bits, bitorder="little")


def _bounds(index: Any, extent: int) -> tuple[int, int] | int:
    """The first and the last index of a slice, or an index counted from the front."""
    if isinstance(index, slice):
        own = all(isinstance(end, int | np.integer | None) for end in (index.start, index.stop))
        if own and index.step in (None, 1):
            first, last, _ = index.indices(extent)
            return first, max(first, last)
    elif isinstance(index, int | np.integer) and not isinstance(index, bool) and -extent <= index < extent:
        return int(index) % extent
    raise DTypeError(
        "D009", f"{index!r} is no window of {extent} elements", help="a window is a slice without a step, or an index"
    )
