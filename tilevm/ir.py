"""The intermediate representation: what one thread block does, as a tree of statements over named values.

    Program     name, parameters, sizes, grid, warps, requires, body
    Statement   Let(result, instruction) | For | While | If
    Carry       a value that a loop changes: before it, inside, at the end of an iteration, after it
    Join        a value that the two branches of an If give

Operands, windows and types are in ``tilevm.values``, the base of instructions in ``tilevm.instruction``.

Values are in static single assignment form: each is defined once, by a ``Let``, by a loop, by an ``If`` or as a
parameter. Scalars are uniform over the block. Everything is frozen: a pass builds a new program with ``map_children``.
Values compare by identity; programs compare by structure, and neither the names of values nor their places in the text
count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cached_property
from typing import Any, TypeVar

from tilevm.errors import Span
from tilevm.instruction import Instruction
from tilevm.plan import Plan
from tilevm.sizes import Size
from tilevm.values import Literal, Operand, TensorType, Value

__all__ = ["Carry", "For", "If", "Join", "Let", "Program", "Requirement", "Statement", "While", "map_children", "walk"]


@dataclass(frozen=True)
class Let:
    """Runs an instruction; ``result`` is None where it gives nothing."""

    result: Value | None
    instruction: Instruction
    span: Span | None = field(default=None, compare=False, repr=False)
    plan: Plan | None = field(default=None, compare=False, repr=False)
    """How the instruction is carried out, once that is chosen (see ``tilevm.plan``)."""


@dataclass(frozen=True)
class Carry:
    """A value that a loop changes."""

    initial: Operand
    """Before the loop."""
    inner: Value
    """At the start of an iteration."""
    update: Operand
    """At the end of an iteration."""
    result: Value
    """After the loop."""


@dataclass(frozen=True)
class For:
    """Runs the body for ``index`` = start, start + step, … while it is before ``stop``. The step is not 0.

    ``stages`` asks the compiler to keep that many iterations' loads in flight, ``unroll`` to unroll that many times.
    Neither changes what the loop computes.
    """

    index: Value
    start: Operand
    stop: Operand
    step: Operand
    carried: tuple[Carry, ...]
    body: tuple[Statement, ...]
    stages: int = 1
    unroll: int = 1
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class While:
    """Runs ``test`` and, while the scalar ``condition`` (u1) it computes is true, the body.

    ``test`` sees the carried values of the iteration; what it defines is seen by the body.
    """

    test: tuple[Statement, ...]
    condition: Operand
    carried: tuple[Carry, ...]
    body: tuple[Statement, ...]
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Join:
    """A value that an ``If`` gives: one of the two, by the branch that ran."""

    then: Operand
    otherwise: Operand
    result: Value


@dataclass(frozen=True)
class If:
    """Runs one of two bodies by a scalar condition (u1)."""

    condition: Operand
    then: tuple[Statement, ...]
    otherwise: tuple[Statement, ...]
    joins: tuple[Join, ...]
    span: Span | None = field(default=None, compare=False, repr=False)


Statement = Let | For | While | If


@dataclass(frozen=True)
class Requirement:
    """A condition on the sizes that a launch must meet, and what to say where it does not."""

    condition: Size
    message: str = ""
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, eq=False)
class Program:
    """One kernel with every compile-time parameter bound.

    ``sizes`` are the symbols of the parameters' shapes, as ``i32`` values that carry the symbol's name. ``grid`` has
    one to three extents, in blocks; ``warps`` counts warps of 32 threads in a block.
    """

    name: str
    parameters: tuple[Value, ...]
    sizes: tuple[Value, ...]
    grid: tuple[Size, ...]
    warps: int
    requires: tuple[Requirement, ...]
    body: tuple[Statement, ...]
    span: Span | None = field(default=None, repr=False)
    alignment: tuple[tuple[str, int], ...] = ()
    """Bytes that divide the addresses of tensors, by name, where a launch knows that they are not aligned to 16; like
    the places in the text no part of what the program means."""

    @property
    def threads(self) -> int:
        """Threads in a block."""
        return 32 * self.warps

    @property
    def awaits_launches(self) -> bool:
        """Whether it may begin before the launches before it have ended: it waits for them itself."""
        return any(isinstance(each, Let) and each.instruction.awaits_launches for each in self.body)

    @property
    def tensors(self) -> tuple[Value, ...]:
        """The parameters in global memory."""
        return tuple(value for value in self.parameters if isinstance(value.type, TensorType))

    @cached_property
    def structure(self) -> tuple[Any, ...]:
        """The program as nested tuples in which values are numbers, so that equal structures are equal tuples."""
        return _Structure().program(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Program) and self.structure == other.structure

    def __hash__(self) -> int:
        return hash(self.structure)

    def __str__(self) -> str:
        from tilevm.printer import print_program

        return print_program(self)


class _Structure:
    """Numbers values in the order in which they are met."""

    def __init__(self) -> None:
        self.numbers: dict[Value, int] = {}

    def program(self, program: Program) -> tuple[Any, ...]:
        interface = tuple((value.name, value.type) for value in (*program.parameters, *program.sizes))
        for value in (*program.parameters, *program.sizes):
            self.of(value)
        requires = tuple(self.of(each) for each in program.requires)
        return (program.name, interface, program.grid, program.warps, requires, self.of(program.body))

    def of(self, node: Any) -> Any:
        if isinstance(node, Value):
            return ("value", self.numbers.setdefault(node, len(self.numbers)), node.type)
        if isinstance(node, Literal):
            return node
        if isinstance(node, tuple):
            return tuple(self.of(each) for each in node)
        if is_dataclass(node) and type(node).__module__.startswith(
            ("tilevm.ir", "tilevm.instructions", "tilevm.values")
        ):
            held = (self.of(getattr(node, each.name)) for each in fields(node) if each.compare)
            return (type(node).__name__, *held)
        return node


def bodies(statement: Statement) -> tuple[tuple[Statement, ...], ...]:
    """The bodies of a statement, in order of the text."""
    if isinstance(statement, For):
        return (statement.body,)
    if isinstance(statement, While):
        return (statement.test, statement.body)
    if isinstance(statement, If):
        return (statement.then, statement.otherwise)
    return ()


def walk(statements: Iterable[Statement]) -> Iterator[Statement]:
    """Every statement, those within loops and branches right after the one that holds them."""
    for statement in statements:
        yield statement
        for body in bodies(statement):
            yield from walk(body)


_Node = TypeVar("_Node", Let, For, While, If)


def map_children(
    statement: _Node,
    body: Callable[[tuple[Statement, ...]], tuple[Statement, ...]],
    operand: Callable[[Operand], Operand],
) -> _Node:
    """The statement with ``body`` applied to its bodies and ``operand`` to every operand that it uses.

    Values that the statement *defines* (a loop's index, the inner and result values of a carry) stay as they are.
    """
    changes: dict[str, Any] = {}
    for each in fields(statement):
        held = getattr(statement, each.name)
        if each.name in ("body", "test", "then", "otherwise"):
            changes[each.name] = body(held)
        elif each.name in ("start", "stop", "step", "condition"):
            changes[each.name] = operand(held)
        elif each.name == "carried":
            changes[each.name] = tuple(
                Carry(operand(carry.initial), carry.inner, operand(carry.update), carry.result) for carry in held
            )
        elif each.name == "joins":
            changes[each.name] = tuple(Join(operand(j.then), operand(j.otherwise), j.result) for j in held)
        elif each.name == "instruction":
            changes[each.name] = held.substituted(operand)
        else:
            changes[each.name] = held
    return type(statement)(**changes)
