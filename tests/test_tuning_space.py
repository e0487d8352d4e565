"""The space of a tuning, and the keys of its results."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tilevm
from tests.tuning import SCALE
from tilevm import ArgumentError, UsageError
from tilevm.runtime.tuning.space import MOST_CANDIDATES, candidates, written
from tilevm.runtime.tuning.subject import bucket
from tilevm.runtime.tuning.tune import describe_call

KERNEL = tilevm.kernel(SCALE)
FORMATS = tilevm.kernel(
    "kernel k[W: dtype, L: layout = spatial(32), FLAG: bool = False](x: W[N]):\n    grid 1\n    warps 1\n"
    "    a = load(x[0 :+ 32])\n"
)


def test_clauses_make_the_space_unless_configs_do() -> None:
    definition = KERNEL.definition
    assert candidates(definition) == [{"B": 32}, {"B": 64}, {"B": 128}, {"B": 256}]
    assert candidates(definition, {"B": (32, 64), "C": np.array([1, 2])}) == [
        {"B": 32, "C": 1},
        {"B": 32, "C": 2},
        {"B": 64, "C": 1},
        {"B": 64, "C": 2},
    ]
    assert candidates(definition, [{"B": 32}, {"B": 32}, {"C": 2}]) == [{"B": 32}, {"C": 2}]


def test_what_was_given_is_not_open() -> None:
    definition = KERNEL.definition
    assert candidates(definition, None, {"B": 96}) == [{"B": 96}]
    assert candidates(definition, [{"B": 32, "C": 1}, {"B": 64, "C": 2}], {"B": np.int32(64)}) == [{"B": 64, "C": 2}]


def test_formats_and_layouts_are_kept_as_text() -> None:
    found = candidates(
        FORMATS.definition, {"W": ["u4", tilevm.dtype("f16"), np.float32], "L": [tilevm.layout("spatial(32)")]}
    )
    assert [each["W"] for each in found] == ["u4", "f16", "f32"]
    assert tilevm.layout(found[0]["L"]) == tilevm.layout("spatial(32)")
    assert written(np.bool_(True)) is True


def test_a_large_space_is_drawn_from_the_same_way_each_time() -> None:
    axes = {"B": range(1, 300), "C": range(1, 300)}
    found = candidates(KERNEL.definition, axes)
    assert len(found) == len({tuple(each.values()) for each in found}) == MOST_CANDIDATES
    assert found == candidates(KERNEL.definition, axes)
    assert len({each["B"] for each in found}) > 200


@pytest.mark.parametrize(
    ("configs", "given", "message"),
    [
        ({"B": []}, {}, "there is no value for B"),
        ({"B": 32}, {}, "32, which is no list for B"),
        ([], {}, "the list of configs is empty"),
        ([{"B": 32}], {"B": 64}, "every config says something else"),
    ],
)
def test_an_empty_space_is_an_error(configs: Any, given: dict[str, int], message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        candidates(KERNEL.definition, configs, given)
    assert caught.value.code == "F051"


def test_a_kernel_without_clauses_needs_configs() -> None:
    with pytest.raises(UsageError, match="no `tune` clause") as caught:
        candidates(FORMATS.definition)
    assert caught.value.code == "F051"


def test_every_wrong_name_and_kind_is_said_once() -> None:
    with pytest.raises(ArgumentError) as caught:
        candidates(KERNEL.definition, {"BB": [1, 2], "B": [32, "x", "x"], "C": [True]})
    assert [each.code for each in caught.value.diagnostics] == ["A032", "A033", "A033"]
    assert "did you mean `B`?" in str(caught.value)
    with pytest.raises(ArgumentError) as caught:
        candidates(FORMATS.definition, {"W": ["f6e3m3"]})
    assert caught.value.code == "A010"


def test_buckets_round_up() -> None:
    assert [bucket(size, ()) for size in (0, 1, 2, 3, 16, 17)] == ["<= 0", "<= 1", "<= 2", "<= 4", "<= 16", "<= 32"]
    assert [bucket(size, (1, 16, 64)) for size in (1, 2, 64, 65)] == ["<= 1", "<= 16", "<= 64", "> 64"]


def call(size: int, **options: Any) -> Any:
    options = {"configs": None, "buckets": (), "target": None, **options}
    return describe_call(KERNEL, (np.zeros(size, np.float32),), options.pop("given", {}), **options)


def test_a_key_tells_calls_apart_by_all_that_matters() -> None:
    key = call(1024).key
    assert key == call(1024).key
    others = [
        call(2048).key,
        call(1024, target="sm_90a").key,
        call(1024, configs={"B": [32]}).key,
        call(1024, given={"FACTOR": 4}).key,
    ]
    assert len({key, *others}) == 5
    assert key.digest == others[1].digest  # of the same calls on another architecture
    assert len({each.digest for each in (key, *others)}) == 4
    assert str(key) == "scale for N = 1024 on sm_80"


def test_sizes_in_a_bucket_share_a_key() -> None:
    assert call(992, buckets=("N",)).key == call(1024, buckets=("N",)).key != call(1056, buckets=("N",)).key
    assert "N <= 1024" in str(call(992, buckets={"N": (1024,)}).key)
    with pytest.raises(ArgumentError, match="has no size `M`") as caught:
        call(1024, buckets=("M",))
    assert caught.value.code == "A001"


def test_arguments_are_checked_as_a_call_checks_them() -> None:
    for given, code in (((), "A003"), ((np.zeros((2, 2), np.float32),), "A006"), ((np.zeros(8, "U3"),), "A004")):
        with pytest.raises(ArgumentError) as caught:
            describe_call(KERNEL, given, {}, configs=None, buckets=(), target=None)
        assert caught.value.code == code
    with pytest.raises(ArgumentError) as caught:
        describe_call(KERNEL, (np.zeros(64, np.float32),), {"Q": 3}, configs=None, buckets=(), target=None)
    assert caught.value.code == "A001"
