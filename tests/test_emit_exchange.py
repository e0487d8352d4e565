"""Emitted conversions, reductions, scans, shuffles and votes in the simulator: every thread as the interpreter."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import pytest
from batches import Given, evaluate
from exact import FLOATS
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from kernels import needs_compiler
from numpy.typing import NDArray
from registers import LINE, Case, compiled
from strategies import layout_pairs
from test_plans_exchange import EXAMPLES

from tilevm.arch import arch
from tilevm.codegen.library import device_library
from tilevm.dtypes import BF16, F16, F32, F64, I8, I32, I64, U1, U8, U16, U32, DType, dtype
from tilevm.errors import UsageError
from tilevm.instruction import Instruction
from tilevm.instructions.reduce import (
    All,
    ArgMax,
    ArgMin,
    CumulativeSum,
    Max,
    Min,
    Scan,
    Shuffle,
    Sum,
    Vote,
)
from tilevm.instructions.reduce import Any as AnyOf
from tilevm.instructions.tiles import ConvertLayout
from tilevm.layout import Layout
from tilevm.layout_relation import coarser
from tilevm.layout_text import parse
from tilevm.plans.scratch import LARGEST_SCRATCH, ScratchExchange
from tilevm.runtime.cubin import disassemble, find_disassembler
from tilevm.runtime.nvrtc import compile_cuda, nvrtc_version
from tilevm.runtime.simulator import HostModule

pytestmark = needs_compiler
Numbers = NDArray[Any]


def numbers(format: DType, shape: Sequence[int], seed: int, *, edges: bool = False) -> Numbers:
    """Multiples of 1/4, whose sums are exact, integers of the whole range, or codes; ``edges``: NaNs and infinities."""
    random = np.random.default_rng(seed)
    if format.carrier is None or format.kind != "float":
        bits = min(format.bits, 63)
        drawn = random.integers(0, 1 << bits, shape, np.uint64)
        return drawn if format.carrier is None else format.to_values(drawn.astype(format.storage))
    drawn = random.integers(-20, 20, shape) / 4
    if edges:
        special = np.array([0.0, -0.0, np.nan, np.inf, -np.inf, 1.0])
        drawn = np.where(random.random(shape) < 0.6, random.choice(special, shape), drawn)
    return drawn.astype(format.carrier)


def codes_of(format: DType, array: Numbers) -> Numbers:
    return array if format.carrier is None else format.to_codes(np.asarray(array, format.carrier))


def check(case: Case, module: Any, name: str, *arrays: Numbers) -> Any:
    """Runs a kernel, compares the registers of every thread with the interpreter, and gives what memory did."""
    with np.errstate(all="ignore"):
        tiles = [Given(format, array[None]) for (format, _), array in zip(case.given, arrays, strict=True)]
        wanted = codes_of(case.type.dtype, evaluate(case.make, *tiles)[0])
    given_codes = [codes_of(format, array) for (format, _), array in zip(case.given, arrays, strict=True)]
    found, simulation = case.run(module, name, *given_codes)
    simulation.check()
    expected = case.expected(wanted)
    different = found != expected
    if case.type.dtype.kind == "float" and case.type.dtype.carrier is not None:
        both = [case.type.dtype.to_values(each.astype(case.type.dtype.storage)) for each in (found, expected)]
        different &= ~(np.isnan(both[0]) & np.isnan(both[1]))
    assert not different.any(), (str(case.instruction), str(case.layout), np.argwhere(different)[:4].tolist())
    return simulation


def converting(format: DType, source: Layout, target: Layout) -> Case:
    return Case(lambda x: ConvertLayout(x, target), ((format, source),), target)


def reducing(cls: type[Instruction], format: DType, layout: Layout, axis: int | None) -> Case:
    scalar = axis is None or layout.rank == 1
    result = None if scalar else layout.reduce(axis).squeeze(axis)  # type: ignore[arg-type]
    return Case(partial(cls, axis=axis), ((format, layout),), result)


def in_place(make: Callable[..., Instruction], format: DType, layout: Layout) -> Case:
    return Case(make, ((format, layout),), layout)


def inputs(case: Case, seed: int) -> list[Numbers]:
    """Operands on which the instruction is exact."""
    instruction, (format, layout) = case.instruction, case.given[0]
    random = np.random.default_rng(seed)
    operation = getattr(instruction, "operation", instruction.name)
    array = numbers(format, layout.shape, seed, edges=operation not in ("sum", "add", "cumsum"))
    if operation == "multiply" and format.kind == "float":
        array = random.choice([1.0, -1.0, 2.0, 0.5], layout.shape).astype(format.carrier)
    if operation in ("any", "all") and seed % 2:  # which is rare by chance
        array = np.full(layout.shape, operation == "all")
    if not isinstance(instruction, Shuffle):
        return [array]
    shape = case.given[1][1].shape
    return [array, random.integers(-2, layout.shape[instruction.axis] + 2, shape).astype(np.int32)]


LAYOUTS = st.integers(0, 3).flatmap(lambda n: layout_pairs((2, 2, 2, 3), 6) if n == 0 else layout_pairs((2,), 8))
FORMATS = ["u1", "u3", "u4", "f6e3m2", "i8", "f16", "tf32", "f32", "i32", "f64"]
REDUCTIONS = [
    *((cls, format) for cls in (Sum, Max, Min) for format in (F16, BF16, F32, F64, I8, U16, I32, I64)),
    *((cls, format) for cls in (ArgMax, ArgMin) for format in (F16, F32, F64, U8, I32)),
    *((cls, U1) for cls in (AnyOf, All)),
]
SCANS = [
    *(("add", format) for format in (F16, F32, F64, I8, U16, I64)),
    *(("multiply", format) for format in (F32, I8, U32)),
    *((operation, format) for operation in ("maximum", "minimum") for format in (BF16, F32, F64, I8, U16, I64)),
    *((operation, format) for operation in ("and", "or", "xor") for format in (U1, I8, U32, I64)),
]


@st.composite
def conversions(draw: st.DrawFn) -> Case:
    return converting(dtype(draw(st.sampled_from(FORMATS))), *draw(LAYOUTS))


@st.composite
def reductions(draw: st.DrawFn) -> Case:
    cls, format = draw(st.sampled_from(REDUCTIONS))
    return reducing(cls, format, draw(LAYOUTS)[0], draw(st.sampled_from([None, 0, 1])))


@st.composite
def scans(draw: st.DrawFn) -> Case:
    (operation, format), axis = draw(st.sampled_from(SCANS)), draw(st.integers(0, 1))
    reverse, exclusive = draw(st.booleans()), draw(st.booleans())
    if operation == "add" and not reverse and not exclusive:
        return in_place(partial(CumulativeSum, axis=axis), format, draw(LAYOUTS)[0])
    make = partial(Scan, axis=axis, operation=operation, reverse=reverse, exclusive=exclusive)
    return in_place(make, format, draw(LAYOUTS)[0])


@st.composite
def shuffles(draw: st.DrawFn) -> Case:
    format, axis, (source, target) = dtype(draw(st.sampled_from(FORMATS))), draw(st.integers(0, 1)), draw(LAYOUTS)
    return Case(partial(Shuffle, axis=axis), ((format, source), (I32, target)), target)


def several(kind: st.SearchStrategy[Case], count: int) -> st.SearchStrategy[list[Case]]:
    return st.lists(kind, min_size=count, max_size=count)


MANY = st.tuples(several(conversions(), 10), several(reductions(), 10), several(scans(), 10), several(shuffles(), 6))


def check_many(drawn: Sequence[Sequence[Case]]) -> None:
    cases = [case for some in drawn for case in some]
    module = compiled(cases)
    for number, case in enumerate(cases):
        simulation = check(case, module, f"k{number}", *inputs(case, number))
        if isinstance(case.plan, ScratchExchange) and _binary(case.given[0][1]) and _binary(case.layout):
            counts = simulation.lines[LINE]
            assert counts.wavefronts == counts.ideal_wavefronts, str(case.instruction)


def _binary(layout: Layout | None) -> bool:
    assert layout is not None
    return not any(digit.size & (digit.size - 1) for dim in (*layout.dims, layout.rep) for digit in dim)


# An example is one compilation of all its kernels, so there are few.


@settings(max_examples=2, deadline=None, phases=[Phase.generate], derandomize=True)
@given(MANY)
def test_every_thread_has_what_the_interpreter_has(drawn: Sequence[Sequence[Case]]) -> None:
    check_many(drawn)


@pytest.mark.fuzz
@settings(max_examples=40, deadline=None, phases=[Phase.generate])
@given(MANY)
def test_every_thread_has_what_the_interpreter_has_for_many_layouts(drawn: Sequence[Sequence[Case]]) -> None:
    check_many(drawn)


EXAMPLE_CASES = [converting(dtype(name), parse(source), parse(target)) for name, source, target in EXAMPLES.values()]
VOTED = [
    "local(3, 1) * spatial(1, 32)",
    "spatial(4, 8) * local(1, 8)",
    "local(2, 2) * column_spatial(2, 16) * local(1, 2)",
    "spatial(1, 64) * local(1, 1)",
    "rep(2) * local(2, 32) * spatial(32, 1)",
]


def voting(layout: Layout) -> Case:
    return Case(Vote, ((U1, layout),), coarser(layout, (*layout.shape[:-1], layout.shape[-1] // 32)))


VOTES = [voting(parse(text)) for text in VOTED]
SHORT_LINES = Case(
    partial(Shuffle, axis=1),
    ((F16, parse("spatial(32, 1) * local(1, 8)")), (I32, parse("spatial(32, 1) * local(1, 3)"))),
    parse("spatial(32, 1) * local(1, 3)"),
)
MANY_RESULTS = [
    reducing(cls, F64, parse("spatial(8, 32) * local(1, 64)"), 0) for cls in (Max, ArgMin)
]  # more than shared memory takes at once
SWIZZLED = converting(
    F16,
    parse("local(8, 1) * spatial(8, 16) * local(1, 4)"),
    parse("local(8, 1) * column_spatial(8, 16) * local(1, 4)"),
)
WINDOWS = converting(F32, parse("[192,64]{6:T32 32:T1 | 64:R1}"), parse("[192,64]{32:T1 6:T32 | 64:R1}"))
LONG_LINES = Case(
    partial(Shuffle, axis=0),
    ((F16, parse("spatial(64, 4) * local(1, 80)")), (I32, parse("spatial(64, 4) * local(1, 80)"))),
    parse("spatial(64, 4) * local(1, 80)"),
)
FIXED = [*EXAMPLE_CASES, *VOTES, SHORT_LINES, *MANY_RESULTS]
LARGE = [WINDOWS, LONG_LINES]
SUMS = [
    reducing(Sum, format, parse("spatial(2, 2) * local(2, 2) * spatial(8, 4) * local(1, 4)"), axis)
    for format in FLOATS
    for axis in (None, 1)
]


@pytest.fixture(scope="module")
def module() -> HostModule:
    """The kernels of ``FIXED``, then those of ``SUMS`` and of ``LARGE``."""
    return compiled([*FIXED, *SUMS, *LARGE])


@pytest.mark.parametrize("number", range(len(FIXED)), ids=lambda number: f"{number}-{FIXED[number].instruction.name}")
def test_ways_that_chance_rarely_takes(number: int, module: HostModule) -> None:
    simulation = check(FIXED[number], module, f"k{number}", *inputs(FIXED[number], number))
    for counts in simulation.lines.values():
        assert counts.wavefronts == counts.ideal_wavefronts


@pytest.mark.parametrize("number", range(len(LARGE)))
def test_large_tiles_go_through_windows_of_memory(number: int, module: HostModule) -> None:
    case = LARGE[number]
    assert case.plan.scratch_bytes == LARGEST_SCRATCH
    assert "2 times" in case.planner.remarks[0]
    check(case, module, f"k{len(FIXED) + len(SUMS) + number}", *inputs(case, number))


def test_votes_along_the_lanes_are_ballots_and_short_lines_stay_in_registers() -> None:
    assert ["ballot" in case.text("k") for case in VOTES] == [True, False, False, True, False]
    assert SHORT_LINES.plan.scratch_bytes == 0
    assert all(case.text("k").count("tv::sync()") > 1 for case in MANY_RESULTS)


@pytest.mark.parametrize("number", range(len(SUMS)))
def test_sums_of_floats_are_within_the_bound_of_their_accumulation(number: int, module: HostModule) -> None:
    case = SUMS[number]
    format, layout = case.given[0]
    array = format.round(np.random.default_rng(number).normal(size=layout.shape).astype(format.carrier))
    found, simulation = case.run(module, f"k{len(FIXED) + number}", codes_of(format, array))
    simulation.check()
    axis = case.instruction.axis  # type: ignore[attr-defined]
    exact, size = (np.sum(each.astype(np.float64), axis=axis) for each in (array, np.abs(array)))
    count = array.size if axis is None else array.shape[axis]
    # Each of the additions rounds by at most one unit of the sums so far; then the result is rounded to its format.
    unit = 2.0 ** -(53 if format is F64 else 24)
    last = {"f16": 2.0**-11, "bf16": 2.0**-8}.get(format.name, 0.0)
    bound = count * unit * size * (1 + last) + last * np.abs(exact) + count * 2.0**-53 * size
    got = format.to_values(found.astype(format.storage)).astype(np.float64)
    places = np.zeros((layout.threads, 1), int) if case.layout is None else case.layout.thread_slot_to_flat()
    assert (np.abs(got - exact.reshape(-1)[places]) <= bound.reshape(-1)[places]).all()


FAULTS = {
    "convert_layout": EXAMPLE_CASES[-1],
    "sum": reducing(Sum, F32, parse("spatial(2, 2) * spatial(8, 4)"), None),
    "argmax": reducing(ArgMax, F16, parse("spatial(2, 2) * spatial(8, 4)"), 1),
    "any": reducing(AnyOf, U1, parse("spatial(2, 2) * spatial(8, 4)"), 1),
    "cumsum": in_place(partial(CumulativeSum, axis=1), I32, parse("spatial(2, 2) * spatial(8, 4)")),
    "shuffle": Case(
        partial(Shuffle, axis=1),
        ((U8, parse("spatial(2, 2) * spatial(8, 4)")), (I32, parse("spatial(2, 2) * spatial(8, 4)"))),
        parse("spatial(2, 2) * spatial(8, 4)"),
    ),
    "vote": voting(parse("[1,64]{1 | 2:T1 32:T2}")),
    "turns": converting(
        F32,
        parse("local(8, 1) * spatial(16, 8) * local(1, 16)"),
        parse("local(8, 1) * column_spatial(16, 8) * local(1, 16)"),
    ),
}


def test_each_barrier_that_is_left_out_is_found() -> None:
    cases = list(FAULTS.values())
    assert all(case.plan.scratch_bytes for case in cases)
    right, wrong = compiled(cases), compiled(cases, lambda text: text.replace("tv::sync();", ";"))
    for number, case in enumerate(cases):
        arrays = inputs(case, 2 * number)
        check(case, right, f"k{number}", *arrays)
        codes = [codes_of(format, array) for (format, _), array in zip(case.given, arrays, strict=True)]
        _, simulation = case.run(wrong, f"k{number}", *codes)
        assert {each.code for each in simulation.findings} & {"R042", "R043"}, case.instruction.name


@pytest.mark.parametrize(
    ("name", "remark"),
    [
        ("convert_layout", "through 512 bytes of shared memory"),
        ("sum", "4 parts of each line meet in 16 bytes of shared memory"),
        ("argmax", "2 parts of each line meet in 256 bytes of shared memory"),
        ("cumsum", "2 parts of each line meet in 128 bytes of shared memory"),
        ("shuffle", "elements are taken from 160 bytes of shared memory"),
        ("vote", "2 parts of each line meet in 16 bytes of shared memory"),
    ],
)
def test_what_leaves_the_warp_is_remarked(name: str, remark: str) -> None:
    assert FAULTS[name].plan.scratch_bytes
    assert FAULTS[name].planner.remarks == [remark]


def test_what_stays_in_the_warp_is_not() -> None:
    for case in (SHORT_LINES, EXAMPLE_CASES[0], reducing(Sum, F32, parse("spatial(8, 4) * local(1, 2)"), None)):
        assert case.plan.scratch_bytes == 0
        assert case.planner.remarks == []


def test_without_its_swizzle_a_conversion_would_collide_in_the_banks() -> None:
    plain = compiled([SWIZZLED], lambda text: re.sub(r" at \^= [^;]*;", "", text))
    counts = [
        check(SWIZZLED, module, "k0", *inputs(SWIZZLED, 0)).lines[LINE] for module in (compiled([SWIZZLED]), plain)
    ]
    assert counts[0].wavefronts == counts[0].ideal_wavefronts == counts[1].ideal_wavefronts
    # The writes do not, but eight lanes that read together would meet in one bank.
    assert counts[1].wavefronts == (1 + 8) * counts[1].ideal_wavefronts // 2


def cuda() -> bool:
    try:
        return nvrtc_version() > (0, 0)
    except UsageError:
        return False


def test_no_kernel_needs_local_memory() -> None:
    if not cuda():
        pytest.skip("there is no NVRTC")
    cases = [*FIXED, *SUMS, *LARGE, *FAULTS.values()]
    source = device_library() + "".join(case.text(f"k{number}") for number, case in enumerate(cases))
    made = compile_cuda(source, arch("sm_80"))
    for number, case in enumerate(cases):
        used = made.resources[f"k{number}"]
        assert (used.stack_bytes, used.spill_store_bytes, used.spill_load_bytes) == (0, 0, 0), case.instruction.name


def test_packets_are_moved_whole_in_machine_code() -> None:
    if not cuda() or find_disassembler() is None:
        pytest.skip("there is no NVRTC, or no disassembler")
    source = device_library() + SWIZZLED.text("k")
    code = disassemble(compile_cuda(source, arch("sm_80")).cubin)
    counts = {
        name: len(re.findall(rf"\b{re.escape(name)} ", code)) for name in ("STS.128", "LDS.128", "STS", "LDS", "PRMT")
    }
    assert counts == {"STS.128": 4, "LDS.128": 4, "STS": 0, "LDS": 0, "PRMT": 0}
