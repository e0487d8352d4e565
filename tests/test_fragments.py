"""Fragments: every code is where its thread loads it, comes back unchanged, and is cast from where it lies."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernels import needs_compiler
from strategies import register_layouts

import tilevm
from tilevm.dtypes import F16, dtype
from tilevm.errors import ArgumentError, LayoutError, ProgramError
from tilevm.fragment_order import FragmentOrder
from tilevm.interleaving import interleaved
from tilevm.layout import Layout
from tilevm.memory_pattern import fragments
from tilevm.synthesis.cast import PART, interleave

UNIT = tilevm.layout("local(4, 8) * mma.m16n8k16.b")
NAMES = [*(f"{kind}{bits}" for kind in "ui" for bits in range(1, 9)), *"f3e1m1 f4e2m1 f5e2m2 f6e3m2 f7e3m3 nf4".split()]
TEXT = """
layout unit = local(4, 8) * mma.m16n8k16.b

kernel unpacked[W: dtype, A: dtype = f16](w: W[K, N] @ fragments(interleaved(unit, W, A)), out y: A[K, N]):
    grid cdiv(K, 64), cdiv(N, 64)
    warps 1
    units = memory_view(w, u8, [cdiv(K, 64), cdiv(N, 64), W.bits, 32, 16])
    i = block_index(0); j = block_index(1)
    bytes = load(units[i, j]) @ local(W.bits, 1, 1) * spatial(1, 32, 1) * local(1, 1, 16)
    store(y[64 * i :+ 64, 64 * j :+ 64], cast(view(bytes, W, interleaved(unit, W, A)), A) @ unit)
"""
KERNEL = tilevm.kernel(TEXT)


def codes_of(shape: tuple[int, ...], bits: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 1 << bits, shape).astype(np.uint8)


@given(register_layouts(), st.integers(1, 8), st.sampled_from((16, 8, 6, 1)), st.data())
def test_codes_come_back_and_each_lies_in_its_threads_stream(
    order: Layout, bits: int, piece: int, data: st.DataObject
) -> None:
    if order.rep or any(digit.axis == "-" for dim in order.dims for digit in dim) or order.slots * bits % 8:
        return
    shape = tuple(data.draw(st.integers(1, 2 * side + 1)) for side in order.shape)
    placed = fragments(order, piece).placed(shape, bits)
    assert isinstance(placed, FragmentOrder)
    codes = codes_of(shape, bits)
    stored = placed.arranged(codes)
    assert 8 * stored.size == placed.size_bits
    np.testing.assert_array_equal(placed.codes(stored), codes)
    # The first element, by the definition: slot s of thread t is bit s * bits of the thread's stream.
    index = tuple(data.draw(st.integers(0, extent - 1)) for extent in shape)
    block = np.ravel_multi_index([i // side for i, side in zip(index, order.shape, strict=True)], placed.blocks)
    thread, slot = order.place(tuple(i % side for i, side in zip(index, order.shape, strict=True)))
    found = 0
    for bit in range(bits):
        byte, inner = divmod(slot * bits + bit, 8)
        piece, offset = divmod(byte, placed.piece_bytes)
        at = ((block * placed.pieces + piece) * order.threads + thread) * placed.piece_bytes + offset
        found |= (int(stored[at]) >> inner & 1) << bit
    assert found == codes[index]


def test_pieces_are_as_wide_as_a_thread_can_load() -> None:
    widths = {bits: fragments(UNIT).placed((64, 64), bits) for bits in range(1, 9)}
    assert {bits: (order.pieces, order.piece_bytes) for bits, order in widths.items()} == {
        bits: (bits, 16) for bits in range(1, 9)
    }
    small = fragments(tilevm.layout("spatial(8, 4) * local(1, 8)")).placed((8, 32), 3)
    assert isinstance(small, FragmentOrder)
    assert (small.pieces, small.piece_bytes) == (3, 1)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("target", ["f16", "bf16"])
def test_interleaving_moves_slots_within_32_and_nothing_else(name: str, target: str) -> None:
    source, wide = dtype(name), dtype(target)
    places = interleave(source, wide)
    found = interleaved(UNIT, source, wide)
    assert (found.shape, found.threads, found.slots) == (UNIT.shape, UNIT.threads, UNIT.slots)
    before, after = UNIT.thread_slot_to_flat(), found.thread_slot_to_flat()
    for slot in range(UNIT.slots):
        np.testing.assert_array_equal(after[:, slot // PART * PART + places[slot % PART]], before[:, slot])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("target", ["f16", "bf16"])
@needs_compiler
def test_codes_are_cast_from_where_they_lie(name: str, target: str) -> None:
    codes = codes_of((70, 66), dtype(name).bits)
    packed = KERNEL.pack("w", tilevm.PackedArray.from_codes(codes, name), A=target)
    expected = dtype(target).encode(dtype(name).decode(codes)).astype(np.uint16)
    for backend in ("interpreter", "simulator"):
        found = KERNEL(packed, A=target, backend=backend)
        held = found.view(np.uint16) if isinstance(found, np.ndarray) else found.codes()
        np.testing.assert_array_equal(held, expected)
    compiled = KERNEL.compile("sm_80", W=name, A=target)
    assert "16-byte loads" in " ".join(map(str, compiled.remarks))
    assert "moved between layouts" not in " ".join(map(str, compiled.remarks))


@pytest.mark.parametrize("name", ["u1", "u3", "i4", "f6e3m2", "u8"])
def test_unpack_undoes_pack_and_files_keep_the_order(name: str, tmp_path) -> None:  # type: ignore[no-untyped-def]
    codes = codes_of((129, 67), dtype(name).bits)
    packed = KERNEL.pack("w", tilevm.PackedArray.from_codes(codes, name))
    assert packed.nbytes == math.prod((3, 2)) * 512 * dtype(name).bits
    np.testing.assert_array_equal(packed.codes(), codes)
    again = KERNEL.unpack("w", packed)
    assert again.layout is None
    np.testing.assert_array_equal(again.codes(), codes)
    packed.save(tmp_path / "w.npz")
    loaded = tilevm.PackedArray.load(tmp_path / "w.npz")
    assert loaded.layout == packed.layout
    np.testing.assert_array_equal(loaded.data, packed.data)


def test_what_does_not_fit_is_refused() -> None:
    w = tilevm.PackedArray.from_codes(codes_of((64, 64), 3), "u3")
    with pytest.raises(ArgumentError, match="A001"):
        KERNEL.pack("v", w)
    with pytest.raises(ArgumentError, match="A006"):
        KERNEL.pack("w", tilevm.PackedArray.from_codes(codes_of((64,), 3), "u3"))
    with pytest.raises(ArgumentError, match="A005"):
        KERNEL.pack("w", w, W="u4")
    with pytest.raises(ArgumentError, match="A022"):
        KERNEL.unpack("w", w)
    blocks = tilevm.kernel(
        "kernel k(w: u3[K, N] @ blocks(64, 64), out y: u3[K, N], c: u3[4, N]):\n    grid 1\n    warps 1\n"
        "    store(y[0 :+ 8, 0 :+ 8], load(w[0 :+ 8, 0 :+ 8]))\n"
    )
    with pytest.raises(ArgumentError, match="A024"):
        blocks.pack("w", tilevm.PackedArray.from_codes(codes_of((65, 64), 3), "u3"))
    with pytest.raises(ArgumentError, match="A007"):
        blocks.pack("c", tilevm.PackedArray.from_codes(codes_of((5, 64), 3), "u3"))
    assert blocks.pack("c", tilevm.PackedArray.from_codes(codes_of((4, 64), 3), "u3")).layout is None


def test_elements_of_fragments_have_no_address() -> None:
    for body in ("a = load(w[0 :+ 64, 0 :+ 64])", "a = gather(w, iota(8), iota(8))", "prefetch(w[0 :+ 8, 0 :+ 8])"):
        text = (
            f"kernel k(w: u4[K, N] @ fragments(local(4, 8) * mma.m16n8k16.b)):\n    grid 1\n    warps 1\n    {body}\n"
        )
        with pytest.raises((ProgramError, LayoutError), match="L047") as raised:
            tilevm.kernel(text).specialise()
        assert raised.value.diagnostics[0].span is not None
    shared = (
        "kernel k():\n    grid 1\n    warps 1\n    s = shared(u4, [64, 64]) @ fragments(local(4, 8) * mma.m16n8k16.b)\n"
    )
    with pytest.raises((ProgramError, LayoutError), match="L047"):
        tilevm.kernel(shared).specialise()


def test_patterns_print_as_they_are_written() -> None:
    for text in ("fragments(local(1, 8) * spatial(1, 8))", "fragments(local(1, 8) * spatial(1, 8), 4)"):
        assert str(tilevm.memory_pattern(text)) == text
    with pytest.raises(LayoutError, match="L015"):
        tilevm.memory_pattern("fragments(local(8), 0)")


def test_layouts_that_cannot_be_interleaved_are_refused() -> None:
    with pytest.raises(LayoutError, match="L048"):
        interleaved(tilevm.layout("mma.m16n8k16.b"), dtype("u4"), F16)
    with pytest.raises(LayoutError, match="L048"):
        interleaved(tilevm.layout("local(32) * local(3)"), dtype("u4"), F16)
    with pytest.raises(LayoutError, match="L016"):
        tilevm.memory_pattern("fragments(rep(2) * local(8))")
    with pytest.raises(LayoutError, match="L016"):
        tilevm.memory_pattern("fragments(local(4, 3))").placed((4, 3), 1)  # type: ignore[attr-defined]
