"""The product with quantised weights on a GPU is the one with the numbers that they stand for, to the last rounding."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.gpu.machine import from_gpu, to_gpu
from tests.products import FORMATS, activations, allowed_of, random_weight
from tilevm.dtypes import DType, dtype
from tilevm.ops import matmul, pack_gated, pack_weight, quantize
from tilevm.quantization import QuantizedTensor

pytestmark = pytest.mark.gpu


def check(q: QuantizedTensor, rows: int, name: str = "f16", **options: Any) -> bytes:
    x, exact = activations(rows, q.shape[0], name)
    packed = pack_weight(q, name)
    y, allowed = allowed_of(exact, q, packed, **options)
    found = from_gpu(matmul(to_gpu(x), packed.to_device(), **options))
    numbers = np.asarray(found, np.float64)
    assert (np.abs(numbers - y) <= allowed).all(), float((np.abs(numbers - y) / allowed).max())
    assert not (np.abs(y) <= allowed).all()
    return np.asarray(found).tobytes()


@pytest.mark.parametrize("kind", FORMATS, ids=str)
@pytest.mark.parametrize("name", ["f16", "bf16"])
def test_every_format(kind: DType, name: str) -> None:
    for group in (32, 128):
        check(random_weight(kind, (400, 258), (group, 1), "f16", "u8" if kind.kind == "uint" else None), 9, name)


@pytest.mark.parametrize("rows", [1, 2, 8, 16, 33, 64, 200, 1024])
def test_any_number_of_rows(rows: int) -> None:
    q = random_weight(dtype("i4"), (1408, 520), (128, 1))
    check(q, rows)
    if rows <= 4:
        check(q, rows, tensor_cores=False)


@pytest.mark.parametrize("blocks", [1, 7, 64, 264, 1000])
def test_shared_work_repeats_bit_for_bit(blocks: int) -> None:
    q = random_weight(dtype("u3"), (2048, 1000), (64, 1), zeros="u3")
    assert len({check(q, 5, blocks=blocks) for _ in range(20)}) == 1


def test_gates_and_scales_of_two_levels() -> None:
    x, _ = activations(7, 256, "f16")
    gate, up = (random_weight(dtype("i4"), (256, 96), (64, 1), seed=seed) for seed in (1, 2))
    packed = pack_gated(gate, up)
    found = from_gpu(matmul(to_gpu(x), packed.to_device()))
    np.testing.assert_allclose(found, matmul(x, packed), rtol=2e-3, atol=2e-3)
    nvfp4 = replace(random_weight(dtype("f4e2m1"), (256, 96), (16, 1), "f8e4m3"), tensor_scale=0.01)
    check(nvfp4, 7)


@pytest.mark.parametrize("kind", ["i4", "i8", "u7"])
def test_activations_of_8_bits(kind: str) -> None:
    x, _ = activations(20, 512, "f16")
    tokens = quantize(to_gpu(x), "i8")
    packed = pack_weight(random_weight(dtype(kind), (512, 200), (64, 1)), "i8")
    found = from_gpu(matmul(tokens.codes, packed.to_device(), x_scale=tokens.scales[:, 0].copy()))
    host = quantize(x, "i8")
    expected = matmul(host.codes, packed, x_scale=np.ascontiguousarray(host.scales[:, 0]))
    np.testing.assert_array_equal(found, expected)
