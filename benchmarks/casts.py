"""Instructions for each value of casts, read from machine code without a GPU.

    python -m benchmarks.casts [--write]

What widens 32 codes of every format of 1 to 8 bits, in their natural order and in that of ``interleave``, and what
narrows f32, f16 and bf16. Counted is what computes, not what reads, writes, copies or makes addresses. ``--write`` puts
the figures in ``benchmarks/results/casts.json``, from which ``python -m benchmarks.report`` makes a section of
docs/performance.md.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tilevm
from benchmarks.stages import ROOT
from tilevm.arch import arch
from tilevm.codegen.environment import environment
from tilevm.codegen.library import device_library
from tilevm.dtypes import DType, codebook, dtype
from tilevm.runtime.cubin import disassemble
from tilevm.runtime.nvrtc import compile_cuda
from tilevm.runtime.sass import SassInstruction, read_sass
from tilevm.synthesis.cast import interleave, tile_parts

__all__ = ["PATH", "computing", "main", "narrowed", "section", "widened"]

PATH = ROOT / "benchmarks" / "results" / "casts.json"
SCHEMA = 1
TEMPLATE = ROOT / "tests" / "kernels" / "casts.cu.j2"
FLOATS = [f"f{bits}e{exponent}m{bits - 1 - exponent}" for bits in range(3, 9) for exponent in range(1, bits)]
SOURCES = (
    *(f"{kind}{bits}" for kind in "ui" for bits in range(1, 9)),
    *FLOATS,
    *"nf4 trit ue4m3 ue5m3 e8m0".split(),
)
BOOKS = [codebook(f"book{bits}", tuple(float(i * i) / 4 - 5 for i in range(1 << bits))) for bits in (5, 6, 7, 8)]
"""Codebooks of 32 to 256 values; which values they are does not matter."""
WIDE = ("f16", "bf16", "f32", "i8", "f8e4m3")
NARROW = ("i8", "u4", "i4", "f8e4m3", "f8e5m2", "f6e2m3", "f6e3m2", "f4e2m1", "nf4")
COUNT = 32
NATURAL = tuple(range(COUNT))
CONVERTED = (
    ("f8e4m3", "sm_89"),
    ("f8e5m2", "sm_89"),
    ("f6e2m3", "sm_120a"),
    ("f6e3m2", "sm_120a"),
    ("f4e2m1", "sm_120a"),
)
"""Formats that an architecture converts by itself."""
COMPUTING = frozenset(
    "PRMT LOP3 SHF LEA IADD3 IADD VIADD IMAD IMNMX VIMNMX ISETP SEL FSEL FSETP FADD FFMA FMUL FMNMX HFMA2 HADD2 HMUL2 "
    "HMNMX2 HSET2 F2FP F2I F2IP I2IP I2F F2F SHFL".split()
)
NARROWING = """
kernel narrowed(x: {source}[128, 32], out y: {target}[128, 32]):
    grid 4
    warps 1
    row = block_index(0) * 32
    store(y[row :+ 32, 0 :+ 32], cast(load(x[row :+ 32, 0 :+ 32]) @ spatial(32, 1) * local(1, 32), {target}))
"""


def widened(pairs: Sequence[tuple[DType, DType, tuple[int, ...]]], architecture: str) -> list[float | None]:
    """Instructions for each value of casts of 32 codes in an order; None where they are cast one by one."""
    there = arch(architecture)
    tiles = [each for each in pairs if tile_parts(*each, "nearest_even", each[1].saturates, there)]
    template = environment().from_string(TEMPLATE.read_text(encoding="utf-8"))
    source = device_library() + template.render(casts=[], tiles=tiles, arch=there)
    kernels = read_sass(disassemble(compile_cuda(source, there).cubin))
    found: dict[tuple[DType, DType, tuple[int, ...]], float] = {}
    for number, each in enumerate(tiles):
        instructions = kernels[f"tile_{number}"].instructions
        looked_up = sum(one.name == "LDG" for one in instructions) - each[0].bits * COUNT // 32
        found[each] = (computing(instructions) + looked_up) / COUNT
    return [found.get(each) for each in pairs]


def narrowed(source: str, target: str, architecture: str) -> float:
    """Instructions for each value of a cast of 32 numbers to a narrow format, or of one of ``BOOKS``, by default."""
    kernel = tilevm.kernel(NARROWING.format(source=source, target=target))
    (made,) = read_sass(kernel.compile(architecture).sass).values()
    book = dtype(source).kind == "codebook"
    looked_up = sum(each.name == "LDG" for each in made.instructions) - dtype(source).bits * COUNT // 32 if book else 0
    return (computing(made.instructions) + looked_up) / COUNT


def computing(instructions: Sequence[SassInstruction]) -> int:
    """How many compute: none that makes an address or a copy (64-bit products, products with what the launch gave)."""
    indices = set()
    written: dict[str, int] = {}
    for place, each in enumerate(instructions):
        registers = [part.strip().removesuffix(".reuse") for part in each.operands.split(",")]
        if each.opcode.startswith("IMAD.WIDE"):
            indices.add(written.get(registers[1], place))
        written[registers[0]] = place
    return sum(
        each.name in COMPUTING and place not in indices and not _moved(each) for place, each in enumerate(instructions)
    )


def _moved(each: SassInstruction) -> bool:
    moved = each.opcode.startswith(("IMAD.MOV", "IMAD.WIDE", "IADD3.X", "IMAD.X")) or "RZ, RZ" in each.operands
    return moved or "c[" in each.operands or "SR_" in each.operands


def results() -> dict[str, Any]:
    """Every figure, as it is written."""
    sources = [*map(dtype, SOURCES), *BOOKS]
    wide = [dtype(each) for each in WIDE]
    natural = widened([(a, b, NATURAL) for a in sources for b in wide if a is not b], "sm_80")
    chosen = widened([(a, b, interleave(a, b)) for a in sources for b in wide if a is not b], "sm_80")
    figures = iter(zip(natural, chosen, strict=True))
    rows = [
        [each.name, *(next(figures) if each is not target else (None, None) for target in wide)] for each in sources
    ]
    for row in rows[-len(BOOKS) :]:
        row[1:4] = [(count, count) for count in (narrowed(row[0], target, "sm_80") for target in WIDE[:3])]
    hardware = []
    for name, architecture in CONVERTED:
        pairs = [(dtype(name), target, NATURAL) for target in wide[:3]]
        hardware.append([name, architecture, *widened(pairs, architecture)])
    narrow = [
        [target, *(narrowed(source, target, each) for each in ("sm_80", "sm_90a", "sm_120a") for source in WIDE_FLOATS)]
        for target in NARROW
    ]
    return {"schema": SCHEMA, "kind": "casts", "widened": rows, "converted": hardware, "narrowed": narrow}


WIDE_FLOATS = ("f32", "f16", "bf16")
HEAD = """## Casts

Instructions for each value in the machine code that casts 32 values of a thread, read without a GPU (`python -m
benchmarks.casts`): what computes, not what reads, writes, copies or makes addresses. The goal is 2 from u4 to f16, and
3 from every other integer and float of 3 to 8 bits, to f16 and to bf16.

"""
WIDENED = """sm_80, codes in their natural order, and in that of `interleave` where that takes another number. A dash is
a cast one by one; `book5` to `book8` are codebooks of 32 to 256 values, read from a table in memory, for which two more
instructions make each address.

"""
HARDWARE = """
Where the architecture converts two numbers at once, in the natural order:

"""
NARROWED = """
Back, nearest even and saturated; in each cell sm_80, sm_90a, sm_120a:

"""


def section(path: Path = PATH) -> str:
    """The section of docs/performance.md: the tables as Markdown, or how they are made."""
    if not path.exists():
        return f"{HEAD}There is no result yet.\n"
    result = json.loads(path.read_text(encoding="utf-8"))
    if result["schema"] != SCHEMA:
        return f"{HEAD}The result is of another version.\n"
    wide = _table(
        ["from", *(f"→ {each}" for each in WIDE)], [[name, *map(_cell, row)] for name, *row in result["widened"]]
    )
    converted = [[name, where, *map(_figure, row)] for name, where, *row in result["converted"]]
    hardware = _table(["from", "", *(f"→ {each}" for each in WIDE[:3])], converted)
    narrow = [
        [name, *(", ".join(_figure(row[place + 3 * each]) for each in range(3)) for place in range(3))]
        for name, *row in result["narrowed"]
    ]
    back = _table(["to", *(f"{each} →" for each in WIDE_FLOATS)], narrow)
    return f"{HEAD}{WIDENED}{wide}{HARDWARE}{hardware}{NARROWED}{back}"


def _cell(pair: Sequence[float | None]) -> str:
    shown = list(dict.fromkeys(map(_figure, pair)))
    return ", ".join(shown)


def _figure(count: float | None) -> str:
    return "–" if count is None else f"{count:.2f}"


def _table(head: list[str], rows: list[list[str]]) -> str:
    return "\n".join("| " + " | ".join(line) + " |" for line in (head, ["---"] * len(head), *rows)) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the section, and writes the figures with ``--write``."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.casts", description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help=f"write {PATH.relative_to(ROOT)}")
    given = parser.parse_args(arguments)
    found = results()
    text = json.dumps(found, indent=1) + "\n"
    if given.write:
        PATH.parent.mkdir(parents=True, exist_ok=True)
        PATH.write_text(text, encoding="utf-8")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
