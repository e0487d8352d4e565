"""Codes in 32-bit words, and groups that do not divide their axis."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["dense", "divided", "padded", "words_of"]

_ROWS = 64


def dense(words: NDArray[Any], bits: int, count: int) -> NDArray[np.uint8]:
    """``uint8[rows, count]`` from ``[rows, words]``: codes one after the other, across the ends of words."""
    codes = np.empty((len(words), count), np.uint8)
    for first in range(0, len(words), _ROWS):  # unpacked bits take a byte each
        rows = np.ascontiguousarray(words[first : first + _ROWS]).view(np.uint8)
        digits = np.unpackbits(rows, axis=1, count=count * bits, bitorder="little").reshape(len(rows), count, bits)
        codes[first : first + _ROWS] = np.packbits(digits, axis=2, bitorder="little")[..., 0]
    return codes


def padded(words: NDArray[Any], bits: int, count: int) -> NDArray[np.uint8]:
    """The same, where a word holds ``32 // bits`` codes and its highest bits are left over."""
    shifts = np.arange(32 // bits, dtype=np.uint32) * np.uint32(bits)
    codes = (np.ascontiguousarray(words).view(np.uint32)[:, :, None] >> shifts) & np.uint32(2**bits - 1)
    return codes.astype(np.uint8).reshape(len(words), -1)[:, :count]


def words_of(count: int, bits: int) -> tuple[int, int]:
    """Words that ``count`` codes take densely, and padded."""
    return -(-count * bits // 32), -(-count // (32 // bits))


def divided(each: NDArray[Any], group: int, length: int, axis: int) -> tuple[NDArray[Any], int]:
    """What each group has, for the largest groups that divide ``length``; the last group may have been short."""
    size = math.gcd(group, length) or 1
    if size == group and each.shape[axis] * group == length:
        return each, group
    return np.take(each, np.arange(0, length, size) // group, axis=axis), size
