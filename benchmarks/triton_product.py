"""A product with quantised weights in Triton, written plainly: words are taken apart by shifts, scaled, multiplied.

Weights lie as 32-bit words ``[k * bits / 32, n]``, codes dense along k. ``multiply`` runs the kernel as Triton's tuner
has it, and needs torch and a GPU; ``machine_code`` compiles it for any GPU, and needs Triton alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import triton
import triton.language as tl
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

__all__ = ["GROUP", "TILE", "WARPS", "TritonCode", "machine_code", "multiply", "pack_words"]

TILE = (64, 64, 64)
"""Rows, columns and depth of a tile of ``machine_code``."""

WARPS, STAGES = 4, 3
GROUP = 128


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


_tuned = triton.autotune(
    configs=[
        triton.Config({"BLOCK_N": block_n, "BLOCK_K": 64}, num_stages=stages, num_warps=4)
        for block_n in (32, 64, 128)
        for stages in (3, 4, 5)
    ],
    key=["m", "n", "k", "BITS"],
)(_product)


def pack_words(codes: Any, bits: int) -> Any:
    """Codes ``[n, k]``, one in a byte, as words ``int32[k * bits / 32, n]``."""
    import torch

    n, k = codes.shape
    parts = codes.reshape(n, k * bits // 32, 32 // bits).long() << torch.arange(0, 32, bits, device=codes.device)
    whole = parts.sum(-1)
    return torch.where(whole >= 1 << 31, whole - (1 << 32), whole).to(torch.int32).t().contiguous()


def multiply(x: Any, words: Any, scales: Any, bits: int, group: int) -> Any:
    """The product ``f16[m, n]``."""
    import torch

    m, k = x.shape
    n = words.shape[1]
    y = torch.empty((m, n), dtype=torch.float16, device=x.device)
    rows = 16 if m <= 16 else 32 if m <= 32 else 64

    def grid(meta: dict[str, int]) -> tuple[int, int]:
        return triton.cdiv(m, rows), triton.cdiv(n, meta["BLOCK_N"])

    _tuned[grid](x, words, scales, y, m, n, k, BITS=bits, GROUP=group, BLOCK_M=rows)
    return y


@dataclass(frozen=True)
class TritonCode:
    """What Triton made: a cubin, and the version that made it."""

    cubin: bytes
    version: str


def machine_code(capability: int, bits: int = 4) -> TritonCode:
    """The kernel for a compute capability such as 80, with sizes and pointers that divide by 16."""
    rows, columns, depth = TILE
    kinds = {"x": "*fp16", "words": "*i32", "scales": "*fp16", "y": "*fp16", "m": "i32", "n": "i32", "k": "i32"}
    constants = {"BITS": bits, "GROUP": GROUP, "BLOCK_M": rows, "BLOCK_N": columns, "BLOCK_K": depth}
    source = ASTSource(
        fn=_product,
        signature={**kinds, **dict.fromkeys(constants, "constexpr")},
        constexprs=constants,
        attrs={(place,): [["tt.divisibility", 16]] for place in range(len(kinds))},
    )
    options = {"num_warps": WARPS, "num_stages": STAGES}
    made = triton.compile(source, target=GPUTarget("cuda", capability, 32), options=options)
    return TritonCode(made.asm["cubin"], triton.__version__)
