"""Swizzles: the closed form against counting, the search against enumeration, and the textbook's answers."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from strategies import memory_layouts, register_layouts, swizzles

from tilevm.access import access, vectorise, wavefronts
from tilevm.errors import LayoutError
from tilevm.layout import Layout, Xor
from tilevm.layout_constructors import local, row_major, spatial
from tilevm.memory_pattern import swizzle
from tilevm.swizzle import (
    HARDWARE_SWIZZLES,
    chunk_rows,
    ldmatrix_rows,
    linear_wavefronts,
    padded_row_bits,
    synthesise_swizzle,
)
from tilevm.xor_map import rank


def counted(memory: Layout, layouts: list[Layout], xor: Xor) -> int:
    """The passes of all accesses, counted thread by thread, with the instructions of the plain memory."""
    return sum(
        wavefronts(access(layout, memory.swizzled(xor)), vectorise(access(layout, memory))).actual for layout in layouts
    )


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_the_closed_form_counts_what_the_banks_do(data: st.DataObject) -> None:
    layout = data.draw(register_layouts(sizes=(2, 4, 8), digits=6))
    memory = data.draw(memory_layouts(shape=layout.shape, widths=(8, 16, 32), padded=False))
    xor = data.draw(swizzles())
    vectors = vectorise(access(layout, memory))
    assume(vectors.unit >= 32)
    assert linear_wavefronts(memory.swizzled(xor), layout) == counted(memory, [layout], xor)


@pytest.mark.parametrize("columns", [16, 32, 64])
def test_the_textbook_swizzles_are_found(columns: int) -> None:
    memory = row_major(64, columns, width=16)
    choice = synthesise_swizzle(memory, [chunk_rows(memory), ldmatrix_rows(memory)])
    bits = {16: 1, 32: 2, 64: 3}[columns]
    assert choice.xor == HARDWARE_SWIZZLES[bits] == swizzle(bits, 4, 3).bind((64, columns), 16).xor
    assert choice.actual == choice.ideal


def matrices(rows: int, columns: int) -> list[Xor]:
    """Every swizzle of the first chunk bits by the bits above them."""
    return [
        Xor.between(
            (7 + i, 10 + j) for (i, j), taken in zip(product(range(rows), range(columns)), bits, strict=True) if taken
        )
        for bits in product((0, 1), repeat=rows * columns)
    ]


@pytest.mark.parametrize(
    ("shape", "width", "layouts"),
    [
        ((16, 16), 32, [spatial(16, 1) * local(1, 16)]),
        ((8, 64), 16, [local(1, 8) * spatial(8, 1) * local(1, 8), local(4, 1) * spatial(2, 16) * local(1, 4)]),
        (
            (16, 32),
            16,
            [spatial(16, 2) * local(1, 16), spatial(8, 4) * local(2, 8), local(8, 1) * spatial(2, 16) * local(1, 2)],
        ),
        ((8, 64), 8, [spatial(8, 4) * local(1, 16), local(1, 2) * spatial(8, 4) * local(1, 8)]),
    ],
)
def test_the_search_finds_what_enumeration_finds(shape: tuple[int, int], width: int, layouts: list[Layout]) -> None:
    memory = row_major(*shape, width=width)
    choice = synthesise_swizzle(memory, layouts)
    found = choice.xor or Xor(())
    high = (memory.size_bits - 1).bit_length() - 10
    known = {xor: counted(memory, layouts, xor) for xor in matrices(3, high)}
    assert choice.actual == min(known.values()) == known[found]
    assert len(list(found.pairs)) == min(len(list(xor.pairs)) for xor, cost in known.items() if cost == choice.actual)


def test_rank_is_the_size_of_the_span() -> None:
    for vectors in product(range(8), repeat=3):
        span = {0}
        for vector in vectors:
            span |= {vector ^ other for other in span}
        assert 1 << rank(vectors) == len(span)


@pytest.mark.parametrize("bits", range(8, 4096, 72))
def test_padded_rows_are_an_odd_number_of_chunks(bits: int) -> None:
    padded = padded_row_bits(bits)
    assert padded % 256 == 128
    assert bits <= padded < bits + 256


def test_padded_rows_have_no_conflicts() -> None:
    row = padded_row_bits(96 * 16)
    memory = Layout([[(16, "B", row)], [(96, "B", 16)]], width=16)
    assert wavefronts(access(ldmatrix_rows(memory), memory)) == (24, 24)
    assert wavefronts(access(chunk_rows(memory, threads=4), memory)) == (48, 48)
    dense = row_major(16, 128, width=16)
    assert wavefronts(access(ldmatrix_rows(dense), dense)) == (8 * 32, 32)


# What is refused


def test_layouts_that_are_not_linear_are_refused() -> None:
    with pytest.raises(LayoutError) as error:
        synthesise_swizzle(row_major(48, 64, width=16), [local(48, 64)])
    assert error.value.code == "L020"
    assert "pad" in str(error.value)


def test_a_swizzled_tile_is_not_swizzled_again() -> None:
    memory = row_major(8, 64, width=16).swizzled(HARDWARE_SWIZZLES[3])
    for ask in (lambda: synthesise_swizzle(memory, []), lambda: memory.swizzled(HARDWARE_SWIZZLES[1])):
        with pytest.raises(LayoutError) as error:
            ask()
        assert error.value.code == "L023"


@pytest.mark.parametrize(
    ("ask", "memory"),
    [
        (chunk_rows, row_major(8, 12, width=16)),
        (chunk_rows, row_major(4, 8, width=16)),
        (chunk_rows, row_major(8, 64, width=6)),
        (ldmatrix_rows, row_major(4, 64, width=16)),
        (ldmatrix_rows, row_major(64, width=16)),
    ],
)
def test_tiles_that_are_not_whole_chunks_are_refused(ask, memory: Layout) -> None:
    with pytest.raises(LayoutError) as error:
        ask(memory)
    assert error.value.code == "L019"


@pytest.mark.parametrize("terms", [((7, 1 << 7),), ((7, 1 << 10), (10, 1 << 12)), ((7, 1 << 10), (7, 1 << 11))])
def test_a_swizzle_whose_bits_depend_on_each_other_is_refused(terms: tuple[tuple[int, int], ...]) -> None:
    with pytest.raises(LayoutError) as error:
        Xor(terms)
    assert error.value.code == "L017"


def test_an_element_is_not_torn_by_a_swizzle() -> None:
    with pytest.raises(LayoutError) as error:
        row_major(64, 64, width=6).swizzled(HARDWARE_SWIZZLES[3])
    assert error.value.code == "L018"
    sixteen = Layout([[(64, "B", 1024)], [(8, "B", 128), (16, "B", 6)]], width=6)
    assert sixteen.swizzled(HARDWARE_SWIZZLES[3]).offset((1, 1)) == 1024 + 128 + 6


def test_a_third_access_is_freed_where_the_hardware_modes_conflict() -> None:
    memory = row_major(64, 64, width=16)
    # Eight threads on pairs of rows that lie 32 rows apart.
    apart = spatial(2, 1) * local(8, 8) * spatial(4, 1) * local(1, 8)
    layouts = [chunk_rows(memory), ldmatrix_rows(memory), apart]
    hardware = synthesise_swizzle(memory, layouts, HARDWARE_SWIZZLES)
    free = synthesise_swizzle(memory, layouts)
    assert hardware.xor in HARDWARE_SWIZZLES
    assert hardware.actual > hardware.ideal
    assert free.actual == free.ideal == counted(memory, layouts, free.xor)
