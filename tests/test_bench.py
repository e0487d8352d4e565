"""``tilevm.bench`` on a stand-in whose clock is the work that was launched."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator

import pytest
from rich.console import Console

import tilevm
from tests.stand_in_clock import Clock
from tilevm import NoDeviceError, UsageError
from tilevm.runtime import device
from tilevm.runtime.bench import FEWEST_ROUNDS, WARM_UP, BenchResult


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    clock = Clock()
    monkeypatch.setitem(sys.modules, "cupy", clock.module())
    device._device.cache_clear()
    yield clock
    device._device.cache_clear()


def test_times_are_of_one_callable_in_turns_without_what_keeps_the_gpu_busy(clock: Clock) -> None:
    tasks = {"fast": [clock.task("fast", 8.0), clock.task("fast", 10.0)], "slow": clock.task("slow", 31.0)}
    result = tilevm.bench(tasks, rounds=5, what="work", bytes={"slow": 62_000_000}, operations=31_000_000)
    assert result.times == {"fast": pytest.approx([9.0] * 5), "slow": pytest.approx([31.0] * 5)}
    assert [row.who for row in result.rows] == ["fast", "slow"]
    slow = result["slow"]
    assert (slow.what, slow.rounds, slow.bytes, slow.note) == ("work", 5, 62_000_000, "")
    assert slow.gigabytes_per_second == pytest.approx(2000.0)
    assert result["fast"].gigabytes_per_second is None
    assert slow.teraflops == pytest.approx(1.0)
    once = ["fast", "fast", "slow"]  # before they are recorded
    assert clock.order[:3] == once
    assert clock.order[3:9] == ["slow", "fast", "fast", "fast", "fast", "slow"]  # the order turns around
    assert len(clock.order) == 3 * (1 + WARM_UP + 5)
    assert clock.graphs == 2


def test_without_graphs_the_callables_are_launched(clock: Clock) -> None:
    result = tilevm.bench({"f": clock.task("f", 4.0)}, rounds=4, graph=False)
    assert result["f"].median == pytest.approx(4.0)
    assert (clock.graphs, result["f"].note) == (0, "")


def test_what_cannot_be_recorded_is_launched_without_a_graph_and_says_so(clock: Clock) -> None:
    waits = clock.task("waits", 5.0, recordable=False)
    result = tilevm.bench({"waits": waits, "plain": clock.task("plain", 3.0), "idle": lambda: None}, rounds=4)
    assert result["waits"].median == pytest.approx(5.0)
    assert result["waits"].note.startswith("without a CUDA graph: cudaErrorStreamCaptureUnsupported")
    assert "cudaErrorStreamCaptureInvalidated" in result["idle"].note
    assert result["plain"].note == ""


def test_the_time_ends_a_run_but_not_before_quartiles_mean_something(clock: Clock) -> None:
    result = tilevm.bench({"f": clock.task("f", 4.0)}, rounds=1000, seconds=0)
    assert result["f"].rounds == FEWEST_ROUNDS


def test_an_error_of_a_callable_is_its_own(clock: Clock) -> None:
    def broken() -> None:
        raise ValueError("no such thing")

    with pytest.raises(ValueError, match="no such thing"):
        tilevm.bench({"broken": broken})


def test_a_result_is_json_and_a_table(clock: Clock) -> None:
    result = tilevm.bench({"f": clock.task("f", 4.0)}, rounds=4, what="copy", bytes=8_000_000)
    again = json.loads(json.dumps(result.json()))
    assert again["device"] == "Clock"
    assert again["rows"][0]["median"] == pytest.approx(4.0)
    shown = io.StringIO()
    Console(width=100, file=shown).print(result.table)
    assert "copy on Clock" in shown.getvalue()


def test_quantiles_lie_between_neighbours() -> None:
    result = BenchResult("", (), {"f": [4.0, 1.0, 3.0, 2.0]})
    assert result.quantiles("f", (0.0, 0.5, 1.0)) == (1.0, 2.5, 4.0)


@pytest.mark.parametrize("functions", [{}, {"f": []}])
def test_nothing_to_measure_is_an_error(functions: dict[str, list[object]], clock: Clock) -> None:
    with pytest.raises(UsageError) as caught:
        tilevm.bench(functions)  # type: ignore[arg-type]
    assert caught.value.code == "F050"


def test_too_few_rounds_are_an_error(clock: Clock) -> None:
    with pytest.raises(UsageError, match="rounds is 1") as caught:
        tilevm.bench({"f": clock.task("f", 1.0)}, rounds=1)
    assert caught.value.code == "F050"


def test_without_a_gpu_the_error_says_what_can_be_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(NoDeviceError) as caught:
        tilevm.bench({"f": lambda: None})
    assert caught.value.code == "F041"
    assert "simulator" in str(caught.value)
