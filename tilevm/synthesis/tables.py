"""Formats of at most four bits by a table of bytes: ``prmt`` looks up four codes at once.

A selector of ``prmt`` has four bits for each byte that it takes, of which three choose among eight bytes. So codes are
first spread to four bits each, where they have less; sixteen entries are two tables and a mask, which another ``prmt``
makes of the fourth bits. A target of two bytes takes a table for each, and two more ``prmt`` bring the bytes together.
"""

from __future__ import annotations

import numpy as np

from tilevm.dtypes import DType, cast_codes
from tilevm.synthesis.source_words import Starts, Stream
from tilevm.synthesis.steps import SELECT, Term

__all__ = ["looked_up", "table_fits"]

GROUP = 8
"""Codes that one word of selectors holds."""


def table_fits(source: DType, target: DType, starts: Starts) -> bool:
    """Whether the codes are few, and lie in the stream in the order of the numbers, in whole groups of eight."""
    flat = [start for codes in starts for start in codes]
    natural = flat == list(range(0, len(flat) * source.bits, source.bits))
    return source.bits <= 4 and target.bits in (8, 16) and natural and len(flat) % GROUP == 0


def looked_up(stream: Stream, source: DType, target: DType, starts: Starts) -> tuple[Term, ...]:
    """The output words."""
    values = _table(source, target)
    planes = [[value >> 8 * plane & 0xFF for value in values] for plane in range(target.bits // 8)]
    outputs: list[Term] = []
    for group in range(sum(map(len, starts)) // GROUP):
        nibbles = _spread(stream, source.bits, group)
        for half in (0, 16):
            found = [_bytes(stream, plane, stream.builder.shifted(nibbles, half)) for plane in planes]
            if len(found) == 1:
                outputs.append(found[0])
            else:
                outputs += [stream.builder.step("prmt", found[0], found[1], selector) for selector in (0x5140, 0x7362)]
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


def _bytes(stream: Stream, plane: list[int], nibbles: Term) -> Term:
    """Four bytes of a table, chosen by the lower four nibbles of a word."""
    builder = stream.builder
    if len(set(plane)) == 1:
        return plane[0] * 0x01010101
    plane = plane if len(plane) > 8 else (plane * 8)[:8]
    words = [sum(each << 8 * place for place, each in enumerate(plane[at : at + 4])) for at in range(0, len(plane), 4)]
    if len(words) == 2:
        return builder.step("prmt", words[0], words[1], nibbles)
    selector = builder.masked(nibbles, 0x77777777)
    upper = builder.masked(builder.shifted(nibbles, 1), 0x44444444)
    mask = builder.step("prmt", 0, 0xFFFFFFFF, upper)
    found = [builder.step("prmt", *pair, selector) for pair in (words[2:], words[:2])]
    return builder.lop3(mask, found[0], found[1], SELECT)
