"""Every example and every program: what the GPU computes is what the interpreter computes, within the stated bound."""

from __future__ import annotations

import pytest

from tests.cases import CASES
from tests.gpu.machine import on_gpu, on_host

pytestmark = pytest.mark.gpu


@pytest.mark.parametrize("name", CASES)
def test_a_kernel_is_as_in_the_interpreter(name: str) -> None:
    case = CASES[name]
    for seed in (0, 1):
        expected, given = case.arguments(seed), on_gpu(case.arguments(seed))
        case.run(expected)
        case.run(given, backend="cuda", debug=True)
        case.compare(on_host(given), expected)


@pytest.mark.parametrize("name", ["matmul.matmul-u4-16x258x384", "softmax.softmax-f32-7x1000"])
def test_a_kernel_gives_the_same_bits_every_time(name: str) -> None:
    case = CASES[name]
    results = []
    for _ in range(5):
        given = on_gpu(case.arguments())
        case.run(given, backend="cuda", debug=True)
        results.append(on_host(given)["y"].tobytes())
    assert len(set(results)) == 1
