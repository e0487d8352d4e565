"""The header of a kernel: its parameters with their shapes, and its clauses.

A *size* is a name in a shape that stands there alone: ``x: f16[M, K // 2]`` makes ``M`` a size, and ``K`` must stand
alone in another dimension. Shapes, ``grid`` and ``require`` are expressions of sizes, which a launch evaluates; in the
body a size is an ``i32`` value.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from tilevm.dtypes import I32, DType, dtype
from tilevm.errors import ArgumentError, Diagnostic, DTypeError, Related
from tilevm.frontend import syntax
from tilevm.frontend.constants import is_size, shown
from tilevm.frontend.diagnostics import POISON
from tilevm.frontend.evaluation import CONSTANTS, State, constant, integer, usable
from tilevm.frontend.operators import truth
from tilevm.frontend.placement import tensor_layout
from tilevm.frontend.scope import Binding, Scope
from tilevm.instruction import described
from tilevm.ir import Requirement
from tilevm.sizes import Size, Symbol
from tilevm.values import Literal, ScalarType, TensorType, Value, Window

__all__ = ["Header", "lower", "tuned"]

DEFAULT_WARPS = 4
"""Warps of a block where the kernel does not say."""


@dataclass(frozen=True)
class Header:
    """A lowered header, and the scope that the body starts with."""

    parameters: tuple[Value, ...]
    sizes: tuple[Value, ...]
    grid: tuple[Size, ...]
    warps: int
    requires: tuple[Requirement, ...]
    scope: Scope


def lower(state: State, kernel: syntax.Kernel) -> Header:
    """The header of a kernel; the scope of the state holds its compile-time parameters.

    Mistakes are recorded. Raises ``ArgumentError`` A034 where a ``require`` on compile-time values does not hold.
    """
    sizes = _sizes(state, kernel)
    body = state.scope.inner()
    for name, node in sizes.items():
        state.scope.bind(name, Symbol(name), node.span, "size")
        body.bind(name, Value(ScalarType(I32), name, node.span), node.span, "size")
    parameters = []
    for parameter in kernel.parameters:
        value = _parameter(state, parameter)
        body.bind(parameter.name.text, value, parameter.name.span, "parameter")
        if value is not POISON:
            parameters.append(value)
    for parameter in kernel.parameters:
        found = body.visible(parameter.name.text)
        assert found is not None
        state.scope.names.setdefault(parameter.name.text, found)
    grid, warps, requires = _clauses(state, kernel)
    bound = [body.visible(name) for name in sizes]
    return Header(tuple(parameters), tuple(each.value for each in bound if each), grid, warps, requires, body)


# Sizes


def _sizes(state: State, kernel: syntax.Kernel) -> dict[str, syntax.Name]:
    """The names that stand alone in a dimension and mean nothing else."""
    found: dict[str, syntax.Name] = {}
    for parameter in kernel.parameters:
        for extent in parameter.shape or ():
            if isinstance(extent, syntax.Name) and extent.text not in found and not _known(state, extent.text):
                found[extent.text] = extent
    extents = (extent for parameter in kernel.parameters for extent in parameter.shape or ())
    for name in (name for extent in extents for name in _names(extent)):
        if name.text in found or _known(state, name.text) or _has_meaning(name.text):
            continue
        state.report(
            "N010",
            f"the size `{name.text}` never stands alone in a dimension, so no argument gives it",
            name.span,
            help=f"make it a compile-time parameter, [{name.text} = 128], or the extent of a dimension",
        )
        state.scope.bind(name.text, POISON, name.span, "size")
    for text in [text for text in found if _has_meaning(text)]:
        check_name(state, found.pop(text), "a size")
        state.scope.bind(text, POISON, kernel.name.span, "size")
    return found


def _known(state: State, name: str) -> bool:
    return state.scope.visible(name) is not None or name in state.names


def _is_format(name: str) -> bool:
    try:
        dtype(name)
    except DTypeError:
        return False
    return True


def _has_meaning(name: str) -> bool:
    return name in CONSTANTS or _is_format(name)


def check_name(state: State, node: syntax.Name, what: str) -> bool:
    """Whether a name may be that of a parameter, a size or a kernel; records N012 if not."""
    if not _has_meaning(node.text):
        return True
    meaning = "a number format" if _is_format(node.text) else "a constant of the language"
    state.report("N012", f"`{node.text}` is {meaning}, not a name for {what}", node.span, help="choose another name")
    return False


def _names(node: Any) -> Iterator[syntax.Name]:
    """The names in an expression that stand for a value, without those of functions and attributes."""
    if isinstance(node, syntax.Name):
        yield node
    elif isinstance(node, syntax.Call):
        for argument in (*node.arguments, *(keyword.value for keyword in node.keywords)):
            yield from _names(argument)
    elif isinstance(node, syntax.Attribute):
        yield from _names(node.value)
    elif isinstance(node, tuple):
        for each in node:
            yield from _names(each)
    elif is_dataclass(node) and isinstance(node, syntax.Node):
        for each in fields(node):
            if each.name != "span":
                yield from _names(getattr(node, each.name))


# Parameters


def _parameter(state: State, node: syntax.Parameter) -> Any:
    """A parameter as a value, or ``POISON``."""
    if not check_name(state, node.name, "a parameter"):
        return POISON
    found = constant(state, node.dtype, "the format of a parameter")
    if found is not POISON and not isinstance(found, DType):
        state.report(
            "T073", f"the format of `{node.name.text}` is a number format, not {shown(found)}", node.dtype.span
        )
        found = POISON
    if node.shape is None:
        if node.access != "in":
            state.report(
                "T073",
                f"the scalar `{node.name.text}` cannot be written",
                node.name.span,
                help=f"a tensor of one element can: {node.access} {node.name.text}: f32[1]",
            )
            return POISON
        return POISON if found is POISON else Value(ScalarType(found), node.name.text, node.name.span)
    shape = [_extent(state, node, extent) for extent in node.shape]
    if found is POISON or POISON in shape:
        return POISON
    kind = TensorType(found, tuple(shape), node.access)
    if node.layout is not None:
        layout = tensor_layout(state, node.layout, kind)
        if layout is POISON:
            return POISON
        kind = TensorType(found, tuple(shape), node.access, layout)
    return Value(kind, node.name.text, node.name.span)


def _extent(state: State, node: syntax.Parameter, extent: syntax.Expression) -> Any:
    """An extent of a tensor: a size or an integer."""
    value = usable(state, extent)
    if value is POISON or is_size(value):
        return value
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        state.report(
            "T073", f"an extent of `{node.name.text}` is an integer of at least 0, not {_found(value)}", extent.span
        )
        return POISON
    return value


def _found(value: Any) -> str:
    if isinstance(value, Value | Literal):
        return described(value.type)
    return "a window" if isinstance(value, Window) else shown(value)


# Clauses


def _clauses(state: State, kernel: syntax.Kernel) -> tuple[tuple[Size, ...], int, tuple[Requirement, ...]]:
    grid: tuple[Size, ...] = ()
    warps: Any = DEFAULT_WARPS
    requires: list[Requirement] = []
    for clause in kernel.clauses:
        if isinstance(clause, syntax.Grid):
            grid = _grid(state, clause)
        elif isinstance(clause, syntax.Warps):
            warps = integer(state, clause.count, "the number of warps", 1)
            if warps is not POISON and warps > 32:
                state.report("T075", f"a block has at most 32 warps, not {warps}", clause.count.span)
        elif isinstance(clause, syntax.Require):
            requirement = _require(state, kernel, clause)
            if requirement is not None:
                requires.append(requirement)
    return grid, DEFAULT_WARPS if warps is POISON else warps, tuple(requires)


def _grid(state: State, clause: syntax.Grid) -> tuple[Size, ...]:
    extents = []
    for extent in clause.extents:
        value = usable(state, extent)
        if value is POISON:
            continue
        if not is_size(value) and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
            state.report(
                "T075",
                f"an extent of the grid is an integer of at least 0, not {_found(value)}",
                extent.span,
                help="it is made of sizes and compile-time values",
            )
            continue
        extents.append(value)
    return tuple(extents)


def _require(state: State, kernel: syntax.Kernel, clause: syntax.Require) -> Requirement | None:
    """A condition on sizes, left to the launch; one on compile-time values is checked here."""
    condition = truth(state, clause.condition, "a requirement")
    message = clause.message.value if clause.message is not None else ""
    if condition is POISON or condition is True:
        return None
    if is_size(condition):
        return Requirement(condition, message, clause.span)
    if isinstance(condition, Value | Literal):
        state.report(
            "T075",
            f"a requirement is on sizes and compile-time values, not on {_found(condition)}",
            clause.condition.span,
            help="assert(…) in the body checks what is known when the program runs",
        )
        return None
    raise _violated(state, kernel, clause, message)


def _violated(state: State, kernel: syntax.Kernel, clause: syntax.Require, message: str) -> ArgumentError:
    span = clause.condition.span
    text = " ".join(span.source.text[span.start : span.end].split())
    bound: dict[str, Binding] = {}
    for name in _names(clause.condition):
        found = state.scope.visible(name.text)
        if found is not None and found.kind == "compile-time parameter":
            bound[name.text] = found
    values = ", ".join(f"{name} is {found.value}" for name, found in bound.items())
    said = f"`{kernel.name.text}` requires {text}" + (f", but {values}" if values else "")
    return ArgumentError.of(
        [
            Diagnostic(
                "A034",
                f"{said}: {message}" if message else said,
                argument=next(iter(bound), None),
                related=(Related(clause.span, "required here"),),
            )
        ]
    )


def tuned(state: State, clause: syntax.Tune) -> Iterator[int]:
    """The values of a ``tune`` clause that are integers; records T075 for others."""
    for value in clause.values:
        found = integer(state, value, f"a value of `{clause.name.text}`")
        if found is not POISON:
            yield found


def check_clauses(state: State, kernel: syntax.Kernel, kinds: dict[str, str]) -> None:
    """Records N014 for a clause that is missing or stands twice, N015 for a ``tune`` of no integer parameter."""
    seen: dict[object, syntax.Clause] = {}
    for clause in kernel.clauses:
        word = type(clause).__name__.lower()
        key = (word, clause.name.text) if isinstance(clause, syntax.Tune) else word
        if key in seen and not isinstance(clause, syntax.Require):
            what = f"tune {clause.name.text}" if isinstance(clause, syntax.Tune) else word
            state.report(
                "N014", f"`{what}` stands twice", clause.span, related=(Related(seen[key].span, "the first one"),)
            )
        seen[key] = clause
        if isinstance(clause, syntax.Tune):
            _check_tune(state, clause, kinds)
    if "grid" not in seen:
        state.report(
            "N014",
            f"`{kernel.name.text}` does not say how many blocks run it",
            kernel.span,
            help="add a clause to its start: grid cdiv(N, BLOCK), or grid 1",
        )


def _check_tune(state: State, clause: syntax.Tune, kinds: dict[str, str]) -> None:
    name = clause.name.text
    if kinds.get(name) != "int":
        known = [each for each, kind in kinds.items() if kind == "int"]
        what = f"it is a {kinds[name]}" if name in kinds else "there is none of that name"
        state.report(
            "N015",
            f"`tune` is for compile-time parameters that are integers, not for `{name}`: {what}",
            clause.name.span,
            help=f"there are {', '.join(known)}" if known else None,
        )
    for _ in tuned(state, clause):
        pass
