"""How a tile comes from one register layout to another: not at all, by other names, by shuffles, by shared memory.

Each thread takes an element from where it is nearest: itself, a lane of its warp, or shared memory. Where shuffles
are possible and shared memory as well, the cheaper way is taken, by counting passes: a shuffle of a word and an access
to shared memory of a word each keep the same unit busy once, a select half as long, a barrier some while.

>>> from tilevm.dtypes import F16
>>> from tilevm.layout_constructors import local, spatial
>>> rows, columns = spatial(8, 4) * local(1, 2), spatial(8, 4) * local(2, 1)
>>> exchange(F16, local(2, 1) * rows, local(2, 1) * rows).kind
'names'
>>> exchange(F16, spatial(8, 4) * local(2, 2), spatial(4, 8) * local(4, 1)).kind
'lanes'
>>> exchange(F16, spatial(2, 1) * local(1, 2) * rows, spatial(1, 2) * local(2, 1) * rows).kind
'scratch'
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from tilevm.dtypes import DType
from tilevm.layout import Layout
from tilevm.plan import Plan
from tilevm.plans.lane_exchange import LaneExchange, lane_exchange
from tilevm.plans.packets import Packets
from tilevm.plans.pieces import Piece, pieces
from tilevm.plans.scratch import ScratchExchange
from tilevm.plans.scratch_exchange import scratch_exchange

__all__ = ["Exchange", "NewNames", "exchange", "remark_on"]


@dataclass(frozen=True, kw_only=True)
class NewNames(Plan):
    """Each thread has its elements already: unit ``i`` of the target is unit ``units.slots[i]`` of the source."""

    kind: ClassVar[str] = "names"
    units: Packets

    @property
    def cost(self) -> float:
        """Nothing: registers are only named."""
        return 0


Exchange = NewNames | LaneExchange | ScratchExchange


def exchange(dtype: DType, source: Layout, target: Layout) -> Exchange:
    """The cheapest way from one register layout to another of the same shape and number of threads."""
    assert (source.shape, source.threads) == (target.shape, target.threads), f"{source} to {target}"
    parts = pieces(source, target)
    if parts is None:
        return scratch_exchange(None, dtype, source, target)
    names = _new_names(parts, dtype, target)
    if names is not None:
        return names
    through = scratch_exchange(parts, dtype, source, target)
    lanes = lane_exchange(parts, dtype, source, target)
    return lanes if lanes is not None and lanes.cost <= through.cost else through


def _new_names(parts: Sequence[Piece], dtype: DType, target: Layout) -> NewNames | None:
    if any(piece.source != piece.target and "T" in (piece.source.axis, piece.target.axis) for piece in parts):
        return None
    slots = [piece for piece in parts if piece.target.axis == "R"]
    moved = [
        sum(slot // piece.target.stride % piece.size * piece.source.stride for piece in slots)
        for slot in range(target.slots)
    ]
    return NewNames(units=Packets.of(dtype, moved, len(moved)))


def remark_on(plan: Exchange, threads: int) -> str | None:
    """What is worth saying of an exchange: None where it is as fast as such a thing can be."""
    if not isinstance(plan, ScratchExchange):
        return None
    turns = plan.turns if plan.turns[0].window is None else plan.turns[:1]
    passes = [side.passes(threads) for turn in turns for side in (turn.write, turn.read)]
    actual, least = (sum(column) for column in zip(*passes, strict=True))
    words = f"through {plan.scratch_bytes} bytes of shared memory"
    if len(plan.turns) > 1:
        words += f", {len(plan.turns)} times"
    if actual > least:
        words += f", with {actual} passes through its banks instead of {least}"
    return words
