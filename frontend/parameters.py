"""Compile-time parameters: their kinds and defaults, and the values that a specialisation gives them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from tilevm.dtypes import DType
from tilevm.errors import ArgumentError, Diagnostic, Related, did_you_mean
from tilevm.frontend import syntax
from tilevm.frontend.constants import shown
from tilevm.frontend.diagnostics import POISON
from tilevm.frontend.evaluation import State, constant
from tilevm.frontend.scope import Scope
from tilevm.layout import Layout
from tilevm.memory_pattern import MemoryPattern

__all__ = ["KINDS", "MISSING", "bind", "default_of", "fits", "kind_of"]


class Missing:
    """Stands where a compile-time parameter has no default."""

    def __repr__(self) -> str:
        return "MISSING"


MISSING = Missing()

KINDS: Mapping[str, str] = {
    "int": "an integer",
    "bool": "True or False",
    "dtype": "a number format",
    "layout": "a layout",
}
"""What a compile-time parameter may be, and how that is called."""


def fits(kind: str, value: object) -> bool:
    """Whether a value is of a kind.

    >>> fits("int", 3), fits("int", True), fits("bool", True)
    (True, False, True)
    """
    if kind == "int":
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, {"bool": bool, "dtype": DType, "layout": Layout | MemoryPattern}[kind])


def kind_of(node: syntax.CompileTimeParameter, default: object) -> str:
    """The kind that is written, else that of the default; without either an integer."""
    if node.kind is not None:
        return node.kind.text
    return next((kind for kind in KINDS if fits(kind, default)), "int")


def default_of(state: State, node: syntax.CompileTimeParameter) -> Any:
    """The default, or ``MISSING``; binds the parameter in the scope, so that later defaults may use it."""
    value = POISON if node.default is None else constant(state, node.default, f"the default of `{node.name.text}`")
    state.scope.bind(node.name.text, value, node.name.span, "compile-time parameter")
    return MISSING if value is POISON else value


class Declared(Protocol):
    """What ``bind`` reads of a ``CompileTimeParameter``."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...


def bind(state: State, kernel: syntax.Kernel, declared: Sequence[Declared], bindings: Mapping[str, object]) -> None:
    """Binds every compile-time parameter in the scope of the state.

    Raises ``ArgumentError`` A031, A032 and A033, all at once.
    """
    names = [each.name for each in declared]
    problems = [
        Diagnostic(
            "A032",
            f"`{kernel.name.text}` has no compile-time parameter `{name}`",
            argument=name,
            help=did_you_mean(name, names) or (f"it has {', '.join(names)}" if names else "it has none"),
        )
        for name in bindings
        if name not in names
    ]
    for node, parameter in zip(kernel.compile_time, declared, strict=True):
        problem = _bind_one(state, kernel, node, parameter.kind, bindings)
        if problem is not None:
            problems.append(problem)
    if problems:
        raise ArgumentError.of(problems)


def _bind_one(
    state: State, kernel: syntax.Kernel, node: syntax.CompileTimeParameter, kind: str, bindings: Mapping[str, object]
) -> Diagnostic | None:
    name = node.name.text
    declaration = (Related(node.name.span, "it is declared here"),)
    value: object
    if name in bindings:
        value = bindings[name]
    elif node.default is not None:
        value = constant(state, node.default, f"the default of `{name}`")
    else:
        state.scope.bind(name, POISON, node.name.span, "compile-time parameter")
        return Diagnostic(
            "A031",
            f"`{kernel.name.text}` needs a value for its compile-time parameter `{name}`, {KINDS.get(kind, kind)}",
            argument=name,
            related=declaration,
            help=f"give it by name: {name}=…",
        )
    if value is not POISON and not fits(kind, value):
        state.scope.bind(name, POISON, node.name.span, "compile-time parameter")
        return Diagnostic(
            "A033",
            f"the compile-time parameter `{name}` of `{kernel.name.text}` is {KINDS[kind]}, not {in_words(value)}",
            argument=name,
            related=declaration,
        )
    state.scope.bind(name, value, node.name.span, "compile-time parameter")
    return None


def in_words(value: object) -> str:
    """A value of any Python type in words."""
    known = isinstance(value, int | float | str | tuple | DType | Layout | MemoryPattern) or value is None
    return shown(value) if known else f"{type(value).__name__} {value!r}"


def check_declarations(state: State, kernel: syntax.Kernel) -> None:
    """Records N017 for a kind that does not exist, T078 for a default of another kind than is written."""
    state.scope = Scope()
    for node in kernel.compile_time:
        kind = node.kind
        if kind is not None and kind.text not in KINDS:
            state.report(
                "N017",
                f"a compile-time parameter is {', '.join(KINDS)}, not `{kind.text}`",
                kind.span,
                help=did_you_mean(kind.text, KINDS) or "a number that a launch gives is a parameter: scale: f32",
            )
        default = default_of(state, node)
        known = kind is None or kind.text in KINDS
        if default is not MISSING and known and not fits(kind_of(node, default), default):
            assert node.default is not None
            expected = KINDS[kind.text] if kind is not None else "an integer, True or False, a format or a layout"
            state.report(
                "T078", f"the default of `{node.name.text}` is {expected}, not {shown(default)}", node.default.span
            )
