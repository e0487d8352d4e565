"""What one launch costs the host: the driver's part included, the GPU's not.

``benchmarks/launch.py`` measures tilevm's part alone, without a GPU. Here calls return before the GPU has done its
work, and few enough are made that its queue does not fill.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import tilevm
from tilevm.runtime.bench import Row

__all__ = ["measure"]

EXAMPLES = Path(__file__).parent.parent / "examples"
CALLS, ROUNDS = 200, 15


def measure() -> list[Row]:
    """A call with its output given, one that makes it, a prepared launch, and CuPy's own addition. Needs a GPU."""
    import cupy

    kernel = tilevm.load(EXAMPLES / "vector_add.tvm").vector_add
    x, y, z = (cupy.asarray(np.ones(4096, np.float32)) for _ in range(3))
    prepared = kernel.prepare(x, y, z=z)
    tasks: dict[str, Callable[[], Any]] = {
        "tilevm, output given": lambda: kernel(x, y, z=z),
        "tilevm, output made": lambda: kernel(x, y),
        "tilevm, prepared": prepared,
        "CuPy add": lambda: cupy.add(x, y, out=z),
    }
    times: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(ROUNDS + 1):
        for name, task in tasks.items():
            cupy.cuda.runtime.deviceSynchronize()
            start = time.perf_counter()
            for _ in range(CALLS):
                task()
            times[name].append(1e6 * (time.perf_counter() - start) / CALLS)
    return [Row.of("4096 elements", name, found[1:]) for name, found in times.items()]
