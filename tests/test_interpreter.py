"""The interpreter: control flow that differs between blocks, against the same program run in Python for each block."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from run_text import execute, program

from tilevm import interpreter
from tilevm.errors import ExecutionError


@pytest.fixture(params=["one batch", "batches of one", "batches of three"])
def batches(request: Any, monkeypatch: Any) -> None:
    """However many blocks run at once, the results are the same."""
    length = {"one batch": None, "batches of one": 1, "batches of three": 3}[request.param]
    if length is not None:

        def cut(_: Any, grid: tuple[int, ...]) -> Iterator[Any]:
            count = int(np.prod(grid))
            yield from (np.arange(start, min(start + length, count)) for start in range(0, count, length))

        monkeypatch.setattr(interpreter, "_batches", cut)


HEAD = """
kernel k(x: i32[N], inout y: i32[N]):
    grid N
    warps 1
    here = block_index(0)
    v = load(x[here])
"""
X = [3, -1, 4, 1, -5, 9, 2, 6, 0, 5, 3]


def check(body: str, expected: Callable[[int, int], int]) -> None:
    """``body`` ends with a value ``r``, which is ``expected(here, v)``."""
    text = HEAD + "".join(f"    {line}\n" for line in body.strip().splitlines()) + "    store(y[here], r)\n"
    found = execute(text, x=X, y=[0] * len(X), N=len(X))["y"]
    assert found.tolist() == [expected(here, v) for here, v in enumerate(X)]


@pytest.mark.usefixtures("batches")
class TestControlFlow:
    """Statements that different blocks run differently."""

    def test_a_branch_that_all_blocks_take(self) -> None:
        check("r = 0\nif here >= 0:\n    r = v + 1", lambda here, v: v + 1)
        check("r = 0\nif here < 0:\n    r = v + 1\nelse:\n    r = v - 1", lambda here, v: v - 1)

    def test_branches(self) -> None:
        check(
            "r = v\nif v > 2:\n    r = v * 10\nelse:\n    r = r - here", lambda here, v: v * 10 if v > 2 else v - here
        )

    def test_a_branch_without_else_keeps_the_value(self) -> None:
        check("r = 7\nif v > 2:\n    r = v", lambda here, v: v if v > 2 else 7)

    def test_several_values_of_one_branch(self) -> None:
        body = "a = here\nb = v\nif v % 2 == 0:\n    t = a\n    a = b\n    b = t\nr = 100 * a + b"
        check(body, lambda here, v: 100 * v + here if v % 2 == 0 else 100 * here + v)

    def test_nested_branches(self) -> None:
        body = """
r = 0
if v > 0:
    if here % 2 == 0:
        r = 1
    else:
        if v > 4:
            r = 2
        else:
            r = 3
elif here > 5:
    r = 4
"""

        def expected(here: int, v: int) -> int:
            if v > 0:
                return 1 if here % 2 == 0 else 2 if v > 4 else 3
            return 4 if here > 5 else 0

        check(body, expected)

    def test_for_with_bounds_of_each_block(self) -> None:
        check("r = 0\nfor i in range(v):\n    r = r + i", lambda here, v: sum(range(v)))
        check(
            "r = here\nfor i in range(here, v * 3, 2):\n    r = r * 2 + i",
            lambda here, v: fold(range(here, v * 3, 2), here, lambda r, i: r * 2 + i),
        )

    def test_for_with_a_step_of_each_block(self) -> None:
        check(
            "r = 0\nfor i in range(9, -9 * v, 0 - maximum(v, 1)):\n    r = r * 3 + i",
            lambda here, v: fold(range(9, -9 * v, -max(v, 1)), 0, lambda r, i: wrap(r * 3 + i)),
        )

    def test_a_loop_that_does_not_run_keeps_the_value(self) -> None:
        check("r = v\nfor i in range(5, 2):\n    r = i", lambda here, v: v)
        check("r = v\nwhile r > 100:\n    r = r - 1", lambda here, v: v)

    def test_swaps_carry_both_values_at_once(self) -> None:
        check(
            "a = here\nb = v\nfor i in range(3):\n    t = a\n    a = b\n    b = t\nr = 100 * a + b",
            lambda here, v: 100 * v + here,
        )
        check(
            "a = 0\nb = 1\nfor i in range(here):\n    t = a + b\n    a = b\n    b = t\nr = a",
            lambda here, v: fold(range(here), (0, 1), lambda ab, _: (ab[1], sum(ab)))[0],
        )

    def test_while_ends_block_by_block(self) -> None:
        def expected(here: int, v: int) -> int:
            steps, n = 0, abs(v) + here + 1
            while n != 1:
                n = n // 2 if n % 2 == 0 else 3 * n + 1
                steps += 1
            return steps

        body = """
r = 0
n = abs(v) + here + 1
while n != 1:
    if n % 2 == 0:
        n = n // 2
    else:
        n = 3 * n + 1
    r = r + 1
"""
        check(body, expected)

    def test_loops_in_loops_in_branches(self) -> None:
        body = """
r = 0
for i in range(here % 4):
    j = v
    while j > i:
        if j % 3 == 1:
            for k in range(j):
                r = r + k
        j = j - 2
        r = r + 1
"""

        def expected(here: int, v: int) -> int:
            r = 0
            for i in range(here % 4):
                j = v
                while j > i:
                    if j % 3 == 1:
                        r += sum(range(j))
                    j -= 2
                    r += 1
            return r

        check(body, expected)

    def test_tiles_that_are_held_in_two_forms_are_joined(self) -> None:
        text = """
kernel k(x: f16[N, 4], out y: f16[N, 4], out z: f16[N, 4]):
    grid N
    warps 1
    here = block_index(0)
    t = load(x[here, :])
    if here % 2 == 0:
        t = t + 1.0
    s = t
    for i in range(here):
        s = s * 2.0
    store(y[here, :], t)
    store(z[here, :], s)
"""
        x = np.arange(28).reshape(7, 4)
        found = execute(text, x=x, N=7)
        t = x + (np.arange(7) % 2 == 0)[:, None]
        assert found["y"].tolist() == t.tolist()
        assert found["z"].tolist() == (t * 2 ** np.arange(7)[:, None]).tolist()

    def test_shared_memory_in_branches_belongs_to_the_blocks_that_run(self) -> None:
        text = """
kernel k(x: i32[N, 8], out y: i32[N, 8]):
    grid N
    warps 1
    here = block_index(0)
    s = shared(i32, [8])
    store(s, load(x[here, :]))
    sync()
    for i in range(here % 3):
        own = shared(i32, [8])
        copy_async(own, x[here, :])
        commit()
        wait(0)
        sync()
        old = load(s)
        sync()
        store(s, old + gather(own, 7 - iota(8)))
        sync()
    store(y[here, :], load(s))
"""
        x = np.arange(40).reshape(5, 8)
        expected = x + (np.arange(5) % 3)[:, None] * x[:, ::-1]
        assert execute(text, x=x, N=5)["y"].tolist() == expected.tolist()

    @pytest.mark.parametrize("grid", [(6,), (2, 3), (2, 3, 4)])
    def test_every_block_of_a_grid_runs_once(self, grid: tuple[int, ...]) -> None:
        axes = range(len(grid))
        extents = ", ".join(map(str, grid))
        place = ", ".join(f"block_index({axis})" for axis in axes)
        number = " + ".join(f"{10**axis} * block_index({axis})" for axis in axes)
        text = f"""
kernel k(inout y: i32[{extents}], inout count: i32[1]):
    grid {extents}
    warps 1
    atomic_add(y[{place}], {number} + 1)
    atomic_add(count[0], 1)
"""
        found = execute(text)
        expected = [sum(10**axis * place[axis] for axis in axes) + 1 for place in np.ndindex(grid)]
        assert found["y"].ravel().tolist() == expected
        assert found["count"].tolist() == [len(expected)]

    def test_atomics_of_one_instruction_happen_in_order_of_block(self) -> None:
        text = """
kernel k(inout total: i32[1], out y: i32[N]):
    grid N
    warps 1
    store(y[block_index(0)], atomic_add(total[0], block_index(0) + 1))
"""
        found = execute(text, total=[0], N=9)
        assert found["y"].tolist() == [n * (n + 1) // 2 for n in range(9)]


def fold(items: Any, start: Any, step: Callable[[Any, Any], Any]) -> Any:
    for item in items:
        start = step(start, item)
    return start


def wrap(number: int) -> int:
    return (number + 2**31) % 2**32 - 2**31


ROW_SUMS = """
kernel sums[W = 64](x: f32[M, N], inout y: f32[M]):
    grid M
    warps 1
    total = zeros(f32, [W])
    for n in range(0, N, W):
        total = total + load(x[block_index(0), n :+ W])
    store(y[block_index(0)], sum(total))
"""


def test_results_do_not_depend_on_the_size_of_batches(monkeypatch: Any) -> None:
    x = np.random.default_rng(0).integers(-8, 8, (37, 150))
    for size in (1, 600, 4096, 1 << 20):
        monkeypatch.setattr(interpreter, "BATCH_BYTES", size)
        found = execute(ROW_SUMS, x=x, y=np.zeros(37), M=37, N=150)
        assert found["y"].tolist() == x.sum(axis=1).tolist()


def test_batches_cover_the_grid_and_are_as_large_as_the_limit_allows(monkeypatch: Any) -> None:
    made = program(ROW_SUMS)
    monkeypatch.setattr(interpreter, "BATCH_BYTES", 4 * 64 * 5)
    found = [blocks.tolist() for blocks in interpreter._batches(made, (3, 4))]
    assert [len(blocks) for blocks in found] == [5, 5, 2]
    assert [block for blocks in found for block in blocks] == list(range(12))


def test_memory_view_reads_the_bytes_of_an_input_in_every_block() -> None:
    text = """
kernel k(x: u32[N], out y: i32[N, 4]):
    grid N
    warps 1
    bytes = memory_view(x, i8, [N, 4])
    store(y[block_index(0), :], cast(load(bytes[block_index(0), :]), i32))
"""
    x = np.uint32([0x01020304, 0xFFFEFDFC, 0x80007F00])
    expected = [[int(np.int8(np.uint8(word >> place & 0xFF))) for place in (0, 8, 16, 24)] for word in x.tolist()]
    assert execute(text, x=x, N=3)["y"].tolist() == expected
    with pytest.raises(ExecutionError) as caught:
        execute(text.replace("i8, [N, 4]", "i8, [N, 3]").replace("load(bytes[block_index(0), :])", "0"), x=x, N=3)
    assert caught.value.code == "R008"


def test_a_scalar_parameter_is_rounded_to_its_format() -> None:
    text = """
kernel k(a: f16, b: i32, c: u1, out y: f32[3]):
    grid 1
    warps 1
    store(y[0], cast(a, f32))
    store(y[1], cast(b, f32))
    if c:
        store(y[2], 1.0)
"""
    assert execute(text, a=0.1, b=-7, c=True)["y"].tolist() == [float(np.float16(0.1)), -7.0, 1.0]
    assert execute(text, a=-0.0, b=0, c=False)["y"].tolist() == [0.0, 0.0, 0.0]


def test_a_step_of_zero_is_an_error() -> None:
    text = HEAD + "    r = 0\n    for i in range(0, 9, v):\n        r = i\n    store(y[here], r)\n"
    with pytest.raises(ExecutionError) as caught:
        execute(text, x=[1, 0], y=[0, 0], N=2)
    assert caught.value.code == "R030"
    assert caught.value.diagnostics[0].span is not None
    assert caught.value.diagnostics[0].span.line == 8


def test_errors_name_the_place_and_the_block() -> None:
    text = HEAD + '    assert(v < 5, "small")\n    store(y[here], v)\n'
    with pytest.raises(ExecutionError, match=r"assertion failed: small, in block \(5\), \(7\), \(9\)") as caught:
        execute(text, x=X, y=[0] * 11, N=11)
    assert caught.value.diagnostics[0].span is not None
    assert caught.value.diagnostics[0].span.line == 7
    with pytest.raises(ExecutionError, match=r"trap: negative, in block \(1\), \(4\)"):
        execute(HEAD + '    if v < 0:\n        trap("negative")\n', x=X, y=[0] * 11, N=11)
    outside = HEAD + "    s = shared(i32, [8])\n    store(s[v :+ 2], 0)\n"
    with pytest.raises(ExecutionError, match=r"elements -1 to 1 .*`s`, which has 8, in block \(1\)") as caught:
        execute(outside, x=X, y=[0] * 11, N=11)
    assert caught.value.code == "R002"


def test_lines_are_printed_in_order_of_block() -> None:
    lines: list[str] = []
    text = HEAD + '    print("first", v)\n    if v > 3:\n        print("large")\n    print("last")\n'
    execute(text, lines=lines, x=[1, 5, 2, 4], y=[0] * 4, N=4)
    assert lines == [
        *(f"block ({block}): first {v}" for block, v in enumerate([1, 5, 2, 4])),
        "block (1): large",
        "block (3): large",
        *(f"block ({block}): last" for block in range(4)),
    ]
