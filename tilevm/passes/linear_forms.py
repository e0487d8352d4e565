"""Scalars as sums: a constant, and values with coefficients; among the values remainders of such sums.

Two windows are apart if the difference of their offsets is known and large enough. ``(i + 2) % 3`` and ``i % 3`` differ
by 2 or by -1, whatever ``i`` is; ``m * 16 + 8`` and ``m * 16`` by 8. A number that has no such form is a value of its
own.

>>> from tilevm.dtypes import I32
>>> from tilevm.values import ScalarType
>>> i = Value(ScalarType(I32), "i")
>>> slot, ahead = remainder(form_of(i), 3), remainder(added(form_of(i), constant(2)), 3)
>>> sorted(differences(ahead, slot)), sorted(differences(added(slot, constant(5)), slot))
([-1, 2], [5])
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tilevm.values import Literal, Operand, Value

__all__ = [
    "Form",
    "Modulo",
    "added",
    "apply",
    "constant",
    "differences",
    "form_of",
    "remainder",
    "scaled",
    "substituted",
]


@dataclass(frozen=True)
class Modulo:
    """The remainder of a form by a positive number, rounded down as ``%`` does; its constant is a remainder too."""

    form: Form
    modulus: int


Atom = Value | Modulo


@dataclass(frozen=True)
class Form:
    """``constant`` plus the sum of atoms times their coefficients, none of which is 0."""

    constant: int
    terms: frozenset[tuple[Atom, int]] = frozenset()


def constant(number: int) -> Form:
    """The form of a number."""
    return Form(number)


def form_of(operand: Operand | Modulo) -> Form:
    """The form of a literal, or of a value or a remainder of which nothing more is known."""
    if isinstance(operand, Literal):
        return Form(int(operand.value))
    return Form(0, frozenset({(operand, 1)}))


def added(first: Form, second: Form, times: int = 1) -> Form:
    """``first + times * second``."""
    terms = dict(first.terms)
    for atom, coefficient in second.terms:
        terms[atom] = terms.get(atom, 0) + times * coefficient
    return Form(first.constant + times * second.constant, frozenset((a, c) for a, c in terms.items() if c))


def scaled(form: Form, factor: int) -> Form:
    """``factor * form``."""
    return added(Form(0), form, factor)


def remainder(form: Form, modulus: int) -> Form:
    """``form % modulus`` for a positive modulus; a remainder by a multiple of it among the terms makes no difference.

    >>> from tilevm.dtypes import I32
    >>> from tilevm.values import ScalarType
    >>> i = form_of(Value(ScalarType(I32), "i"))
    >>> remainder(added(remainder(i, 6), constant(4)), 3) == remainder(added(i, constant(1)), 3)
    True
    """
    for atom, coefficient in form.terms:
        if isinstance(atom, Modulo) and atom.modulus % modulus == 0:
            form = added(added(form, form_of(atom), -coefficient), atom.form, coefficient)
    if not form.terms:
        return Form(form.constant % modulus)
    return form_of(Modulo(Form(form.constant % modulus, form.terms), modulus))


def apply(operator: str, *operands: Form) -> Form | None:
    """The form of an operator's result, as programs spell it; None where it has none."""
    if operator in ("-", "negative") and len(operands) == 1:
        return scaled(operands[0], -1)
    if len(operands) != 2:
        return None
    first, second = operands
    if operator in ("+", "-"):
        return added(first, second, 1 if operator == "+" else -1)
    if operator == "*" and not second.terms:
        return scaled(first, second.constant)
    if operator == "*" and not first.terms:
        return scaled(second, first.constant)
    if operator == "%" and not second.terms and second.constant > 0:
        return remainder(first, second.constant)
    return None


def substituted(form: Form, change: Callable[[Value], Form | None]) -> Form | None:
    """The form with every value replaced by a form; None where there is none for one of them."""
    result = Form(form.constant)
    for atom, coefficient in form.terms:
        if isinstance(atom, Modulo):
            inner = substituted(atom.form, change)
            found = None if inner is None else remainder(inner, atom.modulus)
        else:
            found = change(atom)
        if found is None:
            return None
        result = added(result, found, coefficient)
    return result


def differences(first: Form, second: Form) -> frozenset[int] | None:
    """Every number that ``first - second`` can be; None where that is not known."""
    rest = added(first, second, -1)
    if not rest.terms:
        return frozenset({rest.constant})
    terms: Mapping[Atom, int] = dict(rest.terms)
    if len(terms) != 2:
        return None
    (one, up), (other, down) = sorted(terms.items(), key=lambda term: -term[1])
    if not isinstance(one, Modulo) or not isinstance(other, Modulo) or up != -down or one.modulus != other.modulus:
        return None
    inside = added(one.form, other.form, -1)
    if inside.terms:
        return None
    step = inside.constant % one.modulus
    return frozenset({rest.constant + up * step, rest.constant + up * (step - one.modulus)})
