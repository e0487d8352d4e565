"""The profile names the line that wastes most, with the counts of a simulated run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from kernels import module, needs_compiler

from tilevm.errors import Source
from tilevm.runtime.cli import cli
from tilevm.runtime.profile import COLUMNS, profile_rows, verdict
from tilevm.runtime.simulator import LineCounts, Simulation

PROGRAM = Source("strided.tvm", "".join(f"  line {number}\n" for number in range(1, 9)))
TEXT = """
kernel halve[STEP = 1](x: f32[N], out y: f32[N]):
    grid 1
    warps 1
    s = shared(f32, [32])
    store(s, load(x[0 :+ 32]))
    sync()
    store(y[0 :+ 32], load(s) * 0.5)
"""


@needs_compiler
def test_rows_are_the_counts_of_the_lines_and_their_sums() -> None:
    x = np.arange(128, dtype=np.uint32)
    result = module("intrinsics").launch("strided", 1, [x, np.zeros_like(x), 128, 4], source=PROGRAM)
    rows = list(profile_rows(result, PROGRAM))
    assert all(len(row) == len(COLUMNS) for row in rows)
    # The lanes are 128 bytes apart, so that all words lie in one bank.
    assert rows[1:3] == [
        ("3", "1", "32", "1", "0", "0", "0", "line 3"),
        ("4", "1", "32", "1", "0", "0", "0", "line 4"),
    ]
    assert rows[-1][:4] == ("all", "2", "64", "2")
    assert verdict(result).startswith("line 3: 32.0 times the wavefronts that it needs")


def counts(**figures: int) -> LineCounts:
    names = ("shared_requests", "wavefronts", "ideal_wavefronts", "global_requests", "sectors", "useful_bytes")
    return LineCounts(*(figures.get(name, 0) for name in names))


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ({}, "no line touches memory"),
        ({1: counts(global_requests=1, sectors=4, useful_bytes=128)}, "every request moves only what it asks for"),
        (
            {
                1: counts(wavefronts=4, ideal_wavefronts=2),
                2: counts(sectors=64, useful_bytes=512),
            },
            "line 2: moves 4.0 times the bytes that it asks for",
        ),
        (
            {
                1: counts(wavefronts=40, ideal_wavefronts=20),
                2: counts(sectors=32, useful_bytes=512),
            },
            "line 1: 2.0 times the wavefronts",
        ),
    ],
)
def test_the_verdict_names_the_line_that_wastes_most(lines: dict[int, LineCounts], says: str) -> None:
    assert verdict(Simulation((), lines)).startswith(says)


@needs_compiler
def test_the_command_shows_the_lines_of_a_program(tmp_path: Path) -> None:
    path = tmp_path / "halve.tvm"
    path.write_text(TEXT, encoding="utf-8")
    result = CliRunner().invoke(cli, ["profile", str(path), "--arg", "x=40:f32", "--set", "STEP=2"])
    assert result.exit_code == 0, result.output
    table = {line.split()[0]: line.split() for line in result.stdout.splitlines() if line.strip()}
    assert table["6"][1:4] == ["1", "1", "1"]
    assert table["6"][5:7] == ["128", "128"]
    assert table["8"][5:7] == ["128", "128"]
    assert table["all"][5:7] == ["256", "256"]
    assert "store(s, load(x[0 :+ 32]))" in result.stdout
    assert "every request moves only what it asks for" in result.stdout
    missing = CliRunner().invoke(cli, ["profile", str(path)])
    assert missing.exit_code == 1
    assert "error[A" in missing.stderr
