"""A weight laid out for the product, once, when it is loaded: ``pack_weight`` makes a ``PackedWeight``."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from math import gcd
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tilevm.dtypes import DType, dtype
from tilevm.ops.weight_parts import ACTIVATIONS, UNIT, Parts, parts_of, refused
from tilevm.packed_array import PackedArray
from tilevm.quantization import ColumnSplit, Hadamard, LowRank, OutlierSplit, QuantizedTensor
from tilevm.runtime.kernel import Kernel, Module, load

__all__ = ["PackedWeight", "Weight", "kernels", "pack_gated", "pack_parts", "pack_weight"]

Weight: TypeAlias = QuantizedTensor | OutlierSplit | LowRank | ColumnSplit
"""What can be packed."""


@cache
def kernels() -> Module:
    """The kernels of ``matmul.tvm``."""
    return load(Path(__file__).with_name("matmul.tvm"))


@dataclass(frozen=True, eq=False)
class PackedWeight:
    """What the product takes for a weight ``[K, N]``: get one from ``pack_weight``.

    ``arrays`` are the tensor parameters of the kernel ``kernel``, ``settings`` its compile-time parameters.
    ``permutation`` is the order of the rows, ``transform`` was applied to them: the product does the same to its input.
    ``rows`` or ``left`` say what of the input meets ``wide``, the rows that are added; ``columns`` says which column of
    the kernel's result is which of the product.
    """

    kernel: str
    shape: tuple[int, int]
    activations: DType
    arrays: dict[str, PackedArray]
    settings: dict[str, Any]
    tensor_scale: float
    permutation: NDArray[np.integer[Any]] | None = None
    transform: Hadamard | None = None
    rows: NDArray[np.int64] | None = None
    left: PackedArray | None = None
    columns: NDArray[np.int64] | None = None

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays, padding included."""
        held = {id(each): each.nbytes for name, each in self.arrays.items() if name not in ("bias", "residual")}
        return sum(held.values()) + (0 if self.left is None else self.left.nbytes)

    @property
    def definition(self) -> Kernel:
        """The kernel."""
        return kernels()[self.kernel]

    def to_device(self) -> PackedWeight:
        """The same weight on the current GPU. Raises ``NoDeviceError`` F041 where there is none."""
        from tilevm.runtime.device import current_device

        cupy = current_device().cupy

        def moved(each: PackedArray) -> PackedArray:
            return PackedArray(cupy.asarray(each.data), each.dtype, each.shape, each.layout)

        once = {id(each): moved(each) for each in self.arrays.values()}
        arrays = {name: once[id(each)] for name, each in self.arrays.items()}
        return replace(self, arrays=arrays, left=None if self.left is None else moved(self.left))

    def __repr__(self) -> str:
        inner, outer = self.shape
        codes = self.arrays["w"].dtype
        return f"PackedWeight({codes}[{inner}, {outer}] for {self.activations}, {self.kernel}, {self.nbytes:,} bytes)"


def pack_weight(weight: Weight, activations: DType | str = "f16") -> PackedWeight:
    """Lays a quantised weight out for ``matmul`` with activations of a format: ``f16``, ``bf16``, ``i8`` or ``f8e4m3``.

    ``weight`` is ``[K, N]`` if its ``axis``, along which the product sums, is 0, and ``[N, K]`` if it is 1. Its blocks
    may have any extent along N; along K a multiple of 64, or a whole number of times 16 (of 32, for 8-bit activations),
    or all of K. What is kept beside the codes (wide rows, a correction of low rank) is rounded to the format of 16-bit
    activations; for those of 8 bits to f16. A ``ColumnSplit`` has two formats.

    Raises ``ArgumentError`` A025 for a weight of which a kernel could not keep the exact numbers or that it cannot
    read: offsets, codebooks of single blocks, other blocks, codes that the activations' format lacks, scales that
    leave its range.

    >>> import tilevm
    >>> w = np.random.default_rng(0).standard_normal((200, 130)).astype(np.float32)
    >>> pack_weight(tilevm.quantize(w, "f6e3m2", group=None))
    PackedWeight(f6e3m2[200, 130] for f16, matmul, 37,248 bytes)
    """
    target = dtype(activations)
    if target.name not in ACTIVATIONS:
        raise refused(f"there is no product with activations of {target}", f"one of {', '.join(ACTIVATIONS)}")
    if isinstance(weight, ColumnSplit):
        return _of_columns(weight, target)
    if isinstance(weight, OutlierSplit):
        if weight.axis != weight.rest.axis:
            raise refused("wide rows lie along N, where the product does not sum", "a ColumnSplit keeps columns wide")
        wide = np.asarray(weight.wide, np.float32)
        return replace(_plus(weight.rest, wide if weight.axis == 0 else wide.T, target), rows=weight.rows)
    if isinstance(weight, LowRank):
        left, right = (np.asarray(each, np.float32) for each in (weight.left, weight.right))
        if weight.quantized.axis == 1:
            left, right = right.T, left.T
        packed = _plus(weight.quantized, right, target)
        return replace(packed, left=PackedArray.from_values(left, packed.arrays["wide"].dtype))
    kernel = "matmul_8" if target.bits == 8 else "matmul"
    return _of_rows(pack_parts(parts_of(weight, target), target, kernel), weight)


def pack_gated(gate: QuantizedTensor, up: QuantizedTensor, activations: DType | str = "f16") -> PackedWeight:
    """Two weights of one shape for a product that ends in ``silu(x @ gate) * (x @ up)``, with half of the columns.

    Both have one format and one scheme, columns in a multiple of 32, and activations of 16 bits. Raises
    ``ArgumentError`` A025 for weights that differ, and what ``pack_weight`` refuses.

    >>> import tilevm
    >>> random = np.random.default_rng(0)
    >>> gate, up = (tilevm.quantize(random.standard_normal((128, 96)), "i4", group=64) for _ in range(2))
    >>> pack_gated(gate, up)
    PackedWeight(u4[128, 96] for f16, matmul, 13,056 bytes)
    """
    target = dtype(activations)
    if target.name not in ("f16", "bf16"):
        raise refused(f"a gated product takes activations of f16 or bf16, not {target}")
    both = [parts_of(each, target) for each in (gate, up)]
    first, second = both
    alike = all(
        getattr(first, name) == getattr(second, name) for name in ("shape", "group", "tensor_scale", "raw")
    ) and [part and part.dtype for part in (first.codes, first.scales, first.zeros)] == [
        part and part.dtype for part in (second.codes, second.scales, second.zeros)
    ]
    if not alike or gate.transform != up.transform or gate.permutation is not None or up.permutation is not None:
        raise refused("the two weights of a gated product have one shape, format and scheme")
    if first.shape[1] % (UNIT // 2):
        raise refused(f"a gated product has a multiple of {UNIT // 2} columns, not {first.shape[1]}")
    joined = Parts(
        _in_turns(first.codes, second.codes),
        _in_turns(first.scales, second.scales),
        None if first.zeros is None or second.zeros is None else _in_turns(first.zeros, second.zeros),
        first.group,
        first.tensor_scale,
        first.raw,
    )
    return replace(_of_rows(pack_parts(joined, target, GATED=True), gate), shape=first.shape)


def _in_turns(first: PackedArray, second: PackedArray) -> PackedArray:
    """32 columns of one, 32 of the other, and so on."""
    halves = [each.codes().reshape(each.shape[0], -1, 1, UNIT // 2) for each in (first, second)]
    return PackedArray.from_codes(np.concatenate(halves, axis=2).reshape(first.shape[0], -1), first.dtype)


def pack_parts(parts: Parts, target: DType, kernel: str = "matmul", **more: Any) -> PackedWeight:
    """Parts laid out for one of the kernels, where they lie; ``more`` are settings of it."""
    settings: dict[str, Any] = {"W": parts.codes.dtype, "S": parts.scales.dtype, "A": target, "GROUP": parts.group}
    settings |= parts.raw | more
    laid_out = {"w": parts.codes, "scale": parts.scales}
    if parts.zeros is not None:
        settings["Z"] = parts.zeros.dtype
        laid_out["zero"] = parts.zeros
    if kernel in ("matmul", "matmul_plus"):
        # These have a zero point for each group; where the weight has none they get the scales, and do not read them.
        settings = {"Z": parts.scales.dtype} | settings | {"ZERO": parts.zeros is not None}
    arrays = {name: kernels()[kernel].pack(name, each, **settings) for name, each in laid_out.items()}
    if "Z" in settings:
        arrays.setdefault("zero", arrays["scale"])
    if kernel == "matmul":
        # What stands for a bias and a residual where there is none; nothing reads it.
        nothing = PackedArray.from_values(np.zeros((1, 1)), target)
        arrays |= {"bias": nothing, "residual": nothing}
    return PackedWeight(kernel, parts.shape, target, arrays, settings, parts.tensor_scale)


def _of_rows(packed: PackedWeight, weight: QuantizedTensor) -> PackedWeight:
    """The packed weight, whose rows are in the order of ``weight`` and went through its transform."""
    return replace(packed, permutation=weight.permutation, transform=weight.transform)


def _plus(weight: QuantizedTensor, wide: NDArray[np.float32], target: DType) -> PackedWeight:
    """The weight with rows that are added, ``wide[R, N]``."""
    parts = parts_of(weight, target)
    kind = target if target.bits == 16 else dtype("f16")
    rows = PackedArray.from_values(wide, kind)
    if target.bits == 8:
        packed = _of_rows(pack_parts(parts, target, "matmul_8_plus", B=kind), weight)
        return replace(packed, arrays=packed.arrays | {"wide": rows})
    packed = _of_rows(pack_parts(parts, target, "matmul_plus"), weight)
    return replace(packed, arrays=packed.arrays | {"wide": rows})


def _of_columns(weight: ColumnSplit, target: DType) -> PackedWeight:
    """Both parts of a split, with groups and scales of one size, the first padded to whole units."""
    if target.bits == 8:
        raise refused("the product of 8 bits takes one format", "pack it for f16 or bf16")
    first, second = (parts_of(each, target) for each in (weight.first, weight.second))
    if first.zeros is not None or second.zeros is not None:
        raise refused("a product of two formats takes no zero points", "quantise with signed formats")
    for each in (weight.first, weight.second):
        if each.permutation is not None or each.transform != weight.first.transform:
            raise refused("both parts of a split have their rows in their own order, and one transform")
    if first.tensor_scale != second.tensor_scale:
        first, second = (_without_tensor_scale(each) for each in (first, second))
    if first.scales.dtype != second.scales.dtype:
        first, second = (
            replace(each, scales=PackedArray.from_values(np.asarray(each.scales, np.float32), "f32"))
            for each in (first, second)
        )
    group = gcd(first.group, second.group) if first.group != second.group else first.group
    first, second = first.grouped(group).padded(UNIT), second.grouped(group)
    if group < UNIT:
        first, second = (replace(each, raw={}) for each in (first, second))
    settings = {"V": second.codes.dtype, **{f"V_{name}": value for name, value in second.raw.items()}}
    packed = _of_rows(pack_parts(first, target, "matmul_mixed", **settings), weight.first)
    kernel = packed.definition
    others = {"v": second.codes, "v_scale": second.scales}
    arrays = packed.arrays | {name: kernel.pack(name, each, **packed.settings) for name, each in others.items()}
    place = np.arange(weight.order.size)
    place[weight.first.shape[1] :] += first.shape[1] - weight.first.shape[1]
    columns = np.empty_like(place)
    columns[weight.order] = place
    return replace(packed, arrays=arrays, shape=weight.shape, columns=columns)


def _without_tensor_scale(parts: Parts) -> Parts:
    """Scales of one level, in f32."""
    scales = np.asarray(parts.scales, np.float32) * np.float32(parts.tensor_scale)
    return replace(parts, scales=PackedArray.from_values(scales, "f32"), tensor_scale=1.0)
