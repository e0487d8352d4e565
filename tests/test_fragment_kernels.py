"""Fragments packed and unpacked by a kernel: the bytes are NumPy's, in the interpreter and in the simulator, for every
width; the machine code moves wide pieces."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import pytest
import test_launch_cuda
from kernels import needs_compiler
from stand_in_cupy import POINTER, Kernel
from test_machine_code import has_nvrtc

import tilevm
from tilevm.errors import ArgumentError
from tilevm.fragment_order import FragmentOrder
from tilevm.plans.arrangements import coalesced
from tilevm.runtime.fragment_kernels import _kernels, _settings, arranged, dense

TEXT = """
layout unit = local(4, 8) * mma.m16n8k16.b

kernel takes[W: dtype, A: dtype = f16](w: W[K, N] @ fragments(interleaved(unit, W, A)), out y: f16[K, N]):
    grid 1
    warps 1
    units = memory_view(w, u8, [cdiv(K, 64), cdiv(N, 64), W.bits, 32, 16])
"""
KERNEL = tilevm.kernel(TEXT)
needs_nvrtc = pytest.mark.skipif(not has_nvrtc(), reason="CuPy or NVRTC is not there")


def array_of(shape: tuple[int, ...], name: str) -> tilevm.PackedArray:
    bits = tilevm.dtype(name).bits
    codes = np.random.default_rng(bits).integers(0, 1 << bits, shape)
    codes.flat[0] = (1 << bits) - 1
    return tilevm.PackedArray.from_codes(codes, name)


def round_trip(array: tilevm.PackedArray, backend: str) -> None:
    expected = KERNEL.pack("w", array)
    found = KERNEL.pack("w", array, backend=backend)
    assert found.layout == expected.layout
    assert found.data.any()
    np.testing.assert_array_equal(found.data, expected.data)
    again = KERNEL.unpack("w", found, backend=backend)
    assert again.layout is None
    assert again.dtype == array.dtype
    np.testing.assert_array_equal(again.codes(), array.codes())


@pytest.mark.parametrize("name", [*(f"u{bits}" for bits in range(1, 9)), "i4", "f6e3m2", "nf4", "e8m0"])
@pytest.mark.parametrize("shape", [(64, 64), (70, 66), (1, 1), (129, 257), (192, 384)])
def test_a_kernel_packs_as_numpy_does(name: str, shape: tuple[int, int]) -> None:
    round_trip(array_of(shape, name), "interpreter")


@pytest.mark.parametrize("bits", range(1, 9))
@needs_compiler
def test_the_emitted_kernel_packs_as_numpy_does(bits: int) -> None:
    round_trip(array_of((70, 272), f"u{bits}"), "simulator")


@pytest.mark.parametrize("name", ["u3", "u8"])
@needs_compiler
def test_the_emitted_kernel_packs_rows_that_begin_within_a_word(name: str) -> None:
    round_trip(array_of((65, 67), name), "simulator")


@pytest.mark.parametrize(
    "text", ["local(1, 8) * spatial(1, 8)", "local(4) * spatial(32)", "spatial(64, 2) * local(2, 8)"]
)
@pytest.mark.parametrize("shape", [(40, 100), (2, 3, 33)])
def test_blocks_of_few_or_many_threads_and_of_tensors_with_more_dimensions(text: str, shape: tuple[int, ...]) -> None:
    for name in ("u2", "u16"):
        order = tilevm.memory_pattern(f"fragments({text})").placed(shape, tilevm.dtype(name).bits)
        assert isinstance(order, FragmentOrder)
        array = array_of(shape, name)
        found = arranged("w", array, order, "interpreter")
        np.testing.assert_array_equal(found.data, order.arranged(array.codes()))
        np.testing.assert_array_equal(dense("w", found, order, "interpreter").codes(), array.codes())


def test_a_wrong_byte_is_seen() -> None:
    found = KERNEL.pack("w", array_of((64, 64), "u5"), backend="interpreter")
    found.data[77] ^= 4
    assert (found.codes() != array_of((64, 64), "u5").codes()).sum() == 1


def test_numpy_arrays_and_arrays_in_other_orders_are_packed_too() -> None:
    values = np.random.default_rng(0).standard_normal((64, 96)).astype(np.float16)
    kernel = tilevm.kernel(TEXT.replace("interleaved(unit, W, A)", "unit"))
    expected = kernel.pack("w", values)
    np.testing.assert_array_equal(kernel.pack("w", values, backend="interpreter").data, expected.data)
    again = KERNEL.pack("w", KERNEL.pack("w", array_of((64, 64), "u4")))
    np.testing.assert_array_equal(again.codes(), array_of((64, 64), "u4").codes())


def test_what_no_kernel_packs_is_refused() -> None:
    for order in (
        tilevm.memory_pattern("fragments(local(2, 2, 2) * spatial(1, 8, 4))").placed((4, 16, 8), 8),
        tilevm.memory_pattern("fragments(local(8) * spatial(32))").placed((256,), 9),
    ):
        assert isinstance(order, FragmentOrder)
        array = tilevm.PackedArray(np.zeros(order.size_bits // 8, np.uint8), "u8", order.shape)
        with pytest.raises(ArgumentError, match="A024"):
            arranged("w", array, order, "interpreter")


@needs_nvrtc
@pytest.mark.parametrize("bits", range(1, 9))
def test_pieces_are_wide_and_nothing_lies_in_local_memory(bits: int) -> None:
    order = tilevm.memory_pattern("fragments(local(4, 8) * mma.m16n8k16.b)").placed((4096, 4096), bits)
    assert isinstance(order, FragmentOrder)
    _, settings = _settings("w", order)
    home = coalesced((64, 256), bits, 128)
    for kernel, more in (("pack", {}), ("unpack", {"ROWS": home})):
        compiled = _kernels()[kernel].compile("sm_80", W=f"i{bits}", divisible={"K": 64, "N": 256}, **settings, **more)
        taken = compiled.resources
        assert (taken.spill_store_bytes, taken.spill_load_bytes, taken.stack_bytes) == (0, 0, 0)
        remarks = " ".join(map(str, compiled.remarks))
        assert ("16-byte stores" if kernel == "pack" else "16-byte loads") in remarks
        assert "updates" not in remarks


# On a GPU, and on the stand-in for one


@pytest.mark.gpu
@pytest.mark.parametrize("bits", range(1, 9))
@pytest.mark.parametrize("shape", [(64, 64), (65, 67), (192, 384)])
def test_a_gpu_packs_as_numpy_does(bits: int, shape: tuple[int, int]) -> None:
    cupy = pytest.importorskip("cupy")
    array = array_of(shape, f"u{bits}")
    there = KERNEL.pack("w", tilevm.PackedArray(cupy.asarray(array.data), array.dtype, shape))
    np.testing.assert_array_equal(there.data.get(), KERNEL.pack("w", array).data)
    np.testing.assert_array_equal(KERNEL.unpack("w", there).data.get(), array.data)


@pytest.mark.parametrize("name", ["u3", "i8"])
def test_arrays_on_a_gpu_are_packed_there(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    array = array_of((70, 66), name)
    expected = KERNEL.pack("w", array)

    def pack(w: Any, packed: Any, *sizes: int) -> None:
        codes = tilevm.unpack(w.reshape(-1).view(np.uint8), array.dtype.bits, array.size)
        packed.reshape(-1)[:] = expected.layout.arranged(codes.reshape(70, 66))

    def unpack(packed: Any, w: Any, *sizes: int) -> None:
        w.reshape(-1).view(np.uint8)[:] = tilevm.pack(expected.layout.codes(packed.reshape(-1)), array.dtype.bits)

    for each in (pack, unpack):
        types = (POINTER, POINTER, *[ctypes.c_int32] * 3)
        monkeypatch.setitem(test_launch_cuda.KERNELS, each.__name__, Kernel(types, each))
    machine = test_launch_cuda.machine(monkeypatch)
    _kernels.cache_clear()
    try:
        there = machine.array(array.codes().view(np.int8) if name == "i8" else array.data)
        found = KERNEL.pack("w", there if name == "i8" else tilevm.PackedArray(there, array.dtype, array.shape))
        assert found.on_device
        assert found.layout == expected.layout
        np.testing.assert_array_equal(found.data.host, expected.data)
        again = KERNEL.unpack("w", found)
        assert again.on_device
        np.testing.assert_array_equal(again.data.host, array.data)
        assert [record.block for record in machine.records] == [(128, 1, 1)] * 2
    finally:
        _kernels.cache_clear()
