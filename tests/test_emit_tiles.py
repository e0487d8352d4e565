"""Emitted instructions that make tiles, move elements between slots, say something or stop, do as the interpreter."""

from __future__ import annotations

import contextlib
import io
import re
from importlib import resources
from typing import Any

import ml_dtypes
import numpy as np
from elementwise import both
from hypothesis import given
from hypothesis import strategies as st
from kernels import needs_compiler
from numpy.typing import NDArray
from strategies import register_layouts

from tilevm.codegen.element_numbers import element_numbers, repetitions
from tilevm.codegen.word_moves import word_moves
from tilevm.dtypes import DType, dtype
from tilevm.errors import ExecutionError
from tilevm.instruction import INSTRUCTIONS, OPERATORS
from tilevm.layout import Layout
from tilevm.packed_array import PackedArray
from tilevm.runtime.kernel import kernel

MOVED = (
    *("reshape(p, [128])", "reshape(permute(p, 1, 0), [128])", "reshape(slice(p, 0, 3, 5), [80])"),
    "reshape(permute(reshape(p, [2, 4, 4, 4]), 2, 0, 3, 1), [128])",
    "reshape(concat(slice(p, 0, 0, 4), slice(q, 0, -4, 4)), [128])",
    "reshape(concat(slice(p, 0, -3, 3), slice(q, 0, 0, 1), slice(p, 0, 0, 4)), [128])",
    *("reshape(squeeze(unsqueeze(p, 1), 1), [128])", "reshape(broadcast(slice(p, 0, 3, 1), [4, 16]), [64])"),
    *("reshape(slice(reshape(p, [64, 2]), 1, 1, 1), [64])", "reshape(slice(p, 1, 5, 10), [80])"),
    "broadcast(unsqueeze(squeeze(load({x}[3, 4 :+ 1]), 0), 0), [32])",
    *("reshape(select(n > 0, p, q), [128])", "reshape(where(c, p, q), [128])"),
    *("full({dtype}, [48], squeeze(load({x}[1, 7 :+ 1]), 0))", "zeros({dtype}, [40])"),
)
"""What is made of two tiles of 8 x 16 elements, without arithmetic."""

FORMATS = tuple(dtype(name) for name in ("f64", "f16", "u1", "f6e3m2"))
LAYOUT = "local(8, 1) * spatial(1, 4) * rep(8) * local(1, 4)"
"""A thread holds four columns of every row: in packed formats whole words, and words in part."""


def movements(formats: tuple[DType, ...]) -> str:
    """A kernel that stores each of ``MOVED`` in each format, as the rows of a tensor of that format."""
    parameters, body = [], []
    for number, each in enumerate(formats):
        x, y, z = (f"{name}{number}" for name in "xyz")
        parameters += [f"{x}: {each}[8, 16]", f"{y}: {each}[8, 16]", f"out {z}: {each}[{len(MOVED)}, 128]"]
        body += [f"p = load({x}[0 :+ 8, 0 :+ 16]) @ {LAYOUT}", f"q = load({y}[0 :+ 8, 0 :+ 16]) @ {LAYOUT}"]
        for row, text in enumerate(MOVED):
            extent = re.findall(r"\[(\d+)\]", text)[0]
            body += [f"store({z}[{row}, 0 :+ {extent}], {text.format(x=x, dtype=each)})"]
    lines = "".join(f"    {line}\n" for line in ("grid 1", "warps 1", "c = iota([8, 1]) % 3 == 1", *body))
    return f"kernel movements({', '.join(parameters)}, n: i32):\n{lines}"


def tensor(format: DType, codes: NDArray[Any]) -> PackedArray:
    return PackedArray.from_codes(codes, format)


@needs_compiler
def test_elements_move_with_every_bit() -> None:
    random, made = np.random.default_rng(3), kernel(movements(FORMATS))
    arguments: dict[str, Any] = {"n": 1}
    results: list[dict[str, Any]] = [{}, {}]
    for number, each in enumerate(FORMATS):
        for name in "xy":
            codes = random.integers(0, (1 << each.bits) - 1, (8, 16), np.uint64, endpoint=True)
            arguments[f"{name}{number}"] = tensor(each, codes.astype(each.storage))
        for outputs in results:
            outputs[f"z{number}"] = tensor(each, np.zeros((len(MOVED), 128), each.storage))
    made(**arguments, **results[0])
    made(**arguments, **results[1], backend="simulator")
    for number, each in enumerate(FORMATS):
        expected, got = (outputs[f"z{number}"].codes() for outputs in results)
        for row, text in enumerate(MOVED):
            assert (expected[row] == got[row]).all(), f"{text} of {each}"
            assert expected[row].any() or text.startswith("zeros") or each.bits == 1


COUNTED = """
kernel counted(out a: i32[8, 96], out b: f16[64], out c: bf16[8, 4], out d: i64[3], out e: u8[256], out f: f64[5],
               s: f16, n: i32):
    grid 3, 2
    warps 2
    assume(n > 0)
    store(a[0, 0 :+ 96], iota(96))
    store(a[1, 0 :+ 64], reshape(permute(iota([8, 8]), 1, 0), [64]))
    store(a[2, 0 :+ 7], iota(7))
    store(a[3, 0 :+ 32], full(i32, [32], grid_size(0) + 10 * grid_size(1) + 100 * grid_size(2)))
    store(a[4 + block_index(1), block_index(0) :+ 1], full(i32, [1], 1 + block_index(0) + 3 * block_index(1)))
    store(a[6, 0 :+ 90], iota([90, 1])[:, 0] if n < 0 else iota(90) + n)
    store(b[0 :+ 64], iota(64, f16) + s)
    store(c[0 :+ 8, 0 :+ 4], iota([8, 4], bf16))
    store(d[0 :+ 3], iota(3, i64))
    store(e[0 :+ 256], iota(256, u8))
    store(f[0 :+ 5], iota(5, f64))
"""


@needs_compiler
def test_tiles_are_counted_and_blocks_know_their_place() -> None:
    formats = {"a": np.int32, "b": np.float16, "c": ml_dtypes.bfloat16, "d": np.int64, "e": np.uint8, "f": np.float64}
    extents = {"a": (8, 96), "b": (64,), "c": (8, 4), "d": (3,), "e": (256,), "f": (5,)}
    shapes = {name: (formats[name], *extents[name]) for name in formats}
    expected, got = both(kernel(COUNTED), {"s": 0.5, "n": 2}, shapes, "sm_80")
    for name in shapes:
        assert np.array_equal(expected[name], got[name]), name
    assert got["a"][0].tolist() == list(range(96))
    assert got["a"][3][0] == 123
    assert got["a"][4:6, :3].tolist() == [[1, 2, 3], [4, 5, 6]]


TALKING = """
kernel talking(x: f16[8, 12], y: i8[5], z: u1[40], w: u4[6], v: f6e3m2[8], s: bf16, n: i32):
    grid 2, 3
    warps 2
    print("100% sure, größer")
    p = load(x[0 :+ 8, 0 :+ 12])
    print("numbers", p, n, s, 7, -1.5)
    if block_index(1) == 1:
        print("others", load(y[0 :+ 5]), load(z[0 :+ 40]), n > 3, load(w[0 :+ 6]), load(v[0 :+ 8]))
"""


@needs_compiler
def test_a_program_prints_what_the_interpreter_prints() -> None:
    x = np.random.default_rng(5).standard_normal((8, 12)).astype(np.float16)
    x[0, :4] = [np.nan, np.inf, -0.0, 65504]
    given = {
        "x": x,
        "y": np.array([-128, 127, 0, 1, 2], np.int8),
        "z": np.arange(40) % 3 == 0,
        "s": 0.1,
        "n": 5,
        "w": PackedArray.from_codes(np.arange(6, dtype=np.uint8) * 3, "u4"),
        "v": PackedArray.from_codes(np.arange(8, dtype=np.uint8) * 9, "f6e3m2"),
    }
    made = kernel(TALKING)
    shown: list[list[str]] = []
    for backend in ("interpreter", "simulator"):
        with contextlib.redirect_stdout(io.StringIO()) as text:
            made(**given, backend=backend)
        # The interpreter runs many blocks at once; of each block the lines are in the order of the program.
        lines = re.split(r"\n(?=block)", text.getvalue().strip())
        shown.append(sorted(lines, key=lambda line: line.partition(":")[0]))
    assert shown[0] == shown[1]
    assert len(shown[0]) == 14


STOPPING = """
kernel stopping(x: i32[40], n: i32):
    grid 2
    warps 2
    t = load(x[0 :+ 40])
    assert(n < 5, "n is small")
    assert(t >= 0)
    if n == 4:
        trap("four")
"""


@needs_compiler
def test_a_launch_ends_where_the_interpreter_ends_it() -> None:
    made = kernel(STOPPING)
    for n, least, code in ((1, 0, None), (5, 0, "R013"), (1, -1, "R013"), (4, 0, "R014")):
        x = np.arange(least, least + 40, dtype=np.int32)[::-1].copy()
        found = []
        for backend in ("interpreter", "simulator"):
            try:
                made(x, n=n, backend=backend)
            except ExecutionError as error:
                found.append(error.diagnostics[0])
        assert [each.code for each in found] == [code] * len(found)
        assert len(found) == (0 if code is None else 2)
        if found:
            assert len({each.span.line for each in found if each.span}) == 1
            assert found[0].message.partition(" in ")[0] in found[1].message


@given(register_layouts())
def test_parts_by_thread_and_by_slot_number_the_elements(layout: Layout) -> None:
    by_thread, by_slot = element_numbers(layout)
    table = layout.thread_slot_to_flat()
    assert (table == np.add.outer(by_thread, by_slot)).all()
    owners = [
        thread
        for thread in range(layout.threads)
        if all(thread // weight % size == 0 for size, weight in repetitions(layout))
    ]
    assert sorted(by_thread[thread] for thread in owners) == sorted(set(by_thread))


@given(
    st.sampled_from([1, 3, 4, 6, 8, 16]),
    st.lists(st.integers(0, 40), max_size=3),
    st.integers(1, 100),
    st.integers(0, 40),
)
def test_whole_words_hold_the_slots_that_move(bits: int, gaps: list[int], count: int, shift: int) -> None:
    step = 32 // np.gcd(bits, 32)
    fro = [slot + shift * step // 2 for slot in range(count)]
    for gap in gaps:  # the rest comes from further on
        fro = [slot if number < gap * step else slot + gap * step for number, slot in enumerate(fro)]
    to = list(range(count))
    found = word_moves(bits, to, fro, count, fro[-1] + 1)
    if found is None:
        # The first slot that does not keep its place in a word, or a last word that others share.
        assert any((a - b) * bits % 32 for a, b in zip(to, fro, strict=True)) or shift * step // 2 % step
        return
    source = np.arange((fro[-1] + 1) * bits + 32)  # bits, each of another kind
    target = np.full(count * bits + 32, -1)
    for a, b in zip(*found, strict=True):
        target[32 * a : 32 * a + 32] = source[32 * b : 32 * b + 32]
    wanted = np.concatenate([np.arange(slot * bits, slot * bits + bits) for slot in fro])
    assert (target[: count * bits] == wanted).all()


def test_every_instruction_has_a_template_and_every_template_an_instruction() -> None:
    folder = resources.files("tilevm.codegen") / "templates" / "inst"
    written = {each.name.removesuffix(".cu.j2") for each in folder.iterdir()}
    assert {each.name for each in (*INSTRUCTIONS.values(), *OPERATORS.values())} == written
