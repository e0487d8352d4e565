"""Blocks in random orders: what repeats in all of them, what does not, and who may wait for whom."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kernels import needs_compiler

import tilevm
from tests.cases import CASES
from tilevm.errors import ExecutionError, UsageError
from tilevm.ops.matmul import launch_of
from tilevm.ops.weights import pack_weight

pytestmark = needs_compiler

OPERATORS = Path(__file__).parent.parent / "tilevm" / "ops"
ORDERS = 100

HEADER = """
kernel sums[SPLIT = 4, BLOCK = 32](x: f32[K, N], inout part: f32[SPLIT, N], inout state: i32[T], inout y: f32[N]):
    grid cdiv(N, BLOCK), SPLIT
    warps 1
    tile, split = block_index(0), block_index(1)
    n, rows = tile * BLOCK, cdiv(K, SPLIT)
    acc = zeros(f32, [BLOCK])
    for k in range(split * rows, minimum(K, (split + 1) * rows)):
        acc = acc + load(x[k, n :+ BLOCK])
"""
LAST_BLOCK = """
    store(part[split, n :+ BLOCK], acc)
    fence(scope=device)
    before = atomic_add(state[tile], 1)
    if before == SPLIT - 1:
        fence(scope=device)
        total = zeros(f32, [BLOCK])
        for other in range(SPLIT):
            total = total + load(part[other, n :+ BLOCK])
        store(y[n :+ BLOCK], total)
        store(state[tile], 0)
"""
IN_TURNS = """
    acquire(state[tile], split)
    store(y[n :+ BLOCK], load(y[n :+ BLOCK]) + acc)
    release(state[tile], split + 1)
"""
FLOAT_ATOMICS = """
    t = atomic_add(y[n :+ BLOCK], acc)
"""
RANDOM = np.random.default_rng(0)
X = RANDOM.standard_normal((23, 70)).astype(np.float32)


def results(body: str, orders: range | list[int], **options: Any) -> list[bytes]:
    """The sums under several orders; each within what rounding may do."""
    kernel = tilevm.kernel(HEADER + body)
    found = []
    for order in orders:
        y, state = np.zeros(70, np.float32), np.zeros(3, np.int32)
        kernel(X, np.zeros((4, 70), np.float32), state, y, backend="simulator", order=order, **options)
        found.append(y.tobytes())
    return found


def near(found: bytes) -> bool:
    return bool(np.allclose(np.frombuffer(found, np.float32), X.sum(0, dtype=np.float64), rtol=0, atol=1e-5))


@pytest.mark.parametrize("body", [LAST_BLOCK, IN_TURNS], ids=["last block", "in turns"])
def test_sums_in_a_fixed_order_repeat_to_the_bit_under_any_order_of_blocks(body: str) -> None:
    found = results(body, range(ORDERS))
    assert len(set(found)) == 1
    assert near(found[0])


def test_sums_by_float_atomics_do_not_repeat() -> None:
    found = results(FLOAT_ATOMICS, range(ORDERS))
    assert len(set(found)) > 10
    assert all(map(near, found))


def test_a_fence_that_is_missing_is_seen() -> None:
    # Thread 0 counts its block before the others have stored: only blocks that run in turns see that.
    found = results(LAST_BLOCK.replace("    fence(scope=device)\n    before", "    before"), range(ORDERS))
    assert not all(map(near, found))


def test_a_seed_repeats_its_order() -> None:
    first, second = (results(FLOAT_ATOMICS, [3, 4, 5]) for _ in range(2))
    assert first == second
    assert len(set(first)) > 1


def products(text: str, orders: range, folder: Path) -> set[bytes]:
    """What the product that shares its work among blocks (stream-k) gives under several orders."""
    (folder / "ending.tvm").write_text((OPERATORS / "ending.tvm").read_text(encoding="utf-8"), encoding="utf-8")
    (folder / "matmul.tvm").write_text(text, encoding="utf-8")
    weight = np.random.default_rng(0).standard_normal((384, 128)).astype(np.float32)
    x = np.random.default_rng(1).standard_normal((3, 384)).astype(np.float16)
    packed = pack_weight(tilevm.quantize(weight, "u4", group=128))
    kernel = tilevm.load(folder / "matmul.tvm").matmul_stream
    found = set()
    for order in orders:
        _, arguments, settings = launch_of(x, packed, blocks=5, backend="simulator")
        y = kernel(backend="simulator", order=order, **arguments, **settings)[-1]
        assert not arguments["arrived"].any()
        found.add(y.tobytes())
    return found


def test_the_product_repeats_under_any_order_of_blocks(tmp_path: Path) -> None:
    text = (OPERATORS / "matmul.tvm").read_text(encoding="utf-8")
    (found,) = products(text, range(ORDERS), tmp_path)
    assert any(found)
    without, count = re.subn(r"( +store\(shares\[.*\n)(?: +fence\(.*\n)", r"\1", text)
    assert count == 1
    assert len(products(without, range(50), tmp_path)) > 1


@pytest.mark.fuzz
@pytest.mark.parametrize("name", CASES)
def test_kernels_whose_blocks_work_apart_give_the_same_under_any_order(name: str) -> None:
    case, found = CASES[name], []
    for options in ({}, {"order": 1, "resident": 3}, {"order": 2}):
        arguments = case.arguments()
        case.run(arguments, backend="simulator", **options)
        arrays = [value.data if isinstance(value, tilevm.PackedArray) else value for value in arguments.values()]
        found.append([array.tobytes() for array in arrays if isinstance(array, np.ndarray)])
    assert found[0] == found[1] == found[2]


WAITS = """
kernel waits(inout number: i32[1], inout done: i32[N], out y: i32[N]):
    grid N
    warps 1
    here = {here}
    if here {edge}:
        acquire(done[here {before} 1], 1)
    store(y[here], block_index(0))
    release(done[here], 1)
"""
FOR_LATER = WAITS.format(here="block_index(0)", edge="< N - 1", before="+")
FOR_EARLIER = WAITS.format(here="block_index(0)", edge="> 0", before="-")
TAKEN = WAITS.format(here="atomic_add(number[0], 1)", edge="> 0", before="-")


def waits(text: str, **options: Any) -> list[int]:
    y: np.ndarray[Any, Any] = tilevm.kernel(text)(
        np.zeros(1, np.int32), np.zeros(9, np.int32), backend="simulator", **options
    )
    return [int(each) for each in y]


def test_a_block_may_wait_for_any_other_that_has_a_place() -> None:
    for text in (FOR_LATER, FOR_EARLIER):
        assert waits(text) == list(range(9))
        assert waits(text, order=1) == list(range(9))
        assert waits(text, order=1, resident=9) == list(range(9))


def test_a_block_that_waits_keeps_its_place_and_may_keep_the_others_out() -> None:
    with pytest.raises(ExecutionError) as caught:
        waits(FOR_LATER, resident=4)
    (found,) = caught.value.diagnostics
    assert found.code == "R047"
    assert "5 blocks have not begun, and each of those that may run at once waits" in found.message
    assert found.span is not None
    assert found.span.line == 7
    assert found.help is not None
    assert "atomic_add" in found.help
    # In the order of their numbers blocks that wait for earlier ones go on; in another order they need not.
    assert waits(FOR_EARLIER, resident=1) == list(range(9))
    with pytest.raises(ExecutionError) as caught:
        waits(FOR_EARLIER, resident=1, order=1)
    assert caught.value.code == "R047"


def test_blocks_that_take_their_numbers_need_one_place() -> None:
    for resident in (1, 2, None):
        for order in range(5):
            found = waits(TAKEN, order=order, resident=resident)
            assert sorted(found) == list(range(9))
            assert found != sorted(found)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"order": -1, "backend": "simulator"}, "`order` is an integer of at least 0, not -1"),
        ({"order": True, "backend": "simulator"}, "`order` is an integer of at least 0, not True"),
        ({"order": "random", "backend": "simulator"}, "`order` is an integer of at least 0, not 'random'"),
        ({"resident": 0, "backend": "simulator"}, "`resident` is an integer of at least 1, not 0"),
        ({"order": 1}, "`order` is for the simulator, not for backend interpreter"),
        ({"resident": 1, "backend": "interpreter"}, "`resident` is for the simulator, not for backend interpreter"),
    ],
)
def test_an_order_is_a_seed_for_the_simulator(options: dict[str, Any], words: str) -> None:
    kernel = tilevm.kernel(HEADER + FLOAT_ATOMICS)
    arrays = [X, np.zeros((4, 70), np.float32), np.zeros(3, np.int32), np.zeros(70, np.float32)]
    with pytest.raises(UsageError) as caught:
        kernel(*arrays, **options)
    assert caught.value.code == "F012"
    assert words in str(caught.value)
    assert not arrays[3].any()


def test_a_parameter_is_not_called_as_an_option() -> None:
    with pytest.raises(UsageError) as caught:
        tilevm.kernel(
            "kernel k(x: f32[4], order: i32, out y: f32[4]):\n    grid 1\n    warps 1\n    store(y[:], load(x[:]))\n"
        )
    assert caught.value.code == "F008"
