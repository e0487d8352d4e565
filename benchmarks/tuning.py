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
from unittest.mock import patch

import numpy as np

import tilevm
from tilevm.ops.weights import kernels
from tilevm.runtime.tuning.tune import DEFAULT_PATIENCE

AXES = {"WN": (1, 2, 4, 8), "WM": (1, 2, 4), "MT": (1, 2, 4), "STAGES": (2, 3, 4, 5, 6, 8)}
M, N, K, GROUP = 16, 8192, 8192, 128


def main() -> None:
    """Prints what was tried, and the seconds of both runs."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--candidates", type=int, default=200)
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--patience", type=int, default=DEFAULT_PATIENCE)
    given = parser.parse_args()
    every = [dict(zip(AXES, values, strict=True)) for values in itertools.product(*AXES.values())]
    configs = every[:: max(1, len(every) // given.candidates)][: given.candidates]
    definition = kernels().matmul
    x = np.zeros((M, K), np.float16)
    settings = {"W": "u4", "S": "f16", "A": "f16", "GROUP": GROUP}
    codes = tilevm.PackedArray(np.zeros(K * N // 2, np.uint8), "u4", (K, N))
    scales = tilevm.PackedArray(np.zeros(K // GROUP * N * 2, np.uint8), "f16", (K // GROUP, N))
    arrays = {"x": x, "w": codes, "scale": scales, "tensor_scale": 1.0}
    with tempfile.TemporaryDirectory() as folder, patch.dict("os.environ", TILEVM_CACHE_DIR=folder):
        for attempt in ("first run", "second run"):
            begun, spent = time.perf_counter(), processor_seconds()
            result = tilevm.tune(
                *(definition, arrays, settings),
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
