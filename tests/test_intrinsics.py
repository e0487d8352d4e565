"""Each intrinsic gives what NumPy, the number formats and the layouts of the machine say, and compiles for all."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from kernels import LOCAL_NAMES, NAMES, module, needs_compiler, text
from numpy.typing import NDArray

from tilevm.arch import ARCHITECTURES, Arch
from tilevm.atoms import ATOMS
from tilevm.codegen.library import DEVICE_PARTS, SHARED_PARTS, device_library, host_headers
from tilevm.dtypes import DType, dtype
from tilevm.errors import UsageError
from tilevm.layout_constructors import column_spatial, local, spatial
from tilevm.runtime.nvrtc import compile_cuda, nvrtc_version

pytestmark = needs_compiler

Words = NDArray[np.uint32]
RANDOM = np.random.default_rng(1)


def run(kernel: str, *arguments: Any, grid: int = 1) -> None:
    module("intrinsics").launch(kernel, grid, arguments).check()


def unary(which: int, x: NDArray[Any]) -> Words:
    words = np.ascontiguousarray(x).view(np.uint32)
    y = np.zeros_like(words)
    run("unary", words, y, len(words), which, grid=-(-len(words) // 1024))
    return y


def ternary(which: int, *operands: NDArray[Any]) -> Words:
    x = np.concatenate([np.ascontiguousarray(operand).view(np.uint32) for operand in operands])
    y = np.zeros(len(x) // 3, np.uint32)
    run("ternary", x, y, len(y), which)
    return y


def floats() -> NDArray[np.float32]:
    """Every f16 and its neighbours, the middles between them, and numbers of any bits."""
    halves = np.arange(1 << 16, dtype=np.uint16).view(np.float16).astype(np.float32).view(np.uint32)
    near = [halves[::5] + offset for offset in (0, 1, 0xFFF, 0x1000, 0x1001, 0x7FFF, 0x8000)]
    x = np.concatenate([*near, RANDOM.integers(0, 1 << 32, 20000, np.uint32)]).astype(np.uint32).view(np.float32)
    return x[~np.isnan(x)]


def test_every_f16_is_the_same_number_in_f32() -> None:
    codes = np.arange(1 << 16, dtype=np.uint32)
    with np.errstate(invalid="ignore"):
        expected = codes.astype(np.uint16).view(np.float16).astype(np.float32)
    got = unary(0, codes).view(np.float32)
    assert np.array_equal(got, expected, equal_nan=True)
    assert np.array_equal(np.signbit(got), np.signbit(expected))
    finite = ~np.isnan(expected)
    for which in (1, 2, 3, 4):
        assert np.array_equal(unary(which, expected[finite]), codes[finite])


@pytest.mark.parametrize(
    ("which", "name", "rounding"),
    [
        (1, "f16", "nearest_even"),
        (2, "f16", "toward_zero"),
        (6, "bf16", "nearest_even"),
        (7, "bf16", "toward_zero"),
    ],
)
def test_rounding_is_that_of_the_number_formats(which: int, name: str, rounding: str) -> None:
    x = floats()
    expected = dtype(name).encode(x, rounding)
    assert np.array_equal(unary(which, x), expected)


def test_roundings_down_and_up_are_the_nearest_below_and_above() -> None:
    x = floats()
    x = x[np.abs(x) < 65000]
    down, up = (unary(which, x).astype(np.uint16).view(np.float16).astype(np.float32) for which in (3, 4))
    assert (down <= x).all()
    assert (up >= x).all()
    with np.errstate(over="ignore"):
        assert np.array_equal(np.nextafter(down.astype(np.float16), np.float16(np.inf))[down != up], up[down != up])


def test_pairs_and_integers_are_rounded_and_saturated() -> None:
    x = floats()
    assert np.array_equal(unary(24, x), unary(1, x) | unary(1, -x) << 16)
    assert np.array_equal(unary(25, x), unary(6, x) | unary(6, -x) << 16)
    with np.errstate(invalid="ignore"):
        for which, whole in ((9, np.rint), (10, np.trunc), (11, np.floor), (12, np.ceil)):
            expected = np.clip(whole(x.astype(np.float64)), -(2**31), 2**31 - 1).astype(np.int32)
            assert np.array_equal(unary(which, x).view(np.int32), expected)
        assert np.array_equal(unary(13, x), np.clip(np.rint(x.astype(np.float64)), 0, 2**32 - 1).astype(np.uint32))
    assert unary(9, np.array([np.nan], np.float32)).tolist() == [0]
    words = RANDOM.integers(0, 1 << 32, 1000, np.uint32)
    assert np.array_equal(unary(14, words).view(np.float32), words.view(np.int32).astype(np.float32))
    assert np.array_equal(unary(15, words).view(np.float32), words.astype(np.float32))
    assert np.array_equal(unary(8, x[np.isfinite(x)]) & 0x1FFF, np.zeros(np.isfinite(x).sum(), np.uint32))


@pytest.mark.parametrize(
    ("which", "function"),
    [
        (16, np.exp2),
        (17, np.log2),
        (18, np.reciprocal),
        (19, lambda x: 1 / np.sqrt(x)),
        (20, np.sqrt),
        (21, np.sin),
        (22, np.cos),
        (23, np.tanh),
        (26, np.sqrt),
    ],
)
def test_approximations_are_near(which: int, function: Any) -> None:
    x = RANDOM.uniform(0.01, 20, 500).astype(np.float32)
    np.testing.assert_allclose(unary(which, x).view(np.float32), function(x.astype(np.float64)), rtol=1e-6, atol=1e-6)


def test_bits_are_put_together_as_the_tables_say() -> None:
    a, b, c = (RANDOM.integers(0, 1 << 32, 500, np.uint32) for _ in range(3))
    assert np.array_equal(ternary(0, a, b, c), (a & b) | c)
    assert np.array_equal(ternary(1, a, b, c), (~a & ~b & ~c) | (~a & b) | (a & ~b & ~c))
    sources = np.concatenate([a[:, None] >> np.arange(0, 32, 8), b[:, None] >> np.arange(0, 32, 8)], axis=1) & 0xFF
    expected = np.zeros_like(a)
    for i in range(4):
        choice = c >> 4 * i & 15
        byte = np.take_along_axis(sources, (choice & 7)[:, None].astype(np.int64), 1)[:, 0]
        expected |= (np.where(choice & 8, (byte >> 7) * 255, byte) << 8 * i).astype(np.uint32)
    assert np.array_equal(ternary(2, a, b, c), expected)
    wide = (b.astype(np.uint64) << np.uint64(32) | a) >> (c & 31).astype(np.uint64)
    assert np.array_equal(ternary(3, a, b, c), wide.astype(np.uint32))


def test_arithmetic_of_f32_is_rounded_once() -> None:
    a, b, c = (RANDOM.standard_normal(500).astype(np.float32) for _ in range(3))
    for which, expected in ((12, a + b), (13, a - b), (14, a * b), (15, a / b), (17, np.minimum(a, b))):
        assert np.array_equal(ternary(which, a, b, c).view(np.float32), expected)
    assert np.array_equal(ternary(18, a, b, c).view(np.float32), np.maximum(a, b))
    wide = a.astype(np.longdouble) * b + c
    assert np.array_equal(ternary(16, a, b, c).view(np.float32), wide.astype(np.float32))


@pytest.mark.parametrize(("first", "name"), [(4, "f16"), (8, "bf16")])
def test_arithmetic_of_pairs_is_rounded_once(first: int, name: str) -> None:
    format = dtype(name)
    a, b, c = (RANDOM.standard_normal(2000).astype(np.float32) for _ in range(3))
    codes = [format.encode(x).astype(np.uint16) for x in (a, b, c)]
    p, q, s = (format.decode(each) for each in codes)
    for which, exact in enumerate((p + q, p - q, p * q, p * q + s)):
        got = ternary(first + which, *codes).view(np.uint16)
        assert np.array_equal(got, format.encode(exact))


FORMATS = {
    0: ("m16n8k16", "f16", "f16"),
    1: ("m16n8k16", "bf16", "bf16"),
    2: ("m16n8k8", "tf32", "tf32"),
    3: ("m16n8k32", "i8", "i8"),
    4: ("m16n8k32", "u8", "u8"),
    5: ("m16n8k32", "i8", "u8"),
    6: ("m16n8k32", "u8", "i8"),
    7: ("m16n8k32", "f8e4m3", "f8e4m3"),
    8: ("m16n8k32", "f8e5m2", "f8e5m2"),
    9: ("m16n8k32", "f8e4m3", "f8e5m2"),
    10: ("m16n8k32", "f8e5m2", "f8e4m3"),
    11: ("m16n8k8_f16", "f16", "f16"),
    12: ("m8n8k16", "i8", "i8"),
    13: ("m8n8k16", "u8", "u8"),
    14: ("m8n8k16", "i8", "u8"),
    15: ("m8n8k16", "u8", "i8"),
}
_A, _B, _C = spatial(8, 4), column_spatial(4, 8), spatial(8, 4) * local(1, 2)
FRAGMENTS = {
    **{name: (atom.a, atom.b, atom.c) for name, atom in ATOMS.items()},
    "m16n8k8_f16": (local(2, 1) * _A * local(1, 2), _B * local(2, 1), local(2, 1) * _C),
    "m8n8k16": (_A * local(1, 4), _B * local(4, 1), _C),
}
"""The layouts of a, b and c. Those of small shapes are from the PTX ISA, "Matrix Fragments for mma"."""


def small_numbers(format: DType, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Numbers whose products are summed exactly in any order."""
    if format.kind == "float":
        return RANDOM.integers(-4, 5, shape) / 2
    return RANDOM.integers(int(format.min), int(format.max) + 1, shape).astype(np.float64)


def fragment(layout: Any, tile: NDArray[Any]) -> NDArray[Any]:
    """The elements of a tile by thread and slot."""
    held = np.empty((layout.threads, layout.slots), tile.dtype)
    for thread in range(layout.threads):
        for slot in range(layout.slots):
            held[thread, slot] = tile[layout.at(thread, slot)]
    return held


def in_lanes(words: Words, registers: int) -> Words:
    """The registers of each lane, in a row of as many as the kernel loads."""
    rows = np.zeros((32, registers), np.uint32)
    rows[:, : len(words) // 32] = words.reshape(32, -1)
    return rows.reshape(-1)


@pytest.mark.parametrize("which", FORMATS)
def test_matrix_products_are_those_of_the_layouts(which: int) -> None:
    layouts, formats = FRAGMENTS[FORMATS[which][0]], [dtype(name) for name in FORMATS[which][1:]]
    a, b = (small_numbers(format, layout.shape) for format, layout in zip(formats, layouts, strict=False))
    integers = formats[0].kind != "float"
    c = RANDOM.integers(-1000, 1000, layouts[2].shape).astype(np.int32 if integers else np.float32)
    words = []
    for format, layout, tile, registers in zip(formats, layouts, (a, b), (4, 2), strict=False):
        codes = fragment(layout, format.encode(tile))
        if format.name == "tf32":
            codes = codes.astype(np.uint32) << 13
        words.append(in_lanes(np.ascontiguousarray(codes).view(np.uint32).reshape(-1), registers))
    x = np.concatenate([*words, in_lanes(fragment(layouts[2], c).view(np.uint32).reshape(-1), 4)])
    y = np.zeros(128, np.uint32)
    run("matrices", x, y, which)
    expected = fragment(layouts[2], (a @ b + c).astype(c.dtype)).view(np.uint32).reshape(-1)
    assert np.array_equal(y, in_lanes(expected, 4))


def test_a_matrix_product_of_f64_is_that_of_the_layouts() -> None:
    atom = ATOMS["m8n8k4"]
    a, b, c = (RANDOM.integers(-99, 99, layout.shape).astype(np.float64) for layout in (atom.a, atom.b, atom.c))
    x = np.concatenate([fragment(layout, tile).reshape(-1) for layout, tile in ((atom.a, a), (atom.b, b), (atom.c, c))])
    y = np.zeros(64)
    run("matrices_f64", x, y)
    assert np.array_equal(y, fragment(atom.c, a @ b + c).reshape(-1))


def test_shuffles_and_votes() -> None:
    x = RANDOM.integers(0, 1 << 32, 32, np.uint32)
    lane = np.arange(32)
    for by in (0, 1, 5, 16, 31):
        y = np.zeros(160, np.uint32)
        run("shuffles", x, y, by)
        got = y.reshape(5, 32)
        assert np.array_equal(got[0], x[(lane + by) % 32])
        assert np.array_equal(got[1], x[lane ^ by])
        assert np.array_equal(got[2], x[np.where(lane < by, lane, lane - by)])
        assert np.array_equal(got[3], x[np.where(lane + by > 31, lane, lane + by)])
        assert (got[4] == sum(int(v & 1) << i for i, v in enumerate(x))).all()


@pytest.mark.parametrize("which", range(6))
def test_matrices_are_loaded_by_rows(which: int) -> None:
    data = RANDOM.integers(0, 256, 2048).astype(np.uint8)
    offsets = (RANDOM.permutation(128)[:32] * 16).astype(np.uint32)
    y = np.zeros((32, 4), np.uint32)
    run("load_matrices", data, offsets, y, which)
    for i in range((1, 2, 4)[which % 3]):
        rows = np.stack([data[at : at + 16].view(np.uint16) for at in offsets[8 * i : 8 * i + 8]])
        expected = np.ascontiguousarray(rows.T if which >= 3 else rows)
        assert np.array_equal(y[:, i], expected.view(np.uint32).reshape(-1))


@pytest.mark.parametrize("which", range(2))
def test_matrices_are_stored_by_rows(which: int) -> None:
    x = RANDOM.integers(0, 1 << 32, (32, 4), np.uint32)
    offsets = (RANDOM.permutation(32) * 16).astype(np.uint32)
    y = np.zeros(128, np.uint32)
    run("store_matrices", x, offsets, y, which)
    for i in range(4):
        rows = np.ascontiguousarray(x[:, i]).view(np.uint16).reshape(8, 8)
        rows = np.ascontiguousarray(rows.T if which else rows)
        for j in range(8):
            at = int(offsets[8 * i + j])
            assert np.array_equal(y.view(np.uint8)[at : at + 16], rows[j].view(np.uint8))


def test_atomics_of_all_threads_are_all_done() -> None:
    words, numbers = np.array([0, 99, 0, 0, 0], np.uint32), np.zeros(3, np.int32)
    scalars, halves = np.zeros(3, np.float32), np.zeros(1, np.uint32)
    run("atomics", words, numbers, scalars, halves, grid=4)
    assert words.tolist() == [255 * 128, 7, 255, 1, 0]
    assert numbers.tolist() == [-255 * 128, -250, 5]
    i = np.arange(256)
    assert scalars.tolist() == [float(((i - 100) * 0.5).sum()), -50.0, 77.5]
    assert halves.view(np.float16).tolist() == [512.0, 256.0]


def test_both_sides_have_the_same_shared_files_in_the_same_order() -> None:
    included = re.findall(r'#include "(\w+\.cuh)"', (host_headers() / "host.h").read_text(encoding="utf-8"))
    assert tuple(included) == SHARED_PARTS
    parts = {path.relative_to(host_headers()).as_posix() for path in host_headers().rglob("*.cuh")}
    assert parts == {*SHARED_PARTS, *DEVICE_PARTS}


@pytest.mark.parametrize("architecture", ARCHITECTURES.values(), ids=ARCHITECTURES)
def test_every_intrinsic_compiles_for_every_gpu_without_spills(architecture: Arch) -> None:
    try:
        nvrtc_version()
    except UsageError as error:
        pytest.skip(error.diagnostics[0].message)
    for name in (*NAMES, *LOCAL_NAMES):
        compiled = compile_cuda(f'{device_library()}\n#line 1 "{name}.cu"\n{text(name)}', architecture)
        for resources in compiled.resources.values():
            assert resources.spill_store_bytes == 0
            assert resources.stack_bytes == 0 or name in LOCAL_NAMES
