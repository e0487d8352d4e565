"""Kernels that begin before the launches before them have ended: what is emitted, refused and handed to the driver."""

from __future__ import annotations

import ctypes
import re
import struct
import threading
from typing import Any

import numpy as np
import pytest
from kernels import needs_compiler
from stand_in_cupy import DriverError, StandIn
from test_launch_cuda import SCALE, machine
from test_machine_code import needs_disassembler, needs_nvrtc

import tilevm
from tilevm.arch import ARCHITECTURES
from tilevm.errors import ExecutionError, ProgramError
from tilevm.runtime import early_launch

TEXT = """
kernel scaled(w: f32[N], x: f32[N], out y: f32[N], scale: f32):
    grid cdiv(N, 128)
    warps 4
    i = block_index(0) * 128
    tile = load(w[i :+ 128], cache=evict_first) * scale
    depend()
    launch_dependents()
    store(y[i :+ 128], tile + load(x[i :+ 128]))
"""
EARLY = SCALE.replace("    store(", "    depend()\n    store(")

Launch = ctypes.CFUNCTYPE(ctypes.c_int, *(ctypes.c_void_p,) * 4)


class Driver:
    """Stands for ``cuLaunchKernelEx``: reads what it is handed byte by byte, as CUDA's documentation lays it out."""

    def __init__(self, gpu: StandIn) -> None:
        self.gpu, self.function = gpu, Launch(self.launch)
        self.attributes: list[tuple[int, int]] = []
        self.configs: list[int] = []
        self.status = 0

    def launch(self, config: int, function: int | None, pointers: int, extra: int | None) -> int:
        *extents, shared, stream, attributes, count = struct.unpack("<7I4xQQI4x", ctypes.string_at(config, 56))
        assert count == 1
        self.configs.append(config)
        self.attributes.append(struct.unpack("<I4xi60x", ctypes.string_at(attributes, 72)))
        if self.status:
            return self.status
        self.gpu.launch(function or 0, *extents, shared, stream, pointers, extra or 0)
        return 0


def raise_status(status: int) -> None:
    names = {201: "CUDA_ERROR_INVALID_CONTEXT: invalid device context", 700: "CUDA_ERROR_ILLEGAL_ADDRESS: an address"}
    raise DriverError(names[status])


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    made = machine(monkeypatch)
    import cupy

    cupy.cuda.driver.check_status = raise_status
    return made


@pytest.fixture
def driver(gpu: StandIn, monkeypatch: pytest.MonkeyPatch) -> Driver:
    made = Driver(gpu)
    monkeypatch.setattr(early_launch, "driver_function", lambda: made.function)
    return made


def numbers(count: int = 100) -> Any:
    return np.arange(count, dtype=np.float32)


def test_in_the_interpreter_every_launch_before_has_ended() -> None:
    found = tilevm.kernel(TEXT)(numbers(), 2 * numbers(), scale=3.0)
    assert found.tolist() == (5 * numbers()).tolist()


@needs_compiler
def test_in_the_simulator_every_launch_before_has_ended() -> None:
    found = tilevm.kernel(TEXT)(numbers(), 2 * numbers(), scale=3.0, backend="simulator", target="sm_90a")
    assert found.tolist() == (5 * numbers()).tolist()


PIPELINE = """
kernel pipeline(w: f16[K, 64], x: f16[K, 64], out y: f32[64]):
    grid 1
    warps 2
    weights, rows = shared(f16, [2, 16, 64]), shared(f16, [2, 16, 64])
    copy_async(weights[0, :, :], w[0 :+ 16, :], cache=evict_first)
    depend()
    copy_async(rows[0, :, :], x[0 :+ 16, :])
    commit()
    total = zeros(f32, [64])
    for k in range(0, K, 16):
        slot = k // 16 % 2
        copy_async(weights[1 - slot, :, :], w[k + 16 :+ 16, :], cache=evict_first)
        copy_async(rows[1 - slot, :, :], x[k + 16 :+ 16, :])
        commit()
        wait(1)
        sync()
        total = total + sum(cast(load(weights[slot, :, :]), f32) * cast(load(rows[slot, :, :]), f32), axis=0)
        sync()
    wait(0)
    store(y[:], total)
"""


@needs_compiler
def test_weights_are_copied_before_it_is_known_that_activations_are_there() -> None:
    kernel = tilevm.kernel(PIPELINE)
    w, x = (np.random.default_rng(seed).integers(-4, 5, (48, 64)).astype(np.float16) for seed in (0, 1))
    found = kernel(w, x, backend="simulator", target="sm_90a")
    assert found.tolist() == (w.astype(np.float32) * x).sum(0).tolist()
    text = kernel.compile(target="sm_90a").cuda
    before, after = text.split("tv::wait_for_launches();")
    assert re.findall(r"tv::cp_async<\d+(, tv::EVICT_FIRST)?>", before) == [", tv::EVICT_FIRST"]
    assert re.findall(r"tv::cp_async<\d+(, tv::EVICT_FIRST)?>", after) == ["", ", tv::EVICT_FIRST", ""]


@pytest.mark.parametrize("target", ARCHITECTURES)
def test_only_architectures_that_have_them_get_the_instructions(target: str) -> None:
    compiled = tilevm.kernel(TEXT).compile(target=target)
    has = ARCHITECTURES[target].has("programmatic_launch")
    order = re.findall(r"tv::(wait_for_launches|launch_dependents|load_global_u32|store_global)", compiled.cuda)
    if has:
        assert order == ["load_global_u32", "wait_for_launches", "launch_dependents", "load_global_u32", "store_global"]
    assert ("wait_for_launches" in order) == ("launch_dependents" in order) == compiled.begins_early == has
    # What another launch may still write is not read through the cache of what nobody writes.
    assert ("READ_ONLY" in compiled.cuda) == (not has)


@needs_nvrtc
@needs_disassembler
@pytest.mark.parametrize("target", ["sm_90a", "sm_100a", "sm_120a"])
def test_machine_code_waits_between_the_two_loads(target: str) -> None:
    code = tilevm.kernel(TEXT).compile(target=target, N=4096).machine_code
    found = [each.name for each in code.instructions if each.name in ("LDG", "ACQBULK", "PREEXIT", "STG")]
    assert found == ["LDG", "ACQBULK", "PREEXIT", "LDG", "STG"]


@pytest.mark.parametrize(
    ("lines", "line", "words"),
    [
        (["if N > 3:", "    depend()"], 6, "stands in a branch or a loop"),
        (["for k in range(N):", "    depend()"], 6, "stands in a branch or a loop"),
        (["store(y[i :+ 128], 0.0)", "depend()"], 5, "`store` writes `y` before `depend`"),
        (["if N > 3:", "    store(y[i :+ 128], 0.0)", "depend()"], 6, "`store` writes `y` before `depend`"),
        (["t = atomic_add(z[0], 1)", "depend()"], 5, "`atomic_add` writes `z` before `depend`"),
        (["t = load(z[0])", "depend()"], 5, "`load` reads `z` before `depend`"),
        (["acquire(z[0], 1)", "depend()"], 5, "`acquire` writes `z` before `depend`"),
    ],
)
def test_what_would_come_too_early_is_refused(lines: list[str], line: int, words: str) -> None:
    head = "kernel k(x: f32[N], inout z: i32[4], out y: f32[N]):\n    grid 1\n    warps 4\n    i = 0\n"
    text = head + "".join(f"    {each}\n" for each in lines)
    with pytest.raises(ProgramError) as caught:
        tilevm.kernel(text).specialise()
    (found,) = caught.value.diagnostics
    assert (found.code, found.span and found.span.line) == ("T057", line)
    assert words in found.message
    after = head + "    depend()\n" + "".join(f"    {each}\n" for each in lines if "depend()" not in each)
    if not lines[0].endswith(":"):
        assert tilevm.kernel(after).specialise().awaits_launches


def test_the_driver_is_told_that_a_kernel_waits_by_itself(gpu: StandIn, driver: Driver) -> None:
    x = gpu.array(numbers())
    y = tilevm.kernel(EARLY)(x, 3.0)
    assert y.host.tolist() == (3 * numbers()).tolist()
    assert driver.attributes == [(6, 1)]
    (record,) = gpu.records
    assert (record.grid, record.block, record.shared_bytes, record.stream) == ((4, 1, 1), (32, 1, 1), 1024, 7)
    gpu.stream = (1 << 47) + 8
    tilevm.kernel(EARLY)(x, 3.0, y=y)
    assert gpu.records[-1].stream == (1 << 47) + 8


def test_other_kernels_and_older_architectures_are_launched_as_ever(gpu: StandIn, driver: Driver) -> None:
    tilevm.kernel(SCALE)(gpu.array(numbers()), 3.0)
    tilevm.kernel(EARLY)(gpu.array(numbers()), 3.0, target="sm_90a")
    assert len(gpu.records) == 2
    assert len(driver.attributes) == 1


def test_an_older_architecture_is_launched_plainly(
    driver: Driver, gpu: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    gpu.devices[0] = "80"
    from tilevm.runtime import device

    device._device.cache_clear()
    y = tilevm.kernel(EARLY)(gpu.array(numbers()), 3.0)
    device._device.cache_clear()
    assert y.host.tolist() == (3 * numbers()).tolist()
    assert driver.attributes == []


def test_a_driver_without_the_function_launches_plainly(gpu: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(early_launch, "driver_function", lambda: None)
    y = tilevm.kernel(EARLY)(gpu.array(numbers()), 3.0)
    assert y.host.tolist() == (3 * numbers()).tolist()
    assert len(gpu.records) == 1


def test_a_known_call_makes_nothing(gpu: StandIn, driver: Driver) -> None:
    kernel, x, y = tilevm.kernel(EARLY), gpu.array(numbers()), gpu.array(numbers())
    kernel(x, 1.0, y=y)
    made = gpu.made
    for factor in range(5):
        kernel(x, float(factor), y=y)
        assert y.host[1] == factor
    assert len(set(driver.configs)) == 1
    driver.configs.clear()
    prepared = kernel.prepare(x, 7.0, y=y)
    for _ in range(3):
        prepared()
    assert y.host[1] == 7
    assert gpu.made == made
    assert len(set(driver.configs)) == 1


def test_threads_that_launch_at_once_do_not_share_a_structure(gpu: StandIn, driver: Driver) -> None:
    kernel, x = tilevm.kernel(EARLY), gpu.array(numbers())
    outs = [gpu.array(numbers()) for _ in range(4)]
    kernel(x, 1.0, y=outs[0])
    meet, plain = threading.Barrier(4), driver.gpu.launch

    def slow(*given: int) -> None:
        meet.wait(10)
        plain(*given)

    driver.gpu.launch = slow  # type: ignore[method-assign]
    threads = [threading.Thread(target=kernel, args=(x, float(n)), kwargs={"y": y}) for n, y in enumerate(outs)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert [y.host[1] for y in outs] == [0, 1, 2, 3]
    assert len(set(driver.configs)) == 4


def test_an_error_of_the_driver_is_one_of_ours(gpu: StandIn, driver: Driver) -> None:
    kernel, x, y = tilevm.kernel(EARLY), gpu.array(numbers()), gpu.array(numbers())
    driver.status = 700
    with pytest.raises(ExecutionError, match="an address outside of every array was used") as caught:
        kernel(x, 1.0, y=y)
    assert caught.value.code == "R050"
    driver.status = 201
    with pytest.raises(ExecutionError):
        kernel(x, 1.0, y=y)
    assert gpu.contexts == 1


def test_where_there_is_no_driver_there_is_no_function(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise OSError(name)

    early_launch.driver_function.cache_clear()
    monkeypatch.setattr(ctypes, "CDLL", missing)
    assert early_launch.driver_function() is None
    early_launch.driver_function.cache_clear()
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    assert early_launch.driver_function() is None
    early_launch.driver_function.cache_clear()
