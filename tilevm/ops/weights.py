"""A quantised weight laid out for the product: codes as fragments, scales and zero points as threads need them.

``pack_weight`` takes a ``QuantizedTensor`` of any origin (groups along either axis, blocks of one or two dimensions,
two levels of scales, a codebook) and brings it to the one form that the kernels of ``matmul.tvm`` read: codes
``[K, N]``, and a scale for each group of rows of each column. Codes are kept bit for bit, and so are scales, unless
they have to be spread over smaller groups or shifted by a power of two; whatever would be rounded on the way is
refused.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from hashlib import sha256
from math import gcd
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tilevm.dtypes import DType, codebook, dtype
from tilevm.errors import ArgumentError
from tilevm.packed_array import PackedArray
from tilevm.quantization import Hadamard, QuantizedTensor
from tilevm.quantization.blocks import spread
from tilevm.runtime.kernel import Kernel, Module, load

__all__ = ["PackedWeight", "kernels", "pack_weight"]

UNIT = 64
"""Rows of a stage of the product: a group is whole stages, or several groups are one."""
RAW_BITS = (1, 2, 4, 8)
"""Widths of codes that fill half words."""
ACTIVATIONS = {"f16": 16, "bf16": 16, "i8": 32, "f8e4m3": 32}
"""The formats of activations, and the rows that one matrix instruction takes: the smallest group."""


@cache
def kernels() -> Module:
    """The kernels of ``matmul.tvm``."""
    return load(Path(__file__).with_name("matmul.tvm"))


@dataclass(frozen=True, eq=False)
class PackedWeight:
    """What the product takes for a weight ``[K, N]``: get one from ``pack_weight``.

    ``arrays`` are the tensor parameters of the kernel ``kernel``, ``settings`` its compile-time parameters.
    ``permutation`` is the order of the rows, ``transform`` was applied to them: the product does the same to its input.
    """

    kernel: str
    shape: tuple[int, int]
    activations: DType
    arrays: dict[str, PackedArray]
    settings: dict[str, Any]
    tensor_scale: float
    permutation: NDArray[np.integer[Any]] | None = None
    transform: Hadamard | None = None

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays, padding included."""
        return sum(each.nbytes for each in self.arrays.values())

    @property
    def definition(self) -> Kernel:
        """The kernel."""
        return kernels()[self.kernel]

    def to_device(self) -> PackedWeight:
        """The same weight on the current GPU. Raises ``NoDeviceError`` F041 where there is none."""
        from tilevm.runtime.device import current_device

        cupy = current_device().cupy
        moved = {
            name: PackedArray(cupy.asarray(each.data), each.dtype, each.shape, each.layout)
            for name, each in self.arrays.items()
        }
        return replace(self, arrays=moved)

    def __repr__(self) -> str:
        inner, outer = self.shape
        codes = self.arrays["w"].dtype
        return f"PackedWeight({codes}[{inner}, {outer}] for {self.activations}, {self.kernel}, {self.nbytes:,} bytes)"


def pack_weight(weight: QuantizedTensor, activations: DType | str = "f16") -> PackedWeight:
    """Lays a quantised weight out for ``matmul`` with activations of a format: ``f16``, ``bf16``, ``i8`` or ``f8e4m3``.

    ``weight`` is ``[K, N]`` if its ``axis``, along which the product sums, is 0, and ``[N, K]`` if it is 1. Its blocks
    may have any extent along N; along K a multiple of 64, or a whole number of times 16 (of 32, for 8-bit activations),
    or all of K.

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
        raise _refused(f"there is no product with activations of {target}", f"one of {', '.join(ACTIVATIONS)}")
    weight = _by_rows(weight)
    codes = _with_codebook(weight)
    _check_exact(codes.dtype, target)
    group, rows = _groups(weight, ACTIVATIONS[target.name])
    scales = _each_row(weight, weight.scales, rows)
    zeros = None if weight.zeros is None else _each_row(weight, weight.zeros, rows)
    overall = 1.0 if weight.tensor_scale is None else float(weight.tensor_scale)
    raw: dict[str, Any] = {}
    if target.name == "f16" and group >= UNIT:
        codes, raw = _raw(codes, zeros is not None)
    elif target.bits == 16 and group < UNIT:
        scales, shift = _within(scales, codes.dtype, target)
        overall *= 2.0**shift
    kernel = "matmul" if zeros is None else "matmul_zero"
    kernel = kernel if target.name in ("f16", "bf16") else "matmul_8"
    if kernel == "matmul_8" and zeros is not None:
        raise _refused("the product of 8 bits takes no zero points", "quantise with a signed format, or pack for f16")
    definition = kernels()[kernel]
    settings: dict[str, Any] = {"W": codes.dtype, "S": scales.dtype, "A": target, "GROUP": group, **raw}
    settings |= {} if zeros is None else {"Z": zeros.dtype}
    parts = {"w": codes, "scale": scales} | ({} if zeros is None else {"zero": zeros})
    arrays = {name: definition.pack(name, each, **settings) for name, each in parts.items()}
    inner, outer = weight.shape
    return PackedWeight(kernel, (inner, outer), target, arrays, settings, overall, weight.permutation, weight.transform)


def _refused(reason: str, help: str | None = None) -> ArgumentError:
    return ArgumentError("A025", reason, argument="weight", help=help)


def _by_rows(weight: QuantizedTensor) -> QuantizedTensor:
    """The weight as ``[K, N]``, its groups along axis 0."""
    if len(weight.shape) != 2:
        raise _refused(f"a weight has two dimensions, not the shape {list(weight.shape)}", "one expert at a time")
    if weight.offsets is not None:
        raise _refused(
            "the product takes zero points, not offsets after scaling",
            "quantise again: tilevm.quantize(w.dequantize(), …)",
        )
    if weight.axis == 0:
        return weight
    codes = PackedArray.from_codes(weight.codes.codes().T, weight.dtype)
    return replace(
        weight,
        codes=codes,
        scales=_turned(weight, weight.scales),
        zeros=None if weight.zeros is None else _turned(weight, weight.zeros),
        block=weight.block[::-1],
        axis=0,
        transform=None if weight.transform is None else replace(weight.transform, axis=0),
    )


def _turned(weight: QuantizedTensor, part: Any) -> NDArray[Any] | PackedArray:
    if isinstance(part, QuantizedTensor):
        part = part.dequantize().reshape(weight.grid)
    if isinstance(part, PackedArray):
        return PackedArray.from_codes(part.codes().T, part.dtype)
    return np.ascontiguousarray(np.asarray(part).T)


def _with_codebook(weight: QuantizedTensor) -> PackedArray:
    """The codes, of a format that has the numbers of the codebook where there is one for the tensor."""
    if weight.codebooks is None:
        return weight.codes
    tables = weight.codebooks.reshape(-1, weight.codebooks.shape[-1])
    if not (tables == tables[0]).all():
        raise _refused("the product takes one codebook for the tensor, not one for each block")
    name = f"book_{sha256(tables[0].astype(np.float64).tobytes()).hexdigest()[:12]}"
    return PackedArray.from_codes(weight.codes.codes(), codebook(name, tables[0].tolist()))


def _check_exact(codes: DType, target: DType) -> None:
    """Refuses codes whose numbers the activations' format lacks. Codebooks are rounded, as their cast is."""
    if codes.kind == "codebook" and target.bits > 8:
        return
    numbers = codes.decode(np.arange(len(codes.table) or 1 << codes.bits).astype(codes.storage))
    with np.errstate(all="ignore"):
        back = target.decode(target.to_codes(target.encode(numbers, saturate=False)))
    if not np.array_equal(numbers, back, equal_nan=True):
        raise _refused(
            f"{target} does not have all numbers of {codes}",
            "i8 has those of i1 to i8 and u1 to u7, f8e4m3 those of floats up to f7e3m3, bf16 those of all formats",
        )


def _raw(codes: PackedArray, zeros: bool) -> tuple[PackedArray, dict[str, Any]]:
    """Codes that the product takes as they are, where there are such: unsigned, with the code that means zero."""
    kind = codes.dtype
    if kind.kind == "uint" and kind.bits in RAW_BITS:
        return codes, {"RAW": True}
    if zeros or not (kind.name == "trit" or (kind.kind == "int" and kind.bits in RAW_BITS)):
        return codes, {}
    least = int(kind.min)
    numbers = kind.decode(codes.codes()).astype(np.int64)
    return PackedArray.from_codes((numbers - least).astype(np.uint8), f"u{kind.bits}"), {"RAW": True, "MIDDLE": -least}


def _groups(weight: QuantizedTensor, least: int) -> tuple[int, NDArray[np.int64]]:
    """The rows that share a scale in the kernel, and for each such group the row of the grid that it takes."""
    inner, extent = weight.shape[0], weight.block[0]
    if extent >= inner:
        return max(-(-inner // UNIT), 1) * UNIT, np.zeros(1, np.int64)
    group = extent if extent % UNIT == 0 else gcd(extent, UNIT)
    if group < least:
        raise _refused(
            f"blocks of {extent} rows are no groups of at least {least}",
            f"choose a block of a multiple of {least} rows",
        )
    return group, np.arange(-(-inner // group)) * group // extent


def _each_row(weight: QuantizedTensor, part: Any, rows: NDArray[np.int64]) -> PackedArray:
    """Scales or zero points of every group and column, in their own format."""
    outer = weight.shape[1]
    if isinstance(part, QuantizedTensor):
        part = part.dequantize().reshape(weight.grid)
    held = part if isinstance(part, PackedArray) else PackedArray.from_values(part, dtype(np.asarray(part).dtype))
    kind = held.dtype
    codes = spread(held.codes()[rows], (1, weight.block[1]), (len(rows), outer))
    # Seven bits a scale would lie across bytes; f8e4m3 has the same codes, and a sign that is never set.
    return PackedArray.from_codes(np.ascontiguousarray(codes), "f8e4m3" if kind.name == "ue4m3" else kind)


def _within(scales: PackedArray, codes: DType, target: DType) -> tuple[PackedArray, int]:
    """Scales that the activations' format holds, and by which power of two they were divided.

    Where groups are smaller than a stage, each weight is scaled in the activations' format. Scales of e8m0, or of a
    tensor whose weights are large, may leave its range though the weights of any layer do not differ that much.
    """
    numbers = np.asarray(scales, np.float64)
    used = np.abs(numbers[numbers != 0])
    if not used.size:
        return scales, 0
    reach = float(max(abs(codes.max), abs(codes.min)))
    largest, least = float(used.max()) * reach, float(used.min())
    low = 2.0**-14 if target.name == "f16" else 2.0**-126
    if largest <= target.max / 2 and least >= low:
        return scales, 0
    shift = int(np.ceil(np.log2(largest / (target.max / 4))))
    if least * 2.0**-shift < low:
        raise _refused(
            f"the scales reach from {least:.3g} to {largest / reach:.3g}, and {target} does not hold their products",
            "pack it for activations of bf16" if target.name == "f16" else None,
        )
    if scales.dtype.name == "e8m0":
        return PackedArray.from_codes((scales.codes().astype(np.int64) - shift).astype(np.uint8), "e8m0"), shift
    return PackedArray.from_values(numbers * 2.0**-shift, "f32"), shift
