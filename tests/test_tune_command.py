"""``tilevm tune``: options, the table, what it says of the result, what it writes."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.tuning import SCALE
from tilevm import TuneStore
from tilevm.runtime.cli import cli
from tilevm.runtime.tuning import search
from tilevm.runtime.tuning.runner import Runner


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A folder with a kernel, a store of its own, and tasks that run in this process."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TILEVM_CACHE_DIR", str(tmp_path / "cache"))
    Path("scale.tvm").write_text(SCALE, encoding="utf-8")
    with ThreadPoolExecutor(1) as pool:

        def runner(executor: Any, **options: Any) -> Runner:
            assert executor is None
            return Runner(pool, **options)

        monkeypatch.setattr(search, "Runner", runner)
        yield


def run(*arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(cli, ("tune", "scale.tvm", *arguments))
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return result


def test_it_shows_the_candidates_and_says_what_the_result_is() -> None:
    result = run("--arg", "x=1048576:f32", "--target", "sm_90a", "--bucket", "N", "--limit", "1")
    assert "predicted µs" in result.output
    assert "scale for N <= 1048576 on sm_90a: B=" in result.output
    assert "predicted, not measured" in result.output
    assert "ranked by the cost model" in result.output
    again = run("--arg", "x=1000000:f32", "--target", "sm_90a", "--bucket", "N")  # 1,000,000 is in the bucket
    assert "from the store: --again tunes anew" in again.output
    assert "from the store" not in run("--arg", "x=1000000:f32", "--target", "sm_90a", "--again", "--limit", "1").output


def test_axes_settings_and_limits_are_read() -> None:
    result = run("--arg", "x=1024:f32", "--try", "B=32, 64", "--try", "C=1,8", "--set", "FACTOR=2", "--limit", "1")
    assert "FACTOR = 2" in result.output
    assert "1 × A034: a requirement on compile-time parameters" in result.output
    assert "1 ranked, 1 set aside, 2 left out" in result.output


def test_candidates_are_compared_where_that_is_asked_for() -> None:
    result = run("--arg", "x=1024:f32", "--try", "FACTOR=3,4", "--check", "interpreter")
    assert "1 × wrong numbers" in result.output


def test_results_are_exported() -> None:
    run("--arg", "x=1024:f32", "--limit", "1")
    result = run("--arg", "x=2048:f32", "--limit", "1", "--export", "model.json")
    assert "2 results of scale in model.json" in result.output
    assert TuneStore("elsewhere").import_("model.json") == 2


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--try", "Q=1", "--arg", "x=8:f32"), "F009"),
        (("--try", "B=one", "--arg", "x=8:f32"), "F009"),
        (("--arg", "x=8:f16"), "A005"),
        ((), "A003"),
        (("--arg", "x=7:f32"), "F052"),
        (("--arg", "x=32:f32", "--target", "sm_1"), "F020"),
    ],
)
def test_mistakes_are_diagnostics(arguments: tuple[str, ...], code: str) -> None:
    assert code in run(*arguments, code=1).output
