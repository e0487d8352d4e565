"""Random programs of loads, casts, views, arithmetic, reductions and products: the GPU gives the interpreter's bits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tilevm
from tests.gpu.machine import from_gpu, to_gpu
from tilevm import PackedArray
from tilevm.values import TensorType

hypothesis = pytest.importorskip("hypothesis")

from tests.random_tiles import RandomProgram, tile_programs  # noqa: E402 (it needs hypothesis)

pytestmark = pytest.mark.gpu

BATCHES, PROGRAMS = 20, 10


def outputs(kernel: Any) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for value in kernel.specialise().tensors:
        kind = value.type
        assert isinstance(kind, TensorType)
        if kind.access == "out":
            made[value.name] = PackedArray.from_codes(np.zeros(kind.shape, kind.dtype.storage), kind.dtype)
    return made


def compare(program: RandomProgram) -> None:
    kernel = tilevm.kernel(program.text)
    expected, found = outputs(kernel), {name: to_gpu(each) for name, each in outputs(kernel).items()}
    kernel(**program.arguments, **expected)
    given = {name: to_gpu(each) for name, each in program.arguments.items()}
    kernel(**given, **found, backend="cuda", debug=True)
    for name, wanted in expected.items():
        x, y, kind = wanted.codes(), from_gpu(found[name]).codes(), wanted.dtype
        bad = x != y
        if kind.kind == "float":
            bad &= ~(np.isnan(kind.decode(x)) & np.isnan(kind.decode(y)))
        assert not bad.any(), f"{name}{np.argwhere(bad)[0].tolist()} differs in\n{program.text}"


@pytest.mark.parametrize("batch", range(BATCHES))
def test_random_programs_give_the_bits_of_the_interpreter(batch: int) -> None:
    # Without shrinking: each program is compiled, and a smaller one is found without a GPU, in the simulator.
    settings = hypothesis.settings(
        max_examples=PROGRAMS,
        deadline=None,
        database=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    hypothesis.seed(batch)(settings(hypothesis.given(tile_programs())(compare)))()
