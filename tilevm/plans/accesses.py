"""How a register tile goes to or from memory: in which pieces, at which addresses, with which bounds checks.

A *piece* is a run of a thread's elements that lie side by side in memory, moved by one wide instruction or by a few.
Its address is the sum of three parts: the base, which the window's offsets give; the thread's part, from the digits
of the register layout on threads; and what the piece adds, a constant or a constant number of strides. So a thread
computes one address, and everything else is known when the kernel is compiled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import gcd

import numpy as np

from tilevm import digits as radix
from tilevm.access import Vectors, access, vectorise
from tilevm.digits import Digit
from tilevm.layout import Layout
from tilevm.memory_terms import Term, product_of
from tilevm.plan import Plan
from tilevm.plans.facts import Facts
from tilevm.plans.swizzled import Swizzle, swizzle_of
from tilevm.plans.window_terms import BYTE, WindowTerms, in_bytes, memory_terms, memory_xor, window_terms
from tilevm.sizes import Size
from tilevm.values import SharedType, TensorType, Type, Value, Window

__all__ = [
    "Access",
    "Address",
    "Bound",
    "ElementAddress",
    "Steps",
    "ThreadStep",
    "address_of",
    "element_address",
    "element_unit",
    "kept_dims",
    "owner_of",
    "plan_access",
    "refined_steps",
    "thread_offsets",
    "thread_steps",
    "vectors_of",
]


WORD, WIDEST = 32, 128


@dataclass(frozen=True)
class ThreadStep:
    """``thread // divide % modulo * stride``; ``modulo`` None takes no remainder."""

    divide: int
    modulo: int | None
    stride: Size


@dataclass(frozen=True)
class Address:
    """Addresses of the pieces of a thread, relative to where the memory begins, in units of ``unit`` bits (8 or 1).

    ``base``: terms of the window's offsets, in units of ``base_unit`` bits, since elements that begin inside of a byte
    may add up to whole bytes; ``threads``: the thread's part; ``steps``: strides, and for each piece how many of each,
    the constants as a stride of 1.
    """

    unit: int
    base_unit: int
    base: tuple[Term, ...]
    threads: tuple[ThreadStep, ...]
    steps: tuple[tuple[Size, tuple[int, ...]], ...]
    swizzle: Swizzle | None = None


@dataclass(frozen=True)
class ElementAddress:
    """The address of an element by its indices, in units of ``unit`` bits (8 or 1): the sum of the terms, swizzled by
    the ``moves`` of a ``Swizzle``."""

    unit: int
    terms: tuple[Term, ...]
    moves: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Bound:
    """The index of each piece along a dimension of the memory, from the window's offset on, if it has to be compared
    with the extent: the thread's part, and what each piece adds."""

    dim: int
    threads: tuple[ThreadStep, ...]
    table: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Access(Plan):
    """A tile, or a scalar (one piece of one slot), between registers and memory.

    ``unit``: bits of one instruction, 8 to 128; 0 where an element is taken from, or put between, the bits of the bytes
    that it shares. ``chunk``: bits of a piece. ``slots``: for each piece its slots in the order of memory. ``bounds``:
    the dimensions to check, and of each the index of every piece. ``owner``: the thread's digits that are 0 in the one
    thread which writes, of those that hold the same. Where addresses do not come apart, ``address`` is an
    ``ElementAddress``, and ``indices`` has the index of every element along every dimension.
    """

    shared: bool
    bits: int
    unit: int
    chunk: int
    slots: tuple[tuple[int, ...], ...]
    address: Address | ElementAddress
    indices: tuple[Bound, ...]
    bounds: tuple[Bound, ...]
    owner: tuple[tuple[int, int | None], ...] = ()

    @property
    def pieces(self) -> int:
        """How many pieces each thread moves."""
        return len(self.slots)

    @property
    def bits_moved(self) -> int:
        """Bits of what is moved to or from one place: of a piece."""
        return self.chunk

    @property
    def flat_slots(self) -> tuple[int, ...]:
        """The slots of all pieces, one piece after another."""
        return tuple(slot for piece in self.slots for slot in piece)

    @property
    def words(self) -> tuple[int, ...] | None:
        """Of a dense stream of the slots the 32-bit word at which each piece begins, if pieces are whole words; else
        None."""
        if self.unit < WORD or self.chunk % WORD:
            return None
        rows = [(piece[0], piece) for piece in self.slots]
        dense = all(piece == tuple(range(first, first + len(piece))) for first, piece in rows)
        if not dense or any(first * self.bits % WORD for first, _ in rows):
            return None
        return tuple(first * self.bits // WORD for first, _ in rows)

    @property
    def by_element(self) -> bool:
        """Whether each element has an address of its own."""
        return isinstance(self.address, ElementAddress)


def kept_dims(window: Window) -> tuple[int, ...]:
    """For each dimension of a window's tile the dimension of the memory."""
    return tuple(dim for dim, extent in enumerate(window.extents) if extent is not None)


def thread_steps(digits: Sequence[Digit], threads: int, stride: Size) -> list[ThreadStep]:
    """The parts of a number that grow with the thread, by ``stride`` a step of a digit on ``T``."""
    return [
        ThreadStep(each.stride, None if each.stride * each.size >= threads else each.size, stride)
        for each in digits
        if each.axis == "T"
    ]


def owner_of(layout: Layout | None) -> tuple[tuple[int, int | None], ...]:
    """Digits of the thread (divide, modulo) that are all 0 in one of the threads that hold the same; of a scalar, which
    all hold, that is thread 0."""
    if layout is None:
        return ((1, None),)
    return tuple((step.divide, step.modulo) for step in thread_steps(layout.rep, layout.threads, 0))


def plan_access(
    window: Window, layout: Layout | None, facts: Facts, *, single: bool = False, widest: int = WIDEST
) -> Access:
    """The widest pieces in which a tile in a register layout, or a scalar for None, goes between registers and memory,
    by instructions of at most ``widest`` bits; with ``single`` each element is a piece."""
    terms = window_terms(window, facts)
    digits = None if terms is None else refined_steps(layout, terms)
    if terms is None or digits is None:
        return _by_element(window, layout, facts)
    vectors = vectors_of(window, layout, replace(terms, alignment=gcd(terms.alignment, widest)), facts)
    bits = window.dtype.bits
    if vectors.unit < BYTE or single:
        slots = layout.slots if layout else 1
        vectors = Vectors(gcd(bits, vectors.unit), bits, tuple((slot,) for slot in range(slots)))
    unit = BYTE if vectors.unit >= BYTE else 1
    if unit == 1:
        vectors = replace(vectors, unit=0)
    starts = [group[0] for group in vectors.groups]
    return Access(
        shared=isinstance(window.base.type, SharedType),
        bits=bits,
        unit=vectors.unit,
        chunk=vectors.chunk,
        slots=vectors.groups,
        address=address_of(terms, layout, digits, starts, unit, facts),
        indices=(),
        bounds=bounds_of(window, layout, starts, facts),
        owner=owner_of(layout),
    )


def vectors_of(window: Window, layout: Layout | None, terms: WindowTerms, facts: Facts) -> Vectors:
    """The widest instructions for a tile over a window that comes apart; ``unit`` below 8 where there are none."""
    bits = window.dtype.bits
    if layout is None:
        return Vectors(gcd(WIDEST, bits, terms.alignment), bits, ((0,),))
    guards = {
        number: facts.guard(window, dim) for number, dim in enumerate(kept_dims(window)) if facts.checked(window, dim)
    }
    return vectorise(access(layout, terms.layout(facts, bits)), alignment=terms.alignment, guards=guards)


Steps = tuple[tuple[Digit, Size, int], ...]
"""Digits of a register layout, and how far one step of each moves in memory: a stride in bits, and how many of it."""


def refined_steps(layout: Layout | None, terms: WindowTerms) -> Steps | None:
    """The common digits of a register layout and a window; None where there are none."""
    found: list[tuple[Digit, Size, int]] = []
    for held, lying in zip(layout.dims if layout else (), terms.dims, strict=True):
        # The axis of a digit of memory stands for its stride, which may be no number.
        pairs = radix.refined(held, tuple(Digit(each.size, str(place), 1) for place, each in enumerate(lying)))
        if pairs is None:
            return None
        found += [(own, lying[int(other.axis)].stride, other.stride) for own, other in pairs if own.size > 1]
    return tuple(found)


def address_of(
    terms: WindowTerms, layout: Layout | None, digits: Steps, starts: Sequence[int], unit: int, facts: Facts
) -> Address:
    """The addresses of pieces that begin at the given slots, in units of which every piece surely is a multiple."""

    def scaled(stride: Size, unit: int) -> Size:
        return in_bytes(stride) if unit == BYTE else stride

    threads = layout.threads if layout else 1
    parts: list[ThreadStep] = []
    constants = [0] * len(starts)
    steps: dict[Size, list[int]] = {}
    for digit, stride, times in digits:
        if digit.axis == "T":
            grown = scaled(product_of(stride, times), unit)
            parts += thread_steps([digit], threads, grown)
            continue
        held = constants if isinstance(stride, int) else steps.setdefault(scaled(stride, unit), [0] * len(starts))
        count = times * stride if isinstance(stride, int) else times
        for place, slot in enumerate(starts):
            held[place] += slot // digit.stride % digit.size * count
    steps[1] = [constant // unit for constant in constants]
    whole = unit == BYTE and all(facts.size(term.stride).divisor % BYTE == 0 for term in terms.base)
    base_unit = BYTE if whole else 1
    base = tuple(replace(term, stride=scaled(term.stride, base_unit)) for term in terms.base)
    table = tuple((stride, tuple(held)) for stride, held in steps.items() if any(held))
    made = Address(unit, base_unit, base, tuple(parts), table)
    return made if terms.xor is None else replace(made, swizzle=_swizzle(made, terms, threads, len(starts)))


def _swizzle(address: Address, terms: WindowTerms, threads: int, pieces: int) -> Swizzle:
    """The swizzle of an address; as a whole at run time where strides are not known or bits are counted."""
    assert terms.xor is not None
    strides = [step.stride for step in address.threads] + [stride for stride, _ in address.steps]
    if address.unit < BYTE or not all(isinstance(stride, int) for stride in strides):
        return replace(swizzle_of(terms.xor, address.unit, (), (0,), 1), flips=None, beyond=())
    constants = dict(address.steps).get(1, (0,) * pieces)
    own = thread_offsets(address.threads, threads)
    return swizzle_of(terms.xor, address.unit, own, constants, terms.base_divisor // address.unit)


def thread_offsets(parts: Sequence[ThreadStep], threads: int) -> list[int]:
    """The thread's part of an address, of each thread, where all strides are numbers."""
    number = np.arange(threads, dtype=np.int64)
    total = np.zeros(threads, np.int64)
    for step in parts:
        assert isinstance(step.stride, int)
        digit = number // step.divide
        total += (digit if step.modulo is None else digit % step.modulo) * step.stride
    found: list[int] = total.tolist()
    return found


def bounds_of(window: Window, layout: Layout | None, starts: Sequence[int], facts: Facts) -> tuple[Bound, ...]:
    """The dimensions along which elements may lie outside of a tensor, with the index of every piece."""
    if isinstance(window.base.type, SharedType):
        return ()
    indices = indices_of(window, layout, starts)
    return tuple(index for index in indices if facts.checked(window, index.dim))


def indices_of(window: Window, layout: Layout | None, starts: Sequence[int]) -> tuple[Bound, ...]:
    """The index of the element in each of the given slots, relative to the window, along each dimension of memory."""
    assert isinstance(window.base.type, SharedType | TensorType)
    kept = kept_dims(window)
    found = []
    for dim in range(len(window.extents)):
        if dim not in kept or layout is None:
            found.append(Bound(dim, (), (0,) * len(starts)))
            continue
        weight, steps, table = 1, [], [0] * len(starts)
        for digit in reversed(layout.dims[kept.index(dim)]):
            if digit.axis == "T":
                steps += thread_steps([digit], layout.threads, weight)
            else:
                for place, slot in enumerate(starts):
                    table[place] += slot // digit.stride % digit.size * weight
            weight *= digit.size
        found.append(Bound(dim, tuple(steps), tuple(table)))
    return tuple(found)


def element_address(memory: Type, facts: Facts) -> ElementAddress:
    """How the address of an element of a tensor or a shared tile follows from its indices."""
    xor = memory_xor(memory)
    strides = [facts.size(term.stride).divisor for term in memory_terms(memory)]
    whole = gcd(memory.dtype.bits, *strides) % BYTE == 0 and (xor is None or xor.lowest >= 3)
    unit = BYTE if whole else 1
    terms = tuple(
        replace(term, stride=in_bytes(term.stride) if whole else term.stride) for term in memory_terms(memory)
    )
    return ElementAddress(unit, terms, swizzle_of(xor, unit, (), (), 1).moves if xor else ())


def element_unit(memory: Value, facts: Facts) -> int:
    """Bits of the instructions that move one element, whatever its indices; 0 where it may not be whole bytes."""
    strides = [facts.size(term.stride).divisor for term in memory_terms(memory.type)]
    unit = gcd(WIDEST, memory.dtype.bits, facts.alignment(memory) * BYTE, *strides)
    return unit if unit >= BYTE else 0


def _by_element(window: Window, layout: Layout | None, facts: Facts) -> Access:
    """Every element on its own, from its index in each dimension."""
    starts = range(layout.slots if layout else 1)
    return Access(
        shared=isinstance(window.base.type, SharedType),
        bits=window.dtype.bits,
        unit=element_unit(window.base, facts),
        chunk=window.dtype.bits,
        slots=tuple((slot,) for slot in starts),
        address=element_address(window.base.type, facts),
        indices=indices_of(window, layout, starts),
        bounds=bounds_of(window, layout, starts, facts),
        owner=owner_of(layout),
    )
