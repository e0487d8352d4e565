"""Emitted loads, stores and copies move what the interpreter moves, wherever elements lie and windows reach."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kernels import needs_compiler
from memory_moves import moved
from strategies import layout_pairs

from tilevm.dtypes import dtype
from tilevm.layout import Layout

pytestmark = needs_compiler

FORMATS = (
    *("u1", "u2", "u3", "f4e2m1", "nf4", "trit", "i5", "f6e3m2", "u7", "i8", "f8e4m3"),
    *("f12e5m6", "f16", "bf16", "tf32", "i32", "f64", "u64"),
)
"""Every width that is moved in its own way: within bytes, across them, across words, in words and pairs of words."""

MEMORIES = (
    *("", "row_major", "column_major", "strides(24, 1)", "strides(1, 16)"),
    *("blocks(8, 4)", "blocks(8, 8) * local(1, 2) * spatial(8, 4)"),
)

EDGES = ("0, 0", "-3, 0", "0, -5", "12, 17", "-8, -16", "16, 3", "row, column", "row * 4, column * 4")
"""Where windows of 8 x 16 begin over a tensor of 16 x 20: inside, across each edge, wholly outside, at run time."""


def parameter(name: str, kind: str, shape: str, memory: str = "", out: bool = False) -> str:
    return f"{'out ' * out}{name}: {kind}[{shape}]{' @ ' * bool(memory)}{memory}"


def program(parameters: list[str], body: list[str], warps: int = 1, grid: str = "1") -> str:
    lines = [f"kernel k({', '.join(parameters)}):", f"grid {grid}", f"warps {warps}", *body]
    return "\n    ".join(lines) + "\n"


def windows(kind: str, warps: int, at: str = "") -> str:
    """Every window of ``EDGES`` loaded, filled and stored again one step aside."""
    parameters = [
        parameter("x", kind, "16, 20"),
        *(parameter(f"y{number}", kind, "16, 20", out=True) for number in range(len(EDGES))),
        parameter("z", kind, f"{len(EDGES)}, 8, 16", out=True),
        *("row: i32", "column: i32"),
    ]
    body = []
    for number, begin in enumerate(EDGES):
        row, column = begin.split(", ")
        body += [
            f"t{number} = load(x[{row} :+ 8, {column} :+ 16]){at}",
            f"store(y{number}[{row} :+ 8, {column} :+ 16], t{number})",
            f"store(z[{number}, 0 :+ 8, 0 :+ 16], t{number})",
        ]
    return program(parameters, body, warps)


@pytest.mark.parametrize("kind", FORMATS)
def test_windows_over_every_edge(kind: str) -> None:
    moved(windows(kind, warps=1 + FORMATS.index(kind) % 4), row=-1, column=7)


@pytest.mark.parametrize("arch", ["sm_75", "sm_90a"])
def test_windows_over_every_edge_on_other_architectures(arch: str) -> None:
    moved(windows("f6e3m2", 8), arch=arch, row=-1, column=7)


def test_replicas_are_written_once_and_loaded_by_all() -> None:
    at = " @ rep(2) * spatial(8, 4) * rep(2) * local(1, 4)"
    for kind in ("u3", "u4", "f16"):
        moved(windows(kind, 4, at), row=2, column=-3)


@pytest.mark.parametrize("kind", ["u3", "f4e2m1", "f6e3m2", "i8", "f16", "f32"])
def test_tensors_in_every_memory_layout(kind: str) -> None:
    parameters, body = [], []
    for number, memory in enumerate(MEMORIES):
        parameters += [
            parameter(f"x{number}", kind, "16, 24", memory),
            parameter(f"y{number}", kind, "16, 24", memory, out=True),
        ]
        aside = MEMORIES.index(memory) % 2
        body.append(f"store(y{number}[0 :+ 16, 0 :+ 24], load(x{number}[{aside} :+ 16, 0 :+ 24]))")
    moved(program(parameters, body, warps=2))


def test_sizes_at_run_time_that_divide_by_nothing() -> None:
    at = "[i :+ 8, j :+ 64]"
    for kind in ("u3", "u4", "f6e3m2", "f16"):
        text = program(
            [parameter("x", kind, "M, N"), parameter("y", kind, "M, N", out=True)],
            [
                "i = block_index(0) * 8",
                "j = block_index(1) * 64",
                f"store(y{at}, load(x{at}))",
            ],
            grid="cdiv(M, 8), cdiv(N, 64)",
        )
        for rows, columns in ((13, 77), (8, 64), (1, 1), (5, 130)):
            moved(text, sizes={"M": rows, "N": columns})


def test_what_is_outside_is_the_fill_or_the_zero_of_the_format() -> None:
    kinds = ("u3", "nf4", "f6e3m2", "f16", "i32")
    parameters = [each for kind in kinds for each in (f"x_{kind}: {kind}[10]", f"out y_{kind}: {kind}[2, 32]")]
    body = []
    for kind in kinds:
        body += [
            f"store(y_{kind}[0, 0 :+ 32], load(x_{kind}[-7 :+ 32]))",
            f"store(y_{kind}[1, 0 :+ 32], load(x_{kind}[-7 :+ 32], fill=1))",
        ]
    moved(program(parameters, body))


def test_scalars_and_dropped_dimensions() -> None:
    parameters, body = ["i: i32"], []
    for number, kind in enumerate(("u1", "u3", "f6e3m2", "f12e5m6", "f16", "f64")):
        parameters += [f"x{number}: {kind}[5, 6, 7]", f"out y{number}: {kind}[5, 6, 7]", f"out z{number}: {kind}[9]"]
        body += [
            f"store(y{number}[i, 0 :+ 6, 3], load(x{number}[3, 0 :+ 6, i]))",
            f"store(z{number}[1], load(x{number}[4, 5, 6]))",
            f"store(z{number}[2 :+ 1], load(x{number}[i, 0 :+ 1, 5]))",
            f"store(z{number}[4 :+ 3], load(x{number}[i, 1, i]))",
            f"store(z{number}[8], load(x{number}[i, 6, 0]))",
        ]
    moved(program(parameters, body, warps=2), i=2)


def shared_copies(kind: str, swizzled: str) -> str:
    """A ring of two tiles: copied in, loaded, stored over and copied out by way of registers."""
    parameters = [parameter("x", kind, "M, N"), parameter("y", kind, "M, N", out=True)]
    body = [
        f"s = shared({kind}, [2, 8, 64]){swizzled}",
        "i = block_index(0) * 8",
        "copy_async(s[0], x[i :+ 8, 0 :+ 64])",
        "commit()",
        "for step in range(cdiv(N, 64)):",
        "    copy_async(s[(step + 1) % 2], x[i :+ 8, (step + 1) * 64 :+ 64])",
        "    commit()",
        "    wait(1)",
        "    sync()",
        "    t = load(s[step % 2])",
        "    sync()",
        "    store(s[step % 2], t)",
        "    sync()",
        "    store(y[i :+ 8, step * 64 :+ 64], load(s[step % 2]))",
        "    sync()",
    ]
    return program(parameters, body, warps=2, grid="cdiv(M, 8)")


@pytest.mark.parametrize("arch", ["sm_75", "sm_80", "sm_90a"])
@pytest.mark.parametrize(("kind", "swizzled"), [("f16", " @ swizzle(3, 4, 3)"), ("f6e3m2", ""), ("u4", ""), ("u3", "")])
def test_copies_to_shared_memory_and_back(arch: str, kind: str, swizzled: str) -> None:
    for rows, columns in ((16, 128), (11, 100), (8, 37)):
        moved(shared_copies(kind, swizzled), arch=arch, sizes={"M": rows, "N": columns})


def test_bits_may_be_stored_beside_bits_that_nobody_has_written() -> None:
    text = """
kernel k(x: u7[5, 5], out y: u7[5, 5]):
    grid 1
    warps 1
    s = shared(u7, [5, 5])
    store(s[:, :], load(x[:, :]))
    sync()
    store(y[:, :], load(s[:, :]))
"""
    moved(text)


def test_a_staged_loop_moves_what_a_plain_one_does() -> None:
    for stages in (1, 2, 4):
        for kind in ("u4", "f6e3m2", "f16"):
            text = program(
                [parameter("x", kind, "16, N"), parameter("y", kind, "16, N", out=True)],
                [
                    f"for k in range(0, N, 64, stages={stages}):",
                    "    store(y[0 :+ 16, k :+ 64], load(x[0 :+ 16, k :+ 64]))",
                ],
                warps=4,
            )
            moved(text, sizes={"N": 200})


@pytest.mark.parametrize("kind", ["u3", "u4", "f6e3m2", "f16"])
def test_bytes_of_a_packed_tensor_are_its_codes_in_the_order_of_the_layout(kind: str) -> None:
    each = dtype(kind).bits
    moved(f"""
layout codes = spatial(8, 4) * local(2, 4)
kernel k(x: {kind}[32, 32] @ blocks(16, 16) * codes, out y: {kind}[32, 32]):
    grid 2, 2
    warps 1
    i = block_index(0)
    j = block_index(1)
    raw = load(memory_view(x, u8, [2, 2, {32 * each}])[i, j]) @ spatial(32) * local({each})
    store(y[i * 16 :+ 16, j * 16 :+ 16], view(raw, {kind}, codes))
""")


def of_layout(layout: Layout, kind: str, begin: tuple[int, int]) -> str:
    """A tile of a layout by way of global and shared memory; threads are whole warps."""
    rows, columns = layout.shape
    at = f" @ {layout}"
    body = [
        f"t = load(x[{begin[0]} :+ {rows}, {begin[1]} :+ {columns}]){at}",
        f"s = shared({kind}, [{rows}, {columns}])",
        "store(s[:, :], t)",
        "sync()",
        f"u = load(s[:, :]){at}",
        f"store(y[{-begin[0]} :+ {rows}, {begin[1]} :+ {columns}], u)",
    ]
    size = f"{rows + 1}, {columns + 3}"
    return program([parameter("x", kind, size), parameter("y", kind, size, out=True)], body, layout.threads // 32)


EVERYTHING = layout_pairs(), st.sampled_from(FORMATS), st.tuples(st.integers(-2, 2), st.integers(-4, 4))


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(*EVERYTHING)
def test_tiles_of_any_layout(layouts: tuple[Layout, Layout], kind: str, begin: tuple[int, int]) -> None:
    moved(of_layout(layouts[0], kind, begin))


@pytest.mark.fuzz
@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
@given(*EVERYTHING)
def test_tiles_of_many_layouts(layouts: tuple[Layout, Layout], kind: str, begin: tuple[int, int]) -> None:
    moved(of_layout(layouts[0], kind, begin))
