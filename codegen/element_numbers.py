"""The row-major number of a thread's elements: a part that the thread decides and a part that the slot decides.

Threads that hold the same elements, because a layout repeats them, have the same part.
"""

from __future__ import annotations

import numpy as np

from tilevm.codegen.indexing import digits_of
from tilevm.layout import Layout

__all__ = ["element_numbers", "repetitions"]


def element_numbers(layout: Layout) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Two tables, by thread and by slot, whose sum is the row-major number of the element that lies there.

    Threads and slots are digits of an element's place, each with a stride of its own, so there are always two such
    tables.

    >>> from tilevm.layout_constructors import local, spatial
    >>> element_numbers(local(2) * spatial(4) * local(2))
    ((0, 2, 4, 6), (0, 1, 8, 9))
    """
    numbers = layout.thread_slot_to_flat()
    by_thread, by_slot = numbers[:, 0], numbers[0] - numbers[0, 0]
    assert np.array_equal(numbers, by_thread[:, None] + by_slot), f"{layout} is no sum of digits"
    return tuple(by_thread.tolist()), tuple(by_slot.tolist())


def repetitions(layout: Layout) -> tuple[tuple[int, int], ...]:
    """Digits (size, weight) of a thread's number that do not say which elements it holds.

    Of the threads that hold an element exactly one has zeros for all of them.

    >>> from tilevm.layout_constructors import rep, spatial
    >>> repetitions(rep(4) * spatial(8)), repetitions(spatial(32))
    (((4, 8),), ())
    """
    digits = digits_of(element_numbers(layout)[0])
    assert digits is not None, f"{layout} is no sum of digits"
    return tuple((size, weight) for size, weight, stride in digits if stride == 0)
