"""How many instructions a thread spends on the tiles of a program, reckoned from the program alone.

Machine code says it exactly, but has to be compiled first. To tell good candidates from bad ones a reckoning does: two
f16 or bf16 numbers are computed at once, casts of tiles take what their derivation says, special functions go to their
own pipe, and what only gives registers other names is free.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from tilevm.dtypes import DType
from tilevm.ir import Let
from tilevm.plans.accesses import Access
from tilevm.plans.lane_exchange import LaneExchange
from tilevm.plans.reduction import Reduction
from tilevm.synthesis.cast import synthesise
from tilevm.values import TileType

__all__ = ["instructions_of", "slots_of"]

FREE = frozenset(
    (
        *("view", "reshape", "permute", "squeeze", "unsqueeze", "broadcast", "slice", "concat", "zeros", "full"),
        *("load", "store", "shared", "memory_view", "copy_async", "prefetch", "dot", "dot_scaled"),
    )
)
"""Instructions that take none, or whose accesses and products are counted by themselves."""

SPECIAL = frozenset(("exp", "exp2", "log", "log2", "sqrt", "rsqrt", "tanh", "sin", "cos", "erf", "/", "**"))
"""Instructions that go to the pipe of special functions, with a few multiply-adds around it."""

AROUND_SPECIAL = 3
ADDRESS, PLACE = 4, 2
WORD = 32
CAST_ALONE = 4
"""Instructions of a cast of one element that has no derivation for whole tiles."""


def instructions_of(let: Let, threads: int) -> dict[str, float]:
    """Instructions of each thread for one execution, by pipe (``tilevm.devices.PIPES``)."""
    kind = let.result.type if let.result is not None else None
    if isinstance(let.plan, Access):
        return _taken_apart(let.plan)
    if isinstance(let.plan, LaneExchange):
        return {"lsu": let.plan.cost}
    if isinstance(let.plan, Reduction):
        # Lanes meet by shuffles, one for each bit of the lane, and combine what they get.
        shuffles = len(let.plan.lanes) * let.plan.results
        return {"lsu": float(shuffles), "fma": float(len(let.plan.slots) + shuffles)}
    if not isinstance(kind, TileType) or let.instruction.spelling in FREE:
        return {}
    spelling = let.instruction.spelling
    operands = [each.type for each in let.instruction.operands() if isinstance(each.type, TileType)]
    slots = slots_of(kind, operands, threads)
    if spelling in ("cast", "dequantize") and operands:
        cost = slots * _cast(operands[0].dtype, kind.dtype)
        more = slots * (1 if spelling == "dequantize" else 0) * _width(kind.dtype)
        return {"alu": cost / 2, "half" if kind.dtype.bits <= 16 else "fma": cost / 2 + more}
    worked = max([slots, *(slots_of(each, (), threads) for each in operands)])
    if spelling in SPECIAL:
        return {"xu": worked, "fma": AROUND_SPECIAL * worked}
    number = operands[0].dtype if operands else kind.dtype
    floating = number.kind == "float"
    pipe = ("half" if number.bits <= 16 else "fp64" if number.bits == 64 else "fma") if floating else "alu"
    return {pipe: worked * _width(number)}


def slots_of(kind: TileType, others: Sequence[TileType], threads: int) -> float:
    """Elements of a tile that a thread holds: by its layout, or that of one of ``others`` which it is made of; else an
    equal part."""
    for each in (kind, *others):
        if each.layout is not None:
            return each.layout.slots * kind.elements / each.elements
    return kind.elements / threads


def _taken_apart(plan: Access) -> dict[str, float]:
    """What it takes to find an address, and elements that come in less than words into their places and out."""
    if plan.words is not None or plan.bits >= WORD:
        return {"heavy": float(ADDRESS)}
    moved = sum(map(len, plan.slots)) if plan.unit else len(plan.slots) * (plan.bits + 14) // 8
    return {"heavy": float(ADDRESS), "alu": float(PLACE * moved)}


def _width(number: DType) -> float:
    """Instructions for one element of a format."""
    return 0.5 if number.kind == "float" and number.bits <= 16 else 2.0 if number.bits == 64 else 1.0


@lru_cache(maxsize=1024)
def _cast(source: DType, target: DType) -> float:
    if source is target:
        return 0.0
    if source.bits > 16 or (source.kind == "float" and source.bits == 16):
        return 0.5 if target.bits <= 16 else 1.0
    found = synthesise(source, target, 32)
    return found.per_value if found is not None else CAST_ALONE
