"""The definition of the machine: runs a program statement by statement in NumPy, many blocks at once.

Blocks are numbered in row-major order of the grid and run in batches, small enough that a batch's tiles stay in the
cache. Within a batch every instruction runs for all its blocks before the next one does. Where a scalar condition or
the bounds of a loop differ between blocks, the batch is split, each part runs to the end of the statement, and the
parts are merged again.

What is defined where blocks meet: atomics of one instruction happen in order of block index. In a program that waits
(``acquire``) blocks run one by one in order of index, each until it ends or has to wait, round after round; if none can
go on, that is a deadlock and an error. A plain write that two blocks make to one element is a race: the machine
promises neither.

In debug mode (a ``Report``) every element is followed; see ``tilevm.report``.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tilevm.batch import BlockBatch, Launch
from tilevm.errors import ExecutionError, TilevmError
from tilevm.instruction import Instruction
from tilevm.ir import For, If, Let, Program, Statement, While, walk
from tilevm.machine import Array
from tilevm.memory import Tensor
from tilevm.report import Report
from tilevm.sizes import evaluate
from tilevm.values import Operand, TileType, Value

__all__ = ["run"]

BATCH_BYTES = 1 << 20
"""The largest tile of a batch takes about this many bytes, so that a few of them stay in the second-level cache."""

Run = Generator[None, None, None]


def run(
    program: Program,
    tensors: Mapping[str, Tensor],
    scalars: Mapping[str, int | float | bool],
    *,
    report: Report | None = None,
    write_line: Callable[[str], None] = print,
) -> None:
    """Runs a program on tensors by parameter name, which it writes in place; ``scalars`` holds scalar parameters and
    sizes.

    A ``report`` turns on debug mode and collects what is found; nothing is raised for findings. Raises
    ``ExecutionError`` where the program itself goes wrong: a failed ``assert``, a ``trap``, shared memory accessed out
    of bounds (R002), a deadlock (R009), and in debug mode a loop past the iteration limit (R001).
    """
    sizes = {size.name: int(scalars[size.name]) for size in program.sizes}
    grid = tuple(evaluate(extent, sizes) for extent in program.grid)
    launch = Launch(grid, sizes=sizes, report=report, write_line=write_line)
    for value in program.parameters:
        if value.name in tensors:
            launch.tensors[value] = tensors[value.name]
        else:
            launch.scalars[value] = _scalar(value, scalars[value.name])
    for size in program.sizes:
        launch.scalars[size] = _scalar(size, sizes[size.name])
    instructions = [each.instruction for each in walk(program.body) if isinstance(each, Let)]
    with np.errstate(all="ignore"):
        if any(type(each).ready is not Instruction.ready for each in instructions):
            _run_in_turns(program, launch)
        else:
            for blocks in _batches(program, grid):
                for _ in _run_body(program.body, BlockBatch(launch, blocks)):
                    raise AssertionError("nothing waits in this program")


def _scalar(value: Value, number: int | float | bool) -> Array:
    dtype = value.dtype
    codes = dtype.encode(np.array([number], np.float64 if dtype.kind == "float" else dtype.carrier))
    return dtype.to_values(codes) if dtype.carrier is not None else codes


def _batches(program: Program, grid: tuple[int, ...]) -> Iterator[NDArray[np.int64]]:
    """The blocks of the grid, cut into batches."""
    count = int(np.prod(grid, dtype=np.int64))
    tiles = (each.result.type for each in walk(program.body) if isinstance(each, Let) and each.result is not None)
    largest = max((4 * kind.elements for kind in tiles if isinstance(kind, TileType)), default=4)
    length = max(1, BATCH_BYTES // largest)
    for start in range(0, count, length):
        yield np.arange(start, min(start + length, count))


def _run_in_turns(program: Program, launch: Launch) -> None:
    """Runs blocks one by one in order, each until it ends or waits, until all have ended."""
    batches = [BlockBatch(launch, np.array([block])) for block in range(int(np.prod(launch.grid, dtype=np.int64)))]
    waiting: list[tuple[BlockBatch, Run]] = [(batch, _run_body(program.body, batch)) for batch in batches]
    while waiting:
        before = sum(batch.steps for batch, _ in waiting)
        still = [(batch, run) for batch, run in waiting if _waits(run)]
        if len(still) == len(waiting) and sum(batch.steps for batch, _ in still) == before:
            first = still[0][0]
            raise ExecutionError(
                "R009",
                f"deadlock: {len(still)} blocks wait and none can go on; block {first.coordinates(0)} waits here",
                span=first.span,
                help="each `acquire` needs a `release` of the value it waits for, by a block that does not wait for it",
            )
        waiting = still


def _waits(run: Run) -> bool:
    for _ in run:
        return True
    return False


def _run_body(body: tuple[Statement, ...], batch: BlockBatch) -> Run:
    for statement in body:
        kind = type(statement)
        if kind is Let:
            yield from _run_let(statement, batch)  # type: ignore[arg-type]
        elif kind is For:
            yield from _run_for(statement, batch)  # type: ignore[arg-type]
        elif kind is If:
            yield from _run_if(statement, batch)  # type: ignore[arg-type]
        else:
            yield from _run_while(statement, batch)  # type: ignore[arg-type]


def _run_let(statement: Let, batch: BlockBatch) -> Run:
    batch.span, batch.result = statement.span, statement.result
    instruction = statement.instruction
    try:
        while not instruction.ready(batch):
            yield
        result = instruction.evaluate(batch)
    except TilevmError as error:
        if statement.span is None:
            raise
        raise type(error).of(error.located(statement.span)) from None
    batch.steps += 1
    if statement.result is not None:
        if result is not None:
            batch.define(statement.result, result)
        else:
            assert not isinstance(statement.result.type, TileType)


def _run_for(loop: For, batch: BlockBatch) -> Run:
    bounds = [batch.values(operand) for operand in (loop.start, loop.stop, loop.step)]
    if all(_uniform(bound) for bound in bounds):
        start, stop, step = (int(bound[0]) for bound in bounds)
        yield from _run_counted(loop, batch, start, stop, step)
        return
    rows = np.stack(np.broadcast_arrays(*bounds), axis=1)
    kinds, which = np.unique(rows, axis=0, return_inverse=True)
    pieces: list[tuple[NDArray[np.int64], BlockBatch]] = []
    for number, (start, stop, step) in enumerate(kinds.tolist()):
        selection = np.flatnonzero(which.reshape(-1) == number)
        part = batch.part(selection)
        yield from _run_counted(loop, part, start, stop, step)
        pieces.append((selection, part))
    for carry in loop.carried:
        _merge(batch, carry.result, [(selection, part.raw(carry.result)) for selection, part in pieces])


def _run_counted(loop: For, batch: BlockBatch, start: int, stop: int, step: int) -> Run:
    if step == 0:
        raise ExecutionError("R030", "the step of the loop is 0", span=loop.span, help="a step is positive or negative")
    _assign(batch, [(carry.inner, carry.initial) for carry in loop.carried])
    for iteration, index in enumerate(range(start, stop, step)):
        _check_limit(loop, batch, iteration)
        batch.define(loop.index, np.array([index], np.int32))
        yield from _run_body(loop.body, batch)
        _assign(batch, [(carry.inner, carry.update) for carry in loop.carried])
    _assign(batch, [(carry.result, carry.inner) for carry in loop.carried])


def _assign(batch: BlockBatch, pairs: list[tuple[Value, Operand]]) -> None:
    """Assigns all at once: a carry may read what another carry writes."""
    for value, array in [(value, batch.raw(operand)) for value, operand in pairs]:
        batch.define(value, array)


def _check_limit(loop: For | While, batch: BlockBatch, iteration: int) -> None:
    report = batch.launch.report
    if report is not None and iteration >= report.iteration_limit:
        raise ExecutionError(
            "R001",
            f"the loop is still running after {report.iteration_limit} iterations",
            span=loop.span,
            help="if it is meant to run that long: debug=tilevm.Report(iteration_limit=…)",
        )


def _run_while(loop: While, batch: BlockBatch) -> Run:
    _assign(batch, [(carry.inner, carry.initial) for carry in loop.carried])
    going, places = batch, np.arange(batch.count)
    pieces: list[tuple[NDArray[np.int64], BlockBatch]] = []
    iteration = 0
    while True:
        yield from _run_body(loop.test, going)
        condition = going.values(loop.condition)
        ended = np.flatnonzero(~np.broadcast_to(condition, (going.count,)))
        if len(ended) == going.count:
            pieces.append((places, going))
            break
        if len(ended):
            pieces.append((places[ended], going.part(ended)))
            goes_on = np.flatnonzero(condition)
            going, places = going.part(goes_on), places[goes_on]
        _check_limit(loop, batch, iteration)
        iteration += 1
        yield from _run_body(loop.body, going)
        _assign(going, [(carry.inner, carry.update) for carry in loop.carried])
    for carry in loop.carried:
        _merge(batch, carry.result, [(selection, part.raw(carry.inner)) for selection, part in pieces])


def _run_if(branch: If, batch: BlockBatch) -> Run:
    condition = batch.values(branch.condition)
    if _uniform(condition):
        chosen = bool(condition[0])
        yield from _run_body(branch.then if chosen else branch.otherwise, batch)
        for join in branch.joins:
            batch.define(join.result, batch.raw(join.then if chosen else join.otherwise))
        return
    pieces: list[tuple[NDArray[np.int64], BlockBatch]] = []
    for selected, body in ((condition, branch.then), (~condition, branch.otherwise)):
        selection = np.flatnonzero(selected)
        part = batch.part(selection)
        yield from _run_body(body, part)
        pieces.append((selection, part))
    for join in branch.joins:
        sides = (join.then, join.otherwise)
        _merge(batch, join.result, [(s, part.raw(side)) for (s, part), side in zip(pieces, sides, strict=True)])


def _uniform(array: Array) -> bool:
    return len(array) == 1 or bool((array == array[0]).all())


def _merge(batch: BlockBatch, value: Value, pieces: list[tuple[NDArray[np.int64], Array]]) -> None:
    """Defines a value from those of the parts that a batch was split into."""
    if len(pieces) == 1:
        batch.define(value, pieces[0][1])
        return
    forms: set[Any] = {array.dtype for _, array in pieces}
    if len(forms) > 1:
        pieces = [(selection, value.dtype.to_values(array)) for selection, array in pieces]
    first = pieces[0][1]
    merged = np.empty((batch.count, *first.shape[1:]), first.dtype)
    for selection, array in pieces:
        merged[selection] = array
    batch.define(value, merged)
