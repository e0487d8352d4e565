"""Loops. A name that the body assigns and that was there before the loop is *carried* through it.

It has a value before the loop, one at the start of an iteration, one at its end, and one after the loop. A name that
only the body defines is gone after the loop, and so is the index.

A loop over a list is none when the program runs: its body is lowered once for each item, as if it were written so
often.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from tilevm.binding import literal
from tilevm.dtypes import I32, U1
from tilevm.errors import ProgramError, Related
from tilevm.frontend import syntax
from tilevm.frontend.diagnostics import POISON
from tilevm.frontend.evaluation import State, integer, poisoned, usable
from tilevm.frontend.merging import in_words, operand, same_constant, type_in_words, varies, without_layout
from tilevm.frontend.operators import scalar_truth
from tilevm.frontend.scope import Binding, Scope
from tilevm.frontend.statements import lower_body, lowers
from tilevm.instruction import described
from tilevm.ir import Carry, For, Statement, While
from tilevm.values import Literal, Operand, ScalarType, Value, Window

__all__: list[str] = []


def assigned_names(statements: Iterable[syntax.Statement]) -> Iterator[str]:
    """The names that statements assign, in order of the text, with repetitions."""
    for statement in statements:
        if isinstance(statement, syntax.Assign):
            yield from (target.text for target in statement.targets)
        elif isinstance(statement, syntax.AugmentedAssign):
            yield statement.target.text
        elif isinstance(statement, syntax.If):
            yield from assigned_names(statement.then)
            yield from assigned_names(statement.otherwise)
        elif isinstance(statement, syntax.For | syntax.ForEach | syntax.While):
            yield from assigned_names(statement.body)


@dataclass(frozen=True)
class _Changed:
    """A name that a loop assigns: what it stood for before, and for a carried one its values."""

    name: str
    before: Binding
    initial: Operand | None
    inner: Value | None


def _enter(state: State, body: tuple[syntax.Statement, ...], scope: Scope) -> list[_Changed]:
    """Binds the names that the body changes to what they are at the start of an iteration."""
    changed = []
    for name in dict.fromkeys(assigned_names(body)):
        before = state.scope.visible(name)
        if before is None or before.kind != "variable" or before.value is POISON:
            continue
        if not varies(before.value):
            changed.append(_Changed(name, before, None, None))
            continue
        initial = operand(before.value, None, before.span)
        inner = Value(initial.type, name, before.span)
        scope.bind(name, inner, before.span)
        changed.append(_Changed(name, before, initial, inner))
    scope.assigned.clear()
    return changed


def _leave(state: State, changed: list[_Changed], scope: Scope) -> tuple[Carry, ...]:
    """The carries of a loop whose body is lowered; binds what its names are after it."""
    carries = []
    for each in changed:
        after = scope.visible(each.name)
        assert after is not None
        if each.inner is None or each.initial is None:
            if after.value is not each.before.value and not same_constant(after.value, each.before.value):
                _cannot_change(state, each, after)
            continue
        update = None if poisoned(after.value) else _update(state, each, after)
        result = Value(each.inner.type, each.name, after.span)
        state.scope.bind(each.name, POISON if update is None else result, after.span)
        if update is not None:
            carries.append(Carry(each.initial, each.inner, update, result))
    state.scope.forget(scope, "it is defined in a loop, which has ended")
    return tuple(carries)


def _update(state: State, each: _Changed, after: Binding) -> Operand | None:
    """The value at the end of an iteration; records T067 where its type is another than before the loop."""
    assert each.inner is not None
    kind = without_layout(each.inner.type)
    if varies(after.value):
        update = operand(after.value, kind, after.span)
        if without_layout(update.type) == kind:
            return update
        found = type_in_words(update)
    else:
        found = in_words(after.value)
    state.report(
        "T067",
        f"`{each.name}` is {kind} before the loop and {found} at the end of its body",
        after.span,
        related=(Related(each.before.span, f"{kind} before the loop"),),
        help=_type_help(each.before.value),
    )
    return None


def _type_help(before: Any) -> str:
    if isinstance(before, int) and not isinstance(before, bool):
        return "a number without a point is an i32: write 0.0 for an f32, f16(0) for another format"
    return "cast(…) converts numbers; a loop does not change a shape"


def _cannot_change(state: State, each: _Changed, after: Binding) -> None:
    """Records T076 for a name of something that is known when the program is compiled, or of memory."""
    if not poisoned(each.before.value, after.value):
        state.report(
            "T076",
            f"a loop cannot change what `{each.name}` stands for: {in_words(each.before.value)}",
            after.span,
            related=(Related(each.before.span, "it has its value here"),),
            help="formats, layouts, lists and memory stay what they are: use another name",
        )
    state.scope.bind(each.name, POISON, after.span)


@lowers(syntax.For)
def _for(state: State, node: syntax.For) -> None:
    start, stop, step = _range(state, node)
    options = _range_options(state, node)
    scope = state.scope.inner()
    changed = [each for each in _enter(state, node.body, scope) if each.name != node.target.text]
    index = Value(ScalarType(I32), node.target.text, node.target.span)
    _bind_index(state, scope, node.target, index)
    body: list[Statement] = []
    with state.within(scope=scope, block=body):
        lower_body(state, node.body)
    carried = _leave(state, changed, scope)
    if state.scope.visible(node.target.text) is None:
        state.scope.lose(node.target.text, node.target.span, "it is the index of a loop, which has ended")
    if not poisoned(start, stop, step, *options.values()):
        assert state.block is not None
        state.block.append(For(index, start, stop, step, carried, tuple(body), span=node.span, **options))


@lowers(syntax.ForEach)
def _for_each(state: State, node: syntax.ForEach) -> None:
    """What the body assigns stays, as that of a branch that is known."""
    values = [usable(state, item) for item in node.items]
    hidden = state.scope.names.get(node.target.text)
    for value in values[:1]:
        _bind_index(state, state.scope, node.target, value)
    for value in values:
        state.scope.bind(node.target.text, value, node.target.span, "loop index")
        lower_body(state, node.body)
    if isinstance(hidden, Binding):
        state.scope.names[node.target.text] = hidden
    else:
        state.scope.lose(node.target.text, node.target.span, "it is the index of a loop, which has ended")


def _bind_index(state: State, scope: Scope, target: syntax.Name, index: Any) -> None:
    bound = state.scope.visible(target.text)
    if bound is not None:
        state.report(
            "N004",
            f"the index `{target.text}` of the loop hides the {bound.kind} of that name",
            target.span,
            related=(Related(bound.span, "it is defined here"),),
            help="choose another name for the index",
        )
    scope.bind(target.text, index, target.span, "loop index")


def _range(state: State, node: syntax.For) -> tuple[Any, Any, Any]:
    """Start, stop and step of a loop as ``i32`` operands."""
    bounds = [_bound(state, argument) for argument in node.arguments]
    zero, one = Literal(0, I32), Literal(1, I32)
    if len(bounds) == 1:
        return zero, bounds[0], one
    start, stop, *rest = bounds
    step = rest[0] if rest else one
    if isinstance(step, Literal) and step.value == 0:
        state.report("T070", "the step of a loop is not 0", node.arguments[2].span)
        step = POISON
    return start, stop, step


def _bound(state: State, node: syntax.Expression) -> Any:
    value = usable(state, node)
    if value is POISON:
        return POISON
    if isinstance(value, Value | Literal):
        if value.type == ScalarType(I32):
            return value
        found, help = described(value.type), "cast(…, i32) converts it" if isinstance(value.type, ScalarType) else None
    elif isinstance(value, int) and not isinstance(value, bool):
        try:
            return literal(value, I32)
        except ProgramError as error:
            state.diagnostics.absorb(error, node.span)
            return POISON
    else:
        found, help = "a window" if isinstance(value, Window) else in_words(value), None
    state.report("T070", f"a bound of a loop is an integer or an i32 scalar, not {found}", node.span, help=help)
    return POISON


def _range_options(state: State, node: syntax.For) -> dict[str, Any]:
    options: dict[str, Any] = {"stages": 1, "unroll": 1}
    for keyword in node.keywords:
        name = keyword.name.text
        if name not in options:
            state.report(
                "T070", f"`range` has no argument `{name}`", keyword.name.span, help="it has stages= and unroll="
            )
        else:
            options[name] = integer(state, keyword.value, f"`{name}`", 1)
    return options


@lowers(syntax.While)
def _while(state: State, node: syntax.While) -> None:
    scope = state.scope.inner()
    changed = _enter(state, node.body, scope)
    test: list[Statement] = []
    body: list[Statement] = []
    with state.within(scope=scope, block=test):
        condition = scalar_truth(state, node.condition, "the condition of a loop")
    with state.within(scope=scope, block=body):
        lower_body(state, node.body)
    carried = _leave(state, changed, scope)
    if condition is not POISON:
        assert state.block is not None
        decides = Literal(condition, U1) if isinstance(condition, bool) else condition
        state.block.append(While(tuple(test), decides, carried, tuple(body), node.span))
