"""Operations that NumPy lacks, correctly rounded or nearly so: fused multiply-add and the error function; and numbers
whose NaNs NumPy's extremes leave out.

A fused multiply-add rounds ``a * b + c`` once. The product of two ``float32`` numbers is exact in ``float64``, and
the sum is made safe to round again by rounding it *to odd*: of the two neighbours of an inexact sum, the one whose
last bit is 1. Such a number never lies half-way between two numbers of a format that has at least two bits less, so
that rounding it to that format gives what rounding the exact sum would (Boldo and Melquiond, "Emulation of FMA and
correctly rounded sums: proved algorithms using rounding to odd", IEEE Transactions on Computers 57, 2008).

Every function may raise NumPy's floating-point warnings: call it under ``np.errstate(all="ignore")``.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["erf", "fused_multiply_add", "multiply_add_for_rounding", "quiet"]

Doubles = NDArray[np.float64]

ERF_SATURATES = 4.0
"""From here on erf(x) is 1 in float32: 1 - erf(4) = 1.5e-8, less than half of the distance of 1 to its neighbour."""

ERF_DEGREE = 18
"""Degree, in x^2, of the polynomial for erf(x) / x; its relative error is 4e-10 on [0, 4]."""

ERF_CHUNK = 1 << 13
"""Numbers that are worked on at a time, so that intermediate arrays stay in the first-level cache."""

SPLITTER = 2.0**27 + 1
"""Veltkamp's constant: cuts the 53 bits of a float64 into two halves of at most 26 bits."""


def quiet(values: NDArray[Any]) -> NDArray[Any]:
    """The same numbers in the same format, with signalling NaNs made quiet; integers stay as they are.

    NumPy's ``fmax`` and ``fmin`` leave out quiet NaNs only: of a number and a signalling one they give NaN, as IEEE
    754-2008 maxNum does, where a GPU gives the number (PTX ``max``).

    >>> signalling = np.array([0x7F800001], np.uint32).view(np.float32)
    >>> with np.errstate(all="ignore"):
    ...     np.fmax(quiet(signalling), np.float32(1)).tolist()
    [1.0]
    """
    return values * values.dtype.type(1) if values.dtype.kind == "f" else values


def multiply_add_for_rounding(
    a: NDArray[np.float32], b: NDArray[np.float32], c: NDArray[np.float32], significand: int
) -> Doubles:
    """``a * b + c`` of ``float32`` arrays of at least one dimension that broadcast, in ``float64``.

    Rounding the result to a format of ``significand`` bits (at most 24, the leading one counted) gives the fused
    multiply-add of that format.

    >>> a, c = np.array([1 + 2**-12], np.float32), np.array([-1 - 2**-11], np.float32)
    >>> (a * a + c).tolist(), multiply_add_for_rounding(a, a, c, 24).tolist() == [2**-24]
    ([0.0], True)
    """
    product = np.multiply(a, b, dtype=np.float64)
    total: Doubles = product + c
    # A number half-way between two has one bit more than they; the other sums round as the exact ones do.
    zeros = np.int64((1 << (52 - significand)) - 1)
    doubtful = np.nonzero((total.view(np.int64) & zeros) == 0)
    if len(doubtful[0]):
        addend = np.broadcast_to(c, total.shape)[doubtful].astype(np.float64)
        chosen = np.broadcast_to(product, total.shape)[doubtful]
        total[doubtful] = _to_odd(total[doubtful], _sum_error(chosen, addend, total[doubtful]))
    return total


def fused_multiply_add(a: Doubles, b: Doubles, c: Doubles) -> Doubles:
    """``a * b + c`` of ``float64`` arrays of at least one dimension that broadcast, rounded once, to nearest even.

    >>> fused_multiply_add(np.array([0.1]), np.array([10.0]), np.array([-1.0])).tolist() == [2**-54]
    True
    """
    a, b, c = np.broadcast_arrays(a, b, c)
    product = a * b
    low = _product_error(a, b, product)
    inner = low + c
    outer = product + inner
    inner_error, outer_error = _sum_error(low, c, inner), _sum_error(product, inner, outer)
    tail = inner_error + outer_error
    result: Doubles = outer + _to_odd(tail, _sum_error(inner_error, outer_error, tail))
    # A sum that is exactly zero has its sign from the plain operations, and so has everything that is not finite.
    plain = product + c
    unusual = (result == 0) | ~np.isfinite(plain)
    result[unusual] = plain[unusual]
    finite = np.isfinite(a) & np.isfinite(b)
    np.copyto(result, c, where=finite & np.isinf(c))
    risky = finite & np.isfinite(c) & ~_far_from_the_ends(a, b, product, c)
    for place in zip(*np.nonzero(risky), strict=True):
        result[place] = _exactly(float(a[place]), float(b[place]), float(c[place]))
    return result


def _sum_error(a: Doubles, b: Doubles, total: Doubles) -> Doubles:
    """What rounding lost in ``total = a + b`` (Knuth's TwoSum); NaN where the sum is not finite."""
    virtual = total - a
    error: Doubles = a - (total - virtual)
    error += b - virtual
    return error


def _to_odd(total: Doubles, error: Doubles) -> Doubles:
    """The sum ``total + error``, ``total`` being its nearest number, rounded to odd. Overwrites ``total``."""
    bits = total.view(np.int64)
    # Away from zero where the error has the sign of the sum, else toward zero: one step of the bits either way.
    step = np.where((error > 0) == (total > 0), 1, -1)
    step *= ((error > 0) | (error < 0)) & ((bits & 1) == 0)
    bits += step
    return total


def _product_error(a: Doubles, b: Doubles, product: Doubles) -> Doubles:
    """What rounding lost in ``product = a * b`` (Dekker's TwoProduct), far from the ends of the range."""
    a_high, a_low = _halves(a)
    b_high, b_low = _halves(b)
    error: Doubles = ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low
    return error


def _halves(a: Doubles) -> tuple[Doubles, Doubles]:
    scaled = a * SPLITTER
    high = scaled - (scaled - a)
    return high, a - high


def _far_from_the_ends(a: Doubles, b: Doubles, product: Doubles, c: Doubles) -> NDArray[np.bool_]:
    """Where no step of the exact algorithm overflows, and the error of the product does not underflow."""
    largest = np.maximum(np.maximum(np.abs(a), np.abs(b)), np.maximum(np.abs(c), np.abs(product)))
    factors_are_zero: NDArray[np.bool_] = (a == 0) | (b == 0)
    return (largest < 2.0**990) & ((np.abs(product) > 2.0**-960) | factors_are_zero)


def _exactly(a: float, b: float, c: float) -> float:
    """One fused multiply-add of finite numbers, by rational arithmetic."""
    exact = Fraction(a) * Fraction(b) + Fraction(c)
    if exact == 0:
        return a * b + c
    sign = 1.0 if exact > 0 else -1.0
    try:
        return math.copysign(float(exact), sign)
    except OverflowError:
        return sign * math.inf


def erf(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """The error function of ``float32`` numbers, within 0.51 units in the last place.

    A polynomial in x^2 gives erf(x) / x on [-4, 4]; beyond, the result is 1 or -1. It is evaluated in ``float64``. NaN
    gives NaN.

    >>> erf(np.array([0.5, -np.inf], np.float32)).tolist()
    [0.5204998850822449, -1.0]
    """
    flat = np.clip(x, -ERF_SATURATES, ERF_SATURATES).reshape(-1)
    result = np.empty(flat.shape, np.float32)
    for start in range(0, len(flat), ERF_CHUNK):
        part = slice(start, start + ERF_CHUNK)
        result[part] = _erf_inside(flat[part].astype(np.float64))
    return result.reshape(x.shape)


def _erf_inside(x: Doubles) -> Doubles:
    """The error function of numbers from -4 to 4, by Horner's rule."""
    place = x * x
    place *= 2 / ERF_SATURATES**2
    place -= 1
    first, *others = _erf_coefficients()
    quotient = np.full(place.shape, first)
    for coefficient in others:
        quotient *= place
        quotient += coefficient
    quotient *= x
    return quotient


@cache
def _erf_coefficients() -> tuple[float, ...]:
    """Coefficients of erf(x) / x in powers of x^2 / 8 - 1, highest power first: it interpolates at Chebyshev points."""
    from numpy.polynomial.chebyshev import cheb2poly, chebfit, chebpts1

    places = chebpts1(ERF_DEGREE + 1)
    roots = ERF_SATURATES * np.sqrt((places + 1) / 2)
    quotients = [math.erf(root) / root for root in roots]
    return tuple(cheb2poly(chebfit(places, quotients, ERF_DEGREE))[::-1].tolist())
