"""Packing: element i lies at bits [i·b, (i+1)·b) of a bit stream, whatever its width and wherever it straddles."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tilevm.errors import DTypeError
from tilevm.packing import PART, pack, pack_trits, packed_bytes, unpack, unpack_trits


def stream_of(codes: list[int], bits: int) -> bytes:
    """The definition, with one Python integer for the whole stream."""
    number = sum(code << (place * bits) for place, code in enumerate(codes))
    return number.to_bytes((len(codes) * bits + 7) // 8, "little")


@settings(max_examples=300, deadline=None)
@given(st.data(), st.integers(1, 64))
def test_packing_is_its_definition_and_unpacking_its_inverse(data: st.DataObject, bits: int) -> None:
    codes = data.draw(st.lists(st.integers(0, (1 << bits) - 1), max_size=70))
    packed = pack(np.array(codes, np.uint64), bits)
    assert packed.dtype == np.uint8
    assert packed.tobytes() == stream_of(codes, bits)
    found = unpack(packed, bits, len(codes))
    assert found.tolist() == codes
    assert found.dtype.itemsize == next(size for size in (1, 2, 4, 8) if bits <= 8 * size)
    count = data.draw(st.integers(0, len(codes)))
    spoiled = np.concatenate([packed, np.full(data.draw(st.integers(0, 9)), 0xFF, np.uint8)])
    assert unpack(spoiled, bits, count).tolist() == codes[:count]


@pytest.mark.parametrize("bits", range(1, 65))
def test_every_width_at_every_length_up_to_two_blocks(bits: int) -> None:
    random = np.random.default_rng(bits)
    codes = random.integers(0, 1 << 63, 67, np.uint64) >> np.uint64(max(0, 63 - bits))
    if bits == 64:
        codes = codes * np.uint64(2) + np.uint64(1)
    for length in range(68):
        packed = pack(codes[:length], bits)
        assert packed.tobytes() == stream_of(codes[:length].tolist(), bits)
        np.testing.assert_array_equal(unpack(packed, bits, length), codes[:length])


@pytest.mark.parametrize("bits", range(1, 9))
@pytest.mark.parametrize("length", [PART - 1, PART, 2 * PART + 37])
def test_long_arrays_are_packed_as_short_ones_are(bits: int, length: int) -> None:
    codes = np.random.default_rng(0).integers(0, 1 << bits, length, np.uint8)
    planes = (codes[:, None] >> np.arange(bits, dtype=np.uint8)) & 1
    expected = np.packbits(planes.reshape(-1), bitorder="little")
    packed = pack(codes, bits)
    np.testing.assert_array_equal(packed, expected)
    np.testing.assert_array_equal(unpack(packed, bits, length), codes)


@pytest.mark.parametrize("bits", [3, 5, 6, 7])
def test_elements_that_straddle_bytes_and_32_bit_words_come_back(bits: int) -> None:
    # One element has all bits set, its neighbours none.
    for place in range(40):
        codes = [0] * 40
        codes[place] = (1 << bits) - 1
        packed = pack(codes, bits)
        assert int.from_bytes(packed.tobytes(), "little") == ((1 << bits) - 1) << (place * bits)
        assert unpack(packed, bits, 40).tolist() == codes


@pytest.mark.parametrize("bits", [1, 3, 4, 6, 8, 12, 16, 19, 32, 40, 64])
def test_arrays_of_any_shape_order_type_and_place_are_packed_in_row_major_order(bits: int) -> None:
    codes = np.random.default_rng(0).integers(0, 1 << min(bits, 7), (6, 7), np.int64)
    expected = stream_of(codes.reshape(-1).tolist(), bits)
    for given_form in (
        codes,
        np.asfortranarray(codes),
        np.repeat(codes, 2, 1)[:, ::2],
        codes.astype(">u4"),
        codes.tolist(),
    ):
        assert pack(given_form, bits).tobytes() == expected
    shifted = np.frombuffer(b"\x00" + expected, np.uint8)[1:]
    np.testing.assert_array_equal(unpack(shifted, bits, 42), codes.reshape(-1))
    np.testing.assert_array_equal(unpack(np.repeat(shifted, 2)[::2], bits, 42), codes.reshape(-1))


@pytest.mark.parametrize("bits", [1, 4, 5, 8, 13, 16, 64])
def test_the_result_is_a_copy_and_the_arguments_stay_as_they_are(bits: int) -> None:
    codes = np.ones(100, f"u{1 if bits <= 8 else 2 if bits <= 16 else 8}")
    packed = pack(codes, bits)
    before = packed.copy()
    found = unpack(packed, bits, 100)
    assert not np.shares_memory(packed, codes)
    assert not np.shares_memory(found, packed)
    found[:] = 0
    np.testing.assert_array_equal(packed, before)
    assert (codes == 1).all()


def test_nothing_packs_to_nothing() -> None:
    for bits in (1, 3, 4, 8, 12, 64):
        assert pack([], bits).shape == (0,)
        assert unpack(np.zeros(0, np.uint8), bits, 0).shape == (0,)
    assert packed_bytes(0, 5) == 0
    assert pack_trits([]).shape == unpack_trits(np.zeros(0, np.uint8), 0).shape == (0,)


def test_truth_values_pack_as_one_bit() -> None:
    assert pack(np.array([True, False, True]), 1).tolist() == [5]


@pytest.mark.parametrize(
    ("codes", "bits", "wrong"),
    [
        ([16], 4, "16"),
        ([0, -1], 4, "-1"),
        ([2], 1, "2"),
        ([1 << 19], 19, "524288"),
        ([300], 8, "300"),
        ([-1], 64, "-1"),
        ([1.0], 4, "float64"),
        (["a"], 4, "<U1"),
    ],
)
def test_a_code_of_more_bits_is_refused_d003(codes: list[Any], bits: int, wrong: str) -> None:
    with pytest.raises(DTypeError) as caught:
        pack(codes, bits)
    assert caught.value.code == "D003"
    assert wrong in str(caught.value)


@pytest.mark.parametrize("bits", range(1, 65))
def test_widths_and_counts_may_be_integers_of_numpy(bits: int) -> None:
    codes = [(1 << bits) - 1, 0, 1]
    for kind in (np.uint8, np.int64):
        packed = pack(np.array(codes, np.uint64), kind(bits))
        assert packed.tobytes() == stream_of(codes, bits)
        assert unpack(packed, kind(bits), kind(3)).tolist() == codes


@pytest.mark.parametrize("bits", [0, -1, 65, "4", 4.0, None])
def test_other_widths_are_refused_d006(bits: Any) -> None:
    for call in (lambda: pack([0], bits), lambda: unpack(np.zeros(99, np.uint8), bits, 1)):
        with pytest.raises(DTypeError) as caught:
            call()
        assert caught.value.code == "D006"


@pytest.mark.parametrize("bits", [1, 3, 4, 8, 12, 16])
def test_a_stream_that_is_too_short_or_not_of_bytes_is_refused_d007(bits: int) -> None:
    stream = pack(np.zeros(20, np.uint8), bits)
    wrong: list[tuple[Any, Any]] = [(stream[:-1], 20), (stream.astype(np.int16), 20), (stream, 1000)]
    wrong += [(stream, count) for count in (-1, -2, -9, 2.0, None, "2")]
    for data, count in wrong:
        with pytest.raises(DTypeError) as caught:
            unpack(data, bits, count)
        assert caught.value.code == "D007"


# Trits


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 2), max_size=40))
def test_five_trits_are_a_byte_in_base_3(codes: list[int]) -> None:
    packed = pack_trits(np.array(codes, np.int64))
    assert packed.dtype == np.uint8
    expected = [sum(digit * 3**place for place, digit in enumerate(codes[i : i + 5])) for i in range(0, len(codes), 5)]
    assert packed.tolist() == expected
    assert unpack_trits(packed, len(codes)).tolist() == codes


def test_every_byte_of_trits_comes_back() -> None:
    every = np.arange(243, dtype=np.uint8)
    np.testing.assert_array_equal(pack_trits(unpack_trits(every, 5 * 243)), every)


@pytest.mark.parametrize("codes", [[3], [0, -1], [0.5]])
def test_other_trits_are_refused_d003(codes: list[Any]) -> None:
    with pytest.raises(DTypeError) as caught:
        pack_trits(codes)
    assert caught.value.code == "D003"


@pytest.mark.parametrize(
    ("stream", "count"), [([0], 6), ([243], 5), ([0], -1), ([0], -6), ([0], 2.0), (np.zeros(2, np.int64), 5)], ids=repr
)
def test_wrong_bytes_of_trits_are_refused_d007(stream: Any, count: Any) -> None:
    data = np.array(stream, np.uint8) if isinstance(stream, list) else stream
    with pytest.raises(DTypeError) as caught:
        unpack_trits(data, count)
    assert caught.value.code == "D007"
