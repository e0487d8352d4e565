"""What threads do to memory when a tile in registers is loaded or stored: the register layout over the memory layout.

``access(L, M)`` is their common refinement: for each dimension digits that are digits of both, so that each says how
far one step moves in threads or slots *and* how far it moves in memory. It answers everything else: how wide the
instructions may be, which slots they fill, how often they collide in the banks of shared memory, and whether two
threads would write into one byte.

>>> from tilevm.layout_constructors import local, row_major, spatial
>>> tile = access(spatial(8, 4) * local(1, 8), row_major(8, 32, width=4))
>>> vectorise(tile).unit
32
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import gcd, prod
from typing import NamedTuple

import numpy as np

from tilevm import digits as radix
from tilevm import layout_checks as checks
from tilevm.errors import LayoutError
from tilevm.layout import Layout
from tilevm.layout_map import IndexArray
from tilevm.xor_map import Xor

__all__ = [
    "Access",
    "AccessDigit",
    "Vectors",
    "Wavefronts",
    "access",
    "byte_clash",
    "vector_width",
    "vectorise",
    "wavefronts",
]

LARGEST_VECTOR = 128
"""The widest load or store of one thread, in bits."""

WARP, BANKS, BANK_BITS = 32, 32, 32


class AccessDigit(NamedTuple):
    """``size`` steps along dimension ``dim``, each ``weight`` elements, ``stride`` threads or slots (``axis`` T or R),
    and ``bit_stride`` bits of memory further on."""

    size: int
    dim: int
    weight: int
    axis: str
    stride: int
    bit_stride: int


@dataclass(frozen=True)
class Access:
    """The refinement of a register layout and a memory layout of one shape. Made by ``access``."""

    digits: tuple[AccessDigit, ...]
    threads: int
    slots: int
    width: int
    xor: Xor | None

    def offset(self, thread: int, slot: int) -> int:
        """The bit of memory at which the element of a thread's slot begins."""
        return int(self._offset(np.int64(thread), np.int64(slot)))

    def offsets(self) -> IndexArray:
        """``offset`` of every thread and slot, of shape ``[threads, slots]``. Made once; cannot be written."""
        return self._offsets

    @cached_property
    def _offsets(self) -> IndexArray:
        thread, slot = np.ogrid[: self.threads, : self.slots]
        table = np.zeros((self.threads, self.slots), np.int64) + self._offset(thread, slot)
        table.flags.writeable = False
        return table

    def _offset(self, thread: IndexArray | np.int64, slot: IndexArray | np.int64) -> IndexArray:
        result = np.zeros((), np.int64)
        for digit in self.digits:
            place = thread if digit.axis == "T" else slot
            result = result + place // digit.stride % digit.size * digit.bit_stride
        return self.xor(result) if self.xor else result


def access(layout: Layout, memory: Layout) -> Access:
    """A register layout over a memory layout of the same shape.

    For a window of a larger tensor give the layout of the window, ``memory.slice(...)``. A stride that is only known
    when the kernel runs may be stood for by any large multiple of what surely divides it.

    Raises ``LayoutError`` L003 where the kinds are wrong, L011 for a broadcast, L019 where the shapes differ or the
    digits of one cut those of the other.
    """
    checks.invertible(layout, "access")
    checks.memory(memory, "access")
    if layout.shape != memory.shape:
        raise LayoutError(
            "L019",
            f"a tile of shape {list(layout.shape)} cannot be held against memory of shape {list(memory.shape)}",
            help="give the memory layout of the window that the tile covers, with `slice`",
        )
    found: list[AccessDigit] = []
    for dim, (held, lying) in enumerate(zip(layout.dims, memory.dims, strict=True)):
        pairs = radix.refined(held, lying)
        if pairs is None:
            raise LayoutError(
                "L019",
                f"{layout} and {memory} have no common digits in dimension {dim}: "
                f"{radix.text(held)} and {radix.text(lying)}",
                help="choose sizes so that each digit of one divides, or is divided by, those of the other",
            )
        weight = layout.shape[dim]
        for first, second in pairs:
            weight //= first.size
            found.append(AccessDigit(first.size, dim, weight, first.axis, first.stride, second.stride))
    return Access(tuple(found), layout.threads, layout.slots, memory.width, memory.xor)


@dataclass(frozen=True)
class Vectors:
    """How a thread's elements go to and from memory in wide instructions.

    ``unit``: bits of one instruction, a power of two up to 128; below 8 where elements must be moved bit by bit.
    ``groups``: the slots in runs that lie contiguously in memory, each in the order of memory. Each run is ``chunk``
    bits, ``chunk // unit`` instructions.
    """

    unit: int
    chunk: int
    groups: tuple[tuple[int, ...], ...]

    @property
    def instructions(self) -> int:
        """How many instructions each thread issues."""
        return len(self.groups) * (self.chunk // self.unit)


def vectorise(access: Access, *, alignment: int = LARGEST_VECTOR, guards: Mapping[int, int] | None = None) -> Vectors:
    """The widest instructions that move a tile.

    ``alignment``: what divides, in bits, the offset of the tile in memory. ``guards``: for each dimension along which
    elements may lie outside the tensor, what divides both the extent of the tensor and the offset of the tile, in
    elements; a vector is then all inside or all outside.

    >>> from tilevm.layout_constructors import local, row_major, spatial
    >>> six = access(spatial(4) * local(16), row_major(64, width=6))
    >>> vectorise(six).unit, vectorise(six).chunk, vectorise(six, alignment=16).unit, vectorise(six, guards={0: 8}).unit
    (32, 96, 16, 16)
    """
    run, others = _run(access)
    allowed = gcd(LARGEST_VECTOR, alignment, *(digit.bit_stride for digit in others))
    choices: list[tuple[int, int, tuple[int, ...]]] = []
    for taken in _prefixes(run):
        chunk = prod(taken) * access.width
        unit = gcd(chunk, allowed, 1 << access.xor.lowest) if access.xor else gcd(chunk, allowed)
        # Past the base of a swizzle memory does not go on, so there a chunk must be one aligned instruction.
        unbroken = access.xor is None or chunk == unit
        if chunk == access.width or (unbroken and _inside_guards(run, taken, guards or {})):
            choices.append((unit, chunk, taken))
    unit, chunk, taken = max(choices, key=lambda choice: (choice[0], -choice[1]))
    return Vectors(unit, chunk, _groups(access, run, taken))


def _run(access: Access) -> tuple[list[AccessDigit], list[AccessDigit]]:
    """The slot digits along which memory goes on without a gap, nearest first, and all other digits."""
    run: list[AccessDigit] = []
    reached = access.width
    for digit in sorted(access.digits, key=lambda digit: digit.bit_stride):
        if digit.axis == "R" and digit.bit_stride == reached:
            run.append(digit)
            reached *= digit.size
    return run, [digit for digit in access.digits if digit not in run]


def _prefixes(run: Sequence[AccessDigit]) -> list[tuple[int, ...]]:
    """How much may be taken of each digit of a run: whole digits, then a divisor of the next one."""
    found = [tuple(1 for _ in run)]
    for number, digit in enumerate(run):
        before = tuple(earlier.size for earlier in run[:number])
        after = tuple(1 for _ in run[number + 1 :])
        found += [(*before, part, *after) for part in range(2, digit.size + 1) if digit.size % part == 0]
    return found


def _inside_guards(run: Sequence[AccessDigit], taken: Sequence[int], guards: Mapping[int, int]) -> bool:
    """Whether every element of a chunk is inside the tensor as soon as one is."""
    return all(
        guards[digit.dim] % (digit.weight * part) == 0
        for digit, part in zip(run, taken, strict=True)
        if part > 1 and digit.dim in guards
    )


def _groups(access: Access, run: Sequence[AccessDigit], taken: Sequence[int]) -> tuple[tuple[int, ...], ...]:
    inside = [(part, digit.stride) for digit, part in zip(run, taken, strict=True)]
    outside = [(digit.size // part, digit.stride * part) for digit, part in zip(run, taken, strict=True)]
    outside += [(digit.size, digit.stride) for digit in access.digits if digit.axis == "R" and digit not in run]
    starts = sorted(sum(steps) for steps in product(*([i * s for i in range(n)] for n, s in outside)))
    order = [sum(steps) for steps in product(*([i * s for i in range(n)] for n, s in reversed(inside)))]
    return tuple(tuple(start + step for step in order) for start in starts)


def vector_width(
    layout: Layout, memory: Layout, *, alignment: int = LARGEST_VECTOR, guards: Mapping[int, int] | None = None
) -> int:
    """Bits of the widest instruction that moves a register tile from or to memory: ``vectorise(access(...)).unit``.

    >>> from tilevm.layout_constructors import local, row_major, spatial
    >>> vector_width(spatial(4, 8) * local(1, 8), row_major(4, 64, width=16))
    128
    """
    return vectorise(access(layout, memory), alignment=alignment, guards=guards).unit


class Wavefronts(NamedTuple):
    """How often shared memory is used for a whole access: ``actual`` times, and ``ideal`` without any conflict."""

    actual: int
    ideal: int


def wavefronts(access: Access, vectors: Vectors | None = None) -> Wavefronts:
    """Counts the passes through the 32 banks of shared memory, each 32 bits wide, that an access takes.

    A warp's instruction of at most 32 bits a thread is one request of 32 threads; of 64 bits two of 16, of 128 bits
    four of 8 threads. A request takes one pass for each different word of the fullest bank. This is the count by
    definition, thread by thread; ``tilevm.swizzle`` has the closed form for layouts that are linear over GF(2).

    >>> from tilevm.layout_constructors import local, row_major, spatial
    >>> column = spatial(32, 1) * local(1, 1)
    >>> wavefronts(access(column, row_major(32, 1, width=32))), wavefronts(access(column, row_major(32, 1, width=128)))
    (Wavefronts(actual=1, ideal=1), Wavefronts(actual=4, ideal=4))
    """
    vectors = vectors or vectorise(access)
    unit = vectors.unit
    threads = request_threads(unit)
    starts = access.offsets()[:, [group[0] for group in vectors.groups]]
    actual = ideal = 0
    for first in range(0, access.threads, threads):
        for column in range(starts.shape[1]):
            for piece in range(0, vectors.chunk, unit):
                begin = starts[first : first + threads, column] + piece
                words = np.unique(begin[:, None] // BANK_BITS + np.arange(-(-unit // BANK_BITS)))
                actual += int(np.bincount(words % BANKS).max())
                ideal += -(-len(words) // BANKS)
    return Wavefronts(actual, ideal)


def request_threads(unit: int) -> int:
    """How many threads of a warp are served together by an instruction of ``unit`` bits a thread."""
    return min(WARP, WARP * BANK_BITS // unit)


def byte_clash(access: Access) -> tuple[int, int, int] | None:
    """The first byte that two threads would both write, with the threads; None where every byte has one owner.

    Threads that hold the same elements count as one.

    >>> from tilevm.layout_constructors import row_major, spatial
    >>> byte_clash(access(spatial(4), row_major(4, width=4)))
    (0, 0, 1)
    """
    offsets = access.offsets()
    first, last = offsets // 8, (offsets + access.width - 1) // 8
    # Replicas have the same offsets in every slot, so the first thread with a row of offsets stands for all of them.
    _, owners = np.unique(offsets, axis=0, return_index=True)
    held: dict[int, int] = {}
    for thread in np.sort(owners).tolist():
        spans = zip(first[thread].tolist(), last[thread].tolist(), strict=True)
        for byte in {byte for low, high in spans for byte in range(low, high + 1)}:
            if held.setdefault(byte, thread) != thread:
                return byte, held[byte], thread
    return None
