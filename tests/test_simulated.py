"""Backend simulator: the bytes that a kernel gets, what comes back to the caller, and what is found.

The kernels here are written by hand, in place of what the programs would be emitted as, so that each can do exactly
what is to be seen. What is emitted is tested elsewhere.
"""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kernels import needs_compiler, text

import tilevm
from tilevm import ArgumentError, ExecutionError, PackedArray, TilevmError, UsageError
from tilevm.codegen import Emitted
from tilevm.passes import Lowered
from tilevm.runtime import compiled as compiled_module
from tilevm.runtime import simulator
from tilevm.runtime.compiled import CompiledKernel
from tilevm.runtime.simulated import simulate
from tilevm.runtime.simulator import HostModule, compile_host

pytestmark = needs_compiler

SCALE = """
kernel scale(x: f32[N], factor: f32, out y: f32[N]):
    grid cdiv(N, 32)
    warps 1
    i = block_index(0) * 32
    store(y[i :+ 32], load(x[i :+ 32]) * factor)
"""
INVERT = """
kernel invert(w: u4[8, 8] @ column_major, inout z: u6[8, 4] @ column_major, out y: u8[32]):
    grid 1
    warps 1
    packed = memory_view(w, u8, [32])
    store(y[0 :+ 32], load(packed[0 :+ 32]))
    store(z[0 :+ 8, 0 :+ 4], load(z[0 :+ 8, 0 :+ 4]))
"""
SCALARS = """
kernel scalars(h: f16, s: i8, b: u1, d: f64, n: i64, out y: u32[6]):
    grid 1
    warps 1
    store(y[0 :+ 6], zeros(u32, [6]))
"""


@cache
def host() -> HostModule:
    return compile_host(text("launched"), name="launched.cu")


@pytest.fixture(autouse=True)
def by_hand(monkeypatch: pytest.MonkeyPatch) -> list[Lowered]:
    """Every kernel is the hand-written one of its name; the list collects what was to be emitted."""
    seen: list[Lowered] = []

    def emit(lowered: Lowered) -> Emitted:
        seen.append(lowered)
        program = lowered.program
        return Emitted(program.name, "", (*program.parameters, *program.sizes), 0, program.threads)

    monkeypatch.setattr(compiled_module, "emit", emit)
    monkeypatch.setattr(CompiledKernel, "host", property(lambda self: host()))
    return seen


def numbers(count: int) -> Any:
    return np.arange(count, dtype=np.float32)


def refused(code: str, call: Callable[[], Any], kind: type[TilevmError] = ArgumentError) -> str:
    with pytest.raises(kind) as caught:
        call()
    assert caught.value.code == code
    return str(caught.value)


@pytest.mark.parametrize("count", [1, 31, 32, 33, 258])
def test_the_simulator_gives_what_the_interpreter_gives(count: int) -> None:
    kernel = tilevm.kernel(SCALE)
    made = kernel(numbers(count), 3.0, backend="simulator")
    assert np.array_equal(made, kernel(numbers(count), 3.0))
    assert made.dtype == np.float32


def test_results_are_in_the_arrays_of_the_caller_wherever_their_elements_lie() -> None:
    kernel, wide = tilevm.kernel(SCALE), np.full((40, 3), -1, np.float32)
    every_third = wide[:, 1]
    assert kernel(numbers(40)[::-1], 2.0, y=every_third, backend="simulator") is every_third
    assert wide[:, 1].tolist() == (2 * numbers(40)[::-1]).tolist()
    assert (wide[:, [0, 2]] == -1).all()
    packed = PackedArray.from_values(np.zeros(40, np.float32), "f32")
    kernel(numbers(40), 2.0, y=packed, backend="simulator")
    assert packed.numpy().tolist() == (2 * numbers(40)).tolist()


def test_tensors_are_bytes_in_their_declared_layouts_and_come_back_unpacked() -> None:
    kernel = tilevm.kernel(INVERT)
    codes, sixes = np.arange(64).reshape(8, 8) % 16, np.arange(32).reshape(8, 4) * 2 % 64
    pattern = tilevm.memory_pattern("column_major")
    for of_codes, of_sixes in ((None, None), (pattern.bind((8, 8), 4), pattern.bind((8, 4), 6))):
        given, z = PackedArray.from_codes(codes, "u4", of_codes), PackedArray.from_codes(sixes, "u6", of_sixes)
        y = kernel(given, z, backend="simulator")
        assert y.tolist() == tilevm.pack(codes.T, 4).tolist()
        assert z.codes().tolist() == (63 - sixes).tolist()
        assert z.layout == of_sixes


def test_each_scalar_arrives_as_its_c_type() -> None:
    kernel = tilevm.kernel(SCALARS)
    y = kernel(-1.5, -3, True, 1.5e300, -(1 << 33) - 7, backend="simulator")
    half = int(np.array(-1.5, np.float16).view(np.uint16))
    low, high = (-(1 << 33) - 7) & 0xFFFFFFFF, ((-(1 << 33) - 7) >> 32) & 0xFFFFFFFF
    assert y.tolist() == [half, 253, 1, 1, low, high]


def test_sizes_are_specialised_and_the_kernel_is_compiled_once_for_each_class(by_hand: list[Lowered]) -> None:
    kernel = tilevm.kernel(SCALE)
    for count in (128, 256, 96, 32, 33):
        kernel(numbers(count), 1.0, backend="simulator")
    stated = [[str(each.condition) for each in lowered.program.requires] for lowered in by_hand]
    assert stated == [["N % 128 == 0"], ["N % 32 == 0"], []]
    assert {lowered.arch.name for lowered in by_hand} == {"sm_80"}
    kernel(numbers(128), 1.0, backend="simulator", target="sm_90a")
    assert by_hand[-1].arch.name == "sm_90a"


def test_an_access_outside_of_a_tensor_is_found_on_its_line() -> None:
    kernel = tilevm.kernel(SCALE.replace("scale", "beyond"))
    assert kernel(numbers(64), 1.0, backend="simulator").tolist() == numbers(64).tolist()
    message = refused("R040", lambda: kernel(numbers(60), 1.0, backend="simulator"), ExecutionError)
    assert "store(y[i :+ 32], load(x[i :+ 32]) * factor)" in message


def test_what_is_only_read_may_not_be_written() -> None:
    kernel, x = tilevm.kernel(SCALE.replace("scale", "backwards")), numbers(32) + 1
    refused("R048", lambda: kernel(x, 1.0, backend="simulator"), ExecutionError)
    assert x.tolist() == (numbers(32) + 1).tolist()


def test_simulate_returns_findings_counts_and_outputs() -> None:
    program = tilevm.kernel(SCALE).specialise()
    simulation, (y,) = simulate(program, {"x": numbers(64), "factor": 2.0})
    assert simulation.findings == ()
    assert y.tolist() == (2 * numbers(64)).tolist()
    assert simulation.lines[6].global_requests == 4
    assert simulation.lines[6].useful_bytes == 512
    shuffled, (again,) = simulate(program, {"x": numbers(64), "factor": 2.0}, order=3, arch="sm_90a")
    assert again.tolist() == y.tolist()
    assert shuffled.lines == simulation.lines
    broken = tilevm.kernel(SCALE.replace("scale", "beyond")).specialise()
    simulation, _ = simulate(broken, {"x": numbers(60), "factor": 2.0, "y": np.zeros(60, np.float32), "N": 60})
    assert {each.code for each in simulation.findings} == {"R040"}
    with pytest.raises(ExecutionError):
        simulation.check()


def test_an_empty_grid_runs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(CompiledKernel, "host")
    assert tilevm.kernel(SCALE)(numbers(0), 1.0, backend="simulator").shape == (0,)


def test_a_view_that_does_not_cover_its_tensor_is_refused() -> None:
    kernel = tilevm.kernel(INVERT.replace("memory_view(w, u8, [32])", "memory_view(w, u8, [33])"))
    z = PackedArray.from_codes(np.zeros((8, 4), np.uint8), "u6")
    codes = PackedArray.from_codes(np.zeros((8, 8), np.uint8), "u4")
    message = refused("R008", lambda: kernel(codes, z, backend="simulator"), ExecutionError)
    assert "264 bits of a tensor of 256 bits" in message


def test_a_kernel_that_was_compiled_can_be_copied_and_pickled() -> None:
    kernel = tilevm.kernel(SCALE)
    for again in (kernel, copy.copy(kernel), copy.deepcopy(kernel), pickle.loads(pickle.dumps(kernel))):
        assert again(numbers(4), 2.0, backend="simulator").tolist() == (2 * numbers(4)).tolist()


@pytest.mark.parametrize("count", [1000, 1024])
def test_what_is_emitted_gives_what_the_interpreter_gives(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    kernel = tilevm.load(Path(__file__).parent.parent / "examples" / "vector_add.tvm").vector_add
    x, y = numbers(count), numbers(count)[::-1] / 3
    assert np.array_equal(kernel(x, y, backend="simulator"), kernel(x, y))


def test_a_report_is_for_the_interpreter() -> None:
    kernel = tilevm.kernel(SCALE)
    assert "interpreter" in refused(
        "F007", lambda: kernel(numbers(4), 1.0, backend="simulator", debug=tilevm.Report()), UsageError
    )
    assert kernel(numbers(4), 1.0, backend="simulator", debug=True).tolist() == numbers(4).tolist()


def test_without_a_compiler_the_error_says_what_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(simulator, "find_compiler", lambda: (_ for _ in ()).throw(UsageError("F030", "none")))
    monkeypatch.setattr(compiled_module, "emit", lambda lowered: Emitted("scale", "", (), 0, 32))
    refused("F030", lambda: tilevm.kernel(SCALE)(numbers(4), 1.0, backend="simulator"), UsageError)
