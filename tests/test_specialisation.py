"""What a launch tells the compiler: classes of sizes and addresses, sizes that become constants, occupancy."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tilevm
from tilevm import ArgumentError, OutOfResources, PackedArray
from tilevm.arch import ARCHITECTURES, Arch, arch
from tilevm.interpreter import run
from tilevm.ir import Program
from tilevm.memory import Tensor
from tilevm.passes import run_passes
from tilevm.passes.divisibility import analyse
from tilevm.runtime.occupancy import check_fits, occupancy
from tilevm.runtime.specialisation import (
    ALIGNMENTS,
    DIVISORS,
    Specialisation,
    alignment_class,
    bind_constants,
    divisor_class,
)
from tilevm.sizes import Symbol
from tilevm.verify import verify

ROWS = """
kernel rows[B = 16](x: f32[M, K // 2], w: u8[K, N], out y: f32[M, N]):
    grid cdiv(M, B), cdiv(N, 32)
    warps 1
    require K % 4 == 0, "K is even twice"
    require N >= 3
    m = block_index(0) * B
    n = block_index(1) * 32
    seen = memory_view(w, u32, [K // 4, N])
    acc = zeros(f32, [B, 32])
    for k in range(0, K // 2, 16):
        acc = acc + sum(load(x[m :+ B, k :+ 16]), axis=1)[:, None]
    if N > 40:
        acc = acc + cast(load(seen[0 :+ 1, n :+ 32]) & 0xFFFF, f32)
    store(y[m :+ B, n :+ 32], acc + cast(K, f32))
"""


@cache
def rows() -> Program:
    return tilevm.kernel(ROWS).specialise()


@given(st.integers(0, 1 << 31))
def test_a_class_is_the_largest_that_divides(number: int) -> None:
    assert divisor_class(number) == max(each for each in DIVISORS if number % each == 0)
    assert alignment_class(number) == max(each for each in ALIGNMENTS if number % each == 0)


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10_000), st.integers(0, 10_000), st.integers(0, 1 << 20))
def test_what_is_specialised_holds_and_passes_know_it(m: int, n: int, address: int) -> None:
    program = rows()
    wanted = Specialisation.of("sm_80", {"M": m, "N": n, "K": 64}, {"x": address})
    assert all(size % wanted_divisor == 0 for size, wanted_divisor in ((m, divisor(wanted, "M")), (64, 64)))
    known = analyse(wanted.apply(program))
    for name, size in (("M", m), ("N", n), ("K", 64)):
        assert known.of_size(Symbol(name)).divisor % divisor_class(size) == 0
    assert dict(wanted.alignments).get("x", 16) == alignment_class(address)


def divisor(specialisation: Specialisation, name: str) -> int:
    return dict(specialisation.divisors).get(name, 1)


def test_launches_of_one_class_are_one_specialisation() -> None:
    assert Specialisation.of("sm_80", {"N": 256}, {"x": 64}) == Specialisation.of("sm_80", {"N": 384}, {"x": 4096})
    assert Specialisation.of("sm_80", {"N": 256}) != Specialisation.of("sm_80", {"N": 64})
    assert Specialisation.of("sm_80", {"N": 256}) != Specialisation.of("sm_90a", {"N": 256})
    assert Specialisation.of("sm_80", {}, {"x": 64}) != Specialisation.of("sm_80", {}, {"x": 8})


def test_a_specialisation_says_nothing_of_sizes_that_a_program_has_not() -> None:
    program = rows()
    assert Specialisation("sm_80", (("Z", 8),)).apply(program) is program


@pytest.mark.parametrize("bound", [{"K": 64}, {"M": 20, "N": 48}, {"M": 20, "N": 48, "K": 64}])
def test_bound_sizes_are_constants_and_change_no_result(bound: dict[str, int]) -> None:
    program = rows()
    other = bind_constants(program, bound)
    verify(other)
    assert [size.name for size in other.sizes] == [name for name in ("M", "K", "N") if name not in bound]
    assert not any(name in str(other).split() for name in bound)
    verify(run_passes(other, "sm_80").program)
    assert np.array_equal(result(program), result(other))


def result(program: Program) -> Any:
    random = np.random.default_rng(0)
    x = random.standard_normal((20, 32), np.float32)
    w, y = random.integers(0, 256, (64, 48), np.uint8), np.zeros((20, 48), np.float32)
    tensors = {name: Tensor(array, tilevm.dtype(array.dtype)) for name, array in (("x", x), ("y", y))}
    tensors["w"] = Tensor(w, tilevm.dtype("u8"), PackedArray.from_codes(w, "u8").data)
    run(program, tensors, {"M": 20, "K": 64, "N": 48})
    return y


def test_bound_sizes_that_a_requirement_refuses_are_refused_with_its_reason() -> None:
    program = rows()
    with pytest.raises(ArgumentError, match="K is even twice") as caught:
        bind_constants(program, {"K": 30})
    assert caught.value.code == "A018"
    assert "here K = 30" in str(caught.value)
    assert len(bind_constants(program, {"K": 32}).requires) == 1
    assert bind_constants(program, {}) is program


# Occupancy


@pytest.mark.parametrize(
    ("name", "threads", "registers", "shared_bytes", "blocks", "limit"),
    [
        ("sm_80", 256, 32, 0, 8, "threads"),
        ("sm_80", 256, 64, 0, 4, "registers"),
        ("sm_80", 256, 255, 0, 1, "registers"),
        ("sm_80", 32, 16, 0, 32, "blocks"),
        ("sm_80", 32, 96, 0, 20, "registers"),
        ("sm_80", 128, 32, 40 << 10, 4, "shared memory"),
        ("sm_80", 128, 32, 163 << 10, 1, "shared memory"),
        ("sm_80", 128, 32, (163 << 10) + 1, 0, "shared memory"),
        ("sm_86", 128, 32, 49 << 10, 2, "shared memory"),
        ("sm_75", 1024, 64, 0, 1, "threads"),
        ("sm_75", 128, 32, 16 << 10, 4, "shared memory"),
        ("sm_90a", 384, 168, 0, 1, "registers"),
        ("sm_90a", 1024, 65, 0, 0, "registers"),
    ],
)
def test_occupancy(name: str, threads: int, registers: int, shared_bytes: int, blocks: int, limit: str) -> None:
    found = occupancy(arch(name), threads=threads, registers=registers, shared_bytes=shared_bytes)
    assert (found.blocks, found.warps, found.limit) == (blocks, blocks * threads // 32, limit)


@pytest.mark.parametrize("row", ARCHITECTURES.values(), ids=ARCHITECTURES)
def test_more_of_anything_never_lets_more_in(row: Arch) -> None:
    for threads in (32, 128, 256, 1024):
        last = None
        for registers in range(16, 256, 16):
            found = occupancy(row, threads=threads, registers=registers, shared_bytes=0).blocks
            assert last is None or found <= last
            last = found
            assert found * threads <= row.maximum_threads_per_multiprocessor
            assert found * threads * registers <= row.registers_per_multiprocessor


def test_a_block_that_cannot_run_is_refused_with_the_numbers() -> None:
    with pytest.raises(OutOfResources, match="131,072 registers, 128 for each of 1024 threads") as caught:
        check_fits("wide", arch("sm_80"), threads=1024, registers=128)
    assert caught.value.code == "F042"
    with pytest.raises(OutOfResources, match="1056 threads") as caught:
        check_fits("wide", arch("sm_80"), threads=1056, registers=32)
    assert caught.value.code == "F043"
    check_fits("narrow", arch("sm_80"), threads=1024, registers=64)
