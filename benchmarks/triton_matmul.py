"""The peer of the static table: the same product written plainly in Triton, compiled ahead of time without a GPU.

Weights of 4 bits lie eight in a word along K, as GPTQ has them; each is taken out of its word, scaled, and multiplied
by ``tl.dot``.
"""

from __future__ import annotations

from dataclasses import dataclass

import triton
import triton.language as tl
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

__all__ = ["GROUP", "SHAPE", "WARPS", "TritonCode", "machine_code"]

SHAPE = (64, 64, 64)
"""Rows, columns and depth of a tile."""

WARPS, STAGES = 4, 3
GROUP = 128


@triton.jit
def w4a16(
    x,
    w,
    scale,
    y,
    M,
    N,
    K,
    GROUP: tl.constexpr,
    BM: tl.constexpr,
    BN: tl.constexpr,
    BK: tl.constexpr,
):
    """y[M, N] = x[M, K] @ ((codes - 8) * scale), codes of 4 bits."""
    rows = tl.program_id(0) * BM + tl.arange(0, BM)
    columns = tl.program_id(1) * BN + tl.arange(0, BN)
    depth = tl.arange(0, BK)
    sums = tl.zeros((BM, BN), dtype=tl.float32)
    for k in range(0, K, BK):
        a = tl.load(x + rows[:, None] * K + (k + depth)[None, :], mask=rows[:, None] < M, other=0.0)
        words = tl.load(w + ((k + depth) // 8)[:, None] * N + columns[None, :])
        codes = (words >> ((depth % 8) * 4)[:, None]) & 15
        factors = tl.load(scale + (k // GROUP) * N + columns)
        b = (codes - 8).to(tl.float16) * factors[None, :]
        sums = tl.dot(a, b, sums)
    tl.store(y + rows[:, None] * N + columns[None, :], sums.to(tl.float16), mask=rows[:, None] < M)


@dataclass(frozen=True)
class TritonCode:
    """What Triton made: a cubin, and the version that made it."""

    cubin: bytes
    version: str


def machine_code(capability: int) -> TritonCode:
    """The kernel for a compute capability such as 80, with sizes and pointers that divide by 16."""
    m, n, k = SHAPE
    pointers = {"x": "*fp16", "w": "*i32", "scale": "*fp16", "y": "*fp16"}
    constants = {"GROUP": GROUP, "BM": m, "BN": n, "BK": k}
    signature = {**pointers, "M": "i32", "N": "i32", "K": "i32", **dict.fromkeys(constants, "constexpr")}
    divisible = {(place,): [["tt.divisibility", 16]] for place in range(7)}
    source = ASTSource(fn=w4a16, signature=signature, constexprs=constants, attrs=divisible)
    made = triton.compile(
        source, target=GPUTarget("cuda", capability, 32), options={"num_warps": WARPS, "num_stages": 3}
    )
    return TritonCode(made.asm["cubin"], triton.__version__)
