"""A launch on which backends are compared.

    expected, found = case.arguments(seed=0), case.arguments(seed=0)
    case.run(expected)
    case.run(found, backend="simulator")
    case.compare(found, expected)

Arguments are all that the kernel takes, outputs included, which hold numbers from the beginning: an element that is not
written, or one that is written and must not be, differs. Everything is compared bit for bit, but for the outputs that
the case has a bound for (``tests/bounds.py`` derives them). Where K is large the factors of products are small whole
multiples of one power of two, so that every sum is exact in any order; for such a case no bound is needed.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from tests.bounds import Floats, numbers
from tilevm import PackedArray
from tilevm.dtypes import DType
from tilevm.runtime.kernel import Kernel, Module, load

__all__ = ["Arguments", "Case", "Random", "coded", "normal"]

ROOT = Path(__file__).parent.parent
Random = np.random.Generator
Arguments = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """A kernel with compile-time parameters, and with arguments for any seed."""

    file: str
    """The text, by its path from the root."""
    name: str
    """The kernel in it."""
    make: Callable[[Random], Arguments]
    """Tensors, scalars and sizes that no tensor tells, by name."""
    bindings: Mapping[str, Any] = field(default_factory=dict)
    """Compile-time parameters."""
    bound: Callable[[Mapping[str, Any]], dict[str, Floats]] | None = None
    """The largest difference of each element, for outputs that are not exact; takes the arguments after a launch."""
    prints: bool = False
    """Whether the kernel prints."""

    def kernel(self) -> Kernel:
        """The kernel, read once."""
        return _module(self.file)[self.name]

    def arguments(self, seed: int = 0) -> Arguments:
        """New arguments, on the host; the same for the same seed."""
        return self.make(np.random.default_rng([seed, zlib.crc32(repr((self.name, dict(self.bindings))).encode())]))

    def run(self, arguments: Mapping[str, Any], **options: Any) -> None:
        """Launches the kernel with arguments as ``arguments`` gives them; ``options`` are those of a call."""
        self.kernel()(**arguments, **self.bindings, **options)

    def compare(self, found: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
        """Raises ``AssertionError`` for arguments after a launch that are not those after another, within the bound."""
        limits = {} if self.bound is None else self.bound(expected)
        for name, wanted in expected.items():
            if not isinstance(wanted, np.ndarray | PackedArray):
                continue
            given, right = found[name], wanted
            if name in limits:
                x, y = numbers(given), numbers(right)
                bad = ~((x == y) | (np.abs(x - y) <= limits[name]) | (np.isnan(x) & np.isnan(y)))
            else:
                x, y = _codes(given), _codes(right)
                bad = (x != y) & ~(_nan(given) & _nan(right))
            if bad.any():
                at = tuple(int(each) for each in np.argwhere(bad)[0])
                limit = f", at most {limits[name][at]} apart" if name in limits else ""
                raise AssertionError(
                    f"`{name}`{list(at)} is {numbers(given)[at]}, expected {numbers(right)[at]}{limit}; "
                    f"so are {int(bad.sum())} of {bad.size} elements"
                )


@cache
def _module(file: str) -> Module:
    return load(str(ROOT / file))


def _codes(x: Any) -> Any:
    return x.codes() if isinstance(x, PackedArray) else x.view(f"u{x.itemsize}")


def _nan(x: Any) -> Any:
    return np.isnan(numbers(x))


# Arguments


def normal(random: Random, *shape: int, kind: Any = np.float32) -> Any:
    """Normal numbers of a NumPy type."""
    return random.standard_normal(shape).astype(kind)


def coded(random: Random, kind: DType, shape: tuple[int, ...], layout: Any = None) -> PackedArray:
    """Numbers of a format: any code of an integer, for others normal numbers."""
    if kind.kind in ("int", "uint"):
        codes = random.integers(0, 1 << kind.bits, shape, np.uint64).astype(kind.storage)
    else:
        codes = kind.encode(2 * random.standard_normal(shape))
    return PackedArray.from_codes(codes, kind, None if layout is None else layout.bind(shape, kind.bits))
