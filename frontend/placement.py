"""``value @ layout``: where the bits of a tile lie, written down.

At a register tile stands a register layout of the tile's shape for all threads of the block, at a shared tile a memory
layout or a pattern that makes one of its shape, at a tensor parameter a pattern, which meets its shape at the launch.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tilevm.errors import LayoutError, ProgramError, Span
from tilevm.frontend import syntax
from tilevm.frontend.constants import shown
from tilevm.frontend.diagnostics import POISON
from tilevm.frontend.evaluation import State, constant, evaluates, usable
from tilevm.instruction import described
from tilevm.ir import Let
from tilevm.layout import Layout
from tilevm.memory_pattern import MemoryPattern
from tilevm.values import Literal, SharedType, TensorType, TileType, Value, Window

__all__ = ["tensor_layout"]


@evaluates(syntax.Annotated)
def _annotated(state: State, node: syntax.Annotated, name: str) -> Any:
    before = 0 if state.block is None else len(state.block)
    value = usable(state, node.value, name)
    layout = _layout(state, node.layout)
    if value is POISON or layout is POISON:
        return POISON
    if not isinstance(value, Value) or not isinstance(value.type, TileType | SharedType):
        found = (
            described(value.type)
            if isinstance(value, Value | Literal)
            else "a window"
            if isinstance(value, Window)
            else shown(value)
        )
        raise ProgramError(
            "L042", f"`@` says where the elements of a tile lie, and this is {found}", span=node.value.span
        )
    last = state.block[-1] if state.block is not None and len(state.block) > before else None
    if not isinstance(last, Let) or last.result is not value:
        raise ProgramError(
            "L042",
            "`@` stands where a tile is made, and this one was made before",
            span=node.span,
            help=f"convert_layout({value.name or 'x'}, …) gives the same elements in another layout",
        )
    if isinstance(value.type, TileType):
        kind: TileType | SharedType = replace(
            value.type, layout=_in_registers(state, value.type, layout, node.layout.span)
        )
    else:
        kind = replace(value.type, layout=_in_shared_memory(value.type, layout, node.layout.span))
    placed = Value(kind, value.name, value.span)
    assert state.block is not None
    state.block[-1] = Let(placed, last.instruction, last.span)
    return placed


def _layout(state: State, node: syntax.Expression) -> Any:
    value = constant(state, node, "a layout")
    if value is not POISON and not isinstance(value, Layout | MemoryPattern):
        state.report("L044", f"after `@` stands a layout, not {shown(value)}", node.span)
        return POISON
    return value


def _in_registers(state: State, tile: TileType, layout: Layout | MemoryPattern, span: Span) -> Layout:
    if not isinstance(layout, Layout) or not layout.is_register:
        raise ProgramError(
            "L043",
            f"{layout} places elements in memory, and this is {described(tile)}",
            span=span,
            help="a register layout is built of local(…), spatial(…) and rep(…)",
        )
    if tile.layout is not None and tile.layout != layout:
        raise ProgramError(
            "L045", f"the instruction gives the layout {tile.layout}, not {layout}", span=span, help="leave `@ …` out"
        )
    if layout.shape != tile.shape:
        raise ProgramError(
            "L040",
            f"the layout is for tiles of shape {list(layout.shape)}, but this one is {list(tile.shape)}",
            span=span,
            help=_shape_help(layout, tile.shape),
        )
    threads = 32 * state.warps
    if layout.threads != threads:
        raise ProgramError(
            "L041",
            f"the layout is for {layout.threads} threads, but the block has {threads}: {state.warps} warps of 32",
            span=span,
            help=_threads_help(layout, threads),
        )
    return layout


def _shape_help(layout: Layout, shape: tuple[int, ...]) -> str | None:
    """What to put in front of a layout so that it has the shape, if it goes in a whole number of times."""
    if len(layout.shape) != len(shape) or any(extent % own for extent, own in zip(shape, layout.shape, strict=True)):
        return None
    times = ", ".join(str(extent // own) for extent, own in zip(shape, layout.shape, strict=True))
    return f"local({times}) * … repeats it over the tile in each thread, warps({times}) * … over the warps"


def _threads_help(layout: Layout, threads: int) -> str:
    if layout.threads % 32 == 0 and layout.threads <= 1024:
        return f"write `warps {layout.threads // 32}`, or a layout for {threads} threads"
    if threads % layout.threads == 0:
        return f"rep({threads // layout.threads}) * … lets {threads // layout.threads} threads hold each element"
    return f"the sizes of spatial(…), warps(…) and rep(…) multiply to {threads}"


def _in_shared_memory(tile: SharedType, layout: Layout | MemoryPattern, span: Span) -> Layout:
    if isinstance(layout, MemoryPattern):
        return layout.bind(tile.shape, tile.dtype.bits)
    if not layout.is_memory:
        raise ProgramError(
            "L043",
            f"{layout} places elements in registers, and this is {described(tile)}",
            span=span,
            help="packed(…) lets a register layout order the elements of memory",
        )
    if layout.shape != tile.shape:
        raise ProgramError(
            "L040",
            f"the layout is for tiles of shape {list(layout.shape)}, but this one is {list(tile.shape)}",
            span=span,
        )
    if layout.width == 1:
        return layout.scaled(tile.dtype.bits)
    if layout.width < tile.dtype.bits:
        raise ProgramError(
            "L043",
            f"the layout is for elements of {layout.width} bits, and {tile.dtype} has {tile.dtype.bits}",
            span=span,
            help=f"row_major(…, width={tile.dtype.bits})",
        )
    return layout


def tensor_layout(state: State, node: syntax.Expression, tensor: TensorType) -> Any:
    """The layout written at a tensor parameter. Records L040, L043, L044, and what ``bind`` raises."""
    layout = _layout(state, node)
    shape = [size for size in tensor.shape if isinstance(size, int)]
    known = len(shape) == len(tensor.shape)
    if layout is POISON:
        return POISON
    if isinstance(layout, MemoryPattern):
        if known:
            try:
                layout.placed(shape, tensor.dtype.bits)
            except LayoutError as error:
                state.diagnostics.absorb(error, node.span)
        return layout
    if not layout.is_memory:
        state.report(
            "L043",
            f"{layout} places elements in registers, and this is {described(tensor)}",
            node.span,
            help="packed(…) lets a register layout order the elements of memory",
        )
        return POISON
    if len(layout.shape) != len(tensor.shape) or (known and layout.shape != tuple(shape)):
        state.report(
            "L040", f"the layout is for shape {list(layout.shape)}, and this is {described(tensor)}", node.span
        )
        return POISON
    return layout
