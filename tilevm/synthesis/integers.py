"""Integers to floats: a code is put at the foot of the mantissa of a power of two, which is then taken away.

One ``lop3`` masks the code and sets the exponent, and for signed codes flips the sign bit with it, so that the code
counts from the least number. One subtraction frees it; where the code is not at the very foot, one fma, which undoes
its place as well. Both are exact, because a power of two beside a code of so few bits fits the mantissa. An integer
zero point is taken away with the power, to which it is added once.
"""

from __future__ import annotations

from tilevm.dtypes import DType
from tilevm.synthesis.source_words import Starts, Stream
from tilevm.synthesis.steps import AND_XOR, XOR, Term, Zero
from tilevm.synthesis.targets import Lanes

__all__ = ["integers_fit", "integers_in_bytes", "widened_integers"]


def integers_fit(source: DType, lanes: Lanes, zero: int = 0) -> bool:
    """Whether a power of two and a code, and with them a zero point up to ``zero``, fit the mantissa of the target.

    >>> from tilevm.dtypes import BF16, dtype
    >>> integers_fit(dtype("u7"), Lanes(BF16)), integers_fit(dtype("u8"), Lanes(BF16))
    (True, False)
    """
    half = 1 << (source.bits - 1) if source.signed else 0
    return source.bits <= lanes.dtype.mantissa and half + zero <= 1 << lanes.dtype.mantissa


def widened_integers(
    stream: Stream, source: DType, lanes: Lanes, starts: Starts, zeros: bool = False
) -> tuple[Term, ...]:
    """The output words; with ``zeros`` less the zero points, which are taken away with the power of two."""
    builder = stream.builder
    bits, mantissa = source.bits, lanes.dtype.mantissa
    half = 1 << (bits - 1) if source.signed else 0
    ones = (1 << bits) - 1
    outputs = []
    for word, served in enumerate(stream.served(starts, bits, lanes.width, range(mantissa - bits + 1))):
        mask = lanes.word([ones << offset for offset in served.offsets])
        magic = lanes.every(lanes.power(mantissa)) ^ lanes.word([half << offset for offset in served.offsets])
        placed = builder.lop3(served.term, mask, magic, AND_XOR)
        if not any(served.offsets):
            away: Term = lanes.every(lanes.number(float((1 << mantissa) + half)))
            away = lanes.arithmetic(builder, "add", away, Zero(word)) if zeros else away
            outputs.append(lanes.arithmetic(builder, "sub", placed, away))
        else:
            scale = lanes.word([lanes.power(-offset) for offset in served.offsets])
            away = lanes.word([lanes.number(-float((1 << (mantissa - offset)) + half)) for offset in served.offsets])
            away = lanes.arithmetic(builder, "sub", away, Zero(word)) if zeros else away
            outputs.append(lanes.arithmetic(builder, "fma", placed, scale, away))
    return tuple(outputs)


def integers_in_bytes(stream: Stream, source: DType, starts: Starts) -> tuple[Term, ...]:
    """Words of four numbers of i8. A signed code counts from its least number, beside a bit that no borrow passes."""
    bits, builder, every = source.bits, stream.builder, 0x01010101
    half = 1 << (bits - 1)
    mask = ((1 << bits) - 1) * every
    outputs: list[Term] = []
    for served in stream.served(starts, bits, 8, range(1)):
        if not source.signed:
            outputs.append(builder.masked(served.term, mask))
            continue
        counted = builder.lop3(served.term, mask, (0x80 | half) * every, AND_XOR)
        outputs.append(builder.lop3(builder.step("sub_u32", counted, half * every), 0x80 * every, 0, XOR))
    return tuple(outputs)
