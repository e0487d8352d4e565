"""Timing tasks side by side, on machines that are shared and noisy."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

__all__ = ["in_turns"]


def in_turns(*tasks: Callable[[], object], rounds: int = 7) -> list[float]:
    """The median seconds of each task, run one after another in rounds after a first one that does not count."""
    times: list[list[float]] = [[] for _ in tasks]
    for number in range(rounds + 1):
        for task, kept in zip(tasks, times, strict=True):
            start = time.perf_counter()
            task()
            if number:
                kept.append(time.perf_counter() - start)
    return [median(kept) for kept in times]
