"""Floats to wider floats: exponent and mantissa are moved to where the target has them, and one product mends the
exponent's bias. Subnormal numbers come out right, since the target's subnormal numbers mean the same.

The sign is moved by itself. A sum that carries out of the magnitude finds the codes that are no numbers, and a product
with the carried bit gives them the target's exponent.
"""

from __future__ import annotations

from tilevm.codegen.synthesis.source_words import Starts, Stream
from tilevm.codegen.synthesis.steps import AND_OR, Builder, Term
from tilevm.codegen.synthesis.targets import Lanes
from tilevm.dtypes import DType

__all__ = ["floats_fit", "widened_floats"]


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


def widened_floats(stream: Stream, source: DType, lanes: Lanes, starts: Starts) -> tuple[Term, ...]:
    """The output words."""
    builder, target, signed = stream.builder, lanes.dtype, int(source.signed)
    magnitude = source.bits - signed
    foot = target.mantissa - source.mantissa
    ones = (1 << magnitude) - 1
    served = stream.served(starts, magnitude, lanes.width, range(foot, foot + 1))
    signs: list[Term] = []
    if signed:
        tops = [tuple(start + magnitude for start in codes) for codes in starts]
        at = range(lanes.width - 1, lanes.width)
        signs = [each.term for each in stream.served(tops, 1, lanes.width, at)]
    outputs = []
    for number, each in enumerate(served):
        value: Term = builder.masked(each.term, lanes.every(ones << foot))
        special = _special(builder, source, lanes, value, foot)
        factor = target.bias - source.bias
        if signed:
            value = builder.lop3(signs[number], lanes.sign, value, AND_OR)
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
