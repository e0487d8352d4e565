"""What the product with quantised weights has to be, element by element, and how far from it a kernel may be.

The bound follows from how the product is computed, element by element. With u the unit roundoff of the activations'
format: sums in f32 of K exact products, at most (K + 8) 2^-24 of the sum of magnitudes, with those of codes and zero
points apart, where a zero point is taken from the sums; the scaling of a weight in the activations' format, at most 3 u
of it; and the rounding of the result, u of it. Inputs have rows with a single one, so
that a single code which is one off is seen.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tilevm.dtypes import DType, codebook, dtype
from tilevm.ops import PackedWeight, matmul
from tilevm.ops.matmul import tiles_for
from tilevm.packed_array import PackedArray
from tilevm.quantization import (
    QuantizedTensor,
)

INTEGERS = [f"{kind}{bits}" for kind in "ui" for bits in range(1, 9)]
FLOATS = "f3e1m1 f3e2m0 f4e2m1 f4e3m0 f5e2m2 f5e3m1 f6e2m3 f6e3m2 f7e3m3 f7e2m4 f8e4m3 f8e5m2 f8e3m4".split()
BOOK = codebook("seven", [-1.0, -0.5, -0.25, 0.0, 0.25, 0.5, 1.0])
FORMATS: list[DType] = [*map(dtype, [*INTEGERS, *FLOATS, "nf4", "trit"]), BOOK]
ROUNDOFF = {"f16": 2.0**-11, "bf16": 2.0**-8}
Matrix = NDArray[np.float64]


def random_weight(
    kind: DType,
    shape: tuple[int, int],
    block: tuple[int, int],
    scale: str = "f16",
    zeros: str | None = None,
    seed: int = 0,
    axis: int = 0,
) -> QuantizedTensor:
    """Any finite codes, scales of the same size within a factor of eight, zero points in the middle of the codes.

    Scales are small where codes are large, so that sums of a few hundred weights stay within f16.
    """
    random = np.random.default_rng(seed)
    codes = random.integers(0, len(kind.table) or 1 << kind.bits, shape).astype(kind.storage)
    codes[~np.isfinite(kind.decode(codes))] = 0
    grid = tuple(-(-extent // side) for extent, side in zip(shape, block, strict=True))
    reach = min(0, 10 - math.frexp(float(kind.max))[1])
    scales = PackedArray.from_values(2.0 ** (reach + random.uniform(-3, 0, grid)), scale)
    points = None
    if zeros is not None:
        middle = random.integers(0, 1 << kind.bits, grid)
        points = PackedArray.from_values(middle, zeros)
    return QuantizedTensor(PackedArray.from_codes(codes, kind), scales, points, block, axis)


def activations(rows: int, inner: int, name: str, seed: int = 1) -> tuple[Any, Matrix]:
    """Half of the rows with a single one, half random; as an array to pass, and as numbers."""
    random = np.random.default_rng(seed)
    numbers = random.standard_normal((rows, inner))
    ones = random.integers(0, inner, (rows + 1) // 2)
    numbers[: len(ones)] = np.eye(inner)[ones]
    held = PackedArray.from_values(numbers, name)
    exact = np.asarray(held, np.float64)
    return held.numpy() if name in ("f16", "i8") else held, exact


def bound(x: Matrix, w: Matrix, y: Matrix, name: str, sums: bool, reach: Matrix | None = None) -> Matrix:
    unit = ROUNDOFF[name]
    added = (x.shape[1] + 8) * 2.0**-24 * (np.abs(x) @ (np.abs(w) if reach is None else reach))
    return added + (0 if sums else 3 * unit) * (np.abs(x) @ np.abs(w)) + unit * np.abs(y) + 2.0**-24


def weight_of(q: QuantizedTensor, name: str, apart: bool = False) -> Matrix:
    """What the codes stand for, in f64: computed apart from ``dequantize``, for blocks along two axes. The numbers of a
    codebook are those that activations of the format ``name`` meet. ``apart`` adds codes, counted from the least, and
    zero points, instead of taking the one from the other."""
    numbers = q.dtype.decode(q.codes.codes()).astype(np.float64)
    if q.dtype.kind == "codebook":
        numbers = np.asarray(PackedArray.from_values(numbers, name), np.float64)

    def spread(part: Any) -> Matrix:
        held = np.asarray(part, np.float64)
        for axis, side in enumerate(q.block):
            held = np.take(held, np.arange(q.shape[axis]) // side, axis=axis)
        return held

    if apart:
        numbers = numbers + max(0, -q.dtype.min) + (0 if q.zeros is None else spread(q.zeros))
    else:
        numbers = numbers - (0 if q.zeros is None else spread(q.zeros))
    numbers = numbers * spread(q.scales) * (1.0 if q.tensor_scale is None else q.tensor_scale)
    return numbers if q.axis == 0 else numbers.T


def allowed_of(exact: Matrix, q: QuantizedTensor, packed: PackedWeight, **options: Any) -> tuple[Matrix, Matrix]:
    """The product, and how far from it the kernel may be."""
    name = packed.activations.name
    w = weight_of(q, name)
    y = exact @ w
    sums = bool(options.get("SUMS", tiles_for(*y.shape, packed.settings["GROUP"])["SUMS"]))
    reach = weight_of(q, name, apart=True) if sums and q.dtype.kind in ("uint", "int") else None
    return y, bound(exact, w, y, name, sums, reach)


def check(x: Any, exact: Matrix, q: QuantizedTensor, packed: PackedWeight, **options: Any) -> None:
    """The product is within the bound; zeros, and one code that is one off, are not."""
    y, allowed = allowed_of(exact, q, packed, **options)
    found = np.asarray(matmul(x, packed, **options), np.float64)
    assert found.shape == y.shape
    assert (np.abs(found - y) <= allowed).all(), float((np.abs(found - y) / allowed).max())
    assert not (np.abs(y) <= allowed).all(), "a result of zeros passes"
