"""Straight-line steps over 32-bit words, as data.

A step is one instruction of the GPU (``prmt``, ``lop3``, a shift, an operation on two 16-bit floats, one on an f32) and
its operands: words that are given, results of steps before it, constants. The builder makes no step twice.

>>> builder = Builder()
>>> low = builder.lop3(Given(0), 0x000F000F, 0x64006400, AND_XOR)
>>> builder.lop3(Given(0), 0x000F000F, 0x64006400, AND_XOR) == low
True
>>> sequence = builder.finished(words=1, slots=2, outputs=(builder.step("sub_f16x2", low, 0x64006400),))
>>> sequence.cost, sequence.per_value
(2, 1.0)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

__all__ = ["AND", "AND_OR", "AND_XOR", "SELECT", "XOR", "Builder", "Given", "Made", "Sequence", "Step", "Term", "Zero"]

AND = 0xC0
"""``lop3`` table of a & b."""
AND_XOR = 0x6A
"""``lop3`` table of (a & b) ^ c."""
AND_OR = 0xEA
"""``lop3`` table of (a & b) | c."""
XOR = 0x3C
"""``lop3`` table of a ^ b."""
SELECT = 0xCA
"""``lop3`` table of a ? b : c, bit by bit."""


@dataclass(frozen=True)
class Given:
    """A word of the stream of codes, by its number."""

    index: int


@dataclass(frozen=True)
class Made:
    """The result of a step, by its number."""

    index: int


@dataclass(frozen=True)
class Zero:
    """The zero points of an output word, as numbers of the target, by the number of the word."""

    index: int


Term: TypeAlias = Given | Made | Zero | int


@dataclass(frozen=True)
class Step:
    """One instruction. ``table`` is the truth table of a ``lop3``, else 0; an operand that is an int is a constant."""

    operation: str
    operands: tuple[Term, ...]
    table: int = 0


@dataclass(frozen=True)
class Sequence:
    """Steps that turn ``slots`` codes, in ``words`` words, into the words ``outputs`` of numbers of the target."""

    words: int
    slots: int
    steps: tuple[Step, ...]
    outputs: tuple[Term, ...]

    @property
    def cost(self) -> int:
        """How many instructions it is; what is made of zero points alone is not counted, since it serves many codes."""
        return sum(any(isinstance(each, Given | Made) for each in step.operands) for step in self.steps)

    @property
    def per_value(self) -> float:
        """Instructions for each number."""
        return self.cost / self.slots


@dataclass
class Builder:
    """Collects steps; equal ones are made once."""

    steps: list[Step] = field(default_factory=list)
    known: dict[Step, Made] = field(default_factory=dict)

    def step(self, operation: str, *operands: Term, table: int = 0) -> Made:
        """The result of a step."""
        made = Step(operation, operands, table)
        if made not in self.known:
            self.known[made] = Made(len(self.steps))
            self.steps.append(made)
        return self.known[made]

    def lop3(self, a: Term, b: Term, c: Term, table: int) -> Term:
        """A bitwise function of three words."""
        return self.step("lop3", a, b, c, table=table)

    def masked(self, a: Term, mask: int) -> Term:
        """The bits of a word that are in a mask."""
        return a if mask == 0xFFFFFFFF else self.lop3(a, mask, 0, AND)

    def shifted(self, a: Term, right: int) -> Term:
        """A word shifted to the right, or by a negative number to the left."""
        if right == 0:
            return a
        return self.step("shift_right", a, right) if right > 0 else self.step("shift_left", a, -right)

    def finished(self, words: int, slots: int, outputs: tuple[Term, ...]) -> Sequence:
        """The sequence without steps whose results nobody uses."""
        used: set[int] = set()
        pending = [each.index for each in outputs if isinstance(each, Made)]
        while pending:
            index = pending.pop()
            if index not in used:
                used.add(index)
                pending += [each.index for each in self.steps[index].operands if isinstance(each, Made)]
        order = {index: Made(place) for place, index in enumerate(sorted(used))}

        def renamed(term: Term) -> Term:
            return order[term.index] if isinstance(term, Made) else term

        kept = tuple(
            Step(self.steps[index].operation, tuple(map(renamed, self.steps[index].operands)), self.steps[index].table)
            for index in sorted(used)
        )
        return Sequence(words, slots, kept, tuple(map(renamed, outputs)))
