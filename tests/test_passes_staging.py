"""Staged loops compute the same bits as before, miss no wait and no barrier, and say why a load is not staged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lowering import PROGRAMS
from run_text import execute, program
from test_passes import CALLS

import tilevm
from tilevm.dtypes import F16, I32
from tilevm.frontend.kernels import KernelDefinition
from tilevm.ir import For, Let, Program, walk
from tilevm.multiples import Known
from tilevm.passes import PIPELINE, run_passes
from tilevm.passes.copy_width import CopyWidth, copy_width
from tilevm.passes.divisibility import Divisibility
from tilevm.passes.staging import stage_loops
from tilevm.printer import print_program
from tilevm.report import Report
from tilevm.sizes import Symbol
from tilevm.values import Literal, TensorType, Value, Window

EXAMPLES = Path(__file__).parent.parent / "examples"
HEAD = """
kernel k(x: f32[M, N], h: f16[N], d: i32[N], inout y: f32[M, N], out z: f32[M, N], n: i32):
    grid 2
    warps 2
    require N % 8 == 0
    b = block_index(0)
"""


def made(body: str) -> Program:
    return program(HEAD + "".join(f"    {line}\n" for line in body.strip().splitlines()))


def staged(body: str, arch: str = "sm_80") -> tuple[Program, list[str]]:
    lowered = run_passes(made(body), arch, passes=[stage_loops])
    return lowered.program, [each.text for each in lowered.remarks]


def names(made: Program) -> list[str]:
    return [each.instruction.name for each in walk(made.body) if isinstance(each, Let)]


def loops(made: Program) -> list[For]:
    return [each for each in walk(made.body) if isinstance(each, For)]


LOOP = """
acc = zeros(f32, [4, 16])
for k in range({start}, {stop}, {step}, stages={stages}):
    a = load(x[b * 4 :+ 4, k * {factor} + 8 :+ 16])
    c = load(h[k // 3 * 2 :+ 16])
    acc = acc * 0.5 + a + cast(c, f32)[None, :]
store(y[b * 4 :+ 4, 0 :+ 16], acc)
"""


@settings(max_examples=40, deadline=None)
@given(
    trips=st.sampled_from([0, 1, 2, 3, 7]),
    step=st.sampled_from([1, 2, 3, 5, 16, -1, -2, -7]),
    slack=st.integers(0, 6),
    start=st.integers(-9, 40),
    stages=st.integers(2, 4),
    factor=st.sampled_from([2, 4, 8]),
    known=st.booleans(),
)
def test_a_staged_loop_computes_the_same_bits_and_misses_no_barrier(
    trips: int, step: int, slack: int, start: int, stages: int, factor: int, known: bool
) -> None:
    stop = start + trips * step - min(slack, abs(step) - 1) * (1 if step > 0 else -1) * (trips > 0)
    bounds: dict[str, Any] = {"start": start, "stop": stop, "step": step}
    shown = bounds if known else {"start": start, "stop": f"n + ({stop})", "step": f"n + ({step})"}
    before = made(LOOP.format(**shown, stages=stages, factor=factor))
    after = run_passes(before, passes=[stage_loops]).program
    # Nothing is known of what a loop computes that surely never runs.
    assert names(after).count("shared") == 2 or (known and trips == 0)
    random = np.random.default_rng(start + 100)
    given: dict[str, Any] = {
        "M": 6,
        "N": 48,
        "x": random.standard_normal((6, 48)),
        "h": random.standard_normal(48),
        "d": np.zeros(48),
        "y": np.zeros((6, 48)),
        "z": np.zeros((6, 48)),
    }
    report = Report()
    one, two = execute(before, n=0, **given), execute(after, report, n=0, **given)
    assert one["y"].tobytes() == two["y"].tobytes()
    assert report.errors == ()


def _matmul(*codes: str) -> tuple[Any, ...]:
    random = np.random.default_rng(7)
    depth = 256 if codes else 200
    x, w = (random.standard_normal(shape).astype(np.float16) for shape in ((17, depth), (depth, 160)))
    if not codes:
        return x, w
    found = tilevm.quantize(w.astype(np.float32), *codes)
    return x, *(each for each in (found.codes, found.scales, found.zeros) if each is not None)


EXAMPLE_CALLS: dict[str, tuple[str, tuple[Any, ...], dict[str, Any], int]] = {
    "matmul_plain": ("matmul", _matmul(), {}, 2),
    "matmul": ("matmul", _matmul("i4"), {}, 3),
    "matmul_zero": ("matmul", _matmul("u4"), {}, 4),
    "attend": ("attention", CALLS["attend"][1](), CALLS["attend"][2], 2),
}


@pytest.mark.parametrize("stages", [2, 3, 4])
@pytest.mark.parametrize("name", EXAMPLE_CALLS)
def test_examples_compute_the_same_bits(
    name: str, stages: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, arguments, keywords, expected = EXAMPLE_CALLS[name]
    text = (EXAMPLES / f"{file}.tvm").read_text(encoding="utf-8")
    text = text.replace("STAGES = 4", f"STAGES = {stages}").replace("stages=2", f"stages={stages}")
    if file == "matmul":
        text = text.replace("warps 4\n", "warps 4\n    require K % 8 == 0 and N % 32 == 0\n")
    path = tmp_path / "example.tvm"
    path.write_text(text, encoding="utf-8")
    before = tilevm.load(path)[name](*arguments, **keywords)
    original = KernelDefinition.specialise
    rings: list[int] = []

    def specialised(self: KernelDefinition, bound: Any) -> Program:
        lowered = run_passes(original(self, bound), passes=PIPELINE[: PIPELINE.index(stage_loops) + 1]).program
        rings.append(names(lowered).count("shared"))
        return lowered

    monkeypatch.setattr(KernelDefinition, "specialise", specialised)
    report = tilevm.Report()
    after = tilevm.load(path)[name](*arguments, debug=report, **keywords)
    assert before.tobytes() == after.tobytes()
    assert report.errors == ()
    assert rings[-1] == expected


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("arch", ["sm_75", "sm_90a"])
def test_staging_a_program_leaves_nothing_to_stage(name: str, arch: str) -> None:
    once = run_passes(PROGRAMS[name](), arch, passes=[stage_loops]).program
    assert all(loop.stages == 1 for loop in loops(once))
    assert run_passes(once, arch, passes=[stage_loops]).program == once


def test_a_staged_program_can_be_printed_and_read_back() -> None:
    after, _ = staged(LOOP.format(start=0, stop="n", step=2, factor=8, stages=3))
    assert program(print_program(after)) == after


# Which loads take part


def test_the_pipeline_is_what_a_writer_would_write() -> None:
    after, remarks = staged(
        "for k in range(0, n, 16, stages=3):\n    a = load(x[0 :+ 4, k :+ 16])\n    store(y[0 :+ 4, k :+ 16], a)"
    )
    text = print_program(after)
    assert (
        text.partition("b = block_index(0)\n")[2]
        == """\
    a = shared(f32, [3, 4, 16])
    copy_async(a[0, 0 :+ 4, 0 :+ 16], x[0 :+ 4, 0 :+ 16])
    commit()
    copy_async(a[1, 0 :+ 4, 0 :+ 16], x[0 :+ 4, 16 :+ 16])
    commit()
    iteration = 0
    for k in range(0, n, 16):
        k_1 = k + 32
        t = iteration + 2
        t_1 = t % 3
        t_2 = iteration % 3
        iteration = iteration + 1
        wait(1)
        sync()
        copy_async(a[t_1, 0 :+ 4, 0 :+ 16], x[0 :+ 4, k_1 :+ 16])
        commit()
        a_1 = load(a[t_2, 0 :+ 4, 0 :+ 16])
        store(y[0 :+ 4, k :+ 16], a_1)
    wait(0)
"""
    )
    assert remarks == ["`a` is staged in 3 stages by copies of 16 bytes"]


def test_loads_of_one_window_share_a_ring() -> None:
    body = "for k in range(0, n, 16, stages=2):\n    store(z[0, k :+ 16], load(x[0, k :+ 16]) + load(x[0, k :+ 16]))"
    after, _ = staged(body)
    assert names(after).count("shared") == 1
    assert names(after).count("copy_async") == 2


LINE = "for k in range(0, N, 16, stages=2):\n    {}\n    store(z[0, k :+ 16], cast(a, f32))"


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("a = load(x[0, k :+ 4])[0]", "`x` is not staged: it has 16 bytes, less than one sector of memory of 32 bytes"),
        ("a = load(x[0, k :+ 16], fill=1.0)", "`a` is not staged: what lies outside of `x` is not read as zero"),
        ("a = load(x[0, k :+ 16], fill=0.0)", "`a` is staged in 2 stages by copies of 16 bytes"),
        ("a = load(x[0, k :+ 16], fill=-0.0)", "`a` is not staged: what lies outside of `x` is not read as zero"),
        ("a = load(x[0, k + 1 :+ 16])", "`a` is staged in 2 stages by copies of 4 bytes … add `assume(… % 4 == 0)`"),
        ("a = load(h[k + 1 :+ 16])", "`a` is not staged: … its offset … divide by 1: add `assume(… % 8 == 0)`"),
        (
            "a = load(x[0 :+ 16, k])",
            "`a` is staged in 2 stages by copies of 4 bytes, because its rows have 1 element, 4 bytes",
        ),
        ("a = load(y[0, k :+ 16])\n    store(y[1, k :+ 16], a)", "`a` is not staged: what `y` holds may change"),
        ("a = load(y[0, k :+ 16])", "`a` is staged in 2 stages by copies of 16 bytes"),
        ("a = load(x[0, load(d[k]) * 8 :+ 16])", "`a` is not staged: an offset cannot be computed"),
        ("a = load(h[k // 2 :+ 16])", "`a` is staged in 2 stages by copies of 16 bytes"),
        ("a = load(h[k // 4 :+ 16])", "`a` is staged in 2 stages by copies of 8 bytes, because its offset"),
    ],
)
def test_remarks_say_what_is_staged_and_why_a_load_is_not(line: str, why: str) -> None:
    _, remarks = staged(LINE.format(line))
    first, *more = why.split(" … ")
    assert [each for each in remarks if each.startswith(first) and all(part in each for part in more)]


def test_loads_in_branches_and_inner_loops_are_not_staged() -> None:
    body = """
for k in range(0, N, 16, stages=2):
    if k > n:
        a = load(x[0, k :+ 16])
        store(z[0, k :+ 16], a)
    for j in range(0, 64, 16):
        c = load(x[1, k :+ 16])
        store(z[1, k + j :+ 16], c)
"""
    after, remarks = staged(body)
    assert after == program(print_program(made(body)).replace("stages=2", "stages=1"))
    assert [each.partition(": ")[0] for each in remarks] == ["`a` is not staged", "`c` is not staged"]


def test_what_other_blocks_or_outputs_may_change_is_not_staged() -> None:
    loop = "for k in range(0, N, 16, stages=2):\n    {}\n    a = load({}[0, k :+ 16])\n    store(y[1, k :+ 16], a)"
    after, _ = staged(loop.format("atomic_add(y[0, 0], 1.0)", "x"))
    assert names(after).count("copy_async") == 2
    for other, tensor in (("atomic_add(y[0, 0], 1.0)", "y"), ("c = 1", "y"), ("c = 1", "z"), ("sync()", "z")):
        after, remarks = staged(loop.format(other, tensor))
        assert "copy_async" not in names(after)
        assert any("may change in the loop" in each for each in remarks)


def test_of_nested_loops_the_inner_one_is_staged() -> None:
    body = """
for i in range(0, n, stages=2):
    for k in range(0, N, 16, stages=3):
        store(z[i, k :+ 16], load(x[i, k :+ 16]))
"""
    after, remarks = staged(body)
    outer, inner = loops(after)
    assert not inner.carried[0].inner.name.startswith("k")
    assert names(after).count("copy_async") == 3
    assert outer.carried == ()
    assert (
        "stages=2 has no effect: there are asynchronous copies in the loop already, whose groups it counts" in remarks
    )


def test_an_architecture_without_asynchronous_copies_keeps_two_stages() -> None:
    body = LINE.format("a = load(x[0, k :+ 16])")
    assert names(staged(body, "sm_75")[0]) == names(staged(body, "sm_80")[0])
    deeper = body.replace("stages=2", "stages=4")
    after, remarks = staged(deeper, "sm_75")
    assert names(after) == names(staged(body, "sm_80")[0])
    assert "stages=4 is made 2: sm_75 has no cp.async to keep more in flight" in remarks


# How wide copies are

NOTHING = Divisibility({}, {})


def width(
    bits_of: Any, shape: Any, offsets: Any, extents: Any, known: Divisibility = NOTHING, **more: Any
) -> CopyWidth:
    base = Value(TensorType(bits_of, shape, **more), "x")
    return copy_width(Window(base, tuple(Literal(each, I32) for each in offsets), extents), known)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_copies_are_as_wide_as_every_piece_is_aligned_contiguous_and_whole(data: st.DataObject) -> None:
    """Against the definition: each piece of each row begins at a multiple of its size and crosses no edge."""
    name = data.draw(st.sampled_from(["u4", "i8", "f6e3m2", "f16", "f32"]))
    kind = tilevm.dtype(name)
    shape = tuple(data.draw(st.sampled_from([1, 2, 4, 6, 8, 12, 32, 40, 64])) for _ in range(3))
    extents = tuple(data.draw(st.sampled_from([1, 2, 4, 8, 24, 32])) for _ in range(3))
    offsets = tuple(data.draw(st.sampled_from([0, 0, 2, 4, 8, 12, 32])) for _ in range(3))
    found = width(kind, shape, offsets, extents)

    def fits(bits: int) -> bool:
        if extents[2] * kind.bits % bits:
            return False
        for plane in range(extents[0]):
            for row in range(extents[1]):
                line = ((offsets[0] + plane) * shape[1] + offsets[1] + row) * shape[2]
                for start in range(0, extents[2] * kind.bits, bits):
                    first = offsets[2] * kind.bits + start
                    if (line * kind.bits + first) % bits:
                        return False
                    if first < shape[2] * kind.bits < first + bits:
                        return False
        return True

    if found.bits:
        assert fits(found.bits)
    assert bool(found.why) == (found.bits < 128)


def test_copy_widths_of_the_usual_tiles() -> None:
    rows, columns = Symbol("M"), Symbol("N")
    known = Divisibility({}, {"N": Known(8, 0, None)})
    assert width(F16, (rows, columns), (0, 64), (16, 64), known) == CopyWidth(128)
    assert width(F16, (rows, columns), (0, 64), (16, 64)).bits == 0
    assert width(F16, (rows, columns), (0, 4), (16, 64), known).bits == 64
    assert width(F16, (rows, 64), (3, 0), (16, 64)) == CopyWidth(128)
    assert width(tilevm.dtype("f6e3m2"), (rows, 64), (3, 0), (16, 64)) == CopyWidth(128)
    packed = tilevm.memory_pattern("column_major")
    assert "layout of its own" in width(F16, (64, 64), (0, 0), (16, 64), layout=packed).why


def test_a_tensor_that_begins_anywhere_is_copied_in_smaller_pieces() -> None:
    window = Window(Value(TensorType(F16, (64,)), "x"), (Literal(0, I32),), (64,))
    assert [copy_width(window, NOTHING, alignment).bits for alignment in (16, 8, 4, 2)] == [128, 64, 32, 0]
