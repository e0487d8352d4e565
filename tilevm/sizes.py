"""Sizes: the small integer expressions in which a kernel states its shapes, its grid and what it requires.

A tensor parameter ``scale: f16[K // 128, N]`` has the shape ``(K // 128, N)``, where ``K`` and ``N`` are *symbols*:
they are bound from the shapes of the arguments when the kernel is called. A size is an ``int``, a ``Symbol``, or an
``Operation`` on sizes. Conditions (``require K % 64 == 0``) are sizes too, and count as true when they are not 0. A
specialised program holds its sizes in this form; inside the body a symbol is an ordinary ``i32`` value.

Sizes compare by structure, so two programs with the same shapes are equal.

>>> K = Symbol("K")
>>> rows = operation("//", K, 128)
>>> text(rows), evaluate(rows, {"K": 4096})
('K // 128', 32)
>>> operation("*", 4, 8)
32
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from tilevm.errors import ArgumentError

__all__ = ["OPERATORS", "Operation", "Size", "Symbol", "evaluate", "operation", "symbols", "text"]


@dataclass(frozen=True)
class Symbol:
    """A size that the shape of an argument gives when the kernel is called."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Operation:
    """An operator of ``OPERATORS`` applied to sizes. Build it with ``operation``, which folds constants."""

    operator: str
    operands: tuple[Size, ...]

    def __str__(self) -> str:
        return text(self)


Size = int | Symbol | Operation


def _cdiv(a: int, b: int) -> int:
    return -(-a // b)


OPERATORS: dict[str, tuple[int, Callable[..., int]]] = {
    "or": (1, lambda a, b: a or b),
    "and": (2, lambda a, b: a and b),
    "not": (3, operator.not_),
    "==": (4, operator.eq),
    "!=": (4, operator.ne),
    "<": (4, operator.lt),
    "<=": (4, operator.le),
    ">": (4, operator.gt),
    ">=": (4, operator.ge),
    "+": (9, operator.add),
    "-": (9, operator.sub),
    "*": (10, operator.mul),
    "//": (10, operator.floordiv),
    "%": (10, operator.mod),
    "negative": (11, operator.neg),
    "cdiv": (13, _cdiv),
    "min": (13, min),
    "max": (13, max),
}
"""Each operator with its binding strength in text and its meaning on integers; 13 is written as a call."""


def operation(name: str, *operands: Size) -> Size:
    """The operator applied to the operands, folded to an ``int`` where all are constants.

    Raises ``ArgumentError`` A009 where a constant is divided by zero.
    """
    if all(isinstance(operand, int) for operand in operands):
        return _apply(name, operands, Operation(name, operands))  # type: ignore[arg-type]
    return Operation(name, operands)


def _apply(name: str, operands: tuple[int, ...], written: Size) -> int:
    try:
        return int(OPERATORS[name][1](*operands))
    except ZeroDivisionError:
        raise ArgumentError(
            "A009", f"the size {text(written)} divides by zero", help="sizes and divisors are at least 1"
        ) from None


def evaluate(size: Size, bound: Mapping[str, int]) -> int:
    """The value of a size under a binding of every symbol in it.

    Raises ``KeyError`` for a symbol that is not bound (a bug of the caller), ``ArgumentError`` A009 on a division by
    zero.

    >>> evaluate(operation("cdiv", Symbol("N"), 128), {"N": 300})
    3
    """
    if isinstance(size, int):
        return size
    if isinstance(size, Symbol):
        return bound[size.name]
    return _apply(size.operator, tuple(evaluate(operand, bound) for operand in size.operands), size)


def symbols(size: Size) -> Iterator[str]:
    """The names of the symbols of a size, in the order of the text, with repetitions."""
    if isinstance(size, Symbol):
        yield size.name
    elif isinstance(size, Operation):
        for operand in size.operands:
            yield from symbols(operand)


def text(size: Size, strength: int = 0) -> str:
    """The size as it is written in the language, in parentheses where it binds weaker than ``strength``.

    >>> text(operation("*", operation("+", Symbol("K"), 1), 2))
    '(K + 1) * 2'
    """
    if isinstance(size, int):
        return str(size) if size >= 0 or strength <= 11 else f"({size})"
    if isinstance(size, Symbol):
        return size.name
    own, _ = OPERATORS[size.operator]
    if own == 13:
        return f"{size.operator}({', '.join(text(operand) for operand in size.operands)})"
    if len(size.operands) == 1:
        sign = "not " if size.operator == "not" else "-"
        written = sign + text(size.operands[0], own)
    else:
        left, right = size.operands
        weaker = own + 1 if own == 4 else own
        written = f"{text(left, weaker)} {size.operator} {text(right, own + 1)}"
    return f"({written})" if own < strength else written
