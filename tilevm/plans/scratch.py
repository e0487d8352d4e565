"""What goes through shared memory: which thread writes and reads which bytes, and how often banks are used for it.

A ``Side`` is one direction. The address of an element is the sum of a part that the thread decides and a part that the
slot decides; where a swizzle is on top, the thread's part is swizzled as it is, and the slot's part joins by XOR, as
far as it has bits that are flipped or flip others.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from tilevm.dtypes import DType
from tilevm.plan import Plan
from tilevm.plans.packets import Packets
from tilevm.plans.pieces import LANES, Place, offsets

__all__ = [
    "BANKS",
    "LARGEST_SCRATCH",
    "ROW",
    "WORD",
    "Address",
    "Lying",
    "Passes",
    "ScratchExchange",
    "Side",
    "Turn",
    "bytes_for",
    "side",
    "windows",
]

LARGEST_SCRATCH = 32 * 1024
"""Bytes: what leaves the smallest architecture, of 64 KiB, half of its shared memory for the tiles of the program."""

WORD, BANKS = 4, 32
"""Bytes of a bank, and how many there are."""
ROW = WORD * BANKS
BARRIER = 16
"""What a barrier and waiting for memory cost, in passes through the banks: some hundred cycles of several warps."""


class Passes(NamedTuple):
    """Passes through the banks of shared memory, and how many there would be without a conflict."""

    actual: int
    least: int


@dataclass(frozen=True)
class Address:
    """Bytes from the number of a thread: the sum of ``thread / stride % size * weight`` over ``digits``, then for
    each ``(shift, mask)`` of ``swizzle`` an XOR with itself, moved down by ``shift``, under a mask."""

    digits: tuple[tuple[int, int, int], ...]
    swizzle: tuple[tuple[int, int], ...] = ()

    def of(self, thread: np.ndarray) -> np.ndarray:
        """The address of each of an array of threads."""
        at = np.zeros_like(thread)
        for stride, size, weight in self.digits:
            at = at + thread // stride % size * weight
        return _swizzled(at, self.swizzle)


@dataclass(frozen=True)
class Side:
    """What a thread writes, or reads, in one turn: packet ``i`` at ``(address ^ xors[i]) + steps[i]``, in accesses of
    ``bytes``; only in threads where each digit ``(stride, size, value)`` of ``only`` has its value."""

    address: Address
    packets: Packets
    xors: tuple[int, ...]
    steps: tuple[int, ...]
    bytes: int
    only: tuple[tuple[int, int, int], ...]

    def passes(self, threads: int) -> Passes:
        """Passes through the banks, of all threads: for each request the words of its fullest bank."""
        own = np.arange(threads)
        starts = (self.address.of(own)[:, None] ^ np.array(self.xors)) + np.array(self.steps)
        for stride, size, value in self.only:
            starts[own // stride % size != value] = -ROW
        together = min(LANES, ROW // self.bytes)
        requests = starts.reshape(-1, together, len(self.steps)).swapaxes(1, 2).reshape(-1, together, 1)
        touched = requests // WORD + np.arange(-(-self.bytes // WORD))
        words = np.sort(np.where(requests < 0, -1, touched).reshape(len(requests), -1), axis=1)
        new = (words >= 0) & (np.diff(words, axis=1, prepend=-1) != 0)
        banks = np.zeros((len(words), BANKS), np.int64)
        np.add.at(banks, (np.arange(len(words))[:, None], words % BANKS), new)
        return Passes(int(banks.max(axis=1).sum()), int((-(-new.sum(axis=1) // BANKS)).sum()))


@dataclass(frozen=True)
class Turn:
    """A part of the tile that is in shared memory at once: of packets of one element, where there is a ``window``
    ``(start, size)``, those whose addresses lie in it, ``start`` bytes nearer."""

    write: Side
    read: Side
    window: tuple[int, int] | None = None


@dataclass(frozen=True, kw_only=True)
class ScratchExchange(Plan):
    """An exchange through ``scratch_bytes`` of shared memory, with a barrier between writes and reads, and one between
    turns."""

    kind: ClassVar[str] = "scratch"
    turns: tuple[Turn, ...]

    @property
    def cost(self) -> float:
        """Passes through the banks of one warp, if nothing collides, and barriers."""
        sides = [side for turn in self.turns for side in (turn.write, turn.read)]
        accesses = sum(side.packets.count * max(1, side.bytes // WORD) for side in sides)
        return accesses + BARRIER * (2 * len(self.turns) - 1)


class Lying(NamedTuple):
    """A digit of one layout that is a digit of memory too."""

    size: int
    place: Place
    weight: int


def side(
    dtype: DType,
    lying: Sequence[Lying],
    inside: Sequence[int],
    start: int,
    size: int,
    only: tuple[tuple[int, int, int], ...],
    swizzle: tuple[tuple[int, int], ...] = (),
    flipped: int = 0,
) -> Side:
    """One side, of digits that lie in memory and the slots of a packet, from slot ``start``."""
    slots = sorted((each for each in lying if each.place.axis == "R"), key=lambda each: -each.place.stride)
    bases = offsets((each.size, each.place.stride) for each in slots)
    places = offsets((each.size, each.weight) for each in slots)
    taken = [start + base + step for base in bases for step in inside]
    return Side(
        Address(_merged(each for each in lying if each.place.axis == "T"), swizzle),
        Packets.of(dtype, taken, len(inside), size // WORD),
        tuple(int(_swizzled(np.int64(place & flipped), swizzle)) for place in places),
        tuple(place & ~flipped for place in places),
        size,
        only,
    )


def _swizzled(at: np.ndarray | np.int64, swizzle: Iterable[tuple[int, int]]) -> np.ndarray:
    result = np.asarray(at)
    for shift, mask in swizzle:
        result = result ^ (result >> shift & mask)
    return result


def _merged(lying: Iterable[Lying]) -> tuple[tuple[int, int, int], ...]:
    """Digits of threads, those that continue each other as one."""
    found: list[tuple[int, int, int]] = []
    for size, place, weight in sorted(lying, key=lambda each: each.place.stride):
        if found:
            stride, count, unit = found[-1]
            if place.stride == stride * count and weight == unit * count:
                found[-1] = stride, count * size, unit
                continue
        found.append((place.stride, size, weight))
    return tuple(found)


def bytes_for(bits: int) -> int:
    """The smallest power of two of bytes that holds so many bits."""
    return 1 << max(0, (-(-bits // 8) - 1).bit_length())


def windows(size: int) -> tuple[tuple[int, int], ...]:
    """So many bytes in pieces of at most ``LARGEST_SCRATCH``, as ``(start, size)``.

    >>> windows(1000), windows(40000)
    (((0, 1000),), ((0, 32768), (32768, 7232)))
    """
    starts = range(0, size, LARGEST_SCRATCH)
    return tuple((start, min(LARGEST_SCRATCH, size - start)) for start in starts)
