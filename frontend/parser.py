"""Text to syntax tree.

The tree is built while Lark's LALR parser runs, so a right text is read once. Only a text that does not parse is looked
at again, line by line, to say what is wrong with each line (``slips.py``).

>>> module = parse(Source("double.tvm", "func double(x):\\n    return 2 * x\\n"))
>>> module.definitions[0].result.values[0]
Binary(operator='*', left=Number(value=2), right=Name(text='x'))
"""

from __future__ import annotations

import functools
import re
import threading
from importlib import resources
from typing import Any

from lark import Lark
from lark.exceptions import UnexpectedInput

from tilevm.errors import Diagnostic, ProgramError, Source, Span
from tilevm.frontend import slips, syntax
from tilevm.frontend.builder import Builder
from tilevm.frontend.indentation import Indentation, IndentationSlip
from tilevm.frontend.nesting import too_deep
from tilevm.frontend.words import DEFINITIONS

__all__ = ["parse"]

_LOCK = threading.Lock()
"""The builder holds the source of the text that is being parsed, so one thread parses at a time."""


_FIRST_TAB = re.compile(r"(?:[ \t]*(?:#[^\n]*)?\r?\n)* *\t[ \t]*[^\s#]")
"""A tab before the first word, which the line ends that `Indentation` sees do not show."""

_WORD = re.compile(r"\w+")


@functools.cache
def _parser() -> tuple[Lark, Builder]:
    """The parser and its callbacks; building the tables takes about 0.3 s."""
    grammar = (resources.files("tilevm.frontend") / "tilevm.lark").read_text(encoding="utf-8")
    builder = Builder()
    # Lark positions trees only, not what callbacks make: spans come from the tokens, which the grammar keeps.
    lark = Lark(
        grammar,
        start=["start", "otherwise", "line"],
        parser="lalr",
        lexer="contextual",
        postlex=Indentation(),
        transformer=builder,
        maybe_placeholders=True,
        propagate_positions=False,
    )
    return lark, builder


def parse(source: Source) -> syntax.Module:
    """The syntax tree of a text; an empty text is a module without definitions.

    Raises ``ProgramError`` with an S code for every mistake that is found.
    """
    with _LOCK:
        module, failure, problems = _attempt(source, source.text, 0, "start")
        if failure is not None or _FIRST_TAB.match(source.text):
            problems = slips.diagnose(source, lambda *part: _attempt(source, *part)[1:])
            if not problems:  # the lines are right each on its own, and yet not the text
                assert failure is not None
                problems = [_out_of_place(source, failure)]
    if module is not None and not problems:
        problems = too_deep(module)
    if module is None or problems:
        raise ProgramError.of(sorted(problems, key=lambda each: each.span.start if each.span else 0))
    return module


def _out_of_place(source: Source, failure: slips.Failure) -> Diagnostic:
    """A word where the text as a whole does not go on, although its line alone would."""
    found = _WORD.match(source.text, failure.offset)
    word = found[0] if found else ""
    span = Span(source, failure.offset, failure.offset + len(word))
    if word in DEFINITIONS:
        help = f"definitions stand at the top of a file; as the name of a variable choose `{word}_`"
        return Diagnostic("S003", f"`{word}` begins a definition, which cannot stand here", span, help=help)
    return Diagnostic("S003", f"`{word}` cannot stand here" if word else "this cannot stand here", span)


def _attempt(
    source: Source, text: str, offset: int, rule: str
) -> tuple[syntax.Module | None, slips.Failure | None, list[Diagnostic]]:
    """What a text that stands at an offset of the source gives as a rule of the grammar: a tree, or where it fails.

    The list holds what is wrong with a text that the grammar lets through.
    """
    lark, builder = _parser()
    builder.begin(source, offset)
    try:
        # Spaces after the last line would be an indentation.
        parsed: Any = lark.parse(text.rstrip(" \t\r\n"), start=rule)  # what the builder makes, not Lark's tree
        return parsed, None, builder.problems
    except UnexpectedInput as unexpected:
        place = unexpected.pos_in_stream
        state: Any = unexpected.interactive_parser
        accepts = frozenset(state.accepts())
        return None, slips.Failure(offset + (len(text) if place is None else place), accepts), builder.problems
    except IndentationSlip as slip:
        return None, slips.Failure(offset + slip.args[0], frozenset()), builder.problems
