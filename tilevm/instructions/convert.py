"""Between number formats: ``cast`` keeps the numbers as well as it can, ``view`` keeps the bits, ``dequantize``
scales codes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from tilevm.arch import Arch
from tilevm.dtypes import ROUNDINGS, U32, DType, cast_codes
from tilevm.errors import LayoutError, ProgramError, Related
from tilevm.instruction import ANY, FLOAT, Instruction, attribute, instruction, operand
from tilevm.instructions.elementwise import elementwise_layouts, register_type, rounded
from tilevm.instructions.tiles import check_register_layout
from tilevm.layout import Layout
from tilevm.layout_relation import ANY_SLOTS, Relation
from tilevm.layout_view import check_view
from tilevm.machine import Array, Batch
from tilevm.packing import pack, unpack
from tilevm.values import Operand, TileType, Type, Value

__all__ = ["Cast", "Dequantize", "View"]


@instruction("cast")
class Cast(Instruction):
    """``cast(x, dtype, rounding=nearest_even, saturate=None, random=None)``: each number as the nearest one of
    another format.

    Any format goes to any other, and every number is rounded once, directly: there is no format between. ``rounding``
    is one of ``nearest_even nearest_away toward_zero up down stochastic``. A number out of range becomes the largest
    or smallest one if ``saturate`` is True; if it is False an infinity or NaN where the format has one, and an
    integer wraps modulo 2^bits. Where ``saturate`` is not given, every format saturates but the floats of 16 bits and
    more that have infinities. NaN becomes NaN, in an integer 0, and the largest number in a float without NaN.
    ``random`` is a ``u32`` operand of the shape of ``x``, which ``stochastic`` needs and nothing else uses.

    Raises ``ProgramError`` T030 where ``random`` is missing or not needed, T031 where its shape is another.
    Reference: PTX ``cvt``; ``tilevm.DType.encode``.
    """

    x: Operand = operand(ANY)
    dtype: DType = attribute("dtype")
    rounding: str = attribute("choice", choices=ROUNDINGS, default="nearest_even")
    saturate: bool | None = attribute("flag", default=None)
    random: Operand | None = operand(fixed=U32, keyword=True, default=None)

    def infer(self) -> Type:
        if (self.rounding == "stochastic") != (self.random is not None):
            needed = self.random is None
            raise ProgramError(
                "T030",
                "`cast` with rounding=stochastic needs random bits"
                if needed
                else f"rounding={self.rounding} uses no random bits",
                argument="rounding" if needed else "random",
                help="random=… is a u32 tile, such as the instruction `random` gives"
                if needed
                else "leave out random=…",
            )
        if self.random is not None and self.random.shape != self.x.shape:
            raise ProgramError(
                "T031",
                f"`cast` of {list(self.x.shape)} takes random bits of that shape, not {list(self.random.shape)}",
                argument="random",
            )
        return register_type(self.dtype, self.x.shape)

    def layouts(self, arch: Arch) -> Iterator[tuple[str, int | None, Relation]]:
        return _from_any_slot(self, "x", self.x)

    def evaluate(self, batch: Batch) -> Array:
        elements = batch.raw(self.x)
        random = None
        if self.random is not None:
            elements, random = np.broadcast_arrays(elements, batch.codes(self.random))
        return cast_codes(self.x.dtype, self.dtype, elements, self.rounding, self.saturate, random)


def _from_any_slot(owner: Instruction, field: str, codes: Operand) -> Iterator[tuple[str, int | None, Relation]]:
    """The relations of a cast: the numbers of a thread come from its narrow codes in any order, since a cast takes each
    from where its bits lie."""
    for name, place, relation in elementwise_layouts(owner, codes.shape):
        yield name, place, ANY_SLOTS if name == field and codes.dtype.bits <= 8 else relation


@instruction("view")
class View(Instruction):
    """``view(x, dtype, layout)``: the bits that each thread holds, read as elements of another format, shape and
    layout. Free.

    The bits of a thread are its slots in order, each from its lowest bit: slot ``r`` of elements of ``b`` bits is the
    bits ``r * b`` up to ``(r + 1) * b``. The type of ``x`` carries a register layout, the result has the shape of
    ``layout``. Both layouts have the same threads and as many bits in each.

    Raises ``LayoutError`` L012 where the layouts do not fit, L039 where the layout of ``x`` is not written, L011
    where several elements of it share one place, ``ProgramError`` T029 where ``layout`` is not a register layout.
    """

    x: Operand = operand(ANY, form="tile")
    dtype: DType = attribute("dtype")
    layout: Layout = attribute("layout")

    def _source(self) -> Layout:
        assert isinstance(self.x.type, TileType)
        if self.x.type.layout is None:
            raise LayoutError(
                "L039",
                "`view` needs to know which thread holds which element, but the layout of its tile is not written",
                argument="x",
                help="write `@ layout` where the tile is defined, such as w = load(…) @ spatial(8, 4) * local(1, 4)",
            )
        return self.x.type.layout

    def infer(self) -> Type:
        source = self._source()
        target = check_register_layout(self.spelling, self.layout, self.layout.shape)
        try:
            check_view(source, self.x.dtype.bits, target, self.dtype.bits)
        except LayoutError as error:
            raise self._placed(error, source, target) from None
        source.thread_slot_to_flat()
        return TileType(self.dtype, target.shape, target)

    def _placed(self, error: LayoutError, source: Layout, target: Layout) -> LayoutError:
        """The error with the bits of a thread before and after, and the place where the tile was defined."""
        before, after = (
            f"{layout.slots} x {dtype} = {layout.slots * dtype.bits} bits in each thread"
            for layout, dtype in ((source, self.x.dtype), (target, self.dtype))
        )
        place = self.x.span if isinstance(self.x, Value) else None
        related = () if place is None else (Related(place, before),)
        return LayoutError.of(replace(each, label=after, related=related) for each in error.diagnostics)

    def evaluate(self, batch: Batch) -> Array:
        codes = batch.codes(self.x)
        blocks = len(codes)
        held = codes.reshape(blocks, -1)[:, self._source().thread_slot_to_flat().ravel()]
        if self.x.dtype.bits != self.dtype.bits:
            # All threads hold as many bits before and after, so one dense stream of bits serves for all of them.
            count = blocks * self.layout.threads * self.layout.slots
            held = unpack(pack(held.ravel(), self.x.dtype.bits), self.dtype.bits, count).reshape(blocks, -1)
        elements = held[:, _stream_places(self.layout)].astype(self.dtype.storage, copy=False)
        return elements.reshape(blocks, *self.layout.shape)


@lru_cache(maxsize=256)
def _stream_places(layout: Layout) -> NDArray[np.int64]:
    """Of each element, in row-major order, the place among all threads' slots, thread after thread."""
    thread, slot = layout.places()
    return (thread * layout.slots + slot).ravel()


@instruction("dequantize")
class Dequantize(Instruction):
    """``dequantize(codes, scale, zero=None)``: ``(codes - zero) * scale``, in the format of ``scale`` (f16, bf16, f32
    or f64).

    ``codes`` and ``zero`` are of any format. Each step is rounded to the format of ``scale``, as the hardware does
    it: the casts of ``codes`` and ``zero`` to it, the difference, the product. The extents of ``scale`` and of
    ``zero`` divide those of ``codes``, dimension by dimension, and each of their elements serves a block of that
    ratio: codes ``[128, 64]`` with a scale ``[2, 64]`` have one scale for 64 rows of one column. A scalar serves all.

    Raises ``ProgramError`` T032 where an extent does not divide. Reference: docs/dtypes.md.
    """

    codes: Operand = operand(ANY)
    scale: Operand = operand(FLOAT)
    zero: Operand | None = operand(ANY, default=None)

    def infer(self) -> Type:
        for name, shape in (
            ("scale", self.scale.shape),
            ("zero", self.zero.shape if self.zero is not None else ()),
        ):
            own = self.codes.shape
            if shape and (len(shape) != len(own) or any(n % part for n, part in zip(own, shape, strict=True))):
                raise ProgramError(
                    "T032",
                    f"`dequantize` divides codes of shape {list(own)} into {list(shape)} blocks, which is not possible",
                    argument=name,
                    help=f"`{name}` is a scalar, or has as many dimensions as the codes and extents that divide theirs",
                )
        return register_type(self.scale.dtype, self.codes.shape)

    def layouts(self, arch: Arch) -> Iterator[tuple[str, int | None, Relation]]:
        return _from_any_slot(self, "codes", self.codes)

    def evaluate(self, batch: Batch) -> Array:
        target = self.scale.dtype
        with np.errstate(all="ignore"):
            numbers = _numbers(batch, self.codes, target)
            if self.zero is not None:
                numbers = rounded(target, _by_block(np.subtract, numbers, _numbers(batch, self.zero, target)))
            return rounded(target, _by_block(np.multiply, numbers, batch.values(self.scale)))


def _numbers(batch: Batch, operand: Operand, target: DType) -> Array:
    """The operand cast to another format, as numbers in its carrier."""
    return target.to_values(cast_codes(operand.dtype, target, batch.raw(operand)))


def _by_block(function: np.ufunc, numbers: Array, parameter: Array) -> Array:
    """A function of numbers and, for each block of them, one parameter; both with the block axis of the batch first."""
    shape, counts = numbers.shape[1:], parameter.shape[1:] or (1,) * (numbers.ndim - 1)
    split = [extent for n, count in zip(shape, counts, strict=True) for extent in (count, n // count)]
    spread = [extent for count in counts for extent in (count, 1)]
    result = function(numbers.reshape(len(numbers), *split), parameter.reshape(len(parameter), *spread))
    return result.reshape(len(result), *shape)  # type: ignore[no-any-return]
