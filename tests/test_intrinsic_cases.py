"""Every intrinsic of the table runs in the simulator without a finding, and the comparison tells results apart.

The results themselves are held against NumPy in the other tests of intrinsics; here each one is ready to be compared
with those of a GPU.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.intrinsic_cases import INTRINSICS
from tests.intrinsic_matrices import FORMATS, exact_product
from tests.kernels import needs_compiler, text

pytestmark = needs_compiler


def copied(arguments: list[Any]) -> list[Any]:
    return [each.copy() if isinstance(each, np.ndarray) else each for each in arguments]


@pytest.mark.parametrize("name", INTRINSICS)
def test_results_are_what_they_are_and_nothing_else(name: str) -> None:
    case = INTRINSICS[name]
    simulated, before = case.simulated(), case.arguments()
    case.compare(simulated, copied(simulated))
    written = [
        place
        for place, (x, y) in enumerate(zip(before, simulated, strict=True))
        if isinstance(x, np.ndarray) and x.tobytes() != y.tobytes()
    ]
    assert written, "nothing was written"
    wrong = copied(simulated)
    for place in written:
        wrong[place] = before[place].copy()  # as if nothing had been launched
    with pytest.raises(AssertionError):
        case.compare(simulated, wrong)


@pytest.mark.parametrize("which", FORMATS)
def test_simulated_products_are_exact(which: int) -> None:
    shape, a, b, _ = FORMATS[which]
    case = INTRINSICS[f"mma_{shape}_{a}" + ("" if a == b else f"_{b}")]
    assert np.array_equal(case.simulated()[1], exact_product(which))


def test_a_bit_of_an_atomic_that_no_order_explains_is_found() -> None:
    case = INTRINSICS["atomic_add_u32"]
    simulated = case.simulated()
    for place in (0, 3):
        wrong = copied(simulated)
        wrong[place][0] ^= 1
        with pytest.raises(AssertionError, match="element 0"):
            case.compare(simulated, wrong)


def test_every_kernel_stands_in_its_source() -> None:
    for name, case in INTRINSICS.items():
        source = text(case.source)
        stem = case.kernel.removeprefix("atomic_")
        assert case.kernel in source or f"({stem}," in source, name
