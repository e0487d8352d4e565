"""Kernels that move elements, run by the interpreter and by the simulator on the same bytes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tilevm import PackedArray
from tilevm.dtypes import dtype
from tilevm.runtime.kernel import Kernel, kernel
from tilevm.runtime.simulated import simulate
from tilevm.runtime.simulator import Simulation
from tilevm.values import TensorType

__all__ = ["codes", "moved", "written"]


def codes(name: str, shape: tuple[int, ...], seed: int = 0) -> NDArray[Any]:
    """Codes of a format at random."""
    kind = dtype(name)
    random = np.random.default_rng([seed, kind.bits, *shape])
    return random.integers(0, len(kind.table) or 2**kind.bits, shape, np.uint64).astype(kind.storage)


def _arguments(made: Kernel, sizes: dict[str, int], scalars: dict[str, Any], seed: int) -> dict[str, Any]:
    """An array of random codes for every tensor, so that what is not written shows as well."""
    given: dict[str, Any] = dict(scalars)
    for number, value in enumerate(made.specialise().tensors):
        kind = value.type
        assert isinstance(kind, TensorType)
        shape = tuple(size if isinstance(size, int) else sizes[str(size)] for size in kind.shape)
        layout = None if kind.layout is None else kind.layout.bind(shape, kind.dtype.bits)
        given[value.name] = PackedArray.from_codes(codes(kind.dtype.name, shape, seed + number), kind.dtype, layout)
    return given


def written(made: Kernel, sizes: dict[str, int], seed: int = 0, **scalars: Any) -> dict[str, NDArray[np.uint8]]:
    """The bytes of every tensor after the interpreter."""
    given = _arguments(made, sizes, scalars, seed)
    made(**given)
    return {name: held.data for name, held in given.items() if isinstance(held, PackedArray)}


def moved(
    text: str, *, arch: str = "sm_80", seed: int = 0, sizes: dict[str, int] | None = None, **scalars: Any
) -> Simulation:
    """Runs a kernel by both, demands the same bytes in every tensor and no finding; gives what the simulator saw."""
    made = kernel(text)
    expected = written(made, sizes or {}, seed, **scalars)
    given = _arguments(made, sizes or {}, scalars, seed)
    simulation, _ = simulate(made.specialise(), given, arch=arch)
    simulation.check()
    for name, data in expected.items():
        assert np.array_equal(data, given[name].data), name
    return simulation
