"""The arguments of a call, sorted by what they are for.

Positional arguments go to the parameters that are not ``out``, in their order. Keywords name any parameter, a
compile-time parameter, or a size (``N=1000``), which is known as one only when the program is specialised.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tilevm.dtypes import DType
from tilevm.errors import ArgumentError, Diagnostic, did_you_mean
from tilevm.frontend import KernelDefinition, ParameterDefinition
from tilevm.ir import Program
from tilevm.runtime.shapes import LARGEST_SIZE

__all__ = ["Arguments", "check_scalar", "sizes_among", "sort_arguments"]


@dataclass
class Arguments:
    """What was passed: ``others`` are keywords that name neither a parameter nor a compile-time parameter."""

    tensors: dict[str, Any] = field(default_factory=dict)
    scalars: dict[str, Any] = field(default_factory=dict)
    compile_time: dict[str, Any] = field(default_factory=dict)
    others: dict[str, Any] = field(default_factory=dict)


def sort_arguments(definition: KernelDefinition, positional: Sequence[Any], keywords: Mapping[str, Any]) -> Arguments:
    """Sorts the arguments of a call of a kernel.

    Raises ``ArgumentError`` A002 for too many positional arguments or one given twice, A003 with every one missing.
    """
    passed = _by_name(definition, positional, keywords)
    names = {parameter.name for parameter in definition.parameters}
    compile_time = {parameter.name for parameter in definition.compile_time}
    arguments = Arguments(
        compile_time={name: value for name, value in keywords.items() if name in compile_time},
        others={name: value for name, value in keywords.items() if name not in names | compile_time},
    )
    missing = []
    for parameter in definition.parameters:
        if parameter.name in passed:
            group = arguments.tensors if parameter.is_tensor else arguments.scalars
            group[parameter.name] = passed[parameter.name]
        elif parameter.access != "out":
            missing.append(_missing(definition, parameter, arguments.others))
    if missing:
        raise ArgumentError.of(missing)
    return arguments


def _by_name(definition: KernelDefinition, positional: Sequence[Any], keywords: Mapping[str, Any]) -> dict[str, Any]:
    """The value of each parameter that was passed; ``None`` for an ``out`` parameter means that it was not."""
    taking = [parameter.name for parameter in definition.parameters if parameter.access != "out"]
    if len(positional) > len(taking):
        outs = [parameter.name for parameter in definition.parameters if parameter.access == "out"]
        raise ArgumentError(
            "A002",
            f"kernel `{definition.name}` takes {len(taking)} positional arguments ({', '.join(taking)}), "
            f"{len(positional)} were given",
            help=f"`out` parameters are given by name: {outs[0]}=…" if outs else None,
        )
    passed = dict(zip(taking, positional, strict=False))
    for parameter in definition.parameters:
        name = parameter.name
        if name not in keywords or (parameter.access == "out" and keywords[name] is None):
            continue
        if name in passed:
            raise ArgumentError(
                "A002",
                f"`{name}` is given twice: by position and by name",
                argument=name,
                help="leave one of them out",
            )
        passed[name] = keywords[name]
    return passed


def _missing(definition: KernelDefinition, parameter: ParameterDefinition, others: Mapping[str, Any]) -> Diagnostic:
    near = [name for name in others if did_you_mean(name, [parameter.name])]
    return Diagnostic(
        "A003",
        f"kernel `{definition.name}` is called without `{parameter.name}`",
        argument=parameter.name,
        help=f"`{near[0]}` is no parameter: did you mean `{parameter.name}`?" if near else None,
    )


def sizes_among(definition: KernelDefinition, program: Program, others: Mapping[str, Any]) -> dict[str, int]:
    """The keywords that give sizes.

    Raises ``ArgumentError`` A001 for a keyword that names nothing, A013 or A020 for a size that is no integer from 0 to
    2^31 - 1.
    """
    sizes = [size.name for size in program.sizes]
    known = [*(each.name for each in definition.parameters), *(each.name for each in definition.compile_time), *sizes]
    given = {}
    for name, value in others.items():
        if name not in sizes:
            raise ArgumentError(
                "A001",
                f"kernel `{definition.name}` has no parameter `{name}`",
                argument=name,
                help=did_you_mean(name, known) or f"it has {', '.join(known)}",
            )
        if isinstance(value, bool | np.bool_) or not isinstance(value, int | np.integer):
            raise ArgumentError("A013", f"the size {name} is an integer, not {value!r}", argument=name)
        if not 0 <= value <= LARGEST_SIZE:
            raise ArgumentError("A020", f"the size {name} is {value}; sizes are 0 to {LARGEST_SIZE}", argument=name)
        given[name] = int(value)
    return given


def check_scalar(name: str, dtype: DType, value: Any) -> int | float | bool:
    """A scalar argument as a Python number.

    Integers go to integer and float parameters, floats to float parameters, truth values to ``u1``. A float is rounded
    to the parameter's format; NaN and infinity stay what they are. Raises ``ArgumentError`` A013 for the wrong kind,
    A014 for a number out of the range of the format.

    >>> from tilevm.dtypes import F16, I32
    >>> check_scalar("n", I32, 7), check_scalar("scale", F16, 1)
    (7, 1.0)
    """
    number = value.item() if isinstance(value, np.generic | np.ndarray) and np.ndim(value) == 0 else value
    if dtype.kind == "uint" and dtype.bits == 1 and isinstance(number, bool):
        return number
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise _wrong_scalar(name, dtype, value)
    if dtype.kind in ("int", "uint"):
        if isinstance(number, float):
            raise _wrong_scalar(name, dtype, value)
        if not dtype.min <= number <= dtype.max:
            raise _out_of_range(name, dtype, value)
        return number
    if (isinstance(number, int) or math.isfinite(number)) and not dtype.min <= number <= dtype.max:
        raise _out_of_range(name, dtype, value)
    return float(number)


def _wrong_scalar(name: str, dtype: DType, value: Any) -> ArgumentError:
    shown = f"an array of shape {list(np.shape(value))}" if isinstance(value, np.ndarray) else repr(value)
    wanted = {"int": "an integer", "uint": "an integer"}.get(dtype.kind, "a number")
    if dtype.kind == "uint" and dtype.bits == 1:
        wanted = "True or False"
    turned = isinstance(value, float | np.floating) and dtype.kind in ("int", "uint")
    return ArgumentError(
        "A013",
        f"`{name}` is a scalar of type {dtype}: {wanted}, not {shown}",
        argument=name,
        help=f"round it first: {name}=int(…)" if turned else None,
    )


def _out_of_range(name: str, dtype: DType, value: Any) -> ArgumentError:
    return ArgumentError(
        "A014",
        f"`{name}` is {value}; {dtype} holds {dtype.min} to {dtype.max}",
        argument=name,
        help="use a wider type",
    )
