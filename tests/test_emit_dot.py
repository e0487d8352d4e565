"""Products through emitted code: every format and every architecture's matrix instruction, against the interpreter."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from kernels import needs_compiler

import tilevm

pytestmark = needs_compiler


def random(name: str, shape: tuple[int, ...], seed: int) -> tilevm.PackedArray:
    """Numbers of a format: all integers, floats around 1."""
    numbers, kind = np.random.default_rng(seed), tilevm.dtype(name)
    if kind.kind in ("int", "uint"):
        codes = numbers.integers(0, 2**kind.bits, shape, dtype=np.uint64).astype(kind.storage)
    else:
        codes = kind.encode(numbers.standard_normal(shape))
    return tilevm.PackedArray.from_codes(codes, kind)


def close(found: Any, expected: Any, x: np.ndarray, w: np.ndarray, acc: str) -> None:
    """Integers are equal; a float sum of K products differs by at most K roundings of sums of magnitudes."""
    if acc == "i32":
        np.testing.assert_array_equal(found, expected)
        return
    unit = 2.0**-52 if acc == "f64" else 2.0**-23
    # One more sum is that with what the accumulator began as, at most 4.
    bound = 2 * (x.shape[1] + 1) * unit * (np.abs(x) @ np.abs(w) + 4)
    assert (np.abs(np.asarray(found, np.float64) - expected) <= bound).all()
    assert not (np.abs(expected) <= bound).all(), "the bound would pass a result of zeros"


CASES = [
    # a, b, sums, (m, n, k), warps, architecture, how
    ("f16", "f16", "f32", (32, 16, 32), 2, "sm_80", "tensor_core"),
    ("f16", "f16", "f32", (32, 16, 32), 2, "sm_75", "tensor_core"),
    ("f16", "f16", "f32", (16, 8, 16), 4, "sm_80", "tensor_core"),
    ("f16", "f16", "f32", (64, 64, 48), 8, "sm_90a", "tensor_core"),
    ("bf16", "bf16", "f32", (32, 16, 32), 2, "sm_80", "tensor_core"),
    ("tf32", "tf32", "f32", (32, 16, 32), 2, "sm_80", "tensor_core"),
    ("f64", "f64", "f64", (16, 16, 8), 2, "sm_80", "tensor_core"),
    ("i8", "u8", "i32", (32, 16, 64), 2, "sm_80", "tensor_core"),
    ("u8", "i8", "i32", (16, 32, 32), 1, "sm_80", "tensor_core"),
    ("i8", "i8", "i32", (16, 8, 32), 1, "sm_80", "tensor_core"),
    ("u8", "u8", "i32", (16, 8, 32), 1, "sm_80", "tensor_core"),
    ("f8e4m3", "f8e5m2", "f32", (32, 16, 32), 2, "sm_89", "tensor_core"),
    ("f8e5m2", "f8e5m2", "f32", (16, 8, 64), 1, "sm_89", "tensor_core"),
    ("f8e4m3", "f8e4m3", "f32", (16, 8, 32), 1, "sm_120a", "tensor_core"),
    ("f32", "f32", "f32", (32, 16, 32), 2, "sm_80", "tensor_core"),
    ("f6e3m2", "f4e2m1", "f32", (32, 16, 32), 2, "sm_80", "tensor_core"),
    ("f16", "f16", "f32", (4, 6, 10), 2, "sm_80", "tensor_core"),
    ("i8", "u8", "i32", (6, 16, 32), 2, "sm_80", "tensor_core"),
    ("f16", "f16", "f32", (32, 16, 32), 2, "sm_80", "f32"),
    ("f8e4m3", "f8e4m3", "f32", (16, 16, 32), 2, "sm_75", "f32"),
]


@pytest.mark.parametrize(("a", "b", "acc", "shape", "warps", "target", "how"), CASES)
def test_a_product_is_the_interpreters(
    a: str, b: str, acc: str, shape: tuple[int, int, int], warps: int, target: str, how: str
) -> None:
    m, n, k = shape
    kernel = tilevm.kernel(
        f"kernel k(x: {a}[{m}, {k}], w: {b}[{k}, {n}], inout y: {acc}[{m}, {n}]):\n    grid 1\n    warps {warps}\n"
        f"    start = load(y[0 :+ {m}, 0 :+ {n}])\n"
        f"    sums = dot(load(x[0 :+ {m}, 0 :+ {k}]), load(w[0 :+ {k}, 0 :+ {n}]), start, precision={how})\n"
        f"    store(y[0 :+ {m}, 0 :+ {n}], sums)\n"
    )
    x, w = random(a, (m, k), 1), random(b, (k, n), 2)
    start = (np.arange(m * n) % 5).reshape(m, n).astype(tilevm.dtype(acc).carrier)
    expected, found = start.copy(), start.copy()
    kernel(x, w, expected)
    kernel(x, w, found, backend="simulator", target=target)
    wide = [tilevm.dtype(name).decode(each.codes()) for name, each in ((a, x), (b, w))]
    close(found - start if acc != "i32" else found, expected - start if acc != "i32" else expected, *wide, acc)


@pytest.mark.parametrize("target", ["sm_80", "sm_120a"])
@pytest.mark.parametrize(
    ("formats", "scale", "block"), [(("f8e4m3", "f4e2m1"), "e8m0", 32), (("i4", "i4"), "ue4m3", 16)]
)
def test_a_block_scaled_product_is_the_interpreters(
    target: str, formats: tuple[str, str], scale: str, block: int
) -> None:
    a, b = formats
    m, n, k = 16, 24, 64
    kernel = tilevm.kernel(
        f"kernel k(x: {a}[{m}, {k}], xs: {scale}[{m}, {k // block}], w: {b}[{k}, {n}], ws: {scale}[{k // block}, {n}], "
        f"out y: f32[{m}, {n}]):\n    grid 1\n    warps 2\n"
        f"    left = load(x[0 :+ {m}, 0 :+ {k}])\n    left_scale = load(xs[0 :+ {m}, 0 :+ {k // block}])\n"
        f"    right = load(w[0 :+ {k}, 0 :+ {n}])\n    right_scale = load(ws[0 :+ {k // block}, 0 :+ {n}])\n"
        f"    sums = dot_scaled(left, left_scale, right, right_scale, zeros(f32, [{m}, {n}]))\n"
        f"    store(y[0 :+ {m}, 0 :+ {n}], sums)\n"
    )
    kind, numbers = tilevm.dtype(scale), np.random.default_rng(5)
    scales = [
        tilevm.PackedArray.from_codes(kind.encode(2.0 ** numbers.integers(-6, 7, shape)), kind)
        for shape in ((m, k // block), (k // block, n))
    ]
    x, w = random(a, (m, k), 3), random(b, (k, n), 4)
    expected = kernel(x, scales[0], w, scales[1])
    found = kernel(x, scales[0], w, scales[1], backend="simulator", target=target)
    left = tilevm.dtype(a).decode(x.codes()) * np.repeat(kind.decode(scales[0].codes()), block, axis=1)
    right = tilevm.dtype(b).decode(w.codes()) * np.repeat(kind.decode(scales[1].codes()), block, axis=0)
    close(found, expected, left, right, "f32")
