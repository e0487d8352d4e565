"""The cheapest steps from codes of one format to numbers of another, and the order of codes that makes them cheapest.

Each way that serves is derived and the one with the fewest instructions taken. The tile of a thread is cast in parts
whose codes fill whole words, so that the steps of one part serve all.

>>> from tilevm.dtypes import BF16, F16, dtype
>>> u4 = dtype("u4")
>>> synthesise(u4, F16, 8).per_value, synthesise(u4, F16, 32, interleave(u4, F16)).per_value
(1.5, 1.125)
>>> synthesise(dtype("e8m0"), F16, 8) is None
True
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import gcd

import numpy as np

from tilevm.arch import Arch
from tilevm.dtypes import BF16, F16, F32, DType
from tilevm.synthesis.floats import apart, floats_fit, together, widened_floats
from tilevm.synthesis.integers import integers_fit, integers_in_bytes, widened_integers
from tilevm.synthesis.source_words import Starts, Stream
from tilevm.synthesis.steps import Sequence, Term
from tilevm.synthesis.tables import looked_up, table_fits
from tilevm.synthesis.targets import Lanes

__all__ = ["TARGETS", "Part", "interleave", "part_slots", "synthesise", "tile_parts"]

TARGETS = ("f16", "bf16", "f32", "i8", "f8e4m3")
"""What codes are cast to by steps; to everything else they go one by one."""
PART = 32
"""Codes whose bits fill whole words, whatever their width."""

Way = Callable[[Stream], tuple[Term, ...]]


def part_slots(source: DType, target: DType, order: tuple[int, ...] | None = None) -> int:
    """The least number of codes that fill whole words, of the source and of the target, and whose order then repeats.

    >>> from tilevm.dtypes import F16, dtype
    >>> part_slots(dtype("u4"), F16), part_slots(dtype("u6"), F16), part_slots(dtype("u5"), F16)
    (8, 16, 32)
    """
    least = max(PART // gcd(PART, source.bits), 32 // target.bits, 8 if source.bits <= 4 else 1)
    for part in (least, 2 * least, PART):
        if order is None or _repeats(order, part):
            return part
    return len(order or ())


def _repeats(order: tuple[int, ...], part: int) -> bool:
    return all(order[slot] == order[slot % part] + slot - slot % part for slot in range(len(order))) and all(
        each < part for each in order[:part]
    )


@lru_cache(maxsize=1024)
def synthesise(
    source: DType, target: DType, slots: int, order: tuple[int, ...] | None = None, pairs: bool = True
) -> Sequence | None:
    """Steps from ``slots`` codes of a dense stream to as many numbers; None where only a cast one by one serves.

    ``order`` gives for each number the place of its code in the stream, and is the natural one if left out. ``pairs``
    says whether the architecture computes with two numbers of the target at once, where the target is bf16.
    """
    if target.name not in TARGETS or source is target or source.bits > 8:
        return None
    order = tuple(range(slots)) if order is None else order
    assert len(order) == slots, f"an order of {len(order)} for {slots} codes"
    found = [made for way in _ways(source, target, order, pairs) for made in [_made(way, source, target, slots)]]
    return min(found, key=lambda each: each.cost, default=None)


def _starts(source: DType, order: tuple[int, ...], count: int) -> Starts:
    """The first bits of the codes of each output word; the last word repeats a code where there is none."""
    bits = [place * source.bits for place in order]
    words = [tuple(bits[at : at + count]) for at in range(0, len(bits), count)]
    return [each + each[:1] * (count - len(each)) for each in words]


def _ways(source: DType, target: DType, order: tuple[int, ...], pairs: bool) -> Iterator[Way]:
    starts = _starts(source, order, 32 // target.bits)
    if table_fits(source, target, starts) and _exact(source, target):
        yield lambda stream: looked_up(stream, source, target, starts)
    if target.name == "i8" and source.kind in ("int", "uint") and source.bits + (not source.signed) <= 8:
        yield lambda stream: integers_in_bytes(stream, source, starts)
    if target in (F16, F32) or (target is BF16 and pairs):
        yield from _widened(source, Lanes(target), starts)
    if target is BF16:
        for singles in _widened(source, Lanes(F32), _starts(source, order, 1)):
            yield _upper_halves(singles)


def _exact(source: DType, target: DType) -> bool:
    """Whether rounding and saturation do not matter: the target has every number of the source."""
    numbers = source.decode(np.arange(len(source.table) or 1 << source.bits).astype(source.storage))
    with np.errstate(all="ignore"):
        back = target.decode(target.to_codes(target.encode(numbers, saturate=False)))
    return bool(np.array_equal(numbers, back, equal_nan=True)) or (source.kind == "codebook" and target.bits > 8)


def _widened(source: DType, lanes: Lanes, starts: Starts) -> Iterator[Way]:
    if source.kind in ("int", "uint") and integers_fit(source, lanes):
        yield lambda stream: widened_integers(stream, source, lanes, starts)
    if floats_fit(source, lanes):
        yield lambda stream: widened_floats(stream, source, lanes, starts, apart)
        yield lambda stream: widened_floats(stream, source, lanes, starts, together)


def _upper_halves(singles: Way) -> Way:
    """Two f32 numbers that bf16 has, as one word of bf16."""

    def way(stream: Stream) -> tuple[Term, ...]:
        numbers = singles(stream)
        even, odd = numbers[::2], (*numbers[1::2], *numbers[: len(numbers) % 2])
        return tuple(stream.builder.step("prmt", *pair, 0x7632) for pair in zip(even, odd, strict=True))

    return way


def _made(way: Way, source: DType, target: DType, slots: int) -> Sequence:
    words = -(-slots * source.bits // 32)
    stream = Stream(words)
    outputs = way(stream)
    spare = slots * target.bits % 32
    if spare:
        outputs = (*outputs[:-1], stream.builder.masked(outputs[-1], (1 << spare) - 1))
    return stream.builder.finished(words, slots, outputs)


@lru_cache(maxsize=256)
def interleave(source: DType, target: DType) -> tuple[int, ...]:
    """The order of 32 codes in which the steps are cheapest: for each number the place of its code in the stream.

    The numbers of an output word lie ``distance`` codes apart; the natural order has them side by side.

    >>> from tilevm.dtypes import F16, dtype
    >>> interleave(dtype("u4"), F16)[:8], interleave(dtype("u3"), F16)[:4]
    ((0, 4, 1, 5, 2, 6, 3, 7), (0, 8, 1, 9))
    """
    lanes, best, least = 32 // target.bits, tuple(range(PART)), None
    for distance in (1, 2, 4, 8, 16, 32):
        if distance * lanes > PART:
            break
        order = tuple(
            group + first + lane * distance
            for group in range(0, PART, distance * lanes)
            for first in range(distance)
            for lane in range(lanes)
        )
        made = synthesise(source, target, PART, order)
        if made is not None and (least is None or made.cost < least):
            best, least = order, made.cost
    return best


@dataclass(frozen=True)
class Part:
    """Steps for a part of a tile: they serve ``repeats`` parts, one after the other, from a word and an output on."""

    steps: Sequence
    repeats: int
    first_word: int
    first_output: int

    @property
    def words(self) -> int:
        """Words of codes in a part."""
        return self.steps.words

    @property
    def outputs(self) -> int:
        """Words of numbers in a part."""
        return len(self.steps.outputs)


def tile_parts(
    source: DType, target: DType, order: tuple[int, ...], rounding: str, saturate: bool, arch: Arch
) -> tuple[Part, ...]:
    """The steps that cast a tile, its numbers in ``order``: whole parts, and what is left; none where they go singly.

    >>> from tilevm.arch import arch
    >>> from tilevm.dtypes import F16, dtype
    >>> parts = tile_parts(dtype("u4"), F16, tuple(range(20)), "nearest_even", False, arch("sm_80"))
    >>> [(part.repeats, part.steps.slots, part.first_word, part.first_output) for part in parts]
    [(2, 8, 0, 0), (1, 4, 2, 8)]
    """
    rounded = source.kind == "codebook" and rounding != "nearest_even"
    if rounded or (saturate and source.has_infinity) or sorted(order) != list(range(len(order))):
        return ()
    size, slots, pairs = part_slots(source, target, order), len(order), arch.has("bf16x2")
    counts = [(slots // size, size, order[:size])]
    counts.append((1, slots % size, tuple(place - slots // size * size for place in order[slots // size * size :])))
    parts, word, output = [], 0, 0
    for repeats, count, own in counts:
        if not repeats or not count:
            continue
        steps = synthesise(source, target, count, None if own == tuple(range(count)) else own, pairs)
        if steps is None:
            return ()
        parts.append(Part(steps, repeats, word, output))
        word, output = word + repeats * steps.words, output + repeats * len(steps.outputs)
    return tuple(parts)
