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


def dense_bytes(codes: Any, bits: int) -> Any:
    """Each row as one long number, lowest code first, cut into bytes: four codes of 6 bits in three of them."""
    rows = []
    for row in np.asarray(codes).tolist():
        number = sum(code << bits * place for place, code in enumerate(row))
        rows.append(list(number.to_bytes(len(row) * bits // 8, "little")))
    return np.array(rows, np.uint8)


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


def high_nibble_first(codes: Any) -> Any:
    """A flat run of 4-bit codes; an odd last one has the high half of its byte."""
    flat = [*np.asarray(codes).reshape(-1).tolist()]
    flat += [0] * (len(flat) % 2)
    return np.array([high << 4 | low for high, low in zip(flat[::2], flat[1::2], strict=True)], np.uint8)[:, None]


def hqq_words(matrix: Any, bits: int) -> Any:
    """The rows of a matrix of groups in equal runs, the first run in the highest bits of a byte, or of an int32."""
    if bits in (8, 6, 5):
        return np.asarray(matrix, np.uint8)
    each = {4: 2, 3: 10, 2: 4, 1: 8}[bits]
    rows = np.asarray(matrix).tolist()
    rows += [[0] * len(rows[0])] * (-len(rows) % each)
    step = len(rows) // each
    words = [
        [
            sum(rows[run * step + row][column] << bits * (each - 1 - run) for run in range(each))
            for column in range(len(rows[0]))
        ]
        for row in range(step)
    ]
    return np.array(words, np.int32 if bits == 3 else np.uint8)
