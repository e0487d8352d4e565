"""The launches on which backends are compared: every example, and every program of ``tests/programs``.

    for name, case in CASES.items(): …      # see tests/case.py

Each kernel is launched with at least three choices of tiles, and with extents that do not fit them. Where K is large
the factors of products are small whole multiples of one power of two, so that every sum is exact in any order.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import tilevm
from tests import bounds
from tests.bounds import Floats, numbers
from tests.case import Arguments, Case, Random, coded, normal
from tests.program_cases import program_cases
from tilevm.dtypes import dtype

__all__ = ["CASES", "Case"]

FRAGMENTS = "blocks(64, 64) * warps(1, 4) * local(4, 2) * mma.m16n8k16.b"
"""How matmul_explicit takes its weights."""


def factors(
    random: Random, name: str, weights: str, shape: tuple[int, int, int], *, held: str = "f16", exact: bool, group: int
) -> Arguments:
    """What the kernel ``name`` of a product takes for (m, n, k)."""
    m, n, k = shape
    kind, number = dtype(weights), np.dtype({"f16": np.float16, "f32": np.float32}[held])
    layout = tilevm.memory_pattern(FRAGMENTS) if name == "matmul_explicit" else None
    x = random.integers(-2, 3, (m, k)).astype(number) if exact else normal(random, m, k, kind=number)
    w: Any = coded(random, kind, (k, n), layout)
    if weights in ("f16", "f32"):
        w = normal(random, k, n, kind=number)
    given = {"x": x, "w": w, "y": normal(random, m, n, kind=number)}
    groups = -(-k // group)
    if name != "matmul_plain":
        scale = random.choice([0.0625, 0.125], (groups, n)) if exact else 0.5 + random.random((groups, n))
        given["scale"] = scale.astype(number)
    if name == "matmul_zero":
        given["zero"] = random.integers(0, 1 << kind.bits, (groups, n)).astype(number)
    return given


def product_bound(given: Mapping[str, Any], group: int) -> dict[str, Floats]:
    """The bound of a product, with the weights dequantised as the kernel does it: each step rounded to x's format."""
    kind = given["x"].dtype
    w = numbers(given["w"]).astype(kind)
    for operation, name in ((np.subtract, "zero"), (np.multiply, "scale")):
        if name in given:
            w = operation(w, np.repeat(given[name], group, axis=0)[: len(w)])
    return bounds.product(given, w.astype(np.float64))


def cached(random: Random, format: str, sizes: tuple[int, int, int, int], scales: tuple[str, str]) -> Arguments:
    """What decode attention takes for (tokens, heads, cached heads, width). The queries are long, so that few tokens
    have most of the weight."""
    tokens, heads, groups, width = sizes
    given: Arguments = {"q": normal(random, heads, width, kind=np.float16) * np.float16(3)}
    for name, scale in zip("kv", scales, strict=True):
        quantized = tilevm.quantize(normal(random, tokens, groups, width), format, group=None, axis=2)
        given |= {name: quantized.codes, scale: np.asarray(quantized.scales)[..., 0].copy()}
    return given | {"o": normal(random, heads, width, kind=np.float16), "scale": width**-0.5}


def rows(random: Random, shape: tuple[int, int], kind: Any, parameters: tuple[str, ...], spread: float) -> Arguments:
    """A matrix x, one vector for each of the parameters, and room for y."""
    x = (spread * random.standard_normal(shape) + (0 if parameters == () else 3)).astype(kind)
    vectors = {name: normal(random, shape[1], kind=kind) for name in parameters}
    epsilon = {"epsilon": 1e-5} if parameters else {}
    return {"x": x, **vectors, "y": normal(random, *shape, kind=kind)} | epsilon


# The table


def _products(
    kernel: str,
    weights: str,
    shape: tuple[int, int, int],
    *,
    exact: bool = False,
    file: str = "examples/matmul.tvm",
    **bindings: Any,
) -> tuple[str, Case]:
    held, group = bindings.get("A", "f16"), bindings.get("GROUP", 128)
    make = partial(factors, name=kernel, weights=weights, shape=shape, held=held, exact=exact, group=group)
    tiles = "".join(f"-{name}{value}" for name, value in bindings.items())
    name = f"{Path(file).stem}.{kernel}-{weights}-{'x'.join(map(str, shape))}{tiles}"
    return name, Case(file, kernel, make, bindings, None if exact else partial(product_bound, group=group))


def _matmuls() -> dict[str, Case]:
    plain, grouped, zero = (partial(_products, name) for name in ("matmul_plain", "matmul", "matmul_zero"))
    return dict(
        [
            plain("f16", (17, 130, 192)),
            plain("f16", (33, 66, 100), BM=32, BN=64, BK=32, STAGES=2),
            plain("f16", (3, 258, 96), BM=16, BN=256, BK=16, STAGES=3),
            plain("f32", (33, 130, 256), A="f32", BM=32, BN=64),
            plain("i8", (5, 258, 7392), exact=True, BM=16, BN=64, BK=128, STAGES=2),
            *(grouped(each, (20, 200, 384)) for each in "u4 i4 u3 i5 f6e3m2 f4e2m1 f8e4m3 i8 f16 nf4 u1 trit".split()),
            grouped("u4", (16, 258, 384)),
            grouped("u4", (1, 258, 384), BM=16, BN=64, BK=128, STAGES=3),
            grouped("u4", (17, 258, 384), BM=32, BN=256, BK=32, STAGES=2),
            grouped("f6e3m2", (13, 258, 200), BM=64, BN=64, BK=64, GROUP=64, STAGES=2),
            grouped("i4", (2, 258, 7392), exact=True, BN=64),
            grouped("u3", (7, 66, 7392), exact=True, BN=64, BK=32),
            grouped("f6e3m2", (1, 130, 7392), exact=True, BN=128, BK=128, STAGES=2),
            grouped("u1", (15, 64, 7392), exact=True, BN=64, STAGES=3),
            *(zero(each, (17, 258, 384)) for each in "u4 u3 u2 u8".split()),
            zero("u4", (8, 130, 320), BM=32, BN=64, BK=32, GROUP=64, STAGES=2),
            zero("u5", (4, 258, 256), BM=16, BN=256, BK=64, STAGES=3),
            zero("u4", (11, 66, 7392), exact=True, BN=64),
            *_explicit(),
        ]
    )


def _explicit() -> list[tuple[str, Case]]:
    explicit = partial(_products, "matmul_explicit", file="examples/matmul_explicit.tvm")
    return [
        *(explicit(each, (20, 192, 384)) for each in "u4 f6e3m2 i4 nf4 u3 f8e4m3 i2 u1 i5".split()),
        explicit("u4", (1, 128, 512), STAGES=2),
        explicit("u4", (17, 64, 256), STAGES=4, GROUP=64),
        explicit("f6e3m2", (5, 64, 384), STAGES=2),
        explicit("u4", (9, 64, 7424), exact=True, STAGES=2),
    ]


def _attention(
    format: str,
    sizes: tuple[int, int, int, int],
    file: str = "examples/attention.tvm",
    scales: tuple[str, str] = ("k_scale", "v_scale"),
    **bindings: Any,
) -> tuple[str, Case]:
    tile = bindings.get("BT", 64)
    tiles = "".join(f"-{name}{value}" for name, value in bindings.items())
    name = f"{Path(file).stem}.attend-{format}-{'x'.join(map(str, sizes))}{tiles}"
    bound = partial(bounds.attention, k_scale=scales[0], v_scale=scales[1], tile=tile)
    make = partial(cached, format=format, sizes=sizes, scales=scales)
    return name, Case(file, "attend", make, {"KV": format, "D": sizes[3], **bindings}, bound)


def _rowwise() -> dict[str, Case]:
    cases = {}
    for kind, shape, tiles in (
        ("f32", (7, 1000), {}),
        ("f32", (5, 257), {"ROWS": 1, "BLOCK": 128}),
        ("f16", (9, 258), {"ROWS": 8, "BLOCK": 64}),
        ("f16", (4, 1000), {"ROWS": 2, "BLOCK": 512}),
    ):
        make = partial(rows, shape=shape, kind=np.dtype(kind.replace("f", "float")), parameters=(), spread=4)
        bound = partial(bounds.softmax, block=tiles.get("BLOCK", 256))
        name = f"softmax.softmax-{kind}-{shape[0]}x{shape[1]}"
        cases[name] = Case("examples/softmax.tvm", "softmax", make, {"A": kind, **tiles}, bound)
    for kernel, parameters in (("layer_norm", ("weight", "bias")), ("rms_norm", ("weight",))):
        for kind, shape, block in (
            ("f32", (3, 1000), 512),
            ("f32", (2, 258), 128),
            ("f16", (5, 700), 256),
            ("f16", (1, 5), 512),
        ):
            make = partial(
                rows, shape=shape, kind=np.dtype(kind.replace("f", "float")), parameters=parameters, spread=1
            )
            name = f"normalize.{kernel}-{kind}-{shape[0]}x{shape[1]}-BLOCK{block}"
            bound = getattr(bounds, kernel)
            cases[name] = Case("examples/normalize.tvm", kernel, make, {"A": kind, "BLOCK": block}, bound)
    return cases


def sums(random: Random, count: int) -> Arguments:
    """Two vectors and room for their sum."""
    return {name: normal(random, count) for name in "xyz"}


def _vectors() -> dict[str, Case]:
    return {
        f"{Path(file).stem}.vector_add-{count}-BLOCK{block}": Case(
            file, "vector_add", partial(sums, count=count), {"BLOCK": block}
        )
        for file in ("examples/vector_add.tvm", "tests/programs/introduction.tvm")
        for count, block in ((3001, 1024), (258, 128), (4096, 4096), (1, 256))
    }


def _examples() -> dict[str, Case]:
    return {
        **_vectors(),
        **_rowwise(),
        **_matmuls(),
        **dict(
            [
                *(_attention(each, (150, 8, 2, 128)) for each in "i4 i8 f8e4m3 i2".split()),
                _attention("i4", (64, 8, 2, 128), BT=32),
                _attention("i4", (1, 4, 4, 64)),
                _attention("i8", (33, 6, 1, 64), BT=16),
            ]
        ),
    }


def _introduction() -> dict[str, Case]:
    file = "tests/programs/introduction.tvm"
    matmul, attend = partial(_products, "matmul", file=file), partial(_attention, file=file, scales=("ks", "vs"))
    return dict(
        [
            matmul("u4", (17, 258, 256)),
            matmul("i8", (1, 130, 384), BN=64, BK=32, STAGES=2),
            matmul("f6e3m2", (5, 64, 128), BM=32, BN=64, STAGES=3),
            attend("i4", (150, 8, 2, 128)),
            attend("i8", (33, 4, 4, 64), BT=16),
            attend("f8e4m3", (1, 2, 1, 128), BT=32),
        ]
    )


CASES: dict[str, Case] = {**_examples(), **_introduction(), **program_cases()}
"""Every case, by file, kernel and what it is launched with."""
