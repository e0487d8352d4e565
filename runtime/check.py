"""Checking a kernel without arguments: a value is assumed for each compile-time parameter that has none.

A format is assumed from a short list, since what a kernel does may suit floats only or narrow integers only; an integer
is the first value that the kernel is tuned over. The first combination that makes sense is enough. Where none does, the
mistakes are those of the first one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice, product
from typing import Any

from tilevm.errors import ArgumentError, ProgramError
from tilevm.runtime.kernel import Kernel

__all__ = ["check_kernel"]

REPRESENTATIVE = ("f16", "u4", "i8", "f8e4m3", "f32", "i32")
"""Formats that are tried for one that has no default, in this order."""

ATTEMPTS = 40
"""How many combinations of assumed values are tried at most."""


def check_kernel(kernel: Kernel, bound: Mapping[str, Any]) -> dict[str, Any]:
    """Checks a kernel with some compile-time parameters bound; returns what was assumed for those without a value.

    Raises ``ProgramError`` with every mistake of the kernel, ``ArgumentError`` where a parameter has no value and none
    can be assumed, or a ``require`` does not hold.

    >>> from tilevm.runtime.kernel import kernel
    >>> check_kernel(kernel("kernel k[T: dtype](x: T[N]):\\n    grid 1\\n    a = load(x[0 :+ 8])\\n"), {})
    {'T': 'f16'}
    """
    first: ProgramError | ArgumentError | None = None
    for assumed in islice(_assumptions(kernel, bound), ATTEMPTS):
        try:
            kernel.specialise(**bound, **assumed)
        except (ProgramError, ArgumentError) as error:
            first = first or error
        else:
            return assumed
    assert first is not None
    raise first


def _assumptions(kernel: Kernel, bound: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Every combination of values for the parameters that have none."""
    open_parameters = [each for each in kernel.definition.compile_time if each.required and each.name not in bound]
    choices: list[tuple[Any, ...]] = []
    names = []
    for parameter in open_parameters:
        tuned = kernel.definition.tunes.get(parameter.name, ())
        values = {"dtype": REPRESENTATIVE, "bool": (True, False), "int": tuned}.get(parameter.kind, ())
        if values:
            names.append(parameter.name)
            choices.append(values)
    for values in product(*choices):
        yield dict(zip(names, values, strict=True))
