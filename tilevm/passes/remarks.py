"""What a pass tells the writer of a program: one sentence at one place of the text."""

from __future__ import annotations

from dataclasses import dataclass, field

from tilevm.errors import Span

__all__ = ["Remark"]


@dataclass(frozen=True)
class Remark:
    """A choice that a pass made, at the place in the text that it concerns.

    >>> print(Remark("coalesced, 128 bits a thread"))
    coalesced, 128 bits a thread
    """

    text: str
    span: Span | None = field(default=None, repr=False)

    @property
    def line(self) -> int | None:
        """The line of the text, counted from 1; None where the program was not made from text."""
        return None if self.span is None else self.span.line

    def __str__(self) -> str:
        return self.text if self.line is None else f"line {self.line}: {self.text}"
