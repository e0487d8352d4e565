"""Small GGUF files of random blocks, written and read by the package `gguf`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

TYPES = {
    "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "Q2_K": [80, 82], "Q3_K": [108],
    "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208], "IQ4_NL": [0], "IQ4_XS": [0], "TQ1_0": [52], "TQ2_0": [64],
    "MXFP4": [], "NVFP4": [],
}  # fmt: skip
"""Where in a block the floats of 16 bits stand."""


def gguf_file(path: Path, data: Any, kind: str) -> Any:
    """Writes a file with the tensor ``a``; gives its weights as the package reads them."""
    gguf = pytest.importorskip("gguf")
    enum = gguf.GGMLQuantizationType[kind]
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_array("some.texts", ["a", "b"])
    writer.add_tensor("a", data, raw_dtype=enum)
    for write_part in (writer.write_header_to_file, writer.write_kv_data_to_file, writer.write_tensors_to_file):
        write_part()
    writer.close()
    return gguf.quants.dequantize(data, enum)


def random_blocks(kind: str, random: np.random.Generator) -> Any:
    """Two rows of three blocks of any bytes that are a number each."""
    gguf = pytest.importorskip("gguf")
    size = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[kind]][1]
    data = random.integers(0, 256, (2, 3, size), dtype=np.uint8)
    for at in TYPES[kind]:
        data[..., at : at + 2] = random.uniform(-2, 2, (2, 3, 1)).astype("f2").view("u1")
    if kind == "MXFP4":
        data[..., 0] = 120 + data[..., 0] % 16
    if kind == "NVFP4":
        data[..., :4] %= 127
    if kind == "TQ2_0":
        data[..., :64] = random.integers(0, 3, (2, 3, 4, 64), dtype=np.uint8).transpose(0, 1, 3, 2) @ [1, 4, 16, 64]
    return data.reshape(2, -1)
