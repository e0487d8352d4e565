"""Groups of tiles whose layouts follow from one another: union-find with a layout for every member.

Tiles are joined by *links*, the relations of instructions. A group is a tree of links with one *anchor*, a tile whose
layout was asked for, and every other layout follows from it. Two groups are joined by a link if the stronger anchor's
layout can be carried over it to every member of the weaker group; two anchors that nobody may override join only where
they agree. Links are tried from the most to the least costly to convert, so what is left unjoined, where a conversion
has to stand, is the cheapest edge between two anchors that disagree.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import IntEnum
from operator import eq

from tilevm.layout import Layout
from tilevm.layout_relation import Relation
from tilevm.passes.register_layouts import fills_sectors
from tilevm.values import Value

__all__ = ["Access", "Anchor", "Groups", "Link", "Strength"]


class Strength(IntEnum):
    """Why a tile has a layout, from the weakest reason to the strongest."""

    DEFAULT = 0
    COALESCED = 1
    MATRIX = 2
    WRITTEN = 3


FIXED = Strength.MATRIX
"""From here on a layout is not overridden: a written one is kept, a matrix instruction works in no other."""


@dataclass(frozen=True)
class Access:
    """That a tile comes from or goes to memory that is contiguous along a dimension."""

    tile: Value
    dimension: int


@dataclass(frozen=True)
class Anchor:
    """A layout that is asked for, and how much it matters: the bits that move, more in loops."""

    layout: Layout
    strength: Strength
    weight: int = 0


@dataclass(frozen=True, eq=False)
class Link:
    """A relation between the layouts of two tiles, and what it costs to convert between them instead."""

    operand: Value
    result: Value
    relation: Relation
    cost: int


@dataclass(eq=False)
class _Group:
    anchor: Anchor
    members: list[Value]
    accesses: list[Access] = field(default_factory=list)


def _is_late(relation: Relation) -> bool:
    return relation.accepts is not eq and not relation.eager


class Groups:
    """Tiles with their layouts. Every tile is added with an anchor, then links are joined."""

    def __init__(self) -> None:
        self.layout: dict[Value, Layout] = {}
        self._group: dict[Value, _Group] = {}
        self._joined: dict[Value, list[Link]] = {}

    def add(self, tile: Value, anchor: Anchor, access: Access | None = None) -> None:
        """A tile, or a stronger anchor for one that is there."""
        group = self._group.get(tile)
        if group is None:
            group = self._group[tile] = _Group(anchor, [tile])
            self._joined[tile] = []
        if access is not None:
            group.accesses.append(access)
        if _order(anchor) >= _order(group.anchor):
            group.anchor = anchor
        self.layout[tile] = group.anchor.layout

    def join(self, links: Iterable[Link]) -> None:
        """Joins what can be joined.

        Links that accept more than one layout come last, so that they see what has been chosen for other reasons. A
        link that carries layouts in one direction only is tried again while anything joins, because what is on its
        other side may have got a stronger anchor meanwhile. At the end a weaker anchor may win over such a link.
        """
        waiting = sorted(links, key=lambda link: (_is_late(link.relation), -link.cost))
        for weaker_may_win in (False, True):
            joined = True
            while joined:
                left = [link for link in waiting if not self._join(link, weaker_may_win)]
                joined = len(left) < len(waiting)
                waiting = left

    def _join(self, link: Link, weaker_may_win: bool) -> bool:
        first, second = self._group[link.operand], self._group[link.result]
        if first is second:
            return True
        operand_wins = _order(first.anchor) > _order(second.anchor)
        if min(first.anchor.strength, second.anchor.strength) >= FIXED:
            if not self._agrees(link):
                return False
        elif not self._overrides(link, operand_wins):
            strongest = max(first.anchor.strength, second.anchor.strength)
            if not weaker_may_win or strongest >= FIXED or not self._overrides(link, not operand_wins):
                return False
            operand_wins = not operand_wins
        winner, loser = (first, second) if operand_wins else (second, first)
        for tile in loser.members:
            self._group[tile] = winner
        winner.members += loser.members
        winner.accesses += loser.accesses
        for tile in (link.operand, link.result):
            self._joined[tile].append(link)
        return True

    def _overrides(self, link: Link, from_operand: bool) -> bool:
        """Carries the layouts of one side of a link over to the other side, if that goes and is worth it."""
        changed = self._carried(link, from_operand)
        source, target = (link.operand, link.result) if from_operand else (link.result, link.operand)
        if changed is None or not self._is_worth_it(self._group[source], self._group[target], changed):
            return False
        self.layout.update(changed)
        return True

    def _agrees(self, link: Link) -> bool:
        needed = link.relation.operand_of(self.layout[link.result])
        if needed is not None:
            return link.relation.accepts(needed, self.layout[link.operand])
        return link.relation.result_of(self.layout[link.operand]) == self.layout[link.result]

    def _carried(self, link: Link, from_operand: bool) -> dict[Value, Layout] | None:
        """The layouts of all tiles on the other side of a link, None where one of them cannot follow."""
        changed: dict[Value, Layout] = {}
        waiting = [(link, from_operand)]
        while waiting:
            along, forward = waiting.pop()
            source, target = (along.operand, along.result) if forward else (along.result, along.operand)
            held = changed.get(source, self.layout[source])
            new = along.relation.result_of(held) if forward else along.relation.operand_of(held)
            if new is None:
                return None
            changed[target] = new
            for each in self._joined[target]:
                if each is not along:
                    waiting.append((each, each.operand is target))
        return changed

    def _is_worth_it(self, winner: _Group, loser: _Group, changed: dict[Value, Layout]) -> bool:
        """Whether the loser's accesses to memory still use whole sectors; what is fixed need not care."""
        if winner.anchor.strength >= FIXED:
            return True
        return all(
            fills_sectors(changed[each.tile], each.dimension, each.tile.dtype.bits)
            or not fills_sectors(self.layout[each.tile], each.dimension, each.tile.dtype.bits)
            for each in loser.accesses
        )


def _order(anchor: Anchor) -> tuple[Strength, int]:
    return anchor.strength, anchor.weight
