"""The words and operators of the language: what the grammar, its errors and the highlighters agree on."""

from __future__ import annotations

__all__ = ["ACCESS", "CLAUSES", "CONSTANTS", "DEFINITIONS", "OPERATORS", "RESERVED", "STATEMENTS"]

DEFINITIONS = frozenset({"import", "from", "as", "const", "layout", "func", "kernel"})
"""Words of a meaning at the top of a file; elsewhere they are names."""

CLAUSES = frozenset({"grid", "warps", "tune", "require"})
"""Words of a meaning at the start of a statement; elsewhere they are names."""

ACCESS = frozenset({"out", "inout"})
"""Words of a meaning before the name of a parameter; elsewhere they are names."""

STATEMENTS = frozenset({"for", "in", "while", "if", "elif", "else", "return", "pass"})
OPERATORS = frozenset({"and", "or", "not"})
CONSTANTS = frozenset({"True", "False", "None"})

RESERVED = STATEMENTS | OPERATORS | CONSTANTS | {"break", "continue", "def"}
"""Words that are never a name; the last three have no meaning either, and an error that says so."""
