"""Matrix products of tiles: ``dot`` and ``dot_scaled``.

Products of floats below ``f32`` keep all their digits, within the range of ``f32``, and are added in ``f32`` in an
order that is not specified, as tensor cores do; ``f32`` and ``f64`` are multiplied and added in their own format.
Integers are exact, and wrap in ``i32``.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from tilevm.arch import Arch
from tilevm.atoms import ATOMS, MatrixAtom
from tilevm.dtypes import F32, F64, I32, DType
from tilevm.errors import LayoutError, ProgramError
from tilevm.instruction import DTypeClass, Instruction, attribute, instruction, operand
from tilevm.layout import Layout
from tilevm.layout_constructors import local, rep, spatial
from tilevm.layout_relation import SAME, Relation, coarser, same_but_for_slots
from tilevm.machine import Array, Batch
from tilevm.plan import Plan, Planning
from tilevm.plans.product import matrix_product, scalar_product
from tilevm.values import Operand, TileType, Type, Value

__all__ = ["Dot", "DotScaled", "accumulator_layout", "matrix_atom"]


def _is_narrow_float(dtype: DType) -> bool:
    return dtype.kind == "float" and dtype.bits <= 8 and dtype.signed


def _is_factor(dtype: DType) -> bool:
    return dtype.name in ("f16", "bf16", "tf32", "f32", "f64", "i8", "u8") or _is_narrow_float(dtype)


FACTOR = DTypeClass("f16, bf16, tf32, f32, f64, i8, u8 or a float of at most 8 bits", _is_factor)
BLOCK_FACTOR = DTypeClass("a signed format of at most 8 bits", lambda dtype: dtype.bits <= 8 and dtype.signed)
SCALE = DTypeClass("a float of at most 32 bits", lambda dtype: dtype.kind == "float" and dtype.bits <= 32)


def _accumulator(a: DType, b: DType) -> DType | None:
    """The format in which products of two formats are added; None where they do not go together."""
    if a.kind in ("int", "uint") and b.kind in ("int", "uint"):
        return I32
    if a is b:
        return F64 if a is F64 else F32
    return F32 if _is_narrow_float(a) and _is_narrow_float(b) else None


def _check_shapes(call: str, a: Operand, b: Operand, acc: Operand) -> tuple[int, int, int]:
    """M, N and K; raises T050."""
    shapes = [list(each.shape) for each in (a, b, acc)]
    if not (len(a.shape) == len(b.shape) == 2 and a.shape[1] == b.shape[0] and acc.shape == (a.shape[0], b.shape[1])):
        raise ProgramError(
            "T050",
            f"`{call}` takes a[M, K], b[K, N] and acc[M, N], not {shapes[0]}, {shapes[1]} and {shapes[2]}",
            argument="b" if len(b.shape) != 2 or a.shape[-1:] != b.shape[:1] else "acc",
        )
    return a.shape[0], b.shape[1], a.shape[1]


def _check_accumulator(call: str, acc: Operand, wanted: DType) -> None:
    if acc.dtype is not wanted:
        raise ProgramError(
            "T051",
            f"`{call}` adds these products in {wanted}, but `acc` is {acc.dtype}",
            argument="acc",
            help=f"start from zeros({wanted}, [M, N]) and cast the result at the end",
        )


def numbers(batch: Batch, factor: Operand) -> Array:
    """The numbers of a factor or a scale: in the carrier of its format, or float32 where nothing is computed in it."""
    if factor.dtype.carrier is not None:
        return batch.values(factor)
    return factor.dtype.decode_to(batch.codes(factor), np.float32)


_MATRIX_FORMATS = {
    "f16": ("mma_m16n8k8_f16", "m16n8k16"),
    "bf16": ("mma_bf16", "m16n8k16"),
    "tf32": ("mma_tf32", "m16n8k8"),
    "f64": ("mma_f64", "m8n8k4"),
    "i8": ("mma_int8", "m16n8k32"),
    "u8": ("mma_int8", "m16n8k32"),
    "f8e4m3": ("mma_fp8", "m16n8k32"),
    "f8e5m2": ("mma_fp8", "m16n8k32"),
}
"""For each format of factors the feature that multiplies it and the fragments; those of m16n8k16 are also those of two
m16n8k8 side by side along k, for architectures that have only these."""


def matrix_atom(a: DType, b: DType, arch: Arch) -> MatrixAtom | None:
    """The tensor-core instruction for factors of two formats, None where the architecture has none."""
    feature = _feature(a, b)
    return None if feature is None or not arch.has(feature) else ATOMS[_MATRIX_FORMATS[a.name][1]]


def _feature(a: DType, b: DType) -> str | None:
    """What an architecture needs to multiply two formats on its tensor cores; None where none does."""
    kind = _MATRIX_FORMATS.get(a.name)
    return None if kind is None or _MATRIX_FORMATS.get(b.name) != kind else kind[0]


def _placed(tile: Operand) -> Layout:
    assert isinstance(tile.type, TileType)
    assert tile.type.layout is not None
    return tile.type.layout


def accumulator_layout(shape: tuple[int, int], warps: int, atom: MatrixAtom) -> Layout | None:
    """The layout of an accumulator: warps over rows and columns so that each reads the least of both factors.

    Warps for which nothing is left hold the same as others. None where the atom does not divide the shape.

    >>> print(accumulator_layout((16, 128), 4, ATOMS["m16n8k16"]))
    [16,128]{2:R2 8:T4 | 4:T32 4:R4 4:T1 2:R1}
    """
    if shape[0] % atom.m or shape[1] % atom.n:
        return None
    rows, columns = shape[0] // atom.m, shape[1] // atom.n
    arrangements = [
        (warps // (down * across), shape[0] // down + shape[1] // across, down, across)
        for down in range(1, warps + 1)
        for across in range(1, warps // down + 1)
        if rows % down == 0 and columns % across == 0 and warps % (down * across) == 0
    ]
    copies, _, down, across = min(arrangements)
    return rep(copies) * spatial(down, across) * local(rows // down, columns // across) * atom.c


def _fragment(result: Layout, atom: MatrixAtom | None, side: int, k: int) -> Layout:
    """The layout of a factor for a layout of the accumulator: its rows (side 0) or its columns (side 1), and all of k.

    Where the accumulator is made of fragments of the atom so is the factor, else a thread holds what its own elements
    of the result need.
    """
    if atom is not None and k % atom.k == 0:
        try:
            outer = result / atom.c
        except LayoutError:
            pass
        else:
            inner = local(1, k // atom.k) * atom.a if side == 0 else local(k // atom.k, 1) * atom.b
            return outer.reduce(1 - side) * inner
    return result.reduce(1 - side) * (local(1, k) if side == 0 else local(k, 1))


@instruction("dot")
class Dot(Instruction):
    """``dot(a, b, acc, precision=tensor_core)``: acc + a @ b, for a[M, K], b[K, N], acc[M, N].

    a and b have one of the formats f16, bf16, tf32, f32, f64; or are i8 and u8 in any pairing; or floats of at most 8
    bits in any pairing. acc is f32, for f64 f64, for integers i32. ``precision=f32`` asks for multiply-adds in f32
    outside of the tensor cores, which is also how f32 factors are multiplied; cast to tf32 for tensor cores. Raises
    ``ProgramError`` T050 for shapes that do not fit, T051 for an accumulator of another format, T052 for factors that
    do not go together.
    """

    a: Operand = operand(FACTOR, form="tile")
    b: Operand = operand(FACTOR, form="tile")
    acc: Operand = operand(form="tile")
    precision: str = attribute("choice", choices=("tensor_core", "f32"), keyword=True, default="tensor_core")

    def infer(self) -> Type:
        _check_shapes("dot", self.a, self.b, self.acc)
        accumulator = _accumulator(self.a.dtype, self.b.dtype)
        if accumulator is None:
            raise ProgramError(
                "T052",
                f"`dot` does not multiply {self.a.dtype} by {self.b.dtype}",
                argument="b",
                help=f"cast(b, {self.a.dtype}), or cast both to f16",
            )
        _check_accumulator("dot", self.acc, accumulator)
        return self.acc.type

    def _atom(self, arch: Arch) -> MatrixAtom | None:
        return matrix_atom(self.a.dtype, self.b.dtype, arch) if self.precision == "tensor_core" else None

    def preferred_layout(self, warps: int, arch: Arch) -> Layout | None:
        atom = self._atom(arch)
        if atom is None or self.a.shape[1] % atom.k:
            return None
        return accumulator_layout((self.acc.shape[0], self.acc.shape[1]), warps, atom)

    def layouts(self, arch: Arch) -> Iterator[tuple[str, int | None, Relation]]:
        atom, k = self._atom(arch), self.a.shape[1]
        accepts = same_but_for_slots(max(1, 32 // self.a.dtype.bits))
        yield "a", None, Relation(lambda layout: _fragment(layout, atom, 0, k), None, accepts)
        yield "b", None, Relation(lambda layout: _fragment(layout, atom, 1, k), None, accepts)
        yield "acc", None, SAME

    def plan(self, result: Value | None, planning: Planning) -> Plan:
        a, b, c = (_placed(each) for each in (self.a, self.b, self.acc))
        feature = _feature(self.a.dtype, self.b.dtype) if self.precision == "tensor_core" else None
        if feature is None:
            planning.remark("multiply-adds of each thread, since no tensor core multiplies these formats")
            return scalar_product(a, b, c)
        planning.require(feature)
        atom = ATOMS[_MATRIX_FORMATS[self.a.dtype.name][1]]
        plan = matrix_product(atom, a, b, c)
        if plan is None:
            planning.remark(
                f"multiply-adds of each thread, since [{c.shape[0]}, {a.shape[1]}] @ [{a.shape[1]}, {c.shape[1]}] in "
                f"these layouts is not made of {atom.name}: shapes that are multiples of it go to the tensor cores"
            )
            return scalar_product(a, b, c)
        planning.remark(f"{plan.instructions} x {atom.name} a warp")
        return plan

    def evaluate(self, batch: Batch) -> Array:
        a, b, acc = numbers(batch, self.a), numbers(batch, self.b), batch.values(self.acc)
        if acc.dtype == np.int32:
            # A sum of K products below 2^16 is exact in float32 up to K = 2^8, in float64 for every K of a tile.
            carrier = np.float32 if a.shape[2] <= 256 else np.float64
            exact: Array = np.matmul(a.astype(carrier), b.astype(carrier))
            return (exact.astype(np.int64) + acc).astype(np.int32)
        product: Array = np.matmul(a, b)
        return np.add(product, acc, out=product) if len(product) >= len(acc) else product + acc


@instruction("dot_scaled")
class DotScaled(Instruction):
    """``dot_scaled(a, a_scale, b, b_scale, acc)``: acc + (a · its scales) @ (b · its scales), in blocks along K.

    a[M, K] and b[K, N] have signed formats of at most 8 bits; a_scale[M, K / block] and b_scale[K / block, N] are
    floats, such as e8m0 (MX formats: blocks of 32) or ue4m3 (NVFP4: blocks of 16). acc is f32. Raises ``ProgramError``
    T050 for shapes of the factors that do not fit, T051 for another accumulator, T053 for scales that do not divide
    them.
    """

    a: Operand = operand(BLOCK_FACTOR, form="tile")
    a_scale: Operand = operand(SCALE, form="tile")
    b: Operand = operand(BLOCK_FACTOR, form="tile")
    b_scale: Operand = operand(SCALE, form="tile")
    acc: Operand = operand(form="tile")

    def infer(self) -> Type:
        m, n, k = _check_shapes("dot_scaled", self.a, self.b, self.acc)
        for name, scale, along, other in (("a_scale", self.a_scale, 1, m), ("b_scale", self.b_scale, 0, n)):
            shape = scale.shape
            if len(shape) != 2 or shape[1 - along] != other or k % shape[along]:
                wanted = f"[{m}, {k} / block]" if along else f"[{k} / block, {n}]"
                raise ProgramError(
                    "T053", f"`dot_scaled` takes {wanted} for `{name}`, not {list(shape)}", argument=name
                )
        _check_accumulator("dot_scaled", self.acc, F32)
        return self.acc.type

    def plan(self, result: Value | None, planning: Planning) -> Plan:
        planning.remark("multiply-adds of each thread: the block-scaled matrix instructions are not used yet")
        a, a_scale, b, b_scale, acc = (_placed(each) for each in self.operands())
        return scalar_product(a, b, acc, a_scale, b_scale)

    def layouts(self, arch: Arch) -> Iterator[tuple[str, int | None, Relation]]:
        k = self.a.shape[1]
        for side, (name, scale) in enumerate((("a", self.a_scale), ("b", self.b_scale))):
            yield name, None, Relation(partial(_fragment, atom=None, side=side, k=k), None)
            yield f"{name}_scale", None, Relation(partial(_block_scales, side=side, k=k, shape=scale.shape), None)
        yield "acc", None, SAME

    def evaluate(self, batch: Batch) -> Array:
        a = _scaled(numbers(batch, self.a), numbers(batch, self.a_scale), 2)
        b = _scaled(numbers(batch, self.b), numbers(batch, self.b_scale), 1)
        total: Array = np.matmul(a, b) + batch.values(self.acc)
        return total.astype(np.float32)


def _block_scales(result: Layout, side: int, k: int, shape: tuple[int, ...]) -> Layout:
    """The layout of the scales of a factor for a layout of the accumulator."""
    return coarser(_fragment(result, None, side, k), shape)


def _scaled(factor: Array, scale: Array, axis: int) -> Array:
    """Each element times the scale of its block along an axis, exact in float64."""
    block = factor.shape[axis] // scale.shape[axis]
    return factor.astype(np.float64) * np.repeat(scale.astype(np.float64), block, axis=axis)
