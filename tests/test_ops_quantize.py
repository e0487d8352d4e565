"""Quantising in the language: interpreter = simulator bit for bit, and both = a reference written apart, for any
format, block and shape."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from quantized import PROGRAM, SAME, bits, check, numbers, reference, values

import tilevm
from tilevm import ops
from tilevm.philox import random_words
from tilevm.quantization import Hadamard

SIGNED = "i8 f8e4m3 f8e5m2 i7 f7e3m3 f6e3m2 f6e2m3 i5 f5e2m2 i4 f4e2m1 i3 f3e1m1 i2".split()
UNSIGNED = "u8 u5 u4 u2 u1".split()
SHAPES = [(1, 32), (5, 192), (3, 258), (4, 257), (2, 1000), (1, 1), (0, 64), (17, 5)]


@pytest.mark.parametrize("name", SIGNED + UNSIGNED)
def test_rows_of_any_length_have_the_codes_and_scales_of_the_reference(name: str) -> None:
    for shape in SHAPES:
        x = numbers(*shape)
        check(ops.quantize(x, name), reference(x, name, None, 1, "f32", None))


@pytest.mark.parametrize("scale_format", ["f32", "f16", "bf16", "e8m0", "ue4m3", "f8e4m3", "ue5m3"])
@pytest.mark.parametrize("group", [16, 32, 64, 128])
def test_groups_have_the_codes_and_scales_of_the_reference(group: int, scale_format: str) -> None:
    for name, shape in (("f4e2m1", (3, 258)), ("i8", (4, 7392)), ("f8e4m3", (1, 2880)), ("i4", (5, 96))):
        x = numbers(*shape, dtype=np.float32)
        found = ops.quantize(x, name, group, scale_format=scale_format)
        check(found, reference(x, name, group, 1, scale_format, None))


@pytest.mark.parametrize(("rows", "group"), [(16, 16), (128, 128), (4, 32), (2, 1)])
def test_blocks_of_rows_and_columns(rows: int, group: int) -> None:
    x = numbers(150, 300)
    for name, scale_format in (("f8e4m3", "f32"), ("i4", "f16"), ("u4", "bf16")):
        found = ops.quantize(x, name, (rows, group), scale_format=scale_format)
        check(found, reference(x, name, group, rows, scale_format, None))


@pytest.mark.parametrize("size", [2, 16, 32, 64, 128])
def test_the_transform_goes_before(size: int) -> None:
    x = numbers(3, 384)
    transform = Hadamard(axis=1, size=size, seed=9)
    for name, group in (("i8", None), ("f4e2m1", 16), ("u4", 64)):
        check(ops.quantize(x, name, group, transform=transform), reference(x, name, group, 1, "f32", transform))


def test_rows_too_long_for_registers() -> None:
    x = numbers(2, 40000, seed=4)
    transform = Hadamard(axis=1, size=64, seed=1)
    for name in ("i8", "u4"):
        check(ops.quantize(x, name), reference(x, name, None, 1, "f32", None))
    check(ops.quantize(x, "f8e5m2", transform=transform), reference(x, "f8e5m2", None, 1, "f32", transform))


@pytest.mark.parametrize(("name", "more"), SAME)
@pytest.mark.parametrize("shape", [(5, 384), (17, 128)])
def test_host_and_device_have_the_same_bits(name: str, more: dict[str, Any], shape: tuple[int, int]) -> None:
    x = numbers(*shape, seed=1).astype(np.float32)
    x[:, -1] *= 7e-5
    host = tilevm.quantize(x, name, axis=1, partial=True, **more)
    found = ops.quantize(x, name, **more)
    np.testing.assert_array_equal(bits(found.codes), bits(host.codes).view(bits(found.codes).dtype))
    np.testing.assert_array_equal(values(found.scales), values(host.scales))
    assert (found.zeros is None) == (host.zeros is None)
    if host.zeros is not None:
        np.testing.assert_array_equal(values(found.zeros), values(host.zeros))
    assert (found.tensor_scale is None) == (host.tensor_scale is None)
    if host.tensor_scale is not None:
        assert float(found.tensor_scale[0]) == host.tensor_scale


def test_rows_and_tensors_of_zeros_and_without_numbers() -> None:
    for shape in ((3, 64), (0, 64)):
        for name in ("nvfp4", "int8", "u4g32", "fp8-tensor", "mxfp4"):
            x = np.zeros(shape, np.float16)
            found = ops.quantize(x, name)
            host = tilevm.quantize(x, name, axis=1, partial=True)
            np.testing.assert_array_equal(bits(found.codes), bits(host.codes).view(bits(found.codes).dtype))
            if x.size:
                np.testing.assert_array_equal(values(found.scales), values(host.scales))
            if host.tensor_scale is not None:
                assert float(found.tensor_scale[0]) == host.tensor_scale == 1


SIMULATED = [
    ("i8", None, {}, (3, 192)),
    ("i4", 32, {"scale_format": "f16"}, (2, 257)),
    ("f6e3m2", 32, {"scale_format": "e8m0", "transform": Hadamard(1, 32, 3)}, (2, 96)),
    ("i8", None, {"transform": Hadamard(1, 128, 4)}, (2, 256)),
    ("f8e5m2", (16, 16), {"rounding": "stochastic", "seed": 3}, (20, 40)),
    ("i5", 32, {"rounding": "stochastic", "seed": 2**40 + 1}, (2, 70)),
    ("nvfp4", ..., {}, (3, 100)),
    ("mxint8", ..., {"hadamard": 16}, (2, 96)),
    ("fp8-tensor", ..., {}, (3, 200)),
    ("u4g32", ..., {}, (2, 70)),
    ("u8", None, {"transform": Hadamard(1, 16, 5)}, (1, 32800)),
]


@pytest.mark.parametrize(("name", "group", "more", "shape"), SIMULATED)
def test_the_simulator_has_the_bits_of_the_interpreter(
    name: str, group: Any, more: dict[str, Any], shape: tuple[int, int]
) -> None:
    x = numbers(*shape)
    found, simulated = (ops.quantize(x, name, group, backend=each, **more) for each in ("interpreter", "simulator"))
    for one, other in zip(found, simulated, strict=True):
        if one is not None:
            np.testing.assert_array_equal(bits(one), bits(other))
    assert values(found.codes).any()


def test_no_kernel_reads_or_writes_what_it_must_not() -> None:
    x, one = numbers(3, 100), np.ones(1, np.float32)
    module = tilevm.load(PROGRAM)
    for name, arrays, more in (
        ("quantize", (x, one, one), {"Q": "i4", "GROUP": 32}),
        ("quantize_zero", (x, one, one), {"Q": "u3", "GROUP": 64}),
        ("quantize_long", (x, one, one), {"Q": "f8e4m3", "BLOCK": 4096}),
        ("swiglu_quantize", (x, one, one), {"Q": "i8"}),
        ("rms_norm_quantize", (x, x[0].copy(), one, one), {"Q": "i8", "epsilon": 0.1}),
    ):
        report = tilevm.Report()
        module[name](*arrays, seed=0, debug=report, **more)
        assert report.errors == (), name


def test_the_comparison_finds_one_wrong_code_and_one_wrong_scale() -> None:
    x = numbers(3, 96)
    expected = reference(x, "i4", 32, 1, "f32", None)
    found = ops.quantize(x, "i4", 32)
    check(found, expected)
    codes = found.codes.codes().copy()
    codes[1, 70] ^= 1
    with pytest.raises(AssertionError):
        check(found._replace(codes=tilevm.PackedArray.from_codes(codes, "i4")), expected)
    with pytest.raises(AssertionError):
        check(found._replace(scales=np.nextafter(found.scales, np.float32(0))), expected)


def test_scales_at_the_ends_of_f32() -> None:
    x = np.random.default_rng(3).standard_normal((9, 64)).astype(np.float32)
    x *= np.float32([1e-44, 1e-40, 1e-37, 1e-30, 1e-20, 1, 1e20, 1e30, 1e38])[:, None]
    x[np.isinf(x)] = 3e38
    for name in ("i8", "f8e5m2", "f4e2m1"):
        for scale_format in ("f32", "bf16", "e8m0"):
            check(
                ops.quantize(x, name, 32, scale_format=scale_format),
                reference(x, name, 32, 1, scale_format, None),
            )


def test_stochastic_codes_go_by_the_place_in_the_tensor() -> None:
    x = numbers(6, 300, dtype=np.float32)
    for name, group in (("f4e2m1", 32), ("i8", None)):
        found = ops.quantize(x, name, group, rounding="stochastic", seed=77)
        scales = np.repeat(values(found.scales).astype(np.float32), group or x.shape[1], axis=1)[:, : x.shape[1]]
        words = random_words(np.arange(x.size, dtype=np.uint64), np.array([77], np.uint64)).reshape(x.shape)
        kind = tilevm.dtype(name)
        expected = kind.encode(x / scales + 0, "stochastic", saturate=True, random=words)
        np.testing.assert_array_equal(bits(found.codes), expected.view(bits(found.codes).dtype))
        assert (bits(ops.quantize(x, name, group, rounding="stochastic", seed=78).codes) != bits(found.codes)).any()


def test_stochastic_codes_have_the_numbers_as_their_mean() -> None:
    x = np.full((1, 4096), 0.3, np.float32)
    x[0, 0] = 7
    found = ops.quantize(x, "i4", rounding="stochastic", seed=1)
    assert set(np.unique(values(found.codes)[0, 1:])) == {0, 1}
    assert abs(values(found.codes)[0, 1:].mean() - 0.3) < 4 * np.sqrt(0.3 * 0.7 / 4095)


REFUSED = [
    ("D011", ("i8", 32.0), {}),
    ("D019", ("i8",), {"calibration": ["mse"]}),
    ("D019", ("i8",), {"scale_rounding": ["up"]}),
    ("D001", ("f6e3m3",), {}),
    ("D004", ("i8",), {"rounding": "up"}),
    ("D011", ("i8", 0), {}),
    ("D012", ("e8m0",), {}),
    ("D013", ("i8",), {"scale_format": "i8"}),
    ("D013", ("u8",), {"scale_format": "ue4m3"}),
    ("D019", ("nvfp5",), {}),
    ("D020", ("i8",), {"transform": Hadamard(0, 4)}),
    ("D020", ("i8",), {"hadamard": 64}),
    ("D021", ("i8",), {"seed": -1}),
    ("D022", ("i8", 48), {}),
    ("D022", ("i8", (1024, 64)), {}),
    ("D022", ("ternary",), {}),
    ("D022", ("nf4-double",), {}),
    ("D022", ("codebook4",), {}),
    ("D022", ("w4a8-fp8-ratio",), {}),
    ("D022", ("u8", "tensor"), {}),
    ("D022", ("nvfp4",), {"scale_rounding": "floor"}),
    ("A006", ("i8",), {}),
]


@pytest.mark.parametrize(("code", "arguments", "keywords"), REFUSED)
def test_what_cannot_be_quantised_is_refused(code: str, arguments: Any, keywords: dict[str, Any]) -> None:
    x = numbers(4, 96)
    ops.quantize(x, "i8", 32)
    with pytest.raises(tilevm.TilevmError, match=code):
        ops.quantize(x[0] if code == "A006" else x, *arguments, **keywords)
    with pytest.raises(tilevm.TilevmError, match="D022"):
        ops.hadamard(numbers(2, 512), Hadamard(1, 256))
