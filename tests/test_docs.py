"""Everything that the documentation shows is run.

In a page of `docs/` and in the README, fences are run in order, in one namespace for each page:

    ```python   a session with `>>>` prompts: a doctest; a fence without prompts is only text
    ```tvm      a program: it is loaded, every kernel of it is checked, and sessions below see it as `program`
    ```tvm wrong    a program that must be refused; the ```text fence after it is exactly what is shown
"""

from __future__ import annotations

import doctest
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tilevm
from tilevm.frontend import load_text
from tilevm.runtime.check import check_kernel

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```(\w+)?([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def fences(page: Path) -> list[tuple[str, str, str, int]]:
    """Language, the words after it, text and first line of each fence of a page."""
    text = page.read_text(encoding="utf-8")
    return [
        (match[1] or "", match[2].strip(), match[3], text.count("\n", 0, match.start()) + 2)
        for match in FENCE.finditer(text)
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_example_of_a_page_does_what_it_shows(page: Path) -> None:
    namespace: dict[str, Any] = {"np": np, "tilevm": tilevm}
    shown = fences(page)
    assert page.read_text(encoding="utf-8").startswith("# ")
    for place, (language, words, text, line) in enumerate(shown):
        if language == "tvm" and words == "wrong":
            with pytest.raises(tilevm.TilevmError) as caught:
                checked(text)
            assert shown[place + 1][0] == "text"
            assert str(caught.value).strip() == shown[place + 1][2].strip()
        elif language == "tvm":
            namespace["program"] = checked(text)
        elif language == "python" and ">>>" in text:
            run_session(text, namespace, page, line)


def checked(text: str) -> tilevm.Module:
    """A program of which every kernel has been specialised."""
    module = tilevm.Module(load_text(text, "example.tvm"), "example.tvm")
    for name in module:
        check_kernel(module[name], {})
    return module


def run_session(text: str, namespace: dict[str, Any], page: Path, line: int) -> None:
    """Runs a doctest session in the page's namespace."""
    test = doctest.DocTestParser().get_doctest(text, namespace, page.name, str(page), line)
    test.globs = namespace
    report: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    runner.run(test, out=report.append, clear_globs=False)
    assert runner.summarize(verbose=False).failed == 0, "".join(report)


def test_the_language_page_has_a_section_for_every_instruction() -> None:
    from tilevm.instruction import INSTRUCTIONS

    text = (ROOT / "docs" / "language.md").read_text(encoding="utf-8")
    own = [name for name, cls in INSTRUCTIONS.items() if cls.__module__.startswith("tilevm.")]
    missing = [name for name in own if not re.search(rf"`{name}\(", text)]
    assert not missing, missing
