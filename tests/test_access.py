"""Vector widths, bank conflicts and shared bytes, each against a count that goes thread by thread and bit by bit."""

from __future__ import annotations

from math import gcd

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from strategies import memory_layouts, register_layouts, swizzles

from tilevm.access import Access, Vectors, access, byte_clash, vector_width, vectorise, wavefronts
from tilevm.digits import refined
from tilevm.errors import LayoutError
from tilevm.layout import Layout, Xor
from tilevm.layout_constructors import column_major, local, rep, row_major, spatial

many = settings(max_examples=150, deadline=None)


def words_of(offsets: np.ndarray, width: int, unit: int) -> frozenset[tuple[tuple[int, int], ...]] | None:
    """A thread's bits as whole aligned words, each as (slot, bit) pairs in order; None where a word has a hole."""
    bits: dict[int, tuple[int, int]] = {}
    for slot, offset in enumerate(offsets.tolist()):
        for bit in range(width):
            bits[offset + bit] = (slot, bit)
    words = {place // unit * unit for place in bits}
    if any(place not in bits for word in words for place in range(word, word + unit)):
        return None
    return frozenset(tuple(bits[word + step] for step in range(unit)) for word in words)


def widest(found: Access, alignment: int) -> int:
    """The widest unit such that in every thread the same slots make whole aligned words, by trying each."""
    offsets = found.offsets()
    for unit in (128, 64, 32, 16, 8):
        if alignment % unit == 0:
            words = {words_of(row, found.width, unit) for row in offsets}
            if len(words) == 1 and words != {None}:
                return unit
    return 0


@given(st.data(), st.sampled_from([128, 128, 64, 16, 8]))
@many
def test_the_vector_width_is_the_widest_that_covers_whole_words(data: st.DataObject, alignment: int) -> None:
    layout = data.draw(register_layouts(sizes=(2, 4, 8), digits=5))
    memory = data.draw(memory_layouts(shape=layout.shape, widths=(3, 4, 6, 8, 16, 32)))
    found = access(layout, memory)
    unit = vectorise(found, alignment=alignment).unit
    assert (unit if unit >= 8 else 0) == widest(found, alignment)


@given(st.data())
@many
def test_the_vector_width_under_a_swizzle_covers_whole_words(data: st.DataObject) -> None:
    layout = data.draw(register_layouts(sizes=(2, 4, 8), digits=6))
    memory = data.draw(memory_layouts(shape=layout.shape, widths=(4, 8, 16), padded=False))
    found = access(layout, memory.swizzled(data.draw(swizzles(range(5, 7), range(7, 10)))))
    vectors = vectorise(found)
    covers_whole_groups(found, vectors)


def covers_whole_groups(found: Access, vectors: Vectors) -> None:
    """Each slot is in one group; each group is one run in memory, which starts at a multiple of the unit."""
    assert sorted(slot for group in vectors.groups for slot in group) == list(range(found.slots))
    for group in vectors.groups:
        assert len(group) * found.width == vectors.chunk
        assert vectors.chunk % vectors.unit == 0
        places = found.offsets()[:, list(group)]
        assert (places - places[:, :1] == np.arange(len(group)) * found.width).all()
        assert (places[:, 0] % vectors.unit == 0).all()


@given(st.data())
@many
def test_groups_are_runs_of_memory(data: st.DataObject) -> None:
    layout = data.draw(register_layouts(sizes=(2, 3, 4), digits=5))
    memory = data.draw(memory_layouts(shape=layout.shape, widths=(3, 4, 6, 8, 16, 32)))
    assume(all(refined(*pair) is not None for pair in zip(layout.dims, memory.dims, strict=True)))
    found = access(layout, memory)
    covers_whole_groups(found, vectorise(found))


@given(st.data())
@many
def test_a_guarded_vector_is_all_inside_or_all_outside(data: st.DataObject) -> None:
    layout = data.draw(register_layouts(rank=2, sizes=(2, 4, 8), digits=5))
    memory = data.draw(memory_layouts(shape=layout.shape, widths=(8,), padded=False))
    extents = data.draw(st.tuples(st.integers(1, 40), st.integers(1, 40)))
    starts = data.draw(st.tuples(st.integers(0, 40), st.integers(0, 40)))
    vectors = vectorise(access(layout, memory), guards={d: gcd(extents[d], starts[d]) for d in range(2)})
    table = layout.thread_slot_to_index()
    inside = ((table + np.array(starts)) < np.array(extents)).all(axis=2)
    for group in vectors.groups:
        held = inside[:, list(group)]
        assert (held.all(axis=1) == held.any(axis=1)).all()


def test_a_guard_that_divides_costs_nothing() -> None:
    found = access(spatial(4, 8) * local(1, 8), row_major(4, 64, width=16))
    assert vectorise(found, guards={0: 1, 1: 8}).unit == 128
    assert vectorise(found, guards={0: 1, 1: 4}).unit == 64
    assert vectorise(found, guards={0: 1, 1: 1}).unit == 16


@pytest.mark.parametrize(
    ("layout", "memory", "unit", "chunk"),
    [
        (local(16), row_major(16, width=6), 32, 96),
        (local(4), row_major(4, width=6), 8, 24),
        (local(2), row_major(2, width=6), 4, 12),
        (spatial(32) * local(2), row_major(64, width=4), 8, 8),
        (local(4, 1) * spatial(1, 32), row_major(4, 32, width=32), 32, 32),
        (local(8, 1), column_major(8, 1, width=16), 128, 128),
        (rep(4) * local(4), row_major(4, width=32), 128, 128),
    ],
)
def test_vector_widths_of_known_tiles(layout: Layout, memory: Layout, unit: int, chunk: int) -> None:
    vectors = vectorise(access(layout, memory))
    assert (vectors.unit, vectors.chunk) == (unit, chunk)
    assert vector_width(layout, memory) == unit
    assert vectors.instructions * unit == layout.slots * memory.width


def test_a_broadcast_in_memory_is_loaded_once_for_each_slot() -> None:
    memory = Layout([[(4, "-", 0)], [(2, "B", 32)]], width=32)
    vectors = vectorise(access(local(4, 2), memory))
    assert vectors.unit == 64
    assert len(vectors.groups) == 4


# Bank conflicts


def passes(found: Access, vectors: Vectors) -> int:
    """The passes of every request, by the definition, with sets of words."""
    unit, total = vectors.unit, 0
    threads = 32 if unit <= 32 else 1024 // unit
    for first in range(0, found.threads, threads):
        for group in vectors.groups:
            for piece in range(0, vectors.chunk, unit):
                banks: dict[int, set[int]] = {}
                for thread in range(first, min(first + threads, found.threads)):
                    start = found.offset(thread, group[0]) + piece
                    for word in range(start // 32, (start + unit - 1) // 32 + 1):
                        banks.setdefault(word % 32, set()).add(word)
                total += max(map(len, banks.values()))
    return total


@given(st.data())
@settings(max_examples=50, deadline=None)
def test_wavefronts_are_the_most_words_in_one_bank(data: st.DataObject) -> None:
    layout = data.draw(register_layouts(sizes=(2, 4, 8), digits=5))
    memory = data.draw(memory_layouts(shape=layout.shape, widths=(8, 16, 32)))
    assume(layout.threads <= 256)
    found = access(layout, memory)
    vectors = vectorise(found)
    counted = wavefronts(found)
    assert counted.actual == passes(found, vectors)
    assert counted.ideal <= counted.actual


@pytest.mark.parametrize(
    ("row", "expected"),
    [(32, 32), (33, 1), (34, 2), (36, 4), (40, 8), (48, 16)],
)
def test_a_column_of_words_conflicts_by_the_common_factor_of_its_stride(row: int, expected: int) -> None:
    column = Layout([[(32, "B", row * 32)]], width=32)
    assert wavefronts(access(spatial(32), column)).actual == expected


# Bytes with two owners


@given(st.data())
@settings(max_examples=80, deadline=None)
def test_a_byte_clash_is_a_byte_that_two_threads_write(data: st.DataObject) -> None:
    layout = data.draw(register_layouts(sizes=(2, 4), digits=4, replicas=False))
    memory = data.draw(memory_layouts(shape=layout.shape, widths=(1, 3, 4, 6, 8)))
    found = access(layout, memory)
    writers: dict[int, set[int]] = {}
    for thread in range(layout.threads):
        for slot in range(layout.slots):
            for bit in range(memory.width):
                writers.setdefault((found.offset(thread, slot) + bit) // 8, set()).add(thread)
    clash = byte_clash(found)
    shared = {byte for byte, threads in writers.items() if len(threads) > 1}
    if clash is None:
        assert not shared
    else:
        byte, first, second = clash
        assert byte in shared
        assert {first, second} <= writers[byte]


def test_replicas_do_not_clash_with_each_other() -> None:
    assert byte_clash(access(rep(2) * local(2), row_major(2, width=4))) is None
    assert byte_clash(access(rep(2) * spatial(2), row_major(2, width=4))) == (0, 0, 1)


# What is refused


def test_access_needs_one_shape_and_common_digits() -> None:
    with pytest.raises(LayoutError) as error:
        access(spatial(4, 8), row_major(8, 4))
    assert error.value.code == "L019"
    with pytest.raises(LayoutError) as error:
        access(local(2) * spatial(3), Layout([[(3, "B", 32), (2, "B", 8)]], width=8))
    assert error.value.code == "L019"
    assert "dimension 0" in str(error.value)


def test_access_needs_registers_and_memory() -> None:
    for pair in ((row_major(4), row_major(4)), (local(4), local(4))):
        with pytest.raises(LayoutError) as error:
            access(*pair)
        assert error.value.code == "L003"
    with pytest.raises(LayoutError) as error:
        access(local(1).broadcast(0, 4), row_major(4))
    assert error.value.code == "L011"


def test_offsets_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="read-only"):
        access(local(4), row_major(4)).offsets()[0] = 1


def test_a_swizzle_caps_the_run_at_its_base() -> None:
    memory = row_major(16, 64, width=16)
    layout = spatial(16, 1) * local(1, 64)
    assert vectorise(access(layout, memory)).chunk == 128
    assert vectorise(access(layout, memory.swizzled(Xor.between([(5, 10)])))).unit == 32
