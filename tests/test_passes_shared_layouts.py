"""Shared tiles get layouts without bank conflicts where there are such, and programs keep their meaning."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lowering import PROGRAMS
from run_text import execute, program

import tilevm
from tilevm.access import access, wavefronts
from tilevm.errors import LayoutError
from tilevm.ir import Let, Program, walk
from tilevm.layout import Layout
from tilevm.layout_constructors import local, row_major, spatial
from tilevm.layout_text import parse
from tilevm.passes import PIPELINE, Lowered, run_passes
from tilevm.passes.shared_layouts import choose_shared_layouts, is_fragment
from tilevm.printer import print_program
from tilevm.report import Report
from tilevm.swizzle import chunk_rows, ldmatrix_rows
from tilevm.values import SharedType, TileType, Value

PARAMETERS = "x: f16[M, N], q: u8[M, N], f: f32[M, N], g: f6e3m2[M, N], inout y: f16[M, N], n: i32"
HEAD = f"kernel k({PARAMETERS}):\n    grid 1\n    warps 4\n"
BEFORE = PIPELINE[: PIPELINE.index(choose_shared_layouts)]


def lowered(body: str, arch: str = "sm_80") -> Lowered:
    text = HEAD + "".join(f"    {line}\n" for line in body.strip().splitlines())
    return run_passes(program(text), arch, passes=[*BEFORE, choose_shared_layouts])


def tiles(made: Program) -> dict[str, Layout]:
    """The layout of each shared tile, by name."""
    found = {}
    for each in walk(made.body):
        if isinstance(each, Let) and each.result is not None and isinstance(each.result.type, SharedType):
            assert each.result.type.layout is not None
            found[each.result.name] = each.result.type.layout
    return found


def passes(layout: Layout, memory: Layout) -> tuple[int, int]:
    return tuple(wavefronts(access(layout, memory)))  # type: ignore[return-value]


FRAGMENT = "rep(4) * local(4, 4) * mma.m16n8k16.a"


def test_a_tile_that_ldmatrix_reads_is_swizzled() -> None:
    """Row-major, the eight rows of 128 bytes that ``ldmatrix`` reads at once begin in one bank."""
    made = lowered(
        f"""
s = shared(f16, [64, 64])
copy_async(s, x[0 :+ 64, 0 :+ 64])
commit()
wait(0)
sync()
a = load(s) @ {FRAGMENT}
store(y[0 :+ 64, 0 :+ 64], a)
"""
    )
    memory = tiles(made.program)["s"]
    plain = row_major(64, 64, width=16)
    rows = ldmatrix_rows(plain)
    assert passes(rows, plain) == (8 * 64, 64)
    assert passes(rows, memory) == (64, 64)
    assert passes(chunk_rows(plain), memory) == (64, 64)
    assert memory == plain.swizzled(parse("swizzle(3, 4, 3)").bind((64, 64), 16).xor)  # type: ignore[union-attr, arg-type]
    assert [each.text for each in made.remarks if "shared memory" in each.text] == [
        "`s` in shared memory is swizzled: 7^10 8^11 9^12; wavefronts 4.5 -> 1 times the ideal"
    ]


def test_without_ldmatrix_the_fragment_itself_is_what_is_loaded() -> None:
    body = f"s = shared(f16, [64, 64])\nstore(s, 1.0)\nsync()\na = load(s) @ {FRAGMENT}\nstore(y[0 :+ 64, 0 :+ 64], a)"
    memory = tiles(lowered(body, "sm_75").program)["s"]
    actual, ideal = passes(parse(FRAGMENT), memory)  # type: ignore[arg-type]
    assert actual == ideal
    worse, _ = passes(parse(FRAGMENT), row_major(64, 64, width=16))  # type: ignore[arg-type]
    assert worse == 8 * ideal


def test_a_tile_written_by_rows_and_read_by_columns_has_no_conflicts() -> None:
    across, down = "spatial(4, 32) * local(8, 1)", "local(1, 8) * spatial(32, 4)"
    body = f"v = load(f[0 :+ 32, 0 :+ 32]) @ {across}\ns = shared(f32, [32, 32])\nstore(s, v)\nsync()\n"
    made = lowered(f'{body}w = load(s) @ {down}\nprint("w", w)')
    memory = tiles(made.program)["s"]
    plain = row_major(32, 32, width=32)
    for text in (across, down):
        layout = parse(text)
        assert isinstance(layout, Layout)
        actual, ideal = passes(layout, memory)
        assert actual == ideal
    assert passes(parse(down), plain)[0] == 8 * 32  # type: ignore[arg-type]


def test_rows_that_are_not_a_power_of_two_long_are_swizzled_where_that_helps() -> None:
    body = "s = shared(u8, [64, 96])\nv = load(q[0 :+ 64, 0 :+ 96])\nstore(s, v)\nsync()\n"
    memory, accesses = chosen(body + "w = load(s) @ rep(4) * local(2, 6) * spatial(32, 1) * local(1, 16)")
    assert memory.xor is not None
    assert all(actual == ideal for actual, ideal in accesses)


def test_rows_of_elements_of_odd_width_are_padded() -> None:
    body = (
        "s = shared(f6e3m2, [64, 128])\nv = load(g[0 :+ 64, 0 :+ 128]) @ local(32, 1) * spatial(2, 64) * local(1, 2)\n"
    )
    body += "store(s, v)\nsync()\nw = load(s) @ rep(2) * local(1, 2) * spatial(64, 1) * local(1, 64)"
    memory, accesses = chosen(body)
    assert memory.dims[0][0].stride == 112 * 8
    assert memory.xor is None
    plain = row_major(64, 128, width=6)
    before = passes(parse("rep(2) * local(1, 2) * spatial(64, 1) * local(1, 64)"), plain)  # type: ignore[arg-type]
    assert accesses[1][0] < before[0]


def chosen(body: str) -> tuple[Layout, list[tuple[int, int]]]:
    """The layout of the tile ``s``, and the passes of the accesses by ``v`` and ``w``, actual and ideal."""
    made = lowered(f'{body}\nprint("w", w)')
    memory = tiles(made.program)["s"]
    layouts = {
        each.result.name: each.result.type.layout
        for each in walk(made.program.body)
        if isinstance(each, Let) and each.result is not None and isinstance(each.result.type, TileType)
    }
    (remark,) = (each.text for each in made.remarks if "shared memory" in each.text)
    assert ("is padded: rows of 96 bytes lie 112 bytes apart" in remark) == (memory.xor is None)
    return memory, [passes(layouts[name], memory) for name in ("v", "w")]  # type: ignore[arg-type]


def test_the_rows_of_a_tile_with_an_odd_number_of_rows_are_swizzled() -> None:
    body = f"s = shared(f16, [48, 64])\nstore(s, 1.0)\nsync()\na = load(s) @ {FRAGMENT.replace('4, 4', '3, 4')}"
    memory = tiles(lowered(f'{body}\nprint("a", a)').program)["s"]
    assert memory.xor is not None
    assert memory.size_bits == 48 * 64 * 16
    assert passes(ldmatrix_rows(row_major(48, 64, width=16)), memory) == (48, 48)


def test_the_stages_of_a_ring_lie_one_after_another_and_each_without_conflicts() -> None:
    body = """
acc = zeros(f32, [64, 64])
for k in range(0, n, 32, stages=3):
    a = load(x[0 :+ 64, k :+ 32])
    b = load(x[k :+ 32, 0 :+ 64])
    acc = dot(a, b, acc)
store(y[0 :+ 64, 0 :+ 64], cast(acc, f16))
"""
    text = HEAD + "    require N % 8 == 0\n" + "".join(f"    {line}\n" for line in body.strip().splitlines())
    made = run_passes(program(text), passes=[*BEFORE, choose_shared_layouts])
    found = tiles(made.program)
    for name, (rows, columns) in {"a": (64, 32), "b": (32, 64)}.items():
        memory = found[name]
        stage_bits = rows * columns * 16
        assert memory.dims[0][0].stride == stage_bits
        offsets = memory.bit_offsets()
        for stage in range(3):
            assert offsets[stage].min() == stage * stage_bits
            assert sorted(set((offsets[stage] - stage * stage_bits).ravel().tolist())) == list(range(0, stage_bits, 16))
        assert memory.xor is not None
        one = Layout(memory.dims[1:], (), memory.xor, 16)
        assert passes(ldmatrix_rows(row_major(rows, columns, width=16)), one) == (rows * columns // 64,) * 2


def test_small_stages_begin_in_the_first_bank() -> None:
    body = "s = shared(f16, [4, 40])\nfor i in range(4):\n    store(s[i], load(x[i, 0 :+ 40]))\nsync()\n"
    memory = tiles(lowered(body + 'print("s", load(s[n]))').program)["s"]
    assert memory.dims[0][0].stride == 1024


def test_written_layouts_and_tiles_that_nobody_can_be_asked_about_stay() -> None:
    body = "s = shared(f16, [64, 64]) @ swizzle(2, 4, 3)\nt = shared(f16, [8, 64])\nscatter(t, 1.0, iota(8), iota(8))\n"
    found = tiles(lowered(body + "store(s, 1.0)").program)
    assert str(found["s"].xor) == "7^10 8^11"
    assert found["t"] == row_major(8, 64, width=16)


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_shared_tile_of_every_program_has_a_layout(name: str) -> None:
    once = run_passes(PROGRAMS[name](), passes=[*BEFORE, choose_shared_layouts]).program
    for memory in tiles(once).values():
        offsets = memory.bit_offsets().ravel()
        assert len(set(offsets.tolist())) == offsets.size
    assert run_passes(once, passes=[choose_shared_layouts]).program == once
    assert program(print_program(once)) == once


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_programs_keep_their_meaning_and_accesses_never_get_worse(data: st.DataObject) -> None:
    rows, columns = data.draw(st.sampled_from([4, 8, 12, 24, 32])), data.draw(st.sampled_from([8, 24, 32, 48, 64]))
    kind = data.draw(st.sampled_from(["f16", "f32", "u8"]))
    name = {"f16": "x", "f32": "f", "u8": "q"}[kind]
    body = f"""
s = shared({kind}, [{rows}, {columns}])
store(s, load({name}[0 :+ {rows}, 0 :+ {columns}]))
sync()
a = permute(load(s), 1, 0)
c = load(s[0 :+ {rows // 2}, 0 :+ {columns // 4}])
store(y[0 :+ {columns}, 0 :+ {rows}], cast(a, f16))
store(y[0 :+ {rows // 2}, 32 :+ {columns // 4}], cast(c, f16))
"""
    text = HEAD + "".join(f"    {line}\n" for line in body.strip().splitlines())
    before = run_passes(program(text), passes=BEFORE).program
    after = run_passes(before, passes=[choose_shared_layouts]).program
    random = np.random.default_rng(rows)
    given: dict[str, Any] = {each: random.integers(0, 100, (64, 64)) for each in "xqfy"}
    report = Report()
    one, two = (execute(each, report, M=64, N=64, n=0, **given)["y"] for each in (before, after))
    assert one.tobytes() == two.tobytes()
    assert report.errors == ()
    memory = tiles(after)["s"]
    plain = row_major(rows, columns, width=tilevm.dtype(kind).bits)
    layouts = [
        each.result.type.layout
        for each in walk(after.body)
        if isinstance(each, Let) and isinstance(each.result, Value) and isinstance(each.result.type, TileType)
        if each.instruction.name == "load" and each.result.shape == (rows, columns)
    ]
    counted = [0, 0]
    for layout in layouts:
        assert layout is not None
        try:
            for place, candidate in enumerate((plain, memory)):
                counted[place] += passes(layout, candidate)[0]
        except LayoutError:
            counted = [0, 0]
            break
    assert counted[1] <= 2 * counted[0]


def test_fragments_are_known_by_their_innermost_pieces() -> None:
    for name in ("mma.m16n8k16.a", "mma.m16n8k16.b"):
        atom = parse(name)
        assert isinstance(atom, Layout)
        assert is_fragment(atom, 16)
        assert not is_fragment(atom, 32)
        assert is_fragment(parse("warps(2, 2)") * (local(2, 2) * atom), 16)  # type: ignore[operator]
    byte = parse("mma.m16n8k32.a")
    assert isinstance(byte, Layout)
    assert is_fragment(byte, 8)
    assert not is_fragment(spatial(4, 8) * local(2, 2), 16)
    assert not is_fragment(spatial(32), 16)
