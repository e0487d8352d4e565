"""What a program says about the layouts of its tiles: who asks for which, and how they hang together.

Nothing is decided here. Every tile gets an anchor: the layout that is written at it; the one that a matrix instruction
asks for; the one in which a window of memory is accessed in wide, neighbouring pieces; else a default that means
nothing. Links come from the relations of the instructions, and from loops and branches, where a tile has two ways in.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from math import prod

import numpy as np

from tilevm.arch import Arch
from tilevm.errors import LayoutError, Related
from tilevm.instruction import Instruction
from tilevm.ir import For, If, Let, Program, Statement, While, bodies
from tilevm.layout import Layout
from tilevm.layout_relation import SAME, Relation
from tilevm.passes.layout_groups import Access, Anchor, Link, Strength
from tilevm.passes.register_layouts import coalesced, contiguous_dimension
from tilevm.values import Operand, TileType, Value

__all__ = ["Collection", "Use", "frame_shape", "uses"]

LOOP_WEIGHT = 8
"""How many times a body is assumed to run: a conversion in a loop costs this much more."""


@dataclass(frozen=True)
class Use:
    """A tile that an instruction uses, in which field, and how its layout goes with that of the result."""

    field: str
    place: int | None
    tile: Value
    relation: Relation


def uses(instruction: Instruction, arch: Arch) -> Iterator[Use]:
    """The tiles whose layout is bound to that of the result of an instruction."""
    for name, place, relation in instruction.layouts(arch):
        held = getattr(instruction, name)
        operand = held if place is None else held[place]
        if isinstance(operand, Value) and isinstance(operand.type, TileType):
            yield Use(name, place, operand, relation)


def frame_shape(bound: Iterable[Use]) -> tuple[int, ...]:
    """The shape of the tile of elements that an instruction without a result works on."""
    return np.broadcast_shapes(*(use.tile.shape for use in bound))


@dataclass(eq=False)
class Collection:
    """Anchors, accesses and links of a program. ``frames`` holds a stand-in for the result of instructions that have
    relations but no result, such as ``scatter``."""

    program: Program
    arch: Arch
    anchors: list[tuple[Value, Anchor, Access | None]] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    frames: dict[int, Value] = field(default_factory=dict)
    errors: list[LayoutError] = field(default_factory=list)

    @classmethod
    def of(cls, program: Program, arch: Arch) -> Collection:
        """Everything that a program says. Raises ``LayoutError`` L046 where written layouts clash."""
        collection = cls(program, arch)
        collection._body(program.body, 1)
        if collection.errors:
            raise LayoutError.of(each for error in collection.errors for each in error.diagnostics)
        return collection

    def _body(self, statements: Iterable[Statement], weight: int) -> None:
        for statement in statements:
            if isinstance(statement, Let):
                self._let(statement, weight)
                continue
            inner = weight if isinstance(statement, If) else weight * LOOP_WEIGHT
            if isinstance(statement, For | While):
                self._carries(statement, weight, inner)
            for body in bodies(statement):
                self._body(body, inner)
            if isinstance(statement, If):
                self._joins(statement, weight)

    def _let(self, let: Let, weight: int) -> None:
        instruction, result = let.instruction, _tile(let.result)
        if result is not None:
            self._tile(result)
            preferred = instruction.preferred_layout(self.program.warps, self.arch)
            if preferred is not None and _written(result) is None:
                self._anchor(result, preferred, Strength.MATRIX, weight)
        self._accesses(let, weight)
        bound = list(uses(instruction, self.arch))
        if not bound:
            return
        frame = result
        if frame is None:
            frame = Value(TileType(bound[0].tile.dtype, frame_shape(bound)))
            self._tile(frame)
            self.frames[id(instruction)] = frame
        for use in bound:
            self.links.append(Link(use.tile, frame, use.relation, _bits(use.tile) * weight))

    def _accesses(self, let: Let, weight: int) -> None:
        """The tiles of the shape of a window come from it or go to it, element by element."""
        tiles = [let.result, *let.instruction.operands()]
        for name, role in let.instruction.roles().items():
            if role.kind != "window":
                continue
            window = getattr(let.instruction, name)
            dimension = contiguous_dimension(window)
            for tile in map(_tile, tiles):
                if tile is not None and dimension is not None and tile.shape == window.shape:
                    layout = coalesced(tile.shape, tile.dtype.bits, self.program.threads, dimension)
                    access = Access(tile, dimension)
                    strength = Strength.DEFAULT if _written(tile) is not None else Strength.COALESCED
                    self._anchor(tile, _written(tile) or layout, strength, weight, access)

    def _carries(self, loop: For | While, weight: int, inner: int) -> None:
        for carry in loop.carried:
            if _tile(carry.inner) is None:
                continue
            self._tile(carry.inner)
            self._tile(carry.result)
            bits = _bits(carry.inner)
            # One register for all iterations: what a loop carries has one layout from its start to its end.
            self.links.append(Link(carry.result, carry.inner, SAME, bits * inner * LOOP_WEIGHT))
            self._way_in(carry.initial, carry.inner, bits * weight)
            self._way_in(carry.update, carry.inner, bits * inner)
            self._same_where_written(carry.result.name, carry.initial, carry.update, "a loop carries")

    def _joins(self, branch: If, weight: int) -> None:
        for join in branch.joins:
            if _tile(join.result) is None:
                continue
            self._tile(join.result)
            for side in (join.then, join.otherwise):
                self._way_in(side, join.result, _bits(join.result) * weight)
            self._same_where_written(join.result.name, join.then, join.otherwise, "two branches give")

    def _way_in(self, operand: Operand, tile: Value, cost: int) -> None:
        assert isinstance(operand, Value)
        self.links.append(Link(operand, tile, SAME, cost))

    def _same_where_written(self, name: str, first: Operand, second: Operand, how: str) -> None:
        one, other = _written(first), _written(second)
        if one is None or other is None or one == other:
            return
        assert isinstance(first, Value)
        assert isinstance(second, Value)
        related = () if first.span is None else (Related(first.span, f"here it has {one}"),)
        self.errors.append(
            LayoutError(
                "L046",
                f"{how} `{name}` in one layout, but two are written: {one} and {other}",
                span=second.span,
                related=related,
                help="leave one of them out, or write convert_layout(…) where the elements shall move",
            )
        )

    def _tile(self, tile: Value) -> None:
        written = _written(tile)
        if written is not None:
            self._anchor(tile, written, Strength.WRITTEN, 1)
        else:
            self._anchor(tile, coalesced(tile.shape, tile.dtype.bits, self.program.threads), Strength.DEFAULT, 0)

    def _anchor(
        self, tile: Value, layout: Layout, strength: Strength, weight: int, access: Access | None = None
    ) -> None:
        self.anchors.append((tile, Anchor(layout, strength, _bits(tile) * weight), access))


def _tile(operand: Operand | None) -> Value | None:
    return operand if isinstance(operand, Value) and isinstance(operand.type, TileType) else None


def _written(operand: Operand) -> Layout | None:
    return operand.type.layout if isinstance(operand.type, TileType) else None


def _bits(tile: Value) -> int:
    return prod(tile.shape) * tile.dtype.bits
