"""Packers for checkpoint formats, written from the formats' descriptions: one code after the other, slow and plain."""

from __future__ import annotations

from typing import Any

import numpy as np


def dense_words(codes: Any, bits: int) -> Any:
    """Each row as one long number, lowest code first, cut into int32 words."""
    rows = []
    for row in np.asarray(codes).tolist():
        number = sum(code << bits * place for place, code in enumerate(row))
        rows.append([number >> 32 * word & 0xFFFFFFFF for word in range(-(-len(row) * bits // 32))])
    return np.array(rows, np.uint32).view(np.int32)


def padded_words(codes: Any, bits: int) -> Any:
    """``32 // bits`` codes in each word, none of them across its end."""
    each, rows = 32 // bits, []
    for row in np.asarray(codes).tolist():
        cut = [row[first : first + each] for first in range(0, len(row), each)]
        rows.append([sum(code << bits * place for place, code in enumerate(word)) for word in cut])
    return np.array(rows, np.uint32).view(np.int32)


def awq_words(codes: Any) -> Any:
    """Nibble j of a word holds column [0, 2, 4, 6, 1, 3, 5, 7][j] of its eight."""
    order, rows = [0, 2, 4, 6, 1, 3, 5, 7], []
    for row in np.asarray(codes).tolist():
        cut = [row[first : first + 8] for first in range(0, len(row), 8)]
        rows.append([sum(word[order[j]] << 4 * j for j in range(8)) for word in cut])
    return np.array(rows, np.uint32).view(np.int32)
