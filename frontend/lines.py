"""A text that does not parse, cut into lines and words, so that each line can be judged on its own.

A *line* here is a logical one: it goes on while a bracket is open. Cutting never fails; what is wrong with characters,
brackets and strings becomes a diagnostic of the line.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from tilevm.errors import Diagnostic, Related, Source, Span
from tilevm.frontend.words import CLAUSES, DEFINITIONS

__all__ = ["MAXIMUM_MISTAKES", "Line", "Word", "cut"]

MAXIMUM_MISTAKES = 100
"""No more are looked for in one text."""

_WORD = re.compile(
    r"""
      (?P<space>[ \t]+|\#[^\n]*|\\\r?\n)
    | (?P<newline>\r?\n)
    | (?P<layout>\[[0-9, ]*\]\{[^{}\r\n]*\})
    | (?P<string>"(?:[^"\\\r\n]|\\[^\r\n])*"|'(?:[^'\\\r\n]|\\[^\r\n])*')
    | (?P<unterminated>["'][^\r\n]*)
    | (?P<number>\.?[0-9](?:[eE][+-](?=[0-9])|[0-9A-Za-z_]|\.(?![A-Za-z]))*)
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<foreign>&&|\|\||->|:=|!(?!=)|[?${}`])
    | (?P<operator>\*\*=|//=|<<=|>>=|:\+|\*\*|//|<<|>>|[-+*/%&|^]=|[=!<>]=|[-+*/%&|^~<>=@,.:;])
    | (?P<open>[\[(])
    | (?P<close>[\])])
    | (?P<odd>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_NUMBER = re.compile(
    r"0[xX][0-9a-fA-F]+(_[0-9a-fA-F]+)*|0[bB][01]+(_[01]+)*"
    r"|([0-9]+(_[0-9]+)*(\.([0-9]+(_[0-9]+)*)?)?|\.[0-9]+(_[0-9]+)*)([eE][+-]?[0-9]+)?"
)
_CLOSER = {"(": ")", "[": "]"}
_OF_OTHERS = {
    "&&": "write `and`",
    "||": "write `or`",
    "!": "write `not`",
    "?": "write `a if condition else b`",
    "->": "a function does not say what it returns",
    ":=": "assign on a line of its own, with `=`",
    "{": "a block is an indented part after `:`; a layout in braces stands right after its shape, `[4]{4:T1}`",
    "}": "a block ends where its indentation ends",
    "$": None,
    "`": None,
}
_BLANK = ("space", "newline")
_OPERANDS = ("name", "number", "string", "layout")
_NEVER_IN_BRACKETS = CLAUSES | DEFINITIONS | {"for", "while", "return"}


class Word(NamedTuple):
    """A piece of a line, ``text`` from ``start`` on."""

    kind: str
    text: str
    start: int

    @property
    def end(self) -> int:
        """Where the word ends."""
        return self.start + len(self.text)


@dataclass
class Line:
    """A logical line: at least one word, the spaces before the first, and what is wrong with them."""

    indentation: int
    words: list[Word]
    problems: list[Diagnostic] = field(default_factory=list)

    @property
    def start(self) -> int:
        """Where its first word starts."""
        return self.words[0].start

    @property
    def end(self) -> int:
        """Where its last word ends."""
        return self.words[-1].end

    @property
    def first(self) -> str:
        """Its first word."""
        return self.words[0].text


def cut(source: Source, fails_at: Callable[[int, int], int | None]) -> Iterator[Line]:
    """The lines of a text that hold words.

    Of a line with an open bracket ``fails_at(start, end)`` says where it stops to make sense: the line ends there, and
    no later than before a word that never stands within brackets.
    """
    words = [Word(match.lastgroup or "", match[0], match.start()) for match in _WORD.finditer(source.text)]
    place = unclosed = 0
    while place < len(words):
        if words[place].kind in _BLANK:
            place += 1
            continue
        stop = _end_of_line(words, place)
        stack: list[Word] = []
        for word in words[place:stop]:
            _follow(stack, word)
        if stack and unclosed < MAXIMUM_MISTAKES:
            unclosed += 1
            failure = fails_at(words[place].start, words[stop - 1].end)
            stop = _last_line_end(words, place, stop, failure)
        else:
            failure = None
        yield _line(source, [word for word in words[place:stop] if word.kind != "newline"], failure)
        place = stop


def _end_of_line(words: list[Word], place: int) -> int:
    """Where the logical line that starts at ``place`` ends, an open bracket closed or not."""
    stack: list[Word] = []
    for i in range(place, len(words)):
        _follow(stack, words[i])
        if words[i].kind == "newline":
            following = [word for word in words[i + 1 : i + 8] if word.kind not in _BLANK][:2]
            if not stack or words[i - 1].kind == "unterminated" or _starts_a_line(following):
                return i
    return len(words)


def _starts_a_line(words: list[Word]) -> bool:
    """Whether two words never stand in brackets beside each other in this order."""
    return len(words) == 2 and words[0].text in _NEVER_IN_BRACKETS and words[1].kind in _OPERANDS


def _last_line_end(words: list[Word], place: int, stop: int, failure: int | None) -> int:
    """The end of the last physical line before an offset, but of the first one at least."""
    ends = [i for i in range(place, stop) if words[i].kind == "newline"]
    if (
        failure is None
        or not ends
        or all(words[i].kind in _BLANK for i in range(place, stop) if words[i].end > failure)
    ):
        return stop
    return next((i for i in reversed(ends) if words[i].start < failure), ends[0])


def _follow(stack: list[Word], word: Word) -> bool:
    """Keeps the stack of open brackets, outermost first; False for a closer that does not match.

    Such a closer is taken to mean the nearest opener that it fits, or else to be a slip for the right one.
    """
    if word.kind == "open":
        stack.append(word)
    elif word.kind == "close":
        fitting = [i for i, each in enumerate(stack) if _CLOSER[each.text] == word.text]
        matches = bool(fitting) and fitting[-1] == len(stack) - 1
        del stack[fitting[-1] if fitting else max(0, len(stack) - 1) :]
        return matches
    return True


def _line(source: Source, words: list[Word], failure: int | None) -> Line:
    """A line, with what its characters and brackets do wrong."""
    before = source.text[source.text.rfind("\n", 0, words[0].start) + 1 : words[0].start]
    kept = [word for word in words if word.kind != "space"]
    line = Line(len(before.expandtabs(4)), kept)
    if "\t" in before:
        tab = words[0].start - len(before) + before.index("\t")
        _note(
            line,
            source,
            "S007",
            "a tab in the indentation",
            tab,
            tab + 1,
            help="indent with spaces, four for each block",
        )
    for i, word in enumerate(words):
        if word.kind != "odd" or all(other.text != word.text for other in words[:i]):
            _judge(source, line, word)
    if not any(word.kind == "unterminated" for word in words):
        _brackets(source, line, failure)
    return line


def _note(
    line: Line,
    source: Source,
    code: str,
    message: str,
    start: int,
    end: int,
    *,
    label: str = "",
    opener: Word | None = None,
    help: str | None = None,
) -> None:
    related = () if opener is None else (Related(Span(source, opener.start, opener.end), "opened here"),)
    line.problems.append(Diagnostic(code, message, Span(source, start, end), label, related=related, help=help))


def _judge(source: Source, line: Line, word: Word) -> None:
    """Notes a word that stands nowhere in the language."""
    kind, text, start = word
    if kind == "unterminated":
        help = f"end it with {text[0]} on the same line"
        _note(line, source, "S015", "a text without an end", start, start + 1, label="starts here", help=help)
    elif kind == "number" and not _NUMBER.fullmatch(text):
        help = "numbers are written as `12`, `1_000`, `0x1f`, `0b101`, `1.5`, `2e-3`; a name starts with a letter"
        _note(line, source, "S023", f"`{text}` is not a number", start, word.end, help=help)
    elif kind == "foreign":
        _note(line, source, "S010", f"there is no `{text}`", start, word.end, help=_OF_OTHERS[text])
    elif kind == "space" and text.startswith("\\"):
        help = "put the expression in brackets: within them it goes on over line ends"
        _note(line, source, "S021", "a backslash does not continue a line", start, start + 1, help=help)
    elif kind == "odd":
        message, help = _odd(text)
        _note(line, source, "S014", message, start, word.end, help=help)


def _odd(character: str) -> tuple[str, str]:
    """What to say about a character that is none of the language's."""
    name = unicodedata.name(character, "control character" if ord(character) < 32 else "no name")
    shown = f"`{character}` " if character.isprintable() else ""
    message = f"the character {shown}U+{ord(character):04X} ({name.lower()})"
    if character in "\u2018\u2019\u201c\u201d\u00ab\u00bb\u201e\u201a":
        return message, "quotes are `\"` or `'`"
    if character in "\u2010\u2011\u2012\u2013\u2014\u2212":
        return message, "minus is `-`"
    if character.isidentifier():
        return (
            message,
            "a name has the letters a to z and A to Z, digits and `_`; other letters stand in texts and comments",
        )
    if character == "\r":
        return message, "end lines with a line feed, U+000A"
    if character == "\ufeff":
        return message, "save the file as UTF-8 without a byte order mark"
    return message, "remove it, or put it in a text or a comment"


def _brackets(source: Source, line: Line, failure: int | None) -> None:
    """Notes closers that do not match, and the innermost bracket of those that stay open where the line fails."""
    stack: list[Word] = []
    for word in line.words:
        opener = stack[-1] if stack else None
        if not _follow(stack, word):
            message, help = f"`{word.text}` closes nothing", "remove it, or open the bracket before"
            if opener is not None:
                message = f"`{opener.text}` is closed by `{word.text}`"
                help = f"write `{_CLOSER[opener.text]}` before or here"
            _note(line, source, "S002", message, word.start, word.end, opener=opener, help=help)
    if stack:
        opener = stack[-1]
        closer = _CLOSER[opener.text]
        label = f"`{closer}` is missing here or before"
        message = f"`{opener.text}` is never closed"
        end = max((word.end for word in line.words if failure is not None and word.end <= failure), default=line.end)
        end = max(end, opener.end)
        help = f"close it with `{closer}`"
        _note(line, source, "S001", message, end, end, label=label, opener=opener, help=help)
