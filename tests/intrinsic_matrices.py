"""Fragments for ``mma`` of every format: tiles laid out in lanes and registers, and the products they must give."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tilevm.atoms import ATOMS
from tilevm.dtypes import DType, dtype
from tilevm.layout_constructors import column_spatial, local, spatial

__all__ = ["FORMATS", "fragments", "near_product"]

Words = NDArray[np.uint32]

FORMATS = {
    0: ("m16n8k16", "f16", "f16", 80),
    1: ("m16n8k16", "bf16", "bf16", 80),
    2: ("m16n8k8", "tf32", "tf32", 80),
    3: ("m16n8k32", "i8", "i8", 80),
    4: ("m16n8k32", "u8", "u8", 80),
    5: ("m16n8k32", "i8", "u8", 80),
    6: ("m16n8k32", "u8", "i8", 80),
    7: ("m16n8k32", "f8e4m3", "f8e4m3", 89),
    8: ("m16n8k32", "f8e5m2", "f8e5m2", 89),
    9: ("m16n8k32", "f8e4m3", "f8e5m2", 89),
    10: ("m16n8k32", "f8e5m2", "f8e4m3", 89),
    11: ("m16n8k8_f16", "f16", "f16", 75),
    12: ("m8n8k16", "i8", "i8", 75),
    13: ("m8n8k16", "u8", "u8", 75),
    14: ("m8n8k16", "i8", "u8", 75),
    15: ("m8n8k16", "u8", "i8", 75),
}
"""By number in kernel ``matrices``: shape, formats of a and b, first compute capability."""

_A, _B, _C = spatial(8, 4), column_spatial(4, 8), spatial(8, 4) * local(1, 2)
LAYOUTS = {
    **{name: (atom.a, atom.b, atom.c) for name, atom in ATOMS.items()},
    "m16n8k8_f16": (local(2, 1) * _A * local(1, 2), _B * local(2, 1), local(2, 1) * _C),
    "m8n8k16": (_A * local(1, 4), _B * local(4, 1), _C),
}
"""The layouts of a, b and c. Those of small shapes are from the PTX ISA, "Matrix Fragments for mma"."""


@cache
def _tiles(which: int, small: bool) -> tuple[NDArray[Any], ...]:
    """The numbers of a, b and c; ``small`` ones have sums that are exact in any order."""
    random = np.random.default_rng([which, small])
    shape, *names, _ = FORMATS[which]
    a, b, c = (layout.shape for layout in LAYOUTS[shape])
    factors = []
    for name, extents in zip(names, (a, b), strict=True):
        format = dtype(name)
        if format.kind != "float":
            factors.append(random.integers(int(format.min), int(format.max) + 1, extents).astype(np.float64))
        elif small:
            factors.append(random.integers(-4, 5, extents) / 2)
        else:
            factors.append(format.decode(format.encode(random.standard_normal(extents))))
    sums = random.integers(-1000, 1000, c)
    kind = np.float32 if dtype(names[0]).kind == "float" else np.int32
    return *factors, sums.astype(kind) if small else random.standard_normal(c).astype(kind)


def _fragment(layout: Any, tile: NDArray[Any]) -> NDArray[Any]:
    """The elements of a tile by thread and slot."""
    return np.ascontiguousarray(tile.reshape(-1)[layout.thread_slot_to_flat()])


def _in_lanes(held: NDArray[Any], registers: int) -> Words:
    """The registers of each lane, in a row of as many as the kernel loads."""
    rows = np.zeros((32, registers), np.uint32)
    words = held.view(np.uint32).reshape(32, -1)
    rows[:, : words.shape[1]] = words
    return rows.reshape(-1)


def _codes(format: DType, tile: NDArray[Any]) -> NDArray[Any]:
    codes = format.encode(tile)
    return codes.astype(np.uint32) << 13 if format.name == "tf32" else codes


def fragments(random: np.random.Generator, which: int, small: bool = True) -> list[Any]:
    """What kernel ``matrices`` takes; the same numbers in every call."""
    shape, *names, _ = FORMATS[which]
    tiles, layouts = _tiles(which, small), LAYOUTS[shape]
    words = [
        _in_lanes(_fragment(layout, _codes(dtype(name), tile)), registers)
        for name, layout, tile, registers in zip(names, layouts, tiles, (4, 2), strict=False)
    ]
    x = np.concatenate([*words, _in_lanes(_fragment(layouts[2], tiles[2]), 4)])
    return [x, np.zeros(128, np.float32 if dtype(names[0]).kind == "float" else np.int32), np.int32(which)]


def exact_product(which: int, small: bool = True) -> NDArray[np.float64]:
    """a @ b + c, in the lanes and registers that y has."""
    a, b, c = _tiles(which, small)
    return _sums(which, a @ b + c)


def _sums(which: int, tile: NDArray[Any]) -> NDArray[np.float64]:
    held = _fragment(LAYOUTS[FORMATS[which][0]][2], np.asarray(tile, np.float64))
    rows = np.zeros((32, 4))
    rows[:, : held.shape[1]] = held
    return rows.reshape(-1)


def near_product(expected: list[Any], found: list[Any], which: int) -> None:
    """Both are within the bound of a product: each of k + 1 additions cuts a sum that is at most Σ|a||b| + |c| to 24
    bits; of products of 8-bit floats tensor cores keep 13 bits.
    """
    a, b, c = _tiles(which, False)
    bits = 12 if FORMATS[which][1].startswith("f8") else 23
    additions = 1 if bits == 12 else a.shape[1] + 1
    limit = additions * 2.0**-bits * _sums(which, np.abs(a) @ np.abs(b) + np.abs(c))
    exact = exact_product(which, small=False)
    assert np.abs(exact).max() > 10 * limit.max()
    for name, result in (("simulated", expected[1]), ("found", found[1])):
        bad = ~(np.abs(result - exact) <= limit)
        assert not bad.any(), f"{name}: {result[bad][0]} for {exact[bad][0]}, at most {limit[bad][0]} apart"
