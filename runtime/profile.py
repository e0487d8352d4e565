"""What each line of a kernel costs in memory, from a simulated run: a table of counts beside the least that would do.

A *wavefront* is a pass through the 32 banks of shared memory; a request whose words lie in one bank takes several.
Global memory moves whole sectors of 32 bytes; what lies in them and was not asked for is moved for nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from tilevm.errors import Source
from tilevm.runtime.simulator import LineCounts, Simulation

__all__ = ["COLUMNS", "NUMBERS", "profile_rows", "verdict"]

NUMBERS = ("line", "shared", "wavefronts", "ideal", "global", "bytes moved", "useful")
COLUMNS = (*NUMBERS, "text")
"""Headings of the table; those of ``NUMBERS`` hold numbers."""

WAVEFRONT_BYTES = 128
"""Bytes that one wavefront brings at most: 32 banks of 4."""


def profile_rows(simulation: Simulation, source: Source | None) -> Iterator[tuple[str, ...]]:
    """A row of the table for each line that touches memory, in order of the text, and one with the sums.

    ``shared`` and ``global`` count requests, each one instruction of a warp; ``source`` is the text of the kernel.
    """
    totals = [0] * (len(NUMBERS) - 1)
    for line, counts in sorted(simulation.lines.items()):
        figures = _figures(counts)
        totals = [total + figure for total, figure in zip(totals, figures, strict=True)]
        yield (str(line), *map(str, figures), _text(source, line))
    yield ("all", *map(str, totals), "")


def _figures(counts: LineCounts) -> tuple[int, ...]:
    """What stands under ``NUMBERS``, but the line."""
    return (
        counts.shared_requests,
        counts.wavefronts,
        counts.ideal_wavefronts,
        counts.global_requests,
        counts.moved_bytes,
        counts.useful_bytes,
    )


def verdict(simulation: Simulation) -> str:
    """A sentence on the line that wastes most: bytes of global memory, or wavefronts by the bytes they could bring."""
    wasted = {
        line: (
            counts.moved_bytes - counts.useful_bytes,
            WAVEFRONT_BYTES * (counts.wavefronts - counts.ideal_wavefronts),
        )
        for line, counts in simulation.lines.items()
    }
    worst = max(wasted, key=lambda line: max(wasted[line]), default=None)
    if worst is None:
        return "no line touches memory"
    counts, (sectors, conflicts) = simulation.lines[worst], wasted[worst]
    if not max(sectors, conflicts):
        return "every request moves only what it asks for, and no two words of one lie in the same bank"
    if conflicts > sectors:
        times = counts.wavefronts / counts.ideal_wavefronts
        return f"line {worst}: {times:.1f} times the wavefronts that it needs, because words lie in the same bank"
    times = counts.moved_bytes / counts.useful_bytes
    return f"line {worst}: moves {times:.1f} times the bytes that it asks for, because sectors are used in part"


def _text(source: Source | None, line: int) -> str:
    return source.line(line).strip() if source is not None and 1 <= line <= len(source.line_starts) else ""
