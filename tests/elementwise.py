"""Kernels of many elementwise instructions at once, and the numbers that they are tried on: random and special ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from tilevm.dtypes import DType
from tilevm.runtime.kernel import Kernel, kernel

TILE = 96
"""Elements that a block computes: three for each of 32 threads, so that packed words are not full."""

RANDOM_NUMBERS = 300

BOTH = (
    *("p + q", "p - q", "p * q", "p // q", "p % q", "minimum(p, q)", "maximum(p, q)", "clamp(p, q, r)"),
    *("where(p < r, q, r)", "select(s < t, p, q)", "p + s", "s - p", "p * 3", "clamp(p, 1, s)"),
)
"""Of every format; p, q, r are tiles, s and t scalars."""
SIGNS = ("-p", "abs(p)", "tile(-s)", "tile(abs(s))")
SCALARS = ("s + t", "s - t", "s * t", "s // t", "s % t", "minimum(s, t)", "maximum(s, t)", "where(s < t, s, t)")
FLOATS = ("p / q", "fma(p, q, r)", "sqrt(p)", "floor(p)", "ceil(p)", "round(p)", "fma(p, s, 1)", "1 / p")
FLOAT_SCALARS = ("s / t", "fma(s, t, s)", "sqrt(t)", "floor(s)", "ceil(s)", "round(s)")
INTEGERS = ("cdiv(p, q)", "p & q", "p | q", "p ^ q", "~p", "p << q", "p >> q", "p << s", "p >> 3")
INTEGER_SCALARS = ("cdiv(s, t)", "s & t", "s | t", "s ^ t", "~s", "s << t", "s >> t")
COMPARISONS = ("p == q", "p != q", "p < q", "p <= q", "p > q", "p >= q", "p < 1", "tile(s <= t)")
LOGIC = (
    *("p & q", "p | q", "p ^ q", "~p", "not p", "p == q", "p != q", "p < q", "p <= q", "p > q", "p >= q"),
    *("where(p, q, r)", "select(s, p, q)", "p & s", "tile(s | t)", "tile(s ^ t)", "tile(not s)", "tile(~t)"),
)
TRANSCENDENTAL = ("exp", "exp2", "log", "log2", "rsqrt", "sin", "cos", "tanh", "erf")


def stored(expressions: Sequence[str], dtype: str, target: str) -> str:
    """Statements that store expressions as the rows of a tensor; ``tile(x)`` is a small tile of a scalar."""
    lines = []
    for row, each in enumerate(expressions):
        scalar = each.startswith("tile(")
        value, extent = (f"full({dtype}, [32], {each[5:-1]})", 32) if scalar else (each, TILE)
        lines.append(f"    store({target}[{row}, i :+ {extent}], {value})\n")
    return "".join(lines)


def truths(expressions: Sequence[str], target: str) -> str:
    """Statements that store truth values as 1 and 0."""
    lines = []
    for row, each in enumerate(expressions):
        value = f"full(u1, [{TILE}], {each[5:-1]})" if each.startswith("tile(") else each
        lines.append(f"    store({target}[{row}, i :+ {TILE}], where({value}, i32(1), i32(0)))\n")
    return "".join(lines)


def head(name: str, dtype: str, outputs: str) -> str:
    """The beginning of a kernel over three tensors and two scalars of a format."""
    loads = "".join(f"    {tile} = load({tensor}[i :+ {TILE}])\n" for tile, tensor in zip("pqr", "abc", strict=True))
    return (
        f"kernel {name}(a: {dtype}[N], b: {dtype}[N], c: {dtype}[N], s: {dtype}, t: {dtype}, {outputs}):\n"
        f"    grid cdiv(N, {TILE})\n    warps 1\n    i = block_index(0) * {TILE}\n{loads}"
    )


def expressions(dtype: DType) -> tuple[str, ...]:
    """What is computed in a format with a result in that format, bit for bit."""
    floating = dtype.kind == "float"
    scalars = (*SCALARS, *(FLOAT_SCALARS if floating else INTEGER_SCALARS))
    return (*SIGNS, *BOTH, *(FLOATS if floating else INTEGERS), *(f"tile({each})" for each in scalars))


@cache
def arithmetic(dtype: DType) -> Kernel:
    """Every exact instruction of a format; ``y`` has the numbers, ``z`` the comparisons."""
    name, rows = dtype.name, expressions(dtype)
    outputs = f"out y: {name}[{len(rows)}, N], out z: i32[{len(COMPARISONS)}, N]"
    return kernel(head("arithmetic", name, outputs) + stored(rows, name, "y") + truths(COMPARISONS, "z"))


@cache
def transcendental(dtype: DType, functions: tuple[str, ...] = TRANSCENDENTAL) -> Kernel:
    """Functions that are not exact, each a row of ``y``; powers are the last row."""
    rows = [*(f"{each}(p)" for each in functions), "p ** q"]
    outputs = f"out y: {dtype}[{len(rows)}, N]"
    return kernel(head("transcendental", dtype.name, outputs) + stored(rows, dtype.name, "y"))


@cache
def logic() -> Kernel:
    """Logic and comparisons of truth values."""
    return kernel(head("logic", "u1", f"out z: i32[{len(LOGIC)}, N]") + truths(LOGIC, "z"))


def held(dtype: DType) -> np.dtype[Any]:
    """The NumPy type in which arrays of a format are given."""
    names = {"f16": np.float16, "bf16": ml_dtypes.bfloat16, "f32": np.float32, "f64": np.float64, "u1": np.bool_}
    return np.dtype(names.get(dtype.name, dtype.carrier))


def special(dtype: DType) -> NDArray[Any]:
    """Numbers at the ends of what a format and its instructions distinguish."""
    if dtype.name == "u1":
        return np.array([False, True])
    kind = held(dtype)
    if dtype.kind == "float":
        limits: Any = ml_dtypes.finfo(kind)  # type: ignore[no-untyped-call]
        tiny, least, most = float(limits.tiny), float(limits.smallest_subnormal), float(limits.max)
        numbers = [0, 1, 0.5, 1.5, 2.5, 3, 7, 1 / 3, 100.25, least, 3 * least, tiny, tiny - least, most, np.inf, np.nan]
        return np.array([*numbers, *(-each for each in numbers)]).astype(kind)
    ends = np.iinfo(kind)
    near = [0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100, ends.min, ends.max, ends.max - 1]
    negative = [-1, -2, -3, -7, -8, ends.min + 1] if dtype.kind == "int" else [ends.max - 7, ends.max // 2]
    return np.array([*near, *negative], kind)


def numbers(dtype: DType) -> dict[str, NDArray[Any]]:
    """Every pair of special numbers and random ones, as tensors ``a`` and ``b``; ``c`` has both kinds mixed."""
    random = np.random.default_rng(7)
    few, kind = special(dtype), held(dtype)
    if dtype.name == "u1":
        bits = np.arange(200)
        return {name: (bits >> shift & 1).astype(bool) for shift, name in enumerate("abc")}
    every = np.frombuffer(random.bytes(3 * RANDOM_NUMBERS * kind.itemsize), kind).reshape(3, -1).copy()
    if dtype.kind == "float":  # bits at random have any exponent; sums need numbers that are near each other
        every[:, ::2] = 3 * random.standard_normal((3, RANDOM_NUMBERS // 2))
    a, b = (each.reshape(-1) for each in np.meshgrid(few, few))
    c = random.choice(np.concatenate([few, every[2]]), len(a) + RANDOM_NUMBERS)
    return {"a": np.concatenate([a, every[0]]), "b": np.concatenate([b, every[1]]), "c": c}


def both(made: Kernel, arguments: Mapping[str, Any], shapes: Mapping[str, tuple[Any, ...]], target: str) -> Any:
    """What the interpreter and what the simulator write to the outputs, two dictionaries by name.

    ``shapes`` has for each output the NumPy type and the extents. Every finding of the simulator raises.
    """
    written: list[dict[str, Any]] = [
        {name: np.zeros(shape, kind) for name, (kind, *shape) in shapes.items()} for _ in range(2)
    ]
    made(**arguments, **written[0])
    made(**arguments, **written[1], backend="simulator", target=target)
    return written
