"""What GPU arrays become: an address, a number format and a shape. Nothing is copied or converted.

    given                                   read by
    CuPy array                              its attributes
    torch tensor on a GPU                   its attributes; the launch is on torch's current stream
    PackedArray whose data lie on a GPU     its data, for formats that are no whole bytes and for declared layouts
    ``__cuda_array_interface__``, DLPack    cupy.asarray, cupy.from_dlpack

A compiled kernel reads an array as it lies in memory, so an array must lie as the parameter declares it: row after row
without gaps, or in the declared layout.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tilevm.dtypes import DType
from tilevm.dtypes import dtype as format_of
from tilevm.errors import ArgumentError, DTypeError
from tilevm.ir import Program
from tilevm.memory_pattern import Placement
from tilevm.packed_array import PackedArray
from tilevm.packing import packed_bytes
from tilevm.runtime.arrays import numpy_type
from tilevm.runtime.backends import byte_view, is_torch, lies_on_gpu
from tilevm.runtime.device import Device
from tilevm.runtime.launch import Place
from tilevm.runtime.memory_image import declared_layout
from tilevm.values import Value

__all__ = ["DeviceArray", "adopt_on", "check_layouts", "dense_bytes", "place_on"]

TORCH_FORMATS = {
    **{f"float{bits}": f"f{bits}" for bits in (16, 32, 64)},
    **{f"int{bits}": f"i{bits}" for bits in (8, 16, 32, 64)},
    **{f"uint{bits}": f"u{bits}" for bits in (8, 16, 32, 64)},
    "bfloat16": "bf16",
    "float8_e4m3fn": "f8e4m3",
    "float8_e4m3fnuz": "f8e4m3fnuz",
    "float8_e5m2": "f8e5m2",
    "float8_e5m2fnuz": "f8e5m2fnuz",
    "float8_e8m0fnu": "e8m0",
    "bool": "u1",
}
"""Number formats of torch, by its names for them."""


@dataclass(frozen=True, eq=False)
class DeviceArray:
    """An array on a GPU that was passed or made for a parameter."""

    given: Any
    dtype: DType
    shape: tuple[int, ...]
    address: int
    nbytes: int
    device: int
    layout: Placement | None = None
    """The layout of a ``PackedArray``; None where elements lie row after row."""
    held: Any = None
    """What the address belongs to, where that is not ``given``."""


def adopt_on(device: Device, name: str, given: Any, *, written: bool) -> DeviceArray:
    """The array passed for the parameter ``name``.

    Raises ``ArgumentError`` A004 for what has no number format, A015 for one that is written and must not be, A021 for
    one that does not lie on a GPU, A022 for one with gaps, A023 for one on another GPU.
    """
    if not lies_on_gpu(given):
        raise _on_host(name, given)
    if isinstance(given, PackedArray):
        data = adopt_on(device, name, given.data, written=written)
        return DeviceArray(given, given.dtype, given.shape, data.address, data.nbytes, data.device, given.layout, data)
    array = _torch_array(name, given) if is_torch(given) else _cupy_array(device.cupy, name, given, written)
    if array.device != device.number:
        raise ArgumentError(
            "A023",
            f"`{name}` lies on GPU {array.device}, but the current one is {device.number}",
            argument=name,
            help=f"first cupy.cuda.Device({array.device}).use(), or torch.cuda.set_device({array.device})",
        )
    if array.dtype.bits % 8:
        raise ArgumentError(
            "A022",
            f"`{name}` holds a {array.dtype} in each byte; on a GPU its elements lie side by side, "
            f"{array.dtype.bits} bits each",
            argument=name,
            help=f'pack it: p = tilevm.PackedArray.from_values(…, "{array.dtype}"), then '
            "tilevm.PackedArray(cupy.asarray(p.data), p.dtype, p.shape)",
        )
    return array


def dense_bytes(device: Device, name: str, given: Any) -> PackedArray:
    """An array on a GPU as a dense ``PackedArray`` over the same memory. Raises what ``adopt_on`` raises."""
    array = adopt_on(device, name, given, written=False)
    if isinstance(given, PackedArray):
        return given
    return PackedArray(byte_view(given if is_torch(given) else array.held), array.dtype, array.shape)


def _torch_array(name: str, given: Any) -> DeviceArray:
    kind = str(given.dtype).removeprefix("torch.")
    if kind not in TORCH_FORMATS:
        raise _no_format(name, kind)
    if not given.is_contiguous():
        raise _gaps(name, "x.contiguous()")
    dtype = format_of(TORCH_FORMATS[kind])
    shape = tuple(given.shape)
    nbytes = math.prod(shape) * given.element_size()
    return DeviceArray(given, dtype, shape, given.data_ptr(), nbytes, given.get_device())


def _cupy_array(cupy: Any, name: str, given: Any, written: bool) -> DeviceArray:
    array = given
    if not isinstance(given, cupy.ndarray):
        if written and hasattr(given, "__cuda_array_interface__") and given.__cuda_array_interface__["data"][1]:
            raise ArgumentError(
                "A015", f"`{name}` is written by the kernel, but it is read-only", argument=name, help="pass a copy"
            )
        try:
            through = cupy.asarray if hasattr(given, "__cuda_array_interface__") else cupy.from_dlpack
            array = through(given)
        except (TypeError, ValueError, BufferError, RuntimeError) as error:
            kind = type(given).__name__
            raise ArgumentError(
                "A004", f"`{name}`, a {kind}, does not become an array: {error}", argument=name
            ) from None
    try:
        dtype = format_of(array.dtype)
    except DTypeError:
        raise _no_format(name, str(array.dtype)) from None
    if not array.flags.c_contiguous:
        raise _gaps(name, "cupy.ascontiguousarray(x)")
    shape, nbytes = tuple(array.shape), array.size * array.itemsize
    return DeviceArray(given, dtype, shape, array.data.ptr, nbytes, array.data.device_id, held=array)


def _on_host(name: str, given: Any) -> ArgumentError:
    how = "cupy.asarray(x)"
    if isinstance(given, PackedArray):
        how = "tilevm.PackedArray(cupy.asarray(x.data), x.dtype, x.shape, x.layout)"
    elif is_torch(given):
        how = "x.cuda()"
    return ArgumentError(
        "A021",
        f"`{name}` lies on the host, and the launch is to be on a GPU",
        argument=name,
        help=f"copy it there, once for all launches: {how}",
    )


def _no_format(name: str, kind: str) -> ArgumentError:
    return ArgumentError(
        "A004", f"`{name}` is an array of {kind}, which is no number format", argument=name, help="convert it"
    )


def _gaps(name: str, help: str) -> ArgumentError:
    return ArgumentError(
        "A022",
        f"`{name}` does not lie row after row in memory, as a compiled kernel takes it",
        argument=name,
        help=f"{help} makes a copy that does",
    )


def check_layouts(program: Program, arrays: Mapping[str, DeviceArray], sizes: Mapping[str, int]) -> None:
    """Refuses arrays that lie in another layout than their parameter declares. Raises ``ArgumentError`` A022."""
    for value in program.tensors:
        array = arrays[value.name]
        declared = declared_layout(value, sizes)
        if declared != array.layout:
            raise _other_layout(value, array, declared)


def _other_layout(value: Value, array: DeviceArray, declared: Placement | None) -> ArgumentError:
    name = value.name
    written = "row after row" if array.layout is None else f"as {array.layout}"
    return ArgumentError(
        "A022",
        f"`{name}` lies {written} in memory, the kernel takes it {'row after row' if declared is None else declared}",
        argument=name,
        help=f"on the host: p = tilevm.PackedArray.from_codes({name}.codes(), {name}.dtype"
        f"{'' if declared is None else ', layout'}), then its data to the GPU",
    )


def place_on(device: Device, torch: Any) -> Place[DeviceArray]:
    """Where outputs are made: by torch if it is given, else by CuPy. They hold whatever was there before."""

    def make(name: str, dtype: DType, shape: tuple[int, ...]) -> DeviceArray:
        return _make(device, torch, name, dtype, shape)

    return Place(make, _overlap)


def _make(device: Device, torch: Any, name: str, dtype: DType, shape: tuple[int, ...]) -> DeviceArray:
    kind = None
    if dtype.bits % 8 == 0:
        kind = numpy_type(dtype) if torch is None else _torch_kind(torch, dtype)
    packed = kind is None
    if kind is None:
        kind = np.dtype(np.uint8) if torch is None else torch.uint8
    extents = (packed_bytes(math.prod(shape), dtype.bits),) if packed else shape
    try:
        made = (
            torch.empty(extents, dtype=kind, device=f"cuda:{device.number}")
            if torch is not None
            else device.cupy.empty(extents, kind)
        )
    except (MemoryError, RuntimeError) as error:  # CuPy's OutOfMemoryError and torch's are of these two
        size = packed_bytes(math.prod(shape), dtype.bits)
        raise ArgumentError(
            "A020", f"there is no memory for `{name}`, {dtype}{list(shape)}: {size:,} bytes: {error}", argument=name
        ) from None
    return adopt_on(device, name, PackedArray(made, dtype, shape) if packed else made, written=True)


def _torch_kind(torch: Any, dtype: DType) -> Any:
    """torch's type of a format, or None where this torch has none."""
    names = [name for name, known in TORCH_FORMATS.items() if known == dtype.name]
    return getattr(torch, names[0], None) if names else None


def _overlap(first: DeviceArray, second: DeviceArray) -> bool:
    return (
        first.address < second.address + second.nbytes
        and second.address < first.address + first.nbytes
        and min(first.nbytes, second.nbytes) > 0
    )
