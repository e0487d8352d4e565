"""What is wrong with a text that does not parse, line by line, so that one slip does not hide the next.

``diagnose`` cuts the text into lines, checks how their indentation fits together, and lets the parser read each line
that is not yet known to be wrong on its own, its body replaced by ``pass``. What the parser then stops at gets a name
by the words around it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from tilevm.errors import Diagnostic, Source, Span
from tilevm.frontend.lines import MAXIMUM_MISTAKES, Line, Word, cut
from tilevm.frontend.naming import name_slip
from tilevm.frontend.words import DEFINITIONS

__all__ = ["Failure", "diagnose"]

_HEADERS = frozenset({"kernel", "func", "for", "while", "if", "elif", "else", "def", "class"})


class Failure(NamedTuple):
    """Where the parser stopped, and the names of the terminals that it would have taken there."""

    offset: int
    accepts: frozenset[str]


Attempt = Callable[[str, int, str], tuple[Failure | None, list[Diagnostic]]]
"""Parses a text that starts at an offset of the source, as a rule of the grammar."""


def diagnose(source: Source, attempt: Attempt) -> list[Diagnostic]:
    """Everything that is found wrong, in order of place."""

    def fails_at(start: int, end: int) -> int | None:
        failures = [attempt(source.text[start:end], start, rule)[0] for rule in ("start", "line", "otherwise")]
        offsets = [failure.offset for failure in failures if failure is not None]
        return max(offsets) if len(offsets) == len(failures) else None

    found: list[Diagnostic] = []
    shape = _Shape(source)
    for line in cut(source, fails_at):
        found += line.problems
        misplaced = shape.problems(line)
        if not any(problem.code == "S007" for problem in line.problems):
            found += misplaced
        if not line.problems and not shape.adrift:
            found += _read(source, line, shape, attempt)
        if len(found) >= MAXIMUM_MISTAKES:
            break
    found += shape.without_body()
    return sorted(found, key=lambda each: each.span.start if each.span else 0)[:MAXIMUM_MISTAKES]


def _read(source: Source, line: Line, shape: _Shape, attempt: Attempt) -> list[Diagnostic]:
    """What the parser and the builder say about one line."""
    rule = "start" if shape.outermost else "otherwise" if line.first in ("else", "elif") else "line"
    body = " pass" if line.words[-1].text == ":" else ""
    failure, problems = attempt(source.text[line.start : line.end] + body, line.start, rule)
    if failure is None:
        # Read on its own a body has no place: where clauses and `return` stand is judged in the whole text.
        return [each for each in problems if each.code not in ("S026", "S027")]
    return [name_slip(source, line, failure.offset, failure.accepts, shape.outermost)]


@dataclass
class _Block:
    """An open block: its indentation, and the first word of its last line."""

    indentation: int
    last: str = ""


class _Shape:
    """How the indentation of the lines so far makes blocks.

    ``adrift`` tells that the last line follows a stray one at the top of the file, and so means nothing.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self.blocks: list[_Block] = []
        self.header: Line | None = None  # the last line, if a block should follow it
        self.misplaced: int | None = None  # the last indentation that was wrong: one report for lines that share it
        self.stray = self.adrift = False

    @property
    def outermost(self) -> bool:
        """Whether the last line stands at the top of the file."""
        return len(self.blocks) == 1

    def problems(self, line: Line) -> list[Diagnostic]:
        """Takes the next line in, and says what is wrong with its place."""
        found: list[Diagnostic] = []
        if not self.blocks:
            self.blocks.append(_Block(line.indentation))
        if line.indentation > self.blocks[-1].indentation:
            if self.header is None:
                found.append(self._unexpected_indent(line))
            self.blocks.append(_Block(line.indentation))
        else:
            found += self._closed(line)
        if self.outermost:
            self.adrift = (self.adrift or self.stray) and line.first not in (*DEFINITIONS, "def", "class")
            self.stray = line.first not in DEFINITIONS
        if line.first in ("elif", "else") and self.blocks[-1].last not in ("if", "elif") and not found:
            help = f"an `{line.first}` stands right after the body of an `if`, as far to the right as that `if`"
            found.append(self._note("S019", f"`{line.first}` without an `if`", line.words[0], help=help))
        else_if = line.first == "else" and len(line.words) > 1 and line.words[1].text == "if"
        self.blocks[-1].last = "elif" if else_if else line.first
        self.header = line if _opens(line) else None
        return found

    def _closed(self, line: Line) -> list[Diagnostic]:
        """Closes the blocks that a line is not within."""
        found = self.without_body()
        self.stray = self.stray or (self.outermost and bool(found))
        around = [block.indentation for block in self.blocks]
        inner = self.blocks[-1]
        while len(self.blocks) > 1 and line.indentation < self.blocks[-1].indentation:
            inner = self.blocks.pop()
        if line.indentation != self.blocks[-1].indentation:
            outermost = line.indentation < self.blocks[-1].indentation
            self.blocks = [_Block(line.indentation)] if outermost else [*self.blocks, inner]
            if line.indentation != self.misplaced:
                message = f"{line.indentation} spaces of indentation fit no block"
                help = f"the blocks around have {' or '.join(map(str, around))}"
                found.append(self._note("S006", message, line.words[0], help=help))
            self.misplaced = line.indentation
        return found

    def _unexpected_indent(self, line: Line) -> Diagnostic:
        message = "a line is indented more than the one before, which opens no block"
        help = f"indent with {self.blocks[-1].indentation} spaces, or end the line before with `:` if it opens a block"
        return self._note("S006", message, line.words[0], help=help)

    def without_body(self) -> list[Diagnostic]:
        """What to say if no body follows the last line, which may want one."""
        if self.header is None or self.header.first not in _HEADERS or self.header.words[-1].text != ":":
            return []
        help = "indent the lines of the body, or write `pass`"
        message = f"`{self.header.first}` has no body"
        return [self._note("S005", message, self.header.words[-1], label="indented lines follow here", help=help)]

    def _note(self, code: str, message: str, word: Word, *, label: str = "", help: str) -> Diagnostic:
        return Diagnostic(code, message, Span(self.source, word.start, word.end), label, help=help)


def _opens(line: Line) -> bool:
    """Whether a block follows: the line ends with a colon, or should have one."""
    depth, colon = 0, False
    for word in line.words:
        depth += (word.kind == "open") - (word.kind == "close")
        colon = colon or (word.text == ":" and depth <= 0)
    return line.words[-1].text == ":" or (line.first in _HEADERS and not colon)
