"""Layouts by example: constructors, worked values, sizes, views, and every way to be refused."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from tilevm.errors import LayoutError
from tilevm.layout import Digit, Layout, Xor
from tilevm.layout_constructors import column_local, column_major, column_spatial, local, rep, row_major, spatial, warps
from tilevm.layout_view import check_view
from tilevm.memory_pattern import COLUMN_MAJOR, ROW_MAJOR, blocks, packed, strides, swizzle

MMA_A = column_local(2, 2) * spatial(8, 4) * local(1, 2)


def refused(code: str, ask: Callable[[], object]) -> str:
    """The text of the error of this code that a call must end in."""
    with pytest.raises(LayoutError) as error:
        ask()
    assert error.value.code == code, error.value
    return str(error.value)


# Values


def test_the_operand_of_a_tensor_core_is_where_the_manual_says() -> None:
    assert MMA_A.shape == (16, 16)
    assert (MMA_A.threads, MMA_A.slots, MMA_A.rank) == (32, 8, 2)
    # The manual: lane 5 is group 1, number 1 in it; its elements are (row, column) in this order.
    assert [MMA_A.at(5, slot) for slot in range(8)] == [
        (1, 2),
        (1, 3),
        (9, 2),
        (9, 3),
        (1, 10),
        (1, 11),
        (9, 10),
        (9, 11),
    ]


def test_constructors_count_rows_or_columns_first() -> None:
    assert [local(2, 3).place((i, j))[1] for i in range(2) for j in range(3)] == [0, 1, 2, 3, 4, 5]
    assert [column_local(2, 3).place((i, j))[1] for i in range(2) for j in range(3)] == [0, 2, 4, 1, 3, 5]
    assert [spatial(2, 3).place((i, j))[0] for i in range(2) for j in range(3)] == [0, 1, 2, 3, 4, 5]
    assert [column_spatial(2, 3).place((i, j))[0] for i in range(2) for j in range(3)] == [0, 2, 4, 1, 3, 5]
    assert row_major(2, 3, width=4).bit_offsets().ravel().tolist() == [0, 4, 8, 12, 16, 20]
    assert column_major(2, 3, width=4).bit_offsets().ravel().tolist() == [0, 8, 16, 4, 12, 20]


def test_warps_make_whole_warps() -> None:
    tile = warps(2, 2) * MMA_A
    assert tile.shape == (32, 32)
    assert tile.threads == 128
    assert {tile.place((i, j))[0] // 32 for i in range(16) for j in range(16)} == {0}
    assert tile.place((0, 16))[0] == 32
    assert tile.place((16, 0))[0] == 64


@pytest.mark.parametrize(
    ("layout", "bits"),
    [
        (row_major(4, 8, width=6), 192),
        (Layout([[(4, "B", 64)], [(8, "B", 6)]], width=6), 3 * 64 + 48),
        (Layout([[(16, "B", 8)]], width=6), 15 * 8 + 6),
        (Layout([[(16, "B", 8)]], width=8), 128),
        (Layout([[(4, "B", 128), (16, "B", 6)]], width=6), 3 * 128 + 96),
        (row_major(1, width=5), 5),
        (row_major(8, 64, width=16).swizzled(Xor.between([(7, 10)])), 8 * 1024),
        (row_major(3, width=128).swizzled(Xor.between([(7, 8)])), 512),
    ],
)
def test_the_extent_of_memory_counts_padding_between_elements(layout: Layout, bits: int) -> None:
    assert layout.size_bits == bits
    assert layout.bit_offsets().max() + layout.width <= bits


def test_layouts_are_immutable_and_may_be_keys() -> None:
    with pytest.raises(FrozenInstanceError):
        MMA_A.width = 3  # type: ignore[misc]
    with pytest.raises(ValueError, match="read-only"):
        MMA_A.thread_slot_to_index()[0] = 0
    assert len({MMA_A, column_local(2, 2) * spatial(8, 4) * local(1, 2)}) == 1
    assert MMA_A != "layout"
    assert column_major(16, 16) != MMA_A
    assert pickle.loads(pickle.dumps(MMA_A)) == MMA_A


def test_a_unit_of_memory_is_not_a_unit_of_registers() -> None:
    assert local(1, 1) != row_major(1, 1)
    assert local(1, 1).is_register
    assert row_major(1, 1).is_memory


def test_numpy_integers_are_integers() -> None:
    assert local(np.int64(2), np.int32(3)) == local(2, 3)
    assert Layout([[(np.int64(4), "T", np.int64(1))]]) == spatial(4)


def test_concat_of_equal_tiles_is_a_new_slot_digit() -> None:
    assert MMA_A.concat(MMA_A, 1) == local(1, 2) * MMA_A
    assert (local(3, 1) * MMA_A).concat(local(2, 1) * MMA_A, 0) == local(5, 1) * MMA_A


def test_negative_dimensions_count_from_the_end() -> None:
    assert MMA_A.reduce(-1) == MMA_A.reduce(1)
    assert MMA_A.unsqueeze(-1) == MMA_A.unsqueeze(2)
    assert MMA_A.slice(-2, 0, 8) == MMA_A.slice(0, 0, 8)


def test_sixteen_six_bit_numbers_in_a_padded_chunk() -> None:
    chunk = Layout([[(16, "B", 6)]], width=6)
    padded = Layout([[(4, "B", 128), (16, "B", 6)]], width=6)
    assert padded != row_major(4) * chunk
    assert padded.offset((17,)) == 128 + 6


# Views


def test_a_view_has_the_shape_that_its_bits_give() -> None:
    bytes_of_six = spatial(8, 4) * local(1, 3)
    assert bytes_of_six.view(8, 6) == spatial(8, 4) * local(1, 4)
    assert spatial(32).view(32, 8) == spatial(32) * local(4)
    assert (local(2, 1) * spatial(4, 8) * local(4, 1)).view(8, 16) == local(2, 1) * spatial(4, 8) * local(2, 1)


def test_a_view_to_another_order_of_the_same_threads_is_legal() -> None:
    check_view(spatial(32) * local(12), 8, MMA_A * local(1, 2), 6)
    check_view(rep(2) * spatial(16) * local(2), 8, rep(2) * spatial(4, 4), 16)
    check_view(rep(4) * spatial(8) * local(2), 8, spatial(8, 4), 16)


def test_a_view_that_changes_the_bits_offers_one_that_fits() -> None:
    text = refused("L012", lambda: check_view(spatial(8, 4) * local(1, 3), 8, spatial(8, 4) * local(1, 3), 6))
    assert "3 x 8 = 24, not 3 x 6 = 18" in text
    assert "spatial(8, 4) * local(1, 4) holds 24 bits of 6-bit elements in each thread: a tile of shape [8, 16]" in text
    text = refused("L012", lambda: check_view(spatial(32) * local(2), 8, spatial(32), 4))
    assert "spatial(32) * local(4) holds 16 bits" in text
    text = refused("L012", lambda: check_view(spatial(32), 8, spatial(32) * local(2), 3))
    assert "8 bits are not a whole number of 3-bit elements" in text


def test_a_view_keeps_threads_and_replicas() -> None:
    text = refused("L012", lambda: check_view(spatial(32) * local(2), 8, spatial(64), 8))
    assert "32 hold the source, 64 the target" in text
    assert "spatial(32) * local(2) holds 16 bits" in text
    refused("L012", lambda: check_view(spatial(32), 8, rep(2) * spatial(16), 8))
    refused("L012", lambda: check_view(spatial(16) * rep(2), 8, rep(2) * spatial(16), 8))
    for pair in ((row_major(4), local(4)), (local(4), row_major(4))):
        refused("L003", lambda pair=pair: check_view(pair[0], 8, pair[1], 8))


# Memory patterns


def test_patterns_bind_to_a_shape_and_a_width() -> None:
    assert ROW_MAJOR.bind((4, 8), 6) == row_major(4, 8, width=6)
    assert COLUMN_MAJOR.bind((4, 8), 6) == column_major(4, 8, width=6)
    assert strides(1, 4).bind((4, 8), 6) == column_major(4, 8, width=6)
    assert strides(0, 1).bind((4, 8), 6).offset((3, 2)) == 12
    assert row_major(4, 8).bind((4, 8), 6) == row_major(4, 8, width=6) == row_major(4, 8, width=6).bind((4, 8), 6)
    assert blocks(4, 8).bind((4, 8), 6) == row_major(4, 8, width=6)
    assert blocks(2, 2).bind((3, 4, 6), 5) == (row_major(3, 2, 3) * row_major(1, 2, 2, width=5))


def test_blocks_hold_elements_in_the_order_of_the_threads() -> None:
    order = column_local(2, 2) * spatial(8, 4) * local(1, 2)
    memory = (blocks(16, 16) * order).bind((32, 48), 6)
    assert memory.size_bits == 32 * 48 * 6
    for index in ((0, 0), (9, 5), (17, 40), (31, 47)):
        block = index[0] // 16 * 3 + index[1] // 16
        thread, slot = order.place((index[0] % 16, index[1] % 16))
        assert memory.offset(index) == block * 256 * 6 + (thread * order.slots + slot) * 6


def test_patterns_compare_by_what_they_say() -> None:
    assert packed(MMA_A) == blocks(16, 16) * MMA_A
    assert hash(packed(MMA_A)) == hash(blocks(16, 16) * MMA_A)
    assert packed(local(4, 4)) == blocks(4, 4) != blocks(4, 8)
    assert blocks(16, 16) * column_local(2, 2) * spatial(8, 4) * local(1, 2) == packed(MMA_A)
    assert strides(8, 1) != strides(8, 2)
    assert swizzle(3, 4, 3) == swizzle(3, 4, 3) != swizzle(2, 4, 3)
    assert ROW_MAJOR != COLUMN_MAJOR


def test_a_swizzle_flips_bits_of_the_byte_address() -> None:
    memory = swizzle(3, 4, 3).bind((64, 64), 16)
    address = np.arange(64 * 64).reshape(64, 64) * 2
    assert (memory.bit_offsets() == (address ^ (address >> 7 & 7) << 4) * 8).all()
    assert swizzle(0, 4, 3).bind((4, 4), 8) == row_major(4, 4, width=8)


# What is refused


def test_digits_that_make_no_sense() -> None:
    for digit in ((0, "T", 1), (2, "X", 1), (2, "T", -1), (2, "-", 1), (2, "T"), (2.5, "T", 1), "2:T1", None):
        refused("L001", lambda digit=digit: Layout([[digit]]))
    refused("L001", lambda: Layout([[(2, "T", 1)]], [(2, "R", 1)]))
    refused("L001", lambda: Layout([[(2, "T", 1)]], [(2, "T", 0)]))
    assert Layout([[Digit(2, "T", 1)]]) == spatial(2)


def test_registers_that_leave_out_or_repeat_a_place() -> None:
    for dims in ([[(2, "T", 2)]], [[(2, "R", 1)], [(2, "R", 1)]], [[(2, "R", 1)], [(2, "R", 3)]]):
        text = refused("L002", lambda dims=dims: Layout(dims))
        assert "ordered by stride" in text
    refused("L002", lambda: Layout([[(2, "T", 1)]], [(2, "T", 1)]))


def test_registers_and_memory_do_not_mix() -> None:
    refused("L003", lambda: Layout([[(2, "B", 1)], [(2, "T", 1)]]))
    refused("L003", lambda: Layout([[(2, "B", 1)]], [(2, "T", 1)]))
    refused("L003", lambda: local(2) * row_major(2))
    refused("L003", lambda: row_major(2) / local(2))
    refused("L003", lambda: row_major(2, width=8) * row_major(2))
    refused("L003", lambda: row_major(2, width=8).ldiv(row_major(2, width=8)))
    refused("L003", lambda: local(2).bind((2,), 8))
    for ask in ("size_bits", "bit_offsets", "offset", "scaled", "swizzled"):
        refused("L003", lambda ask=ask: _used(local(2), ask))
    for ask in (
        "place",
        "owners",
        "at",
        "thread_slot_to_index",
        "thread_slot_to_flat",
        "places",
        "reduce",
        "view",
        "concat",
    ):
        refused("L003", lambda ask=ask: _used(row_major(2), ask))


def _used(layout: Layout, name: str) -> object:
    arguments: dict[str, tuple[object, ...]] = {
        "offset": ((0,),),
        "place": ((0,),),
        "owners": ((0,),),
        "at": (0, 0),
        "reduce": (0,),
        "view": (8, 4),
        "concat": (layout, 0),
        "scaled": (4,),
        "swizzled": (Xor(()),),
    }
    found = getattr(layout, name)
    return found(*arguments.get(name, ())) if callable(found) else found


def test_products_need_one_rank() -> None:
    refused("L004", lambda: local(2) * local(2, 2))
    refused("L004", lambda: local(2, 2) / local(2))
    with pytest.raises(TypeError):
        local(2) * 2  # type: ignore[operator]
    with pytest.raises(TypeError):
        local(2) / 2  # type: ignore[operator]


def test_a_failed_quotient_shows_both_digits_and_marks_the_first_that_differs() -> None:
    divisor = local(2, 1) * spatial(8, 4) * local(1, 4)
    text = refused("L005", lambda: MMA_A / (local(2, 1) * spatial(8, 4) * local(1, 4)))
    assert text.splitlines()[:4] == [
        f"error[L005]: {MMA_A} cannot be divided by {divisor}: dimension 0 does not end in its digits",
        "    dividend  2:R2 8:T4",
        "    divisor   2:R4 8:T4",
        "              ^^^^",
    ]
    text = refused("L005", lambda: MMA_A / (spatial(1, 4) * local(1, 4)))
    assert "    dividend  2:R4 4:T1 2:R1\n    divisor        4:T1 4:R1\n                        ^^^^" in text
    text = refused("L005", lambda: MMA_A.ldiv(local(2, 2)))
    assert "dimension 0 does not begin with its digits" in text
    assert "    dividend  2:R2 8:T4\n    divisor   2:R2\n              ^^^^" in text


def test_quotients_that_do_not_exist() -> None:
    refused("L005", lambda: local(2) / local(4))
    refused("L005", lambda: (rep(2) * local(2)) / (rep(4) * local(1)))
    refused("L005", lambda: (rep(2) * local(2)).ldiv(rep(4) * local(1)))
    refused("L005", lambda: spatial(2) / (rep(3) * local(1)))
    refused("L005", lambda: row_major(4, width=8) / row_major(2, width=4))
    refused("L005", lambda: row_major(4, width=8) / Layout([[(2, "B", 12)]], width=8))
    refused("L005", lambda: Layout([[(3, "B", 16), (1, "B", 1)]], width=9).ldiv(Layout([[(3, "B", 2)]])))
    refused("L023", lambda: row_major(64, 64).swizzled(Xor.between([(7, 10)])) / row_major(2, 2))


def test_dimensions_that_are_not_there() -> None:
    for ask in (
        lambda: local(2).reduce(1),
        lambda: local(2).squeeze(-2),
        lambda: local(2).unsqueeze(2),
        lambda: local(2).broadcast(1, 2),
        lambda: local(2).slice(1, 0, 1),
        lambda: local(2).concat(local(2), 1),
        lambda: local(2, 2).permute(0, 0),
        lambda: local(2, 2).permute(0),
        lambda: local().reduce(0),
    ):
        refused("L006", ask)


def test_dimensions_of_another_size() -> None:
    refused("L021", lambda: local(2).squeeze(0))
    refused("L021", lambda: local(2).broadcast(0, 2))


def test_reshapes_that_cut_a_digit_unevenly() -> None:
    assert "12 elements and the new shape 10" in refused("L007", lambda: local(12).reshape(2, 5))
    assert "unevenly" in refused("L007", lambda: (spatial(3) * local(4)).reshape(2, 6))
    refused("L007", lambda: (local(4) * spatial(3)).reshape(6, 2))


def test_slices_that_are_no_box_of_slots() -> None:
    assert "threads outside" in refused("L008", lambda: spatial(4).slice(0, 0, 2))
    assert "inside a digit" in refused("L008", lambda: (local(4) * spatial(2)).slice(0, 1, 2))
    refused("L008", lambda: local(4).slice(0, 2, 4))
    refused("L008", lambda: local(4).slice(0, 0, 0))
    refused("L008", lambda: local(4).slice(0, -1, 2))
    assert "swizzle" in refused(
        "L008", lambda: row_major(8, 64, width=16).swizzled(Xor.between([(7, 10)])).slice(0, 0, 4)
    )


def test_tiles_that_do_not_lie_side_by_side() -> None:
    refused("L009", lambda: spatial(4).concat(local(4), 0))
    refused("L009", lambda: local(4).concat(local(4, 1), 0))
    refused("L009", lambda: local(2, 2).concat(local(2, 3), 0))


def test_places_that_are_not_there() -> None:
    for ask in (
        lambda: local(2).place((2,)),
        lambda: local(2).place((0, 0)),
        lambda: local(2).owners((-1,)),
        lambda: row_major(2).offset((2,)),
        lambda: spatial(2).at(2, 0),
        lambda: spatial(2).at(0, 1),
        lambda: spatial(2).at(-1, 0),
    ):
        refused("L010", ask)


def test_a_broadcast_has_no_inverse() -> None:
    for ask in ("at", "thread_slot_to_index", "thread_slot_to_flat"):
        refused("L011", lambda ask=ask: _used(local(1).broadcast(0, 4), ask))


def test_derived_views_that_leave_a_rest() -> None:
    assert "3 x 8 = 24 bits" in refused("L012", lambda: (spatial(8) * local(3)).view(8, 16))
    refused("L012", lambda: (column_local(3, 2) * spatial(1, 8)).view(8, 16))
    refused("L012", lambda: rep(4).view(8, 4))
    assert rep(4).view(8, 8) == rep(4)


def test_sizes_that_are_none() -> None:
    for ask in (
        lambda: local(0),
        lambda: spatial(-1),
        lambda: column_major(2.5),  # type: ignore[arg-type]
        lambda: local(True),
        lambda: rep(0),
        lambda: row_major(2, width=0),
        lambda: strides(-1),
        lambda: blocks(0),
        lambda: local(1).broadcast(0, 0),
        lambda: ROW_MAJOR.bind((0, 4), 8),
        lambda: local(4).view(8, 0),
        lambda: row_major(4).scaled(0),
    ):
        refused("L015", ask)


def test_patterns_that_do_not_fit_the_shape() -> None:
    assert "pad the tensor" in refused("L016", lambda: blocks(16, 16).bind((24, 16), 4))
    refused("L016", lambda: blocks(16, 16).bind((16,), 4))
    refused("L016", lambda: strides(4, 1).bind((4,), 4))
    refused("L016", lambda: swizzle(3, 4, 3).bind((3, 8), 8))
    refused("L016", lambda: blocks(16, 8) * MMA_A)
    refused("L016", lambda: blocks(16, 8) * local(16))
    refused("L016", lambda: (blocks(16, 16) * MMA_A) * MMA_A)
    refused("L016", lambda: (blocks(32, 16) * MMA_A).bind((64, 64), 4))
    refused("L016", lambda: packed(rep(2) * local(4)))
    refused("L016", lambda: packed(local(1).broadcast(0, 2)))
    refused("L016", lambda: row_major(4, 4).bind((4, 8), 8))
    refused("L016", lambda: row_major(4, 4, width=4).bind((4, 4), 8))
    refused("L003", lambda: packed(row_major(4)))
    with pytest.raises(TypeError):
        blocks(4) * 2  # type: ignore[operator]


def test_swizzles_that_are_none() -> None:
    for numbers in ((3, 4, 2), (-1, 4, 3), (1, -1, 3), (0, 0, -1)):
        refused("L017", lambda numbers=numbers: swizzle(*numbers))


def test_swizzles_that_would_tear_elements() -> None:
    refused("L018", lambda: swizzle(3, 4, 3).bind((64, 64), 6))
    refused("L018", lambda: swizzle(2, 0, 3).bind((64, 64), 16))


def test_products_that_cannot_keep_a_swizzle() -> None:
    swizzled = row_major(8, 64, width=16).swizzled(Xor.between([(7, 10)]))
    refused("L023", lambda: row_major(2, 2) * row_major(1, 40, width=16).swizzled(Xor.between([(7, 9)])))
    refused("L023", lambda: row_major(8, 8).swizzled(Xor.between([(2, 4)])) * row_major(3, 1))
    refused("L023", lambda: row_major(8, 8).swizzled(Xor.between([(2, 4)])) * swizzled)


@pytest.mark.parametrize("layout", [local(3), spatial(6), Layout([[(4, "B", 48)], [(2, "B", 16)]], width=16)], ids=str)
def test_layouts_that_are_not_linear_have_no_matrix(layout: Layout) -> None:
    refused("L020", layout.f2)
