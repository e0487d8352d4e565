"""Codes in 32-bit words: along the rows of a matrix, densely or with the rest of each word left over, or down them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tilevm.packing import unpack

__all__ = ["along", "down", "words_of"]


def along(words: NDArray[Any], bits: int, count: int, loose: bool = False) -> NDArray[np.uint8]:
    """``uint8[rows, count]`` from ``[rows, words]``: codes one after the other, across the ends of words; ``loose``
    where a word holds ``32 // bits`` codes and its highest bits are left over.
    """
    held = np.ascontiguousarray(words).view("<u4")
    if loose and 32 % bits:
        codes = np.empty((len(held), held.shape[1], 32 // bits), np.uint8)
        for place in range(32 // bits):
            codes[:, :, place] = held >> np.uint32(bits * place) & np.uint32(2**bits - 1)
        return codes.reshape(len(held), -1)[:, :count]
    if held.shape[1] * 32 % bits:  # whole codes to a row
        held = np.pad(held, ((0, 0), (0, -held.shape[1] % bits)))
    each = held.shape[1] * 32 // bits
    return unpack(held.reshape(-1).view(np.uint8), bits, len(held) * each).reshape(len(held), each)[:, :count]


def down(words: NDArray[Any], bits: int, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
    """``uint8[len(rows), columns]`` from ``[words, columns]``: codes one below the other, densely; the given rows."""
    held = words.view("<u4")
    word, shift = rows * bits // 32, rows * bits % 32
    codes = held[word]
    codes >>= shift.astype(np.uint32)[:, None]
    torn = np.flatnonzero(shift + bits > 32)
    if torn.size:
        codes[torn] |= held[word[torn] + 1] << (32 - shift[torn]).astype(np.uint32)[:, None]
    codes &= np.uint32(2**bits - 1)
    return codes.astype(np.uint8)


def words_of(count: int, bits: int) -> tuple[int, int]:
    """Words that ``count`` codes take densely, and loosely."""
    return -(-count * bits // 32), -(-count // (32 // bits))
