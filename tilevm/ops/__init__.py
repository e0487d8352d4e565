"""LLM operators, written in the language: each is a program, and the Python that calls it.

They take NumPy arrays and arrays on a GPU, and run where these lie; ``backend`` says otherwise.
"""

from __future__ import annotations

from tilevm.ops.quantization import Quantized, hadamard, quantize

__all__ = ["Quantized", "hadamard", "quantize"]
