"""Colours for programs: a lexer for Pygments. ``tilevm.tmLanguage.json`` beside it is the same for editors.

Pygments finds the lexer by the names ``tilevm`` and ``tvm`` and by files ``*.tvm``.

>>> [text for token, text in TilevmLexer().get_tokens("for i in range(4): f(warps)") if token is Keyword]
['for', 'in']
"""

from __future__ import annotations

from typing import Any, ClassVar

from pygments.lexer import RegexLexer, bygroups, words
from pygments.token import Comment, Keyword, Name, Number, Operator, Punctuation, String, Whitespace

from tilevm.frontend.words import ACCESS, CLAUSES, CONSTANTS, DEFINITIONS, OPERATORS, STATEMENTS

__all__ = ["TilevmLexer"]

_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_FORMAT = (
    r"\b(?:[ui](?:[1-8]|16|32|64)|f(?:16|32|64)|bf16|tf32|f[0-9]+e[0-9]+m[0-9]+(?:fn|ieee|fnuz)?"
    r"|ue[0-9]+m[0-9]+(?:fn|ieee)?|e8m0|nf4|trit)\b"
)


def _words(these: frozenset[str], after: str = r"\b") -> Any:
    return words(sorted(these), prefix=r"\b", suffix=after)


class TilevmLexer(RegexLexer):  # type: ignore[misc]  # Pygments has no types
    """Pygments' lexer for ``.tvm``.

    A word that has a meaning in one place only is a keyword there and a name elsewhere.
    """

    name = "tilevm"
    aliases: ClassVar[list[str]] = ["tilevm", "tvm"]
    filenames: ClassVar[list[str]] = ["*.tvm"]
    mimetypes: ClassVar[list[str]] = ["text/x-tilevm"]

    tokens: ClassVar[dict[str, list[Any]]] = {
        "root": [
            (r"\n", Whitespace),
            (rf"^([ ]*)({'|'.join(sorted(CLAUSES))})(?=[ ]+[^\s=])", bygroups(Whitespace, Keyword)),
            (r"[ \t\r]+", Whitespace),
            (r"#[^\n]*", Comment.Single),
            (rf"\b(func|kernel)([ \t]+)({_NAME})", bygroups(Keyword.Declaration, Whitespace, Name.Function)),
            (rf"\b(const|layout)([ \t]+)({_NAME})", bygroups(Keyword.Declaration, Whitespace, Name.Constant)),
            (_words(DEFINITIONS, after=r"(?=[ \t]+[\"'A-Za-z_])"), Keyword.Namespace),
            (_words(ACCESS, after=r"(?=[ \t]+[A-Za-z_])"), Keyword),
            (_words(STATEMENTS), Keyword),
            (_words(OPERATORS), Operator.Word),
            (_words(CONSTANTS), Keyword.Constant),
            (r"\[[0-9, ]*\]\{[^{}\n]*\}", String.Other),
            (r"\"(?:[^\"\\\n]|\\[^\n])*\"|'(?:[^'\\\n]|\\[^\n])*'", String),
            (r"0[xX][0-9a-fA-F_]+", Number.Hex),
            (r"0[bB][01_]+", Number.Bin),
            (
                r"(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)[eE][+-]?[0-9]+|[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*",
                Number.Float,
            ),
            (r"[0-9][0-9_]*", Number.Integer),
            (_FORMAT, Keyword.Type),
            (rf"{_NAME}(?=\()", Name.Function),
            (_NAME, Name),
            (r":\+|\*\*|//|<<|>>|[=!<>]=|[-+*/%&|^~<>=@]", Operator),
            (r"[\[\]().,:;]", Punctuation),
        ]
    }
