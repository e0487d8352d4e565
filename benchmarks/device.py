"""Evidence from hardware in one command: every test that needs a GPU, NVIDIA's sanitizer, the benchmarks; one JSON.

    python -m benchmarks.device [--budget 480] [--output FILE] [--dry-run]

From a bare checkout: nothing needs to be installed but tilevm's own dependencies and CuPy with NVRTC. What else is
missing is left out, and said to be. Every stage runs in processes of its own, so that one that fails, hangs or stops
the GPU does not take the others with it; the JSON is written anew after each, so that it holds all that is known
whenever the command ends. Its status is 0 if nothing failed, 1 if something did, 2 where nothing could be launched.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.machine import NEEDED, find_sanitizer, missing
from benchmarks.stages import ROOT, Stage, measured, run, sanitized, tested

__all__ = ["BENCHMARKS", "SCHEMA", "TOOLS", "gpu_tests", "main"]

SCHEMA = 1
MARK = "pytest.mark.gpu"
TOOLS = ("memcheck", "racecheck")
BENCHMARKS = ("copy_bandwidth", "matmul", "host_launch", "compile_time")
"""Modules of ``benchmarks`` with a function ``measure() -> Iterable[Row]``."""
SHARES = {"tests": 0.5, "sanitizer": 0.12, "benchmark": 0.25}
"""What part of the time each stage has at most; it also ends when the whole time is up."""
LEAST_SECONDS = 5.0
"""With less time left a stage is not begun."""

Step = tuple[str, Callable[[float], list[Stage]]]


def gpu_tests() -> list[str]:
    """The files of tests that need a GPU, those that name the mark, by their paths from the root."""
    found = sorted((ROOT / "tests").rglob("test_*.py"))
    return [path.relative_to(ROOT).as_posix() for path in found if MARK in path.read_text(encoding="utf-8")]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs what the command line asks for, and gives the status of the process."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.device", description=__doc__.partition("\n")[0])
    parser.add_argument("--budget", type=float, default=480, help="seconds for everything (480)")
    parser.add_argument("--output", type=Path, help="where the JSON goes (benchmarks/results/DATE-DEVICE.json)")
    parser.add_argument("--dry-run", action="store_true", help="say what would run, and what is missing")
    given = parser.parse_args(arguments)
    report = Report(given.output, given.budget)
    report.machine = _machine(min(60.0, given.budget))
    steps = list(_steps(given.budget))
    if given.dry_run:
        return _dry_run(report, steps)
    print(_about(report.machine))
    reason = _impossible(report.machine)
    if reason:
        for name, _ in steps:
            report.add(Stage(name, "skipped", text=reason))
        print(f"\nNothing was launched: {reason}\nwritten: {report.write()}")
        return 2
    for name, step in steps:
        left = report.left()
        if left < LEAST_SECONDS:
            report.add(Stage(name, "skipped", text="there was no time left"))
            continue
        for stage in _guarded(name, step, left):
            report.add(stage)
    print(f"\nwritten: {report.write()}")
    return 1 if any(stage.state == "failed" for stage in report.stages) else 0


class Report:
    """What is known so far, and the file that it is written to."""

    def __init__(self, output: Path | None, budget: float) -> None:
        self.output, self.budget = output, budget
        self.begun = time.monotonic()
        self.date = datetime.now(UTC)
        self.machine: dict[str, Any] = {}
        self.stages: list[Stage] = []

    def left(self) -> float:
        """Seconds until the time is up."""
        return self.budget - (time.monotonic() - self.begun)

    def add(self, stage: Stage) -> None:
        """Adds what came of a stage, prints it, and writes the file anew."""
        self.stages.append(stage)
        print(_line(stage), flush=True)
        self.write()

    def write(self) -> Path:
        """Writes the file, whole or not at all, and gives its path."""
        path = self.output or ROOT / "benchmarks" / "results" / f"{self.date:%Y-%m-%d-%H%M}-{_slug(self.machine)}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        content = {
            "schema": SCHEMA,
            "date": self.date.isoformat(timespec="seconds"),
            "budget_seconds": self.budget,
            "seconds": time.monotonic() - self.begun,
            "machine": self.machine,
            "stages": [asdict(stage) for stage in self.stages],
        }
        handle, written = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(content, file, indent=1)
                file.write("\n")
            os.replace(written, path)
        except BaseException:
            os.unlink(written)
            raise
        return path


def _steps(budget: float) -> Iterator[Step]:
    """Every stage, in order; each takes the seconds that are left, and keeps to its own share."""
    yield "tests", lambda left: _all_tests(min(left, SHARES["tests"] * budget))
    for tool in TOOLS:
        yield (
            f"compute-sanitizer {tool}",
            lambda left, tool=tool: [  # type: ignore[misc]
                _sanitizer(tool, min(left, SHARES["sanitizer"] * budget))
            ],
        )
    for name in BENCHMARKS:
        yield name, lambda left, name=name: [measured(name, min(left, SHARES["benchmark"] * budget))]  # type: ignore[misc]


def _all_tests(seconds: float) -> list[Stage]:
    if missing(("pytest",)):
        return [Stage("tests", "skipped", text="pytest is not installed")]
    return tested(gpu_tests(), seconds)


def _sanitizer(tool: str, seconds: float) -> Stage:
    found = find_sanitizer()
    if found is None:
        text = "compute-sanitizer is neither on PATH nor in /usr/local/cuda*/bin"
        return Stage(f"compute-sanitizer {tool}", "skipped", text=text)
    return sanitized(found, tool, seconds)


def _guarded(name: str, step: Callable[[float], list[Stage]], seconds: float) -> list[Stage]:
    """What came of a step, a failure of the step itself included."""
    begun = time.monotonic()
    try:
        return step(seconds)
    except Exception as error:  # the next stage is to run whatever happened in this one
        return [Stage(name, "failed", time.monotonic() - begun, f"{type(error).__name__}: {error}")]


def _machine(seconds: float) -> dict[str, Any]:
    ended = run([sys.executable, "-m", "benchmarks.machine"], seconds)
    try:
        found: dict[str, Any] = json.loads(ended.output[ended.output.index("{") :])
    except ValueError:
        return {"device": None, "no_device": f"asking for it ended with status {ended.status}:\n{ended.output}"}
    return found


def _impossible(machine: dict[str, Any]) -> str | None:
    """Why nothing can be launched, or None."""
    lacking = machine.get("missing") or []
    if lacking:
        names = ", ".join(lacking)
        return f"{names} {'is' if len(lacking) == 1 else 'are'} not installed; needed are {', '.join(NEEDED)}"
    return None if machine.get("device") else f"there is no GPU that can be used: {machine.get('no_device')}"


def _dry_run(report: Report, steps: list[Step]) -> int:
    print(_about(report.machine))
    print("\nwould run:")
    for name, _ in steps:
        parts = f": {', '.join(gpu_tests())}" if name == "tests" else ""
        print(f"  {name}{parts}")
    reasons = [_impossible(report.machine)]
    reasons += [f"{each} is not installed" for each in report.machine.get("left_out", [])]
    reasons += [None if find_sanitizer() else "compute-sanitizer was not found"]
    print("\nmissing:")
    for reason in [each for each in reasons if each] or ["nothing"]:
        print(f"  {reason}")
    if report.output is not None:
        for name, _ in steps:
            report.stages.append(Stage(name, "skipped", text="a dry run"))
        print(f"\nwritten: {report.write()}")
    return 0


def _about(machine: dict[str, Any]) -> str:
    known = {name: machine.get(name) for name in ("device", "capability", "driver", "cuda_runtime", "nvrtc", "python")}
    packages = {name: version for name, version in (machine.get("packages") or {}).items() if version}
    lines = [f"{name}: {value}" for name, value in known.items() if value is not None]
    return "\n".join([*lines, "packages: " + ", ".join(f"{name} {version}" for name, version in packages.items())])


def _line(stage: Stage) -> str:
    counted = ""
    if stage.tests:
        outcomes = [each["outcome"] for each in stage.tests]
        counted = ", ".join(f"{outcomes.count(each)} {each}" for each in dict.fromkeys(outcomes))
    lines = [f"{stage.state:8}{stage.seconds:7.1f} s  {stage.name}  {counted}".rstrip()]
    if stage.state != "passed":
        lines += [f"          {line}" for line in stage.text.splitlines()[:6]]
    for row in stage.rows:
        rate = f"  {row['bytes'] / row['median'] / 1e3:8.0f} GB/s" if row["bytes"] else ""
        lines.append(f"          {row['what']:34} {row['who']:22} {row['median']:10.2f} µs{rate}")
    return "\n".join(lines)


def _slug(machine: dict[str, Any]) -> str:
    return re.sub(r"[^a-z0-9]+", "-", str(machine.get("device") or "no-device").lower()).strip("-")


if __name__ == "__main__":
    sys.exit(main())
