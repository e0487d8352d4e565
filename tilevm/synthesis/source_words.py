"""Words in which the codes of an output word lie where one operation can use them all.

An output word has lanes of 8, 16 or 32 bits, each for the number of one code. A *source word* serves it if each code
lies whole in its lane, at an offset that the operation allows. Source words come from the stream of codes by one shift
(a *window*: 32 consecutive bits), from two windows by one ``prmt`` (any bytes), or by shifting another source word. The
search is greedy: of all words one instruction away it takes, again and again, the one that serves most.

>>> stream = Stream(words=1)
>>> served = stream.served([(0, 16), (4, 20), (8, 24), (12, 28)], width=4, lane=16, offsets=range(0, 7))
>>> [each.offsets for each in served], len(stream.builder.steps)      # one shift by 8 serves the last two
([(0, 0), (4, 4), (0, 0), (4, 4)], 1)
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from tilevm.synthesis.steps import Builder, Given, Term

__all__ = ["Served", "Starts", "Stream", "halves_apart"]

NOWHERE = -1
Bits: TypeAlias = tuple[int, ...]
Starts: TypeAlias = list[tuple[int, ...]]
"""For each output word the first bits of its codes in the stream."""


def halves_apart(starts: Starts) -> int:
    """How many halves of words the codes of every output word lie apart; 0 where that differs or is no whole number.

    >>> halves_apart([(0, 80), (5, 85)]), halves_apart([(0, 5)])
    (5, 0)
    """
    apart = {codes[1] - codes[0] if len(codes) == 2 else 0 for codes in starts}
    distance = apart.pop() if len(apart) == 1 else 0
    return distance // 16 if distance > 0 and distance % 16 == 0 else 0


@dataclass(frozen=True)
class Served:
    """A source word, and at which bit of its lane each code lies."""

    term: Term
    offsets: tuple[int, ...]


@dataclass(frozen=True)
class _Word:
    """A word by the number in the stream of each of its bits, and how it is made of others."""

    bits: Bits
    made: tuple[str, tuple[Bits, ...], int]


@lru_cache(maxsize=4096)
def _window(first: int, last: int) -> Bits:
    return tuple(bit if 0 <= bit < last else NOWHERE for bit in range(first, first + 32))


class Stream:
    """A stream of codes in ``words`` words, and the words made of it so far; ``builder`` collects the steps."""

    def __init__(self, words: int) -> None:
        self.words = words
        self.builder = Builder()
        self.pool: dict[Bits, Term] = {self.window(32 * each): Given(each) for each in range(words)}

    def served(self, starts: Starts, width: int, lane: int, offsets: range) -> list[Served]:
        """For each output word, given the first bits of its codes of ``width`` bits, a word that serves it.

        ``lane`` is the width of a lane in bits, ``offsets`` the bits of a lane at which a code may begin.
        """
        return _Search(self, width, lane, offsets).run(starts)

    def window(self, first: int) -> Bits:
        """The numbers of 32 bits of the stream."""
        return _window(first, 32 * self.words)

    def given(self, word: int) -> Term:
        """A word of the stream."""
        return Given(word)

    def bring_halves_together(self, distance: int) -> None:
        """Makes words with a half of the stream in each lane, ``distance`` apart, and with what lies across two halves.

        So codes that lie as far apart come to the same place of their lanes, and shifts serve both. Steps that nothing
        uses are dropped in the end.
        """
        halves = []
        for half in range(min(distance, 2 * self.words - distance)):
            origins = (self.window(half // 2 * 32), self.window((half + distance) // 2 * 32))
            low, high = half % 2, (half + distance) % 2
            selector = (0x10, 0x32)[low] | (0x5400, 0x7600)[high]
            bits = (*origins[0][16 * low : 16 * low + 16], *origins[1][16 * high : 16 * high + 16])
            halves.append(_Word(bits, ("permute", origins, selector)))
        for word in halves:
            self.make(word)
        for first, second in itertools.pairwise(word.bits for word in halves):
            across = (*first[8:16], *second[:8], *first[24:], *second[16:24])
            self.make(_Word(across, ("permute", (first, second), 0x6341)))

    def part(self, first: int) -> None:
        """Makes the window that begins at a bit of the stream."""
        self.make(_Word(self.window(first), ("window", (), first)))

    def make(self, word: _Word) -> None:
        """Emits the step that makes a word."""
        if word.bits not in self.pool:
            self.pool[word.bits] = self._emitted(word)

    def _emitted(self, word: _Word) -> Term:
        kind, origins, number = word.made
        if kind == "permute":
            return self.builder.step("prmt", self.pool[origins[0]], self.pool[origins[1]], number)
        if kind == "shift":
            return self.builder.shifted(self.pool[origins[0]], number)
        first = max(number // 32, 0)
        if number > 0 and number % 32 and first + 1 < self.words:
            return self.builder.step("funnel_right", Given(first), Given(first + 1), number % 32)
        return self.builder.shifted(Given(first), number - 32 * first)


class _Search:
    """The search for codes of one width in lanes of one width."""

    def __init__(self, stream: Stream, width: int, lane: int, offsets: range) -> None:
        self.stream, self.width, self.lane, self.offsets = stream, width, lane, offsets
        self.pool, self.words = stream.pool, stream.words
        self.given: set[int] = set()
        """Codes that some word of the pool has at an allowed bit of a byte."""

    def run(self, starts: Starts) -> list[Served]:
        found: dict[int, Served] = {}
        waiting = dict(enumerate(starts))
        known = 0
        while True:
            for bits in itertools.islice(self.pool, known, None):
                self.given.update(each for codes in starts for each in codes if self._bytes(bits, each) is not None)
                for number, codes in list(waiting.items()):
                    places = self._places(bits, codes)
                    if places is not None:
                        found[number] = Served(self.pool[bits], places)
                        del waiting[number]
            known = len(self.pool)
            if not waiting:
                return [found[number] for number in range(len(starts))]
            for word in self._next(list(waiting.values())):
                self.stream.make(word)

    def _places(self, bits: Bits, codes: tuple[int, ...]) -> tuple[int, ...] | None:
        places = []
        for number, start in enumerate(codes):
            base = number * self.lane
            for offset in self.offsets:
                first = base + offset
                if bits[first] == start and bits[first + self.width - 1] == start + self.width - 1:
                    places.append(offset)
                    break
            else:
                return None
        return tuple(places)

    def _next(self, waiting: Starts) -> Iterator[_Word]:
        """The word that serves most; where that is one output word, a word for each that one can serve; where there is
        none, one that brings codes nearer."""
        seen: dict[Bits, _Word] = {}
        serving: dict[tuple[int, ...], _Word] = {}
        for codes in waiting:
            for word in self._towards(codes):
                seen.setdefault(word.bits, word)
                if codes not in serving and self._places(word.bits, codes) is not None:
                    serving[codes] = word
        best = max(seen, key=lambda bits: self._served(bits, waiting), default=None) if serving else None
        if best is not None and self._served(best, waiting) > 1:
            yield seen[best]
        elif serving:
            yield from serving.values()
        else:
            yield self._window_for_most(waiting) or self._two_lanes(waiting)

    def _served(self, bits: Bits, waiting: Starts) -> int:
        return sum(self._places(bits, codes) is not None for codes in waiting)

    def _window_for_most(self, waiting: Starts) -> _Word | None:
        """The window that gives most of the codes that no word gives by bytes."""
        lacking = [start for codes in waiting for start in codes if start not in self.given]
        phases = {offset % 8 for offset in self.offsets[:8]}
        useful: dict[int, int] = {}
        for start in lacking:
            for first in self._firsts(start):
                if first not in useful:
                    places = (each - first for each in lacking)
                    useful[first] = sum(0 <= at <= 32 - self.width and at % 8 in phases for at in places)
        if not useful:
            return None
        first = max(useful, key=lambda each: (useful[each], -each))
        return _Word(self.stream.window(first), ("window", (), first))

    def _two_lanes(self, waiting: Starts) -> _Word:
        """A word with the codes of two of four lanes, which are in two words: one more will bring all four together."""
        for codes in waiting:
            for two in (codes[:2], codes[2:]):
                if not any(all(self._bytes(bits, start) is not None for start in two) for bits in self.pool):
                    return next(self._permuted((*two, *two)))
        raise AssertionError(f"no word leads to {waiting[0]}")

    def _firsts(self, start: int) -> Iterator[int]:
        """Where a window may begin that has the code whole, at an allowed bit of a byte."""
        for offset in self.offsets:
            for byte in range(0, 32, 8):
                first = start - offset % 8 - byte
                if offset % 8 + byte + self.width <= 32 and first > -32:
                    yield first

    def _towards(self, codes: tuple[int, ...]) -> Iterator[_Word]:
        """Words one instruction away that may serve an output word."""
        for offset in self.offsets:
            first = codes[0] - offset
            if -32 < first < 32 * self.words:
                yield _Word(self.stream.window(first), ("window", (), first))
        for bits in self.pool:
            if codes[0] not in bits:
                continue
            for offset in self.offsets:
                by = bits.index(codes[0]) - offset
                if 0 < by < 32:
                    yield _Word(bits[by:] + (NOWHERE,) * by, ("shift", (bits,), by))
                elif -32 < by < 0:
                    yield _Word((NOWHERE,) * -by + bits[:by], ("shift", (bits,), by))
        if self.lane < 32:
            yield from self._permuted(codes)

    def _permuted(self, codes: tuple[int, ...]) -> Iterator[_Word]:
        """Words of bytes of at most two others: for each lane the bytes that hold its code."""
        choices = [[(bits, *taken) for bits in self.pool if (taken := self._bytes(bits, start))] for start in codes]
        for first in choices[0]:
            for second in choices[-1]:
                used = (first[0], second[0])
                lanes = [next((each for each in lane if each[0] in used), None) for lane in choices[1:-1]]
                if any(each is None for each in lanes):
                    continue
                chosen = [first, *(each for each in lanes if each is not None), second]
                selector = 0
                bits: list[int] = []
                for place, (origin, byte, offset) in enumerate(chosen):
                    for k in range(self.lane // 8):
                        # A byte that holds nothing of the code repeats one that does.
                        own = min(max(byte + k - offset // 8, byte), byte + (offset % 8 + self.width - 1) // 8)
                        selector |= (own + (4 if origin != first[0] else 0)) << 4 * (place * self.lane // 8 + k)
                        bits += origin[8 * own : 8 * own + 8]
                if len(set(used)) == 1 and selector == 0x3210:
                    continue
                yield _Word(tuple(bits), ("permute", (first[0], second[0]), selector))

    def _bytes(self, bits: Bits, start: int) -> tuple[int, int] | None:
        """The byte of a word in which a code begins, at an allowed offset, which is the second."""
        for offset in self.offsets[:8]:
            for at in range(offset % 8, 33 - self.width, 8):
                if bits[at] == start and bits[at + self.width - 1] == start + self.width - 1:
                    return at // 8, offset
        return None
