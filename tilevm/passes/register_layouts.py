"""What passes ask about register layouts over memory; the arrangements themselves are in ``plans.arrangements``."""

from __future__ import annotations

from tilevm.layout import Layout
from tilevm.plans.arrangements import coalesced, contiguous_dimension, unspread, vector_elements

__all__ = ["coalesced", "contiguous_dimension", "fills_sectors", "unspread", "vector_elements"]

SECTOR_BITS = 256
"""What memory moves at least, and what a cache line is made of (CUDA C++ Programming Guide, global memory)."""
LANES = 32


def fills_sectors(layout: Layout, dim: int, bits: int) -> bool:
    """Whether one access of a warp to memory that is contiguous along ``dim`` uses all of each sector it touches.

    >>> from tilevm.layout_constructors import column_spatial, spatial
    >>> fills_sectors(spatial(4, 8), 1, 32), fills_sectors(column_spatial(32, 8), 1, 32)
    (True, False)
    """
    run, lanes = 1, 1
    for digit in reversed(layout.dims[dim]):
        if digit.axis == "R":
            if lanes > 1:
                break
            run *= digit.size
        else:
            inside = min(digit.size, max(1, LANES // digit.stride))
            run, lanes = run * inside, lanes * inside
            if inside < digit.size:
                break
    return run * bits >= min(SECTOR_BITS, layout.shape[dim] * bits)
