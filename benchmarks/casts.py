"""Instructions for each value of the casts that are derived: counted in the steps, and in SASS where NVRTC is there.

    python -m benchmarks.casts [--write]

``--write`` puts the table in ``docs/codegen.md``. A number of SASS counts what computes (shifts, ``LOP3``, ``PRMT``,
arithmetic), not what reads, writes or makes addresses, of 32 values in their natural order, for sm_80.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from tilevm.arch import arch
from tilevm.codegen.environment import environment
from tilevm.codegen.library import device_library
from tilevm.dtypes import DType, dtype
from tilevm.errors import UsageError
from tilevm.runtime.cubin import disassemble, find_disassembler
from tilevm.runtime.nvrtc import compile_cuda, nvrtc_version
from tilevm.synthesis.cast import interleave, synthesise

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "codegen.md"
TEMPLATE = ROOT / "tests" / "kernels" / "casts.cu.j2"
SOURCES = (
    *(f"{kind}{bits}" for kind in "ui" for bits in range(1, 9)),
    *"f3e1m1 f4e2m1 f5e2m2 f6e2m3 f6e3m2 f7e3m3 f8e3m4 f8e4m3 f8e5m2 nf4 trit ue4m3".split(),
)
TARGETS = ("f16", "bf16", "f32", "i8", "f8e4m3")
COMPUTING = re.compile(r"\b(PRMT|LOP3|SHF|IADD3|IMAD|HFMA2|HADD2|HMUL2|FADD|FFMA|FMUL)\b[^;]*;")


def main() -> None:
    """Prints the table, or writes it to the page."""
    text = table()
    if "--write" in sys.argv[1:]:
        page = PAGE.read_text(encoding="utf-8")
        before, rest = page.split("<!-- casts -->\n")
        _, after = rest.split("<!-- end casts -->")
        PAGE.write_text(f"{before}<!-- casts -->\n{text}<!-- end casts -->{after}", encoding="utf-8")
    print(text, end="")


def table() -> str:
    """A row for each format, a column for each target: natural order, interleaved, SASS of the natural order."""
    machine = _machine()
    columns = " | ".join(f"→ {target}" for target in TARGETS)
    lines = [f"| from | {columns} |", "|---|" + "---|" * len(TARGETS)]
    for name in SOURCES:
        cells = [_cell(dtype(name), dtype(target), machine) for target in TARGETS]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    legend = "natural, interleaved" + (", in SASS of sm_80" if machine else "; SASS was not read: no NVRTC or nvdisasm")
    return "\n".join([f"In each cell: {legend}.", "", *lines, ""])


def _cell(narrow: DType, wide: DType, machine: bool) -> str:
    natural = synthesise(narrow, wide, 32)
    if natural is None:
        return "–"
    chosen = synthesise(narrow, wide, 32, interleave(narrow, wide))
    assert chosen is not None
    shown = [f"{natural.per_value:.2f}", f"{chosen.per_value:.2f}"]
    return ", ".join([*shown, f"{sass_per_value(narrow, wide):.2f}"] if machine else shown)


def _machine() -> bool:
    try:
        nvrtc_version()
    except UsageError:
        return False
    return find_disassembler() is not None


def sass_per_value(narrow: DType, wide: DType) -> float:
    """Computing instructions of the machine code that casts 32 values."""
    template = environment().from_string(TEMPLATE.read_text(encoding="utf-8"))
    kernels = template.render(casts=[], tiles=[(narrow, wide, tuple(range(32)))], arch=arch("sm_80"))
    code = disassemble(compile_cuda(device_library() + kernels, arch("sm_80")).cubin).partition(".text.tile_0")[2]
    found = [each for each in COMPUTING.finditer(code) if not _address(each.group(0))]
    return len(found) / 32


def _address(instruction: str) -> bool:
    """Whether it makes an address or a copy: 64-bit products, and products with a constant from the launch."""
    return "WIDE" in instruction or "c[" in instruction or "IMAD.MOV" in instruction or "RZ, RZ" in instruction


if __name__ == "__main__":
    main()
