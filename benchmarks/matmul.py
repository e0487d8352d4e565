"""Products with quantised weights beside cuBLAS and every peer that is installed: same data, one run, in turns.

    python -m benchmarks.matmul [--seconds 600] [--shapes 8192x8192,Llama-3-70B] [--rows 1,16] [--formats u4,f6e3m2]
                                [--who tilevm,cuBLAS] [--tune] [--output FILE] [--plot FILE] [--list]

There are many cases (``benchmarks.shapes``), the most telling first. As many are measured as the time allows; the file
is written after each, and a run that is begun again goes on where it stopped. A case in which the process ended is
noted and not tried again. ``python -m benchmarks.report`` makes docs/performance.md of the files.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import json
import re
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.contestants import Contestant, CuBlas, Launches, Product, Tilevm, missing
from benchmarks.peers import PEERS
from benchmarks.product_data import Data
from benchmarks.shapes import SHAPES, Case, Weights, plan
from tilevm.files import replacing
from tilevm.runtime.bench import Row, bench
from tilevm.runtime.device import current_device

__all__ = ["RESULTS", "SCHEMA", "Products", "main", "measure", "selected"]

RESULTS = Path(__file__).parent / "results" / "products"
SCHEMA = 1
CASE_SECONDS = 2.0
"""The longest that one case is measured, all contestants together; at least four rounds."""
SHORT_SECONDS = 60.0
"""What ``measure`` takes, as a part of ``benchmarks.device``."""


class Products:
    """What was measured, and the file that it is in."""

    def __init__(self, path: Path, described: Mapping[str, Any]) -> None:
        self.path = path
        self.content: dict[str, Any] = {"schema": SCHEMA, "machine": dict(described), "absent": {}, "cases": []}
        if path.exists():
            found = json.loads(path.read_text(encoding="utf-8"))
            if found["schema"] == SCHEMA:
                self.content = found
        running = self.content.pop("running", None)
        if running is not None:
            self.content["cases"].append({**running, "rows": [], "errors": {"all": "the process ended in it"}})

    def has(self, case: Case) -> bool:
        """Whether a case was measured, or tried."""
        return any(each["case"] == str(case) for each in self.content["cases"])

    def begin(self, case: Case) -> None:
        """Notes that a case is under way."""
        self.content["running"] = _described(case)
        self.write()

    def add(self, case: Case, rows: Sequence[Row], errors: Mapping[str, str]) -> None:
        """Notes what came of it."""
        self.content.pop("running", None)
        measured = {**_described(case), "rows": [asdict(row) for row in rows], "errors": dict(errors)}
        self.content["cases"].append(measured)
        self.write()

    def write(self) -> None:
        """Writes the file, whole or not at all."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(self.path) as file:
            file.write(json.dumps(self.content, indent=1).encode() + b"\n")


def _described(case: Case) -> dict[str, Any]:
    return {"case": str(case), "m": case.m, **asdict(case.weights)}


def selected(shapes: Sequence[str] = (), rows: Sequence[int] = (), formats: Sequence[str] = ()) -> list[Case]:
    """The cases of a selection, in order of the plan; nothing selects everything. A shape is ``NxK`` or a model.

    >>> [str(case) for case in selected(["8192x8192"], [16], ["u3"])]
    ['16 x 8192 x 8192 u3 g128 f16']
    """
    wanted: set[tuple[int, int]] = set()
    for each in shapes:
        sides = re.fullmatch(r"(\d+)x(\d+)", each)
        wanted |= {(int(sides[1]), int(sides[2]))} if sides else set(SHAPES[each])
    return [
        case
        for case in plan()
        if (not wanted or (case.weights.n, case.weights.k) in wanted)
        and (not rows or case.m in rows)
        and (not formats or case.weights.format in formats)
    ]


def run(products: Products, cases: Sequence[Case], contestants: Sequence[Contestant], seconds: float) -> None:
    """Measures cases until the time is up."""
    end = time.monotonic() + seconds
    present = []
    for each in contestants:
        reason = missing(each)
        if reason is None:
            present.append(each)
        else:
            products.content["absent"][each.name] = reason
    left = [case for case in cases if not products.has(case)]
    for weights, several in _by_weights(left):
        if time.monotonic() >= end:
            return
        _run(products, weights, several, present, end)
        _release()


def _run(
    products: Products, weights: Weights, cases: Sequence[Case], contestants: Sequence[Contestant], end: float
) -> None:
    """Measures cases of the same weights, which are gone when it ends."""
    loaded, errors = _loaded(Data(current_device().cupy, weights), contestants)
    for case in cases:
        if time.monotonic() >= end:
            return
        products.begin(case)
        rows, failed = _measured(case, loaded, end)
        products.add(case, rows, {**errors, **failed})
        print(_line(case, rows), flush=True)


def _release() -> None:
    """Gives memory back to the GPU, of which CuPy and torch each keep what they had."""
    gc.collect()
    current_device().cupy.get_default_memory_pool().free_all_blocks()
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.cuda.empty_cache()


def _by_weights(cases: Sequence[Case]) -> Iterator[tuple[Weights, list[Case]]]:
    """Cases with the same weights that follow each other: these are made once."""
    for weights, several in itertools.groupby(cases, key=lambda case: case.weights):
        yield weights, list(several)


Loaded = dict[str, tuple[Data, Product]]


def _loaded(data: Data, contestants: Sequence[Contestant]) -> tuple[Loaded, dict[str, str]]:
    """The products of those that have one for these weights, and why others have not."""
    loaded: Loaded = {}
    errors = {}
    for each in contestants:
        if each.takes(data.weights):
            try:
                loaded[each.name] = data, each.load(data)
            except Exception as error:  # whatever a library raises, the others go on
                errors[each.name] = _reason(error)
    return loaded, errors


def _measured(case: Case, loaded: Loaded, end: float) -> tuple[tuple[Row, ...], dict[str, str]]:
    """The rows of those whose result is right, and what is wrong with the others."""
    launches: dict[str, Launches] = {}
    errors: dict[str, str] = {}
    x = next(iter(loaded.values()))[0].activations(case.m) if loaded else None
    for name, (_, product) in loaded.items():
        try:
            made = product(x)
            for task in made.tasks:
                task()
            found = made.error()
        except Exception as error:
            errors[name] = _reason(error)
            continue
        if not found <= made.tolerance:
            errors[name] = f"wrong: {found:.1e} off, relative to the norm; {made.tolerance:g} is allowed"
            continue
        launches[name] = made
    if not launches:
        return (), errors
    limit = min(CASE_SECONDS, max(0.0, end - time.monotonic()))
    result = bench(
        {name: made.tasks for name, made in launches.items()},
        what=str(case),
        seconds=limit,
        bytes={name: made.nbytes for name, made in launches.items()},
        operations=case.operations,
    )
    notes = {name: made.note for name, made in launches.items()}
    return tuple(_noted(row, notes[row.who]) for row in result.rows), errors


def _noted(row: Row, note: str) -> Row:
    told = "; ".join(each for each in (note, row.note) if each)
    return Row(**{**asdict(row), "note": told})


def _reason(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def _line(case: Case, rows: Sequence[Row]) -> str:
    return f"{case}: " + ", ".join(f"{row.who} {row.median:.1f} µs" for row in rows)


def measure() -> Iterator[Row]:
    """The most telling cases, for ``benchmarks.device``. Needs a GPU.

    Raises ``AssertionError`` at the end where a result was wrong.
    """
    end = time.monotonic() + SHORT_SECONDS
    wrong: list[str] = []
    for weights, several in _by_weights(selected(["8192x8192"], [1, 16])):
        if time.monotonic() >= end:
            break
        yield from _rows(weights, several, wrong, end)
        _release()
    if wrong:
        raise AssertionError("\n".join(wrong))


def _rows(weights: Weights, cases: Sequence[Case], wrong: list[str], end: float) -> Iterator[Row]:
    loaded, errors = _loaded(Data(current_device().cupy, weights), [Tilevm(), CuBlas()])
    for case in cases:
        rows, failed = _measured(case, loaded, end)
        yield from rows
        wrong += [f"{case}: {who}: {reason}" for who, reason in (errors | failed).items()]


def plot(content: Mapping[str, Any], path: str) -> None:
    """Draws the speed of every contestant over that of cuBLAS, by bits of a weight, a panel for each shape and m."""
    from matplotlib.figure import Figure

    from benchmarks.product_report import speedups

    panels = speedups(content)
    columns = max(1, min(3, len(panels)))
    rows = max(1, -(-len(panels) // columns))
    figure = Figure(figsize=(4 * columns, 3 * rows), layout="constrained")
    for place, (title, lines) in enumerate(panels.items()):
        axes = figure.add_subplot(rows, columns, place + 1, title=title)
        for who, points in lines.items():
            axes.plot([bits for bits, _ in points], [speed for _, speed in points], "o", label=who)
        axes.axhline(1.0, color="grey")
        axes.set(xlabel="bits", ylabel="times cuBLAS f16")
        axes.legend()
    figure.savefig(path)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs what the command line asks for. The status is 0, or 2 where there is no GPU."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.matmul", description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=600, help="seconds for everything (600)")
    parser.add_argument("--shapes", default="", help="NxK or models, with commas between")
    parser.add_argument("--rows", default="", help="numbers of rows")
    parser.add_argument("--formats", default="", help="number formats of the weights")
    parser.add_argument("--who", default="", help="contestants by the beginning of their names")
    parser.add_argument("--tune", action="store_true", help="tune tilevm's kernels first; results are stored")
    parser.add_argument("--output", type=Path, help="where the JSON is (benchmarks/results/products/DEVICE.json)")
    parser.add_argument("--plot", help="draw what was measured; needs matplotlib")
    parser.add_argument("--list", action="store_true", help="say which cases there are, and which peers are missing")
    given = parser.parse_args(arguments)
    rows = [int(each) for each in given.rows.split(",") if each]
    cases = selected(_words(given.shapes), rows, _words(given.formats))
    contestants = [Tilevm(given.tune), CuBlas(), *PEERS]
    wanted = _words(given.who)
    if wanted:
        contestants = [each for each in contestants if each.name.startswith(tuple(wanted))]
    if given.list:
        print(*cases, *(f"{each.name}: {missing(each) or 'present'}" for each in contestants), sep="\n")
        return 0
    described = machine.describe()
    if not described.get("device"):
        print(f"Nothing was measured: there is no GPU that can be used: {described.get('no_device')}")
        return 2
    name = re.sub(r"[^a-z0-9]+", "-", described["device"].lower()).strip("-")
    products = Products(given.output or RESULTS / f"{name}.json", described)
    run(products, cases, contestants, given.seconds)
    if given.plot:
        plot(products.content, given.plot)
    return 0


def _words(text: str) -> list[str]:
    return [each.strip() for each in text.split(",") if each.strip()]


if __name__ == "__main__":
    raise SystemExit(main())
