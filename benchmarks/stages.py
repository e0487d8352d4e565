"""The stages of ``benchmarks.device``, each in processes of its own, with a time by which it has ended.

A stage gives a ``Stage`` whatever happens in it: a failure is its text, and what was found until then is kept.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.gpu_plugin import STOPPED, VARIABLE
from tilevm.files import replacing
from tilevm.runtime.bench import Row

__all__ = ["ROOT", "Stage", "measured", "run", "sanitized", "tested"]

ROOT = Path(__file__).parent.parent
TEXT = 6000
"""Characters of a process's output that are kept, from its end."""
RESTARTS = 20
"""How often a file of tests is begun anew after the GPU has stopped."""


@dataclass
class Stage:
    """What came of a stage. ``state`` is passed, failed or skipped; ``text`` says why it is not passed."""

    name: str
    state: str = "passed"
    seconds: float = 0.0
    text: str = ""
    tests: list[dict[str, Any]] = field(default_factory=list)
    """Each test with its outcome, seconds and the text of a failure."""
    rows: list[dict[str, Any]] = field(default_factory=list)
    """Figures, as ``tilevm.runtime.bench.Row`` has them."""

    def fail(self, text: str) -> None:
        """Notes a failure; several add up."""
        self.state = "failed"
        self.text = f"{self.text}\n{text}".strip()


@dataclass(frozen=True)
class Ended:
    """A process that has ended, by itself or because its time was up (then ``status`` is None)."""

    status: int | None
    output: str


def run(command: Sequence[str], seconds: float, environment: Mapping[str, str] | None = None) -> Ended:
    """Runs a command in the root of the repository; it and all its children are ended when the time is up."""
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as file:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdout=file,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": _search_path(), **(environment or {})},
            start_new_session=True,
        )
        try:
            status: int | None = process.wait(max(1.0, seconds))
        except subprocess.TimeoutExpired:
            status = None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        file.seek(0)
        return Ended(status, file.read()[-TEXT:])


def _search_path() -> str:
    given = os.environ.get("PYTHONPATH")
    return str(ROOT) if not given else f"{ROOT}{os.pathsep}{given}"


def tested(paths: Sequence[str], seconds: float) -> list[Stage]:
    """The tests of each path in a process of its own, all at the same time; one stage for each path."""
    with tempfile.TemporaryDirectory() as folder:
        begun = [_Tests(path, Path(folder) / f"{number}.jsonl", seconds) for number, path in enumerate(paths)]
        while any(each.advance() for each in begun):
            time.sleep(0.05)
        return [each.stage() for each in begun]


class _Tests:
    """One file of tests, in one process after another until all tests have ended."""

    def __init__(self, path: str, results: Path, seconds: float) -> None:
        self.path, self.results = path, results
        self.begun = time.monotonic()
        self.until = self.begun + seconds
        self.restarts = 0
        self.complaint = ""
        self.ended = 0.0
        self.process: subprocess.Popen[str] | None = self.start()

    def start(self) -> subprocess.Popen[str]:
        # Warnings of libraries that are newer than those the suite was written with are none of its failures.
        options = ["-q", "-m", "gpu", "-W", "default", "-p", "no:cacheprovider", "-p", "benchmarks.gpu_plugin"]
        self.log = self.results.with_suffix(".log").open("w+", encoding="utf-8", errors="replace")
        return subprocess.Popen(
            [sys.executable, "-m", "pytest", *options, self.path],
            cwd=ROOT,
            stdout=self.log,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "PYTHONPATH": _search_path(), VARIABLE: str(self.results)},
            start_new_session=True,
        )

    def advance(self) -> bool:
        """Whether there is more to wait for; begins anew where that helps."""
        if self.process is None:
            return False
        status = self.process.poll()
        if status is None and time.monotonic() < self.until:
            return True
        if status is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.complaint = "the time was up"
        elif self.cut_off(status) and self.restarts < RESTARTS and time.monotonic() < self.until - 5:
            self.note_crash(status)
            self.restarts += 1
            self.log.close()
            self.process = self.start()
            return True
        elif status not in (0, 1, 5):
            self.log.seek(0)
            self.complaint = f"pytest ended with status {status}:\n{self.log.read()[-TEXT:]}"
        self.log.close()
        self.process = None
        self.ended = time.monotonic()
        return False

    def cut_off(self, status: int) -> bool:
        """Whether the run has ended before its tests had, by a signal or because the GPU has stopped."""
        return status == STOPPED or status < 0

    def note_crash(self, status: int) -> None:
        """A process that was ended by a signal has not noted the test that did it: it is the next one."""
        left = self.left()
        if status < 0 and left:
            entry = {
                "test": left[0],
                "outcome": "failed",
                "seconds": 0.0,
                "text": f"the process ended by signal {-status}",
            }
            with self.results.open("a", encoding="utf-8") as file:
                file.write(json.dumps(entry) + "\n")

    def entries(self) -> list[dict[str, Any]]:
        """What is noted; the last line may be cut off."""
        found = []
        lines = self.results.read_text(encoding="utf-8").splitlines() if self.results.exists() else []
        for line in lines:
            try:
                found.append(json.loads(line))
            except json.JSONDecodeError:
                continue
        return found

    def left(self) -> list[str]:
        """Tests that have not ended, in order."""
        entries = self.entries()
        ended = {each["test"] for each in entries if "test" in each}
        collected: list[str] = next((each["collected"] for each in entries if "collected" in each), [])
        return [name for name in collected if name not in ended]

    def stage(self) -> Stage:
        """What came of the tests."""
        tests = [each for each in self.entries() if "test" in each]
        stage = Stage(self.path, seconds=self.ended - self.begun, tests=tests)
        failed = [each["test"] for each in tests if each["outcome"] == "failed"]
        if failed:
            stage.fail(f"{len(failed)} of {len(tests)} tests failed, the first is {failed[0]}")
        left = self.left()
        if left:
            stage.fail(f"{len(left)} tests were not run, the first is {left[0]}")
        if self.complaint:
            stage.fail(self.complaint)
        if self.restarts:
            stage.text += f"\nbegun anew {self.restarts} times"
        if not failed and stage.state == "passed" and all(each["outcome"] == "skipped" for each in tests):
            stage.state = "skipped"
            stage.text = tests[0]["text"] if tests else "there are no tests"
        return stage


def sanitized(sanitizer: str, tool: str, seconds: float) -> Stage:
    """compute-sanitizer's ``memcheck`` or ``racecheck`` over one launch of every example."""
    begun = time.monotonic()
    options = ["--tool", tool, "--error-exitcode", "9", "--target-processes", "all"]
    ended = run([sanitizer, *options, sys.executable, "-m", "benchmarks.every_example"], seconds)
    stage = Stage(f"compute-sanitizer {tool}", seconds=time.monotonic() - begun)
    if "Device not supported" in ended.output:
        stage.state, stage.text = "skipped", "compute-sanitizer does not support this device:\n" + ended.output
    elif ended.status != 0:
        reason = "the time was up" if ended.status is None else f"status {ended.status}"
        stage.fail(f"{reason}:\n{ended.output}")
    else:
        stage.text = ended.output.strip().splitlines()[-1] if ended.output.strip() else ""
    return stage


def measured(name: str, seconds: float) -> Stage:
    """The benchmark ``benchmarks.<name>``: the rows that its ``measure`` gives."""
    begun = time.monotonic()
    stage = Stage(name)
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "rows.json"
        ended = run([sys.executable, "-m", "benchmarks.stages", name, str(target)], seconds)
        if target.exists():
            stage.rows = json.loads(target.read_text(encoding="utf-8"))
        if ended.status != 0:
            reason = "the time was up" if ended.status is None else f"status {ended.status}"
            stage.fail(f"{reason}:\n{ended.output}")
    stage.seconds = time.monotonic() - begun
    return stage


def measure_here(name: str, target: Path) -> None:
    """Runs a benchmark in this process, and writes its rows as they come: what ends it does not take them."""
    from importlib import import_module

    measure: Callable[[], Iterable[Row]] = import_module(f"benchmarks.{name}").measure
    rows = []
    for row in measure():
        rows.append(asdict(row))
        with replacing(target) as file:
            file.write(json.dumps(rows).encode())


if __name__ == "__main__":
    measure_here(sys.argv[1], Path(sys.argv[2]))
