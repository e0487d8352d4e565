"""Linear maps over GF(2): the swizzle of a memory layout, and the rank of a set of bit vectors.

A *swizzle* flips some bits of an offset, each by the parity of other bits of it. The bits that are flipped are never
among those that are read, so a swizzle is its own inverse, and no two offsets meet.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

from numpy.typing import NDArray

from tilevm.errors import LayoutError

__all__ = ["Xor", "rank"]

Offset = TypeVar("Offset", int, NDArray[Any])


@dataclass(frozen=True)
class Xor:
    """A swizzle of bit offsets: for each ``(target, sources)`` the bit ``target`` flips by the parity of the bits in
    the mask ``sources``.

    Bits are counted from 0, the lowest bit of an offset *in bits*: bit 3 is the lowest bit of a byte address, bit 7
    that of a 16-byte chunk. Written as ``7^10 8^11``: bit 7 becomes bit 7 ^ bit 10, bit 8 becomes bit 8 ^ bit 11.
    Raises ``LayoutError`` L017 where a target is also a source.

    >>> swap = Xor(((7, 1 << 10),))
    >>> str(swap), swap(1024), swap(swap(1024))
    ('7^10', 1152, 1024)
    """

    terms: tuple[tuple[int, int], ...]

    def __post_init__(self) -> None:
        kept = tuple(sorted((target, sources) for target, sources in self.terms if sources))
        object.__setattr__(self, "terms", kept)
        targets = [target for target, _ in kept]
        if len(set(targets)) < len(targets):
            raise LayoutError("L017", f"the swizzle {self} flips one bit twice", help="write each target once")
        for target in targets:
            if self.sources >> target & 1:
                raise LayoutError(
                    "L017",
                    f"the swizzle {self} both flips and reads bit {target}",
                    help="let the flipped bits and the bits that decide be apart",
                )

    @classmethod
    def between(cls, pairs: Iterable[tuple[int, int]]) -> Xor:
        """The swizzle that flips the first bit of each pair where the second is set."""
        terms: dict[int, int] = {}
        for target, source in pairs:
            terms[target] = terms.get(target, 0) ^ 1 << source
        return cls(tuple(terms.items()))

    @property
    def pairs(self) -> Iterator[tuple[int, int]]:
        """Each target with each of its sources."""
        for target, sources in self.terms:
            for source in range(sources.bit_length()):
                if sources >> source & 1:
                    yield target, source

    @cached_property
    def sources(self) -> int:
        """The mask of the bits that are read."""
        result = 0
        for _, sources in self.terms:
            result |= sources
        return result

    @cached_property
    def lowest(self) -> int:
        """The lowest bit that is flipped or read; runs of up to 2^lowest bits stay together."""
        return min((min(pair) for pair in self.pairs), default=0)

    @cached_property
    def block(self) -> int:
        """The size in bits of the aligned blocks within which offsets move."""
        return 2 << max(target for target, _ in self.terms) if self.terms else 1

    def __call__(self, offset: Offset) -> Offset:
        """The swizzled offset, of an integer or of each of an array."""
        result = offset
        for target, source in self.pairs:
            # The sources are not flipped, so it does not matter that the terms are applied one after another.
            result = result ^ (offset >> source & 1) << target
        return result

    def reading(self, bits: int) -> Xor:
        """The swizzle on offsets in which no bit outside the mask ``bits`` is set."""
        return Xor(tuple((target, sources & bits) for target, sources in self.terms))

    def shifted(self, distance: int) -> Xor:
        """The same swizzle ``distance`` bits further up."""
        return Xor(tuple((target + distance, sources << distance) for target, sources in self.terms))

    def __str__(self) -> str:
        shown: dict[int, str] = {}
        for target, source in self.pairs:
            shown[target] = f"{shown.get(target, target)}^{source}"
        return " ".join(shown.values())


def rank(vectors: Iterable[int]) -> int:
    """The rank over GF(2) of vectors given as integers.

    >>> rank([0b011, 0b110, 0b101])
    2
    """
    basis: list[int] = []
    for vector in vectors:
        for row in basis:
            vector = min(vector, vector ^ row)
        if vector:
            basis.append(vector)
    return len(basis)
