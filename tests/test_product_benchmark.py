"""``benchmarks.matmul`` on a stand-in for a GPU: data, products, what is checked, resumed, left out and shown."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import contestants, matmul, report
from benchmarks.contestants import CuBlas, Launches, Tilevm
from benchmarks.matmul import Products, run, selected
from benchmarks.peers import PEERS
from benchmarks.product_data import Data, error_of
from benchmarks.product_report import speedups
from benchmarks.shapes import DECISIVE, FORMATS, ROWS, SHAPES, Case, Weights, plan
from benchmarks.stages import measure_here
from tests.stand_in_clock import Clock
from tilevm import Kernel
from tilevm.runtime import device

MACHINE = {"device": "NVIDIA H200", "capability": "9.0"}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    """A GPU whose memory is the host's, and on which prepared kernels are the interpreter's."""
    clock = Clock()
    cupy = clock.module()
    cupy.__dict__.update(asnumpy=np.array, float16=np.float16, matmul=lambda x, w, out: np.matmul(x, w, out=out))
    cupy.__dict__["empty"] = np.zeros  # half a gigabyte that nobody touches
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    monkeypatch.setattr(contestants.importlib.util, "find_spec", lambda name: None)
    device._device.cache_clear()

    def prepare(self: Kernel, **given: Any) -> Callable[[], None]:
        done: list[Any] = []

        def launch() -> None:
            if not done:
                done.append(self(**given))

        return launch

    monkeypatch.setattr(Kernel, "prepare", prepare)
    yield clock
    device._device.cache_clear()


class Fake:
    """A contestant that takes a time, and may be wrong or broken."""

    needs: tuple[str, ...] = ()

    def __init__(self, clock: Clock, name: str, microseconds: float, error: float = 0.0, broken: str = "") -> None:
        self.clock, self.name, self.microseconds, self.error, self.broken = clock, name, microseconds, error, broken
        self.loaded: list[Weights] = []

    def takes(self, weights: Weights) -> bool:
        return weights.format != "u3"

    def load(self, data: Data) -> Callable[[Any], Launches]:
        if self.broken == "load":
            raise RuntimeError("no kernel image\nis available")
        self.loaded.append(data.weights)
        return partial(self._product, data)

    def _product(self, data: Data, x: Any) -> Launches:
        if self.broken == "ends":
            raise SystemExit(3)
        task = self.clock.task(self.name, self.microseconds)
        return Launches([task, task], lambda: self.error, 1000, note="by itself" if self.name == "peer" else "")


SMALL = [Case(Weights(64, 128, format), m) for format in ("u4", "u3") for m in (1, 16)]


def test_the_plan_has_everything_the_telling_cases_first() -> None:
    cases = plan()
    assert len(set(cases)) == len(cases)
    every = {shape for shapes in SHAPES.values() for shape in shapes}
    found = {(case.weights.n, case.weights.k, case.weights.format, case.m) for case in cases}
    assert found >= {(n, k, format, m) for n, k in every for format in FORMATS for m in ROWS}
    first = cases[: 3 * 14 * 2]
    assert {(case.weights.n, case.weights.k) for case in first} == set(DECISIVE)
    assert {case.m for case in first} == {1, 16}
    assert {case.weights.scale for case in cases} == {"f16", "e8m0", "f8e4m3"}


def test_bytes_and_operations_are_those_of_the_table_of_floors() -> None:
    case = Case(Weights(8192, 8192, "u4"), 1)
    assert case.nbytes == 8192 * 8192 // 2 + 64 * 8192 * 2 + 2 * (8192 + 8192)
    assert case.operations == 2 * 8192 * 8192
    assert round(case.nbytes / 4.3e12 * 1e6, 1) == 8.1


def test_a_selection_keeps_the_order_of_the_plan() -> None:
    cases = selected(["Llama-3-8B", "8192x8192"], [16], ["u4", "u3"])
    assert {(case.weights.n, case.weights.k) for case in cases} == {*SHAPES["Llama-3-8B"], (8192, 8192)}
    assert {case.m for case in cases} == {16}
    assert [case for case in plan() if case in set(cases)] == cases


@pytest.mark.parametrize(
    ("format", "group", "scale"),
    [
        *(("u4", 128, "f16"), ("u3", 64, "f16"), ("i4", 64, "f16"), ("i5", 64, "f16"), ("nf4", 64, "f16")),
        *(("f6e3m2", 0, "f16"), ("f8e4m3", 32, "e8m0"), ("f4e2m1", 16, "f8e4m3")),
    ],
)
def test_the_product_of_tilevm_is_that_of_the_codes(format: str, group: int, scale: str, clock: Clock) -> None:
    data = Data(sys.modules["cupy"], Weights(72, 192, format, group, scale))
    made = Tilevm().load(data)(data.activations(3))
    for task in made.tasks:
        task()
    assert len(made.tasks) > 1
    assert made.error() < made.tolerance
    assert error_of(np.zeros((3, 72)), data.activations(3), data.strip) == 1.0


def test_the_product_of_cublas_is_that_of_the_dense_weights(clock: Clock) -> None:
    data = Data(sys.modules["cupy"], Weights(72, 192, "u4"))
    made = CuBlas().load(data)(data.activations(3))
    assert made.error() == 1.0  # nothing was multiplied yet
    made.tasks[0]()
    assert made.error() < 1e-2


def test_cases_are_measured_in_turns_and_written_one_by_one(clock: Clock, tmp_path: Path) -> None:
    products = Products(tmp_path / "h200.json", MACHINE)
    everyone = [Fake(clock, "tilevm", 10.0), Fake(clock, "cuBLAS f16", 30.0), Fake(clock, "peer", 20.0)]
    run(products, SMALL, everyone, 60)
    content = json.loads((tmp_path / "h200.json").read_text("utf-8"))
    assert [each["case"] for each in content["cases"]] == [str(case) for case in SMALL]
    first = content["cases"][0]
    assert {row["who"]: row["median"] for row in first["rows"]} == pytest.approx(
        {"tilevm": 10.0, "cuBLAS f16": 30.0, "peer": 20.0}
    )
    assert first["rows"][2]["note"] == "by itself"
    assert content["cases"][2]["rows"] == []  # nobody takes u3
    assert everyone[0].loaded == [SMALL[0].weights]  # once for both numbers of rows
    assert "running" not in content


def test_a_run_goes_on_where_it_stopped(clock: Clock, tmp_path: Path) -> None:
    path = tmp_path / "h200.json"
    run(Products(path, MACHINE), SMALL[:1], [Fake(clock, "tilevm", 10.0)], 60)
    again = Fake(clock, "tilevm", 99.0)
    run(Products(path, MACHINE), SMALL[:2], [again], 60)
    cases = json.loads(path.read_text("utf-8"))["cases"]
    assert [row["median"] for case in cases for row in case["rows"]] == pytest.approx([10.0, 99.0])


def test_a_case_in_which_the_process_ended_is_not_tried_again(clock: Clock, tmp_path: Path) -> None:
    path = tmp_path / "h200.json"
    with pytest.raises(SystemExit):
        run(Products(path, MACHINE), SMALL[:2], [Fake(clock, "tilevm", 10.0, broken="ends")], 60)
    run(Products(path, MACHINE), SMALL[:2], [Fake(clock, "tilevm", 10.0)], 60)
    ended, other = json.loads(path.read_text("utf-8"))["cases"]
    assert (ended["case"], ended["errors"]) == (str(SMALL[0]), {"all": "the process ended in it"})
    assert len(other["rows"]) == 1


def test_time_that_is_up_begins_nothing(clock: Clock, tmp_path: Path) -> None:
    products = Products(tmp_path / "h200.json", MACHINE)
    run(products, SMALL, [Fake(clock, "tilevm", 10.0)], 0)
    assert products.content["cases"] == []


def test_who_is_wrong_or_broken_has_no_figure_and_a_reason(clock: Clock, tmp_path: Path) -> None:
    products = Products(tmp_path / "h200.json", MACHINE)
    absent = Fake(clock, "absent", 1.0)
    absent.needs = ("no_such_module",)
    everyone = [
        Fake(clock, "tilevm", 10.0),
        Fake(clock, "wrong", 1.0, error=0.5),
        Fake(clock, "nan", 1.0, error=float("nan")),
        Fake(clock, "broken", 1.0, broken="load"),
        absent,
    ]
    run(products, SMALL[:1], everyone, 60)
    (case,) = products.content["cases"]
    assert [row["who"] for row in case["rows"]] == ["tilevm"]
    assert case["errors"] == {
        "wrong": "wrong: 5.0e-01 off, relative to the norm; 0.02 is allowed",
        "nan": "wrong: nan off, relative to the norm; 0.02 is allowed",
        "broken": "RuntimeError: no kernel image",
    }
    assert products.content["absent"] == {"absent": "no_such_module not installed"}


def test_the_page_has_a_table_of_what_was_measured(clock: Clock, tmp_path: Path) -> None:
    products = Products(tmp_path / "products" / "h200.json", MACHINE)
    everyone = [
        Fake(clock, "tilevm", 10.0),
        Fake(clock, "cuBLAS f16", 30.0),
        Fake(clock, "peer", 20.0),
        Fake(clock, "wrong", 1.0, error=0.5),
    ]
    run(products, SMALL[:2], everyone, 60)
    page = report.page(tmp_path)
    assert "### NVIDIA H200" in page
    assert "| 64 × 128 | 16 | u4 g128 f16 | 10.0 (10.0–10.0) | 0 | 30.0 | 3.00 | peer 20.0 (by itself) |" in page
    assert "wrong was left out of 2 cases, such as 1 x 64 x 128 u4 g128 f16: wrong: 5.0e-01 off" in page
    speeds = speedups(products.content)["64 × 128, m = 1"]
    assert {who: points for who, [points] in speeds.items()} == {
        "tilevm": (4, pytest.approx(3.0)),
        "peer": (4, pytest.approx(1.5)),
    }


def test_without_a_gpu_the_command_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(matmul.machine, "describe", lambda: {"device": None, "no_device": "no driver"})
    assert matmul.main(["--output", str(tmp_path / "none.json")]) == 2
    assert "there is no GPU that can be used: no driver" in capsys.readouterr().out
    assert not (tmp_path / "none.json").exists()


def test_the_list_says_who_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    assert matmul.main(["--list", "--shapes", "8192x8192", "--rows", "1", "--formats", "u4", "--who", "humming"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("1 x 8192 x 8192 u4 g128 f16\n")
    assert "humming: " in printed


def test_every_peer_says_what_it_takes_and_needs() -> None:
    taken = {peer.name: sum(peer.takes(weights) for weights in {case.weights for case in plan()}) for peer in PEERS}
    assert all(taken.values()), taken
    assert all("torch" in peer.needs for peer in PEERS)
    assert len(taken) == len(PEERS)


def test_the_part_of_the_device_benchmark_gives_rows(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matmul, "selected", lambda *given: SMALL[:2])
    monkeypatch.setattr(matmul, "Tilevm", lambda: Fake(clock, "tilevm", 10.0))
    monkeypatch.setattr(matmul, "CuBlas", lambda: Fake(clock, "cuBLAS f16", 30.0))
    assert [row.who for row in matmul.measure()] == ["tilevm", "cuBLAS f16"] * 2


def test_the_part_of_the_device_benchmark_keeps_its_rows_and_fails_where_something_is_wrong(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(matmul, "selected", lambda *given: SMALL[:2])
    monkeypatch.setattr(matmul, "Tilevm", lambda: Fake(clock, "tilevm", 10.0, error=1.0))
    monkeypatch.setattr(matmul, "CuBlas", lambda: Fake(clock, "cuBLAS f16", 30.0))
    with pytest.raises(AssertionError, match="tilevm: wrong"):
        measure_here("matmul", tmp_path / "rows.json")
    rows = json.loads((tmp_path / "rows.json").read_text("utf-8"))
    assert [row["who"] for row in rows] == ["cuBLAS f16"] * 2


def test_a_machine_is_needed_for_the_default_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(matmul.machine, "describe", lambda: {**MACHINE})
    monkeypatch.setattr(matmul, "RESULTS", tmp_path)
    paths: list[Path] = []
    monkeypatch.setattr(matmul, "run", lambda products, *others: paths.append(products.path))
    assert matmul.main(["--seconds", "1"]) == 0
    assert paths == [tmp_path / "nvidia-h200.json"]
