"""How fast the interpreter is, beside NumPy and, where it can be installed, Triton's interpreter.

    python -m benchmarks.interpreter [--json results.json]

Every figure is a ratio of two things measured in turns in this process, by the median of several rounds; Triton runs in
a process of its own, on the same matrices. Memory is the peak that NumPy allocates during one call (tracemalloc).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import click
import numpy as np
from rich.console import Console
from rich.table import Table

import tilevm
from benchmarks.timing import in_turns

EXAMPLES = Path(__file__).parent.parent / "examples"


def small_matmul() -> dict[str, float]:
    """256 x 256 x 256 in f32: the kernel, and NumPy's product."""
    kernel = tilevm.load(EXAMPLES / "matmul.tvm").matmul_plain
    random = np.random.default_rng(0)
    x, w = (random.standard_normal((256, 256)).astype(np.float32) for _ in range(2))
    result = kernel(x, w, A="f32", BM=64)
    assert np.allclose(result, x @ w, rtol=1e-4, atol=1e-4)
    ours, numpys = in_turns(lambda: kernel(x, w, A="f32", BM=64), lambda: x @ w)
    return {"tilevm_seconds": ours, "numpy_seconds": numpys}


def triton_matmul() -> float | None:
    """Seconds of the same product in Triton's interpreter, None where Triton is not installed."""
    environment = dict(os.environ, TRITON_INTERPRET="1")
    script = Path(__file__).with_name("triton_interpreter.py")
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, env=environment, check=False)
    return float(done.stdout) if done.returncode == 0 else None


def quantized_matmul() -> dict[str, float]:
    """16 x 4096 x 4096 with f6e3m2 weights in groups of 128: the kernel, NumPy's product, and the peak of memory."""
    kernel = tilevm.load(EXAMPLES / "matmul.tvm").matmul
    random = np.random.default_rng(0)
    x = random.standard_normal((16, 4096)).astype(np.float16)
    weights = random.standard_normal((4096, 4096)).astype(np.float32)
    quantized = tilevm.quantize(weights, "f6e3m2", group=128)
    dequantized, wide = quantized.dequantize(), x.astype(np.float32)
    result = kernel(x, quantized.codes, quantized.scales)
    exact = wide.astype(np.float64) @ dequantized
    error = float(np.linalg.norm(result - exact) / np.linalg.norm(exact))
    assert error < 1e-3, error
    ours, numpys = in_turns(lambda: kernel(x, quantized.codes, quantized.scales), lambda: wide @ dequantized)
    tracemalloc.start()
    kernel(x, quantized.codes, quantized.scales)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return {
        "tilevm_seconds": ours,
        "numpy_seconds": numpys,
        "relative_error": error,
        "peak_bytes": peak,
        "weight_bytes": dequantized.nbytes,
    }


def text_to_program() -> float:
    """Seconds from text to verified IR for the matmul kernel, once the grammar is built."""
    text = (EXAMPLES / "matmul.tvm").read_text(encoding="utf-8")
    (seconds,) = in_turns(lambda: tilevm.kernel(text, name="matmul").specialise(W="f6e3m2"))
    return seconds


def import_time() -> dict[str, float]:
    """Seconds of ``import tilevm`` and of ``import numpy`` alone, each in a fresh process without the interpreter's
    start.
    """

    def fresh(statement: str) -> Callable[[], object]:
        return lambda: subprocess.run([sys.executable, "-c", statement], check=True)

    ours, numpys, nothing = in_turns(fresh("import tilevm"), fresh("import numpy"), fresh("pass"))
    return {"tilevm_seconds": ours - nothing, "numpy_seconds": numpys - nothing}


@click.command()
@click.option("--json", "target", type=click.Path(path_type=Path), help="Also write the figures to this file.")
def main(target: Path | None) -> None:
    """Measures, and prints one table."""
    small, large, text, imported = small_matmul(), quantized_matmul(), text_to_program(), import_time()
    triton = triton_matmul()
    table = Table("what", "tilevm", "beside", "ratio", "goal")
    peer = "Triton not installed" if triton is None else f"{1e3 * triton:.0f} ms (Triton's interpreter)"
    ratio = "" if triton is None else f"{triton / small['tilevm_seconds']:.0f}x faster"
    table.add_row("256x256x256 f32", f"{1e3 * small['tilevm_seconds']:.2f} ms", peer, ratio, "20x faster")
    _row(table, "256x256x256 f32", small, "20x faster than Triton's 210 ms: 10.5 ms")
    _row(table, "16x4096x4096 f6e3m2", large, "within 20x")
    share = large["peak_bytes"] / large["weight_bytes"]
    table.add_row("its memory", f"{large['peak_bytes'] / 1e6:.0f} MB", "the f32 weights", f"{share:.2f}x", "under 4x")
    table.add_row("text to verified IR", f"{1e3 * text:.1f} ms", "", "", "under 15 ms")
    _row(table, "import tilevm", imported, "under 150 ms")
    Console().print(table)
    if target is not None:
        figures = {"small": small, "triton_seconds": triton, "large": large, "text_seconds": text, "import": imported}
        target.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def _row(table: Table, name: str, figures: dict[str, float], goal: str) -> None:
    ours, numpys = figures["tilevm_seconds"], figures["numpy_seconds"]
    table.add_row(name, f"{1e3 * ours:.2f} ms", f"{1e3 * numpys:.2f} ms (NumPy)", f"{ours / numpys:.1f}x slower", goal)


if __name__ == "__main__":
    main()
