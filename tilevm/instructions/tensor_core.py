"""Matrix products of tiles: ``dot`` and ``dot_scaled``.

Products of floats below ``f32`` keep all their digits, within the range of ``f32``, and are added in ``f32`` in an
order that is not specified, as tensor cores do; ``f32`` and ``f64`` are multiplied and added in their own format.
Integers are exact, and wrap in ``i32``.
"""

from __future__ import annotations

import numpy as np

from tilevm.dtypes import F32, F64, I32, DType
from tilevm.errors import ProgramError
from tilevm.instruction import DTypeClass, Instruction, attribute, instruction, operand
from tilevm.machine import Array, Batch
from tilevm.values import Operand, Type

__all__ = ["Dot", "DotScaled"]


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

    def evaluate(self, batch: Batch) -> Array:
        a = _scaled(numbers(batch, self.a), numbers(batch, self.a_scale), 2)
        b = _scaled(numbers(batch, self.b), numbers(batch, self.b_scale), 1)
        total: Array = np.matmul(a, b) + batch.values(self.acc)
        return total.astype(np.float32)


def _scaled(factor: Array, scale: Array, axis: int) -> Array:
    """Each element times the scale of its block along an axis, exact in float64."""
    block = factor.shape[axis] // scale.shape[axis]
    return factor.astype(np.float64) * np.repeat(scale.astype(np.float64), block, axis=axis)
