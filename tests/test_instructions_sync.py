"""Atomics in order of block, against loops over blocks and elements; flags between blocks; barriers."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from batches import oracle
from bench import Bench
from exact import FLOATS, assert_same, wrapped
from run_text import execute

from tilevm.dtypes import BF16, F16, F32, F64, I8, I16, I32, I64, U1, U8, U32, U64, DType, dtype
from tilevm.errors import ExecutionError, ProgramError
from tilevm.instruction import Instruction
from tilevm.instructions.memory import Load, Store
from tilevm.instructions.sync import (
    Acquire,
    AtomicAdd,
    AtomicCompareAndSwap,
    AtomicExchange,
    AtomicMax,
    AtomicMin,
    Fence,
    Release,
    Sync,
)
from tilevm.values import Literal, TileType

FORMATS = [F16, BF16, F32, F64, I8, I32, U32, I64, U64]
CHANGES: dict[Any, Callable[[DType, Any, Any], Any]] = {
    AtomicAdd: lambda format, old, new: (
        FLOATS[format].nearest(Fraction(old) + Fraction(new)) if format in FLOATS else wrapped(old + new, format)
    ),
    AtomicMin: lambda format, old, new: min(old, new),
    AtomicMax: lambda format, old, new: max(old, new),
    AtomicExchange: lambda format, old, new: new,
}


def refused(code: str, instruction: Instruction) -> None:
    with pytest.raises(ProgramError) as caught:
        instruction.check()
    assert caught.value.code == code


def numbers(format: DType, seed: int, *shape: int) -> Any:
    random = np.random.default_rng(seed)
    if format in FLOATS:
        return random.integers(0, 100, shape) / 4
    return random.integers(max(int(format.min), -(2**62)), min(int(format.max), 2**62), shape)


def replay(
    contents: Any, starts: list[tuple[int, int]], change: Callable[[Any, Any], Any], values: Any
) -> tuple[Any, Any]:
    """What is left, and what each block found, when windows of 2 x 3 are changed one block after another."""
    contents, found = contents.astype(object), np.zeros((len(starts), 2, 3), object)
    for block, (row, column) in enumerate(starts):
        for i, j in np.ndindex(2, 3):
            y, x = row + i, column + j
            if 0 <= y < contents.shape[0] and 0 <= x < contents.shape[1]:
                found[block, i, j] = contents[y, x]
                contents[y, x] = change(contents[y, x], values[(block if len(values) > 1 else 0)][i, j])
    return contents, found


STARTS: list[tuple[Any, Any]] = [
    (0, 0),
    (1, 2),
    ([0, 1, 2], 1),
    (1, [0, 0, 2]),
    ([-1, 0, 3], [0, 2, -2]),
    (-1, 3),
    ([9, 0, -9], 0),
]


@oracle(AtomicAdd, AtomicMin, AtomicMax, AtomicExchange)
@pytest.mark.parametrize("cls", CHANGES, ids=lambda cls: cls.name)
@pytest.mark.parametrize("format", FORMATS, ids=str)
@pytest.mark.parametrize(("rows", "columns"), STARTS)
def test_atomics_happen_in_order_of_block(cls: Any, format: DType, rows: Any, columns: Any) -> None:
    bench = Bench(3)
    carrier = format.carrier
    contents = numbers(format, 1, 4, 5).astype(carrier)
    starts = [
        (rows[block] if isinstance(rows, list) else rows, columns[block] if isinstance(columns, list) else columns)
        for block in range(3)
    ]
    x = bench.tensor(format, contents)
    for blocks in (1, 3):
        values = numbers(format, 2, blocks, 2, 3).astype(carrier)
        made = cls(bench.window(x, (rows, 2), (columns, 3)), bench.value(format, values))
        contents, old = replay(contents, starts, lambda a, b: CHANGES[cls](format, a, b), values.astype(object))
        assert_same(bench.run(made), old.ravel())
        assert_same(bench.contents(x), contents.ravel())
        assert made.check() == TileType(format, (2, 3))


@pytest.mark.parametrize("format", FORMATS, ids=str)
def test_atomics_of_a_scalar_count_the_blocks(format: DType) -> None:
    bench = Bench(4)
    x = bench.tensor(format, [0, 5])
    old = bench.run(AtomicAdd(bench.window(x, 1), Literal(1.0 if format in FLOATS else 1, format)))
    assert old.tolist() == [5, 6, 7, 8]
    assert bench.contents(x).tolist() == [0, 9]
    bench.run(AtomicAdd(bench.window(x, (0, 2)), bench.value(format, [1, 2, 3, 4])))
    assert bench.contents(x).tolist() == [10, 19]


def test_atomic_sums_of_f16_are_rounded_one_by_one() -> None:
    bench = Bench(5)
    x = bench.tensor(F16, [2048.0])
    old = bench.run(AtomicAdd(bench.window(x, 0), bench.value(F16, [1, 1, 2, 1, 3])))
    assert old.tolist() == [2048, 2048, 2048, 2050, 2052]
    assert bench.contents(x).tolist() == [2056]
    bench.run(AtomicAdd(bench.window(x, 0), Literal(65504.0, F16)))
    assert bench.contents(x).tolist() == [math.inf]


def test_atomic_extremes_leave_nans_out_and_order_the_zeros() -> None:
    bench = Bench()
    edges = [0.0, -0.0, math.nan, 1.0, math.nan]
    for cls, expected in ((AtomicMax, [0.0, 0.0, 2.0, 1.0, math.nan]), (AtomicMin, [-0.0, -0.0, 2.0, 1.0, math.nan])):
        x = bench.tensor(F32, edges)
        value = bench.value(F32, [[-0.0, 0.0, 2.0, math.nan, math.nan]])
        assert_same(bench.run(cls(bench.window(x, (0, 5)), value)), edges)
        assert_same(bench.contents(x), expected)


@pytest.mark.parametrize("offsets", [1, [0, 1, 2]])
def test_each_block_changes_its_own_shared_tile(offsets: Any) -> None:
    bench = Bench(3)
    s = bench.shared(F16, [[0, 1, 2, 3], [10, 11, 12, 13], [20, 21, 22, 23]])
    old = bench.run(AtomicAdd(bench.window(s, (offsets, 2)), bench.value(F16, [100, 200, 300])))
    starts = [1, 1, 1] if offsets == 1 else offsets
    assert old.tolist() == [[10 * block + start, 10 * block + start + 1] for block, start in enumerate(starts)]
    for block, start in enumerate(starts):
        grown = [100 * (block + 1) * (start <= place < start + 2) for place in range(4)]
        assert bench.contents(s)[block].tolist() == [10 * block + place + grown[place] for place in range(4)]


@pytest.mark.parametrize("start", [-1, 3])
def test_atomics_outside_of_a_shared_tile_are_errors(start: int) -> None:
    bench = Bench()
    s = bench.shared(I32, [[1, 2, 3, 4]])
    with pytest.raises(ExecutionError) as caught:
        bench.run(AtomicAdd(bench.window(s, ([start], 2)), Literal(1, I32)))
    assert caught.value.code == "R002"


@oracle(AtomicCompareAndSwap)
@pytest.mark.parametrize("format", [I16, I32, U32, I64, U64], ids=str)
def test_compare_and_swap_writes_where_it_finds_what_it_expects(format: DType) -> None:
    bench = Bench(4)
    x = bench.tensor(format, [0, 1, 0])
    compare, value = bench.value(format, [0, 0, 1, 7]), bench.value(format, [7, 8, 9, 5])
    old = bench.run(AtomicCompareAndSwap(bench.window(x, (0, 3)), compare, value))
    assert old.tolist() == [[0, 1, 0], [7, 1, 7], [7, 1, 7], [7, 9, 7]]
    assert bench.contents(x).tolist() == [5, 9, 5]
    tiles = bench.value(format, [[5, 9, 6]]), bench.value(format, [[1, 2, 3]])
    bench.run(AtomicCompareAndSwap(bench.window(x, (0, 3)), *tiles))
    assert bench.contents(x).tolist() == [1, 2, 5]
    old = bench.run(AtomicCompareAndSwap(bench.window(x, 0), Literal(1, format), value))
    assert old.tolist() == [1, 7, 7, 7]


def test_atomics_refuse_what_does_not_fit() -> None:
    bench = Bench()
    x, y = bench.tensor(F16, np.zeros(4), "in"), bench.tensor(F16, np.zeros(4))
    n = bench.tensor(U8, np.zeros(4))
    for cls in CHANGES:
        refused("T040", cls(bench.window(y, (0, 4)), bench.value(F16, [[1, 2]])))
        refused("T013", cls(bench.window(x, (0, 4)), Literal(1.0, F16)))
        refused("T005", cls(bench.window(y, (0, 4)), Literal(1.0, F32)))
    refused("T006", AtomicCompareAndSwap(bench.window(n, 0), Literal(1, U8), Literal(1, U8)))
    i = bench.tensor(I32, np.zeros(4))
    wrong, right = bench.value(I32, [[1, 2]]), bench.value(I32, [[1, 2, 3, 4]])
    refused("T040", AtomicCompareAndSwap(bench.window(i, (0, 4)), wrong, right))
    refused("T040", AtomicCompareAndSwap(bench.window(i, (0, 4)), right, wrong))
    packed = bench.tensor(dtype("u4"), [1])
    refused("T006", AtomicAdd(bench.window(packed, 0), Literal(1, dtype("u4"))))
    refused("T006", AtomicAdd(bench.window(bench.tensor(U1, [True]), 0), Literal(True, U1)))


@oracle(Sync)
def test_a_barrier_makes_writes_seen() -> None:
    bench = Bench(2, debug=True)
    s = bench.shared(F32, np.zeros((2, 4)))
    window = bench.window(s, (0, 4))
    bench.run(Store(window, Literal(1.0, F32)))
    bench.run(Sync())
    bench.run(Load(window))
    assert bench.codes == []
    bench.run(Sync())
    bench.run(Store(window, Literal(2.0, F32)))
    bench.run(Load(window))
    assert bench.codes == ["R005"]
    assert bench.contents(s).tolist() == [[2] * 4] * 2


@oracle(Fence)
def test_threads_meet_in_a_fence() -> None:
    bench = Bench(debug=True)
    s = bench.shared(F32, np.zeros((1, 4)))
    window = bench.window(s, (0, 4))
    bench.run(Store(window, Literal(1.0, F32)))
    bench.run(Fence("block"))
    bench.run(Load(window))
    assert bench.codes == []
    bench.run(Fence("device"))
    bench.run(Store(window, Literal(2.0, F32)))
    bench.run(Load(window))
    assert bench.codes == ["R005"]
    assert [Fence(scope).check() for scope in ("block", "device", "system")] == [None] * 3


CHAIN = """
kernel chain(x: i32[N], inout flag: u32[N], inout y: i32[N]):
    grid N
    warps 1
    here = block_index(0)
    if here {relation} {edge}:
        acquire(flag[here {before} 1], 1)
        store(y[here], load(y[here {before} 1]) + load(x[here]))
    else:
        store(y[here], load(x[here]))
    release(flag[here], 1)
"""


@oracle(Acquire, Release)
@pytest.mark.parametrize(("relation", "edge", "before"), [(">", "0", "-"), ("<", "N - 1", "+")])
def test_blocks_wait_for_one_another_in_either_direction(relation: str, edge: str, before: str) -> None:
    x = [3, 1, 4, 1, 5, 9]
    text = CHAIN.format(relation=relation, edge=edge, before=before)
    found = execute(text, x=x, flag=[0] * 6, y=[0] * 6, N=6)
    line = x if before == "-" else x[::-1]
    sums = [sum(line[: place + 1]) for place in range(6)]
    assert found["y"].tolist() == (sums if before == "-" else sums[::-1])
    assert found["flag"].tolist() == [1] * 6


def test_an_element_is_handed_to_and_fro() -> None:
    text = """
kernel turns(inout flag: i32[1], inout y: i32[8]):
    grid 2
    warps 1
    here = block_index(0)
    for turn in range(4):
        acquire(flag[0], 2 * turn + here)
        store(y[2 * turn + here], 10 * here + turn)
        release(flag[0], 2 * turn + here + 1)
"""
    assert execute(text, flag=[0], y=[0] * 8)["y"].tolist() == [0, 10, 1, 11, 2, 12, 3, 13]


def test_a_deadlock_ends_the_launch_and_says_where() -> None:
    text = """
kernel circle(inout flag: i32[3]):
    grid 3
    warps 1
    here = block_index(0)
    if here > 0:
        acquire(flag[(here + 1) % 3], 1)
    release(flag[here], 1)
"""
    found = execute(text, flag=[0, 0, 0])
    assert found["flag"].tolist() == [1, 1, 1]
    with pytest.raises(ExecutionError, match=r"2 blocks wait and none can go on; block \(1\) waits here") as caught:
        execute(text.replace("release(flag[here], 1)", "release(flag[here], 2)"), flag=[0, 0, 0])
    assert caught.value.code == "R009"
    assert caught.value.diagnostics[0].span is not None
    assert caught.value.diagnostics[0].span.line == 7


def test_flags_refuse_what_is_not_one_integer() -> None:
    bench = Bench()
    flags = bench.tensor(I32, np.zeros(4))
    for cls in (Acquire, Release):
        refused("T054", cls(bench.window(flags, (0, 1)), Literal(1, I32)))
        refused("T005", cls(bench.window(flags, 0), Literal(1, U32)))
        refused("T006", cls(bench.window(bench.tensor(I64, [0]), 0), Literal(1, I64)))
        refused("T011", cls(bench.window(bench.shared(I32, [[0]]), 0), Literal(1, I32)))
        refused("T013", cls(bench.window(bench.tensor(I32, [0], "in"), 0), Literal(1, I32)))
        refused("T008", cls(bench.window(flags, 0), bench.value(I32, [[1]])))
