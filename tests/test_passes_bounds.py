"""Bounds checks that are not needed are proved not to be, and none that is needed."""

from __future__ import annotations

import math

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tilevm.ir import Let, Program, walk
from tilevm.passes.bounds import Bounds
from tilevm.passes.divisibility import analyse
from tilevm.runtime.kernel import kernel
from tilevm.values import Window


def windows(program: Program) -> list[Window]:
    return [
        held
        for each in walk(program.body)
        if isinstance(each, Let)
        for name, role in each.instruction.roles().items()
        if role.kind == "window"
        for held in [getattr(each.instruction, name)]
    ]


def checked(body: str, header: str = "") -> list[list[bool]]:
    """For each window of a kernel over x[M, K], which dimensions are surely inside."""
    program = kernel(f"kernel k(x: f32[M, K], out y: f32[M, K]):\n{header}{body}").specialise()
    bounds = Bounds(program, analyse(program))
    return [[bounds.inside(window, dim) for dim in range(len(window.offsets))] for window in windows(program)]


TILED = """    m = block_index(0) * 16
    for k in range(0, K, 32):
        store(y[m :+ 16, k :+ 32], load(x[m :+ 16, k :+ 32]))
"""


@pytest.mark.parametrize(
    ("requires", "expected"),
    [
        ("", [False, False]),
        ("    require K % 32 == 0\n", [False, True]),
        ("    require M % 16 == 0\n", [True, False]),
        ("    require M % 48 == 0\n    require K % 64 == 0\n", [True, True]),
        ("    require M % 8 == 0\n    require K % 16 == 0\n", [False, False]),
    ],
)
def test_a_tile_is_inside_where_it_divides_the_size(requires: str, expected: list[bool]) -> None:
    assert checked(TILED, f"    grid cdiv(M, 16)\n{requires}") == [expected, expected]


def test_the_grid_bounds_the_index_of_a_block() -> None:
    row = "    store(y[block_index(0), 0], load(x[block_index(0), 0]))\n"
    assert checked(row, "    grid M\n") == [[True, False], [True, False]]
    assert checked(row, "    grid M, K\n    require K > 0\n") == [[True, True], [True, True]]
    assert checked(row, "    grid K\n") == [[False, False], [False, False]]
    assert checked(row.replace("(0)", "(1)"), "    grid M\n    require M > 0\n")[0][0] is True


def test_groups_of_a_size_are_inside_where_the_size_is() -> None:
    body = "    for k in range(0, M, 32):\n        store(y[k // 32, 0], 1.0)\n"
    kernel_of = "kernel k(out y: f32[cdiv(M, 32), 1], z: f32[M]):\n    grid 1\n"
    program = kernel(kernel_of + body).specialise()
    (window,) = windows(program)
    bounds = Bounds(program, analyse(program))
    assert bounds.inside(window, 0)
    assert bounds.inside(window, 1)


def test_an_offset_below_zero_is_checked() -> None:
    assert checked("    store(y[block_index(0) * 16 - 1, 0], 1.0)\n", "    grid cdiv(M, 16)\n    require K > 0\n") == [
        [False, True]
    ]


@settings(max_examples=150, deadline=None)
@given(
    tile=st.sampled_from([1, 2, 4, 6, 8, 16]),
    step=st.sampled_from([1, 2, 4, 6, 8, 16]),
    factor=st.sampled_from([1, 2, 3, 4, 8]),
    grid=st.sampled_from(["cdiv(M, {t})", "M // {t}", "M", "cdiv(M, {s})"]),
    count=st.integers(0, 6),
    extra=st.integers(-3, 3),
)
def test_what_is_proved_inside_is_inside(tile: int, step: int, factor: int, grid: str, count: int, extra: int) -> None:
    extents = grid.format(t=tile, s=step)
    program = kernel(
        f"kernel k(out y: f32[M]):\n    grid {extents}\n    require M % {factor} == 0\n"
        f"    m = block_index(0) * {tile} + {extra}\n    store(y[m :+ {tile}], 1.0)\n"
        f"    for i in range({extra}, M, {step}):\n        store(y[i :+ {tile}], 1.0)\n"
    ).specialise()
    length = factor * count
    assume(length > 0)
    bounds = Bounds(program, analyse(program))
    of_block, of_loop = (bounds.inside(window, 0) for window in windows(program))
    blocks = {"cdiv(M, {t})": math.ceil(length / tile), "M // {t}": length // tile, "M": length}.get(
        grid, math.ceil(length / step)
    )
    if of_block:
        assert all(0 <= block * tile + extra <= length - tile for block in range(blocks))
    if of_loop:
        assert all(0 <= start <= length - tile for start in range(extra, length, step))
