"""The product of few rows without matrix instructions, on the same packed weights, within the bound of exact products.

Sums in f32 of K products, at most (K + 8) 2^-24 of the sum of magnitudes (those of codes and zero points apart), and
the rounding of the result: nothing is rounded in the format of the activations, whatever the size of a group.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernels import needs_compiler
from products import BOOK, FORMATS, ROUNDOFF, Matrix, activations, bound, random_weight, weight_of
from test_machine_code import needs_disassembler, needs_nvrtc
from test_ops_endings import ended

from tilevm.dtypes import DType, dtype
from tilevm.errors import ArgumentError
from tilevm.ops import PackedWeight, pack_gated, pack_weight
from tilevm.ops.gemv import few_rows
from tilevm.packed_array import PackedArray
from tilevm.quantization import QuantizedTensor


def run(x: Any, packed: PackedWeight, **options: Any) -> Matrix:
    kernel, chosen = few_rows(packed, x.shape[0])
    return np.asarray(kernel(x=x, tensor_scale=packed.tensor_scale, **packed.arrays | chosen | options), np.float64)


def allowed_of(exact: Matrix, q: QuantizedTensor, name: str) -> tuple[Matrix, Matrix]:
    w = weight_of(q, name)
    reach = weight_of(q, name, apart=True) if q.dtype.kind in ("uint", "int") else None
    return exact @ w, bound(exact, w, exact @ w, name, True, reach)


def check(x: Any, exact: Matrix, q: QuantizedTensor, name: str, **options: Any) -> None:
    y, allowed = allowed_of(exact, q, name)
    found = run(x, pack_weight(q, name), **options)
    assert found.shape == y.shape
    assert (np.abs(found - y) <= allowed).all(), float((np.abs(found - y) / allowed).max())
    assert not (np.abs(y) <= allowed).all(), "a result of zeros passes"


@pytest.mark.parametrize("kind", FORMATS, ids=str)
def test_every_format(kind: DType) -> None:
    unsigned = kind.kind == "uint"
    group = 64 if kind.bits % 2 else 32
    q = random_weight(kind, (129, 70), (group, 1), zeros="u8" if unsigned else None)
    name = "bf16" if kind.name == "f8e5m2" else "f16"
    check(*activations(2, 129, name), q, name)


@pytest.mark.parametrize("kind", ["u1", "i2", "u3", "i4", "u5", "i8", "f4e2m1", "f8e4m3", "nf4"])
def test_activations_of_bf16(kind: str) -> None:
    q = random_weight(dtype(kind), (129, 32), (128, 1), "bf16", "u8" if kind[0] == "u" else None)
    check(*activations(1, 129, "bf16"), q, "bf16")


@given(st.data())
@settings(max_examples=25, deadline=None)
def test_any_shape_group_and_number_of_rows(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from([dtype(each) for each in "u1 u2 i3 u4 i4 u5 u8 f6e3m2 trit".split()] + [BOOK]))
    shape = data.draw(st.integers(1, 400)), data.draw(st.integers(1, 150))
    group = data.draw(st.sampled_from([16, 32, 48, 64, 128, 192, 320, 1000]))
    if group < shape[0] and group % 16:
        return
    zeros = data.draw(st.sampled_from([None, "u8", "f16"])) if kind.kind == "uint" else None
    q = random_weight(kind, shape, (min(group, shape[0]), 1), data.draw(st.sampled_from(["f16", "f32", "e8m0"])), zeros)
    if data.draw(st.booleans()):
        q = replace(q, tensor_scale=0.375)
    name = data.draw(st.sampled_from(list(ROUNDOFF)))
    x, exact = activations(data.draw(st.integers(1, 9)), shape[0], name)
    if np.any(weight_of(q, name)[np.argmax(exact[0])]):
        check(x, exact, q, name)


@pytest.mark.parametrize("shape", [(192, 258), (129, 32), (128, 1), (1, 258), (1100, 64)])
def test_awkward_shapes(shape: tuple[int, int]) -> None:
    q = random_weight(dtype("i4"), shape, (min(64, shape[0]), 1))
    check(*activations(1, shape[0], "f16"), q, "f16")


@pytest.mark.parametrize(("kind", "group"), [("u4", 32), ("i5", 128), ("u4", 512)])
def test_one_packed_form_serves_every_block(kind: str, group: int) -> None:
    q = random_weight(dtype(kind), (1088, 130), (group, 1), zeros="u4" if kind == "u4" else None)
    x, exact = activations(3, 1088, "f16")
    for warps, held, units, rows in ((4, 1, 1, 1), (8, 2, 1, 2), (2, 1, 2, 4), (16, 1, 1, 3), (1, 2, 2, 1)):
        check(x, exact, q, "f16", WK=warps, KU=held, NU=units, R=rows)


@pytest.mark.parametrize("kind", ["u4", "i3", "f6e3m2"])
def test_a_code_that_is_one_off_breaks_the_bound(kind: str) -> None:
    q = random_weight(dtype(kind), (192, 40), (64, 1))
    x, exact = activations(2, 192, "f16")
    y, allowed = allowed_of(exact, q, "f16")
    row, codes = int(np.argmax(exact[0])), q.codes.codes()
    column = int(np.argmin(np.abs(y[0])))
    codes[row, column] ^= 1
    found = run(x, pack_weight(replace(q, codes=PackedArray.from_codes(codes, kind))))
    assert np.argwhere(np.abs(found - y)[0] > allowed[0]).ravel().tolist() == [column]


def test_the_smallest_and_the_largest_inputs_keep_their_products() -> None:
    q = random_weight(dtype("u8"), (64, 64), (64, 1), "f32", seed=3)
    for size in (2.0**-24, 2.0**-14, 60000.0):
        tiny = replace(q, scales=PackedArray.from_values(np.full((1, 64), 2.0**-8 / size), "f32"))
        x = np.zeros((2, 64), np.float16)
        x[0, 5] = x[1, 40] = size
        check(x, x.astype(np.float64), tiny, "f16")


def test_bias_activation_residual_and_gates() -> None:
    q = random_weight(dtype("i4"), (256, 72), (64, 1))
    x, exact = activations(2, 256, "f16")
    random = np.random.default_rng(9)
    bias, residual = random.standard_normal((1, 72)), random.standard_normal((2, 72))
    y, allowed = allowed_of(exact, q, "f16")
    given_bias, given_residual = bias.astype(np.float16), residual.astype(np.float16)
    for code, activation in enumerate([None, "gelu", "silu"]):
        found = run(
            x,
            pack_weight(q),
            bias=given_bias,
            residual=given_residual,
            BIAS=True,
            RESIDUAL=True,
            ACTIVATION=code,
        )
        wanted = ended(y, given_bias.astype(np.float64), activation, given_residual.astype(np.float64))
        # Both activations rise by at most 1.13 times as much as their argument; f32 rounds a few times more.
        wide = 1.13 * allowed + 2.0**-11 * np.abs(wanted) + 2.0**-19 * (1 + np.abs(y))
        assert (np.abs(found - wanted) <= wide).all()
        assert (np.abs(ended(y, 0 * bias, activation, residual) - wanted) > wide).any()
    both = [random_weight(dtype("u4"), (192, 96), (64, 1), zeros="u4", seed=seed) for seed in (1, 2)]
    x, exact = activations(2, 192, "f16")
    (first, one), (second, other) = (allowed_of(exact, each, "f16") for each in both)
    silu = first / (1 + np.exp(-first))
    allowed = 1.13 * one * np.abs(second) + other * (np.abs(silu) + one) + 2.0**-11 * np.abs(silu * second) + 2.0**-20
    found = run(x, pack_gated(*both))
    assert (np.abs(found - silu * second) <= allowed).all()
    assert (np.abs(silu * second) > allowed).any()


def test_other_kernels_are_refused() -> None:
    q = random_weight(dtype("i4"), (64, 64), (64, 1))
    with pytest.raises(ArgumentError, match="A026"):
        few_rows(pack_weight(q, "i8"), 1)
    with pytest.raises(ArgumentError, match="whole groups"):
        run(np.ones((1, 256), np.float16), pack_weight(random_weight(dtype("i4"), (256, 64), (192, 1))), WK=2)


@pytest.mark.parametrize(
    ("kind", "name", "zeros"), [("u4", "f16", "u4"), pytest.param("i3", "bf16", None, marks=pytest.mark.fuzz)]
)
@needs_compiler
def test_emitted_code_computes_the_same(kind: str, name: str, zeros: str | None) -> None:
    q = random_weight(dtype(kind), (200, 66), (64, 1), zeros=zeros)
    check(*activations(1, 200, name), q, name, backend="simulator", WK=2)


@pytest.mark.fuzz
@pytest.mark.parametrize("kind", FORMATS, ids=str)
@needs_compiler
def test_emitted_code_computes_the_same_for_every_format(kind: DType) -> None:
    for group, rows in ((32, 1), (64, 3)):
        q = random_weight(kind, (136, 70), (group, 1), "bf16", "u8" if kind.kind == "uint" else None)
        name = "bf16" if kind.name == "f8e5m2" else "f16"
        check(*activations(rows, 136, name), q, name, backend="simulator")


@needs_nvrtc
@needs_disassembler
@pytest.mark.parametrize(
    ("bits", "rows"),
    [
        (4, 1),
        *(
            pytest.param(bits, rows, marks=pytest.mark.fuzz)
            for bits in range(1, 9)
            for rows in (1, 2, 4)
            if (bits, rows) != (4, 1)
        ),
    ],
)
def test_weights_go_straight_from_16_byte_loads_to_registers(bits: int, rows: int) -> None:
    kernel, chosen = few_rows(pack_weight(random_weight(dtype(f"i{bits}"), (2048, 64), (128, 1))), rows)
    compiled = kernel.compile("sm_80" if bits % 2 else "sm_90a", divisible={"K": 1024, "N": 64}, **chosen)
    resources = compiled.resources
    assert resources.spill_store_bytes == resources.spill_load_bytes == 0
    assert "LDL" not in compiled.sass
    assert "STL" not in compiled.sass
    assert "FFMA.FTZ" not in compiled.sass, "numbers as small as raw codes are not flushed to zero"
    wide = sum("LDG.E.128" in line for line in compiled.sass.splitlines())
    # The units before the loop, the next ones within it, and the scales.
    assert wide >= 2 * chosen["KU"] * bits + 1
    remarks = [str(each) for each in compiled.remarks if "load" in str(each)]
    assert sum("16-byte loads" in each for each in remarks) >= 3, remarks
