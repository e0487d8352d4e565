"""The Hadamard transform by itself, and operators that quantise what they compute."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from quantized import numbers, values

import tilevm
from tilevm import ops
from tilevm.ops import Quantized
from tilevm.quantization import Hadamard


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
