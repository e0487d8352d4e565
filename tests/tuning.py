"""Kernels and cost models for the tests of tuning. Models are functions of a module: they go to other processes."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping

from tilevm.arch import Arch
from tilevm.ir import Program
from tilevm.runtime.compiled import CompiledKernel
from tilevm.runtime.tuning.estimate import Estimate
from tilevm.sizes import evaluate

SCALE = """
kernel scale[B = 32, FACTOR = 3, C = 1](x: f32[N], out y: f32[N]):
    grid cdiv(N, B * C)
    warps 1
    tune B in 32, 64, 128, 256
    require B * C <= 256, "a block of at most 256"
    require N % 32 == 0
    i = block_index(0) * B * C
    store(y[i :+ B * C], load(x[i :+ B * C]) * cast(FACTOR, f32))
"""
"""Blocks of ``B * C`` elements. ``FACTOR`` is a mistake to plant: another than 3 computes something else."""

HEAVY = """
kernel heavy[M = 64](x: f16[N, 64], out y: f16[N, 64]):
    grid cdiv(N, M)
    warps 1
    tune M in 64, 2048, 4096
    m = block_index(0) * M
    s = shared(f16, [M, 64])
    store(s, load(x[m :+ M, 0 :+ 64]))
    sync()
    store(y[m :+ M, 0 :+ 64], load(s))
"""
"""Of which only the smallest fits in shared memory."""


def largest_block(
    candidate: Program | CompiledKernel, sizes: Mapping[str, int], arch: Arch, *, thorough: bool
) -> Estimate:
    """The largest block is the fastest."""
    return Estimate(1e-6 * blocks(candidate, sizes), "blocks")


def blocks(candidate: Program | CompiledKernel, sizes: Mapping[str, int]) -> int:
    """How many blocks a launch has."""
    program = candidate if isinstance(candidate, Program) else candidate.program
    return evaluate(program.grid[0], sizes)


def deceptive(candidate: Program | CompiledKernel, sizes: Mapping[str, int], arch: Arch, *, thorough: bool) -> Estimate:
    """The largest block looks fastest, and machine code tells that it is not."""
    count = blocks(candidate, sizes)
    return Estimate(1e-6 * (count + 10 * (thorough and count <= 8)), "blocks")


def treacherous(
    candidate: Program | CompiledKernel, sizes: Mapping[str, int], arch: Arch, *, thorough: bool
) -> Estimate:
    """Of 1024 elements, blocks of 64 crash when they are compiled, of 128 never end, and of 256 raise."""
    count = blocks(candidate, sizes)
    if isinstance(candidate, CompiledKernel):
        if count == 1024 // 64:
            os._exit(3)
        if count == 1024 // 128:
            time.sleep(600)
        if count == 1024 // 256:
            raise ValueError("no such table")
    return Estimate(1e-6 * count, "blocks")
