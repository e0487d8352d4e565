"""Blocks of small floats: NVFP4 (two makers), MXFP4, MXFP6, and the MXFP4 of gpt-oss. All along the last axis.

NVFP4 has an e4m3 scale for 16 and one float for the tensor: compressed-tensors divides by it, ModelOpt multiplies.
MX formats have an e8m0 scale for 32. Codes are dense, the first in the low bits.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tilevm.dtypes import dtype
from tilevm.errors import CheckpointError
from tilevm.packed_array import PackedArray
from tilevm.quantization import QuantizedTensor

__all__ = ["gpt_oss", "mx", "nvfp4"]


def nvfp4(
    name: str, packed: NDArray[Any], scales: NDArray[Any], overall: NDArray[Any], divide: bool
) -> QuantizedTensor:
    """The scales become floats: the e4m3 scale by or times the tensor's, rounded to ``float32`` once."""
    _check(name, packed, scales, 8)
    if overall.size != 1:
        raise CheckpointError("H005", f"tensor {name!r}: there is more than one scale for the tensor: {overall.shape}")
    each, whole = dtype("f8e4m3").decode_to(scales, np.float32), np.float32(overall.reshape(-1)[0])
    shape = (*packed.shape[:-1], packed.shape[-1] * 2)
    codes = PackedArray(packed.reshape(-1), "f4e2m1", shape)
    return QuantizedTensor.grouped(codes, each / whole if divide else each * whole, 16, len(shape) - 1)


def mx(name: str, packed: NDArray[Any], scales: NDArray[Any], kind: str) -> QuantizedTensor:
    """``packed[…, K·bits/8]`` bytes with ``scales[…, K/32]``."""
    bits = dtype(kind).bits
    _check(name, packed, scales, 4 * bits)
    shape = (*packed.shape[:-1], packed.shape[-1] * 8 // bits)
    held = PackedArray(np.ascontiguousarray(scales).reshape(-1), "e8m0", scales.shape)
    return QuantizedTensor.grouped(PackedArray(packed.reshape(-1), kind, shape), held, 32, len(shape) - 1)


def gpt_oss(name: str, blocks: NDArray[Any], scales: NDArray[Any]) -> QuantizedTensor:
    """``blocks[E, N, K/32, 16]`` and ``scales[E, N, K/32]``."""
    if blocks.ndim < 2 or blocks.shape[-1] != 16 or blocks.shape[:-1] != scales.shape:
        shapes = f"blocks {list(blocks.shape)}, scales {list(scales.shape)}"
        raise CheckpointError("H005", f"tensor {name!r}: {shapes} are not those of gpt-oss")
    return mx(name, blocks.reshape(*blocks.shape[:-2], -1), scales, "f4e2m1")


def _check(name: str, packed: NDArray[Any], scales: NDArray[Any], bytes_each: int) -> None:
    wanted = (*packed.shape[:-1], packed.shape[-1] // bytes_each if packed.ndim else 0)
    if packed.ndim == 0 or packed.shape[-1] % bytes_each or scales.shape != wanted:
        raise CheckpointError(
            "H005", f"tensor {name!r}: codes {list(packed.shape)} and scales {list(scales.shape)} do not go together"
        )
