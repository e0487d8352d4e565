"""What only a GPU can show: streams, graphs, threads, torch, and that the driver agrees about occupancy."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tilevm
from tilevm import PackedArray

pytestmark = pytest.mark.gpu

SCALE = """
kernel scale[B = 128](x: f32[N], factor: f32, out y: f32[N]):
    grid cdiv(N, B)
    warps 4
    i = block_index(0) * B
    store(y[i :+ B], load(x[i :+ B]) * factor)
"""
PICK = """
kernel pick[T: dtype](x: T[M, N], out y: T[N, 32]):
    grid N // 32
    warps 1
    i = block_index(0) * 32
    store(y[i :+ 32, 0 :+ 32], permute(load(x[0 :+ 32, i :+ 32]), 1, 0))
"""
VECTOR_ADD = Path(__file__).parent.parent / "examples" / "vector_add.tvm"


@pytest.fixture
def cupy() -> Any:
    return pytest.importorskip("cupy")


def numbers(count: int) -> Any:
    return np.arange(count, dtype=np.float32)


def test_an_example_gives_what_the_interpreter_gives(cupy: Any) -> None:
    kernel = tilevm.load(VECTOR_ADD).vector_add
    for count in (1, 17, 1024, 100_003):
        x, y = numbers(count), numbers(count)[::-1].copy()
        assert np.array_equal(kernel(cupy.asarray(x), cupy.asarray(y)).get(), kernel(x, y))


def test_elements_of_any_width_come_back_as_they_went(cupy: Any) -> None:
    kernel, random = tilevm.kernel(PICK), np.random.default_rng(0)
    for name in ("u1", "u3", "i4", "f6e3m2", "u7", "f8e4m3", "bf16"):
        kind = tilevm.dtype(name)
        x = PackedArray.from_codes(random.integers(0, 1 << kind.bits, (32, 64)).astype(kind.storage), kind)
        y = kernel(PackedArray(cupy.asarray(x.data), kind, x.shape))
        back = y if isinstance(y, PackedArray) else PackedArray(y.reshape(-1).view(np.uint8), kind, y.shape)
        codes = PackedArray(cupy.asnumpy(back.data), kind, back.shape).codes()
        assert np.array_equal(codes, x.codes().T), name


def test_a_graph_records_a_known_call_and_a_prepared_launch(cupy: Any) -> None:
    kernel, x, y = tilevm.kernel(SCALE), cupy.asarray(numbers(1000)), cupy.zeros(1000, np.float32)
    kernel(x, 2.0, y=y)
    prepared = kernel.prepare(x, 3.0, y=y)
    for launch, factor in ((lambda: kernel(x, 2.0, y=y), 2), (prepared, 3)):
        stream = cupy.cuda.Stream(non_blocking=True)
        with stream:
            stream.begin_capture()
            launch()
            graph = stream.end_capture()
        y.fill(0)
        cupy.cuda.get_current_stream().synchronize()
        graph.launch(stream)
        stream.synchronize()
        assert y.get().tolist() == (factor * numbers(1000)).tolist()


def test_a_launch_is_ordered_with_its_stream(cupy: Any) -> None:
    kernel, stream = tilevm.kernel(SCALE), cupy.cuda.Stream(non_blocking=True)
    with stream:
        x = cupy.zeros(1 << 24, np.float32)
        for _ in range(20):
            x += 1
            y = kernel(x, 2.0)
        last = y[-1].get()
    assert last == 40


def test_a_new_thread_launches(cupy: Any) -> None:
    kernel, x, y = tilevm.kernel(SCALE), cupy.asarray(numbers(1000)), cupy.zeros(1000, np.float32)
    kernel(x, 1.0, y=y)
    thread = threading.Thread(target=kernel, args=(x, 5.0), kwargs={"y": y, "debug": True})
    thread.start()
    thread.join()
    assert y.get().tolist() == (5 * numbers(1000)).tolist()


def test_torch_tensors_run_on_torchs_stream() -> None:
    torch = pytest.importorskip("torch")
    kernel, stream = tilevm.kernel(SCALE), torch.cuda.Stream()
    with torch.cuda.stream(stream):
        x = torch.ones(1 << 22, device="cuda")
        for _ in range(3):
            x = kernel(x, 2.0)
    stream.synchronize()
    assert isinstance(x, torch.Tensor)
    assert float(x.max()) == float(x.min()) == 8.0


def test_occupancy_is_what_the_driver_says(cupy: Any) -> None:
    from tilevm.runtime.device import current_device

    device = current_device()
    for block in (32, 128, 256, 1024):
        compiled = tilevm.kernel(SCALE.replace("warps 4", f"warps {block // 32}")).compile(device.arch.name, B=block)
        taken = compiled.resources
        blocks = cupy.cuda.driver.occupancyMaxActiveBlocksPerMultiprocessor(
            device.load(compiled).ptr, taken.threads, taken.dynamic_shared_bytes
        )
        assert taken.occupancy.blocks == blocks
