"""Quantising in the language: interpreter = simulator bit for bit, and both = a reference written apart, for any
format, block and shape; the machine code has wide accesses and nothing in local memory."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_machine_code import has_nvrtc

import tilevm
from tilevm import ops
from tilevm.frontend import load_text
from tilevm.ops import Quantized
from tilevm.philox import random_words
from tilevm.quantization import Hadamard

PROGRAM = Path(ops.__file__).with_name("quantization.tvm")
needs_nvrtc = pytest.mark.skipif(not has_nvrtc(), reason="CuPy or NVRTC is not there")


def numbers(*shape: int, dtype: Any = np.float16, seed: int = 0) -> np.ndarray:
    """Rows of very different magnitude, with negative zeros, a row and a stretch of zeros, and large numbers."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(shape) * 10.0 ** rng.integers(-3, 4, (shape[0], 1))
    x[:, 3::17] = -0.0
    x[:, 16:48] = 0
    x[2:3] = 0
    x[1:2, -1:] = 60000
    return x.astype(dtype)


# The reference: NumPy in float32, formats by the table of all their numbers


def table(kind: tilevm.DType) -> tuple[np.ndarray, np.ndarray]:
    """All finite numbers of a format of up to 8 bits in order, and for each whether a tie goes to it."""
    values = kind.decode(np.arange(1 << kind.bits, dtype=np.uint8))
    codes = np.flatnonzero(np.isfinite(values))
    order = codes[np.argsort(values[codes], kind="stable")]
    return values[order], order % 2 == 0


def nearest(kind: tilevm.DType, y: np.ndarray) -> np.ndarray:
    """The nearest number of the format, of two the one with an even code; the last one beyond it."""
    values, even = table(kind)
    wide = np.clip(y.astype(np.float64), values[0], values[-1])
    above = np.clip(np.searchsorted(values, wide), 1, len(values) - 1)
    low, high = values[above - 1], values[above]
    up = (high - wide < wide - low) | ((high - wide == wide - low) & even[above])
    return np.where(up, high, low)


def rounded_up(name: str, exact: np.ndarray) -> np.ndarray:
    """The least number of a scale format that is not below, float32; the largest where there is none."""
    if name == "f32":
        return exact
    kind = tilevm.dtype(name)
    if kind.bits <= 8:
        values = table(kind)[0]
        return values[np.minimum(np.searchsorted(values, exact), len(values) - 1)].astype(np.float32)
    if name == "bf16":
        bits = exact.view(np.uint32)
        return ((bits + 0xFFFF) & 0xFFFF0000).view(np.float32)
    with np.errstate(over="ignore"):
        half = exact.astype(np.float16)
    return np.minimum(np.where(half < exact, np.nextafter(half, np.float16(np.inf)), half), 65504).astype(np.float32)


def butterflies(x: np.ndarray, size: int) -> np.ndarray:
    """The transform by its definition as a recursion: H(2n) = [[H, H], [H, -H]], in float32."""
    if size == 1:
        return x
    runs = x.reshape(-1, size)
    # The last doubling adds halves; the ones before it are within them.
    first, second = (butterflies(np.ascontiguousarray(half), size // 2) for half in np.split(runs, 2, axis=1))
    return np.concatenate([first + second, first - second], axis=1).reshape(x.shape)


def reference(
    x: np.ndarray, name: str, group: int | None, rows: int, scale_format: str, transform: Hadamard | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The numbers that the codes stand for, scales, and zero points."""
    kind = tilevm.dtype(name)
    wide = x.astype(np.float32)
    if transform is not None:
        signed = wide * np.tile(transform.signs, x.shape[1] // transform.size)
        wide = butterflies(signed, transform.size) * np.float32(1 / np.sqrt(transform.size))
    own = group or x.shape[1]
    grid = (-(-x.shape[0] // rows), -(-x.shape[1] // own))
    padded = np.zeros((grid[0] * rows, grid[1] * own), np.float32)
    padded[: x.shape[0], : x.shape[1]] = wide
    blocks = padded.reshape(grid[0], rows, grid[1], own)
    if kind.signed:
        exact = np.abs(blocks).max((1, 3)) / np.float32(kind.max)
        zeros = np.zeros(grid, np.float32)
    else:
        low, high = np.minimum(blocks.min((1, 3)), 0), np.maximum(blocks.max((1, 3)), 0)
        exact = (high - low) / np.float32(kind.max)
        zeros = -low
    scales = rounded_up(scale_format, np.where(exact > 0, exact, np.float32(1)))
    zeros = np.clip(np.rint(zeros / scales), 0, kind.max)
    y = blocks / scales[:, None, :, None] + zeros[:, None, :, None]
    codes = nearest(kind, y).reshape(padded.shape)[: x.shape[0], : x.shape[1]]
    return codes, scales, zeros


def values(array: Any) -> np.ndarray:
    """What an array of any format holds, in float64."""
    return np.asarray(array.numpy() if isinstance(array, tilevm.PackedArray) else array, np.float64)


def bits(array: Any) -> np.ndarray:
    """The codes of an array of any format."""
    if isinstance(array, tilevm.PackedArray):
        return array.codes()
    return np.ascontiguousarray(array).view(np.uint8)


def check(found: Quantized, expected: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    codes, scales, zeros = expected
    np.testing.assert_array_equal(values(found.scales), scales)
    np.testing.assert_array_equal(values(found.codes), codes)
    if found.zeros is not None:
        np.testing.assert_array_equal(values(found.zeros), zeros)


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


FORMATS = [
    (name, {"scale_format": scale}) for name in ("i8", "f6e3m2", "nf4", "trit", "u3") for scale in ("f16", "bf16")
]
SAME = [
    *(("mx" + each, {}) for each in ("fp8e4m3", "fp8e5m2", "fp6e2m3", "fp6e3m2", "fp4", "int8")),
    *((each, {}) for each in ("nvfp4", "nvfp4-2d", "nvint4", "ue5m3fp4", "ue5m3fp4-g32", "w4a8-fp8", "w4a8-int8")),
    *(
        (each, {})
        for each in ("fp8", "int8", "fp8-tensor", "int8-tensor", "nf4-block64", "u4g128", "i3g64", "f6e3m2g32")
    ),
    ("nvfp4", {"hadamard": 16, "seed": 5}),
    ("nvfp4", {"rounding": "stochastic", "seed": 2**63 + 1}),
    ("nvfp4-2d", {"rounding": "stochastic", "seed": 8}),
    ("int8-tensor", {"rounding": "stochastic", "seed": 8, "hadamard": 128}),
    ("u4g32", {"zero": "float"}),
    ("u8", {"group": 64, "zero": "code", "scale_format": "f32", "hadamard": 32}),
    ("i4", {"group": (4, 32), "symmetric": True, "scale_rounding": "power", "scale_format": "bf16"}),
    *((name, {"group": 64, **more}) for name, more in FORMATS),
]


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


QUOTIENT = """
from "quantization.tvm" import quotient

kernel divided[Q: dtype = i8, S: dtype = f32](x: f32[N], s: f32[N], out y: f32[N]):
    grid cdiv(N, 1024)
    warps 4
    i = block_index(0) * 1024
    store(y[i :+ 1024], quotient(load(x[i :+ 1024]), load(s[i :+ 1024], fill=1), Q, S, False))
"""


@pytest.mark.parametrize("fuzz", [False, pytest.param(True, marks=pytest.mark.fuzz)])
@pytest.mark.parametrize(("name", "low", "high"), [("f32", -149, 128), ("bf16", -126, 128), ("f16", -24, 16)])
def test_the_quotient_is_rounded_once(name: str, low: int, high: int, fuzz: bool) -> None:
    rng = np.random.default_rng(5)
    divided = tilevm.Module(load_text(QUOTIENT, "<text>", folder=PROGRAM.parent), "the test").divided
    for _ in range(200 if fuzz else 1):
        count = 200_000
        exponents = rng.integers(low, high, count)
        s = np.maximum(np.ldexp(1 + rng.random(count), exponents), 2.0**low).astype(np.float32)
        exact = s.astype(np.float64) * rng.standard_normal(count) * np.ldexp(1.0, rng.integers(-24, 16, count))
        exact[::7] = s[::7].astype(np.float64) * 2.5
        exact[::11] = -0.0
        x = np.clip(exact, -3e38, 3e38).astype(np.float32)
        found = divided(x, s, S=name)
        np.testing.assert_array_equal(found.view(np.uint32), (x / s).view(np.uint32))


@pytest.mark.parametrize("size", [16, 32, 64, 128])
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_the_hadamard_transform_and_its_inverse(size: int, dtype: Any) -> None:
    x = numbers(5, 3 * size, dtype=np.float32)
    x = (x / np.abs(x).max()).astype(dtype)
    transform = Hadamard(axis=1, size=size, seed=size)
    found = ops.hadamard(x, transform)
    np.testing.assert_array_equal(found, transform.apply(x.astype(np.float32)).astype(dtype))
    back = ops.hadamard(found, transform, inverse=True)
    np.testing.assert_array_equal(back, transform.undo(found.astype(np.float32)).astype(dtype))
    # Sylvester's matrix: entry (i, j) is -1 where i and j have an odd number of bits in common.
    matrix = np.array([[(-1.0) ** (i & j).bit_count() for j in range(size)] for i in range(size)])
    exact = x.reshape(-1, size) * transform.signs.astype(np.float64) @ matrix / np.sqrt(size)
    assert np.linalg.norm(found - exact.reshape(x.shape)) < 1e-3 * np.linalg.norm(exact)
    assert np.linalg.norm(back - x.astype(np.float64)) < 1e-3 * np.linalg.norm(x)


def test_the_simulator_transforms_as_the_interpreter() -> None:
    x = numbers(2, 256, dtype=np.float32)
    for size, inverse in ((16, False), (128, True)):
        transform = Hadamard(axis=1, size=size, seed=1)
        found = [ops.hadamard(x, transform, inverse=inverse, backend=each) for each in ("interpreter", "simulator")]
        np.testing.assert_array_equal(found[0].view(np.uint32), found[1].view(np.uint32))


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


def swiglu(x: np.ndarray) -> np.ndarray:
    """silu(gate) * up, in float64."""
    gate, up = np.split(x.astype(np.float64), 2, axis=1)
    return gate / (1 + np.exp(-gate)) * up


def rms_norm(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    wide = x.astype(np.float64)
    return wide / np.sqrt((wide**2).mean(axis=1, keepdims=True) + 1e-6) * weight


def check_near(found: Quantized, exact: np.ndarray, group: int) -> None:
    """Every code is within half a step of the exact number, and the scales are those of the exact numbers, but for what
    f32 loses on the way; the error is not zero, and zeros would fail."""
    kind = tilevm.dtype("i8")
    padded = np.pad(exact, [(0, 0), (0, -exact.shape[1] % group)])
    tops = np.abs(padded).reshape(len(exact), -1, group).max(2)
    scales = values(found.scales)
    np.testing.assert_allclose(scales, np.where(tops > 0, tops / kind.max, 1), rtol=3e-6)
    step = np.repeat(scales, group, axis=1)[:, : exact.shape[1]]
    off = np.abs(values(found.codes) * step - exact)
    assert (off <= step * (0.5 + 1e-3)).all()
    assert off.max() > 0.1 * step.min()
    assert np.linalg.norm(off) < 0.05 * np.linalg.norm(exact)


@pytest.mark.parametrize("shape", [(3, 192), (1, 32), (5, 2880), (2, 258)])
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_what_is_fused_is_quantised_as_what_it_computes(shape: tuple[int, int], dtype: Any) -> None:
    rng = np.random.default_rng(7)
    x, weight = (2 * rng.standard_normal(each) for each in ((shape[0], 2 * shape[1]), shape[1]))
    x, weight = x.astype(dtype), weight.astype(dtype)
    check_near(ops.swiglu_quantize(x, "i8"), swiglu(x), shape[1])
    check_near(ops.swiglu_quantize(x, "i8", 32), swiglu(x), 32)
    check_near(
        ops.rms_norm_quantize(x[:, : shape[1]].copy(), weight, "i8"), rms_norm(x[:, : shape[1]], weight), shape[1]
    )
    check_near(ops.rms_norm_quantize(x[:, : shape[1]].copy(), weight, "i8", 16), rms_norm(x[:, : shape[1]], weight), 16)


def test_what_is_fused_goes_through_the_transform() -> None:
    x = np.random.default_rng(8).standard_normal((4, 256)).astype(np.float32)
    transform = Hadamard(axis=1, size=64, seed=2)
    found = ops.swiglu_quantize(x, "i8", transform=transform)
    check_near(found, transform.apply(swiglu(x).astype(np.float32)).astype(np.float64), 128)


@pytest.mark.parametrize("fuse", ["swiglu", "rms_norm"])
def test_the_simulator_computes_what_is_fused(fuse: str) -> None:
    x = np.random.default_rng(9).standard_normal((2, 192)).astype(np.float16)
    weight = np.linspace(-1, 2, 192).astype(np.float16)
    if fuse == "swiglu":
        check_near(ops.swiglu_quantize(x, "i8", backend="simulator"), swiglu(x), 96)
    else:
        check_near(ops.rms_norm_quantize(x, weight, "i8", backend="simulator"), rms_norm(x, weight), 192)


def test_what_cannot_be_fused_is_refused() -> None:
    x, weight = np.ones((2, 40000), np.float16), np.ones(40000, np.float16)
    for scheme in ("u8", "nvfp4", "int8-tensor", "i8"):
        with pytest.raises(tilevm.DTypeError, match="D022"):
            ops.rms_norm_quantize(x, weight, scheme)
    with pytest.raises(tilevm.ArgumentError, match="A018"):
        ops.swiglu_quantize(np.ones((2, 33), np.float16), "i8")


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


# On a GPU


@pytest.mark.gpu
@pytest.mark.parametrize(("name", "more"), SAME)
def test_a_gpu_has_the_bits_of_the_interpreter(name: str, more: dict[str, Any]) -> None:
    cupy = pytest.importorskip("cupy")
    for shape in ((5, 384), (17, 130 if "hadamard" not in more else 128)):
        x = numbers(*shape)
        expected, found = ops.quantize(x, name, **more), ops.quantize(cupy.asarray(x), name, **more)
        for one, other in zip(expected, found, strict=True):
            if one is None:
                assert other is None
            elif isinstance(one, tilevm.PackedArray):
                np.testing.assert_array_equal(one.data, cupy.asnumpy(other.data))
            else:
                held = other.data if isinstance(other, tilevm.PackedArray) else other
                np.testing.assert_array_equal(one.view(np.uint8).ravel(), cupy.asnumpy(held).view(np.uint8).ravel())


@pytest.mark.gpu
def test_a_gpu_transforms_as_the_interpreter() -> None:
    cupy = pytest.importorskip("cupy")
    x = numbers(5, 384, dtype=np.float32)
    for size in (2, 16, 32, 64, 128):
        transform = Hadamard(axis=1, size=size, seed=1)
        found = ops.hadamard(cupy.asarray(x), transform)
        np.testing.assert_array_equal(cupy.asnumpy(found).view(np.uint32), ops.hadamard(x, transform).view(np.uint32))


# Machine code

TWO_LEVELS = {"SCALING": 1, "TWO_LEVELS": True}
COMPILED: dict[str, tuple[str, dict[str, Any]]] = {
    "rows to i8": ("quantize", {"Q": "i8", "GROUP": 4096, "RUN": 16}),
    "rows to f8e4m3": ("quantize", {"Q": "f8e4m3", "GROUP": 4096, "RUN": 16}),
    "groups to f4e2m1": ("quantize", {"Q": "f4e2m1", "S": "e8m0", "GROUP": 32}),
    "transformed": ("quantize", {"Q": "i4", "S": "f16", "GROUP": 64, "HADAMARD": 128}),
    "squares": ("quantize", {"Q": "i8", "GROUP": 128, "GROUP_ROWS": 128, "ROWS": 128, "BLOCK": 128, "WARPS": 16}),
    "zero points": ("quantize_zero", {"Q": "u4", "S": "f16"}),
    "stochastic": ("quantize", {"Q": "f8e5m2", "STOCHASTIC": True}),
    "two levels": ("quantize", {"Q": "f4e2m1", "S": "f8e4m3", "GROUP": 16, **TWO_LEVELS}),
    "long rows": ("quantize_long", {"Q": "i8"}),
    "scaled": ("quantize_scaled", {"Q": "f8e4m3"}),
    "swiglu": ("swiglu_quantize", {"Q": "i8", "GROUP": 4096, "RUN": 16}),
    "rms_norm": ("rms_norm_quantize", {"Q": "i8", "GROUP": 4096, "RUN": 16}),
    "transform": ("hadamard", {"HADAMARD": 16}),
}


@needs_nvrtc
@pytest.mark.parametrize(("name", "target"), [*zip(COMPILED, itertools.cycle(["sm_80", "sm_90a"]), strict=False)])
def test_kernels_compile_to_wide_accesses_and_without_local_memory(name: str, target: str) -> None:
    kernel, bindings = COMPILED[name]
    divisible = {"M": 128, "N" if kernel == "swiglu_quantize" else "K": 128}
    compiled = tilevm.load(PROGRAM)[kernel].compile(target, divisible=divisible, A="f16", **bindings)
    taken = compiled.resources
    assert (taken.spill_store_bytes, taken.spill_load_bytes, taken.stack_bytes) == (0, 0, 0)
    remarks = [str(each) for each in compiled.remarks]
    assert sum("16-byte loads" in each for each in remarks) >= 1
    assert not [each for each in remarks if "-byte loads" in each and "16-byte" not in each]
    run = bindings.get("RUN", 16 if kernel == "quantize_long" else 32)
    codes = f"{min(16, run * tilevm.dtype(bindings.get('Q', 'f16')).bits // 8)}-byte stores"
    assert any(codes in each for each in remarks), remarks
    assert not [each for each in remarks if "moved between layouts" in each]
