"""Divisibility: what surely divides each ``i32`` scalar, and between which bounds it lies, before the program runs.

Literals are known; a size is at least 0; ``require`` holds for sizes, and ``assume`` for whatever it says, since where
it is false the program may do anything. A loop's index begins at its start and goes in steps; what a loop carries is
followed until nothing new is learnt. Vector widths, and whether bounds have to be checked, rest on these facts.

``analyse(program)`` gives a ``Divisibility``, which answers for operands and for sizes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import gcd

from tilevm.dtypes import I32, U1
from tilevm.instruction import Instruction
from tilevm.ir import For, If, Let, Program, Statement, While
from tilevm.multiples import I32_HIGH, I32_LOW, UNKNOWN, Known, apply, exactly, implied, wrapped
from tilevm.sizes import Operation, Size, Symbol
from tilevm.values import Literal, Operand, ScalarType, TileType, Value

__all__ = ["Divisibility", "analyse"]

ANY_I32 = Known(1, I32_LOW, I32_HIGH)
ANY_SIZE = Known(1, 0, I32_HIGH)
TRUE = exactly(1)
ROUNDS = 4
"""After so many ways through a loop bounds that still grow are given up; divisors only get smaller, and so end."""


@dataclass(frozen=True)
class Divisibility:
    """What is known of the scalars and sizes of one program. Made by ``analyse``."""

    values: dict[Value, Known]
    symbols: dict[str, Known]

    def of(self, operand: Operand) -> Known:
        """What is known of an integer scalar; of anything else nothing."""
        if isinstance(operand, Literal):
            return exactly(int(operand.value)) if operand.dtype.kind != "float" else UNKNOWN
        return self.values.get(operand, ANY_I32 if operand.type == ScalarType(I32) else UNKNOWN)

    def of_size(self, size: Size) -> Known:
        """What is known of a size, such as an extent of a tensor's shape."""
        if isinstance(size, int):
            return exactly(size)
        if isinstance(size, Symbol):
            return self.symbols.get(size.name, ANY_SIZE)
        return apply(size.operator, *map(self.of_size, size.operands))


def analyse(program: Program) -> Divisibility:
    """What is known of every ``i32`` scalar and every size of a program.

    Assumptions in a branch or a loop hold in it alone; at the top level they hold for the whole program.
    """
    analysis = _Analysis(Divisibility({}, {}), program.grid)
    for requirement in program.requires:
        analysis.require(requirement.condition)
    for size in program.sizes:
        analysis.known.values[size] = analysis.known.symbols.get(size.name, ANY_SIZE)
    for value in program.parameters:
        if value.type == ScalarType(I32):
            analysis.known.values[value] = ANY_I32
    analysis.body(program.body)
    for size in program.sizes:
        analysis.known.symbols[size.name] = analysis.known.of(size)
    return analysis.known


class _Analysis:
    """One way through a program, with the instruction that made each value."""

    def __init__(self, known: Divisibility, grid: tuple[Size, ...]) -> None:
        self.known = known
        self.grid = grid
        self.made: dict[Value, Instruction] = {}

    def body(self, statements: Iterable[Statement]) -> None:
        for statement in statements:
            if isinstance(statement, Let):
                self.let(statement)
            elif isinstance(statement, If):
                self.branch(statement)
            elif isinstance(statement, For):
                self.counted(statement)
            else:
                self.carried(statement, (*statement.test, *statement.body))

    def let(self, let: Let) -> None:
        instruction, result = let.instruction, let.result
        if result is not None and result.type == ScalarType(I32):
            operands = tuple(instruction.operands())
            followed = all(each.type in (ScalarType(I32), ScalarType(U1)) for each in operands)
            known = apply(instruction.spelling, *map(self.known.of, operands)) if followed and operands else UNKNOWN
            low, high = instruction.bounds()
            known = wrapped(known).and_also(Known(1, low, high))
            if instruction.grid_axis is not None:
                known = known.and_also(self.block_index(instruction.grid_axis))
            self.learn(result, known)
        if result is not None:
            self.made[result] = instruction
        for condition in instruction.assumed():
            self.assume(condition, TRUE)

    def block_index(self, axis: int) -> Known:
        """Where a block stands along an axis of the grid."""
        blocks = self.known.of_size(self.grid[axis]).high if axis < len(self.grid) else 1
        return Known(1, 0, None if blocks is None else max(blocks - 1, 0))

    def learn(self, value: Value, known: Known) -> None:
        self.known.values[value] = known

    # Assumptions

    def assume(self, operand: Operand, fact: Known) -> None:
        """A value is in a set as well; so the values that it was made of may be restricted too."""
        if not isinstance(operand, Value) or operand.dtype not in (I32, U1) or isinstance(operand.type, TileType):
            return
        if operand.dtype is I32:
            self.learn(operand, self.known.of(operand).and_also(fact))
        made = self.made.get(operand)
        if made is None:
            return
        operands = tuple(made.operands())
        if operand.dtype is U1 and made.spelling == "&":
            for each in operands:
                self.assume(each, fact)
            return
        if all(each.type == ScalarType(I32) for each in operands):
            for place, learnt in implied(made.spelling, fact, *map(self.known.of, operands)):
                self.assume(operands[place], learnt)

    def require(self, condition: Size, fact: Known | None = None) -> None:
        """The same for sizes; ``fact`` None means that the condition holds."""
        if isinstance(condition, Symbol) and fact is not None:
            self.known.symbols[condition.name] = self.known.of_size(condition).and_also(fact)
        if not isinstance(condition, Operation):
            return
        if condition.operator == "and" and fact is None:
            for each in condition.operands:
                self.require(each)
            return
        operands = tuple(map(self.known.of_size, condition.operands))
        for place, learnt in implied(condition.operator, fact or TRUE, *operands):
            self.require(condition.operands[place], learnt)

    # Branches and loops

    def branch(self, branch: If) -> None:
        sides = []
        for statements, condition in ((branch.then, branch.condition), (branch.otherwise, None)):
            before = dict(self.known.values)
            if condition is not None:
                self.assume(condition, TRUE)
            self.body(statements)
            sides.append([self.known.of(j.then if condition is not None else j.otherwise) for j in branch.joins])
            self.known.values.update(before)
        for join, then, otherwise in zip(branch.joins, *sides, strict=True):
            self.learn(join.result, then.or_else(otherwise))

    def counted(self, loop: For) -> None:
        start, stop, step = (self.known.of(each) for each in (loop.start, loop.stop, loop.step))
        divisor = gcd(start.divisor, step.divisor)
        if step.low is not None and step.low > 0:
            last = None if stop.high is None else stop.high - 1
            index = Known(divisor, start.low, last)
        elif step.high is not None and step.high < 0:
            index = Known(divisor, None if stop.low is None else stop.low + 1, start.high)
        else:
            index = Known(divisor, I32_LOW, I32_HIGH)
        self.learn(loop.index, index.and_also(ANY_I32))
        self.carried(loop, loop.body)

    def carried(self, loop: For | While, body: tuple[Statement, ...]) -> None:
        """Goes through a body until the carried values hold what they have before it and after it."""
        carries = [carry for carry in loop.carried if carry.inner.type == ScalarType(I32)]
        for carry in carries:
            self.learn(carry.inner, self.known.of(carry.initial))
        before = dict(self.known.values)
        stable, rounds = False, 0
        while not stable:
            self.known.values.update(before)
            self.body(body)
            stable = True
            for carry in carries:
                held = before[carry.inner]
                wider = held.or_else(self.known.of(carry.update))
                if wider != held:
                    stable = False
                    before[carry.inner] = wider if rounds < ROUNDS else Known(wider.divisor, I32_LOW, I32_HIGH)
            rounds += 1
        self.known.values.update(before)
        for carry in carries:
            self.learn(carry.result, before[carry.inner])
