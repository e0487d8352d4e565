"""How long work takes on a GPU: several functions side by side, in one run, on the same clock and the same clocks.

    tilevm.bench({"tilevm": [mm.prepare(x, w, s, y=y) for w, y in sets], "cuBLAS": [partial(cupy.matmul, ...), ...]})

What makes figures of a GPU lie, and what is done about each:

    data found in the second-level cache   a function is a list of callables that do the same work on buffers of their
                                           own, together larger than the cache (``copies_needed``); a single callable
                                           is launched once a round, and the cache is swept before it
    the host, which launches too slowly    each list is recorded once as a CUDA graph, and replayed; and before every
                                           measurement the GPU is given a long copy, so that all launches of a round
                                           wait for it. That copy is what sweeps the cache
    clocks and neighbours that drift       the functions take turns, and their order turns around in each round
    outliers                               a figure is the median of many rounds, with the quartiles

A callable may be anything that launches on CuPy's or torch's current stream: a prepared kernel of tilevm, a function of
CuPy, torch or Triton. Times are CUDA events around the launches, in microseconds for one callable.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median, quantiles
from typing import TYPE_CHECKING, Any

from tilevm.errors import UsageError
from tilevm.runtime.device_timing import Recorded, Stopwatch, capture, streams
from tilevm.version import __version__

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["BenchResult", "Row", "bench", "copies_needed"]

WARM_UP = 3
"""Rounds that are not counted."""
FEWEST_ROUNDS = 4
"""Rounds that are measured however short the time is: quartiles of fewer say nothing."""
DEFAULT_ROUNDS = 30

Task = Callable[[], object]


@dataclass(frozen=True)
class Row:
    """One measured figure: what was done, by whom, and how long it took: the median of many rounds with the quartiles.

    Times are in microseconds, for one launch or one call.
    """

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

    @property
    def gigabytes_per_second(self) -> float | None:
        """The bandwidth, where the bytes are known.

        >>> Row("copy", "CuPy", 10.0, 9.0, 11.0, 5, bytes=40_000_000).gigabytes_per_second
        4000.0
        """
        return None if self.bytes is None else self.bytes / self.median / 1e3

    @property
    def teraflops(self) -> float | None:
        """The rate in 10^12 operations a second, where the operations are known."""
        return None if self.operations is None else self.operations / self.median / 1e6


@dataclass(frozen=True)
class BenchResult:
    """What a run measured: a row for each function, in the order given, and every time that the rows are made of."""

    device: str
    rows: tuple[Row, ...]
    times: Mapping[str, Sequence[float]] = field(repr=False)
    """Microseconds of one callable in each round, by function."""

    def __getitem__(self, name: str) -> Row:
        return next(row for row in self.rows if row.who == name)

    def quantiles(self, name: str, at: Sequence[float]) -> tuple[float, ...]:
        """Quantiles of the times of a function, in microseconds, between neighbouring times by a straight line.

        >>> result = BenchResult("none", (), {"f": [3.0, 1.0, 2.0, 5.0, 4.0]})
        >>> result.quantiles("f", (0, 0.5, 0.75, 1))
        (1.0, 3.0, 4.0, 5.0)
        """
        ordered = sorted(self.times[name])
        found = []
        for each in at:
            place = each * (len(ordered) - 1)
            low, high = ordered[math.floor(place)], ordered[math.ceil(place)]
            found.append(low + (high - low) * (place - math.floor(place)))
        return tuple(found)

    def json(self) -> dict[str, Any]:
        """The result as ``json.dump`` takes it."""
        return {"tilevm": __version__, "device": self.device, "rows": [asdict(row) for row in self.rows]}

    @property
    def table(self) -> Table:
        """The rows for a terminal, by Rich."""
        from rich.table import Table

        table = Table("who", title=f"{self.rows[0].what} on {self.device}".strip() if self.rows else None)
        for heading in ("µs", "quartiles", "GB/s", "TFLOP/s"):
            table.add_column(heading, justify="right")
        table.add_column("")
        for row in self.rows:
            rate = "" if row.teraflops is None else f"{row.teraflops:.1f}"
            bandwidth = "" if row.gigabytes_per_second is None else f"{row.gigabytes_per_second:.0f}"
            spread = f"{row.low:.2f} to {row.high:.2f}"
            table.add_row(row.who, f"{row.median:.2f}", spread, bandwidth, rate, row.note)
        return table


def copies_needed(bytes_each: int, cache_bytes: int) -> int:
    """How many sets of buffers a function takes turns with: at least two, and three times what the cache holds.

    >>> copies_needed(34_000_000, 60_000_000), copies_needed(500_000_000, 60_000_000)
    (6, 2)
    """
    return max(2, math.ceil(3 * cache_bytes / max(1, bytes_each)))


def bench(
    functions: Mapping[str, Task | Sequence[Task]],
    *,
    what: str = "",
    rounds: int = DEFAULT_ROUNDS,
    seconds: float | None = None,
    graph: bool = True,
    bytes: int | Mapping[str, int] | None = None,
    operations: int | Mapping[str, int] | None = None,
) -> BenchResult:
    """Measures functions side by side on the current GPU. Each is a callable, or a list of callables that do the same
    work on buffers of their own.

    ``rounds`` are counted; with ``seconds`` the run ends earlier when the time is up, but not before four of them.
    ``graph=False`` launches without CUDA graphs; a function that cannot be recorded is launched without one, and its
    row says so. ``bytes`` and ``operations`` are what one callable moves and computes, for all or by name.

    Raises ``NoDeviceError`` F041 where there is no GPU, ``UsageError`` F050 where there is nothing to measure, and what
    the callables raise.
    """
    tasks = {name: [given] if callable(given) else list(given) for name, given in functions.items()}
    empty = [name for name, given in tasks.items() if not given]
    if not tasks or empty or rounds < FEWEST_ROUNDS:
        what_is_wrong = f"{empty[0]!r} has no callable" if empty else "there is no function to measure"
        raise UsageError(
            "F050",
            f"rounds is {rounds}, and less than {FEWEST_ROUNDS}" if tasks and not empty else what_is_wrong,
            help="bench({'name': callable, ...})",
        )
    from tilevm.runtime.device import current_device

    device = current_device()
    with streams(device.cupy) as stream:
        recorded = {name: capture(device.cupy, stream, given, graph) for name, given in tasks.items()}
        times = _in_turns(Stopwatch(device.cupy, stream), recorded, rounds, seconds)
    rows = (
        Row.of(
            what,
            name,
            found,
            bytes=_of(bytes, name),
            operations=_of(operations, name),
            note=recorded[name].note,
        )
        for name, found in times.items()
    )
    return BenchResult(device.name, tuple(rows), times)


def _in_turns(
    watch: Stopwatch, tasks: Mapping[str, Recorded], rounds: int, seconds: float | None
) -> dict[str, list[float]]:
    """Microseconds of one callable of each function, a figure for each round. Their order turns around each time."""
    times: dict[str, list[float]] = {name: [] for name in tasks}
    end = None if seconds is None else time.monotonic() + seconds
    for number in range(WARM_UP + rounds):
        for name in list(tasks) if number % 2 else list(tasks)[::-1]:
            found = watch.time(tasks[name].launch) / tasks[name].count
            if number >= WARM_UP:
                times[name].append(found)
        if end is not None and time.monotonic() > end and number + 1 >= WARM_UP + FEWEST_ROUNDS:
            break
    return times


def _of(given: int | Mapping[str, int] | None, name: str) -> int | None:
    return given.get(name) if isinstance(given, Mapping) else given
