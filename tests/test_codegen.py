"""What emission is made of: names, constants, expressions, tables, slots."""

from __future__ import annotations

import math
import re
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import register_layouts

from tilevm.codegen.environment import quoted
from tilevm.codegen.expressions import expression
from tilevm.codegen.indexing import closed_form, digits_of
from tilevm.codegen.literals import literal
from tilevm.codegen.naming import Names, comment
from tilevm.codegen.slots import slots_of
from tilevm.codegen.storage import storage
from tilevm.dtypes import BF16, F16, F32, F64, I32, U32, dtype
from tilevm.layout import Layout
from tilevm.sizes import OPERATORS, Operation, Size, Symbol, evaluate, operation
from tilevm.values import Literal

ROOT = Path(__file__).parent.parent
SCOPE = {"thread", "lane", "warp", "shared"}
"""What every kernel has in scope; programs cannot have these names."""
IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
TABLES = st.lists(st.integers(-50, 50), min_size=1, max_size=24)


def computed(text: str, **names: Any) -> Any:
    """A C++ expression of integers, computed by Python."""

    class Table:
        def __class_getitem__(cls, values: tuple[int, ...]) -> Any:
            return type("At", (), {"at": staticmethod(lambda i: values[i])})

    text = re.sub(r"tv::Table<([^>]*)>::at", r"Table[\1,].at", text).replace("tv::", "").replace("/", "//")
    text = text.replace("&&", " and ").replace("||", " or ").replace("!(", " not (")
    functions = {
        "floor_div": lambda a, b: a // b,
        "rem": lambda a, b: a % b,
        "cdiv": lambda a, b: -(-a // b),
        "min": min,
        "max": max,
    }
    return eval(text, {"Table": Table, **functions, **names})


@given(TABLES)
def test_the_expression_of_a_table_gives_the_table(table: list[int]) -> None:
    written = closed_form(table, "i")
    assert [computed(written, i=i) for i in range(len(table))] == table


@given(st.lists(st.tuples(st.integers(2, 4), st.integers(0, 9)), max_size=4), st.integers(0, 5))
def test_a_mixed_radix_is_recognised(digits: list[tuple[int, int]], start: int) -> None:
    table = [start]
    for size, stride in digits:
        table = [value + step * stride for step in range(size) for value in table]
    assert digits_of(table) is not None
    assert "Table" not in closed_form(table, "i")


@given(
    st.lists(st.text(max_size=8) | st.sampled_from(["int", "x", "x_2", "tv", "thread", "TV_LINE", "2x"]), max_size=20)
)
def test_names_are_identifiers_and_given_once(wanted: list[str]) -> None:
    names = Names()
    given_out = [names.fresh(each) for each in wanted]
    assert len(set(given_out)) == len(given_out)
    for name in given_out:
        assert IDENTIFIER.fullmatch(name)
        assert not name.startswith(("TV_", "tv_"))
        assert name not in ("int", "tv", "thread")
        assert "__" not in name


def test_locals_of_templates_end_in_an_underscore_which_no_name_of_a_program_does() -> None:
    declared = re.compile(r"\b(?:int|bool|float|double|auto|tv::[us]\d+)\b[*& const]*\b((?!const\b)[a-z]\w*)\b(?! *\()")
    for path in sorted((ROOT / "codegen" / "templates").rglob("*.j2")):
        text = re.sub(r"\{#.*?#\}|\{%.*?%\}", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        text = re.sub(r"\{\{.*?\}\}", "@", text, flags=re.DOTALL)
        for found in declared.finditer(text):
            name = found[1]
            assert name.endswith("_") or name in SCOPE or text[found.end()] == "@", f"{path.name}: {found[0]}"


@given(st.text())
def test_a_comment_ends_with_its_line_and_a_string_is_one_string(text: str) -> None:
    written = comment(text)
    assert written.isascii()
    assert written.isprintable() or not written
    assert not written.endswith("\\")
    literal_text = quoted(text)
    assert re.fullmatch(r'"(?:[^"\\?\x00-\x1f]|\\[0-7]{3})*"', literal_text)
    back = re.sub(rb"\\([0-7]{3})", lambda found: bytes([int(found[1], 8)]), literal_text[1:-1].encode())
    assert back.decode(errors="surrogatepass") == text


@given(st.floats(width=32))
def test_an_f32_constant_keeps_its_bits(value: float) -> None:
    written = literal(Literal(value, F32))
    if found := re.fullmatch(r"tv::as_f32\(0x([0-9a-f]+)u\)", written):
        bits = int(found[1], 16)
    else:
        assert re.fullmatch(r"-?\d+(\.\d+)?(e[+-]\d+)?f", written)
        (bits,) = struct.unpack("<I", struct.pack("<f", float(written[:-1])))
    wanted = np.float32(value)
    assert bits == wanted.view(np.uint32) or (math.isnan(value) and np.isnan(np.uint32(bits).view(np.float32)))


def test_constants_of_other_formats() -> None:
    assert literal(Literal(1.0, F16)) == "0x3c00u"
    assert literal(Literal(-0.0, BF16)) == "0x8000u"
    assert literal(Literal(0.1, F64)) == "0.1"
    assert literal(Literal(-5, I32)) == "-5"
    assert literal(Literal(2**32 - 1, U32)) == "4294967295u"
    assert literal(Literal(-3, dtype("i4"))) == "0xdu"
    assert literal(Literal(-1, dtype("i64"))) == "tv::s64(0xffffffffffffffffull)"
    assert literal(Literal(1.5, dtype("f4e2m1"))) == "0x3u"


SIZES: st.SearchStrategy[Size] = st.recursive(
    st.integers(-9, 9) | st.sampled_from([Symbol("K"), Symbol("N")]),
    lambda inner: st.builds(
        lambda name, a, b: Operation(name, (a, b)),
        st.sampled_from(["+", "-", "*", "//", "%", "cdiv", "min", "max", "<", "=="]),
        inner,
        inner,
    ),
    max_leaves=6,
)


@given(SIZES, st.integers(1, 99), st.integers(1, 99))
def test_a_size_in_cpp_is_the_size(size: Size, k: int, n: int) -> None:
    try:
        wanted = evaluate(size, {"K": k, "N": n})
    except Exception:
        return  # a division by zero, which a launch refuses
    assert int(computed(expression(size), K=k, N=n)) == wanted
    assert int(computed(expression(size, {"K": "K_2", "N": "N"}), K_2=k, N=n)) == wanted


def test_every_operator_of_sizes_has_a_cpp_form() -> None:
    for name, (strength, _) in OPERATORS.items():
        operands = (Symbol("K"),) if name in ("not", "negative") else (Symbol("K"), 3)
        assert expression(operation(name, *operands)), strength


@settings(max_examples=60, deadline=None)
@given(register_layouts())
def test_slots_of_the_same_layout_are_the_identity(layout: Layout) -> None:
    elements = np.arange(math.prod(layout.shape), dtype=np.int64).reshape(layout.shape)
    assert slots_of(layout, layout, elements) == tuple(range(layout.slots))


@pytest.mark.parametrize("name", ["u1", "u3", "i4", "f6e3m2", "f16", "i8", "f32", "tf32", "i64", "f64", "nf4"])
def test_the_array_of_a_tile_holds_every_slot(name: str) -> None:
    held = storage(dtype(name))
    for slots in range(1, 40):
        length = held.array_length(slots)
        if held.packed:
            assert 32 * (length - 1) < slots * held.dtype.bits <= 32 * length
        else:
            assert length == slots
