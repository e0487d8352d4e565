"""A limit to the depth of a syntax tree, so that whoever walks over it may use recursion."""

from __future__ import annotations

from collections.abc import Iterator

from tilevm.errors import Diagnostic
from tilevm.frontend import syntax

__all__ = ["too_deep"]


def too_deep(module: syntax.Module) -> list[Diagnostic]:
    """What to say about the first place of each definition that is nested deeper than MAXIMUM_DEPTH."""
    return [found for definition in module.definitions if (found := _first_too_deep(definition)) is not None]


def _first_too_deep(definition: syntax.Definition) -> Diagnostic | None:
    level: list[syntax.Node] = [definition]
    for _ in range(syntax.MAXIMUM_DEPTH):
        level = [child for node in level for child in _children(node)]
    if not level:
        return None
    first = min(level, key=lambda node: node.span.start)
    help = "give parts names on lines of their own, or move them to a `func`"
    return Diagnostic("S022", f"more than {syntax.MAXIMUM_DEPTH} levels within each other", first.span, help=help)


def _children(node: syntax.Node) -> Iterator[syntax.Node]:
    for value in vars(node).values():
        if isinstance(value, tuple):
            yield from value
        elif isinstance(value, syntax.Node):
            yield value
