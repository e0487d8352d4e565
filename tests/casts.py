"""Casts of the library of emitted code, many in one compilation, and the codec's answers to compare them with."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
from kernels import FOLDER
from numpy.typing import NDArray

from tilevm.arch import arch
from tilevm.codegen.environment import environment
from tilevm.dtypes import DType, cast_codes, codebook, dtype
from tilevm.errors import DTypeError
from tilevm.runtime.simulator import HostModule, compile_host

Cast = tuple[DType, DType, str, bool]
Tile = tuple[DType, DType, tuple[int, ...]]
"""Source, target, and for each number the place of its code."""


def narrow_floats() -> list[DType]:
    """Every float of at most 8 bits."""
    found = {"e8m0": dtype("e8m0")}
    for exponent, mantissa, suffix in product(range(1, 9), range(8), ("", "fn", "ieee", "fnuz")):
        for name in (f"f{1 + exponent + mantissa}e{exponent}m{mantissa}{suffix}", f"ue{exponent}m{mantissa}{suffix}"):
            try:
                each = dtype(name)
            except DTypeError:
                continue
            if each.bits <= 8:
                found[each.name] = each
    return list(found.values())


INTEGERS = [dtype(f"{kind}{bits}") for kind in "ui" for bits in range(1, 9)]
BOOKS = [
    *(dtype("nf4"), dtype("trit"), codebook("test_uneven", (0.1, -3.5, 2.0, 1.75, -0.30000001, 64.0))),
    codebook("test_large", tuple(float((37 * place) % 101) ** 2 / 300 - 9.7 for place in range(90))),
]
NARROW = [*narrow_floats(), *INTEGERS, *BOOKS]


def source(casts: Sequence[Cast], tiles: Sequence[Tile] = (), target: str = "sm_80") -> str:
    """A kernel `cast_i` for each cast and `tile_i` for each cast of whole tiles."""
    text = (FOLDER / "casts.cu.j2").read_text(encoding="utf-8")
    return environment().from_string(text).render(casts=casts, tiles=tiles, arch=arch(target))


def compiled(
    casts: Sequence[Cast], tiles: Sequence[Tile] = (), optimisation: str = "-O0", target: str = "sm_80"
) -> HostModule:
    """The same, for the host; optimised only where running it takes longer than compiling it."""
    return compile_host(source(casts, tiles, target), options=(optimisation,))


def held(each: DType, codes: NDArray[Any]) -> NDArray[np.uint64]:
    """Codes as emitted code holds them: tf32 lies in a word as an f32 number."""
    wide = codes.astype(np.uint64)
    return wide << np.uint64(13) if each.name == "tf32" else wide


def simulated(module: HostModule, number: int, cast: Cast, codes: NDArray[Any], random: Any) -> NDArray[np.uint64]:
    """The codes that emitted code makes of codes."""
    result = np.zeros(len(codes), np.uint64)
    module.launch(
        f"cast_{number}", 1, [held(cast[0], codes).view(np.uint32), random, result.view(np.uint32), len(codes)]
    ).check()
    return result >> np.uint64(13) if cast[1].name == "tf32" else result


def expected(cast: Cast, codes: NDArray[Any], random: Any) -> NDArray[np.uint64]:
    """The codes that the codec makes of codes."""
    origin, target, rounding, saturate = cast
    drawn = random if rounding == "stochastic" else None
    with np.errstate(all="ignore"):
        result = cast_codes(origin, target, codes.astype(origin.storage), rounding, saturate, drawn)
    return target.to_codes(result).astype(np.uint64) if target.carrier is not None else result.astype(np.uint64)


def differ(target: DType, x: NDArray[np.uint64], y: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Where codes differ. Of the floats that are computed with, one NaN is as good as another."""
    other: NDArray[np.bool_] = x != y
    if target.kind == "float" and target.carrier is not None:
        infinite = np.uint64(((1 << target.exponent) - 1) << target.mantissa)
        magnitude = np.uint64((1 << (target.bits - 1)) - 1)
        other &= ((x & magnitude) <= infinite) | ((y & magnitude) <= infinite)
    return other


def compare(module: HostModule, number: int, cast: Cast, codes: NDArray[Any], random: Any) -> None:
    """Asserts that a cast of emitted code is the codec's."""
    got, wanted = simulated(module, number, cast, codes, random), expected(cast, codes, random)
    wrong = np.flatnonzero(differ(cast[1], got, wanted))
    if len(wrong):
        at = int(wrong[0])
        raise AssertionError(
            f"{cast}: code {int(codes[at]):#x} with bits {int(random[at]):#x} gives {int(got[at]):#x}, "
            f"not {int(wanted[at]):#x}, and {len(wrong) - 1} more of {len(codes)}"
        )
