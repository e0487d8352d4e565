"""The Jinja2 environment of the templates: strict about names, quiet about blank lines, with few filters.

``table | index("i")`` is a table of integers as an expression of an unrolled loop's variable, ``size | expression`` a
size in C++, ``value | literal`` a constant; ``text | quoted`` a C++ string literal.
"""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined

from tilevm.codegen.expressions import expression
from tilevm.codegen.indexing import closed_form
from tilevm.codegen.literals import literal
from tilevm.codegen.numbers import codebook_words, first_words, held_parts, largest_zero, narrowing, pairwise
from tilevm.codegen.slots import block_slots
from tilevm.synthesis.cast import tile_parts
from tilevm.synthesis.steps import Given, Zero
from tilevm.values import TileType

__all__ = ["environment", "quoted"]


def quoted(text: str) -> str:
    """Text as a C++ string literal: whatever is not a plain letter, digit or sign becomes an octal escape.

    >>> print(quoted('50% "done"'))
    "50% \\042done\\042"
    """
    plain = (chr(byte) if 32 <= byte < 127 and chr(byte) not in '"\\?' else f"\\{byte:03o}" for byte in text.encode())
    return '"' + "".join(plain) + '"'


@cache
def environment() -> Environment:
    """The environment; made once."""
    made = Environment(
        loader=PackageLoader("tilevm.codegen"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
        auto_reload=False,
    )
    made.tests["identity"] = lambda table: list(table) == list(range(len(table)))
    made.tests["neighbours"] = lambda tables: all(
        table == tuple(start + place for start in tables[0]) for place, table in enumerate(tables)
    )
    made.filters.update(index=closed_form, expression=expression, literal=literal, quoted=quoted)
    made.filters.update(codebook_words=codebook_words, first_words=first_words, block_slots=block_slots)
    made.tests.update(pairwise=pairwise, given=lambda term: isinstance(term, Given))
    made.tests["tile"] = lambda kind: isinstance(kind, TileType)
    made.tests["zero_point"] = lambda term: isinstance(term, Zero)
    made.globals.update(cast_parts=tile_parts, held_parts=held_parts, largest_zero=largest_zero, narrowing=narrowing)
    return made
