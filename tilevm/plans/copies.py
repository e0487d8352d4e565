"""Copies from a tensor to a shared tile: by ``cp.async`` in pieces of 16, 8 or 4 bytes, else through registers.

Nobody has said which thread copies what, so the arrangement is chosen here: each thread copies runs that lie side by
side in both memories, neighbouring threads neighbouring runs, so that a warp copies long contiguous stretches.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import gcd, lcm, prod

import numpy as np

from tilevm.layout import Layout
from tilevm.plan import Plan
from tilevm.plans.accesses import Access, plan_access, refined_steps, vectors_of
from tilevm.plans.arrangements import contiguous_dimension, spread
from tilevm.plans.facts import Facts
from tilevm.plans.owned_layouts import owned_layout, window_layout
from tilevm.plans.widths import advice, limits
from tilevm.plans.window_terms import BYTE, window_terms
from tilevm.values import Window

__all__ = ["Copy", "copy_unit", "plan_copy"]

NARROWEST, WIDEST = 32, 128
"""In bits: cp.async copies 4, 8 or 16 bytes (PTX ISA, cp.async)."""


@dataclass(frozen=True, kw_only=True)
class Copy(Plan):
    """``source`` and ``target`` move the same slots of one arrangement ``layout``, of elements of ``bits`` bits. Where
    ``unit`` is not 0, both come in the same pieces, each of ``source.chunk // unit`` copies by ``cp.async``; else what
    is loaded by the one is stored by the other."""

    layout: Layout
    unit: int
    source: Access
    target: Access


def plan_copy(target: Window, source: Window, facts: Facts) -> Copy:
    """The plan of a copy, with a remark that says how wide it is and what keeps it from 16 bytes."""
    planning = facts.planning
    found = _best(target, source, facts)
    limit = limits(lambda known: copy_unit(target, source, known), (source, target), facts)
    reason = f", because {advice(limit, (source, target), facts)}" if limit else ""
    if not planning.arch.has("cp_async"):
        planning.remark(f"copied through registers, because {planning.arch.name} has no cp.async")
        found = None
    elif found is not None and _needs_other_bits(source, facts):
        words = f"outside of `{source.base.name}` the zero of {source.dtype} is read, which is not all bits 0"
        planning.remark(f"copied through registers, because {words}")
        found = None
    elif found is None:
        planning.remark(f"copied through registers, in pieces of less than 4 bytes{reason or _fixed(target, source)}")
    else:
        planning.remark(f"cp.async of {found[1] // BYTE} bytes{reason}")
    if found is not None:
        layout, unit = found
    else:
        layout, unit = _through_registers(target, source, facts), 0
    ways = [plan_access(window, layout, facts, widest=unit or WIDEST) for window in (source, target)]
    assert not unit or ways[0].slots == ways[1].slots
    return Copy(layout=layout, unit=unit, source=ways[0], target=ways[1])


def _needs_other_bits(source: Window, facts: Facts) -> bool:
    """Whether a copy reaches out of its tensor, where zeros are read, in a format whose zero has other bits than those
    that ``cp.async`` fills in."""
    outside = any(not facts.planning.inside(source, dim) for dim in range(len(source.offsets)))
    return outside and int(source.dtype.encode(np.zeros(1))[0]) != 0


def copy_unit(target: Window, source: Window, facts: Facts) -> int:
    """Bits of the widest ``cp.async`` for a copy, 0 where there is none."""
    found = _best(target, source, facts)
    return found[1] if found else 0


def _fixed(target: Window, source: Window) -> str:
    return f", because `{source.base.name}` and `{target.base.name}` lie in different orders or in runs too short"


def _best(target: Window, source: Window, facts: Facts) -> tuple[Layout, int] | None:
    """The arrangement with the widest copies, and how wide they are; None where there are none of 4 bytes."""
    choices = []
    for number, layout in enumerate(_arrangements(target, source, facts.planning.threads)):
        units = [_unit(window, layout, facts) for window in (source, target)]
        unit = min(units)
        if unit >= NARROWEST:
            choices.append((unit, -number, layout))
    if not choices:
        return None
    unit, _, layout = max(choices, key=lambda choice: choice[:2])
    return layout, unit


def _arrangements(target: Window, source: Window, threads: int) -> Iterator[Layout]:
    """Arrangements with runs of whole words, from the shortest that can be 16 bytes on."""
    bits, shape = source.dtype.bits, source.shape
    dim = contiguous_dimension(source)
    if dim is None or dim != contiguous_dimension(target):
        return
    words = lcm(bits, NARROWEST) // bits
    for run in (words, 2 * words, 4 * words):
        if shape[dim] % run == 0:
            yield spread(shape, run, threads, dim)


def _unit(window: Window, layout: Layout, facts: Facts) -> int:
    """The widest pieces in which whole runs of an arrangement lie in memory; 0 where they do not lie in one piece."""
    terms = window_terms(window, facts)
    if terms is None or refined_steps(layout, terms) is None:
        return 0
    vectors = vectors_of(window, layout, terms, facts)
    return vectors.unit if vectors.unit >= NARROWEST else 0


def _through_registers(target: Window, source: Window, facts: Facts) -> Layout:
    """An arrangement for a copy through registers, in which each byte of the target has one owner."""
    bits, shape = source.dtype.bits, source.shape
    dim = contiguous_dimension(source)
    share = max(1, prod(shape) // facts.planning.threads)
    run = gcd(shape[-1 if dim is None else dim], max(lcm(bits, BYTE) // bits, share, 1)) if shape else 1
    layout = spread(shape, run, facts.planning.threads, -1 if dim is None else dim)
    memory = window_layout(target)
    return layout if memory is None or bits % BYTE == 0 else owned_layout(layout, memory)
