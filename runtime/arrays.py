"""What Python arrays become: elements as the interpreter wants them, over the caller's own memory where possible.

    given                                   used as
    NumPy array of any strides              a view, without a copy; a byte-swapped one is converted for reading only
    array of an ml_dtypes type              a view of its codes; of less than 8 bits a copy, written back at the end
    PackedArray                             unpacked, and packed again at the end where it is written
    DLPack on the CPU (torch, JAX)          a view
    anything else with ``__array__``        what that gives, for reading only

Refused are arrays on a GPU, masked arrays and matrices (whose meaning would be lost), and types that have no number
format: objects, complex numbers, texts, records.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tilevm.dtypes import DType
from tilevm.dtypes import dtype as format_of
from tilevm.errors import ArgumentError, DTypeError
from tilevm.memory import in_memory_form, memory_dtype
from tilevm.packed_array import PackedArray
from tilevm.packing import packed_bytes

__all__ = ["ArrayArgument", "adopt", "make", "numpy_type", "overlap"]

ON_CPU = 1
"""kDLCPU of DLPack's ``DLDeviceType``."""

ML_DTYPES = {
    "bf16": "bfloat16",
    "f8e4m3": "float8_e4m3fn",
    "f8e4m3ieee": "float8_e4m3",
    "f8e4m3fnuz": "float8_e4m3fnuz",
    "f8e5m2": "float8_e5m2",
    "f8e5m2fnuz": "float8_e5m2fnuz",
    "f8e3m4": "float8_e3m4",
    "e8m0": "float8_e8m0fnu",
}
"""The formats that ml_dtypes has and whose elements fill their bytes."""

OVERLAP_WORK = 100_000
"""Steps spent on finding out whether two interleaved arrays have an element in common; past it they count as if."""


@dataclass(eq=False)
class ArrayArgument:
    """An array that was passed or made for a parameter.

    ``elements`` has the array's shape and is in memory form (``tilevm.memory``); ``memory`` is what the caller's array
    occupies, which tells whether two arguments overlap. ``finish`` brings what was written to where the caller sees it.
    """

    given: Any
    dtype: DType
    elements: NDArray[Any]
    memory: NDArray[Any]
    finish: Callable[[], None] = lambda: None

    @property
    def shape(self) -> tuple[int, ...]:
        """Extents in elements."""
        return self.elements.shape


def adopt(name: str, given: Any, *, written: bool) -> ArrayArgument:
    """The array passed for the parameter ``name``.

    Raises ``ArgumentError`` A004 for what is no array or has no number format, A017 for an array on a GPU, and where it
    is ``written`` A015 for one that cannot be written in place.

    >>> adopt("x", np.ones((2, 3), np.float16), written=False).elements.dtype.name
    'uint16'
    """
    if isinstance(given, PackedArray):
        return _adopt_packed(name, given, written)
    array = _as_numpy(name, given, written)
    try:
        dtype = format_of(array.dtype)
    except DTypeError:
        raise ArgumentError(
            "A004",
            f"`{name}` is an array of {array.dtype}, which is no number format",
            argument=name,
            help="convert it",
        ) from None
    if written:
        _check_writable(name, array)
    elif not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    elements, finish = _elements(array, dtype)
    return ArrayArgument(given, dtype, elements, array, finish)


def _elements(array: NDArray[Any], dtype: DType) -> tuple[NDArray[Any], Callable[[], None]]:
    """The elements of a NumPy array in memory form, and what brings back what was written to them."""
    if array.dtype == memory_dtype(dtype):
        return array, lambda: None
    codes = array.view(dtype.storage)
    if dtype.bits % 8 == 0:
        return codes, lambda: None
    # The bits of a byte that an element of less than 8 bits leaves free may hold anything.
    copied = in_memory_form(dtype, codes & dtype.storage.type((1 << dtype.bits) - 1))

    def finish() -> None:
        codes[...] = dtype.to_codes(copied)

    return copied, finish


def _adopt_packed(name: str, given: PackedArray, written: bool) -> ArrayArgument:
    if given.on_device:
        raise _on_gpu(name)
    if written and not given.data.flags.writeable:
        raise _not_writable(name, "is read-only", "pass a copy, or let the kernel make it")
    elements = in_memory_form(given.dtype, given.codes())

    def finish() -> None:
        given.data[...] = PackedArray.from_codes(given.dtype.to_codes(elements), given.dtype, given.layout).data

    return ArrayArgument(given, given.dtype, elements, given.data, finish)


def make(name: str, dtype: DType, shape: tuple[int, ...]) -> ArrayArgument:
    """A new array for an ``out`` parameter, of zeros.

    It is a NumPy array where NumPy or ml_dtypes has a type whose bytes an element of the format fills, with ``u1`` as
    ``bool``; else a ``PackedArray``. Raises ``ArgumentError`` A020 where there is no memory for it.

    >>> type(make("y", format_of("f6e3m2"), (4,)).given).__name__
    'PackedArray'
    """
    kind = numpy_type(dtype)
    count = math.prod(shape)
    try:
        if kind is not None:
            return adopt(name, np.zeros(shape, kind), written=True)
        return adopt(name, PackedArray(np.zeros(packed_bytes(count, dtype.bits), np.uint8), dtype, shape), written=True)
    except (MemoryError, ValueError, OverflowError) as error:
        if isinstance(error, ArgumentError):
            raise
        size = packed_bytes(count, dtype.bits)
        raise ArgumentError(
            "A020", f"there is no memory for `{name}`, {dtype}{list(shape)}: {size:,} bytes", argument=name
        ) from None


def numpy_type(dtype: DType) -> np.dtype[Any] | None:
    """The type of NumPy or ml_dtypes whose bytes an element of the format fills, with ``u1`` as ``bool``, or None."""
    if dtype.name in ML_DTYPES:
        import ml_dtypes

        kind: np.dtype[Any] = np.dtype(getattr(ml_dtypes, ML_DTYPES[dtype.name]))
        return kind
    if dtype.name == "f16":
        return np.dtype(np.float16)
    held = memory_dtype(dtype)
    return held if dtype.carrier is not None and held.str == dtype.carrier.str else None


def overlap(first: ArrayArgument, second: ArrayArgument) -> bool:
    """Whether two arguments have memory in common; where that is hard to tell, True."""
    if not np.may_share_memory(first.memory, second.memory):
        return False
    try:
        return np.shares_memory(first.memory, second.memory, max_work=OVERLAP_WORK)  # type: ignore[arg-type]
    except np.exceptions.TooHardError:
        return True


# What may be passed


def _as_numpy(name: str, given: Any, written: bool) -> NDArray[Any]:
    if hasattr(given, "__cuda_array_interface__"):
        raise _on_gpu(name)
    if isinstance(given, np.ma.MaskedArray | np.matrix):
        kind = type(given).__name__
        raise ArgumentError(
            "A004",
            f"`{name}` is a {kind}, which a kernel cannot respect",
            argument=name,
            help="pass a plain ndarray",
        )
    if isinstance(given, np.ndarray):
        return np.asarray(given)
    if hasattr(given, "__dlpack__") and hasattr(given, "__dlpack_device__"):
        if given.__dlpack_device__()[0] != ON_CPU:
            raise _on_gpu(name)
        try:
            return np.from_dlpack(given)
        except (BufferError, RuntimeError, TypeError, ValueError):
            pass  # a type that DLPack has not, such as bfloat16: __array__ may give it
    if isinstance(given, np.generic) or not hasattr(given, "__array__"):
        raise _no_array(name, given)
    if written:
        raise _not_writable(
            name,
            f"is a {type(given).__name__}, which gives its elements as a copy",
            "pass a NumPy array or a PackedArray",
        )
    return _converted(name, given)


def _converted(name: str, given: Any) -> NDArray[Any]:
    try:
        return np.asarray(given)
    except Exception as error:  # whatever the __array__ of another library raises
        raise ArgumentError(
            "A004", f"`{name}`, a {type(given).__name__}, does not become an array: {error}", argument=name
        ) from None


def _no_array(name: str, given: Any) -> ArgumentError:
    if hasattr(given, "codes") and hasattr(given, "scales"):
        helps = "pass its codes and its scales as two arguments"
    elif isinstance(given, list | tuple):
        helps = "numpy.asarray(x, dtype=…) makes an array"
    else:
        helps = "pass a NumPy array, a PackedArray or something with DLPack"
    return ArgumentError("A004", f"`{name}` is a tensor, not a {type(given).__name__}", argument=name, help=helps)


def _on_gpu(name: str) -> ArgumentError:
    return ArgumentError(
        "A017",
        f"`{name}` lies on a GPU, and this backend runs on the host",
        argument=name,
        help="leave the backend out, or copy it to the host: cupy.asnumpy(x), or x.cpu() in torch",
    )


def _check_writable(name: str, array: NDArray[Any]) -> None:
    if not array.flags.writeable:
        raise _not_writable(name, "is read-only", "pass a copy, or let the kernel make it")
    if not array.dtype.isnative:
        raise _not_writable(name, f"is byte-swapped ({array.dtype.str})", f"numpy.empty(shape, {array.dtype.name!r})")
    if _overlaps_itself(array):
        raise _not_writable(name, "has elements that share memory", "pass an array of its own")


def _overlaps_itself(array: NDArray[Any]) -> bool:
    """Whether two elements may share bytes: an axis that does not step over all that lies within it."""
    reach = array.dtype.itemsize
    axes = sorted((abs(step), extent) for step, extent in zip(array.strides, array.shape, strict=True) if extent > 1)
    for step, extent in axes:
        if step < reach:
            return array.size > 1
        reach += step * (extent - 1)
    return False


def _not_writable(name: str, why: str, help: str) -> ArgumentError:
    return ArgumentError("A015", f"`{name}` is written by the kernel, but it {why}", argument=name, help=help)
