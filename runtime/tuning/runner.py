"""Tasks on an executor, of which some may crash their process or never end: each becomes an ``Outcome``.

Any ``concurrent.futures.Executor`` will do. Where none is given the runner makes its own, a pool of processes, and may
end it: then a task that takes too long is killed, and after a crash the pool is made anew and the tasks that were under
way are tried again one at a time, so that the one that crashes is known. An executor that was given is never shut down.
A task that takes too long there is given up, though its worker goes on; and where it breaks, what was not done is lost.

The pool is loky's: unlike the one of the standard library it does not run the caller's script a second time.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from tilevm.errors import TilevmError

__all__ = ["Outcome", "Runner", "process_pool"]

START_SECONDS = 120.0
"""How long a pool may take to start."""

Item = TypeVar("Item")


@dataclass(frozen=True)
class Outcome(Generic[Item]):
    """What came of a task: a value, or where ``problem`` is set none. It is ``crashed``, ``hung`` or ``failed``."""

    item: Item
    value: Any = None
    problem: str | None = None
    reason: str = ""


def process_pool(workers: int, initializer: Callable[..., None] | None = None, arguments: tuple[Any, ...] = ()) -> Any:
    """A pool of processes that starts at once, and that can be ended with what runs in it."""
    from loky import ProcessPoolExecutor

    return ProcessPoolExecutor(workers, initializer=initializer, initargs=arguments)


class Runner:
    """Runs tasks, ``workers`` at a time, none for longer than ``seconds``. A context: its own pool ends with it."""

    def __init__(
        self,
        executor: Executor | None = None,
        *,
        workers: int | None = None,
        seconds: float = 60.0,
        make: Callable[[int], Any] = process_pool,
    ) -> None:
        self.workers = workers or os.cpu_count() or 1
        self.seconds = seconds
        self.owned = executor is None
        """Whether the executor may be ended and made anew."""
        self._executor: Any = executor
        self._starting: list[Future[None]] = []
        self._make = make

    def __enter__(self) -> Runner:
        return self

    def __exit__(self, *error: object) -> None:
        self.renew()

    def run(self, task: Callable[[Item], Any], items: Iterable[Item]) -> Iterator[Outcome[Item]]:
        """Outcomes, as the tasks end. Closing the iterator leaves out the tasks that have not begun.

        ``task`` and the items are pickled where the executor is of processes.
        """
        flight = _Flight(self, partial(_call, task), deque(items))
        try:
            yield from flight.outcomes()
        finally:
            flight.cancel()

    def begin(self) -> None:
        """Has a pool of the runner's own start, without waiting for it."""
        if self._executor is None:
            self._executor = self._make(self.workers)
            self._starting = [self._executor.submit(_ready) for _ in range(self.workers)]

    def executor(self) -> Any:
        """The executor, started."""
        self.begin()
        # A worker's first task includes its start and its imports, which are not the task's fault.
        wait(self._starting, START_SECONDS)
        return self._executor

    def renew(self) -> None:
        """Ends the pool with whatever runs in it; the next task starts another."""
        if self.owned and self._executor is not None:
            self._executor.shutdown(wait=True, kill_workers=True)
            self._executor, self._starting = None, []


class _Flight(Generic[Item]):
    """One run: what waits, what is under way since when, and what is suspected of having crashed."""

    def __init__(self, runner: Runner, task: Callable[[Item], Any], waiting: deque[Item]) -> None:
        self.runner, self.task, self.waiting = runner, task, waiting
        self.suspects: deque[Item] = deque()
        self.flying: dict[Future[Any], tuple[Item, float]] = {}

    def outcomes(self) -> Iterator[Outcome[Item]]:
        while self.waiting or self.suspects or self.flying:
            self._submit()
            yield from self._landed()
            yield from self._overdue()

    def cancel(self) -> None:
        for future in self.flying:
            future.cancel()

    def _submit(self) -> None:
        """Suspects fly alone; others as many as there are workers."""
        alone = bool(self.suspects)
        source = self.suspects if alone else self.waiting
        while source and len(self.flying) < (1 if alone else self.runner.workers):
            item = source.popleft()
            try:
                future = self.runner.executor().submit(self.task, item)
            except (BrokenExecutor, RuntimeError) as error:  # the second: it was shut down
                future = Future()
                future.set_exception(error if isinstance(error, BrokenExecutor) else BrokenExecutor(str(error)))
            self.flying[future] = item, time.monotonic()

    def _landed(self) -> Iterator[Outcome[Item]]:
        if not self.flying:
            return
        left = min(begun for _, begun in self.flying.values()) + self.runner.seconds - time.monotonic()
        done, _ = wait(self.flying, max(0.0, left), FIRST_COMPLETED)
        broken: list[Item] = []
        for future in done:
            item, _ = self.flying.pop(future)
            try:
                yield Outcome(item, future.result())
            except BrokenExecutor:
                broken.append(item)
            except Exception as error:  # whatever a task raises is what came of it
                yield Outcome(item, problem="failed", reason=_line(error))
        if broken:
            yield from self._crashed(broken)

    def _crashed(self, broken: list[Item]) -> Iterator[Outcome[Item]]:
        if not self.runner.owned:
            lost = [*broken, *(item for item, _ in self.flying.values()), *self.waiting]
            self.flying.clear()
            self.waiting.clear()
            for item in lost:
                yield Outcome(item, problem="crashed", reason="the executor broke, in this task or another")
            return
        suspects = [*broken, *(item for item, _ in self.flying.values())]
        self.flying.clear()
        self.runner.renew()
        if len(suspects) == 1:
            yield Outcome(suspects[0], problem="crashed", reason="the process ended in it")
        else:
            self.suspects.extend(suspects)

    def _overdue(self) -> Iterator[Outcome[Item]]:
        now, seconds = time.monotonic(), self.runner.seconds
        late = [future for future, (_, begun) in self.flying.items() if now - begun >= seconds and not future.done()]
        for future in late:
            item, _ = self.flying.pop(future)
            future.cancel()
            yield Outcome(item, problem="hung", reason=f"it took longer than {seconds:g} s")
        if late and self.runner.owned:
            innocent = [item for item, _ in self.flying.values()]
            self.flying.clear()
            self.runner.renew()
            self.waiting.extendleft(reversed(innocent))


def _ready() -> None:
    """Nothing, in a worker that has started: what tasks need is imported."""
    import tilevm.runtime.tuning.tasks  # noqa: F401


def _call(task: Callable[[Item], Any], item: Item) -> Any:
    return task(item)


def _line(error: Exception) -> str:
    if isinstance(error, TilevmError):
        return f"{error.code}: {error.diagnostics[0].message}"
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__
