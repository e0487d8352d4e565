"""The cheapest steps from codes of one format to numbers of another, and the order of codes that makes them cheapest.

Each way that serves is derived and the one with the fewest instructions taken. The tile of a thread is cast in parts
whose codes fill whole words, so that the steps of one part serve all.

>>> from tilevm.dtypes import BF16, F16, dtype
>>> u4 = dtype("u4")
>>> synthesise(u4, F16, 8).per_value, synthesise(u4, F16, 32, interleave(u4, F16)).per_value
(1.5, 1.125)
>>> synthesise(dtype("f8e4m3fnuz"), F16, 8) is None
True
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from math import gcd

from tilevm.arch import FEATURES, Arch
from tilevm.dtypes import BF16, F16, F32, DType
from tilevm.synthesis.conversions import (
    HARDWARE,
    converted_by_hardware,
    exact,
    in_f32,
    rounded_halves,
    upper_halves,
)
from tilevm.synthesis.floats import (
    PLACINGS,
    floats_fit,
    floats_overflow,
    scales_fit,
    widened_floats,
    widened_scales,
)
from tilevm.synthesis.integers import integers_fit, integers_in_bytes, widened_integers
from tilevm.synthesis.source_words import Starts, Stream, halves_apart
from tilevm.synthesis.steps import Sequence, Term
from tilevm.synthesis.tables import looked_up, table_fits
from tilevm.synthesis.targets import Lanes

__all__ = ["TARGETS", "Part", "interleave", "part_slots", "synthesise", "tile_parts"]

TARGETS = ("f16", "bf16", "f32", "i8", "f8e4m3")
"""What codes are cast to by steps; to everything else they go one by one."""
PART = 32
"""Codes whose bits fill whole words, whatever their width."""
NATURAL = tuple(range(PART))

PAIRS = frozenset(("bf16x2", "minmax_f16x2"))
"""Features of every architecture from sm_80 on, by which casts differ."""

Way = Callable[[Stream], tuple[Term, ...] | None]


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


def features_used(source: DType, features: frozenset[str]) -> frozenset[str]:
    """Those among the features of an architecture on which the casts of a format depend.

    >>> from tilevm.arch import arch
    >>> from tilevm.dtypes import dtype
    >>> sorted(features_used(dtype("f8e4m3"), arch("sm_89").features))
    ['bf16x2', 'cvt_fp8', 'minmax_f16x2']
    """
    own = {HARDWARE[source.name][0]} if source.name in HARDWARE else set()
    return features & (PAIRS | own)


@lru_cache(maxsize=1024)
def synthesise(
    source: DType,
    target: DType,
    slots: int,
    order: tuple[int, ...] | None = None,
    features: frozenset[str] = PAIRS,
    zero: int = 0,
) -> Sequence | None:
    """Steps from ``slots`` codes of a dense stream to as many numbers; None where only a cast one by one serves.

    ``order`` gives for each number the place of its code in the stream, and is the natural one if left out.
    ``features`` are what ``features_used`` gives for the architecture. Numbers that the target lacks are rounded to
    nearest even, and saturate if the target does so by itself. With a ``zero`` the steps take integer zero points of at
    most that magnitude from the numbers; None where that takes a second step or is not exact.
    """
    if target.name not in TARGETS or source is target or source.bits > 8:
        return None
    order = tuple(range(slots)) if order is None else order
    assert len(order) == slots, f"an order of {len(order)} for {slots} codes"
    ways = _less_zeros(source, target, order, features, zero) if zero else _ways(source, target, order, features)
    found = [made for way in ways if (made := _made(way, source, target, slots))]
    return min(found, key=lambda each: each.cost, default=None)


def _starts(source: DType, order: tuple[int, ...], count: int) -> Starts:
    """The first bits of the codes of each output word; the last word repeats a code where there is none."""
    bits = [place * source.bits for place in order]
    words = [tuple(bits[at : at + count]) for at in range(0, len(bits), count)]
    return [each + each[:1] * (count - len(each)) for each in words]


def _ways(source: DType, target: DType, order: tuple[int, ...], features: frozenset[str]) -> Iterator[Way]:
    starts = _starts(source, order, 32 // target.bits)
    if table_fits(source, target, starts):
        yield lambda stream: looked_up(stream, source, target, starts)
    if target.name == "i8" and source.kind in ("int", "uint") and source.bits + (not source.signed) <= 8:
        yield lambda stream: integers_in_bytes(stream, source, starts)
    yield from converted_by_hardware(source, target, starts, features)
    if target in (F16, BF16, F32):
        yield from _to_floats(source, target, order, features)


def _less_zeros(
    source: DType, target: DType, order: tuple[int, ...], features: frozenset[str], zero: int
) -> Iterator[Way]:
    """Integers less zero points."""
    if source.kind not in ("int", "uint") or target not in (F16, BF16, F32):
        return
    lanes = Lanes(target)
    starts = _starts(source, order, lanes.count)
    if integers_fit(source, lanes, zero) and (target is not BF16 or "bf16x2" in features):
        yield from _and_after_halves(
            partial(widened_integers, source=source, lanes=lanes, starts=starts, zeros=True), starts
        )


def _to_floats(source: DType, target: DType, order: tuple[int, ...], features: frozenset[str]) -> Iterator[Way]:
    """Directly, or from f16 or bf16 by f32 numbers, of which bf16 takes the upper halves: three instructions more."""
    pairs, singles = "bf16x2" in features, list(_widened(source, F32, order, features))
    if target is F32 and source.kind in ("int", "uint"):
        yield from singles
        return
    direct = [] if target is F32 or (target is BF16 and not pairs) else list(_widened(source, target, order, features))
    yield from direct
    cheap = source.exponent == F16.exponent or source.name in HARDWARE
    if target is not F16 and exact(source, F16) and (cheap or not direct):
        for way in _sixteen(source, F16, order, features):
            yield in_f32(way, F16) if target is F32 else upper_halves(in_f32(way, F16))
    elif target is not BF16 and exact(source, BF16) and pairs and not direct:
        for way in _sixteen(source, BF16, order, features):
            yield in_f32(way, BF16) if target is F32 else rounded_halves(in_f32(way, BF16))
    if target is not F16 and (not pairs or not direct):
        yield from singles if target is F32 else map(upper_halves, singles)


def _sixteen(source: DType, target: DType, order: tuple[int, ...], features: frozenset[str]) -> Iterator[Way]:
    """The ways to a float of 16 bits that need no other."""
    starts = _starts(source, order, 2)
    if table_fits(source, target, starts):
        yield lambda stream: looked_up(stream, source, target, starts)
    yield from converted_by_hardware(source, target, starts, features)
    yield from _widened(source, target, order, features)


def _widened(source: DType, target: DType, order: tuple[int, ...], features: frozenset[str]) -> Iterator[Way]:
    lanes = Lanes(target)
    starts = _starts(source, order, lanes.count)
    plain: list[Way] = []
    if source.kind in ("int", "uint") and integers_fit(source, lanes):
        plain.append(lambda stream: widened_integers(stream, source, lanes, starts))
    if floats_fit(source, lanes) or (floats_overflow(source, lanes) and "minmax_f16x2" in features):
        plain += [partial(widened_floats, source=source, lanes=lanes, starts=starts, placing=each) for each in PLACINGS]
    if scales_fit(source, lanes) and "minmax_f16x2" in features:
        plain.append(lambda stream: widened_scales(stream, source, lanes, starts))
    for way in plain:
        yield from _and_after_halves(way, starts)


def _and_after_halves(way: Way, starts: Starts) -> Iterator[Way]:
    """A way, and the same from words in which halves of the stream are brought together."""
    yield way
    distance = halves_apart(starts)
    if distance:

        def after(stream: Stream) -> tuple[Term, ...] | None:
            stream.bring_halves_together(distance)
            return way(stream)

        yield after


def _made(way: Way, source: DType, target: DType, slots: int) -> Sequence | None:
    words = -(-slots * source.bits // 32)
    stream = Stream(words)
    outputs = way(stream)
    if outputs is None:
        return None
    outputs = outputs[: -(-slots * target.bits // 32)]
    spare = slots * target.bits % 32
    if spare:
        outputs = (*outputs[:-1], stream.builder.masked(outputs[-1], (1 << spare) - 1))
    return stream.builder.finished(words, slots, outputs)


@lru_cache(maxsize=256)
def interleave(source: DType, target: DType) -> tuple[int, ...]:
    """The order of 32 codes in which the steps are cheapest: for each number the place of its code in the stream.

    It counts what they take both on an architecture that converts no narrow floats and on one that converts all, since
    there is one order for all architectures. The order is a permutation of the bits of a place.

    >>> from tilevm.dtypes import F16, dtype
    >>> interleave(dtype("u4"), F16)[:8], interleave(dtype("u3"), F16)[:4]
    ((0, 4, 1, 5, 2, 6, 3, 7), (0, 16, 1, 17))
    """
    best, least = NATURAL, None
    for order in _orders(max(32 // target.bits, 2)):
        features = {PAIRS, features_used(source, frozenset(FEATURES))}
        made = [synthesise(source, target, PART, order, each) for each in features]
        cost = sum(each.cost for each in made if each is not None)
        if all(made) and (least is None or cost < least):
            best, least = order, cost
    return best


def _orders(lanes: int) -> Iterator[tuple[int, ...]]:
    """Orders of 32 codes in which the numbers of an output word lie as many codes apart as a power of two."""
    distance = 1
    while distance * lanes <= PART:
        yield tuple(
            group + first + lane * distance
            for group in range(0, PART, distance * lanes)
            for first in range(distance)
            for lane in range(lanes)
        )
        distance *= 2


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
    source: DType, target: DType, order: tuple[int, ...], rounding: str, saturate: bool, arch: Arch, zero: int = 0
) -> tuple[Part, ...]:
    """The steps that cast a tile, its numbers in ``order``: whole parts, and what is left; none where they go singly.

    With a ``zero`` they take zero points away; none where that is a step of its own.

    >>> from tilevm.arch import arch
    >>> from tilevm.dtypes import F16, dtype
    >>> parts = tile_parts(dtype("u4"), F16, tuple(range(20)), "nearest_even", False, arch("sm_80"))
    >>> [(part.repeats, part.steps.slots, part.first_word, part.first_output) for part in parts]
    [(2, 8, 0, 0), (1, 4, 2, 8)]
    """
    usual = rounding == "nearest_even" and saturate == target.saturates
    if not (usual or exact(source, target)) or (saturate and source.has_infinity):
        return ()
    if sorted(order) != list(range(len(order))):
        return ()
    size, slots, features = part_slots(source, target, order), len(order), features_used(source, arch.features)
    counts = [(slots // size, size, order[:size])]
    counts.append((1, slots % size, tuple(place - slots // size * size for place in order[slots // size * size :])))
    parts, word, output = [], 0, 0
    for repeats, count, own in counts:
        if not repeats or not count:
            continue
        steps = synthesise(source, target, count, None if own == tuple(range(count)) else own, features, zero)
        if steps is None:
            return ()
        parts.append(Part(steps, repeats, word, output))
        word, output = word + repeats * steps.words, output + repeats * len(steps.outputs)
    return tuple(parts)
