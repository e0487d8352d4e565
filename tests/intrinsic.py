"""One intrinsic by itself: a kernel that shows it, what it is launched with, and how two machines' results compare."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.kernels import module

__all__ = ["Arguments", "Check", "Intrinsic", "Random", "near", "same"]

Random = np.random.Generator
Arguments = list[Any]
Check = Callable[[Arguments, Arguments], None]


def same(expected: Arguments, found: Arguments) -> None:
    """Every array holds the same bits; NaN is NaN."""
    for place, (wanted, given) in enumerate(zip(expected, found, strict=True)):
        if not isinstance(wanted, np.ndarray):
            continue
        x, y = (each.view(f"u{each.itemsize}") for each in (wanted, given))
        bad = x != y
        if wanted.dtype.kind == "f":
            bad &= ~(np.isnan(wanted) & np.isnan(given))
        if bad.any():
            at = tuple(np.argwhere(bad)[0].tolist())
            raise AssertionError(
                f"argument {place}, element {at}: {given[at]!r} for {wanted[at]!r}; so are {bad.sum()} of {bad.size}"
            )


def near(relative: float, absolute: float = 0.0) -> Check:
    """Elements of float arrays are within a distance; NaN is NaN, and infinity infinity."""

    def check(expected: Arguments, found: Arguments) -> None:
        for wanted, given in zip(expected, found, strict=True):
            if isinstance(wanted, np.ndarray) and wanted.dtype.kind == "f":
                np.testing.assert_allclose(given, wanted, rtol=relative, atol=absolute)

    return check


@dataclass(frozen=True)
class Intrinsic:
    """A launch of a kernel of ``tests/kernels`` that shows one intrinsic."""

    source: str
    kernel: str
    make: Callable[[Random], Arguments]
    check: Check = same
    grid: int = 1
    threads: int = 32
    since: int = 75
    """The first compute capability that has it, without the point."""

    def arguments(self) -> Arguments:
        """Arrays for pointers and ``np.int32`` for numbers; the same in every call."""
        return self.make(np.random.default_rng(zlib.crc32(repr((self.kernel, self.threads, self.grid)).encode())))

    def simulated(self) -> Arguments:
        """The arguments after a launch in the simulator."""
        arguments = self.arguments()
        module(self.source).launch(self.kernel, self.grid, arguments).check()
        return arguments

    def compare(self, expected: Arguments, found: Arguments) -> None:
        """Raises ``AssertionError`` where the arguments after another launch are not as they are to be."""
        self.check(expected, found)
