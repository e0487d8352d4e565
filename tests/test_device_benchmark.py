"""``python -m benchmarks.device`` where there is no GPU: it says what is missing, and what it would do; and its stages
note every failure, crash and delay, and go on.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import tilevm
from benchmarks import device, machine, report, stages
from benchmarks.compile_time import compile_times
from benchmarks.gpu_plugin import STOPPED
from benchmarks.stages import Stage
from tests.cases import CASES
from tilevm import UsageError
from tilevm.runtime.bench import Row
from tilevm.runtime.nvrtc import nvrtc_version

ROOT = Path(__file__).parent.parent

H200 = {
    "device": "NVIDIA H200",
    "capability": "9.0",
    "driver": 13000,
    "cuda_runtime": 13000,
    "nvrtc": [13, 0],
    "python": "3.12.3",
    "packages": {"cupy": "14.2.0"},
    "missing": [],
    "left_out": [],
    "revision": "abc",
    "nvidia_smi": {"clocks.sm": "1980 MHz", "clocks.max.sm": "1980 MHz"},
}


@pytest.fixture
def on_h200(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "_machine", lambda seconds: dict(H200))


def written(path: Path) -> dict[str, Any]:
    content = json.loads(path.read_text(encoding="utf-8"))
    assert isinstance(content, dict)
    return content


def test_a_dry_run_lists_what_would_run_and_what_is_missing(tmp_path: Path) -> None:
    target = tmp_path / "dry.json"
    command = [sys.executable, "-m", "benchmarks.device", "--dry-run", "--output", str(target)]
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    for each in (*device.gpu_tests(), *device.TOOLS, *device.BENCHMARKS):
        assert each in done.stdout
    assert "not installed" in done.stdout or "no GPU" in done.stdout
    content = written(target)
    assert {stage["state"] for stage in content["stages"]} == {"skipped"}
    assert content["machine"]["device"] is None
    assert content["machine"]["packages"]["numpy"] == np.__version__


def test_every_file_with_a_test_that_is_marked_is_found() -> None:
    found = device.gpu_tests()
    for name in ("intrinsics", "cases", "casts", "random"):
        assert f"tests/gpu/test_gpu_{name}.py" in found
    assert "tests/test_device_benchmark.py" not in found


@pytest.mark.parametrize(
    ("lacking", "text"),
    [
        ({"missing": ["lark", "platformdirs"]}, "lark, platformdirs are not installed"),
        ({"missing": ["cupy"]}, "cupy is not installed"),
        ({"device": None, "no_device": "no driver"}, "no GPU that can be used: no driver"),
    ],
)
def test_what_makes_a_launch_impossible_is_said_and_written(
    lacking: dict[str, Any],
    text: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(device, "_machine", lambda seconds: {**H200, **lacking})
    target = tmp_path / "impossible.json"
    assert device.main(["--output", str(target)]) == 2
    assert text in capsys.readouterr().out
    assert all(stage["state"] == "skipped" and text in stage["text"] for stage in written(target)["stages"])


def test_a_stage_that_fails_is_noted_and_the_next_one_runs(
    on_h200: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "results" / "h200.json"
    row = asdict(Row.of("copy of 64 MiB", "CuPy", [30.0, 31.0, 32.0], bytes=1 << 27))

    def broken(paths: Any, seconds: float) -> list[Stage]:
        raise OSError("no more processes")

    def copied(name: str, seconds: float) -> Stage:
        assert written(target)["stages"][0]["state"] == "failed"  # what was known is in the file already
        return Stage(name, rows=[row]) if name == "copy_bandwidth" else Stage(name, "failed", text="hot")

    monkeypatch.setattr(device, "tested", broken)
    monkeypatch.setattr(device, "measured", copied)
    monkeypatch.setattr(device, "find_sanitizer", lambda: None)
    assert device.main(["--output", str(target)]) == 1
    content = written(target)
    states = {stage["name"]: stage["state"] for stage in content["stages"]}
    assert states["tests"] == "failed"
    assert states["compute-sanitizer racecheck"] == "skipped"
    assert states["copy_bandwidth"] == "passed"
    assert states["compile_time"] == "failed"
    assert "no more processes" in content["stages"][0]["text"]
    assert list(target.parent.iterdir()) == [target]
    assert "4330 GB/s" in capsys.readouterr().out
    page = report.page(target.parent)
    assert "NVIDIA H200" in page
    assert "| NVIDIA H200 | copy of 64 MiB | CuPy | 31.00 (30.50–31.50) | 4330 |" in page
    assert "NVIDIA H200: failed, hot" in page


def test_without_time_nothing_is_begun(on_h200: None, tmp_path: Path) -> None:
    target = tmp_path / "late.json"
    assert device.main(["--budget", "0", "--output", str(target)]) == 0
    assert {stage["text"] for stage in written(target)["stages"]} == {"there was no time left"}


MARK = "pytest" + ".mark.gpu"  # in two parts: this file has no such test itself

CUPY_THAT_STOPS = f"""
import os, sys, types
import pytest
def stopped(): raise RuntimeError("cudaErrorIllegalAddress")
cupy = types.ModuleType("cupy")
cupy.cuda = types.SimpleNamespace(runtime=types.SimpleNamespace(deviceSynchronize=stopped))
pytestmark = {MARK}
def test_good(): pass
def test_left_out(): pytest.skip("too old")
def test_wrong(): assert 1 + 1 == 3
def test_stops_the_gpu():
    sys.modules["cupy"] = cupy
    assert not "an illegal address"
def test_after_that(): assert "cupy" not in sys.modules
def test_crashes(): os.abort()
def test_last(): pass
"""


def test_tests_go_on_after_the_gpu_has_stopped_and_after_a_crash(tmp_path: Path) -> None:
    path = tmp_path / "test_several.py"
    path.write_text(CUPY_THAT_STOPS, encoding="utf-8")
    (several,) = stages.tested([str(path)], 60)
    outcomes = {each["test"].partition("::")[2]: each["outcome"] for each in several.tests}
    assert outcomes == {
        "test_good": "passed",
        "test_left_out": "skipped",
        "test_wrong": "failed",
        "test_stops_the_gpu": "failed",
        "test_after_that": "passed",
        "test_crashes": "failed",
        "test_last": "passed",
    }
    assert several.state == "failed"
    assert "3 of 7 tests failed" in several.text
    assert "begun anew 2 times" in several.text
    texts = {each["test"].partition("::")[2]: each["text"] for each in several.tests}
    assert "1 + 1" in texts["test_wrong"]
    assert "signal 6" in texts["test_crashes"]
    assert STOPPED not in (0, 1, 2, 4, 5)  # what pytest means by these


def test_tests_that_take_too_long_are_ended(tmp_path: Path) -> None:
    path = tmp_path / "test_late.py"
    path.write_text(
        f"import time\nimport pytest\npytestmark = {MARK}\ndef test_quick(): pass\ndef test_slow(): time.sleep(60)\n",
        encoding="utf-8",
    )
    (stage,) = stages.tested([str(path)], 3)
    assert stage.state == "failed"
    assert "the time was up" in stage.text
    assert stage.seconds < 30
    assert [each["outcome"] for each in stage.tests] in (["passed"], [])  # none where pytest takes long to begin


def test_a_file_that_cannot_be_collected_is_a_failure(tmp_path: Path) -> None:
    broken = tmp_path / "test_broken.py"
    broken.write_text("import no_such_module\n", encoding="utf-8")
    (stage,) = stages.tested([str(broken)], 20)
    assert stage.state == "failed"
    assert "no_such_module" in stage.tests[0]["text"]


def test_the_sanitizer_speaks_by_its_status(tmp_path: Path) -> None:
    for script, state, text in (
        ("echo 40 launches", "passed", "40 launches"),
        ("echo 'Invalid __global__ read'; exit 9", "failed", "Invalid __global__ read"),
        ("echo 'Error: Device not supported'; exit 1", "skipped", "does not support this device"),
        ("sleep 30", "failed", "the time was up"),
    ):
        tool = tmp_path / "compute-sanitizer"
        tool.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        tool.chmod(0o755)
        stage = stages.sanitized(str(tool), "memcheck", 1)
        assert (stage.state, text in stage.text) == (state, True), stage


def test_a_benchmark_that_fails_gives_its_text() -> None:
    stage = stages.measured("no_such_benchmark", 20)
    assert stage.state == "failed"
    assert "No module named 'benchmarks.no_such_benchmark'" in stage.text


def test_every_benchmark_measures_and_has_a_place_on_the_page() -> None:
    for name in device.BENCHMARKS:
        assert callable(__import__(f"benchmarks.{name}", fromlist=["measure"]).measure)
        assert name in report.TITLES


def test_the_page_is_made_of_the_results_that_are_there() -> None:
    assert report.PAGE.read_text(encoding="utf-8") == report.page(), "python -m benchmarks.report"


def test_compile_times_are_measured_where_there_is_a_compiler() -> None:
    try:
        nvrtc_version()
    except UsageError as error:
        pytest.skip(error.diagnostics[0].message)
    rows = compile_times("sm_90a")
    assert [row.who for row in rows[:2]] == ["text to cubin", "from the cache"]
    assert all(0 < row.low <= row.median <= row.high for row in rows)


def test_the_machine_is_described_without_a_gpu() -> None:
    found = machine.describe()
    assert found["python"].startswith(f"{sys.version_info.major}.{sys.version_info.minor}")
    assert json.loads(json.dumps(found)) == found
    assert machine.missing(("sys", "no_such_module_anywhere")) == ["no_such_module_anywhere"]


def test_arrays_go_to_the_gpu_as_kernels_take_them(monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.gpu.machine import from_gpu, on_gpu, on_host

    copies = SimpleNamespace(asarray=np.array, asnumpy=np.array, ndarray=np.ndarray)
    monkeypatch.setitem(sys.modules, "cupy", copies)
    truths = np.array([True, False, True])
    given = on_gpu({"u1": truths, "bf16": np.ones(3, ml_dtypes.bfloat16), "f16": np.ones(3, np.float16), "n": 5})
    assert [given[name].dtype for name in ("u1", "bf16")] == [tilevm.dtype("u1"), tilevm.dtype("bf16")]
    assert given["u1"].codes().tolist() == [1, 0, 1]
    assert given["bf16"].codes().tolist() == [0x3F80] * 3
    assert given["f16"].dtype == np.float16
    assert given["n"] == 5
    assert on_host(given)["u1"].codes().tolist() == [1, 0, 1]
    assert from_gpu(given["f16"]).tolist() == [1, 1, 1]


def test_every_kernel_has_a_launch_that_tools_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks import every_example
    from tests.case import Case

    launched: list[tuple[str, Any]] = []
    quiet = SimpleNamespace(cuda=SimpleNamespace(set_allocator=lambda allocator: None))
    monkeypatch.setitem(sys.modules, "cupy", quiet)
    monkeypatch.setattr(every_example, "on_gpu", lambda arguments: arguments)
    monkeypatch.setattr(every_example, "on_host", lambda arguments: arguments)
    monkeypatch.setattr(Case, "run", lambda self, arguments, **options: launched.append((self.file, self.name)))
    assert every_example.launch_all() == len(launched)
    assert set(launched) == {(case.file, case.name) for case in CASES.values()}
