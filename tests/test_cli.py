"""The command line: what each command shows, and that no mistake of a user ends in a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

import tilevm
from tilevm import PackedArray
from tilevm.runtime.cli import COMMANDS, cli
from tilevm.runtime.doctor import examine

TEXT = """
kernel scale[B = 32, T: dtype = f32](x: T[N], factor: f32, out y: T[N]):
    grid cdiv(N, B)
    warps 1
    tune B in 32, 64
    i = block_index(0) * B
    store(y[i :+ B], cast(cast(load(x[i :+ B]), f32) * factor, T))

kernel copy[T: dtype](x: T[M, N], out y: T[M, N], inout count: i32[1]):
    grid 1
    warps 1
    store(y[0 :+ 8, 0 :+ 8], load(x[0 :+ 8, 0 :+ 8]))
    store(count[0 :+ 1], load(count[0 :+ 1]) + 1)
"""
RACE = """
kernel race(x: f32[N], out y: f32[N]):
    grid 1
    warps 1
    s = shared(f32, [32])
    store(s, load(x[0 :+ 32]))
    store(y[0 :+ 32], load(s))
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with some programs and arrays, which is the working folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("TILEVM_TRACEBACK", raising=False)
    Path("some.tvm").write_text(TEXT, encoding="utf-8")
    Path("race.tvm").write_text(RACE, encoding="utf-8")
    np.save("x.npy", np.arange(5, dtype=np.float32))
    return tmp_path


def run(*arguments: str, code: int = 0) -> Result:
    """Runs `tilevm` with some arguments, which ends with an exit code."""
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return result


def fails(expected: str, *arguments: str) -> str:
    """What a command that fails with an error code writes to standard error."""
    result = run(*arguments, code=1)
    assert f"error[{expected}]" in result.stderr, result.stderr
    return result.stderr


def cells(output: str, first: str) -> list[str]:
    """The cells of the row of a table that begins with a word."""
    return next(line.split() for line in output.splitlines() if line.split()[:1] == [first])


# The whole


def test_help_lists_every_command() -> None:
    output = run("--help").stdout
    for name in COMMANDS:
        assert name in output
        assert "Usage" in run(name, "--help").stdout


def test_version() -> None:
    assert run("--version").stdout == f"tilevm {tilevm.__version__}\n"


def test_command_line_that_does_not_parse_ends_with_2() -> None:
    run("runn", code=2)
    run("layout", code=2)
    run("dtype", "u4", "--all", code=2)


def test_errors_are_rendered_on_standard_error() -> None:
    Path("bad.tvm").write_text("kernel k(x: f32[N]):\n    grid 1\n    a = loadd(x[0 :+ 8])\n", encoding="utf-8")
    result = run("check", "bad.tvm", code=1)
    assert result.stdout == ""
    assert "  --> bad.tvm:3:9" in result.stderr
    assert "        ^^^^^" in result.stderr
    assert "help: did you mean `load`?" in result.stderr


@pytest.mark.parametrize(
    ("raised", "code", "says"),
    [
        (RuntimeError("lost"), 70, "tilevm has a fault, which is not a mistake of yours: RuntimeError: lost"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (MemoryError(), 1, "error[F011]: there is not enough memory"),
        (PermissionError(13, "Permission denied", "secret"), 1, "cannot use the file 'secret': Permission denied"),
    ],
)
def test_nothing_ends_in_a_traceback(
    monkeypatch: pytest.MonkeyPatch, raised: BaseException, code: int, says: str
) -> None:
    def broken(*_: Any) -> None:
        raise raised

    monkeypatch.setattr("tilevm.errors.explain", broken)
    assert says in run("explain", "L001", code=code).stderr


def test_traceback_of_a_fault_is_shown_on_demand(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("lost")

    monkeypatch.setattr("tilevm.errors.explain", broken)
    monkeypatch.setenv("TILEVM_TRACEBACK", "1")
    assert "Traceback" in CliRunner().invoke(cli, ["explain", "L001"]).stderr


def test_script_ends_quietly_when_its_reader_goes_away() -> None:
    command = [sys.executable, "-c", "from tilevm.runtime.cli import main; main()", "dtype", "f8e4m3"]
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True)
    os.close(writing)
    assert done.stderr == ""


# run


def test_run_shows_and_saves_what_comes_out() -> None:
    arguments = ("--kernel", "scale", "--arg", "x=x.npy", "--arg", "factor=2", "--set", "B=64", "--out", "y=y.npy")
    row = cells(run("run", "some.tvm", *arguments).stdout, "y")
    assert row[:3] == ["y", "f32", "5"]
    assert row[4:] == ["0", "8", "4", "0"]
    assert np.load("y.npy").tolist() == [0, 2, 4, 6, 8]


def test_run_on_random_elements_repeats() -> None:
    def checksum(description: str) -> str:
        arguments = ("--kernel", "copy", "--arg", f"x={description}", "--arg", "count=1:i32")
        return cells(run("run", "some.tvm", *arguments).stdout, "y")[3]

    assert checksum("8x8:f6e3m2") == checksum("8x8:f6e3m2") == checksum("8x8:f6e3m2:0")
    assert checksum("8x8:f6e3m2") != checksum("8x8:f6e3m2:1")


@pytest.mark.parametrize(
    "name", ["u1", "u3", "i5", "i32", "f16", "bf16", "f32", "f4e2m1", "ue4m3", "e8m0", "nf4", "trit"]
)
def test_random_elements_of_every_kind_of_format(name: str) -> None:
    arguments = ("--kernel", "copy", "--arg", f"x=8x8:{name}", "--arg", "count=1:i32", "--out", "y=y.out")
    row = cells(run("run", "some.tvm", *arguments).stdout, "y")
    assert row[1:3] == [name, "8x8"]
    assert row[4] != row[5]
    assert row[7] == "0"


def test_packed_outputs_are_saved_and_read() -> None:
    codes = np.arange(64).reshape(8, 8)
    PackedArray.from_codes(codes, "f6e2m3").save("w.packed")
    arguments = ("--kernel", "copy", "--arg", "x=w.packed", "--arg", "count=1:i32", "--out", "y=y.packed")
    run("run", "some.tvm", *arguments)
    again = PackedArray.load("y.packed")
    assert again.dtype.name == "f6e2m3"
    assert np.array_equal(again.codes(), codes)


def test_outputs_of_ml_dtypes_keep_their_format_when_saved() -> None:
    arguments = ("--kernel", "copy", "--arg", "x=8x8:bf16", "--arg", "count=1:i32", "--out", "y=y.packed")
    run("run", "some.tvm", *arguments)
    assert PackedArray.load("y.packed").dtype.name == "bf16"


def test_inout_parameters_are_shown_as_they_are_after_the_run() -> None:
    np.save("count.npy", np.array([41], np.int32))
    arguments = ("--kernel", "copy", "--arg", "x=8x8:u4", "--arg", "count=count.npy", "--out", "count=after.npy")
    assert cells(run("run", "some.tvm", *arguments).stdout, "count")[4] == "42"
    assert np.load("after.npy").tolist() == [42]
    assert np.load("count.npy").tolist() == [41]


def test_run_in_debug_mode_fails_with_what_it_finds_and_saves_nothing() -> None:
    arguments = ("race.tvm", "--arg", "x=32:f32", "--out", "y=y.npy")
    assert "race.tvm:7:" in fails("R005", "run", *arguments, "--debug")
    assert not Path("y.npy").exists()
    run("run", *arguments)
    assert Path("y.npy").exists()
    result = run("run", "some.tvm", "--kernel", "scale", "--arg", "x=x.npy", "--arg", "factor=2", "--debug")
    assert "note[R003]" in result.stderr


@pytest.mark.parametrize(
    ("code", "arguments", "says"),
    [
        ("F002", ("none.tvm",), "cannot read 'none.tvm'"),
        ("F005", ("some.tvm",), "--kernel NAME"),
        ("F006", ("some.tvm", "--kernel", "scael"), "did you mean `scale`?"),
        ("F009", ("some.tvm", "--kernel", "scale", "--arg", "x"), "NAME=VALUE"),
        ("F009", ("some.tvm", "--kernel", "scale", "--arg", "x=x.npy", "--arg", "x=x.npy"), "given twice"),
        ("F009", ("some.tvm", "--kernel", "scale", "--arg", "xx=x.npy"), "no parameter `xx`"),
        ("F009", ("some.tvm", "--kernel", "scale", "--arg", "x=5"), "'5' is no file"),
        ("F009", ("some.tvm", "--kernel", "scale", "--arg", "x=none.npy"), "'none.npy' is no file"),
        ("D001", ("some.tvm", "--kernel", "scale", "--arg", "x=5:f33"), "f33"),
        ("F009", ("some.tvm", "--kernel", "scale", "--arg", "factor=x.npy"), "'x.npy' is no number"),
        ("F009", ("some.tvm", "--kernel", "scale", "--set", "C=3"), "no compile-time parameter `C`"),
        ("F009", ("some.tvm", "--kernel", "scale", "--set", "B=x"), "`B` is an integer"),
        ("A010", ("some.tvm", "--kernel", "scale", "--arg", "x=5:f32", "--arg", "factor=1", "--set", "T=f33"), "f33"),
        ("F009", ("some.tvm", "--kernel", "scale", "--out", "x=y.npy"), "writes no parameter `x`"),
        ("A003", ("some.tvm", "--kernel", "scale", "--arg", "x=x.npy"), "without `factor`"),
        ("A005", ("race.tvm", "--arg", "x=5:f16"), "x.astype(numpy.float32)"),
        ("A020", ("race.tvm", "--arg", "x=4000000000000:f64"), "no memory for `x`"),
        ("F010", ("race.tvm", "--arg", "x=pickled.npy"), "holds no array"),
        ("F010", ("race.tvm", "--arg", "x=cut.npy"), "holds no array"),
        ("F003", ("race.tvm", "--arg", "x=other.npz"), "does not hold a PackedArray"),
        ("F002", ("race.tvm", "--arg", "x=."), "cannot read '.'"),
        ("F002", ("race.tvm", "--arg", "x=32:f32", "--out", "y=nowhere/y.npy"), "cannot write 'nowhere/y.npy'"),
        ("F002", ("race.tvm", "--arg", "x=32:f32", "--out", "y=."), "it is a folder"),
    ],
)
def test_mistakes_of_run(folder: Path, code: str, arguments: tuple[str, ...], says: str) -> None:
    np.save("pickled.npy", np.array([{}], object), allow_pickle=True)
    Path("cut.npy").write_bytes(Path("x.npy").read_bytes()[:-3])
    np.savez("other.npz", np.zeros(3))
    assert says in fails(code, "run", *arguments)


def test_file_is_kept_when_writing_it_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("y.npy").write_text("before", encoding="utf-8")

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("numpy.save", full)
    arguments = ("race.tvm", "--arg", "x=32:f32", "--out", "y=y.npy")
    assert "cannot write 'y.npy': No space left on device" in fails("F002", "run", *arguments)
    assert Path("y.npy").read_text(encoding="utf-8") == "before"
    assert sorted(each.name for each in Path().iterdir()) == ["race.tvm", "some.tvm", "x.npy", "y.npy"]


# inspect, check


def test_inspect_shows_parameters() -> None:
    output = run("inspect", "some.tvm").stdout
    assert "scale[B = 32, T: dtype = f32](x: T[N], factor: f32, out y: T[N])" in output
    assert cells(output, "B") == ["B", "int", "32", "32,", "64"]
    assert "copy" in output
    assert "copy" not in run("inspect", "some.tvm", "--kernel", "scale").stdout


def test_inspect_prints_the_program() -> None:
    output = run("inspect", "some.tvm", "--kernel", "scale", "--ir", "--set", "T=f16").stdout
    assert output.rstrip("\n") == tilevm.load("some.tvm").scale.ir(T="f16").rstrip("\n")


def test_check_says_what_it_assumed() -> None:
    result = run("check", "some.tvm", "race.tvm")
    assert result.stdout.splitlines() == [
        "some.tvm: scale is right",
        "some.tvm: copy is right",
        "race.tvm: race is right",
    ]
    assert "copy was checked with T=f16" in result.stderr
    assert "T=" not in run("check", "some.tvm", "--set", "T=u4").stderr


def test_check_finds_a_format_that_makes_sense() -> None:
    Path("narrow.tvm").write_text(
        "kernel k[W: dtype](x: W[N]):\n    grid 1\n    a = iota(8) << cast(load(x[0 :+ 8]) & load(x[0 :+ 8]), i32)\n",
        encoding="utf-8",
    )
    assert "W=i8" in run("check", "narrow.tvm").stderr


def test_check_shows_every_mistake_of_every_file() -> None:
    Path("one.tvm").write_text("kernel k(x: f32[N])\n    grid 1\n", encoding="utf-8")
    Path("two.tvm").write_text("kernel k(x: f32[N]):\n    grid 1\n    a = b\n    c = d\n", encoding="utf-8")
    result = run("check", "one.tvm", "none.tvm", "two.tvm", "race.tvm", code=1)
    for place in ("one.tvm:1:", "none.tvm", "two.tvm:3:", "two.tvm:4:"):
        assert place in result.stderr
    assert "race.tvm: race is right" in result.stdout


# layout, dtype, explain, doctor


def test_layout_is_drawn_with_its_facts() -> None:
    output = run("layout", "spatial(2, 2) * local(1, 2)").stdout
    assert "canonical   [2,4]{2:T2 | 2:T1 2:R1}" in output
    assert cells(output, "threads") == ["threads", "4"]
    assert cells(output, "1") == ["1", "2:0", "2:1", "3:0", "3:1"]
    assert cells(run("layout", "row_major(4, 8, width=6)").stdout, "1") == ["1", *(str(48 + 6 * j) for j in range(8))]


def test_layout_is_drawn_as_svg_atomically() -> None:
    run("layout", "spatial(8, 4)", "--svg", "out.svg")
    assert Path("out.svg").read_text(encoding="utf-8").startswith("<svg")
    assert "cannot write" in fails("F002", "layout", "spatial(8, 4)", "--svg", "nowhere/out.svg")
    assert "did you mean `spatial`" in fails("L014", "layout", "spatiall(8, 4)")
    assert not list(Path().glob(".out*"))


@pytest.mark.parametrize("name", ["f6e3m2", "f8e4m3", "i3", "u8", "nf4", "ue5m3", "e8m0", "trit"])
def test_dtype_lists_every_code(name: str) -> None:
    output = run("dtype", name).stdout
    found = tilevm.dtype(name)
    count = len(found.table) or 1 << found.bits
    digits = output.replace("-----", "").split()
    for code, number in enumerate(found.decode(np.arange(count))):
        assert f"{code:02x}" in digits
        assert f"{number:.9g}" in digits


def test_dtype_of_many_bits_is_summarised() -> None:
    output = run("dtype", "bf16").stdout
    assert "range       -3.38953139e+38 to 3.38953139e+38" in output
    assert len(output.splitlines()) == 6
    fails("D001", "dtype", "f99")


def test_explain() -> None:
    assert "F001: no such error code" in run("explain", "f001").stdout
    assert "did you mean `L012`" in fails("F001", "explain", "L12")


def test_doctor_says_that_kernels_run() -> None:
    output = run("doctor").stdout
    assert cells(output, "interpreter")[:3] == ["interpreter", "ok", "runs"]
    assert {each.name for each in examine()} >= {
        "Python",
        "numpy",
        "C++ compiler",
        "NVRTC",
        "CuPy",
        "GPU",
        "cache folder",
    }


def test_doctor_fails_where_kernels_do_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("no interpreter today")

    monkeypatch.setattr("tilevm.runtime.kernel.interpret", broken)
    result = run("doctor", code=1)
    assert "no interpreter today" in result.stdout
    assert "fails: interpreter" in result.stdout
