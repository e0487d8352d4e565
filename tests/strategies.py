"""Hypothesis strategies for the things that several test files draw."""

from __future__ import annotations

from hypothesis import strategies as st

from tilevm.layout import Layout, Xor
from tilevm.memory_pattern import COLUMN_MAJOR, ROW_MAJOR, MemoryPattern, blocks, strides, swizzle


@st.composite
def register_layouts(
    draw: st.DrawFn,
    rank: int | None = None,
    sizes: tuple[int, ...] = (2, 3, 4),
    digits: int = 4,
    replicas: bool = True,
) -> Layout:
    """Any compact register layout with few digits: their order in the dimensions and on the axes is free."""
    rank = draw(st.integers(1, 3)) if rank is None else rank
    homes = range(-1 if replicas else 0, rank)
    drawn = draw(
        st.lists(st.tuples(st.sampled_from(sizes), st.sampled_from("TR"), st.sampled_from(homes)), max_size=digits)
    )
    order = draw(st.permutations(range(len(drawn))))
    reached = {"T": 1, "R": 1}
    strides: dict[int, int] = {}
    for number in order:
        size, axis, home = drawn[number]
        axis = "T" if home < 0 else axis
        strides[number] = reached[axis]
        reached[axis] *= size
    lists: list[list[tuple[int, str, int]]] = [[] for _ in range(rank + 1)]
    for number, (size, axis, home) in enumerate(drawn):
        lists[home].append((size, "T" if home < 0 else axis, strides[number]))
    return Layout(tuple(map(tuple, lists[:rank])), tuple(lists[rank]))


@st.composite
def layout_pairs(draw: st.DrawFn, sizes: tuple[int, ...] = (2, 2, 2, 2, 3), most: int = 8) -> tuple[Layout, Layout]:
    """Two layouts of one shape for the same whole warps: digits dealt out to threads and slots anew."""
    digits = draw(st.lists(st.tuples(st.sampled_from(sizes), st.integers(0, 1)), min_size=3, max_size=most))
    warps = draw(st.sampled_from([1, 2, 4, 8] if 3 not in sizes else [1, 2, 3, 6]))
    return _dealt(draw, digits, 32 * warps), _dealt(draw, digits, 32 * warps)


def _dealt(draw: st.DrawFn, digits: list[tuple[int, int]], threads: int) -> Layout:
    left, slots = threads, 1
    strides: dict[int, tuple[int, str, int]] = {}
    copies: list[tuple[int, str, int]] = []
    for number in draw(st.permutations(range(len(digits)))):
        size = digits[number][0]
        if left % 2 == 0 and draw(st.integers(0, 5)) == 0:
            copies.append((2, "T", threads // left))
            left //= 2
        if left % size == 0 and draw(st.booleans()):
            strides[number] = size, "T", threads // left
            left //= size
        else:
            strides[number] = size, "R", slots
            slots *= size
    copies.append((left, "T", threads // left))
    dims: list[list[tuple[int, str, int]]] = [[], []]
    for number, (_, home) in enumerate(digits):
        dims[home].append(strides[number])
    return Layout(tuple(map(tuple, dims)), tuple(copies))  # type: ignore[arg-type]


@st.composite
def memory_layouts(
    draw: st.DrawFn,
    rank: int | None = None,
    sizes: tuple[int, ...] = (2, 3, 4),
    widths: tuple[int, ...] = (1, 4, 6, 8, 16),
    digits: int = 4,
    padded: bool = True,
    shape: tuple[int, ...] | None = None,
) -> Layout:
    """Memory layouts in which no two elements overlap; with ``padded`` with holes between them."""
    width = draw(st.sampled_from(widths))
    if shape is not None:
        drawn = [(part, home) for home, extent in enumerate(shape) for part in draw(factorisations(extent))]
        rank = len(shape)
    else:
        rank = draw(st.integers(1, 3)) if rank is None else rank
        drawn = draw(st.lists(st.tuples(st.sampled_from(sizes), st.integers(0, rank - 1)), max_size=digits))
    strides: dict[int, int] = {}
    reached = width
    for number in draw(st.permutations(range(len(drawn)))):
        reached *= draw(st.sampled_from([1, 1, 1, 2, 3])) if padded else 1
        strides[number] = reached
        reached *= drawn[number][0]
    dims: list[list[tuple[int, str, int]]] = [[] for _ in range(rank)]
    for number, (size, home) in enumerate(drawn):
        dims[home].append((size, "B", strides[number]))
    return Layout(tuple(map(tuple, dims)), (), None, width)


@st.composite
def factorisations(draw: st.DrawFn, number: int) -> list[int]:
    """An ordered list of factors above 1 of which the product is a number."""
    parts = []
    while number > 1:
        divisors = [divisor for divisor in range(2, number + 1) if number % divisor == 0]
        parts.append(draw(st.sampled_from(divisors)))
        number //= parts[-1]
    return parts


@st.composite
def swizzles(draw: st.DrawFn, targets: range = range(7, 10), sources: range = range(10, 16)) -> Xor:
    """Swizzles that flip some of the targets by some of the sources."""
    pairs = draw(st.lists(st.tuples(st.sampled_from(targets), st.sampled_from(sources)), max_size=5, unique=True))
    return Xor.between(pairs)


@st.composite
def memory_patterns(draw: st.DrawFn) -> MemoryPattern:
    """Every kind of memory pattern."""
    small = st.integers(0, 5)
    kind = draw(st.integers(0, 4))
    if kind == 0:
        return draw(st.sampled_from([ROW_MAJOR, COLUMN_MAJOR]))
    if kind == 1:
        return strides(*draw(st.lists(small, min_size=1, max_size=3)))
    if kind == 2:
        bits = draw(st.integers(0, 3))
        return swizzle(bits, draw(small), bits + draw(small))
    order = draw(register_layouts(replicas=False))
    return blocks(*order.shape) * order if kind == 3 else blocks(*order.shape)
