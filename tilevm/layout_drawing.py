"""Layouts as pictures: a grid of text, an SVG for notebooks and documents, and the bit matrix.

>>> from tilevm.layout_constructors import local, spatial
>>> print(grid(spatial(2, 2) * local(1, 2)))
       0    1    2    3
  0  0:0  0:1  1:0  1:1
  1  2:0  2:1  3:0  3:1
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from html import escape
from itertools import product
from math import prod

from tilevm import layout_checks as checks
from tilevm.errors import LayoutError
from tilevm.layout import Layout

__all__ = ["LARGEST_DRAWING", "bit_matrix", "grid", "svg"]

LARGEST_DRAWING = 16384
"""How many elements are drawn at most."""

Index = tuple[int, ...]

WARP, BANKS, BANK_BITS = 32, 32, 32
CELL_WIDTH, CELL_HEIGHT, MARGIN, LINE = 40, 32, 16, 18
COLUMNS_OF_A_VECTOR = 32

# Viridis, lightened so that black text reads on every colour: falling blue, rising yellow, and even in lightness steps.
_RAMP = ((177, 160, 205), (160, 175, 217), (148, 199, 212), (150, 222, 196), (190, 235, 160), (253, 240, 140))
# Okabe and Ito's eight colours for all kinds of colour vision, lightened.
_DISTINCT = ("#f4d28a", "#a9d8f2", "#8fd6b9", "#f6ee9e", "#8fbfe0", "#eeb38a", "#e5bcd3", "#c9c9c9")


def grid(layout: Layout) -> str:
    """A text grid: ``thread:slot`` of each element, or its bit offset in memory. Leading dimensions one below another.

    ``8:1+`` marks elements that further threads hold too. Raises ``LayoutError`` L024 for more than
    ``LARGEST_DRAWING`` elements.
    """
    _drawable(layout)
    label = _register_label(layout) if layout.is_register else lambda index: str(layout.offset(index))
    return "\n\n".join(_grid_panel(panel, label) for panel in _panels(layout.shape))


def _register_label(layout: Layout) -> Callable[[Index], str]:
    more = "+" if layout.rep else ""

    def label(index: Index) -> str:
        thread, slot = layout.place(index)
        return f"{thread}:{slot}{more}"

    return label


def _grid_panel(panel: _Panel, label: Callable[[Index], str]) -> str:
    cells = [[label(index) if index is not None else "" for index in row] for row in panel.rows]
    width = 2 + max(len(text) for text in (*panel.columns, *(cell for row in cells for cell in row)))
    left = 1 + max(map(len, panel.labels), default=0)
    lines = [panel.title] if panel.title else []
    lines.append(" " * (left + 1) + "".join(column.rjust(width) for column in panel.columns))
    for name, row in zip(panel.labels, cells, strict=True):
        lines.append(" " + name.rjust(left) + "".join(cell.rjust(width) for cell in row))
    return "\n".join(line.rstrip() for line in lines)


class _Panel:
    """The part of a layout that is one two-dimensional picture: the index in each cell, with titles."""

    def __init__(self, lead: Index, shape: Sequence[int]) -> None:
        self.title = f"[{', '.join([*map(str, lead), ':', ':'])}]" if lead else ""
        self.corner = "\\".join(_letter(len(lead) + dim) for dim in range(len(shape))) if len(shape) == 2 else ""
        if len(shape) == 2:
            self.rows: list[list[Index | None]] = [[(*lead, i, j) for j in range(shape[1])] for i in range(shape[0])]
            self.labels = [str(i) for i in range(shape[0])]
            self.columns = [str(j) for j in range(shape[1])]
            return
        count = shape[0] if shape else 1
        width = min(count, COLUMNS_OF_A_VECTOR)
        cells: list[Index | None] = [(i,) for i in range(count)] if shape else [()]
        cells += [None] * (-count % width)
        self.rows = [cells[first : first + width] for first in range(0, count, width)]
        self.labels = [str(first) for first in range(0, count, width)]
        self.columns = [str(j) for j in range(width)]


def _letter(dim: int) -> str:
    """The name of an index: i, j, k, ..."""
    return chr(ord("i") + dim)


def _panels(shape: Index) -> Iterator[_Panel]:
    for lead in product(*map(range, shape[:-2])):
        yield _Panel(lead, shape[-2:])


def _drawable(layout: Layout) -> None:
    if prod(layout.shape) > LARGEST_DRAWING:
        raise LayoutError(
            "L024",
            f"a drawing of {prod(layout.shape)} elements would be too large",
            help=f"draw a part of at most {LARGEST_DRAWING} elements, with `slice`, or one factor of the product",
        )


def bit_matrix(layout: Layout) -> str:
    """The matrix over GF(2) of ``Layout.f2`` as text, with a name for each bit.

    Columns are bits of the indices (``i0`` is the lowest bit of dimension 0, ``j0`` that of the next, and so on), rows
    are bits of the place: ``t`` of the thread and ``r`` of the slot, or ``b`` of the offset in bits. The highest bits
    come first. Raises ``LayoutError`` L020 where the layout is not linear over GF(2).

    >>> from tilevm.layout_constructors import local, spatial
    >>> print(bit_matrix(spatial(4, 1) * local(1, 2)))
        i1 i0 j0
    t1   1  .  .
    t0   .  1  .
    r0   .  .  1
    """
    matrix = layout.f2()
    slots = layout.slots.bit_length() - 1
    names = [f"r{row}" if row < slots else f"t{row - slots}" for row in range(len(matrix))]
    if layout.is_memory:
        names = [f"b{row}" for row in range(len(matrix))]
    columns = [
        f"{_letter(dim)}{bit}"
        for dim, size in enumerate(layout.shape)
        for bit in reversed(range(size.bit_length() - 1))
    ]
    width = 1 + max(map(len, columns), default=0)
    left = 1 + max(map(len, names), default=0)
    lines = [" " * left + "".join(name.rjust(width) for name in columns)]
    for name, row in reversed(list(zip(names, matrix.tolist(), strict=True))):
        lines.append(name.ljust(left) + "".join(("1" if bit else ".").rjust(width) for bit in reversed(row)))
    return "\n".join(lines)


def svg(layout: Layout, colour: str | None = None) -> str:
    """The layout as an SVG document: each element a cell with its thread and slot, or its offset in memory.

    ``colour``: ``thread`` (the lane within its warp) or ``warp`` for registers, ``bank`` (of shared memory, 4 bytes
    wide) for memory; None takes ``thread`` or ``bank``. Raises ``LayoutError`` L003 for a colour that the kind of
    layout has not, L015 for another word, L024 for more than ``LARGEST_DRAWING`` elements.

    >>> from tilevm.layout_constructors import spatial
    >>> svg(spatial(8, 4)).startswith("<svg")
    True
    """
    _drawable(layout)
    colour = colour or ("thread" if layout.is_register else "bank")
    number = _colouring(layout, colour)
    body: list[str] = []
    top = MARGIN
    width = _text_width(str(layout), 13)
    lines = [str(layout), *_notes(layout)]
    for line, text in enumerate(lines):
        body.append(_text(MARGIN, top + LINE * (line + 1) - 5, text, 13 if line == 0 else 11, "start", bold=line == 0))
        width = max(width, _text_width(text, 13 if line == 0 else 11))
    top += LINE * len(lines) + 6
    for panel in _panels(layout.shape):
        top, right = _svg_panel(body, panel, top, layout, colour, number)
        width = max(width, right)
    top, right = _legend(body, top, layout, colour)
    total_width, total_height = max(width, right) + MARGIN, top + MARGIN
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{total_width}" height="{total_height}" '
        f'viewBox="0 0 {total_width} {total_height}" font-family="ui-monospace, Menlo, Consolas, monospace">\n'
        f'<rect width="100%" height="100%" fill="#ffffff"/>\n' + "\n".join(body) + "\n</svg>\n"
    )


def _colouring(layout: Layout, colour: str) -> Callable[[Index], int]:
    """The number of the colour of each element."""
    if colour not in ("thread", "warp", "bank"):
        raise LayoutError("L015", f"there is no colouring by {colour!r}", help="colour by thread, warp or bank")
    if colour == "bank":
        checks.memory(layout, "colour by bank")
        return lambda index: layout.offset(index) // BANK_BITS % BANKS
    checks.registers(layout, f"colour by {colour}")
    if colour == "warp":
        return lambda index: layout.place(index)[0] // WARP
    return lambda index: layout.place(index)[0] % WARP


def _fill(number: int, colour: str, layout: Layout) -> str:
    if colour == "warp":
        return _DISTINCT[number % len(_DISTINCT)]
    count = min(WARP, layout.threads) if colour == "thread" else BANKS
    return _ramp(number / max(1, count - 1))


def _ramp(part: float) -> str:
    """The colour at a part from 0 to 1 of the ramp."""
    place = min(part, 1.0) * (len(_RAMP) - 1)
    first = min(int(place), len(_RAMP) - 2)
    mixed = (round(a + (b - a) * (place - first)) for a, b in zip(_RAMP[first], _RAMP[first + 1], strict=True))
    return "#" + "".join(f"{channel:02x}" for channel in mixed)


def _notes(layout: Layout) -> list[str]:
    """What the cells show, and what they leave out."""
    if layout.is_memory:
        return [f"{layout.size_bits} bits; in each cell: byte, and bit within it where that is not 0"]
    slots = "1 slot" if layout.slots == 1 else f"{layout.slots} slots"
    notes = [f"{layout.threads} threads, {slots} each; in each cell: thread, and slot below"]
    if layout.rep:
        others = layout.owners((0,) * layout.rank)[1:]
        shown = ", ".join(f"+{thread}" for thread in others[:8]) + (", ..." if len(others) > 8 else "")
        notes.append(f"each element is in {len(others) + 1} threads, of which the first is shown; the others: {shown}")
    return notes


def _svg_panel(
    body: list[str], panel: _Panel, top: int, layout: Layout, colour: str, number: Callable[[Index], int]
) -> tuple[int, int]:
    """Draws one grid below ``top``; gives its lower and its right end."""
    left = MARGIN + 8 + 7 * max(map(len, (panel.corner, *panel.labels)))
    if panel.title:
        body.append(_text(MARGIN, top + 12, panel.title, 12, "start", bold=True))
        top += LINE
    for column, name in enumerate(panel.columns):
        body.append(_text(left + column * CELL_WIDTH + CELL_WIDTH // 2, top + 11, name, 10, "middle", fill="#666666"))
    body.append(_text(left - 6, top + 11, panel.corner, 10, "end", fill="#666666"))
    top += 16
    for row, (name, cells) in enumerate(zip(panel.labels, panel.rows, strict=True)):
        y = top + row * CELL_HEIGHT
        body.append(_text(left - 6, y + CELL_HEIGHT // 2 + 4, name, 10, "end", fill="#666666"))
        for column, index in enumerate(cells):
            if index is not None:
                x = left + column * CELL_WIDTH
                body.append(_cell(x, y, _fill(number(index), colour, layout), *_cell_texts(layout, index)))
    return top + len(panel.rows) * CELL_HEIGHT + 12, left + len(panel.columns) * CELL_WIDTH


def _cell_texts(layout: Layout, index: Index) -> tuple[str, str]:
    if layout.is_register:
        thread, slot = layout.place(index)
        return str(thread), f"r{slot}"
    byte, bit = divmod(layout.offset(index), 8)
    return str(byte), f".{bit}" if bit else ""


def _legend(body: list[str], top: int, layout: Layout, colour: str) -> tuple[int, int]:
    """Draws what the colours mean; gives its lower and its right end."""
    counts = {"thread": min(WARP, layout.threads), "warp": -(-layout.threads // WARP), "bank": BANKS}
    titles = {"thread": "lane of its warp", "warp": "warp", "bank": "bank of shared memory, 4 bytes each"}
    count = min(counts[colour], WARP)
    body.append(_text(MARGIN, top + 10, titles[colour], 11, "start", fill="#666666"))
    top += 16
    for number in range(count):
        x = MARGIN + number * 22
        body.append(f'<rect x="{x}" y="{top}" width="22" height="16" fill="{_fill(number, colour, layout)}"/>')
        body.append(_text(x + 11, top + 12, str(number), 9, "middle"))
    return top + 16, MARGIN + count * 22


def _cell(x: int, y: int, fill: str, main: str, below: str) -> str:
    middle = x + CELL_WIDTH // 2
    box = f'<rect x="{x}" y="{y}" width="{CELL_WIDTH}" height="{CELL_HEIGHT}" fill="{fill}" stroke="#fff"/>'
    size = 12 if len(main) < 5 else 9
    if not below:
        return box + _text(middle, y + 20, main, size, "middle")
    return box + _text(middle, y + 15, main, size, "middle") + _text(middle, y + 27, below, 9, "middle", fill="#444444")


def _text(x: int, y: int, text: str, size: int, anchor: str, fill: str = "#111111", bold: bool = False) -> str:
    weight = ' font-weight="600"' if bold else ""
    return (
        f'<text x="{x}" y="{y}" font-size="{size}" text-anchor="{anchor}" fill="{fill}"{weight}>{escape(text)}</text>'
    )


def _text_width(text: str, size: int) -> int:
    return MARGIN + round(len(text) * size * 0.62)
