"""Elements that change threads within their warps: by shuffles, in which each lane sends a word and gets one.

A shuffle sends what lies in *one* register of every lane, since registers are named by constants. So the work is to
choose, for pieces of two values:

    stays in the slots            nothing; such pieces are put together to words first
    lane → lane or warp           the lane from which a lane takes its word has its bits in another order
    lane → slot                   each of the two slots is taken from another lane
    slot → lane, spare lanes      lanes that held the same send different slots: a *select* in front
    slot → lane and lane → slot   lanes *exchange* halves of their slots. A word is sent by its coset: in round r a
                                  lane sends the slot that differs from its own bit by r, and finds its place by a
                                  second exchange after the shuffle

The first three take one shuffle for each word that a thread gets, which is the least, and the last adds selects.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from tilevm.dtypes import DType
from tilevm.layout import Layout
from tilevm.plan import Plan
from tilevm.plans.packets import WORD_BITS, Packets, held_bits
from tilevm.plans.pieces import LANE_BITS, Piece, Place, lane_bit, offsets, stays_in_warps

__all__ = ["LaneExchange", "Switch", "lane_exchange"]


@dataclass(frozen=True)
class Switch:
    """Words at ``first`` and ``distance`` further, of which the bit ``thread / stride % 2`` of a thread takes the
    second, or which it exchanges."""

    stride: int
    first: tuple[int, ...]
    distance: int


@dataclass(frozen=True, kw_only=True)
class LaneExchange(Plan):
    """From packets of the source to packets of the target.

    First ``selects`` and ``exchanges`` among the words of the source. Then word ``taken[i]`` of lane
    ``lanes(thread) ^ flips[i]`` becomes word ``i`` of the target, where ``lanes`` is the sum of terms
    ``(mask, shift)``: the bits ``mask`` of the thread moved up by ``shift``, or down. At last ``settles`` exchanges
    words of the target.
    """

    kind: ClassVar[str] = "lanes"
    packed: Packets
    selects: tuple[Switch, ...]
    exchanges: tuple[Switch, ...]
    taken: tuple[int, ...]
    flips: tuple[int, ...]
    lanes: tuple[tuple[int, int], ...]
    settles: tuple[Switch, ...]
    unpacked: Packets

    @property
    def same_lane(self) -> bool:
        """Whether the source lane differs from the own one by ``flips`` alone."""
        return self.lanes == (((1 << LANE_BITS) - 1, 0),)

    @property
    def shuffled(self) -> tuple[int, ...]:
        """The words of the target that come from another lane."""
        return tuple(i for i, flip in enumerate(self.flips) if flip or not self.same_lane)

    @property
    def kept(self) -> tuple[int, ...]:
        """The words of the target that the thread has itself."""
        return tuple(i for i, flip in enumerate(self.flips) if not flip and self.same_lane)

    def taken_for(self, words: tuple[int, ...]) -> tuple[int, ...]:
        """The words of the source that become words of the target."""
        return tuple(self.taken[i] for i in words)

    def flips_for(self, words: tuple[int, ...]) -> tuple[int, ...]:
        """What the source lanes of words of the target differ in."""
        return tuple(self.flips[i] for i in words)

    @property
    def cost(self) -> float:
        """Shuffles, and selects at half their price: passes through a unit that serves 32 lanes at once."""
        chosen = sum(len(switch.first) for switch in self.selects)
        exchanged = sum(2 * len(switch.first) for switch in (*self.exchanges, *self.settles))
        return len(self.shuffled) + (chosen + exchanged) / 2


@dataclass(frozen=True)
class _Roles:
    """What is to be done with each piece."""

    kept: list[Piece]
    own: list[Piece]
    """Slots of the source among which a thread takes those of its own bit; the source lane is itself in that bit."""
    chosen: list[tuple[Piece, int]]
    """Slots among which the spare lanes of the source, by this bit, each take one."""
    exchanged: list[tuple[Piece, Piece]]
    """A piece from slots to lanes, with one from lanes to slots."""
    fetched: list[Piece]
    """From lanes to slots."""
    lanes: dict[int, int]
    """For bits of the source lane, the bit of the own thread that they are."""

    @property
    def sent(self) -> list[Piece]:
        """The pieces that lanes send from different slots."""
        return [*(piece for piece, _ in self.chosen), *(piece for piece, _ in self.exchanged)]


def lane_exchange(parts: Sequence[Piece], dtype: DType, source: Layout, target: Layout) -> LaneExchange | None:
    """How elements come from one layout to the other within their warps; None where a thread needs what no thread of
    its warp has, or where threads are counted by other than powers of two."""
    roles = _roles(parts)
    if roles is None:
        return None
    packet = _packet(roles.kept, held_bits(dtype))
    inside = [(piece.size, piece.source.stride) for piece in packet]
    sources = _bases(parts, packet, source.slots, "source")
    targets = _bases(parts, packet, target.slots, "target")
    packed = Packets.of(dtype, [base + step for base in sources for step in offsets(inside)], len(offsets(inside)))
    inside = [(piece.size, piece.target.stride) for piece in packet]
    unpacked = Packets.of(dtype, [base + step for base in targets for step in offsets(inside)], len(offsets(inside)))
    number = {slot: place for place, slot in enumerate(sources)}
    taken, flips = zip(*(_origin(roles, slot) for slot in targets), strict=True)
    words = packed.words

    selected = [(piece.source.stride, piece.target.stride) for piece in roles.own]
    selected += [(piece.source.stride, 1 << bit) for piece, bit in roles.chosen]
    sent = [(slot.source.stride, lane.source.stride) for slot, lane in roles.exchanged]
    got = [(lane.target.stride, slot.target.stride) for slot, lane in roles.exchanged]
    left = [slot for slot in sources if all(slot // step % 2 == 0 for step, _ in selected)]
    return LaneExchange(
        packed=packed,
        selects=tuple(_selects(sources, selected, words)),
        exchanges=tuple(_switch(sources, left, bit, words) for bit in sent),
        taken=_by_words([number[slot] for slot in taken], words),
        flips=tuple(flip for flip in flips for _ in range(words)),
        lanes=_terms(roles.lanes),
        settles=tuple(_switch(targets, targets, bit, words) for bit in got),
        unpacked=unpacked,
    )


def _selects(bases: list[int], bits: Sequence[tuple[int, int]], words: int) -> Iterator[Switch]:
    left = bases
    for bit in bits:
        yield _switch(bases, left, bit, words)
        left = [slot for slot in left if slot // bit[0] % 2 == 0]


def _switch(bases: list[int], left: list[int], bit: tuple[int, int], words: int) -> Switch:
    """A switch of packets that begin at ``bases``, those that are ``left``, by ``(stride of slots, of threads)``."""
    step, stride = bit
    first = [slot for slot in left if slot // step % 2 == 0]
    distance = bases.index(first[0] + step) - bases.index(first[0])
    return Switch(stride, _by_words(map(bases.index, first), words), distance * words)


def _by_words(packets: Iterable[int], words: int) -> tuple[int, ...]:
    return tuple(packet * words + word for packet in packets for word in range(words))


def _roles(parts: Sequence[Piece]) -> _Roles | None:
    """What is to be done with each piece; None where that cannot be done within warps."""
    roles = _Roles([], [], [], [], [], {})
    to_lanes: list[Piece] = []
    for piece in parts:
        if piece.size == 2 and piece.source.axis == "R" and lane_bit(piece.target) is not None:
            to_lanes.append(piece)
        elif not _simply(piece, roles):
            return None
    held = {piece.source.stride for piece in parts if piece.source.axis == "T"}
    spare = [bit for bit in range(LANE_BITS) if 1 << bit not in held]
    _send(to_lanes, spare, roles)
    if any(piece not in roles.own and piece not in roles.sent for piece in to_lanes):
        return None  # lanes that went to warps left too few that could send
    fetched = {piece.source.stride for piece in roles.fetched}
    for bit in range(LANE_BITS):
        if 1 << bit not in fetched:
            roles.lanes.setdefault(bit, bit)
    whole = all(stays_in_warps(piece, place) for piece in parts for place in piece[1:])
    alone = not roles.chosen and not fetched and all(bit == own for bit, own in roles.lanes.items())
    return roles if whole or alone else None


def _simply(piece: Piece, roles: _Roles) -> bool:
    """Gives a piece that does not go from slots to lanes its role; False where there is none."""
    source, target = piece.source, piece.target
    bit = lane_bit(source) if piece.size == 2 else None
    if source.axis == target.axis == "R":
        roles.kept.append(piece)
    elif source == target:
        if bit is not None:
            roles.lanes[bit] = bit
    elif source.axis == "R" and piece.size == 2:
        roles.own.append(piece)
    elif bit is not None and target.axis == "R":
        roles.fetched.append(piece)
    elif bit is not None and target.stride.bit_count() == 1:
        roles.lanes[bit] = _bit(target)
    else:
        return False
    return True


def _send(to_lanes: list[Piece], spare: list[int], roles: _Roles) -> None:
    """Gives pieces that go from slots to lanes their roles. Spare lanes have all the slots: best is the lane that needs
    one of them itself, then any; where none is left, a lane exchanges."""
    own = [piece for piece in to_lanes if _bit(piece.target) in spare]
    roles.own.extend(own)
    free = [bit for bit in spare if bit not in map(_bit, (piece.target for piece in own))]
    leaving = {piece.source for piece in roles.fetched}
    rest = sorted((piece for piece in to_lanes if piece not in own), key=lambda piece: piece.target in leaving)
    for piece, bit in zip(rest, free, strict=False):
        roles.chosen.append((piece, bit))
        roles.lanes[bit] = _bit(piece.target)
    # Best on the same bit of the lane, so that it stays where it is.
    for piece in sorted(rest[len(free) :], key=lambda piece: piece.target not in leaving):
        partner = next((each for each in roles.fetched if each.source == piece.target), None)
        partner = partner or next(iter(roles.fetched), None)
        if partner is not None:
            roles.fetched.remove(partner)
            roles.exchanged.append((piece, partner))
            roles.lanes[_bit(partner.source)] = _bit(piece.target)


def _bit(place: Place) -> int:
    """The bit of the number of a thread that a step flips."""
    return place.stride.bit_length() - 1


def _packet(kept: Sequence[Piece], bits: int) -> list[Piece]:
    """The pieces that make a packet of at most a word, the last one nearest: those whose slots lie nearest."""
    found: list[Piece] = []
    for piece in sorted(kept, key=lambda piece: piece.source.stride + piece.target.stride):
        if piece.size == 2 and bits << len(found) + 1 <= WORD_BITS:
            found.insert(0, piece)
    return found


def _bases(parts: Sequence[Piece], packet: Sequence[Piece], slots: int, side: str) -> list[int]:
    """The first slot of each packet, in rising order."""
    strides = {getattr(piece, side).stride for piece in packet}
    return [slot for slot in range(slots) if all(slot // stride % 2 == 0 for stride in strides)]


def _origin(roles: _Roles, slot: int) -> tuple[int, int]:
    """For a slot of the target, before it settles: the slot that is sent, and what the source lane differs in."""
    source = sum(slot // piece.target.stride % piece.size * piece.source.stride for piece in roles.kept)
    flips = 0
    for out, back in roles.exchanged:
        coset = slot // back.target.stride % 2
        source += coset * out.source.stride
        flips |= coset * back.source.stride
    for piece in roles.fetched:
        flips |= slot // piece.target.stride % 2 * piece.source.stride
    return source, flips


def _terms(lanes: dict[int, int]) -> tuple[tuple[int, int], ...]:
    """Bits of the source lane that are bits of the own thread, as ``(mask, shift)``."""
    masks: dict[int, int] = {}
    for bit, own in lanes.items():
        masks[bit - own] = masks.get(bit - own, 0) | 1 << own
    return tuple(sorted((mask, shift) for shift, mask in masks.items()))
