"""``tilevm dtype``: the facts of a number format, and up to 8 bits what each of its codes means."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from tilevm.dtypes import DType

__all__ = ["command"]

LARGEST_TABLE = 8
"""Formats of more bits are only summarised."""
TALLEST = 64
"""Rows of the table; more codes stand in further columns."""


@click.command("dtype", short_help="Show a number format and all its codes.")
@click.argument("name")
def command(name: str) -> None:
    """Show the number format NAME: its range, and for up to 8 bits the number that each code stands for."""
    from tilevm.dtypes import dtype
    from tilevm.runtime.terminal import show_table, write_line

    found = dtype(name)
    for fact, value in _facts(found).items():
        write_line(f"{fact:<10}  {value}")
    if found.bits > LARGEST_TABLE:
        return
    codes = range(1 << found.bits)
    rows = min(TALLEST, len(codes))
    blocks = len(codes) // rows
    cells = [_cells(found, code) for code in codes]
    headings = ("code", "bits", "value") * blocks
    table = [[text for block in range(blocks) for text in cells[block * rows + row]] for row in range(rows)]
    show_table(None, headings, table, numbers=("code", "value"))


def _facts(dtype: DType) -> dict[str, str]:
    kinds = {
        "uint": "unsigned integer",
        "int": "integer, two's complement",
        "codebook": f"{len(dtype.table)} values",
    }
    facts = {"format": dtype.name, "bits": str(dtype.bits)}
    if dtype.kind == "float":
        sign = "1 sign, " if dtype.signed else "no sign, "
        facts["kind"] = f"float: {sign}{dtype.exponent} exponent (bias {dtype.bias}), {dtype.mantissa} mantissa"
        present = [word for word, has in (("infinity", dtype.has_infinity), ("NaN", dtype.has_nan)) if has]
        facts["specials"] = ", ".join(present) or "none: every code is a finite number"
        facts["smallest"] = f"{dtype.smallest:.9g} (the smallest positive number)"
    else:
        facts["kind"] = kinds[dtype.kind]
    return facts | {"range": f"{_number(dtype.min)} to {_number(dtype.max)}"}


def _number(value: int | float) -> str:
    return f"{value:.9g}" if isinstance(value, float) else str(value)


def _cells(dtype: DType, code: int) -> tuple[str, str, str]:
    """A code in hexadecimal, its bits with the fields of a float apart, and its number."""
    bits = f"{code:0{dtype.bits}b}"
    if dtype.kind == "float":
        sign = int(dtype.signed)
        fields = (bits[:sign], bits[sign : sign + dtype.exponent], bits[sign + dtype.exponent :])
        bits = " ".join(field for field in fields if field)
    if dtype.kind == "codebook" and code >= len(dtype.table):
        return f"{code:02x}", bits, "-"
    return f"{code:02x}", bits, f"{float(dtype.decode([code])[0]):.9g}"
