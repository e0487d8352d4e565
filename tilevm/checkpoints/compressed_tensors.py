"""compressed-tensors, format pack-quantized: ``weight_packed[N, words]`` of ``q + 2^(b-1)`` along K.

``weight_scale[N, K/g]``; ``weight_zero_point`` packed along N in the same way, ``weight_shape`` = (N, K). Codes lie
densely in files of recent versions, and with the rest of each word left over in older ones.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tilevm.checkpoints.words import dense, divided, padded, words_of
from tilevm.errors import CheckpointError
from tilevm.quantization import QuantizedTensor

__all__ = ["pack_quantized"]


def pack_quantized(
    name: str,
    packed: NDArray[Any],
    scales: NDArray[Any],
    shape: NDArray[Any],
    zero_point: NDArray[Any] | None,
    bits: int | None,
) -> QuantizedTensor:
    """``bits`` is what the configuration says; without it the only width that the number of words allows."""
    rows, columns = (int(each) for each in shape.reshape(-1)) if shape.size == 2 else (-1, -1)
    fitting = [each for each in range(1, 9) if columns > 0 and packed.shape[-1] in words_of(columns, each)]
    width = bits if bits in fitting else fitting[0] if bits is None and len(fitting) == 1 else None
    if width is None or packed.ndim != 2 or packed.shape[0] != rows or scales.ndim != 2 or scales.shape[0] != rows:
        raise CheckpointError(
            "H005",
            f"tensor {name!r}: {list(packed.shape)} words with scales {list(scales.shape)} are not {rows} by {columns} "
            f"codes of {bits or 'one width of 1 to 8'} bits",
            help="config.json has the width, num_bits: convert the folder, not one file",
        )
    codes = _codes(packed, width, columns)
    groups = scales.shape[1]
    size = -(-columns // max(groups, 1))
    held, group = divided(scales, size, columns, 1)
    if zero_point is None:
        return QuantizedTensor.from_codes(codes ^ np.uint8(1 << (width - 1)), f"i{width}", held, group, 1)
    if zero_point.dtype == np.int8:
        zeros = zero_point.astype(np.float32) + np.float32(1 << (width - 1))
    else:
        zeros = _codes(np.ascontiguousarray(zero_point.T), width, rows).T.astype(np.float32)
    if zeros.shape != scales.shape:
        raise CheckpointError("H005", f"tensor {name!r}: zero points {list(zeros.shape)}, scales {list(scales.shape)}")
    return QuantizedTensor.from_codes(codes, f"u{width}", held, group, 1, divided(zeros, size, columns, 1)[0])


def _codes(words: NDArray[Any], bits: int, count: int) -> NDArray[np.uint8]:
    """Dense or padded, by the number of words; where both take as many, padded if all that it leaves over is 0."""
    close, loose = words_of(count, bits)
    if words.shape[1] not in (close, loose):
        raise CheckpointError("H005", f"{words.shape[1]} words do not hold {count} codes of {bits} bits")
    left_over = np.ascontiguousarray(words).view(np.uint32) >> np.uint32(bits * (32 // bits) % 32)
    if words.shape[1] == close and (32 % bits == 0 or close != loose or left_over.any()):
        return dense(words, bits, count)
    return padded(words, bits, count)
