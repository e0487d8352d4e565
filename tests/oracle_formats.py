"""What a number format means, in exact rational numbers: an oracle that shares no code with the package.

A format is a list of the numbers of its codes. Encoding is a list of *steps*: the rational numbers at which the code
changes, found from the format's numbers alone, so that whole arrays are compared by one search among integers.
"""

from __future__ import annotations

import itertools
import math
import re
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Iterator
from fractions import Fraction
from functools import cache, cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROUNDINGS = ("nearest_even", "nearest_away", "toward_zero", "up", "down")

NF4 = (
    -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
    -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
    0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
)  # fmt: skip

Steps = tuple[list[Fraction], list[bool], list[int]]
"""Ascending edges; whether an edge belongs to what is above it; the codes between edges, one more than edges."""

ALL_F16 = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
UNIT = 1 << 24
"""Every finite f16 is a multiple of 2^-24, below 2^16."""
FINITE_F16 = (np.where(np.isfinite(ALL_F16), ALL_F16, 0).astype(np.float64) * UNIT).astype(np.int64)


def power(exponent: int) -> Fraction:
    return Fraction(2) ** exponent


class Format(ABC):
    """A format by its name."""

    bits: int

    def __init__(self, name: str) -> None:
        self.name = name
        self.known: dict[tuple[str, bool], Steps] = {}

    def encode(self, value: Fraction | float, rounding: str = "nearest_even", saturate: bool = True) -> int:
        """The code of one number; a zero's sign counts if it is given as a float."""
        if isinstance(value, float) and (math.isnan(value) or math.isinf(value)):
            return self.special(value, saturate)
        zero = self.zero(math.copysign(1, value) < 0, saturate)
        if value == 0 and zero is not None:
            return zero
        edges, closed, codes = self.steps(rounding, saturate)
        place = bisect_right(edges, value)
        if place and edges[place - 1] == value and not closed[place - 1]:
            place -= 1
        return codes[place]

    def encode_f16(self, rounding: str = "nearest_even", saturate: bool = True) -> NDArray[np.int64]:
        """The code of every f16, by its bits."""
        edges, closed, codes = self.steps(rounding, saturate)
        # The first multiple of 2^-24 above each edge, kept within 64 bits.
        firsts = [
            math.ceil(edge * UNIT) + (at is False and (edge * UNIT).denominator == 1)
            for edge, at in zip(edges, closed, strict=True)
        ]
        bounded = np.array([min(max(first, -(1 << 62)), 1 << 62) for first in firsts], np.int64)
        found = np.array(codes, np.int64)[np.searchsorted(bounded, FINITE_F16, side="right")]
        return self.with_specials(found, saturate)

    def with_specials(self, found: NDArray[np.int64], saturate: bool) -> NDArray[np.int64]:
        """Codes of every f16, those of zeros, infinities and NaNs put in."""
        for sign in (0, 0x8000):
            like = -1.0 if sign else 1.0
            zero = self.zero(sign != 0, saturate)
            found[sign] = found[sign] if zero is None else zero
            found[sign | 0x7C00] = self.special(math.copysign(math.inf, like), saturate)
            found[sign | 0x7C01 : (sign | 0x7FFF) + 1] = self.special(math.copysign(math.nan, like), saturate)
        return found

    @abstractmethod
    def numbers(self) -> list[Fraction | float]:
        """The number of every code: a Fraction, NaN or an infinity."""

    def steps(self, rounding: str, saturate: bool) -> Steps:
        if (rounding, saturate) not in self.known:
            self.known[rounding, saturate] = self.make_steps(rounding, saturate)
        return self.known[rounding, saturate]

    def make_steps(self, rounding: str, saturate: bool) -> Steps:
        """The steps of a rounding, for a format that does not define ``steps`` itself."""
        raise AssertionError(f"{type(self).__name__} defines neither steps nor make_steps")

    def zero(self, negative: bool, saturate: bool) -> int | None:
        """The code of zero; None where zero is a number like any other."""
        return None

    @abstractmethod
    def special(self, value: float, saturate: bool) -> int:
        """The code of NaN or an infinity."""


def upward(grid: list[Fraction], codes: list[int], rounding: str) -> Iterator[tuple[Fraction, bool, int]]:
    """The edges between magnitudes: where, whether the edge is above, the code above. The last two numbers of the grid
    are the largest and the one that would come after it; nothing reaches that one by rounding towards zero."""
    for place in range(len(grid) - 1):
        low, high, code = grid[place], grid[place + 1], codes[place + 1]
        if rounding in ("nearest_even", "nearest_away"):
            odd = low / (high - low) % 2 == 1
            yield (low + high) / 2, odd or rounding == "nearest_away", code
        elif rounding == "away":
            yield low, False, code
        elif place < len(grid) - 2:
            yield high, True, code


def line(
    positive: tuple[list[Fraction], list[int]], negative: tuple[list[Fraction], list[int]], rounding: str
) -> Steps:
    """The steps of the whole line from the magnitudes of its two halves, each from zero on."""
    right = {"up": "away", "down": "toward_zero"}.get(rounding, rounding)
    left = {"down": "away", "up": "toward_zero"}.get(rounding, rounding)
    edges: list[Fraction] = []
    closed: list[bool] = []
    codes: list[int] = []
    for magnitude, at, code in reversed(list(upward(*negative, left))):
        edges.append(-magnitude)
        # A magnitude that is on the far side of an edge is on the near side of the negative edge.
        closed.append(not at)
        codes.append(code)
    codes.append(negative[1][0])
    # Zero itself is neither: see Format.zero.
    edges.append(Fraction(0))
    closed.append(True)
    codes.append(positive[1][0])
    for magnitude, at, code in upward(*positive, right):
        edges.append(magnitude)
        closed.append(at)
        codes.append(code)
    return edges, closed, codes


def whole(numerator: Any, denominator: int, rounding: str) -> Any:
    """A fraction as an integer; the numerator may be an array."""
    floor, rest = numerator // denominator, numerator % denominator
    above = {
        "nearest_even": 2 * rest + floor % 2 > denominator,
        "nearest_away": 2 * rest + (numerator >= 0) > denominator,
        "toward_zero": (rest > 0) & (numerator < 0),
        "up": rest > 0,
        "down": rest < 0,
    }
    return floor + above[rounding]


class Integer(Format):
    """Two's complement and unsigned integers of any width."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.bits = int(name[1:])
        self.low = -(1 << (self.bits - 1)) if name[0] == "i" else 0
        self.high = self.low + (1 << self.bits) - 1

    def numbers(self) -> list[Fraction | float]:
        return [Fraction(number) for number in [*range(self.high + 1), *range(self.low, 0)]]

    def encode(self, value: Fraction | float, rounding: str = "nearest_even", saturate: bool = True) -> int:
        if isinstance(value, float) and not math.isfinite(value):
            return self.special(value, saturate)
        exact = Fraction(value)
        rounded = whole(exact.numerator, exact.denominator, rounding)
        return (min(max(rounded, self.low), self.high) if saturate else rounded) % (1 << self.bits)

    def encode_f16(self, rounding: str = "nearest_even", saturate: bool = True) -> NDArray[np.int64]:
        rounded = whole(FINITE_F16, UNIT, rounding)
        codes = (np.clip(rounded, self.low, self.high) if saturate else rounded) % (1 << self.bits)
        return self.with_specials(codes, saturate)

    def zero(self, negative: bool, saturate: bool) -> int:
        return 0

    def special(self, value: float, saturate: bool) -> int:
        if math.isnan(value) or not saturate:
            return 0
        return (self.high if value > 0 else self.low) % (1 << self.bits)


class Codebook(Format):
    """A table of numbers. What is beyond the first or last is that one."""

    def __init__(self, name: str, table: tuple[float, ...]) -> None:
        super().__init__(name)
        self.table = [Fraction(number) for number in table]
        self.bits = (len(table) - 1).bit_length()

    def numbers(self) -> list[Fraction | float]:
        return [*self.table, *[math.nan] * ((1 << self.bits) - len(self.table))]

    def make_steps(self, rounding: str, saturate: bool) -> Steps:
        edges, closed = [], []
        order = sorted(range(len(self.table)), key=self.table.__getitem__)
        for low, high in itertools.pairwise(order):
            below, above = self.table[low], self.table[high]
            towards = "down" if below >= 0 else "up" if above <= 0 else "nearest_even"
            way = towards if rounding == "toward_zero" else rounding
            middle = (below + above) / 2
            edges.append({"up": below, "down": above}.get(way, middle))
            closed.append(
                way == "down" or (way == "nearest_even" and low % 2 == 1) or (way == "nearest_away" and middle > 0)
            )
        return edges, closed, order

    def special(self, value: float, saturate: bool) -> int:
        order = sorted(range(len(self.table)), key=self.table.__getitem__)
        if math.isnan(value):
            return min(range(len(self.table)), key=lambda code: abs(self.table[code]))
        return order[-1] if value > 0 else order[0]


class Float(Format):
    """Signed and unsigned floats."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        match = re.fullmatch(r"(?:f(\d+)|u)e(\d+)m(\d+)(fn|ieee|fnuz)?", name)
        assert match, name
        self.signed = match[1] is not None
        self.exponent, self.mantissa = int(match[2]), int(match[3])
        self.bits = self.signed + self.exponent + self.mantissa
        self.kind = match[4] or self.usual()
        self.bias = 2 ** (self.exponent - 1) - (0 if self.kind == "fnuz" else 1)
        self.half = 1 << (self.exponent + self.mantissa)

    def usual(self) -> str:
        """What a name without a suffix means."""
        if not self.signed or (self.bits, self.exponent) == (8, 4):
            return "fn"
        if self.bits < 8:
            return "finite"
        return "ieee" if self.exponent > 1 and self.mantissa > 0 else "fn"

    def magnitude(self, code: int) -> Fraction | float:
        """The number of a code without its sign."""
        field, fraction = divmod(code, 1 << self.mantissa)
        if self.kind == "fn" and code == self.half - 1:
            return math.nan
        if self.kind == "ieee" and field == (1 << self.exponent) - 1:
            return math.nan if fraction else math.inf
        if field == 0:
            return fraction * power(1 - self.bias - self.mantissa)
        return (1 + fraction * power(-self.mantissa)) * power(field - self.bias)

    def numbers(self) -> list[Fraction | float]:
        positive = [self.magnitude(code) for code in range(self.half)]
        if not self.signed:
            return positive
        return positive + [-number if code or self.kind != "fnuz" else math.nan for code, number in enumerate(positive)]

    @cached_property
    def finite(self) -> list[Fraction]:
        return [each for each in map(self.magnitude, range(self.half)) if isinstance(each, Fraction)]

    def make_steps(self, rounding: str, saturate: bool) -> Steps:
        grid = [*self.finite, self.finite[-1] + power(self.top_exponent - self.mantissa)]
        codes = [*range(len(self.finite)), self.special(math.inf, saturate)]
        if self.signed:
            negative = [code | self.half for code in range(len(self.finite))]
            negative[0] = self.zero(True, saturate)
            negative.append(self.special(-math.inf, saturate))
        else:
            negative = [0, *[self.special(-math.inf, saturate)] * (len(grid) - 1)]
        return line((grid, codes), (grid, negative), rounding)

    @property
    def top_exponent(self) -> int:
        """The exponent of the largest number."""
        largest = self.finite[-1]
        return largest.numerator.bit_length() - largest.denominator.bit_length()

    def zero(self, negative: bool, saturate: bool) -> int:
        return self.half if negative and self.signed and self.kind != "fnuz" else 0

    def special(self, value: float, saturate: bool) -> int:
        sign = self.half if math.copysign(1, value) < 0 and self.signed else 0
        nan = {
            "finite": self.half - 1,
            "fn": sign | (self.half - 1),
            "fnuz": self.half,
            "ieee": sign | (self.half - (1 << self.mantissa)) | (1 << self.mantissa >> 1),
        }[self.kind]
        if math.isnan(value):
            return nan
        if value < 0 and not self.signed:
            return 0 if saturate else nan
        if saturate or self.kind == "finite":
            return sign | (len(self.finite) - 1)
        return sign | (self.half - (1 << self.mantissa)) if self.kind == "ieee" else nan


class Scale(Format):
    """e8m0: 2^(code - 127), NaN at 255; no zero, no negative number."""

    bits = 8

    def numbers(self) -> list[Fraction | float]:
        return [*(power(code - 127) for code in range(255)), math.nan]

    def make_steps(self, rounding: str, saturate: bool) -> Steps:
        rounding = {"up": "away", "down": "toward_zero"}.get(rounding, rounding)
        steps = list(
            upward([power(code - 127) for code in range(256)], [*range(255), 254 if saturate else 255], rounding)
        )
        below = (Fraction(0), False, 0)
        edges, closed, codes = zip(below, *steps, strict=True)
        return list(edges), list(closed), [self.zero(False, saturate), *codes]

    def zero(self, negative: bool, saturate: bool) -> int:
        return 0 if saturate else 255

    def special(self, value: float, saturate: bool) -> int:
        return (0 if value < 0 else 254) if saturate and not math.isnan(value) else 255


@cache
def oracle(name: str, table: tuple[float, ...] = ()) -> Format:
    """The format of a name, or the codebook of a table."""
    if table:
        return Codebook(name, table)
    if name in ("nf4", "trit"):
        return Codebook(name, NF4 if name == "nf4" else (0.0, 1.0, -1.0))
    if name == "e8m0":
        return Scale(name)
    return Integer(name) if re.fullmatch(r"[iu]\d+", name) else Float(name)


def narrow_formats() -> list[str]:
    """The name of every format of at most 8 bits, each meaning under one name."""
    names = [f"{kind}{bits}" for kind in "ui" for bits in range(1, 9)] + ["e8m0", "nf4", "trit"]
    for bits in range(3, 9):
        for exponent in range(1, bits):
            signed, unsigned = f"f{bits}e{exponent}m{bits - 1 - exponent}", f"ue{exponent}m{bits - exponent}"
            names += [signed, unsigned]
            for kind in ("fn", "fnuz", "ieee"):
                has_room = kind != "ieee" or exponent > 1
                if kind != Float(signed).kind and (kind != "ieee" or (has_room and bits - 1 - exponent > 0)):
                    names.append(signed + kind)
            if exponent > 1:
                names.append(unsigned + "ieee")
        names.append(f"ue{bits}m0")
    return names
