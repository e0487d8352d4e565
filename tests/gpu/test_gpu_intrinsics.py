"""Each intrinsic alone: what the GPU makes of it is what the simulator makes of it."""

from __future__ import annotations

import pytest

from tests.gpu.machine import capability, launched
from tests.intrinsic_cases import INTRINSICS
from tests.kernels import needs_compiler

pytestmark = [pytest.mark.gpu, needs_compiler]


@pytest.mark.parametrize("name", INTRINSICS)
def test_an_intrinsic_is_as_in_the_simulator(name: str) -> None:
    case = INTRINSICS[name]
    if capability() < case.since:
        pytest.skip(f"needs compute capability {case.since / 10}")
    case.compare(case.simulated(), launched(case))
