"""A quantised weight in the form that the kernels of ``matmul.tvm`` read.

That is: codes ``[K, N]``, and a scale (and a zero point) for each group of rows of each column. Weights come in many
forms: groups along either axis, blocks of one or two dimensions, two levels of scales, scales that are quantised
themselves, a codebook. Codes are kept bit for bit, and so are scales, unless they have to be spread over smaller groups
or shifted by a power of two; whatever would be rounded on the way is refused.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import sha256
from math import gcd
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tilevm.dtypes import DType, codebook, dtype
from tilevm.errors import ArgumentError
from tilevm.packed_array import PackedArray
from tilevm.quantization import QuantizedTensor
from tilevm.quantization.blocks import spread

__all__ = ["ACTIVATIONS", "UNIT", "Parts", "parts_of", "refused", "stored_as"]

UNIT = 64
"""Rows and columns of a unit of weights: a group is whole units, or several groups are one."""
RAW_BITS = (1, 2, 4, 8)
"""Widths of codes that fill half words."""
ACTIVATIONS = {"f16": 16, "bf16": 16, "i8": 32, "f8e4m3": 32}
"""The formats of activations, and the rows that one matrix instruction takes: the smallest group."""


@dataclass(frozen=True, eq=False)
class Parts:
    """Codes ``[K, N]`` with scales and zero points ``[ceil(K / group), N]``, and the scale of the tensor. ``raw`` are
    settings of the kernel: whether it takes codes as they are, and the one that means zero."""

    codes: PackedArray
    scales: PackedArray
    zeros: PackedArray | None
    group: int
    tensor_scale: float
    raw: dict[str, Any]

    @property
    def shape(self) -> tuple[int, int]:
        """K and N."""
        return self.codes.shape[0], self.codes.shape[1]

    @classmethod
    def of(
        cls,
        codes: PackedArray,
        scales: PackedArray,
        zeros: PackedArray | None,
        group: int,
        tensor_scale: float,
        target: DType,
    ) -> Parts:
        """Parts whose codes are stored as the kernel for activations of ``target`` takes them; dense arrays, which may
        lie on a GPU."""
        kind, raw = stored_as(codes.dtype, group, target, zeros is not None)
        sign = -1.0 if codes.dtype.name == "i1" and kind.name == "u1" else 1.0
        return cls(_stored(codes, kind), scales, zeros, group, sign * tensor_scale, raw)

    def grouped(self, group: int) -> Parts:
        """The same with smaller groups, each with the scale of the one that it is a part of."""
        rows = np.arange(-(-self.shape[0] // group)) * group // self.group
        return replace(
            self,
            scales=_rows(self.scales, rows),
            zeros=None if self.zeros is None else _rows(self.zeros, rows),
            group=group,
        )

    def padded(self, columns: int) -> Parts:
        """The same with columns of zeros at the end, so that their number is a multiple of ``columns``."""
        missing = -self.shape[1] % columns
        return replace(
            self,
            codes=_wider(self.codes, missing),
            scales=_wider(self.scales, missing),
            zeros=None if self.zeros is None else _wider(self.zeros, missing),
        )


def parts_of(weight: QuantizedTensor, target: DType) -> Parts:
    """The parts of a weight for activations of the format ``target``. Raises ``ArgumentError`` A025."""
    weight = _by_rows(weight)
    codes = _with_codebook(weight)
    _check_exact(codes.dtype, target)
    group, rows = _groups(weight, ACTIVATIONS[target.name])
    scales = _each_row(weight, weight.scales, rows)
    zeros = None if weight.zeros is None else _each_row(weight, weight.zeros, rows)
    overall = 1.0 if weight.tensor_scale is None else float(weight.tensor_scale)
    if target.bits == 16 and group < UNIT:
        scales, shift = _within(scales, codes.dtype, target)
        overall *= 2.0**shift
    if target.bits == 8 and zeros is not None:
        raise refused("the product of 8 bits takes no zero points", "quantise with a signed format, or pack for f16")
    return Parts.of(codes, scales, zeros, group, overall, target)


def _rows(part: PackedArray, rows: NDArray[np.int64]) -> PackedArray:
    return PackedArray.from_codes(part.codes()[rows], part.dtype)


def _wider(part: PackedArray, columns: int) -> PackedArray:
    return PackedArray.from_codes(np.pad(part.codes(), ((0, 0), (0, columns))), part.dtype)


def refused(reason: str, help: str | None = None) -> ArgumentError:
    return ArgumentError("A025", reason, argument="weight", help=help)


def _by_rows(weight: QuantizedTensor) -> QuantizedTensor:
    """The weight as ``[K, N]``, its groups along axis 0."""
    if len(weight.shape) != 2:
        raise refused(f"a weight has two dimensions, not the shape {list(weight.shape)}", "one expert at a time")
    if weight.offsets is not None:
        raise refused(
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
        raise refused("the product takes one codebook for the tensor, not one for each block")
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
        raise refused(
            f"{target} does not have all numbers of {codes}",
            "i8 has those of i1 to i8 and u1 to u7, f8e4m3 those of floats up to f7e3m3, bf16 those of all formats",
        )


def stored_as(kind: DType, group: int, target: DType, zeros: bool = False) -> tuple[DType, dict[str, Any]]:
    """The format in which codes of ``kind`` are packed, and the kernel's settings for it.

    Codes of 1, 2, 4 and 8 bits need no cast to f16 where they are unsigned. So signed ones count from the least number:
    the setting ``MIDDLE`` is the code that means zero. Those of ``i1`` are bits, 0 and -1: the scale of the tensor has
    the sign.

    >>> from tilevm.dtypes import F16, dtype
    >>> stored_as(dtype("i4"), 128, F16), stored_as(dtype("f6e3m2"), 128, F16)
    ((dtype('u4'), {'RAW': True, 'MIDDLE': 8}), (dtype('f6e3m2'), {}))
    """
    raw = target.name == "f16" and group >= UNIT and kind.bits in RAW_BITS
    if raw and kind.kind == "uint":
        return kind, {"RAW": True}
    if raw and not zeros and kind.name == "i1":
        return dtype("u1"), {"RAW": True}
    if raw and not zeros and (kind.kind == "int" or kind.name == "trit"):
        return dtype(f"u{kind.bits}"), {"RAW": True, "MIDDLE": int(-kind.min)}
    return kind, {}


def _stored(codes: PackedArray, wanted: DType) -> PackedArray:
    """Codes as those of the unsigned format in which they count from the least number."""
    kind = codes.dtype
    if kind == wanted:
        return codes
    if kind.name == "i1":
        return PackedArray(codes.data, wanted, codes.shape, codes.layout)
    if kind.kind == "int" and codes.layout is None:
        # Of two's complement the highest bit turns round, in all codes of a byte at once: on a GPU as well.
        turned = sum(1 << bit for bit in range(kind.bits - 1, 8, kind.bits))
        return PackedArray(codes.data ^ np.uint8(turned), wanted, codes.shape)
    numbers = kind.decode(codes.codes()).astype(np.int64)
    return PackedArray.from_codes((numbers - int(kind.min)).astype(np.uint8), wanted)


def _groups(weight: QuantizedTensor, least: int) -> tuple[int, NDArray[np.int64]]:
    """The rows that share a scale in the kernel, and for each such group the row of the grid that it takes."""
    inner, extent = weight.shape[0], weight.block[0]
    if extent >= inner:
        return max(-(-inner // UNIT), 1) * UNIT, np.zeros(1, np.int64)
    group = extent if extent % UNIT == 0 else gcd(extent, UNIT)
    if group < least:
        raise refused(
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
        raise refused(
            f"the scales reach from {least:.3g} to {largest / reach:.3g}, and {target} does not hold their products",
            "pack it for activations of bf16" if target.name == "f16" else None,
        )
    if scales.dtype.name == "e8m0":
        return PackedArray.from_codes((scales.codes().astype(np.int64) - shift).astype(np.uint8), "e8m0"), shift
    return PackedArray.from_values(numbers * 2.0**-shift, "f32"), shift
