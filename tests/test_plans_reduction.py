"""Plans of reductions, scans and takings: what goes by which way, and how much shared memory it takes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import layout_pairs

from tilevm.dtypes import F16, F64, dtype
from tilevm.layout import Layout
from tilevm.layout_constructors import local, rep, spatial
from tilevm.layout_text import parse
from tilevm.plans.reduction import reduction
from tilevm.plans.scan import SlotLevel, scan
from tilevm.plans.scratch import LARGEST_SCRATCH
from tilevm.plans.taking import LONGEST_CHOICE, OwnTaking, SharedTaking, taking


@settings(max_examples=60, deadline=None)
@given(layout_pairs(), st.sampled_from([(0,), (1,), (0, 1)]), st.sampled_from([4, 8, 12]))
def test_a_thread_combines_each_of_its_slots_once(
    layouts: tuple[Layout, Layout], dims: tuple[int, ...], size: int
) -> None:
    layout = layouts[0]
    plan = reduction(layout, dims, bytes=size)
    assert sorted(plan.slots) == list(range(layout.slots))
    reduced = layout
    for dim in dims:
        reduced = reduced.reduce(dim)
    assert plan.results == reduced.slots
    flat, result = layout.thread_slot_to_index(), reduced.thread_slot_to_index()
    kept = [dim for dim in range(layout.rank) if dim not in dims]
    for number, slot in enumerate(plan.slots):
        assert (flat[:, slot][:, kept] == result[:, number // plan.count][:, kept]).all()


@settings(max_examples=60, deadline=None)
@given(layout_pairs(), st.sampled_from([(0,), (1,), (0, 1)]))
def test_lanes_and_meetings_are_the_threads_of_a_line(layouts: tuple[Layout, Layout], dims: tuple[int, ...]) -> None:
    layout = layouts[0]
    plan = reduction(layout, dims, bytes=4)
    threads = 1
    for dim in dims:
        for digit in layout.dims[dim]:
            threads *= digit.size if digit.axis == "T" else 1
    assert threads == 2 ** len(plan.lanes) * (plan.meeting.parts if plan.meeting else 1)
    assert plan.scratch_bytes <= LARGEST_SCRATCH


def test_large_results_meet_one_part_after_another() -> None:
    plan = reduction(spatial(8, 32) * local(1, 128), (0,), bytes=4)
    assert plan.meeting is not None
    assert (plan.results, plan.meeting.parts, plan.meeting.at_once) == (128, 8, 32)
    assert plan.scratch_bytes == LARGEST_SCRATCH


def test_truth_values_meet_as_bits() -> None:
    assert reduction(spatial(4, 32) * local(1, 64), (0,), bytes=4, packed=True).scratch_bytes == 4 * 32 * 2 * 4


def test_a_scan_needs_shared_memory_only_between_warps() -> None:
    assert scan(spatial(32, 4) * local(1, 8), 1, bytes=4).scratch_bytes == 0
    across = scan(spatial(4, 32) * local(2, 1), 0, bytes=4)
    assert [meeting.parts for meeting in across.meetings] == [4]
    assert across.scratch_bytes == 4 * 32 * 4
    assert isinstance(across.levels[0], SlotLevel)


def test_lanes_counted_by_three_meet_in_shared_memory() -> None:
    plan = reduction(parse("spatial(3, 32)").reshape(96), (0,), bytes=4)
    assert (plan.lanes, plan.meeting and plan.meeting.parts) == ((1, 2, 4, 8, 16), 3)
    odd = reduction(Layout((((3, "T", 1), (32, "T", 3)),)), (0,), bytes=4)  # type: ignore[arg-type]
    assert (odd.lanes, odd.meeting and odd.meeting.parts) == ((), 96)


@pytest.mark.parametrize(("extent", "kind"), [(LONGEST_CHOICE, OwnTaking), (2 * LONGEST_CHOICE, SharedTaking)])
def test_short_lines_within_a_thread_need_no_shared_memory(extent: int, kind: type) -> None:
    layout = spatial(32, 1) * local(1, extent)
    plan = taking(F16, layout, layout, 1)
    assert isinstance(plan, kind)
    assert bool(plan.scratch_bytes) == (kind is SharedTaking)


@pytest.mark.parametrize(("format", "stride"), [("u1", 36), ("f16", 68), ("f32", 132), ("f64", 264)])
def test_elements_of_a_line_lie_an_odd_number_of_words_apart(format: str, stride: int) -> None:
    plan = taking(dtype(format), rep(1) * spatial(32, 1), rep(1) * spatial(32, 1), 0)
    assert isinstance(plan, SharedTaking)
    lines = taking(dtype(format), spatial(32, 2) * local(1, 1), spatial(32, 2) * local(1, 1), 1)
    assert isinstance(lines, SharedTaking)
    assert lines.stride == stride
    assert lines.stride % (8 if dtype(format) is F64 else 4) == 0
