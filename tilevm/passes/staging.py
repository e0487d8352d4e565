"""Staging: a loop with ``stages=S`` becomes a software pipeline that keeps the copies of S - 1 iterations in flight.

    for k in range(0, K, 64, stages=3):        a_ring = shared(f16, [3, 16, 64])
        a = load(x[m :+ 16, k :+ 64])          copy_async(a_ring[0], x[m :+ 16, 0 :+ 64]); commit()
        ...                                    copy_async(a_ring[1], x[m :+ 16, 64 :+ 64]); commit()
                                               i = 0
                                               for k in range(0, K, 64):
                                                   wait(1); sync()
                                                   copy_async(a_ring[(i + 2) % 3], x[m :+ 16, k + 128 :+ 64])
                                                   commit()
                                                   a = load(a_ring[i % 3])
                                                   ...
                                                   i = i + 1
                                               wait(0)

The one barrier of an iteration does two things: it shows every thread what the others have copied for this iteration,
and it says that all are done with the slot that is filled next. Copies past the last iteration bring what lies there,
or zeros, which nobody reads; so every iteration closes exactly one group, and how many to wait for is fixed.

A load takes part where its window can be computed ahead, nothing in the loop changes what it reads, and the window can
be copied in pieces of at least 4 bytes. What a load lacks is said in a remark. An architecture without asynchronous
copies goes the same way with plain ones and two stages: it hides less of the time, and still reads memory in wide,
neighbouring pieces.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from tilevm.arch import Arch
from tilevm.dtypes import I32
from tilevm.errors import Span
from tilevm.instruction import Instruction
from tilevm.instructions.arithmetic import Add, Multiply, Remainder
from tilevm.instructions.memory import Commit, CopyAsync, Shared, Wait
from tilevm.instructions.sync import Sync
from tilevm.ir import Carry, For, If, Let, Program, Statement, While, bodies, walk
from tilevm.passes.copy_width import ALIGNMENT, CopyWidth, copy_width
from tilevm.passes.divisibility import analyse
from tilevm.passes.loop_invariants import stays_the_same
from tilevm.passes.register_layouts import SECTOR_BITS
from tilevm.passes.remarks import Remark
from tilevm.passes.rewriting import with_bodies
from tilevm.uses import defined_within
from tilevm.values import Literal, Operand, ScalarType, TensorType, TileType, Value, Window

__all__ = ["stage_loops"]

SMALLEST = SECTOR_BITS
"""In bits: less than a sector, 32 bytes, is what memory moves anyway, so there a copy would wait as long for less."""

WITHOUT_COPIES = 2
"""Stages where copies go through registers: one is filled while the other is read."""


def stage_loops(program: Program, arch: Arch) -> tuple[Program, tuple[Remark, ...]]:
    """Makes loops with ``stages`` of at least 2 pipelines of asynchronous copies through shared memory."""
    staging = _Staging(program, arch)
    return replace(program, body=tuple(staging.body(program.body))), tuple(staging.remarks)


@dataclass(frozen=True)
class _Ring:
    """The shared tile of a load, one slot a stage, and the window that is copied to it, with the load's hint."""

    tile: Value
    source: Window
    span: Span | None
    cache: str

    def slot(self, number: Operand) -> Window:
        zeros = tuple(Literal(0, I32) for _ in self.source.shape)
        return Window(self.tile, (number, *zeros), (None, *self.source.shape))


@dataclass
class _Ahead:
    """Statements that compute something for another iteration, with what each value of the body is in that one."""

    made: dict[Value, Operand]
    statements: list[Statement] = field(default_factory=list)

    def scalar(self, instruction: Instruction, name: str, span: Span | None) -> Value:
        kind = instruction.infer()
        assert kind is not None
        value = Value(kind, name, span)
        self.statements.append(Let(value, instruction, span))
        return value

    def operand(self, operand: Operand, body: dict[Value, Let]) -> Operand:
        """The operand in the other iteration."""
        if isinstance(operand, Value) and operand in body and operand not in self.made:
            let = body[operand]
            instruction = let.instruction.substituted(lambda each: self.operand(each, body))
            self.made[operand] = self.scalar(instruction, operand.name, let.span)
        return self.made.get(operand, operand) if isinstance(operand, Value) else operand


class _Staging:
    """One way through a program, inner loops first."""

    def __init__(self, program: Program, arch: Arch) -> None:
        self.known, self.arch = analyse(program), arch
        named = dict(program.alignment)
        self.alignment = {tensor: named[tensor.name] for tensor in program.tensors if tensor.name in named}
        self.remarks: list[Remark] = []

    def body(self, statements: Iterable[Statement]) -> Iterator[Statement]:
        for statement in statements:
            if isinstance(statement, Let):
                self.viewed(statement)
                yield statement
            elif isinstance(statement, If):
                then, otherwise = tuple(self.body(statement.then)), tuple(self.body(statement.otherwise))
                yield replace(statement, then=then, otherwise=otherwise)
            elif isinstance(statement, While):
                yield with_bodies(
                    statement, test=tuple(self.body(statement.test)), body=tuple(self.body(statement.body))
                )
            else:
                yield from self.loop(replace(statement, body=tuple(self.body(statement.body))))

    def viewed(self, let: Let) -> None:
        """A view of a tensor begins where the tensor does."""
        if let.result is not None and isinstance(let.result.type, TensorType):
            for operand in let.instruction.operands():
                if isinstance(operand, Value) and operand in self.alignment:
                    self.alignment[let.result] = self.alignment[operand]

    def width(self, window: Window) -> CopyWidth:
        """The width of the copies of a window."""
        return copy_width(window, self.known, self.alignment.get(window.base, ALIGNMENT))

    def loop(self, loop: For) -> Iterator[Statement]:
        if loop.stages < 2:
            yield loop
            return
        if loop.stages > WITHOUT_COPIES and not self.arch.has("cp_async"):
            words = f"{self.arch.name} has no cp.async to keep more in flight"
            self.remarks.append(Remark(f"stages={loop.stages} is made {WITHOUT_COPIES}: {words}", loop.span))
            loop = replace(loop, stages=WITHOUT_COPIES)
        rings = self.rings(loop)
        if not rings:
            yield replace(loop, stages=1)
            return
        pipeline = _Pipeline(loop, rings)
        yield from pipeline.before()
        yield pipeline.around()
        yield Let(None, Wait(0), loop.span)

    # What takes part

    def rings(self, loop: For) -> dict[Value, _Ring]:
        """The ring of each load that takes part, by what it gives; loads of one window share a ring."""
        inside = list(walk(loop.body))
        unable = self.unable(inside)
        if unable is not None:
            self.remarks.append(Remark(f"stages={loop.stages} has no effect: {unable}", loop.span))
            return {}
        ahead = _computable(loop)
        rings: dict[Value, _Ring] = {}
        shared: dict[tuple[Window, str], _Ring] = {}
        for let in loop.body:
            if not isinstance(let, Let) or let.result is None or (window := _loaded(let)) is None:
                continue
            why = self.obstacle(let, window, inside, ahead, loop)
            if why:
                self.remarks.append(Remark(f"`{_name(let, window)}` is not staged: {why}", let.span))
                continue
            cache = let.instruction.cached()
            if (window, cache) not in shared:
                kind = Shared(window.dtype, (loop.stages, *window.shape))
                tile = Value(kind.infer(), _name(let, window), let.span)
                shared[window, cache] = _Ring(tile, window, let.span, cache)
            rings[let.result] = shared[window, cache]
            self.remarks.append(self.staged(let, window, loop.stages))
        self.within(loop)
        return rings

    def within(self, loop: For) -> None:
        """Remarks on the loads in branches and loops of a body."""
        for each in walk(within for statement in loop.body for part in bodies(statement) for within in part):
            if isinstance(each, Let) and (window := _loaded(each)) is not None:
                why = "it stands in a branch or a loop within; only what every iteration loads is copied ahead"
                self.remarks.append(Remark(f"`{_name(each, window)}` is not staged: {why}", each.span))

    def unable(self, inside: list[Statement]) -> str | None:
        """Why no load of a loop can be staged."""
        for each in inside:
            if isinstance(each, Let) and (each.instruction.asynchronous or each.instruction.groups_left() is not None):
                return "there are asynchronous copies in the loop already, whose groups it counts"
        return None

    def obstacle(self, let: Let, window: Window, inside: list[Statement], ahead: set[Value], loop: For) -> str:
        """Why a load is not staged; empty where nothing stands in the way."""
        if let.instruction.plainly_reads() is None:
            return f"what lies outside of `{window.base.name}` is not read as zero, which is what copies bring"
        base = window.base.type
        assert isinstance(base, TensorType)
        bits = window.dtype.bits
        for extent in window.shape:
            bits *= extent
        if bits < SMALLEST:
            return f"it has {bits / 8:g} bytes, less than one sector of memory of {SMALLEST // 8} bytes"
        if base.access == "out" or not stays_the_same(window.base, inside):
            return f"what `{window.base.name}` holds may change in the loop"
        own = {value for each in (loop, *inside) for value in defined_within(each)}
        own -= {carry.result for carry in loop.carried}
        for offset in window.offsets:
            if isinstance(offset, Value) and offset in own and offset not in ahead:
                name = f"`{offset.name}`" if offset.name else "an offset"
                return (
                    f"{name} cannot be computed for a later iteration: an offset is made of the loop's index and of "
                    "what is known before the loop, by scalar arithmetic"
                )
        width = self.width(window)
        return "" if width.bits else f"no 4 bytes of it can be copied at once, because {width.why}"

    def staged(self, let: Let, window: Window, stages: int) -> Remark:
        width = self.width(window)
        why = f", because {width.why}" if width.why else ""
        text = f"`{_name(let, window)}` is staged in {stages} stages by copies of {width.bits // 8} bytes{why}"
        return Remark(text, let.span)


class _Pipeline:
    """A loop as a pipeline over rings."""

    def __init__(self, loop: For, rings: dict[Value, _Ring]) -> None:
        self.loop, self.by_result = loop, rings
        self.rings = tuple(dict.fromkeys(rings.values()))
        self.lets = {each.result: each for each in loop.body if isinstance(each, Let) and each.result is not None}

    def before(self) -> Iterator[Statement]:
        """The rings, and the copies of the first iterations."""
        for ring in self.rings:
            yield Let(ring.tile, Shared(ring.tile.dtype, ring.tile.shape), ring.span)
        for stage in range(self.loop.stages - 1):
            ahead = _Ahead({})
            ahead.made[self.loop.index] = self.moved(ahead, self.loop.start, stage)
            copies = list(self.copies(ahead, Literal(stage, I32)))
            yield from (*ahead.statements, *copies)

    def around(self) -> For:
        """The loop itself."""
        loop, span = self.loop, self.loop.span
        counter, after = (Value(ScalarType(I32), "iteration", span) for _ in range(2))
        stages = Literal(loop.stages, I32)
        ahead = _Ahead({})
        ahead.made[loop.index] = self.moved(ahead, loop.index, loop.stages - 1)
        later = ahead.scalar(Add(counter, Literal(loop.stages - 1, I32)), "", span)
        filled = ahead.scalar(Remainder(later, stages), "", span)
        read = ahead.scalar(Remainder(counter, stages), "", span)
        following = ahead.scalar(Add(counter, Literal(1, I32)), "iteration", span)
        copies = list(self.copies(ahead, filled))
        body = (
            *ahead.statements,
            Let(None, Wait(loop.stages - 2), span),
            Let(None, Sync(), span),
            *copies,
            *(self.reading(each, read) for each in loop.body),
        )
        carry = Carry(Literal(0, I32), counter, following, after)
        return replace(loop, body=body, carried=(*loop.carried, carry), stages=1)

    def moved(self, ahead: _Ahead, index: Operand, iterations: int) -> Operand:
        """The index so many iterations after another."""
        step = self.loop.step
        if iterations == 0:
            return index
        if isinstance(step, Literal) and isinstance(index, Literal):
            return _wrapped(int(index.value) + iterations * int(step.value))
        distance: Operand
        if isinstance(step, Literal):
            distance = _wrapped(iterations * int(step.value))
        else:
            distance = ahead.scalar(Multiply(step, Literal(iterations, I32)), "", self.loop.span)
        return ahead.scalar(Add(index, distance), self.loop.index.name, self.loop.span)

    def copies(self, ahead: _Ahead, slot: Operand) -> Iterator[Statement]:
        """The copies of one iteration to a slot, as a group; what their windows need goes to ``ahead``."""
        for ring in self.rings:
            offsets = tuple(ahead.operand(offset, self.lets) for offset in ring.source.offsets)
            source = replace(ring.source, offsets=offsets)
            yield Let(None, CopyAsync(ring.slot(slot), source, cache=ring.cache), ring.span)
        yield Let(None, Commit(), self.loop.span)

    def reading(self, statement: Statement, slot: Value) -> Statement:
        """A statement of the body, a load that takes part reading its slot instead of the tensor."""
        if not isinstance(statement, Let) or statement.result not in self.by_result:
            return statement
        instruction = statement.instruction
        (source,) = (name for name, role in instruction.roles().items() if role.kind == "window")
        ring = self.by_result[statement.result]
        changes: dict[str, object] = {source: ring.slot(slot)}
        if ring.cache != "default":
            changes["cache"] = "default"
        return replace(statement, instruction=replace(instruction, **changes))


def _wrapped(number: int) -> Literal:
    """The number as an ``i32``, which wraps."""
    return Literal((number + 2**31) % 2**32 - 2**31, I32)


def _computable(loop: For) -> set[Value]:
    """The index, and the scalars of the body that follow from it and from what is defined before the loop."""
    inside = list(walk(loop.body))
    defined = {value for each in (loop, *inside) for value in defined_within(each)}
    found = {loop.index}
    for each in loop.body:
        if not isinstance(each, Let) or each.result is None or not isinstance(each.result.type, ScalarType):
            continue
        instruction = each.instruction
        operands = list(instruction.operands())
        pure = instruction.pure and not any(True for _ in instruction.memory(written=False))
        if pure and all(_follows(operand, found, defined) for operand in operands):
            found.add(each.result)
    return found


def _follows(operand: Operand, found: set[Value], defined: set[Value]) -> bool:
    return isinstance(operand.type, ScalarType) and (operand in found or operand not in defined)


def _loaded(let: Let) -> Window | None:
    """The window of a tensor that an instruction, which does nothing else, makes a tile of."""
    instruction, result = let.instruction, let.result
    if not instruction.pure or result is None or not isinstance(result.type, TileType):
        return None
    windows = [getattr(instruction, name) for name, role in instruction.roles().items() if role.kind == "window"]
    return windows[0] if len(windows) == 1 and isinstance(windows[0].base.type, TensorType) else None


def _name(let: Let, window: Window) -> str:
    return let.result.name if let.result is not None and let.result.name else window.base.name
