"""How long tuning takes where there is no GPU, and how long it takes to find what is stored.

    python -m benchmarks.tuning [--candidates 200] [--workers 2] [--patience 16]

The product of ``tilevm/ops/matmul.tvm`` for 16 rows and u4 weights of 8192 x 8192, for sm_90a, with empty caches. On a
machine that others use too, the processors' time says what the wall clock does not: all processes together.
"""

from __future__ import annotations

import argparse
import itertools
import os
import resource
import tempfile
import time
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import numpy as np

import tilevm
from tilevm.ops.matmul import launch_of
from tilevm.ops.weights import PackedWeight, pack_weight
from tilevm.runtime.kernel import Kernel
from tilevm.runtime.tuning.tune import DEFAULT_PATIENCE

M, N, K, GROUP = 16, 8192, 8192, 128
STRIP = 64


def call(rows: int = M, columns: int = N, inner: int = K) -> tuple[Kernel, dict[str, Any]]:
    """The kernel of the product and its arguments by name. No element is read, so all are zeros but the formats."""
    strip = np.zeros((inner, STRIP), np.float32)
    strip[0] = 1
    first = pack_weight(tilevm.quantize(strip, "u4", group=GROUP))
    arrays = {name: _zeros(each, columns) for name, each in first.arrays.items()}
    weight: PackedWeight = replace(first, arrays=arrays, shape=(inner, columns))
    kernel, arguments, settings = launch_of(np.zeros((rows, inner), np.float16), weight)
    return kernel, arguments | {name: value for name, value in settings.items() if name not in kernel.definition.tunes}


def _zeros(array: tilevm.PackedArray, columns: int) -> tilevm.PackedArray:
    shape = (array.shape[0], columns)
    return tilevm.PackedArray(np.zeros(shape[0] * shape[1] * array.dtype.bits // 8, np.uint8), array.dtype, shape)


def main() -> None:
    """Prints what was tried, and the seconds of both runs."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--candidates", type=int, default=200)
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--patience", type=int, default=DEFAULT_PATIENCE)
    given = parser.parse_args()
    kernel, arguments = call()
    axes = kernel.definition.tunes
    every = [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]
    configs = every[:: max(1, len(every) // given.candidates)][: given.candidates]
    with tempfile.TemporaryDirectory() as folder, patch.dict("os.environ", TILEVM_CACHE_DIR=folder):
        for attempt in ("first run", "second run"):
            begun, spent = time.perf_counter(), processor_seconds()
            result = tilevm.tune(
                *(kernel, arguments),
                configs=configs,
                target="sm_90a",
                workers=given.workers,
                patience=given.patience,
                progress=False,
            )
            seconds, spent = time.perf_counter() - begun, processor_seconds() - spent
            compiled = sum(each.registers is not None for each in result.candidates)
            what = "from the store" if result.stored else f"{len(result.candidates)} candidates, {compiled} compiled"
            print(f"{attempt}: {seconds:.3f} s, {spent:.3f} s of processors; {what}")
        print(result)


def processor_seconds() -> float:
    """What this process and those that it has ended have used."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in used)


if __name__ == "__main__":
    main()
