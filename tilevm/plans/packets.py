"""Elements of one thread put together to packets of whole words, in which they travel.

A packet is at first a list of slots. How it is filled depends on how a thread holds elements: formats below 32 bits lie
in a dense stream, and slots that are neighbours there move together as one *unit* of up to 32 bits.

>>> from tilevm.dtypes import F16, F64
>>> Packets.of(F16, (0, 1, 4, 5), 2)
Packets(slots=(0, 2), count=2, unit=32, units=1, words=1)
>>> Packets.of(F16, (0, 2, 1, 3), 2)
Packets(slots=(0, 2, 1, 3), count=2, unit=16, units=2, words=1)
>>> Packets.of(F64, (1, 0), 1).words
2
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tilevm.dtypes import DType

__all__ = ["WORD_BITS", "Packets", "held_bits", "is_packed"]

WORD_BITS = 32


def held_bits(dtype: DType) -> int:
    """The bits that an element takes in a register: its width, or a whole word for ``tf32``."""
    return WORD_BITS if dtype.name == "tf32" else dtype.bits


def is_packed(dtype: DType) -> bool:
    """Whether the elements of a thread are one dense stream of bits; truth values and wide formats are not."""
    return held_bits(dtype) < WORD_BITS and not (dtype.kind == "uint" and dtype.bits == 1)


@dataclass(frozen=True)
class Packets:
    """The slots of a thread as ``count`` packets, each of ``units`` units of ``unit`` bits in ``words`` words.

    ``slots`` holds, unit after unit of all packets, where a unit lies, counted in units.
    """

    slots: tuple[int, ...]
    count: int
    unit: int
    units: int
    words: int

    @classmethod
    def of(cls, dtype: DType, slots: Sequence[int], elements: int, words: int = 1) -> Packets:
        """Slots, packet after packet, each of so many elements, in ``words`` words or as many more as it fills."""
        bits = held_bits(dtype)
        together = _neighbours(slots, elements, WORD_BITS // bits) if is_packed(dtype) else 1
        return cls(
            tuple(slot // together for slot in slots[::together]),
            len(slots) // elements,
            together * bits,
            elements // together,
            max(words, -(-elements * bits // WORD_BITS)),
        )

    @property
    def all_words(self) -> int:
        """Words of all packets."""
        return self.count * self.words


def _neighbours(slots: Sequence[int], elements: int, most: int) -> int:
    """How many elements lie next to each other, in aligned groups, wherever a packet is cut into so many."""
    together = 1
    while 2 * together <= most and elements % (2 * together) == 0:
        wanted = 2 * together
        starts = slots[::wanted]
        if any(start % wanted for start in starts):
            break
        if any(slot != starts[i // wanted] + i % wanted for i, slot in enumerate(slots)):
            break
        together = wanted
    return together
