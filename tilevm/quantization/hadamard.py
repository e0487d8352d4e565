"""The random Hadamard transform: signs, then a Hadamard matrix, for each run of elements along an axis.

An outlier among ``size`` elements is spread over all of them, so that the scale of their block no longer follows it.
The matrix ``M = H · diag(signs) / √size`` is orthonormal and the same for every run: ``(x Mᵀ) (M w) = x w``, so that a
product may use the transformed weights with inputs that are transformed in the same way.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tilevm.errors import DTypeError
from tilevm.philox import random_words

__all__ = ["Hadamard", "check_seed"]

CACHED = 1 << 16
"""Numbers that are transformed at a time, so that they stay in the cache through all butterflies."""


@dataclass(frozen=True)
class Hadamard:
    """A transform of runs of ``size`` elements along ``axis``, which counts from the front.

    Sign i of a run is minus where the lowest bit of word i of Philox for the seed (``random(size, seed)`` of the
    language) is set. All is computed in ``float32``, in this order: the signs; the butterflies ``(a + b, a - b)`` of
    elements 1, 2, 4 … size / 2 apart; the product with ``float32(1 / √size)``. The inverse is butterflies, product,
    signs.

    Raises ``DTypeError`` D020 for a size that is not a power of two, and D021 for a seed that is not 0 … 2^64 - 1.

    >>> hadamard = Hadamard(axis=0, size=16, seed=1)
    >>> w = np.zeros((32, 1), np.float32)
    >>> w[3] = 8
    >>> np.abs(hadamard.apply(w)).ravel()[[0, 15, 16]].tolist()
    [2.0, 2.0, 0.0]
    >>> bool((hadamard.undo(hadamard.apply(w)) == w).all())
    True
    """

    axis: int
    size: int
    seed: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.size, int) or self.size < 2 or self.size & (self.size - 1):
            raise DTypeError("D020", f"a Hadamard transform has a power of two of elements, not {self.size!r}")
        check_seed(self.seed)

    def check(self, shape: tuple[int, ...]) -> None:
        """Raises ``DTypeError`` D020 where the size does not divide the axis."""
        if not 0 <= self.axis < len(shape) or shape[self.axis] % self.size:
            length = shape[self.axis] if 0 <= self.axis < len(shape) else "no"
            raise DTypeError(
                "D020",
                f"a Hadamard transform of {self.size} does not divide axis {self.axis}, which has {length} elements",
            )

    @property
    def signs(self) -> NDArray[np.float32]:
        """1 or -1 for each element of a run."""
        words = random_words(np.arange(self.size, dtype=np.uint64), np.array([self.seed], np.uint64))
        return np.where(words & 1, np.float32(-1), np.float32(1))

    def matrix(self) -> NDArray[np.float32]:
        """``M[size, size]``, such that the transform of a column vector is ``M @ v``."""
        return Hadamard(0, self.size, self.seed).apply(np.eye(self.size, dtype=np.float32))

    def apply(self, numbers: NDArray[np.float32]) -> NDArray[np.float32]:
        """The transform of each run, in a new array."""
        return self._transformed(numbers, inverse=False)

    def undo(self, numbers: NDArray[np.float32]) -> NDArray[np.float32]:
        """The inverse, in a new array."""
        return self._transformed(numbers, inverse=True)

    def _transformed(self, numbers: NDArray[np.float32], inverse: bool) -> NDArray[np.float32]:
        self.check(numbers.shape)
        result = np.array(numbers, np.float32, order="C")
        inner = math.prod(numbers.shape[self.axis + 1 :])
        runs = result.reshape(result.size // max(1, self.size * inner), self.size, inner)
        signs, factor = self.signs[:, None], np.float32(1 / math.sqrt(self.size))
        step = max(1, CACHED // max(1, runs[:1].size))
        for start in range(0, len(runs), step):
            part = runs[start : start + step]
            if not inverse:
                part *= signs
            self._butterflies(part)
            part *= factor
            if inverse:
                part *= signs
        return result

    def _butterflies(self, runs: NDArray[np.float32]) -> None:
        """Changes ``[runs, size, inner]`` in place."""
        distance = 1
        while distance < self.size:
            pairs = runs.reshape(-1, 2, distance * runs.shape[2])
            first = pairs[:, 0] + pairs[:, 1]
            np.subtract(pairs[:, 0], pairs[:, 1], out=pairs[:, 1])
            pairs[:, 0] = first
            distance *= 2

    def facts(self) -> dict[str, Any]:
        """What a file says of the transform."""
        return {"axis": int(self.axis), "size": self.size, "seed": int(self.seed)}


def check_seed(seed: int) -> None:
    """Raises ``DTypeError`` D021 for what is no seed."""
    if not isinstance(seed, int | np.integer) or not 0 <= seed < 2**64:
        raise DTypeError("D021", f"a seed is an integer of 0 … 2^64 - 1, not {seed!r}")
