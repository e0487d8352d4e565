"""Weights of every origin are packed for the product without loss, or refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from kernels import needs_compiler
from products import ROUNDOFF, activations, bound, check, random_weight, weight_of

import tilevm
from tilevm.dtypes import dtype
from tilevm.errors import ArgumentError, DTypeError
from tilevm.ops import hadamard, matmul, pack_weight, quantize
from tilevm.packed_array import PackedArray
from tilevm.quantization import (
    SCHEMES,
    ColumnSplit,
    Hadamard,
    LowRank,
    OutlierSplit,
    QuantizedTensor,
    correct_low_rank,
    split_columns,
    split_outliers,
)


def test_weights_of_checkpoints_have_their_rows_in_any_order_and_along_either_axis() -> None:
    order = np.random.default_rng(5).permutation(128)
    x, exact = activations(6, 128, "f16")
    turned = random_weight(dtype("u4"), (40, 128), (1, 32), "f16", "u4", axis=1)
    check(x, exact, turned, pack_weight(turned))
    straight = random_weight(dtype("u4"), (128, 40), (32, 1), "f16", "u4")
    permuted = replace(straight, permutation=order)
    found = np.asarray(matmul(x, pack_weight(permuted)), np.float64)
    w = permuted.dequantize().astype(np.float64)
    assert not np.array_equal(w, straight.dequantize())
    assert (np.abs(found - exact @ w) <= bound(exact, w, exact @ w, "f16", sums=False)).all()


@pytest.mark.parametrize("name", list(SCHEMES))
def test_every_scheme_has_its_product(name: str) -> None:
    w = np.random.default_rng(8).standard_normal((160, 72)).astype(np.float32)
    q = tilevm.quantize(w, name, partial=True)
    if name.endswith("channel"):
        with pytest.raises(ArgumentError, match="A025"):
            pack_weight(q)
        return
    x, exact = activations(5, 160, "f16")
    y = exact @ q.dequantize().astype(np.float64)
    # A result is rounded, and so are scaled weights, and the numbers of codebooks.
    assert np.linalg.norm(np.asarray(matmul(x, pack_weight(q)), np.float64) - y) < 5e-4 * np.linalg.norm(y)


@pytest.mark.parametrize("axis", [0, 1])
def test_inputs_go_through_the_transform_of_the_weights(axis: int) -> None:
    w = np.random.default_rng(3).standard_normal((128, 48)).astype(np.float32)
    w = w if axis == 0 else w.T
    transform = Hadamard(axis, 32, seed=7)
    shape = (64, 1) if axis == 0 else (1, 64)
    plain = tilevm.quantize(transform.apply(w), "i8", group=64, axis=axis)
    assert plain.block == shape
    q = replace(plain, transform=transform)
    x, exact = activations(6, 128, "f16")
    turned = np.asarray(hadamard(x, Hadamard(1, 32, seed=7)), np.float64)
    check(turned.astype(np.float16), turned, plain, pack_weight(plain))
    np.testing.assert_array_equal(matmul(x, pack_weight(q)), matmul(turned.astype(np.float16), pack_weight(plain)))
    wanted = exact @ (w if axis == 0 else w.T)
    found = np.asarray(matmul(x, pack_weight(q)), np.float64)
    assert np.linalg.norm(found - wanted) < 0.02 * np.linalg.norm(wanted)


def test_a_learned_codebook_and_nested_scales() -> None:
    x, exact = activations(6, 64, "f16")
    table = np.linspace(-1, 1, 8) ** 3
    q = random_weight(dtype("u3"), (64, 24), (32, 1))
    books = replace(q, codebooks=np.broadcast_to(table, (*q.grid, 8)))
    w = table.astype(np.float16).astype(np.float64)[q.codes.codes()] * np.repeat(np.asarray(q.scales, float), 32, 0)
    found = np.asarray(matmul(x, pack_weight(books)), np.float64)
    assert (np.abs(found - exact @ w) <= bound(exact, w, exact @ w, "f16", sums=False)).all()
    inner = QuantizedTensor.from_codes(np.arange(48).reshape(2, 24), "u8", np.float32([[0.01], [0.02]]), 24, 1)
    nested = replace(q, scales=inner)
    plain = replace(q, scales=inner.dequantize())
    np.testing.assert_array_equal(matmul(x, pack_weight(nested)), matmul(x, pack_weight(plain)))


def test_scales_that_leave_the_range_of_f16_are_shifted_or_refused() -> None:
    x, exact = activations(6, 64, "f16")
    q = random_weight(dtype("f4e2m1"), (64, 24), (32, 1))
    for exponent in (-40, 40):
        far = replace(q, scales=PackedArray.from_values(2.0 ** (exponent + np.arange(48).reshape(2, 24) % 4), "e8m0"))
        packed = pack_weight(far)
        assert packed.arrays["scale"].dtype.name == "e8m0"
        w = weight_of(far, "f16") * 2.0**-exponent
        unshifted = replace(packed, tensor_scale=packed.tensor_scale * 2.0**-exponent)
        found = np.asarray(matmul(x, unshifted), np.float64)
        assert (np.abs(found - exact @ w) <= bound(exact, w, exact @ w, "f16", sums=False)).all()
    spread = replace(q, scales=PackedArray.from_values(2.0 ** (np.arange(48).reshape(2, 24) * 2.0 - 48), "e8m0"))
    with pytest.raises(ArgumentError, match="A025"):
        pack_weight(spread)
    assert pack_weight(spread, "bf16").tensor_scale == 1.0


def test_what_the_product_does_not_take_is_refused() -> None:
    q = random_weight(dtype("i4"), (64, 64), (64, 1))
    refused = [
        (q, "f32"),
        (replace(q, offsets=np.ones((1, 64), np.float32)), "f16"),
        (random_weight(dtype("i4"), (64, 64), (8, 1)), "f16"),
        (random_weight(dtype("u8"), (64, 64), (64, 1)), "i8"),
        (random_weight(dtype("f8e5m2"), (64, 64), (64, 1)), "f8e4m3"),
        (random_weight(dtype("nf4"), (64, 64), (64, 1)), "i8"),
        (random_weight(dtype("u4"), (64, 64), (64, 1), zeros="u4"), "i8"),
        (random_weight(dtype("i4"), (64, 64), (16, 1)), "i8"),
        (
            replace(
                random_weight(dtype("u3"), (64, 2), (64, 1)),
                codebooks=np.random.default_rng(0).standard_normal((1, 2, 8)),
            ),
            "f16",
        ),
    ]
    for weight, name in refused:
        with pytest.raises(ArgumentError, match="A025"):
            pack_weight(weight, name)
    x = np.ones((2, 64), np.float16)
    with pytest.raises(ArgumentError, match="A026"):
        matmul(x, pack_weight(q), x_scale=np.ones(2, np.float32))
    with pytest.raises(ArgumentError, match="A026"):
        matmul(x.astype(np.int8), pack_weight(q, "i8"))
    with pytest.raises(ArgumentError, match="A007"):
        matmul(x[:, :32].copy(), pack_weight(q))


def beside(kind: str) -> OutlierSplit | LowRank | ColumnSplit:
    """Weights with something beside their codes, along K = 96, N = 72."""
    w = np.random.default_rng(4).standard_normal((96, 72)).astype(np.float32)
    w[:, 5] *= 20
    w[7] *= 30
    if kind == "rows":
        return split_outliers(w, "i4", rows=3, group=32)
    if kind == "zero rows":
        return split_outliers(w, "u4", rows=17, group=96)
    if kind == "turned rows":
        return split_outliers(w.T, "i4", rows=2, axis=1, group=32)
    if kind == "rank":
        return correct_low_rank(w, tilevm.quantize(w, "i3", group=96), 5)
    if kind == "turned rank":
        return correct_low_rank(w.T, tilevm.quantize(w.T, "i3", axis=1, group=32), 5)
    return split_columns(w, "i4", "f8e4m3" if kind == "floats" else "i8", columns=[5, 64, 71], group=32)


BESIDE = ["rows", "zero rows", "turned rows", "rank", "turned rank", "columns", "floats"]


@pytest.mark.parametrize(
    ("kind", "name", "backend"),
    [
        *((kind, name, "interpreter") for kind in BESIDE for name in ROUNDOFF),
        *(pytest.param(kind, "f16", "simulator", marks=needs_compiler) for kind in ("zero rows", "rank", "columns")),
    ],
)
def test_what_is_kept_beside_the_codes_is_added(kind: str, name: str, backend: str) -> None:
    weight = beside(kind)
    x, exact = activations(9, 96, name)
    found = np.asarray(matmul(x, pack_weight(weight, name), backend=backend), np.float64)
    w = weight.dequantize().astype(np.float64)
    w = w.T if "turned" in kind else w
    y = exact @ w
    # Four roundings more: of the wide rows or the factors, and of what meets them.
    reach = np.abs(w)
    if isinstance(weight, LowRank):
        correction = np.abs(np.asarray(weight.left, np.float64)) @ np.abs(np.asarray(weight.right, np.float64))
        reach = reach + (correction.T if "turned" in kind else correction)
    allowed = bound(exact, w, y, name, sums=False) + 4 * ROUNDOFF[name] * (np.abs(exact) @ reach)
    assert (np.abs(found - y) <= allowed).all()
    alone = weight.first if isinstance(weight, ColumnSplit) else weight.rest if hasattr(weight, "rest") else None
    if alone is not None and alone.shape == weight.shape:
        without = alone.dequantize().astype(np.float64)
        assert (np.abs(exact @ (without.T if "turned" in kind else without) - y) > allowed).any()


@pytest.mark.parametrize("name", list(ROUNDOFF))
def test_columns_may_stay_as_wide_as_the_activations(name: str) -> None:
    w = np.random.default_rng(4).standard_normal((96, 72)).astype(np.float32)
    w[:, 5] *= 1000
    split = split_columns(w, "i4", name, columns=1, group=32)
    assert split.order[-1] == 5
    x, exact = activations(9, 96, name)
    wide = split.dequantize().astype(np.float64)
    y = exact @ wide
    found = np.asarray(matmul(x, pack_weight(split, name)), np.float64)
    assert (np.abs(found - y) <= bound(exact, wide, y, name, sums=False)).all()


def test_columns_that_cannot_be_split_are_refused() -> None:
    w = np.ones((64, 8), np.float32)
    for columns in (0, 8, [], [8], [1, 1], [-1], np.arange(8), [0.5]):
        with pytest.raises(DTypeError, match="D021"):
            split_columns(w, "i4", "i8", columns, group=64)
    with pytest.raises(DTypeError, match="D017"):
        split_columns(np.ones((2, 64, 8), np.float32), "i4", "i8", 1)
    split = split_columns(w, "i4", "i8", 3, group=64)
    assert (split.shape, split.bits_per_weight) == ((64, 8), 8 * split.nbytes / 512)
    with pytest.raises(DTypeError, match="D017"):
        replace(split, order=np.zeros(8, np.int64))
    with pytest.raises(ArgumentError, match="A025"):
        pack_weight(split, "i8")
    with pytest.raises(ArgumentError, match="A025"):
        pack_weight(split_columns(w, "u4", "u8", 3, group=64))


@pytest.mark.parametrize("kind", ["rows", "rank"])
def test_activations_of_8_bits_meet_wide_rows_in_16(kind: str) -> None:
    weight = beside(kind)
    wide, _ = activations(9, 96, "f16")
    narrow = quantize(wide, "i8")
    scale = np.ascontiguousarray(narrow.scales[:, 0])
    packed = pack_weight(weight, "i8")
    found = np.asarray(matmul(narrow.codes, packed, x_scale=scale, wide_x=wide), np.float64)
    codes = weight.rest.dequantize() if isinstance(weight, OutlierSplit) else weight.quantized.dequantize()
    added = weight.dequantize().astype(np.float64) - codes
    y = (narrow.codes * scale[:, None].astype(np.float64)) @ codes + wide.astype(np.float64) @ added
    assert np.linalg.norm(found - y) < 2e-3 * np.linalg.norm(y)
    with pytest.raises(ArgumentError, match="A026"):
        matmul(narrow.codes, packed, x_scale=scale)
