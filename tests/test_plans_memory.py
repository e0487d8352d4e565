"""Plans of loads, stores and copies: as wide as what is known allows, bounds where needed, advice that is right."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import layout_pairs, memory_layouts

from tilevm.codegen.emit import emit
from tilevm.ir import Let, walk
from tilevm.passes import Lowered, run_passes
from tilevm.plans.accesses import Access
from tilevm.plans.matrix_access import Matrices
from tilevm.plans.owned_layouts import owned_layout
from tilevm.runtime.kernel import kernel


def lowered(text: str, arch: str = "sm_80", **alignment: int) -> Lowered:
    return run_passes(kernel(text).specialise(), arch, alignment=alignment)


def emitted(made: Lowered) -> str:
    return emit(made).text


def plans(made: Lowered, name: str) -> list[Any]:
    """The plans of all instructions of a name."""
    return [each.plan for each in walk(made.program.body) if isinstance(each, Let) and each.instruction.name == name]


def rows(kind: str = "f16", size: str = "N", extra: str = "", at: str = "", offset: str = "0") -> str:
    """A row a block is copied, 8 elements of each of 32 threads."""
    return f"""
kernel rows(x: {kind}[M, {size}], out y: f32[256], begin: i32):
    grid M
    warps 1
    {extra or "require M >= 0"}
    i = block_index(0)
    t = load(x[i, {offset} :+ 256]){at or " @ spatial(32) * local(8)"}
    store(y[:], cast(t, f32))
"""


def width(made: Lowered) -> int:
    """Bytes of the widest load of the program."""
    (plan,) = plans(made, "load")
    return int(plan.unit) // 8


@pytest.mark.parametrize(
    ("kind", "divisor", "expected"),
    [
        *[("f16", 8, 16), ("f16", 4, 8), ("f16", 2, 4), ("f16", 1, 2), ("u4", 8, 4), ("u4", 4, 2), ("f32", 4, 16)],
        *[("f6e3m2", 4, 1), ("f6e3m2", 32, 2), ("i8", 8, 8), ("u1", 8, 1), ("f64", 2, 16)],
    ],
)
def test_a_load_is_as_wide_as_its_run_and_the_row_stride_allow(kind: str, divisor: int, expected: int) -> None:
    assert width(lowered(rows(kind, extra=f"require N % {divisor} == 0"))) == expected


@pytest.mark.parametrize(("alignment", "expected"), [(16, 16), (8, 8), (4, 4), (2, 2)])
def test_a_load_is_no_wider_than_the_pointer_is_aligned(alignment: int, expected: int) -> None:
    assert width(lowered(rows(extra="require N % 8 == 0"), x=alignment)) == expected


@pytest.mark.parametrize("kind", ["f16", "u4", "f32", "f64", "i8"])
@pytest.mark.parametrize("known", [1, 2])
def test_who_follows_the_advice_of_a_remark_gets_the_width(kind: str, known: int) -> None:
    before = lowered(rows(kind, extra=f"require N % {known} == 0"))
    (advice,) = [each for each in map(str, before.remarks) if "loads" in each]
    found = re.search(r"add `(require N % (\d+) == 0)`", advice)
    if found is None:
        assert kind == "f64"
        assert "because" not in advice
        return
    after = lowered(rows(kind, extra=found[1]))
    assert width(after) > width(before)
    assert not [each for each in map(str, after.remarks) if "loads" in each and "because the" in each]
    # The number is the smallest that is enough: half of it is not.
    assert width(lowered(rows(kind, extra=f"require N % {int(found[2]) // 2} == 0"))) < width(after)


def test_advice_on_an_offset_is_right_too() -> None:
    extra = "require N % 8 == 0"
    before = lowered(rows(extra=extra, offset="begin"))
    (advice,) = [each for each in map(str, before.remarks) if "loads" in each]
    assumption = re.search(r"add `(assume\(begin % 8 == 0\))`", advice)
    assert assumption, advice
    after = lowered(rows(extra=f"{extra}\n    {assumption[1]}", offset="begin"))
    assert (width(before), width(after)) == (2, 16)


def test_bounds_are_checked_where_a_window_may_leave_the_tensor_and_nowhere_else() -> None:
    cases = {
        "x: f32[256], out y: f32[256]|0": 0,
        "x: f32[255], out y: f32[256]|0": 1,
        "x: f32[N], out y: f32[256]|0": 1,
        "x: f32[1024], out y: f32[256]|block_index(0) * 256": 0,
        "x: f32[1000], out y: f32[256]|block_index(0) * 256": 1,
        "x: f32[1024], out y: f32[256]|block_index(0) * 256 - 1": 1,
        "x: f32[1024], out y: f32[256]|block_index(0) * 256 + 1": 1,
    }
    for case, expected in cases.items():
        parameters, offset = case.split("|")
        made = lowered(f"""
kernel k({parameters}):
    grid 4
    warps 1
    i = {offset}
    store(y[:], load(x[i :+ 256]))
""")
        (plan,) = plans(made, "load")
        assert len(plan.bounds) == expected, case
        assert not plans(made, "store")[0].bounds


SHARED = """
kernel k(x: f16[64, 64], w: f16[64, 64], out y: f32[64, 64]):
    grid 1
    warps 4
    s = shared(f16, [64, 64]){a}
    r = shared(f16, [64, 64])
    store(s[:, :], load(x[:, :]))
    store(r[:, :], load(w[:, :]))
    sync()
    c = dot(load(s[:, :]), load(r[:, :]), zeros(f32, [64, 64]))
    store(y[:, :], c)
"""


def test_operands_of_the_tensor_core_come_from_shared_memory_by_ldmatrix() -> None:
    a, b = plans(lowered(SHARED.format(a=" @ swizzle(3, 4, 3)")), "load")[-2:]
    assert isinstance(a, Matrices)
    assert isinstance(b, Matrices)
    assert (a.transposed, b.transposed) == (False, True)


def test_rows_that_no_matrix_can_be_read_from_are_loaded_plainly() -> None:
    text = SHARED.replace("f16[64, 64], w", "f32[64, 64], w").replace("load(s[:, :])", "cast(load(s[:, :]), f16)")
    a, b = plans(lowered(text.format(a="").replace("s = shared(f16", "s = shared(f32")), "load")[-2:]
    assert isinstance(a, Access)
    assert isinstance(b, Matrices)


COPY = """
kernel k(x: {kind}[M, N], out y: {kind}[M, 64]):
    grid M
    warps 1
    {extra}
    s = shared({kind}, [64])
    i = block_index(0)
    copy_async(s[:], x[i, 0 :+ 64])
    commit()
    wait(0)
    sync()
    store(y[i, 0 :+ 64], load(s[:]))
"""


@pytest.mark.parametrize(
    ("kind", "divisor", "bytes"),
    [("f16", 8, 16), ("f16", 4, 8), ("f16", 2, 4), ("u4", 32, 16), ("u4", 8, 4), ("f32", 1, 4), ("f6e3m2", 64, 16)],
)
def test_asynchronous_copies_take_the_widest_instruction_there_is(kind: str, divisor: int, bytes: int) -> None:
    made = lowered(COPY.format(kind=kind, extra=f"require N % {divisor} == 0"))
    assert any(f"cp.async of {bytes} bytes" in str(each) for each in made.remarks)
    assert f"cp_async<{bytes}>" in emitted(made)


@pytest.mark.parametrize(
    ("arch", "kind", "divisor"), [("sm_75", "f16", 8), ("sm_80", "f16", 1), ("sm_80", "u4", 2), ("sm_90a", "u3", 64)]
)
def test_what_no_asynchronous_copy_can_move_goes_through_registers_and_a_remark_says_so(
    arch: str, kind: str, divisor: int
) -> None:
    made = lowered(COPY.format(kind=kind, extra=f"require N % {divisor} == 0"), arch)
    moved_by_copy = "cp_async<" in emitted(made)
    said = [each for each in map(str, made.remarks) if "copied through registers" in each]
    assert moved_by_copy != bool(said)
    assert moved_by_copy == (kind == "u3")


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_an_owned_layout_writes_every_element_by_one_thread_which_owns_its_bytes(data: st.DataObject) -> None:
    layout = data.draw(layout_pairs())[0]
    memory = data.draw(memory_layouts(shape=layout.shape, widths=(1, 2, 3, 4, 6), padded=False))
    owned = owned_layout(layout, memory)
    assert owned.shape == layout.shape
    assert owned.threads == layout.threads
    owners: dict[int, set[int]] = {}
    elements = set()
    free = {digit.stride: digit.size for digit in owned.rep}
    for thread in range(owned.threads):
        if any(thread // stride % size for stride, size in free.items()):
            continue
        for slot in range(owned.slots):
            element = owned.at(thread, slot)
            assert element not in elements
            elements.add(element)
            first = int(memory.offset(element))
            for byte in range(first // 8, (first + memory.width - 1) // 8 + 1):
                owners.setdefault(byte, set()).add(thread)
    assert len(elements) == int(np.prod(layout.shape))
    assert all(len(each) == 1 for each in owners.values())
