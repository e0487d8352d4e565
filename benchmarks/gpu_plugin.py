"""A plugin of pytest that notes each test as it ends, for ``benchmarks.device``: a JSON object on each line of a file.

    TILEVM_GPU_RESULTS=results.jsonl python -m pytest -p benchmarks.gpu_plugin -m gpu tests/gpu

The first line has the names of all tests. What stands in the file already is not run again: so a run that was cut off
goes on where it ended. A GPU that has stopped fails everything after it; then the run is ended, with status 3, to be
begun anew in another process.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.own_tests import find_own_tests

__all__ = ["STOPPED", "VARIABLE"]

VARIABLE = "TILEVM_GPU_RESULTS"
STOPPED = 3
"""The status of a run after which the GPU took no more work from its process."""
TEXT = 4000
"""Characters of a failure that are kept, from its end."""


find_own_tests()


def _note(entry: dict[str, Any]) -> None:
    with Path(os.environ[VARIABLE]).open("a", encoding="utf-8") as file:
        file.write(json.dumps(entry) + "\n")


def _ended() -> set[str]:
    path = Path(os.environ[VARIABLE])
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return {entry["test"] for entry in map(json.loads, lines) if "test" in entry}


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Notes all tests the first time, and leaves out those that have ended."""
    if not Path(os.environ[VARIABLE]).exists():
        _note({"collected": [item.nodeid for item in items]})
    ended = _ended()
    config.hook.pytest_deselected(items=[item for item in items if item.nodeid in ended])
    items[:] = [item for item in items if item.nodeid not in ended]


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """A file that cannot be collected is a failure of its own, and one that is skipped is said to be."""
    if report.failed or report.skipped:
        text = str(report.longrepr[-1] if isinstance(report.longrepr, tuple) else report.longrepr)
        _note({"test": report.nodeid, "outcome": report.outcome, "seconds": 0.0, "text": text[-TEXT:]})


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Notes a test that has ended, by its call or before it."""
    if report.when != "call" and report.passed:
        return
    text = report.longrepr[-1] if isinstance(report.longrepr, tuple) else str(report.longrepr or "")
    _note({"test": report.nodeid, "outcome": report.outcome, "seconds": report.duration, "text": text[-TEXT:]})
    if report.failed and _gpu_has_stopped():
        pytest.exit("the GPU takes no more work from this process", STOPPED)


def _gpu_has_stopped() -> bool:
    """Whether the GPU was used in this process and answers with an error now."""
    cupy = sys.modules.get("cupy")
    if cupy is None:
        return False
    try:
        cupy.cuda.runtime.deviceSynchronize()
        cupy.zeros(1).get()
    except Exception:  # whatever it is: nothing can be launched any more
        return True
    return False
