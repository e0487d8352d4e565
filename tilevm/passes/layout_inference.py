"""Layout inference: every register tile gets a layout, and conversions stand where two layouts meet.

``layout_collection`` asks the instructions, ``layout_groups`` decides, and here the program is built anew: each tile
with the layout of its group, and in front of each use that needs another one a ``convert_layout``. Where an instruction
cannot keep the layouts that were chosen, it works on tiles of which each thread holds more, at last everything.

Afterwards each instruction's operands and result stand in the relation that the instruction states.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Sequence
from dataclasses import replace

from tilevm.arch import Arch
from tilevm.errors import Span
from tilevm.instruction import Instruction
from tilevm.instructions.tiles import ConvertLayout
from tilevm.ir import Carry, For, If, Join, Let, Program, Statement, While
from tilevm.layout import Layout
from tilevm.passes.layout_collection import Collection, Use, uses
from tilevm.passes.layout_groups import Groups, Strength
from tilevm.passes.register_layouts import unspread
from tilevm.passes.remarks import Remark
from tilevm.passes.rewriting import with_bodies, with_results
from tilevm.values import Operand, TileType, Value

__all__ = ["infer_layouts"]

Converted = ChainMap[tuple[Value, Layout], Value]


def infer_layouts(program: Program, arch: Arch) -> tuple[Program, tuple[Remark, ...]]:
    """Gives every register tile a layout, and inserts conversions where two layouts meet."""
    program = replace(program, body=with_results(program.body))
    collection = Collection.of(program, arch)
    groups = Groups()
    for tile, anchor, access in collection.anchors:
        groups.add(tile, anchor, access)
    groups.join(collection.links)
    placing = _Placing(collection, groups.layout)
    body = placing.body(program.body, ChainMap())
    matrix = (
        Remark(f"`{tile.name}` lies as the matrix instructions of {arch.name} want it: {anchor.layout}", tile.span)
        for tile, anchor, _ in collection.anchors
        if anchor.strength is Strength.MATRIX and groups.layout[tile] == anchor.layout
    )
    return replace(program, body=tuple(body)), (*matrix, *placing.remarks)


class _Placing:
    """Builds the program in which every tile has its layout. ``converted`` holds the conversions that a body sees."""

    def __init__(self, collection: Collection, layouts: dict[Value, Layout]) -> None:
        self.arch = collection.arch
        self.threads = collection.program.threads
        self.frames = collection.frames
        self.layouts = layouts
        self.placed: dict[Value, Value] = {}
        self.remarks: list[Remark] = []

    # Values

    def value(self, value: Value) -> Value:
        """The value with its layout; scalars and memory as they are."""
        layout = self.layouts.get(value)
        if layout is None or not isinstance(value.type, TileType) or value.type.layout == layout:
            return value
        if value not in self.placed:
            self.placed[value] = _with_layout(value, layout)
        return self.placed[value]

    def operand(self, operand: Operand) -> Operand:
        return self.value(operand) if isinstance(operand, Value) else operand

    def convert(
        self, operand: Operand, layout: Layout | None, body: list[Statement], converted: Converted, span: Span | None
    ) -> Operand:
        """The operand, placed, in a layout; a conversion is added to the body where it has another."""
        placed = self.operand(operand)
        if layout is None or not isinstance(placed, Value) or _layout(placed) == layout:
            return placed
        key = placed, layout
        if key not in converted:
            converted[key] = _with_layout(placed, layout)
            body.append(Let(converted[key], ConvertLayout(placed, layout), span))
            self._remark(placed, layout, span)
        return converted[key]

    def _remark(self, tile: Value, layout: Layout, span: Span | None) -> None:
        name = f"`{tile.name}`" if tile.name else f"a tile {tile.dtype}{list(tile.shape)}"
        self.remarks.append(Remark(f"{name} is moved between layouts, from {_layout(tile)} to {layout}", span))

    # Statements

    def body(self, statements: Sequence[Statement], converted: Converted) -> list[Statement]:
        result: list[Statement] = []
        for statement in statements:
            if isinstance(statement, Let):
                self.let(statement, result, converted)
            elif isinstance(statement, If):
                self.branch(statement, result, converted)
            else:
                self.loop(statement, result, converted)
        return result

    def let(self, let: Let, body: list[Statement], converted: Converted) -> None:
        bound = list(uses(let.instruction, self.arch))
        frame = let.result if bound and let.result in self.layouts else self.frames.get(id(let.instruction))
        if frame is None:
            result = None if let.result is None else self.value(let.result)
            body.append(Let(result, let.instruction.substituted(self.operand), let.span))
            return
        needed, gives = self.plan(bound, self.layouts[frame], frame.shape)
        instruction = let.instruction.substituted(self.operand)
        for use, layout in zip(bound, needed, strict=True):
            instruction = _with_operand(instruction, use, self.convert(use.tile, layout, body, converted, let.span))
        if let.result is None or _layout(self.value(frame)) == gives:
            body.append(Let(None if let.result is None else self.value(let.result), instruction, let.span))
            return
        # The result is made in another layout than the one that its uses want.
        given = _with_layout(let.result, gives)
        body += [
            Let(given, instruction, let.span),
            Let(self.value(let.result), ConvertLayout(given, self.layouts[frame]), let.span),
        ]
        self._remark(given, self.layouts[frame], let.span)

    def plan(self, bound: list[Use], result: Layout, shape: tuple[int, ...]) -> tuple[list[Layout], Layout]:
        """The layout that each operand needs, and the layout that the instruction then gives.

        That is the one that was chosen, if it goes; else the one that follows from the operand; else one in which some
        dimension lies within each thread; and at last every thread holds everything.
        """
        needed = self._needed(bound, result)
        if needed is not None:
            return needed, result
        if len(bound) == 1:
            (use,) = bound
            for own in (self.layouts[use.tile], *unspread(use.tile.shape, self.threads)):
                gives = use.relation.result_of(own)
                if gives is not None:
                    return [own], gives
        for gives in unspread(shape, self.threads):
            needed = self._needed(bound, gives)
            if needed is not None:
                return needed, gives
        raise AssertionError(f"nothing goes with {bound}")

    def _needed(self, bound: list[Use], gives: Layout) -> list[Layout] | None:
        """The layouts that operands need for a result; None where there are none."""
        needed = []
        for use in bound:
            own = self.layouts[use.tile]
            layout = use.relation.operand_of(gives)
            if layout is None and use.relation.result_of(own) == gives:
                layout = own
            if layout is None:
                return None
            needed.append(own if use.relation.accepts(layout, own) else layout)
        return needed

    def branch(self, branch: If, body: list[Statement], converted: Converted) -> None:
        then, otherwise = (
            self.side(statements, [getattr(join, name) for join in branch.joins], branch, converted.new_child())
            for statements, name in ((branch.then, "then"), (branch.otherwise, "otherwise"))
        )
        joins = tuple(
            Join(first, second, self.value(join.result))
            for join, first, second in zip(branch.joins, then[1], otherwise[1], strict=True)
        )
        condition = self.operand(branch.condition)
        body.append(replace(branch, condition=condition, then=then[0], otherwise=otherwise[0], joins=joins))

    def side(
        self, statements: Sequence[Statement], given: list[Operand], branch: If, converted: Converted
    ) -> tuple[tuple[Statement, ...], list[Operand]]:
        """One of the two bodies of a branch, and what it gives, in the layouts that the branch gives."""
        body = self.body(statements, converted)
        wanted = [self.layouts.get(join.result) for join in branch.joins]
        sides = [
            self.convert(operand, layout, body, converted, branch.span)
            for operand, layout in zip(given, wanted, strict=True)
        ]
        return tuple(body), sides

    def loop(self, loop: For | While, body: list[Statement], converted: Converted) -> None:
        layouts = [self.layouts.get(carry.inner) for carry in loop.carried]
        initial = [
            self.convert(carry.initial, layout, body, converted, loop.span)
            for carry, layout in zip(loop.carried, layouts, strict=True)
        ]
        seen = converted.new_child()
        parts = {}
        if isinstance(loop, While):
            parts["test"] = tuple(self.body(loop.test, seen))
        inner = self.body(loop.body, seen)
        carried = tuple(
            Carry(
                first,
                self.value(carry.inner),
                self.convert(carry.update, layout, inner, seen, loop.span),
                self.value(carry.result),
            )
            for carry, layout, first in zip(loop.carried, layouts, initial, strict=True)
        )
        body.append(with_bodies(replace(loop, carried=carried), body=tuple(inner), **parts))


def _layout(tile: Value) -> Layout | None:
    return tile.type.layout if isinstance(tile.type, TileType) else None


def _with_layout(tile: Value, layout: Layout) -> Value:
    assert isinstance(tile.type, TileType)
    return Value(replace(tile.type, layout=layout), tile.name, tile.span)


def _with_operand(instruction: Instruction, use: Use, operand: Operand) -> Instruction:
    if use.place is None:
        return replace(instruction, **{use.field: operand})
    held = list(getattr(instruction, use.field))
    held[use.place] = operand
    return replace(instruction, **{use.field: tuple(held)})
