"""What is known of an integer before the program runs: a number that divides it, and bounds.

A ``Known`` is a set of integers: the multiples of ``divisor`` from ``low`` to ``high``, both included; a bound of None
means that there is none. The divisor of what can only be 0 is 0, since every number divides it. Each operator maps such
sets to a set that holds all its results, in the mathematical integers; ``wrapped`` then says what is left of it in a
register of 32 bits.

>>> step = Known(8, 0, 56)
>>> print(apply("+", step, exactly(4)), apply("%", Known(64), exactly(128)))
multiple of 4 in 4 … 60 multiple of 64 in 0 … 64
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from math import gcd

__all__ = ["I32_HIGH", "I32_LOW", "UNKNOWN", "Known", "apply", "exactly", "implied", "wrapped"]

I32_LOW, I32_HIGH = -(2**31), 2**31 - 1


@dataclass(frozen=True)
class Known:
    """The multiples of ``divisor`` between two bounds."""

    divisor: int = 1
    low: int | None = None
    high: int | None = None

    def __post_init__(self) -> None:
        # Bounds move inward to the next multiple; where they meet, the number is known.
        if self.divisor > 1:
            low = None if self.low is None else -(-self.low // self.divisor) * self.divisor
            high = None if self.high is None else self.high // self.divisor * self.divisor
            self.__dict__.update(low=low, high=high)
        if self.divisor == 0:
            fits = (self.low is None or self.low <= 0) and (self.high is None or self.high >= 0)
            self.__dict__.update(low=0, high=0) if fits else self.__dict__.update(divisor=1, low=1, high=0)
        if self.low is not None and self.low == self.high:
            self.__dict__.update(divisor=abs(self.low))

    @property
    def value(self) -> int | None:
        """The number, where only one is possible."""
        return self.low if self.low is not None and self.low == self.high else None

    @property
    def is_empty(self) -> bool:
        """Whether no number fits: what is computed with it is never run."""
        return self.low is not None and self.high is not None and self.low > self.high

    def divides_by(self, number: int) -> bool:
        """Whether every number of the set is a multiple of ``number``.

        >>> Known(24).divides_by(8), Known(24).divides_by(16), exactly(0).divides_by(16)
        (True, False, True)
        """
        return self.divisor % number == 0

    def holds(self, number: int) -> bool:
        """Whether a number is in the set."""
        inside = (self.low is None or self.low <= number) and (self.high is None or number <= self.high)
        return inside and (number == 0 if self.divisor == 0 else number % self.divisor == 0)

    def or_else(self, other: Known) -> Known:
        """A set that holds both: a value on one of two ways."""
        return Known(
            gcd(self.divisor, other.divisor), _both(min, self.low, other.low), _both(max, self.high, other.high)
        )

    def and_also(self, other: Known) -> Known:
        """What is in both: a second fact about the same value."""
        lows = [bound for bound in (self.low, other.low) if bound is not None]
        highs = [bound for bound in (self.high, other.high) if bound is not None]
        divisor = 0 if 0 in (self.divisor, other.divisor) else self.divisor * other.divisor
        divisor //= gcd(self.divisor, other.divisor) or 1
        return Known(divisor, max(lows, default=None), min(highs, default=None))

    def __str__(self) -> str:
        if self.value is not None:
            return str(self.value)
        low, high = ("" if bound is None else str(bound) for bound in (self.low, self.high))
        bounds = f" in {low} … {high}".replace("  ", " ") if low or high else ""
        return f"multiple of {self.divisor}{bounds}"


UNKNOWN = Known()
"""Any integer."""


def exactly(number: int) -> Known:
    """The set of one number."""
    return Known(abs(number), number, number)


def _both(better: Callable[[int, int], int], first: int | None, second: int | None) -> int | None:
    return None if first is None or second is None else better(first, second)


def wrapped(known: Known) -> Known:
    """What is known of the number modulo 2^32, as a signed integer: if it may overflow only powers of two stay.

    >>> print(wrapped(Known(12, 0, 2**40)))
    multiple of 4 in -2147483648 … 2147483644
    """
    if known.low is not None and known.high is not None and known.low >= I32_LOW and known.high <= I32_HIGH:
        return known
    return Known(gcd(known.divisor, 2**32), I32_LOW, I32_HIGH)


def _added(a: Known, b: Known) -> Known:
    return Known(gcd(a.divisor, b.divisor), _sum(a.low, b.low), _sum(a.high, b.high))


def _sum(a: int | None, b: int | None) -> int | None:
    return None if a is None or b is None else a + b


def _negated(a: Known) -> Known:
    low, high = (None if bound is None else -bound for bound in (a.high, a.low))
    return Known(a.divisor, low, high)


def _multiplied(a: Known, b: Known) -> Known:
    bounds = (a.low, a.high, b.low, b.high)
    low: int | None = None
    high: int | None = None
    if None not in bounds:
        corners = [x * y for x, y in product(bounds[:2], bounds[2:])]  # type: ignore[operator]
        low, high = min(corners), max(corners)
    elif a.low is not None and b.low is not None and min(a.low, b.low) >= 0:
        low = a.low * b.low
    return Known(a.divisor * b.divisor, low, high)


def _divided(a: Known, b: Known) -> Known:
    """The quotient rounded down; of a division by zero, which gives 0, nothing more is known."""
    divisor = b.value
    if divisor is None or divisor <= 0:
        return UNKNOWN
    low, high = (None if bound is None else bound // divisor for bound in (a.low, a.high))
    return Known(a.divisor // divisor if a.divisor % divisor == 0 else 1, low, high)


def _divided_up(a: Known, b: Known) -> Known:
    return _negated(_divided(_negated(a), b))


def _remainder(a: Known, b: Known) -> Known:
    divisor = b.value
    if divisor is None or divisor <= 0:
        # The remainder has a common divisor with both, and the sign of b.
        positive = b.low is not None and b.low >= 0
        return Known(gcd(a.divisor, b.divisor), 0 if positive else None, b.high if positive else None)
    if a.low is not None and a.high is not None and a.low >= 0 and a.high < divisor:
        return a
    return Known(gcd(a.divisor, divisor), 0, divisor - 1)


def _smaller(a: Known, b: Known) -> Known:
    highs = [bound for bound in (a.high, b.high) if bound is not None]
    return Known(gcd(a.divisor, b.divisor), _both(min, a.low, b.low), min(highs, default=None))


def _larger(a: Known, b: Known) -> Known:
    return _negated(_smaller(_negated(a), _negated(b)))


def _shifted_left(a: Known, b: Known) -> Known:
    count = b.value
    return UNKNOWN if count is None or not 0 <= count < 32 else _multiplied(a, exactly(1 << count))


def _shifted_right(a: Known, b: Known) -> Known:
    count = b.value
    return UNKNOWN if count is None or not 0 <= count < 32 else _divided(a, exactly(1 << count))


_OPERATORS: dict[tuple[str, int], Callable[..., Known]] = {
    ("+", 2): _added,
    ("-", 2): lambda a, b: _added(a, _negated(b)),
    ("-", 1): _negated,
    ("negative", 1): _negated,
    ("*", 2): _multiplied,
    ("//", 2): _divided,
    ("cdiv", 2): _divided_up,
    ("%", 2): _remainder,
    **dict.fromkeys([("min", 2), ("minimum", 2)], _smaller),
    **dict.fromkeys([("max", 2), ("maximum", 2)], _larger),
    ("<<", 2): _shifted_left,
    (">>", 2): _shifted_right,
    **dict.fromkeys([("select", 3), ("where", 3)], lambda condition, a, b: a.or_else(b)),
}


def apply(operator: str, *operands: Known) -> Known:
    """What is known of an operator's result, as programs and sizes spell it; ``UNKNOWN`` for one that is not followed.

    An empty set among the operands gives an empty one.
    """
    function = _OPERATORS.get((operator, len(operands)))
    if any(each.is_empty for each in operands):
        return next(each for each in operands if each.is_empty)
    return UNKNOWN if function is None else function(*operands)


def implied(operator: str, result: Known, *operands: Known) -> Iterator[tuple[int, Known]]:
    """What a fact about an operator's result says about its operands: places of operands, with facts.

    Comparisons give 1 where they hold.

    >>> [(place, str(fact)) for place, fact in implied("%", exactly(0), UNKNOWN, exactly(16))]
    [(0, 'multiple of 16')]
    >>> [(place, str(fact)) for place, fact in implied("<", exactly(1), UNKNOWN, exactly(9))]
    [(0, 'multiple of 1 in … 8')]
    """
    if len(operands) != 2:
        return
    a, b = operands
    if operator == "%" and b.value:
        yield 0, Known(gcd(result.divisor, abs(b.value)))
    elif operator == "==" and result.value == 1:
        yield from ((0, b), (1, a))
    elif operator in ("<", "<=", ">", ">=") and result.value == 1:
        smaller, larger = (0, 1) if operator[0] == "<" else (1, 0)
        gap = 0 if operator.endswith("=") else 1
        for place, fact in (
            (smaller, Known(1, None, _sum(operands[larger].high, -gap))),
            (larger, Known(1, _sum(operands[smaller].low, gap), None)),
        ):
            if fact != UNKNOWN:
                yield place, fact
