"""Two formats in one matrix: some columns, those that matter most, in a wider format than the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tilevm.dtypes import DType
from tilevm.errors import DTypeError
from tilevm.quantization.quantizer import finite_numbers, quantize
from tilevm.quantization.scheme import Scheme
from tilevm.quantization.tensor import QuantizedTensor

__all__ = ["ColumnSplit", "split_columns"]


@dataclass(frozen=True, eq=False)
class ColumnSplit:
    """A matrix ``[K, N]`` in two parts: column ``order[i]`` of it is column ``i`` of ``first`` and ``second``, one
    after the other. Both parts have the axis of their groups along K.

    Raises ``DTypeError`` D017 for parts of other shapes, and an order that does not name each column once.
    """

    first: QuantizedTensor
    second: QuantizedTensor
    order: NDArray[np.int64]

    def __post_init__(self) -> None:
        shapes = [part.shape for part in (self.first, self.second)]
        fits = all(len(shape) == 2 and shape[0] == shapes[0][0] for shape in shapes)
        if not fits or not np.array_equal(np.sort(self.order), np.arange(sum(shape[-1] for shape in shapes))):
            raise DTypeError("D017", f"columns of {list(shapes[0])} and {list(shapes[1])} in this order make no matrix")

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of both parts together."""
        return self.first.shape[0], self.first.shape[1] + self.second.shape[1]

    @property
    def nbytes(self) -> int:
        """Bytes of both parts; four for the number of a column."""
        return self.first.nbytes + self.second.nbytes + 4 * self.order.size

    @property
    def bits_per_weight(self) -> float:
        """Bits of all parts for each weight."""
        return 8 * self.nbytes / max(1, int(np.prod(self.shape)))

    def dequantize(self) -> NDArray[np.float32]:
        """The weights, ``float32``."""
        numbers = np.empty(self.shape, np.float32)
        numbers[:, self.order] = np.concatenate([self.first.dequantize(), self.second.dequantize()], axis=1)
        return numbers

    def __repr__(self) -> str:
        return f"ColumnSplit({self.first!r}, {self.second!r})"


def split_columns(
    weights: ArrayLike,
    scheme: Scheme | DType | str,
    wide: Scheme | DType | str,
    columns: ArrayLike,
    **options: Any,
) -> ColumnSplit:
    """Quantises a matrix ``[K, N]`` to ``scheme``, but for some columns, which are quantised to ``wide``.

    ``columns`` are their numbers, or how many: then those with the largest magnitude. ``options`` are those of
    ``quantize`` for both, which see the columns of a part side by side.

    Raises ``DTypeError`` D021 for columns that do not exist or stand twice, and where none is left for a format; and
    what ``quantize`` raises.

    >>> w = np.arange(64 * 6, dtype=np.float32).reshape(64, 6) / 50
    >>> split = split_columns(w, "i4", "i8", columns=[0, 5], group=64)
    >>> split.order.tolist(), split.first.dtype.name, split.second.shape
    ([1, 2, 3, 4, 0, 5], 'i4', (64, 2))
    """
    numbers = finite_numbers(weights)
    if numbers.ndim != 2:
        raise DTypeError("D017", f"a matrix has two dimensions, not the shape {list(numbers.shape)}")
    chosen = _chosen(numbers, columns)
    rest = np.setdiff1d(np.arange(numbers.shape[1]), chosen)
    first = quantize(numbers[:, rest], scheme, **options)
    second = quantize(numbers[:, chosen], wide, **options)
    return ColumnSplit(first, second, np.concatenate([rest, chosen]).astype(np.int64))


def _chosen(numbers: NDArray[np.float32], columns: ArrayLike) -> NDArray[np.int64]:
    length = numbers.shape[1]
    if isinstance(columns, int | np.integer):
        count = int(columns)
        size = np.abs(numbers).max(axis=0, initial=0)
        chosen = np.sort(np.argsort(-size, kind="stable")[:count]).astype(np.int64) if count > 0 else np.zeros(0, int)
        fits = 0 < count < length
    else:
        given = np.asarray(columns)
        chosen = np.unique(given).astype(np.int64) if given.dtype.kind in "iu" else np.zeros(0, int)
        fits = chosen.size == given.size and 0 < chosen.size < length and 0 <= chosen[0] <= chosen[-1] < length
    if not fits:
        raise DTypeError("D021", f"wide columns are different numbers of 0 … {length - 1}, and not all: {columns!r}")
    return chosen
