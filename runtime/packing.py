"""Arrays packed as a parameter of a kernel declares them, and back: ``kernel.pack`` and ``kernel.unpack``.

The order follows from the parameter's type, ``w: W[K, N] @ fragments(…)``, so that weights are packed once, when they
are loaded, and every launch finds them as its threads want them. Nothing is lost on the way: unpacking gives the same
codes, in the same shape, without what was padded.
"""

from __future__ import annotations

from typing import Any

from tilevm.errors import ArgumentError, LayoutError, Related, did_you_mean
from tilevm.fragment_order import FragmentOrder
from tilevm.frontend import KernelDefinition
from tilevm.memory_pattern import Placement
from tilevm.packed_array import PackedArray
from tilevm.runtime.arrays import adopt
from tilevm.runtime.backends import lies_on_gpu
from tilevm.values import TensorType, Value

__all__ = ["check_tensor", "packed", "packing_argument", "unpacked"]


def check_tensor(definition: KernelDefinition, name: str) -> None:
    """Refuses the name of what is no tensor parameter. Raises ``ArgumentError`` A001."""
    names = [parameter.name for parameter in definition.parameters if parameter.is_tensor]
    if name not in names:
        raise ArgumentError(
            "A001",
            f"kernel `{definition.name}` has no tensor `{name}`",
            argument="name",
            help=did_you_mean(name, names) or f"it has {', '.join(names)}",
        )


def packing_argument(name: str, array: Any) -> PackedArray:
    """What is to be packed, as a dense ``PackedArray``, where it lies.

    Raises ``ArgumentError`` A004 for what is no array or has no number format.
    """
    if isinstance(array, PackedArray) and array.layout is None:
        return array
    if lies_on_gpu(array):
        from tilevm.runtime.device import current_device
        from tilevm.runtime.device_arrays import dense_bytes

        return dense_bytes(current_device(), name, array)
    given = adopt(name, array, written=False)
    return PackedArray.from_codes(given.dtype.to_codes(given.elements), given.dtype)


def packed(value: Value, array: PackedArray, backend: str | None) -> PackedArray:
    """The array in the layout that the parameter ``value`` declares; dense where it declares none.

    Raises ``ArgumentError`` A005 for another format, A006 and A007 for a shape that the parameter cannot have, A024 for
    one that its layout does not fit.
    """
    if array.dtype != value.dtype:
        raise ArgumentError(
            "A005",
            f"`{value.name}` holds {array.dtype}, the kernel takes {value.dtype}",
            argument=value.name,
            help=f'if these are codes of {value.dtype}: tilevm.PackedArray.from_codes({value.name}, "{value.dtype}")',
        )
    placement = _placement(value, array.shape)
    if placement is None:
        return array
    if isinstance(placement, FragmentOrder) and (backend is not None or array.on_device):
        from tilevm.runtime.fragment_kernels import arranged

        return arranged(value.name, array, placement, backend)
    return PackedArray.from_codes(array.codes(), array.dtype, placement)


def unpacked(value: Value, array: PackedArray, backend: str | None) -> PackedArray:
    """The elements of an array that ``packed`` made, row after row without gaps.

    Raises ``ArgumentError`` A022 for an array that does not lie as the parameter declares.
    """
    declared = _placement(value, array.shape)
    if array.layout != declared:
        written = "row after row" if array.layout is None else f"as {array.layout}"
        raise ArgumentError(
            "A022",
            f"`{value.name}` lies {written} in memory, not {'row after row' if declared is None else declared}",
            argument=value.name,
            help="give the compile-time parameters that it was packed with",
        )
    if isinstance(declared, FragmentOrder) and (backend is not None or array.on_device):
        from tilevm.runtime.fragment_kernels import dense

        return dense(value.name, array, declared, backend)
    return PackedArray.from_codes(array.codes(), array.dtype)


def _placement(value: Value, shape: tuple[int, ...]) -> Placement | None:
    kind = value.type
    assert isinstance(kind, TensorType)
    related = () if value.span is None else (Related(value.span, "declared here"),)
    if len(shape) != len(kind.shape):
        raise ArgumentError(
            "A006",
            f"`{value.name}` has shape {list(shape)}; the kernel takes {len(kind.shape)} dimensions",
            argument=value.name,
            related=related,
            help="reshape it",
        )
    for axis, (extent, declared) in enumerate(zip(shape, kind.shape, strict=True)):
        if isinstance(declared, int) and extent != declared:
            raise ArgumentError(
                "A007",
                f"dimension {axis} of `{value.name}` is {extent}, the kernel takes {declared}",
                argument=value.name,
                related=related,
            )
    if kind.layout is None:
        return None
    try:
        return kind.layout.placed(shape, kind.dtype.bits)
    except LayoutError as error:
        first = error.diagnostics[0]
        raise ArgumentError("A024", first.message, argument=value.name, related=related, help=first.help) from None
