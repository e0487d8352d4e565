"""The layouts from which all others are made by products.

    local column_local        elements in the slots of one thread
    spatial column_spatial    elements in threads of their own
    warps                     as ``spatial``, for whole warps
    rep                       threads that hold the same
    row_major column_major    elements one after another in memory

The plain names count row-major, the last dimension fastest; ``column_`` ones the first dimension fastest.
"""

from __future__ import annotations

from functools import lru_cache

from tilevm import layout_checks as checks
from tilevm.digits import Digit, Digits
from tilevm.layout import Layout

__all__ = ["column_local", "column_major", "column_spatial", "local", "rep", "row_major", "spatial", "warps"]


@lru_cache(maxsize=4096)
def _counted(axis: str, shape: tuple[int, ...], first_fastest: bool, scale: int, width: int) -> Layout:
    """A layout of one digit a dimension that counts along an axis, the last or the first dimension fastest."""
    dims: list[Digits] = []
    for extent in shape if first_fastest else reversed(shape):
        dims.append((Digit(extent, axis, scale),))
        scale *= extent
    return Layout._of(dims if first_fastest else reversed(dims), (), None, width)


def local(*shape: int) -> Layout:
    """All elements in the slots of one thread, row-major. Raises ``LayoutError`` L015 for a size below 1.

    >>> print(local(2, 3))
    [2,3]{2:R3 | 3:R1}
    """
    return _counted("R", checks.sizes("local", shape), False, 1, 0)


def column_local(*shape: int) -> Layout:
    """All elements in the slots of one thread, column-major: the first dimension changes fastest.

    >>> print(column_local(2, 3))
    [2,3]{2:R1 | 3:R2}
    """
    return _counted("R", checks.sizes("column_local", shape), True, 1, 0)


def spatial(*shape: int) -> Layout:
    """Each element in a thread of its own, threads counted row-major.

    >>> print(spatial(8, 4))
    [8,4]{8:T4 | 4:T1}
    """
    return _counted("T", checks.sizes("spatial", shape), False, 1, 0)


def column_spatial(*shape: int) -> Layout:
    """Each element in a thread of its own, threads counted column-major: the first dimension changes fastest.

    >>> print(column_spatial(4, 8))
    [4,8]{4:T1 | 8:T4}
    """
    return _counted("T", checks.sizes("column_spatial", shape), True, 1, 0)


def warps(*shape: int) -> Layout:
    """The same as ``spatial``, for the outermost factor: a grid of warps, each of which holds a tile of 32 threads.

    >>> (warps(2, 2) * spatial(8, 4)).threads
    128
    """
    return _counted("T", checks.sizes("warps", shape), False, 1, 0)


def rep(count: int) -> Layout:
    """``count`` threads that hold the same: of rank 0, so that it goes with any layout.

    >>> print(rep(4) * local(1, 2), (rep(4) * local(1, 2)).threads)
    [1,2]{1 | 2:R1; rep 4:T1} 4
    """
    (count,) = checks.sizes("rep", [count])
    return Layout._of((), (Digit(count, "T", 1),), None, 0)


def row_major(*shape: int, width: int = 1) -> Layout:
    """Elements of ``width`` bits one after another in memory, the last dimension fastest.

    >>> print(row_major(4, 8, width=6))
    [4,8]{4:B48 | 8:B6; 6 bits}
    """
    (width,) = checks.sizes("row_major", [width])
    return _counted("B", checks.sizes("row_major", shape), False, width, width)


def column_major(*shape: int, width: int = 1) -> Layout:
    """Elements of ``width`` bits one after another in memory, the first dimension fastest.

    >>> print(column_major(4, 8, width=6))
    [4,8]{4:B6 | 8:B24; 6 bits}
    """
    (width,) = checks.sizes("column_major", [width])
    return _counted("B", checks.sizes("column_major", shape), True, width, width)
