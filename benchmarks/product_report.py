"""What docs/performance.md says of ``benchmarks.matmul``: a table for each GPU, from its JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tilevm.dtypes import dtype

__all__ = ["products", "speedups"]

SCHEMA = 1
CUBLAS, TILEVM = "cuBLAS f16", "tilevm"

INTRODUCTION = """`python -m benchmarks.matmul` multiplies by quantised weights beside cuBLAS with f16 weights of the
same shape, and beside every peer that is installed: the same data in one run, in turns. What is not right within its
tolerance has no figure. GB/s counts codes, scales, activations and results once.
"""
LEFT_OUT = "Peers that quantise by themselves were given the same dense weights; their notes say so.\n"


def products(folder: Path) -> Iterator[str]:
    """The parts of the section."""
    yield INTRODUCTION
    found = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]
    found = [each for each in found if each["schema"] == SCHEMA and each["cases"]]
    if not found:
        yield "There is no result yet.\n"
    for content in found:
        yield f"### {content['machine']['device']}\n"
        yield _table(content)
        yield LEFT_OUT
        yield from _reasons(content)


def _table(content: Mapping[str, Any]) -> str:
    lines = [
        "| n × k | m | weights | tilevm µs | GB/s | cuBLAS µs | × cuBLAS | peers |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [_line(case) for case in content["cases"] if case["rows"]]
    return "\n".join(lines) + "\n"


def _line(case: Mapping[str, Any]) -> str:
    rows = {row["who"]: row for row in case["rows"]}
    own, reference = rows.get(TILEVM), rows.get(CUBLAS)
    group = f"g{case['group']}" if case["group"] else "channel"
    peers = sorted((row for who, row in rows.items() if who not in (TILEVM, CUBLAS)), key=lambda row: row["median"])
    shown = ", ".join(
        f"{row['who']} {row['median']:.1f}" + (f" ({row['note']})" if row["note"] else "") for row in peers
    )
    cells = (
        f"{case['n']} × {case['k']}",
        str(case["m"]),
        f"{case['format']} {group} {case['scale']}",
        f"{own['median']:.1f} ({own['low']:.1f}–{own['high']:.1f})" if own else "",
        f"{own['bytes'] / own['median'] / 1e3:.0f}" if own else "",
        f"{reference['median']:.1f}" if reference else "",
        f"{reference['median'] / own['median']:.2f}" if own and reference else "",
        shown,
    )
    return "| " + " | ".join(cells) + " |"


def _reasons(content: Mapping[str, Any]) -> Iterator[str]:
    """Who was left out, and why."""
    for who, reason in sorted(content["absent"].items()):
        yield f"{who}: {reason}.\n"
    told: dict[tuple[str, str], list[str]] = {}
    for case in content["cases"]:
        for who, reason in case["errors"].items():
            told.setdefault((who, reason), []).append(case["case"])
    for (who, reason), cases in sorted(told.items()):
        yield f"{who} was left out of {len(cases)} cases, such as {cases[0]}: {reason}\n"


def speedups(content: Mapping[str, Any]) -> dict[str, dict[str, list[tuple[int, float]]]]:
    """Times the speed of cuBLAS, by shape and rows, then by contestant, with the bits of a weight."""
    panels: dict[str, dict[str, list[tuple[int, float]]]] = {}
    for case in content["cases"]:
        rows = {row["who"]: row["median"] for row in case["rows"]}
        if CUBLAS in rows:
            lines = panels.setdefault(f"{case['n']} × {case['k']}, m = {case['m']}", {})
            for who, microseconds in rows.items():
                if who != CUBLAS:
                    lines.setdefault(who, []).append((dtype(case["format"]).bits, rows[CUBLAS] / microseconds))
    return panels
