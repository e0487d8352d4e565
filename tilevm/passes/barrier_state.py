"""What may have happened to memory since the threads of a block last met, and which copies may be under way.

Copies belong to groups. Those that are not closed yet, and each closed group by how many were closed after it: what a
``wait`` covers depends on that number alone. A copy that has landed is what its thread wrote; others see it after a
barrier.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from tilevm.passes.memory_effects import Access

__all__ = ["NOTHING", "State"]

MOST_GROUPS = 32
"""Groups are told apart up to so many; older ones count as one."""

Accesses = frozenset[Access]


@dataclass(frozen=True)
class State:
    """``unordered``: accesses since the last barrier. ``open``: copies that belong to no closed group. ``groups``: the
    copies of each closed group that may be under way, the newest first."""

    unordered: Accesses = frozenset()
    open: Accesses = frozenset()
    groups: tuple[Accesses, ...] = ()

    @property
    def under_way(self) -> Iterator[Access]:
        """Every access of a copy that may not have landed."""
        yield from self.open
        for group in self.groups:
            yield from group

    def synchronised(self) -> State:
        """After a barrier."""
        return replace(self, unordered=frozenset())

    def closed(self) -> State:
        """After the group of the copies before is closed."""
        groups = (self.open, *self.groups)
        if len(groups) > MOST_GROUPS:
            groups = (*groups[: MOST_GROUPS - 1], groups[-2] | groups[-1])
        return State(self.unordered, frozenset(), _without_end(groups))

    def waited(self, left: int) -> State:
        """After a wait that leaves the newest ``left`` groups."""
        landed = frozenset().union(*self.groups[left:])
        return State(self.unordered | landed, self.open, _without_end(self.groups[:left]))

    def touched(self, accesses: Accesses, *, asynchronous: bool) -> State:
        """After accesses."""
        if asynchronous:
            return replace(self, open=self.open | accesses)
        return replace(self, unordered=self.unordered | accesses)

    def joined(self, other: State) -> State:
        """After one of two ways."""
        length = max(len(self.groups), len(other.groups))
        padded = [(*each.groups, *[frozenset[Access]()] * (length - len(each.groups))) for each in (self, other)]
        groups = tuple(one | two for one, two in zip(*padded, strict=True))
        return State(self.unordered | other.unordered, self.open | other.open, groups)

    def changed(self, ordered: Callable[[Access], Access], copied: Callable[[Access], Access]) -> State:
        """Every access changed: those since the last barrier by one function, copies under way by another."""
        groups = tuple(frozenset(map(copied, group)) for group in self.groups)
        return State(frozenset(map(ordered, self.unordered)), frozenset(map(copied, self.open)), groups)


NOTHING = State()


def _without_end(groups: tuple[Accesses, ...]) -> tuple[Accesses, ...]:
    """Without the groups at the end that hold nothing."""
    length = len(groups)
    while length and not groups[length - 1]:
        length -= 1
    return groups[:length]
