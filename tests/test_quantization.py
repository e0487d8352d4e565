"""Quantisation: the scales are what the definition says, and no weight is further off than its format allows."""

from __future__ import annotations

import numpy as np
import pytest

from tilevm.dtypes import codebook, dtype
from tilevm.errors import DTypeError
from tilevm.packed_array import PackedArray
from tilevm.quantization import quantize

FORMATS = (
    "u1 i1 i2 u2 trit i3 u3 f3e1m1 f4e2m1 nf4 i4 u4 f5e2m2 i5 u5 f6e3m2 f6e2m3 i6 u6 i7 f8e4m3 f8e5m2 i8 u8".split()
)
CLIPS = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3)


def weights(shape: tuple[int, ...] = (256, 24)) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def error(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.linalg.norm(found.astype(np.float64) - expected) / np.linalg.norm(expected))


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("axis", [0, 1])
def test_each_weight_is_the_nearest_number_of_its_group(name: str, axis: int) -> None:
    w = weights((64, 32))
    q = quantize(w, name, group=32, axis=axis, scale_format="f32")
    numbers = dtype(name).decode(np.arange(3 if name == "trit" else 1 << dtype(name).bits))
    numbers = numbers[np.isfinite(numbers)]
    spread = lambda each: np.repeat(np.asarray(each, np.float64), 32, axis=axis)  # noqa: E731
    reachable = numbers[:, None, None] - (0 if q.zeros is None else spread(q.zeros))
    nearest = np.abs(reachable * spread(q.scales) - w).min(axis=0)
    np.testing.assert_allclose(np.abs(q.dequantize() - w), nearest, atol=1e-5)


@pytest.mark.parametrize("name", FORMATS)
def test_more_bits_of_one_kind_are_never_worse_and_zero_would_be_noticed(name: str) -> None:
    w = weights()
    found = error(quantize(w, name, clips=CLIPS).dequantize(), w)
    assert found < 0.8, "a result of zeros has an error of 1"
    kind, bits = name[0], dtype(name).bits
    if kind in "ui" and bits < 8:
        assert error(quantize(w, f"{kind}{bits + 1}", clips=CLIPS).dequantize(), w) < found


def test_clipping_helps_formats_of_few_bits_and_never_hurts() -> None:
    w = weights()
    for name in FORMATS:
        plain, clipped = (error(quantize(w, name, clips=clips).dequantize(), w) for clips in ((1.0,), CLIPS))
        assert clipped <= plain
    assert error(quantize(w, "trit", clips=CLIPS).dequantize(), w) < 0.6 * error(quantize(w, "trit").dequantize(), w)


def test_scales_and_zero_points_are_made_as_defined() -> None:
    w = np.float32([[1.0, -2.0], [7.0, 0.5]])
    signed = quantize(w, "i4", group=2)
    assert signed.scales.dtype == np.float16
    np.testing.assert_allclose(np.asarray(signed.scales, float), [[1.0, 2 / 7]], rtol=1e-3)
    assert signed.zeros is None
    unsigned = quantize(w, "u4", group=None, axis=1, scale_format="f32")
    assert unsigned.group == 2
    np.testing.assert_allclose(np.asarray(unsigned.scales), [[3 / 15], [7 / 15]], rtol=1e-6)
    assert np.asarray(unsigned.zeros).tolist() == [[10], [0]]


def test_scales_may_have_any_format_that_holds_them() -> None:
    w = weights()
    q = quantize(w, "f4e2m1", group=32, scale_format="e8m0", clips=(1.0,))
    assert isinstance(q.scales, PackedArray)
    assert q.scales.dtype is dtype("e8m0")
    assert q.bits_per_weight == 4 + 8 / 32
    assert error(q.dequantize(), w) < 0.2


@pytest.mark.parametrize("scale_name", ["f16", "bf16", "f32", "tf32", "f8e4m3", "f8e5m2", "ue4m3", "e8m0", "f6e3m2"])
@pytest.mark.parametrize("name", ["u1", "u2", "u4", "u8", "u16"])
def test_zero_points_are_kept_exactly_or_refused_d013(name: str, scale_name: str) -> None:
    w, kind, scale_kind = weights((64, 16)), dtype(name), dtype(scale_name)
    integers = np.arange(int(kind.max) + 1, dtype=np.float64)
    if not np.array_equal(scale_kind.decode(scale_kind.encode(integers)), integers):
        with pytest.raises(DTypeError) as caught:
            quantize(w, name, group=32, scale_format=scale_name)
        assert caught.value.code == "D013"
        return
    q = quantize(w, name, group=32, scale_format=scale_name)
    zeros, scales = (np.asarray(each, np.float64) for each in (q.zeros, q.scales))
    assert np.array_equal(zeros, np.clip(np.rint(zeros), 0, int(kind.max)))
    # Half a step for the code, and another half for the zero point.
    assert (np.abs(q.dequantize() - w) <= 1.001 * np.repeat(scales, 32, axis=0)).all()


def test_weights_of_every_size_that_float32_has_are_quantised() -> None:
    w = weights((64, 4)).astype(np.float64)
    for size in (1e-36, 1e-20, 1e20, 1e37):
        for name in ("i4", "u4", "f6e3m2"):
            scaled = (w * size).astype(np.float32)
            q = quantize(scaled, name, group=32, scale_format="f32", clips=CLIPS)
            assert error(q.dequantize() / size, scaled / size) < 0.2


def test_the_only_sign_of_a_codebook_reaches_as_far_as_the_group() -> None:
    kind = codebook("below_zero_book", [-4.0, -2.0, -1.0, -0.5])
    q = quantize(np.float32([[-8.0], [-1.0], [-2.0], [-4.0]]), kind, group=4)
    assert q.dequantize().tolist() == [[-8.0], [-1.0], [-2.0], [-4.0]]


def test_sizes_count_codes_scales_and_zero_points() -> None:
    q = quantize(weights((256, 24)), "u3", group=64)
    assert q.nbytes == 256 * 24 * 3 // 8 + 2 * (4 * 24 * 2)
    assert q.bits_per_weight == pytest.approx(3 + 2 * 16 / 64)
    assert q.shape == (256, 24)
    assert "u3[256, 24] in groups of 64 along axis 0 with f16 scales and f16 zero points, 3.50" in repr(q)


def test_a_group_of_zeros_stays_zero() -> None:
    w = np.zeros((128, 2), np.float32)
    for name in FORMATS:
        assert (quantize(w, name).dequantize() == 0).all(), name


@pytest.mark.parametrize(
    ("code", "wrong"),
    [
        ("D001", lambda: quantize(weights(), "f6e3m3")),
        ("D004", lambda: quantize(weights(), "i4", rounding="nearest")),
        ("D010", lambda: quantize(np.array(["a"]), "i4")),
        ("D010", lambda: quantize(np.float32([np.nan] * 128), "i4")),
        ("D011", lambda: quantize(weights(), "i4", group=100)),
        ("D010", lambda: quantize(np.full((128, 1), 1e300), "i4")),
        ("D011", lambda: quantize(weights(), "i4", axis=2)),
        ("D011", lambda: quantize(weights(), "i4", axis=1.0)),  # type: ignore[arg-type]
        ("D011", lambda: quantize(weights(), "i4", group=0)),
        ("D011", lambda: quantize(weights(), "i4", group="channel")),  # type: ignore[arg-type]
        ("D011", lambda: quantize(np.float32(1), "i4")),
        ("D012", lambda: quantize(weights(), "e8m0")),
        ("D012", lambda: quantize(weights(), "ue4m3")),
        ("D013", lambda: quantize(weights(), "i4", scale_format="i8")),
        ("D013", lambda: quantize(1e9 * weights(), "i4", scale_format="f16")),
        ("D015", lambda: quantize(weights(), "i4", clips=())),
        ("D015", lambda: quantize(weights(), "i4", clips=0.9)),  # type: ignore[arg-type]
        ("D015", lambda: quantize(weights(), "i4", clips=(1.0, 0.0))),
        ("D015", lambda: quantize(weights(), "i4", clips=(-0.5,))),
        ("D015", lambda: quantize(weights(), "i4", clips=(float("nan"),))),
        ("D015", lambda: quantize(weights(), "i4", clips=("all",))),  # type: ignore[arg-type]
    ],
)
def test_what_cannot_be_quantised_is_refused(code: str, wrong: object) -> None:
    with pytest.raises(DTypeError) as caught:
        wrong()  # type: ignore[operator]
    assert caught.value.code == code
