"""Loads, stores, gathers, scatters and copies, against loops over single elements."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from batches import oracle
from bench import Bench

from tilevm.dtypes import BF16, F16, F32, F64, I8, I32, I64, U1, U8, DType, dtype
from tilevm.errors import ExecutionError, ProgramError
from tilevm.instruction import Instruction
from tilevm.instructions.memory import (
    Commit,
    CopyAsync,
    Gather,
    Load,
    MemoryView,
    Prefetch,
    Scatter,
    Shared,
    Store,
    Wait,
)
from tilevm.memory import Tensor
from tilevm.sizes import Symbol
from tilevm.values import Literal, SharedType, TensorType, Value, Window

FORMATS = [F16, BF16, F32, F64, I8, I32, I64, U1, dtype("u4"), dtype("f6e3m2"), dtype("e8m0"), dtype("nf4")]
each_format = pytest.mark.parametrize("format", FORMATS, ids=str)


def numbered(format: DType, *shape: int) -> Any:
    """Elements that differ from their neighbours: numbers, or codes."""
    return (np.arange(1, math.prod(shape) + 1) % (2 if format is U1 else 13)).reshape(shape)


def zero(format: DType) -> Any:
    """What is read outside of a tensor: the number nearest to zero, as number or code."""
    return {"nf4": 7}.get(format.name, 0)


def refused(code: str, instruction: Instruction) -> None:
    with pytest.raises(ProgramError) as caught:
        instruction.check()
    assert caught.value.code == code


def element(x: Any, *index: int) -> Any:
    """The element at an index, None outside."""
    inside = all(0 <= i < extent for i, extent in zip(index, x.shape, strict=True))
    return x[index].item() if inside else None


def windows(rows: list[int], columns: list[int], extents: tuple[int, int]) -> Any:
    """For each block, the indices of the elements of its window."""
    for row, column in itertools.zip_longest(rows, columns, fillvalue=None):
        row, column = rows[0] if row is None else row, columns[0] if column is None else column
        yield [[(row + i, column + j) for j in range(extents[1])] for i in range(extents[0])]


OFFSETS = [([0], [0]), ([2], [3]), ([0, 2, 4], [1]), ([1], [0, 1, 2]), ([3, 0, 1], [0, 5, 2]), ([0, 2, 4], [0, 0, 0])]
OUTSIDE = [
    ([-3], [0]),
    ([0], [-4]),
    ([0, -3, 1], [-4, 0, 1]),
    ([-1], [0]),
    ([4], [6]),
    ([-2, 0, 5], [1]),
    ([0, 1, 2], [-3, 5, 20]),
    ([-9], [0]),
    ([99, -99, 0], [0]),
]


@oracle(Load)
@each_format
@pytest.mark.parametrize(("rows", "columns"), OFFSETS + OUTSIDE)
@pytest.mark.parametrize("access", ["in", "inout"])
def test_load_reads_each_element_and_zero_outside(
    format: DType, rows: list[int], columns: list[int], access: str
) -> None:
    bench = Bench(3)
    contents = numbered(format, 6, 8)
    x = bench.tensor(format, contents, access)
    found = bench.run(Load(bench.window(x, (rows, 2), (columns, 3))))
    for block, indices in enumerate(windows(rows, columns, (2, 3))):
        expected = [[element(contents, *index) for index in row] for row in indices]
        shown = [[zero(format) if each is None else each for each in row] for row in expected]
        assert found[block if len(found) > 1 else 0].tolist() == shown


@each_format
def test_load_drops_dimensions_and_gives_scalars(format: DType) -> None:
    bench = Bench(3)
    contents = numbered(format, 4, 5, 6)
    x = bench.tensor(format, contents)
    found = bench.run(Load(bench.window(x, [0, 3, 1], (1, 2), 4)))
    assert found.tolist() == [contents[i, 1:3, 4].tolist() for i in (0, 3, 1)]
    assert bench.run(Load(bench.window(x, [0, 3, 9], 2, [5, 0, 0]))).tolist() == [
        contents[0, 2, 5],
        contents[3, 2, 0],
        zero(format),
    ]
    assert bench.run(Load(bench.window(x, 1, 2, 3))).tolist() == [contents[1, 2, 3]]
    assert bench.run(Load(bench.window(x, 1, 2, -1))).tolist() == [zero(format)]


def test_load_of_a_tensor_without_dimensions() -> None:
    bench = Bench(2)
    x = bench.tensor(F16, 2.5)
    assert bench.run(Load(Window(x, (), ()))).tolist() == [2.5]
    bench.run(Store(Window(x, (), ()), bench.value(F16, [1.0, 3.0])))
    assert bench.contents(x) == 3.0


def test_load_keeps_every_bit() -> None:
    bench = Bench()
    codes = np.uint16([0x7C01, 0xFE00, 0x8000, 0x0001])
    x = bench.tensor(F16, np.zeros(4))
    bench.launch.tensors[x].array[...] = codes
    assert bench.batch.read(bench.window(x, (0, 4)))[0].tolist() == codes.tolist()
    y = bench.tensor(F16, np.zeros(4))
    loaded = Value(Load(bench.window(x, (0, 4))).check())  # type: ignore[arg-type]
    bench.batch.define(loaded, Load(bench.window(x, (0, 4))).evaluate(bench.batch))
    bench.run(Store(bench.window(y, (0, 4)), loaded))
    assert bench.launch.tensors[y].array.tolist() == codes.tolist()


def test_load_fills_what_lies_outside_block_by_block() -> None:
    bench = Bench(3)
    x = bench.tensor(F16, [1, 2, 3])
    window = bench.window(x, (-1, 5))
    assert bench.run(Load(window, Literal(-math.inf, F16))).tolist() == [[-math.inf, 1, 2, 3, -math.inf]]
    assert bench.run(Load(window, bench.value(F16, [7, 8, 9]))).tolist() == [[f, 1, 2, 3, f] for f in (7, 8, 9)]
    found = bench.run(Load(bench.window(x, ([-1, 0, 2], 2)), bench.value(F16, [7, 8, 9])))
    assert found.tolist() == [[7, 1], [1, 2], [3, 9]]
    assert bench.run(Load(bench.window(x, 5), bench.value(F16, [7, 8, 9]))).tolist() == [7, 8, 9]
    refused("T005", Load(window, Literal(1.0, F32)))
    refused("T008", Load(window, bench.value(F16, [[7, 8]])))
    codes = bench.tensor(dtype("u4"), [1, 2])
    assert bench.run(Load(bench.window(codes, (1, 3)), Literal(15, dtype("u4")))).tolist() == [[2, 15, 15]]


@pytest.mark.parametrize("memory", ["tensor", "shared"])
@pytest.mark.parametrize("offsets", [0, [0, 1]])
def test_a_loaded_tile_does_not_change_when_its_memory_does(memory: str, offsets: Any) -> None:
    bench = Bench(2)
    base = bench.tensor(F32, [1, 2, 3]) if memory == "tensor" else bench.shared(F32, [[1, 2, 3]] * 2)
    window = bench.window(base, (offsets, 2))
    found = bench.run(Load(window))
    bench.run(Store(bench.window(base, (0, 3)), Literal(9.0, F32)))
    starts = offsets if isinstance(offsets, list) else [0] * len(found)
    assert found.tolist() == [[start + 1, start + 2] for start in starts]
    assert (bench.contents(base) == 9).all()


@oracle(Shared)
@each_format
@pytest.mark.parametrize(("rows", "columns"), OFFSETS)
def test_each_block_has_its_own_shared_tile(format: DType, rows: list[int], columns: list[int]) -> None:
    bench = Bench(3)
    contents = numbered(format, 3, 6, 8)
    s = bench.shared(format, contents)
    assert Shared(format, (6, 8)).check() == SharedType(format, (6, 8))
    found = bench.run(Load(bench.window(s, (rows, 2), (columns, 3))))
    for block, indices in enumerate(itertools.islice(itertools.cycle(windows(rows, columns, (2, 3))), len(found))):
        assert found[block].tolist() == [[contents[block][index] for index in row] for row in indices]
    bench.run(Store(bench.window(s, (rows, 2), (columns, 3)), bench.value(format, numbered(format, 1, 2, 3))))
    expected = contents.copy()
    for block in range(3):
        row, column = (each[block if len(each) > 1 else 0] for each in (rows, columns))
        expected[block, row : row + 2, column : column + 3] = numbered(format, 2, 3)
    assert bench.contents(s).tolist() == expected.tolist()


@pytest.mark.parametrize("offsets", [[-1], [5], [0, 1, 5], [0, -1, 0]])
def test_windows_outside_of_a_shared_tile_are_errors(offsets: list[int]) -> None:
    bench = Bench(3)
    s = bench.shared(F32, np.zeros((3, 6, 8)))
    wrong = bench.window(s, (offsets, 2), 0)
    bad = offsets.index(max(offsets, key=lambda offset: abs(offset - 2)))
    x = bench.tensor(F32, np.zeros((8, 8)))
    for instruction in (
        Load(wrong),
        Store(wrong, Literal(0.0, F32)),
        CopyAsync(wrong, bench.window(x, (0, 2), 0)),
    ):
        with pytest.raises(ExecutionError, match=rf"dimension 0 .*in block \({bad}\)") as caught:
            bench.run(instruction)
        assert caught.value.code == "R002"


@oracle(Store)
@each_format
@pytest.mark.parametrize(("rows", "columns"), OFFSETS + OUTSIDE)
@pytest.mark.parametrize("uniform", [True, False])
def test_store_writes_in_order_of_block_and_nothing_outside(
    format: DType, rows: list[int], columns: list[int], uniform: bool
) -> None:
    bench = Bench(3)
    contents, tile = numbered(format, 6, 8), numbered(format, 1 if uniform else 3, 2, 3)
    y = bench.tensor(format, contents)
    bench.run(Store(bench.window(y, (rows, 2), (columns, 3)), bench.value(format, tile)))
    expected = contents.copy()
    for block in range(3):
        row, column = (each[block if len(each) > 1 else 0] for each in (rows, columns))
        for i, j in np.ndindex(2, 3):
            if element(contents, row + i, column + j) is not None:
                expected[row + i, column + j] = tile[0 if uniform else block, i, j]
    assert bench.contents(y).tolist() == expected.tolist()


def test_store_of_a_scalar_fills_the_window() -> None:
    bench = Bench(2)
    y = bench.tensor(F16, np.zeros((4, 4)))
    bench.run(Store(bench.window(y, ([0, 2], 2), (1, 9)), bench.value(F16, [1.5, 2.5])))
    assert bench.contents(y).tolist() == [[0, v, v, v] for v in (1.5, 1.5, 2.5, 2.5)]
    bench.run(Store(bench.window(y, 0, [0, 3]), bench.value(F16, [8, 9])))
    assert bench.contents(y)[0].tolist() == [8, 1.5, 1.5, 9]
    bench.run(Store(bench.window(y, (0, 4), 0), Literal(-1.0, F16)))
    assert bench.contents(y)[:, 0].tolist() == [-1] * 4
    s = bench.shared(dtype("u4"), np.zeros((2, 2, 2)))
    bench.run(Store(bench.window(s, (0, 2), 1), bench.value(dtype("u4"), [3, 4])))
    assert bench.contents(s).tolist() == [[[0, 3], [0, 3]], [[0, 4], [0, 4]]]


def test_store_refuses_another_shape_format_or_an_input() -> None:
    bench = Bench()
    x, y = bench.tensor(F16, np.zeros(4), "in"), bench.tensor(F16, np.zeros(4))
    refused("T040", Store(bench.window(y, (0, 4)), bench.value(F16, [[1, 2]])))
    refused("T040", Store(bench.window(y, 0), bench.value(F16, [[1]])))
    refused("T005", Store(bench.window(y, (0, 4)), bench.value(F32, [[1, 2, 3, 4]])))
    refused("T013", Store(bench.window(x, (0, 2)), bench.value(F16, [[1, 2]])))


INDICES: list[tuple[Any, Any]] = [
    ([[[0], [5]]], [[3, 0, 7]]),
    ([[[0], [-1]]], [[3, 8, 7]]),
    ([[[0], [5]], [[1], [2]], [[6], [2]]], [[3, 0, 7]]),
    ([[[0], [5]]], [[3, 0, 7], [1, 1, 1], [-9, 0, 99]]),
    ([0, 1, 2], [[3, 0, 7]]),
    ([2], [4, 5, 8]),
]


def at(array: Any, block: int) -> Any:
    array = np.array(array)
    return array[block if len(array) > 1 else 0]


@oracle(Gather)
@each_format
@pytest.mark.parametrize(("rows", "columns"), INDICES)
@pytest.mark.parametrize("memory", ["tensor", "shared"])
def test_gather_takes_each_element_and_zero_outside(format: DType, rows: Any, columns: Any, memory: str) -> None:
    bench = Bench(3)
    contents = numbered(format, 3, 6, 8)
    base = bench.tensor(format, contents[0]) if memory == "tensor" else bench.shared(format, contents)
    found = bench.run(Gather(base, (bench.value(I32, rows), bench.value(I64, columns))))
    for block in range(3):
        row, column = np.broadcast_arrays(at(rows, block), at(columns, block))
        for place in np.ndindex(row.shape):
            expected = element(contents[0 if memory == "tensor" else block], row[place], column[place])
            got = found[(block if len(found) > 1 else 0, *place)]
            assert got == (zero(format) if expected is None else expected)


@pytest.mark.parametrize("memory", ["tensor", "shared"])
def test_indices_count_with_all_their_bits(memory: str) -> None:
    bench = Bench()
    contents = numbered(I32, 1, 400)
    base = bench.tensor(I32, contents[0]) if memory == "tensor" else bench.shared(I32, contents)
    near, far = [255, 256, 399], [256 - 2**32, 2**32, 2**40 + 3, -(2**63), 2**63 - 1]
    index = bench.value(I64, [near + far])
    assert bench.run(Gather(base, (index,))).tolist() == [contents[0, near].tolist() + [0] * len(far)]
    bench.run(Scatter(base, Literal(-1, I32), (index,)))
    expected = contents[0].copy()
    expected[near] = -1
    assert bench.contents(base).reshape(-1).tolist() == expected.tolist()


def test_gather_fills_what_lies_outside_block_by_block() -> None:
    bench = Bench(2, debug=True)
    x = bench.tensor(F16, [1, 2])
    index = bench.value(I32, [[0, 2, -1]])
    assert bench.run(Gather(x, (index,), bench.value(F16, [5, 6]))).tolist() == [[1, 5, 5], [1, 6, 6]]
    assert bench.run(Gather(x, (index,), Literal(-1.0, F16))).tolist() == [[1, -1, -1]]
    assert bench.codes == []
    assert bench.run(Gather(x, (index,))).tolist() == [[1, 0, 0]]
    (note,) = bench.report.findings
    assert (note.code, note.severity) == ("R003", "note")
    empty = bench.tensor(F16, np.zeros((0,)))
    assert bench.run(Gather(empty, (index,), bench.value(F16, [5, 6]))).tolist() == [[5] * 3, [6] * 3]
    assert bench.run(Gather(empty, (index,))).tolist() == [[0] * 3]


@oracle(Scatter)
@each_format
@pytest.mark.parametrize(("rows", "columns"), INDICES)
@pytest.mark.parametrize("uniform", [True, False])
@pytest.mark.parametrize("memory", ["tensor", "shared"])
def test_scatter_writes_each_element_and_nothing_outside(
    format: DType, rows: Any, columns: Any, uniform: bool, memory: str
) -> None:
    bench = Bench(3)
    contents = numbered(format, 3, 6, 8)
    base = bench.tensor(format, contents[0]) if memory == "tensor" else bench.shared(format, contents)
    shape = np.broadcast_shapes(np.shape(rows)[1:], np.shape(columns)[1:])
    tile = numbered(format, 1 if uniform else 3, *shape)
    bench.run(Scatter(base, bench.value(format, tile), (bench.value(I32, rows), bench.value(I32, columns))))
    expected = contents.copy()
    for block in range(3):
        row, column = np.broadcast_arrays(at(rows, block), at(columns, block))
        for place in np.ndindex(row.shape):
            own = 0 if memory == "tensor" else block
            if element(contents[own], row[place], column[place]) is not None:
                expected[own, row[place], column[place]] = at(tile, block)[place]
    assert bench.contents(base).tolist() == (expected[0] if memory == "tensor" else expected).tolist()


def test_scatter_leaves_the_last_of_equal_indices() -> None:
    bench = Bench(3)
    y = bench.tensor(I32, np.zeros(4))
    values = np.arange(3 * 500).reshape(3, 500)
    bench.run(Scatter(y, bench.value(I32, values), (bench.value(I32, values % 3),)))
    last = {int(value) % 3: int(value) for value in values.ravel()}
    assert bench.contents(y).tolist() == [last[0], last[1], last[2], 0]
    s = bench.shared(I32, np.zeros((1, 2)))
    bench.run(Scatter(s, bench.value(I32, [[4, 5, 6]]), (bench.value(I32, [[1, 1, 1]]),)))
    assert bench.contents(s).tolist() == [[0, 6]] * 3
    bench.run(Scatter(s, Literal(9, I32), (bench.value(I32, [[0, 5]]),)))
    assert bench.contents(s).tolist() == [[9, 6]] * 3


def test_gather_and_scatter_refuse_what_does_not_fit() -> None:
    bench = Bench()
    x, y = bench.tensor(F16, np.zeros((4, 4)), "in"), bench.tensor(F16, np.zeros((4, 4)))
    index, value = bench.value(I32, [[0, 1]]), bench.value(F16, [[1, 2]])
    refused("T041", Gather(x, (index,)))
    refused("T041", Scatter(y, value, (index, index, index)))
    refused("T042", Gather(x, (index, bench.value(U8, [[0, 1]]))))
    refused("T042", Scatter(y, value, (index, bench.value(dtype("u32"), [[0, 1]]))))
    refused("T012", Gather(x, (index, bench.value(I32, [[0, 1, 2]]))))
    refused("T013", Scatter(x, value, (index, index)))
    refused("T040", Scatter(y, bench.value(F16, [[1, 2, 3]]), (index, index)))
    refused("T005", Scatter(y, bench.value(F32, [[1, 2]]), (index, index)))
    refused("T008", Gather(value, (index,)))


@oracle(CopyAsync, Commit, Wait)
@each_format
def test_a_copy_lands_at_the_wait_that_covers_its_group(format: DType) -> None:
    bench = Bench(2)
    contents = numbered(format, 4, 4)
    x = bench.tensor(format, contents, "in")
    s = bench.shared(format, np.zeros((2, 3, 4)))
    for group in range(3):
        bench.run(CopyAsync(bench.window(s, group, (0, 4)), bench.window(x, [group, group + 1], (-1, 4))))
        bench.run(Commit())
        assert not bench.contents(s).any()

    def expected(landed: int) -> list[Any]:
        empty = [0] * 4
        rows = [[zero(format), *contents[row, :3].tolist()] for row in range(4)]
        return [[rows[block + group] if group < landed else empty for group in range(3)] for block in range(2)]

    for pending, landed in ((3, 0), (2, 1), (2, 1), (1, 2), (0, 3)):
        bench.run(Wait(pending))
        assert bench.contents(s).tolist() == expected(landed)


def test_what_is_not_committed_does_not_land() -> None:
    bench = Bench()
    x, s = bench.tensor(F32, [1, 2], "in"), bench.shared(F32, [[0, 0]])
    bench.run(CopyAsync(bench.window(s, (0, 1)), bench.window(x, (0, 1))))
    bench.run(Wait(0))
    assert bench.contents(s).tolist() == [[0, 0]]
    bench.run(CopyAsync(bench.window(s, 1), bench.window(x, 1)))
    bench.run(Commit())
    bench.run(Wait(0))
    assert bench.contents(s).tolist() == [[1, 2]]
    bench.run(Commit())
    bench.run(Store(bench.window(s, 0), Literal(5.0, F32)))
    bench.run(Wait(0))
    assert bench.contents(s).tolist() == [[5, 2]]


def test_blocks_that_went_apart_have_groups_of_their_own() -> None:
    bench = Bench(3)
    x, s = bench.tensor(I32, [10, 20, 30], "in"), bench.shared(I32, np.zeros((3, 2)))
    rest, alone = bench.batch.part(np.array([0, 2])), bench.batch.part(np.array([1]))
    window = bench.window(x, [0, 1, 2])
    for part, times in ((rest, 1), (alone, 2)):
        for _ in range(times):
            CopyAsync(bench.window(s, 0), window).evaluate(part)
            Commit().evaluate(part)
    bench.run(CopyAsync(bench.window(s, 1), window))
    bench.run(Commit())
    Wait(1).evaluate(alone)
    assert bench.contents(s).tolist() == [[0, 0], [20, 0], [0, 0]]
    Wait(0).evaluate(rest)
    assert bench.contents(s).tolist() == [[10, 10], [20, 0], [30, 30]]
    bench.run(Wait(0))
    assert bench.contents(s).tolist() == [[10, 10], [20, 20], [30, 30]]


def test_a_commit_closes_no_group_of_other_blocks() -> None:
    bench = Bench(2)
    x, s = bench.tensor(I32, [10, 20], "in"), bench.shared(I32, np.zeros((2, 1)))
    first, second = bench.batch.part(np.array([0])), bench.batch.part(np.array([1]))
    CopyAsync(bench.window(s, 0), bench.window(x, [0, 1])).evaluate(first)
    Commit().evaluate(first)
    for _ in range(3):
        Commit().evaluate(second)
    Wait(1).evaluate(first)
    assert bench.contents(s).tolist() == [[0], [0]]
    Wait(0).evaluate(first)
    assert bench.contents(s).tolist() == [[10], [0]]


def test_copy_async_and_wait_refuse_what_does_not_fit() -> None:
    bench = Bench()
    x, s = bench.tensor(F32, np.zeros(4)), bench.shared(F32, np.zeros((1, 4)))
    refused("T040", CopyAsync(bench.window(s, (0, 4)), bench.window(x, (0, 2))))
    refused("T011", CopyAsync(bench.window(x, (0, 4)), bench.window(s, (0, 4))))
    refused("T011", CopyAsync(bench.window(s, (0, 4)), bench.window(s, (0, 4))))
    refused("T005", CopyAsync(bench.window(s, (0, 4)), bench.window(bench.tensor(F16, np.zeros(4)), (0, 4))))
    refused("T043", Wait(-1))


@oracle(Prefetch)
def test_prefetch_changes_nothing() -> None:
    bench = Bench(2, debug=True)
    x = bench.tensor(F16, [1, 2, 3])
    bench.run(Prefetch(bench.window(x, ([0, 9], 2))))
    assert bench.contents(x).tolist() == [1, 2, 3]
    assert bench.codes == []
    refused("T011", Prefetch(bench.window(bench.shared(F16, np.zeros((1, 4))), (0, 4))))


def bits_of(data: bytes, width: int) -> list[int]:
    stream = int.from_bytes(data, "little")
    return [(stream >> place) & ((1 << width) - 1) for place in range(0, 8 * len(data) - width + 1, width)]


@oracle(MemoryView)
@pytest.mark.parametrize("name", ["u1", "u2", "f3e1m1", "u4", "f6e3m2", "u8", "i8", "f16", "u32", "i64"])
def test_memory_view_reads_the_same_bits(name: str) -> None:
    format = dtype(name)
    data = bytes((37 * place + 11) % 256 for place in range(48))
    packed = np.frombuffer(data, np.uint8)
    bench = Bench()
    bench.launch.sizes = {"R": 2}
    x = Value(TensorType(dtype("u4"), (96,)), "x")
    bench.launch.tensors[x] = Tensor(np.array(bits_of(data, 4), np.uint8), dtype("u4"), packed)
    columns = 8 * 48 // format.bits // 2
    view = MemoryView(x, format, (Symbol("R"), columns))
    viewed = Value(view.check())  # type: ignore[arg-type]
    bench.batch.result = viewed
    view.evaluate(bench.batch)
    tensor = bench.launch.tensors[viewed]
    assert format.to_codes(tensor.array).ravel().tolist() == bits_of(data, format.bits)
    assert tensor.array.shape == (2, columns)


def test_memory_view_covers_exactly_the_bytes_of_an_input() -> None:
    bench = Bench()
    x = Value(TensorType(U8, (6,)), "x")
    bench.launch.tensors[x] = Tensor(np.arange(6, dtype=np.uint8), U8, np.arange(6, dtype=np.uint8))
    make: Callable[[DType, int], Instruction] = lambda format, count: MemoryView(x, format, (count,))  # noqa: E731
    for format, count in ((F16, 2), (F16, 4), (dtype("u3"), 13), (dtype("u3"), 17)):
        bench.batch.result = Value(TensorType(format, (count,)))
        with pytest.raises(ExecutionError) as caught:
            make(format, count).evaluate(bench.batch)
        assert caught.value.code == "R008"
    bench.batch.result = Value(TensorType(U8, (-2, -3)))
    with pytest.raises(ExecutionError, match=r"u8\[-2, -3\]") as caught:
        MemoryView(x, U8, (-2, -3)).evaluate(bench.batch)
    assert caught.value.code == "R008"
    refused("T044", MemoryView(bench.tensor(U8, [1, 2]), F16, (1,)))
    refused("T008", MemoryView(bench.shared(U8, [[1, 2]]), F16, (1,)))
