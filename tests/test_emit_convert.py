"""Emitted casts, views, dequantisation and random numbers do as the interpreter, in tiles and scalars."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from kernels import needs_compiler

from tilevm.dtypes import DType, codebook, dtype
from tilevm.packed_array import PackedArray
from tilevm.runtime.kernel import Kernel, kernel

RANDOM = np.random.default_rng(9)


def tensor(each: DType, *shape: int) -> PackedArray:
    """A tensor of any codes of a format, but of floats with NaN only numbers."""
    last = len(each.table) or 1 << min(each.bits, 62)
    if each.bits > 8 and each.kind == "float":
        return PackedArray.from_codes(each.encode(RANDOM.standard_normal(shape) * 20), each)
    codes = RANDOM.integers(0, last, shape).astype(each.storage)
    if each.has_nan:
        codes = np.where(np.isnan(each.decode(codes)), 0, codes).astype(each.storage)
    return PackedArray.from_codes(codes, each)


def zeros(each: DType, *shape: int) -> PackedArray:
    return PackedArray.from_codes(np.zeros(shape, each.storage), each)


def both(
    made: Kernel, arguments: dict[str, Any], outputs: Mapping[str, tuple[str, tuple[int, ...]]], **more: Any
) -> None:
    """Asserts that simulator and interpreter write the same codes, and not only zeros."""
    written: list[dict[str, Any]] = [
        {name: zeros(dtype(each), *shape) for name, (each, shape) in outputs.items()} for _ in range(2)
    ]
    made(**arguments, **written[0])
    made(**arguments, **written[1], backend="simulator", **more)
    for name in outputs:
        expected, got = (each[name].codes() for each in written)
        wrong = np.argwhere(expected != got)
        assert not len(wrong), f"{name}{wrong[0]}: {got[tuple(wrong[0])]:#x}, not {expected[tuple(wrong[0])]:#x}"
        assert expected.any(), name


SOURCES = "u4 i4 u8 i2 i6 f6e3m2 f8e4m3 nf4 u1 f32 f16 i32 f64".split()
TARGETS = "f16 bf16 i8 u4 nf4".split()


def casts(target: str, sources: list[str]) -> str:
    parameters = [f"x{i}: {each}[4, 96]" for i, each in enumerate(sources)]
    parameters += [f"out y: {target}[{len(sources)}, 4, 96]"]
    lines = [
        f"    store(y[{i}, 0 :+ 4, 0 :+ 96], cast(load(x{i}[0 :+ 4, 0 :+ 96]), {target}))" for i in range(len(sources))
    ]
    return f"kernel casts({', '.join(parameters)}):\n    grid 1\n    warps 1\n" + "\n".join(lines) + "\n"


@needs_compiler
@pytest.mark.parametrize("target", TARGETS)
def test_casts_of_tiles(target: str) -> None:
    sources = [each for each in SOURCES if each != target]
    arguments = {f"x{i}": tensor(dtype(each), 4, 96) for i, each in enumerate(sources)}
    arch = "sm_75" if target == "bf16" else "sm_80"
    both(kernel(casts(target, sources)), arguments, {"y": (target, (len(sources), 4, 96))}, target=arch)


NARROWED = """
kernel narrowed(x: {source}[32, 23], out y: {target}[32, 23]):
    grid 1
    warps 1
    a = load(x[0 :+ 32, 0 :+ 23]) @ spatial(32, 1) * local(1, 23)
    store(y[0 :+ 32, 0 :+ 23], cast(a, {target}{more}))
"""


@needs_compiler
@pytest.mark.parametrize(
    ("source", "target", "more"),
    [
        *[("f32", "f8e4m3", ""), ("bf16", "f6e3m2", ""), ("f16", "f4e2m1", ""), ("f32", "u2", ", rounding=up")],
        *[("f16", "i8", ""), ("f32", "i4", ", rounding=toward_zero"), ("bf16", "u8", ", rounding=down")],
    ],
)
def test_tiles_are_narrowed_two_numbers_at_once(source: str, target: str, more: str) -> None:
    made = kernel(NARROWED.format(source=source, target=target, more=more))
    each, count = dtype(source), 32 * 23
    values = RANDOM.standard_normal(count) * np.exp2(RANDOM.integers(-6, 10, count))
    values[:60] = np.resize(np.arange(-30, 30) / 4, 60)
    values[60:64] = [np.inf, -np.inf, 1e4, -1e4]
    x = PackedArray.from_codes(each.encode(values).reshape(32, 23), each)
    both(made, {"x": x}, {"y": (target, (32, 23))}, target="sm_120a")
    assert "tv::narrow_to_" in made.compile("sm_120a").cuda


BOOK = """
kernel by_group(c: u6[32, 64], books: f16[4, 64], out y: f16[32, 64]):
    grid 1
    warps 1
    codes = cast(load(c[0 :+ 32, 0 :+ 64]), i32)
    store(y[0 :+ 32, 0 :+ 64], gather(books, (iota(64) // 16)[None, :], codes))

kernel of_a_format(c: learned_book[32, 24], out y: bf16[32, 24]):
    grid 1
    warps 1
    store(y[0 :+ 32, 0 :+ 24], cast(load(c[0 :+ 32, 0 :+ 24]) @ spatial(32, 1) * local(1, 24), bf16))
"""


@needs_compiler
def test_codebooks_of_groups_and_of_formats() -> None:
    """A codebook for each group is a gather from a tensor; a format's, of any size, is looked up by its cast."""
    codebook("learned_book", tuple(np.sort(np.random.default_rng(3).standard_normal(48)).round(5).tolist()))
    made = kernel(BOOK, name="by_group")
    books = PackedArray.from_values(RANDOM.standard_normal((4, 64)), "f16")
    c = tensor(dtype("u6"), 32, 64)
    both(made, {"c": c, "books": books}, {"y": ("f16", (32, 64))})
    y = made(c, books.numpy().astype(np.float16), backend="simulator")
    assert np.array_equal(y, books.numpy()[np.arange(64) // 16, c.codes()])
    both(kernel(BOOK, name="of_a_format"), {"c": tensor(dtype("learned_book"), 32, 24)}, {"y": ("bf16", (32, 24))})


STOCHASTIC = """
kernel stochastic(x: f32[256], seed: i32, s: f32, out y: f4e2m1[256], out z: i4[256], out w: nf4[256], out v: f16[32]):
    grid 1
    warps 2
    bits = random([256], seed, 7)
    a = load(x[0 :+ 256])
    store(y[0 :+ 256], cast(a, f4e2m1, rounding=stochastic, random=bits))
    store(z[0 :+ 256], cast(a, i4, rounding=stochastic, saturate=False, random=bits))
    store(w[0 :+ 256], cast(a, nf4, rounding=down))
    store(v[0 :+ 32], full(f16, [32], cast(s, f16, rounding=up)))
"""


@needs_compiler
def test_roundings_of_tiles_and_scalars() -> None:
    outputs = {"y": ("f4e2m1", (256,)), "z": ("i4", (256,)), "w": ("nf4", (256,)), "v": ("f16", (32,))}
    both(kernel(STOCHASTIC), {"x": tensor(dtype("f32"), 256), "seed": -3, "s": 1.0001}, outputs)


RANDOMS = """
kernel randoms(seed: i64, offset: u64, small: i8, rows: i64[8], out y: u32[5, 8, 40]):
    grid 1
    warps 2
    store(y[0, 0 :+ 8, 0 :+ 40], random([8, 40], seed))
    store(y[1, 0 :+ 8, 0 :+ 40], random([8, 40], small, offset))
    store(y[2, 0 :+ 8, 0 :+ 40], random([8, 40], 5, small))
    store(y[3, 0 :+ 8, 0 :+ 40], random([8, 40], seed, load(rows[:])[:, None]))
    store(y[4, 0 :+ 8, 0 :+ 40], random([8, 40], 5, cast(iota(40), i8) - 20))
"""


@needs_compiler
def test_random_bits_are_those_of_the_interpreter() -> None:
    made = kernel(RANDOMS)
    for seed, offset, small in ((-1, 2**64 - 3, -1), (2**40 + 5, 2**33, 7)):
        rows = np.arange(8, dtype=np.int64) * (2**33 + 1) - 3
        both(made, {"seed": seed, "offset": offset, "small": small, "rows": rows}, {"y": ("u32", (5, 8, 40))})


DEQUANTIZED = """
kernel dequantized(c: {codes}[16, 64], s: {scale}[2, 64], z: {zero}[2, 1], t: {scale}, out y: {scale}[3, 16, 64]):
    grid 1
    warps 1
    codes = load(c[0 :+ 16, 0 :+ 64])
    scale = load(s[0 :+ 2, 0 :+ 64])
    store(y[0, 0 :+ 16, 0 :+ 64], dequantize(codes, scale))
    store(y[1, 0 :+ 16, 0 :+ 64], dequantize(codes, scale, load(z[0 :+ 2, 0 :+ 1])))
    store(y[2, 0 :+ 16, 0 :+ 64], dequantize(codes, t, 3))
"""


@needs_compiler
@pytest.mark.parametrize(
    ("names", "arch"),
    [
        (("u4", "f16", "u4"), "sm_80"),
        (("i3", "bf16", "f16"), "sm_80"),
        (("u8", "bf16", "u8"), "sm_75"),
        (("nf4", "f32", "f32"), "sm_80"),
        (("f6e3m2", "f64", "i32"), "sm_80"),
    ],
)
def test_dequantisation_rounds_each_step(names: tuple[str, str, str], arch: str) -> None:
    each, scale, zero = names
    made = kernel(DEQUANTIZED.format(codes=each, scale=scale, zero=zero))
    given = {
        "c": tensor(dtype(each), 16, 64),
        "s": tensor(dtype(scale), 2, 64),
        "z": tensor(dtype(zero), 2, 1),
        "t": 0.25,
    }
    both(made, given, {"y": (scale, (3, 16, 64))}, target=arch)


EVERY_ZERO = """
kernel every_zero(c: {codes}[{count}, 32], s: {scale}[{count}, 1], z: {zero}[{count}, 1], out y: {scale}[{count}, 32]):
    grid cdiv({count}, 32)
    warps 1
    row = block_index(0) * 32
    codes = load(c[row :+ 32, 0 :+ 32]) @ spatial(32, 1) * local(1, 32)
    store(y[row :+ 32, 0 :+ 32], dequantize(codes, load(s[row :+ 32, 0 :+ 1]), load(z[row :+ 32, 0 :+ 1])))
"""


@needs_compiler
@pytest.mark.parametrize(
    ("codes", "zero", "scale"),
    [("u4", "u4", "f16"), ("u4", "i4", "bf16"), ("i3", "u2", "bf16"), ("u8", "u8", "f16"), ("i8", "i8", "f32")],
)
def test_integer_zero_points_are_taken_away_by_the_cast(codes: str, zero: str, scale: str) -> None:
    """Every code less every zero point, to the bit what the interpreter makes of both steps, and in one of them."""
    zeros, every = 1 << dtype(zero).bits, 1 << dtype(codes).bits
    rows = zeros * -(-every // 32)
    made = kernel(EVERY_ZERO.format(codes=codes, zero=zero, scale=scale, count=-(-rows // 32) * 32))
    row, place = np.arange(-(-rows // 32) * 32)[:, None], np.arange(32)[None]
    given = {
        "c": PackedArray.from_codes((row // zeros * 32 + place) % every, codes),
        "s": PackedArray.from_values(np.resize([1.0, 0.37109375, -3.0], row.shape), scale),
        "z": PackedArray.from_codes(row % zeros, zero),
    }
    both(made, given, {"y": (scale, (len(row), 32))})
    assert "zeros_" in made.compile("sm_80").cuda


VIEWED = """
kernel viewed(x: {source}[32, {slots}], out y: {target}[32, {after}]):
    grid 1
    warps 1
    a = load(x[0 :+ 32, 0 :+ {slots}]) @ spatial(32, 1) * local(1, {slots})
    store(y[0 :+ 32, 0 :+ {after}], view(a, {target}, spatial(32, 1) * local(1, {after})))
"""


@needs_compiler
@pytest.mark.parametrize(
    ("source", "slots", "target", "after"),
    [
        *[("u8", 12, "f6e3m2", 16), ("f6e3m2", 16, "i32", 3), ("u1", 96, "f32", 3), ("f32", 3, "u1", 96)],
        *[("f64", 3, "f16", 12), ("i8", 16, "i64", 2), ("u1", 12, "u3", 4), ("u32", 2, "u64", 1)],
    ],
)
def test_views_keep_the_bits(source: str, slots: int, target: str, after: int) -> None:
    made = kernel(VIEWED.format(source=source, slots=slots, target=target, after=after))
    both(made, {"x": tensor(dtype(source), 32, slots)}, {"y": (target, (32, after))})
