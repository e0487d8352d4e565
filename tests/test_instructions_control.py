"""Places of blocks, random numbers, printing and refusing."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from batches import Given, evaluate, oracle
from bench import Bench

from tilevm.dtypes import BF16, F16, F32, I32, I64, U1, U32, dtype
from tilevm.errors import ExecutionError, ProgramError
from tilevm.instructions.control import (
    Assert,
    BlockIndex,
    Depend,
    GridSize,
    LaunchDependents,
    Print,
    Random,
    Trap,
)
from tilevm.instructions.memory import Load, Store
from tilevm.philox import philox
from tilevm.values import Literal, ScalarType, TileType

U64 = dtype("u64")


@oracle(BlockIndex, GridSize)
@pytest.mark.parametrize("grid", [(5,), (3, 4), (2, 3, 4), (1, 4, 1)])
def test_blocks_are_numbered_in_row_major_order(grid: tuple[int, ...]) -> None:
    bench = Bench(*grid)
    places = list(np.ndindex(grid))
    for axis in range(3):
        index = np.broadcast_to(bench.run(BlockIndex(axis)), (len(places),))
        assert index.tolist() == [place[axis] if axis < len(grid) else 0 for place in places]
        assert bench.run(GridSize(axis)).tolist() == [grid[axis] if axis < len(grid) else 1]
    assert BlockIndex(0).check() == GridSize(2).check() == ScalarType(I32)


@pytest.mark.parametrize("cls", [BlockIndex, GridSize])
@pytest.mark.parametrize("axis", [-1, 3])
def test_a_grid_has_three_axes(cls: Any, axis: int) -> None:
    with pytest.raises(ProgramError) as caught:
        cls(axis).check()
    assert caught.value.code == "T055"


@oracle(Depend, LaunchDependents)
def test_launches_that_follow_one_another_have_nothing_to_wait_for() -> None:
    bench = Bench(2, debug=True)
    window = bench.window(bench.tensor(F32, np.zeros(4)), (0, 4))
    bench.run(Store(window, Literal(1.0, F32)))
    for instruction in (Depend(), LaunchDependents()):
        assert instruction.check() is None
        bench.run(instruction)
    assert bench.run(Load(window)).tolist() == [[1.0] * 4]
    assert (Depend.awaits_launches, LaunchDependents.awaits_launches) == (True, False)
    assert bench.codes == []


KNOWN_ANSWERS = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
]
"""Counter, key and result: kat_vectors of the Random123 library."""


@pytest.mark.parametrize(("counter", "key", "expected"), KNOWN_ANSWERS)
def test_philox_gives_the_known_answers(counter: str, key: str, expected: str) -> None:
    words = philox(*(tuple(int(word, 16) for word in text.split()) for text in (counter, key)))
    assert [f"{int(word):08x}" for word in words] == expected.split()


def philox_word(place: int, seed: int) -> int:
    """The first word of Philox4x32-10 in Python integers, for a counter and a key modulo 2^64."""
    x = [place % 2**32, place % 2**64 >> 32, 0, 0]
    key = [seed % 2**32, seed % 2**64 >> 32]
    for _ in range(10):
        first, second = x[0] * 0xD2511F53, x[2] * 0xCD9E8D57
        x = [second >> 32 ^ x[1] ^ key[0], second % 2**32, first >> 32 ^ x[3] ^ key[1], first % 2**32]
        key = [(key[0] + 0x9E3779B9) % 2**32, (key[1] + 0xBB67AE85) % 2**32]
    return x[0]


@oracle(Random)
def test_random_numbers_are_a_function_of_place_seed_and_offset() -> None:
    found = evaluate(lambda seed: Random((2, 3), seed), Given(I32, [0, 7, -1]))
    assert found.tolist() == [
        [[philox_word(3 * row + column, seed) for column in range(3)] for row in range(2)] for seed in (0, 7, -1)
    ]
    seed, starts = 2**63 + 5, (-2, 2**32 - 2, 2**63 - 2)
    found = evaluate(lambda seed, offset: Random((4,), seed, offset), Given(U64, [seed]), Given(I64, starts))
    assert found.tolist() == [[philox_word(start + place, seed) for place in range(4)] for start in starts]
    assert evaluate(lambda: Random((3,), Literal(9, I32), Literal(2**31 - 1, I32))).tolist() == [
        [philox_word(2**31 - 1 + place, 9) for place in range(3)]
    ]
    assert Random((2, 3), Literal(0, I32)).check() == TileType(U32, (2, 3))
    assert evaluate(lambda: Random((), Literal(0, I32))).tolist() == [0x6627E8D5]


def test_each_element_may_have_an_offset_of_its_own() -> None:
    rows = np.array([[[-3], [2**40]]])
    found = evaluate(lambda offset: Random((2, 3), Literal(5, I32), offset), Given(I64, rows))
    assert found.tolist() == [[[philox_word(3 * r + c + int(rows[0, r, 0]), 5) for c in range(3)] for r in range(2)]]
    for shape in ((3,), (2, 2, 3), (4, 1)):
        with pytest.raises(ProgramError, match="T012"):
            evaluate(lambda offset: Random((2, 2), Literal(5, I32), offset), Given(I64, np.zeros((1, *shape))))


@pytest.mark.parametrize("format", [I32, I64], ids=str)
def test_a_negative_seed_or_offset_is_the_same_in_every_format(format: Any) -> None:
    found = evaluate(lambda seed, offset: Random((3,), seed, offset), Given(format, [-7]), Given(format, [-1]))
    assert found.tolist() == [[philox_word(place, -7) for place in (-1, 0, 1)]]


@pytest.mark.parametrize("change", [1, 2**32, 2**63])
def test_seeds_and_offsets_count_with_all_their_bits(change: int) -> None:
    seeds = evaluate(lambda seed: Random((8,), seed), Given(U64, [5, 5 + change]))
    assert not (seeds[0] == seeds[1]).any()
    places = evaluate(lambda offset: Random((1,), Literal(0, I32), offset), Given(U64, [5, 5 + change]))
    assert places[0] != places[1]


@oracle(Print)
def test_print_writes_a_line_for_each_block_in_order() -> None:
    bench = Bench(2, 2)
    index = bench.value(I32, [10, 11, 12, 13])
    tile = bench.value(F16, [[1.5, -0.0, math.inf]])
    bench.run(Print("x =", (index, tile)))
    assert bench.lines == [
        f"block ({row}, {column}): x = {10 + 2 * row + column} [ 1.5, -0. ,  inf]" for row, column in np.ndindex(2, 2)
    ]
    bench.lines.clear()
    bench.run(Print("codes", (bench.value(dtype("f4e2m1"), [[1, 15]]), bench.value(U1, [True]), Literal(2.0, F32))))
    assert bench.lines == [f"block ({row}, {column}): codes [ 0.5, -6. ] True 2.0" for row, column in np.ndindex(2, 2)]
    bench.lines.clear()
    bench.run(Print("here"))
    assert bench.lines[0] == "block (0, 0): here"
    assert len(bench.lines) == 4


@oracle(Assert)
def test_assert_names_the_blocks_that_fail() -> None:
    bench = Bench(3, 2)
    bench.run(Assert(bench.value(U1, [[True, True]]), "fine"))
    tile = np.ones((6, 4), bool)
    tile[1, 2] = tile[4, 0] = False
    with pytest.raises(ExecutionError, match=r"assertion failed: x is big, in block \(0, 1\), \(2, 0\)$") as caught:
        bench.run(Assert(bench.value(U1, tile), "x is big"))
    assert caught.value.code == "R013"
    with pytest.raises(ExecutionError, match=r"assertion failed, in block \(0, 0\), \(0, 1\), \(1, 0\) and 3 more"):
        bench.run(Assert(Literal(False, U1)))
    with pytest.raises(ProgramError):
        Assert(bench.value(BF16, [1.0])).check()


@oracle(Trap)
def test_trap_ends_the_launch() -> None:
    bench = Bench(2)
    with pytest.raises(ExecutionError, match=r"trap: no such case, in block \(0\), \(1\)") as caught:
        bench.run(Trap("no such case"))
    assert caught.value.code == "R014"
    with pytest.raises(ExecutionError, match=r"trap, in block \(1\)"):
        Trap().evaluate(bench.batch.part(np.array([1])))
