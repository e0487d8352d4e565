"""Tasks that crash, hang or fail are set aside, on a pool of processes and on executors that are given."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from typing import Any, ClassVar

import pytest

from tilevm.errors import UsageError
from tilevm.runtime.tuning.runner import Runner


def treacherous(item: int) -> int:
    """Twice the item; 3 crashes, 5 never ends, 7 raises."""
    if item == 3:
        os._exit(1)
    if item == 5:
        time.sleep(600)
    if item == 7:
        raise UsageError("F002", "cannot read it")
    return 2 * item


def outcomes(runner: Runner, items: range) -> dict[int, Any]:
    return {each.item: each.value if each.problem is None else each.problem for each in runner.run(treacherous, items)}


class Pool(Executor):
    """A pool of two processes as loky's, without the processes: what flies with a task that crashes breaks with it."""

    made: ClassVar[list[Pool]] = []

    def __init__(self, workers: int) -> None:
        self.made.append(self)
        self.flying: list[Future[Any]] = []
        self.ended = False

    def submit(self, fn: Any, /, *args: Any, **keywords: Any) -> Any:
        assert not self.ended
        future: Future[Any] = Future()
        self.flying = [each for each in self.flying if not each.done()]
        self.flying.append(future)
        if args and args[0] == 3:
            for each in self.flying:
                each.set_exception(BrokenExecutor("a process ended"))
        elif not args or args[0] != 5:
            # What flies with a crash is not done yet.
            if args and args[0] == 2 and len(self.made) == 1:
                return future
            try:
                future.set_result(fn(*args))
            except UsageError as error:
                future.set_exception(error)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False, kill_workers: bool = False) -> None:
        assert kill_workers
        self.ended = True


def test_a_pool_survives_tasks_that_crash_hang_and_fail() -> None:
    Pool.made.clear()
    with Runner(workers=2, seconds=0.1, make=Pool) as runner:
        found = outcomes(runner, range(2, 9))
        assert found == {2: 4, 3: "crashed", 4: 8, 5: "hung", 6: 12, 7: "failed", 8: 16}
    assert len(Pool.made) == 3  # at first, after the crash, after it happened again alone
    assert all(pool.ended for pool in Pool.made)


def test_reasons_are_one_line() -> None:
    with ThreadPoolExecutor(1) as pool:
        runner = Runner(pool, workers=1)
        (failed,) = runner.run(treacherous, [7])
    assert failed.reason == "F002: cannot read it"


def test_a_given_executor_is_used_and_left_running() -> None:
    with ThreadPoolExecutor(2) as pool:
        with Runner(pool, workers=2) as runner:
            assert outcomes(runner, range(3)) == {0: 0, 1: 2, 2: 4}
        assert pool.submit(treacherous, 4).result() == 8


def test_what_hangs_on_a_given_executor_is_given_up() -> None:
    never: Future[int] = Future()

    class Hanging(Executor):
        def submit(self, fn: Any, /, *args: Any, **keywords: Any) -> Any:
            if args[0] == 5:
                return never
            done: Future[Any] = Future()
            done.set_result(fn(*args))
            return done

    assert outcomes(Runner(Hanging(), workers=2, seconds=0.05), range(4, 7)) == {4: 8, 5: "hung", 6: 12}
    assert never.cancelled()


def test_where_a_given_executor_breaks_the_rest_is_lost_and_named() -> None:
    class Breaking(Executor):
        broken = False

        def submit(self, fn: Any, /, *args: Any, **keywords: Any) -> Any:
            done: Future[Any] = Future()
            self.broken = self.broken or args[0] == 3
            if self.broken:
                done.set_exception(BrokenExecutor("a process ended"))
            else:
                done.set_result(fn(*args))
            return done

    found = outcomes(Runner(Breaking(), workers=1), range(1, 6))
    assert found == {1: 2, 2: 4, 3: "crashed", 4: "crashed", 5: "crashed"}


def test_an_iterator_that_is_closed_begins_nothing_more() -> None:
    begun: list[int] = []

    def note(item: int) -> int:
        begun.append(item)
        return item

    with ThreadPoolExecutor(1) as pool:
        running: Iterator[Any] = Runner(pool, workers=1).run(note, range(100))
        assert next(running).item == 0
        running.close()  # type: ignore[attr-defined]
    assert len(begun) < 5


def test_a_pool_that_is_shut_down_is_reported() -> None:
    pool = ThreadPoolExecutor(1)
    pool.shutdown()
    assert outcomes(Runner(pool, workers=1), range(2)) == {0: "crashed", 1: "crashed"}


@pytest.mark.parametrize("workers", [1, 3])
def test_no_more_tasks_are_under_way_than_workers(workers: int) -> None:
    most = 0
    flying: list[Future[int]] = []

    class Counting(Executor):
        def submit(self, fn: Any, /, *args: Any, **keywords: Any) -> Any:
            nonlocal most
            made: Future[Any] = Future()
            flying.append(made)
            under_way = [each for each in flying if not each.done()]
            most = max(most, len(under_way))
            if len(under_way) == workers:
                under_way[0].set_result(0)
            return made

    running = Runner(Counting(), workers=workers, seconds=0.2).run(treacherous, range(20))
    assert sum(each.problem is None for each in running) >= 20 - workers
    assert most == workers
