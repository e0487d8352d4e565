"""Tuning where there is a GPU, on stand-ins: which candidates are run, what is compared, what is timed in the end."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import tilevm
from tests.stand_in_clock import Clock
from tests.tuning import SCALE, largest_block
from tilevm import Kernel, PackedArray, TuneStore
from tilevm.arch import arch
from tilevm.runtime import device
from tilevm.runtime.nvrtc import nvrtc_version
from tilevm.runtime.tuning import measure, search, tune
from tilevm.runtime.tuning.measure import Session, Timed
from tilevm.runtime.tuning.subject import Subject
from tilevm.runtime.tuning.tasks import Refusal

KERNEL = tilevm.kernel(SCALE)
ADD = tilevm.kernel(
    "kernel add[B = 32](x: f32[N], inout y: f32[N], out z: f32[N], scale: f32):\n    grid cdiv(N, B)\n    warps 1\n"
    "    tune B in 32, 64\n    i = block_index(0) * B\n    sum = load(y[i :+ B]) + load(x[i :+ B]) * scale\n"
    "    store(y[i :+ B], sum)\n    store(z[i :+ B], sum)\n"
)
X = np.arange(1024, dtype=np.float32)


class Pool(ThreadPoolExecutor):
    """A pool in this process, made as the runner makes its own."""

    def __init__(self, workers: int, initializer: Any = None, arguments: Any = ()) -> None:
        super().__init__(workers, initializer=initializer, initargs=arguments)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False, kill_workers: bool = False) -> None:
        super().shutdown(wait, cancel_futures=cancel_futures)


# What the search does with a GPU


@pytest.fixture
def h200(monkeypatch: pytest.MonkeyPatch) -> dict[int, float | str]:
    """A GPU on which candidates take microseconds, or fail, by their block."""
    outcome: dict[int, float | str] = {}
    row = arch("sm_90a")
    machine = SimpleNamespace(name="NVIDIA H200", capability=(9, 0), arch=row)
    monkeypatch.setattr(tune, "current_device", lambda: machine)
    monkeypatch.setattr(search, "process_pool", Pool)

    def timed(config: Any) -> Any:
        found = outcome[config["B"]]
        if found == "raises":
            raise RuntimeError("the GPU has stopped")
        return Refusal("failed", "wrong numbers", found) if isinstance(found, str) else _timed(found)

    def raced(configs: Any) -> Any:
        return [_timed(float(outcome[config["B"]]) + 0.5) for config in configs]

    monkeypatch.setattr(measure, "time_candidate", timed)
    monkeypatch.setattr(measure, "race", raced)
    return outcome


def _timed(microseconds: float) -> Timed:
    return Timed(1e-6 * microseconds, 0.9e-6 * microseconds, 1.1e-6 * microseconds)


def tuned(path: Path, **options: Any) -> Any:
    try:
        nvrtc_version()
    except tilevm.UsageError as error:
        pytest.skip(error.diagnostics[0].message)
    with ThreadPoolExecutor(1) as pool:
        options = {"executor": pool, "workers": 1, "model": largest_block, "store": TuneStore(path), **options}
        return tilevm.tune(KERNEL, (X,), **options)


def test_the_fastest_measured_is_the_best_and_not_the_first_predicted(
    h200: dict[int, float | str], tmp_path: Path
) -> None:
    h200.update({256: 9.0, 128: 4.0, 64: 6.0, 32: 20.0})
    result = tuned(tmp_path)
    assert result.measured
    assert result.best == {"B": 128}
    assert result.key.device == "NVIDIA H200"
    assert result.key.arch == "sm_90a"
    # The best three were raced again, and have the times of that.
    times = {each.config["B"]: each.measured for each in result.candidates}
    assert times == pytest.approx({128: 4.5e-6, 64: 6.5e-6, 256: 9.5e-6, 32: 20e-6})
    assert [each.config["B"] for each in result.candidates] == [128, 64, 256, 32]
    assert not result.notes
    assert "µs measured" in str(result)
    assert "quartiles" in [column.header for column in result.table.columns]


def test_what_fails_on_the_gpu_is_set_aside(h200: dict[int, float | str], tmp_path: Path) -> None:
    h200.update({256: "result 0 is 1.0e+00 off", 128: "raises", 64: 6.0, 32: 20.0})
    result = tuned(tmp_path)
    assert result.best == {"B": 64}
    assert {each.config["B"]: (each.reason, each.detail) for each in result.of_state("failed")} == {
        256: ("wrong numbers", "result 0 is 1.0e+00 off"),
        128: ("failed on the GPU", "RuntimeError: the GPU has stopped"),
    }


def test_patience_counts_what_was_measured(h200: dict[int, float | str], tmp_path: Path) -> None:
    h200.update({256: 4.0, 128: 9.0, 64: 9.0, 32: 1.0})
    result = tuned(tmp_path, patience=2)
    assert result.best == {"B": 256}
    assert [each.config["B"] for each in result.of_state("left out")] == [32]


def test_a_reference_that_takes_too_long_is_said(
    h200: dict[int, float | str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    h200.update({256: 4.0, 128: 9.0, 64: 9.0, 32: 9.0})
    never = object()
    monkeypatch.setattr(search, "run_on_host", never)

    class Here(Executor):
        """Does everything at once but the reference, which never ends."""

        def submit(self, fn: Any, /, *args: Any, **keywords: Any) -> Any:
            made: Future[Any] = Future()
            if fn.args != (never,):
                made.set_result(fn(*args))
            return made

    result = tuned(tmp_path, executor=Here(), seconds=0.05)
    assert result.best == {"B": 256}
    assert result.notes[0].startswith("numbers were not compared: the interpreter took longer than 0.05 s")
    assert not result.of_state("failed")


def test_machine_code_of_another_machine_goes_into_the_cache(
    h200: dict[int, float | str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    h200.update({256: 4.0, 128: 9.0, 64: 9.0, 32: 9.0})
    kept: list[str] = []
    monkeypatch.setattr(search.Cache, "put", lambda self, name, parts: kept.append(name) if parts["cubin"] else None)
    tuned(tmp_path)
    assert len(set(kept)) == 4


def test_a_target_that_does_not_run_here_is_ranked(h200: dict[int, float | str], tmp_path: Path) -> None:
    result = tuned(tmp_path, target="sm_120a")
    assert not result.measured
    assert result.key.device is None
    assert any("there is no GPU for sm_120a" in note for note in result.notes)


# What the process with the GPU does


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    """A GPU whose memory is the host's, and whose launches are the interpreter's, 100 µs for each block of 32."""
    clock = Clock()
    monkeypatch.setitem(sys.modules, "cupy", clock.module())
    device._device.cache_clear()

    def prepare(self: Kernel, /, *, target: str, **given: Any) -> Any:
        assert target == "sm_90a"
        made = {each.name: np.empty(1024, np.float32) for each in self.definition.parameters if each.access == "out"}
        work = clock.task(f"B={given['B']}", 100.0 / (given["B"] // 32))
        returned = tuple(made.values())
        return _Prepared(lambda: self(**given, **made), work, returned[0] if len(returned) == 1 else returned)

    monkeypatch.setattr(Kernel, "prepare", prepare)
    yield clock
    device._device.cache_clear()


class _Prepared:
    """A launch that computes the first time, and takes its time every time."""

    def __init__(self, compute: Callable[[], object], work: Callable[[], None], returned: Any) -> None:
        self._compute, self._work, self.returned = compute, work, returned
        self._computed = False

    def __call__(self) -> None:
        if not self._computed:
            self._compute()
        self._computed = True
        self._work()


def session(kernel: Kernel, arguments: dict[str, Any], reference: Any, tolerance: float | None = None) -> Session:
    on_host = {name: measure.host_copy(name, given) for name, given in arguments.items()}
    shapes = {name: given.shape for name, given in on_host.items() if isinstance(given, PackedArray)}
    subject = Subject(kernel, "sm_90a", {}, shapes, dict.fromkeys(shapes, "f32"))
    return Session(subject, on_host, reference, tolerance)


def test_a_candidate_is_compared_and_timed(clock: Clock) -> None:
    measure.begin(session(KERNEL, {"x": X}, (3 * X,)))
    timed = measure.time_candidate({"B": 64})
    assert isinstance(timed, Timed)
    assert (timed.median, timed.low, timed.high) == pytest.approx((50e-6, 50e-6, 50e-6))
    wrong = measure.time_candidate({"B": 64, "FACTOR": 4})
    detail = "result 0 is 3.3e-01 off, relative to its norm; 1.0e-04 is allowed"
    assert wrong == Refusal("failed", "wrong numbers", detail)
    first, second = measure.race(({"B": 32}, {"B": 128}))
    assert (first.median, second.median) == pytest.approx((100e-6, 25e-6))


def test_every_candidate_gets_its_own_copy_of_what_it_changes(clock: Clock) -> None:
    y = np.ones(1024, np.float32)
    reference = (y + 2 * X, y + 2 * X)
    measure.begin(session(ADD, {"x": X, "y": y, "scale": 2.0}, reference))
    for config in ({"B": 32}, {"B": 64}, {"B": 32}):
        assert isinstance(measure.time_candidate(config), Timed)


def test_workspaces_are_zeros_for_each_candidate_and_no_results(clock: Clock) -> None:
    kernel = tilevm.kernel(
        "kernel count[B = 32](x: f32[N], inout seen: i32[cdiv(N, B)], out y: f32[N]):\n"
        "    grid cdiv(N, B)\n    warps 1\n    g = block_index(0)\n    before = atomic_add(seen[g], 1)\n"
        "    store(y[g * B :+ B], load(x[g * B :+ B]) + cast(before, f32))\n"
    )
    begun = session(kernel, {"x": X}, (X,))
    measure.begin(replace(begun, subject=replace(begun.subject, workspaces=("seen",))))
    for config in ({"B": 32}, {"B": 128}, {"B": 32}):
        assert isinstance(measure.time_candidate(config), Timed)


def test_a_candidate_that_writes_nothing_is_found_out(clock: Clock) -> None:
    lazy = tilevm.kernel(
        "kernel lazy[B = 32](x: f32[N], out y: f32[N]):\n    grid N // 32\n    warps 1\n    i = block_index(0) * 32\n"
        "    if B == 32:\n        store(y[i :+ 32], load(x[i :+ 32]))\n"
    )
    measure.begin(session(lazy, {"x": X}, (X,)))
    assert isinstance(measure.time_candidate({"B": 32}), Timed)
    refused = measure.time_candidate({"B": 64})
    assert isinstance(refused, Refusal)
    assert "not finite where the reference is" in refused.detail


def test_an_error_of_a_launch_is_a_refusal(clock: Clock) -> None:
    measure.begin(session(KERNEL, {"x": X}, None))
    refused = measure.time_candidate({"B": 512})
    assert isinstance(refused, Refusal)
    assert (refused.state, refused.reason) == ("set aside", "A034: a requirement on compile-time parameters")


def test_arguments_travel_as_packed_bytes() -> None:
    packed = measure.host_copy("x", X)
    assert isinstance(packed, PackedArray)
    assert np.array_equal(packed.numpy(), X)
    assert measure.host_copy("w", packed) is packed
