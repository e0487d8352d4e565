"""When one register layout is a *view* of another: the same bits of each thread, read as elements of another width.

A view costs nothing, since no bit moves. It is legal when both layouts have the same threads, each thread holds as many
bits in both, and threads that are said to hold the same elements did hold the same bits.
"""

from __future__ import annotations

from collections.abc import Iterator

from tilevm import digits as radix
from tilevm import layout_checks as checks
from tilevm.digits import Digit
from tilevm.errors import LayoutError
from tilevm.layout import Layout
from tilevm.layout_expression import expression

__all__ = ["check_view"]


def check_view(source: Layout, source_bits: int, target: Layout, target_bits: int) -> None:
    """Refuses a view that is not one: from elements of ``source_bits`` bits in ``source`` to ``target`` and its bits.

    Raises ``LayoutError`` L012, with a target layout that holds the right number of bits where there is one, and L003
    for a memory layout.

    >>> from tilevm.layout_constructors import local, spatial
    >>> check_view(spatial(8, 4) * local(1, 3), 8, spatial(8, 4) * local(1, 4), 6)
    >>> check_view(spatial(8, 4) * local(1, 3), 8, spatial(8, 4) * local(1, 3), 6)
    Traceback (most recent call last):
    ...
    tilevm.errors.LayoutError: error[L012]: `view` changes the bits that each thread holds: 3 x 8 = 24, not 3 x 6 = 18
    help: spatial(8, 4) * local(1, 4) holds 24 bits of 6-bit elements in each thread: a tile of shape [8, 16]
    """
    checks.registers(source, "view")
    checks.registers(target, "view")
    if source.threads != target.threads:
        raise LayoutError(
            "L012",
            f"`view` keeps bits in their threads: {source.threads} hold the source, {target.threads} the target",
            help=_proposal(source, source_bits, target, target_bits),
        )
    have, want = source.slots * source_bits, target.slots * target_bits
    if have != want:
        raise LayoutError(
            "L012",
            "`view` changes the bits that each thread holds: "
            f"{source.slots} x {source_bits} = {have}, not {target.slots} x {target_bits} = {want}",
            help=_proposal(source, source_bits, target, target_bits),
        )
    if not _shares(source, target):
        raise LayoutError(
            "L012",
            f"`view` to {target}: threads that hold the same element there do not in {source}",
            help="give the target the replicas of the source, or convert the layout instead",
        )


def _shares(source: Layout, target: Layout) -> bool:
    """Whether threads that the target takes for equal hold the same elements of the source."""
    if target.rep == source.rep or not target.rep:
        return True
    held = source.thread_slot_to_flat()
    threads, _ = target.places()
    return all(
        (held[threads + step * digit.stride] == held[threads]).all()
        for digit in target.rep
        for step in range(digit.size)
    )


def _proposal(source: Layout, source_bits: int, target: Layout, target_bits: int) -> str | None:
    """A target that fits the source: the given one with more or fewer slots, or the source's own view."""
    have = source.slots * source_bits
    for layout in _candidates(source, source_bits, target, target_bits):
        shown = expression(layout) or str(layout)
        shape = list(layout.shape)
        return f"{shown} holds {have} bits of {target_bits}-bit elements in each thread: a tile of shape {shape}"
    return f"{have} bits are not a whole number of {target_bits}-bit elements" if have % target_bits else None


def _candidates(source: Layout, source_bits: int, target: Layout, target_bits: int) -> Iterator[Layout]:
    have = source.slots * source_bits
    if source.threads == target.threads and have % target_bits == 0:
        yield from _with_slots(target, have // target_bits)
    try:
        yield source.view(source_bits, target_bits)
    except LayoutError:
        return


def _with_slots(layout: Layout, slots: int) -> Iterator[Layout]:
    """The layout with another number of slots, by changing one digit on slots, the nearest neighbours first."""
    dims = [list(dim) for dim in layout.dims]
    if layout.slots == 1 and dims:
        dims[-1].append(Digit(1, "R", 1))
    found = sorted(
        (digit.stride, dim, number)
        for dim, row in enumerate(dims)
        for number, digit in enumerate(row)
        if digit.axis == "R"
    )
    for _, dim, number in found:
        size, axis, stride = dims[dim][number]
        others = layout.slots // size
        if slots % others == 0:
            changed = [list(row) for row in dims]
            changed[dim][number] = Digit(slots // others, axis, stride)
            yield Layout(radix.compacted(changed, "R"), layout.rep)
