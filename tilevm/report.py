"""What debug mode finds while a program runs, gathered by source line.

The interpreter in debug mode follows every element: whether it has been written, by which instruction, and in which
interval between barriers. What it finds goes into a ``Report``: one finding for each kind and place, with the number of
blocks that showed it. Errors are programs that a GPU may run differently; notes are legal but worth knowing, such as a
load that reaches over the edge of a tensor and reads zeros there.
"""

from __future__ import annotations

from dataclasses import replace

from tilevm.errors import Diagnostic, ExecutionError, Related, Span

__all__ = ["Report"]


class Report:
    """Collects the findings of launches in debug mode. ``iteration_limit`` bounds the iterations of one loop.

    >>> report = Report(iteration_limit=1000)
    >>> report.findings
    ()
    """

    def __init__(self, *, iteration_limit: int = 1_000_000) -> None:
        self.iteration_limit = iteration_limit
        self._found: dict[tuple[str, Span | None], tuple[Diagnostic, int]] = {}

    def add(self, finding: Diagnostic, blocks: int = 1) -> None:
        """Records a finding that ``blocks`` blocks showed; the first of a kind and place is the one that is kept."""
        key = (finding.code, finding.span)
        kept, count = self._found.get(key, (finding, 0))
        self._found[key] = (kept, count + blocks)

    @property
    def findings(self) -> tuple[Diagnostic, ...]:
        """Every finding, in order of place in the text."""
        found = [
            replace(finding, message=f"{finding.message} ({count} times)") if count > 1 else finding
            for finding, count in self._found.values()
        ]
        return tuple(sorted(found, key=lambda finding: finding.span.start if finding.span else -1))

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        """The findings that are errors."""
        return tuple(finding for finding in self.findings if finding.severity == "error")

    def raise_errors(self) -> None:
        """Raises ``ExecutionError`` with every finding that is an error, if there is one."""
        if self.errors:
            raise ExecutionError.of(self.errors)

    def __str__(self) -> str:
        return "\n\n".join(finding.render() for finding in self.findings) or "nothing found"


def finding(
    code: str,
    message: str,
    span: Span | None,
    *,
    earlier: Span | None = None,
    help: str | None = None,
    note: bool = False,
) -> Diagnostic:
    """A finding of debug mode; ``earlier`` is the place of the access that it clashes with."""
    related = () if earlier is None else (Related(earlier, "the other access"),)
    return Diagnostic(code, message, span, related=related, help=help, severity="note" if note else "error")
