"""Quantisation: numbers as codes of a narrow format, each group of which shares a scale.

    w ≈ decode(code) · scale            signed formats, floats, codebooks
    w ≈ (decode(code) - zero) · scale   unsigned formats

A group is a run of elements along one axis. The scale is chosen so that the largest magnitude of the group (for
unsigned formats: its range) just fits the format, is rounded to its own format first, and the codes are chosen for
the rounded scale, so that rounding the scale costs no more than it must.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tilevm.dtypes import DType, dtype
from tilevm.errors import DTypeError
from tilevm.packed_array import PackedArray
from tilevm.quantization.tensor import QuantizedTensor

__all__ = ["quantize"]


def quantize(
    weights: ArrayLike,
    format: DType | str,
    group: int | None = 128,
    axis: int = 0,
    scale_format: DType | str = "f16",
    rounding: str = "nearest_even",
    clips: Iterable[float] = (1.0,),
) -> QuantizedTensor:
    """Quantises weights to a format, in groups of ``group`` elements along ``axis``; None takes the whole axis as one.

    Unsigned integers get zero points, integers in the scales' format; everything else is symmetric. ``clips`` are
    fractions of each group's range to try as the range of the format: what lies beyond saturates, what lies within is
    finer. Each group keeps the one with the least squared error; formats of few bits gain much by it, for example
    ``(1, 0.9, 0.8, 0.7, 0.6)``.

    Raises ``DTypeError`` D010 for weights that are not finite ``float32`` numbers, D011 for a group that does not
    divide the axis, D012 for a format in which weights cannot be written, D013 for a format that does not hold the
    scales or the zero points, D015 for clips that are no fractions.

    >>> q = quantize(np.linspace(-1, 1, 256).reshape(256, 1), "f6e3m2", group=128)
    >>> q
    QuantizedTensor(f6e3m2[256, 1] in groups of 128 along axis 0 with f16 scales, 6.12 bits each)
    >>> float(np.abs(q.dequantize() - np.linspace(-1, 1, 256).reshape(256, 1)).max().round(3))
    0.071
    """
    kind, scale_kind = dtype(format), dtype(scale_format)
    numbers = _numbers(weights)
    _check_formats(kind, scale_kind)
    axis, size = _group(numbers.shape, group, axis)
    fractions = tuple(clips) if isinstance(clips, Iterable) else ()
    if not fractions or not all(isinstance(each, int | float | np.floating) and 0 < each <= 1 for each in fractions):
        raise DTypeError("D015", f"clips are fractions above 0 and up to 1, at least one of them, not {clips!r}")
    length = numbers.shape[axis]
    grouped = numbers.reshape(*numbers.shape[:axis], length // size, size, *numbers.shape[axis + 1 :])
    attempts = (_Attempt.make(grouped, axis + 1, kind, scale_kind, rounding, float(each)) for each in fractions)
    best = reduce(_Attempt.better, attempts)
    codes = PackedArray.from_codes(best.codes.reshape(numbers.shape), kind)
    zeros = None if best.zeros is None else _held(best.zeros, scale_kind)
    return QuantizedTensor.grouped(codes, _held(best.scales, scale_kind), size, axis, zeros)


def _numbers(weights: ArrayLike) -> NDArray[np.float32]:
    given = np.asarray(weights)
    if given.dtype.kind not in "iuf" and given.dtype.name != "bfloat16":
        raise DTypeError("D010", f"weights are numbers, not {given.dtype}")
    with np.errstate(over="ignore"):
        numbers = given.astype(np.float32)
    if not np.isfinite(numbers).all():
        raise DTypeError("D010", "weights are finite float32 numbers, but some are infinite, NaN or beyond 3.4e38")
    return numbers


def _check_formats(kind: DType, scale_kind: DType) -> None:
    """Refuses formats in which there are no weights, scales or zero points."""
    if not kind.signed and kind.kind != "uint":
        raise DTypeError("D012", f"{kind} has no negative numbers and takes no zero point", help="it is for scales")
    if scale_kind.kind != "float":
        raise DTypeError("D013", f"scales are floats, not {scale_kind}", help="f16, bf16, f32, ue4m3, e8m0, …")
    whole = scale_kind.specials != "scale" and scale_kind.mantissa + 1 >= kind.bits and scale_kind.max >= kind.max
    if kind.kind == "uint" and not whole:
        raise DTypeError(
            "D013",
            f"zero points of {kind} are integers up to {kind.max}, and {scale_kind} does not hold all of them",
            help="f16, bf16 and f32 hold those of u1 to u8; signed formats need none",
        )


def _group(shape: tuple[int, ...], group: int | None, axis: int) -> tuple[int, int]:
    """The axis, counted from the front, and how many of its elements share a scale."""
    if not isinstance(axis, int | np.integer) or not -len(shape) <= axis < len(shape):
        raise DTypeError("D011", f"weights of {len(shape)} dimensions have no axis {axis!r}")
    axis = int(axis) % len(shape)
    length = shape[axis]
    size = length if group is None else group
    if not isinstance(size, int | np.integer) or size < 1 or length % size:
        divisors = [each for each in (32, 64, 96, 128, 192, 256) if length % each == 0]
        raise DTypeError(
            "D011",
            f"a group of {size!r} does not divide axis {axis}, which has {length} elements",
            help=f"{length} is a multiple of {', '.join(map(str, divisors)) or length}; None takes the whole axis",
        )
    return axis, int(size)


@dataclass(frozen=True, eq=False)
class _Attempt:
    """Codes, scales and zero points for one clip, and the squared error of each group; groups run along ``axis``."""

    codes: NDArray[np.generic]
    scales: NDArray[np.float32]
    zeros: NDArray[np.float32] | None
    error: NDArray[np.float64]
    axis: int

    @classmethod
    def make(
        cls, grouped: NDArray[np.float32], axis: int, kind: DType, scale_kind: DType, rounding: str, clip: float
    ) -> _Attempt:
        zeros = None
        if kind.kind == "uint":
            low, high = np.minimum(grouped.min(axis), 0), np.maximum(grouped.max(axis), 0)
            scales = _scales(clip * (high - low) / np.float32(kind.max), scale_kind)
            zeros = np.clip(np.rint(-clip * low / scales), 0, int(kind.max)).astype(np.float32)
        else:
            scales = _scales(clip * np.abs(grouped).max(axis) / np.float32(_reach(kind)), scale_kind)
        spread = np.expand_dims(scales, axis)
        shift = np.float32(0) if zeros is None else np.expand_dims(zeros, axis)
        codes = kind.encode(grouped / spread + shift, rounding, saturate=True)
        # In float64: squares of large weights leave float32.
        error = np.square((kind.decode_to(codes, np.float32) - shift) * spread - grouped, dtype=np.float64).sum(axis)
        return cls(codes, scales, zeros, error, axis)

    def better(self, other: _Attempt) -> _Attempt:
        """Of each group the attempt with the smaller error."""
        keep = self.error <= other.error
        zeros = None
        if self.zeros is not None and other.zeros is not None:
            zeros = np.where(keep, self.zeros, other.zeros)
        return _Attempt(
            np.where(np.expand_dims(keep, self.axis), self.codes, other.codes),
            np.where(keep, self.scales, other.scales),
            zeros,
            np.where(keep, self.error, other.error),
            self.axis,
        )


def _reach(kind: DType) -> float:
    """The magnitude that both signs have; where no number is positive, as in ``i1``, that of the least."""
    return float(kind.max if kind.max > 0 else -kind.min)


def _scales(exact: NDArray[np.float32], kind: DType) -> NDArray[np.float32]:
    """Scales rounded to their format; that of a group of zeros is 1."""
    # Rounding up, so that the largest number of a group is not cut off.
    scales = kind.decode_to(kind.encode(np.where(exact > 0, exact, 1.0), "up", saturate=True), np.float32)
    if (scales < exact).any() or not (scales > 0).all():
        raise DTypeError(
            "D013", f"the scales reach from {exact.min():.3g} to {exact.max():.3g}, more than {kind} holds"
        )
    return scales


def _held(numbers: NDArray[np.float32], kind: DType) -> NDArray[np.generic] | PackedArray:
    """Numbers as an array that a kernel takes for a parameter of their format."""
    if kind.name in ("f16", "f32", "f64"):
        return numbers.astype(f"f{kind.bits // 8}")
    return PackedArray.from_values(numbers, kind)
