"""What a statement does to memory that other threads of the block see, and when two such effects can clash.

An *effect* is what an instruction says: it reads or writes a window, now or, asynchronously, later. An *access* is an
effect where it happens: for each dimension the window's offset as linear forms (``linear_forms``), all of which are the
same number. Two accesses clash if one of them writes and nothing shows that they touch different elements, or that each
thread touches only what it touched itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from tilevm.ir import Let
from tilevm.layout import Layout
from tilevm.passes.linear_forms import Form, Modulo, added, differences, remainder, substituted
from tilevm.passes.shared_layouts import is_fragment
from tilevm.values import SharedType, TensorType, TileType, Value, Window

__all__ = ["Access", "Effect", "Offset", "Resource", "clash", "effects", "moved"]

Resource = Value | str
"""A shared tile or a tensor; or the name of something else that threads share."""

SCRATCH = "scratch"
"""The shared memory through which instructions exchange elements, one after another."""


@dataclass(frozen=True)
class Effect:
    """What an instruction does to a resource. ``window`` None means any part of it.

    ``layout``: the register layout in which each thread touches the elements of the window, itself and alone; None
    where that is not so. ``atomic``: what is read and written is one step, so that it clashes with no other such step.
    """

    resource: Resource
    reads: bool
    writes: bool
    window: Window | None = None
    asynchronous: bool = False
    layout: Layout | None = None
    atomic: bool = False


def effects(let: Let) -> Iterator[Effect]:
    """The effects of a statement on shared tiles and on tensors that the kernel may write."""
    instruction = let.instruction
    if let.plan is not None and let.plan.scratch_bytes:
        yield Effect(SCRATCH, reads=True, writes=True)
    for name, role in instruction.roles().items():
        held = getattr(instruction, name)
        if role.kind == "window" and _is_shared_by_threads(held.base):
            layout = _own_elements(let, held)
            atomic = role.reads and role.writes
            yield Effect(held.base, role.reads, role.writes, held, instruction.asynchronous, layout, atomic)
        elif role.kind == "operand" and role.form in ("memory", "tensor") and _is_shared_by_threads(held):
            yield Effect(held, role.reads, role.writes, None, instruction.asynchronous)


def _is_shared_by_threads(base: Value) -> bool:
    return isinstance(base.type, SharedType) or (isinstance(base.type, TensorType) and base.type.access != "in")


def _own_elements(let: Let, window: Window) -> Layout | None:
    """The layout of the tile that goes to or comes from a window, if each thread moves its own elements alone."""
    if let.plan is not None and (let.plan.through_others or let.plan.scratch_bytes):
        return None
    tiles = [each for each in (let.result, *let.instruction.operands()) if isinstance(each, Value)]
    for tile in tiles:
        kind = tile.type
        if isinstance(kind, TileType) and kind.shape == window.shape and kind.layout is not None:
            # Bits of a byte have one writer, replicas several; fragments go through other threads (ldmatrix).
            shared = isinstance(window.base.type, SharedType) and is_fragment(kind.layout, kind.dtype.bits)
            return None if kind.layout.rep or shared or kind.dtype.bits % 8 else kind.layout
    return None


@dataclass(frozen=True)
class Offset:
    """A number: a form, or, with a ``drift``, a form plus the drift taken any number of times, also not at all."""

    form: Form
    drift: int = 0


Place = tuple[frozenset[Offset], ...]


@dataclass(frozen=True)
class Access:
    """An effect where it happens. ``place``: for each dimension forms of the offset that are all the same number, none
    where it is not known; None for any part of the resource."""

    resource: Resource
    reads: bool
    writes: bool
    place: Place | None
    extents: tuple[int, ...] = ()
    layout: Layout | None = None
    atomic: bool = False
    line: int | None = None

    @property
    def name(self) -> str:
        """What the resource is called."""
        return self.resource if isinstance(self.resource, str) else self.resource.name


def clash(earlier: Access, later: Access, overlap: Callable[[Resource, Resource], bool]) -> bool:
    """Whether something must order an access after an earlier one. ``overlap`` says which resources share memory."""
    if not (earlier.writes or later.writes) or (earlier.atomic and later.atomic):
        return False
    if earlier.resource is not later.resource and earlier.resource != later.resource:
        return overlap(earlier.resource, later.resource)
    if earlier.place is None or later.place is None:
        return True
    lengths = _lengths(earlier.resource, len(earlier.place))
    pairs = zip(earlier.place, later.place, earlier.extents, later.extents, lengths, strict=True)
    return not any(_apart(*pair) for pair in pairs) and not _same_threads(earlier, later)


def _lengths(resource: Resource, rank: int) -> tuple[int | None, ...]:
    """The extents of a shared tile, outside of which no offset may lie; None for a tensor, where it may."""
    if isinstance(resource, Value) and isinstance(resource.type, SharedType):
        return resource.type.shape
    return (None,) * rank


def _same_threads(earlier: Access, later: Access) -> bool:
    """Whether each thread touches the very elements that it touched before."""
    if earlier.place is None or later.place is None or earlier.layout is None or earlier.layout != later.layout:
        return False
    if earlier.extents != later.extents:
        return False
    return all(
        any(offset.drift == 0 for offset in one & other) for one, other in zip(earlier.place, later.place, strict=True)
    )


def _apart(
    earlier: frozenset[Offset], later: frozenset[Offset], extent: int, later_extent: int, length: int | None
) -> bool:
    """Whether two ranges along one dimension have no element in common."""
    return any(
        _pair_apart(one, other, extent, later_extent, length) for one in earlier for other in later if not other.drift
    )


def _pair_apart(one: Offset, other: Offset, extent: int, later_extent: int, length: int | None) -> bool:
    first, second = one.form, other.form
    if length is not None and not one.drift:
        first, second = _in_range(first, second, length), _in_range(second, first, length)
    found = differences(first, second)
    if found is None:
        return False
    if one.drift > 0:
        return all(each >= later_extent for each in found)
    if one.drift < 0:
        return all(-each >= extent for each in found)
    return all(each >= later_extent or -each >= extent for each in found)


def _in_range(form: Form, other: Form, length: int) -> Form:
    """A number from 0 to below ``length``, as a remainder where the other number is one: by no less it is itself."""
    if form.constant >= 0 and len(other.terms) == 1 and other.constant == 0:
        ((atom, coefficient),) = other.terms
        if isinstance(atom, Modulo) and coefficient == 1 and length <= atom.modulus:
            return form if any(isinstance(own, Modulo) for own, _ in form.terms) else remainder(form, atom.modulus)
    return form


def moved(access: Access, change: Callable[[Value], Form | None], *, widened: bool = False) -> Access:
    """The access as it is seen where values have become others: for each value its form there, None if it has none.

    ``widened``: also as seen after any number of such steps, so that repeating it adds nothing.
    """
    if access.place is None:
        return access
    place = tuple(
        frozenset(found for offset in offsets if (found := _moved(offset, change, widened)) is not None)
        for offsets in access.place
    )
    return replace(access, place=place)


def _moved(offset: Offset, change: Callable[[Value], Form | None], widened: bool) -> Offset | None:
    form = substituted(offset.form, change)
    if form is None:
        return None
    step = added(form, offset.form, -1)
    if not step.terms and step.constant == 0:
        return offset
    if offset.drift == 0 and not widened:
        return Offset(form)
    if step.terms:
        return None
    if offset.drift == 0:
        return Offset(form, step.constant)
    return offset if offset.drift == step.constant else None
