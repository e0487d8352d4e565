"""Layout inference: every tile has a layout, operands and results stand in the relations that instructions state."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lowering import PROGRAMS
from run_text import execute, program

from tilevm.arch import arch
from tilevm.errors import LayoutError
from tilevm.instruction import Instruction
from tilevm.ir import For, If, Let, Program, While, walk
from tilevm.layout import Layout
from tilevm.layout_text import parse
from tilevm.passes import run_passes
from tilevm.passes.layout_collection import uses
from tilevm.values import TileType, Value

HEAD = "kernel k(x: f32[M, N], h: f16[M, N], u: u4[M, N], inout y: f32[M, N], n: i32):\n    grid 1\n    warps 4\n"


def lowered(body: str, name: str = "sm_80") -> Program:
    return run_passes(program(HEAD + "".join(f"    {line}\n" for line in body.strip().splitlines())), name).program


def layout(value: object) -> Layout | None:
    return value.type.layout if isinstance(value, Value) and isinstance(value.type, TileType) else None


def conversions(made: Program) -> list[Let]:
    return [each for each in walk(made.body) if isinstance(each, Let) and each.instruction.name == "convert_layout"]


def named(made: Program, name: str) -> Layout:
    """The layout of the first tile of a name."""
    for each in walk(made.body):
        if isinstance(each, Let) and each.result is not None and each.result.name == name:
            found = layout(each.result)
            assert found is not None
            return found
    raise AssertionError(f"no {name}")


def check_layouts(made: Program, name: str = "sm_80") -> None:
    """What must hold of every program after inference, stated without the pass."""
    for each in walk(made.body):
        if isinstance(each, Let):
            tiles = [each.result, *each.instruction.operands()]
            assert all(layout(tile) is not None for tile in tiles if isinstance(getattr(tile, "type", None), TileType))
            check_relations(each.instruction, each.result, name)
        elif isinstance(each, For | While):
            for carry in each.carried:
                assert layout(carry.initial) == layout(carry.inner) == layout(carry.update) == layout(carry.result)
        elif isinstance(each, If):
            for join in each.joins:
                assert layout(join.then) == layout(join.otherwise) == layout(join.result)


def check_relations(instruction: Instruction, result: Value | None, name: str) -> None:
    held = layout(result)
    for use in uses(instruction, arch(name)):
        own = layout(use.tile)
        assert own is not None
        if held is None:
            continue
        needed = use.relation.operand_of(held)
        if needed is not None:
            assert use.relation.accepts(needed, own), (instruction, held, own)
        else:
            assert use.relation.result_of(own) == held, (instruction, held, own)


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("target", ["sm_75", "sm_90a"])
def test_every_tile_of_every_program_has_a_layout_that_fits_its_instructions(name: str, target: str) -> None:
    check_layouts(run_passes(PROGRAMS[name](), target).program, target)


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_lowered_program_is_lowered_to_itself(name: str) -> None:
    once = run_passes(PROGRAMS[name]()).program
    assert run_passes(once).program == once


def held_where_needed(operand: Layout, result: Layout) -> bool:
    """Whether each thread that makes an element of the result holds the element of the operand that it is made of."""
    own = dict(zip(range(operand.threads), (set(map(tuple, row)) for row in _indices(operand)), strict=True))
    padded = (1,) * (result.rank - operand.rank) + operand.shape
    for thread, row in enumerate(_indices(result)):
        for index in row:
            wanted = tuple(i if extent > 1 else 0 for i, extent in zip(index, padded, strict=True))
            if wanted[result.rank - operand.rank :] not in own[thread]:
                return False
    return True


def _indices(layout: Layout) -> list[list[list[int]]]:
    found: list[list[list[int]]] = layout.thread_slot_to_index().tolist()
    return found


@pytest.mark.parametrize(
    "line",
    ["v[:, None] + v[None, :] * 2.0", "permute(broadcast(v[:, None], [8, 16]) + 1.0, 1, 0)", "reshape(v * v, [2, 4])"],
)
def test_relations_of_elementwise_code_keep_elements_in_their_threads(line: str) -> None:
    """An instruction that only renames or combines elements finds them in the threads that make its result."""
    made = lowered(f'v = load(x[0 :+ 8, 0])\nz = {line}\nprint("z", z)')
    for each in walk(made.body):
        if isinstance(each, Let) and each.instruction.name in ("add", "multiply"):
            for operand in each.instruction.operands():
                own, result = layout(operand), layout(each.result)
                if own is not None and result is not None:
                    assert held_where_needed(own, result)


def test_a_matrix_product_has_fragments_with_warps_along_both_sides() -> None:
    made = lowered(
        "acc = zeros(f32, [64, 64])\nfor k in range(0, N, 32):\n    a = load(h[0 :+ 64, k :+ 32])\n"
        "    b = cast(load(u[k :+ 32, 0 :+ 64]), f16)\n    acc = dot(a, b, acc)\nstore(y[0 :+ 64, 0 :+ 64], acc)"
    )
    assert named(made, "acc") == parse("warps(2, 2) * local(2, 4) * mma.m16n8k16.c")
    fragments = named(made, "a") / parse("mma.m16n8k16.a")
    assert str(fragments) == "[4,2]{2:T2 2:R2 | 2:R1; rep 2:T1}"
    assert not conversions(made)


def test_codes_are_loaded_in_the_layout_that_the_product_wants_and_keep_it_through_the_cast() -> None:
    made = lowered(
        "c = load(u[0 :+ 16, 0 :+ 64])\nb = cast(c, f16)\nz = dot(load(h[0 :+ 16, 0 :+ 16]), b, zeros(f32, [16, 64]))\n"
        "store(y[0 :+ 16, 0 :+ 64], z)"
    )
    assert named(made, "c") == named(made, "b")
    assert named(made, "b") / parse("mma.m16n8k16.b") == parse("spatial(1, 4) * local(1, 2)")


def test_a_second_product_gets_its_factor_converted_after_it_is_narrow() -> None:
    made = lowered(
        "a = load(h[0 :+ 64, 0 :+ 64])\nb = load(h[0 :+ 64, 0 :+ 64])\ns = dot(a, b, zeros(f32, [64, 64]))\n"
        "p = cast(exp(s), f16)\nz = dot(p, b, zeros(f32, [64, 64]))\nstore(y[0 :+ 64, 0 :+ 64], z)"
    )
    moved = [each.instruction.x.name for each in conversions(made)]  # type: ignore[attr-defined]
    assert "p" in moved
    assert "s" not in moved


def test_a_product_without_tensor_cores_keeps_what_each_element_needs_in_its_thread() -> None:
    made = lowered(
        "a = load(x[0 :+ 16, 0 :+ 8])\nb = load(x[0 :+ 8, 0 :+ 16])\nz = dot(a, b, zeros(f32, [16, 16]))\n"
        "store(y[0 :+ 16, 0 :+ 16], z)"
    )
    (dot,) = (each for each in walk(made.body) if isinstance(each, Let) and each.instruction.name == "dot")
    check_layouts(made)
    rows, result = layout(dot.instruction.a), named(made, "z")  # type: ignore[attr-defined]
    assert rows is not None
    thread, slot = 17, 0
    row = result.at(thread, slot)[0]
    assert {(row, k) for k in range(8)} <= {rows.at(thread, each) for each in range(rows.slots)}


def test_loads_are_coalesced_and_wide() -> None:
    made = lowered('a = load(x[0 :+ 32, 0 :+ 64])\nb = load(u[0 :+ 64, 0 :+ 64])\nprint("", a, b)')
    assert str(named(made, "a")) == "[32,64]{4:R4 8:T16 | 16:T1 4:R1}"
    assert str(named(made, "b")) == "[64,64]{64:T2 | 2:T1 32:R1}"


def test_a_transpose_between_two_coalesced_accesses_is_converted() -> None:
    made = lowered("a = load(x[0 :+ 64, 0 :+ 64])\nstore(y[0 :+ 64, 0 :+ 64], permute(a, 1, 0))")
    assert len(conversions(made)) == 1
    made = lowered("a = load(x[0 :+ 64, 0 :+ 64])\nstore(y[0 :+ 64, 0 :+ 64], a + 1.0)")
    assert not conversions(made)


def test_what_is_reduced_from_a_tile_and_broadcast_over_it_is_not_converted() -> None:
    made = lowered(
        "a = load(x[0 :+ 8, 0 :+ 128])\nm = max(a, axis=1)\ne = exp(a - m[:, None])\n"
        "store(y[0 :+ 8, 0 :+ 128], e / sum(e, axis=1)[:, None])"
    )
    assert not conversions(made)
    assert named(made, "m") == named(made, "a").reduce(1).squeeze(1)


def test_a_row_of_a_spread_tile_is_cut_where_rows_lie_within_threads() -> None:
    made = lowered("a = load(x[0 :+ 64, 0 :+ 128])\nb = a[3]\nstore(y[0 :+ 64, 0 :+ 128], a + b)")
    (cut,) = (each for each in walk(made.body) if isinstance(each, Let) and each.instruction.name == "slice")
    rows = layout(cut.instruction.x)  # type: ignore[attr-defined]
    assert rows is not None
    assert rows.slots == 64 * 128 // 128


def test_written_layouts_stay_and_conversions_stand_between_them() -> None:
    made = lowered(
        "a = full(f32, [16, 8], 1.0) @ rep(4) * mma.m16n8k16.c\nb = load(x[0 :+ 16, 0 :+ 8]) @ spatial(16, 8)\n"
        "store(y[0 :+ 16, 0 :+ 8], a + b)"
    )
    assert named(made, "a") == parse("rep(4) * mma.m16n8k16.c")
    assert named(made, "b") == parse("spatial(16, 8)")
    assert len(conversions(made)) == 1


def test_a_conversion_of_what_a_loop_does_not_change_stands_before_the_loop() -> None:
    made = lowered(
        "b = load(x[0 :+ 16, 0 :+ 8]) @ spatial(16, 8)\nacc = zeros(f32, [16, 8]) @ rep(4) * mma.m16n8k16.c\n"
        "for i in range(n):\n    acc = acc + b\nstore(y[0 :+ 16, 0 :+ 8], acc)"
    )
    (loop,) = (each for each in made.body if isinstance(each, For))
    assert len(conversions(made)) == 1
    assert conversions(made)[0] in made.body
    assert len(loop.body) == 1


@pytest.mark.parametrize(
    ("body", "line", "how"),
    [
        ("a = full(f32, [16, 8], 1.0) @ spatial(16, 8)\nfor i in range(n):\n    a = (a + 1.0) @ column_spatial(16, 8)\n"
         "store(y[0 :+ 16, 0 :+ 8], a)", 6, "a loop carries `a`"),
        ("if n > 1:\n    a = full(f32, [16, 8], 1.0) @ spatial(16, 8)\nelse:\n"
         "    a = full(f32, [16, 8], 2.0) @ column_spatial(16, 8)\nstore(y[0 :+ 16, 0 :+ 8], a)",
         7, "two branches give `a`"),
    ],
)  # fmt: skip
def test_two_written_layouts_for_one_tile_are_an_error_that_shows_both(body: str, line: int, how: str) -> None:
    with pytest.raises(LayoutError) as caught:
        lowered(body)
    (found,) = caught.value.diagnostics
    assert found.code == "L046"
    assert found.message.startswith(how)
    assert found.span is not None
    assert found.span.line == line
    (other,) = found.related
    assert other.span.line < line


@pytest.mark.parametrize(
    "body",
    [
        'a = load(x[0 :+ 6, 0 :+ 5])\nb = reshape(a, [30])[3 :+ 7]\nprint("b", b + 1.0)',
        'a = load(x[0 :+ 3, 0 :+ 96])\nb = sum(a, axis=0)\nprint("b", a * b, max(b))',
        'a = iota([4, 3])\nb = concat(a, a[:, 1 :+ 2], axis=1)\nprint("b", b)',
        'a = concat(iota([8, 64]), iota([24, 64]))\nprint("a", a + 1, cumsum(a, 0))',
        "scatter(y, 1.0, iota(16)[:, None], iota(8)[None, :])",
        "scatter(y, load(x[0 :+ 16, 0 :+ 8]), iota(16)[:, None], iota(8)[None, :] * 2)",
        "a = gather(x, iota(16)[:, None], iota(8)[None, :] + 3)\nstore(y[0 :+ 16, 0 :+ 8], a)",
        'a = dequantize(load(u[0 :+ 64, 0 :+ 16]), load(h[0 :+ 2, 0 :+ 16]), load(u[0 :+ 2, 0 :+ 16]))\nprint("a", a)',
        'a = load(x[0 :+ 8, 0 :+ 64]) > 0.0\nprint("a", vote(a), vote(reshape(a, [512])))',
        'a = iota([4, 64])\nprint("a", shuffle(a, a % 4, 0), shuffle(a, a[:, 0 :+ 16], 1))',
        'a = atomic_add(y[0 :+ 8, 0 :+ 32], load(x[0 :+ 8, 0 :+ 32]))\nprint("a", a, atomic_add(y[0, 0 :+ 32], 1.0))',
        'a = load(x[0 :+ 8, 0 :+ 32])\nprint("a", select(n > 1, a, a * 2.0), where(a > 0.0, a, 0.0)[0], a[3, 5])',
        "a = cast(load(x[0 :+ 16, 0 :+ 64]), f8e4m3)\ns = full(e8m0, [16, 2], 1.0)\n"
        "b = permute(a, 1, 0)\nt = full(e8m0, [2, 16], 1.0)\n"
        "store(y[0 :+ 16, 0 :+ 16], dot_scaled(a, s, b, t, zeros(f32, [16, 16])))",
        "a = load(x[0 :+ 24, 0 :+ 40])\nz = dot(cast(a, bf16), cast(permute(a, 1, 0), bf16), zeros(f32, [24, 24]))\n"
        "store(y[0 :+ 24, 0 :+ 24], z)",
        "s = shared(f16, [64, 64]) @ column_major(64, 64, width=16)\nstore(s, load(h[0 :+ 64, 0 :+ 64]))\nsync()\n"
        'print("s", load(s), load(s[3, :]), load(s[:, 3]), load(h[n, 0 :+ 64]), load(h[0 :+ 64, n]))',
        'a = squeeze(load(x[0 :+ 1, 0 :+ 32]), 0)\nprint("a", argmax(a[None, :] * a[:, None], 1), clamp(a, 0.0, a[0]))',
    ],
)
def test_layouts_fit_every_kind_of_instruction_and_change_no_bit(body: str) -> None:
    before = program(HEAD + "".join(f"    {line}\n" for line in body.splitlines()))
    x, h = (np.random.default_rng(0).integers(-8, 8, (64, 96)).astype(kind) for kind in (np.float32, np.float16))
    results = []
    for made in (before, run_passes(before).program):
        lines: list[str] = []
        found = execute(made, x=x, h=h, u=np.ones((64, 96)), y=np.zeros((64, 96)), M=64, N=96, n=3, lines=lines)
        results.append((found["y"].tobytes(), lines))
    check_layouts(run_passes(before).program)
    assert results[0] == results[1]
    assert results[0][1] or np.frombuffer(results[0][0], np.float32).any()


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_random_tile_programs_compute_the_same_with_layouts(data: st.DataObject) -> None:
    text = data.draw(tile_programs())
    before = program(text)
    after = run_passes(before).program
    check_layouts(after)
    x = np.random.default_rng(0).integers(-8, 8, (16, 32)).astype(np.float32)
    one, two = (execute(each, x=x, y=np.zeros((16, 32)), M=16, N=32, n=3)["y"] for each in (before, after))
    np.testing.assert_array_equal(one.view(np.uint32), two.view(np.uint32))


@st.composite
def tile_programs(draw: st.DrawFn) -> str:
    """Chains of tile instructions on [16, 32], in a loop or a branch or neither, some with a written layout."""
    lines = ["    a = load(x[0 :+ 16, 0 :+ 32])", "    b = full(f32, [16, 32], 2.0)"]
    forms = (
        "{0} = {0} + {1}",
        "{0} = {0} - max({1}, axis=1)[:, None]",
        "{0} = {0} * min({1}, axis=0)",
        "{0} = reshape(permute({1}, 1, 0), [16, 32])",
        "{0} = cast(cast({1}, i8), f32) @ rep(4) * local(2, 1) * spatial(8, 4) * local(1, 8)",
        "{0} = concat(slice({1}, 1, 16, 16), slice({0}, 1, 0, 16), axis=1)",
        "{0} = convert_layout({1}, column_spatial(16, 8) * local(1, 4))",
        "{0} = where({1} > {0}, {1}, reshape({0}, [4, 4, 32])[1 :+ 1, 1, :])",
        "{0} = cumsum({1}, 1)",
    )
    indent = "    "
    head = draw(st.sampled_from(["", "for i in range(n):", "if n > 2:"]))
    if head:
        lines.append(indent + head)
        indent += "    "
    for _ in range(draw(st.integers(1, 6))):
        form = draw(st.sampled_from(forms))
        lines.append(indent + form.format(*draw(st.sampled_from([("a", "b"), ("b", "a"), ("a", "a")]))))
    kernel = "kernel k(x: f32[M, N], inout y: f32[M, N], n: i32):\n    grid 1\n    warps 4\n"
    return kernel + "\n".join(lines) + "\n    store(y[0 :+ 16, 0 :+ 32], a + b)\n"
