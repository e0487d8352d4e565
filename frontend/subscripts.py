"""Subscripts: windows of tensors and shared tiles, parts of register tiles, items of lists."""

from __future__ import annotations

from typing import Any

from tilevm.binding import build, literal
from tilevm.dtypes import I32
from tilevm.errors import ProgramError, Related, Span
from tilevm.frontend import syntax
from tilevm.frontend.constants import is_constant, shown
from tilevm.frontend.diagnostics import POISON
from tilevm.frontend.evaluation import State, emit, evaluates, integer, poisoned, usable
from tilevm.instruction import INSTRUCTIONS, described
from tilevm.values import Literal, Operand, ScalarType, SharedType, TensorType, TileType, Value, Window

__all__: list[str] = []


@evaluates(syntax.Subscript)
def _subscript(state: State, node: syntax.Subscript, name: str) -> Any:
    base = usable(state, node.value)
    if base is POISON:
        return POISON
    if isinstance(base, tuple):
        return _item(state, base, node)
    if isinstance(base, Value):
        if isinstance(base.type, TensorType | SharedType):
            return _window(state, base, node)
        return _part(state, base, node, name)
    found = "a window" if isinstance(base, Window) else shown(base) if is_constant(base) else str(base)
    raise ProgramError("T065", f"{found} has no subscript", span=node.value.span)


def _item(state: State, items: tuple[Any, ...], node: syntax.Subscript) -> Any:
    """One item of a list."""
    if len(node.items) != 1 or isinstance(node.items[0], syntax.Window | syntax.Whole | syntax.NewAxis):
        raise ProgramError("T065", "a list is subscripted by one integer")
    place = integer(state, node.items[0], "the place in a list")
    if place is POISON:
        return POISON
    if not -len(items) <= place < len(items):
        raise ProgramError("T065", f"there is no item {place} in a list of {len(items)}", span=node.items[0].span)
    return items[place]


# Windows


def _window(state: State, base: Value, node: syntax.Subscript) -> Any:
    kind = base.type
    assert isinstance(kind, TensorType | SharedType)
    _check_count(base, len(kind.shape), node)
    offsets: list[Any] = []
    extents: list[Any] = []
    for axis, length in enumerate(kind.shape):
        item = node.items[axis] if axis < len(node.items) else syntax.Whole(span=node.span)
        if isinstance(item, syntax.NewAxis):
            raise ProgramError(
                "T066", "a window has no new axis", span=item.span, help="load it first: load(x[…])[None, :]"
            )
        if isinstance(item, syntax.Whole):
            if not isinstance(length, int):
                raise ProgramError(
                    "T066",
                    f"the whole of dimension {axis} is not known when the program is compiled: it is {length}",
                    span=item.span,
                    related=_declaration(base),
                    help="take a window of it, such as 0 :+ 64, in each dimension",
                )
            offsets.append(Literal(0, I32))
            extents.append(length)
        elif isinstance(item, syntax.Window):
            offsets.append(_offset(state, item.offset))
            extents.append(integer(state, item.extent, "the extent of a window", 1))
        else:
            offsets.append(_offset(state, item))
            extents.append(None)
    if poisoned(*offsets, *extents):
        return POISON
    return Window(base, tuple(offsets), tuple(extents))


def _check_count(base: Value, rank: int, node: syntax.Subscript) -> None:
    """Raises T065 where there are more subscripts than dimensions."""
    if len(node.items) > rank:
        subscripts = f"{len(node.items)} subscript{'s' * (len(node.items) > 1)}"
        what = f"`{base.name}`" if base.name else "it"
        raise ProgramError(
            "T065",
            f"{subscripts} for {described(base.type)}",
            related=_declaration(base),
            help=f"{what} has {rank} dimension{'s' * (rank != 1)}",
        )


def _declaration(base: Value) -> tuple[Related, ...]:
    return () if base.span is None else (Related(base.span, "it is defined here"),)


def _offset(state: State, node: syntax.Expression) -> Operand | Any:
    """An offset of a window, as an ``i32`` operand."""
    value = usable(state, node)
    if value is POISON:
        return POISON
    if isinstance(value, Value | Literal):
        if value.type == ScalarType(I32):
            return value
        tile = isinstance(value.type, TileType)
        state.report(
            "T014",
            f"an offset of a window is an i32 scalar, not {described(value.type)}",
            node.span,
            help="gather and scatter take tiles of indices" if tile else "cast(…, i32) converts it",
        )
        return POISON
    if isinstance(value, bool) or not isinstance(value, int):
        found = "a window" if isinstance(value, Window) else shown(value)
        state.report("T066", f"an offset of a window is an integer, not {found}", node.span)
        return POISON
    try:
        return literal(value, I32)
    except ProgramError as error:
        state.diagnostics.absorb(error, node.span)
        return POISON


# Register tiles


def _part(state: State, base: Value, node: syntax.Subscript, name: str) -> Any:
    """Part of a register tile: ``slice``, ``squeeze`` and ``unsqueeze``, one dimension after another."""
    rank = len(base.shape)
    taken = [item for item in node.items if not isinstance(item, syntax.NewAxis)]
    if len(taken) > rank:
        _check_count(base, rank, node)
        raise ProgramError("T065", f"{len(taken)} subscripts for {described(base.type)}", related=_declaration(base))
    steps: list[tuple[str, dict[str, Any], Span]] = []
    axis = 0
    for item in node.items:
        if isinstance(item, syntax.NewAxis):
            steps.append(("unsqueeze", {"axis": axis}, item.span))
        elif isinstance(item, syntax.Window):
            start, size = _static(state, item.offset), integer(state, item.extent, "the extent of a slice", 1)
            steps.append(("slice", {"axis": axis, "start": start, "size": size}, item.span))
        elif not isinstance(item, syntax.Whole):
            steps.append(("slice", {"axis": axis, "start": _static(state, item), "size": 1}, item.span))
            steps.append(("squeeze", {"axis": axis}, item.span))
            continue
        axis += 1
    if any(poisoned(*arguments.values()) for _, arguments, _ in steps):
        return POISON
    return _taken(state, base, steps, name)


def _taken(state: State, base: Value, steps: list[tuple[str, dict[str, Any], Span]], name: str) -> Any:
    """The tile after one instruction after another; the last result has the name."""
    tile = base
    for number, (call, arguments, span) in enumerate(steps, 1):
        try:
            instruction = build(INSTRUCTIONS[call], {"x": tile, **arguments})
            tile = emit(state, instruction, span, name if number == len(steps) else "")
        except ProgramError as error:
            state.diagnostics.absorb(error, span)
            return POISON
    return tile


def _static(state: State, item: syntax.Expression) -> Any:
    """The place of a slice of a register tile, which is known when the program is compiled."""
    value = usable(state, item)
    if isinstance(value, Value | Literal):
        state.report(
            "T066",
            f"a register tile is subscripted by constants, not by {described(value.type)}",
            item.span,
            help="which register holds an element is fixed when the program is compiled: use a shared tile",
        )
        return POISON
    return integer(state, item, "the place in a tile") if value is not POISON else POISON
