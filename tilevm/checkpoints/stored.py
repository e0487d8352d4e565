"""A quantised tensor as checkpoints have it: also with an offset for each group, and with its rows in another order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tilevm.packed_array import PackedArray
from tilevm.quantization import QuantizedTensor

__all__ = ["StoredTensor", "stored"]


@dataclass(frozen=True, eq=False)
class StoredTensor(QuantizedTensor):
    """Adds ``offsets``, shaped as the scales, which are subtracted after scaling, and ``permutation``: the element that
    stands at ``i`` of ``axis`` here is element ``permutation[i]`` of the weights.
    """

    offsets: NDArray[np.float32] | None = None
    permutation: NDArray[np.int64] | None = None

    def dequantize(self) -> NDArray[np.float32]:
        """The weights, ``float32``: ``(decode(code) - zero) · scale - offset``, rounded after each operation."""
        numbers = super().dequantize()
        if self.offsets is not None:
            numbers -= np.repeat(self.offsets, self.group, axis=self.axis)
        if self.permutation is not None:
            numbers = np.take(numbers, np.argsort(self.permutation), axis=self.axis)
        return numbers


def stored(
    codes: NDArray[Any],
    kind: str,
    scales: NDArray[Any] | PackedArray,
    group: int,
    axis: int,
    zeros: NDArray[Any] | None = None,
    **more: Any,
) -> StoredTensor:
    """A tensor from codes that are not packed yet."""
    return StoredTensor(PackedArray.from_codes(codes, kind), scales, zeros, group, axis, **more)
