"""The kernels that quantise, as they are computed: quotients rounded once; a GPU with the interpreter's bits; machine
code with wide accesses and nothing in local memory."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from quantized import PROGRAM, SAME, numbers
from test_machine_code import has_nvrtc

import tilevm
from tilevm import ops
from tilevm.frontend import load_text
from tilevm.quantization import Hadamard

needs_nvrtc = pytest.mark.skipif(not has_nvrtc(), reason="CuPy or NVRTC is not there")

QUOTIENT = """
from "quantization.tvm" import quotient

kernel divided[Q: dtype = i8, S: dtype = f32](x: f32[N], s: f32[N], out y: f32[N]):
    grid cdiv(N, 1024)
    warps 4
    i = block_index(0) * 1024
    store(y[i :+ 1024], quotient(load(x[i :+ 1024]), load(s[i :+ 1024], fill=1), Q, S, False))
"""


@pytest.mark.parametrize("fuzz", [False, pytest.param(True, marks=pytest.mark.fuzz)])
@pytest.mark.parametrize(("name", "low", "high"), [("f32", -149, 128), ("bf16", -126, 128), ("f16", -24, 16)])
def test_the_quotient_is_rounded_once(name: str, low: int, high: int, fuzz: bool) -> None:
    rng = np.random.default_rng(5)
    divided = tilevm.Module(load_text(QUOTIENT, "<text>", folder=PROGRAM.parent), "the test").divided
    for _ in range(200 if fuzz else 1):
        count = 200_000
        exponents = rng.integers(low, high, count)
        s = np.maximum(np.ldexp(1 + rng.random(count), exponents), 2.0**low).astype(np.float32)
        exact = s.astype(np.float64) * rng.standard_normal(count) * np.ldexp(1.0, rng.integers(-24, 16, count))
        exact[::7] = s[::7].astype(np.float64) * 2.5
        exact[::11] = -0.0
        x = np.clip(exact, -3e38, 3e38).astype(np.float32)
        found = divided(x, s, S=name)
        np.testing.assert_array_equal(found.view(np.uint32), (x / s).view(np.uint32))


# On a GPU


@pytest.mark.gpu
@pytest.mark.parametrize(("name", "more"), SAME)
def test_a_gpu_has_the_bits_of_the_interpreter(name: str, more: dict[str, Any]) -> None:
    cupy = pytest.importorskip("cupy")
    for shape in ((5, 384), (17, 130 if "hadamard" not in more else 128)):
        x = numbers(*shape)
        expected, found = ops.quantize(x, name, **more), ops.quantize(cupy.asarray(x), name, **more)
        for one, other in zip(expected, found, strict=True):
            if one is None:
                assert other is None
            elif isinstance(one, tilevm.PackedArray):
                np.testing.assert_array_equal(one.data, cupy.asnumpy(other.data))
            else:
                held = other.data if isinstance(other, tilevm.PackedArray) else other
                np.testing.assert_array_equal(one.view(np.uint8).ravel(), cupy.asnumpy(held).view(np.uint8).ravel())


@pytest.mark.gpu
def test_a_gpu_transforms_as_the_interpreter() -> None:
    cupy = pytest.importorskip("cupy")
    x = numbers(5, 384, dtype=np.float32)
    for size in (2, 16, 32, 64, 128):
        transform = Hadamard(axis=1, size=size, seed=1)
        found = ops.hadamard(cupy.asarray(x), transform)
        np.testing.assert_array_equal(cupy.asnumpy(found).view(np.uint32), ops.hadamard(x, transform).view(np.uint32))


# Machine code

TWO_LEVELS = {"SCALING": 1, "TWO_LEVELS": True}
COMPILED: dict[str, tuple[str, dict[str, Any]]] = {
    "rows to i8": ("quantize", {"Q": "i8", "GROUP": 4096, "RUN": 16}),
    "rows to f8e4m3": ("quantize", {"Q": "f8e4m3", "GROUP": 4096, "RUN": 16}),
    "groups to f4e2m1": ("quantize", {"Q": "f4e2m1", "S": "e8m0", "GROUP": 32}),
    "transformed": ("quantize", {"Q": "i4", "S": "f16", "GROUP": 64, "HADAMARD": 128}),
    "squares": ("quantize", {"Q": "i8", "GROUP": 128, "GROUP_ROWS": 128, "ROWS": 128, "BLOCK": 128, "WARPS": 16}),
    "zero points": ("quantize_zero", {"Q": "u4", "S": "f16"}),
    "stochastic": ("quantize", {"Q": "f8e5m2", "STOCHASTIC": True}),
    "two levels": ("quantize", {"Q": "f4e2m1", "S": "f8e4m3", "GROUP": 16, **TWO_LEVELS}),
    "long rows": ("quantize_long", {"Q": "i8"}),
    "scaled": ("quantize_scaled", {"Q": "f8e4m3"}),
    "swiglu": ("swiglu_quantize", {"Q": "i8", "GROUP": 4096, "RUN": 16}),
    "rms_norm": ("rms_norm_quantize", {"Q": "i8", "GROUP": 4096, "RUN": 16}),
    "transform": ("hadamard", {"HADAMARD": 16}),
}


@needs_nvrtc
@pytest.mark.parametrize(("name", "target"), [*zip(COMPILED, itertools.cycle(["sm_80", "sm_90a"]), strict=False)])
def test_kernels_compile_to_wide_accesses_and_without_local_memory(name: str, target: str) -> None:
    kernel, bindings = COMPILED[name]
    divisible = {"M": 128, "N" if kernel == "swiglu_quantize" else "K": 128}
    compiled = tilevm.load(PROGRAM)[kernel].compile(target, divisible=divisible, A="f16", **bindings)
    taken = compiled.resources
    assert (taken.spill_store_bytes, taken.spill_load_bytes, taken.stack_bytes) == (0, 0, 0)
    remarks = [str(each) for each in compiled.remarks]
    assert sum("16-byte loads" in each for each in remarks) >= 1
    assert not [each for each in remarks if "-byte loads" in each and "16-byte" not in each]
    run = bindings.get("RUN", 16 if kernel == "quantize_long" else 32)
    codes = f"{min(16, run * tilevm.dtype(bindings.get('Q', 'f16')).bits // 8)}-byte stores"
    assert any(codes in each for each in remarks), remarks
    assert not [each for each in remarks if "moved between layouts" in each]
