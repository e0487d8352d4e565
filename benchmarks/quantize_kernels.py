"""The kernels that quantise, as machine code: instructions for each number, registers, and what bounds them on an H200.

    python -m benchmarks.quantize_kernels [--write]

``--write`` puts the table in ``docs/ops.md``. Nothing is run: the code is compiled for sm_90a, and its launch on
``x[4096, 4096]`` of f16 goes through the cost model. Needs NVRTC and ``nvdisasm``.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

from tilevm.ops.quantization_work import block_of, choice, kernels, tile_of

PAGE = Path(__file__).parent.parent / "docs" / "ops.md"
TARGET = "sm_90a"
SIZES = {"M": 4096, "K": 4096}
ROWS: tuple[tuple[str, str, int, dict[str, Any]], ...] = (
    ("int8", "a row", 1, {}),
    ("fp8", "a row", 1, {}),
    ("int8", "a row", 128, {}),
    ("i8", "128 × 128", 1, {"group": (128, 128)}),
    ("i4", "128", 1, {"group": 128, "scale_format": "f16"}),
    ("i4", "128", 16, {"group": 128, "scale_format": "f16"}),
    ("u4g128", "128", 1, {}),
    ("mxfp8e4m3", "32", 1, {}),
    ("mxfp4", "32", 1, {}),
    ("mxfp4", "32", 32, {}),
    ("nvfp4", "16", 1, {}),
    ("nvfp4", "16", 16, {}),
)
"""Schemes, their blocks in words, the Hadamard transform, and parts of the scheme."""


def main() -> None:
    """Prints the table, or writes it to the page."""
    text = table()
    if "--write" in sys.argv[1:]:
        before, rest = PAGE.read_text(encoding="utf-8").split("<!-- kernels -->\n")
        _, after = rest.split("<!-- end kernels -->")
        PAGE.write_text(f"{before}<!-- kernels -->\n{text}<!-- end kernels -->{after}", encoding="utf-8")
    print(text, end="")


def table() -> str:
    """A row for each scheme."""
    lines = [
        "| scheme | block | Hadamard | instructions a number | registers | bounded by | memory alone |",
        "|---|---|---|---|---|---|---|",
    ]
    for scheme, block, order, parts in ROWS:
        lines.append(_row(scheme, block, order, dict(parts)))
    return "\n".join([*lines, ""])


def _row(scheme: str, block: str, order: int, parts: dict[str, Any]) -> str:
    group, scale_format = parts.pop("group", ...), parts.pop("scale_format", None)
    found = choice(scheme, group, scale_format, "nearest_even", parts)
    tile = tile_of(SIZES["K"], *block_of(found.scheme.block, SIZES["K"]), order)
    kernel = kernels()["quantize" if found.scheme.zero is None else "quantize_zero"]
    compiled = kernel.compile(TARGET, divisible=SIZES, A="f16", HADAMARD=order, **found.settings, **tile)
    cost = compiled.cost(SIZES, "h200", machine_code=True)
    assert cost.machine_code is not None
    count = sum(cost.machine_code.instructions.values()) / (tile["ROWS"] * tile["BLOCK"] / (32 * tile["WARPS"]))
    first = cost.bounds[0]
    memory = next(each.microseconds for each in cost.bounds if each.name == "DRAM")
    assert math.isfinite(first.microseconds)
    name = "" if order == 1 else str(order)
    return (
        f"| `{scheme}` | {block} | {name} | {count:.1f} | {compiled.resources.registers} | "
        f"{first.name}, {first.microseconds:.1f} µs | {memory:.1f} µs |"
    )


if __name__ == "__main__":
    main()
