"""The data of a product on the GPU: random codes and scales, random activations; and what the product has to be.

Any bits are codes of a format, so codes are random bytes, but for floats of 8 bits, of which some have NaN: their
exponents are kept small. Random numbers repeat after 16 million, since making more takes longer than all that is
measured; no cache holds so many. What a contestant computes is compared on a strip of columns with the product in f64
on the host, of codes that are decoded there. Everything is made when it is first asked for: contestants need different
forms of the same weights.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from benchmarks.shapes import Weights
from tilevm import PackedArray
from tilevm.dtypes import dtype
from tilevm.packing import packed_bytes

__all__ = ["STRIP", "Data", "error_of"]

STRIP = 64
"""Columns that are compared, the last ones."""
PERIOD = (1 << 24) - 3
"""Random numbers before they repeat; no power of two, so that rows are not alike."""
SMALL_EXPONENT = 0xBF
"""What the bytes of a float of 8 bits are masked by: without the highest bit of the exponent there is no NaN."""


class Data:
    """Weights of a kind on the GPU of a CuPy."""

    def __init__(self, cupy: Any, weights: Weights) -> None:
        self.cupy, self.weights = cupy, weights
        self._random = np.random.default_rng(weights.n + weights.k)

    @cached_property
    def codes(self) -> PackedArray:
        """Codes ``[k, n]``, row after row."""
        kind = dtype(self.weights.format)
        return self._random_codes(kind, (self.weights.k, self.weights.n))

    @cached_property
    def scales(self) -> PackedArray:
        """Scales ``[groups, n]``, about 1/100 each."""
        kind, shape = dtype(self.weights.scale), (self.weights.groups, self.weights.n)
        size = shape[0] * shape[1]
        numbers = np.resize(0.01 * (0.5 + self._random.random(min(size, PERIOD))), size).reshape(shape)
        held = PackedArray.from_values(numbers, kind)
        return PackedArray(self.cupy.asarray(held.data), kind, shape)

    def _random_codes(self, kind: Any, shape: tuple[int, int]) -> PackedArray:
        size = packed_bytes(shape[0] * shape[1], kind.bits)
        data = np.resize(self._random.integers(0, 256, min(size, PERIOD), np.uint8), size)
        if kind.kind == "float" and kind.bits == 8:
            data &= SMALL_EXPONENT
        return PackedArray(self.cupy.asarray(data), kind, shape)

    def activations(self, m: int) -> Any:
        """Normal activations ``f16[m, k]``."""
        return self.cupy.asarray(self._random.standard_normal((m, self.weights.k)).astype(np.float16))

    @cached_property
    def dense(self) -> Any:
        """Normal weights ``f16[k, n]`` for products without codes, and for those who quantise by themselves."""
        return self.cupy.asarray(self._dense_on_host)

    @cached_property
    def _dense_on_host(self) -> np.ndarray:
        size = self.weights.k * self.weights.n
        numbers = 0.02 * self._random.standard_normal(min(size, PERIOD), np.float32)
        return np.resize(numbers.astype(np.float16), size).reshape(self.weights.k, self.weights.n)

    @cached_property
    def dense_strip(self) -> np.ndarray:
        """The last columns of the dense weights, on the host in f64."""
        return self._dense_on_host[:, -STRIP:].astype(np.float64)

    @cached_property
    def strip(self) -> np.ndarray:
        """The last columns of the weights, decoded on the host in f64."""
        n, k = self.weights.n, self.weights.k
        width, kind = min(STRIP, n), dtype(self.weights.format)
        data = self.cupy.asnumpy(self.codes.data)
        if n * kind.bits % 8 == 0 and width * kind.bits % 8 == 0:
            rows = data.reshape(k, n * kind.bits // 8)[:, -(width * kind.bits // 8) :]
            codes = PackedArray(np.ascontiguousarray(rows).reshape(-1), kind, (k, width)).codes()
        else:
            codes = PackedArray(data, kind, (k, n)).codes()[:, -width:]
        held = PackedArray(self.cupy.asnumpy(self.scales.data), self.scales.dtype, self.scales.shape)
        scales = np.repeat(np.asarray(held.numpy(), np.float64)[:, -width:], self.weights.group or k, axis=0)[:k]
        return np.asarray(kind.decode(codes), np.float64) * scales


def error_of(found: np.ndarray, factors: np.ndarray, strip: np.ndarray) -> float:
    """How far the last columns of a product are from ``factors @ strip``, relative to its norm.

    >>> strip = np.eye(3)
    >>> error_of(np.eye(3)[:2], np.eye(3)[:2], strip), error_of(np.zeros((2, 3)), np.eye(3)[:2], strip)
    (0.0, 1.0)
    """
    exact = factors.astype(np.float64) @ strip
    got = found[:, -strip.shape[1] :].astype(np.float64)
    if got.shape != exact.shape:
        return float("inf")
    return float(np.linalg.norm(got - exact) / np.linalg.norm(exact))
