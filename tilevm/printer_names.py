"""Which values may take over a name: from values that are defined once back to names that change.

A loop carries a value as a name that its body assigns. Where the new value is computed it may take the name at once,
``acc = dot(a, b, acc)``, if the old value is not needed from there on; else it needs a name of its own until the end of
the body, and an assignment there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tilevm.ir import For, Statement, While
from tilevm.uses import defined, used_within
from tilevm.values import Operand, Value

__all__ = ["End", "early"]


@dataclass(frozen=True)
class End:
    """A name at the end of a body: what it stands for there, and what it stood for before, if anything."""

    name: str
    value: Operand
    before: Value | None


def early(statements: Sequence[Statement], ends: Sequence[End]) -> int:
    """How many of the first names may be given to their values where these are computed, in the order of the names.

    A name may if what it stood for before is not needed from there on.
    """
    places = {
        value: (place, number)
        for place, statement in enumerate(statements)
        for number, value in enumerate(defined(statement))
    }
    last_use = {value: place for place, statement in enumerate(statements) for value in used_within(statement)}
    previous = (-1, -1)
    for count, end in enumerate(ends):
        found = places.get(end.value) if isinstance(end.value, Value) else None
        if found is None or found <= previous:
            return count
        if end.before is not None:
            needed_at_end = any(other.value is end.before for other in ends)
            if needed_at_end or last_use.get(end.before, -1) > found[0] or _mixed(statements[found[0]], end):
                return count
        previous = found
    return len(ends)


def _mixed(statement: Statement, end: End) -> bool:
    """Whether a loop that gives a name its value uses what it stood for other than as the value before the loop."""
    if not isinstance(statement, For | While):
        return False
    uses = sum(value is end.before for value in used_within(statement))
    return uses > sum(carry.result is end.value and carry.initial is end.before for carry in statement.carried)
