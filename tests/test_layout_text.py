"""Layouts as text: what is printed is read back, expressions mean their products, and mistakes are shown in place."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import memory_layouts, memory_patterns, register_layouts, swizzles

from tilevm.atoms import ATOMS, wgmma_accumulator
from tilevm.errors import LayoutError
from tilevm.layout import Layout, Xor
from tilevm.layout_constructors import column_local, local, rep, row_major, spatial, warps
from tilevm.layout_expression import expression
from tilevm.layout_text import CONSTRUCTORS, METHODS, NAMES, layout, memory_pattern, parse
from tilevm.memory_pattern import MemoryPattern, blocks

laws = settings(max_examples=100, deadline=None)


@given(register_layouts())
@laws
def test_what_is_printed_is_read_back(drawn: Layout) -> None:
    assert parse(str(drawn)) == drawn
    assert eval(repr(drawn), {"layout": layout}) == drawn
    shown = expression(drawn)
    assert shown is None or parse(shown) == drawn


@given(memory_layouts(widths=(1, 4, 16)), swizzles())
@laws
def test_what_is_printed_of_memory_is_read_back(drawn: Layout, xor: Xor) -> None:
    assert parse(str(drawn)) == drawn
    shown = expression(drawn)
    assert shown is None or parse(shown) == drawn
    swizzled = drawn.swizzled(xor)
    again = layout(str(swizzled))
    assert (again, again.dims, again.xor) == (swizzled, swizzled.dims, swizzled.xor)


@given(memory_patterns())
@laws
def test_what_is_printed_of_a_pattern_is_read_back(pattern: MemoryPattern) -> None:
    assert parse(str(pattern)) == pattern
    assert eval(repr(pattern), {"memory_pattern": memory_pattern}) == pattern


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["local", "spatial", "column_local", "column_spatial"]),
            st.integers(1, 4),
            st.integers(1, 4),
        ),
        min_size=1,
        max_size=4,
    )
)
@laws
def test_an_expression_means_its_product_and_is_found_again(factors: list[tuple[str, int, int]]) -> None:
    product = CONSTRUCTORS[factors[0][0]](*factors[0][1:])
    for name, m, n in factors[1:]:
        product = product * CONSTRUCTORS[name](m, n)
    assert layout(" * ".join(f"{name}({m}, {n})" for name, m, n in factors)) == product
    assert layout(expression(product)) == product


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("column_local(2,2) * spatial(8,4) * local(1,2)", ATOMS["m16n8k16"].a),
        ("  mma.m16n8k16.a\n", ATOMS["m16n8k16"].a),
        ("warps(2, 2) * mma.m16n8k32.b", warps(2, 2) * ATOMS["m16n8k32"].b),
        ("wgmma.accumulator(64)", wgmma_accumulator(64)),
        ("local(2,\n   2) *\n   spatial(8, 4)  # a comment", local(2, 2) * spatial(8, 4)),
        ("local(64 // 8, 2 + 3 * 2 - 4)", local(8, 4)),
        ("local(10 % 8)", local(2)),
        ("mma.m16n8k16.c.reduce(-1)", ATOMS["m16n8k16"].c.reduce(1)),
        ("(local(4, 4) * spatial(8, 4)) / spatial(8, 4)", local(4, 4)),
        ("(local(4, 4) * spatial(8, 4)).ldiv(local(4, 4)).permute(1, 0)", spatial(8, 4).permute(1, 0)),
        ("spatial(32).reshape(8, 4).unsqueeze(0).squeeze(0)", spatial(8, 4)),
        ("spatial(8, 1).broadcast(1, 4).slice(dim=1, start=0, size=2)", spatial(8, 1).broadcast(1, 2)),
        ("local(2).concat(local(3), 0)", local(5)),
        ("spatial(8) * local(3) * [1]{1}", spatial(8) * local(3)),
        ("(spatial(8) * local(3)).view(8, 6)", spatial(8) * local(4)),
        ("local(2, 1) * [8,4]{8:T4 | 4:T1} * rep(2)", local(2, 1) * spatial(8, 4) * rep(2)),
        ("row_major(4, 8, width=6)", row_major(4, 8, width=6)),
        ("row_major(4, 8).scaled(6)", row_major(4, 8, width=6)),
        ("[4,8]{4:B8 | 8:B1}", row_major(4, 8)),
        ("[2]{2:B1; 1 bit}", row_major(2)),
        ("[]{}", local()),
        ("[]{; rep 4:T1}", rep(4)),
        ("[ 2 , 1 ] { 2:R1|1 }", local(2, 1)),
        ("[16]{8:R2 2:R1}", local(16)),
    ],
)
def test_texts_and_what_they_mean(text: str, expected: Layout) -> None:
    assert layout(text) == expected


def test_patterns_and_what_they_mean() -> None:
    assert parse("row_major") == NAMES["row_major"]
    assert (
        parse("blocks(16, 16) * mma.m16n8k16.a")
        == parse("packed(mma.m16n8k16.a)")
        == blocks(16, 16) * ATOMS["m16n8k16"].a
    )
    assert str(parse("packed(mma.m16n8k16.a)")) == "blocks(16, 16) * column_local(2, 2) * spatial(8, 4) * local(1, 2)"
    inexpressible = Layout([[(2, "R", 1), (2, "T", 2)], [(2, "T", 1), (2, "R", 2)]])
    assert expression(inexpressible) is None
    assert str(parse(f"packed({inexpressible})")) == f"blocks(4, 4) * {inexpressible}"
    assert memory_pattern("strides(64, 1)").bind((4, 64), 8) == row_major(4, 64, width=8)


def test_expressions_are_as_short_as_a_person_writes_them() -> None:
    for text in (
        "column_local(2, 2) * spatial(8, 4) * local(1, 2)",
        "local(2, 1) * column_spatial(4, 8) * local(2, 1)",
        "spatial(4, 1) * column_local(2, 8) * spatial(8, 4) * local(1, 2)",
        "rep(4) * local(1, 2)",
        "rep(2) * local(1, 1)",
        "rep(2)",
        "local()",
        "local(1, 1)",
        "row_major(4, 8, width=6)",
        "column_major(4, 8)",
    ):
        assert expression(layout(text)) == text


def mistake(text: str, code: str) -> tuple[str, str]:
    """The message of a refused text, and the part of the text that it points at."""
    with pytest.raises(LayoutError) as error:
        parse(text)
    (diagnostic,) = error.value.diagnostics
    assert diagnostic.code == code, diagnostic
    assert diagnostic.span is not None
    assert diagnostic.span.source.text == text
    return str(error.value), text[diagnostic.span.start : diagnostic.span.end]


@pytest.mark.parametrize(
    ("text", "code", "place", "said"),
    [
        ("lokal(2) * spatial(4)", "L014", "lokal", "did you mean `local`?"),
        ("lokal(2)\n* spatial(4)", "L014", "lokal", "did you mean `local`?"),
        ("local(2) *\n  spatail(4)", "L014", "spatail", "did you mean `spatial`?"),
        ("mma.m16n8k17.a", "L014", "mma.m16n8k17", "did you mean `m16n8k16`?"),
        ("mma.m16n8k16.d", "L014", "mma.m16n8k16.d", "known are a, b, c"),
        ("local(2).redcue(0)", "L014", "local(2).redcue", "did you mean `reduce`?"),
        ("local(2).__class__", "L014", "local(2).__class__", "unknown name"),
        ("local(2, 2) * local(2)", "L004", "local(2, 2) * local(2)", "dimensions"),
        ("local(0, 2)", "L015", "local(0, 2)", "sizes of at least 1"),
        ("local('2')", "L013", "'2'", "cannot stand"),
        ("local(spatial(2))", "L015", "local(spatial(2))", "write local(*shape)"),
        ("packed(4)", "L015", "packed(4)", "write packed(order)"),
        ("local(2).ldiv(2)", "L015", "local(2).ldiv(2)", "ldiv"),
        ("rep(2, 3)", "L015", "rep(2, 3)", "write rep(count)"),
        ("swizzle(3, 4)", "L015", "swizzle(3, 4)", "write swizzle(bits, base, shift)"),
        ("swizzle(3, 4, 1)", "L017", "swizzle(3, 4, 1)", "shift >= bits"),
        ("local", "L015", "local", "needs arguments"),
        ("mma.m16n8k16.a(3)", "L015", "mma.m16n8k16.a(3)", "takes no arguments"),
        ("mma", "L013", "mma", "is not a layout"),
        ("4 * 4", "L013", "4 * 4", "is not a layout"),
        ("local(2) + local(2)", "L013", "local(2) + local(2)", "this operator"),
        ("local(2) * 2", "L013", "local(2) * 2", "this operator"),
        ("row_major * local(2)", "L013", "row_major * local(2)", "this operator"),
        ("swizzle(1, 4, 3) * local(2)", "L013", "swizzle(1, 4, 3) * local(2)", "this operator"),
        ("local(4 // 0)", "L013", "4 // 0", "this operator"),
        ("local(2 ** 3)", "L013", "2 ** 3", "this operator"),
        ("local(99999999999999999999)", "L013", "99999999999999999999", "cannot stand"),
        (
            "local(4611686018427387000 * 4611686018427387000)",
            "L013",
            "4611686018427387000 * 4611686018427387000",
            "this operator",
        ),
        ("[local(2)]", "L013", "[local(2)]", "cannot stand"),
        ("local(*[2])", "L013", "*[2]", "cannot stand"),
        ("local(**x)", "L013", "local(**x)", "`**`"),
        ("local(2) if 1 else local(3)", "L013", "local(2) if 1 else local(3)", "cannot stand"),
        ("[16]{8:R2 2:Q1}", "L013", "2:Q1", "a digit is"),
        ("[16]{8:R2 2:R1; repp 2:T1}", "L013", "repp 2:T1", "after `;`"),
        ("[16]{8:B2 2:B1; xor 7}", "L013", "xor 7", "after `;`"),
        ("[16]{8:R2 4:R1}", "L002", "[16]{8:R2 4:R1}", "every one of its slots"),
        ("local(1) * [16]{4:R2 2:R1}", "L013", "[16]{4:R2 2:R1}", "count a shape of [8], not [16]"),
        ("local(4) * ", "L013", " ", "not a layout"),
        ("", "L013", "", "not a layout"),
        ("local(2) * spåtial(2)", "L013", "å", "not part of a layout"),
    ],
)
def test_a_mistake_is_shown_where_it_is(text: str, code: str, place: str, said: str) -> None:
    message, shown = mistake(text, code)
    assert said in message
    assert shown == place


@pytest.mark.parametrize(
    "text", ["(" * 5000, "local(2)" + " * local(1)" * 20000, "(" * 150 + "local(2)" + ")" * 150, "local(2) \0"]
)
def test_deep_or_odd_texts_are_refused_or_read(text: str) -> None:
    try:
        found, code = parse(text), ""
    except LayoutError as error:
        found, code = local(2), error.code
    assert found == local(2)
    assert code in ("", "L013")


def test_layouts_and_patterns_are_not_taken_for_each_other() -> None:
    for ask, text in ((layout, "swizzle(3, 4, 3)"), (memory_pattern, "local(2)")):
        with pytest.raises(LayoutError) as error:
            ask(text)
        assert error.value.code == "L013"


def test_an_error_of_an_operator_points_at_the_whole_operation() -> None:
    text = "column_local(2, 2) / local(2, 2)"
    message, place = mistake(text, "L005")
    assert place == text
    assert "dividend" in message


def test_the_tables_name_what_they_call() -> None:
    assert all(function.__name__ == name for name, function in CONSTRUCTORS.items())
    assert all(callable(getattr(column_local(2), name)) for name in METHODS)
