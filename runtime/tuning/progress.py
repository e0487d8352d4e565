"""A progress bar on standard error, on a terminal or where it is asked for; the stages of a search under each other."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["Progress"]


class Progress:
    """``shown`` None: on a terminal. A context; the bars go away when it ends."""

    def __init__(self, shown: bool | None, name: str) -> None:
        self._shown = sys.stderr.isatty() if shown is None else shown
        self._name = name
        self._bars: Any = None

    def __enter__(self) -> Progress:
        if self._shown:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
            from rich.progress import Progress as Bars

            console = Console(stderr=True, force_terminal=self._shown)
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
            self._bars = Bars(*columns, console=console, transient=True)
            self._bars.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._bars is not None:
            self._bars.stop()

    @contextmanager
    def stage(self, what: str, total: int) -> Iterator[Callable[[], None]]:
        """A bar of ``total`` steps; what it gives makes one."""
        if self._bars is None:
            yield lambda: None
            return
        task = self._bars.add_task(f"{self._name}: {what}", total=total)
        yield lambda: self._bars.advance(task)
        self._bars.update(task, total=self._bars.tasks[task].completed)
