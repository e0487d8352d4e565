"""Diagnostics are rendered so that one sees where and why, and every code is explained and tested."""

from __future__ import annotations

import pickle
import re
from pathlib import Path

import pytest

from tilevm.errors import (
    Diagnostic,
    ProgramError,
    Related,
    Source,
    Span,
    TilevmError,
    UsageError,
    did_you_mean,
    explain,
)

ROOT = Path(__file__).parent.parent
SOURCES = [*ROOT.glob("tilevm/**/*.py"), *ROOT.glob("frontend/**/*.py"), *ROOT.glob("runtime/**/*.py")]
CODE = re.compile(r'"([A-Z]\d{3})"')


def codes_in(files: list[Path]) -> set[str]:
    return {code for file in files for code in CODE.findall(file.read_text(encoding="utf-8"))}


def explained() -> set[str]:
    pages = ROOT.glob("tilevm/explanations/*.md")
    return {code for page in pages for code in re.findall(r"^## (\w\d{3}):", page.read_text("utf-8"), re.MULTILINE)}


def test_every_code_in_the_source_is_explained_and_every_explained_one_is_used() -> None:
    used = codes_in(SOURCES)
    assert used - explained() == set()
    assert explained() - used == set()


def test_every_code_is_provoked_by_a_test() -> None:
    tests = list(ROOT.glob("tests/*.py"))
    text = "\n".join(file.read_text(encoding="utf-8") for file in tests)
    assert {code for code in explained() if code not in text} == set()


def test_explanations_stand_in_order_in_the_file_of_their_family() -> None:
    for page in ROOT.glob("tilevm/explanations/*.md"):
        codes = re.findall(r"^## (\w\d{3}):", page.read_text(encoding="utf-8"), re.MULTILINE)
        assert codes == sorted(set(codes)), page.name
        assert all(code.startswith(page.stem) for code in codes), page.name


def test_the_documentation_lists_every_code_with_its_title() -> None:
    page = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    for code in explained():
        title = explain(code).splitlines()[0].removeprefix("## ").partition(": ")[2]
        assert f"| `{code}` | {title} |" in page, code


def test_a_diagnostic_shows_the_lines_of_its_spans_in_order() -> None:
    source = Source("gemm.tvm", "a = 1\nw8 = load(ws)\nc = 2\nw6 = view(w8)\n")
    error = TilevmError(
        "L012",
        "`view` changes the number of bits",
        span=Span(source, 31, 35),
        label="18 bits",
        related=[Related(Span(source, 6, 8), "24 bits")],
        help="local(1, 4)",
    )
    assert str(error).splitlines() == [
        "error[L012]: `view` changes the number of bits",
        "  --> gemm.tvm:4:6",
        "  |",
        "2 | w8 = load(ws)",
        "  | -- 24 bits",
        "4 | w6 = view(w8)",
        "  |      ^^^^ 18 bits",
        "  |",
        "help: local(1, 4)",
    ]


def test_a_related_place_in_another_file_has_its_own_title() -> None:
    here, there = Source("a.tvm", "x = f(1)\n"), Source("b.tvm", "func f(a, b):\n")
    error = TilevmError("T001", "too few", span=Span(here, 4, 8), related=[Related(Span(there, 5, 6), "defined here")])
    assert "--> a.tvm:1:5" in str(error)
    assert "::: b.tvm:1:6" in str(error)
    assert "| " in str(error)


def test_carets_stand_under_the_text_behind_tabs_and_at_the_end_of_the_text() -> None:
    source = Source("t", "\tx = y\nend")
    lines = str(TilevmError("N001", "no", span=Span(source, 5, 6))).splitlines()
    assert lines[3].index("y") == lines[4].index("^")
    assert "^" in str(TilevmError("S001", "no", span=Span(source, 10, 10)))


def test_an_error_survives_pickling_with_its_diagnostics() -> None:
    error = ProgramError.of([Diagnostic("N001", "first"), Diagnostic("N002", "second", argument="x")])
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is ProgramError
    assert again.diagnostics == error.diagnostics
    assert str(again) == str(error)


def test_near_names_are_offered_and_far_ones_are_not() -> None:
    assert did_you_mean("storr", ["store", "load"]) == "did you mean `store`?"
    assert did_you_mean("zzz", ["store", "load"]) is None


def test_explaining_a_code_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(UsageError) as caught:
        explain("Z999")
    assert caught.value.code == "F001"
