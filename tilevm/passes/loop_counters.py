"""Counters of a loop: what grows by the same number in each iteration, perhaps modulo another, as slots of a ring do.

All counters are written in terms of how many iterations came before, so that a window that is counted by one and a
window that is counted by another can be compared.

>>> from tilevm.dtypes import I32
>>> from tilevm.passes.linear_forms import differences
>>> from tilevm.values import ScalarType
>>> read, filled = Value(ScalarType(I32), "read"), Value(ScalarType(I32), "filled")
>>> counters = Counters.of([Counter(read, constant(0), 1, 3), Counter(filled, constant(2), 1, 3)])
>>> sorted(differences(counters.forms[filled], counters.forms[read]))
[-1, 2]
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tilevm.passes.linear_forms import Form, Modulo, added, constant, form_of, remainder
from tilevm.values import Value

__all__ = ["Counter", "Counters", "counter"]


@dataclass(frozen=True)
class Counter:
    """A value that is ``first`` in the first iteration and grows by ``step``, which is not 0, in each; modulo
    ``modulus`` if it has one."""

    value: Value
    first: Form
    step: int
    modulus: int | None = None


def counter(value: Value, first: Form, update: Form) -> Counter | None:
    """The counter that a loop carries, from its first value and its update; None where it is none."""
    step, wrap = added(update, form_of(value), -1), _single_modulo(update)
    if not step.terms and step.constant:
        return Counter(value, first, step.constant)
    if wrap is not None and wrap.form.terms == form_of(value).terms and wrap.form.constant:
        below = not first.terms and 0 <= first.constant < wrap.modulus
        return Counter(value, first, wrap.form.constant, wrap.modulus) if below else None
    return None


@dataclass(frozen=True)
class Counters:
    """The counters of one loop. ``forms``: each in terms of the number of iterations before, for which in forms the
    value ``iteration`` stands. ``steps``: by how much they grow."""

    iteration: Value | None
    forms: Mapping[Value, Form]
    steps: frozenset[int]

    @classmethod
    def of(cls, counters: Sequence[Counter]) -> Counters:
        """The first counter lends its name to the number of iterations."""
        if not counters:
            return cls(None, {}, frozenset())
        iteration = counters[0].value
        forms = {}
        for each in counters:
            form = added(each.first, form_of(iteration), each.step)
            forms[each.value] = form if each.modulus is None else remainder(form, each.modulus)
        return cls(iteration, forms, frozenset({1, *(each.step for each in counters)}))

    def before(self, value: Value) -> Form | None:
        """What stands for the number of iterations, in an iteration, as the next one sees it; None for other values."""
        return added(form_of(value), constant(1), -1) if value is self.iteration else None

    def also(self, form: Form) -> Iterator[Form]:
        """Other forms of a number, which hold in the first iteration."""
        if self.iteration is None:
            return
        wrap = _single_modulo(form)
        for step in self.steps:
            yield added(form, form_of(self.iteration), step)
            if wrap is not None:
                yield remainder(added(wrap.form, form_of(self.iteration), step), wrap.modulus)


def _single_modulo(form: Form) -> Modulo | None:
    """The remainder that a form is, and nothing else."""
    atoms = [atom for atom, _ in form.terms]
    return atoms[0] if len(atoms) == 1 and isinstance(atoms[0], Modulo) and form == form_of(atoms[0]) else None
