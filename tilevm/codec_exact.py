"""Encoding ``float64`` numbers, each rounded once, by one exact algorithm for each kind of format.

For floats: scale a number so that the format's quantum at its magnitude is 1, round it to an integer, and place
exponent and mantissa into the code. Every step but the rounding is exact. For integers the quantum is 1 everywhere; for
codebooks the code is found among the numbers at which it changes.

All functions may raise NumPy's floating-point warnings: they are called under ``np.errstate(all="ignore")``.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tilevm.dtypes import DType

__all__ = ["encode_exactly", "first_numbers", "round_wide_integers"]

Array = NDArray[Any]
Numbers = NDArray[np.float64]
Bits = NDArray[np.uint32] | None


def encode_exactly(dtype: DType, numbers: Numbers, rounding: str, saturate: bool, random: Bits) -> Array:
    """The codes of numbers, in a new array of the storage type."""
    if dtype.kind == "codebook":
        return _encode_codebook(dtype, numbers, rounding, random)
    if dtype.kind != "float":
        return _encode_integers(dtype, numbers, rounding, saturate, random)
    if dtype.specials == "scale":
        return _encode_scales(dtype, numbers, rounding, saturate, random)
    if dtype.name == "f64":
        largest = np.copysign(float(dtype.max), numbers)
        return np.where(np.isinf(numbers) & saturate, largest, numbers).view(np.uint64)
    return _encode_floats(dtype, numbers, rounding, saturate, random)


# Rounding to integers


def _round_whole(scaled: Numbers, rounding: str, random: Bits) -> Numbers:
    """Numbers rounded to integers. ``floor`` and the difference to it are exact."""
    if random is not None:
        below = np.floor(scaled)
        return below + (random < np.ldexp(scaled - below, 32))
    return _ROUND[rounding](scaled)


def _away(scaled: Numbers) -> Numbers:
    cut = np.trunc(scaled)
    return cut + np.where(np.abs(scaled - cut) >= 0.5, np.copysign(1.0, scaled), 0.0)


_ROUND: dict[str, Callable[[Numbers], Numbers]] = {
    "nearest_even": np.rint,
    "nearest_away": _away,
    "toward_zero": np.trunc,
    "up": np.ceil,
    "down": np.floor,
}


def round_wide_integers(values: Array, rounding: str, random: Bits) -> Numbers:
    """64-bit integers as ``float64`` numbers, of 53 bits."""
    negative = values < 0
    magnitude = values.astype(np.uint64)
    magnitude = np.where(negative, ~magnitude + np.uint64(1), magnitude)
    # Eleven bits less, an integer is exact, so that this is its true length.
    length = np.frexp((magnitude >> np.uint64(11)).astype(np.float64))[1] + 11
    shift = np.maximum(length - 53, 0).astype(np.uint64)
    kept = magnitude >> shift
    odd = kept & np.uint64(1)
    # To round, the last bit that is kept and what follows are enough.
    scaled = odd + np.ldexp((magnitude - (kept << shift)).astype(np.float64), -shift.astype(np.int32))
    last = np.abs(_round_whole(np.where(negative, -scaled, scaled), rounding, random))
    whole: Numbers = np.ldexp((kept - odd).astype(np.float64) + last, shift.astype(np.int32))
    return np.copysign(whole, np.where(negative, -1.0, 1.0))


# Floats


def _encode_floats(dtype: DType, numbers: Numbers, rounding: str, saturate: bool, random: Bits) -> Array:
    magnitude = np.abs(numbers)
    exponent = np.where(magnitude > 0, np.frexp(magnitude)[1], -(1 << 12))
    quantum = np.maximum(exponent - 1, 1 - dtype.bias) - dtype.mantissa
    whole = _round_whole(np.ldexp(numbers, -quantum), rounding, random)
    code = _place(dtype, np.abs(np.where(np.isfinite(whole), whole, 0)).astype(np.int64), quantum)
    rounded = np.ldexp(whole, quantum)
    negative = np.signbit(numbers)
    code = _bounded(dtype, numbers, rounded, code, rounding, saturate)
    if dtype.signed:
        alone = (code == 0) | (code == 1 << (dtype.bits - 1)) if dtype.specials == "fnuz" else False
        code = code | np.where(negative & ~np.asarray(alone), 1 << (dtype.bits - 1), 0)
    else:
        code = np.where(rounded < 0, 0 if saturate or not dtype.has_nan else _nan_code(dtype, negative), code)
    return np.where(np.isnan(numbers), _nan_code(dtype, negative), code).astype(dtype.storage)


def _place(dtype: DType, whole: NDArray[np.int64], quantum: Array) -> NDArray[np.int64]:
    """Exponent and mantissa of |number| = whole · 2^quantum, where whole is at most 2^(mantissa + 1)."""
    field = quantum.astype(np.int64) + dtype.mantissa + dtype.bias
    # Adding the field below the implicit bit lets a carry, and the step from subnormal to normal, come out by itself.
    return ((field - 1) << dtype.mantissa) + whole


def _bounded(dtype: DType, numbers: Numbers, rounded: Numbers, code: Array, rounding: str, saturate: bool) -> Array:
    """The code of the magnitude, also where that is beyond the largest number."""
    ones = (1 << (dtype.exponent + dtype.mantissa)) - 1
    infinite = ((1 << dtype.exponent) - 1) << dtype.mantissa
    top = {"finite": ones, "fnuz": ones, "fn": ones - 1, "ieee": infinite - 1}[dtype.specials]
    over = {"finite": ones, "fnuz": 1 << (dtype.bits - 1), "fn": ones, "ieee": infinite}[dtype.specials]
    # Rounded towards zero, a finite number does not leave the finite ones.
    negative = np.signbit(numbers)
    inward = {"toward_zero": np.True_, "up": negative, "down": ~negative}.get(rounding, np.False_)
    held = saturate | (inward & np.isfinite(numbers))
    return np.where(np.abs(rounded) > float(dtype.max), np.where(held, top, over), code)


def _nan_code(dtype: DType, negative: Array) -> Array:
    """The code of a NaN; the largest number where there is none."""
    ones = (1 << (dtype.exponent + dtype.mantissa)) - 1
    sign = np.where(negative & dtype.signed, 1 << (dtype.bits - 1), 0)
    if dtype.specials == "finite":
        return np.full(negative.shape, ones)
    if dtype.specials == "fnuz":
        return np.full(negative.shape, 1 << (dtype.bits - 1))
    if dtype.specials == "ieee":
        return sign | (((1 << dtype.exponent) - 1) << dtype.mantissa) | (1 << (dtype.mantissa - 1))
    return sign | ones


def _encode_scales(dtype: DType, numbers: Numbers, rounding: str, saturate: bool, random: Bits) -> Array:
    """Powers of two. There is no zero and no negative number: these are below the smallest."""
    _, exponent = np.frexp(numbers)
    whole = _round_whole(np.ldexp(numbers, 1 - exponent), rounding, random)
    field = np.where(np.isfinite(whole), whole, 1).astype(np.int64) - 2 + exponent + dtype.bias
    ones = (1 << dtype.bits) - 1
    inward = rounding in ("toward_zero", "down")
    below = numbers <= 0
    above = (field >= ones) | (numbers == np.inf)
    lost = np.isnan(numbers) | ((below | (above & ~(inward & np.isfinite(numbers)))) & (not saturate))
    code = np.where(below | (field < 0), 0, np.where(above, ones - 1, field))
    return np.where(lost, ones, code).astype(np.uint8)


# Codebooks


def _encode_codebook(dtype: DType, numbers: Numbers, rounding: str, random: Bits) -> Array:
    order = np.argsort(dtype.table)
    grid = np.array(dtype.table)[order]
    if random is None:
        place = np.searchsorted(first_numbers(dtype, rounding), numbers, side="right")
    else:
        inside = np.clip(np.where(np.isnan(numbers), grid[0], numbers), grid[0], grid[-1])
        low = np.minimum(np.searchsorted(grid, inside, side="right"), len(grid) - 1) - 1
        place = low + (random < np.ldexp((inside - grid[low]) / (grid[low + 1] - grid[low]), 32))
    zero = int(np.argmin(np.abs(np.array(dtype.table))))
    return np.where(np.isnan(numbers), zero, order[place]).astype(dtype.storage)


@lru_cache(maxsize=64)
def first_numbers(dtype: DType, rounding: str) -> Numbers:
    """For each two neighbours of a codebook, ascending, the first ``float64`` that is rounded to the upper one."""
    order = sorted(range(len(dtype.table)), key=dtype.table.__getitem__)
    return np.array([_first(dtype.table, low, high, rounding) for low, high in pairwise(order)])


def _first(table: tuple[float, ...], low: int, high: int, rounding: str) -> float:
    below, above = table[low], table[high]
    if rounding == "toward_zero":
        # Neither of two numbers around zero is nearer to it from both sides.
        rounding = "down" if below >= 0 else "up" if above <= 0 else "nearest_even"
    if rounding == "down":
        return above
    if rounding == "up":
        return float(np.nextafter(below, np.inf))
    middle = (Fraction(below) + Fraction(above)) / 2
    to_upper = middle > 0 if rounding == "nearest_away" else low % 2 == 1
    near = float(middle)
    misses = Fraction(near) < middle or (Fraction(near) == middle and not to_upper)
    return float(np.nextafter(near, np.inf)) if misses else near


# Integers


def _encode_integers(dtype: DType, numbers: Numbers, rounding: str, saturate: bool, random: Bits) -> Array:
    whole = _round_whole(np.where(np.isnan(numbers), 0.0, numbers), rounding, random)
    if saturate:
        low, high = int(dtype.min), int(dtype.max)
        # 2^64 - 1 is not a float64: what reaches 2^64 is replaced after the conversion.
        inside = np.clip(whole, low, float(np.nextafter(2.0**dtype.bits, 0)) if dtype.bits == 64 else high)
        exact = inside.astype(np.int64 if dtype.kind == "int" else np.uint64)
        exact = np.where(whole >= float(high), np.array(high, exact.dtype), exact)
        exact = np.where(whole <= float(low), np.array(low, exact.dtype), exact)
    else:
        exact = np.fmod(np.where(np.isfinite(whole), whole, 0.0), 2.0**64)
        negative = exact < 0
        exact = np.where(negative, -exact, exact).astype(np.uint64)
        exact = np.where(negative, ~exact + np.uint64(1), exact)
    return (exact.view(np.uint64) & np.uint64((1 << dtype.bits) - 1)).astype(dtype.storage)
