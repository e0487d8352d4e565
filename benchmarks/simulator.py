"""How fast the simulator multiplies matrices, runs a kernel with 4-bit weights, and compiles.

    python -m benchmarks.simulator [--json results.json]

Products are m16n8k16 of f16 by 128 threads a block. The kernel is y[16, 4096] = x[16, 4096] @ w[4096, 4096] with
weights of 4 bits, with all that the simulator checks and counts. Compiling is that of a kernel of one line, and of the
matmul, in a process that has compiled one before.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from tilevm.runtime.simulator import compile_host

HERE = Path(__file__).parent
MATMUL = HERE.parent / "tests" / "kernels" / "matmul_u4.cu"
ROUNDS = 5
"""Of which the fastest counts: the others were disturbed."""
EXTENT, ROWS = 4096, 16
FLOPS_OF_A_PRODUCT = 2 * 16 * 8 * 16
GOALS = {
    "products, GFLOP/s": "at least 2",
    "16x4096x4096 with u4 weights, s": "at most 10",
    "compile one line, s": "at most 0.5",
    "compile the matmul, s": "at most 0.6",
}


def products() -> float:
    """GFLOP/s of matrix products."""
    blocks, steps, warps, unrolled = 4, 2000, 4, 4
    module = compile_host((HERE / "simulator.cu").read_text(encoding="utf-8"))
    x, y = np.zeros(1024, np.uint32), np.zeros(2048, np.uint32)
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        module.launch("products", blocks, [x, y, steps]).check()
        times.append(time.perf_counter() - start)
    return blocks * steps * warps * unrolled * FLOPS_OF_A_PRODUCT / min(times) / 1e9


def matmul() -> float:
    """Seconds of the matmul, compiling left out."""
    module = compile_host(MATMUL.read_text(encoding="utf-8"))
    x = np.random.default_rng(0).standard_normal((ROWS, EXTENT)).astype(np.float16)
    w, y = np.zeros(EXTENT * EXTENT // 2, np.uint8), np.zeros((ROWS, EXTENT), np.float16)
    start = time.perf_counter()
    module.launch("matmul_u4", EXTENT // 64, [x, w, y, EXTENT, EXTENT]).check()
    return time.perf_counter() - start


def compiling(source: str) -> float:
    """Seconds to compile a source; each time another one, since what was compiled is kept."""
    times = []
    for number in range(ROUNDS):
        start = time.perf_counter()
        compile_host(f"{source}\n// {time.time_ns()} {number}\n")
        times.append(time.perf_counter() - start)
    return min(times)


@click.command()
@click.option("--json", "target", type=click.Path(path_type=Path), help="Also write the figures to this file.")
def main(target: Path | None) -> None:
    """Measures, and prints the figures beside their goals."""
    line = "TV_KERNEL(one, 32, tv::u32* y) { tv::store_global_u32(y + tv::thread_index(), 1); }"
    figures = dict(
        zip(
            GOALS,
            (products(), matmul(), compiling(line), compiling(MATMUL.read_text(encoding="utf-8"))),
            strict=True,
        )
    )
    table = Table("figure", "measured", "goal", title="the simulator, on one core")
    for name, figure in figures.items():
        table.add_row(name, f"{figure:.2f}", GOALS[name])
    Console().print(table)
    if target is not None:
        target.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
