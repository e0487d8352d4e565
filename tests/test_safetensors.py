"""safetensors: files agree with the library both ways, and no header that lies is believed."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tilevm.errors import CheckpointError, UsageError
from tilevm.packed_array import PackedArray
from tilevm.safetensors import Chunks, SafeTensors, write, writing

KINDS = ("?", "u1", "i1", "u2", "i2", "f2", "u4", "i4", "f4", "u8", "i8", "f8", "c8")


def arrays() -> dict[str, Any]:
    random = np.random.default_rng(0)
    made = {kind: random.integers(0, 2, (3, 5)).astype(kind) for kind in KINDS}
    return made | {"scalar": np.array(7, "f4"), "empty": np.zeros((0, 4), "f2"), "Größe": np.ones(1, "u1")}


def raw(header: Any, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def entry(kind: Any = "F32", shape: Any = (2,), offsets: Any = (0, 8)) -> dict[str, Any]:
    return {"dtype": kind, "shape": shape, "data_offsets": offsets}


def test_the_library_reads_what_is_written(tmp_path: Path) -> None:
    library = pytest.importorskip("safetensors.numpy")
    write(tmp_path / "a", arrays(), {"key": "värde"})
    read = library.load_file(tmp_path / "a")
    assert read.keys() == arrays().keys()
    for name, array in arrays().items():
        assert read[name].dtype == array.dtype
        np.testing.assert_array_equal(read[name], array)


def test_what_the_library_writes_is_read(tmp_path: Path) -> None:
    library = pytest.importorskip("safetensors.numpy")
    library.save_file(arrays(), tmp_path / "a", metadata={"key": "värde"})
    with SafeTensors(tmp_path / "a") as file:
        assert file.metadata == {"key": "värde"}
        assert sorted(file.names) == sorted(arrays())
        taken = {name: file.array(name) for name in file.names}
    for name, array in arrays().items():
        assert taken[name].dtype == array.dtype
        np.testing.assert_array_equal(taken[name], array)


@pytest.mark.parametrize("kind", ["f4e2m1", "f6e2m3", "f6e3m2", "f8e4m3", "f8e5m2", "e8m0", "bf16", "u8", "i16"])
def test_packed_arrays_come_back_bit_for_bit(kind: str, tmp_path: Path) -> None:
    bits = PackedArray.from_codes(np.zeros(1, int), kind).dtype.bits
    packed = PackedArray(np.arange(bits, dtype=np.uint8) * 31, kind, (2, 4))
    write(tmp_path / "a", {"w": packed})
    with SafeTensors(tmp_path / "a") as file:
        back = file.packed("w")
    assert (back.dtype, back.shape) == (packed.dtype, packed.shape)
    np.testing.assert_array_equal(back.data, packed.data)


def test_formats_without_a_type_become_bytes(tmp_path: Path) -> None:
    packed = PackedArray.from_codes([1, 2, 3], "u3")
    write(tmp_path / "a", {"w": packed})
    with SafeTensors(tmp_path / "a") as file:
        assert (file.info("w").dtype, file.info("w").shape) == ("U8", (2,))
        np.testing.assert_array_equal(file.array("w"), packed.data)


def test_arrays_are_not_copied_and_outlive_the_file(tmp_path: Path) -> None:
    write(tmp_path / "a", {"w": np.arange(6, dtype="f4").reshape(2, 3)})
    with SafeTensors(tmp_path / "a") as file:
        first, second = file.array("w"), file.array("w")
        assert np.shares_memory(first, second[1:])
        assert not first.flags.writeable
    np.testing.assert_array_equal(first[1], [3, 4, 5])
    with pytest.raises(CheckpointError, match=r"H003.*closed"):
        file.array("w")


LIES = {
    "H001 length": (b"\0" * 7, "ends before"),
    "H001 beyond": ((1000).to_bytes(8, "little") + b"{}", "1000 bytes"),
    "H001 limit": ((100_000_001).to_bytes(8, "little"), "limit"),
    "H001 list": (raw([]), "brace"),
    "H001 JSON": (raw(b"{,}"), "byte 9"),
    "H001 text": (raw(b'{"\xff":1}'), "byte 10"),
    "H001 twice": (raw(b'{"a":1,"a":1}'), "'a' stands in the header twice"),
    "H001 deep": (raw(b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"), "deep"),
    "H001 digits": (raw(b'{"a":' + b"9" * 5000 + b"}"), "too long"),
    "H001 metadata": (raw({"__metadata__": {"a": 1}}), "texts"),
    "H002 entry": (raw({"w": 3}), "'w'.*object"),
    "H002 type": (raw({"w": entry("F33")}), "'w'.*F33"),
    "H002 type list": (raw({"w": entry([])}), "'w'.*type"),
    "H002 shape": (raw({"w": entry(shape=[-2])}, bytes(8)), "'w'.*not a shape"),
    "H002 bool": (raw({"w": entry(shape=[True])}, bytes(8)), "'w'.*not a shape"),
    "H002 overflow": (raw({"w": entry(shape=[2**40, 2**40])}, bytes(8)), "'w'.*not a shape"),
    "H002 order": (raw({"w": entry(offsets=[8, 0])}, bytes(8)), "'w'.*first byte"),
    "H002 float": (raw({"w": entry(offsets=[0, 8.0])}, bytes(8)), "'w'.*first byte"),
    "H002 out": (raw({"w": entry()}, bytes(7)), "'w'.*ends at byte"),
    "H002 size": (raw({"w": entry(shape=[3])}, bytes(8)), "'w'.*96 bits"),
    "H002 half": (raw({"w": entry("F4", [3], [0, 1])}, bytes(1)), "'w'.*12 bits"),
    "H002 hole": (raw({"a": entry(), "b": entry(offsets=[9, 17])}, bytes(17)), "'b'.*hole after 'a'"),
    "H002 overlap": (raw({"a": entry(), "b": entry(offsets=[4, 12])}, bytes(12)), "'b'.*overlaps 'a'"),
    "H002 rest": (raw({"w": entry()}, bytes(9)), "file at byte"),
}


@pytest.mark.parametrize("lie", LIES)
def test_headers_that_lie_are_refused(lie: str, tmp_path: Path) -> None:
    content, message = LIES[lie]
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(CheckpointError, match=f"{lie[:4]}.*{message}"):
        SafeTensors(tmp_path / "a")


SOUND = raw({"a": entry(), "b": entry("U8", [4], [8, 12])}, bytes(12))


@given(st.data())
def test_a_damaged_header_never_gives_another_exception(tmp_path_factory: pytest.TempPathFactory, data: Any) -> None:
    damaged = bytearray(SOUND[: data.draw(st.integers(0, len(SOUND)))])
    for place, value in data.draw(st.lists(st.tuples(st.integers(0, len(SOUND) - 1), st.integers(0, 255)), max_size=4)):
        if place < len(damaged):
            damaged[place] = value
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(damaged)
    with suppress(CheckpointError), SafeTensors(path) as file:
        assert sum(file.array(name).nbytes for name in file.names) <= len(damaged)


def test_chunks_stream_and_a_wrong_length_leaves_nothing(tmp_path: Path) -> None:
    write(tmp_path / "a", {"w": Chunks("U8", (4,), iter([np.uint8([1, 2]), np.uint8([3, 4])]))})
    with SafeTensors(tmp_path / "a") as file:
        assert file.array("w").tolist() == [1, 2, 3, 4]
    for size in (3, 5):
        with pytest.raises(CheckpointError, match=r"H004.*'w'"):
            write(tmp_path / "b", {"w": Chunks("U8", (4,), [np.zeros(size, np.uint8)])})
    for twice in ("a", "__metadata__"):
        with writing(tmp_path / "a", 400, {}) as writer:
            writer.tensor("a", "U8", (1,), [np.zeros(1, np.uint8)])
            with pytest.raises(CheckpointError, match=f"H004.*'{twice}'"):
                writer.tensor(twice, "U8", (1,), [np.zeros(1, np.uint8)])
    with pytest.raises(CheckpointError, match="H004"):
        write(tmp_path / "b", {"w": np.array(["text"])})
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a"]


def test_the_header_is_written_last_into_room_that_was_kept(tmp_path: Path) -> None:
    library = pytest.importorskip("safetensors.numpy")
    metadata: dict[str, str] = {}
    with writing(tmp_path / "a", 500, metadata) as writer:
        for name in ("b", "a"):
            writer.tensor(name, "F32", (2, 1), [np.ones(1, "f4"), np.full(1, 2, "f4")])
        metadata["late"] = "fact"
    with SafeTensors(tmp_path / "a") as file:
        assert (file.names, file.metadata) == (("b", "a"), {"late": "fact"})
        assert file.info("b").start == 8 + 504
        assert file.array("a").tolist() == [[1], [2]]
    assert library.load_file(tmp_path / "a")["b"].tolist() == [[1], [2]]
    with pytest.raises(CheckpointError, match=r"H004.*40 were kept"), writing(tmp_path / "b", 40, {}) as writer:
        writer.tensor("b", "F32", (2, 1), [np.ones(2, "f4")])
    assert not (tmp_path / "b").exists()


def test_bytes_that_were_released_are_read_again(tmp_path: Path) -> None:
    data = np.arange(1 << 16, dtype="u4")
    write(tmp_path / "a", {"w": data, "empty": data[:0]})
    with SafeTensors(tmp_path / "a") as file:
        before = file.array("w").copy()
        for name in file.names:
            file.release(name)
        np.testing.assert_array_equal(file.array("w"), before)
        np.testing.assert_array_equal(before, data)
    file.release("w")


def test_a_disk_that_is_full_leaves_what_was_there(tmp_path: Path) -> None:
    def chunks() -> Iterator[Any]:
        yield np.zeros(4, np.uint8)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    (tmp_path / "a").write_text("as it was")
    with pytest.raises(UsageError, match=r"F002.*cannot write .*: No space left"):
        write(tmp_path / "a", {"w": Chunks("U8", (8,), chunks())})
    assert (tmp_path / "a").read_text() == "as it was"
    assert [each.name for each in tmp_path.iterdir()] == ["a"]
