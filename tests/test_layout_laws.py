"""The laws of the layout algebra, each stated as a property of drawn layouts.

``relation`` says what a layout means straight from the definition, element by element, apart from the code under test.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import product
from math import prod

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from strategies import factorisations, memory_layouts, register_layouts, swizzles

from tilevm.access import access
from tilevm.errors import LayoutError
from tilevm.layout import Layout, Xor
from tilevm.layout_constructors import column_local, column_major, column_spatial, local, rep, row_major, spatial, warps
from tilevm.layout_view import check_view

laws = settings(max_examples=60, deadline=None)


def digits_of(index: int, sizes: list[int]) -> list[int]:
    found = []
    for size in reversed(sizes):
        found.append(index % size)
        index //= size
    return found[::-1]


def relation(layout: Layout) -> frozenset[tuple[tuple[int, ...], str, int, int]]:
    """Every (element, kind, thread or bit, slot), replicas included, by the definition."""
    found = set()
    for index in product(*map(range, layout.shape)):
        moved = {"T": 0, "R": 0, "B": 0, "-": 0}
        for dim, i in zip(layout.dims, index, strict=True):
            for digit, value in zip(dim, digits_of(i, [d.size for d in dim]), strict=True):
                moved[digit.axis] += value * digit.stride
        if layout.is_memory:
            offset = moved["B"]
            for target, sources in layout.xor.terms if layout.xor else ():
                offset ^= (moved["B"] & sources).bit_count() % 2 << target
            found.add((index, f"memory {layout.width}", offset, 0))
        for steps in product(*(range(d.size) for d in layout.rep)) if layout.is_register else ():
            thread = moved["T"] + sum(k * d.stride for k, d in zip(steps, layout.rep, strict=True))
            found.add((index, "register", thread, moved["R"]))
    return frozenset(found)


def attempt(ask: Callable[[], Layout]) -> tuple[Layout | None, str]:
    """What a call gives, or None and the code of its error."""
    try:
        return ask(), ""
    except LayoutError as error:
        return None, error.code


# Canonical form


def test_layouts_are_equal_exactly_when_they_are_the_same_map() -> None:
    atoms = [
        f(*s) for f in (local, spatial, column_local, column_spatial) for s in ((2, 1), (1, 2), (2, 2), (3, 1), (4, 1))
    ]
    atoms += [rep(2), row_major(2, 2), column_major(2, 2), row_major(1, 1)]
    found = {}
    for length in (1, 2, 3):
        for factors in product(atoms, repeat=length):
            if len({f.is_memory for f in factors}) == 1 and (length < 3 or factors[1] in atoms[::4]):
                result = factors[0]
                for factor in factors[1:]:
                    result = result * factor
                found.setdefault(result, []).append(result)
    assert len(found) > 500
    maps = {(layout.shape, relation(layout)) for layout in found}
    assert len(maps) == len(found)


@given(register_layouts(), st.data())
@laws
def test_splitting_digits_keeps_the_layout(layout: Layout, data: st.DataObject) -> None:
    def split(digits: tuple) -> list:
        result = []
        for size, axis, stride in digits:
            for part in data.draw(factorisations(size)):
                size //= part
                result.append((part, axis, stride * size))
        return result

    same_layout = Layout(tuple(tuple(split(dim)) for dim in layout.dims), tuple(split(layout.rep)[::-1]))
    assert same_layout == layout
    assert hash(same_layout) == hash(layout)


def test_swizzled_layouts_are_equal_exactly_when_they_are_the_same_map() -> None:
    plain = [
        row_major(4, 8, width=32),
        row_major(4, 4, width=64),
        column_major(4, 8, width=32),
        row_major(8, 4, width=32),
    ]
    plain.append(Layout([[(2, "B", 512), (2, "B", 256)], [(4, "B", 32)]], width=32))
    plain.append(Layout([[(2, "B", 768), (2, "B", 256)], [(4, "B", 32)]], width=32))
    pairs = list(product((6, 7), (8, 9, 10)))
    layouts = [
        layout.swizzled(Xor.between(p for i, p in enumerate(pairs) if chosen >> i & 1))
        for layout in plain
        for chosen in range(64)
    ]
    assert len(set(layouts)) == len({(layout.shape, relation(layout)) for layout in layouts})
    assert len(set(layouts)) < len(layouts)


@given(register_layouts(replicas=True))
@laws
def test_compact_layouts_fill_every_thread_and_slot_once(layout: Layout) -> None:
    held = sorted((thread, slot) for _, _, thread, slot in relation(layout))
    assert held == [(t, s) for t in range(layout.threads) for s in range(layout.slots)]


@given(register_layouts())
@laws
def test_at_undoes_place(layout: Layout) -> None:
    for index in product(*map(range, layout.shape)):
        _, slot = layout.place(index)
        assert all(layout.at(thread, slot) == index for thread in layout.owners(index))


@given(register_layouts())
@laws
def test_tables_say_what_at_and_place_say(layout: Layout) -> None:
    table, flat = layout.thread_slot_to_index(), layout.thread_slot_to_flat()
    threads, slots = layout.places()
    for thread, slot in product(range(layout.threads), range(layout.slots)):
        index = layout.at(thread, slot)
        assert tuple(table[thread, slot]) == index
        assert flat[thread, slot] == np.ravel_multi_index(index, layout.shape)
        assert (threads[index], slots[index]) == layout.place(index)


@given(memory_layouts(), swizzles(range(7, 9), range(9, 14)))
@laws
def test_offsets_are_those_of_the_definition(layout: Layout, xor: Xor) -> None:
    assume(128 % layout.width == 0)
    swizzled, code = attempt(lambda: layout.swizzled(xor))
    assert swizzled is not None or code == "L018"
    layout = swizzled or layout
    offsets = layout.bit_offsets()
    for index, _, offset, _ in relation(layout):
        assert offsets[index] == layout.offset(index) == offset
        assert offset + layout.width <= layout.size_bits
    assert len(set(offsets.ravel().tolist())) == prod(layout.shape)


# Products


@given(register_layouts(rank=2), register_layouts(rank=2), register_layouts(rank=2, digits=2))
@laws
def test_the_product_is_associative(a: Layout, b: Layout, c: Layout) -> None:
    assert (a * b) * c == a * (b * c)


@given(memory_layouts(rank=2, widths=(1,)), memory_layouts(rank=2, widths=(1,)), memory_layouts(rank=2, digits=2))
@laws
def test_the_product_of_memory_layouts_is_associative(a: Layout, b: Layout, c: Layout) -> None:
    assert (a * b) * c == a * (b * c)


@given(register_layouts(rank=2))
@laws
def test_one_element_is_the_unit(layout: Layout) -> None:
    for unit in (local(), local(1, 1), spatial(1, 1), rep(1)):
        assert unit * layout == layout == layout * unit


@given(
    st.integers(1, 2).flatmap(
        lambda rank: st.tuples(register_layouts(rank=rank), register_layouts(rank=rank, digits=3))
    )
)
@laws
def test_the_product_is_the_formula_at_every_element(pair: tuple[Layout, Layout]) -> None:
    outer, inner = pair
    whole = outer * inner
    for i, j in product(product(*map(range, outer.shape)), product(*map(range, inner.shape))):
        index = tuple(a * n + b for a, n, b in zip(i, inner.shape, j, strict=True))
        threads = {o * inner.threads + p for o in outer.owners(i) for p in inner.owners(j)}
        assert set(whole.owners(index)) == threads
        assert whole.place(index)[1] == outer.place(i)[1] * inner.slots + inner.place(j)[1]


@given(memory_layouts(rank=2, widths=(1,)), memory_layouts(rank=2, digits=3))
@laws
def test_the_product_in_memory_is_the_formula_at_every_element(outer: Layout, inner: Layout) -> None:
    whole = outer * inner
    expected = outer.bit_offsets()[:, None, :, None] * inner.size_bits + inner.bit_offsets()[None, :, None, :]
    assert (whole.bit_offsets() == expected.reshape(whole.shape)).all()
    assert whole.size_bits == outer.size_bits * inner.size_bits


@given(
    memory_layouts(rank=2, widths=(1,), sizes=(2, 4)), memory_layouts(rank=2, widths=(16,), padded=False), swizzles()
)
@laws
def test_a_product_keeps_the_swizzle_of_a_factor(outer: Layout, inner: Layout, xor: Xor) -> None:
    inner_blocks = max(xor.block, 1 << xor.sources.bit_length())
    if inner.size_bits % inner_blocks == 0:
        whole = outer * inner.swizzled(xor)
        expected = outer.bit_offsets()[:, None, :, None] * inner.size_bits + inner.swizzled(xor).bit_offsets()[:, None]
        assert (whole.bit_offsets() == expected.reshape(whole.shape)).all()
    if inner.size_bits & (inner.size_bits - 1) == 0:
        moved = outer.swizzled(Xor.between(((0, 2),)))
        expected = moved.bit_offsets()[:, None, :, None] * inner.size_bits + inner.bit_offsets()[:, None]
        assert ((moved * inner).bit_offsets() == expected.reshape((moved * inner).shape)).all()


@given(register_layouts(rank=2), register_layouts(rank=2))
@laws
def test_sizes_multiply_on_each_axis(a: Layout, b: Layout) -> None:
    assert (a * b).threads == a.threads * b.threads
    assert (a * b).slots == a.slots * b.slots
    assert (a * b).shape == tuple(m * n for m, n in zip(a.shape, b.shape, strict=True))


@given(st.integers(1, 3), st.integers(1, 4), st.integers(1, 4))
@laws
def test_constructors_of_one_axis_multiply(rank: int, m: int, n: int) -> None:
    for constructor in (local, spatial, row_major, column_local, column_spatial, column_major, warps):
        assert constructor(m) * constructor(n) == constructor(m * n)
    assert rep(m) * rep(n) == rep(m * n)
    assert rep(m) * local(n) == local(n) * rep(m)
    assert warps(m, n) == spatial(m, n)


@given(st.integers(1, 4), st.integers(1, 4))
@laws
def test_factors_on_different_dimensions_and_axes_commute(m: int, n: int) -> None:
    for first, second in (
        (local(m, 1), spatial(1, n)),
        (local(1, m), spatial(n, 1)),
        (column_local(m, 1), spatial(1, n)),
    ):
        assert first * second == second * first


# Quotients


@given(register_layouts(rank=2), register_layouts(rank=2))
@laws
def test_division_undoes_the_product(a: Layout, b: Layout) -> None:
    assert (a * b) / b == a
    assert (a * b).ldiv(a) == b


@given(memory_layouts(rank=2, widths=(1,)), memory_layouts(rank=2))
@laws
def test_division_undoes_the_product_in_memory(a: Layout, b: Layout) -> None:
    assert (a * b) / b == a
    assert (a * b).ldiv(a) == b


SMALL = [
    *(f(*s) for f in (local, spatial, column_local, column_spatial) for s in ((1, 1), (2, 1), (1, 2), (2, 2), (4, 2))),
    rep(2) * local(2, 1),
    local(2, 1) * rep(2),
    rep(4) * spatial(1, 2),
]


@pytest.mark.parametrize("b", SMALL, ids=str)
def test_a_quotient_exists_exactly_when_its_product_gives_the_dividend(b: Layout) -> None:
    wholes = {x * y for x, y in product(SMALL, repeat=2)}
    for divide, multiply in ((Layout.__truediv__, lambda x: x * b), (Layout.ldiv, lambda x: b * x)):
        known = {multiply(x): x for x in wholes}
        assert len(known) == len(wholes)
        for whole in wholes:
            quotient, code = attempt(partial(divide, whole, b))
            if quotient is None:
                assert code == "L005"
                assert whole not in known
            else:
                assert multiply(quotient) == whole
                assert known.get(whole, quotient) == quotient


@given(register_layouts(rank=2, digits=3), register_layouts(rank=2, digits=3), register_layouts(rank=2, digits=3))
@laws
def test_dividing_by_a_product_is_dividing_twice(a: Layout, b: Layout, c: Layout) -> None:
    whole = a * b * c
    assert whole / (b * c) == (whole / c) / b
    assert whole.ldiv(a * b) == whole.ldiv(a).ldiv(b)


# Dimensions


@given(register_layouts(rank=3, digits=3), register_layouts(rank=3, digits=3), st.permutations(range(3)))
@laws
def test_permute_distributes_over_the_product(a: Layout, b: Layout, order: list[int]) -> None:
    assert (a * b).permute(*order) == a.permute(*order) * b.permute(*order)
    assert relation(a.permute(*order)) == {(tuple(i[d] for d in order), *rest) for i, *rest in relation(a)}
    assert a.permute(*order).permute(*(order.index(d) for d in range(3))) == a


@given(register_layouts(rank=2), register_layouts(rank=2), st.integers(0, 1))
@laws
def test_reduce_distributes_over_the_product(a: Layout, b: Layout, dim: int) -> None:
    assert (a * b).reduce(dim) == a.reduce(dim) * b.reduce(dim)


@given(register_layouts(rank=3))
@laws
def test_reduces_commute_are_idempotent_and_keep_the_threads(layout: Layout) -> None:
    for first, second in product(range(3), repeat=2):
        assert layout.reduce(first).reduce(second) == layout.reduce(second).reduce(first)
    for dim in range(3):
        assert layout.reduce(dim).reduce(dim) == layout.reduce(dim)
        assert layout.reduce(dim).threads == layout.threads


@given(register_layouts(rank=2), st.integers(0, 1))
@laws
def test_a_reduced_element_is_held_by_all_who_held_its_sources(layout: Layout, dim: int) -> None:
    reduced = layout.reduce(dim)
    held: dict[tuple[int, ...], set[int]] = {}
    for index, _, thread, _ in relation(layout):
        held.setdefault(tuple(0 if d == dim else i for d, i in enumerate(index)), set()).add(thread)
    assert held == {index: set(reduced.owners(index)) for index in held}


@given(register_layouts(rank=2))
@laws
def test_reduced_slots_keep_their_order(layout: Layout) -> None:
    reduced = layout.reduce(1)
    first = [layout.place((i, 0))[1] for i in range(layout.shape[0])]
    after = [reduced.place((i, 0))[1] for i in range(layout.shape[0])]
    ranks = {slot: number for number, slot in enumerate(sorted(set(first)))}
    assert after == [ranks[slot] for slot in first]


@given(register_layouts(sizes=(2, 4, 8)), st.data())
@laws
def test_reshape_and_back_is_the_identity(layout: Layout, data: st.DataObject) -> None:
    shape = data.draw(factorisations(prod(layout.shape)))
    other = layout.reshape(*shape)
    assert other.reshape(*layout.shape) == layout
    flat = {(np.ravel_multi_index(i, layout.shape) if i else 0, *rest) for i, *rest in relation(layout)}
    assert flat == {(np.ravel_multi_index(i, other.shape) if i else 0, *rest) for i, *rest in relation(other)}


@given(register_layouts(rank=2), st.integers(0, 2))
@laws
def test_squeeze_undoes_unsqueeze(layout: Layout, dim: int) -> None:
    wider = layout.unsqueeze(dim)
    assert wider.shape == (*layout.shape[:dim], 1, *layout.shape[dim:])
    assert wider.squeeze(dim) == layout


@given(register_layouts(rank=1), st.integers(1, 4))
@laws
def test_broadcast_elements_share_the_place_of_their_source(layout: Layout, size: int) -> None:
    wide = layout.unsqueeze(1).broadcast(1, size)
    assert relation(wide) == {((i, j), *rest) for (i,), *rest in relation(layout) for j in range(size)}
    assert wide.reduce(1) == layout.unsqueeze(1)


@given(register_layouts(rank=2), st.data())
@laws
def test_a_slice_holds_the_elements_of_its_range_in_the_same_threads_and_order(
    layout: Layout, data: st.DataObject
) -> None:
    dim = data.draw(st.integers(0, 1))
    size = data.draw(st.integers(1, layout.shape[dim]))
    start = data.draw(st.integers(0, layout.shape[dim] - size))
    part, code = attempt(lambda: layout.slice(dim, start, size))
    if part is None:
        assert code == "L008"
        return
    kept = {}
    for index, _, thread, slot in relation(layout):
        if start <= index[dim] < start + size:
            kept[tuple(i - start * (d == dim) for d, i in enumerate(index)), thread] = slot
    ranks = {slot: number for number, slot in enumerate(sorted(set(kept.values())))}
    assert {(i, "register", t, ranks[s]) for (i, t), s in kept.items()} == relation(part)


@given(register_layouts(rank=2), st.integers(1, 3), st.integers(1, 3), st.integers(0, 1))
@laws
def test_concat_puts_tiles_side_by_side_and_slices_take_them_apart(tile: Layout, m: int, n: int, dim: int) -> None:
    along = [local(*(count if d == dim else 1 for d in range(2))) * tile for count in (m, n)]
    whole = along[0].concat(along[1], dim)
    assert whole.slots == along[0].slots + along[1].slots
    for layout, start, slots in ((along[0], 0, 0), (along[1], along[0].shape[dim], along[0].slots)):
        for index in product(*map(range, layout.shape)):
            moved = tuple(i + start * (d == dim) for d, i in enumerate(index))
            assert whole.owners(moved) == layout.owners(index)
            assert whole.place(moved)[1] == layout.place(index)[1] + slots


@given(memory_layouts(rank=2), st.data())
@laws
def test_a_slice_of_memory_is_relative_to_its_first_element(layout: Layout, data: st.DataObject) -> None:
    dim = data.draw(st.integers(0, 1))
    size = data.draw(st.integers(1, layout.shape[dim]))
    start = data.draw(st.integers(0, layout.shape[dim] - size))
    part, code = attempt(lambda: layout.slice(dim, start, size))
    if part is None:
        assert code == "L008"
        return
    expected = np.take(layout.bit_offsets(), range(start, start + size), axis=dim)
    assert (part.bit_offsets() == expected - expected[0, 0]).all()


# Views


@given(
    register_layouts(rank=2, sizes=(2, 3, 4, 8)),
    st.sampled_from([1, 2, 3, 4, 6, 8, 16, 32]),
    st.sampled_from([1, 2, 3, 4, 6, 8, 16, 32]),
)
@laws
def test_a_view_keeps_the_bits_of_each_thread_and_view_back_is_the_identity(layout: Layout, a: int, b: int) -> None:
    other, code = attempt(lambda: layout.view(a, b))
    if other is None:
        assert code == "L012"
        return
    assert other.threads == layout.threads
    assert other.slots * b == layout.slots * a
    first = next((digit.size for dim in layout.dims for digit in dim if digit[1:] == ("R", 1)), 1)
    if first * a > b or layout.slots == 1:
        assert other.view(b, a) == layout
    check_view(layout, a, other, b)
    check_view(other, b, layout, a)


# Over GF(2)


def bits_of(number: int, count: int) -> np.ndarray:
    return np.array([number >> bit & 1 for bit in range(count)], np.uint8)


@given(register_layouts(sizes=(2, 4)))
@laws
def test_the_matrix_over_gf2_gives_every_place(layout: Layout) -> None:
    matrix = layout.f2()
    for index in product(*map(range, layout.shape)):
        flat = int(np.ravel_multi_index(index, layout.shape)) if index else 0
        thread, slot = layout.place(index)
        expected = bits_of(thread * layout.slots + slot, matrix.shape[0])
        assert (matrix @ bits_of(flat, matrix.shape[1]) % 2 == expected).all()


@given(memory_layouts(sizes=(2, 4), widths=(16,), padded=False, digits=6), swizzles())
@laws
def test_the_matrix_over_gf2_gives_every_offset(layout: Layout, xor: Xor) -> None:
    layout = layout.swizzled(xor)
    matrix = layout.f2()
    for flat, offset in enumerate(layout.bit_offsets().ravel().tolist()):
        assert (matrix @ bits_of(flat, matrix.shape[1]) % 2 == bits_of(offset, matrix.shape[0])).all()


@given(register_layouts(rank=1, sizes=(2, 4), replicas=False), register_layouts(rank=1, sizes=(2, 4), replicas=False))
@laws
def test_the_matrix_of_a_product_is_block_diagonal(a: Layout, b: Layout) -> None:
    whole, inner, outer = (a * b).f2(), b.f2(), a.f2()
    slots, threads = (b.slots.bit_length() - 1, b.threads.bit_length() - 1)
    more = a.slots.bit_length() - 1
    # The bits of a place are slots, then threads, and in each the inner factor's are the lower ones.
    of_inner = [*range(slots), *range(slots + more, slots + more + threads)]
    of_outer = [row for row in range(len(whole)) if row not in of_inner]
    columns = inner.shape[1]
    assert (whole[of_inner, :columns] == inner).all()
    assert (whole[of_outer, columns:] == outer).all()
    assert not whole[of_inner, columns:].any()
    assert not whole[of_outer, :columns].any()


# Access


@given(register_layouts(sizes=(2, 4), replicas=True), st.data())
@laws
def test_an_access_is_the_memory_of_what_each_thread_holds(layout: Layout, data: st.DataObject) -> None:
    memory = data.draw(memory_layouts(shape=layout.shape))
    found = access(layout, memory)
    for thread, slot in product(range(layout.threads), range(layout.slots)):
        offset = memory.offset(layout.at(thread, slot))
        assert found.offset(thread, slot) == found.offsets()[thread, slot] == offset
