"""Every error that tilevm raises, in one tree, and how it is shown.

    TilevmError
    ├── ProgramError       a mistake in .tvm text; carries every mistake found, each with its span
    ├── DTypeError         a number format that does not exist, codes out of range, packed data too short
    ├── LayoutError        a layout that does not parse, divide, fit or invert
    ├── ArgumentError      a kernel was called with arguments that do not fit it; names the argument
    ├── ExecutionError     a program went wrong while it ran: assert, trap, deadlock, a finding of debug mode
    ├── OutOfResources     a kernel asks for more shared memory or registers than the architecture has
    ├── NoDeviceError      there is no GPU, no driver or no CuPy, and the call needs them
    ├── CheckpointError    a file of weights that is damaged, mislabelled, or of a kind that is not read
    └── UsageError         a file, a command line or an option of the Python API

An error is one or more *diagnostics*. A diagnostic has a stable code (``L012``), a message, and where they are
known the span in the text, related spans, and a help line. The family of a code is its letter: S syntax, N names,
T types and shapes, L layouts, D number formats, A arguments, R running, V verifier, F files and options, H
checkpoints. Each code has a paragraph in ``tilevm/explanations/<letter>.md``, which ``tilevm explain`` prints.

>>> source = Source("gemm.tvm", "a = 1\\nb = vieww(a)\\n")
>>> print(TilevmError("N001", "unknown name `vieww`", span=Span(source, 10, 15), help="did you mean `view`?"))
error[N001]: unknown name `vieww`
  --> gemm.tvm:2:5
  |
2 | b = vieww(a)
  |     ^^^^^
  |
help: did you mean `view`?
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Self

__all__ = [
    "ArgumentError",
    "CheckpointError",
    "DTypeError",
    "Diagnostic",
    "ExecutionError",
    "LayoutError",
    "NoDeviceError",
    "OutOfResources",
    "ProgramError",
    "Related",
    "Source",
    "Span",
    "TilevmError",
    "UsageError",
    "did_you_mean",
    "explain",
]


@dataclass(frozen=True)
class Source:
    """A named text that spans point into."""

    name: str
    text: str = field(repr=False)

    @cached_property
    def line_starts(self) -> tuple[int, ...]:
        """Offset of the first character of each line."""
        return (0, *(i + 1 for i, char in enumerate(self.text) if char == "\n"))

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column of a character, both counted from 1.

        >>> Source("s", "ab\\ncd").position(4)
        (2, 2)
        """
        line = bisect_right(self.line_starts, offset)
        return line, offset - self.line_starts[line - 1] + 1

    def line(self, number: int) -> str:
        """The text of a line, counted from 1, without its end."""
        start = self.line_starts[number - 1]
        end = self.text.find("\n", start)
        return self.text[start : end if end >= 0 else len(self.text)].rstrip("\r")


@dataclass(frozen=True)
class Span:
    """A half-open range of characters ``[start, end)`` of a source."""

    source: Source
    start: int
    end: int

    @property
    def line(self) -> int:
        """Line of the first character, counted from 1."""
        return self.source.position(self.start)[0]

    @property
    def column(self) -> int:
        """Column of the first character, counted from 1."""
        return self.source.position(self.start)[1]

    def __str__(self) -> str:
        return f"{self.source.name}:{self.line}:{self.column}"


@dataclass(frozen=True)
class Related:
    """Another place that explains a diagnostic."""

    span: Span
    label: str


@dataclass(frozen=True)
class Diagnostic:
    """One mistake: what, where, what else is involved, and what to do."""

    code: str
    message: str
    span: Span | None = None
    label: str = ""
    argument: str | None = None
    related: tuple[Related, ...] = ()
    help: str | None = None
    severity: str = "error"

    def render(self) -> str:
        """The diagnostic as text, with the lines of the source and carets under the spans."""
        lines = [f"{self.severity}[{self.code}]: {self.message}"]
        if self.argument is not None:
            lines.append(f"  --> argument `{self.argument}`")
        if self.span is not None:
            lines += _excerpt(self.span, self.label, self.related)
        elif self.related:
            lines += _excerpt(self.related[0].span, self.related[0].label, self.related[1:], mark="-")
        if self.help is not None:
            lines.append(f"help: {self.help}")
        return "\n".join(lines)


def _excerpt(span: Span, label: str, related: Sequence[Related], mark: str = "^") -> list[str]:
    """The lines that the spans touch, in order of place: the main span underlined by carets, others by dashes."""
    marks = [(span, label, mark), *((other.span, other.label, "-") for other in related)]
    here = [m for m in marks if m[0].source == span.source]
    elsewhere = [m for m in marks if m[0].source != span.source]
    lines = _underlined(f"  --> {span}", here)
    for other in elsewhere:
        lines += _underlined(f"  ::: {other[0]}", [other])
    return lines


def _underlined(title: str, marks: Sequence[tuple[Span, str, str]]) -> list[str]:
    width = max(len(str(span.line)) for span, _, _ in marks)
    gutter = " " * width + " |"
    lines = [title.replace("  ", " " * (width + 1), 1), gutter]
    shown = 0
    for span, label, mark in sorted(marks, key=lambda m: (m[0].line, m[2] == "-", m[0].start)):
        text = span.source.line(span.line)
        first = len(text[: span.column - 1].expandtabs(4))
        length = len(text[: span.column - 1 + max(1, span.end - span.start)].expandtabs(4)) - first
        if span.line != shown:
            lines.append(f"{span.line:>{width}} | {text.expandtabs(4)}")
            shown = span.line
        lines.append(f"{gutter} {' ' * first}{mark * max(1, length)} {label}".rstrip())
    lines.append(gutter)
    return lines


class TilevmError(Exception):
    """The root of the tree. ``diagnostics`` holds at least one diagnostic; ``str()`` renders them all."""

    diagnostics: tuple[Diagnostic, ...]

    def __init__(
        self,
        code: str,
        message: str,
        *,
        span: Span | None = None,
        label: str = "",
        argument: str | None = None,
        related: Iterable[Related] = (),
        help: str | None = None,
    ) -> None:
        super().__init__(code, message)
        self.diagnostics = (Diagnostic(code, message, span, label, argument, tuple(related), help),)

    @classmethod
    def of(cls, diagnostics: Iterable[Diagnostic]) -> Self:
        """An error from finished diagnostics, of which there is at least one."""
        kept = tuple(diagnostics)
        error = cls(kept[0].code, kept[0].message)
        error.diagnostics = kept
        return error

    @property
    def code(self) -> str:
        """The code of the first diagnostic."""
        return self.diagnostics[0].code

    def located(self, span: Span) -> tuple[Diagnostic, ...]:
        """The diagnostics, those without a place of their own placed at ``span``."""
        return tuple(d if d.span is not None else replace(d, span=span) for d in self.diagnostics)

    def __str__(self) -> str:
        return "\n\n".join(diagnostic.render() for diagnostic in self.diagnostics)

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self).of, (self.diagnostics,))


class ProgramError(TilevmError):
    """The text of a program is wrong. Every mistake that was found is in ``diagnostics``."""


class DTypeError(TilevmError, ValueError):
    """A number format does not exist or cannot do what was asked."""


class LayoutError(TilevmError, ValueError):
    """A layout does not parse, divide, fit or invert."""


class ArgumentError(TilevmError, ValueError):
    """An argument of a kernel call does not fit the kernel."""


class ExecutionError(TilevmError, RuntimeError):
    """A program went wrong while it ran."""


class OutOfResources(TilevmError, RuntimeError):
    """A kernel asks for more shared memory, registers or threads than the architecture has."""


class NoDeviceError(TilevmError, RuntimeError):
    """A GPU is needed, and there is none that can be used."""


class CheckpointError(TilevmError):
    """A file of weights that is damaged, mislabelled, or of a kind that is not read."""


class UsageError(TilevmError, ValueError):
    """A file, an option or a name given to the Python API or the command line is wrong."""


def did_you_mean(name: str, known: Iterable[str]) -> str | None:
    """A help line that offers the nearest known name, or None where nothing is near.

    >>> did_you_mean("maxx", ["max", "min"])
    'did you mean `max`?'
    """
    import difflib

    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"did you mean `{near[0]}`?" if near else None


def explain(code: str) -> str:
    """The explanation of an error code, as Markdown.

    Raises ``UsageError`` F001 for a code that does not exist.

    >>> explain("F001").splitlines()[0]
    '## F001: no such error code'
    """
    known = _explanations()
    if code.upper() not in known:
        raise UsageError("F001", f"there is no error code {code!r}", help=did_you_mean(code.upper(), known))
    return known[code.upper()]


def _explanations() -> dict[str, str]:
    """Every explanation, by code, in order."""
    from importlib import resources

    sections: dict[str, str] = {}
    folder = resources.files("tilevm") / "explanations"
    for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
        for part in file.read_text(encoding="utf-8").split("\n## ")[1:]:
            sections[part.partition(":")[0]] = f"## {part.rstrip()}"
    return sections
