"""Addresses under a swizzle: what of it is done once for a thread, and what is left for each of its pieces.

A swizzle is linear over GF(2): where two offsets share no bit, so that their sum does not carry, the swizzle of the sum
is the XOR of their swizzles. A thread's offset is swizzled once, a piece is one XOR with a constant, and steps that
lie beyond every bit which the swizzle reads or flips are simply added.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tilevm.xor_map import Xor

__all__ = ["Swizzle", "swizzle_of"]


@dataclass(frozen=True)
class Swizzle:
    """``moves``: pairs of a mask and a distance; of an offset the masked bits, moved down so far (up where negative),
    are flipped. ``base_outside``: what the window's offsets add comes after the swizzle. ``flips`` and ``beyond``: what
    is XORed with the thread's swizzled offset for each piece, and what is added then; ``flips`` is None where the whole
    offset of each piece has to be swizzled when the kernel runs."""

    moves: tuple[tuple[int, int], ...]
    base_outside: bool = False
    flips: tuple[int, ...] | None = None
    beyond: tuple[int, ...] = ()


def swizzle_of(xor: Xor, unit: int, threads: Iterable[int], pieces: Sequence[int], base_divisor: int) -> Swizzle:
    """The swizzle of addresses that count ``unit`` bits (1 or 8).

    ``threads``: every offset that some thread's own part can have, ``pieces``: the offset of each piece from there,
    ``base_divisor``: what divides the offset of the window, 0 where there is none; all in address units.
    """
    places = unit.bit_length() - 1
    assert xor.lowest >= places
    moved = Xor(tuple((target - places, sources >> places) for target, sources in xor.terms))
    moves = _moves(moved)
    reach = 1 << max(moved.sources.bit_length(), moved.terms[-1][0] + 1)
    outside = base_divisor % reach == 0
    taken = 0
    for offset in threads:
        taken |= offset
    if not outside:
        free = (base_divisor & -base_divisor) - 1
        taken = taken & free | ~free
    low = [piece % reach for piece in pieces]
    if any(piece & taken for piece in low):
        return Swizzle(moves, outside)
    return Swizzle(
        moves, outside, tuple(map(moved, low)), tuple(piece - part for piece, part in zip(pieces, low, strict=True))
    )


def _moves(xor: Xor) -> tuple[tuple[int, int], ...]:
    """The pairs of a swizzle, those of one distance together."""
    masks: dict[int, int] = {}
    for target, source in xor.pairs:
        masks[source - target] = masks.get(source - target, 0) | 1 << source
    # One source may flip two targets, each at its own distance; two sources of one target likewise.
    return tuple((mask, distance) for distance, mask in sorted(masks.items()))
