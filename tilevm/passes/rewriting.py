"""Small rewrites of statements that passes make: other operands, other bodies, results that nobody uses."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from tilevm.ir import For, If, Let, Statement, While, map_children
from tilevm.values import Operand, Value

__all__ = ["with_bodies", "with_operands", "with_results"]


def with_operands(statement: Statement, operand: Callable[[Operand], Operand]) -> Statement:
    """The statement with every operand that it uses itself replaced; its bodies stay as they are."""
    return map_children(statement, lambda body: body, operand)  # type: ignore[type-var]


def with_results(statements: Iterable[Statement]) -> tuple[Statement, ...]:
    """The statements, in which every instruction that gives something has a result, also where nobody uses it: a tile
    that is made has a layout."""

    def result(let: Let) -> Let:
        kind = let.instruction.infer() if let.result is None else None
        return let if kind is None else replace(let, result=Value(kind, "", let.span))

    return tuple(
        result(each) if isinstance(each, Let) else map_children(each, with_results, lambda operand: operand)  # type: ignore[type-var]
        for each in statements
    )


def with_bodies(statement: For | While | If, **bodies: tuple[Statement, ...]) -> For | While | If:
    """The statement with other bodies, given by the names of their fields."""
    return replace(statement, **bodies)  # type: ignore[arg-type]
