"""How fast formats are encoded, decoded and packed, beside ``ml_dtypes`` and ``memcpy``.

    python -m benchmarks.formats [--json results.json]

Encoding and decoding 16 million numbers of every format of at most 8 bits is compared with ``ml_dtypes``' conversion of
as many to and from ``float4_e2m1fn``; packing and unpacking codes of 1 to 8 bits with a copy of the codes, one in a
byte. Tasks that are compared run in turns.
"""

from __future__ import annotations

import json
from pathlib import Path
from statistics import median

import click
import ml_dtypes
import numpy as np
from rich.console import Console
from rich.table import Table

import tilevm
from benchmarks.timing import in_turns

COUNT = 1 << 24
INTEGERS = [f"{kind}{bits}" for kind in "ui" for bits in range(1, 9)]
FLOATS = [f"f{bits}e{exponent}m{bits - 1 - exponent}" for bits in range(3, 9) for exponent in range(1, bits)]
FORMATS = [*INTEGERS, *FLOATS, "f8e4m3fnuz", "ue4m3", "ue5m3", "e8m0", "nf4", "trit"]


def conversions() -> dict[str, dict[str, float]]:
    """For each format the time to encode and to decode, over that of ``ml_dtypes``."""
    numbers = np.random.default_rng(0).standard_normal(COUNT).astype(np.float32)
    narrow = numbers.astype(ml_dtypes.float4_e2m1fn)
    found = {}
    for name in FORMATS:
        kind = tilevm.dtype(name)
        codes = kind.encode(numbers)
        encode, their_encode = in_turns(
            lambda kind=kind: kind.encode(numbers), lambda: numbers.astype(ml_dtypes.float4_e2m1fn), rounds=3
        )
        decode, their_decode = in_turns(
            lambda kind=kind, codes=codes: kind.decode(codes), lambda: narrow.astype(np.float64), rounds=3
        )
        found[name] = {"encode": encode / their_encode, "decode": decode / their_decode}
    return found


def packings() -> dict[int, dict[str, float]]:
    """For each width the time to pack and to unpack, over that of copying the codes."""
    codes = np.random.default_rng(0).integers(0, 256, COUNT, np.uint8)
    target = np.empty_like(codes)
    found = {}
    for bits in range(1, 9):
        own = codes & np.uint8((1 << bits) - 1)
        stream = tilevm.pack(own, bits)
        pack, unpack, copy = in_turns(
            lambda own=own, bits=bits: tilevm.pack(own, bits),
            lambda stream=stream, bits=bits: tilevm.unpack(stream, bits, COUNT),
            lambda: np.copyto(target, codes),
        )
        found[bits] = {"pack": pack / copy, "unpack": unpack / copy}
    return found


@click.command()
@click.option("--json", "target", type=click.Path(path_type=Path), help="Also write the figures to this file.")
def main(target: Path | None) -> None:
    """Measures, and prints two tables of ratios."""
    converted, packed = conversions(), packings()
    table = Table(
        "16 million numbers", "median", "worst", "goal", title="time over that of ml_dtypes for float4_e2m1fn"
    )
    for task in ("encode", "decode"):
        worst = max(converted, key=lambda name: converted[name][task])
        middle = median(figures[task] for figures in converted.values())
        table.add_row(task, f"{middle:.2f}", f"{converted[worst][task]:.2f} ({worst})", "at most 3")
    Console().print(table)
    table = Table("bits", "pack", "unpack", "goal", title="time over that of copying the codes")
    for bits, figures in packed.items():
        goal = {4: "at most 5", 3: "at most 15", 5: "at most 15", 6: "at most 15", 7: "at most 15"}.get(bits, "")
        table.add_row(str(bits), f"{figures['pack']:.1f}", f"{figures['unpack']:.1f}", goal)
    Console().print(table)
    if target is not None:
        target.write_text(json.dumps({"conversion": converted, "packing": packed}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
