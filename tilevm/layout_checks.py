"""What a layout must be, and the errors that say why it is not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import gcd, prod
from operator import index as as_integer
from typing import Any, Protocol

from tilevm import digits as radix
from tilevm.digits import AXES, Digit, Digits
from tilevm.errors import LayoutError
from tilevm.xor_map import Xor


class Described(Protocol):
    """What is asked of a layout here; ``tilevm.layout_map.LayoutMap`` has it."""

    @property
    def dims(self) -> tuple[Digits, ...]: ...
    @property
    def rep(self) -> Digits: ...
    @property
    def xor(self) -> Xor | None: ...
    @property
    def width(self) -> int: ...
    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def rank(self) -> int: ...
    @property
    def slots(self) -> int: ...
    @property
    def size_bits(self) -> int: ...
    @property
    def is_memory(self) -> bool: ...
    @property
    def is_register(self) -> bool: ...


# Digits and whole layouts, when they are written digit by digit


def digit(entry: Any) -> Digit:
    """A digit from ``(size, axis, stride)``; L001 where it makes no sense."""
    try:
        size, axis, stride = entry
        size, stride = as_integer(size), as_integer(stride)
    except (TypeError, ValueError):
        size, axis, stride = 0, "", 0
    if size < 1 or stride < 0 or axis not in AXES or (axis == "-" and stride):
        raise LayoutError(
            "L001",
            f"{entry!r} is not a digit of a layout",
            help="a digit is (size, axis, stride): a size from 1, an axis of T R B, a stride from 0; or (size, '-', 0)",
        )
    return Digit(size, axis, stride)


def kind(layout: Described) -> None:
    """L003 where registers and memory are mixed, L001 for replicas that are not threads."""
    axes = {entry.axis for dim in layout.dims for entry in dim}
    if layout.is_memory and (layout.rep or axes & {"T", "R"}):
        raise LayoutError(
            "L003",
            f"{layout} mixes registers and memory",
            help="digits are on T and R, or all on B; only registers have replicas, only memory a width or a swizzle",
        )
    if any(entry.axis != "T" for entry in layout.rep):
        raise LayoutError(
            "L001", f"the replicas of {layout} are not threads", help="replicas are digits on T with a stride"
        )


def compact(layout: Described) -> None:
    """L002 where threads or slots are left out or taken twice."""
    flat = [entry for dim in layout.dims for entry in dim]
    groups = {
        "threads": [*(entry for entry in flat if entry.axis == "T"), *layout.rep],
        "slots": [entry for entry in flat if entry.axis == "R"],
    }
    for name, group in groups.items():
        if not radix.is_perfect(group):
            ordered = sorted(group, key=lambda entry: entry.stride)
            raise LayoutError(
                "L002",
                f"the digits of {layout} do not count every one of its {name} once: {radix.text(ordered)}",
                help="ordered by stride, the first stride must be 1 and each next one the product of the sizes before: "
                f"{', '.join(str(prod(e.size for e in ordered[:i])) for i in range(len(ordered)))}",
            )


def whole_elements(layout: Described) -> None:
    """L018 where a swizzle would move the parts of an element to different places."""
    if layout.xor is None:
        return
    unit = 1 << layout.xor.lowest
    last = layout.width
    flat = [entry for dim in layout.dims for entry in dim]
    for entry in flat:
        if entry.stride % unit:
            below = entry.size if unit % entry.stride else min(entry.size, unit // entry.stride)
            last += (below - 1) * entry.stride
    # Whole where elements start at multiples of their width, or where those of a unit end within it.
    if last > unit and layout.width > gcd(unit, *(entry.stride for entry in flat)):
        raise LayoutError(
            "L018",
            f"the swizzle {layout.xor} moves pieces of {unit} bits, and an element of {layout.width} bits lies in two",
            help=f"use elements whose width divides {unit}, or store packed bytes as u8 and `view` them in registers",
        )


def sizes(what: str, given: Iterable[Any]) -> tuple[int, ...]:
    """Sizes as integers of at least 1; L015 where they are not."""
    result = []
    for value in given:
        try:
            result.append(0 if isinstance(value, bool) else as_integer(value))
        except TypeError:
            result.append(0)
        if result[-1] < 1:
            raise LayoutError(
                "L015",
                f"`{what}` takes sizes of at least 1, not {value!r}",
                help="write whole numbers from 1 up",
            )
    return tuple(result)


# Arguments of methods


def registers(layout: Described, what: str) -> None:
    """L003 for a memory layout."""
    if layout.is_memory:
        raise LayoutError(
            "L003",
            f"`{what}` asks for threads and slots, and {layout} lies in memory",
            help="give a register layout",
        )


def memory(layout: Described, what: str) -> None:
    """L003 for a register layout."""
    if layout.is_register:
        raise LayoutError(
            "L003",
            f"`{what}` asks for bits of memory, and {layout} lies in registers",
            help="give a memory layout, such as row_major(16, 16)",
        )


def invertible(layout: Described, what: str) -> None:
    """L003 for a memory layout, L011 for a broadcast."""
    registers(layout, what)
    if any(entry.axis == "-" for dim in layout.dims for entry in dim):
        raise LayoutError(
            "L011",
            f"`{what}` has no answer: in {layout} several elements share one place",
            help="ask the layout from before the broadcast",
        )


def inside(layout: Described, index: Sequence[int]) -> None:
    """L010 for an index that is not one of the shape."""
    shape = layout.shape
    if len(index) != len(shape) or not all(0 <= i < extent for i, extent in zip(index, shape, strict=True)):
        raise LayoutError("L010", f"{tuple(index)} is not an index of a tile of shape {list(shape)}", help=None)


def numbered(layout: Described, name: str, given: int, limit: int) -> None:
    """L010 for a thread or a slot that a layout has not."""
    if not 0 <= given < limit:
        raise LayoutError(
            "L010", f"{layout} has no {name} {given}", help=f"its {name}s are numbered from 0 to {limit - 1}"
        )


def dimension(layout: Described, dim: int, limit: int | None = None) -> int:
    """A dimension counted from 0, also given from the end; L006 where there is none."""
    rank = layout.rank if limit is None else limit
    if not -rank <= dim < rank:
        known = f"the dimensions are 0 to {rank - 1}" if rank else "it has none"
        raise LayoutError("L006", f"{layout} has no dimension {dim}", help=known)
    return dim % rank


def single(layout: Described, dim: int, done: str) -> int:
    """A dimension of size 1; L006 and L021 where it is not."""
    dim = dimension(layout, dim)
    if layout.shape[dim] != 1:
        raise LayoutError(
            "L021",
            f"dimension {dim} of {layout} has size {layout.shape[dim]} and cannot be {done}",
            help="only a dimension of size 1 can; `reduce` makes one of size 1",
        )
    return dim


def same_kind(first: Described, second: Described, done: str) -> None:
    """L003 where one is in registers and the other in memory, L004 where the ranks differ (0 goes with all)."""
    if first.is_memory != second.is_memory:
        places = [f"{layout} ({'memory' if layout.is_memory else 'registers'})" for layout in (first, second)]
        raise LayoutError("L003", f"{places[0]} cannot {done} {places[1]}", help="both must be of one kind")
    if first.rank != second.rank and first.rank and second.rank:
        raise LayoutError(
            "L004",
            f"{first} has {first.rank} dimensions and {second} has {second.rank}, so it cannot {done} it",
            help="give both the same number of dimensions, with `unsqueeze` or a size of 1: local(4, 1)",
        )


def unit_width(layout: Described) -> None:
    """L003 where a factor that counts elements is not counted in units."""
    if layout.width > 1:
        raise LayoutError(
            "L003",
            f"{layout} has elements of {layout.width} bits and cannot hold another layout in each of them",
            help="leave out the width of an outer factor: the innermost one says how wide an element is",
        )


def no_swizzle(*layouts: Described) -> None:
    """L023 for a layout with a swizzle."""
    for layout in layouts:
        if layout.xor is not None:
            raise LayoutError(
                "L023",
                f"{layout} has a swizzle, and its digits cannot be taken apart",
                help="divide the layout before it is swizzled",
            )


# Errors of operators


def no_quotient(
    layout: Described, other: Described, dim: int, whole: Digits, part: Digits, position: int, where: str
) -> LayoutError:
    """The error that shows the digits of a dimension of both, with the first that differs marked."""
    shown, wanted = radix.text(whole), radix.text(part)
    join = "in" if where == "end" else "with"
    before = len(" ".join(str(entry) for entry in part[:position])) + (position > 0)
    mark = " " * before + "^" * len(str(part[position]) if part else "1")
    if where == "end":
        column = max(len(shown), len(wanted))
        shown, indent = shown.rjust(column), column - len(wanted)
        wanted, mark = " " * indent + wanted, " " * indent + mark
    return LayoutError(
        "L005",
        f"{layout} cannot be divided by {other}: dimension {dim} does not {where} {join} its digits\n"
        f"    dividend  {shown}\n    divisor   {wanted}\n              {mark}",
        help="A / B needs A to end in the digits of B in every dimension"
        if where == "end"
        else "A.ldiv(B) needs A to begin with the digits of B, grown by the size of the rest, in every dimension",
    )


def no_replicas(layout: Described, other: Described) -> LayoutError:
    """The error of a quotient whose replicas do not divide."""
    return LayoutError(
        "L005",
        f"{layout} cannot be divided by {other}: their replicas differ\n"
        f"    dividend  rep {radix.text(layout.rep)}\n    divisor   rep {radix.text(other.rep)}",
        help="the divisor must have the replicas of its part of the dividend, and no others",
    )


def no_size(layout: Described, other: Described) -> LayoutError:
    """The error of a quotient in memory whose elements differ in width."""
    return LayoutError(
        "L005",
        f"{layout} cannot be divided by {other}: sizes of {layout.size_bits} and {other.size_bits} bits do not fit",
        help="a right divisor has the width of the dividend; a left divisor counts elements of 1 bit",
    )


def no_reshape(layout: Described, shape: Sequence[int]) -> LayoutError:
    """The error of a reshape."""
    have, want = prod(layout.shape), prod(shape)
    if have != want:
        why, tip = f"it has {have} elements and the new shape {want}", "the product of the sizes must stay"
    else:
        why, tip = (
            "a digit would be cut unevenly",
            "the inner sizes of the new shape must divide the digits, or be their products",
        )
    return LayoutError("L007", f"{layout} cannot be reshaped to {list(shape)}: {why}", help=tip)


def no_slice(layout: Described, dim: int, start: int, size: int, why: str) -> LayoutError:
    """The error of a slice."""
    return LayoutError(
        "L008",
        f"{layout} cannot be cut to the elements {start} to {start + size} of dimension {dim}: {why}",
        help="cut along whole digits that are slots of one thread, or load the part again with a layout of its own",
    )


def no_concat(layout: Described, other: object, dim: int) -> LayoutError:
    """The error of a concatenation."""
    return LayoutError(
        "L009",
        f"{layout} and {other} are not whole numbers of one tile along dimension {dim}",
        help="both must be local(n) * T for one register layout T; convert one of them first",
    )


def orders_a_block(layout: Described) -> None:
    """L016 for a register layout in which some element has several places, or several have one."""
    if layout.rep or any(digit.axis == "-" for dim in layout.dims for digit in dim):
        raise LayoutError(
            "L016",
            f"{layout} cannot order the elements of a block: some element has several places, or several have one",
            help="use a layout without replicas and broadcasts",
        )


def no_fit(pattern: str, shape: Sequence[int], bits: int, why: str, help: str | None = None) -> LayoutError:
    """The error of a memory layout or pattern that does not fit the shape it is used for."""
    return LayoutError(
        "L016", f"`{pattern}` does not fit elements of {bits} bits in the shape {list(shape)}: {why}", help=help
    )


def no_view(layout: Described, from_bits: int, to_bits: int) -> LayoutError:
    """The error of a derived view."""
    return LayoutError(
        "L012",
        f"{layout} of {from_bits}-bit elements is not whole {to_bits}-bit elements",
        help=f"each thread has {layout.slots} x {from_bits} = {layout.slots * from_bits} bits; "
        f"runs of neighbouring slots must be whole numbers of {to_bits} bits",
    )
