"""Calls: of functions of the program, which are inlined, of compile-time functions and layouts, and of instructions.

What is called is looked up among what can be called: a variable named ``sum`` does not hide the instruction ``sum``. In
order: functions and layouts of the program, the functions of ``constants.FUNCTIONS`` where all arguments are
compile-time numbers, the constructors of layouts, instructions, and number formats, which make a literal: ``f16(1.5)``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from tilevm import layout_text
from tilevm.binding import assign, build, literal
from tilevm.dtypes import DType, dtype
from tilevm.errors import DTypeError, ProgramError, Related, Span, TilevmError, did_you_mean
from tilevm.frontend import constants, syntax
from tilevm.frontend.diagnostics import POISON
from tilevm.frontend.evaluation import (
    NOTHING,
    Function,
    LayoutFamily,
    State,
    constant,
    emit,
    evaluate,
    evaluates,
    known_names,
    poisoned,
    usable,
)
from tilevm.frontend.scope import Binding, Scope
from tilevm.frontend.statements import lower_body
from tilevm.instruction import INSTRUCTIONS, Instruction, Role, described
from tilevm.sizes import Symbol
from tilevm.values import Literal, ScalarType, Value

__all__: list[str] = []

MAXIMUM_CALLS = 64
"""How deep calls of functions may be nested."""


@evaluates(syntax.Call)
def _call(state: State, node: syntax.Call, name: str) -> Any:
    if not isinstance(node.function, syntax.Name):
        target = evaluate(state, node.function)
        return POISON if target is POISON else _call_value(state, target, node, name)
    text = node.function.text
    for found in (state.scope.names.get(text), state.names.get(text)):
        if isinstance(found, Binding) and isinstance(found.value, Function | LayoutFamily):
            return _call_value(state, found.value, node, name)
    if text in constants.FUNCTIONS or text in SCALAR_FORMS:
        return _call_function(state, text, node, name)
    if text in layout_text.CONSTRUCTORS:
        return _call_layout(state, text, layout_text.CONSTRUCTORS[text], node)
    if text in INSTRUCTIONS:
        return _call_instruction(state, INSTRUCTIONS[text], node, name)
    if text == "static_assert":
        return _static_assert(state, node)
    return _call_other(state, node.function, node, name)


def _call_value(state: State, target: Any, node: syntax.Call, name: str) -> Any:
    """A call of something that was looked up."""
    if isinstance(target, Function):
        return _inline(state, target, node, name)
    if isinstance(target, LayoutFamily):
        return _call_family(state, target, node)
    if isinstance(target, constants.Method):
        return _call_layout(state, target.name, target, node)
    if isinstance(target, DType):
        return _call_format(state, target, node)
    raise ProgramError("N006", "this cannot be called", span=node.function.span, help=_call_help(target))


def _call_help(target: Any) -> str | None:
    memory = isinstance(target, Value) and not isinstance(target.type, ScalarType)
    return "a part of it is written with brackets: x[i :+ 16]" if memory else None


def _call_other(state: State, function: syntax.Name, node: syntax.Call, name: str) -> Any:
    """A call of a name that is not known as something to call: a format, or a mistake."""
    text = function.text
    found = state.scope.names.get(text) or state.names.get(text)
    if isinstance(found, Binding):
        if found.value is POISON:
            return POISON
        if isinstance(found.value, DType):
            return _call_format(state, found.value, node)
        value = found.value
        what = described(value.type) if isinstance(value, Value | Literal) else f"a {found.kind}"
        state.report(
            "N006",
            f"`{text}` cannot be called: it is {what}",
            function.span,
            related=(Related(found.span, "it is defined here"),),
            help=_call_help(value),
        )
        return POISON
    try:
        return _call_format(state, dtype(text), node)
    except DTypeError:
        pass
    for argument in node.arguments:
        evaluate(state, argument)
    state.report("N001", f"unknown name `{text}`", function.span, help=did_you_mean(text, known_names(state)))
    return POISON


# Arguments


def _keywords(node: syntax.Call) -> dict[str, syntax.Expression]:
    return {keyword.name.text: keyword.value for keyword in node.keywords}


def _keyword_spans(node: syntax.Call) -> dict[str, Span]:
    return {keyword.name.text: keyword.name.span for keyword in node.keywords}


def _no_keywords(node: syntax.Call, call: str) -> None:
    if node.keywords:
        raise ProgramError("T002", f"`{call}` takes no arguments by name", span=node.keywords[0].name.span)


# Instructions


def _call_instruction(
    state: State, cls: type[Instruction], node: syntax.Call, name: str, known: Mapping[int, Any] | None = None
) -> Any:
    """An instruction; ``known`` holds arguments that are evaluated already, by the identity of their nodes."""
    try:
        assigned = assign(cls, node.arguments, _keywords(node))
    except ProgramError as error:
        state.diagnostics.absorb(error, node.span, _keyword_spans(node))
        return POISON
    roles = cls.roles()
    values: dict[str, Any] = {}
    spans: dict[str, Span] = {}
    for field, argument in assigned.items():
        nodes = argument if isinstance(argument, list) else [argument]
        found = [
            known[id(each)] if known and id(each) in known else _argument(state, each, roles[field]) for each in nodes
        ]
        values[field] = found if isinstance(argument, list) else found[0]
        spans[field] = Span(nodes[0].span.source, nodes[0].span.start, nodes[-1].span.end)
    if any(poisoned(*value) if isinstance(value, list) else poisoned(value) for value in values.values()):
        return POISON
    try:
        return emit(state, build(cls, values), node.span, name)
    except TilevmError as error:
        state.diagnostics.absorb(error, node.span, spans)
        return POISON


def _argument(state: State, node: syntax.Expression, role: Role) -> Any:
    """An argument, evaluated; where the field takes one of a few words, a bare name is such a word."""
    if role.kind == "choice" and isinstance(node, syntax.Name):
        bound = state.scope.visible(node.text)
        return bound.value if bound is not None and node.text not in role.choices else node.text
    if role.kind == "sizes":
        with state.within(scope=_with_symbols(state.scope), block=None):
            return usable(state, node)
    return usable(state, node)


def _with_symbols(scope: Scope) -> Scope:
    """The scope with sizes as the symbols that the header knows, where a body sees them as scalars."""
    found = {name: binding for name in scope.names if (binding := scope.visible(name)) and binding.kind == "size"}
    return Scope(scope.names | {name: replace(each, value=Symbol(name)) for name, each in found.items()})


SCALAR_FORMS = {"max": "maximum", "min": "minimum"}
"""Instructions that reduce a tile, and those that two scalars mean under the same name."""


def _call_function(state: State, text: str, node: syntax.Call, name: str) -> Any:
    """A compile-time function where all arguments are compile-time numbers or sizes, else the instruction."""
    values = [usable(state, argument) for argument in node.arguments]
    if poisoned(*values):
        return POISON
    if values and not node.keywords and all(constants.is_number(each) or constants.is_size(each) for each in values):
        return constants.call(text, values)
    if text in SCALAR_FORMS and len(values) > 1 and all(_is_scalar(value) for value in values):
        text = SCALAR_FORMS[text]
    known = {id(argument): value for argument, value in zip(node.arguments, values, strict=True)}
    return _call_instruction(state, INSTRUCTIONS[text], node, name, known)


def _is_scalar(value: Any) -> bool:
    return constants.is_number(value) or (isinstance(value, Value | Literal) and isinstance(value.type, ScalarType))


# Layouts and formats


def _call_layout(state: State, text: str, function: Any, node: syntax.Call) -> Any:
    """A constructor or a method of a layout, on compile-time values."""
    arguments = [constant(state, argument, f"an argument of `{text}`") for argument in node.arguments]
    keywords = {
        keyword: constant(state, value, f"`{keyword}` of `{text}`") for keyword, value in _keywords(node).items()
    }
    if poisoned(*arguments, *keywords.values()):
        return POISON
    if isinstance(function, constants.Method):
        return function(arguments, keywords)
    return layout_text.call(text, function, arguments, keywords)


def _call_format(state: State, target: DType, node: syntax.Call) -> Any:
    """A number of a format: ``f16(1.5)``."""
    _no_keywords(node, target.name)
    if len(node.arguments) != 1:
        raise ProgramError("T077", f"`{target.name}` takes one number, not {len(node.arguments)} arguments")
    value = usable(state, node.arguments[0])
    if value is POISON:
        return POISON
    if not constants.is_number(value):
        dynamic = isinstance(value, Value | Literal)
        found = described(value.type) if dynamic else "this"
        raise ProgramError(
            "T077",
            f"`{target.name}(…)` makes a number that is known when the program is compiled, not of {found}",
            span=node.arguments[0].span,
            help=f"cast(…, {target.name}) converts" if dynamic else None,
        )
    return literal(value, target)


def _static_assert(state: State, node: syntax.Call) -> Any:
    """``static_assert(condition, "message")``: a condition on compile-time values, checked here."""
    _no_keywords(node, "static_assert")
    if not 1 <= len(node.arguments) <= 2:
        raise ProgramError(
            "T001",
            f"`static_assert` takes 1 or 2 arguments, not {len(node.arguments)}",
            help='it is written static_assert(condition, "message")',
        )
    condition = constant(state, node.arguments[0], "the condition of `static_assert`")
    message = constant(state, node.arguments[1], "the message") if len(node.arguments) > 1 else ""
    if not poisoned(condition, message) and not condition:
        raise ProgramError("T074", f"static_assert: {message or 'the condition is false'}", span=node.arguments[0].span)
    return NOTHING


# Definitions of the program


def _bound_arguments(
    call: str, parameters: Sequence[syntax.Name], required: int, node: syntax.Call
) -> dict[str, syntax.Expression]:
    """The arguments of a definition by the names of its parameters; those with a default may be missing."""
    names = [parameter.text for parameter in parameters]
    usage = f"it is written {call}({', '.join(names)})"
    if len(node.arguments) > len(names):
        raise ProgramError(
            "T072",
            f"`{call}` takes {len(names)} argument{'s' * (len(names) != 1)}, not {len(node.arguments)}",
            help=usage,
        )
    bound = dict(zip(names, node.arguments, strict=False))
    for keyword, value in _keywords(node).items():
        if keyword not in names or keyword in bound:
            problem = "is given twice" if keyword in bound else "is not one of its arguments"
            raise ProgramError(
                "T072",
                f"`{keyword}` {problem}, in a call of `{call}`",
                span=_keyword_spans(node)[keyword],
                help=did_you_mean(keyword, names) or usage,
            )
        bound[keyword] = value
    missing = [name for name in names[:required] if name not in bound]
    if missing:
        raise ProgramError("T072", f"`{call}` lacks its argument {' and '.join(f'`{m}`' for m in missing)}", help=usage)
    return bound


def _call_family(state: State, family: LayoutFamily, node: syntax.Call) -> Any:
    """A layout definition with parameters."""
    definition = family.node
    parameters = definition.parameters or ()
    call = definition.name.text
    arguments = _bound_arguments(call, parameters, len(parameters), node)
    scope = Scope()
    for parameter in parameters:
        value = constant(state, arguments[parameter.text], f"`{parameter.text}` of `{call}`")
        scope.bind(parameter.text, value, parameter.span, "argument")
    with _inside(state, definition, node), state.within(scope=scope, names=family.names, block=None):
        return usable(state, definition.value)


def _inline(state: State, function: Function, node: syntax.Call, name: str) -> Any:
    """A function: its body, with its parameters bound to the arguments."""
    definition = function.node
    parameters = tuple(parameter.name for parameter in definition.parameters)
    required = sum(parameter.default is None for parameter in definition.parameters)
    arguments = _bound_arguments(definition.name.text, parameters, required, node)
    scope = Scope()
    for parameter in definition.parameters:
        text = parameter.name.text
        if text in arguments:
            value = usable(state, arguments[text], text)
        else:
            assert parameter.default is not None
            with state.within(scope=Scope(), names=function.names, block=None):
                value = usable(state, parameter.default)
        scope.bind(text, value, parameter.name.span)
    with _inside(state, definition, node), state.within(scope=scope, names=function.names, block=state.block):
        lower_body(state, definition.body)
        return _result(state, definition.result, name)


def _result(state: State, result: syntax.Return | None, name: str) -> Any:
    if result is None:
        return NOTHING
    if len(result.values) == 1:
        return usable(state, result.values[0], name)
    return tuple([usable(state, value) for value in result.values])


@contextmanager
def _inside(state: State, definition: syntax.Function | syntax.LayoutDefinition, node: syntax.Call) -> Iterator[None]:
    """Keeps track of what is being inlined. Raises ``ProgramError`` N011 where that would never end."""
    call = definition.name.text
    recursive = any(each is definition for each in state.active)
    if recursive or len(state.active) >= MAXIMUM_CALLS:
        raise ProgramError(
            "N011",
            f"`{call}` calls itself" if recursive else f"more than {MAXIMUM_CALLS} calls are nested",
            related=(Related(definition.name.span, "it is defined here"),),
            help="functions are inlined, so a call ends only where nothing is called: write a loop",
        )
    state.active.append(definition)
    state.diagnostics.calls.append(Related(node.span, f"`{call}` is called here"))
    try:
        yield
    finally:
        state.active.pop()
        state.diagnostics.calls.pop()
