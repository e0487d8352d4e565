"""What stands beside the codes: wide rows, corrections of low rank, caches. And the pieces in which blocks are done."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tilevm.dtypes import dtype
from tilevm.errors import DTypeError
from tilevm.quantization import (
    OutlierSplit,
    correct_low_rank,
    quantize,
    quantize_keys,
    quantize_values,
    split_outliers,
)
from tilevm.quantization.blocks import grid_of, pieces, spread


def weights(*shape: int) -> Any:
    return np.random.default_rng(1).standard_normal(shape).astype(np.float32)


def error(found: Any, w: Any) -> float:
    return float(np.linalg.norm(found - w.astype(np.float64)) / np.linalg.norm(w))


def heavy() -> Any:
    w = weights(128, 48)
    w[[5, 77, 100]] *= 30
    return w


def test_rows_with_outliers_are_found_and_kept_wide() -> None:
    w = heavy()
    split = split_outliers(w, "i4", 3)
    assert split.rows.tolist() == [5, 77, 100]
    np.testing.assert_allclose(split.dequantize()[split.rows], w[split.rows], rtol=2**-11)
    others = np.delete(np.arange(128), split.rows)
    np.testing.assert_array_equal(split.dequantize()[others], split.rest.dequantize()[others])
    assert error(split.dequantize()[others], w[others]) < 0.15
    assert error(quantize(w, "i4").dequantize()[others], w[others]) > 0.8
    assert split.nbytes == split.rest.nbytes + 3 * 48 * 2 + 3 * 4
    assert split.bits_per_weight == 8 * split.nbytes / w.size
    assert repr(split).startswith("OutlierSplit(3 rows of axis 0 kept wide, QuantizedTensor(i4[128, 48]")
    x = weights(7, 128)
    product = x @ split.rest.dequantize() + x[:, split.rows] @ np.asarray(split.wide, np.float32)
    np.testing.assert_allclose(product, x @ split.dequantize(), atol=1e-3)


def test_rows_may_be_named_or_weighed_and_lie_along_any_axis() -> None:
    w = heavy()
    assert split_outliers(w, "i4", [100, 2]).rows.tolist() == [2, 100]
    importance = np.ones(128)
    importance[60] = 1e4
    assert split_outliers(w, "i4", 2, importance=importance).rows[0] in (60, 5, 77, 100)
    assert 60 in split_outliers(w, "i4", 2, importance=importance).rows
    turned = split_outliers(w.T, "i4", 3, axis=1)
    np.testing.assert_array_equal(turned.dequantize().T, split_outliers(w, "i4", 3).dequantize())
    none = split_outliers(w, "nvfp4", 0)
    np.testing.assert_array_equal(none.dequantize(), quantize(w, "nvfp4").dequantize())
    assert split_outliers(w, "i4", 1, wide="bf16").wide.dtype is dtype("bf16")


@pytest.mark.parametrize("options", [{"hadamard": 32}, {"scheme": "codebook3"}, {"scheme": "u3", "zero": "float"}])
def test_wide_rows_are_exact_where_their_codes_are_not_zero(options: Any) -> None:
    w = heavy()
    split = split_outliers(w, **({"scheme": "i4", "rows": 3, "group": 64} | options))
    missing = w[split.rows] - split.rest.dequantize()[split.rows]
    np.testing.assert_allclose(split.dequantize()[split.rows], w[split.rows], atol=2**-10 * np.abs(missing).max())


@pytest.mark.parametrize("rank", [1, 4, 48])
def test_a_correction_is_the_best_of_its_rank(rank: int) -> None:
    w = weights(64, 48)
    q = quantize(w, "i2", group=64)
    corrected = correct_low_rank(w, q, rank)
    values = np.linalg.svd(w - q.dequantize().astype(np.float64), compute_uv=False)
    left = np.linalg.norm(w - corrected.dequantize().astype(np.float64))
    assert left == pytest.approx(np.linalg.norm(values[rank:]), rel=1e-3, abs=2**-10 * np.linalg.norm(values))
    assert (corrected.rank, corrected.shape) == (rank, (64, 48))
    assert corrected.nbytes == q.nbytes + 2 * rank * (64 + 48)
    assert corrected.bits_per_weight == 8 * corrected.nbytes / w.size
    assert repr(corrected).startswith(f"LowRank(rank {rank}, QuantizedTensor(i2")
    x = weights(5, 64)
    product = x @ q.dequantize() + (x @ corrected.left) @ np.asarray(corrected.right)
    np.testing.assert_allclose(product, x @ corrected.dequantize(), atol=1e-3)


def test_keys_have_scales_per_channel_of_a_page_and_values_per_token() -> None:
    keys, values = weights(2, 100, 64), weights(2, 100, 64)
    keys[..., 7] *= 40  # a channel that is large in every token
    values[:, 9] *= 40  # a token
    k, v = quantize_keys(keys, "i4", important=[0, 9]), quantize_values(values, "i4", important=[0, 9])
    assert isinstance(k, OutlierSplit)
    assert (k.rest.block, k.rest.scales.shape) == ((1, 64, 1), (2, 2, 64))
    assert (v.rest.block, v.rest.scales.shape) == ((1, 1, 64), (2, 100, 1))
    assert quantize_values(values, "i4", group=32).rest.scales.shape == (2, 100, 2)
    for found, exact in ((k, keys), (v, values)):
        np.testing.assert_allclose(found.dequantize()[:, [0, 9]], exact[:, [0, 9]], rtol=2**-10)
        assert error(found.dequantize(), exact) < 0.13
    wrong = quantize(keys, "i4", group=None, axis=2)
    channels = np.delete(np.arange(64), 7)
    assert error(wrong.dequantize()[..., channels], keys[..., channels]) > 0.7
    assert error(k.dequantize()[..., channels], keys[..., channels]) < 0.13
    moved = quantize_keys(keys, "u2", hadamard=64).rest.transform
    assert moved is not None
    assert moved.axis == 2


@given(
    shape=st.lists(st.integers(0, 9), max_size=4).map(tuple),
    data=st.data(),
    size=st.integers(1, 60),
)
def test_pieces_are_the_whole_tensor_once(shape: tuple[int, ...], data: Any, size: int) -> None:
    block = tuple(data.draw(st.integers(1, max(1, length))) for length in shape)
    numbers = np.arange(int(np.prod(shape)), dtype=np.float32).reshape(shape)
    again, blocks = np.full(shape, -1, np.float32), np.full(grid_of(shape, block), -1, np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tilevm.quantization.blocks.PIECE", size)
        for piece in pieces(shape, block):
            gathered = piece.gather(numbers)
            np.testing.assert_array_equal(piece.places(shape), gathered)
            assert (again[piece.elements] == -1).all()
            assert (blocks[piece.blocks] == -1).all()
            piece.scatter(gathered, again)
            blocks[piece.blocks] = gathered.max(-1)
    np.testing.assert_array_equal(again, numbers)
    # In row-major order the largest number of a block is that of its last element.
    last = np.indices(blocks.shape)
    for axis, (extent, length) in enumerate(zip(block, shape, strict=True)):
        last[axis] = np.minimum((last[axis] + 1) * extent, length) - 1
    if numbers.size:
        np.testing.assert_array_equal(blocks, numbers[tuple(last)])
        assert (spread(blocks, block, shape) >= numbers).all()


def test_a_tensor_is_worked_on_in_many_pieces_as_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    w = weights(100, 37)
    names = ("nvfp4", "u4g32", "mxfp4", "codebook3", "codebook2-channel", "nf4-double", "nvfp4-2d")
    whole = [quantize(w, name, partial=True, calibration="mse") for name in names]
    monkeypatch.setattr("tilevm.quantization.blocks.PIECE", 300)
    for name, one in zip(names, whole, strict=True):
        many = quantize(w, name, partial=True, calibration="mse")
        np.testing.assert_array_equal(many.dequantize(), one.dequantize())


@pytest.mark.parametrize(
    ("code", "message", "wrong"),
    [
        ("D021", "129 of 128 rows", lambda w: split_outliers(w, "i4", 129)),
        ("D021", "different numbers", lambda w: split_outliers(w, "i4", [1, 1])),
        ("D021", "different numbers", lambda w: split_outliers(w, "i4", [128])),
        ("D021", "different numbers", lambda w: split_outliers(w, "i4", [0.5])),
        ("D021", "importance", lambda w: split_outliers(w, "i4", 1, importance=[1])),
        ("D021", "importance", lambda w: split_outliers(w, "i4", 1, importance=np.full(128, np.inf))),
        ("D011", "no axis 2", lambda w: split_outliers(w, "i4", 1, along=2)),
        ("D021", "1 … 48, not 49", lambda w: correct_low_rank(w, quantize(w, "i4"), 49)),
        ("D021", "not 1.5", lambda w: correct_low_rank(w, quantize(w, "i4"), 1.5)),
        ("D017", "not a matrix", lambda w: correct_low_rank(w[1:], quantize(w, "i4"), 1)),
        ("D017", "a cache", lambda w: quantize_keys(w[0])),
    ],
)
def test_what_cannot_be_kept_beside_codes_is_refused(code: str, message: str, wrong: Any) -> None:
    with pytest.raises(DTypeError, match=message) as caught:
        wrong(weights(128, 48))
    assert caught.value.code == code
