"""The product with quantised weights is the one with the numbers that they stand for, to the last rounding.

The bound follows from how the product is computed, element by element. With u the unit roundoff of the activations'
format: sums in f32 of K exact products, at most (K + 8) 2^-24 of the sum of magnitudes, with those of codes and zero
points apart, where a zero point is taken from the sums; the scaling of a weight in the activations' format, at most 3 u
of it; and the rounding of the result, u of it. Inputs have rows with a single one, so
that a single code which is one off is seen.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernels import needs_compiler
from numpy.typing import NDArray

import tilevm
from tilevm.dtypes import DType, codebook, dtype
from tilevm.errors import ArgumentError, DTypeError, UsageError
from tilevm.ops import PackedWeight, hadamard, matmul, pack_gated, pack_weight, quantize
from tilevm.ops.matmul import tiles_for
from tilevm.ops.weights import kernels
from tilevm.packed_array import PackedArray
from tilevm.quantization import (
    ColumnSplit,
    Hadamard,
    LowRank,
    OutlierSplit,
    QuantizedTensor,
    correct_low_rank,
    split_columns,
    split_outliers,
)
from tilevm.runtime.nvrtc import nvrtc_version

INTEGERS = [f"{kind}{bits}" for kind in "ui" for bits in range(1, 9)]
FLOATS = "f3e1m1 f3e2m0 f4e2m1 f4e3m0 f5e2m2 f5e3m1 f6e2m3 f6e3m2 f7e3m3 f7e2m4 f8e4m3 f8e5m2 f8e3m4".split()
BOOK = codebook("seven", [-1.0, -0.5, -0.25, 0.0, 0.25, 0.5, 1.0])
FORMATS: list[DType] = [*map(dtype, [*INTEGERS, *FLOATS, "nf4", "trit"]), BOOK]
ROUNDOFF = {"f16": 2.0**-11, "bf16": 2.0**-8}
Matrix = NDArray[np.float64]


def random_weight(
    kind: DType,
    shape: tuple[int, int],
    block: tuple[int, int],
    scale: str = "f16",
    zeros: str | None = None,
    seed: int = 0,
    axis: int = 0,
) -> QuantizedTensor:
    """Any finite codes, scales of the same size within a factor of eight, zero points in the middle of the codes."""
    random = np.random.default_rng(seed)
    codes = random.integers(0, len(kind.table) or 1 << kind.bits, shape).astype(kind.storage)
    codes[~np.isfinite(kind.decode(codes))] = 0
    grid = tuple(-(-extent // side) for extent, side in zip(shape, block, strict=True))
    scales = PackedArray.from_values(2.0 ** random.uniform(-3, 0, grid), scale)
    points = None
    if zeros is not None:
        middle = random.integers(0, 1 << kind.bits, grid)
        points = PackedArray.from_values(middle, zeros)
    return QuantizedTensor(PackedArray.from_codes(codes, kind), scales, points, block, axis)


def activations(rows: int, inner: int, name: str, seed: int = 1) -> tuple[Any, Matrix]:
    """Half of the rows with a single one, half random; as an array to pass, and as numbers."""
    random = np.random.default_rng(seed)
    numbers = random.standard_normal((rows, inner))
    ones = random.integers(0, inner, (rows + 1) // 2)
    numbers[: len(ones)] = np.eye(inner)[ones]
    held = PackedArray.from_values(numbers, name)
    exact = np.asarray(held, np.float64)
    return held.numpy() if name in ("f16", "i8") else held, exact


def bound(x: Matrix, w: Matrix, y: Matrix, name: str, sums: bool, reach: Matrix | None = None) -> Matrix:
    unit = ROUNDOFF[name]
    added = (x.shape[1] + 8) * 2.0**-24 * (np.abs(x) @ (np.abs(w) if reach is None else reach))
    return added + (0 if sums else 3 * unit) * (np.abs(x) @ np.abs(w)) + unit * np.abs(y) + 2.0**-24


def weight_of(q: QuantizedTensor, name: str, apart: bool = False) -> Matrix:
    """What the codes stand for, in f64: computed apart from ``dequantize``, for blocks along two axes. The numbers of a
    codebook are those that activations of the format ``name`` meet. ``apart`` adds codes, counted from the least, and
    zero points, instead of taking the one from the other."""
    numbers = q.dtype.decode(q.codes.codes()).astype(np.float64)
    if q.dtype.kind == "codebook":
        numbers = np.asarray(PackedArray.from_values(numbers, name), np.float64)

    def spread(part: Any) -> Matrix:
        held = np.asarray(part, np.float64)
        for axis, side in enumerate(q.block):
            held = np.take(held, np.arange(q.shape[axis]) // side, axis=axis)
        return held

    if apart:
        numbers = numbers + max(0, -q.dtype.min) + (0 if q.zeros is None else spread(q.zeros))
    else:
        numbers = numbers - (0 if q.zeros is None else spread(q.zeros))
    numbers = numbers * spread(q.scales) * (1.0 if q.tensor_scale is None else q.tensor_scale)
    return numbers if q.axis == 0 else numbers.T


def allowed_of(exact: Matrix, q: QuantizedTensor, packed: PackedWeight, **options: Any) -> tuple[Matrix, Matrix]:
    """The product, and how far from it the kernel may be."""
    name = packed.activations.name
    w = weight_of(q, name)
    y = exact @ w
    group = packed.settings["GROUP"]
    sums = bool(options.get("SUMS", tiles_for(*y.shape, group)["SUMS"]))
    reach = weight_of(q, name, apart=True) if sums and q.dtype.kind in ("uint", "int") else None
    return y, bound(exact, w, y, name, sums, reach)


def check(x: Any, exact: Matrix, q: QuantizedTensor, packed: PackedWeight, **options: Any) -> None:
    """The product is within the bound; zeros, and one code that is one off, are not."""
    y, allowed = allowed_of(exact, q, packed, **options)
    found = np.asarray(matmul(x, packed, **options), np.float64)
    assert found.shape == y.shape
    assert (np.abs(found - y) <= allowed).all(), float((np.abs(found - y) / allowed).max())
    assert not (np.abs(y) <= allowed).all(), "a result of zeros passes"


def test_a_code_that_is_one_off_breaks_the_bound() -> None:
    for kind in (dtype("u8"), dtype("i4"), dtype("f6e3m2"), dtype("u1")):
        for name in ROUNDOFF:
            q = random_weight(kind, (96, 40), (32, 1), zeros="u8" if kind.kind == "uint" else None)
            _, x = activations(8, 96, name)
            w = weight_of(q, name)
            row = int(np.argmax(x[0]))
            column = int(np.argmin(np.abs(w[row])))
            codes = q.codes.codes()
            codes[row, column] ^= 1
            other = weight_of(replace(q, codes=PackedArray.from_codes(codes, kind)), name)
            y = x @ w
            assert (np.abs(x @ other - y) > bound(x, w, y, name, sums=False)).any(), (kind, name)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_products_are_those_of_the_numbers(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(FORMATS))
    name = data.draw(st.sampled_from(["f16", "bf16"]))
    if name == "f16" and kind.name == "f8e5m2":
        return  # largest codes times scales leave f16 in the reference too
    shape = data.draw(st.integers(1, 200)), data.draw(st.integers(1, 150))
    group = data.draw(st.sampled_from([16, 32, 48, 64, 128, 192, 1000]))
    block = min(group, shape[0]), data.draw(st.sampled_from([1, 1, 16, shape[1]]))
    if block[0] < shape[0] and block[0] % 16:
        return
    scale = data.draw(st.sampled_from(["f16", "bf16", "f32", "e8m0", "ue4m3", "f8e4m3", "ue5m3"]))
    zeros = data.draw(st.sampled_from([None, "u8", "f16"])) if kind.kind == "uint" else None
    q = random_weight(kind, shape, (block[0], min(block[1], shape[1])), scale, zeros)
    if data.draw(st.booleans()):
        q = replace(q, tensor_scale=0.375)
    x, exact = activations(data.draw(st.integers(1, 40)), shape[0], name)
    if not np.any(weight_of(q, name)[np.argmax(exact[0])]):
        return
    check(x, exact, q, pack_weight(q, name))


SIMULATED = [
    ("u4", "f16", (72, 130), (64, 1), "f16", "u4"),
    ("i3", "bf16", (129, 67), (128, 1), "bf16", None),
    ("f6e3m2", "f16", (130, 66), (32, 1), "e8m0", None),
    ("f4e2m1", "bf16", (64, 64), (16, 1), "ue4m3", None),
    ("u5", "bf16", (96, 40), (32, 1), "f32", "f16"),
    ("nf4", "f16", (100, 33), (64, 1), "f16", None),
    ("f8e4m3", "f16", (64, 64), (64, 64), "f32", None),
]


@pytest.mark.parametrize(("kind", "name", "shape", "block", "scale", "zeros"), SIMULATED)
@needs_compiler
def test_emitted_code_computes_the_same(
    kind: str, name: str, shape: tuple[int, int], block: tuple[int, int], scale: str, zeros: str | None
) -> None:
    q = random_weight(dtype(kind), shape, block, scale, zeros)
    x, exact = activations(9, shape[0], name)
    check(x, exact, q, pack_weight(q, name), backend="simulator")


@pytest.mark.fuzz
@pytest.mark.parametrize("kind", FORMATS, ids=str)
@pytest.mark.parametrize("name", list(ROUNDOFF))
@needs_compiler
def test_emitted_code_computes_the_same_for_every_format(kind: DType, name: str) -> None:
    for group in (32, 64):
        q = random_weight(kind, (136, 70), (group, 1), "bf16", "u8" if kind.kind == "uint" else None)
        x, exact = activations(18, 136, name)
        check(x, exact, q, pack_weight(q, name), backend="simulator")


@pytest.mark.parametrize("kind", ["f5e2m2", "i4", "u2"])
def test_one_packed_form_serves_every_tile(kind: str) -> None:
    q = random_weight(dtype(kind), (264, 258), (128, 1), zeros="u2" if kind == "u2" else None)
    x, exact = activations(70, 264, "f16")
    packed = pack_weight(q)
    for tiles in (
        {"WM": 1, "WN": 1, "MT": 1, "STAGES": 2, "SUMS": True},
        {"WM": 1, "WN": 8, "MT": 1, "KU": 2, "STAGES": 6, "SUMS": True},
        {"WM": 4, "WN": 2, "MT": 2, "STAGES": 3, "SUMS": False},
        {"WM": 2, "WN": 4, "MT": 8, "KU": 2, "STAGES": 4, "SWEEP": 2},
    ):
        check(x, exact, q, packed, **tiles)


@pytest.mark.parametrize("tiles", [{"WM": 2, "WN": 2, "MT": 1}, {"WM": 1, "WN": 1, "MT": 2, "KU": 2}])
@needs_compiler
def test_emitted_code_serves_every_tile(tiles: dict[str, int]) -> None:
    q = random_weight(dtype("u3"), (128, 96), (128, 1))
    x, exact = activations(40, 128, "f16")
    check(x, exact, q, pack_weight(q), backend="simulator", STAGES=2, **tiles)


@pytest.mark.parametrize("shape", [(192, 258), (129, 32), (1408, 8), (2880, 64), (7392, 16), (3, 1)])
@pytest.mark.parametrize("rows", [1, 17])
def test_awkward_shapes(shape: tuple[int, int], rows: int) -> None:
    q = random_weight(dtype("i4"), shape, (min(32, shape[0]), 1))
    x, exact = activations(rows, shape[0], "f16")
    check(x, exact, q, pack_weight(q))


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


def ended(y: Matrix, bias: Matrix, activation: str | None, residual: Matrix) -> Matrix:
    y = y + bias
    if activation == "gelu":
        y = 0.5 * y * (1 + np.vectorize(math.erf)(y / math.sqrt(2)))
    elif activation == "silu":
        y = y / (1 + np.exp(-y))
    return y + residual


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


def test_no_rows_and_no_tokens() -> None:
    packed = pack_weight(random_weight(dtype("i4"), (64, 64), (64, 1)))
    y = np.zeros((0, 64), np.float16)
    assert matmul(np.zeros((0, 64), np.float16), packed, y=y).shape == (0, 64)


NARROW = [
    *(("i8", "i8", group, "f16") for group in (32, 64, 128, 1000)),
    *((kind, "i8", 64, "f32") for kind in ("i4", "u4", "u7", "i2", "u1", "trit")),
    *((kind, "f8e4m3", 32, "e8m0") for kind in ("f4e2m1", "f6e3m2", "f8e4m3", "f3e1m1")),
]


@pytest.mark.parametrize(
    ("kind", "target", "group", "scale", "backend"),
    [
        *((*each, "interpreter") for each in NARROW),
        *(pytest.param(*NARROW[place], "simulator", marks=needs_compiler) for place in (0, 2, 4, 10)),
    ],
)
def test_activations_of_8_bits(kind: str, target: str, group: int, scale: str, backend: str) -> None:
    q = random_weight(dtype(kind), (160, 72), (min(group, 160), 1), scale)
    random = np.random.default_rng(2)
    numbers = random.integers(-127, 128, (11, 160)) if target == "i8" else random.standard_normal((11, 160)) * 100
    held = PackedArray.from_values(numbers, target)
    x_scale = random.uniform(0.5, 2, 11).astype(np.float32)
    exact = np.asarray(held, np.float64) * x_scale[:, None]
    w = weight_of(q, target)
    y = exact @ w
    found = matmul(
        held.numpy() if target == "i8" else held,
        pack_weight(q, target),
        x_scale=x_scale,
        backend=backend,
        target="sm_89",
        B="bf16",
    )
    # Sums of a group are added in f32: exact for i8, and for f8e4m3 rounded as the tensor cores round.
    allowed = 168 * 2.0**-24 * (np.abs(exact) @ np.abs(w)) + ROUNDOFF["bf16"] * np.abs(y)
    assert (np.abs(np.asarray(found, np.float64) - y) <= allowed).all()
    assert (np.abs(y) > allowed).any()


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


def has_nvrtc() -> bool:
    try:
        nvrtc_version()
    except UsageError:
        return False
    return True


@pytest.mark.skipif(not has_nvrtc(), reason="needs CuPy and NVRTC")
@pytest.mark.parametrize("bits", range(1, 9))
@pytest.mark.parametrize(("target", "rows"), [("sm_80", 1), ("sm_90a", 16), ("sm_90a", 4096)])
def test_weights_go_straight_from_16_byte_loads_to_fragments(bits: int, target: str, rows: int) -> None:
    settings = {"W": f"u{bits}", "RAW": bits in (1, 2, 4, 8), **tiles_for(rows, 8192)}
    compiled = kernels().matmul.compile(target, divisible={"K": 64, "N": 64}, **settings)
    remarks = "\n".join(map(str, compiled.remarks))
    assert "16-byte loads" in remarks
    assert "cp.async of 16 bytes" in remarks
    assert compiled.resources.spill_store_bytes == compiled.resources.spill_load_bytes == 0
    loop = compiled.cuda[compiled.cuda.index("for (tv::s32 step") :]
    assert "shuffle" not in loop, "codes stay in their threads"
