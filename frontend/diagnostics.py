"""Collects what is wrong with a program, so that all of it can be reported at once.

An error found inside a function names the calls that led there. An expression that is wrong has the value ``POISON``,
which every use absorbs in silence, so that one mistake is one diagnostic.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from tilevm.errors import Diagnostic, ProgramError, Related, Span, TilevmError

__all__ = ["POISON", "Diagnostics", "Poison"]


class Poison:
    """The value of an expression that is wrong."""

    def __repr__(self) -> str:
        return "POISON"


POISON = Poison()


class Diagnostics:
    """What was found so far, and the calls that are being inlined."""

    def __init__(self) -> None:
        self.found: dict[tuple[str, str, Span | None], Diagnostic] = {}
        self.calls: list[Related] = []

    def report(
        self,
        code: str,
        message: str,
        span: Span,
        *,
        label: str = "",
        related: Iterable[Related] = (),
        help: str | None = None,
    ) -> None:
        """Records one mistake. The same one at the same place, met again in another call, counts once."""
        self._add(Diagnostic(code, message, span, label, None, tuple(related), help))

    def absorb(self, error: TilevmError, span: Span, arguments: Mapping[str, Span] | None = None) -> None:
        """Records the diagnostics of an error: at the span of the argument that one names, else at ``span``."""
        for diagnostic in error.diagnostics:
            if diagnostic.span is None:
                diagnostic = replace(diagnostic, span=(arguments or {}).get(diagnostic.argument or "", span))
            self._add(replace(diagnostic, argument=None))

    def _add(self, diagnostic: Diagnostic) -> None:
        diagnostic = replace(diagnostic, related=(*diagnostic.related, *reversed(self.calls)))
        self.found.setdefault((diagnostic.code, diagnostic.message, diagnostic.span), diagnostic)

    def check(self) -> None:
        """Raises ``ProgramError`` with everything that was found, if anything was."""
        if self.found:
            raise ProgramError.of(self.found.values())
