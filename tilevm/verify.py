"""The verifier: what must hold of every program, whoever built it.

The front end verifies what it has lowered, and every pass is verified after. Each rule has a code:

    V001  a value is used where it is not defined
    V002  a value is defined twice
    V003  the type of a result is not what its instruction gives
    V004  what a loop carries or an if joins changes its type on the way
    V005  a bound, a step or a condition has the wrong type
    V006  a register layout does not fit the tile's shape or the block's threads
    V007  the header: warps, grid, sizes

T057, what stands where beside ``depend()``, is a rule for users, and every instruction checks its own operands
(``Instruction.check``). All violations of a program are reported at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tilevm.dtypes import I32, U1, DType
from tilevm.errors import Diagnostic, ProgramError, Span, TilevmError
from tilevm.ir import For, If, Let, Program, Statement, While, walk
from tilevm.sizes import Size, symbols
from tilevm.values import Literal, Operand, ScalarType, SharedType, TensorType, TileType, Type, Value

__all__ = ["verify"]

MAXIMUM_WARPS = 32
"""A block has at most 1024 threads (CUDA C++ Programming Guide, table of compute capabilities)."""


def verify(program: Program) -> None:
    """Checks a program. Raises ``ProgramError`` with a diagnostic for every violation."""
    found = list(_Verifier(program).violations())
    if found:
        raise ProgramError.of(found)


class _Verifier:
    """Walks a program once, with the values that are in scope."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.defined: set[Value] = set()
        self.visible: set[Value] = set()

    def violations(self) -> Iterator[Diagnostic]:
        yield from self._header()
        for value in (*self.program.parameters, *self.program.sizes):
            yield from self._define(value, self.program.span)
        for statement in self.program.body:
            yield from self._statement(statement)
        yield from _early(self.program.body)

    def _header(self) -> Iterator[Diagnostic]:
        program, span = self.program, self.program.span
        if not 1 <= program.warps <= MAXIMUM_WARPS:
            yield Diagnostic("V007", f"a block has 1 to {MAXIMUM_WARPS} warps, not {program.warps}", span)
        if not 1 <= len(program.grid) <= 3:
            yield Diagnostic("V007", f"a grid has 1 to 3 extents, not {len(program.grid)}", span)
        known = {size.name for size in program.sizes}
        shapes = [size for value in program.tensors for size in _shape(value.type)]
        used: list[Size] = [*program.grid, *shapes, *(each.condition for each in program.requires)]
        for name in dict.fromkeys(name for size in used for name in symbols(size)):
            if name not in known:
                yield Diagnostic("V007", f"the size `{name}` is not one of the program's sizes", span)
        for size in program.sizes:
            if size.type != ScalarType(I32):
                yield Diagnostic("V007", f"the size `{size.name}` is {size.type}, not i32", span)

    def _let(self, statement: Let) -> Iterator[Diagnostic]:
        for operand in statement.instruction.operands():
            yield from self._use(operand, statement.span)
        try:
            expected = statement.instruction.check()
        except TilevmError as error:
            span = statement.span
            yield from error.diagnostics if span is None else error.located(span)
            expected = None if statement.result is None else statement.result.type
        result = statement.result
        if result is None:
            if expected is not None and statement.instruction.pure:
                yield Diagnostic(
                    "V003", f"`{statement.instruction.spelling}` gives {expected}, which is lost", statement.span
                )
            return
        if expected is None or not _agree(result.type, expected):
            gives = "nothing" if expected is None else str(expected)
            yield Diagnostic(
                "V003",
                f"`{result.name}` is {result.type}, but `{statement.instruction.spelling}` gives {gives}",
                statement.span,
            )
        yield from self._fits(result, statement.span)
        yield from self._define(result, statement.span)

    def _fits(self, value: Value, span: Span | None) -> Iterator[Diagnostic]:
        kind = value.type
        if not isinstance(kind, TileType) or kind.layout is None:
            return
        if kind.layout.shape != kind.shape:
            yield Diagnostic(
                "V006",
                f"the layout {kind.layout} has shape {list(kind.layout.shape)}, the tile {list(kind.shape)}",
                span,
            )
        if kind.layout.threads != self.program.threads:
            yield Diagnostic(
                "V006",
                f"the layout {kind.layout} is for {kind.layout.threads} threads, the block has {self.program.threads}",
                span,
            )

    def _for(self, loop: For) -> Iterator[Diagnostic]:
        for name in ("start", "stop", "step"):
            yield from self._scalar(getattr(loop, name), I32, f"the {name} of a loop", loop.span)
        if isinstance(loop.step, Literal) and loop.step.value == 0:
            yield Diagnostic("V005", "the step of the loop is 0", loop.span, help="a step is positive or negative")
        yield from self._carries(loop, (), (loop.index,))

    def _while(self, loop: While) -> Iterator[Diagnostic]:
        yield from self._carries(loop, loop.test, ())

    def _carries(
        self, loop: For | While, test: tuple[Statement, ...], indices: tuple[Value, ...]
    ) -> Iterator[Diagnostic]:
        for carry in loop.carried:
            yield from self._use(carry.initial, loop.span)
        outside = set(self.visible)
        for value in (*indices, *(carry.inner for carry in loop.carried)):
            yield from self._define(value, loop.span)
        for statement in test:
            yield from self._statement(statement)
        if isinstance(loop, While):
            yield from self._scalar(loop.condition, U1, "the condition of a loop", loop.span)
        for statement in loop.body:
            yield from self._statement(statement)
        for carry in loop.carried:
            yield from self._use(carry.update, loop.span)
            kinds = [carry.initial.type, carry.inner.type, carry.update.type, carry.result.type]
            yield from self._same(carry.result.name, kinds, loop.span)
        self.visible = outside
        for carry in loop.carried:
            yield from self._define(carry.result, loop.span)

    def _statement(self, statement: Statement) -> Iterator[Diagnostic]:
        if isinstance(statement, Let):
            yield from self._let(statement)
        elif isinstance(statement, For):
            yield from self._for(statement)
        elif isinstance(statement, While):
            yield from self._while(statement)
        else:
            yield from self._if(statement)

    def _if(self, branch: If) -> Iterator[Diagnostic]:
        yield from self._scalar(branch.condition, U1, "the condition of an if", branch.span)
        outside = set(self.visible)
        for body, side in ((branch.then, "then"), (branch.otherwise, "otherwise")):
            for statement in body:
                yield from self._statement(statement)
            for join in branch.joins:
                yield from self._use(getattr(join, side), branch.span)
            self.visible = set(outside)
        for join in branch.joins:
            yield from self._same(
                join.result.name, [join.then.type, join.otherwise.type, join.result.type], branch.span
            )
            yield from self._define(join.result, branch.span)

    def _same(self, name: str, kinds: list[Type], span: Span | None) -> Iterator[Diagnostic]:
        plain = [_without_layout(kind) for kind in kinds]
        if any(kind != plain[0] for kind in plain):
            shown = " and ".join(dict.fromkeys(str(kind) for kind in plain))
            yield Diagnostic("V004", f"`{name}` is {shown} on the two ways into it", span)

    def _scalar(self, operand: Operand, dtype: DType, what: str, span: Span | None) -> Iterator[Diagnostic]:
        yield from self._use(operand, span)
        if operand.type != ScalarType(dtype):
            yield Diagnostic("V005", f"{what} is a scalar of type {dtype}, not {operand.type}", span)

    def _use(self, operand: Operand, span: Span | None) -> Iterator[Diagnostic]:
        if isinstance(operand, Value) and operand not in self.visible:
            yield Diagnostic("V001", f"`{operand.name}` is used where it is not defined", span or operand.span)

    def _define(self, value: Value, span: Span | None) -> Iterator[Diagnostic]:
        if value in self.defined:
            yield Diagnostic("V002", f"`{value.name}` is defined twice", span)
        self.defined.add(value)
        self.visible.add(value)


def _early(body: tuple[Statement, ...]) -> Iterator[Diagnostic]:
    """What a kernel that may begin early does too early: before its launch knows that those before have ended."""
    waits = [number for number, each in enumerate(body) if _awaits(each)]
    for number, statement in enumerate(body):
        for each in walk((statement,)):
            if not isinstance(each, Let):
                continue
            if _awaits(each) and each is not statement:
                yield Diagnostic(
                    "T057",
                    f"`{each.instruction.spelling}` stands in a branch or a loop, which a block may not come by",
                    each.span,
                    help="write it outside of branches and loops: launches after this one count on every block to wait",
                )
            if waits and number < waits[0]:
                yield from _touched_early(each)


def _awaits(statement: Statement) -> bool:
    return isinstance(statement, Let) and statement.instruction.awaits_launches


def _touched_early(let: Let) -> Iterator[Diagnostic]:
    instruction = let.instruction
    for does, bases in (("writes", instruction.memory(written=True)), ("reads", instruction.memory(written=False))):
        for base in bases:
            if isinstance(base.type, TensorType) and (does == "writes" or base.type.access != "in"):
                yield Diagnostic(
                    "T057",
                    f"`{instruction.spelling}` {does} `{base.name}` before `depend`, when launches before this one may "
                    "still run",
                    let.span,
                    help="before `depend` only inputs are read: such as none of these launches writes",
                )
                return


def _shape(kind: Type) -> tuple[Size, ...]:
    return kind.shape


def _agree(actual: Type, expected: Type) -> bool:
    """Whether a result may have this type: an instruction leaves the layout open, which an annotation may fill."""
    if isinstance(actual, TileType | SharedType | TensorType) and getattr(expected, "layout", None) is None:
        return _without_layout(actual) == _without_layout(expected)
    return actual == expected


def _without_layout(kind: Type) -> Type:
    return kind if isinstance(kind, ScalarType) else replace(kind, layout=None)
