"""Branches. A name that both branches assign, or one of them and that was there before, is *joined* after the ``if``.

An ``if`` on a compile-time condition chooses its branch here: what that one assigns stays, and the other is
not looked at.
"""

from __future__ import annotations

from tilevm.binding import weak_dtype
from tilevm.errors import Related
from tilevm.frontend import syntax
from tilevm.frontend.constants import is_number
from tilevm.frontend.diagnostics import POISON
from tilevm.frontend.evaluation import State, poisoned
from tilevm.frontend.merging import operand, same_constant, type_in_words, varies, without_layout
from tilevm.frontend.operators import scalar_truth
from tilevm.frontend.scope import Binding, Scope
from tilevm.frontend.statements import lower_body, lowers
from tilevm.ir import If, Join, Statement
from tilevm.values import Operand, ScalarType, Value

__all__: list[str] = []


@lowers(syntax.If)
def _if(state: State, node: syntax.If) -> None:
    condition = scalar_truth(state, node.condition, "the condition of `if`")
    if isinstance(condition, bool):
        lower_body(state, node.then if condition else node.otherwise)
        return
    bodies: list[tuple[Scope, list[Statement]]] = []
    for statements in (node.then, node.otherwise):
        scope, block = state.scope.inner(), list[Statement]()
        with state.within(scope=scope, block=block):
            lower_body(state, statements)
        bodies.append((scope, block))
    (then_scope, then), (other_scope, otherwise) = bodies
    joins = []
    for name in dict.fromkeys((*then_scope.assigned, *other_scope.assigned)):
        join = _join(state, name, then_scope, other_scope)
        if join is not None:
            joins.append(join)
    for scope in (then_scope, other_scope):
        state.scope.forget(scope, "it is defined in one branch of an `if` only")
    if condition is not POISON:
        assert state.block is not None
        state.block.append(If(condition, tuple(then), tuple(otherwise), tuple(joins), node.span))


def _join(state: State, name: str, then_scope: Scope, other_scope: Scope) -> Join | None:
    """Binds what a name is after an ``if`` to what it is at the end of both branches."""
    then, other = then_scope.visible(name), other_scope.visible(name)
    if then is None or other is None:
        return None
    if poisoned(then.value, other.value):
        state.scope.bind(name, POISON, then.span)
    elif same_constant(then.value, other.value):
        state.scope.bind(name, then.value, then.span)
    else:
        sides = _operands(then, other) if varies(then.value) and varies(other.value) else None
        if sides is not None and without_layout(sides[0].type) == without_layout(sides[1].type):
            kind = sides[0].type if sides[0].type == sides[1].type else without_layout(sides[0].type)
            result = Value(kind, name, then.span)
            state.scope.bind(name, result, then.span)
            return Join(*sides, result)
        _differ(state, name, then, other)
    return None


def _operands(then: Binding, other: Binding) -> tuple[Operand, Operand]:
    """The two sides as operands; a number takes the format of the other side, an integer that of another number."""
    a, b = then.value, other.value
    like_a = ScalarType(weak_dtype(b)) if is_number(b) else b.type
    like_b = ScalarType(weak_dtype(a)) if is_number(a) else a.type
    return operand(a, like_a, then.span), operand(b, like_b, other.span)


def _differ(state: State, name: str, then: Binding, other: Binding) -> None:
    """A name that the branches leave with two types: a mistake where it was there before, else it is gone."""
    kinds = f"{type_in_words(then.value)} in one branch and {type_in_words(other.value)} in the other"
    before = state.scope.visible(name)
    if before is None:
        state.scope.lose(name, then.span, f"it is {kinds}")
        return
    place, rest = (then, other) if then.span != before.span else (other, then)
    state.report(
        "T068",
        f"`{name}` is {kinds}",
        place.span,
        related=(Related(rest.span, f"{type_in_words(rest.value)} here"),),
        help="after the `if` it would be either: convert one with cast(…), or use two names",
    )
    state.scope.bind(name, POISON, then.span)
