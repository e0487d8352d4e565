"""``tilevm.tune`` where there is no GPU: what is pruned, compiled, ranked, checked, set aside and stored."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

import tilevm
from tests.tuning import HEAVY, SCALE, deceptive, largest_block, treacherous
from tilevm import ArgumentError, OutOfResources, PackedArray, TuneResult, TuneStore, UsageError
from tilevm.arch import arch
from tilevm.runtime.nvrtc import nvrtc_version
from tilevm.runtime.tuning.estimate import check_resources

KERNEL = tilevm.kernel(SCALE)
X = np.arange(1024, dtype=np.float32)


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


@pytest.fixture
def tuned(threads: ThreadPoolExecutor, tmp_path: Path) -> Any:
    """``tune`` in this process, with a store of its own."""

    def tune(kernel: Any, args: Any, keywords: Any = None, **options: Any) -> TuneResult:
        options = {"executor": threads, "workers": 1, "store": TuneStore(tmp_path / "tuned"), **options}
        return tilevm.tune(kernel, args, keywords, **{"model": largest_block, **options})

    return tune


def configs_of(result: TuneResult, state: str) -> list[int]:
    return [each.config["B"] * each.config.get("C", 1) for each in result.of_state(state)]


def test_without_a_gpu_candidates_are_ranked_and_the_result_says_so(tuned: Any) -> None:
    result = tuned(KERNEL, (X,))
    assert result.best == {"B": 256}
    assert not result.measured
    assert result.seconds == pytest.approx(4e-6)
    assert configs_of(result, "ranked") == [256, 128, 64, 32]
    assert "predicted, not measured" in str(result)
    assert any("ranked by the cost model" in note for note in result.notes)
    assert np.array_equal(KERNEL(X, **result.best), 3 * X)


def test_what_was_compiled_is_known(tuned: Any) -> None:
    try:
        nvrtc_version()
    except UsageError as error:
        pytest.skip(error.diagnostics[0].message)
    result = tuned(KERNEL, (X,), limit=2, configs={"B": [32, 64, 128, 256]})
    assert configs_of(result, "ranked") == [256, 128]
    assert configs_of(result, "left out") == [64, 32]
    assert all(each.registers and each.spilled_bytes == 0 for each in result.of_state("ranked"))
    assert not any(each.registers for each in result.of_state("left out"))


def test_without_a_compiler_what_was_lowered_is_ranked(tuned: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy.cuda", None)
    result = tuned(KERNEL, (X,))
    assert result.best == {"B": 256}
    assert any("NVRTC is not installed" in note for note in result.notes)
    assert result.versions.nvrtc is None


def test_requirements_and_resources_prune_before_anything_is_compiled(tuned: Any) -> None:
    result = tuned(KERNEL, (X,), configs={"B": [128, 256], "C": [1, 2]})
    (aside,) = result.of_state("set aside")
    assert aside.config == {"B": 256, "C": 2}
    assert aside.reason == "A034: a requirement on compile-time parameters"
    assert "a block of at most 256" in aside.detail or "B * C" in aside.detail
    heavy = tilevm.kernel(HEAVY)
    result = tuned(heavy, (np.zeros((64, 64), np.float16),), target="sm_90a")
    assert result.best == {"M": 64}
    assert [each.reason for each in result.of_state("set aside")] == ["F040: too much shared memory"] * 2


@pytest.mark.parametrize(
    ("warps", "rows", "code"), [(64, 64, "F043"), (1, 2048, "F042"), (32, 2048, "F042"), (4, 64, None)]
)
def test_programs_that_cannot_run_are_refused_before_they_are_lowered(warps: int, rows: int, code: str | None) -> None:
    text = (
        "kernel sums[WARPS = 1, ROWS = 64](x: f32[N, 64], out y: f32[64, 64]):\n    grid 1\n    warps min(WARPS, 32)\n"
        "    acc = zeros(f32, [ROWS, 64])\n    for i in range(8):\n"
        "        acc = acc + load(x[i * ROWS :+ ROWS, 0 :+ 64])\n    store(y[0 :+ ROWS, 0 :+ 64], acc)\n"
    )
    program = tilevm.kernel(text).specialise(WARPS=warps, ROWS=rows)
    program = replace(program, warps=warps)  # the language has at most 32
    if code is None:
        check_resources(program, arch("sm_90a"))
        return
    with pytest.raises(OutOfResources) as caught:
        check_resources(program, arch("sm_90a"))
    assert caught.value.code == code


def test_the_best_is_one_whose_machine_code_was_read(tuned: Any) -> None:
    try:
        nvrtc_version()
    except UsageError as error:
        pytest.skip(error.diagnostics[0].message)
    result = tuned(KERNEL, (X,), model=deceptive)
    assert result.best == {"B": 256}  # of 4 blocks, 14 µs when its code is read; of 8, 18 µs; of 16, as it looked
    result = tuned(KERNEL, (X,), model=deceptive, configs={"B": [128, 64, 32]})
    assert result.best == {"B": 64}
    assert {each.config["B"]: round(1e6 * (each.predicted or 0)) for each in result.of_state("ranked")} == {
        64: 16,
        128: 18,
        32: 32,
    }


def test_patience_ends_the_search(tuned: Any) -> None:
    try:
        nvrtc_version()
    except UsageError as error:
        pytest.skip(error.diagnostics[0].message)
    result = tuned(KERNEL, (X,), patience=1)
    assert configs_of(result, "ranked") == [256, 128]
    assert "1 candidates in a row were no faster: the search ended there" in result.notes


def test_candidates_that_crash_hang_or_fail_do_not_end_the_run(tmp_path: Path) -> None:
    result = tilevm.tune(
        KERNEL, (X,), workers=1, seconds=2.0, model=treacherous, store=TuneStore(tmp_path), progress=False
    )
    assert result.best == {"B": 32}
    reasons = {each.config["B"]: each.reason for each in result.of_state("failed")}
    while_ = "while lowering" if result.versions.nvrtc is None else "while compiling"
    assert reasons == {64: f"crashed {while_}", 128: f"hung {while_}", 256: f"failed {while_}"}
    details = {each.config["B"]: each.detail for each in result.of_state("failed")}
    assert details[256] == "ValueError: no such table"
    assert result.failures[f"hung {while_}"] == [{"B": 128}]


def test_wrong_numbers_are_set_aside_on_the_host(tuned: Any) -> None:
    configs = {"B": [32, 64], "FACTOR": [0, 3, 4]}
    result = tuned(KERNEL, (X,), configs=configs, check="interpreter", reference=lambda x: 3 * x)
    assert {each.config["FACTOR"] for each in result.of_state("ranked")} == {3}
    wrong = result.of_state("failed")
    assert {each.config["FACTOR"] for each in wrong} == {0, 4}
    assert {each.reason for each in wrong} == {"wrong numbers"}
    assert {each.detail for each in wrong if each.config["FACTOR"] == 0} == {
        "result 0 is 1.0e+00 off, relative to its norm; 1.0e-04 is allowed"
    }
    close = tuned(
        KERNEL, (X,), configs=configs, check="interpreter", reference=lambda x: 3 * x, tolerance=0.5, again=True
    )
    assert {each.config["FACTOR"] for each in close.of_state("ranked")} == {3, 4}


def test_the_interpreter_is_the_reference_where_none_is_given(tuned: Any) -> None:
    result = tuned(KERNEL, (X,), configs={"B": [32, 64, 128]}, check="interpreter")
    assert len(result.of_state("ranked")) == 3


def test_what_only_the_interpreter_finds_is_set_aside(tuned: Any) -> None:
    kernel = tilevm.kernel(
        "kernel trapped[B = 32](x: f32[N], out y: f32[N]):\n    grid 1\n    warps 1\n    tune B in 32, 64\n"
        '    assert(B == 64, "only this")\n    store(y[0 :+ 64], load(x[0 :+ 64]))\n'
    )
    result = tuned(kernel, (X[:64],), check="interpreter")
    assert result.best == {"B": 64}
    (failed,) = result.of_state("failed")
    assert failed.reason.startswith("R0")


def test_where_nothing_works_every_reason_is_told_with_its_number(tuned: Any) -> None:
    with pytest.raises(UsageError) as caught:
        tuned(KERNEL, (X,), configs={"B": [256], "C": [2, 4]})
    assert caught.value.code == "F052"
    (only,) = caught.value.diagnostics
    assert "2 of 2 because of A034: a requirement on compile-time parameters" in only.message
    assert only.help is not None
    assert only.help.startswith("such as B=256 C=2: ")
    with pytest.raises(UsageError) as caught:
        tuned(KERNEL, (X,), configs={"B": [128, 256], "C": [1, 2]}, check="interpreter", reference=lambda x: x)
    assert [each.code for each in caught.value.diagnostics] == ["F052", "F052"]
    assert "3 of 4 because of wrong numbers" in caught.value.diagnostics[0].message


def test_mistakes_of_the_call_are_errors_and_no_candidates(tuned: Any) -> None:
    with pytest.raises(ArgumentError) as caught:
        tuned(KERNEL, (X.reshape(2, 512),))
    assert caught.value.code == "A006"
    with pytest.raises(UsageError) as wrong:
        tuned(KERNEL, (X,), check="cuda")
    assert wrong.value.code == "F004"
    with pytest.raises(UsageError) as unknown:
        tuned(KERNEL, (X,), target="sm_70")
    assert unknown.value.code == "F020"


def test_a_second_run_takes_the_stored_result_unless_asked_not_to(tuned: Any) -> None:
    first = tuned(KERNEL, (X,))
    second = tuned(KERNEL, (X,))
    assert (first.stored, second.stored) == (False, True)
    assert (second.best, second.candidates, second.key) == (first.best, first.candidates, first.key)
    assert not tuned(KERNEL, (X,), again=True).stored
    assert not tuned(KERNEL, (X[:512],)).stored
    assert not tuned(KERNEL, (X,), {"FACTOR": 4}).stored


def test_arguments_may_be_given_by_name_with_what_is_fixed(tuned: Any) -> None:
    result = tuned(KERNEL, {"x": X, "B": 64})
    assert result.best == {"B": 64}
    assert ("B", "64") in result.key.compile_time


def test_formats_of_packed_arrays_are_part_of_the_call(tuned: Any) -> None:
    kernel = tilevm.kernel(
        "kernel widen[W: dtype, B = 32](w: W[N], out y: f16[N]):\n    grid cdiv(N, B)\n    warps 1\n"
        "    tune B in 32, 64\n    i = block_index(0) * B\n    store(y[i :+ B], cast(load(w[i :+ B]), f16))\n"
    )
    result = tuned(kernel, (PackedArray(np.zeros(512, np.uint8), "u4", (1024,)),))
    assert result.key.compile_time == (("W", "u4"),)
    assert result.best == {"B": 64}


def test_the_table_and_the_plot_show_what_is_known(tuned: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    result = tuned(KERNEL, (X,))
    shown = io.StringIO()
    Console(width=100, file=shown).print(result.table)
    assert "predicted µs" in shown.getvalue()
    assert "quartiles" not in shown.getvalue()  # nothing was measured
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(UsageError) as caught:
        result.plot()
    assert caught.value.code == "F054"


def test_progress_is_shown_where_it_is_asked_for(tuned: Any, capsys: pytest.CaptureFixture[str]) -> None:
    tuned(KERNEL, (X,), progress=True)
    assert "scale: " in capsys.readouterr().err
    tuned(KERNEL, (X,), again=True)
    assert capsys.readouterr().err == ""


def test_the_product_with_quantised_weights_is_a_kernel_to_tune() -> None:
    from benchmarks.tuning import call
    from tilevm.runtime.tuning.tune import describe_call

    kernel, arguments = call(16, 256, 512)
    described = describe_call(kernel, arguments, {}, configs=None, buckets=("M",), target="sm_90a")
    assert len(described.space) >= 100
    assert ("M", "<= 16") in described.key.sizes
    assert {"WN", "MT", "STAGES"} <= set(described.space[0])


def test_workspaces_that_are_left_out_have_the_shape_of_each_candidate(tuned: Any) -> None:
    kernel = tilevm.kernel(
        "kernel twice[B = 32](x: f32[N], inout held: f32[G, B], out y: f32[N]):\n    grid G\n    warps 1\n"
        "    tune B in 32, 64, 128\n    require G * B == N\n    g = block_index(0)\n"
        "    store(held[g, :], load(x[g * B :+ B]))\n    sync()\n"
        "    store(y[g * B :+ B], load(held[g, :]) * 2.0)\n"
    )
    result = tuned(kernel, (X[:256],), {"G": 4}, check="interpreter", reference=lambda x: 2 * x)
    assert result.best == {"B": 64}
    assert {each.config["B"] for each in result.of_state("set aside")} == {32, 128}
    with pytest.raises(ArgumentError) as caught:
        tuned(kernel, (X[:256],))
    assert caught.value.code == "A008"  # nothing says what G is
