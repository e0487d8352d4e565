"""GPTQ and AWQ: int32 words, weights ``[K, N]``, ``w = (q - zero) · scale``.

GPTQ is dense along K: ``qweight[K·b/32, N]``, ``qzeros[groups, N·b/32]`` dense along N, ``scales[groups, N]`` and
``g_idx[K]``, the group of each row, in any order where the weights were quantised by importance. Version 1 stores
zeros less one. AWQ is 4 bit along N, ``qweight[K, N/8]``, eight columns to a word in the order 0 2 4 6 1 3 5 7.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tilevm.checkpoints.words import dense, divided
from tilevm.errors import CheckpointError
from tilevm.quantization import QuantizedTensor

__all__ = ["awq", "gptq", "is_awq"]

_PLACES = np.argsort([0, 2, 4, 6, 1, 3, 5, 7])


def is_awq(qweight: tuple[int, ...], scales: tuple[int, ...]) -> bool:
    """Whether the words lie along N, which only AWQ does."""
    return len(qweight) == len(scales) == 2 and qweight[1] * 8 == scales[1]


def gptq(
    name: str,
    qweight: NDArray[Any],
    qzeros: NDArray[Any],
    scales: NDArray[Any],
    g_idx: NDArray[Any] | None,
    version: int | None,
) -> QuantizedTensor:
    """``version`` is what the configuration says; symmetric zeros, which are all 2^(b-1), tell it themselves."""
    if any(each.ndim != 2 for each in (qweight, qzeros, scales)) or scales.size == 0:
        raise CheckpointError("H005", f"tensor {name!r}: qweight, qzeros and scales have not 2 dimensions each")
    groups, columns = scales.shape
    bits = qzeros.shape[1] * 32 // columns
    rows = qweight.shape[0] * 32 // max(bits, 1)
    fits = qzeros.shape == (groups, columns * bits // 32) and qweight.shape[1] == columns
    if bits not in (2, 3, 4, 8) or columns * bits % 32 or not fits:
        shapes = f"{list(qweight.shape)}, qzeros {list(qzeros.shape)} and scales {list(scales.shape)}"
        raise CheckpointError("H005", f"tensor {name!r}: qweight {shapes} are not those of GPTQ")
    zeros = dense(qzeros, bits, columns).astype(np.float32)
    if (zeros == 2 ** (bits - 1) - 1).all():
        version = 1
    elif (zeros == 2 ** (bits - 1)).all():
        version = 2
    zeros += np.float32(version != 2)
    codes = dense(np.ascontiguousarray(qweight.T), bits, rows).T
    size = -(-rows // groups)
    plain = np.arange(rows) // size
    index = plain if g_idx is None else g_idx.astype(np.int64)
    if index.shape != (rows,) or (index < 0).any() or (index >= groups).any():
        raise CheckpointError("H005", f"tensor {name!r}: g_idx does not name one of {groups} groups for {rows} rows")
    if np.array_equal(index, plain):
        held, group = divided(scales, size, rows, 0)
        return QuantizedTensor.from_codes(codes, f"u{bits}", held, group, 0, divided(zeros, size, rows, 0)[0])
    order = np.argsort(index, kind="stable")
    if not np.array_equal(index[order], plain):  # groups of different length: a scale for each row
        return QuantizedTensor.from_codes(codes, f"u{bits}", scales[index], 1, 0, zeros[index])
    held, group = divided(scales, size, rows, 0)
    return QuantizedTensor.from_codes(
        codes[order],
        f"u{bits}",
        held,
        group,
        0,
        divided(zeros, size, rows, 0)[0],
        permutation=order,
    )


def awq(name: str, qweight: NDArray[Any], qzeros: NDArray[Any], scales: NDArray[Any]) -> QuantizedTensor:
    """AWQ of 4 bits; its zeros are stored as they are."""
    rows, groups = qweight.shape[0], scales.shape[0]
    if groups == 0 or rows % groups or qzeros.shape != (groups, qweight.shape[1]):
        shapes = f"{list(qweight.shape)}, qzeros {list(qzeros.shape)} and scales {list(scales.shape)}"
        raise CheckpointError("H005", f"tensor {name!r}: qweight {shapes} are not those of AWQ")
    return QuantizedTensor.from_codes(
        _columns(qweight), "u4", scales, rows // groups, 0, _columns(qzeros).astype(np.float32)
    )


def _columns(words: NDArray[Any]) -> NDArray[np.uint8]:
    codes = dense(words, 4, words.shape[1] * 8).reshape(len(words), -1, 8)
    return codes[..., _PLACES].reshape(len(words), -1)
