"""Shared tiles lie where nothing else does while they are in use, and too much of them is an error with the numbers."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lowering import PROGRAMS
from run_text import program

from tilevm.arch import arch
from tilevm.errors import OutOfResources
from tilevm.ir import Program
from tilevm.passes import PIPELINE, run_passes
from tilevm.passes.shared_layouts import choose_shared_layouts
from tilevm.passes.shared_memory_plan import SharedPlan, check_shared_memory, plan_shared_memory, tile_bytes
from tilevm.values import SharedType, Value

HEAD = "kernel k(x: f32[M, N], inout y: f32[M, N], n: i32):\n    grid 1\n    warps 1\n"


def made(body: str) -> Program:
    return program(HEAD + "".join(f"    {line}\n" for line in body.strip().splitlines()))


def planned(body: str) -> dict[str, tuple[int, int]]:
    """The first byte of each tile, and the one after its last, by name."""
    return named(plan_shared_memory(made(body)))


def named(plan: SharedPlan) -> dict[str, tuple[int, int]]:
    return {tile.name: (at, at + tile_bytes(tile)) for tile, at in plan.offsets.items()}


def together(places: dict[str, tuple[int, int]], *names: str) -> bool:
    """Whether two tiles have bytes in common."""
    (first, last), (begin, end) = (places[name] for name in names)
    return first < end and begin < last


A, B = "a = shared(f32, [64])\n", "b = shared(f32, [32])\n"


@pytest.mark.parametrize(
    ("body", "shares"),
    [
        (A + B + "store(a, 1.0)\nv = load(a)\nstore(b, 1.0)\nw = load(b)", True),
        (A + B + "store(a, 1.0)\nstore(b, 1.0)\nv = load(a)\nw = load(b)", False),
        (A + B + "store(a, 1.0)\nstore(b, load(a[0 :+ 32]))", True),
        (A + B + "for i in range(n):\n    store(a, 1.0)\n    v = load(a)\n    store(b, 1.0)\n    w = load(b)", False),
        (
            "for i in range(n):\n    a = shared(f32, [64])\n    store(a, 1.0)\n    b = shared(f32, [32])\n"
            "    store(b, 1.0)",
            False,
        ),
        (
            "for i in range(n):\n    a = shared(f32, [64])\n    store(a, 1.0)\n"
            "for i in range(n):\n    b = shared(f32, [32])\n    store(b, 1.0)",
            True,
        ),
        (A + "for i in range(n):\n    b = shared(f32, [32])\n    store(a, 1.0)\n    store(b, 1.0)", False),
        (A + "store(a, 1.0)\nfor i in range(n):\n    b = shared(f32, [32])\n    store(b, 1.0)", True),
        (A + B + "if n > 1:\n    store(a, 1.0)\nelse:\n    store(b, 1.0)", True),
        (A + B + "copy_async(a, x[0, 0 :+ 64])\ncommit()\nstore(b, 1.0)\nwait(0)", False),
        (A + B + "copy_async(a, x[0, 0 :+ 64])\ncommit()\nwait(0)\nstore(b, 1.0)", True),
        (A + B + "copy_async(a, x[0, 0 :+ 64])\ncommit()\nwait(1)\nstore(b, 1.0)", False),
        (A + B + "copy_async(a, x[0, 0 :+ 64])\ncommit()\nif n > 1:\n    wait(0)\nstore(b, 1.0)", False),
        (
            B + "for i in range(n):\n    a = shared(f32, [64])\n    copy_async(a, x[0, 0 :+ 64])\n    commit()\n"
            "store(b, 1.0)",
            False,
        ),
        (A + B + "store(a, 1.0)\nwhile n > 0:\n    v = load(a)\n    store(b, 1.0)", False),
        (A + B + "store(a, 1.0)\nscatter(b, 1.0, iota(32))\nv = gather(a, iota(32))", False),
    ],
)
def test_tiles_share_bytes_only_if_they_are_never_in_use_together(body: str, shares: bool) -> None:
    assert together(planned(body), "a", "b") == shares


def test_what_is_not_used_takes_no_place() -> None:
    assert planned(A + B + "store(b, 1.0)") == {"b": (0, 128)}
    assert plan_shared_memory(made("y0 = n + 1")) == SharedPlan({}, 0)


def test_tiles_begin_where_all_banks_begin_and_swizzled_ones_where_their_pattern_begins() -> None:
    body = "a = shared(u8, [100])\nb = shared(f16, [24, 64]) @ swizzle(3, 4, 3)\nc = shared(u4, [30])\n"
    places = planned(body + "store(a, u8(1))\nstore(b, 1.0)\nstore(c, load(c))\nv = load(a)\nw = load(b)")
    assert places == {"b": (0, 3072), "a": (3072, 3172), "c": (3200, 3215)}
    again = planned(body.replace("[24, 64]", "[4, 64]") + "store(a, u8(1))\nstore(b, 1.0)\nv = load(a)\nw = load(b)")
    assert again == {"b": (0, 512), "a": (512, 612)}


def test_padding_counts() -> None:
    tile = Value(
        SharedType(program("kernel k(x: f16[N]):\n    grid 1\n    warps 1\n").parameters[0].dtype, (8, 48)), "s"
    )
    assert tile_bytes(tile) == 768
    text = "s = shared(f32, [4, 4]) @ strides(5, 1)\nstore(s, 1.0)"
    assert named(plan_shared_memory(made(text)))["s"] == (0, 19 * 4)


@st.composite
def bodies(draw: Any) -> str:
    count = draw(st.integers(2, 7))
    lines = [
        f"t{number} = shared(u8, [{draw(st.sampled_from([1, 100, 128, 500, 1000, 4096]))}])" for number in range(count)
    ]

    def block(depth: int, indent: str) -> None:
        for _ in range(draw(st.integers(1, 4))):
            kind = draw(st.integers(0, 4 if depth else 2))
            if kind < 3:
                lines.append(f"{indent}store(t{draw(st.integers(0, count - 1))}, u8(1))")
            else:
                lines.append(f"{indent}for i{depth} in range(n):" if kind == 3 else f"{indent}if n > 3:")
                block(depth - 1, indent + "    ")

    block(2, "")
    return "\n".join(lines)


@settings(max_examples=60, deadline=None)
@given(bodies())
def test_no_two_tiles_that_are_in_use_together_overlap(body: str) -> None:
    """In use: from the first to the last line that names a tile, over every loop of which one of the two is a part."""
    places = planned(body)
    lines = body.splitlines()
    for one, other in combinations(places, 2):
        spans = []
        for name in (one, other):
            used = [at for at, line in enumerate(lines) if f"store({name}," in line]
            first, last = min(used), max(used)
            for at, line in enumerate(lines):
                depth = len(line) - len(line.lstrip())
                inside = [
                    after
                    for after in range(at + 1, len(lines))
                    if all(len(each) - len(each.lstrip()) > depth for each in lines[at + 1 : after + 1])
                ]
                if "for" in line and any(each in inside for each in used):
                    first, last = min(first, at), max(last, *inside)
            spans.append((first, last))
        (first, last), (begin, end) = spans
        if first <= end and begin <= last:
            assert not together(places, one, other)
    assert max(end for _, end in places.values()) == plan_shared_memory(made(body)).total_bytes


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_program_has_a_place_for_its_tiles(name: str) -> None:
    lowered = run_passes(PROGRAMS[name](), passes=PIPELINE[: PIPELINE.index(choose_shared_layouts) + 1]).program
    plan = plan_shared_memory(lowered)
    assert all(offset % 128 == 0 for offset in plan.offsets.values())
    check_shared_memory(lowered, plan, arch("sm_80"))


# Too much


def test_too_much_shared_memory_is_an_error_with_the_numbers() -> None:
    body = "a = shared(f32, [4, 64, 128])\nb = shared(f16, [64, 64])\nstore(a, 1.0)\nstore(b, 1.0)\n"
    body += "v = load(a)\nw = load(b)"
    lowered = made(body)
    plan = plan_shared_memory(lowered)
    assert plan.total_bytes == 131072 + 8192
    check_shared_memory(lowered, plan, arch("sm_80"))
    with pytest.raises(OutOfResources) as caught:
        check_shared_memory(lowered, plan, arch("sm_86"), scratch_bytes=512)
    error = caught.value
    assert error.code == "F040"
    assert error.diagnostics[0].message.splitlines() == [
        "a block of `k` needs 139776 bytes of shared memory, sm_86 has 101376:",
        "  a  line 4  f32[4, 64, 128]       131072 bytes",
        "  b  line 5  f16[64, 64]             8192 bytes",
        "             to exchange elements     512 bytes",
    ]
    assert error.diagnostics[0].span is not None
    assert error.diagnostics[0].span.line == 4
    assert "fewer stages" in str(error)
    check_shared_memory(lowered, plan, arch("sm_80"), scratch_bytes=163 * 1024 - plan.total_bytes)
    with pytest.raises(OutOfResources):
        check_shared_memory(lowered, plan, arch("sm_80"), scratch_bytes=163 * 1024 - plan.total_bytes + 1)
