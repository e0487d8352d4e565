"""Faults planted in emitted code are caught: by a finding of the simulator, or because the result is another one.

The kernel is the product with everything placed by hand, whose text has each kind of order that a fault can break:
asynchronous copies, waits, barriers, swizzled addresses, bounds.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import numpy as np
import pytest
from test_golden import ROOT

import tilevm
from tilevm.codegen import Emitted, emit
from tilevm.passes import run_passes
from tilevm.runtime.simulator import Simulation, compile_host, find_compiler
from tilevm.runtime.specialisation import Specialisation

M, K, N = 19, 256, 128


def has_compiler() -> bool:
    try:
        find_compiler()
    except tilevm.UsageError:
        return False
    return True


pytestmark = pytest.mark.skipif(not has_compiler(), reason="there is no C++ compiler")


@cache
def emitted() -> Emitted:
    kernel = tilevm.load(ROOT / "examples" / "matmul_explicit.tvm").matmul_explicit
    special = Specialisation.of("sm_80", {"M": M, "K": K, "N": N})
    return emit(run_passes(special.apply(kernel.specialise(W="u4")), "sm_80"))


@cache
def problem() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """x, the bytes of the packed weights, the scales, and y as the interpreter has it."""
    numbers = np.random.default_rng(3)
    x = numbers.standard_normal((M, K)).astype(np.float16)
    scale = (0.5 + numbers.random((K // 128, N))).astype(np.float16)
    order = tilevm.memory_pattern("blocks(64, 64) * warps(1, 4) * local(4, 2) * mma.m16n8k16.b")
    codes = numbers.integers(0, 16, (K, N)).astype(np.uint8)
    packed = tilevm.PackedArray.from_codes(codes, "u4", order.bind((K, N), 4))
    kernel = tilevm.load(ROOT / "examples" / "matmul_explicit.tvm").matmul_explicit
    return x, packed.data, scale, kernel(x, packed, scale)


def run(source: str) -> tuple[Simulation, np.ndarray]:
    x, weights, scale, wanted = problem()
    found = np.full_like(wanted, np.nan)
    module = compile_host(source)
    sizes = {"M": M, "K": K, "N": N}
    arguments: list[Any] = [x, weights, scale, found, *(sizes[value.name] for value in emitted().arguments[4:])]
    simulation = module.launch(emitted().kernel, (-(-M // 16), N // 64), arguments)
    return simulation, found


def changed(pattern: str, replacement: str, count: int = 1) -> str:
    source, made = re.subn(pattern, replacement, emitted().source, count=count)
    assert made, f"the emitted text has nothing like {pattern!r}"
    return source


def codes(simulation: Simulation) -> set[str]:
    return {each.code for each in simulation.findings}


def test_the_kernel_as_it_is_has_no_fault() -> None:
    simulation, found = run(emitted().source)
    simulation.check()
    np.testing.assert_allclose(found.astype(np.float32), problem()[3].astype(np.float32), rtol=2e-3, atol=2e-2)


def test_a_removed_barrier_is_a_race() -> None:
    simulation, _ = run(changed(r"tv::sync\(\);", ";", count=0))
    assert codes(simulation) & {"R040", "R041", "R042"}, simulation.findings


def test_a_removed_wait_is_a_read_of_what_has_not_landed() -> None:
    simulation, _ = run(changed(r"tv::cp_async_wait<\d+>\(\);", ";", count=0))
    assert simulation.findings


def test_a_wait_for_one_group_too_few_is_found() -> None:
    simulation, _ = run(changed(r"tv::cp_async_wait<1>\(\);", "tv::cp_async_wait<2>();"))
    assert simulation.findings


def test_an_index_off_by_one_is_found() -> None:
    """A row below the last one is outside of the tensor, and the write is refused."""
    bound = re.search(r"< tv::u32\(M\)", emitted().source)
    assert bound is not None
    simulation, _ = run(changed(r"< tv::u32\(M\)", "< tv::u32(M) + 1", count=0))
    assert simulation.findings


def test_a_wrong_swizzle_gives_another_result_or_reads_what_nobody_wrote() -> None:
    """The copy places the rows of activations as if they were not swizzled."""
    source = emitted().source
    swizzle = re.search(r"\^ \([^;]*?\)", source)
    assert swizzle is not None, "no address is swizzled"
    simulation, found = run(source.replace(swizzle.group(), "", 1))
    same = np.allclose(found.astype(np.float32), problem()[3].astype(np.float32), rtol=2e-3, atol=2e-2)
    assert simulation.findings or not same
