"""Schemes: scales are what their rule says, codes are the nearest, and a file gives back the same tensor.

Oracles are `ml_dtypes` and plain loops in `float32`, in the documented order of operations.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tilevm
from tilevm.dtypes import dtype
from tilevm.errors import DTypeError
from tilevm.philox import random_words
from tilevm.quantization import SCHEMES, Absmax, Mean, Percentile, QuantizedTensor, Scheme, Search, quantize, scheme
from tilevm.quantization.codebooks import k_means
from tilevm.quantization.scheme import SCALE_ROUNDINGS, changed

RANDOM = np.random.default_rng(3)
NAMES = (*SCHEMES, "u4g32", "u3g16", "i2g64", "f5e2m2g32", "nf4g16")


def weights(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def error(q: Any, w: Any) -> float:
    return float(np.linalg.norm(q.dequantize() - w.astype(np.float64)) / np.linalg.norm(w))


def spread(each: Any, q: QuantizedTensor) -> Any:
    """What each block has, for each element, by a loop."""
    found = np.empty(q.shape + each.shape[len(q.shape) :], each.dtype)
    for place in np.ndindex(q.shape):
        found[place] = each[tuple(index // extent for index, extent in zip(place, q.block, strict=True))]
    return found


def numbers_of(q: QuantizedTensor, own: Scheme) -> Any:
    """For each weight all that its block can stand for, ``float64[*shape, numbers]``."""
    if q.codebooks is not None:
        values = spread(q.codebooks.astype(np.float64), q)
    else:
        values = q.dtype.decode(np.arange(len(q.dtype.table) or 1 << q.dtype.bits))
        values = values[np.isfinite(values)]
        if own.symmetric:
            values = values[values >= -q.dtype.max]
    zeros = 0 if q.zeros is None else spread(np.asarray(q.zeros, np.float64), q)[..., None]
    return (values - zeros) * spread(q.block_scales().astype(np.float64), q)[..., None]


@st.composite
def tensors(draw: Any) -> Any:
    """Weights of blocks that differ much, some of them zero, in shapes that blocks need not divide."""
    shape = tuple(draw(st.lists(st.integers(1, 40), min_size=2, max_size=3)))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    w = random.standard_normal(shape) * np.exp(random.normal(0, draw(st.sampled_from([0, 0.5, 1.5])), shape))
    w *= random.random(shape[-1]) > 0.1
    return (w * draw(st.sampled_from([0.02, 1, 4]))).astype(np.float32)


def check_nearest(w: Any, q: QuantizedTensor, own: Scheme) -> None:
    inner = w if q.transform is None else q.transform.apply(w)
    off = np.abs(q.dequantize(transformed=True).astype(np.float64) - inner)
    nearest = np.abs(numbers_of(q, own) - inner[..., None].astype(np.float64)).min(-1)
    # What float32 loses in the division and the two products.
    shift = 0 if q.zeros is None else spread(np.asarray(q.zeros, np.float32) * q.block_scales(), q)
    assert (off <= nearest + 2.0**-21 * (np.abs(inner) + shift)).all()


@pytest.mark.parametrize("name", NAMES)
@settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(w=tensors(), axis=st.integers(0, 1), hadamard=st.booleans())
def test_no_code_would_be_nearer_and_a_file_gives_back_the_same(
    name: str, w: Any, axis: int, hadamard: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    own = scheme(name)
    parts: dict[str, Any] = {"hadamard": 2} if hadamard and w.shape[axis] % 2 == 0 else {}
    q = quantize(w, name, axis=axis, partial=True, **parts)
    check_nearest(w, q, own)
    path = tmp_path_factory.mktemp("q") / "q"
    q.save(path)
    again = QuantizedTensor.load(path)
    assert repr(again) == repr(q)
    assert again.dtype is q.dtype
    np.testing.assert_array_equal(again.codes.codes(), q.codes.codes())
    np.testing.assert_array_equal(again.dequantize(), q.dequantize())


@pytest.mark.fuzz
@settings(
    max_examples=3000, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(
    name=st.sampled_from(NAMES),
    w=tensors(),
    axis=st.integers(0, 1),
    way=st.sampled_from(["absmax", "mse", "percentile"]),
)
def test_no_code_would_be_nearer_under_any_calibration(name: str, w: Any, axis: int, way: str) -> None:
    check_nearest(w, quantize(w, name, axis=axis, partial=True, calibration=way), scheme(name))


@pytest.mark.parametrize("rounding", SCALE_ROUNDINGS)
@pytest.mark.parametrize("name", ["f16", "bf16", "f32", "f8e4m3", "ue5m3", "e8m0"])
@pytest.mark.parametrize("kind", ["f4e2m1", "f8e4m3", "i4", "i8"])
def test_scales_follow_their_rule_and_bound_the_error(rounding: str, name: str, kind: str) -> None:
    w = 32 * weights(128, 16) * np.exp2(np.linspace(-3, 3, 16)).astype(np.float32)
    q = quantize(w, Scheme(kind, 32, name, rounding))
    magnitude = np.abs(w.reshape(4, 32, 16)).max(1)
    exact = magnitude / np.float32(q.dtype.max)
    s = np.asarray(q.scales, np.float32)
    scale_kind = dtype(name)
    step = 2.0**-scale_kind.mantissa if name != "f32" else 2.0**-23
    power = np.log2(s.astype(np.float64))
    if rounding == "floor":
        emax = np.floor(np.log2(float(q.dtype.max)))
        assert (power == np.floor(np.log2(magnitude.astype(np.float64))) - emax).all()
    elif rounding == "even":
        digits = q.dtype.mantissa if q.dtype.kind == "float" else q.dtype.bits - 2
        octave = np.exp2(np.floor(np.log2(magnitude.astype(np.float64))))
        rounded = octave * np.floor(magnitude / octave * 2**digits + 0.5) / 2**digits
        assert (power == np.floor(np.log2(rounded)) - np.floor(np.log2(float(q.dtype.max)))).all()
    elif rounding == "nearest":
        assert (np.abs(s - exact) <= exact * step / 2).all()
        assert (s == np.asarray(scale_kind.decode(scale_kind.encode(exact)))).all()
    else:
        assert (s >= exact).all()
        assert (s < exact * (2 if rounding != "up" or name == "e8m0" else 1 + step) * (1 + 1e-6)).all()
        if rounding == "power":
            assert (power == np.rint(power)).all()
        if rounding == "ratio":
            ratios = np.log2(s.max(0) / s)
            assert (ratios == np.rint(ratios)).all()
            assert ratios.max() > 0
    # Half of the largest gap of the format, where nothing is cut off.
    values = np.sort(q.dtype.decode(np.arange(1 << q.dtype.bits)))
    gap = np.diff(values[np.isfinite(values)]).max()
    held = s.repeat(32, 0)
    off, beyond = np.abs(q.dequantize() - w), np.maximum(np.abs(w) - float(q.dtype.max) * held, 0)
    assert (off <= np.maximum(gap / 2 * held * (1 + 1e-6), beyond * (1 + 1e-6))).all()
    assert error(q, w) < 0.25, "zeros would have 1"


def loops(w: Any, size: int, code: Callable[[Any], Any], scale: Callable[[Any], Any], overall: Any) -> Any:
    """Groups along axis 0, in float32: (scales, numbers)."""
    scales, numbers = np.empty((w.shape[0] // size, w.shape[1]), np.float32), np.empty_like(w)
    for column in range(w.shape[1]):
        for group in range(len(scales)):
            part = w[group * size : (group + 1) * size, column]
            own = scale(np.abs(part).max())
            effective = np.float32(own) * overall
            scales[group, column] = own
            for place, each in enumerate(part):
                numbers[group * size + place, column] = np.float32(code(np.float32(each / effective))) * effective
    return scales, numbers


FLOATS = {
    "f4e2m1": ml_dtypes.float4_e2m1fn,
    "f6e2m3": ml_dtypes.float6_e2m3fn,
    "f6e3m2": ml_dtypes.float6_e3m2fn,
    "f8e4m3": ml_dtypes.float8_e4m3fn,
    "f8e5m2": ml_dtypes.float8_e5m2,
}


def as_element(kind: str, largest: float) -> Callable[[Any], Any]:
    if kind in FLOATS:
        return lambda each: np.float32(FLOATS[kind](np.clip(each, -largest, largest)))
    return lambda each: np.clip(np.rint(each), -largest, largest)


@pytest.mark.parametrize(
    ("name", "kind", "emax"),
    [
        ("mxfp8e4m3", "f8e4m3", 8),
        ("mxfp8e5m2", "f8e5m2", 15),
        ("mxfp6e2m3", "f6e2m3", 2),
        ("mxfp6e3m2", "f6e3m2", 4),
        ("mxfp4", "f4e2m1", 2),
        ("mxint8", "i8", 0),
    ],
)
def test_mx_is_that_of_ocp(name: str, kind: str, emax: int) -> None:
    w = weights(64, 9) * np.exp2(RANDOM.integers(-20, 20, 9)).astype(np.float32)
    unit = np.float32(2.0**-6 if kind == "i8" else 1)
    largest = 127 if kind == "i8" else float(ml_dtypes.finfo(FLOATS[kind]).max)

    def scale(magnitude: Any) -> Any:
        return np.float32(ml_dtypes.float8_e8m0fnu(2.0 ** (np.floor(np.log2(np.float64(magnitude))) - emax)))

    scales, numbers = loops(w, 32, as_element(kind, largest), scale, unit)
    q = quantize(w, name)
    assert q.scales.dtype is dtype("e8m0")
    assert q.tensor_scale == (2.0**-6 if kind == "i8" else None)
    np.testing.assert_array_equal(np.asarray(q.scales), scales)
    np.testing.assert_array_equal(q.dequantize(), numbers)
    assert q.bits_per_weight == pytest.approx(dtype(kind).bits + 8 / 32 + (kind == "i8") * 32 / w.size)


@pytest.mark.parametrize(("name", "kind", "largest"), [("nvfp4", "f4e2m1", 6), ("nvint4", "i4", 7)])
def test_nvidias_two_levels(name: str, kind: str, largest: int) -> None:
    w = weights(64, 9) * np.exp2(RANDOM.integers(-6, 6, 9)).astype(np.float32)
    w[16:32, 0] = 1e-6  # a scale below the smallest of e4m3
    overall = np.float32(np.abs(w).max()) / np.float32(largest * 448)

    def scale(magnitude: Any) -> Any:
        found = np.float32(ml_dtypes.float8_e4m3fn(np.float32(magnitude / np.float32(largest)) / overall))
        return max(found, np.float32(2.0**-9))

    scales, numbers = loops(w, 16, as_element(kind, largest), scale, overall)
    q = quantize(w, name)
    assert q.tensor_scale == overall
    assert isinstance(q.scales, tilevm.PackedArray)
    assert q.scales.dtype is dtype("f8e4m3")
    np.testing.assert_array_equal(np.asarray(q.scales), scales)
    np.testing.assert_array_equal(q.dequantize(), numbers)
    assert float(np.asarray(q.scales).max()) == 448


def test_ternary_and_binary_take_the_mean_magnitude() -> None:
    w = weights(96, 5)
    q = quantize(w, "ternary")
    mean = np.float16(np.abs(w).mean(0))
    np.testing.assert_array_equal(q.scales, mean[None])
    np.testing.assert_array_equal(q.codes.numpy(), np.clip(np.rint(w / mean.astype(np.float32)), -1, 1))
    assert error(quantize(w, "ternary"), w) < 0.8 * error(quantize(w, "trit", group=None), w)
    q = quantize(w, "binary")
    np.testing.assert_array_equal(q.dequantize(), np.sign(w) * mean.astype(np.float32))
    assert q.bits_per_weight == 1 + 16 / 96


def test_zero_points_may_be_packed_integers_or_floats() -> None:
    w = weights(128, 64) + 0.7
    in_scales, packed, floats = (quantize(w, "u2", zero=zero) for zero in ("scale", "code", "float"))
    assert isinstance(packed.zeros, tilevm.PackedArray)
    assert packed.zeros.dtype is dtype("u2")
    np.testing.assert_array_equal(packed.dequantize(), in_scales.dequantize())
    assert packed.bits_per_weight == 2 + 18 / 128
    assert isinstance(floats.zeros, np.ndarray)
    assert (floats.zeros % 1 != 0).any()
    # Both ends of each group are met, and an integer zero point meets 0 instead.
    ends = [np.abs(q.dequantize() - w)[[w.argmin(0), w.argmax(0)], np.arange(64)].max() for q in (floats, packed)]
    assert ends[0] < 0.01 < 0.1 < ends[1]
    assert (np.abs(numbers_of(packed, scheme("u2"))).min(-1) == 0).all()


def test_symmetric_clipping_leaves_out_the_least_integer() -> None:
    w = weights(256, 8)
    options = {"clips": (0.5,)}
    assert (quantize(w, "i4", **options).codes.numpy() == -8).any()
    symmetric = quantize(w, "i4", symmetric=True, **options).codes.numpy()
    assert symmetric.min() == -7 == -symmetric.max()


@pytest.mark.parametrize("name", NAMES)
def test_zeros_tiny_and_huge_weights_come_out_as_finite_numbers(name: str) -> None:
    w = weights(64, 32)
    w[:, 3:20] = 0
    w[:32, 20:] = 0
    q = quantize(w, name, partial=True)
    if q.dtype.name == "sign" or scheme(name).learned:  # no code stands for zero, but a block of zeros does
        assert (q.dequantize()[:, 3:20] == 0).all()
    else:
        assert (q.dequantize()[w == 0] == 0).all()
    assert (quantize(np.zeros((64, 32), np.float32), name, partial=True).dequantize() == 0).all()
    if dtype(scheme(name).scale_kind).bits < 32 and not scheme(name).two_levels and name[:2] != "mx":
        return  # their scales do not reach as far: D013
    for size in (1e-44, 1e-38, 1e-30, 2.0**124):
        large = (w * np.float64(size)).astype(np.float32)
        found = quantize(large, name, partial=True).dequantize()
        assert np.isfinite(found).all()
        off = np.linalg.norm((found - large.astype(np.float64)) / size) / np.linalg.norm(
            large.astype(np.float64) / size
        )
        assert off < (0.2 if size > 1e-35 else 1.001), (size, off)


def test_a_range_may_be_far_smaller_than_the_block() -> None:
    w = np.full((100, 1), 1e-35, np.float32)
    w[0] = 1e30
    found = quantize(w, "int8", calibration=Percentile(90)).dequantize()
    assert 0 < found.max() < 1e-30
    np.testing.assert_allclose(found[1:], w[1:], rtol=0.01)


def test_calibrations() -> None:
    w = weights(256, 6) ** 3
    whole = np.abs(w).max(0)
    scales = {
        name: np.asarray(quantize(w, "f4e2m1", None, calibration=name, scale_format="f32").scales)[0]
        for name in ("absmax", "percentile", "mean")
    }
    np.testing.assert_allclose(scales["absmax"], whole / 6, rtol=1e-6)
    np.testing.assert_allclose(scales["percentile"], np.percentile(np.abs(w), 99, axis=0) / 6, rtol=1e-6)
    np.testing.assert_allclose(scales["mean"], np.abs(w).mean(0) / 6, rtol=1e-6)
    low, high = next(Percentile(90).ranges(w.T, False))
    np.testing.assert_allclose([low, high], np.percentile(w, [10, 90], axis=0), rtol=1e-6)
    sparse = np.zeros((1, 100), np.float32)
    sparse[0, 0] = 5
    assert next(Percentile(50).ranges(sparse, True))[1] == 5
    assert [float(each[1][0]) for each in Search((1.0, 0.5)).ranges(sparse, True)] == [5, 2.5]
    assert float(next(Mean().ranges(sparse, True))[1][0]) == np.float32(0.05)
    assert float(next(Absmax().ranges(sparse, False))[0][0]) == 0


@pytest.mark.parametrize("name", ["i3", "u3", "nvfp4", "mxfp4", "nvint4", "ternary-g128", "nf4-double", "codebook3"])
def test_a_search_is_the_best_of_its_factors_in_each_block(name: str) -> None:
    w = weights(256, 16)
    factors = (1.0, 1.5, 0.8, 0.6, 0.45)
    found = quantize(w, name, calibration=Search(factors))
    each = [quantize(w, name, calibration=Search((factor,))) for factor in factors]
    assert error(found, w) <= min(error(q, w) for q in each) + 1e-4
    assert error(found, w) < error(each[0], w)
    if name in ("i3", "u3", "nvfp4"):
        group = np.square(w - np.stack([q.dequantize() for q in each])).reshape(5, -1, found.group, 16).sum(2)
        own = np.square(w - found.dequantize()).reshape(-1, found.group, 16).sum(1)
        np.testing.assert_allclose(own, group.min(0), rtol=1e-5)


def test_scales_that_are_quantised_again_cost_an_eighth_of_a_bit() -> None:
    w = weights(256, 128) * np.exp(RANDOM.normal(0, 0.3, 128)).astype(np.float32)
    plain, double = quantize(w, "nf4-block64"), quantize(w, "nf4-double")
    assert isinstance(double.scales, QuantizedTensor)
    assert plain.bits_per_weight == 4.5
    assert double.bits_per_weight == 4 + (8 + 2 * 32 / 256) / 64
    assert error(plain, w) < error(double, w) < 1.01 * error(plain, w)
    np.testing.assert_allclose(double.block_scales(), plain.scales, atol=float(np.ptp(plain.scales)) / 127)


def test_learned_codebooks_beat_fixed_ones_and_end_at_a_fixed_point() -> None:
    w = weights(256, 64)
    fixed, own = quantize(w, "nf4g64"), quantize(w, "codebook4")
    assert error(own, w) < error(fixed, w)
    assert own.bits_per_weight == fixed.bits_per_weight == 4.25
    channels = quantize(w, "codebook2-channel")
    assert channels.codebooks is not None
    assert channels.codebooks.shape == (1, 64, 4)
    assert error(channels, w) < 0.4
    rows = np.sort(RANDOM.standard_normal((3, 50)), -1)
    for row, table in zip(rows, k_means(rows, 4).astype(np.float64), strict=True):
        member = np.abs(row[:, None] - table).argmin(1)
        np.testing.assert_allclose([row[member == each].mean() for each in range(4)], table, rtol=2e-3, atol=1e-3)
    assert len(np.unique(k_means(np.zeros((1, 9)), 16))) == 16


def test_stochastic_rounding_is_repeatable_and_right_on_average() -> None:
    w = np.full((64, 512), 0.3, np.float32)
    w[0] = 7
    options: dict[str, Any] = {"group": 64, "scale_format": "f32", "rounding": "stochastic"}
    q = quantize(w, "i4", seed=5, **options)
    np.testing.assert_array_equal(q.codes.codes(), quantize(w, "i4", seed=5, **options).codes.codes())
    assert (q.codes.codes() != quantize(w, "i4", seed=6, **options).codes.codes()).any()
    assert q.dequantize()[1:].mean() == pytest.approx(0.3, abs=0.01)
    assert set(np.unique(q.dequantize()[1:])) == {0, 1}
    words = random_words(np.arange(w.size, dtype=np.uint64), np.array([5], np.uint64)).reshape(w.shape)
    np.testing.assert_array_equal(q.codes.codes(), dtype("i4").encode(w, "stochastic", random=words))


def test_a_hadamard_transform_helps_where_there_are_outliers() -> None:
    w = weights(256, 32)
    w[::64] *= 20
    plain, moved = quantize(w, "nvint4"), quantize(w, "nvint4", hadamard=128, seed=9)
    assert moved.transform is not None
    assert (moved.transform.size, moved.transform.seed) == (128, 9)
    inliers = np.delete(np.arange(256), np.arange(0, 256, 64))
    off = [np.linalg.norm((q.dequantize() - w)[inliers]) for q in (plain, moved)]
    assert moved.nbytes == plain.nbytes
    assert off[1] != off[0]
    assert error(quantize(w, "i4", hadamard=64), w) < 0.8 * error(quantize(w, "i4"), w)
    x = weights(5, 256)
    rotated = type(moved.transform)(1, 128, 9).apply(x) @ moved.dequantize(transformed=True)
    np.testing.assert_allclose(rotated, x @ moved.dequantize(), atol=1e-3)


def test_short_blocks_are_asked_for_and_nothing_is_padded() -> None:
    w = weights(100, 30)
    with pytest.raises(DTypeError, match=r"D011(.|\n)*partial=True"):
        quantize(w, "nvfp4")
    q = quantize(w, "nvfp4", partial=True)
    assert q.scales.shape == (7, 30)
    np.testing.assert_array_equal(
        q.dequantize()[96:], quantize(np.vstack([w[96:], w]), "nvfp4", (4, 1)).dequantize()[:4]
    )
    assert quantize(w, "nvfp4-2d", partial=True).scales.shape == (7, 2)
    assert quantize(w, "i4", group=128, partial=True).group == 100


def test_names_stand_for_their_rows() -> None:
    assert scheme("nvfp4") is SCHEMES["nvfp4"]
    assert scheme("u4 g128") == scheme("u4g128")
    assert scheme("f6e3m2").block == 128
    assert scheme(dtype("u3")).zero == "scale"
    w = weights(64, 32)
    own = Scheme("f5e2m2", (32, 4), "ue5m3")
    assert repr(quantize(w, own)).startswith("QuantizedTensor(f5e2m2[64, 32] in blocks of 32 × 4 with ue5m3 scales")
    for name, row in SCHEMES.items():
        assert scheme(name) is row
        with pytest.raises(DTypeError):  # the name of a format means the format
            dtype(name)
        assert row.activations is None or row.activations in SCHEMES
    assert tilevm.quantize(w, changed(own, block=8)).group == 8


@pytest.mark.parametrize(
    ("code", "message", "wrong"),
    [
        ("D019", "did you mean `nvfp4`", lambda w: quantize(w, "nvfp5")),
        ("D019", "no scheme `gptq`", lambda w: quantize(w, "gptq")),
        ("D001", "f7e3m3", lambda w: quantize(w, "f6e3m3")),
        ("D001", "neither", lambda w: quantize(w, 4)),
        ("D019", "did you mean `hadamard`", lambda w: quantize(w, "nvfp4", hadamar=16)),
        ("D019", "did you mean `percentile`", lambda w: quantize(w, "nvfp4", calibration="percentil")),
        ("D019", "did you mean `nearest`", lambda w: quantize(w, "nvfp4", scale_rounding="nearst")),
        ("D019", "needs a zero point", lambda w: Scheme("u4")),
        ("D019", "takes no zero point", lambda w: Scheme("i4", zero="code")),
        ("D019", "`learned`", lambda w: Scheme("u4", learned="both")),
        ("D019", "`second`", lambda w: Scheme("i4", second="i8")),
        ("D019", "take no unit", lambda w: Scheme("i4", scale="f8e4m3", two_levels=True, unit=2.0)),
        ("D019", "a small range, not e8m0", lambda w: quantize(w, "nvfp4", scale_format="e8m0")),
        ("D019", "above 0", lambda w: Scheme("i4", unit=0.0)),
        ("D012", "u1 … u8", lambda w: Scheme("i4", learned="block")),
        ("D004", "codebook of their block", lambda w: quantize(w, "codebook2-channel", rounding="up")),
        ("D004", "no rounding", lambda w: quantize(w, "nvfp4", rounding="nearest")),
        ("D020", "power of two", lambda w: quantize(w, "nvfp4", hadamard=24)),
        ("D020", "does not divide", lambda w: quantize(w[:40], "nvfp4", hadamard=16, partial=True)),
        ("D021", "a seed", lambda w: quantize(w, "nvfp4", seed=-1)),
        ("D021", "a percentile", lambda w: Percentile(0)),
        ("D015", "up to 2", lambda w: Search((2.5,))),
        ("D011", "a group of 'rows'", lambda w: quantize(w, "nvfp4", group="rows")),
        ("D011", "more dimensions", lambda w: quantize(w, "nvfp4", group=(1, 1, 16))),
        ("D011", "a group of", lambda w: quantize(w, "nvfp4", group=(16.0, 1))),
        (
            "D013",
            "more than f8e4m3",
            lambda w: quantize(w * 1e-38, "i4g32", scale_format="f8e4m3", scale_rounding="floor"),
        ),
        ("D013", "more than f16", lambda w: quantize(w * 1e6, "i4g32", scale_rounding="nearest")),
        ("D010", r"element \(3, 5\) is nan", lambda w: quantize(np.where(w == w[3, 5], np.nan, w), "mxfp4")),
        ("D010", r"element \(3, 5\) is -inf", lambda w: quantize(np.where(w == w[3, 5], -np.inf, w), "nvfp4")),
        ("D010", "below 2\\^127", lambda w: quantize(np.full((32, 1), 2.0**127), "mxfp4")),
    ],
)
def test_what_no_scheme_can_do_is_refused(code: str, message: str, wrong: Any) -> None:
    with pytest.raises(DTypeError, match=message) as caught:
        wrong(weights(64, 32))
    assert caught.value.code == code


def test_files_are_refused_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(tilevm.UsageError, match="F002"):
        QuantizedTensor.load(tmp_path / "none")
