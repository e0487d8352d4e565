"""LLM operators, written in the language: each is a program, and the Python that calls it.

pack_weight  PackedWeight       a quantised weight as the product reads it
pack_gated                      two of them, for silu(x @ gate) * (x @ up)
matmul                          y = x @ w, for weights of any format and activations of 16 or 8 bits
tune_matmul                     the settings with which it is fastest
quantize  Quantized  hadamard   numbers to codes and scales, fused with a Hadamard transform
swiglu_quantize  rms_norm_quantize      what they compute, as codes and scales

They take NumPy arrays and arrays on a GPU, and run where these lie; ``backend`` says otherwise.
"""

from __future__ import annotations

from tilevm.ops.matmul import matmul
from tilevm.ops.quantization import Quantized, hadamard, quantize, rms_norm_quantize, swiglu_quantize
from tilevm.ops.tuning import tune_matmul
from tilevm.ops.weights import PackedWeight, pack_gated, pack_weight

__all__ = [
    "PackedWeight",
    "Quantized",
    "hadamard",
    "matmul",
    "pack_gated",
    "pack_weight",
    "quantize",
    "rms_norm_quantize",
    "swiglu_quantize",
    "tune_matmul",
]
