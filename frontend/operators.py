"""Operators: on compile-time values they are computed, on others they become instructions."""

from __future__ import annotations

from typing import Any

from tilevm.binding import build
from tilevm.dtypes import U1
from tilevm.errors import ProgramError, Span, TilevmError
from tilevm.frontend import constants, syntax
from tilevm.frontend.diagnostics import POISON
from tilevm.frontend.evaluation import State, constant, emit, evaluates, poisoned, usable
from tilevm.instruction import INSTRUCTIONS, OPERATORS, Instruction, described
from tilevm.values import Literal, ScalarType, Value, Window

__all__ = ["apply", "binary", "scalar_truth"]


def apply(
    state: State, cls: type[Instruction], values: tuple[Any, ...], spans: tuple[Span, ...], span: Span, name: str = ""
) -> Any:
    """The instruction on evaluated operands, given in the order of its fields; mistakes point at the operand."""
    fields = tuple(cls.roles())
    try:
        return emit(state, build(cls, dict(zip(fields, values, strict=True))), span, name)
    except TilevmError as error:
        state.diagnostics.absorb(error, span, dict(zip(fields, spans, strict=True)))
        return POISON


@evaluates(syntax.Binary)
def _binary(state: State, node: syntax.Binary, name: str) -> Any:
    if node.operator in ("and", "or"):
        return _connective(state, node, name)
    left, right = usable(state, node.left), usable(state, node.right)
    if poisoned(left, right):
        return POISON
    return binary(state, node.operator, left, right, (node.left.span, node.right.span), node.span, name)


def binary(
    state: State, symbol: str, left: Any, right: Any, spans: tuple[Span, Span], span: Span, name: str = ""
) -> Any:
    """An operator with two operands, evaluated. Raises ``ProgramError`` for compile-time values that do not fit it."""
    if not isinstance(left, Value | Literal | Window) and not isinstance(right, Value | Literal | Window):
        return constants.binary(symbol, left, right)
    return apply(state, OPERATORS[symbol, 2], (left, right), spans, span, name)


@evaluates(syntax.Unary)
def _unary(state: State, node: syntax.Unary, name: str) -> Any:
    operand = usable(state, node.operand)
    if operand is POISON:
        return POISON
    if not isinstance(operand, Value | Literal | Window):
        return constants.unary(node.operator, operand)
    if node.operator == "+":
        return operand
    return apply(state, OPERATORS[node.operator, 1], (operand,), (node.operand.span,), node.span, name)


def _connective(state: State, node: syntax.Binary, name: str) -> Any:
    """``and`` and ``or``. A compile-time side that decides is all that counts; of two others both are computed."""
    decisive = node.operator == "or"
    left = truth(state, node.left, f"the left side of `{node.operator}`")
    if left is decisive:
        return decisive
    right = truth(state, node.right, f"the right side of `{node.operator}`")
    if poisoned(left, right):
        return POISON
    if isinstance(left, bool) or right is decisive:
        return right
    if isinstance(right, bool):
        return left
    if constants.is_size(left) or constants.is_size(right):
        return constants.binary(node.operator, left, right)
    symbol = "|" if decisive else "&"
    return apply(state, OPERATORS[symbol, 2], (left, right), (node.left.span, node.right.span), node.span, name)


def truth(state: State, node: syntax.Expression, what: str) -> Any:
    """A condition: a ``bool``, a size, or a value of type ``u1``. Records T069 for anything else."""
    value = usable(state, node)
    if value is POISON or isinstance(value, bool) or constants.is_size(value):
        return value
    if constants.is_number(value):
        return bool(value)
    if isinstance(value, Value | Literal) and value.dtype is U1:
        return value
    if isinstance(value, Value | Literal):
        found = described(value.type)
    else:
        found = "a window" if isinstance(value, Window) else constants.shown(value)
    help = "compare it: x != 0" if isinstance(value, Value | Literal) else None
    state.report("T069", f"{what} is True or False, or a u1, not {found}", node.span, help=help)
    return POISON


def scalar_truth(state: State, node: syntax.Expression, what: str) -> Any:
    """A condition as ``truth`` gives it, and a scalar. Records T069 for a tile."""
    condition = truth(state, node, what)
    if isinstance(condition, Value) and not isinstance(condition.type, ScalarType):
        state.report(
            "T069",
            f"{what} is a scalar, not {described(condition.type)}",
            node.span,
            help="any(…) or all(…) makes one of a tile; where(…) chooses element by element",
        )
        return POISON
    return condition


@evaluates(syntax.Conditional)
def _conditional(state: State, node: syntax.Conditional, name: str) -> Any:
    condition = truth(state, node.condition, "the condition")
    if condition is POISON:
        return POISON
    if isinstance(condition, bool):
        return usable(state, node.then if condition else node.otherwise, name)
    if constants.is_size(condition):
        return constant(state, node.condition, "the condition of a size")
    then, otherwise = usable(state, node.then), usable(state, node.otherwise)
    if poisoned(then, otherwise):
        return POISON
    for value, side in ((then, node.then), (otherwise, node.otherwise)):
        if not isinstance(value, Value | Literal) and not constants.is_number(value):
            shown = "a window" if isinstance(value, Window) else constants.shown(value)
            raise ProgramError(
                "T069",
                f"a condition that is known only when the program runs cannot choose {shown}",
                span=side.span,
                help="both sides are numbers, scalars or tiles",
            )
    shapes = {getattr(value, "shape", ()) for value in (then, otherwise)}
    choice = "select" if len(shapes) == 1 and isinstance(condition.type, ScalarType) else "where"
    spans = (node.condition.span, node.then.span, node.otherwise.span)
    return apply(state, INSTRUCTIONS[choice], (condition, then, otherwise), spans, node.span, name)
