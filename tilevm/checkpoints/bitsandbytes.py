"""bitsandbytes NF4: codes flat in row-major order, the high nibble first, one absmax for each block.

``quant_state`` is JSON in bytes. With double quantisation absmax itself is 8-bit codes of a table, scaled for each
block of 256, plus one offset: ``absmax = table[code] · nested_absmax + nested_offset``.
"""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tilevm.dtypes import dtype
from tilevm.errors import CheckpointError
from tilevm.quantization import QuantizedTensor

__all__ = ["nf4"]


def nf4(name: str, packed: NDArray[Any], state: bytes, parts: dict[str, NDArray[Any]]) -> QuantizedTensor:
    """``parts``: ``absmax``, ``quant_map`` and, doubly quantised, ``nested_absmax`` and ``nested_quant_map``."""
    try:
        facts = json.loads(state)
        shape = tuple(int(each) for each in facts["shape"])
        block, offset = int(facts["blocksize"]), np.float32(facts.get("nested_offset", 0))
        nested = int(facts.get("nested_blocksize", 256))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CheckpointError("H005", f"tensor {name!r}: its quant_state is damaged: {error}") from None
    count = math.prod(shape)
    if not shape or min(shape) < 1 or block < 1 or nested < 1 or packed.size != -(-count // 2):
        raise CheckpointError("H005", f"tensor {name!r}: {packed.size} bytes are not {list(shape)} codes of 4 bits")
    if not np.array_equal(parts["quant_map"], np.array(dtype("nf4").table, np.float32)):
        raise CheckpointError("H005", f"tensor {name!r}: its quant_map is not that of NF4")
    absmax = parts["absmax"].reshape(-1)
    if "nested_absmax" in parts:
        spread = np.repeat(parts["nested_absmax"].reshape(-1), nested)[: absmax.size]
        if spread.size != absmax.size or parts["nested_quant_map"].size != 256:
            raise CheckpointError("H005", f"tensor {name!r}: nested_absmax or nested_quant_map is too short")
        absmax = parts["nested_quant_map"].reshape(-1)[absmax] * spread + offset
    if absmax.size != -(-count // block):
        raise CheckpointError("H005", f"tensor {name!r}: {absmax.size} scales are not one for {block} of {count}")
    pairs = packed.reshape(-1)
    codes = np.stack([pairs >> 4, pairs & 15], 1).reshape(-1)[:count].reshape(shape)
    group = math.gcd(block, shape[-1])
    scales = absmax[np.arange(0, count, group) // block].reshape(*shape[:-1], -1)
    return QuantizedTensor.from_codes(codes, "nf4", scales, group, len(shape) - 1)
