"""Blocks by indentation: turns the line ends that the lexer finds into ``_NEWLINE``, ``_INDENT`` and ``_DEDENT``.

Line ends within brackets do not count. The first line sets the outermost indentation, so a program in an indented
Python string is read as it stands. Indentation is spaces.
"""

from __future__ import annotations

from collections.abc import Iterator

from lark import Token
from lark.lark import PostLex

__all__ = ["Indentation", "IndentationSlip"]

_OPENERS = frozenset({"OPEN_PARENTHESIS", "OPEN_BRACKET"})
_CLOSERS = frozenset({"CLOSE_PARENTHESIS", "CLOSE_BRACKET"})


class IndentationSlip(Exception):
    """The indentation of a line holds a tab, or is none of those around it; the argument is where the line starts."""


class Indentation(PostLex):
    """Lark's filter between the lexer and the parser.

    A block's end is sent before the next token is asked for, because what that token is depends on it.
    """

    always_accept = ("_NEWLINE",)

    def process(self, stream: Iterator[Token]) -> Iterator[Token]:
        """The tokens with blocks marked. Raises ``IndentationSlip``."""
        levels: list[int] = []
        depth = 0
        slipped = False
        last: Token | None = None
        for token in stream:
            kind = token.type
            if kind == "_NEWLINE":
                if depth == 0:
                    spaces = token.rpartition("\n")[2]
                    slipped = "\t" in spaces
                    if last is None:
                        continue
                    yield token
                    last = token
                    # Spaces before a comment are counted only at the end of the text, where all blocks end.
                    indentation = levels[0] if "#" in spaces else len(spaces)
                    if indentation > levels[-1]:
                        levels.append(indentation)
                        yield Token.new_borrow_pos("_INDENT", "", _end_of(token))
                    while len(levels) > 1 and indentation < levels[-1]:
                        levels.pop()
                        yield Token.new_borrow_pos("_DEDENT", "", _end_of(token))
                    slipped = slipped or indentation != levels[-1]
                continue
            if slipped:
                raise IndentationSlip(token.start_pos)
            if last is None:
                levels.append((token.column or 1) - 1)
            if kind in _OPENERS:
                depth += 1
            elif kind in _CLOSERS and depth:
                depth -= 1
            yield token
            last = token
        if last is not None and last.type != "_NEWLINE":
            yield Token.new_borrow_pos("_NEWLINE", "", _end_of(last))
        for _ in levels[1:]:
            assert last is not None
            yield Token.new_borrow_pos("_DEDENT", "", _end_of(last))


def _end_of(token: Token) -> Token:
    """An empty token where another one ends, for its position."""
    return Token(
        "_END", "", token.end_pos, token.end_line, token.end_column, token.end_line, token.end_column, token.end_pos
    )
