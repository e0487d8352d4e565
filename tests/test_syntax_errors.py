"""What is said about a text that is not a program: which mistakes, where, and what to do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tilevm.errors import Diagnostic, ProgramError, Source
from tilevm.frontend.lines import MAXIMUM_MISTAKES
from tilevm.frontend.parser import parse
from tilevm.frontend.syntax import MAXIMUM_DEPTH

ROOT = Path(__file__).parent.parent
PROGRAMS = [path.read_text(encoding="utf-8") for path in sorted(ROOT.glob("examples/*.tvm"))]


def mistakes(text: str) -> tuple[Diagnostic, ...]:
    """What is wrong with a text; at least one thing is."""
    with pytest.raises(ProgramError) as caught:
        parse(Source("wrong.tvm", text))
    return caught.value.diagnostics


def the_one(text: str) -> Diagnostic:
    found = mistakes(text)
    assert len(found) == 1, "\n".join(each.render() for each in found)
    return found[0]


def marked(diagnostic: Diagnostic) -> str:
    """The text that carries the carets."""
    assert diagnostic.span is not None
    return diagnostic.span.source.text[diagnostic.span.start : diagnostic.span.end]


# Each case: the body of a kernel with the mistake between two marks, the code, and a part of the help line. Marks
# around nothing are a place between two characters.
IN_A_BODY = [
    # brackets
    ("a = load(x[m :+ BM]»«\nb = a", "S001", "close it with `)`"),
    ("a = load(x[m :+ BM]»«\nb = f(a))", "S001", "close it with `)`"),
    ("a = f(1,\n  2»«\nfor i in range(3):\n    b = 1", "S001", "close it with `)`"),
    ("a = [1, 2»«", "S001", "close it with `]`"),
    ("a = load(x[m :+ BM»)«", "S002", "write `]` before or here"),
    ("a = load(x[m»)«\nb = 1", "S002", "write `]` before or here"),
    ("a = f(b»]«", "S002", "write `)` before or here"),
    ("a = f(b)»)«", "S002", "remove it"),
    # words in wrong places
    ("a = f(b)»:«", "S003", None),
    ("y = (a »@« b)", "S003", "a matrix product is `dot(a, b, acc)`"),
    ("a = m »:+« 3", "S003", "a window stands in a subscript"),
    # blocks
    ("for i in range(3)»«\n    a = 1", "S004", "write `for i in range(start, stop, step):`"),
    ("while a < b»«\n    a = 1", "S004", "write `while condition:`"),
    ("if a»«\n    a = 1", "S004", "write `if condition:`"),
    ("if a:\n    a = 1\nelse»«\n    a = 1", "S004", "write `else:`"),
    ("if a:\n    a = 1\nelif b»«\n    a = 1", "S004", "write `elif condition:`"),
    ("for i in range(3)»:«\na = 1", "S005", "write `pass`"),
    ("if a»:«", "S005", "write `pass`"),
    ("if a:\n    b = 1\nelse»:«\n# c", "S005", "write `pass`"),
    ("a = 1\n    »b« = 2\nc = 3", "S006", "indent with 4 spaces"),
    ("if a:\n        b = 1\n    »c« = 2\nd = 3", "S006", "the blocks around have 0 or 4 or 12"),
    ("if a:\n»\t«b = 1", "S007", "indent with spaces"),
    # windows
    ("a = load(x[»m : BM«])", "S008", "`m :+ BM` is a window of BM elements from m"),
    ("a = load(x[1, »m : m + BM«, 2])", "S008", "`m :+ BM` is a window of BM elements from m"),
    ("a = load(x[»f(m, 1) : 4«])", "S008", "`f(m, 1) :+ 4` is a window"),
    ("a = load(x[»: BM«])", "S008", "`0 :+ BM` is a window"),
    ("a = load(x[»m :«])", "S008", "`m :+ size` is a window"),
    # other languages
    ("»def« g(a):\n    b = a", "S009", "`func name(…):`"),
    ("a = b »&&« c", "S010", "write `and`"),
    ("a = b »||« c", "S010", "write `or`"),
    ("a = »!«b", "S010", "write `not`"),
    ("a = b »?« c : d", "S010", "write `a if condition else b`"),
    ("a»++«", "S010", "write `name += 1`"),
    ("a»--«", "S010", "write `name -= 1`"),
    ("if a »=« 3:\n    b = 1", "S011", "write `==` to compare"),
    ("while f(a) »=« 3:\n    b = 1", "S011", "write `==` to compare"),
    ("a = b »=« 3", "S011", "write a statement for each name"),
    ("f(a + b »=« 3)", "S011", "write `==` to compare"),
    ("while a:\n    »break«", "S012", "use `while` with a condition"),
    ("while a:\n    if b: »continue«", "S012", "use `while` with a condition"),
    ("a = »0 < b <= c«", "S013", "write `0 < b and b <= c`"),
    ("while »a == b == c«:\n    a = 1", "S013", "write `a == b and b == c`"),
    # characters
    ("»ü« = 1", "S014", "a name has the letters a to z"),
    ("a = »“«b", "S014", "quotes are"),
    ("a = b »–« c", "S014", "minus is `-`"),
    ("a = b»\0«", "S014", "remove it"),
    ("a = b »¼«", "S014", "remove it"),
    ("a = b»\r«; c = d", "S014", "line feed"),
    ("a = b»\u00a0«+ c", "S014", "remove it"),
    ('f(»"«abc, 1)', "S015", 'end it with " on the same line'),
    ("f(»'«abc\", 1)\nb = 2", "S015", "end it with ' on the same line"),
    # names
    ("»for« = 3", "S016", "`for_`"),
    ("a = »in« + 1", "S016", "`in_`"),
    ("»def« = 1", "S016", "`def_`"),
    ("»warps« = 4", "S016", "the clause has no `=`: `warps number`"),
    ("»grid« += 1", "S016", "the clause has no `=`"),
    ("a = b.»if«", "S016", "`if_`"),
    # neighbours
    ("f(a »b«)", "S017", "write `,` after `a`"),
    ("a = x[1 »2«]", "S017", "write `,` after `1`"),
    ("f(a, b=3 »c«=4)", "S017", "write `,` after `3`"),
    ("f(a,\n  b\n      »c«)", "S017", "write `,` after `b`"),
    ("a = 1 »b« = 2", "S018", "`;`"),
    ("f(a) »g«(b)", "S018", "`;`"),
    ("int »x« = 3", "S018", None),
    ("fro »i« in range(3):\n    a = 1", "S018", "did you mean `for`?"),
    ("if a:\n    b = 1\nelse »if« b:\n    b = 2\nelse:\n    b = 3", "S019", "write `elif condition:`"),
    ("a = 1\n»else«:\n    b = 1", "S019", "right after the body of an `if`"),
    ("for i in range(2):\n    b = 1\n»elif« a:\n    b = 1", "S019", "right after the body of an `if`"),
    ("for i »range«(3):\n    a = 1", "S020", "write `for i in range(start, stop, step):`"),
    ("for i »=« 0:\n    a = 1", "S020", "write `for i in range"),
    ("tune BM »=« 16, 32", "S020", "write `tune NAME in value, value`"),
    ("a = b + »\\«\n    c", "S021", "put the expression in brackets"),
    # numbers, texts
    ("a = »1abc«", "S023", "numbers are written as"),
    ("a = »0x«", "S023", "numbers are written as"),
    ("a = »1__0«", "S023", "numbers are written as"),
    ("a = »1.2.3«", "S023", "numbers are written as"),
    ("a = »007«", "S023", "write `7`"),
    ("a = »1e999«", "S023", "infinity is `inf`"),
    (f"a = »{'1' * 5000}«", "S023", "write fewer digits"),
    ("a = »'x\\q'«", "S033", "a backslash itself is"),
    # statements
    ("»x[0 :+ 4]« = b", "S024", "`store(x[0 :+ 4], b)`"),
    ("»f(x)« = 2", "S024", "only a name can be assigned"),
    ("»None« = 2", "S024", "only a name can be assigned"),
    ("»a.b« += 2", "S024", "only a name can be assigned"),
    ("»a == 3«", "S025", "`a = 3`"),
    ("»a, b«", "S025", "give it a name"),
    ("»++a«", "S025", "give it a name"),
    ("a = 1\n»warps 4«", "S026", "at the top of a kernel"),
    ("if a:\n    »require b«", "S026", "at the top of a kernel"),
    ("»return a«", "S027", "it writes with `store`"),
    ("»const« a = 1", "S028", "move it to the top of the file"),
    ("»func« g(a):\n    b = a", "S028", "move it to the top of the file"),
    ('»import« "a.tvm" as a', "S028", "move it to the top of the file"),
    ("f(a=1, »2«)", "S029", "put it before `a=1`"),
    ("f(a=1, »a«=2)", "S029", "remove one"),
    ("for i in »x«:\n    a = 1", "S031", "`for i in range(start, stop, step):`"),
    ("for i in »range()«:\n    a = 1", "S031", "`range(stop)`"),
    ("»a, b = 1, 2, 3«", "S032", "as many values as names"),
    ("»a = 1, 2«", "S032", "as many values as names"),
    ("»a, b += 1«", "S032", "write one statement for each"),
    # something missing
    ("a =»«", "S034", None),
    ("a = b +»«", "S034", None),
    ("a = »*« b", "S034", None),
    ("f(»,«)", "S034", None),
    ("f(a, b + »)«", "S034", None),
    ("a = b.»«", "S034", None),
    ("f(a), »=« 3", "S034", None),
    ("if »:«\n    a = 1", "S034", "write `if condition:`"),
    ("return»«", "S034", "write `return value, value`"),
    ("»grid 1, 2, 3, 4«", "S035", "one to three axes"),
]


@pytest.mark.parametrize(("body", "code", "help"), IN_A_BODY, ids=[f"{case[1]}-{case[0][:30]}" for case in IN_A_BODY])
def test_a_slip_in_a_body_is_named_at_its_place(body: str, code: str, help: str | None) -> None:
    text = "kernel f(x: f32[N]):\n" + "".join(f"    {line}\n" for line in body.split("\n")).replace("    »\t", "»\t")
    start, end = text.index("»"), text.index("«") - 1
    found = the_one(text.replace("»", "").replace("«", ""))
    assert (found.code, found.span and (found.span.start, found.span.end)) == (code, (start, end))
    if help is not None:
        assert help in (found.help or "")


AT_THE_TOP = [
    ("kernel f(x: f32[N])»«\n    grid 1\n", "S004", "write `kernel name["),
    ("func f(x)»«\n    return x\n", "S004", "write `func name(a, b = default):`"),
    ("kernel f(x: f32[N]»«:\n    grid 1\n", "S001", "close it with `)`"),
    ("kernel f[A: dtype](\n        x: A[N],\n        y: A[N]»«\n    grid 1\n    a = 1\n", "S001", "close it with `)`"),
    ("kernel f(x: f32)»:«\ngrid 1\nwarps 2\n", "S005", "write `pass`"),
    ("func f()»:«", "S005", "write `pass`"),
    ("kernel f(x: f32):\n    a = 1\n  »b« = 2\n", "S006", "the blocks around have 0 or 4"),
    ("    kernel f(x: f32):\n        a = 1\n»const« b = 2\n", "S006", "the blocks around have 4"),
    ("»\t«kernel f(x: f32): pass\n", "S007", "indent with spaces"),
    ("\n# first\n»\t«kernel f(x: f32): pass\n", "S007", "indent with spaces"),
    ("»def« f(x):\n    a = x\n", "S009", "a kernel is `kernel name(…):`"),
    ("»class« F:\n    a = 1\n", "S009", "a kernel is `kernel name(…):`"),
    ("kernel f(x: f32) »->« f32:\n    a = x\n", "S010", "does not say what it returns"),
    ("kernel f(x: f32) »{«\n    a = x\n", "S010", "a block is an indented part"),
    ("»\ufeff«const a = 1\n", "S014", "without a byte order mark"),
    ("const »if« = 1\n", "S016", "`if_`"),
    ("kernel f(x: f32[N] »out« y: f32):\n    a = x\n", "S017", "write `,` after `]`"),
    ("const a = 1 »b«\n", "S018", "`;`"),
    ("func f():\n    »return 1«\n    a = 2\n", "S027", "as its last line"),
    ("func f(a):\n    if a:\n        »return 1«\n    return 2\n", "S027", "as its last line"),
    ("func f():\n    »grid 1«\n", "S026", "at the top of a kernel"),
    ("»a« = 1\nb = 2\nfor i in range(3):\n    c = 1\n", "S028", "`const NAME = value`"),
    ("»kernal« f(x: f32):\n    a = x\n", "S028", "did you mean `kernel`?"),
    ("»%«%\n", "S028", "`const NAME = value`"),
    ("kernel f(»x«, y: f32): pass\n", "S030", "`x: f32[N]` is a tensor"),
    ("kernel f(x: f32[»:«]): pass\n", "S030", "every dimension has a size"),
    ("kernel f(x: f32 @ »l«): pass\n", "S030", "`x: f32[size, …] @ layout`"),
    ("kernel f(»in« x: f32): pass\n", "S030", "what is only read has no mark"),
    ("kernel f(»output« x: f32): pass\n", "S030", "`out` is written"),
    ("import »numpy«\n", "S003", 'write `import "file.tvm" as name`'),
    ('import "a.tvm"»«\n', "S034", 'write `import "file.tvm" as name`'),
    ('from "a.tvm" import »*«\n', "S034", 'write `from "file.tvm" import a, b`'),
    ("const a»«\n", "S034", "write `const NAME = value`"),
    ("kernel »(«x: f32): pass\n", "S034", "write `kernel name["),
    ("kernel f»:«\n    a = 1\n", "S003", "write `kernel name["),
    ("layout l(a, »1«) = b\n", "S034", "write `layout name = expression"),
]


@pytest.mark.parametrize(("text", "code", "help"), AT_THE_TOP, ids=[f"{case[1]}-{case[0][:30]}" for case in AT_THE_TOP])
def test_a_slip_at_the_top_is_named_at_its_place(text: str, code: str, help: str) -> None:
    start, end = text.index("»"), text.index("«") - 1
    found = the_one(text.replace("»", "").replace("«", ""))
    assert (found.code, found.span and (found.span.start, found.span.end)) == (code, (start, end))
    assert help in (found.help or "")


@pytest.mark.parametrize("word", ["const", "layout", "func", "kernel", "import"])
def test_a_word_of_definitions_in_a_body_says_where_it_belongs(word: str) -> None:
    text = f"kernel k(x: f32[N]):\n    grid 1\n    {word} = 3\n    a = load(x[0 :+ 3])\n"
    with pytest.raises(ProgramError) as caught:
        parse(Source("k.tvm", text))
    assert str(caught.value).splitlines() == [
        f"error[S003]: `{word}` begins a definition, which cannot stand here",
        "  --> k.tvm:3:5",
        "  |",
        f"3 |     {word} = 3",
        f"  |     {'^' * len(word)}",
        "  |",
        f"help: definitions stand at the top of a file; as the name of a variable choose `{word}_`",
    ]


def test_a_bracket_is_shown_where_it_was_opened() -> None:
    unclosed = the_one("kernel f(x: f32):\n    a = load(x[1]\n    b = 1\n")
    (opener,) = unclosed.related
    assert (opener.span.line, opener.span.column, opener.label) == (2, 13, "opened here")
    mismatched = the_one("const a = f(x[1)\n")
    assert [each.span.column for each in mismatched.related] == [14]


def test_a_character_is_shown_with_its_number() -> None:
    assert "`é` U+00E9 (latin small letter e with acute)" in the_one("const é = 1\n").message
    assert "U+0000 (control character)" in the_one("const a\0 = 1\n").message


def test_an_error_reads_as_a_person_would_say_it() -> None:
    with pytest.raises(ProgramError) as caught:
        parse(Source("scale.tvm", "kernel scale(x: f32[N], out y: f32[N]):\n    grid 1\n    a = load(x[0 : 32])\n"))
    assert str(caught.value).splitlines() == [
        "error[S008]: a part of a tensor is an offset and a size, not a start and an end",
        "  --> scale.tvm:3:16",
        "  |",
        "3 |     a = load(x[0 : 32])",
        "  |                ^^^^^^",
        "  |",
        "help: `0 :+ 32` is a window of 32 elements from 0",
    ]


def test_every_wrong_line_is_reported_and_no_right_one() -> None:
    text = """\
const a = 1 +
kernel f[A: dtype](x: A[N], out y: A[N]):
    grid cdiv(N, 4)
    warps = 4
    m = block_index(0
    for i in range(3)
        b = load(x[m : 4])
        if b == 2:
            c = b »
        else if b:
            c = 1
        else:
            d = 1abc
    e = 1
        g = 2
kernel g(x):
    a = (1, 2]
    b = 1
    break
func h(a):
    return a < b < c
"""
    found = [(each.span.line if each.span else 0, each.code) for each in mistakes(text)]
    assert found == [
        (1, "S034"), (4, "S016"), (5, "S001"), (6, "S004"), (7, "S008"), (9, "S014"), (10, "S019"), (13, "S023"),
        (15, "S006"), (16, "S030"), (17, "S002"), (19, "S012"), (21, "S013"),
    ]  # fmt: skip


def test_a_text_that_parses_reports_all_that_the_grammar_lets_through() -> None:
    text = "kernel f(in x: f32):\n    a = 0 < b < c\n    warps 4\n    x[0] = 1\n    break\n"
    assert [each.code for each in mistakes(text)] == ["S030", "S013", "S026", "S024", "S012"]


DEEP = {
    "operators": "a = " + "+".join("a" * 3000),
    "signs": "a = " + "-" * 50_000 + "1",
    "lists": "a = " + "[" * 3000 + "]" * 3000,
    "calls": "a = " + "f(" * 3000 + ")" * 3000,
    "attributes": "a = a" + ".a" * 3000,
    "conditions": "a = " + "1 if a else " * 3000 + "1",
    "branches": "if a: pass\n    " + "elif a: pass\n    " * 3000,
    "blocks": "\n".join("    " * (i > 0) + "   " * i + "if a:" for i in range(300)) + "\n" + " " * 2000 + "pass",
}


@pytest.mark.parametrize("body", DEEP.values(), ids=DEEP)
def test_nesting_is_limited(body: str) -> None:
    found = the_one(f"kernel f(x: f32):\n    {body}\n")
    assert (found.code, f"{MAXIMUM_DEPTH} levels" in found.message) == ("S022", True)
    assert "give parts names" in (found.help or "")


def test_as_many_levels_as_are_promised_parse() -> None:
    # kernel, assignment, and the rest are sums: each term is one level deeper than the one after it
    terms = MAXIMUM_DEPTH - 2
    parse(Source("", f"kernel f(x: f32):\n    a = {'+'.join('a' * terms)}\n"))
    assert the_one(f"kernel f(x: f32):\n    a = {'+'.join('a' * (terms + 1))}\n").code == "S022"


@pytest.mark.parametrize(
    "piece", ["(", "f(\n", "a = [\n", ")", '"', "é ", "1a ", "for i in (\n", "\\\n", "if a:\n", "kernel f(\n"]
)
def test_thousands_of_slips_are_reported_up_to_a_limit(piece: str) -> None:
    found = mistakes("kernel f(x: f32):\n    " + piece * 3000)
    assert 1 <= len(found) <= MAXIMUM_MISTAKES


PIECES = [
    *"()[]:,=@#\\{}\"'.;~éx1\n\t\r\0",
    *[
        ":+",
        "==",
        "**",
        " not ",
        "0x",
        "1e",
        "    ",
        "\n    ",
        " if ",
        " else ",
        "\nelse:",
        " for ",
        " in ",
        "\nkernel ",
    ],
    *["\nfunc f(", " return ", " layout ", "def f():", "&&", "\r\n", "pass", "elif a:"],
]
EDIT = st.tuples(st.floats(0, 1), st.integers(0, 6), st.sampled_from(["", *PIECES]))


@given(st.sampled_from(PROGRAMS), st.lists(EDIT, min_size=1, max_size=4))
@settings(max_examples=120, deadline=None)
def test_a_damaged_program_is_a_program_or_an_error_with_places(text: str, edits: list[tuple[float, int, str]]) -> None:
    for where, length, piece in edits:
        place = int(where * len(text))
        text = text[:place] + piece + text[place + length :]
    check(text)


def check(text: str) -> None:
    """A text parses, or what is wrong has codes of syntax and places in it, in order."""
    source = Source("any.tvm", text)
    try:
        module = parse(source)
    except ProgramError as raised:
        error = raised
    else:
        assert parse(source) == module
        return
    assert all(re.fullmatch(r"S\d\d\d", each.code) for each in error.diagnostics)
    spans = [each.span for each in error.diagnostics if each.span is not None and each.span.source is source]
    assert len(spans) == len(error.diagnostics)
    assert all(0 <= span.start <= span.end <= len(text) for span in spans)
    assert [span.start for span in spans] == sorted(span.start for span in spans)
    assert str(error).count("error[S") >= len(spans)


@given(st.text(max_size=60))
@settings(max_examples=100, deadline=None)
def test_any_text_is_a_module_or_an_error(text: str) -> None:
    check(text)
