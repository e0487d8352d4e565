"""Kernels that are tuned when they are first called."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tilevm
from tests.tuning import SCALE, largest_block
from tilevm import TuneStore, UsageError
from tilevm.runtime.tuning import autotune as module
from tilevm.runtime.tuning.autotune import Autotuned
from tilevm.runtime.tuning.store import TuneWarning

X = np.arange(1024, dtype=np.float32)


@pytest.fixture
def options(tmp_path: Path) -> Iterator[dict[str, Any]]:
    with ThreadPoolExecutor(2) as pool:
        yield {"executor": pool, "workers": 1, "store": TuneStore(tmp_path), "model": largest_block}


@pytest.fixture
def tunings(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The results of ``tune``, as an autotuned kernel asks for them."""
    found: list[Any] = []

    def noted(*given: Any, **keywords: Any) -> Any:
        found.append(tilevm.tune(*given, **keywords))
        return found[-1]

    monkeypatch.setattr(module, "tune", noted)
    return found


def test_the_first_call_of_a_key_tunes_and_the_others_launch(options: dict[str, Any], tunings: list[Any]) -> None:
    scale = tilevm.autotune(tilevm.kernel(SCALE), **options)
    for _ in range(3):
        assert np.array_equal(scale(X), 3 * X)
    assert [each.best for each in tunings] == [{"B": 256}]
    assert scale.choice((X,), {}) == {"B": 256}
    assert np.array_equal(scale(X[:512]), 3 * X[:512])
    assert len(tunings) == 2
    assert len(scale.results) == 2


def test_another_process_finds_what_is_stored(options: dict[str, Any], tunings: list[Any]) -> None:
    for _ in range(2):
        tilevm.autotune(tilevm.kernel(SCALE), **options)(X)
    assert [each.stored for each in tunings] == [False, True]


def test_sizes_of_one_bucket_share_a_choice(options: dict[str, Any], tunings: list[Any]) -> None:
    scale = tilevm.autotune(tilevm.kernel(SCALE), buckets=("N",), **options)
    for size in (1024, 992, 544):
        scale(X[:size])
    assert len(tunings) == 1


def test_what_a_call_gives_wins(options: dict[str, Any], tunings: list[Any]) -> None:
    scale = tilevm.autotune(tilevm.kernel(SCALE), **options)
    assert np.array_equal(scale(X, B=64, FACTOR=5), 5 * X)
    assert tunings[0].best == {"B": 64}
    assert scale.choice((X,), {"B": 64, "FACTOR": 5}) == {"B": 64}
    assert scale.choice((X,), {}) == {"B": 256}


def test_a_choice_runs_on_every_backend(options: dict[str, Any]) -> None:
    scale = tilevm.autotune(tilevm.kernel(SCALE), **options)
    y = np.empty_like(X)
    assert scale(X, y=y, backend="interpreter", debug=True) is y
    assert np.array_equal(y, 3 * X)


def test_a_full_disk_costs_the_file_and_not_the_result(
    options: dict[str, Any], tunings: list[Any], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    options["store"] = TuneStore(tmp_path / "file" / "tuned")
    scale = tilevm.autotune(tilevm.kernel(SCALE), **options)
    with pytest.warns(TuneWarning, match="not kept"):
        assert np.array_equal(scale(X), 3 * X)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scale(X)
    assert len(tunings) == 1


def test_it_can_be_asked_to_tune_again(options: dict[str, Any], tunings: list[Any]) -> None:
    scale = tilevm.autotune(tilevm.kernel(SCALE), **options)
    first = scale.tune(X)
    assert scale.tune(X) is first
    assert scale.tune(X, again=True) is not first
    assert len(tunings) == 2


def test_values_that_cannot_be_part_of_a_key_take_the_long_way(options: dict[str, Any], tunings: list[Any]) -> None:
    scale = tilevm.autotune(tilevm.kernel(SCALE), **options)

    class Held:
        __hash__ = None  # type: ignore[assignment]

        def __array__(self, *given: Any, **keywords: Any) -> Any:
            return X

    for _ in range(2):
        assert np.array_equal(scale(Held()), 3 * X)
    assert len(tunings) == 1


def test_it_is_a_decorator_too_and_has_the_options_of_tune() -> None:
    kernel = tilevm.kernel(SCALE)
    made = tilevm.autotune(limit=3)(kernel)
    assert isinstance(made, Autotuned)
    assert (made.name, made.kernel) == ("scale", kernel)
    assert repr(made) == "<autotuned kernel scale[B = 32, FACTOR = 3, C = 1](x: f32[N], out y: f32[N])>"
    with pytest.raises(UsageError, match="no option `config`") as caught:
        tilevm.autotune(kernel, config=[])
    assert caught.value.code == "F055"
    assert "did you mean `configs`?" in str(caught.value)
