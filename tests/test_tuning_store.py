"""Results of tuning on disk: readable, atomic, ignored and said where they do not hold, never run."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tilevm import TuneResult, TuneStore, UsageError
from tilevm.runtime.tuning import store as store_module
from tilevm.runtime.tuning.result import Candidate, Versions
from tilevm.runtime.tuning.store import TuneWarning, current_versions, tuned_folder
from tilevm.runtime.tuning.subject import TuneKey

KEY = TuneKey(
    "matmul",
    "ab" * 32,
    "cd" * 32,
    "sm_90a",
    "NVIDIA H200",
    (("K", "8192"), ("M", "<= 16")),
    (("W", "u4"),),
    (("w", "u4"), ("x", "f16")),
)
RESULT = TuneResult(
    KEY,
    {"BM": 16, "FAST": True, "W": "u4"},
    12.5e-6,
    True,
    (
        Candidate({"BM": 16}, "measured", "", "", 9e-6, "memory", 11e-6, 12.5e-6, 12e-6, 13e-6, 128, 0, 32768),
        Candidate({"BM": 999}, "failed", "hung on the GPU", "it took longer than 60 s"),
    ),
    ("a note",),
    Versions("0.1.0", "13.5"),
)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TuneStore:
    monkeypatch.setattr(store_module, "current_versions", lambda: RESULT.versions)
    return TuneStore(tmp_path / "tuned")


def only_file(store: TuneStore) -> Path:
    (path,) = store.folder.iterdir()
    return path


def test_what_is_written_is_read_again(store: TuneStore) -> None:
    assert store.get(KEY) is None
    assert store.put(RESULT)
    assert store.get(KEY) == replace(RESULT, stored=True)
    assert list(store) == [RESULT]


def test_a_file_can_be_read_by_people(store: TuneStore) -> None:
    store.put(RESULT)
    path = only_file(store)
    assert path.name == f"matmul-{KEY.digest}-sm_90a-nvidia-h200.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    assert content["best"] == {"BM": 16, "FAST": True, "W": "u4"}
    assert content["sizes"] == {"K": "8192", "M": "<= 16"}
    assert content["seconds"] == 12.5e-6
    assert content["candidates"][1] == {
        "config": {"BM": 999},
        "state": "failed",
        "reason": "hung on the GPU",
        "detail": "it took longer than 60 s",
    }


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"tilevm": "0.0.9"}, "made by tilevm 0.0.9 with NVRTC 13.5, and this is tilevm 0.1.0 with NVRTC 13.5"),
        ({"nvrtc": None}, "made by tilevm 0.1.0 with no NVRTC"),
        ({"source": "ee"}, "it is for other calls than its name says"),
        ({"format": 2}, "it is damaged: it is not of format 1"),
        ({"best": {"BM": 1.5}}, "it is damaged: a config is not of names with integers"),
        ({"best": None}, "it is damaged: a config"),
        ({"measured": "yes"}, "it is damaged: `measured` is neither true nor false"),
        ({"seconds": -1}, "it is damaged: `seconds` is no number"),
        ({"seconds": True}, "it is damaged: `seconds` is no number"),
        ({"candidates": [{"state": "great"}]}, "it is damaged: a candidate has no state"),
        ({"candidates": 5}, "it is damaged: `candidates` is no list"),
        ({"sizes": {"K": 8192}}, "it is damaged: `sizes` has no texts by name"),
        ({"notes": [3]}, "it is damaged: `notes` are no texts"),
        ({"device": 7}, "it is damaged: `device` is no text"),
    ],
)
def test_what_does_not_hold_is_ignored_and_said(store: TuneStore, changed: dict[str, Any], said: str) -> None:
    store.put(RESULT)
    path = only_file(store)
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), **changed}), encoding="utf-8")
    with pytest.warns(TuneWarning, match="is ignored") as caught:
        assert store.get(KEY) is None
    assert said in str(caught[0].message)
    assert store.put(RESULT)  # written anew
    assert store.get(KEY) is not None


@pytest.mark.parametrize("data", [b"", b"{", b"[1, 2]", b"\xff\xfe", b"[" * 100_000, b'{"format": 1}'])
def test_a_damaged_file_is_ignored_and_said(store: TuneStore, data: bytes) -> None:
    store.put(RESULT)
    only_file(store).write_bytes(data)
    with pytest.warns(TuneWarning, match="it is damaged"):
        assert store.get(KEY) is None


def test_a_result_of_another_gpu_is_kept_mentioned_and_not_used(store: TuneStore) -> None:
    other = replace(RESULT, key=replace(KEY, device="NVIDIA H100 80GB HBM3"))
    store.put(other)
    with pytest.warns(TuneWarning, match="it was made on NVIDIA H100 80GB HBM3"):
        assert store.get(KEY) is None
    store.put(RESULT)
    assert store.get(other.key) == replace(other, stored=True)
    assert store.get(KEY) == replace(RESULT, stored=True)


def test_a_full_disk_is_said_and_nothing_is_left_half_way(store: TuneStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.put(RESULT)
    before = only_file(store).read_bytes()

    def full(descriptor: int, *rest: Any, **more: Any) -> Any:
        os.close(descriptor)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tilevm.files.os.fdopen", full)
    with pytest.warns(TuneWarning, match="not kept: .*No space left on device"):
        assert store.put(replace(RESULT, seconds=1.0)) is False
    assert only_file(store).read_bytes() == before


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.warns(TuneWarning, match="not kept"):
        assert TuneStore(tmp_path / "file" / "tuned").put(RESULT) is False


def test_all_results_go_into_one_file_and_back(store: TuneStore, tmp_path: Path) -> None:
    other = replace(RESULT, key=replace(KEY, kernel="attend"), best={"BM": 64})
    store.put(RESULT)
    store.put(other)
    path = tmp_path / "model.json"
    assert store.export(path) == 2
    taken = TuneStore(tmp_path / "elsewhere")
    assert taken.import_(path) == 2
    assert taken.get(other.key) == replace(other, stored=True)
    assert store.export(path, ["attend"]) == 1
    assert TuneStore(tmp_path / "third").import_(path) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "Expecting"),
        ("[]", "it is not of format 1"),
        ('{"format": 1}', "`results` is no list"),
        ('{"format": 1, "results": [{"format": 1}]}', "`kernel` is no text"),
        ("[" * 100_000, "recursion"),
    ],
)
def test_a_file_that_is_no_export_is_an_error_and_nothing_is_taken_in(
    text: str, said: str, store: TuneStore, tmp_path: Path
) -> None:
    path = tmp_path / "bad.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        store.import_(path)
    assert caught.value.code == "F053"
    assert said in str(caught.value)
    assert not store.folder.exists()
    with pytest.raises(UsageError) as missing:
        store.import_(tmp_path / "missing.json")
    assert missing.value.code == "F002"


def test_a_bad_record_among_good_ones_takes_nothing_in(store: TuneStore, tmp_path: Path) -> None:
    store.put(RESULT)
    path = tmp_path / "model.json"
    store.export(path)
    content = json.loads(path.read_text("utf-8"))
    content["results"].append({**content["results"][0], "best": []})
    path.write_text(json.dumps(content), encoding="utf-8")
    empty = TuneStore(tmp_path / "empty")
    with pytest.raises(UsageError):
        empty.import_(path)
    assert not empty.folder.exists()


def test_the_folder_is_beside_the_cache_of_kernels(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TILEVM_CACHE_DIR", str(tmp_path))
    assert TuneStore().folder == tuned_folder() == tmp_path / "tuned"
    monkeypatch.delenv("TILEVM_CACHE_DIR")
    assert tuned_folder().parts[-2:] == ("tilevm", "tuned")
    assert current_versions().tilevm
