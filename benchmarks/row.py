"""One measured figure: what was done, by whom, and how long it took: the median of many rounds with the quartiles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median, quantiles

__all__ = ["Row"]


@dataclass(frozen=True)
class Row:
    """Times are in microseconds, for one launch or one call."""

    what: str
    who: str
    median: float
    low: float
    high: float
    rounds: int
    bytes: int | None = None
    """Bytes that have to move, for a bandwidth."""
    operations: int | None = None
    """Additions and multiplications, for a rate."""
    note: str = ""

    @classmethod
    def of(
        cls,
        what: str,
        who: str,
        times: Sequence[float],
        *,
        bytes: int | None = None,
        operations: int | None = None,
        note: str = "",
    ) -> Row:
        """The row of times in microseconds, of which there are at least two.

        >>> row = Row.of("copy", "CuPy", [4.0, 2.0, 3.0, 5.0, 100.0])
        >>> row.low, row.median, row.high
        (3.0, 4.0, 5.0)
        """
        low, _, high = quantiles(times, n=4, method="inclusive")
        return cls(what, who, median(times), low, high, len(times), bytes, operations, note)
