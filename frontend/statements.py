"""Statements: ``lower_body`` adds them to a body. Assignments and calls are here, loops and branches register.

Every assignment gives a name a new value; names never stand for a place in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, TypeVar

from tilevm.errors import ProgramError, Related, TilevmError
from tilevm.frontend import syntax
from tilevm.frontend.diagnostics import POISON
from tilevm.frontend.evaluation import NOTHING, State, evaluate, poisoned, usable
from tilevm.frontend.operators import binary
from tilevm.instruction import described
from tilevm.ir import Let
from tilevm.values import SharedType, TensorType, Value, Window

__all__ = ["lower_body", "lowers"]

Lowerer = Callable[[State, Any], None]
_LOWERERS: dict[type[syntax.Node], Lowerer] = {}
_Lowerer = TypeVar("_Lowerer", bound=Lowerer)


def lowers(node: type[syntax.Node]) -> Callable[[_Lowerer], _Lowerer]:
    """Registers the function that lowers statements of this type."""

    def register(function: _Lowerer) -> _Lowerer:
        _LOWERERS[node] = function
        return function

    return register


def lower_body(state: State, statements: Iterable[syntax.Statement]) -> None:
    """Adds statements to the body of the state. Mistakes are recorded, not raised."""
    for statement in statements:
        try:
            _LOWERERS[type(statement)](state, statement)
        except TilevmError as error:
            state.diagnostics.absorb(error, statement.span)


@lowers(syntax.Assign)
def _assign(state: State, node: syntax.Assign) -> None:
    if len(node.values) == len(node.targets):
        values = [
            _assignable(state, value, target.text) for target, value in zip(node.targets, node.values, strict=True)
        ]
    else:
        values = _taken_apart(state, node)
    for target, value in zip(node.targets, values, strict=True):
        _bind(state, target, value)


def _assignable(state: State, node: syntax.Expression, name: str) -> Any:
    """A value that a name may stand for: memory has the one name that it was made under."""
    value = usable(state, node, name)
    memory = isinstance(value, Value) and isinstance(value.type, TensorType | SharedType)
    if isinstance(value, Window) or (memory and isinstance(node, syntax.Name)):
        base = value.base if isinstance(value, Window) else value
        what = "a window" if isinstance(value, Window) else described(value.type)
        state.report(
            "T064",
            f"a name stands for a value, and this is {what}",
            node.span,
            help=f"load(…) gives the elements; write `{base.name or 'x'}[…]` where it is used",
        )
        return POISON
    return value


def _taken_apart(state: State, node: syntax.Assign) -> list[Any]:
    """The items of one value for several targets."""
    count = len(node.targets)
    value = usable(state, node.values[0])
    if value is POISON:
        return [POISON] * count
    found = len(value) if isinstance(value, tuple) else 1
    if found != count or not isinstance(value, tuple):
        state.report(
            "T071",
            f"{count} names for {found} value{'s' * (found != 1)}",
            node.span,
            help="as many names as values",
        )
        return [POISON] * count
    return list(value)


def _bind(state: State, target: syntax.Name, value: Any) -> None:
    bound = state.scope.visible(target.text)
    if bound is not None and bound.kind != "variable":
        related = (Related(bound.span, f"the {bound.kind}"),)
        state.report(
            "N004",
            f"the {bound.kind} `{target.text}` cannot be assigned",
            target.span,
            related=related,
            help="choose another name",
        )
    else:
        state.scope.bind(target.text, value, target.span)


@lowers(syntax.AugmentedAssign)
def _assign_augmented(state: State, node: syntax.AugmentedAssign) -> None:
    before, value = usable(state, node.target), usable(state, node.value)
    result: Any = POISON
    if not poisoned(before, value):
        try:
            spans = (node.target.span, node.value.span)
            result = binary(state, node.operator, before, value, spans, node.span, node.target.text)
        except TilevmError as error:
            state.diagnostics.absorb(error, node.span)
    _bind(state, node.target, result)


@lowers(syntax.Evaluate)
def _evaluate(state: State, node: syntax.Evaluate) -> None:
    """A call for its effect. What it gives besides is dropped; a call that does nothing else is a mistake."""
    assert state.block is not None
    before = len(state.block)
    value = evaluate(state, node.call)
    if value is NOTHING or value is POISON:
        return
    last = state.block[-1] if len(state.block) > before else None
    if isinstance(last, Let) and last.result is value and not last.instruction.pure:
        state.block[-1] = replace(last, result=None)
    elif all(isinstance(each, Let) and each.instruction.pure for each in state.block[before:]):
        name = node.call.function.text if isinstance(node.call.function, syntax.Name) else "the call"
        raise ProgramError("N005", f"the result of `{name}` is not used", help=f"give it a name: x = {name}(…)")


@lowers(syntax.Pass)
def _pass(state: State, node: syntax.Pass) -> None:
    """Nothing."""
