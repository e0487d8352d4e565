"""Launches of the programs of ``tests/programs``. Most of them compute what nobody stores: what they show is that what
is compiled for them runs to its end, also where loops and branches depend on arguments, and writes nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np

import tilevm
from tests.case import Arguments, Case, Random, coded, normal
from tilevm.dtypes import dtype

__all__ = ["program_cases"]

FOLDER = "tests/programs"


def _outputs(random: Random, shapes: Mapping[str, tuple[int, ...]], kind: Any, scalars: Mapping[str, Any]) -> Arguments:
    """Tensors that are only written, and scalars."""
    return {name: (100 * normal(random, *shape)).astype(kind) for name, shape in shapes.items()} | dict(scalars)


def _case(file: str, kernel: str, what: str, make: Any, **bindings: Any) -> tuple[str, Case]:
    text = "".join(f"-{name}{value}" for name, value in bindings.items())
    return f"{file}.{kernel}-{what}{text}", Case(f"{FOLDER}/{file}.tvm", kernel, make, bindings)


def _written(
    file: str, kernel: str, shape: tuple[int, ...], scalars: Mapping[str, Any] | None = None, **bindings: Any
) -> tuple[str, Case]:
    """A kernel with one output z, and scalars."""
    scalars = scalars or {}
    kind = np.int32 if kernel == "fibonacci" else np.float32
    make = partial(_outputs, shapes={"z": shape}, kind=kind, scalars=scalars)
    what = "-".join(["x".join(map(str, shape)), *(f"{name}{value}" for name, value in scalars.items())])
    return _case(file, kernel, what, make, **bindings)


def _control() -> Iterator[tuple[str, Case]]:
    for count, rounds in ((1, 0), (32, 7), (33, 60)):
        yield _written("control", "fibonacci", (count,), {"rounds": rounds})
    # Its last two loops end for few numbers only: those that the first ones leave here, 3, -10 and 3.
    for shape, limit in (((16, 65), 1.0), ((17, 258), -20.0), ((40, 17), 3.0)):
        yield _written("control", "nested", shape, {"limit": limit})
    for count, kind in ((3, "f16"), (17, "bf16"), (4, "u4")):
        yield _written("control", "chosen", (count,), W=kind)
    for n in (1, 2, 5):
        yield _written("control", "swaps", (n,), {"n": n})


def _values() -> Iterator[tuple[str, Case]]:
    for count, n, s in ((32, 7, 0.5), (258, -3, 2.0), (1, 0, -1.25)):
        yield _written("values", "arithmetic", (count,), {"n": n, "s": s})
    for count in (1, 17, 258):
        yield _written("values", "parts", (count,))
        yield _written("values", "placed", (count,))


def _sized(random: Random, m: int, k: int, n: int, group: int, flag: bool) -> Arguments:
    """What ``sizes`` takes: tensors in every layout that a header can declare."""
    layouts = {name: tilevm.memory_pattern(text) for name, text in DECLARED.items()}
    return {
        "x": normal(random, m, k // group, 4, k, kind=np.float16),
        "w": coded(random, dtype("u4"), (k, n), layouts["w"]),
        "v": coded(random, dtype("u4"), (k, n), layouts["v"]),
        "bias": normal(random, n - 1, min(m, k, n)),
        "q": coded(random, dtype("f6e3m2"), (group,), layouts["q"]),
        "y": normal(random, m, 2 * (n - 1)),
        "rate": 0.1,
        "count": 255,
        "flag": flag,
    }


DECLARED = {"w": "blocks(16, 8) * mma.m16n8k16.c", "v": "column_major", "q": "strides(2)"}


def _header() -> Iterator[tuple[str, Case]]:
    for m, k, n, group, flag in ((2, 64, 8, 32, True), (17, 64, 24, 64, True), (1, 32, 16, 32, False)):
        make = partial(_sized, m=m, k=k, n=n, group=group, flag=flag)
        yield _case("header", "sizes", f"{m}x{n}x{k}-{'' if flag else 'not-'}flagged", make, GROUP=group)
    yield _case("header", "nothing", "at-all", lambda random: {})


def _mapped(random: Random, count: int) -> Arguments:
    return {"x": normal(random, count), "y": normal(random, count)}


def _importing() -> Iterator[tuple[str, Case]]:
    for count in (64, 258, 3):
        yield _case("importing", "imported", str(count), partial(_mapped, count=count))
        make = partial(_outputs, shapes={"y": (count,)}, kind=np.float32, scalars={})
        yield _case("library", "unused", str(count), make)


def _copied(random: Random, m: int, k: int, count: int) -> Arguments:
    """What ``copies`` takes. Several threads store the same elements of y, so x has the same number there: 1."""
    x = random.integers(0, 3, (m, k)).astype(np.float16)
    x[:, ::64] = 1
    x[3:4] = 1
    return {
        "x": x,
        "index": random.integers(-2, k + 2, count).astype(np.int32),
        "y": normal(random, m, k, kind=np.float16),
        "total": np.ones(1, np.float32),
    }


def _memory() -> Iterator[tuple[str, Case]]:
    for m, k, count in ((16, 64, 8), (16, 128, 11), (13, 96, 5)):
        name, case = _case("memory", "copies", f"{m}x{k}-{count}", partial(_copied, m=m, k=k, count=count))
        yield name, Case(case.file, case.name, case.make, case.bindings, prints=True)


def program_cases() -> dict[str, Case]:
    """The cases, by file, kernel and what it is launched with."""
    return dict([*_control(), *_values(), *_header(), *_importing(), *_memory()])
