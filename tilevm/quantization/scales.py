"""The scales of all blocks of a tensor, from the ranges that they cover: in ``float32``, rounded after each operation.

    exact = range / reach                           reach: the format's largest number
    exact = exact / tensor_scale                    with two levels, or a unit
    scale = exact, rounded to the scales' format    where that is 0, see Scheme.idle_scale

``tensor_scale`` of two levels is the tensor's largest magnitude divided by (reach · largest scale), at least 2^-126.
"""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tilevm.dtypes import DType
from tilevm.errors import DTypeError
from tilevm.quantization.scheme import Scheme

__all__ = ["rounded_scales", "tensor_scale"]

Grid: TypeAlias = NDArray[np.float32]


def tensor_scale(scheme: Scheme, largest: float) -> float | None:
    """The factor of all scales; None where there is none. ``largest`` is the largest magnitude of the tensor."""
    if scheme.two_levels:
        wanted = np.float32(largest) / np.float32(scheme.reach * scheme.scale_kind.max)
        return float(max(wanted, np.float32(2.0**-126))) if largest > 0 else 1.0
    return None if scheme.unit == 1 else scheme.unit


def rounded_scales(scheme: Scheme, low: Grid, high: Grid, overall: float | None, axis: int, whole: Grid) -> Grid:
    """The scales for the range from ``low`` to ``high`` of each block, as numbers of the scales' format.

    ``whole`` is the magnitude of each block, from which ``ratio`` takes what the scales are ratios to, so that it is
    the same for every candidate of a search.
    """
    reach = np.maximum(-low, high) if scheme.zero is None else high - low
    exact: Grid = np.divide(reach, np.float32(scheme.reach if scheme.zero is None else scheme.kind.max))
    if overall is not None:
        exact = np.divide(exact, np.float32(overall))
    found = _rounded(scheme, np.where(exact > 0, exact, np.float32(1)), reach, overall, axis, whole)
    return np.where(exact > 0, found, np.float32(scheme.idle_scale))


def _rounded(scheme: Scheme, exact: Grid, reach: Grid, overall: float | None, axis: int, whole: Grid) -> Grid:
    kind, way = scheme.scale_kind, scheme.scale_rounding
    if way in ("floor", "even"):
        emax = math.floor(math.log2(scheme.reach * (overall or 1)))
        fraction, exponent = np.frexp(np.where(reach > 0, reach, 1))
        if way == "even":
            digits = scheme.kind.bits - 2 if scheme.kind.kind == "int" else scheme.kind.mantissa
            exponent += fraction >= 1 - 2.0 ** -(digits + 2)
        exponent = np.clip(exponent - 1 - emax, -127, 127)
        found = _as_format(kind, np.ldexp(np.float64(1), exponent), "nearest_even")
        _check_held(kind, exact, found == np.ldexp(np.float64(1), exponent))
        return found
    if way == "nearest":
        found = np.maximum(_as_format(kind, exact, "nearest_even"), np.float32(kind.smallest))
        _check_held(kind, exact, (exact <= kind.max) | scheme.two_levels)
        return found
    if way == "ratio":
        most = whole.max(axis, keepdims=True, initial=0) / np.float32(scheme.reach)
        return _ratios(kind, exact, np.where(most > 0, most, np.float32(1)))
    found = _as_format(kind, exact if way == "up" else _power_above(exact), "up")
    _check_held(kind, exact, ((found >= exact) & (found > 0)) | scheme.two_levels)
    return found


def _as_format(kind: DType, numbers: NDArray[Any], rounding: str) -> Grid:
    return kind.decode_to(kind.encode(numbers, rounding, saturate=True), np.float32)


def _power_above(exact: Grid) -> NDArray[np.float64]:
    """The power of two that is not below each number."""
    fraction, exponent = np.frexp(exact.astype(np.float64))
    powers: NDArray[np.float64] = np.ldexp(1.0, exponent - (fraction == 0.5))
    return powers


def _ratios(kind: DType, exact: Grid, most: Grid) -> Grid:
    """The largest scale in its format, halved as often as leaves it no smaller than needed, and as a normal number."""
    largest = _as_format(kind, most, "up")
    _check_held(kind, most, largest >= most)
    smallest = np.float32(kind.smallest * 2.0**kind.mantissa)
    times = np.floor(np.log2(largest.astype(np.float64) / np.maximum(exact, smallest)))
    return (largest * np.ldexp(1.0, -np.maximum(times, 0).astype(np.int64))).astype(np.float32)


def _check_held(kind: DType, exact: Grid, held: NDArray[np.bool_]) -> None:
    if not held.all():
        raise DTypeError(
            "D013", f"the scales reach from {exact.min():.3g} to {exact.max():.3g}, more than {kind} holds"
        )
