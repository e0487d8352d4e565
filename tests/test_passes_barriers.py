"""Barriers stand where threads need them: debug mode finds nothing missing, and none stands where none is needed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lowering import PROGRAMS
from run_text import execute, program

from tilevm.dtypes import I32
from tilevm.ir import If, Let, Program, Statement, While, walk
from tilevm.passes import PIPELINE, run_passes
from tilevm.passes.barriers import insert_barriers
from tilevm.passes.instruction_plans import make_plans
from tilevm.passes.layout_inference import infer_layouts
from tilevm.passes.linear_forms import Form, added, apply, constant, differences, form_of, remainder, scaled
from tilevm.passes.rewriting import with_bodies
from tilevm.passes.shared_layouts import choose_shared_layouts
from tilevm.passes.staging import stage_loops
from tilevm.printer import print_program
from tilevm.report import Report
from tilevm.values import ScalarType, Value

HEAD = """
kernel k(x: f32[N, 64], index: i32[64], inout y: f32[N, 64], out z: f32[N, 64], n: i32):
    grid 2
    warps 2
    here = block_index(0)
    v = load(x[here, :])
    s = shared(f32, [4, 16])
    r = shared(f32, [64])
"""
FIRST = 9
"""The line of the text on which a body begins."""


def made(body: str) -> Program:
    return program(HEAD + "".join(f"    {line}\n" for line in body.strip().splitlines()))


def barriers(body: str, *passes: Any) -> list[int]:
    """The lines of the body, from 1, in front of which barriers are set."""
    before = made(body)
    after = run_passes(before, passes=[*passes, insert_barriers])
    assert run_passes(after.program, passes=[insert_barriers]).program == after.program
    added = count(after.program) - count(before)
    lines = [each.line - FIRST + 1 for each in after.remarks if "a barrier before it" in each.text and each.line]
    assert len(lines) == added
    return lines


def remarks(body: str) -> list[str]:
    return [each.text for each in run_passes(made(body), passes=[insert_barriers]).remarks]


def count(made: Program) -> int:
    return sum(isinstance(each, Let) and each.instruction.synchronises for each in walk(made.body))


def without_barriers(statements: Iterable[Statement], only: Let | None = None) -> Iterator[Statement]:
    """The statements without any barrier, or without one of them."""
    for each in statements:
        if isinstance(each, Let):
            if not each.instruction.synchronises or (only is not None and each is not only):
                yield each
        elif isinstance(each, If):
            then, otherwise = (tuple(without_barriers(body, only)) for body in (each.then, each.otherwise))
            yield replace(each, then=then, otherwise=otherwise)
        else:
            names = ("test", "body") if isinstance(each, While) else ("body",)
            yield with_bodies(each, **{name: tuple(without_barriers(getattr(each, name), only)) for name in names})


def stripped(made: Program) -> Program:
    return replace(made, body=tuple(without_barriers(made.body)))


# Against debug mode


@st.composite
def bodies(draw: Any) -> str:
    """Programs that read and write windows of shared tiles, in loops and branches."""
    lines: list[str] = []

    def offset(indices: tuple[str, ...]) -> str:
        name = draw(st.sampled_from(("0", "1", *indices)))
        return str(draw(st.sampled_from((f"({name} + {draw(st.integers(0, 3))}) % 4", f"{name} % 2", "slot", "2"))))

    def touch(indices: tuple[str, ...], indent: str) -> None:
        row, column = (
            offset(indices),
            draw(st.sampled_from(("0 :+ 16", "0 :+ 8", "8 :+ 8", f"({offset(indices)}) * 4 :+ 4"))),
        )
        extent = column.rpartition("+ ")[2]
        kind = draw(st.integers(0, 7))
        if kind < 3:
            lines.append(f"{indent}store(s[{row}, {column}], 1.0)")
        elif kind < 5:
            lines.append(f'{indent}print("s", load(s[{row}, {column}]))')
        elif kind == 5:
            lines.append(f"{indent}atomic_add(s[{row}, {column}], zeros(f32, [{extent}]))")
        elif kind == 6:
            lines.append(f"{indent}copy_async(s[{row}, {column}], x[here, 0 :+ {extent}])")
            lines.extend(f"{indent}{each}" for each in ("commit()", "wait(0)"))
        else:
            lines.append(f"{indent}scatter(r, load(s[{row}, {column}]), iota({extent}))")

    def block(depth: int, indices: tuple[str, ...], indent: str) -> None:
        for _ in range(draw(st.integers(1, 3))):
            kind = draw(st.integers(0, 7 if depth else 4))
            if kind < 4:
                touch(indices, indent)
            elif kind == 4:
                lines.append(f"{indent}slot = (slot + 1) % 4" if draw(st.booleans()) else f"{indent}sync()")
            elif kind == 5:
                lines.append(f"{indent}if n % 2 == {draw(st.integers(0, 1))}:")
                block(depth - 1, indices, indent + "    ")
            else:
                index = f"i{depth}"
                bound = draw(st.sampled_from(("n", "3", "n + 1", "12")))
                lines.append(f"{indent}for {index} in range({bound}):")
                block(depth - 1, (*indices, index), indent + "    ")

    block(2, (), "")
    return "store(s, 0.0)\nstore(r, 0.0)\nsync()\nslot = 0\n" + "\n".join(lines)


GIVEN: dict[str, Any] = {"x": np.ones((2, 64)), "index": np.arange(64), "y": np.zeros((2, 64)), "z": np.zeros((2, 64))}


@settings(max_examples=100, deadline=None)
@given(bodies(), st.integers(0, 5))
def test_debug_mode_finds_no_barrier_missing(body: str, n: int) -> None:
    after = run_passes(made(body), passes=[insert_barriers]).program
    report = Report()
    execute(after, report, N=2, n=n, **GIVEN)
    assert report.errors == (), print_program(after)


@settings(max_examples=40, deadline=None)
@given(bodies())
def test_no_barrier_is_needed_twice(body: str) -> None:
    """The pass adds nothing to what it made, and each barrier that it set is needed: without it it is set again."""
    before = made(body)
    after = run_passes(before, passes=[insert_barriers]).program
    assert run_passes(after, passes=[insert_barriers]).program == after
    written = {id(each) for each in walk(before.body)}
    added = [each for each in walk(after.body) if isinstance(each, Let) and each.instruction.synchronises]
    for each in added:
        if id(each) not in written:
            fewer = replace(after, body=tuple(without_barriers(after.body, each)))
            assert count(fewer) == count(after) - 1
            assert count(run_passes(fewer, passes=[insert_barriers]).program) > count(fewer)


# Where the writer or another pass has set all barriers


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize(
    "passes", [(), PIPELINE[: PIPELINE.index(choose_shared_layouts) + 1]], ids=["written", "staged"]
)
def test_programs_with_all_barriers_get_no_other(name: str, passes: Any) -> None:
    before = run_passes(PROGRAMS[name](), passes=passes).program
    after = run_passes(before, passes=[insert_barriers]).program
    # memory.copies stores to one element of a tensor by two instructions, once in its loop and once after it.
    assert count(after) - count(before) == (2 if name == "memory.copies" else 0)


@pytest.mark.parametrize("stages", [2, 3, 5])
def test_the_barrier_of_a_pipeline_is_found_again(stages: int) -> None:
    body = f"for k in range(0, n, stages={stages}):\n    a = load(x[k, 0 :+ 64])\n    store(z[k, 0 :+ 64], a)"
    before = run_passes(made(body), passes=[stage_loops]).program
    after = run_passes(stripped(before), passes=[insert_barriers]).program
    assert count(before) == count(after) == 1
    report = Report()
    execute(after, report, N=6, n=6, **{**GIVEN, "x": np.ones((6, 64)), "y": np.ones((6, 64)), "z": np.ones((6, 64))})
    assert report.errors == ()


def test_the_barrier_of_the_explicit_example_is_found_again() -> None:
    before = PROGRAMS["matmul_explicit.matmul_explicit"]()
    after = run_passes(stripped(before), passes=[insert_barriers])
    assert count(after.program) == 1
    assert [each.text for each in after.remarks] == ["a barrier before it: `xs`, written in line 24, is read here"]


PIPELINE_BY_HAND = """
copy_async(s[0], x[0, 0 :+ 16])
commit()
copy_async(s[1], x[1, 0 :+ 16])
commit()
slot = 0
fill = 2
for i in range(n):
    wait(1)
    sync()
    copy_async(s[fill], x[i + 2, 0 :+ 16])
    commit()
    print("s", load(s[slot]))
    slot = (slot + 1) % 4
    fill = (fill + 1) % 4
wait(0)
"""


@pytest.mark.parametrize("loop", ["range(n)", "range(0, n, 16)", "range(n, 0, -3)", "range(0, 100, n)"])
def test_slots_that_are_counted_by_hand_are_followed(loop: str) -> None:
    assert remarks(PIPELINE_BY_HAND.replace("range(n)", loop)) == []
    assert barriers(PIPELINE_BY_HAND.replace("    sync()\n", "")) == [11]


# What clashes and what does not


@pytest.mark.parametrize(
    ("body", "lines"),
    [
        ("store(r, v)\nw = load(r)", [2]),
        ("store(r, v)\nsync()\nw = load(r)", []),
        ("store(r, v)\nsync()\nw = load(r)\nstore(r, w)", [4]),
        ("store(r, v)\nstore(r, v)", [2]),
        ("store(r[0 :+ 32], 1.0)\nstore(r[32 :+ 32], 1.0)\nw = load(r[8 :+ 8])", [3]),
        ("store(r[n :+ 8], 1.0)\nw = load(r[n + 8 :+ 8])\nu = load(r[n + 7 :+ 1])", [3]),
        ("store(s[n % 4], 1.0)\nw = load(s[(n + 1) % 4])\nu = load(s[(n + 4) % 4])", [3]),
        ("store(s[n % 4], 1.0)\nw = load(s[n % 3])", [2]),
        ("store(r[0 :+ 8], 1.0)\nw = gather(r, load(index[:]))", [2]),
        ("scatter(r, v, load(index[:]))\nw = load(r[0 :+ 4])", [2]),
        ("a = atomic_add(r, v)\nb = atomic_add(r, v)\nc = load(r)", [3]),
        ("store(s[0], 1.0)\nstore(r, 1.0)\nsync()\nw = load(s)\nu = load(r)", []),
        ("store(y[here, 0 :+ 64], v)\nw = load(y[here, 0 :+ 64])", [2]),
        ("store(y[here, 0 :+ 64], v)\nstore(y[here + 1, 0 :+ 64], v)", []),
        ("w = load(y[here, 0 :+ 64])\nstore(z[here, 0 :+ 64], w)", []),
        ("for i in range(n):\n    store(y[i, 0 :+ 64], v)", []),
        ("for i in range(n):\n    store(y[here, i * 16 :+ 16], 1.0)", []),
        ("for i in range(n):\n    store(y[here, i * 15 :+ 16], 1.0)", [2]),
        ("for i in range(0, n, -16):\n    store(y[here, i :+ 16], 1.0)", []),
        ("for i in range(0, n, 16):\n    w = load(y[here, i + 16 :+ 16])\n    store(y[here, i :+ 16], w)", [3]),
        ("for i in range(0, n, 16):\n    w = load(y[here, i - 16 :+ 16])\n    store(y[here, i :+ 16], w)", [2]),
        ("for i in range(n):\n    store(s[i % 2], 1.0)\n    sync()\n    w = load(s[i % 2])", []),
        ("for i in range(n):\n    store(r, 1.0)\n    sync()\n    w = load(r)", [2]),
        ("for i in range(4):\n    store(s[i], 1.0)\nsync()\nw = load(s)", []),
        ("for i in range(4):\n    store(s[i], 1.0)\nw = load(s)", [3]),
        ("if n > 1:\n    store(r, v)\nw = load(r)", [3]),
        ("store(r, v)\nif n > 1:\n    w = load(r)\nelse:\n    sync()\nu = load(r)", [3]),
        ("while max(load(r)) > 1.0:\n    store(r, 1.0)", [1, 2]),
    ],
)
def test_barriers_stand_where_one_access_could_overtake_another(body: str, lines: list[int]) -> None:
    assert barriers(body) == lines


def test_what_each_thread_wrote_itself_it_may_read_without_a_barrier() -> None:
    layout = "spatial(64)"
    body = f"w = load(x[here, :]) @ {layout}\nstore(r, w)\nu = load(r) @ {layout}\nstore(z[here, 0 :+ 64], u)"
    lowered = (infer_layouts,)
    assert barriers(body, *lowered) == []
    assert barriers(body.replace("load(r)", "load(r[0 :+ 64])"), *lowered) == []
    assert barriers(body.replace("load(r)", "load(r[n :+ 64])"), *lowered) == [3]
    assert barriers(
        body.replace("u = load(r) @ spatial(64)", "u = load(r) @ rep(2) * spatial(32) * local(2)"), *lowered
    ) == [3]
    replicas = "rep(2) * spatial(32) * local(2)"
    assert barriers(body.replace(layout, replicas), *lowered) == [3]
    assert barriers(body.replace("store(r, w)", "store(r[n :+ 64], w)"), *lowered) == [3]


def test_what_goes_through_other_threads_needs_a_barrier() -> None:
    fragment = "spatial(2, 1) * local(4, 2) * mma.m16n8k16.a"
    tile = f"w = cast(load(x[0 :+ 128, 0 :+ 32]), f16) @ {fragment}\nt = shared(f16, [128, 32])\nstore(t, w)\n"
    body = f'{tile}u = load(t) @ {fragment}\nprint("u", u)'
    plain = "spatial(64, 1) * local(2, 32)"
    assert barriers(body, infer_layouts) == [4]
    assert barriers(body, *PIPELINE[: PIPELINE.index(make_plans) + 1]) == [4]
    assert barriers(body.replace(fragment, plain), *PIPELINE[: PIPELINE.index(make_plans) + 1]) == []


def test_a_copy_is_there_after_a_wait_and_then_a_barrier() -> None:
    start = "copy_async(r, x[here, 0 :+ 64])\ncommit()\n"
    assert barriers(start + "wait(0)\nsync()\nw = load(r)") == []
    assert barriers(start + "wait(0)\nw = load(r)") == [4]
    assert barriers(start + "sync()\nwait(0)\nw = load(r)") == [5]
    assert barriers("copy_async(r, x[here, 0 :+ 64])\nwait(0)\nsync()\nw = load(s)") == []
    flying = "`r` is {} here while the copy of line 9 may be under way: `wait` for it first"
    assert remarks(start + "sync()\nw = load(r)") == [flying.format("read")]
    assert remarks(start + "wait(1)\nsync()\nstore(r, v)") == [flying.format("written")]
    assert remarks("copy_async(r, x[here, 0 :+ 64])\nwait(0)\nsync()\nw = load(r)") == [flying.format("read")]
    assert barriers("w = load(r)\n" + start) == [2]


def test_memory_through_which_instructions_exchange_elements_is_used_by_one_after_another() -> None:
    body = "a = sum(v)\nb = sum(v * v)\nstore(z[here, 0], a + b)"
    before = run_passes(made(body), passes=PIPELINE[: PIPELINE.index(make_plans) + 1]).program
    users = [each for each in walk(before.body) if isinstance(each, Let) and each.plan and each.plan.scratch_bytes]
    assert len(users) == 2
    after = run_passes(before, passes=[insert_barriers]).program
    assert count(after) == 1
    loop = "for i in range(n):\n    c = sum(load(x[i, :]))\n    store(z[i, 0], c)"
    assert count(run_passes(made(loop)).program) == 1


def test_remarks_name_both_accesses() -> None:
    assert remarks("store(r, v)\nw = load(r)") == ["a barrier before it: `r`, written in line 9, is read here"]
    assert remarks("w = load(r)\nstore(r, v)") == ["a barrier before it: `r`, read in line 9, is written here"]


def test_tiles_that_share_bytes_are_kept_apart_in_time() -> None:
    body = "store(r, v)\nsync()\nw = load(r)\nstore(s, 1.0)\nsync()\nu = load(s)"
    assert barriers(body) == [4]
    assert remarks(body) == ["a barrier before it: `s`, written here, shares its bytes with `r`, read in line 11"]


# Linear forms

FIRST_INDEX, SECOND_INDEX = (Value(ScalarType(I32), name) for name in "ij")


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_differences_hold_every_difference(data: st.DataObject) -> None:
    def draw(depth: int) -> tuple[Form, str]:
        kind = data.draw(st.integers(0, 6 if depth else 2))
        if kind == 0:
            number = data.draw(st.integers(-9, 9))
            return constant(number), f"({number})"
        if kind in (1, 2):
            return form_of((FIRST_INDEX, SECOND_INDEX)[kind - 1]), "ij"[kind - 1]
        (one, text), (other, words) = draw(depth - 1), draw(depth - 1)
        if kind == 3:
            return scaled(one, 3), f"({text} * 3)"
        if kind == 4:
            modulus = data.draw(st.sampled_from([2, 3, 6]))
            return remainder(one, modulus), f"({text} % {modulus})"
        found = apply("+" if kind == 5 else "-", one, other)
        assert found is not None
        return found, f"({text} {'+' if kind == 5 else '-'} {words})"

    one, text = draw(3)
    shift = data.draw(st.integers(-3, 3))
    other, words = data.draw(st.sampled_from([draw(2), (added(one, constant(shift)), f"({text} + {shift})")]))
    found = differences(one, other)
    for i in range(-7, 8):
        for j in range(-7, 8):
            difference = eval(f"{text} - {words}", {"i": i, "j": j})
            assert found is None or difference in found
