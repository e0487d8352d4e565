"""``tilevm layout``: a layout drawn as a grid of text or as an SVG, with its facts."""

from __future__ import annotations

import click

__all__ = ["command"]


@click.command("layout", short_help="Draw a layout and show its facts.")
@click.argument("expression", metavar="EXPR")
@click.option("--svg", "path", type=click.Path(), metavar="FILE", help="Write a drawing instead of the grid.")
@click.option("--bits", is_flag=True, help="Show the matrix over GF(2) as well.")
def command(expression: str, path: str | None, bits: bool) -> None:
    """Draw the layout EXPR: `thread:slot` of each element, or its bit offset in memory.

    \b
    tilevm layout "column_local(2, 2) * spatial(8, 4) * local(1, 2)"
    """
    from tilevm.files import replacing
    from tilevm.layout_drawing import bit_matrix, grid, svg
    from tilevm.layout_expression import expression as written
    from tilevm.layout_text import layout as parse
    from tilevm.runtime.terminal import write_line

    layout = parse(expression)
    facts = {
        "canonical": str(layout),
        "expression": written(layout),
        "shape": "x".join(map(str, layout.shape)),
    }
    if layout.is_register:
        facts |= {"threads": str(layout.threads), "slots": str(layout.slots)}
    else:
        facts |= {"bits": f"{layout.size_bits} in all, {layout.width} an element"}
    drawing = svg(layout) if path is not None else grid(layout)
    matrix = bit_matrix(layout) if bits else ""
    for name, fact in facts.items():
        if fact is not None:
            write_line(f"{name:<10}  {fact}")
    for text in (matrix, drawing if path is None else ""):
        if text:
            write_line()
            write_line(text)
    if path is not None:
        with replacing(path) as file:
            file.write(drawing.encode("utf-8"))
