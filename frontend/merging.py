"""What a name is where two ways meet: the end of a loop's body and what was before it, the two branches of an ``if``.

Layouts may differ on the two ways; formats and shapes may not. A number without a format takes that of the other way.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tilevm.binding import literal, weak_dtype
from tilevm.dtypes import U1, DType
from tilevm.errors import ProgramError, Span
from tilevm.frontend.constants import is_constant, is_number, shown
from tilevm.instruction import described
from tilevm.values import Literal, Operand, ScalarType, TileType, Type, Value

__all__ = ["in_words", "operand", "same_constant", "type_in_words", "varies", "without_layout"]


def without_layout(kind: Type) -> Type:
    """The type with its layout left open."""
    return kind if isinstance(kind, ScalarType) else replace(kind, layout=None)


def varies(value: Any) -> bool:
    """Whether a value can be another one each time: a number, a scalar or a register tile."""
    if isinstance(value, Value):
        return isinstance(value.type, ScalarType | TileType)
    return isinstance(value, Literal) or is_number(value)


def operand(value: Any, like: Type | None, span: Span | None) -> Operand:
    """A value that varies as an operand; a number takes the format of a scalar ``like`` if it is of its kind.

    Raises ``ProgramError`` T007 for a number that the format does not hold.
    """
    if isinstance(value, Value | Literal):
        return value
    takes = isinstance(like, ScalarType) and _of_kind(value, like.dtype)
    try:
        return literal(value, like.dtype if takes and like is not None else weak_dtype(value))
    except ProgramError as error:
        raise error if span is None else ProgramError.of(error.located(span)) from None


def _of_kind(number: float, dtype: DType) -> bool:
    if isinstance(number, bool) or dtype is U1:
        return isinstance(number, bool) and dtype is U1
    return dtype.kind == "float" or (isinstance(number, int) and dtype.kind in ("int", "uint"))


def same_constant(a: Any, b: Any) -> bool:
    """Whether two values are one compile-time value; ``1``, ``1.0`` and ``True`` are three."""
    if isinstance(a, tuple) and isinstance(b, tuple):
        return len(a) == len(b) and all(same_constant(x, y) for x, y in zip(a, b, strict=True))
    return type(a) is type(b) and is_constant(a) and (a == b or repr(a) == repr(b))


def type_in_words(value: Any) -> str:
    """The type of a value without its layout, or a compile-time value, for messages."""
    return str(without_layout(value.type)) if isinstance(value, Value | Literal) else in_words(value)


def in_words(value: Any) -> str:
    """What a value is, for messages."""
    if isinstance(value, Value | Literal):
        return described(value.type)
    return shown(value) if is_constant(value) else "a list of values"
