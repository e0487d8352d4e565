"""The value of an expression, and the state that lowering a body works on.

``evaluate`` gives, for any expression,

- a compile-time value (``tilevm.frontend.constants``) or, in the header of a kernel, a size,
- a ``Value`` or ``Literal`` of the intermediate representation, after the statements that compute it,
- a ``Window`` into a tensor or a shared tile,
- a tuple of these for a list, or for a function that returns several,
- something that is no value but has a name: a function, a namespace, a module,
- ``NOTHING`` for an instruction without a result,
- ``POISON`` where the expression is wrong; that has been recorded then, and every use passes it on.

It never raises for a mistake of the program. Which function evaluates which node of the syntax is registered with
``evaluates`` by the modules ``operators``, ``subscripts``, ``placement`` and ``calls``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from tilevm import instructions
from tilevm.dtypes import DType, dtype
from tilevm.errors import DTypeError, LayoutError, ProgramError, Related, Span, TilevmError, did_you_mean
from tilevm.frontend import syntax
from tilevm.frontend.constants import FUNCTIONS, Method, attribute, is_constant, is_size, shown
from tilevm.frontend.diagnostics import POISON, Diagnostics
from tilevm.frontend.scope import Binding, Gone, Scope
from tilevm.instruction import INSTRUCTIONS, Instruction, described
from tilevm.ir import Let, Statement
from tilevm.layout_text import CONSTRUCTORS, NAMES, NAMESPACES, layout
from tilevm.values import Literal, ScalarType, SharedType, TensorType, TileType, Value, Window

__all__ = [
    "NOTHING",
    "Function",
    "LayoutFamily",
    "Names",
    "State",
    "constant",
    "emit",
    "evaluate",
    "evaluates",
    "integer",
    "poisoned",
    "usable",
]


_REGISTERED = instructions
"""Imported because it fills ``INSTRUCTIONS``."""


class Nothing:
    """The value of a call that gives no result."""


NOTHING = Nothing()

Names = Mapping[str, Binding | Gone]
"""What the names of a module stand for."""


@dataclass(frozen=True, eq=False)
class Function:
    """A ``func`` definition, and the module whose names it sees."""

    node: syntax.Function
    names: Names


@dataclass(frozen=True, eq=False)
class LayoutFamily:
    """A ``layout`` definition with parameters, and the module whose names it sees."""

    node: syntax.LayoutDefinition
    names: Names


class State:
    """Where lowering stands: what was wrong, what names mean, and the body that statements are added to.

    ``block`` is None where everything has to be known when the program is compiled.
    """

    def __init__(
        self,
        diagnostics: Diagnostics,
        names: Names,
        scope: Scope,
        *,
        block: list[Statement] | None = None,
        warps: int = 4,
    ) -> None:
        self.diagnostics = diagnostics
        self.names = names
        self.scope = scope
        self.block = block
        self.warps = warps
        self.active: list[syntax.Definition] = []
        """The definitions that are being inlined."""

    @contextmanager
    def within(self, *, scope: Scope, names: Names | None = None, block: list[Statement] | None) -> Iterator[None]:
        """Works in another scope and body, for a while."""
        before = (self.scope, self.names, self.block)
        self.scope, self.block = scope, block
        if names is not None:
            self.names = names
        try:
            yield
        finally:
            self.scope, self.names, self.block = before

    def report(
        self, code: str, message: str, span: Span, *, related: tuple[Related, ...] = (), help: str | None = None
    ) -> None:
        """Records a mistake."""
        self.diagnostics.report(code, message, span, related=related, help=help)


Evaluator = Callable[[State, Any, str], Any]
_EVALUATORS: dict[type[syntax.Node], Evaluator] = {}
_Evaluator = TypeVar("_Evaluator", bound=Evaluator)


def evaluates(*nodes: type[syntax.Node]) -> Callable[[_Evaluator], _Evaluator]:
    """Registers the function that evaluates nodes of these types."""

    def register(function: _Evaluator) -> _Evaluator:
        for node in nodes:
            _EVALUATORS[node] = function
        return function

    return register


def evaluate(state: State, node: syntax.Expression, name: str = "") -> Any:
    """The value of an expression; ``name`` is that of the variable it is computed for, if there is one."""
    try:
        return _EVALUATORS[type(node)](state, node, name)
    except TilevmError as error:
        state.diagnostics.absorb(error, node.span)
        return POISON


def emit(state: State, instruction: Instruction, span: Span, name: str = "") -> Any:
    """Checks an instruction and adds it to the body; gives its result.

    Raises ``ProgramError``, as ``Instruction.check`` does, and T062 where only compile-time values may stand.
    """
    kind = instruction.check()
    if state.block is None:
        raise ProgramError(
            "T062",
            f"`{instruction.spelling}` runs on the GPU, so its result is not known when the program is compiled",
            help="only constants, compile-time parameters and, in the header, sizes may stand here",
        )
    result = None if kind is None else Value(kind, name, span)
    state.block.append(Let(result, instruction, span))
    return NOTHING if result is None else result


def poisoned(*values: Any) -> bool:
    """Whether a mistake was recorded for one of the values."""
    return any(value is POISON or (type(value) is tuple and poisoned(*value)) for value in values)


def usable(state: State, node: syntax.Expression, name: str = "") -> Any:
    """The value of an expression where a value is needed: records T063 for what is none."""
    value = evaluate(state, node, name)
    if value is NOTHING:
        state.report("T063", "this gives no result", node.span, help="write it on a line of its own")
        return POISON
    if isinstance(value, Value | Literal | Window) or value is POISON or is_constant(value) or is_size(value):
        return value
    if isinstance(value, tuple):
        return value
    state.report("T063", f"{_kind(value)} is not a value", node.span, help=_call_help(value))
    return POISON


def _kind(value: Any) -> str:
    if isinstance(value, Mapping):
        return "a namespace"
    if isinstance(value, Method):
        return f"the method `{value.name}`"
    if isinstance(value, LayoutFamily):
        return f"the layout `{value.node.name.text}` without its arguments"
    if isinstance(value, Function):
        return f"the function `{value.node.name.text}`"
    return f"the kernel `{value.name.text}`"


def _call_help(value: Any) -> str | None:
    if isinstance(value, Mapping):
        return f"it has {', '.join(value)}"
    callable_kinds = Method | LayoutFamily | Function
    return "call it: its arguments go in parentheses" if isinstance(value, callable_kinds) else None


def constant(state: State, node: syntax.Expression, what: str) -> Any:
    """A compile-time value; records T062 for one that is known only when the program runs."""
    with state.within(scope=state.scope, block=None):
        value = usable(state, node)
    if value is POISON or is_constant(value):
        return POISON if poisoned(value) else value
    found = f"the size {value}, which a launch decides" if is_size(value) else _described(value)
    state.report(
        "T062",
        f"{what} is known when the program is compiled, but this is {found}",
        node.span,
        help="make it a compile-time parameter: kernel name[BM = 16](…)",
    )
    return POISON


def integer(state: State, node: syntax.Expression, what: str, least: int | None = None) -> Any:
    """A compile-time integer of at least ``least``; records T062 or T075."""
    value = constant(state, node, what)
    if value is POISON:
        return POISON
    if isinstance(value, bool) or not isinstance(value, int) or (least is not None and value < least):
        bound = "" if least is None else f" of at least {least}"
        state.report("T075", f"{what} is an integer{bound}, not {shown(value)}", node.span)
        return POISON
    return value


def _described(value: Any) -> str:
    if isinstance(value, Value | Literal):
        name = f"`{value.name}`, " if isinstance(value, Value) and value.name else ""
        return name + described(value.type)
    return "a window" if isinstance(value, Window) else "a list of values"


# Names and simple expressions


@evaluates(syntax.Number, syntax.String, syntax.Constant)
def _plain(state: State, node: syntax.Number | syntax.String | syntax.Constant, name: str) -> Any:
    return node.value


@evaluates(syntax.ListLiteral, syntax.TupleLiteral)
def _list(state: State, node: syntax.ListLiteral | syntax.TupleLiteral, name: str) -> Any:
    return tuple([usable(state, item) for item in node.items])


@evaluates(syntax.LayoutLiteral)
def _layout_literal(state: State, node: syntax.LayoutLiteral, name: str) -> Any:
    try:
        return layout(node.text)
    except LayoutError as error:
        raise LayoutError.of(replace(each, span=_moved(each.span, node)) for each in error.diagnostics) from None


def _moved(span: Span | None, node: syntax.LayoutLiteral) -> Span:
    """A span in the text of a layout as a span in the program."""
    if span is None or node.span.end - node.span.start != len(node.text):
        return node.span
    return Span(node.span.source, node.span.start + span.start, node.span.start + span.end)


CONSTANTS: dict[str, Any] = {"inf": math.inf, "nan": math.nan, **NAMES, **NAMESPACES}
"""Names that mean something where the program does not define them. The names of number formats are others."""


@evaluates(syntax.Name)
def _name(state: State, node: syntax.Name, name: str) -> Any:
    text = node.text
    found = state.scope.names.get(text) or state.names.get(text)
    if isinstance(found, Binding):
        return found.value
    if found is None and text in CONSTANTS:
        return CONSTANTS[text]
    if found is None:
        try:
            return dtype(text)
        except DTypeError:
            pass
    _unknown(state, node, found)
    return POISON


def _unknown(state: State, node: syntax.Name, found: Gone | None) -> None:
    text = node.text
    if found is not None:
        related = (Related(found.span, "it is defined here"),)
        state.report("N003", f"`{text}` is not visible here: {found.reason}", node.span, related=related)
    elif text in INSTRUCTIONS or text in CONSTRUCTORS or text in FUNCTIONS:
        state.report(
            "N013",
            f"`{text}` is not a value: it is called",
            node.span,
            help=f"its arguments go in parentheses: {text}(…)",
        )
    else:
        state.report("N001", f"unknown name `{text}`", node.span, help=did_you_mean(text, known_names(state)))


def known_names(state: State) -> list[str]:
    """Every name that means something here, the program's own first."""
    return [*state.scope.names, *state.names, *INSTRUCTIONS, *CONSTRUCTORS, *FUNCTIONS, *CONSTANTS, *COMMON_FORMATS]


COMMON_FORMATS = (
    "f16",
    "bf16",
    "f32",
    "f64",
    "tf32",
    "i8",
    "i16",
    "i32",
    "i64",
    "u1",
    "u4",
    "u8",
    "u16",
    "u32",
    "u64",
    "nf4",
)


@evaluates(syntax.Attribute)
def _attribute(state: State, node: syntax.Attribute, name: str) -> Any:
    base = evaluate(state, node.value)
    if base is POISON:
        return POISON
    try:
        if isinstance(base, Value | Literal):
            return _of_value(base, node.name.text)
        return attribute(base, node.name.text)
    except TilevmError as error:
        state.diagnostics.absorb(error, node.name.span)
        return POISON


def _of_value(base: Value | Literal, name: str) -> DType | tuple[int, ...]:
    kind = base.type
    if name == "dtype":
        return kind.dtype
    if name == "shape" and isinstance(kind, ScalarType | TileType | SharedType):
        return kind.shape
    help = "it has dtype and shape"
    if isinstance(kind, TensorType):
        help = "it has dtype; its sizes have the names that the parameter gives them"
    raise ProgramError("N016", f"{described(kind)} has no attribute `{name}`", help=help)
