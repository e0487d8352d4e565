"""What the product does with its sums, and how its work is shared among thread blocks."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from kernels import needs_compiler
from products import Matrix, activations, allowed_of, check, random_weight

from tilevm.dtypes import dtype
from tilevm.errors import ArgumentError
from tilevm.ops import matmul, pack_gated, pack_weight, quantize


@pytest.mark.parametrize("blocks", [4, 7])
@needs_compiler
def test_a_hundred_orders_of_blocks_give_the_same_bits(blocks: int) -> None:
    """Four blocks share two tiles evenly, as split-k does; seven in pieces that begin and end within a tile."""
    q = random_weight(dtype("u4"), (256, 100), (64, 1), zeros="u4")
    x, _ = activations(5, 256, "f16")
    packed = pack_weight(q)

    def found(seed: int) -> bytes:
        y = matmul(x, packed, blocks=blocks, WN=1, KU=1, STAGES=2, backend="simulator", order=seed)
        return np.asarray(y).tobytes()

    assert len({found(seed) for seed in range(100)}) == 1


def test_few_rows_may_go_without_tensor_cores() -> None:
    q = random_weight(dtype("i4"), (256, 72), (64, 1))
    x, exact = activations(2, 256, "f16")
    check(x, exact, q, pack_weight(q), tensor_cores=False)
    bias = np.ones(72, np.float16)
    one, other = (matmul(x, pack_weight(q), bias=bias, tensor_cores=cores) for cores in (True, False))
    np.testing.assert_allclose(one.astype(np.float32), other.astype(np.float32), rtol=2e-3, atol=2e-3)
    with pytest.raises(ArgumentError, match="A026"):
        matmul(x, pack_weight(q), blocks=3, tensor_cores=False)


def ended(y: Matrix, bias: Matrix, activation: str | None, residual: Matrix) -> Matrix:
    y = y + bias
    if activation == "gelu":
        y = 0.5 * y * (1 + np.vectorize(math.erf)(y / math.sqrt(2)))
    elif activation == "silu":
        y = y / (1 + np.exp(-y))
    return y + residual


@pytest.mark.parametrize("blocks", [1, 2, 5, 13, 1000])
@pytest.mark.parametrize("rows", [3, 40])
def test_work_is_shared_among_any_number_of_blocks(blocks: int, rows: int) -> None:
    q = random_weight(dtype("i4"), (328, 200), (64, 1))
    x, exact = activations(rows, 328, "f16")
    packed = pack_weight(q)
    check(x, exact, q, packed, blocks=blocks)
    np.testing.assert_array_equal(matmul(x, packed, blocks=blocks), matmul(x, packed, blocks=blocks))


@needs_compiler
def test_emitted_code_shares_work_among_blocks() -> None:
    q = random_weight(dtype("u4"), (328, 130), (64, 1), zeros="u4")
    x, exact = activations(9, 328, "f16")
    for blocks in (2, 5):
        check(x, exact, q, pack_weight(q), blocks=blocks, backend="simulator")


@pytest.mark.parametrize("activation", [None, "gelu", "silu"])
@pytest.mark.parametrize("blocks", [None, 7])
@pytest.mark.parametrize("backend", ["interpreter", pytest.param("simulator", marks=needs_compiler)])
def test_bias_activation_and_residual_are_applied_to_the_sums(
    activation: str | None, blocks: int | None, backend: str
) -> None:
    if backend == "simulator" and (activation, blocks) != ("gelu", None):
        backend = "interpreter"
    q = random_weight(dtype("i4"), (256, 72), (64, 1))
    x, exact = activations(6, 256, "f16")
    random = np.random.default_rng(9)
    bias, residual = random.standard_normal(72).astype(np.float16), random.standard_normal((6, 72)).astype(np.float16)
    y, allowed = allowed_of(exact, q, pack_weight(q))
    wanted = ended(y, bias.astype(np.float64), activation, residual.astype(np.float64))
    found = matmul(
        x, pack_weight(q), bias=bias, activation=activation, residual=residual, blocks=blocks, backend=backend
    )
    # Both activations rise by at most 1.13 times as much as their argument; f32 rounds a few times more.
    wide = 1.13 * allowed + 2.0**-11 * np.abs(wanted) + 2.0**-19 * (1 + np.abs(y))
    assert (np.abs(np.asarray(found, np.float64) - wanted) <= wide).all()
    for left_out in (ended(y, 0 * bias, activation, residual), ended(y, bias, activation, 0 * residual)):
        assert (np.abs(left_out - wanted) > wide).any()


@pytest.mark.parametrize("backend", ["interpreter", pytest.param("simulator", marks=needs_compiler)])
def test_gated_products(backend: str) -> None:
    gate, up = (random_weight(dtype("u4"), (192, 96), (64, 1), "f16", "u4", seed=seed) for seed in (1, 2))
    x, exact = activations(6, 192, "f16")
    exact = exact / 8
    x = (x / np.float16(8)).astype(np.float16)
    (first, one), (second, other) = (allowed_of(exact, each, pack_weight(each)) for each in (gate, up))
    silu = first / (1 + np.exp(-first))
    wanted = silu * second
    allowed = 1.13 * one * np.abs(second) + other * (np.abs(silu) + one) + 2.0**-11 * np.abs(wanted) + 2.0**-20
    found = np.asarray(matmul(x, pack_gated(gate, up), backend=backend), np.float64)
    assert (np.abs(found - wanted) <= allowed).all()
    assert (np.abs(wanted) > allowed).any()
    residual = np.ones((6, 96), np.float16)
    more = np.asarray(matmul(x, pack_gated(gate, up), residual=residual), np.float64)
    assert (np.abs(more - wanted - 1) <= allowed + 2.0**-10).all()


def test_endings_that_do_not_fit_are_refused() -> None:
    q = random_weight(dtype("i4"), (64, 64), (64, 1))
    x = np.ones((2, 64), np.float16)
    wrong: list[dict[str, Any]] = [
        {"activation": "relu"},
        {"bias": np.ones(63, np.float16)},
        {"residual": np.ones((1, 64), np.float16)},
        {"blocks": 0},
        {"blocks": 1.5},
    ]
    for options in wrong:
        with pytest.raises(ArgumentError, match="A026"):
            matmul(x, pack_weight(q), **options)
    with pytest.raises(ArgumentError, match="A026"):
        matmul(x, pack_gated(q, q), activation="silu")
    tokens = quantize(x, "i8")
    with pytest.raises(ArgumentError, match="A026"):
        matmul(tokens.codes, pack_weight(q, "i8"), x_scale=tokens.scales[:, 0], bias=np.ones(64, np.float16))
    for other, name in ((random_weight(dtype("i4"), (64, 32), (64, 1)), "f16"), (q, "i8")):
        with pytest.raises(ArgumentError, match="A025"):
            pack_gated(q, other, name)
    with pytest.raises(ArgumentError, match="A025"):
        pack_gated(*[random_weight(dtype("i4"), (64, 48), (64, 1))] * 2)
