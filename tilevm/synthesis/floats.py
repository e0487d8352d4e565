"""Floats to wider floats: exponent and mantissa are moved to where the target has them, and one product mends the
exponent's bias. Subnormal numbers come out right, since the target's subnormal numbers mean the same.

The sign is moved by itself. A sum that carries out of the magnitude finds the codes that are no numbers, and a product
with the carried bit gives them the target's exponent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from tilevm.dtypes import DType
from tilevm.synthesis.source_words import Starts, Stream
from tilevm.synthesis.steps import AND_OR, Builder, Term
from tilevm.synthesis.targets import Lanes

__all__ = ["apart", "floats_fit", "together", "widened_floats"]

Placed: TypeAlias = tuple[Term, Term]
"""The words that hold the magnitudes of an output word, and its signs."""


def floats_fit(source: DType, lanes: Lanes) -> bool:
    """Whether the target has every number of a format, and these steps make it.

    >>> from tilevm.dtypes import BF16, F16, dtype
    >>> [floats_fit(dtype(name), Lanes(F16)) for name in ("f8e4m3", "f8e5m2", "f8e6m1")]
    [True, True, False]
    """
    target = lanes.dtype
    if source.kind != "float" or source.mantissa > target.mantissa or source.exponent > target.exponent:
        return False
    if source.specials in ("finite", "fn"):
        return source.exponent < target.exponent
    return source.specials == "ieee"


def apart(stream: Stream, source: DType, lanes: Lanes, starts: Starts) -> list[Placed]:
    """Words with the magnitude where the target has it, and other words with the sign."""
    signed, foot = int(source.signed), lanes.dtype.mantissa - source.mantissa
    magnitude = source.bits - signed
    terms = [each.term for each in stream.served(starts, magnitude, lanes.width, range(foot, foot + 1))]
    if not signed:
        return [(term, term) for term in terms]
    tops = [tuple(start + magnitude for start in codes) for codes in starts]
    signs = stream.served(tops, 1, lanes.width, range(lanes.width - 1, lanes.width))
    return [(term, sign.term) for term, sign in zip(terms, signs, strict=True)]


def together(stream: Stream, source: DType, lanes: Lanes, starts: Starts) -> list[Placed]:
    """Words with the code at the top of its lane, where the sign stays, and these shifted to the exponent's place."""
    first, shift = lanes.width - source.bits, lanes.dtype.exponent - source.exponent
    shift += int(not source.signed)
    served = stream.served(starts, source.bits, lanes.width, range(first, first + 1))
    return [(stream.builder.shifted(each.term, shift), each.term) for each in served]


def widened_floats(
    stream: Stream, source: DType, lanes: Lanes, starts: Starts, placed: Callable[..., list[Placed]]
) -> tuple[Term, ...]:
    """The output words; ``placed`` is ``apart`` or ``together``."""
    builder, target = stream.builder, lanes.dtype
    foot, ones = target.mantissa - source.mantissa, (1 << source.bits - int(source.signed)) - 1
    outputs = []
    for magnitude, sign in placed(stream, source, lanes, starts):
        value: Term = builder.masked(magnitude, lanes.every(ones << foot))
        special = _special(builder, source, lanes, value, foot)
        factor = target.bias - source.bias
        if source.signed:
            value = builder.lop3(sign, lanes.sign, value, AND_OR)
        if factor:
            value = lanes.arithmetic(builder, "mul", value, lanes.every(lanes.power(factor)))
        if special is not None:
            value = builder.step("mad_u32", special[0], special[1], value)
        outputs.append(value)
    return tuple(outputs)


def _special(builder: Builder, source: DType, lanes: Lanes, value: Term, foot: int) -> tuple[Term, int] | None:
    """A bit in the foot of each lane whose magnitude is no number, and what it adds to the product's lane."""
    target, top = lanes.dtype, source.exponent + lanes.dtype.mantissa
    if source.specials == "finite" or source.exponent == target.exponent:
        return None
    if source.specials == "fn":
        one, reached = 1 << foot, ((1 << source.bits - int(source.signed)) - 1) << foot
        wanted = ((1 << target.exponent) - 1 << target.mantissa) | 1 << target.mantissa - 1
    else:
        one, reached = 1 << target.mantissa, ((1 << source.exponent) - 1) << target.mantissa
        wanted = (1 << target.exponent) - 1 << target.mantissa
    # The sum carries into the bit above the magnitude for the codes that are no numbers, and for no others.
    carried = builder.masked(builder.step("add_u32", value, lanes.every(one)), lanes.every(1 << top))
    there = reached + (target.bias - source.bias << target.mantissa)
    return builder.shifted(carried, top), wanted - there
