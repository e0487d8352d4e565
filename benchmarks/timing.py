"""Timing tasks side by side, on machines that are shared and noisy."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

__all__ = ["in_turns", "lowest"]


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


def lowest(task: Callable[[], object], rounds: int = 9, seconds: float = 0.02) -> float:
    """The seconds of one run of a short task: the lowest of the means of several rounds, each of about ``seconds``."""
    task()
    count, spent = 1, 0.0
    while spent < seconds / 4:
        count *= 2
        spent = _spent(task, count)
    count = max(1, round(count * seconds / spent))
    return min(_spent(task, count) for _ in range(rounds)) / count


def _spent(task: Callable[[], object], count: int) -> float:
    start = time.perf_counter()
    for _ in range(count):
        task()
    return time.perf_counter() - start
