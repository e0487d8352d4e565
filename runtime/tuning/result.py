"""What came of a tuning: every candidate with what became of it, the best of them, and how that is known.

set aside    pruned before anything was compiled: a ``require`` does not hold, or it asks for more than there is
failed       it does not compile, crashed, hung, or computed something else
left out     others were predicted to be faster, and enough of them were compiled
ranked       predicted, and compiled where there is a compiler, but not run
measured     run, compared with the reference and timed
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tilevm.errors import UsageError
from tilevm.runtime.tuning.space import Config
from tilevm.runtime.tuning.subject import TuneKey

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["STATES", "Candidate", "TuneResult", "Versions", "grouped", "in_text"]

STATES = ("measured", "ranked", "failed", "set aside", "left out")
BOUND = "bound by"
SHOWN = 20
"""Candidates of the text and of the table; ``candidates`` has all."""


@dataclass(frozen=True)
class Candidate:
    """One configuration. Times are in seconds, for one launch."""

    config: Config
    state: str
    reason: str = ""
    """Why it is set aside or failed, in words that others share."""
    detail: str = ""
    """The same with its own numbers."""
    predicted: float | None = None
    bound: str = ""
    """What bounds the predicted time."""
    spent: float | None = None
    """What all parts of the GPU need, added up: it orders candidates that are bound alike."""
    measured: float | None = None
    """The median."""
    low: float | None = None
    high: float | None = None
    """The quartiles."""
    registers: int | None = None
    spilled_bytes: int | None = None
    shared_bytes: int | None = None

    @property
    def seconds(self) -> float | None:
        """The measured time, else the predicted one."""
        return self.predicted if self.measured is None else self.measured


@dataclass(frozen=True)
class Versions:
    """What a result was made by. Another version may compile and predict otherwise."""

    tilevm: str
    nvrtc: str | None


@dataclass(frozen=True)
class TuneResult:
    """The result of a tuning.

    ``best`` are the compile-time parameters to call the kernel with. ``measured`` says whether they were timed on a
    GPU; if not, they are the first by the cost model.
    """

    key: TuneKey
    best: Config
    seconds: float
    measured: bool
    candidates: tuple[Candidate, ...]
    """From the fastest to the slowest, then those without a time."""
    notes: tuple[str, ...] = ()
    """What was not done, and why."""
    versions: Versions = field(default=Versions("", None))
    stored: bool = False
    """Whether it was read from a store, and nothing was tried."""

    def __str__(self) -> str:
        how = "measured" if self.measured else "predicted, not measured"
        lines = [f"{self.key}: {in_text(self.best)}, {1e6 * self.seconds:.2f} µs {how}"]
        lines += self.notes
        counts = Counter(each.state for each in self.candidates)
        lines.append(", ".join(f"{counts[state]} {state}" for state in STATES if counts[state]))
        return "\n".join(lines)

    def of_state(self, state: str) -> list[Candidate]:
        """The candidates in one of ``STATES``."""
        return [each for each in self.candidates if each.state == state]

    @property
    def failures(self) -> dict[str, list[Config]]:
        """The configurations that failed or were set aside, by reason, the most frequent first."""
        return grouped(each for each in self.candidates if each.state in ("failed", "set aside"))

    @property
    def table(self) -> Table:
        """The fastest candidates for a terminal, by Rich."""
        from rich.table import Table

        timed = [each for each in self.candidates if each.seconds is not None and each.state in ("measured", "ranked")]
        names = list(dict.fromkeys(name for each in timed for name in each.config))
        table = Table(title=str(self.key))
        rows = [_row(each, names) for each in timed[:SHOWN]]
        for heading in rows[0] if rows else ():
            if any(row[heading] for row in rows):
                table.add_column(heading, justify="left" if heading == BOUND else "right")
        shown = [str(column.header) for column in table.columns]
        for row in rows:
            table.add_row(*(row[heading] for heading in shown))
        return table

    def plot(self, path: str | None = None) -> Any:
        """Predicted over measured time of each candidate, or where nothing was measured the predicted times in order.

        Gives the matplotlib figure, which is also written to ``path`` where that is given. Raises ``UsageError`` F054
        where there is no matplotlib.
        """
        try:
            from matplotlib.figure import Figure
        except ImportError:
            raise UsageError(
                "F054", "a plot needs matplotlib, which is not installed", help="pip install matplotlib"
            ) from None
        figure = Figure(figsize=(7, 5), layout="constrained")
        axes = figure.add_subplot(title=str(self.key))
        both = [(each.predicted, each.measured) for each in self.candidates if each.predicted and each.measured]
        if both:
            axes.loglog([1e6 * each for each, _ in both], [1e6 * each for _, each in both], "o")
            axes.set(xlabel="predicted µs", ylabel="measured µs")
        else:
            times = [1e6 * each.seconds for each in self.candidates if each.seconds is not None]
            axes.semilogy(range(1, len(times) + 1), times, "o")
            axes.set(xlabel="candidate", ylabel="predicted µs")
        if path is not None:
            figure.savefig(path)
        return figure


def in_text(config: Config) -> str:
    """A configuration as it is written on a command line.

    >>> in_text({"BM": 16, "W": "u4"})
    'BM=16 W=u4'
    """
    return " ".join(f"{name}={value}" for name, value in config.items())


def grouped(candidates: Iterable[Candidate]) -> dict[str, list[Config]]:
    """Configurations by reason, the most frequent first."""
    groups: dict[str, list[Config]] = {}
    for each in candidates:
        groups.setdefault(each.reason, []).append(each.config)
    return dict(sorted(groups.items(), key=lambda group: -len(group[1])))


def _row(candidate: Candidate, names: Iterable[str]) -> dict[str, str]:
    """The cells of a candidate by heading; empty where nothing is known."""
    low, high = candidate.low, candidate.high
    return {
        **{name: str(candidate.config.get(name, "")) for name in names},
        "µs": _microseconds(candidate.measured),
        "quartiles": "" if low is None or high is None else f"{1e6 * low:.2f} to {1e6 * high:.2f}",
        "predicted µs": _microseconds(candidate.predicted),
        "registers": _number(candidate.registers),
        "spilled": _number(candidate.spilled_bytes),
        "shared": _number(candidate.shared_bytes),
        BOUND: candidate.bound,
    }


def _microseconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{1e6 * seconds:.2f}"


def _number(count: int | None) -> str:
    return "" if count is None else str(count)
