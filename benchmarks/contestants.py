"""Who multiplies: tilevm, cuBLAS, and every peer that is installed (``benchmarks.peers``).

A contestant is given the data of some weights, once, and gives a *product*: a function that takes activations and gives
``Launches``. Those that take codes get the same codes as all others; those that quantise by themselves get the same
dense weights, and their figures say so.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

import tilevm
from benchmarks.product_data import Data, error_of
from benchmarks.shapes import Weights
from tilevm.dtypes import dtype
from tilevm.ops.matmul import launch_of
from tilevm.ops.tuning import tune_matmul
from tilevm.ops.weight_parts import UNIT, Parts
from tilevm.ops.weights import PackedWeight, pack_parts
from tilevm.runtime.bench import copies_needed
from tilevm.runtime.device import current_device

__all__ = ["Contestant", "CuBlas", "Launches", "Product", "Tilevm", "missing", "sets_for"]

MOST_SETS = 16


@dataclass(frozen=True)
class Launches:
    """The same product on several sets of buffers."""

    tasks: Sequence[Callable[[], object]]
    error: Callable[[], float]
    """How far what the first of them has computed is off, relative to its norm."""
    nbytes: int
    """Bytes that it has to move."""
    tolerance: float = 0.02
    """How far it may be off."""
    note: str = ""


Product = Callable[[Any], Launches]


class Contestant(Protocol):
    """Someone who multiplies."""

    name: str
    needs: tuple[str, ...]
    """Modules without which it cannot."""

    def takes(self, weights: Weights) -> bool:
        """Whether it has a product for such weights."""

    def load(self, data: Data) -> Product:
        """Prepares weights, which takes as long as it takes."""


def missing(contestant: Contestant) -> str | None:
    """Why a contestant cannot take part, or None."""
    absent = [name for name in contestant.needs if importlib.util.find_spec(name) is None]
    return f"{', '.join(absent)} not installed" if absent else None


def sets_for(nbytes: int) -> int:
    """How many sets of buffers a product takes turns with: larger than the cache together, but not more than 16. Of
    small weights fewer than that are in the cache too, since it is swept before each round.
    """
    return min(MOST_SETS, copies_needed(nbytes, current_device().cache_bytes))


class Tilevm:
    """``tilevm.ops.matmul``: the one place that says which kernel is measured."""

    name = "tilevm"
    needs: tuple[str, ...] = ()

    def __init__(self, tuned: bool = False) -> None:
        self._tuned = tuned

    def takes(self, weights: Weights) -> bool:
        return True

    def load(self, data: Data) -> Product:
        weights = data.weights
        group = weights.group or UNIT * math.ceil(weights.k / UNIT)
        target = dtype("f16")
        packed = pack_parts(Parts.of(data.codes, data.scales, None, group, 1.0, target), target)
        sets = [packed, *(_copied(packed) for _ in range(sets_for(weights.nbytes) - 1))]
        return partial(self._product, data, sets)

    def _product(self, data: Data, sets: Sequence[PackedWeight], x: Any) -> Launches:
        cupy, n = data.cupy, data.weights.n
        outputs = [cupy.empty((x.shape[0], n), cupy.float16) for _ in sets]
        best = tune_matmul(x, sets[0]) if self._tuned else {}
        tasks = []
        for each, y in zip(sets, outputs, strict=True):
            kernel, arguments, chosen = launch_of(x, each, **best)
            tasks.append(kernel.prepare(**arguments, y=y, **chosen))
        nbytes = _moved(data.weights.nbytes, x, n)
        return Launches(tasks, lambda: error_of(cupy.asnumpy(outputs[0]), cupy.asnumpy(x), data.strip), nbytes)


def _copied(weight: PackedWeight) -> PackedWeight:
    arrays = {
        name: tilevm.PackedArray(each.data.copy(), each.dtype, each.shape, each.layout)
        for name, each in weight.arrays.items()
    }
    return replace(weight, arrays=arrays)


class CuBlas:
    """cuBLAS with f16 weights of the same shape, through torch where that is installed, else through CuPy."""

    name = "cuBLAS f16"
    needs: tuple[str, ...] = ()

    def takes(self, weights: Weights) -> bool:
        return True

    def load(self, data: Data) -> Product:
        sets = [data.dense, *(data.dense.copy() for _ in range(sets_for(data.dense.nbytes) - 1))]
        return partial(self._product, data, sets)

    def _product(self, data: Data, sets: Sequence[Any], x: Any) -> Launches:
        cupy, n = data.cupy, data.weights.n
        outputs = [cupy.empty((x.shape[0], n), cupy.float16) for _ in sets]
        multiply: Callable[..., Any] = cupy.matmul
        given = x, list(sets), list(outputs)
        if importlib.util.find_spec("torch") is not None:
            import torch

            multiply = torch.matmul
            given = torch.as_tensor(x), [torch.as_tensor(w) for w in sets], [torch.as_tensor(y) for y in outputs]
        tasks = [partial(multiply, given[0], w, out=y) for w, y in zip(given[1], given[2], strict=True)]
        nbytes = _moved(data.dense.nbytes, x, n)
        return Launches(tasks, lambda: error_of(cupy.asnumpy(outputs[0]), cupy.asnumpy(x), data.dense_strip), nbytes)


def _moved(weights: int, x: Any, n: int) -> int:
    return weights + x.nbytes + 2 * x.shape[0] * n
