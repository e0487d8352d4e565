"""Plans of layout conversions, carried out on the numbers of elements: each thread ends with its own."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from strategies import layout_pairs

from tilevm.dtypes import DType, dtype
from tilevm.layout import Layout
from tilevm.layout_constructors import column_spatial, local, spatial
from tilevm.layout_text import parse
from tilevm.plans.exchange import Exchange, NewNames, exchange, remark_on
from tilevm.plans.lane_exchange import LaneExchange, Switch, lane_exchange
from tilevm.plans.packets import Packets, held_bits
from tilevm.plans.pieces import pieces
from tilevm.plans.scratch import LARGEST_SCRATCH, ScratchExchange, Side, Turn
from tilevm.plans.scratch_exchange import scratch_exchange

Table = NDArray[np.int64]
FORMATS = ["u1", "u3", "u4", "f6e3m2", "i8", "f16", "f32", "f64"]
POISON = -7


def in_packets(packets: Packets, format: DType, held: Table) -> Table:
    """The elements of each thread, packet by packet: ``[threads, packets, elements]``."""
    together = packets.unit // held_bits(format)
    slots = [unit * together + step for unit in packets.slots for step in range(together)]
    return held[:, slots].reshape(len(held), packets.count, -1)


def from_packets(packets: Packets, format: DType, moved: Table, held: Table) -> None:
    """Writes packets ``[threads, packets, elements]`` to their slots."""
    together = packets.unit // held_bits(format)
    slots = [unit * together + step for unit in packets.slots for step in range(together)]
    held[:, slots] = moved.reshape(len(held), -1)


def switched(words: Table, switch: Switch, *, exchange: bool) -> None:
    chosen = (np.arange(len(words)) // switch.stride % 2 == 1)[:, None, None]
    first = np.array(switch.first)
    a, b = words[:, first].copy(), words[:, first + switch.distance].copy()
    words[:, first] = np.where(chosen, b, a)
    if exchange:
        words[:, first + switch.distance] = np.where(chosen, a, b)


def by_lanes(plan: LaneExchange, format: DType, held: Table, result: Table) -> None:
    packets = in_packets(plan.packed, format, held)
    # A word of a packet of two words is one half of its element, so numbers stand for whole packets.
    words = np.repeat(packets, plan.packed.words, axis=1)
    for switch in plan.selects:
        switched(words, switch, exchange=False)
    for switch in plan.exchanges:
        switched(words, switch, exchange=True)
    thread = np.arange(len(held))
    lanes = np.zeros_like(thread)
    for mask, shift in plan.lanes:
        part = thread & mask
        lanes ^= part << shift if shift >= 0 else part >> -shift
    got = np.full((len(held), plan.unpacked.all_words, words.shape[2]), POISON)
    assert sorted([*plan.shuffled, *plan.kept]) == list(range(plan.unpacked.all_words))
    for i in plan.shuffled:
        got[:, i] = words[thread // 32 * 32 + (lanes ^ plan.flips[i]), plan.taken[i]]
    for i in plan.kept:
        got[:, i] = words[thread, plan.taken[i]]
    for switch in plan.settles:
        switched(got, switch, exchange=True)
    from_packets(plan.unpacked, format, got[:, :: plan.unpacked.words], result)


def places(side: Side, threads: int) -> tuple[Table, Table]:
    """The address of each packet of each thread, and which threads take part."""
    thread = np.arange(threads)
    active = np.ones(threads, bool)
    for stride, size, value in side.only:
        active &= thread // stride % size == value
    return (side.address.of(thread)[:, None] ^ np.array(side.xors)) + np.array(side.steps), active


def through_scratch(plan: ScratchExchange, format: DType, held: Table, result: Table) -> None:
    for turn in plan.turns:
        narrow = min(turn.write.bytes, turn.read.bytes)
        memory = np.full((plan.scratch_bytes // narrow, 128), POISON)
        if turn.window is not None:
            through_window(turn, memory, held, result)
            continue
        elements = [
            len(side.packets.slots) * (side.packets.unit // held_bits(format)) // side.packets.count
            for side in (turn.write, turn.read)
        ]
        each = min(elements)
        at, active = places(turn.write, len(held))
        cells = in_packets(turn.write.packets, format, held).reshape(len(held), at.shape[1], -1, each)
        assert (at % turn.write.bytes == 0).all()
        for part in range(cells.shape[2]):
            memory[at[active] // narrow + part, :each] = cells[active, :, part]
        at, active = places(turn.read, len(held))
        assert (at % turn.read.bytes == 0).all()
        parts = [memory[at // narrow + part, :each] for part in range(elements[1] // each)]
        got = np.stack(parts, axis=2).reshape(len(held), at.shape[1], -1)
        before = result.copy()
        from_packets(turn.read.packets, format, got, result)
        result[~active] = before[~active]


def through_window(turn: Turn, memory: Table, held: Table, result: Table) -> None:
    assert turn.window is not None
    start, size = turn.window
    at, active = places(turn.write, len(held))
    inside = (at >= start) & (at < start + size) & active[:, None]
    memory[(at[inside] - start) // turn.write.bytes, 0] = held[:, turn.write.packets.slots][inside]
    at, active = places(turn.read, len(held))
    inside = (at >= start) & (at < start + size) & active[:, None]
    thread, number = np.nonzero(inside)
    result[thread, np.array(turn.read.packets.slots)[number]] = memory[(at[inside] - start) // turn.read.bytes, 0]


def check(format: DType, source: Layout, target: Layout, plan: Exchange) -> None:
    """Carries out a plan on row-major numbers of elements."""
    held, wanted = source.thread_slot_to_flat(), target.thread_slot_to_flat()
    result = np.full(wanted.shape, POISON)
    if isinstance(plan, NewNames):
        from_packets(identity(plan.units, format), format, in_packets(plan.units, format, held), result)
    elif isinstance(plan, LaneExchange):
        by_lanes(plan, format, held, result)
    else:
        through_scratch(plan, format, held, result)
    assert (result == wanted).all(), (str(source), str(target), plan.kind)


def identity(units: Packets, format: DType) -> Packets:
    return Packets(tuple(range(units.units)), 1, units.unit, units.units, units.words)


@settings(max_examples=60, deadline=None)
@given(layout_pairs(), st.sampled_from(FORMATS))
def test_every_thread_gets_its_elements(layouts: tuple[Layout, Layout], name: str) -> None:
    source, target = layouts
    check(dtype(name), source, target, exchange(dtype(name), source, target))


@settings(max_examples=60, deadline=None)
@given(layout_pairs((2,)), st.sampled_from(FORMATS))
def test_every_way_that_is_possible_brings_the_elements(layouts: tuple[Layout, Layout], name: str) -> None:
    source, target = layouts
    format, parts = dtype(name), pieces(source, target)
    assert parts is not None
    plan = lane_exchange(parts, format, source, target)
    lanes_become_warps = any(each.source.stride < 32 <= each.target.stride for each in parts if each.target.axis == "T")
    assert within_warps(source, target) if plan is not None else lanes_become_warps or not within_warps(source, target)
    if plan is not None:
        check(format, source, target, plan)
    check(format, source, target, scratch_exchange(parts, format, source, target))


def within_warps(source: Layout, target: Layout) -> bool:
    """Whether every warp holds all that its threads need."""
    held, wanted = (each.thread_slot_to_flat().reshape(each.threads // 32, -1) for each in (source, target))
    return all(set(need.tolist()) <= set(have.tolist()) for have, need in zip(held, wanted, strict=True))


@settings(max_examples=60, deadline=None)
@given(layout_pairs((2,)), st.sampled_from(FORMATS))
def test_shared_memory_is_used_without_bank_conflicts_where_all_is_powers_of_two(
    layouts: tuple[Layout, Layout], name: str
) -> None:
    source, target = layouts
    plan = scratch_exchange(pieces(source, target), dtype(name), source, target)
    assert plan.scratch_bytes <= LARGEST_SCRATCH
    for turn in plan.turns:
        for side in (turn.write, turn.read):
            passes = side.passes(source.threads)
            assert passes.actual == passes.least


EXAMPLES = {
    "an accumulator for the factor of the next product": ("f16", "local(1, 2) * mma.m16n8k16.c", "mma.m16n8k16.a"),
    "nothing": ("f16", "spatial(8, 4) * local(2, 2)", "spatial(8, 4) * local(2, 2)"),
    "other slots": ("u4", "local(2, 2) * spatial(8, 4)", "column_local(2, 2) * spatial(8, 4)"),
    "a transpose of lanes": ("f32", "spatial(4, 8) * local(2, 2)", "column_spatial(4, 8) * local(2, 2)"),
    "lanes and slots": ("f32", "spatial(8, 4) * local(2, 2)", "spatial(4, 8) * local(4, 1)"),
    "all to everybody": ("f32", "spatial(32)", "rep(32) * local(32)"),
    "from everybody": ("f32", "rep(64) * local(64)", "spatial(64)"),
    "rows of warps to columns of warps": ("f16", "spatial(2, 1) * local(1, 2) * spatial(8, 4) * local(1, 2)",
                                         "spatial(1, 2) * local(2, 1) * spatial(8, 4) * local(1, 2)"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "kind", "cost"),
    [
        ("nothing", "names", 0),
        ("other slots", "names", 0),
        ("an accumulator for the factor of the next product", "names", 0),
        ("a transpose of lanes", "lanes", 4),
        ("lanes and slots", "lanes", 8),
        ("from everybody", "lanes", 31.5),
        ("all to everybody", "lanes", 32),
        ("rows of warps to columns of warps", "scratch", 20),
    ],
)
def test_the_nearest_way_is_taken(name: str, kind: str, cost: float) -> None:
    format, source, target = EXAMPLES[name]
    plan = exchange(dtype(format), parse(source), parse(target))
    assert (plan.kind, plan.cost) == (kind, cost)
    check(dtype(format), parse(source), parse(target), plan)


def test_packets_are_as_wide_as_both_sides_allow() -> None:
    wide = exchange(dtype("f16"), local(1, 8) * column_spatial(64, 2), local(1, 8) * spatial(64, 2))
    assert isinstance(wide, ScratchExchange)
    assert [(turn.write.bytes, turn.read.bytes) for turn in wide.turns] == [(16, 16)]
    apart = exchange(dtype("f16"), spatial(64, 2) * local(1, 32), spatial(2, 64) * local(32, 1))
    assert isinstance(apart, ScratchExchange)
    assert sorted((turn.write.bytes, turn.read.bytes) for turn in apart.turns) == [(4, 2)]


def test_a_large_tile_goes_in_turns_by_slots() -> None:
    source, target = local(8, 1) * spatial(16, 8) * local(1, 16), local(8, 1) * column_spatial(16, 8) * local(1, 16)
    plan = exchange(dtype("f32"), source, target)
    assert isinstance(plan, ScratchExchange)
    assert (len(plan.turns), plan.scratch_bytes) == (2, LARGEST_SCRATCH)
    check(dtype("f32"), source, target, plan)
    assert not any(side.only for turn in plan.turns for side in (turn.write, turn.read))
    assert remark_on(plan, 128) == "through 32768 bytes of shared memory, 2 times"


def test_what_digits_cut_is_padded_and_says_what_it_costs() -> None:
    source, target = parse("[96]{3:T32 32:T1}"), parse("[96]{32:T1 3:T32}")
    plan = exchange(dtype("f32"), source, target)
    check(dtype("f32"), source, target, plan)
    remark = remark_on(plan, 96)
    assert remark is not None
    assert remark.startswith("through 384 bytes of shared memory")


def test_what_digits_cut_goes_through_windows_of_memory_where_it_is_large() -> None:
    source, target = parse("[96,128]{3:T32 32:T1 | 128:R1}"), parse("[96,128]{32:T1 3:T32 | 128:R1}")
    plan = exchange(dtype("f32"), source, target)
    assert isinstance(plan, ScratchExchange)
    assert plan.scratch_bytes == LARGEST_SCRATCH
    assert [turn.window for turn in plan.turns] == [(0, 32768), (32768, 16768)]
    check(dtype("f32"), source, target, plan)
