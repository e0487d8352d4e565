"""Every cast over all codes: narrow formats to f16, bf16 and f32, and f16 to narrow formats, by the emitted code."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

import tilevm
from tests.gpu.machine import from_gpu, to_gpu
from tilevm import PackedArray
from tilevm.dtypes import dtype
from tilevm.runtime.kernel import Kernel

pytestmark = pytest.mark.gpu

NARROW = (
    *(f"{kind}{bits}" for kind in "ui" for bits in range(1, 9) if (kind, bits) not in (("u", 1), ("i", 1))),
    *(f"f{bits}e{exponent}m{bits - 1 - exponent}" for bits in range(3, 9) for exponent in range(1, bits)),
    *("f8e4m3", "f8e5m2", "f8e4m3fnuz", "ue4m3", "ue5m3", "e8m0", "nf4", "trit"),
)
"""Every format up to 8 bits that can be cast; u1 holds truth values."""
COMPUTED = ("f16", "bf16", "f32")
TILE = 256


@cache
def cast(source: str, target: str) -> Kernel:
    """A kernel that casts tiles, each by one warp or four."""
    return tilevm.kernel(
        f"kernel convert[WARPS = 4](x: {source}[N], out y: {target}[N]):\n    grid cdiv(N, {TILE})\n    warps WARPS\n"
        f"    i = block_index(0) * {TILE}\n    store(y[i :+ {TILE}], cast(load(x[i :+ {TILE}]), {target}))\n"
    )


def zeros(target: str, count: int) -> PackedArray:
    kind = dtype(target)
    return PackedArray.from_codes(np.zeros(count, kind.storage), kind)


def compare(source: str, target: str, codes: Any, warps: int) -> None:
    given = PackedArray.from_codes(codes, source)
    expected, found = zeros(target, len(codes)), to_gpu(zeros(target, len(codes)))
    cast(source, target)(given, y=expected, WARPS=warps)
    cast(source, target)(to_gpu(given), y=found, WARPS=warps, backend="cuda", debug=True)
    wanted, got, kind = expected.codes(), from_gpu(found).codes(), dtype(target)
    bad = wanted != got
    if kind.kind == "float":
        bad &= ~(np.isnan(kind.decode(wanted)) & np.isnan(kind.decode(got)))
    assert not bad.any(), (
        f"{source} code {codes[bad][0]:#x} is {target} code {wanted[bad][0]:#x}, on the GPU {got[bad][0]:#x}; "
        f"so are {bad.sum()} of {len(codes)}"
    )


@pytest.mark.parametrize("target", COMPUTED)
@pytest.mark.parametrize("source", NARROW)
def test_every_code_is_the_same_number(source: str, target: str) -> None:
    kind = dtype(source)
    codes = np.arange(3 if source == "trit" else 1 << kind.bits)
    every = np.resize(codes, 4 * TILE + 7).astype(kind.storage)
    for warps in (1, 4):
        compare(source, target, every, warps)


@pytest.mark.parametrize("target", NARROW)
def test_every_f16_is_the_same_code(target: str) -> None:
    codes = np.arange(1 << 16, dtype=np.uint16)
    if dtype(target).kind != "float":
        codes = codes[~np.isnan(codes.view(np.float16))]
    compare("f16", target, codes, 4)


@pytest.mark.parametrize("target", ["bf16", "f32"])
def test_every_f16_is_the_same_number(target: str) -> None:
    compare("f16", target, np.arange(1 << 16, dtype=np.uint16), 4)
