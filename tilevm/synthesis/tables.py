"""Formats of at most four bits by a table of bytes: ``prmt`` looks up four codes at once.

A selector of ``prmt`` has four bits for each byte that it takes, of which three choose among eight bytes. So codes are
first spread to four bits each, where they have less; sixteen entries are two tables and a mask, which another ``prmt``
makes of the fourth bits. Where the upper eight differ from the lower in the same bits only, as a sign does, one table
and the mask are enough. A target of two bytes takes a table for each, and two more ``prmt`` bring the bytes together.
"""

from __future__ import annotations

import numpy as np

from tilevm.dtypes import DType, cast_codes
from tilevm.synthesis.source_words import Starts, Stream
from tilevm.synthesis.steps import AND_XOR, SELECT, Term

__all__ = ["looked_up", "table_fits"]

GROUP = 8
"""Codes that one word of selectors holds."""


def table_fits(source: DType, target: DType, starts: Starts) -> bool:
    """Whether the codes are few, and those of an output word lie in the stream in the same half of a group of eight."""
    if source.bits > 4 or target.bits not in (8, 16) or sum(map(len, starts)) % GROUP:
        return False
    halves = [{start // source.bits // (GROUP // 2) for start in codes} for codes in starts]
    return all(len(each) == 1 for each in halves)


def looked_up(stream: Stream, source: DType, target: DType, starts: Starts) -> tuple[Term, ...]:
    """The output words."""
    values = _table(source, target)
    planes = [[value >> 8 * plane & 0xFF for value in values] for plane in range(target.bits // 8)]
    found: dict[int, list[Term]] = {}
    for group in sorted({codes[0] // source.bits // GROUP for codes in starts}):
        nibbles = _spread(stream, source.bits, group)
        for half in (0, 1):
            found[2 * group + half] = [_bytes(stream, plane, nibbles, half) for plane in planes]
    outputs: list[Term] = []
    for codes in starts:
        places = [start // source.bits for start in codes]
        parts = found[places[0] // (GROUP // 2)]
        chosen = [place % (GROUP // 2) + 4 * part for place in places for part in range(len(parts))]
        selector = sum(each << 4 * place for place, each in enumerate(chosen))
        natural = selector == 0x3210
        outputs.append(parts[0] if natural else stream.builder.step("prmt", parts[0], parts[-1], selector))
    return tuple(outputs)


def _table(source: DType, target: DType) -> list[int]:
    """The target's code for each code, as a cast gives it; codes that a codebook has not repeat the first."""
    count = len(source.table) or 1 << source.bits
    codes = np.arange(count).astype(source.storage)
    cast = cast_codes(source, target, codes)
    cast = cast if target.carrier is None else target.to_codes(cast)
    return [*(int(each) for each in cast), *([int(cast[0])] * ((1 << source.bits) - count))]


def _spread(stream: Stream, bits: int, group: int) -> Term:
    """A word of eight nibbles, a code in each: the codes are parted in halves, quarters, and one by one."""
    builder, first = stream.builder, GROUP * bits * group
    window = stream.window(first)
    if window not in stream.pool:
        stream.part(first)
    word = stream.pool[window]
    if bits == 4:
        return word
    for codes in (4, 2, 1):
        unit = 8 * codes
        mask = sum(((1 << codes * bits) - 1) << place for place in range(0, 32, unit))
        word = builder.lop3(mask, word, builder.shifted(word, codes * bits - 4 * codes), SELECT)
    return builder.masked(word, ((1 << bits) - 1) * 0x11111111)


def _bytes(stream: Stream, plane: list[int], nibbles: Term, half: int) -> Term:
    """Four bytes of a table, chosen by four nibbles of a word."""
    builder = stream.builder
    if len(set(plane)) == 1:
        return plane[0] * 0x01010101
    lower, upper = (plane * 8)[:8], plane[8:]
    if not upper:
        return builder.step("prmt", *_words(lower), builder.shifted(nibbles, 16 * half))
    selector = builder.shifted(builder.masked(nibbles, 0x77777777), 16 * half)
    found = builder.step("prmt", *_words(lower), selector)
    changed = {low ^ high for low, high in zip(lower, upper, strict=True)}
    if changed == {0}:
        return found
    # The fourth bits of odd codes are at the tops of bytes, and those of the others after a shift.
    mask = builder.step("prmt", builder.shifted(nibbles, -4), nibbles, (0xD9C8, 0xFBEA)[half])
    if len(changed) == 1:
        return builder.lop3(mask, changed.pop() * 0x01010101, found, AND_XOR)
    return builder.lop3(mask, builder.step("prmt", *_words(upper), selector), found, SELECT)


def _words(table: list[int]) -> tuple[int, int]:
    """Eight bytes as two words."""
    low, high = (sum(each << 8 * place for place, each in enumerate(table[at : at + 4])) for at in (0, 4))
    return low, high
