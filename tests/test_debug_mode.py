"""Debug mode: mistakes in the use of memory are found, each at its place, and correct programs are left alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from run_text import execute, program

from tilevm.errors import ExecutionError
from tilevm.report import Report

HEAD = """
kernel k(x: f32[N, 64], index: i32[64], inout y: f32[N, 64], out z: f32[N, 64]):
    grid N
    warps 2
    here = block_index(0)
    v = load(x[here, :])
    s = shared(f32, [64])
"""
FIRST = 8
"""The line of the text on which a body begins."""


def findings(body: str, blocks: int = 3) -> list[tuple[str, int, int | None]]:
    """Code, line within the body (from 1), and that of the other access for each finding."""
    report = Report()
    text = HEAD + "".join(f"    {line}\n" for line in body.strip().splitlines())
    execute(
        text,
        report,
        x=np.arange(64 * blocks).reshape(blocks, 64),
        index=np.arange(64)[::-1],
        y=np.zeros((blocks, 64)),
        z=np.zeros((blocks, 64)),
        N=blocks,
    )
    found = []
    for finding in report.findings:
        assert finding.span is not None
        assert finding.help or finding.severity == "note"
        earlier = finding.related[0].span.line - FIRST + 1 if finding.related else None
        found.append((finding.code, finding.span.line - FIRST + 1, earlier))
        assert f"({blocks} times)" in finding.message or blocks == 1
    return found


def lines(*body: str) -> str:
    return "\n".join(body)


DECLARED = 0
"""The line of ``s = shared(...)``, counted as those of the body are."""


def test_correct_use_of_shared_memory_reports_nothing() -> None:
    assert (
        findings(lines("store(s, v)", "sync()", "t = load(s)", "sync()", "store(s, t)", "sync()", "u = load(s)")) == []
    )
    assert findings(lines("copy_async(s, x[here, :])", "commit()", "wait(0)", "sync()", "t = load(s)")) == []
    assert findings(lines("store(s[0 :+ 32], 1.0)", "store(s[32 :+ 32], 2.0)", "sync()", "t = load(s)")) == []
    assert findings(lines("store(s, v)", "sync()", "t = load(s)", "u = load(s)")) == []


def test_what_was_never_written_is_found() -> None:
    assert findings("t = load(s)") == [("R004", 1, DECLARED)]
    assert findings(lines("store(s[0 :+ 63], 0.0)", "sync()", "t = load(s)")) == [("R004", 3, DECLARED)]
    assert findings(lines("store(s[0 :+ 63], 0.0)", "sync()", "t = load(s[0 :+ 63])")) == []
    assert findings("t = gather(s, load(index[:]))") == [("R004", 1, DECLARED)]
    assert findings("atomic_add(s, 1.0)") == [("R004", 1, DECLARED)]


def test_an_output_starts_without_contents() -> None:
    assert findings("t = load(z[here, :])") == [("R004", 1, 2 - FIRST + 1)]
    assert findings("t = load(y[here, :])") == []
    assert findings(lines("store(z[here, 0 :+ 32], 0.0)", "t = load(z[here, 16 :+ 32])")) == [("R004", 2, -5)]
    assert findings(lines("store(z[here, 0 :+ 32], 0.0)", "t = load(z[here, 0 :+ 32])")) == []
    assert findings("old = atomic_add(z[here, 3], 1.0)") == [("R004", 1, -5)]
    assert findings(lines("old = atomic_add(z[here, 3], 1.0)", "t = load(z[here, 3])")) == [("R004", 1, -5)]
    scattered = "scatter(z, v, full(i32, [64], here), load(index[:]))"
    gathered = "t = gather(z, full(i32, [64], here), iota(64))"
    assert findings(gathered) == [("R004", 1, -5)]
    assert findings(lines(scattered, gathered, "u = load(z[here, :])", "atomic_add(z[here, :], 1.0)")) == []


def test_a_missing_barrier_after_a_write_is_found() -> None:
    assert findings(lines("store(s, v)", "t = load(s)")) == [("R005", 2, 1)]
    assert findings(lines("store(s, v)", "t = gather(s, load(index[:]))")) == [("R005", 2, 1)]
    assert findings(lines("scatter(s, v, load(index[:]))", "t = load(s)")) == [("R005", 2, 1)]
    assert findings(lines("store(s[0 :+ 32], 1.0)", "sync()", "store(s[32 :+ 32], 1.0)", "t = load(s)")) == [
        ("R005", 4, 3)
    ]
    copied = lines("copy_async(s, x[here, :])", "commit()", "wait(0)", "t = load(s)")
    assert findings(copied) == [("R005", 4, 1)]
    assert findings(copied.replace("t = load(s)", "t = load(s[5])")) == [("R005", 4, 1)]


def test_overwriting_what_is_being_read_is_found() -> None:
    start = ("store(s, v)", "sync()", "t = load(s)")
    assert findings(lines(*start, "store(s, t)")) == [("R006", 4, 3)]
    assert findings(lines(*start, "copy_async(s, x[here, :])")) == [("R006", 4, 3)]
    assert findings(lines(*start, "scatter(s, t, load(index[:]))")) == [("R006", 4, 3)]
    assert findings(lines(*start, "atomic_add(s, 1.0)")) == [("R006", 4, 3)]
    assert findings(lines("store(s, v)", "store(s[3], 1.0)")) == [("R006", 2, 1)]
    assert findings(lines("store(s, v)", "scatter(s, 1.0, load(index[0 :+ 4]))")) == [("R006", 2, 1)]


def test_touching_a_copy_in_flight_is_found() -> None:
    start = ("copy_async(s, x[here, :])", "commit()", "sync()")
    assert findings(lines(*start, "t = load(s)")) == [("R007", 4, 1)]
    assert findings(lines(*start, "t = load(s[3])")) == [("R007", 4, 1)]
    assert findings(lines(*start, "store(s, v)")) == [("R007", 4, 1)]
    assert findings(lines(*start, "copy_async(s, x[here, :])")) == [("R007", 4, 1)]
    assert findings(lines(*start, "t = gather(s, load(index[:]))")) == [("R007", 4, 1)]
    assert findings(lines(*start, "atomic_add(s, 1.0)")) == [("R007", 4, 1)]
    assert findings(lines("store(s, v)", "sync()", *start, "wait(1)", "sync()", "t = load(s)")) == [("R007", 8, 3)]


def test_atomics_do_not_clash_with_one_another() -> None:
    start = ("store(s, v)", "sync()", "atomic_add(s, 1.0)", "atomic_max(s[0 :+ 8], 2.0)")
    assert findings(lines(*start, "sync()", "t = load(s)")) == []
    assert findings(lines(*start, "t = load(s[0 :+ 8])")) == [("R005", 5, 4)]
    assert findings(lines(*start, "store(s, v)")) == [("R006", 5, 4)]
    assert findings(lines("store(s, v)", "atomic_add(s, 1.0)")) == [("R005", 2, 1)]
    again = ("sync()", "store(s, v)", "atomic_add(s, 1.0)")
    assert findings(lines(*start, *again)) == [("R005", 7, 6)]


def test_only_the_blocks_that_went_wrong_are_counted() -> None:
    report = Report()
    text = (
        HEAD + "    store(s, v)\n    if here % 2 == 0:\n        sync()\n    t = load(s)\n    sync()\n    u = load(s)\n"
    )
    given = {"x": np.zeros((7, 64)), "index": np.zeros(64), "y": np.zeros((7, 64)), "z": np.zeros((7, 64)), "N": 7}
    execute(text, report, **given)
    (finding,) = report.findings
    assert (finding.code, "(3 times)" in finding.message) == ("R005", True)
    assert finding.span is not None
    assert finding.span.line == FIRST + 3
    assert report.errors == report.findings
    with pytest.raises(ExecutionError) as caught:
        report.raise_errors()
    assert caught.value.code == "R005"


def test_reads_over_an_edge_are_notes() -> None:
    report = Report()
    text = """
kernel k(x: f32[N], inout y: f32[N]):
    grid cdiv(N, 16)
    warps 1
    i = block_index(0) * 16
    store(y[i :+ 16], load(x[i :+ 16]))
    t = load(x[i :+ 16], fill=0.0)
    u = gather(x, i + iota(16))
    w = gather(x, i + iota(16), fill=0.0)
"""
    execute(text, report, x=np.zeros(40), y=np.zeros(40), N=40)
    assert [(each.code, each.severity) for each in report.findings] == [("R003", "note")] * 2
    assert [each.span.line for each in report.findings if each.span] == [6, 8]
    assert report.errors == ()
    report.raise_errors()


@pytest.mark.parametrize("loop", ["while r < 200:\n        r = r + 1", "for i in range(200):\n        r = r + 1"])
def test_a_loop_past_the_limit_is_an_error_in_debug_mode(loop: str) -> None:
    text = f"""
kernel k(inout y: i32[1]):
    grid 1
    warps 1
    r = 0
    {loop}
    store(y[0], r)
"""
    assert execute(text)["y"].tolist() == [200]
    assert execute(text, Report(iteration_limit=200))["y"].tolist() == [200]
    with pytest.raises(ExecutionError, match="199 iterations") as caught:
        execute(text, Report(iteration_limit=199))
    assert caught.value.code == "R001"
    assert caught.value.diagnostics[0].span is not None
    assert caught.value.diagnostics[0].span.line == 6


PIPELINE = """
kernel pipeline(x: f32[T, 64], index: i32[64], out y: f32[T, 64]):
    grid 2
    warps 2
    s = shared(f32, [2, 64])
    r = shared(f32, [64])
    copy_async(s[0], x[0, :])
    commit()
    for t in range(T):
        copy_async(s[(t + 1) % 2], x[t + 1, :])
        commit()
        wait(1)
        sync()
        store(r, load(s[t % 2]))
        sync()
        store(y[t, :], gather(r, load(index[:])))
"""
"""Double buffering, with a tile through which the threads exchange what they read; not one barrier too many."""


def run_pipeline(text: str) -> Report:
    report = Report()
    x, index = np.arange(5 * 64).reshape(5, 64), np.arange(64)[::-1]
    found = execute(text, report, x=x, index=index, y=np.zeros((5, 64)), T=5)
    if not report.errors:
        assert found["y"].tolist() == x[:, ::-1].tolist()
    return report


def test_a_correct_pipeline_reports_nothing_but_the_edge() -> None:
    assert [finding.code for finding in run_pipeline(PIPELINE).findings] == ["R003"]


@pytest.mark.parametrize("removed", [12, 13, 15], ids=["wait", "sync after wait", "sync after store"])
def test_each_barrier_that_is_missing_is_found(removed: int) -> None:
    text = PIPELINE.splitlines()
    assert text[removed - 1].strip() in ("wait(1)", "sync()")
    assert run_pipeline("\n".join(text[: removed - 1] + text[removed:]) + "\n").errors


@pytest.mark.parametrize(("removed", "expected"), [(8, "R007"), (11, "R007")])
def test_each_commit_that_is_missing_is_found(removed: int, expected: str) -> None:
    text = PIPELINE.splitlines()
    assert text[removed - 1].strip() == "commit()"
    codes = [each.code for each in run_pipeline("\n".join(text[: removed - 1] + text[removed:]) + "\n").errors]
    assert expected in codes


def test_waiting_for_too_little_is_found() -> None:
    assert "R007" in [each.code for each in run_pipeline(PIPELINE.replace("wait(1)", "wait(2)")).errors]


def test_debug_mode_changes_no_result() -> None:
    made = program(PIPELINE)
    given: dict[str, Any] = {"x": np.arange(320).reshape(5, 64), "index": np.arange(64)[::-1], "y": np.zeros((5, 64))}
    plain, watched = (execute(made, report, **given, T=5) for report in (None, Report()))
    assert plain["y"].tolist() == watched["y"].tolist()


def test_findings_of_instructions_are_gathered_by_place() -> None:
    report = Report()
    text = """
kernel k(x: i32[4], index: i32[4], inout y: i32[4]):
    grid 2
    warps 1
    v = load(x[:])
    store(y[:], shuffle(v, load(index[:]), 0))
    store(y[:], 7 // v)
    assume(x[0] > 0)
"""
    text = text.replace("assume(x[0] > 0)", "assume(load(x[0]) > 0)")
    found = execute(text, report, x=[0, 1, 2, 3], index=[0, 1, 2, 4], y=[0] * 4)
    assert found["y"].tolist() == [0, 7, 3, 2]
    shown = [(each.code, each.span.line if each.span else 0, each.severity) for each in report.findings]
    assert shown == [("R012", 6, "error"), ("R010", 7, "error"), ("R011", 8, "error")]
    assert all("(2 times)" in each.message for each in report.findings)
