"""Prints the median seconds of a 256 x 256 x 256 f32 product in Triton's interpreter (TRITON_INTERPRET=1)."""

from __future__ import annotations

import time
from statistics import median

import torch
import triton
import triton.language as tl


@triton.jit
def matmul(x, w, y, N: tl.constexpr, K: tl.constexpr, BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr):
    m = tl.program_id(0) * BM + tl.arange(0, BM)
    n = tl.program_id(1) * BN + tl.arange(0, BN)
    acc = tl.zeros((BM, BN), dtype=tl.float32)
    for start in range(0, K, BK):
        k = start + tl.arange(0, BK)
        a = tl.load(x + m[:, None] * K + k[None, :])
        b = tl.load(w + k[:, None] * N + n[None, :])
        acc = tl.dot(a, b, acc)
    tl.store(y + m[:, None] * N + n[None, :], acc)


def main() -> None:
    size, block = 256, 64
    generator = torch.Generator().manual_seed(0)
    x, w = (torch.randn(size, size, generator=generator) for _ in range(2))
    y = torch.empty(size, size)
    times = []
    for _ in range(6):
        start = time.perf_counter()
        matmul[(size // block, size // 128)](x, w, y, size, size, block, 128, 64)
        times.append(time.perf_counter() - start)
    assert torch.allclose(y, x @ w, rtol=1e-4, atol=1e-4)
    print(median(times[1:]))


if __name__ == "__main__":
    main()
