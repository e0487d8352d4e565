"""What names mean at a place of a program.

A name of a body stands for a *binding*: a value and how it came by it. Names that a loop or a branch defines are gone
after it, and the scope remembers why, for the message.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tilevm.errors import Span

__all__ = ["Binding", "Gone", "Scope"]


@dataclass(frozen=True)
class Binding:
    """What a name stands for. ``kind`` is in words: ``variable``, ``loop index``, ``parameter``, ``size``, …"""

    value: Any
    span: Span
    kind: str = "variable"


@dataclass(frozen=True)
class Gone:
    """A name that was defined in a body that has ended; ``reason`` completes "`x` is not visible here: it …"."""

    span: Span
    reason: str


class Scope:
    """The names that are visible, and those that were assigned since the scope was opened, in order."""

    def __init__(self, names: Mapping[str, Binding | Gone] | None = None) -> None:
        self.names: dict[str, Binding | Gone] = dict(names or {})
        self.assigned: dict[str, None] = {}

    def bind(self, name: str, value: Any, span: Span, kind: str = "variable") -> None:
        """Gives a name a value, whatever it stood for."""
        self.names[name] = Binding(value, span, kind)
        if kind == "variable":
            self.assigned[name] = None

    def visible(self, name: str) -> Binding | None:
        """The binding of a name, None if there is none or it is gone."""
        found = self.names.get(name)
        return found if isinstance(found, Binding) else None

    def inner(self) -> Scope:
        """A scope for a body: it sees all names of this one, and what it assigns does not reach this one."""
        return Scope(self.names)

    def lose(self, name: str, span: Span, reason: str) -> None:
        """Marks a name as gone."""
        self.names[name] = Gone(span, reason)

    def forget(self, inner: Scope, reason: str) -> None:
        """Marks the names that only a body that has ended defined."""
        for name, found in inner.names.items():
            if name not in self.names:
                self.names[name] = Gone(found.span, reason) if isinstance(found, Binding) else found
