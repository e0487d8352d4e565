"""Compile-time parameters: what a caller may write for one, and the formats that the arguments give.

    kind      a caller writes
    int       64, a NumPy integer
    bool      True
    dtype     "u4", a tilevm.DType, a NumPy or ml_dtypes type
    layout    "spatial(8, 4)", a tilevm.Layout, a memory pattern

A format that is not written is taken from the array whose parameter uses it, else from the default. What is missing
or of the wrong kind is found by ``KernelDefinition.specialise``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from tilevm.dtypes import DType
from tilevm.dtypes import dtype as parse_dtype
from tilevm.errors import ArgumentError, TilevmError
from tilevm.frontend import KernelDefinition
from tilevm.layout_text import parse as parse_layout

__all__ = ["infer_formats", "read_compile_time"]


def read_compile_time(definition: KernelDefinition, written: Mapping[str, Any]) -> dict[str, Any]:
    """The written values of compile-time parameters in the form that ``specialise`` takes.

    Raises ``ArgumentError`` A010 for a text that is no format or no layout.
    """
    kinds = {parameter.name: parameter.kind for parameter in definition.compile_time}
    return {name: _read(name, kinds.get(name), value) for name, value in written.items()}


def _read(name: str, kind: str | None, value: Any) -> Any:
    if isinstance(value, np.integer | np.bool_):
        return value.item()
    if kind == "dtype" and (isinstance(value, str | np.dtype | type)):
        return _parsed(name, parse_dtype, value)
    if kind == "layout" and isinstance(value, str):
        return _parsed(name, parse_layout, value)
    return value


def _parsed(name: str, parse: Callable[[Any], Any], text: Any) -> Any:
    try:
        return parse(text)
    except TilevmError as error:
        first = error.diagnostics[0]
        raise ArgumentError("A010", f"{name}: {first.message}", argument=name, help=first.help) from None


def infer_formats(
    definition: KernelDefinition, formats: Mapping[str, DType], written: Iterable[str]
) -> dict[str, DType]:
    """The ``dtype`` parameters that the arrays give; ``formats`` are those of the arrays, by parameter.

    Raises ``ArgumentError`` A012 where two arrays disagree. Parameters in ``written`` are left alone.
    """
    inferred: dict[str, DType] = {}
    origins: dict[str, str] = {}
    names = {each.name for each in definition.compile_time if each.kind == "dtype"} - set(written)
    for parameter in definition.parameters:
        if parameter.dtype not in names or parameter.name not in formats:
            continue
        name, found = str(parameter.dtype), formats[parameter.name]
        known = inferred.setdefault(name, found)
        origin = origins.setdefault(name, parameter.name)
        if known != found:
            raise ArgumentError(
                "A012",
                f"{name} is {known} in `{origin}` but {found} in `{parameter.name}`",
                argument=parameter.name,
                help=f"give both the same format, or say which is meant: {name}=…",
            )
    return inferred
