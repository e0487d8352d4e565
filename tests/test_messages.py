"""What a simulated kernel prints and why it stops is said as the interpreter says it; blocks run in any order."""

from __future__ import annotations

import numpy as np
import pytest
from kernels import module, needs_compiler

from tilevm.errors import ExecutionError, Source
from tilevm.runtime.simulator import Simulation

pytestmark = needs_compiler

PROGRAM = Source("checks.tvm", "".join(f"  line {number}\n" for number in range(1, 9)))


def shown(*numbers: object) -> str:
    return " ".join(
        np.array2string(each, threshold=64, separator=", ") if isinstance(each, np.ndarray) else str(each)
        for each in numbers
    )


@pytest.mark.parametrize("order", [None, 5])
def test_lines_are_those_that_the_interpreter_prints_in_order_of_the_blocks(order: int | None) -> None:
    printed = module("messages").launch("lines", (2, 3), [2], order=order).printed
    expected = []
    for b in range(2):
        for j in range(3):
            for i in range(2):
                tile = (np.arange(63, -1, -1, dtype=np.float32) * np.float32(0.25) - np.float32(i)).reshape(4, 16)
                numbers = shown(np.int32(i), np.float32(0.1) + np.float32(b), tile)
                expected.append(f"block ({b}, {j}): step “i” = {numbers}")
            numbers = shown(b == 0, 0xFFFFFFFF, -(1 << 40), (1 << 64) - 1, 0.1)
            long, short = np.arange(-30, 35, dtype=np.int32), np.array([False, True])
            expected.append(f"block ({b}): all kinds {numbers} {shown(long, short)}")
            expected.append(f"block ({b}, {j}, 0): ")
    assert printed == "".join(f"{line}\n" for line in expected)


def test_nothing_is_printed_where_no_line_is() -> None:
    assert checks(0).printed == ""


def test_lines_that_the_end_of_a_launch_cuts_off_are_left_out() -> None:
    result = module("messages").launch("interrupted", 1, [7])
    assert [each.code for each in result.findings] == ["R014"]
    whole = shown(np.arange(64, dtype=np.uint32))
    assert result.printed == f"block (0): whole 7 {whole}\nblock (0): whole 8 {whole}\n"


def checks(what: int, last: int = 99) -> Simulation:
    x = np.full(64, 7, np.uint32)
    x[63] = last
    return module("messages").launch("checks", 2, [x, what], source=PROGRAM)


@pytest.mark.parametrize(
    ("what", "last", "code", "line", "message"),
    [
        (0, 100, "R013", 3, "assertion failed: x “small”, in thread 63 of block (0, 0, 0)"),
        (1, 99, "R013", 4, "assertion failed, in thread 0 of block (0, 0, 0)"),
        (2, 99, "R014", 5, "trap: on purpose, in thread 7 of block (0, 0, 0)"),
        (3, 99, "R014", 5, "trap, in thread 0 of block (0, 0, 0)"),
    ],
)
def test_an_assertion_and_a_trap_end_the_launch_with_their_message(
    what: int, last: int, code: str, line: int, message: str
) -> None:
    result = checks(what, last)
    (found,) = result.findings
    assert (found.code, found.message, found.span and found.span.line) == (code, message, line)
    with pytest.raises(ExecutionError) as caught:
        result.check()
    assert caught.value.code == code


def test_checks_that_hold_are_silent() -> None:
    assert checks(0).findings == ()


def test_blocks_run_in_order_or_in_one_that_the_seed_shuffles() -> None:
    def run(order: int | None) -> list[int]:
        y = np.zeros(50, np.uint32)
        module("messages").launch("order", 50, [np.zeros(1, np.uint32), y], order=order).check()
        found: list[int] = y.tolist()
        return found

    assert run(None) == list(range(50))
    assert run(1) == run(1) != run(2)
    assert sorted(run(1)) == list(range(50)) != run(1)
