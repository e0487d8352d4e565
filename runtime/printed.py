"""What a simulated kernel prints: the pieces that the host library writes, put together to the interpreter's lines.

Numbers come as bits and are written by NumPy, as the interpreter's are, so that not a character differs.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Sequence
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["PIECE", "printed_lines"]

PIECE = np.dtype(
    [
        ("block", "u8"),
        ("line", "u4"),
        ("value", "u4"),
        ("kind", "u4"),
        ("place", "u4"),
        ("bits", "u8"),
    ]
)
"""A piece of a line: ``Printed`` in ``host/launch.h``."""

TEXT, EXTENT, SCALAR, ELEMENT = 0, 1, 0x100, 0x200
NUMBERS = (np.bool_, np.int32, np.uint32, np.int64, np.uint64, np.float32, np.float64)
MOST_SHOWN = 64
"""Elements up to which a tile is shown whole."""


def printed_lines(pieces: NDArray[Any], grid: Sequence[int]) -> str:
    """The lines of all blocks, each ended, in row-major order of the grid and then as each block prints them.

    ``pieces`` are of dtype ``PIECE``, in any order, while the texts that they point to are in memory. A line of which
    pieces are missing, because the launch ended before every thread had come to it, is left out.
    """
    indices = _indices(pieces["block"], grid)
    order = np.lexsort((pieces["value"], pieces["line"], *indices[::-1]))
    lines = []
    for _, group in groupby(order.tolist(), key=lambda i: (int(pieces["block"][i]), int(pieces["line"][i]))):
        places = list(group)
        index = tuple(int(axis[places[0]]) for axis in indices)
        lines.append(_line(pieces[places], index))
    return "".join(f"{line}\n" for line in lines if line is not None)


def _indices(blocks: NDArray[Any], grid: Sequence[int]) -> tuple[NDArray[np.uint64], ...]:
    """The index of each block along three axes of the grid, of which the first varies fastest in its number."""
    extents = [np.uint64(max(1, extent)) for extent in (*grid, 1, 1)]
    return blocks % extents[0], blocks // extents[0] % extents[1], blocks // (extents[0] * extents[1])


def _line(pieces: NDArray[Any], index: tuple[int, ...]) -> str | None:
    """One line of one block; ``pieces`` are in order of the values that they belong to. None where some are missing."""
    texts, numbers = pieces[pieces["kind"] == TEXT], pieces[pieces["kind"] != TEXT]
    shown = [_value(numbers[numbers["value"] == value]) for value in np.unique(numbers["value"])]
    values = [value for value in shown if value is not None]
    if not len(texts) or len(values) < len(shown):
        return None
    coordinates = ", ".join(map(str, index[: int(texts[0]["place"])]))
    text = ctypes.string_at(int(texts[0]["bits"])).decode("utf-8")
    return " ".join([f"block ({coordinates}):", text, *values])


def _value(pieces: NDArray[Any]) -> str | None:
    """A scalar or a tile as NumPy writes it; None where elements are missing."""
    extents = pieces[pieces["kind"] == EXTENT]
    numbers = pieces[pieces["kind"] >= SCALAR]
    shape = tuple(extents["bits"][np.argsort(extents["place"])].tolist())
    if len(np.unique(numbers["place"])) < math.prod(shape):
        return None
    dtype = np.dtype(NUMBERS[int(numbers["kind"][0]) & 0xFF])
    bits = np.ascontiguousarray(numbers["bits"])
    found = bits.view(np.uint8).reshape(-1, 8)[:, : dtype.itemsize].copy().view(dtype)[:, 0]
    if not shape:
        return str(found[0])
    tile = np.zeros(math.prod(shape), dtype)
    tile[numbers["place"]] = found
    return np.array2string(tile.reshape(shape), threshold=MOST_SHOWN, separator=", ")
