"""Packing by a kernel: the kernels of ``fragments.tvm``, made for the fragments that a parameter declares.

``kernel.pack`` and ``kernel.unpack`` come here for arrays on a GPU, which stay there, and where a backend is named; on
the host NumPy does the same to the bit. Codes are moved as integers of their width, whatever they stand for; signed
ones, since an array of ``u1`` is made with a byte for each.
"""

from __future__ import annotations

from functools import cache
from math import gcd, prod
from pathlib import Path
from typing import Any

from tilevm.errors import ArgumentError
from tilevm.fragment_order import FragmentOrder
from tilevm.layout import Layout
from tilevm.packed_array import PackedArray
from tilevm.plans.arrangements import coalesced
from tilevm.runtime.backends import byte_view
from tilevm.runtime.kernel import Module, load

__all__ = ["arranged", "dense"]

THREADS = 128
"""Threads of a block, where those of a fragment are fewer."""
LANES = 32


def arranged(name: str, array: PackedArray, order: FragmentOrder, backend: str | None) -> PackedArray:
    """A dense array in the fragments of ``order``, padded with code 0. ``name`` is what errors call it.

    Raises ``ArgumentError`` A024 for fragments that no kernel packs, and what a call raises.

    >>> import numpy as np
    >>> from tilevm.layout_constructors import local, spatial
    >>> order = FragmentOrder(spatial(8, 4) * local(8, 16), (100, 10), 3)
    >>> w = PackedArray.from_codes(np.arange(1000).reshape(100, 10) % 8, "u3")
    >>> bool((arranged("w", w, order, "interpreter").data == order.arranged(w.codes())).all())
    True
    """
    shape, settings = _settings(name, order)
    codes = PackedArray(array.data, f"i{order.width}", shape)
    made = _kernels().pack(codes, backend=backend, **settings)
    return PackedArray(byte_view(made), array.dtype, array.shape, order)


def dense(name: str, array: PackedArray, order: FragmentOrder, backend: str | None) -> PackedArray:
    """The inverse: the elements row after row. Raises what ``arranged`` raises."""
    (count, rows, columns), settings = _settings(name, order)
    block = settings["L"].shape
    grid = (-(-rows // block[0]), -(-columns // block[1]))
    units = array.data.reshape(count, *grid, order.pieces, settings["L"].threads, order.piece_bytes)
    tile = (block[0], block[1] * settings["B"])
    home = coalesced(tile, order.width, settings["L"].threads * settings["B"])
    made = _kernels().unpack(units, K=rows, N=columns, W=f"i{order.width}", ROWS=home, backend=backend, **settings)
    return PackedArray(made.data if isinstance(made, PackedArray) else byte_view(made), array.dtype, array.shape)


@cache
def _kernels() -> Module:
    return load(Path(__file__).with_name("fragments.tvm"))


def _settings(name: str, order: FragmentOrder) -> tuple[tuple[int, int, int], dict[str, Any]]:
    """The shape as three dimensions, and the compile-time parameters."""
    block, shape = order.order, order.shape
    if block.rank > 2 or order.width not in (*range(1, 9), 16, 32, 64):
        raise ArgumentError(
            "A024",
            f"no kernel packs {order} of {order.width} bits: blocks have up to 2 dimensions, codes 1-8, 16, 32 or 64",
            argument=name,
            help="pack it on the host",
        )
    unit = block if block.rank == 2 else block.unsqueeze(0)
    *outer, rows, columns = shape if block.rank == 2 else (*shape[:-1], 1, shape[-1])
    beside = _blocks_side_by_side(unit)
    settings = {"L": unit, "B": beside, "PIECES": order.pieces, "PIECE": order.piece_bytes}
    return (prod(outer), rows, columns), settings


def _blocks_side_by_side(unit: Layout) -> int:
    """How many blocks make whole warps, and a thread block of ``THREADS`` threads if they are small."""
    least = LANES // gcd(LANES, unit.threads)
    return least * max(1, THREADS // (least * unit.threads))
