"""Kernels and modules as Python sees them: loading, calling, compile-time parameters, outputs, debug mode."""

from __future__ import annotations

import copy
import pickle
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tilevm
from tilevm import ExecutionError, Kernel, PackedArray, ProgramError, Report, UsageError
from tilevm.ir import Program

SCALE = """
kernel scale[B = 32, T: dtype = f32, TWICE: bool = False](x: T[N], factor: f32, out y: T[N]):
    grid cdiv(N, B)
    warps 1
    require B <= 1024
    i = block_index(0) * B
    f = factor * (2.0 if TWICE else 1.0)
    store(y[i :+ B], cast(cast(load(x[i :+ B]), f32) * f, T))
"""
SPLIT = """
kernel split(x: f32[N], out low: f32[N], out high: f32[N], inout count: i32[1]):
    grid 1
    warps 1
    v = load(x[0 :+ 16])
    store(low[0 :+ 16], minimum(v, 0.0))
    store(high[0 :+ 16], maximum(v, 0.0))
    store(count[0 :+ 1], load(count[0 :+ 1]) + 1)

kernel nothing(x: f32[N]):
    grid 1
    warps 1
    a = load(x[0 :+ 16])
"""
ARRANGED = """
layout tile = local(2, 2) * spatial(8, 4)
kernel arranged[L: layout = tile](x: f32[16, 8], out y: f32[16, 8]):
    grid 1
    warps 1
    v = load(x[0 :+ 16, 0 :+ 8]) @ L
    store(y[0 :+ 16, 0 :+ 8], v)
"""
REBUILD = """
kernel rebuild[W: dtype, S: dtype](w: W[K, N], scale: S[K // 32, N], out y: f32[K, N]):
    grid K // 32
    warps 1
    k = block_index(0)
    codes = load(w[k * 32 :+ 32, 0 :+ 8])
    store(y[k * 32 :+ 32, 0 :+ 8], cast(codes, f32) * cast(load(scale[k :+ 1, 0 :+ 8]), f32))
"""
RACE = """
kernel race(x: f32[N], out y: f32[N]):
    grid 1
    warps 1
    s = shared(f32, [32])
    store(s, load(x[0 :+ 32]))
    store(y[0 :+ 32], load(s))
"""
FOREVER = """
kernel forever(out y: i32[1]):
    grid 1
    warps 1
    n = 0
    while n >= 0:
        n = n * 1
    store(y[0 :+ 1], full(i32, [1], n))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "some.tvm").write_text(SCALE + SPLIT, encoding="utf-8")
    return tmp_path


def numbers(*values: float) -> Any:
    return np.array(values, np.float32)


# Loading


def test_module_has_its_kernels_as_attributes(folder: Path) -> None:
    module = tilevm.load(folder / "some.tvm")
    assert isinstance(module.scale, Kernel)
    assert module.scale is module["scale"]
    assert list(module) == ["scale", "split", "nothing"]
    assert len(module) == 3
    assert {"scale", "split", "nothing"} <= set(dir(module))


def test_repr_of_a_module_lists_signatures(folder: Path) -> None:
    module = tilevm.load(str(folder / "some.tvm"))
    assert repr(module).splitlines() == [
        f"<module {folder / 'some.tvm'}>",
        "    scale[B = 32, T: dtype = f32, TWICE: bool = False](x: T[N], factor: f32, out y: T[N])",
        "    split(x: f32[N], out low: f32[N], out high: f32[N], inout count: i32[1])",
        "    nothing(x: f32[N])",
    ]
    assert repr(module.nothing) == "<kernel nothing(x: f32[N])>"
    assert module.nothing.__name__ == module.nothing.name == "nothing"
    assert "nothing(x: f32[N])" in (module.nothing.__doc__ or "")


def test_unknown_kernel_offers_the_nearest_name(folder: Path) -> None:
    module = tilevm.load(folder / "some.tvm")
    with pytest.raises(UsageError, match="did you mean `split`") as caught:
        _ = module.splitt
    assert caught.value.code == "F006"
    with pytest.raises(AttributeError):
        _ = module.splitt
    with pytest.raises(KeyError):
        _ = module["splitt"]
    assert not hasattr(module, "splitt")
    assert getattr(module, "splitt", None) is None


def test_module_can_be_copied(folder: Path) -> None:
    assert list(copy.copy(tilevm.load(folder / "some.tvm"))) == ["scale", "split", "nothing"]


def test_file_that_is_not_there(folder: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.tvm"):
        tilevm.load(folder / "none.tvm")


def test_mistakes_of_a_text_are_all_reported() -> None:
    with pytest.raises(ProgramError) as caught:
        tilevm.kernel("kernel k(x: f32[N]):\n    grid 1\n    a = loadd(x[0 :+ 8])\n    b = expp(a)\n").specialise()
    assert len(caught.value.diagnostics) == 2


def test_text_holds_exactly_one_kernel_or_a_name_says_which() -> None:
    assert tilevm.kernel(SCALE).name == "scale"
    assert tilevm.kernel(SCALE + SPLIT, name="split").name == "split"
    for text, says in ((SCALE + SPLIT, "3 kernels: scale, split, nothing"), ("const A = 1\n", "0 kernels")):
        with pytest.raises(UsageError, match=says) as caught:
            tilevm.kernel(text)
        assert caught.value.code == "F005"
    with pytest.raises(UsageError) as caught:
        tilevm.kernel(SCALE, name="scales")
    assert caught.value.code == "F006"


def test_names_of_a_text_do_not_come_from_python() -> None:
    BLOCK = 8
    text = f"kernel k(x: f32[N]):\n    grid 1\n    a = load(x[0 :+ {'BLOCK'}])\n"
    with pytest.raises(ProgramError, match="unknown name `BLOCK`"):
        tilevm.kernel(text).specialise()
    space: dict[str, Any] = {}
    exec(f"import tilevm\nk = tilevm.kernel({SCALE!r})", space)
    assert space["k"](numbers(1, 2), float(BLOCK)).tolist() == [8, 16]


@pytest.mark.parametrize("header", ["k(debug: f32[N])", "k[backend = 3](x: f32[N])"])
def test_parameter_with_the_name_of_an_option_is_refused(header: str) -> None:
    with pytest.raises(UsageError, match="is an option of every call") as caught:
        tilevm.kernel(f"kernel {header}:\n    grid 1\n    a = zeros(f32, [8])\n")
    assert caught.value.code == "F008"


# Calling


def test_one_output_is_returned_as_an_array_several_as_a_tuple() -> None:
    x = numbers(-1, 2)
    assert tilevm.kernel(SCALE)(x, 3).tolist() == [-3, 6]
    split, count = tilevm.kernel(SPLIT, name="split"), np.zeros(1, np.int32)
    low, high = split(x, count)
    assert (low.tolist(), high.tolist(), count.tolist()) == ([-1, 0], [0, 2], [1])
    own = numbers(9, 9)
    low, high = split(x, count=count, high=own)
    assert high is own
    assert own.tolist() == [0, 2]
    assert count.tolist() == [2]
    assert tilevm.kernel(SPLIT, name="nothing")(x) is None


def test_output_given_as_none_is_made() -> None:
    assert tilevm.kernel(SCALE)(numbers(1), 2.0, y=None).tolist() == [2]


def test_compile_time_parameters_are_given_by_name() -> None:
    scale = tilevm.kernel(SCALE)
    x = np.arange(70, dtype=np.float32)
    for settings in ({"B": 64}, {"B": np.int64(16)}, {"TWICE": False}, {"TWICE": np.bool_(False), "T": "f32"}):
        assert scale(x, 2.0, **settings).tolist() == (2 * x).tolist()
    assert scale(x, 2.0, TWICE=True).tolist() == (4 * x).tolist()


def test_format_is_a_name_a_dtype_or_a_numpy_type() -> None:
    scale = tilevm.kernel(SCALE)
    programs = [scale.specialise(T=each) for each in ("f16", tilevm.dtype("f16"), np.float16, np.dtype("f2"))]
    assert all(program is programs[0] for program in programs)


def test_layout_is_a_text_or_a_layout() -> None:
    arranged, x = tilevm.kernel(ARRANGED), np.arange(128, dtype=np.float32).reshape(16, 8)
    other = "spatial(8, 4) * local(2, 2)"
    programs = {arranged.ir(), arranged.ir(L=other), arranged.ir(L=tilevm.layout(other))}
    assert len(programs) == 2
    assert np.array_equal(arranged(x, L=other), x)


def test_bool_and_integer_bindings_are_not_confused() -> None:
    scale = tilevm.kernel(SCALE)
    scale.specialise(B=1)
    with pytest.raises(tilevm.ArgumentError) as caught:
        scale.specialise(B=True)
    assert caught.value.code == "A033"
    with pytest.raises(tilevm.ArgumentError) as caught:
        scale.specialise(B=[1])
    assert caught.value.code == "A033"
    with pytest.raises(tilevm.ArgumentError, match="did you mean `TWICE`") as caught:
        scale.specialise(TWIC=True)
    assert caught.value.code == "A032"
    with pytest.raises(tilevm.ArgumentError, match="B <= 1024") as caught:
        scale(numbers(1), 1.0, B=2048)
    assert caught.value.code == "A034"


def test_programs_are_kept() -> None:
    scale = tilevm.kernel(SCALE)
    assert isinstance(scale.specialise(), Program)
    assert scale.specialise(B=64) is scale.specialise(B=64)
    assert scale.specialise(B=64) is not scale.specialise(B=128)


def test_ir_is_the_printed_program() -> None:
    scale = tilevm.kernel(SCALE)
    assert scale.ir(B=64) == str(scale.specialise(B=64))
    assert "64" in scale.ir(B=64)


def test_calls_from_several_threads_agree() -> None:
    scale, results = tilevm.kernel(SCALE), {}

    def call(number: int) -> None:
        results[number] = scale(np.arange(100, dtype=np.float32), float(number), B=16 << number % 3)

    threads = [threading.Thread(target=call, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(results[number][3] == 3 * number for number in range(6))


@pytest.mark.parametrize("backend", ["cudaa", 3])
def test_backend_that_is_not_there_is_refused(backend: Any) -> None:
    with pytest.raises(UsageError) as caught:
        tilevm.kernel(SCALE)(numbers(1), 1.0, backend=backend)
    assert caught.value.code == "F004"
    assert tilevm.kernel(SCALE)(numbers(1), 1.0, backend="interpreter").tolist() == [1]


def test_quantised_weights_are_two_arguments() -> None:
    weights = np.random.default_rng(0).standard_normal((64, 8))
    rebuild = tilevm.kernel(REBUILD)
    for name in ("f6e3m2", "i5", "nf4", "f8e4m3"):
        quantized = tilevm.quantize(weights, name, group=32)
        assert np.array_equal(rebuild(quantized.codes, quantized.scales), quantized.dequantize())


def test_viewed_weights_are_packed_in_the_layout_that_the_parameter_declares() -> None:
    kernel = tilevm.kernel("""
kernel bytes(w: u4[8, 8] @ column_major, out y: u8[32]):
    grid 1
    warps 1
    packed = memory_view(w, u8, [32])
    store(y[0 :+ 32], load(packed[0 :+ 32]))
""")
    codes = np.arange(64).reshape(8, 8) % 16
    layout = tilevm.memory_pattern("column_major").bind((8, 8), 4)
    expected = tilevm.pack(codes.T, 4).tolist()
    assert kernel(PackedArray.from_codes(codes, "u4")).tolist() == expected
    assert kernel(PackedArray.from_codes(codes, "u4", layout)).tolist() == expected


# Debug mode


def test_debug_raises_what_it_finds_with_its_line() -> None:
    race = tilevm.kernel(RACE)
    assert race(np.ones(32, np.float32)).tolist() == [1] * 32
    with pytest.raises(ExecutionError, match="since the last barrier") as caught:
        race(np.ones(32, np.float32), debug=True)
    (found,) = caught.value.diagnostics
    assert found.code == "R005"
    assert found.span is not None
    assert found.span.line == 7


def test_report_collects_and_nothing_is_raised() -> None:
    report = Report()
    y = tilevm.kernel(RACE)(np.ones(32, np.float32), debug=report)
    assert y.tolist() == [1] * 32
    assert [each.code for each in report.errors] == ["R005"]


def test_report_notes_do_not_raise() -> None:
    report = Report()
    tilevm.kernel(SCALE)(np.ones(5, np.float32), 1.0, debug=report)
    assert [each.code for each in report.findings] == ["R003"]
    assert tilevm.kernel(SCALE)(np.ones(5, np.float32), 1.0, debug=True).tolist() == [1] * 5


def test_loop_that_never_ends_is_stopped_in_debug_mode() -> None:
    with pytest.raises(ExecutionError) as caught:
        tilevm.kernel(FOREVER)(debug=Report(iteration_limit=100))
    assert caught.value.code == "R001"


def test_debug_is_a_truth_value_or_a_report() -> None:
    assert tilevm.kernel(SCALE)(numbers(1), 1.0, debug=False).tolist() == [1]
    with pytest.raises(UsageError) as caught:
        tilevm.kernel(SCALE)(numbers(1), 1.0, debug="yes")  # type: ignore[arg-type]
    assert caught.value.code == "F007"


def test_errors_can_be_pickled() -> None:
    with pytest.raises(tilevm.ArgumentError) as caught:
        tilevm.kernel(SCALE)(np.ones((2, 2), np.float32), 1.0)
    again = pickle.loads(pickle.dumps(caught.value))
    assert type(again) is tilevm.ArgumentError
    assert str(again) == str(caught.value)
