"""The cache gives back what was put in or nothing, whatever happens to its folder, and however many use it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tilevm.runtime.cache import Cache, CacheWarning, cache_folder, key

PARTS = {"cubin": bytes(range(256)) * 8, "ptx": b".version 9.0", "log": b""}
NAME = key("a")


def only_file(cache: Cache) -> Path:
    [path] = cache.folder.iterdir()
    return path


def test_what_was_put_is_got_by_this_and_another_cache(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "deep" / "kernels")
    assert cache.get(NAME) is None
    cache.put(NAME, PARTS)
    assert cache.get(NAME) == PARTS
    assert Cache(cache.folder).get(NAME) == PARTS
    assert cache.get(key("b")) is None
    cache.put(NAME, {"cubin": b"other"})
    assert cache.get(NAME) == {"cubin": b"other"}
    cache.clear()
    assert cache.get(NAME) is None
    assert list(cache.folder.iterdir()) == []


@given(st.lists(st.text(max_size=4), max_size=4), st.lists(st.text(max_size=4), max_size=4))
@settings(max_examples=200, deadline=None)
def test_keys_are_equal_exactly_where_their_parts_are(one: list[str], other: list[str]) -> None:
    assert (key(*one) == key(*other)) == (one == other)


@pytest.mark.parametrize("length", [0, 1, 20, 47, 48, 60, -1])
def test_an_entry_cut_short_is_absent_removed_and_replaced(tmp_path: Path, length: int) -> None:
    cache = Cache(tmp_path)
    cache.put(NAME, PARTS)
    path = only_file(cache)
    path.write_bytes(path.read_bytes()[:length])
    assert cache.get(NAME) is None
    assert not path.exists()
    cache.put(NAME, PARTS)
    assert cache.get(NAME) == PARTS


def test_an_entry_with_any_bit_changed_is_absent(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    cache.put(NAME, {"cubin": b"0123456789"})
    path = only_file(cache)
    whole = path.read_bytes()
    for bit in range(8 * len(whole)):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        assert cache.get(NAME) is None, bit
    path.write_bytes(whole + b"\0")
    assert cache.get(NAME) is None


def test_an_entry_of_another_program_with_a_right_checksum_is_not_believed(tmp_path: Path) -> None:
    import hashlib

    from tilevm.runtime.cache import HEADER, MARK

    cache = Cache(tmp_path)
    cache.put(NAME, PARTS)
    path = only_file(cache)
    for body in (b"\x01", b"\xff" * 10, b"\x00\x01" + b"\xff" * 8, b"\x01\x00\x02" + bytes(7) + b"ab"):
        path.write_bytes(HEADER.pack(MARK, len(body), hashlib.sha256(body).digest()) + body)
        assert cache.get(NAME) is None


def test_the_entries_used_longest_ago_make_room(tmp_path: Path) -> None:
    content = {"cubin": bytes(1000)}
    Cache(tmp_path).put(NAME, content)
    size = only_file(Cache(tmp_path)).stat().st_size
    cache = Cache(tmp_path, limit_bytes=3 * size)
    names = [key(str(number)) for number in range(3)]
    cache.clear()
    for age, name in enumerate(names):
        cache.put(name, content)
        os.utime(tmp_path / f"{name}.kernel", (time.time() - 1000 + age,) * 2)
    assert cache.get(names[0]) == content  # which makes it the one used last
    cache.put(NAME, content)
    assert [cache.get(name) is not None for name in (*names, NAME)] == [True, False, True, True]
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= cache.limit_bytes


def test_an_entry_larger_than_the_limit_is_not_written_and_removes_nothing(tmp_path: Path) -> None:
    cache = Cache(tmp_path, limit_bytes=2000)
    cache.put(NAME, {"cubin": bytes(1000)})
    cache.put(key("b"), {"cubin": bytes(3000)})
    assert cache.get(key("b")) is None
    assert cache.get(NAME) is not None


def test_files_of_writers_that_died_are_removed_and_those_of_others_are_left(tmp_path: Path) -> None:
    dead, alive, foreign = tmp_path / ".x.kernel.abc", tmp_path / ".y.kernel.def", tmp_path / "notes.txt"
    for path in (dead, alive, foreign):
        path.write_bytes(b"x")
    for path in (dead, foreign):
        os.utime(path, (time.time() - 7200,) * 2)
    Cache(tmp_path).put(NAME, PARTS)
    assert [path.exists() for path in (dead, alive, foreign)] == [False, True, True]


WRITER = """
import sys
from pathlib import Path
from tilevm.runtime.cache import Cache, key
cache = Cache(Path(sys.argv[1]), limit_bytes=60_000)
wrong = 0
for turn in range(60):
    name = key(str(turn % 12))
    content = {"cubin": name.encode() * 100}
    found = cache.get(name)
    wrong += found is not None and found != content
    cache.put(name, content)
print(wrong)
"""


def test_many_processes_that_write_read_and_remove_never_see_half_an_entry(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", "-c", WRITER, str(tmp_path)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(6)]
    for process in running:
        out, err = process.communicate(timeout=60)
        assert (out, err, process.returncode) == ("0\n", "", 0)
    files = list(tmp_path.iterdir())
    assert files
    assert all(path.name.endswith(".kernel") for path in files)
    assert sum(path.stat().st_size for path in files) <= 60_000


def test_a_folder_that_cannot_be_made_is_said_once_and_harms_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    cache = Cache(tmp_path / "file" / "kernels")
    with pytest.warns(CacheWarning, match="TILEVM_CACHE_DIR") as caught:
        cache.put(NAME, PARTS)
    assert len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cache.put(NAME, PARTS)
        assert cache.get(NAME) is None
        cache.clear()


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="the administrator may write everywhere")
def test_a_folder_that_may_not_be_written_is_read_all_the_same(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "kernels")
    cache.put(NAME, PARTS)
    cache.folder.chmod(0o500)
    try:
        assert cache.get(NAME) == PARTS
        with pytest.warns(CacheWarning, match="Permission denied"):
            cache.put(key("b"), PARTS)
    finally:
        cache.folder.chmod(0o700)


def test_an_entry_that_cannot_be_read_is_said_once(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    (tmp_path / f"{NAME}.kernel").mkdir()
    with pytest.warns(CacheWarning, match="cannot be read"):
        assert cache.get(NAME) is None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert cache.get(NAME) is None


def test_a_disk_that_fails_while_writing_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(source: str, target: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.warns(CacheWarning, match="No space left on device"):
        Cache(tmp_path).put(NAME, PARTS)
    assert list(tmp_path.iterdir()) == []


def test_the_folder_is_the_users_or_the_one_that_the_environment_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TILEVM_CACHE_DIR", str(tmp_path))
    assert cache_folder() == tmp_path
    assert Cache().folder == tmp_path
    monkeypatch.setenv("TILEVM_CACHE_DIR", "")
    assert cache_folder().name == "kernels"
    assert "tilevm" in cache_folder().parts
