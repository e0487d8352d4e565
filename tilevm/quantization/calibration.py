"""Calibration: which range of numbers a block's format is made to cover. What lies beyond it saturates.

absmax        the whole block
percentile    all but the farthest numbers
mean          the mean magnitude, for formats of one or two magnitudes (ternary, binary)
mse           several fractions of the whole block, of which each block keeps the one with the least squared error
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from tilevm.errors import DTypeError, did_you_mean

__all__ = ["CALIBRATIONS", "Absmax", "Calibration", "Mean", "Percentile", "Search", "calibration"]

Ranges: TypeAlias = tuple[NDArray[np.float32], NDArray[np.float32]]


@dataclass(frozen=True)
class Absmax:
    """The whole block: its farthest number is the farthest of the format."""

    def ranges(self, blocks: NDArray[np.float32], symmetric: bool) -> Iterator[Ranges]:
        """Candidates for the range of each block of ``float32[*grid, elements]``: the least number, at most 0, and the
        largest, at least 0; both are the magnitude where ``symmetric``."""
        if symmetric:
            reach = np.abs(blocks).max(-1, initial=0)
            yield -reach, reach
        else:
            yield blocks.min(-1, initial=0), blocks.max(-1, initial=0)


@dataclass(frozen=True)
class Percentile:
    """The range that ``percent`` of the block's magnitudes lie in; unless that is 0, which takes the whole block.

    Percentiles lie between two elements in proportion (NumPy's ``linear``). Without symmetry as many numbers are cut
    off at either end. Raises ``DTypeError`` D021 for a percentage that is not above 0 and up to 100.
    """

    percent: float = 99.0

    def __post_init__(self) -> None:
        if not isinstance(self.percent, int | float) or not 0 < self.percent <= 100:
            raise DTypeError("D021", f"a percentile is above 0 and up to 100, not {self.percent!r}")

    def ranges(self, blocks: NDArray[np.float32], symmetric: bool) -> Iterator[Ranges]:
        """See ``Absmax.ranges``."""
        low, high = next(Absmax().ranges(blocks, symmetric))
        if blocks.shape[-1]:
            numbers = np.abs(blocks) if symmetric else blocks
            upper = np.percentile(numbers, self.percent, axis=-1).astype(np.float32)
            high = np.where(upper > 0, upper, high)
            lower = -upper if symmetric else np.percentile(numbers, 100 - self.percent, axis=-1).astype(np.float32)
            low = np.where(lower < 0, lower, low)
        yield low, high


@dataclass(frozen=True)
class Mean:
    """The mean magnitude of the block, as BitNet b1.58 has it for ternary weights; the sum is made in ``float64``."""

    def ranges(self, blocks: NDArray[np.float32], symmetric: bool) -> Iterator[Ranges]:
        """See ``Absmax.ranges``."""
        reach = np.abs(blocks).mean(-1, dtype=np.float64).astype(np.float32)
        yield -reach, reach


@dataclass(frozen=True)
class Search:
    """Several factors of the whole block's range. Above 1 they help floats whose largest numbers lie far apart: with
    1.5, the largest weight of a block becomes 4 in ``f4e2m1``, and no weight falls into the gap between 4 and 6.

    Raises ``DTypeError`` D015 for factors that are not above 0 and up to 2, or for none.
    """

    factors: tuple[float, ...] = (1.0, 1.5, 1.25, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.65, 0.6, 0.55, 0.5, 0.4, 0.3)

    def __post_init__(self) -> None:
        check_factors(self.factors, 2)

    def ranges(self, blocks: NDArray[np.float32], symmetric: bool) -> Iterator[Ranges]:
        """See ``Absmax.ranges``."""
        low, high = next(Absmax().ranges(blocks, symmetric))
        return ((np.float32(factor) * low, np.float32(factor) * high) for factor in self.factors)


Calibration: TypeAlias = Absmax | Percentile | Mean | Search
CALIBRATIONS: dict[str, Callable[[], Calibration]] = {
    "absmax": Absmax,
    "percentile": Percentile,
    "mean": Mean,
    "mse": Search,
}


def calibration(given: Calibration | str) -> Calibration:
    """The calibration of a name; one is taken as it is. Raises ``DTypeError`` D019 for an unknown name.

    >>> calibration("percentile")
    Percentile(percent=99.0)
    """
    if isinstance(given, Absmax | Percentile | Mean | Search):
        return given
    if not isinstance(given, str) or given not in CALIBRATIONS:
        help = did_you_mean(str(given), CALIBRATIONS) or f"there are {', '.join(CALIBRATIONS)}"
        raise DTypeError("D019", f"there is no calibration {given!r}", help=help)
    return CALIBRATIONS[given]()


def check_factors(given: object, largest: int) -> tuple[float, ...]:
    """Factors as a tuple. Raises ``DTypeError`` D015."""
    factors = tuple(given) if isinstance(given, Iterable) else ()
    if not factors or not all(isinstance(each, int | float | np.floating) and 0 < each <= largest for each in factors):
        what = "fractions" if largest == 1 else "factors"
        raise DTypeError("D015", f"clips are {what} above 0 and up to {largest}, at least one of them, not {given!r}")
    return tuple(float(each) for each in factors)
