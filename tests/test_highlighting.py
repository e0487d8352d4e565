"""The two highlighters colour every program, and their words are the grammar's."""

from __future__ import annotations

import importlib
import json
import re
import tomllib
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from lark.lexer import PatternStr
from pygments.token import Comment, Error, Keyword, Name, Number, Operator, String

from tilevm.dtypes import dtype
from tilevm.frontend import parser, words
from tilevm.frontend.highlighting import TilevmLexer

ROOT = Path(__file__).parent.parent
PROGRAMS = sorted([*ROOT.glob("examples/*.tvm"), *ROOT.glob("tests/programs/*.tvm")])
WORDS = words.DEFINITIONS | words.CLAUSES | words.STATEMENTS | words.OPERATORS | words.CONSTANTS


def editor_grammar() -> dict[str, Any]:
    text = (resources.files("tilevm.frontend") / "tilevm.tmLanguage.json").read_text(encoding="utf-8")
    grammar: dict[str, Any] = json.loads(text)
    return grammar


def rules(node: Any) -> Iterator[dict[str, Any]]:
    """Every object of a TextMate grammar."""
    if isinstance(node, dict):
        yield node
        for each in node.values():
            yield from rules(each)
    elif isinstance(node, list):
        for each in node:
            yield from rules(each)


def kinds(text: str) -> dict[str, Any]:
    """The kind of token of each word of a text."""
    return {value: token for token, value in TilevmLexer().get_tokens(text)}


def test_the_words_are_those_of_the_grammar() -> None:
    lark, _ = parser._parser()
    in_grammar = {str(t.pattern.value) for t in lark.terminals if isinstance(t.pattern, PatternStr)}
    assert {word for word in in_grammar if word.isalpha()} == WORDS


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_every_program_is_tokens_without_an_error(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    tokens = list(TilevmLexer(stripnl=False, ensurenl=False).get_tokens(text))
    assert "".join(value for _, value in tokens) == text
    assert [value for token, value in tokens if token is Error] == []


def test_words_are_keywords_only_where_they_mean_something() -> None:
    header = kinds("kernel f(out y: f6e3m2[N]):\n    grid 1\n    warps 4\n")
    assert header["kernel"] is Keyword.Declaration
    assert header["f"] is Name.Function
    assert header["out"] is Keyword
    assert header["f6e3m2"] is Keyword.Type
    assert header["grid"] is Keyword
    assert header["warps"] is Keyword
    assert kinds("    a = warps(2, 2) * grid\n") == kinds("    a = warps(2, 2) * grid\n") | {
        "warps": Name.Function,
        "grid": Name,
        "a": Name,
    }


def test_literals_and_operators_have_their_kinds() -> None:
    found = kinds("x = [4]{4:T1} + 1.5 * 0x1f // 2 ** n and True  # why\ny = 'a' + \"b\"")
    assert found["[4]{4:T1}"] is String.Other
    assert found["1.5"] is Number.Float
    assert found["0x1f"] is Number.Hex
    assert found["2"] is Number.Integer
    assert found["//"] is Operator
    assert found["and"] is Operator.Word
    assert found["True"] is Keyword.Constant
    assert found["# why"] is Comment.Single
    assert found["'a'"] is String
    assert found['"b"'] is String


def test_pygments_is_told_of_the_lexer() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    module, _, name = project["entry-points"]["pygments.lexers"]["tilevm"].partition(":")
    assert getattr(importlib.import_module(module), name) is TilevmLexer
    assert TilevmLexer.aliases == ["tilevm", "tvm"]
    assert TilevmLexer.filenames == ["*.tvm"]


def test_the_editor_grammar_compiles_and_its_parts_exist() -> None:
    grammar = editor_grammar()
    assert grammar["scopeName"] == "source.tilevm"
    assert grammar["fileTypes"] == ["tvm"]
    patterns = [
        rule[key] for rule in rules(grammar) for key in ("match", "begin", "end") if isinstance(rule.get(key), str)
    ]
    assert len(patterns) > 15
    for pattern in patterns:
        re.compile(pattern)
    included = {rule["include"].removeprefix("#") for rule in rules(grammar) if "include" in rule}
    assert included == set(grammar["repository"])


def test_the_editor_grammar_knows_the_words_of_the_language_and_no_others() -> None:
    parts = editor_grammar()["repository"]
    matches = [rule["match"] for name in ("definition", "word") for rule in rules(parts[name]) if "match" in rule]
    listed = {
        word for match in matches for group in re.findall(r"\(([a-z|A-Z]+)\)", match) for word in group.split("|")
    }
    assert listed == WORDS | words.ACCESS


@pytest.mark.parametrize(
    "name", ["u1", "i32", "f16", "bf16", "tf32", "f64", "f6e3m2", "f8e4m3fnuz", "ue4m3", "e8m0", "nf4", "trit"]
)
def test_both_highlighters_know_the_number_formats(name: str) -> None:
    assert dtype(name).name
    assert kinds(f"a = zeros({name}, [4])")[name] is Keyword.Type
    assert re.fullmatch(editor_grammar()["repository"]["format"]["match"], name)
