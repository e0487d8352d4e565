"""A product with quantised weights in Triton, written plainly: words are taken apart by shifts, scaled, multiplied.

Weights lie as 32-bit words ``[k * bits / 32, n]``, codes dense along k. Needs torch and Triton.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl

__all__ = ["multiply", "pack_words"]

CONFIGS = [
    triton.Config({"BLOCK_N": block_n, "BLOCK_K": 64}, num_stages=stages, num_warps=4)
    for block_n in (32, 64, 128)
    for stages in (3, 4, 5)
]


@triton.autotune(configs=CONFIGS, key=["m", "n", "k", "BITS"])
@triton.jit
def _product(
    x,
    words,
    scales,
    y,
    m,
    n,
    k,
    BITS: tl.constexpr,
    GROUP: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_K: tl.constexpr,
):
    rows = tl.program_id(0) * BLOCK_M + tl.arange(0, BLOCK_M)
    columns = tl.program_id(1) * BLOCK_N + tl.arange(0, BLOCK_N)
    inner = tl.arange(0, BLOCK_K)
    each: tl.constexpr = 32 // BITS
    total = tl.zeros((BLOCK_M, BLOCK_N), tl.float32)
    for start in range(0, k, BLOCK_K):
        at = start + inner
        a = tl.load(x + rows[:, None] * k + at[None, :], mask=rows[:, None] < m, other=0.0)
        word = tl.load(words + (at // each)[:, None] * n + columns[None, :], mask=columns[None, :] < n, other=0)
        code = (word >> ((at % each) * BITS)[:, None]) & ((1 << BITS) - 1)
        scale = tl.load(scales + (start // GROUP) * n + columns, mask=columns < n, other=0.0)
        total = tl.dot(a, code.to(tl.float16) * scale[None, :], total)
    inside = (rows[:, None] < m) & (columns[None, :] < n)
    tl.store(y + rows[:, None] * n + columns[None, :], total.to(tl.float16), mask=inside)


def pack_words(codes: Any, bits: int) -> Any:
    """Codes ``[n, k]``, one in a byte, as words ``int32[k * bits / 32, n]``."""
    n, k = codes.shape
    parts = codes.reshape(n, k * bits // 32, 32 // bits).long() << torch.arange(0, 32, bits, device=codes.device)
    whole = parts.sum(-1)
    return torch.where(whole >= 1 << 31, whole - (1 << 32), whole).to(torch.int32).t().contiguous()


def multiply(x: Any, words: Any, scales: Any, bits: int, group: int) -> Any:
    """The product ``f16[m, n]``."""
    m, k = x.shape
    n = words.shape[1]
    y = torch.empty((m, n), dtype=torch.float16, device=x.device)
    rows = 16 if m <= 16 else 32 if m <= 32 else 64

    def grid(meta: dict[str, int]) -> tuple[int, int]:
        return triton.cdiv(m, rows), triton.cdiv(n, meta["BLOCK_N"])

    _product[grid](x, words, scales, y, m, n, k, BITS=bits, GROUP=group, BLOCK_M=rows)
    return y
