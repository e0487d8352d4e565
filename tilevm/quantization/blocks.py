"""Blocks: the elements that share a scale. A block has an extent along each dimension, the last one may be short.

    extent (128, 1) of w[K, N]    a group of 128 along K, the scales are [ceil(K / 128), N]
    extent (16, 16)               a square
    extent (K, 1), (K, N)         one scale for each column, one for the tensor

What each block has is an array in the shape of the *grid* of blocks.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["grid_of", "group_block", "spread"]

Extents = tuple[int, ...]


def grid_of(shape: Extents, block: Extents) -> Extents:
    """How many blocks there are along each dimension.

    >>> grid_of((100, 64), (32, 1))
    (4, 64)
    """
    return tuple(-(-length // extent) for length, extent in zip(shape, block, strict=True))


def group_block(shape: Extents, group: int, axis: int) -> Extents:
    """The block that is a run of ``group`` elements along one axis; no longer than the axis.

    >>> group_block((256, 64), 128, 0)
    (128, 1)
    """
    own = axis % max(1, len(shape))
    return tuple(max(1, min(group, length)) if place == own else 1 for place, length in enumerate(shape))


def spread(each: NDArray[Any], block: Extents, shape: Extents) -> NDArray[Any]:
    """What each block has, for every element in it. A view where blocks are single elements.

    >>> spread(np.float32([[1], [2]]), (2, 1), (3, 1)).ravel().tolist()
    [1.0, 1.0, 2.0]
    """
    for axis, (extent, length) in enumerate(zip(block, shape, strict=True)):
        if each.shape[axis] == 1:
            each = np.broadcast_to(each, (*each.shape[:axis], length, *each.shape[axis + 1 :]))
        elif extent > 1:
            each = np.repeat(each, extent, axis=axis)[(slice(None),) * axis + (slice(length),)]
    return each
