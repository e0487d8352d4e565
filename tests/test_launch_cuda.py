"""A launch on a GPU: arguments, streams, devices, errors; with CuPy and a GPU, and with a stand-in for both.

The stand-in is handed what the driver would be, and reads the arguments as the driver would. What NVRTC and the
emission of CUDA do is tested elsewhere; here a kernel is a Python function with the same C parameters.
"""

from __future__ import annotations

import ctypes
import sys
import threading
import types
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from stand_in_cupy import POINTER, DriverError, Kernel, RuntimeAPIError, StandIn

import tilevm
from tilevm import ArgumentError, ExecutionError, NoDeviceError, OutOfResources, PackedArray, TilevmError, UsageError
from tilevm.codegen import Emitted
from tilevm.passes import Lowered
from tilevm.runtime import compiled as compiled_module
from tilevm.runtime.cuda import CudaCalls
from tilevm.runtime.known_calls import Family
from tilevm.runtime.nvrtc import Compiled, Resources

SCALE = """
kernel scale[B = 32](x: f32[N], factor: f32, out y: f32[N]):
    grid cdiv(N, B)
    warps 1
    i = block_index(0) * B
    store(y[i :+ B], load(x[i :+ B]) * factor)
"""
MIXED = """
kernel mixed(n: i64, h: f16, s: i8, b: u1, bf: bf16, inout x: i32[M, N], w: u4[M, N], out y: u6[M, N]):
    grid 2, 3
    warps 2
    store(x[0 :+ 1, 0 :+ 1], load(x[0 :+ 1, 0 :+ 1]))
    store(y[0 :+ 1, 0 :+ 4], zeros(u6, [1, 4]))
"""
ARRANGED = """
kernel arranged(w: u4[8, 8] @ column_major, out y: u8[32]):
    grid 1
    warps 1
    packed = memory_view(w, u8, [32])
    store(y[0 :+ 32], load(packed[0 :+ 32]))
"""


GROUPED = """
kernel grouped(x: f32[M, K], s: f32[M, K // 8], out y: f32[M, K]):
    grid cdiv(K, 32), M
    warps 1
    require K % 8 == 0
    store(y[0 :+ 1, 0 :+ 1], load(x[0 :+ 1, 0 :+ 1]) + load(s[0 :+ 1, 0 :+ 1]))
"""


VIEWED = """
kernel viewed(w: u8[N], out y: u32[4]):
    grid N // 4
    warps 1
    seen = memory_view(w, u32, [N // 4])
    store(y[0 :+ 4], load(seen[0 :+ 4]))
"""


def scale(x: Any, factor: float, y: Any, n: int) -> None:
    y[:n] = x[:n] * np.float32(factor)


KERNELS = {
    "scale": Kernel((POINTER, ctypes.c_float, POINTER, ctypes.c_int32), scale),
    "mixed": Kernel(
        (
            *(ctypes.c_int64, ctypes.c_uint32, ctypes.c_uint32, ctypes.c_bool, ctypes.c_uint32),
            *(POINTER, POINTER, POINTER, ctypes.c_int32, ctypes.c_int32),
        )
    ),
    "arranged": Kernel((POINTER, POINTER)),
    "viewed": Kernel((POINTER, POINTER, ctypes.c_int32)),
    "grouped": Kernel((POINTER, POINTER, POINTER, ctypes.c_int32, ctypes.c_int32)),
}


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """A machine with one GPU, on which every kernel takes 40 registers and 1 KiB of shared memory."""
    return machine(monkeypatch)


def machine(monkeypatch: pytest.MonkeyPatch, registers: int = 40, shared_bytes: int = 1024) -> StandIn:
    made = StandIn(KERNELS)
    monkeypatch.setitem(sys.modules, "cupy", made.module())

    def emit(lowered: Lowered) -> Emitted:
        program = lowered.program
        return Emitted(program.name, "", (*program.parameters, *program.sizes), shared_bytes, program.threads)

    def compile_cuda(source: str, arch: Any, **options: Any) -> Compiled:
        taken = Resources(registers, 0, 0, 0, 0, 0, 0)
        return Compiled(arch.name, f"cubin for {arch.name}".encode(), "", "", dict.fromkeys(KERNELS, taken))

    monkeypatch.setattr(compiled_module, "emit", emit)
    monkeypatch.setattr(compiled_module, "compile_cuda", compile_cuda)
    return made


@pytest.fixture(params=["stand-in", pytest.param("real", marks=pytest.mark.gpu)])
def put(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], Any]:
    """What puts an array on a GPU: a real one, or the stand-in's."""
    if request.param == "stand-in":
        return machine(monkeypatch).array
    made: Callable[[Any], Any] = pytest.importorskip("cupy").asarray
    return made


def host(array: Any) -> Any:
    """The elements of an array on either GPU."""
    return array.host if hasattr(array, "host") else array.get()


def refused(code: str, call: Callable[[], Any], kind: type[TilevmError] = ArgumentError) -> str:
    with pytest.raises(kind) as caught:
        call()
    assert caught.value.code == code
    return str(caught.value)


def numbers(count: int) -> Any:
    return np.arange(count, dtype=np.float32)


# What a launch does, on either


def test_arrays_on_a_gpu_go_to_cuda_and_outputs_are_made_there(put: Callable[[Any], Any]) -> None:
    kernel = tilevm.kernel(SCALE)
    for count in (1, 31, 64, 100):
        y = kernel(put(numbers(count)), 3.0)
        assert type(y) is type(put(numbers(1)))
        assert host(y).tolist() == (3 * numbers(count)).tolist()


def test_a_repeated_call_writes_new_addresses_and_scalars(put: Callable[[Any], Any]) -> None:
    kernel, results = tilevm.kernel(SCALE), []
    for turn in range(4):
        x, y = put(numbers(70) + turn), put(np.zeros(70, np.float32))
        assert kernel(x, float(turn), y=y) is y
        results.append(host(y))
    for turn, result in enumerate(results):
        assert result.tolist() == ((numbers(70) + turn) * turn).tolist()


def test_a_prepared_launch_repeats_its_arguments(put: Callable[[Any], Any]) -> None:
    x, y = put(numbers(64)), put(np.zeros(64, np.float32))
    prepared = tilevm.kernel(SCALE).prepare(x, 2.0, y=y)
    assert prepared.returned is y
    assert host(y).tolist() == [0] * 64
    for turn in range(3):
        x[...] = put(numbers(64) + turn)
        prepared()
        assert host(y).tolist() == (2 * host(x)).tolist()
    made = tilevm.kernel(SCALE).prepare(x, 2.0)
    made()
    assert host(made.returned).tolist() == (2 * host(x)).tolist()


def test_new_shapes_of_a_known_kernel_run(put: Callable[[Any], Any]) -> None:
    kernel = tilevm.kernel(SCALE)
    for count in [*range(1, 40), 128, 129, 128]:
        assert host(kernel(put(numbers(count)), 2.0)).tolist() == (2 * numbers(count)).tolist()


# What the driver is given


def test_each_scalar_is_packed_as_its_c_type_and_sizes_come_last(gpu: StandIn) -> None:
    kernel = tilevm.kernel(MIXED)
    x = gpu.array(np.zeros((5, 6), np.int32))
    w = PackedArray(gpu.array(np.zeros(15, np.uint8)), "u4", (5, 6))
    for h, s, b, bf in ((1.5, -3, True, -2.0), (-65504.0, 127, False, 3.0)):
        y = kernel(-(1 << 40), h, s, b, bf, x, w)
        assert isinstance(y, PackedArray)
        assert (y.dtype.name, y.shape, y.on_device) == ("u6", (5, 6), True)
        n, half, code, flag, brain, px, pw, py, m, columns = gpu.records[-1].arguments
        assert (n, flag, m, columns) == (-(1 << 40), b, 5, 6)
        assert half == int(np.array(h, np.float16).view(np.uint16))
        assert code == s & 0xFF
        assert brain == int(np.array(bf, np.float32).view(np.uint32)) >> 16
        assert (px, pw, py) == (x.data.ptr, w.data.data.ptr, y.data.data.ptr)
    assert gpu.records[-1].grid == (2, 3, 1)
    assert gpu.records[-1].block == (64, 1, 1)


def test_a_launch_goes_to_the_current_stream_and_is_not_waited_for(gpu: StandIn) -> None:
    kernel, x, y = tilevm.kernel(SCALE), gpu.array(numbers(64)), gpu.array(numbers(64))
    for stream in (7, 11, 0):
        gpu.stream = stream
        kernel(x, 1.0, y=y)
        assert gpu.records[-1].stream == stream
    prepared = kernel.prepare(x, 1.0, y=y)
    gpu.stream = 13
    prepared()
    assert gpu.records[-1].stream == 13
    assert gpu.waited == []
    kernel(x, 1.0, y=y, debug=True)
    assert gpu.waited == [13]


def test_a_known_call_allocates_nothing_and_loads_nothing(gpu: StandIn) -> None:
    kernel, x, y = tilevm.kernel(SCALE), gpu.array(numbers(64)), gpu.array(numbers(64))
    kernel(x, 1.0, y=y)
    for _ in range(5):
        kernel(x, 2.0, y=y, backend="cuda")
        kernel(gpu.array(numbers(64)), factor=2.0, y=y)
    assert gpu.made == 0
    assert len(gpu.loaded) == len(gpu.functions) == 1


def test_kinds_are_compiled_apart_by_divisors_and_alignment_and_not_by_shape(gpu: StandIn) -> None:
    kernel = tilevm.kernel(SCALE)
    for count, compiled in ((128, 1), (256, 1), (384, 1), (64, 2), (192, 2), (7, 3), (9, 3)):
        kernel(gpu.array(numbers(count)), 1.0)
        assert len(gpu.loaded) == compiled
    wide = gpu.array(numbers(200))
    for start, compiled in ((4, 3), (5, 4), (9, 4), (6, 5), (7, 5)):
        kernel(gpu.known(wide[start : start + 129]), 1.0)
        assert len(gpu.loaded) == compiled, start


def test_a_new_shape_is_checked_and_does_not_take_the_long_way(gpu: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = tilevm.kernel(GROUPED)

    def call(m: int, k: int, groups: int, rows: int) -> Any:
        x, s = gpu.array(np.zeros((m, k), np.float32)), gpu.array(np.zeros((rows, groups), np.float32))
        return kernel(x, s)

    call(4, 64, 8, 4)
    refused("A018", lambda: call(4, 60, 7, 4))
    refused("A007", lambda: call(4, 64, 9, 4))
    refused("A007", lambda: call(4, 64, 8, 5))
    refused("A019", lambda: call(65536, 8, 1, 65536))
    assert call(0, 64, 8, 0).shape == (0, 64)
    known = len(gpu.records)
    monkeypatch.setattr(CudaCalls, "_first", lambda *_: pytest.fail("it took the long way"))
    for m, k in ((4, 64), (5, 64), (4, 128), (7, 8), (7, 8)):
        assert call(m, k, k // 8, m).shape == (m, k)
        assert gpu.records[-1].arguments[-2:] == (m, k)
        assert gpu.records[-1].grid == (-(-k // 32), m, 1)
    assert len(gpu.records) == known + 5


def test_a_new_shape_is_known_from_then_on(gpu: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel, y = tilevm.kernel(SCALE), gpu.array(np.zeros(9, np.float32))
    kernel(gpu.array(numbers(7)), 1.0)
    kernel(gpu.array(numbers(9)), 1.0, y=y)
    kernel(gpu.array(numbers(9)), 1.0)
    monkeypatch.setattr(Family, "call", lambda *_: pytest.fail("it was made again"))
    assert kernel(gpu.array(numbers(9)), 2.0).host.tolist() == (2 * numbers(9)).tolist()


def test_calls_of_other_kinds_are_told_apart(gpu: StandIn) -> None:
    kernel, x, y = tilevm.kernel(SCALE), gpu.array(numbers(64)), gpu.array(numbers(64))
    for _ in range(2):
        kernel(x=x, factor=2.0, y=y)
        assert gpu.records[-1].arguments[0] == x.data.ptr
        kernel(y=x, factor=2.0, x=y)
        assert gpu.records[-1].arguments[0] == y.data.ptr
        for block in (32, 64):
            kernel(x, 1.0, B=block)
            assert gpu.records[-1].grid == (64 // block, 1, 1)
        kernel(x, 1.0)
        refused("A005", lambda: kernel(gpu.array(np.arange(64, dtype=np.int32)), 1.0))
        kernel(x, np.array(2.0))
        refused("A013", lambda: kernel(x, np.array([2.0])))
    mixed, m = tilevm.kernel(MIXED), gpu.array(np.zeros((2, 2), np.int32))
    codes = gpu.array(np.zeros(2, np.uint8))
    for _ in range(2):
        mixed(1, 1.0, 1, True, 1.0, m, PackedArray(codes, "u4", (2, 2)))
        refused("A005", lambda: mixed(1, 1.0, 1, True, 1.0, m, PackedArray(codes, "i4", (2, 2))))


def test_what_tells_calls_apart_by_identity_lives_as_long_as_they_are_known(gpu: StandIn) -> None:
    import gc
    import weakref

    kernel = tilevm.kernel(ARRANGED)
    array = PackedArray.from_codes(
        np.zeros((8, 8), np.uint8), "u4", tilevm.memory_pattern("column_major").bind((8, 8), 4)
    )
    layout = weakref.ref(array.layout)
    kernel(on(gpu, array))
    del array
    gc.collect()
    assert layout() is not None


def test_views_and_empty_grids_of_new_shapes_take_the_long_way(gpu: StandIn) -> None:
    kernel = tilevm.kernel(VIEWED)
    kernel(gpu.array(np.zeros(16, np.uint8)))
    kernel(gpu.array(np.zeros(32, np.uint8)))
    refused("R008", lambda: kernel(gpu.array(np.zeros(18, np.uint8))), ExecutionError)
    plain = tilevm.kernel(VIEWED.replace("load(seen[0 :+ 4])", "zeros(u32, [4])").replace("seen =", "# seen ="))
    plain(gpu.array(np.zeros(16, np.uint8)))
    refused("A019", lambda: plain(gpu.array(np.zeros(0, np.uint8))))
    assert len(gpu.records) == 3


def test_nothing_that_was_passed_is_kept_alive(gpu: StandIn) -> None:
    import gc
    import weakref

    kernel, x = tilevm.kernel(SCALE), gpu.array(numbers(64))
    kept = [weakref.ref(x), weakref.ref(kernel(x, 1.0))]
    gpu.arrays.clear()
    del x
    gc.collect()
    assert [each() for each in kept] == [None, None]


def test_shared_memory_beyond_the_default_is_opted_into(monkeypatch: pytest.MonkeyPatch) -> None:
    for shared_bytes, expected in ((48 << 10, []), ((48 << 10) + 1, [(0, 8, (48 << 10) + 1)])):
        gpu = machine(monkeypatch, shared_bytes=shared_bytes)
        tilevm.kernel(SCALE)(gpu.array(numbers(64)), 1.0)
        assert gpu.attributes == expected
        assert gpu.records[0].shared_bytes == shared_bytes


def test_threads_that_launch_at_once_do_not_share_arguments(gpu: StandIn) -> None:
    kernel, x = tilevm.kernel(SCALE), gpu.array(numbers(64))
    outs = [gpu.array(np.zeros(64, np.float32)) for _ in range(8)]
    driver, meet = sys.modules["cupy"].cuda.driver, threading.Barrier(1)

    def slow(*given: int) -> None:
        meet.wait(10)  # all have written their arguments, and none has been read
        gpu.launch(*given)

    driver.launchKernel = slow
    kernel(x, 1.0, y=outs[0])
    meet = threading.Barrier(8)
    started = [
        threading.Thread(target=kernel, args=(x, float(number)), kwargs={"y": y}) for number, y in enumerate(outs)
    ]
    for each in started:
        each.start()
    for each in started:
        each.join()
    assert [y.host[1] for y in outs] == list(range(8))


def test_an_empty_grid_launches_nothing(gpu: StandIn) -> None:
    y = tilevm.kernel(SCALE)(gpu.array(numbers(0)), 1.0)
    assert y.shape == (0,)
    assert gpu.records == []


def test_a_thread_without_a_context_gets_one_and_launches(gpu: StandIn) -> None:
    kernel, x, y = tilevm.kernel(SCALE), gpu.array(numbers(64)), gpu.array(numbers(64))
    gpu.fails = [DriverError("CUDA_ERROR_INVALID_CONTEXT: invalid device context")]
    kernel(x, 2.0, y=y)
    assert gpu.contexts == 1
    assert y.host.tolist() == (2 * numbers(64)).tolist()


def test_an_object_with_the_array_interface_goes_through_cupy(gpu: StandIn) -> None:
    class Foreign:
        def __init__(self, array: Any) -> None:
            self.array = array
            self.__cuda_array_interface__ = array.__cuda_array_interface__

    kernel, x = tilevm.kernel(SCALE), gpu.array(numbers(64))
    for _ in range(3):
        assert kernel(Foreign(x), 2.0).host.tolist() == (2 * numbers(64)).tolist()
    read_only = Foreign(x)
    read_only.__cuda_array_interface__ = {**x.__cuda_array_interface__, "data": (x.data.ptr, True)}
    assert "read-only" in refused("A015", lambda: kernel(x, 2.0, y=read_only))


def test_an_object_with_dlpack_goes_through_cupy_where_it_lies_on_a_gpu(gpu: StandIn) -> None:
    class Foreign:
        def __init__(self, array: Any, place: int) -> None:
            self.array, self.place = array, place

        def __dlpack_device__(self) -> tuple[int, int]:
            return self.place, 0

    kernel, x = tilevm.kernel(SCALE), gpu.array(numbers(64))
    for place in (2, 13):
        assert kernel(Foreign(x, place), 2.0).host.tolist() == (2 * numbers(64)).tolist()
    refused("A021", lambda: kernel(Foreign(x, 1), 2.0, backend="cuda"))


# torch


@pytest.fixture
def torch(gpu: StandIn, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A stand-in for torch, on the same machine."""

    class Tensor:
        is_cuda = True

        def __init__(self, array: Any) -> None:
            self.array, self.shape, self.dtype = array, array.shape, f"torch.{array.dtype}"

        def is_contiguous(self) -> bool:
            return bool(self.array.flags.c_contiguous)

        def data_ptr(self) -> int:
            return int(self.array.data.ptr)

        def element_size(self) -> int:
            return int(self.array.itemsize)

        def get_device(self) -> int:
            return int(self.array.data.device_id)

        def __len__(self) -> int:
            return len(self.array)

        @property
        def __cuda_array_interface__(self) -> Any:
            return self.array.__cuda_array_interface__

    def empty(shape: tuple[int, ...], dtype: str, device: str) -> Tensor:
        assert device == "cuda:0"
        return Tensor(gpu.empty(shape, dtype))

    module = types.ModuleType("torch")
    raw = types.SimpleNamespace(_cuda_getCurrentRawStream=lambda number: 100 + number)
    module.__dict__.update(Tensor=Tensor, empty=empty, float32="float32", uint8="uint8", _C=raw)
    monkeypatch.setitem(sys.modules, "torch", module)
    return module


def test_torch_tensors_run_on_torchs_stream_and_outputs_are_tensors(gpu: StandIn, torch: Any) -> None:
    kernel = tilevm.kernel(SCALE)
    for turn in range(3):
        y = kernel(torch.Tensor(gpu.array(numbers(64) + turn)), 2.0)
        assert isinstance(y, torch.Tensor)
        assert y.array.host.tolist() == (2 * (numbers(64) + turn)).tolist()
        assert gpu.records[-1].stream == 100
    given = torch.Tensor(gpu.array(numbers(64)))
    assert kernel(torch.Tensor(gpu.array(numbers(64))), 2.0, y=given) is given
    del torch._C._cuda_getCurrentRawStream
    torch.cuda = types.SimpleNamespace(current_stream=lambda number: types.SimpleNamespace(cuda_stream=200))
    tilevm.kernel(SCALE)(given, 1.0)
    assert gpu.records[-1].stream == 200


def test_a_tensor_that_is_not_contiguous_is_refused(gpu: StandIn, torch: Any) -> None:
    kernel = tilevm.kernel(SCALE)
    assert "x.contiguous()" in refused("A022", lambda: kernel(torch.Tensor(gpu.array(numbers(64))[::2]), 1.0))
    square, turned = gpu.array(np.ones((4, 4), np.float32)), gpu.array(np.ones((4, 4), np.float32))
    turned = gpu.known(type(turned)(turned.host.T, 0))
    grouped = tilevm.kernel(GROUPED.replace("K // 8", "K").replace("require K % 8 == 0", ""))
    for _ in range(2):
        grouped(torch.Tensor(square), torch.Tensor(square))
        refused("A022", lambda: grouped(torch.Tensor(square), torch.Tensor(turned)))
    strange = torch.Tensor(gpu.array(numbers(4)))
    strange.dtype = "torch.complex64"
    assert "complex64" in refused("A004", lambda: kernel(strange, 1.0))


# What is refused before the launch


def test_arrays_in_two_places_are_refused_by_their_names(gpu: StandIn) -> None:
    kernel, x = tilevm.kernel(SCALE), gpu.array(numbers(64))
    text = refused("A021", lambda: kernel(x, 1.0, y=numbers(64)))
    assert "`x` lies on a GPU and `y` on the host" in text
    assert "cupy.asarray" in refused("A021", lambda: kernel(numbers(64), 1.0, backend="cuda"))
    packed = PackedArray.from_codes(np.zeros((8, 8), np.uint8), "u4")
    assert "x.data" in refused("A021", lambda: tilevm.kernel(ARRANGED)(packed, backend="cuda"))
    for backend in ("interpreter", "simulator"):
        assert "leave the backend out" in refused("A017", lambda name=backend: kernel(x, 1.0, backend=name))


def test_what_does_not_lie_as_the_kernel_takes_it_is_refused(gpu: StandIn) -> None:
    kernel = tilevm.kernel(SCALE)
    gaps = gpu.array(numbers(64))[::2]
    assert "cupy.ascontiguousarray" in refused("A022", lambda: kernel(gaps, 1.0))
    flags = "kernel flags(x: u1[N], out y: u8[N]):\n    grid 1\n    store(y[0 :+ 8], cast(load(x[0 :+ 8]), u8))\n"
    bools = gpu.array(np.ones(8, np.bool_))
    assert "1 bits each" in refused("A022", lambda: tilevm.kernel(flags)(bools))
    arranged, codes = tilevm.kernel(ARRANGED), np.arange(64).reshape(8, 8) % 16
    layout = tilevm.memory_pattern("column_major").bind((8, 8), 4)
    right, wrong = (PackedArray.from_codes(codes, "u4", each) for each in (layout, None))
    assert "lies row after row" in refused("A022", lambda: arranged(on(gpu, wrong)))
    assert arranged(on(gpu, right)).shape == (32,)


def on(gpu: StandIn, array: PackedArray) -> PackedArray:
    return PackedArray(gpu.array(array.data), array.dtype, array.shape, array.layout)


def test_how_arrays_lie_is_checked_in_every_call(gpu: StandIn) -> None:
    kernel, wide = tilevm.kernel(SCALE), gpu.array(numbers(128))
    for _ in range(2):
        kernel(wide[:64], 1.0)
        refused("A022", lambda: kernel(wide[::2], 1.0))
    arranged, codes = tilevm.kernel(ARRANGED), np.zeros((8, 8), np.uint8)
    layouts = [tilevm.memory_pattern(name).bind((8, 8), 4) for name in ("column_major", "row_major")]
    right, wrong = (on(gpu, PackedArray.from_codes(codes, "u4", each)) for each in layouts)
    for _ in range(2):
        arranged(right)
        refused("A022", lambda: arranged(wrong))
        refused("A007", lambda: arranged(PackedArray(right.data, "u4", (16, 4))))


def test_a_view_that_does_not_cover_its_tensor_is_refused(gpu: StandIn) -> None:
    kernel = tilevm.kernel(ARRANGED.replace("memory_view(w, u8, [32])", "memory_view(w, u8, [33])"))
    codes = PackedArray.from_codes(
        np.zeros((8, 8), np.uint8), "u4", tilevm.memory_pattern("column_major").bind((8, 8), 4)
    )
    refused("R008", lambda: kernel(on(gpu, codes)), ExecutionError)
    assert gpu.records == []


def test_an_array_on_another_gpu_is_refused(gpu: StandIn) -> None:
    gpu.devices = ["90", "90"]
    kernel, x = tilevm.kernel(SCALE), gpu.array(numbers(64), 1)
    assert "Device(1).use()" in refused("A023", lambda: kernel(x, 1.0))
    gpu.current = 1
    kernel(x, 1.0)
    gpu.current = 0
    refused("A023", lambda: kernel(x, 1.0))
    here, y = gpu.array(numbers(64)), gpu.array(numbers(64))
    kernel(here, 1.0, y=y)
    refused("A023", lambda: kernel(x, 1.0, y=y))
    gpu.current = 1
    refused("A023", lambda: kernel(here, 1.0, y=y))
    assert len(gpu.records) == 2


@pytest.mark.parametrize("warm", [False, True])
def test_scalars_are_checked_in_every_call(gpu: StandIn, warm: bool) -> None:
    kernel, x = tilevm.kernel(SCALE), gpu.array(numbers(64))
    mixed = tilevm.kernel(MIXED)
    rest = gpu.array(np.zeros((2, 2), np.int32)), PackedArray(gpu.array(np.zeros(2, np.uint8)), "u4", (2, 2))
    if warm:
        kernel(x, 1.0)
        mixed(1, 1.0, 1, True, 1.0, *rest)
        mixed(1, 1.0, 1, 1, 1.0, *rest)
    before = len(gpu.records)
    assert "`factor` is 1e+39" in refused("A014", lambda: kernel(x, 1e39))
    refused("A013", lambda: kernel(x, "a"))
    assert "`n` is" in refused("A014", lambda: mixed(1 << 63, 1.0, 1, True, 1.0, *rest))
    assert "`h` is" in refused("A014", lambda: mixed(1, 7e4, 1, True, 1.0, *rest))
    assert "`s` is" in refused("A014", lambda: mixed(1, 1.0, 128, True, 1.0, *rest))
    assert "`bf` is" in refused("A014", lambda: mixed(1, 1.0, 1, True, 1e39, *rest))
    refused("A014", lambda: mixed(1, 1.0, 1, 2, 1.0, *rest))
    refused("A013", lambda: mixed(1, 1.0, 1.0, True, 1.0, *rest))
    assert len(gpu.records) == before


@pytest.mark.parametrize("warm", [False, True])
def test_overlaps_are_found_in_every_call(gpu: StandIn, warm: bool) -> None:
    kernel, memory = tilevm.kernel(SCALE), gpu.array(numbers(300))
    before_it, first, apart, across = (gpu.known(memory[start : start + 64]) for start in (4, 64, 128, 124))
    if warm:
        kernel(first, 1.0, y=apart)
    before = len(gpu.records)
    for y in (across, before_it, first):
        assert "`y`, which the kernel writes" in refused("A016", lambda y=y: kernel(first, 1.0, y=y))
    kernel(first, 1.0, y=apart)
    assert len(gpu.records) == before + 1


def test_shapes_and_formats_are_checked_as_on_the_host(gpu: StandIn) -> None:
    kernel, x = tilevm.kernel(SCALE), gpu.array(numbers(64))
    kernel(x, 1.0)
    refused("A006", lambda: kernel(gpu.array(np.ones((2, 2), np.float32)), 1.0))
    refused("A005", lambda: kernel(gpu.array(np.ones(4, np.float16)), 1.0))
    refused("A007", lambda: kernel(x, 1.0, y=gpu.array(numbers(65))))
    refused("A002", lambda: kernel(x, 1.0, x))
    refused("A003", lambda: kernel(x))
    refused("A001", lambda: kernel(x, 1.0, factr=2.0))
    assert len(gpu.records) == 1


# Machines that lack something


def test_without_cupy_or_a_gpu_the_error_says_what_works(gpu: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    gpu.devices = []
    kernel = tilevm.kernel(SCALE)
    for reason in ("CUDA driver version is insufficient", "needs CuPy"):
        text = refused("F041", lambda: kernel(numbers(4), 1.0, backend="cuda"), NoDeviceError)
        assert reason in text
        assert 'backend="interpreter"' in text
        assert "kernel.compile" in text
        refused("F041", lambda: kernel.prepare(numbers(4), 1.0), NoDeviceError)
        monkeypatch.setitem(sys.modules, "cupy", None)


def test_a_gpu_that_is_not_in_the_table_is_named(gpu: StandIn) -> None:
    gpu.devices = ["70"]
    text = refused("F023", lambda: tilevm.kernel(SCALE)(gpu.array(numbers(64)), 1.0), UsageError)
    assert "compute capability 7.0" in text


def test_a_target_is_taken_where_it_runs(gpu: StandIn) -> None:
    gpu.devices = ["86"]
    kernel, x = tilevm.kernel(SCALE), gpu.array(numbers(64))
    kernel(x, 1.0)
    for _ in range(2):
        kernel(x, 1.0, target="sm_80")
    assert gpu.loaded == [b"cubin for sm_86", b"cubin for sm_80"]
    assert "does not run" in refused("F023", lambda: kernel(x, 1.0, target="sm_90a"), UsageError)


def test_a_kernel_of_which_no_block_fits_is_refused_with_the_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = machine(monkeypatch, registers=128)
    text = SCALE.replace("warps 1", "warps 32").replace("B = 32", "B = 1024")
    error = refused("F042", lambda: tilevm.kernel(text)(gpu.array(numbers(64)), 1.0), OutOfResources)
    assert "131,072 registers, 128 for each of 1024 threads" in error
    assert gpu.records == []


# What goes wrong on the GPU


@pytest.mark.parametrize(
    ("raised", "kind", "code", "says"),
    [
        ("CUDA_ERROR_ILLEGAL_ADDRESS: an illegal memory access", ExecutionError, "R050", "outside of every array"),
        ("CUDA_ERROR_INVALID_VALUE: invalid argument", ExecutionError, "R050", "refuses to launch"),
        ("CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES: too many resources", OutOfResources, "F044", "no room"),
    ],
)
def test_errors_of_a_launch_name_the_kernel_and_what_to_do(
    gpu: StandIn, raised: str, kind: type[TilevmError], code: str, says: str
) -> None:
    kernel, x = tilevm.kernel(SCALE), gpu.array(numbers(64))
    for call in (kernel, lambda x, factor: kernel.prepare(x, factor)()):
        gpu.fails = [DriverError(raised)]
        text = refused(code, lambda call=call: call(x, 1.0), kind)
        assert "kernel `scale`" in text
        assert says in text
    kernel(x, 1.0)


def test_debug_waits_and_reports_what_the_kernel_did(gpu: StandIn) -> None:
    kernel, x = tilevm.kernel(SCALE), gpu.array(numbers(64))
    original = gpu.launch

    def launch(*given: int) -> None:
        original(*given)
        gpu.fails = [RuntimeAPIError("cudaErrorMisalignedAddress: misaligned address")]

    sys.modules["cupy"].cuda.driver.launchKernel = launch
    text = refused("R050", lambda: kernel(x, 1.0, debug=True), ExecutionError)
    assert "not aligned" in text
    assert 'backend="simulator"' in text
    refused("F007", lambda: kernel(x, 1.0, debug=tilevm.Report()), UsageError)
