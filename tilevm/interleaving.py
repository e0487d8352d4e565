"""The order of codes within a thread from which a cast to another format is cheapest, as a register layout."""

from __future__ import annotations

from tilevm import layout_checks as checks
from tilevm.digits import Digit
from tilevm.dtypes import DType
from tilevm.errors import LayoutError
from tilevm.layout import Layout
from tilevm.synthesis.cast import PART, interleave

__all__ = ["interleaved"]


def interleaved(order: Layout, source: DType, target: DType) -> Layout:
    """A register layout with each thread's slots in the order from which codes of ``source`` are cast to ``target`` in
    the fewest instructions.

    A kernel that loads a tensor ``@ fragments(interleaved(L, W, A))`` gets codes in this layout, and
    ``cast(codes, A) @ L`` has its numbers in ``L``: the cast takes the codes from where they lie. Where the natural
    order is the cheapest, this is ``order``.

    Raises ``LayoutError`` L003 for a memory layout, L048 where threads hold other than a multiple of 32 slots, or slots
    whose order would cut a digit.

    >>> from tilevm.dtypes import F16, dtype
    >>> from tilevm.layout_constructors import local
    >>> print(interleaved(local(32), dtype("u4"), F16))
    [32]{4:R8 4:R1 2:R4}
    """
    checks.registers(order, "interleaved")
    places = interleave(source, target)
    if places == tuple(range(PART)):
        return order
    if order.slots % PART:
        raise LayoutError(
            "L048",
            f"threads of {order} hold {order.slots} slots, and codes are interleaved {PART} at a time",
            help=f"repeat the layout in the slots of a thread: local(…) * L with a multiple of {PART} slots",
        )
    dims = [[part for digit in dim for part in _moved(digit, places, order)] for dim in order.dims]
    return Layout(tuple(map(tuple, dims)), order.rep)


def _moved(digit: Digit, places: tuple[int, ...], order: Layout) -> list[Digit]:
    """The digit with its slots in other places; in parts, where these are not evenly spaced."""
    if digit.axis != "R" or digit.stride % PART == 0:
        return [digit]
    size, stride = digit.size, digit.stride
    if size & (size - 1) or stride & (stride - 1):
        raise LayoutError(
            "L048",
            f"the slots of {order} are not counted in powers of two, so their codes cannot be interleaved",
            help="a factor such as local(3) belongs outside of 32 slots",
        )
    steps = [stride << bit for bit in reversed(range(size.bit_length() - 1))]
    return [Digit(2, "R", step if step >= PART else places[step]) for step in steps]
