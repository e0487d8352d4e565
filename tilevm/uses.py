"""Which values a statement uses and which it defines, on its own and with its bodies."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tilevm.ir import For, If, Let, Statement, While, bodies, walk
from tilevm.values import Operand, Value

__all__ = ["defined", "defined_within", "used", "used_within"]


def used(statement: Statement) -> Iterator[Value]:
    """The values that a statement itself uses, without those that its bodies use."""
    operands: Iterable[Operand]
    if isinstance(statement, Let):
        operands = statement.instruction.operands()
    elif isinstance(statement, If):
        sides = (side for join in statement.joins for side in (join.then, join.otherwise))
        operands = (statement.condition, *sides)
    else:
        carried = (side for carry in statement.carried for side in (carry.initial, carry.update))
        own = (
            (statement.condition,)
            if isinstance(statement, While)
            else (statement.start, statement.stop, statement.step)
        )
        operands = (*own, *carried)
    return (operand for operand in operands if isinstance(operand, Value))


def defined(statement: Statement) -> Iterator[Value]:
    """The values that are visible after a statement because of it."""
    if isinstance(statement, Let):
        if statement.result is not None:
            yield statement.result
    elif isinstance(statement, If):
        yield from (join.result for join in statement.joins)
    else:
        yield from (carry.result for carry in statement.carried)


def defined_within(statement: Statement) -> Iterator[Value]:
    """The values that a statement defines, also those that only its bodies see, but none of the statements in these."""
    yield from defined(statement)
    if isinstance(statement, For | While):
        yield from (carry.inner for carry in statement.carried)
    if isinstance(statement, For):
        yield statement.index


def used_within(statement: Statement) -> Iterator[Value]:
    """The values that a statement uses, and those that its bodies use."""
    yield from used(statement)
    for body in bodies(statement):
        for each in walk(body):
            yield from used(each)
