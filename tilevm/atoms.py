"""Tensor-core instructions as rows of data: the shape of a product and the register layouts of its operands.

A row proves its own consistency when it is made: the layouts have the shapes that a product needs, each is held by one
warp, a thread's part of an operand fills whole 32-bit registers, and rows are spread over the threads alike in ``a``
and ``c``, as the summed dimension is in ``a`` and ``b``. The layouts are facts of the PTX ISA, sections "Warp level
matrix multiply-accumulate instructions" (the fragments of ``mma.sync``) and "Asynchronous warpgroup level matrix
multiply-accumulate instructions" (the accumulator of ``wgmma``).

>>> print(ATOMS["m16n8k16"].a)
[16,16]{2:R2 8:T4 | 2:R4 4:T1 2:R1}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from tilevm.errors import LayoutError
from tilevm.layout import Layout
from tilevm.layout_constructors import column_local, column_spatial, local, spatial

__all__ = ["ATOMS", "NAMESPACES", "MatrixAtom", "wgmma_accumulator"]

LANES = 32
REGISTER_BITS = 32


@dataclass(frozen=True)
class MatrixAtom:
    """``c[m, n] += a[m, k] @ b[k, n]`` by one warp: register layouts of the operands, and the bits of their elements.

    Raises ``LayoutError`` L022 for layouts that cannot be the operands of one product.
    """

    name: str
    a: Layout
    b: Layout
    c: Layout
    operand_bits: int
    accumulator_bits: int

    def __post_init__(self) -> None:
        for flaw, found in {
            "the shapes are not [m, k], [k, n] and [m, n]": not self._shapes_fit(),
            f"an operand is not held by {LANES} threads": any(x.threads != LANES for x in (self.a, self.b, self.c)),
            "a thread's part of an operand is not whole registers": any(
                x.slots * bits % REGISTER_BITS
                for x, bits in (
                    (self.a, self.operand_bits),
                    (self.b, self.operand_bits),
                    (self.c, self.accumulator_bits),
                )
            ),
            "`a` and `c` spread rows over the threads differently": _threads_along(self.a, 0)
            != _threads_along(self.c, 0),
            "`a` and `b` spread k over the threads differently": _threads_along(self.a, 1) != _threads_along(self.b, 0),
        }.items():
            if found:
                raise LayoutError("L022", f"the matrix instruction {self.name} contradicts itself: {flaw}", help=None)

    @property
    def m(self) -> int:
        """Rows of ``a`` and ``c``."""
        return self.a.shape[0]

    @property
    def n(self) -> int:
        """Columns of ``b`` and ``c``."""
        return self.b.shape[1]

    @property
    def k(self) -> int:
        """The summed dimension."""
        return self.a.shape[1]

    def _shapes_fit(self) -> bool:
        shapes = self.a.shape, self.b.shape, self.c.shape
        if {len(shape) for shape in shapes} != {2}:
            return False
        (m, k), (k2, n), (m2, n2) = shapes
        return m == m2 and n == n2 and k == k2 and self.name == f"m{m}n{n}k{k}"


def _threads_along(layout: Layout, dim: int) -> list[tuple[int, int, int]]:
    """The thread digits of a dimension, each with the weight of its steps in the index."""
    found = []
    weight = 1
    for size, axis, stride in reversed(layout.dims[dim]):
        if axis == "T":
            found.append((weight, size, stride))
        weight *= size
    return found


def _row(name: str, operand_bits: int, a: Layout, b: Layout, c: Layout, accumulator_bits: int = 32) -> MatrixAtom:
    return MatrixAtom(name, a, b, c, operand_bits, accumulator_bits)


_A = spatial(8, 4)
_B = column_spatial(4, 8)
_C = local(2, 1) * spatial(8, 4) * local(1, 2)

ATOMS: Mapping[str, MatrixAtom] = MappingProxyType(
    {
        row.name: row
        for row in (
            _row("m8n8k4", 64, _A, _B, spatial(8, 4) * local(1, 2), accumulator_bits=64),
            _row("m16n8k8", 32, column_local(2, 2) * _A, local(2, 1) * _B, _C),
            _row("m16n8k16", 16, column_local(2, 2) * _A * local(1, 2), local(2, 1) * _B * local(2, 1), _C),
            _row("m16n8k32", 8, column_local(2, 2) * _A * local(1, 4), local(2, 1) * _B * local(4, 1), _C),
            _row("m16n8k64", 4, column_local(2, 2) * _A * local(1, 8), local(2, 1) * _B * local(8, 1), _C),
        )
    }
)
"""The shapes of ``mma.sync``: f64, tf32, 16-bit, 8-bit and 4-bit operands, in this order."""


def wgmma_accumulator(n: int) -> Layout:
    """The accumulator of ``wgmma`` with shape ``[64, n]``, held by the 128 threads of a warpgroup.

    Raises ``LayoutError`` L015 where ``n`` is not a multiple of 8 from 8 to 256.

    >>> print(wgmma_accumulator(16))
    [64,16]{4:T32 2:R2 8:T4 | 2:R4 4:T1 2:R1}
    """
    if n not in range(8, 257, 8):
        raise LayoutError(
            "L015", f"wgmma has no accumulator of {n!r} columns", help="n is a multiple of 8 from 8 to 256"
        )
    return spatial(4, 1) * local(1, n // 8) * _C


NAMESPACES: Mapping[str, Mapping[str, object]] = MappingProxyType(
    {
        "mma": {name: {"a": row.a, "b": row.b, "c": row.c} for name, row in ATOMS.items()},
        "wgmma": {"accumulator": wgmma_accumulator},
    }
)
"""What a dotted name in a layout expression means: ``mma.m16n8k16.a`` is ``NAMESPACES["mma"]["m16n8k16"]["a"]``."""
