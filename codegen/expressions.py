"""Sizes and addresses, which are expressions over symbols, as C++ expressions.

A symbol is a C++ variable of type ``s32`` or, in an address, ``s64``; a division is rounded down, as in the language.

>>> from tilevm.sizes import Symbol, operation
>>> K = Symbol("K")
>>> expression(operation("*", operation("+", K, 1), 2)), expression(operation("cdiv", K, 128))
('(K + 1) * 2', 'tv::cdiv(K, 128)')
"""

from __future__ import annotations

from collections.abc import Mapping

from tilevm.sizes import OPERATORS, Operation, Size, Symbol

__all__ = ["expression", "wide_expression"]

CALLS = {"//": "floor_div", "%": "rem", "cdiv": "cdiv", "min": "min", "max": "max"}
SIGNS = {"or": "||", "and": "&&", "not": "!", "negative": "-"}


def expression(size: Size, names: Mapping[str, str] | None = None, strength: int = 0) -> str:
    """A size in C++, in parentheses where it binds weaker than ``strength``; ``names`` gives symbols other names."""
    if isinstance(size, int):
        return str(size) if size >= 0 else f"({size})"
    if isinstance(size, Symbol):
        return size.name if names is None else names.get(size.name, size.name)
    if size.operator in CALLS:
        return f"tv::{CALLS[size.operator]}({', '.join(expression(each, names) for each in size.operands)})"
    own, _ = OPERATORS[size.operator]
    sign = SIGNS.get(size.operator, size.operator)
    if len(size.operands) == 1:
        written = sign + expression(size.operands[0], names, 12)
    else:
        left, right = size.operands
        # Comparisons do not chain in C++ as they do in the language.
        weaker = own + 1 if own == OPERATORS["<"][0] else own
        written = f"{expression(left, names, weaker)} {sign} {expression(right, names, own + 1)}"
    return f"({written})" if own < strength else written


def wide_expression(size: Size, names: Mapping[str, str] | None = None) -> str:
    """A stride, which is never negative, in C++ with 64 bits, as a factor of a product.

    >>> from tilevm.sizes import operation
    >>> wide_expression(operation("//", operation("*", Symbol("N"), Symbol("K")), 2))
    '((tv::s64(N) * tv::s64(K)) / 2)'
    """
    if isinstance(size, Operation) and size.operator in ("*", "//"):
        left, right = size.operands
        written = (
            f"{wide_expression(left, names)} {'*' if size.operator == '*' else '/'} {wide_expression(right, names)}"
        )
        return f"({written})"
    return f"{size}" if isinstance(size, int) else f"tv::s64({expression(size, names)})"
