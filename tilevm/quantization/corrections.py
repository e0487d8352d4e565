"""What is kept beside the codes: rows that stay wide, and a correction of low rank. Both are added to the weights.

    w ≈ q.dequantize() + wide, in some rows              outlier channels, important tokens of a cache
    w ≈ q.dequantize() + left @ right                    the largest part of the error, as a product

so that a product is that of the codes and a small one: ``x @ w ≈ x @ q + x[:, rows] @ wide``, or ``x @ q + (x @ left)
@ right``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tilevm.dtypes import DType, dtype
from tilevm.errors import DTypeError
from tilevm.packed_array import PackedArray
from tilevm.quantization.quantizer import axis_of, finite_numbers, held, quantize
from tilevm.quantization.scheme import Scheme
from tilevm.quantization.tensor import QuantizedTensor

__all__ = ["LowRank", "OutlierSplit", "correct_low_rank", "split_outliers"]


@dataclass(frozen=True, eq=False)
class OutlierSplit:
    """``rest``, in whose codes the rows are zero, or near it where the format has no zero; and what is missing to the
    rows: ``wide`` has the shape of the weights, with ``len(rows)`` elements along ``axis``. ``rows`` are in order.
    """

    rest: QuantizedTensor
    rows: NDArray[np.int64]
    wide: NDArray[Any] | PackedArray
    axis: int

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the weights."""
        return self.rest.shape

    @property
    def nbytes(self) -> int:
        """Bytes of all parts; four for the number of a row."""
        return self.rest.nbytes + self.wide.nbytes + 4 * self.rows.size

    @property
    def bits_per_weight(self) -> float:
        """Bits of all parts for each weight."""
        return 8 * self.nbytes / max(1, self.rest.codes.size)

    def dequantize(self) -> NDArray[np.float32]:
        """The weights, ``float32``."""
        numbers = self.rest.dequantize()
        rows = (slice(None),) * self.axis + (self.rows,)
        numbers[rows] += np.asarray(self.wide, np.float32)
        return numbers

    def __repr__(self) -> str:
        return f"OutlierSplit({self.rows.size} rows of axis {self.axis} kept wide, {self.rest!r})"


def split_outliers(
    weights: ArrayLike,
    scheme: Scheme | DType | str,
    rows: int | ArrayLike,
    axis: int = 0,
    importance: ArrayLike | None = None,
    wide: DType | str = "f16",
    along: int | None = None,
    **options: Any,
) -> OutlierSplit:
    """Keeps some rows of ``axis`` wide, and quantises the rest as ``quantize`` does with ``axis`` and ``options``.
    ``along`` is the axis of the rows where it is another one.

    ``rows`` are their numbers, or how many: then those with the largest magnitude times ``importance``, a number for
    each row (for a product: the largest magnitude of the inputs of that row); of equals the first.

    Raises ``DTypeError`` D021 for rows that do not exist or stand twice, and for importance of another length or that
    is not finite; and what ``quantize`` raises.

    >>> w = 7 * np.eye(32, dtype=np.float32)
    >>> w[7, 3] = 1000
    >>> split = split_outliers(w, "i4", rows=1, group=32)
    >>> split.rows.tolist(), float(np.abs(split.dequantize() - w).max())
    ([7], 0.0)
    """
    numbers = finite_numbers(weights).copy()
    side = axis_of(numbers.shape, axis if along is None else along)
    chosen = _rows(numbers, rows, side, importance)
    place = (slice(None),) * side + (chosen,)
    kept = numbers[place]
    numbers[place] = 0
    rest = quantize(numbers, scheme, axis=axis, **options)
    missing = kept - rest.dequantize()[place]
    return OutlierSplit(rest, chosen, held(missing, dtype(wide)), side)


def _rows(numbers: NDArray[np.float32], rows: int | ArrayLike, axis: int, importance: ArrayLike | None) -> Any:
    length = numbers.shape[axis]
    weight = np.ones(length) if importance is None else np.asarray(importance, np.float64)
    if weight.shape != (length,) or not np.isfinite(weight).all():
        raise DTypeError("D021", f"importance has a finite number for each of {length} rows, not {list(weight.shape)}")
    if isinstance(rows, int | np.integer):
        if not 0 <= rows <= length:
            raise DTypeError("D021", f"{rows} of {length} rows cannot be kept wide")
        others = tuple(place for place in range(numbers.ndim) if place != axis)
        size = np.abs(numbers).max(others, initial=0) * weight
        return np.sort(np.argsort(-size, kind="stable")[:rows]).astype(np.int64)
    given = np.asarray(rows)
    fits = given.ndim == 1 and (given.dtype.kind in "iu" or not given.size)
    chosen = np.unique(given.astype(np.int64)) if fits else given
    if not fits or chosen.size != given.size or (chosen.size and not 0 <= chosen[0] <= chosen[-1] < length):
        raise DTypeError("D021", f"rows to keep wide are different numbers of 0 … {length - 1}, not {rows!r}")
    return chosen


@dataclass(frozen=True, eq=False)
class LowRank:
    """``quantized`` and ``left[K, rank]``, ``right[rank, N]``, whose product is added."""

    quantized: QuantizedTensor
    left: NDArray[Any] | PackedArray
    right: NDArray[Any] | PackedArray

    @property
    def rank(self) -> int:
        """How many columns ``left`` has."""
        return int(self.left.shape[1])

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the weights."""
        return self.quantized.shape

    @property
    def nbytes(self) -> int:
        """Bytes of all parts."""
        return self.quantized.nbytes + self.left.nbytes + self.right.nbytes

    @property
    def bits_per_weight(self) -> float:
        """Bits of all parts for each weight."""
        return 8 * self.nbytes / max(1, self.quantized.codes.size)

    def dequantize(self) -> NDArray[np.float32]:
        """The weights, ``float32``."""
        product = np.asarray(self.left, np.float32) @ np.asarray(self.right, np.float32)
        return self.quantized.dequantize() + product

    def __repr__(self) -> str:
        return f"LowRank(rank {self.rank}, {self.quantized!r})"


def correct_low_rank(
    weights: ArrayLike, quantized: QuantizedTensor, rank: int, factors: DType | str = "f16"
) -> LowRank:
    """Adds the best approximation of rank ``rank`` to the error of a matrix that was quantised.

    It is that of the singular value decomposition, in ``float64``, each factor with the square root of the singular
    values, rounded to ``factors``. Reference: Yao et al., "ZeroQuant-V2", 2023, LoRC.

    Raises ``DTypeError`` D021 for a rank that is not 1 … min(K, N), D017 for weights of another shape or that are no
    matrix.
    """
    numbers = finite_numbers(weights)
    if numbers.shape != quantized.shape or numbers.ndim != 2:
        raise DTypeError(
            "D017", f"{list(numbers.shape)} weights are not a matrix that is quantised as {list(quantized.shape)}"
        )
    if not isinstance(rank, int) or not 1 <= rank <= min(numbers.shape):
        raise DTypeError("D021", f"the rank of a correction is 1 … {min(numbers.shape)}, not {rank!r}")
    error = numbers.astype(np.float64) - quantized.dequantize()
    left, values, right = np.linalg.svd(error, full_matrices=False)
    root = np.sqrt(values[:rank])
    kind = dtype(factors)
    sides = (left[:, :rank] * root, root[:, None] * right[:rank])
    return LowRank(quantized, *(held(side.astype(np.float32), kind) for side in sides))
