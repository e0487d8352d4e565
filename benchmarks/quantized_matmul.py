"""Products with 4-bit weights of 8192 x 8192, beside cuBLAS with f16 weights of the same shape.

The weights are any bytes, which are codes of u4 in whatever layout. Before anything is measured a strip of the result
is compared with NumPy's product of the weights, decoded on the host.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import tilevm
from tilevm import PackedArray
from tilevm.runtime.bench import Row, bench, copies_needed
from tilevm.runtime.device import current_device

__all__ = ["measure"]

EXAMPLES = Path(__file__).parent.parent / "examples"
N, K, GROUP, TILE = 8192, 8192, 128, 64
FRAGMENTS = "blocks(64, 64) * warps(1, 4) * local(4, 2) * mma.m16n8k16.b"


def measure() -> list[Row]:
    """``matmul_explicit`` and ``matmul`` for u4, and cuBLAS, for one row and for 16. Needs a GPU."""
    import cupy

    rows = []
    for m in (1, 16):
        rows += _rows(cupy, m)
    return rows


def _rows(cupy: Any, m: int) -> list[Row]:
    random = np.random.default_rng(m)
    x = cupy.asarray(random.standard_normal((m, K)).astype(np.float16))
    scale = cupy.asarray((0.01 * (0.5 + random.random((K // GROUP, N)))).astype(np.float16))
    explicit = tilevm.load(EXAMPLES / "matmul_explicit.tvm").matmul_explicit
    plain = tilevm.load(EXAMPLES / "matmul.tvm").matmul
    layout = tilevm.memory_pattern(FRAGMENTS).bind((K, N), 4)
    sets = copies_needed(K * N // 2, current_device().cache_bytes)
    data = [cupy.asarray(random.integers(0, 256, K * N // 2, np.uint8)) for _ in range(sets)]
    placed = [PackedArray(each, "u4", (K, N), layout) for each in data]
    dense = [PackedArray(each, "u4", (K, N)) for each in data]
    outputs = [cupy.empty((m, N), cupy.float16) for _ in data]
    _check_strips(cupy.asnumpy, x, scale, data[0], explicit(x, placed[0], scale), plain(x, dense[0], scale))
    wide = [cupy.asarray(random.standard_normal((K, N), np.float32).astype(np.float16)) for _ in range(2)]
    tasks: dict[str, Sequence[Callable[[], object]]] = {
        "tilevm explicit u4": [explicit.prepare(x, w, scale, y=y) for w, y in zip(placed, outputs, strict=True)],
        "tilevm u4": [plain.prepare(x, w, scale, y=y) for w, y in zip(dense, outputs, strict=True)],
        "cuBLAS f16": [partial(cupy.matmul, x, w, out=y) for w, y in zip(wide, outputs, strict=False)],
    }
    small = x.nbytes + outputs[0].nbytes
    moved = {name: small + (wide[0].nbytes if "f16" in name else K * N // 2 + scale.nbytes) for name in tasks}
    return list(bench(tasks, what=f"{m} x {N} x {K}", bytes=moved, operations=2 * m * N * K).rows)


def _check_strips(to_host: Callable[[Any], Any], x: Any, scale: Any, data: Any, explicit: Any, plain: Any) -> None:
    """The last 64 columns of both results, against the product of the codes decoded on the host."""
    factors = to_host(x).astype(np.float64)
    scales = np.repeat(to_host(scale)[:, -TILE:], GROUP, axis=0)
    held = to_host(data)
    strip = np.ascontiguousarray(held.reshape(K // TILE, N // TILE, -1)[:, -1]).reshape(-1)
    layout = tilevm.memory_pattern(FRAGMENTS).bind((K, TILE), 4)
    rows = np.ascontiguousarray(held.reshape(K, N // 2)[:, -TILE // 2 :]).reshape(-1)
    for name, found, codes in (
        ("matmul_explicit", explicit, PackedArray(strip, "u4", (K, TILE), layout).codes()),
        ("matmul", plain, PackedArray(rows, "u4", (K, TILE)).codes()),
    ):
        weights = (codes.astype(np.float16) * scales).astype(np.float64)
        exact = factors @ weights
        got = to_host(found)[:, -TILE:].astype(np.float64)
        error = float(np.linalg.norm(got - exact) / np.linalg.norm(exact))
        if not error < 1e-3:
            raise AssertionError(f"{name}: the last {TILE} columns are {error:.2e} off, relative to their norm")
