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
    places: NDArray[np.int64] | None = None,
) -> PackedArray:
    """The codes of a tensor that is ``rows`` pieces of equal length: ``unpacked(first, last)`` gives those of some of
    them, a byte each, and ``places`` says where in the tensor each piece stands, if not in this order. ``done`` is
    called after every slab.

    Files are so read from front to back. Pieces that do not end with a byte, and have places, are unpacked all at once.

    >>> codes = np.uint8([[1, 2], [3, 4]])
    >>> packed_rows("u4", (2, 2), 2, lambda first, last: codes[first:last], places=np.array([1, 0])).codes().tolist()
    [[3, 4], [1, 2]]
    """
    form, count = dtype(kind), math.prod(shape)
    length = count // max(rows, 1)
    whole = 8 // math.gcd(8, length * form.bits)  # so many rows end with a byte
    if places is not None and whole > 1:
        return PackedArray.from_codes(unpacked(0, rows)[np.argsort(places)].reshape(shape), form)
    step = max(whole, SLAB // max(length, 1) // whole * whole)
    stream, end = np.empty(packed_bytes(count, form.bits), np.uint8), 0
    for first in range(0, rows, step):
        slab = pack(unpacked(first, min(first + step, rows)), form.bits)
        if places is None:
            stream[end : end + slab.size] = slab
            end += slab.size
        else:
            stream.reshape(rows, -1)[places[first : first + step]] = slab.reshape(-1, stream.size // rows)
        done()
    return PackedArray(stream, form, shape)
