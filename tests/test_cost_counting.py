"""What is counted of a launch from plans alone is what the simulator counts when it runs the launch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kernels import needs_compiler

import tilevm
from tests.cases import CASES as ALL_CASES
from tilevm.ir import Program
from tilevm.runtime.arrays import adopt
from tilevm.runtime.command_input import random_array
from tilevm.runtime.compile_time import infer_formats
from tilevm.runtime.compiled import CompiledKernel
from tilevm.runtime.cost import Work, work_of, work_of_program
from tilevm.runtime.launch import shape_of
from tilevm.runtime.shapes import bind_sizes
from tilevm.runtime.simulated import simulate
from tilevm.runtime.simulator import Simulation
from tilevm.runtime.specialisation import Specialisation
from tilevm.values import ScalarType

EXAMPLES = Path(__file__).parent.parent / "examples"

LOOPS = """
kernel loops(x: f32[M, N], out y: f32[M, N], out first: f32[M]):
    grid cdiv(M, 8), 2
    warps 2
    row = block_index(0) * 8
    half = block_index(1)
    for i in range(half, cdiv(N, 32), 2):
        tile = load(x[row :+ 8, i * 32 :+ 32])
        if i % 3 == 0:
            store(y[row :+ 8, i * 32 :+ 32], tile + 1.0)
        else:
            for j in range(i % 3):
                store(y[row :+ 8, i * 32 :+ 32], tile)
    at = 0
    for i in range(4):
        if at < N:
            store(y[row :+ 8, at :+ 16], load(x[row :+ 8, at :+ 16]))
        at = at + 24
    if half == 0:
        store(first[row :+ 8], full(f32, [8], 0.0))
"""
PERSISTENT = """
kernel persistent(x: f32[M, N], out y: f32[M, N]):
    grid 3
    warps 1
    for row in range(block_index(0), M, grid_size(0)):
        at = 0
        while at < N:
            store(y[row, at :+ 32], load(x[row, at :+ 32]))
            at = at + 32
    left = block_index(0)
    while left < 5:
        store(y[0, left * 4 :+ 8], zeros(f32, [8]))
        left = left + 2
"""
ATOMICS = """
kernel histogram(x: i32[N], inout total: i32[4], out y: i32[N]):
    grid cdiv(N, 64)
    warps 1
    i = block_index(0) * 64
    tile = load(x[i :+ 64])
    atomic_add(total[block_index(0) % 4], 1)
    s = shared(i32, [64])
    store(s, tile)
    sync()
    store(y[i :+ 64], load(s))
"""
NARROW = """
kernel narrow[W: dtype](x: W[M, N], out y: W[M, N]):
    grid M
    warps 1
    m = block_index(0)
    for n in range(0, N, 64):
        store(y[m, n :+ 64], load(x[m, n :+ 64]))
"""


def arguments(program: Program, sizes: dict[str, int], scalars: dict[str, Any]) -> dict[str, Any]:
    """Seeded random arrays for a launch of those sizes."""
    made: dict[str, Any] = {**scalars, **sizes}
    for seed, value in enumerate(program.tensors):
        if getattr(value.type, "access", "in") == "out":
            continue
        made[value.name] = random_array(value.name, shape_of(value, sizes), value.dtype, seed)
    return made


# Requests to shared memory are not compared: the simulator splits one where its queue of requests is full.
def by_line(work: Work) -> dict[int, list[float]]:
    """What each line costs, in the order of ``LineCounts``, but for requests to shared memory."""
    lines: dict[int, list[float]] = {}
    for each in work.traffic:
        assert each.line is not None
        row, counts = lines.setdefault(each.line, [0.0] * 5), each.counts
        if each.shared:
            row[0], row[1] = row[0] + counts.wavefronts, row[1] + counts.ideal_wavefronts
        else:
            for place, figure in enumerate((counts.requests, counts.sectors, counts.bytes), 2):
                row[place] += figure
    return {line: row for line, row in lines.items() if any(row)}


def simulated(simulation: Simulation) -> dict[int, list[int]]:
    found = {}
    for line, each in simulation.lines.items():
        row = [each.wavefronts, each.ideal_wavefronts, each.global_requests, each.sectors, each.useful_bytes]
        if any(row):
            found[line] = row
    return found


def assert_counted(program: Program, sizes: dict[str, int], arch: str = "sm_80", **scalars: Any) -> Work:
    simulation, _ = simulate(program, arguments(program, sizes, scalars), arch=arch)
    simulation.check()
    work = work_of(CompiledKernel(program, Specialisation.of(arch, sizes)).lowered, sizes)
    assert by_line(work) == simulated(simulation)
    return work


CASES = {
    "vector_add": ("vector_add", {"N": 5000}, {}, {}),
    "vector_add, one element more": ("vector_add", {"N": 4097}, {}, {}),
    "explicit u4": ("matmul_explicit", {"M": 16, "N": 128, "K": 256}, {"W": "u4"}, {}),
    "explicit u3, rows outside": ("matmul_explicit", {"M": 23, "N": 128, "K": 256}, {"W": "u3"}, {}),
    "matmul, edges": ("matmul.matmul", {"M": 20, "N": 200, "K": 256}, {"W": "u4"}, {}),
    "matmul_zero, edges": ("matmul.matmul_zero", {"M": 7, "N": 130, "K": 384}, {"W": "u3"}, {}),
    "matmul_plain, odd sizes": ("matmul.matmul_plain", {"M": 33, "N": 130, "K": 130}, {"W": "f16"}, {}),
    "softmax": ("softmax", {"M": 9, "N": 600}, {}, {}),
    "layer_norm": ("normalize.layer_norm", {"M": 3, "N": 1100}, {"A": "f16"}, {"epsilon": 1e-5}),
    "attend": ("attention.attend", {"H": 4, "HK": 2, "T": 150}, {}, {"scale": 0.1}),
}


SLOW = ("vector_add", "explicit u4", "matmul_zero, edges", "softmax", "attend")
"""Cases that are near to another one; their launches have to be compiled."""


@needs_compiler
@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.fuzz] * (name in SLOW)) for name in CASES])
def test_counts_of_the_examples_are_those_of_the_simulator(name: str) -> None:
    file, sizes, bindings, scalars = CASES[name]
    module, _, kernel = file.partition(".")
    found = tilevm.load(EXAMPLES / f"{module}.tvm")
    program = (found[kernel] if kernel else found[next(iter(found))]).specialise(**bindings)
    assert_counted(program, sizes, **scalars)


BY_INDEX = [name for name in ALL_CASES if name.startswith("memory.copies")]
"""Kernels with accesses at loaded indices, which are not counted exactly."""

BIT_BY_BIT = ["introduction.matmul-f6e3m2-5x64x128-BM32-BN64-STAGES3"]
"""A kernel in which some lanes load a second byte: the simulator then takes requests of different places for one."""


@needs_compiler
@pytest.mark.fuzz
@pytest.mark.parametrize("name", [name for name in ALL_CASES if name not in (*BY_INDEX, *BIT_BY_BIT)])
def test_counts_of_every_case_are_those_of_the_simulator(name: str) -> None:
    case = ALL_CASES[name]
    kernel, given = case.kernel(), case.arguments()
    formats = {
        each.name: adopt(each.name, given[each.name], written=False).dtype
        for each in kernel.definition.parameters
        if each.is_tensor
    }
    program = kernel.specialise(**{**case.bindings, **infer_formats(kernel.definition, formats, dict(case.bindings))})
    shapes = {value.name: given[value.name].shape for value in program.tensors}
    sizes = bind_sizes(program, shapes, {size.name: given[size.name] for size in program.sizes if size.name in given})
    simulation, _ = simulate(program, given)
    simulation.check()
    scalars = {
        value.name: int(given[value.name])
        for value in program.parameters
        if isinstance(value.type, ScalarType) and value.dtype.kind in ("int", "uint")
    }
    lowered = CompiledKernel(program, Specialisation.of("sm_80", sizes)).lowered
    assert by_line(work_of(lowered, {**sizes, **scalars})) == simulated(simulation)


@needs_compiler
def test_loops_branches_and_carried_offsets_are_followed() -> None:
    work = assert_counted(tilevm.kernel(LOOPS).specialise(), {"M": 19, "N": 150})
    assert work.exact


@needs_compiler
def test_blocks_that_take_several_tiles_are_followed() -> None:
    found = assert_counted(tilevm.kernel(PERSISTENT).specialise(), {"M": 8, "N": 100})
    assert found.exact


@needs_compiler
def test_atomics_and_shared_tiles_are_counted() -> None:
    assert_counted(tilevm.kernel(ATOMICS).specialise(), {"N": 200})


@needs_compiler
@pytest.mark.parametrize("width", ["u4", "f64", pytest.param("f16", marks=pytest.mark.fuzz)])
def test_rows_that_begin_inside_of_a_sector_are_counted(width: str) -> None:
    assert_counted(tilevm.kernel(NARROW).specialise(W=width), {"M": 5, "N": 142})


def work(name: str, sizes: dict[str, int], arch: str = "sm_80", **bindings: Any) -> Work:
    module, _, kernel = name.partition(".")
    program = tilevm.load(EXAMPLES / f"{module}.tvm")[kernel or module].specialise(**bindings)
    return work_of(CompiledKernel(program, Specialisation.of(arch, sizes)).lowered, sizes)


def test_vector_add_moves_twelve_bytes_an_element() -> None:
    found = work("vector_add", {"N": 1 << 20})
    assert [(each.name, each.read, each.written) for each in found.tensors] == [
        ("x", 1 << 22, 0),
        ("y", 1 << 22, 0),
        ("z", 0, 1 << 22),
    ]
    assert found.counts(shared=False).sectors * 32 == 3 << 22
    # A sample of the 1024 blocks was looked at; where all are alike it gives the same.
    assert not found.exact


def test_a_large_launch_is_sampled_and_still_counted_to_the_byte_where_blocks_are_alike() -> None:
    sizes = {"M": 4096, "N": 8192, "K": 8192}
    found = work("matmul_explicit", sizes, "sm_90a", W="u4")
    blocks = 256 * 128
    assert found.blocks == blocks
    (product,) = found.products
    # 8 instructions of each of 4 warps in each of 128 steps.
    assert product.instructions == blocks * 128 * 8 * 4
    assert found.operations == 2 * 4096 * 8192 * 8192
    weights = next(each for each in found.tensors if each.name == "w")
    assert weights.bytes == weights.unique_read == 8192 * 8192 // 2
    assert weights.read == 256 * weights.bytes


def test_rows_outside_are_not_useful() -> None:
    found = work("matmul_explicit", {"M": 1, "N": 512, "K": 256}, W="u4")
    assert found.operations == 2 * 16 * 512 * 256
    assert found.useful_operations == 2 * 1 * 512 * 256


@pytest.mark.parametrize(("stages", "groups"), [(2, 1), (3, 2), (5, 4)])
def test_copies_of_all_stages_but_one_are_under_way(stages: int, groups: int) -> None:
    found = work("matmul_explicit", {"M": 16, "N": 512, "K": 2048}, W="u4", STAGES=stages)
    assert found.in_flight.asynchronous == groups * (16 * 64 * 2 + 64 * 64 // 2)
    assert found.in_flight.direct == 64 * 2
    assert found.in_flight.line == 28


def test_a_program_that_was_not_lowered_has_the_same_bytes_and_products() -> None:
    sizes = {"M": 16, "N": 512, "K": 2048}
    program = tilevm.load(EXAMPLES / "matmul.tvm").matmul.specialise(W="u4")
    rough, exact = work_of_program(program, sizes), work("matmul.matmul", sizes, W="u4")
    assert rough.operations == exact.operations
    assert not rough.exact
    for mine, other in zip(rough.tensors, exact.tensors, strict=True):
        assert (mine.unique_read, mine.unique_written) == (other.unique_read, other.unique_written)
    assert rough.shared_bytes == pytest.approx(exact.shared_bytes, rel=0.05)
    assert rough.in_flight.bytes == pytest.approx(exact.in_flight.bytes, rel=0.1)


UNKNOWN = """
kernel paged(pages: i32[P], x: f32[N, 64], count: i32[1], out y: f32[64]):
    grid 1
    warps 1
    acc = zeros(f32, [64])
    for i in range(load(count[0])):
        page = load(pages[i])
        if page >= 0:
            acc = acc + load(x[page, 0 :+ 64])
    store(y[0 :+ 64], acc)
"""


def test_what_depends_on_loaded_values_is_noted() -> None:
    program = tilevm.kernel(UNKNOWN).specialise()
    sizes = {"P": 8, "N": 100}
    found = work_of(CompiledKernel(program, Specialisation.of("sm_80", sizes)).lowered, sizes)
    assert found.notes == (
        "line 6: its trips depend on loaded values: counted as one",
        "line 8: its condition depends on loaded values: each side counts half",
    )
    assert not found.exact
    assert next(each for each in found.tensors if each.name == "x").read == 0.5 * 64 * 4


def test_an_empty_launch_does_nothing() -> None:
    found = work("vector_add", {"N": 0})
    assert (found.blocks, found.traffic, found.operations) == (0, (), 0)


def test_counts_grow_with_the_trips_of_a_loop() -> None:
    reads = [
        sum(each.read for each in work("matmul_explicit", {"M": 16, "N": 128, "K": k}, W="u4").tensors)
        for k in (512, 1024, 2048)
    ]
    assert np.diff(reads).tolist() == pytest.approx([reads[0], 2 * reads[0]])
