"""Drawings of layouts: what stands in each cell is what the layout says, and colours mean what the legend says."""

from __future__ import annotations

from collections import defaultdict
from itertools import product
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from strategies import memory_layouts, register_layouts

from tilevm.atoms import ATOMS
from tilevm.errors import LayoutError
from tilevm.layout import Layout
from tilevm.layout_constructors import local, rep, row_major, spatial, warps
from tilevm.layout_drawing import LARGEST_DRAWING, bit_matrix, grid, svg
from tilevm.memory_pattern import swizzle

SVG = "{http://www.w3.org/2000/svg}"
CELL = "40"


def test_the_grid_of_a_tensor_core_accumulator() -> None:
    assert grid(ATOMS["m16n8k16"].c).splitlines()[:3] == [
        "         0     1     2     3     4     5     6     7",
        "   0   0:0   0:1   1:0   1:1   2:0   2:1   3:0   3:1",
        "   1   4:0   4:1   5:0   5:1   6:0   6:1   7:0   7:1",
    ]


@given(register_layouts(rank=2))
@settings(max_examples=40, deadline=None)
def test_a_grid_shows_the_place_of_every_element(layout: Layout) -> None:
    head, *rows = grid(layout).splitlines()
    assert head.split() == [str(j) for j in range(layout.shape[1])]
    for i, row in enumerate(rows):
        name, *cells = row.split()
        assert name == str(i)
        more = "+" if layout.rep else ""
        assert cells == ["{}:{}".format(*layout.place((i, j))) + more for j in range(layout.shape[1])]


def test_a_grid_of_more_dimensions_shows_one_below_another() -> None:
    text = grid(local(2, 2, 2))
    assert text.count("[0, :, :]") == text.count("[1, :, :]") == 1
    assert text.splitlines()[-1].split() == ["1", "0:6", "0:7"]


def test_a_grid_of_a_vector_goes_over_several_lines() -> None:
    lines = grid(row_major(40, width=6)).splitlines()
    assert len(lines) == 3
    assert lines[2].split() == ["32", *(str(6 * i) for i in range(32, 40))]


def test_a_grid_of_a_single_element() -> None:
    assert grid(local()).split() == ["0", "0", "0:0"]


def cells(text: str) -> list[tuple[str, list[str]]]:
    """Colour and texts of each cell, in the order of drawing."""
    found: list[tuple[str, list[str]]] = []
    for element in ElementTree.fromstring(text):
        if element.tag == f"{SVG}rect" and element.get("width") in (CELL, "22", "100%"):
            found.append((element.get("fill", "") if element.get("width") == CELL else "", []))
        elif element.tag == f"{SVG}text" and found:
            found[-1][1].append(element.text or "")
    return [(fill, texts) for fill, texts in found if fill]


@given(register_layouts(rank=2, sizes=(2, 4), digits=5))
@settings(max_examples=20, deadline=None)
def test_a_drawing_shows_every_element_coloured_by_its_lane(layout: Layout) -> None:
    drawn = cells(svg(layout))
    assert len(drawn) == layout.shape[0] * layout.shape[1]
    lanes = defaultdict(set)
    for (fill, texts), index in zip(drawn, product(*map(range, layout.shape)), strict=True):
        thread, slot = layout.place(index)
        assert texts[:2] == [str(thread), f"r{slot}"]
        lanes[thread % 32].add(fill)
    assert all(len(fills) == 1 for fills in lanes.values())
    assert len(set.union(*lanes.values())) == len(lanes)


@given(memory_layouts(rank=2, widths=(8, 16, 32)))
@settings(max_examples=20, deadline=None)
def test_a_drawing_of_memory_is_coloured_by_bank(layout: Layout) -> None:
    banks = defaultdict(set)
    for (fill, texts), index in zip(cells(svg(layout)), product(*map(range, layout.shape)), strict=True):
        assert texts[0] == str(layout.offset(index) // 8)
        banks[layout.offset(index) // 32 % 32].add(fill)
    assert all(len(fills) == 1 for fills in banks.values())
    assert len(set.union(*banks.values())) == len(banks)


def test_bits_within_a_byte_are_shown() -> None:
    assert [texts[:2] for _, texts in cells(svg(row_major(1, 4, width=6)))[:3]] == [["0"], ["0", ".6"], ["1", ".4"]]


def test_a_drawing_by_warp_has_one_colour_a_warp() -> None:
    layout = warps(2, 2) * spatial(8, 4)
    fills = [fill for fill, _ in cells(svg(layout, "warp"))]
    assert len(set(fills)) == 4
    assert fills[0] == fills[3] != fills[4]


def test_a_drawing_is_an_svg_document_for_notebooks() -> None:
    layout = rep(2) * spatial(8, 4)
    text = layout._repr_svg_()
    assert text == svg(layout)
    root = ElementTree.fromstring(text)
    assert root.tag == f"{SVG}svg"
    written = [element.text for element in root.iter(f"{SVG}text")]
    assert str(layout) in written
    assert "each element is in 2 threads, of which the first is shown; the others: +32" in written
    assert "lane of its warp" in written


def test_a_drawing_of_three_dimensions_has_a_panel_for_each_leading_index() -> None:
    text = svg(local(3, 2, 2))
    assert len(cells(text)) == 12
    assert all(f"[{i}, :, :]" in text for i in range(3))


def test_a_layout_that_is_too_large_is_not_drawn() -> None:
    large = local(LARGEST_DRAWING + 1)
    assert large._repr_svg_() is None
    for draw in (svg, grid):
        with pytest.raises(LayoutError) as error:
            draw(large)
        assert error.value.code == "L024"


def test_colours_are_of_the_kind_of_the_layout() -> None:
    for layout, colour, code in (
        (local(2), "bank", "L003"),
        (row_major(2), "thread", "L003"),
        (row_major(2), "warp", "L003"),
        (local(2), "hue", "L015"),
    ):
        with pytest.raises(LayoutError) as error:
            svg(layout, colour)
        assert error.value.code == code


def test_the_bit_matrix_of_a_swizzle() -> None:
    lines = bit_matrix(swizzle(1, 4, 3).bind((16, 64), 8)).splitlines()
    assert lines[0].split() == ["i3", "i2", "i1", "i0", "j5", "j4", "j3", "j2", "j1", "j0"]
    assert lines[1].split() == ["b12", "1", *"........."]
    assert next(line for line in lines if line.startswith("b7 ")).split() == [
        "b7",
        ".",
        ".",
        "1",
        ".",
        ".",
        "1",
        *"....",
    ]


def test_the_bit_matrix_needs_a_linear_layout() -> None:
    with pytest.raises(LayoutError) as error:
        bit_matrix(local(3))
    assert error.value.code == "L020"
