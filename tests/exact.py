"""Arithmetic without NumPy, as an oracle: rational numbers rounded to a float format, and integers that wrap."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from tilevm.dtypes import BF16, F16, F32, F64, DType


@dataclass(frozen=True)
class Float:
    """A binary float format: bits of the significand, and the exponents of its least and its greatest normal number."""

    precision: int
    least: int
    greatest: int

    @property
    def largest(self) -> Fraction:
        return (2 - Fraction(2) ** (1 - self.precision)) * Fraction(2) ** self.greatest

    def nearest(self, value: Fraction, zero: float = 0.0) -> float:
        """The nearest number, the even one of two; an infinity beyond the range; ``zero`` for an exact zero."""
        if value == 0:
            return zero
        sign = -1.0 if value < 0 else 1.0
        magnitude = abs(value)
        exponent = magnitude.numerator.bit_length() - magnitude.denominator.bit_length()
        exponent = max(self.least, exponent - (Fraction(2) ** exponent > magnitude))
        unit = Fraction(2) ** (exponent - self.precision + 1)
        rounded = round(magnitude / unit) * unit
        return sign * (float(rounded) if rounded <= self.largest else math.inf)

    def edges(self) -> list[float]:
        """Numbers at which something changes, both signs, infinities and NaN."""
        tiny = Fraction(2) ** (self.least - self.precision + 1)
        normal = Fraction(2) ** self.least
        step = Fraction(2) ** (1 - self.precision)
        found = [
            tiny,
            3 * tiny,
            normal - tiny,
            normal,
            Fraction(1, 2),
            1 - step / 2,
            Fraction(1),
            1 + step,
            Fraction(3, 2),
        ]
        found += [Fraction(7, 2), Fraction(3), Fraction(5), self.largest / 3, self.largest]
        numbers = [self.nearest(each) for each in found]
        return [0.0, -0.0, *numbers, *(-number for number in numbers), math.inf, -math.inf, math.nan]


FLOATS: dict[DType, Float] = {
    F16: Float(11, -14, 15),
    BF16: Float(8, -126, 127),
    F32: Float(24, -126, 127),
    F64: Float(53, -1022, 1023),
}


def wrapped(number: int, dtype: DType) -> int:
    """An integer modulo 2^bits, in the range of the format."""
    number %= 1 << dtype.bits
    return number - (1 << dtype.bits) if dtype.signed and number >> (dtype.bits - 1) else number


def integer_edges(dtype: DType) -> list[int]:
    """Integers at which something changes."""
    low, high = int(dtype.min), int(dtype.max)
    found = {
        low,
        low + 1,
        low // 2,
        -7,
        -2,
        -1,
        0,
        1,
        2,
        3,
        7,
        dtype.bits - 1,
        dtype.bits,
        high // 2,
        high - 1,
        high,
    }
    return sorted(each for each in found if low <= each <= high)


def assert_same(found: Any, expected: Iterable[Any], context: Callable[[int], Any] = lambda place: place) -> None:
    """Equality of numbers, element by element, in which NaN is itself and the zeros differ."""
    left, right = np.asarray(found).ravel(), np.asarray(list(expected))
    assert len(left) == len(right)
    both_nan = (left != left) & (right != right)
    alike = (left == right) & ((left != 0) | (np.signbit(left.astype(float)) == np.signbit(right.astype(float))))
    wrong = np.flatnonzero(~(both_nan | alike))
    assert not len(wrong), [(context(place), left[place], right[place]) for place in wrong[:5]]
