"""How a product of register tiles is made: by matrix instructions of a warp, or by multiply-adds of each thread.

The layouts are chosen so that each thread holds its part of both factors. What is left is to say which registers go
into which instruction: tables, found from the elements that every thread holds, so that registers may be named in any
order as long as all threads name theirs alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from tilevm.atoms import MatrixAtom
from tilevm.errors import LayoutError
from tilevm.layout import Layout
from tilevm.plan import Plan

__all__ = ["MatrixProduct", "ScalarProduct", "matrix_product", "scalar_product"]

Table = tuple[int, ...]
Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class MatrixProduct(Plan):
    """A sequence of matrix instructions ``c += a @ b``, those that need the same factors one after another.

    For each register of an operand a table says in which slot it begins, instruction by instruction.
    """

    atom: str
    a: tuple[Table, ...]
    b: tuple[Table, ...]
    c: tuple[Table, ...]
    along_k: int
    """How many instructions add to the same elements."""

    @property
    def instructions(self) -> int:
        """Matrix instructions of each warp."""
        return len(self.a[0])


@dataclass(frozen=True)
class ScalarProduct(Plan):
    """Multiply-adds of each thread: for each step of k, and each element of the result, the slots of both factors, and
    of their scales where they have any."""

    a: Table
    b: Table
    k: int
    slots: int
    a_scale: Table = ()
    b_scale: Table = ()


def matrix_product(atom: MatrixAtom, a: Layout, b: Layout, c: Layout) -> MatrixProduct | None:
    """The instructions for a result of layout ``c``; None where the layouts are not those of an atom's fragments.

    >>> from tilevm.atoms import ATOMS
    >>> from tilevm.layout_constructors import local
    >>> atom = ATOMS["m16n8k16"]
    >>> plan = matrix_product(atom, local(1, 2) * atom.a, local(2, 2) * atom.b, local(1, 2) * atom.c)
    >>> plan.instructions, plan.a[0], plan.b[0], plan.c[0]
    (4, (0, 0, 8, 8), (0, 4, 8, 12), (0, 4, 0, 4))
    """
    try:
        outer = c / atom.c
    except LayoutError:
        return None
    if a.shape[1] % atom.k:
        return None
    steps = a.shape[1] // atom.k
    tiles = outer.thread_slot_to_index()
    registers = {"a": 32 // atom.operand_bits or 1, "b": 32 // atom.operand_bits or 1, "c": 1}
    found: dict[str, tuple[Table, ...] | None] = {}
    for name, whole, part, dims in (("a", a, atom.a, "ik"), ("b", b, atom.b, "kj"), ("c", c, atom.c, "ij")):
        base = {
            "i": np.broadcast_to(tiles[:, None, :, 0] * atom.m, (len(tiles), steps, tiles.shape[1])),
            "j": np.broadcast_to(tiles[:, None, :, 1] * atom.n, (len(tiles), steps, tiles.shape[1])),
            "k": np.broadcast_to(np.arange(steps)[None, :, None] * atom.k, (len(tiles), steps, tiles.shape[1])),
        }
        found[name] = _registers(whole, part, base[dims[0]], base[dims[1]], registers[name])
    if None in found.values():
        return None
    return MatrixProduct(atom=atom.name, a=found["a"] or (), b=found["b"] or (), c=found["c"] or (), along_k=steps)


def _registers(whole: Layout, part: Layout, rows: Numbers, columns: Numbers, slots: int) -> tuple[Table, ...] | None:
    """For each register of a fragment the slot of the tile that it begins in, over all instructions.

    ``rows`` and ``columns`` say for each warp, step and tile where the fragment lies. None where a register is not
    whole in the tile's slots, or threads differ.
    """
    held = part.thread_slot_to_index()
    warps = len(rows)
    elements = [
        (grid[:, None].reshape(warps, 1, -1, 1) + held[None, :, None, :, axis]).reshape(-1, rows[0].size, part.slots)
        for axis, grid in enumerate((rows, columns))
    ]
    flat = elements[0] * whole.shape[1] + elements[1]
    where = _slot_of(whole)
    found = np.take_along_axis(where, flat.reshape(len(flat), -1), axis=1).reshape(flat.shape)
    if (found < 0).any() or (found != found[0]).any():
        return None
    grouped = found[0].reshape(rows[0].size, part.slots // slots, slots)
    starts = grouped[..., 0]
    if (grouped != starts[..., None] + np.arange(slots)).any() or (starts % slots).any():
        return None
    return tuple(tuple(starts[:, register].tolist()) for register in range(starts.shape[1]))


def _slot_of(layout: Layout) -> Numbers:
    """For each thread and element the slot that holds it, -1 where the thread does not hold it."""
    where = np.full((layout.threads, prod(layout.shape)), -1, np.int64)
    held = layout.thread_slot_to_flat()
    np.put_along_axis(where, held, np.broadcast_to(np.arange(layout.slots), held.shape), axis=1)
    return where


def scalar_product(
    a: Layout, b: Layout, c: Layout, a_scale: Layout | None = None, b_scale: Layout | None = None
) -> ScalarProduct:
    """The multiply-adds for a result of layout ``c``, with k outermost, so that sums of one thread go on in turn.

    Scales have the shapes [M, K / block] and [K / block, N].

    >>> from tilevm.layout_constructors import local
    >>> plan = scalar_product(local(2, 2), local(2, 1), local(2, 1), a_scale=local(2, 1))
    >>> plan.a, plan.b, plan.a_scale
    ((0, 2, 1, 3), (0, 0, 1, 1), (0, 1, 0, 1))
    """
    k = a.shape[1]
    index = c.thread_slot_to_index()
    rows, columns = index[:, None, :, 0], index[:, None, :, 1]
    steps = np.arange(k)[None, :, None]

    def table(layout: Layout, first: Numbers, second: Numbers) -> Table:
        flat = first * layout.shape[1] + second
        found = np.take_along_axis(_slot_of(layout), flat.reshape(len(index), -1), axis=1)
        assert (found >= 0).all(), f"a thread lacks a factor: {layout} for {c}"
        assert (found == found[0]).all(), f"threads differ in their slots: {layout} for {c}"
        return tuple(found[0].tolist())

    return ScalarProduct(
        a=table(a, rows, steps),
        b=table(b, steps, columns),
        k=k,
        slots=c.slots,
        a_scale=() if a_scale is None else table(a_scale, rows, steps // (k // a_scale.shape[1])),
        b_scale=() if b_scale is None else table(b_scale, steps // (k // b_scale.shape[0]), columns),
    )
