"""Codes are unpacked slab by slab: some rows at a time, to a byte each, and packed at once.

So a tensor takes its packed codes, and beside them hardly more than one slab. What a slab was made of is mapped from
the file, and given back to the system as it goes.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tilevm.dtypes import DType, dtype
from tilevm.packed_array import PackedArray
from tilevm.packing import pack, packed_bytes

__all__ = ["SLAB", "packed_rows"]

SLAB = 1 << 17
"""Codes that are unpacked at a time, unless eight rows have more."""


def packed_rows(
    kind: DType | str,
    shape: tuple[int, ...],
    rows: int,
    unpacked: Callable[[int, int], NDArray[np.uint8]],
    done: Callable[[], None] = lambda: None,
) -> PackedArray:
    """The codes of a tensor that is ``rows`` pieces of equal length: ``unpacked(first, last)`` gives those of some of
    them, a byte each. ``done`` is called after every slab.

    >>> packed_rows("u4", (2, 3), 2, lambda first, last: np.full((last - first, 3), 7, np.uint8)).codes().tolist()
    [[7, 7, 7], [7, 7, 7]]
    """
    form, count = dtype(kind), math.prod(shape)
    length = count // max(rows, 1)
    whole = 8 // math.gcd(8, length * form.bits)  # so many rows end with a byte
    step = max(whole, SLAB // max(length, 1) // whole * whole)
    stream, end = np.empty(packed_bytes(count, form.bits), np.uint8), 0
    for first in range(0, rows, step):
        slab = pack(unpacked(first, min(first + step, rows)), form.bits)
        stream[end : end + slab.size] = slab
        end += slab.size
        done()
    return PackedArray(stream, form, shape)
