"""Text becomes the syntax tree that it says, with the span of every node, whatever the layout of the text."""

from __future__ import annotations

import ast
import re
import threading
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lark import Lark

from tilevm.errors import ProgramError, Source, Span
from tilevm.frontend import syntax
from tilevm.frontend.indentation import Indentation
from tilevm.frontend.lines import _NUMBER
from tilevm.frontend.parser import parse
from tilevm.frontend.syntax import Name, Node, Number

ROOT = Path(__file__).parent.parent
PROGRAMS = sorted([*ROOT.glob("examples/*.tvm"), *ROOT.glob("tests/programs/*.tvm")])
NOWHERE = Span(Source("", ""), 0, 0)
HEADER = "kernel f(x: f32[N]):\n"


def read(text: str) -> syntax.Module:
    return parse(Source("test.tvm", text))


def expression(text: str) -> Any:
    """An expression, as an argument, where a layout may follow it."""
    (definition,) = read(f"{HEADER}    f({text})\n").definitions
    assert isinstance(definition, syntax.Kernel)
    (statement,) = definition.body
    assert isinstance(statement, syntax.Evaluate)
    return statement.call.arguments[0]


def statements(text: str) -> tuple[Any, ...]:
    """The statements of a body, given without indentation."""
    indented = "".join(f"    {line}\n" for line in text.splitlines())
    (definition,) = read(HEADER + indented).definitions
    assert isinstance(definition, syntax.Kernel)
    return definition.body


def kernel(text: str) -> syntax.Kernel:
    (definition,) = read(text).definitions
    assert isinstance(definition, syntax.Kernel)
    return definition


def nodes(node: Node) -> Iterator[Node]:
    """A node and all within it."""
    yield node
    for value in vars(node).values():
        for each in value if isinstance(value, tuple) else (value,):
            if isinstance(each, Node):
                yield from nodes(each)


def make(kind: type[Any], *arguments: Any) -> Any:
    return kind(*arguments, span=NOWHERE)


def name(text: str) -> Name:
    return make(Name, text)  # type: ignore[no-any-return]


A, B, C, D = (name(text) for text in "abcd")


# The grammar itself


def test_the_grammar_is_lalr_without_a_conflict_in_strict_mode() -> None:
    grammar = (resources.files("tilevm.frontend") / "tilevm.lark").read_text(encoding="utf-8")
    lark = Lark(
        grammar,
        start=["start", "line", "otherwise"],
        parser="lalr",
        lexer="contextual",
        postlex=Indentation(),
        maybe_placeholders=True,
        strict=True,
    )
    assert lark.parse("const A = 1\n", start="start").data == "start"


def test_a_number_is_the_same_to_the_grammar_and_to_its_errors() -> None:
    grammar = (resources.files("tilevm.frontend") / "tilevm.lark").read_text(encoding="utf-8")
    assert f"\nNUMBER: /{_NUMBER.pattern}/\n" in grammar


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_every_program_parses_and_its_names_are_where_they_say(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    module = read(text)
    assert module.definitions
    for node in nodes(module):
        assert 0 <= node.span.start < node.span.end <= len(text)
        if isinstance(node, Name):
            assert text[node.span.start : node.span.end] == node.text


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_the_span_of_an_expression_is_the_text_that_reads_as_it(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    count = 0
    for node in nodes(read(text)):
        if isinstance(node, syntax.Call | syntax.Binary | syntax.Subscript | syntax.Annotated | syntax.Unary):
            assert expression(text[node.span.start : node.span.end]) == node
            count += 1
    assert count > 3


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_how_a_text_is_laid_out_does_not_count(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    module = read(text)
    assert read(text.replace("\n", "\r\n")) == module
    assert read(text.rstrip("\n")) == module
    assert read("\n\n  # a comment\n" + text + "\n    \n  # the end") == module
    assert read(re.sub(r"^", "      ", text, flags=re.MULTILINE)) == module
    assert read(re.sub(r"^ +", lambda spaces: spaces[0] * 3, text, flags=re.MULTILINE)) == module
    assert read("\n".join(opened_lines(text))) == module


def opened_lines(text: str) -> Iterator[str]:
    """The lines of a text with an end and a comment after each opening parenthesis."""
    for line in text.splitlines():
        yield line if "#" in line or '"' in line else line.replace("(", "(   # open (\n\n ")


def test_the_programs_of_the_language_page_parse() -> None:
    page = (ROOT / "docs" / "language.md").read_text(encoding="utf-8")
    fences = re.findall(r"^```tvm\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert len(fences) > 5
    for fence in fences:
        assert read(fence).definitions


@pytest.mark.parametrize("text", ["", "\n", "# nothing\n", "   \n\t\n  # nothing"])
def test_a_text_without_definitions_is_an_empty_module(text: str) -> None:
    assert read(text).definitions == ()


# Expressions


EXPRESSIONS = {
    "a": A,
    "1": make(Number, 1),
    "True": make(syntax.Constant, True),
    "None": make(syntax.Constant, None),
    '"text"': make(syntax.String, "text"),
    "[a, 1]": make(syntax.ListLiteral, (A, make(Number, 1))),
    "[]": make(syntax.ListLiteral, ()),
    "(a,)": make(syntax.TupleLiteral, (A,)),
    "(a, b)": make(syntax.TupleLiteral, (A, B)),
    "()": make(syntax.TupleLiteral, ()),
    "(a)": A,
    "a.b.c": make(syntax.Attribute, make(syntax.Attribute, A, B), C),
    "a()": make(syntax.Call, A, (), ()),
    "a(b, c=d,)": make(syntax.Call, A, (B,), (make(syntax.Keyword, C, D),)),
    "a[b :+ c, :, None, d]": make(
        syntax.Subscript, A, (make(syntax.Window, B, C), make(syntax.Whole), make(syntax.NewAxis), D)
    ),
    "a[b][c]": make(syntax.Subscript, make(syntax.Subscript, A, (B,)), (C,)),
    "-a": make(syntax.Unary, "-", A),
    "not a": make(syntax.Unary, "not", A),
    "a if b else c": make(syntax.Conditional, B, A, C),
    "a if b else c if d else a": make(syntax.Conditional, B, A, make(syntax.Conditional, D, C, A)),
    "a or b @ c * d": make(syntax.Annotated, make(syntax.Binary, "or", A, B), make(syntax.Binary, "*", C, D)),
    "a if b else c @ d": make(syntax.Annotated, make(syntax.Conditional, B, A, C), D),
    "[16,16]{2:R2 8:T4 | 2:R4 4:T1 2:R1}": make(syntax.LayoutLiteral, "[16,16]{2:R2 8:T4 | 2:R4 4:T1 2:R1}"),
    "a @ [4]{4:T1}": make(syntax.Annotated, A, make(syntax.LayoutLiteral, "[4]{4:T1}")),
}


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_an_expression_is_the_tree_that_it_reads_as(text: str) -> None:
    assert expression(text) == EXPRESSIONS[text]


def test_parentheses_belong_to_the_span_and_not_to_the_tree() -> None:
    product = expression("(a + b) * c")
    text = product.span.source.text
    assert text[product.span.start : product.span.end] == "(a + b) * c"
    assert text[product.left.span.start : product.left.span.end] == "(a + b)"


BINARY = ["or", "and", "|", "^", "&", "<<", ">>", "+", "-", "*", "/", "//", "%", "**"]
COMPARISONS = ["==", "!=", "<", "<=", ">", ">="]
SYMBOLS: dict[type[Any], str] = {
    ast.Or: "or", ast.And: "and", ast.BitOr: "|", ast.BitXor: "^", ast.BitAnd: "&", ast.LShift: "<<", ast.RShift: ">>",
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%", ast.Pow: "**",
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=",
    ast.UAdd: "+", ast.USub: "-", ast.Invert: "~", ast.Not: "not",
}  # fmt: skip


def from_python(node: Any) -> Any:
    """The tree of a Python expression as ours, `a or b or c` from the left as all other operators."""
    match node:
        case ast.Name(id=text):
            return name(text)
        case ast.BoolOp(op=operator, values=[first, *others]):
            left = from_python(first)
            for each in others:
                left = make(syntax.Binary, SYMBOLS[type(operator)], left, from_python(each))
            return left
        case ast.BinOp(left=left, op=operator, right=right):
            return make(syntax.Binary, SYMBOLS[type(operator)], from_python(left), from_python(right))
        case ast.Compare(left=left, ops=[operator], comparators=[right]):
            return make(syntax.Binary, SYMBOLS[type(operator)], from_python(left), from_python(right))
        case ast.UnaryOp(op=operator, operand=operand):
            return make(syntax.Unary, SYMBOLS[type(operator)], from_python(operand))
        case ast.IfExp(test=test, body=body, orelse=otherwise):
            return make(syntax.Conditional, from_python(test), from_python(body), from_python(otherwise))
        case ast.Attribute(value=value, attr=text):
            return make(syntax.Attribute, from_python(value), name(text))
        case ast.Call(func=function, args=arguments):
            return make(syntax.Call, from_python(function), tuple(map(from_python, arguments)), ())
    raise AssertionError(ast.dump(node))


def joined(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Texts made of smaller ones without regard to precedence, but for comparisons, which do not chain here."""
    return st.one_of(
        st.builds("{} {} {}".format, parts, st.sampled_from(BINARY), parts),
        st.builds("({} {} {})".format, parts, st.sampled_from(COMPARISONS), parts).filter(unchained),
        st.builds("{}{}".format, st.sampled_from(["-", "+", "~", "not "]), parts),
        st.builds("({})".format, parts),
        st.builds("({} if {} else {})".format, parts, parts, parts),
        st.builds("({}).a".format, parts),
        st.builds("f({}, {})".format, parts, parts),
    )


def unchained(text: str) -> bool:
    try:
        tree = ast.parse(text, mode="eval")
    except SyntaxError:
        return True
    return all(len(node.ops) == 1 for node in ast.walk(tree) if isinstance(node, ast.Compare))


@given(st.recursive(st.sampled_from(["a", "b", "c"]), joined, max_leaves=12))
@settings(max_examples=250, deadline=None)
def test_operators_bind_as_in_python(text: str) -> None:
    try:
        expected = from_python(ast.parse(text, mode="eval").body)
    except SyntaxError:  # such as `a + not b`
        with pytest.raises(ProgramError):
            expression(text)
    else:
        assert expression(text) == expected


@given(
    st.one_of(
        st.integers(0, 2**70).map(str),
        st.integers(0, 2**70).map(hex),
        st.integers(0, 2**20).map(bin),
        st.integers(1000, 2**40).map("{:_}".format),
        st.floats(0, allow_infinity=False).map(repr),
        st.from_regex(r"[1-9][0-9]{0,3}(\.[0-9]{0,4})?([eE][+-]?[0-9]{1,2})?", fullmatch=True),
        st.from_regex(r"\.[0-9]{1,4}", fullmatch=True),
    )
)
@settings(max_examples=150, deadline=None)
def test_a_number_is_what_python_reads(text: str) -> None:
    expected = ast.literal_eval(text)
    node = expression(text)
    assert isinstance(node, Number)
    assert type(node.value) is type(expected)
    assert node.value == expected


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"])), st.sampled_from("\"'"))
@settings(max_examples=100, deadline=None)
def test_a_text_holds_any_character(value: str, quote: str) -> None:
    escaped = value.replace("\\", "\\\\").replace(quote, "\\" + quote)
    assert expression(quote + escaped + quote) == make(syntax.String, value)


def test_escapes_are_resolved() -> None:
    assert expression(r'"a\n\t\r\0\\\"\'b"').value == "a\n\t\r\0\\\"'b"


# Statements


STATEMENTS = {
    "a = b": (make(syntax.Assign, (A,), (B,)),),
    "a, b = c": (make(syntax.Assign, (A, B), (C,)),),
    "a, b = c, d": (make(syntax.Assign, (A, B), (C, D)),),
    "a = b; c = d;": (make(syntax.Assign, (A,), (B,)), make(syntax.Assign, (C,), (D,))),
    "a = b @ c": (make(syntax.Assign, (A,), (make(syntax.Annotated, B, C),)),),
    "a(b)": (make(syntax.Evaluate, make(syntax.Call, A, (B,), ())),),
    "pass": (make(syntax.Pass),),
    "while a: pass": (make(syntax.While, A, (make(syntax.Pass),)),),
    "while a:\n    pass\n    b = c": (make(syntax.While, A, (make(syntax.Pass), make(syntax.Assign, (B,), (C,)))),),
    "for a in range(b, stages=c): pass": (
        make(syntax.For, A, (B,), (make(syntax.Keyword, name("stages"), C),), (make(syntax.Pass),)),
    ),
    "for a in [b, c]: pass": (make(syntax.ForEach, A, (B, C), (make(syntax.Pass),)),),
    "if a: pass": (make(syntax.If, A, (make(syntax.Pass),), ()),),
    "if a:\n  pass\nelif b: pass\nelse:\n     c = d": (
        make(
            syntax.If,
            A,
            (make(syntax.Pass),),
            (make(syntax.If, B, (make(syntax.Pass),), (make(syntax.Assign, (C,), (D,)),)),),
        ),
    ),
    "if a:\n  if b:\n    pass\n  else:\n    pass\nc = d": (
        make(syntax.If, A, (make(syntax.If, B, (make(syntax.Pass),), (make(syntax.Pass),)),), ()),
        make(syntax.Assign, (C,), (D,)),
    ),
}


@pytest.mark.parametrize("text", STATEMENTS)
def test_a_statement_is_the_tree_that_it_reads_as(text: str) -> None:
    assert statements(text) == STATEMENTS[text]


@pytest.mark.parametrize("operator", ["+", "-", "*", "/", "//", "%", "**", "&", "|", "^", "<<", ">>"])
def test_every_operator_has_an_augmented_assignment(operator: str) -> None:
    assert statements(f"a {operator}= b") == (make(syntax.AugmentedAssign, A, operator, B),)


def test_the_span_of_a_statement_with_a_body_is_its_header() -> None:
    (loop,) = statements("for i in range(3):\n    a = b")
    text = loop.span.source.text
    assert text[loop.span.start : loop.span.end] == "for i in range(3):"
    (branch,) = statements("if a:\n    pass\nelif b:\n    pass")
    (other,) = branch.otherwise
    assert text[: other.span.start].count("\n") < other.span.line
    assert other.span.source.text[other.span.start : other.span.end] == "elif b:"


# Definitions


def test_imports_constants_and_layouts() -> None:
    module = read(
        'import "a.tvm" as a\nfrom "b.tvm" import b, c\nconst a = 1\nlayout b = c\nlayout c(a, b) = a\nlayout d() = a\n'
    )
    assert module.definitions == (
        make(syntax.Import, make(syntax.String, "a.tvm"), A),
        make(syntax.FromImport, make(syntax.String, "b.tvm"), (B, C)),
        make(syntax.Const, A, make(Number, 1)),
        make(syntax.LayoutDefinition, B, None, C),
        make(syntax.LayoutDefinition, C, (A, B), A),
        make(syntax.LayoutDefinition, D, (), A),
    )


def test_a_function_ends_with_its_return() -> None:
    both, nothing, one_line = read(
        "func a(b, c=d):\n    d = b\n    return d, c @ b\nfunc b():\n    a(1)\nfunc c(): return a\n"
    ).definitions
    assert isinstance(both, syntax.Function)
    assert isinstance(nothing, syntax.Function)
    assert isinstance(one_line, syntax.Function)
    assert both.parameters == (make(syntax.FunctionParameter, B, None), make(syntax.FunctionParameter, C, D))
    assert both.body == (make(syntax.Assign, (D,), (B,)),)
    assert both.result == make(syntax.Return, (D, make(syntax.Annotated, C, B)))
    assert nothing.result is None
    assert one_line.body == ()
    assert one_line.result == make(syntax.Return, (A,))


def test_the_header_of_a_kernel() -> None:
    found = kernel(
        "kernel a[b, c = 1, W: dtype, L: layout = b * c,](\n"
        "    x: W[N, N // 2] @ b, inout y: f32[1], out z: f32, s: f32,\n): pass\n"
    )
    sizes = (name("N"), make(syntax.Binary, "//", name("N"), make(Number, 2)))
    assert found.name == A
    assert found.compile_time == (
        make(syntax.CompileTimeParameter, B, None, None),
        make(syntax.CompileTimeParameter, C, None, make(Number, 1)),
        make(syntax.CompileTimeParameter, name("W"), name("dtype"), None),
        make(syntax.CompileTimeParameter, name("L"), name("layout"), make(syntax.Binary, "*", B, C)),
    )
    assert found.parameters == (
        make(syntax.Parameter, name("x"), "in", name("W"), sizes, B),
        make(syntax.Parameter, name("y"), "inout", name("f32"), (make(Number, 1),), None),
        make(syntax.Parameter, name("z"), "out", name("f32"), None, None),
        make(syntax.Parameter, name("s"), "in", name("f32"), None, None),
    )
    assert found.span.source.text[found.span.start : found.span.end].endswith("):")


def test_clauses_stand_before_the_statements_in_their_order() -> None:
    clauses = ["grid a, b", "warps c", "tune a in b, c", 'require a < b, "why"', "require (a)"]
    found = kernel("\n    ".join(["kernel f():", *clauses, "a = b"]))
    assert found.clauses == (
        make(syntax.Grid, (A, B)),
        make(syntax.Warps, C),
        make(syntax.Tune, A, (B, C)),
        make(syntax.Require, make(syntax.Binary, "<", A, B), make(syntax.String, "why")),
        make(syntax.Require, A, None),
    )
    assert found.body == (make(syntax.Assign, (A,), (B,)),)


@pytest.mark.parametrize("word", ["out", "inout", "layout", "kernel", "func", "import", "as", "const", "from", "range"])
def test_a_word_of_one_place_is_a_name_elsewhere(word: str) -> None:
    (assignment,) = statements(f"{word} = {word} + {word}({word}={word})")
    assert assignment.targets == (name(word),)
    assert kernel(f"kernel {word}[{word}](out {word}: f32, {word}: {word}): pass").name == name(word)


@pytest.mark.parametrize("word", ["grid", "warps", "tune", "require"])
def test_a_clause_is_a_name_in_an_expression(word: str) -> None:
    assert expression(f"{word}(1, {word})").function == name(word)


@pytest.mark.parametrize(
    "word", ["int", "class", "template", "float", "switch", "register", "_", "__x", "lambda", "is"]
)
def test_words_of_other_languages_are_names(word: str) -> None:
    (assignment,) = statements(f"{word} = 1")
    assert assignment.targets == (name(word),)


def test_deep_blocks_and_long_texts_parse() -> None:
    depth = syntax.MAXIMUM_DEPTH - 6
    text = "".join(f"{'    ' * i}if a:\n" for i in range(depth)) + "    " * depth + "a = 1"
    assert sum(isinstance(node, syntax.If) for node in nodes(statements(text)[0])) == depth
    assert expression("(" * 5000 + "a" + ")" * 5000) == A
    assert len(statements("\n".join("a = b" for _ in range(2000)))) == 2000


def test_threads_may_parse_at_the_same_time() -> None:
    found: dict[int, set[str]] = {}

    def work(number: int) -> None:
        source = Source(f"{number}.tvm", f"const a{number} = b{number}\n" * 20)
        module = [parse(source) for _ in range(10)]
        found[number] = {node.span.source.name for each in module for node in nodes(each)}

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {number: {f"{number}.tvm"} for number in range(4)}
