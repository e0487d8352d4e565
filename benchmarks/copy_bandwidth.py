"""Copying on the device: what global memory gives at most, which every kernel bound by memory is measured against."""

from __future__ import annotations

from functools import partial

import numpy as np

from tilevm.runtime.bench import Row, bench

__all__ = ["measure"]

SIZES = (1 << 26, 1 << 28, 1 << 30)
"""Bytes that are copied; as many are read as written."""


def measure() -> list[Row]:
    """CuPy's copy from one array to another, of 64 MB to 1 GB. Needs a GPU."""
    import cupy

    rows: list[Row] = []
    for size in SIZES:
        numbers = np.arange(size // 4, dtype=np.uint32)
        source, target = cupy.asarray(numbers), cupy.empty(size // 4, cupy.uint32)
        copies = [partial(cupy.copyto, target, source)] * 4
        measured = bench({"CuPy": copies}, what=f"copy of {size >> 20} MiB", bytes=2 * size)
        if not np.array_equal(cupy.asnumpy(target), numbers):
            raise AssertionError("the copy is not what was copied")
        rows += measured.rows
    return rows
