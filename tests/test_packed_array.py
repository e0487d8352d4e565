"""A PackedArray holds exactly the codes it was given, wherever a layout puts them, in memory and in a file."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tilevm.dtypes import codebook, dtype
from tilevm.errors import DTypeError, TilevmError, UsageError
from tilevm.layout_constructors import local, spatial
from tilevm.layout_text import layout as parse_layout
from tilevm.memory_pattern import blocks, strides
from tilevm.packed_array import PackedArray

FORMATS = "u1 i2 u3 f4e2m1 f5e2m2 f6e3m2 u7 i8 f8e4m3 f16 bf16 tf32 f32 i64 nf4".split()


def some_codes(name: str, shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    kind = dtype(name)
    random = np.random.default_rng(seed)
    return random.integers(0, 1 << min(kind.bits, 63), shape, np.uint64).astype(kind.storage)


@pytest.mark.parametrize("name", FORMATS)
def test_codes_come_back_and_take_as_many_bytes_as_their_bits(name: str) -> None:
    codes = some_codes(name, (5, 7))
    packed = PackedArray.from_codes(codes, name)
    assert packed.nbytes == -(-35 * dtype(name).bits // 8)
    np.testing.assert_array_equal(packed.codes(), codes)
    assert packed.codes().dtype == dtype(name).storage


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(
    "pattern",
    [
        blocks(4, 2),
        blocks(4, 8) * (spatial(4, 1) * local(1, 8)),
        strides(1, 9),
        strides(17, 2),
        "[8,8]{{8:B{row} | 8:B{bits}; {bits} bits}}",
    ],
    ids=str,
)
def test_a_layout_places_each_element_at_its_bit(name: str, pattern: object) -> None:
    bits = dtype(name).bits
    codes = some_codes(name, (8, 8))
    if isinstance(pattern, str):
        # Rows that begin at no multiple of an element, nor of a byte.
        layout = parse_layout(pattern.format(row=8 * bits + 3, bits=bits))
    else:
        layout = pattern.bind((8, 8), bits)  # type: ignore[attr-defined]
    packed = PackedArray.from_codes(codes, name, layout)
    stream = int.from_bytes(packed.data.tobytes(), "little")
    offsets = layout.bit_offsets()
    for index in np.ndindex(8, 8):
        assert (stream >> int(offsets[index])) & ((1 << bits) - 1) == int(codes[index])
    np.testing.assert_array_equal(packed.codes(), codes)
    np.testing.assert_array_equal(packed[2:5, 3].codes(), codes[2:5, 3])


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_window_is_the_window_of_the_codes(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(FORMATS))
    shape = tuple(data.draw(st.lists(st.integers(1, 6), min_size=1, max_size=3)))
    codes = some_codes(name, shape)
    index = []
    for extent in shape[: data.draw(st.integers(1, len(shape)))]:
        first = data.draw(st.integers(-extent, extent - 1))
        index.append(first if data.draw(st.booleans()) else slice(first, data.draw(st.integers(-extent, extent + 2))))
    window = PackedArray.from_codes(codes, name)[tuple(index)]
    np.testing.assert_array_equal(window.codes(), codes[tuple(index)])


def test_bits_between_elements_are_zero() -> None:
    for row in (40, 41):
        layout = parse_layout(f"[3,4]{{3:B{row} | 4:B5; 5 bits}}")
        packed = PackedArray.from_codes(np.full((3, 4), 31, np.uint8), "u5", layout)
        expected = sum(((1 << 20) - 1) << (row * place) for place in range(3))
        assert int.from_bytes(packed.data.tobytes(), "little") == expected


def test_elements_that_share_bits_may_be_packed_only_if_their_codes_agree_d008() -> None:
    repeated, overlapping = strides(0, 1).bind((2, 4), 4), parse_layout("[2]{2:B3; 4 bits}")
    same = PackedArray.from_codes([[1, 2, 3, 4]] * 2, "u4", repeated)
    assert (same.nbytes, same.codes().tolist()) == (2, [[1, 2, 3, 4]] * 2)
    assert PackedArray.from_codes([0b1001, 0b0001], "u4", overlapping).codes().tolist() == [0b1001, 0b0001]
    for codes, layout in [([[1, 2, 3, 4], [1, 2, 3, 5]], repeated), ([0b1001, 0b0000], overlapping)]:
        with pytest.raises(DTypeError) as caught:
            PackedArray.from_codes(codes, "u4", layout)
        assert caught.value.code == "D008"


def test_rows_are_iterated_over() -> None:
    packed = PackedArray.from_values([[1, 2, 3], [4, 5, 6]], "u4")
    assert [row.numpy().tolist() for row in packed] == [[1, 2, 3], [4, 5, 6]]
    assert list(PackedArray.from_values(np.zeros((0, 3)), "u4")) == []
    with pytest.raises(TypeError):
        iter(PackedArray.from_values(1, "u4"))


def test_numbers_have_the_numpy_type_that_holds_them_exactly() -> None:
    expected_types = {"u1": "bool", "i4": "int8", "u6": "uint8", "f6e3m2": "float32", "f16": "float16", "i32": "int32"}
    for name, expected in expected_types.items():
        packed = PackedArray.from_values([0, 1], name)
        assert packed.numpy().dtype == np.dtype(expected)
        assert packed.numpy().tolist() == [0, 1]
    assert PackedArray.from_values([-8, 7, -1], "i4").numpy().tolist() == [-8, 7, -1]
    assert np.asarray(PackedArray.from_values([0.5], "f4e2m1"), np.float64).tolist() == [0.5]


def test_a_repr_shows_format_shape_bytes_and_a_corner() -> None:
    shown = repr(PackedArray.from_values(np.arange(100).reshape(10, 10) % 16, "u4"))
    assert shown.startswith("PackedArray(u4[10, 10], 50 bytes, [[ 0,  1,  2,  3],")
    assert shown.endswith(", …)")


@pytest.mark.parametrize("name", ["f6e3m2", "nf4", "trit"])
def test_a_saved_array_is_read_back(name: str, tmp_path: Path) -> None:
    codes = some_codes("u1", (8, 8))
    layout = blocks(4, 4).bind((8, 8), dtype(name).bits)
    packed = PackedArray.from_codes(codes, name, layout)
    packed.save(tmp_path / "w.npz")
    again = PackedArray.load(tmp_path / "w.npz")
    assert (again.dtype, again.shape, again.layout) == (packed.dtype, packed.shape, packed.layout)
    np.testing.assert_array_equal(again.data, packed.data)
    assert [file.name for file in tmp_path.iterdir()] == ["w.npz"]


def test_an_own_codebook_is_saved_with_its_values(tmp_path: Path) -> None:
    packed = PackedArray.from_values([0.1, 0.9], codebook("saved_book", [0.0, 0.25, 1.0]))
    packed.save(tmp_path / "w.npz")
    assert PackedArray.load(tmp_path / "w.npz").dtype is packed.dtype


def test_a_file_that_is_not_one_is_refused_and_nothing_in_it_is_unpickled(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no archive")
    np.savez(tmp_path / "short.npz", data=np.zeros(1, np.uint8), dtype="u4", shape=[100], table=[], layout="")
    np.savez(tmp_path / "fields.npz", data=np.zeros(1, np.uint8))
    code = "__import__('os')"
    np.savez(tmp_path / "layout.npz", data=np.zeros(9, np.uint8), dtype="u4", shape=[2], table=[], layout=code)
    trap = np.array([Trap()], object)
    np.savez(tmp_path / "pickle.npz", allow_pickle=True, data=trap, dtype="u4", shape=[1], table=[], layout="")
    for name in ("text", "short.npz", "fields.npz", "layout.npz", "pickle.npz"):
        with pytest.raises(UsageError) as caught:
            PackedArray.load(tmp_path / name)
        assert caught.value.code == "F003", name
    with pytest.raises(UsageError) as caught:
        PackedArray.load(tmp_path / "missing")
    assert caught.value.code == "F002"
    with pytest.raises(UsageError) as caught:
        PackedArray.from_values([1], "u4").save(tmp_path / "nowhere" / "w.npz")
    assert caught.value.code == "F002"


def test_no_single_damaged_bit_or_lost_end_gives_another_array_or_another_error(tmp_path: Path) -> None:
    packed = PackedArray.from_codes(some_codes("f6e3m2", (8, 8)), "f6e3m2", blocks(4, 4).bind((8, 8), 6))
    packed.save(tmp_path / "whole")
    whole = (tmp_path / "whole").read_bytes()
    damaged = [whole[:length] for length in range(0, len(whole), 31)]
    for place in range(0, len(whole), 2):
        bit = 1 << (place // 2 % 8)
        damaged.append(whole[:place] + bytes([whole[place] ^ bit]) + whole[place + 1 :])
    found = []
    for content in damaged:
        (tmp_path / "damaged").write_bytes(content)
        found.append(loaded_or_refused(tmp_path / "damaged"))
    # Some bits of an archive, such as its dates, mean nothing to the array.
    for again in (each for each in found if isinstance(each, PackedArray)):
        assert (again.dtype, again.shape, again.layout) == (packed.dtype, packed.shape, packed.layout)
        np.testing.assert_array_equal(again.data, packed.data)
    refusals = [each for each in found if isinstance(each, str)]
    assert set(refusals) == {"F003"}
    assert len(refusals) > len(found) / 2


def loaded_or_refused(path: Path) -> PackedArray | str:
    """The array of a file, or the code of the error."""
    try:
        return PackedArray.load(path)
    except UsageError as error:
        return error.code


class Trap:
    """Fails the test when it is unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return (pytest.fail, ("a file was unpickled",))


@pytest.mark.parametrize(
    ("code", "wrong"),
    [
        ("D003", lambda: PackedArray.from_codes([16], "u4")),
        ("D007", lambda: PackedArray(np.zeros(2, np.uint8), "u4", (5,))),
        ("D007", lambda: PackedArray(np.zeros(4, np.float32), "u4", (5,))),
        ("D008", lambda: PackedArray(np.zeros(4, np.uint8), "u4", (-1,))),
        ("D008", lambda: PackedArray.from_codes(np.zeros((4, 4), np.uint8), "u4", blocks(2, 2).bind((4, 4), 6))),
        ("D008", lambda: PackedArray.from_codes(np.zeros((4, 4), np.uint8), "u4", spatial(4, 4))),
        ("D009", lambda: PackedArray.from_values([1, 2], "u4")[::2]),
        ("D009", lambda: PackedArray.from_values([1, 2], "u4")[2]),
        ("D009", lambda: PackedArray.from_values([1, 2], "u4")[0, 0]),
        ("D008", lambda: PackedArray(np.zeros(4, np.uint8), "u4", (2,), "row_major")),  # type: ignore[arg-type]
        ("D009", lambda: PackedArray.from_values([1, 2], "u4")["a"]),
        ("D009", lambda: PackedArray.from_values([1, 2], "u4")["a":]),
        ("D009", lambda: PackedArray.from_values([1, 2], "u4")[1.5:]),
        ("D009", lambda: PackedArray.from_values([1, 2], "u4")[::0]),
        ("D009", lambda: PackedArray.from_values([1, 2], "u4")[...]),
    ],
)
def test_what_does_not_fit_is_refused(code: str, wrong: object) -> None:
    with pytest.raises(TilevmError) as caught:
        wrong()  # type: ignore[operator]
    assert caught.value.code == code


def test_it_behaves_as_a_sequence_and_survives_pickling() -> None:
    packed = PackedArray.from_values([[1, 2], [3, 4]], "u4")
    assert (len(packed), packed.ndim, packed.size) == (2, 2, 4)
    assert pickle.loads(pickle.dumps(packed)).numpy().tolist() == [[1, 2], [3, 4]]
    with pytest.raises(TypeError):
        len(PackedArray.from_values(1, "u4"))
    with pytest.raises(ValueError, match="copy"):
        packed.__array__(copy=False)
    with pytest.raises(DTypeError):
        PackedArray.from_values([1], "u99")


class OnGpu:
    """Bytes on a GPU, as any library shows them."""

    def __init__(self, count: int, kind: str = "|u1", strides: tuple[int, ...] | None = None) -> None:
        self.__cuda_array_interface__ = {"shape": (count,), "typestr": kind, "data": (4096, False), "strides": strides}
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, part: slice) -> OnGpu:
        return OnGpu(len(range(*part.indices(self.count))))


def test_bytes_on_a_gpu_are_kept_and_not_looked_at() -> None:
    data = OnGpu(3)
    array = PackedArray(data, "u6", (2, 2))  # type: ignore[arg-type]
    assert array.on_device
    assert array.data is data  # type: ignore[comparison-overlap]
    assert PackedArray(OnGpu(10), "u6", (2, 2)).nbytes == 3  # type: ignore[arg-type]
    assert (array.nbytes, array.size, len(array)) == (3, 4, 2)
    assert repr(array) == "PackedArray(u6[2, 2], 3 bytes on a GPU)"
    for look in (array.codes, array.numpy, lambda: array[0], lambda: np.asarray(array), lambda: array.save("file")):
        with pytest.raises(DTypeError, match="lies on a GPU") as caught:
            look()
        assert caught.value.code == "D016"
    for wrong in (OnGpu(2), OnGpu(3, "<f4"), OnGpu(3, strides=(2,))):
        with pytest.raises(DTypeError) as caught:
            PackedArray(wrong, "u6", (2, 2))  # type: ignore[arg-type]
        assert caught.value.code == "D007"
    assert not PackedArray.from_codes([1, 2], "u6").on_device
