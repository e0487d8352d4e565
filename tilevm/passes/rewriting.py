"""Two small rewrites of a statement that most passes make: other operands, other bodies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from tilevm.ir import For, If, Statement, While, map_children
from tilevm.values import Operand

__all__ = ["with_bodies", "with_operands"]


def with_operands(statement: Statement, operand: Callable[[Operand], Operand]) -> Statement:
    """The statement with every operand that it uses itself replaced; its bodies stay as they are."""
    return map_children(statement, lambda body: body, operand)  # type: ignore[type-var]


def with_bodies(statement: For | While | If, **bodies: tuple[Statement, ...]) -> For | While | If:
    """The statement with other bodies, given by the names of their fields."""
    return replace(statement, **bodies)  # type: ignore[arg-type]
