"""Copying on the device: what global memory gives at most, which every kernel bound by memory is measured against."""

from __future__ import annotations

from functools import partial

import numpy as np

from benchmarks.on_device import in_turns_on_device
from benchmarks.row import Row

__all__ = ["measure"]

SIZES = (1 << 26, 1 << 28, 1 << 30)
"""Bytes that are copied; as many are read as written."""


def measure() -> list[Row]:
    """CuPy's copy from one array to another, of 64 MB to 1 GB. Needs a GPU."""
    import cupy

    rows = []
    for size in SIZES:
        numbers = np.arange(size // 4, dtype=np.uint32)
        source, target = cupy.asarray(numbers), cupy.empty(size // 4, cupy.uint32)
        times = in_turns_on_device(cupy, {"CuPy": [partial(cupy.copyto, target, source)] * 4})
        if not np.array_equal(cupy.asnumpy(target), numbers):
            raise AssertionError("the copy is not what was copied")
        rows.append(Row.of(f"copy of {size >> 20} MiB", "CuPy", times["CuPy"], bytes=2 * size))
    return rows
