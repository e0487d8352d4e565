"""Emitted elementwise instructions, compiled for the host, compute what the interpreter computes: bit for bit, but for
functions whose results are only bounded."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from elementwise import (
    COMPARISONS,
    LOGIC,
    SIGNS,
    TRANSCENDENTAL,
    arithmetic,
    both,
    expressions,
    held,
    logic,
    numbers,
    special,
    transcendental,
)
from kernels import needs_compiler
from numpy.typing import NDArray

from tilevm.dtypes import DType, dtype
from tilevm.errors import UsageError
from tilevm.runtime.kernel import Kernel
from tilevm.runtime.nvrtc import nvrtc_version

pytestmark = pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")

FLOATS = [dtype(name) for name in ("f16", "bf16", "f32", "f64")]
INTEGERS = [dtype(name) for name in ("i8", "u8", "i16", "u16", "i32", "u32", "i64", "u64")]
BOUNDS = {"rsqrt": 4, "erf": 2}
"""Units in the last place of f32 and f64 between two backends: twice the bound of the instruction, 4 where it says
nothing else."""


def codes(x: NDArray[Any]) -> NDArray[Any]:
    return x.view(f"u{x.itemsize}")


def nan(x: NDArray[Any]) -> NDArray[np.bool_]:
    return np.asarray(x != x)


def same(x: NDArray[Any], y: NDArray[Any], signs_of_nan: bool = False) -> NDArray[np.bool_]:
    """Where two arrays have the same bits, or are both NaN, of one sign if that is asked for."""
    alike: NDArray[np.bool_] = codes(x) == codes(y)
    if x.dtype.kind in "iub":
        return alike
    sign = codes(x) >> (8 * x.itemsize - 1) == codes(y) >> (8 * y.itemsize - 1)
    return np.asarray(alike | (nan(x) & nan(y) & (sign | (not signs_of_nan))))


def ordinal(x: NDArray[Any]) -> NDArray[np.int64]:
    """Numbers by their place among all of the format: neighbours differ by one, both zeros are 0."""
    bits = codes(x).astype(np.int64)
    top = np.int64(-1) << np.int64(8 * x.itemsize - 1)
    negative = (codes(x) >> (8 * x.itemsize - 1)) != 0
    return np.where(negative, -(bits & ~top), bits)


def distance(x: NDArray[Any], y: NDArray[Any]) -> NDArray[np.int64]:
    """Units in the last place between numbers; 0 between NaN and NaN, as many as can be between NaN and a number."""
    one = nan(x) != nan(y)
    far = np.where(one, np.iinfo(np.int64).max, np.abs(ordinal(x) - ordinal(y)))
    return np.where(nan(x) & nan(y), 0, far)


def complaint(expression: str, bad: NDArray[np.bool_], given: dict[str, Any], x: Any, y: Any) -> str:
    at = int(np.flatnonzero(bad)[0])
    numbers = ", ".join(f"{name} = {given[tensor][at]}" for name, tensor in zip("pqr", "abc", strict=True))
    return f"{expression} for {numbers} is {x[at]}, simulated {y[at]}, and {bad.sum() - 1} others differ"


@needs_compiler
@pytest.mark.parametrize(
    ("format", "arch"),
    [*((each, "sm_80") for each in (*FLOATS, *INTEGERS)), (dtype("bf16"), "sm_75")],
    ids=str,
)
def test_exact_instructions_give_the_bits_of_the_interpreter(format: DType, arch: str) -> None:
    given, rows = numbers(format), expressions(format)
    count, few = len(given["a"]), special(format)
    given |= {"s": few[4].item(), "t": few[-2].item()}
    shapes = {"y": (held(format), len(rows), count), "z": (np.int32, len(COMPARISONS), count)}
    expected, got = both(arithmetic(format), given, shapes, arch)
    for row, expression in enumerate(rows):
        x, y = expected["y"][row], got["y"][row]
        bad = ~same(x, y, signs_of_nan=expression in SIGNS)
        assert not bad.any(), complaint(expression, bad, given, x, y)
    for row, expression in enumerate(COMPARISONS):
        x, y = expected["z"][row], got["z"][row]
        assert (x == y).all(), complaint(expression, x != y, given, x, y)


@needs_compiler
@pytest.mark.parametrize("format", FLOATS, ids=str)
def test_functions_are_within_their_bound_of_the_interpreter(format: DType) -> None:
    given = numbers(format)
    shapes = {"y": (held(format), len(TRANSCENDENTAL) + 1, len(given["a"]))}
    expected, got = both(transcendental(format), given | {"s": 1, "t": 1}, shapes, "sm_80")
    for row, function in enumerate((*TRANSCENDENTAL, "power")):
        x, y = expected["y"][row], got["y"][row]
        # f16 and bf16 are rounded from f32: numbers near each other round to neighbours.
        bad = distance(x, y) > (BOUNDS.get(function, 8) if format.bits >= 32 else 1)
        assert not bad.any(), complaint(function, bad, given, x, y)
    if format.bits <= 32:
        whole = np.isfinite(given["a"]) & (given["a"] == np.floor(given["a"]))
        row = TRANSCENDENTAL.index("exp2")
        assert same(expected["y"][row], got["y"][row])[whole].all()


@needs_compiler
def test_logic_of_truth_values_is_that_of_the_interpreter() -> None:
    given = numbers(dtype("u1"))
    for s, t in ((False, True), (True, True)):
        shapes = {"z": (np.int32, len(LOGIC), len(given["a"]))}
        expected, got = both(logic(), {**given, "s": s, "t": t}, shapes, "sm_80")
        for row, expression in enumerate(LOGIC):
            x, y = expected["z"][row], got["z"][row]
            assert (x == y).all(), complaint(expression, x != y, given, x, y)
            assert len(set(x.tolist())) == 2 or any(scalar in expression for scalar in "st")


def _no_nvrtc() -> bool:
    try:
        nvrtc_version()
    except UsageError:
        return True
    return False


REDUCED = ("sin", "cos")
"""Functions of f32 and f64 that keep the words of a large argument, reduced exactly, on the stack."""


def compiled_kernels() -> list[Kernel]:
    calm = tuple(each for each in TRANSCENDENTAL if each not in REDUCED)
    exact = [arithmetic(dtype(name)) for name in ("bf16", "f64", "i8", "i64")]
    return [*exact, *(transcendental(dtype(name), calm) for name in ("f16", "f64"))]


@pytest.mark.skipif(_no_nvrtc(), reason="NVRTC is not there")
@pytest.mark.parametrize("target", ["sm_75", "sm_80", "sm_90a", "sm_120a"])
def test_elements_stay_in_registers(target: str) -> None:
    for made in compiled_kernels():
        taken = made.compile(target).resources
        assert (taken.stack_bytes, taken.spill_store_bytes, taken.spill_load_bytes) == (0, 0, 0), made
    taken = transcendental(dtype("bf16")).compile(target).resources
    assert (taken.spill_store_bytes, taken.spill_load_bytes) == (0, 0)
