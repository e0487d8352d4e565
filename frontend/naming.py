"""A name for what a line does wrong, from the word at which the parser stopped and those around it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tilevm.errors import Diagnostic, Related, Source, Span, did_you_mean
from tilevm.frontend.lines import Line, Word
from tilevm.frontend.words import CLAUSES, CONSTANTS, DEFINITIONS, RESERVED

__all__ = ["name_slip"]

_OPERANDS = ("name", "number", "string", "layout")
_FORMS = {
    "import": 'import "file.tvm" as name',
    "from": 'from "file.tvm" import a, b',
    "const": "const NAME = value",
    "layout": "layout name = expression, or layout name(a, b) = expression",
    "func": "func name(a, b = default):",
    "kernel": "kernel name[COMPILE_TIME = default](x: f32[N], out y: f32[N]):",
    "for": "for i in range(start, stop, step):",
    "while": "while condition:",
    "if": "if condition:",
    "elif": "elif condition:",
    "else": "else:",
    "grid": "grid blocks, blocks",
    "warps": "warps number",
    "tune": "tune NAME in value, value",
    "require": 'require condition, "message"',
    "return": "return value, value",
}


@dataclass(frozen=True)
class Stop:
    """Where the parser stopped in a line: ``word`` is None at the end of it."""

    source: Source
    line: Line
    place: int
    accepts: frozenset[str]
    outermost: bool

    @property
    def word(self) -> Word | None:
        return self.line.words[self.place] if self.place < len(self.line.words) else None

    @property
    def before(self) -> Word | None:
        return self.line.words[self.place - 1] if self.place else None

    @property
    def text(self) -> str:
        return "" if self.word is None else self.word.text

    @property
    def openers(self) -> list[Word]:
        """The brackets that are open here."""
        stack: list[Word] = []
        for word in self.line.words[: self.place]:
            if word.kind == "open":
                stack.append(word)
            elif word.kind == "close" and stack:
                stack.pop()
        return stack

    @property
    def span(self) -> Span:
        """The word, or the place after the last one."""
        if self.word is None:
            return Span(self.source, self.line.end, self.line.end)
        return Span(self.source, self.word.start, self.word.end)

    @property
    def form(self) -> str | None:
        """How the line is written, as a help line."""
        form = _FORMS.get(self.line.first)
        return f"write `{form}`" if form else None

    def note(self, code: str, message: str, help: str | None, span: Span | None = None, label: str = "") -> Diagnostic:
        """A diagnostic at the word, or elsewhere."""
        return Diagnostic(code, message, span or self.span, label, help=help)


def name_slip(source: Source, line: Line, offset: int, accepts: frozenset[str], outermost: bool) -> Diagnostic:
    """The diagnostic for a line in which the parser stopped at an offset of the source."""
    place = next((i for i, word in enumerate(line.words) if word.end > offset), len(line.words))
    stop = Stop(source, line, place, accepts, outermost)
    return next(found for rule in _RULES if (found := rule(stop)) is not None)


def _foreign_definition(stop: Stop) -> Diagnostic | None:
    first = stop.line.words[0]
    second = stop.line.words[1].kind if len(stop.line.words) > 1 else ""
    if first.text not in ("def", "class", "fn", "function") or second != "name":
        return None
    help = "a kernel is `kernel name(…):`, a function that kernels call is `func name(…):`"
    return stop.note("S009", f"`{first.text}` defines nothing here", help, Span(stop.source, first.start, first.end))


def _place_of_definition(stop: Stop) -> Diagnostic | None:
    first = stop.line.words[0]
    span = Span(stop.source, first.start, first.end)
    if stop.outermost and first.text not in DEFINITIONS:
        help = "statements stand in a `kernel` or a `func`; a value at the top of a file is `const NAME = value`"
        help = _near_word(first.text, DEFINITIONS - {"as"}) or help
        return stop.note("S028", f"`{first.text}` starts no definition", help, span)
    second = stop.line.words[1] if len(stop.line.words) > 1 else None
    if not stop.outermost and first.text in DEFINITIONS and second is not None and second.kind in ("name", "string"):
        help = "move it to the top of the file, without indentation"
        return stop.note("S028", f"a `{first.text}` within a definition", help, span)
    return None


def _near_word(text: str, words: Iterable[str]) -> str | None:
    """A help line for a word that is nearly one of some."""
    return did_you_mean(text, words) if len(text) > 2 else None


def _else_if(stop: Stop) -> Diagnostic | None:
    if stop.line.first == "else" and stop.text == "if":
        return stop.note("S019", "`else if` is one word here", "write `elif condition:`")
    return None


def _keyword_as_name(stop: Stop) -> Diagnostic | None:
    word = stop.before
    if word is None or stop.text[-1:] != "=" or stop.text in ("==", "!=", "<=", ">=") or stop.place != 1:
        return None
    span = Span(stop.source, word.start, word.end)
    if word.text in CLAUSES:
        help = f"the clause has no `=`: `{_FORMS[word.text]}`; a variable needs another name"
        return stop.note("S016", f"`{word.text}` starts a clause and cannot be assigned", help, span)
    if word.text in RESERVED:
        help = f"choose another name, such as `{word.text}_`"
        return stop.note("S016", f"`{word.text}` is a word of the language and cannot be a name", help, span)
    return None


def _missing_in(stop: Stop) -> Diagnostic | None:
    if stop.line.first in ("for", "tune") and "IN" in stop.accepts and stop.place >= 2:
        return stop.note("S020", f"`in` is missing in a `{stop.line.first}`", stop.form)
    return None


def _assignment_in_expression(stop: Stop) -> Diagnostic | None:
    if stop.text != "=":
        return None
    if stop.openers or stop.line.first in ("if", "elif", "while", "require"):
        return stop.note("S011", "`=` assigns and is no comparison", "write `==` to compare")
    if any(word.text == "=" for word in stop.line.words[: stop.place]):
        return stop.note(
            "S011", "`=` assigns once in a statement", "write a statement for each name, or `==` to compare"
        )
    return None


def _slice(stop: Stop) -> Diagnostic | None:
    if not stop.openers or stop.openers[-1].text != "[":
        return None
    words = stop.line.words
    colon = stop.place if stop.text == ":" else stop.place - 1
    if words[colon].text != ":" or (stop.line.first == "kernel" and len(stop.openers) == 1 and ":" in stop.text):
        return None
    first = words.index(stop.openers[-1]) + 1
    depth = 0
    for i in range(first, colon):
        depth += (words[i].kind == "open") - (words[i].kind == "close")
        if depth == 0 and words[i].text == ",":
            first = i + 1
    last = colon
    while last + 1 < len(words) and (depth > 0 or words[last + 1].text not in (",", "]", ":")):
        last += 1
        depth += (words[last].kind == "open") - (words[last].kind == "close")
    begin = stop.source.text[words[first].start : words[colon - 1].end] if first < colon else "0"
    end = stop.source.text[words[colon + 1].start : words[last].end] if last > colon else "size"
    extent = end.removeprefix(begin).lstrip(" +") if end.startswith(f"{begin} +") else end
    help = f"`{begin} :+ {extent}` is a window of {extent} elements from {begin}"
    span = Span(stop.source, words[first].start, words[last].end)
    return stop.note("S008", "a part of a tensor is an offset and a size, not a start and an end", help, span)


def _missing_colon(stop: Stop) -> Diagnostic | None:
    if "COLON" not in stop.accepts or stop.openers or stop.line.first not in _FORMS or stop.before is None:
        return None
    if stop.word is not None and stop.line.words[-1].text == ":":
        return None
    span = Span(stop.source, stop.before.end, stop.before.end)
    return stop.note("S004", f"`:` is missing after the `{stop.line.first}`", stop.form, span, "`:` here")


def _parameter_without_type(stop: Stop) -> Diagnostic | None:
    before = stop.before
    if stop.line.first != "kernel" or "COLON" not in stop.accepts or len(stop.openers) != 1 or before is None:
        return None
    if stop.openers[0].text != "(" or before.kind != "name" or stop.text not in (",", ")", "=", "@", "["):
        return None
    help = f"`{before.text}: f32[N]` is a tensor, `{before.text}: f32` a scalar"
    return stop.note(
        "S030", f"the parameter `{before.text}` has no type", help, Span(stop.source, before.start, before.end)
    )


def _counting(stop: Stop) -> Diagnostic | None:
    words = stop.line.words[max(0, stop.place - 2) : stop.place]
    if len(words) < 2 or words[0].text not in ("+", "-") or words[0].text != words[1].text:
        return None
    if words[0].end != words[1].start or stop.text not in ("", ";", ")"):
        return None
    sign = words[0].text
    span = Span(stop.source, words[0].start, words[1].end)
    return stop.note("S010", f"there is no `{sign}{sign}`", f"write `name {sign}= 1`", span)


def _two_values(stop: Stop) -> Diagnostic | None:
    """Two values beside each other: a bracket that should have ended, a missing comma, or a second statement."""
    word, before = stop.word, stop.before
    if word is None or before is None:
        return None
    if (before.kind not in _OPERANDS and before.kind != "close") or word.kind not in (*_OPERANDS, "open"):
        return None
    if stop.place == 1 and before.text in _FORMS:
        return None
    if before.text in RESERVED - CONSTANTS or word.text in ("and", "or", "if", "else", "in"):
        return None
    if not stop.openers:
        help = _near_word(before.text, _FORMS.keys() - DEFINITIONS) if stop.place == 1 else None
        help = help or "a statement ends with its line, or with `;`"
        return stop.note("S018", f"`{word.text}` after the end of a statement", help, label="unexpected")
    between = stop.source.text[before.end : word.start]
    if "\n" in between and len(between) - between.rfind("\n") - 1 <= stop.line.indentation:
        opener = stop.openers[-1]
        closer = {"(": ")", "[": "]"}[opener.text]
        related = (Related(Span(stop.source, opener.start, opener.end), "opened here"),)
        span = Span(stop.source, before.end, before.end)
        label = f"`{closer}` is missing here or before"
        message = f"`{opener.text}` is not closed where the next statement starts"
        return Diagnostic("S001", message, span, label, related=related, help=f"close it with `{closer}`")
    help = f"write `,` after `{before.text}`, or an operator"
    return stop.note("S017", f"a comma is missing before `{word.text}`", help)


def _mark_of_another_place(stop: Stop) -> Diagnostic | None:
    helps = {
        "@": "`value @ layout` ends an assignment or an argument; a matrix product is `dot(a, b, acc)`",
        ":+": "a window stands in a subscript: `x[offset :+ size]`",
    }
    return stop.note("S003", f"`{stop.text}` cannot stand here", helps[stop.text]) if stop.text in helps else None


def _missing_value(stop: Stop) -> Diagnostic | None:
    if "NAME" not in stop.accepts or stop.before is None:
        return None
    missing = "a value" if "NUMBER" in stop.accepts else "a name"
    where = f"before `{stop.text}`" if stop.word is not None else f"after `{stop.before.text}`"
    return stop.note("S034", f"{missing} is missing {where}", stop.form)


def _anything(stop: Stop) -> Diagnostic:
    if stop.word is None:
        return stop.note("S034", f"the `{stop.line.first}` is not complete", stop.form)
    return stop.note("S003", f"`{stop.text}` cannot stand here", stop.form)


_RULES: tuple[Callable[[Stop], Diagnostic | None], ...] = (
    _foreign_definition,
    _place_of_definition,
    _else_if,
    _keyword_as_name,
    _missing_in,
    _slice,
    _assignment_in_expression,
    _counting,
    _missing_colon,
    _parameter_without_type,
    _two_values,
    _mark_of_another_place,
    _missing_value,
    _anything,
)
