"""The page docs/performance.md, from the JSON files of ``benchmarks/results``.

    python -m benchmarks.report

For each GPU the newest file counts. One table for each benchmark, and one sentence where there is nothing to show; last
what was read without a GPU.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import casts, static_matmul
from benchmarks.device import BENCHMARKS, SCHEMA, TOOLS
from benchmarks.product_report import products
from benchmarks.stages import ROOT

__all__ = ["main", "page"]

RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "performance.md"

TITLES = {
    "copy_bandwidth": ("Copy bandwidth", "CuPy's copy on the device: what global memory gives at most."),
    "matmul": (
        "Products, n = k = 8192",
        "`tilevm.ops.matmul` for weights of many formats in groups of 128, beside cuBLAS with f16 weights. Buffers "
        "take turns, so that nothing is found in the second-level cache; so do the tasks, in alternating order.",
    ),
    "host_launch": (
        "A launch on the host",
        "What one launch of `examples/vector_add.tvm` on 4096 elements costs the host, the driver's part included.",
    ),
    "compile_time": (
        "From text to a cubin",
        "In a process that has compiled before: the text is parsed, lowered and emitted in both; what NVRTC takes is "
        "in the first.",
    ),
}

HEAD = """# Performance

Made by `python -m benchmarks.report` from `benchmarks/results/*.json`, which `python -m benchmarks.device` writes on a
machine with a GPU. A figure is the median of many rounds, with the quartiles in brackets, in microseconds. A bandwidth
counts the bytes that have to move: weights, scales, activations and results once.
"""


def page(folder: Path = RESULTS) -> str:
    """The text of the page."""
    static = [each.section(folder / each.PATH.name) for each in (casts, static_matmul)]
    return "\n".join([HEAD, *_parts(_newest(folder), folder), *static])


def _newest(folder: Path) -> list[dict[str, Any]]:
    """The newest result of each GPU, by its name."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted(folder.glob("*.json")):
        result = json.loads(path.read_text(encoding="utf-8"))
        device = result.get("machine", {}).get("device")
        if result["schema"] == SCHEMA and device:
            found[device] = max(result, found.get(device, result), key=lambda each: each["date"])
    return [found[name] for name in sorted(found)]


def _parts(results: list[dict[str, Any]], folder: Path) -> Iterator[str]:
    if not results:
        yield "**Nothing was run on a GPU yet.** Each of these says what will be measured.\n"
    for result in results:
        yield _about(result)
    yield "## Tests\n\n" + _tests(results)
    for name in BENCHMARKS:
        title, text = TITLES[name]
        yield f"## {title}\n\n{text}\n\n{_figures(name, results)}"
    yield "## Products with quantised weights\n"
    yield from products(folder / "products")


def _about(result: dict[str, Any]) -> str:
    machine = result["machine"]
    clocks = machine.get("nvidia_smi")
    clocks = f", clocks {clocks['clocks.sm']} of {clocks['clocks.max.sm']}" if isinstance(clocks, dict) else ""
    return (
        f"**{machine['device']}**, {result['date'][:10]}: compute capability {machine['capability']}, driver "
        f"{machine['driver']}, CUDA {machine['cuda_runtime']}, NVRTC {'.'.join(map(str, machine['nvrtc']))}, CuPy "
        f"{machine['packages']['cupy']}, Python {machine['python']}{clocks}; revision {machine['revision']}.\n"
    )


def _tests(results: list[dict[str, Any]]) -> str:
    tools = [f"compute-sanitizer {tool}" for tool in TOOLS]
    rows = []
    for result in results:
        for stage in result["stages"]:
            if not stage["tests"] and stage["name"] not in (*tools, "tests"):
                continue
            outcomes = [each["outcome"] for each in stage["tests"]]
            counts = (str(outcomes.count(each)) for each in ("passed", "failed", "skipped"))
            text = stage["text"].splitlines()[0] if stage["text"] and stage["state"] != "passed" else ""
            rows.append((result["machine"]["device"], stage["name"], stage["state"], *counts, text))
    if not rows:
        return "No test was run on a GPU yet.\n"
    return _table(("GPU", "stage", "state", "passed", "failed", "skipped", ""), rows)


def _figures(name: str, results: list[dict[str, Any]]) -> str:
    rows, reasons = [], []
    for result in results:
        device = result["machine"]["device"]
        for stage in result["stages"]:
            if stage["name"] != name:
                continue
            rows += [(device, *_figure(row)) for row in stage["rows"]]
            if stage["state"] != "passed":
                reasons.append(f"{device}: {stage['state']}, {stage['text'].splitlines()[0]}\n")
    if rows:
        reasons.insert(0, _table(("GPU", "what", "who", "µs", "GB/s", "TFLOP/s", ""), rows))
    return "\n".join(reasons) or "There is no result yet.\n"


def _figure(row: dict[str, Any]) -> tuple[str, ...]:
    time = row["median"]
    bandwidth = f"{row['bytes'] / time / 1e3:.0f}" if row["bytes"] else ""
    rate = f"{row['operations'] / time / 1e6:.1f}" if row["operations"] else ""
    spread = f"{time:.2f} ({row['low']:.2f}–{row['high']:.2f})"
    return row["what"], row["who"], spread, bandwidth, rate, row["note"]


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines) + "\n"


def main() -> None:
    """Writes the page."""
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
