"""What keeps an access from being wider, and what the writer of a program can do about it.

The width is found again under the supposition that every size, offset and address divided well. If that gives more,
suppositions that are not needed are dropped one after another; what is left is what the remark names, each with the
smallest number that is enough. So whoever follows the advice gets the width.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from math import lcm

from tilevm.errors import LayoutError
from tilevm.layout import Layout
from tilevm.plans.accesses import Access, refined_steps, vectors_of
from tilevm.plans.facts import Facts, Supposed
from tilevm.plans.window_terms import BYTE, memory_terms, window_terms
from tilevm.sizes import Symbol, symbols, text
from tilevm.values import SharedType, TensorType, Value, Window

__all__ = ["advice", "describe", "limits", "width_of"]

WIDEST = 128


def width_of(window: Window, layout: Layout | None, facts: Facts) -> int:
    """Bits of the widest instruction for an access; 0 where elements are moved bit by bit or one by one."""
    terms = window_terms(window, facts)
    if terms is None or refined_steps(layout, terms) is None:
        return 0
    try:
        unit = vectors_of(window, layout, terms, facts).unit
    except LayoutError:
        return 0
    return unit if unit >= BYTE else 0


def limits(width: Callable[[Facts], int], windows: tuple[Window, ...], facts: Facts) -> Supposed | None:
    """The fewest facts that would make an access as wide as any facts can, each with the number that must divide; None
    where none would help."""
    named = dict.fromkeys(each for window in windows for each in _named(window))
    if not named:
        return None
    enough = lcm(WIDEST, *(term.divide * (term.modulo or 1) for w in windows for term in memory_terms(w.base.type)))
    supposed: dict[Symbol | Value, int] = {
        each: 16 if isinstance(each, Value) and isinstance(each.type, TensorType | SharedType) else enough
        for each in named
    }
    best = width(replace(facts, supposed=supposed))
    if best <= width(facts):
        return None
    for each in named:
        fewer = {other: number for other, number in supposed.items() if other != each}
        if width(replace(facts, supposed=fewer)) == best:
            supposed = fewer
    for each, number in supposed.items():
        divisors = (smaller for smaller in range(2, number) if number % smaller == 0)
        supposed[each] = next(
            (less for less in divisors if width(replace(facts, supposed={**supposed, each: less})) == best), number
        )
    return supposed


def _named(window: Window) -> Iterator[Symbol | Value]:
    """What the width of an access to a window may depend on and a writer can state, the likeliest last."""
    kind = window.base.type
    assert isinstance(kind, TensorType | SharedType)
    if isinstance(kind, TensorType):
        yield window.base
    for offset in window.offsets:
        if isinstance(offset, Value):
            yield offset
    if isinstance(kind, TensorType):
        for size in (*kind.shape, *(term.stride for term in memory_terms(kind))):
            yield from map(Symbol, symbols(size))


def advice(supposed: Supposed, windows: tuple[Window, ...], facts: Facts) -> str:
    """The facts that are missing and how a program states them, as the rest of a sentence after "because"."""
    reasons = [_reason(each, number, windows, facts) for each, number in supposed.items()]
    return "; and because ".join(reasons)


def _reason(each: Symbol | Value, number: int, windows: tuple[Window, ...], facts: Facts) -> str:
    if isinstance(each, Symbol):
        strides = {
            name for window in windows for term in memory_terms(window.base.type) for name in symbols(term.stride)
        }
        role = "row stride" if each.name in strides else "extent"
        known = facts.size(each).divisor
        return f"the {role} {each} is only known to divide by {known}: add `require {each} % {number} == 0`"
    if isinstance(each.type, TensorType | SharedType):
        return (
            f"`{each.name}` is only known to begin at a multiple of {facts.alignment(each)} bytes: "
            f"give an array that begins at a multiple of {number}"
        )
    name = f"`{each.name}`" if each.name else "an offset"
    condition = f"{each.name or '…'} % {number} == 0"
    return f"{name} is only known to divide by {facts.divisor(each)}: add `assume({condition})`"


def describe(what: str, plan: Access, window: Window, layout: Layout | None, facts: Facts) -> str:
    """The remark about an access: ``what`` is "loads" or "stores"."""
    limit = limits(lambda known: width_of(window, layout, known), (window,), facts)
    reason = f", because {advice(limit, (window,), facts)}" if limit else ""
    if plan.by_element:
        if not limit:
            reason = f", because {layout} and the layout of `{window.base.name}` have no common digits"
        return f"{what} of single elements, each at an address of its own{reason}"
    if not plan.unit:
        how = "of single elements out of shared bytes" if what == "loads" else "by indivisible updates of shared words"
        if not limit:
            reason = ", because elements that lie in one byte are held by different threads or end inside of it"
        return f"{what} {how}{reason}"
    if not limit and plan.unit < min(WIDEST, plan.bits * sum(map(len, plan.slots))):
        reason = _fixed(window, layout)
    return f"{plan.unit // BYTE}-byte {what}{reason}"


def _fixed(window: Window, layout: Layout | None) -> str:
    """Why nothing that can be stated would help."""
    kind = window.base.type
    assert isinstance(kind, TensorType | SharedType)
    shape = ", ".join(text(size) for size in kind.shape)
    return f", because of the register layout {layout} over {window.base.name}[{shape}]"
