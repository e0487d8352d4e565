"""The product with quantised weights is the one with the numbers that they stand for, to the last rounding."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernels import needs_compiler
from products import FORMATS, ROUNDOFF, activations, bound, check, random_weight, weight_of

from tilevm.dtypes import DType, dtype
from tilevm.errors import UsageError
from tilevm.ops import matmul, pack_weight
from tilevm.ops.matmul import tiles_for
from tilevm.ops.weights import kernels
from tilevm.packed_array import PackedArray
from tilevm.runtime.nvrtc import nvrtc_version


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
