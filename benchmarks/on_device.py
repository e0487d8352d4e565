"""How long launches take on a GPU, by CUDA events, several tasks in turns.

A task is a list of launches of the same work on buffers of its own, together larger than the second-level cache, so
that no launch finds its data there. Before each measurement the GPU is given something long to do, so that all launches
of a round are waiting for it when their turn comes: what Python takes to launch is not part of the figure.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

__all__ = ["copies_needed", "in_turns_on_device"]

WARM_UP = 3
"""Rounds that are not counted."""
PLUG_BYTES = 1 << 30
"""What is copied before each measurement: half a millisecond at 4 TB/s."""


def copies_needed(bytes_each: int, cache_bytes: int) -> int:
    """How many sets of buffers a task takes turns with: at least two, and three times what the cache holds.

    >>> copies_needed(34_000_000, 60_000_000), copies_needed(500_000_000, 60_000_000)
    (6, 2)
    """
    return max(2, math.ceil(3 * cache_bytes / bytes_each))


def in_turns_on_device(
    cupy: Any, tasks: Mapping[str, Sequence[Callable[[], object]]], *, rounds: int = 30
) -> dict[str, list[float]]:
    """Microseconds of one launch of each task, a figure for each round. Their order turns around each time."""
    stream = cupy.cuda.get_current_stream()
    plug = cupy.empty(PLUG_BYTES // 2, cupy.uint8)
    target = cupy.empty_like(plug)
    times: dict[str, list[float]] = {name: [] for name in tasks}
    start, end = cupy.cuda.Event(), cupy.cuda.Event()
    for number in range(WARM_UP + rounds):
        names = list(tasks) if number % 2 else list(tasks)[::-1]
        for name in names:
            cupy.copyto(target, plug)
            start.record(stream)
            for launch in tasks[name]:
                launch()
            end.record(stream)
            end.synchronize()
            if number >= WARM_UP:
                times[name].append(1e3 * cupy.cuda.get_elapsed_time(start, end) / len(tasks[name]))
    return times
