"""Floats to wider floats: exponent and mantissa are moved to where the target has them, and one product mends the
exponent's bias. Subnormal numbers come out right, since the target's subnormal numbers mean the same.

The sign is moved by itself. Codes that are no numbers are found by one comparison of both halves of a word, which gives
a mask: of a format that has NaN alone it is NaN itself, and is added by the product's fma; of one with infinities it
fills the exponent, so that the product keeps infinity and NaN.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from tilevm.dtypes import F16, DType
from tilevm.synthesis.source_words import Starts, Stream
from tilevm.synthesis.steps import AND_OR, SELECT, Builder, Term
from tilevm.synthesis.targets import Lanes

__all__ = ["PLACINGS", "Placed", "floats_fit", "floats_overflow", "scales_fit", "widened_floats", "widened_scales"]


@dataclass(frozen=True)
class Placed:
    """The words that hold the magnitudes of an output word, and its signs."""

    magnitude: Term
    """The magnitude where the target has it, among other bits."""
    sign: Term
    """The sign at the top of each lane, among other bits."""
    top: bool = False
    """Whether ``sign`` has the whole code at the top of each lane above zeros, and ``magnitude`` is that, shifted."""


Placing: TypeAlias = Callable[[Stream, DType, Lanes, Starts], list[Placed] | None]


def floats_fit(source: DType, lanes: Lanes) -> bool:
    """Whether the target has every number of a format, and these steps make it.

    >>> from tilevm.dtypes import BF16, F16, dtype
    >>> [floats_fit(dtype(name), Lanes(F16)) for name in ("f8e4m3", "f8e5m2", "f8e6m1")]
    [True, True, False]
    """
    target = lanes.dtype
    if source.kind != "float" or source.mantissa > target.mantissa or source.exponent > target.exponent:
        return False
    if source.exponent == target.exponent:
        return source.specials == "ieee" or (floats_overflow(source, lanes) and source.mantissa == 0)
    return source.specials == "finite" or (source.specials in ("fn", "ieee") and lanes.count == 2)


def floats_overflow(source: DType, lanes: Lanes) -> bool:
    """Whether a format has numbers where the target has infinity and NaN, and else the target's.

    >>> from tilevm.dtypes import F16, dtype
    >>> floats_overflow(dtype("f7e5m1"), Lanes(F16)), floats_overflow(dtype("f7e4m2"), Lanes(F16))
    (True, False)
    """
    return source.specials == "finite" and source.exponent == lanes.dtype.exponent and lanes.count == 2


def _apart(stream: Stream, source: DType, lanes: Lanes, starts: Starts) -> list[Placed]:
    """Words with the magnitude where the target has it, and other words with the sign."""
    signed, foot = int(source.signed), lanes.dtype.mantissa - source.mantissa
    magnitude = source.bits - signed
    terms = [each.term for each in stream.served(starts, magnitude, lanes.width, range(foot, foot + 1))]
    if not signed:
        return [Placed(term, term) for term in terms]
    tops = [tuple(start + magnitude for start in codes) for codes in starts]
    signs = stream.served(tops, 1, lanes.width, range(lanes.width - 1, lanes.width))
    return [Placed(term, sign.term) for term, sign in zip(terms, signs, strict=True)]


def _together(stream: Stream, source: DType, lanes: Lanes, starts: Starts) -> list[Placed]:
    """Words with the code at the top of its lane, where the sign stays, and these shifted to the exponent's place."""
    first, shift = lanes.width - source.bits, _shift(source, lanes)
    served = stream.served(starts, source.bits, lanes.width, range(first, first + 1))
    return [Placed(stream.builder.shifted(each.term, shift), each.term) for each in served]


def _bytes(stream: Stream, source: DType, lanes: Lanes, starts: Starts) -> list[Placed] | None:
    """The same for codes of whole bytes, with nothing below them; None where a word does not hold both."""
    places = [tuple(divmod(start, 32) for start in codes) for codes in starts]
    if source.bits != 8 or lanes.count != 2 or any(first[0] != second[0] for first, second in places):
        return None
    builder, placed = stream.builder, []
    for (word, low), (_, high) in places:
        code = builder.step("prmt", stream.given(word), 0, 0x0404 | low // 8 << 4 | high // 8 << 12)
        placed.append(Placed(builder.shifted(code, _shift(source, lanes)), code, top=True))
    return placed


def _shift(source: DType, lanes: Lanes) -> int:
    return lanes.dtype.exponent - source.exponent + int(not source.signed)


PLACINGS: tuple[Placing, ...] = (_apart, _together, _bytes)
"""The ways to bring codes to their places. Each may answer None, where it does not serve."""


def widened_floats(
    stream: Stream, source: DType, lanes: Lanes, starts: Starts, placing: Placing
) -> tuple[Term, ...] | None:
    """The output words, from codes that are placed in one of the ways of ``PLACINGS``."""
    placed = placing(stream, source, lanes, starts)
    if placed is None:
        return None
    return tuple(_number(stream.builder, source, lanes, each) for each in placed)


def _number(builder: Builder, source: DType, lanes: Lanes, placed: Placed) -> Term:
    target = lanes.dtype
    ones = (1 << source.bits - int(source.signed)) - 1 << target.mantissa - source.mantissa
    if source.exponent == target.exponent:
        return _same_exponent(builder, source, lanes, placed, ones)
    factor = lanes.every(lanes.power(target.bias - source.bias)) if target.bias != source.bias else None
    infinite = (1 << source.exponent) - 1 << target.mantissa
    if source.specials == "ieee" and source.signed and placed.top and source.exponent <= F16.exponent:
        value = _filled(builder, source, lanes, placed)
        return _times(builder, lanes, _signed(builder, source, lanes, placed, value), factor)
    value = builder.masked(placed.magnitude, lanes.every(ones))
    if source.specials == "fn":
        assert factor is not None, f"{source} has the bias of {target} but fewer exponents"
        # The mask is 0 or NaN. The sign comes after the sum, in which -0 would be lost.
        value = lanes.arithmetic(builder, "fma", value, factor, builder.step("reaches_f16x2", value, lanes.every(ones)))
        return _signed(builder, source, lanes, placed, value)
    special = builder.step("reaches_f16x2", value, lanes.every(infinite)) if source.specials == "ieee" else None
    value = _times(builder, lanes, _signed(builder, source, lanes, placed, value), factor)
    if special is not None:
        value = builder.lop3(special, lanes.every((1 << target.exponent) - 1 << target.mantissa), value, AND_OR)
    return value


def _same_exponent(builder: Builder, source: DType, lanes: Lanes, placed: Placed, ones: int) -> Term:
    """Numbers that lie as the target has them; those of its last exponent are infinite, unless that is so anyway."""
    if source.specials == "finite" and source.mantissa:
        infinite = (1 << lanes.dtype.exponent) - 1 << lanes.dtype.mantissa
        value = builder.masked(placed.magnitude, lanes.every(ones))
        value = lanes.arithmetic(builder, "min", value, lanes.every(infinite))
        return _signed(builder, source, lanes, placed, value)
    if placed.top:
        return placed.magnitude
    if placed.magnitude == placed.sign and source.signed:
        return builder.masked(placed.sign, lanes.every(ones) | lanes.sign)
    return _signed(builder, source, lanes, placed, builder.masked(placed.magnitude, lanes.every(ones)))


def _filled(builder: Builder, source: DType, lanes: Lanes, placed: Placed) -> Term:
    """Magnitudes whose exponents are all ones where the code is no number.

    The mask goes to the exponent's bits that the source lacks, and with them over the sign that was shifted there; all
    others are the code's, and below it is nothing.
    """
    shift = lanes.dtype.exponent - source.exponent
    last = (1 << source.exponent) - 1 << lanes.width - 1 - source.exponent
    lacking = (1 << shift) - 1 << lanes.width - 1 - shift
    special = builder.step("reaches_f16x2", placed.sign, lanes.every(last))
    return builder.lop3(lanes.every(lacking), special, placed.magnitude, SELECT)


def _signed(builder: Builder, source: DType, lanes: Lanes, placed: Placed, value: Term) -> Term:
    return builder.lop3(placed.sign, lanes.sign, value, AND_OR) if source.signed else value


def _times(builder: Builder, lanes: Lanes, value: Term, factor: int | None) -> Term:
    return value if factor is None else lanes.arithmetic(builder, "mul", value, factor)


def scales_fit(source: DType, lanes: Lanes) -> bool:
    """Whether a format is powers of two, with the exponents of the target.

    >>> from tilevm.dtypes import BF16, dtype
    >>> scales_fit(dtype("e8m0"), Lanes(BF16))
    True
    """
    return source.specials == "scale" and source.exponent == lanes.dtype.exponent and lanes.count == 2


def widened_scales(stream: Stream, source: DType, lanes: Lanes, starts: Starts) -> tuple[Term, ...] | None:
    """The output words: the code is the exponent. The least power of two is subnormal, and the last code NaN."""
    placed = _bytes(stream, source, lanes, starts)
    if placed is None:
        return None
    outputs, least = [], lanes.every(1 << lanes.dtype.mantissa - 1)
    for each in placed:
        power = lanes.arithmetic(stream.builder, "max", each.magnitude, least)
        outputs.append(lanes.arithmetic(stream.builder, "fma", power, 0, power))  # infinity times 0 is NaN
    return tuple(outputs)
