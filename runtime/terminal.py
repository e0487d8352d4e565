"""What the commands show: tables and text for people, coloured on a terminal, plain in a pipe.

Errors and warnings go to standard error, so that what is on standard output can be redirected. The consoles are made
when they are used, since the streams may have been replaced by then.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.text import Text

from tilevm.errors import TilevmError

__all__ = ["emit", "show_error", "show_note", "show_table", "write_line"]


def _console(*, error: bool = False) -> Console:
    return Console(file=sys.stderr if error else sys.stdout, highlight=False, markup=False, emoji=False)


def emit(renderable: object) -> None:
    """Shows anything that Rich can render, on standard output."""
    _console().print(renderable)


def write_line(line: str = "", style: str | None = None) -> None:
    """Writes a line to standard output as it is, never wrapped."""
    _console().print(Text(line, style=style or ""), soft_wrap=True)


def show_note(line: str) -> None:
    """Writes a remark to standard error."""
    _console(error=True).print(Text(line, style="dim"), soft_wrap=True)


def show_error(error: TilevmError) -> None:
    """Writes every diagnostic of an error to standard error, with colours where that is a terminal."""
    _console(error=True).print(_coloured(str(error)), soft_wrap=True)


def _coloured(text: str) -> Text:
    styled = Text(text)
    styled.highlight_regex(r"(?m)^error\[\w+\]", "bold red")
    styled.highlight_regex(r"(?m)^(warning|note)\[\w+\]", "bold yellow")
    styled.highlight_regex(r"(?m)^ *(-->|:::) .*$", "blue")
    styled.highlight_regex(r"(?m)^ *\d* \|", "blue")
    styled.highlight_regex(r"(?m)^ *\| +\^+.*$", "red")
    styled.highlight_regex(r"(?m)^ *\| +-+.*$", "cyan")
    styled.highlight_regex(r"(?m)^help:", "bold green")
    return styled


def show_table(
    title: str | None, columns: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: Sequence[str] = ()
) -> None:
    """Shows rows of text under their headings; the columns named in ``numbers`` are set to the right.

    A cell is never cut or wrapped: a table wider than the terminal runs over its edge.
    """
    cells = [columns, *rows]
    widths = [max(len(row[place]) for row in cells) for place in range(len(columns))]
    if title is not None:
        write_line(title, "bold")
    for number, row in enumerate([columns, ["-" * width for width in widths], *cells[1:]]):
        padded = (
            text.rjust(width) if column in numbers else text.ljust(width)
            for text, width, column in zip(row, widths, columns, strict=True)
        )
        write_line("  ".join(padded).rstrip(), "bold" if number == 0 else None)
