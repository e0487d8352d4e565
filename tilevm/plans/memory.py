"""Loads and stores of windows: by matrices where a shared tile comes in them, else in pieces as wide as they go."""

from __future__ import annotations

from dataclasses import replace
from math import gcd

from tilevm.layout import Layout
from tilevm.plan import Plan, Planning
from tilevm.plans.accesses import Access, ElementAddress, address_of, bounds_of, plan_access, refined_steps
from tilevm.plans.arrangements import coalesced, contiguous_dimension, spread
from tilevm.plans.facts import Facts
from tilevm.plans.matrix_access import plan_matrices
from tilevm.plans.owned_layouts import owned_layout, window_layout
from tilevm.plans.widths import describe
from tilevm.plans.window_terms import BYTE, window_terms
from tilevm.values import Operand, SharedType, TileType, Type, Window

__all__ = ["arrangement", "layout_of", "plan_load", "plan_prefetch", "plan_store"]


def layout_of(kind: Type) -> Layout | None:
    """The register layout of a tile, None for a scalar."""
    if not isinstance(kind, TileType):
        return None
    assert kind.layout is not None, "layouts are chosen before plans are made"
    return kind.layout


def plan_load(window: Window, result: Type, planning: Planning) -> Plan:
    """How a window is loaded to a tile or a scalar. Leaves a remark."""
    facts, layout = Facts(planning), layout_of(result)
    access = plan_access(window, layout, facts)
    if layout is not None:
        matrices = _matrices(window, layout, facts, "ldmatrix", access.unit)
        if matrices is not None:
            return matrices
        planning.remark(describe("loads", access, window, layout, facts))
    return access


def plan_store(window: Window, value: Operand, planning: Planning) -> Plan:
    """How a tile or a scalar is stored to a window; a scalar goes to every element. Leaves a remark."""
    facts = Facts(planning)
    layout = layout_of(value.type) or (arrangement(window, planning.threads) if window.shape else None)
    access = plan_access(window, layout, facts)
    if layout is not None:
        if isinstance(value.type, TileType):
            matrices = _matrices(window, layout, facts, "stmatrix", access.unit)
            if matrices is not None:
                return matrices
        planning.remark(describe("stores", access, window, layout, facts))
    return access


def plan_prefetch(window: Window, planning: Planning) -> Access:
    """Where to ask for a window: each thread at the places where its runs of up to a cache line begin."""
    facts = Facts(planning)
    dim = contiguous_dimension(window)
    terms = window_terms(window, facts)
    if dim is None or terms is None:
        return plan_access(window, arrangement(window, planning.threads) if window.shape else None, facts)
    run = gcd(window.shape[dim], max(1, 8 * planning.arch.l2_line // window.dtype.bits))
    layout = spread(window.shape, run, planning.threads, dim)
    whole = plan_access(window, layout, facts, single=True)
    starts = range(0, layout.slots, run)
    steps = refined_steps(layout, terms)
    if isinstance(whole.address, ElementAddress) or steps is None:
        return whole
    return replace(
        whole,
        slots=tuple((start,) for start in starts),
        address=address_of(terms, layout, steps, starts, whole.address.unit, facts),
        bounds=bounds_of(window, layout, starts, facts),
    )


def arrangement(window: Window, threads: int) -> Layout:
    """A register layout for a window of which nobody has said which thread accesses what."""
    dim = contiguous_dimension(window)
    layout = coalesced(window.shape, window.dtype.bits, threads, -1 if dim is None else dim)
    memory = window_layout(window)
    return layout if memory is None or window.dtype.bits % BYTE == 0 else owned_layout(layout, memory)


def _matrices(window: Window, layout: Layout, facts: Facts, feature: str, unit: int) -> Plan | None:
    """A plan by matrices, where that is there and plain instructions are no wider than what a lane gets of a matrix."""
    if not isinstance(window.base.type, SharedType) or unit > 32:
        return None
    made = plan_matrices(window, layout, facts)
    if made is None or (feature == "stmatrix" and any(divide < 32 for divide, _ in made.owner)):
        return None
    planning = facts.planning
    if not planning.arch.has(feature):
        planning.remark(f"no {feature} on {planning.arch.name}: plain instructions of {unit // BYTE} bytes")
        return None
    how = f"{feature}, {made.count} matri{'ces' if made.count > 1 else 'x'} at once"
    planning.remark(how + ", transposed" * made.transposed)
    return made
