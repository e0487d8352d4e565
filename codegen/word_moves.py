"""Where elements of a packed format can change their slots by whole words.

Slots are a dense stream of bits, so that a run of slots that begins and ends at words, in the operand and in the
result, is moved as words. Of widths that do not divide a word several words go together: sixteen elements of six bits
are three words.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import lcm

from tilevm.codegen.storage import WORD_BITS

__all__ = ["word_moves"]

Words = tuple[int, ...]


def word_moves(
    bits: int, to: Sequence[int], fro: Sequence[int], slots_to: int, slots_from: int
) -> tuple[Words, Words] | None:
    """The words of the result and of the operand that slots ``to``, ascending, and ``fro`` fill; None if they do not.

    The operand has ``slots_from`` slots, the result ``slots_to``. What lies in a last word behind the last slot is
    nobody's, so that a run that ends there in both may fill its last word in part.

    >>> word_moves(8, (0, 1, 2, 3, 4, 5), (8, 9, 10, 11, 12, 13), 6, 14)
    ((0, 1), (2, 3))
    >>> word_moves(16, (0, 1), (1, 0), 2, 2), word_moves(6, (0, 1), (0, 1), 2, 16)
    (None, None)
    """
    together = lcm(bits, WORD_BITS) // bits
    found: tuple[list[int], list[int]] = ([], [])
    for first in range(0, len(to), together):
        run = range(min(together, len(to) - first))
        target, source = to[first], fro[first]
        if target % together or source % together:
            return None
        if any(to[first + i] != target + i or fro[first + i] != source + i for i in run):
            return None
        if len(run) < together and (target + len(run) != slots_to or source + len(run) != slots_from):
            return None
        for word in range(-(-len(run) * bits // WORD_BITS)):
            found[0].append(target * bits // WORD_BITS + word)
            found[1].append(source * bits // WORD_BITS + word)
    return tuple(found[0]), tuple(found[1])
