"""How the arguments of a call become the fields of an instruction.

It goes in two steps, so that the caller may look at the role of a field before it evaluates the argument:
``assign`` says which argument goes to which field, ``build`` converts the evaluated arguments and makes the
instruction. An evaluated argument is a ``Value``, a ``Literal``, a ``Window``, or something known when the program is
compiled: a Python number, bool, string, format, layout, or a tuple of these. A Python number is a *weak* literal: it
has no format of its own and takes that of its group, else ``i32``, ``f32`` or ``u1``.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from tilevm.dtypes import F32, I32, U1, DType
from tilevm.errors import ProgramError, did_you_mean
from tilevm.instruction import FORMS, Instruction, Role, described
from tilevm.layout import Layout
from tilevm.memory_pattern import MemoryPattern
from tilevm.sizes import Operation, Size, Symbol
from tilevm.values import Literal, Operand, SharedType, TensorType, Value, Window

__all__ = ["MAXIMUM_TILE_ELEMENTS", "assign", "build", "literal", "weak_dtype"]

MAXIMUM_TILE_ELEMENTS = 1 << 20
"""A tile has at most this many elements: more than the registers and the shared memory of any GPU hold."""

_Argument = TypeVar("_Argument")


def assign(
    cls: type[Instruction], positional: Sequence[_Argument], keywords: Mapping[str, _Argument]
) -> dict[str, _Argument | list[_Argument]]:
    """The argument of each field; a list for a variadic field. Fields with a default may be missing.

    Raises ``ProgramError`` T001 (too few or too many), T002 (unknown keyword), T003 (given twice).
    """
    roles = cls.roles()
    open_names = [name for name, role in roles.items() if not role.keyword]
    assigned: dict[str, _Argument | list[_Argument]] = {}
    for place, argument in enumerate(positional):
        variadic = [name for name in open_names[: place + 1] if roles[name].variadic]
        if variadic:
            rest = assigned.setdefault(variadic[0], [])
            assert isinstance(rest, list)
            rest.append(argument)
        elif place < len(open_names):
            assigned[open_names[place]] = argument
        else:
            raise ProgramError(
                "T001",
                f"`{cls.spelling}` takes at most {len(open_names)} arguments by position, not {len(positional)}",
                help=signature(cls),
            )
    for name, argument in keywords.items():
        if name not in roles:
            raise ProgramError(
                "T002",
                f"`{cls.spelling}` has no argument `{name}`",
                argument=name,
                help=did_you_mean(name, roles) or signature(cls),
            )
        if name in assigned:
            raise ProgramError("T003", f"`{cls.spelling}` is given `{name}` twice", argument=name, help=signature(cls))
        assigned[name] = argument
    missing = [field.name for field in dataclasses.fields(cls) if field.name not in assigned and _required(field)]
    if missing:
        shown = " and ".join(f"`{name}`" for name in missing)
        raise ProgramError("T001", f"`{cls.spelling}` lacks its argument {shown}", help=signature(cls))
    return assigned


def _required(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING


def signature(cls: type[Instruction]) -> str:
    """How the call is written, for help lines.

    >>> from tilevm.instructions.tiles import Full
    >>> signature(Full)
    'it is written full(dtype, shape, value)'
    """
    parts = []
    for field in dataclasses.fields(cls):
        role: Role = field.metadata["role"]
        shown = f"{field.name}, …" if role.variadic else field.name
        parts.append(shown if _required(field) else f"{shown}={field.default}")
    return f"it is written {cls.spelling}({', '.join(parts)})"


def build(cls: type[Instruction], assigned: Mapping[str, Any]) -> Instruction:
    """The instruction with the evaluated arguments, converted to what their fields hold.

    Raises ``ProgramError`` T004 (not the kind of thing that the field takes), T007 (a number that the format does not
    hold), T008, T009 (not a shape), T010 (not one of the choices), T011, T012; ``argument`` is the field's name.
    """
    roles = cls.roles()
    fields: dict[str, Any] = {}
    for name, argument in assigned.items():
        role = roles[name]
        convert = _CONVERTERS[role.kind]
        if role.variadic:
            elements = argument if isinstance(argument, list) else _elements(argument)
            fields[name] = tuple(convert(cls.spelling, name, role, each) for each in elements)
        elif argument is None and role.optional:
            fields[name] = None
        else:
            fields[name] = convert(cls.spelling, name, role, argument)
    groups = _group_formats(roles, fields)
    for name, held in fields.items():
        role = roles[name]
        if role.kind != "operand":
            continue
        target = role.fixed or groups.get(role.group or "")
        if role.variadic:
            fields[name] = tuple(_strong(each, target, name) for each in held)
        elif held is not None:
            fields[name] = _strong(held, target, name)
    return cls(**fields)


def _elements(argument: Any) -> list[Any]:
    return list(argument) if isinstance(argument, tuple | list) else [argument]


def _group_formats(roles: Mapping[str, Role], fields: Mapping[str, Any]) -> dict[str, DType]:
    """The format of each group: that of its first member that has one, else that of its weak literals."""
    strong: dict[str, DType] = {}
    weak: dict[str, DType] = {}
    for name, held in fields.items():
        group = roles[name].group
        if group is None:
            continue
        for each in held if isinstance(held, tuple) else (held,):
            if isinstance(each, DType):
                strong.setdefault(group, each)
            elif isinstance(each, Value | Literal | Window):
                strong.setdefault(group, each.dtype)
            elif each is not None:
                found = weak_dtype(each)
                weak[group] = found if weak.get(group) is not F32 else F32
    return weak | strong


def weak_dtype(number: int | float | bool) -> DType:
    """The format of a Python number that stands alone.

    >>> weak_dtype(1).name, weak_dtype(1.0).name, weak_dtype(True).name
    ('i32', 'f32', 'u1')
    """
    if isinstance(number, bool):
        return U1
    return I32 if isinstance(number, int) else F32


def _strong(held: Any, target: DType | None, name: str) -> Operand:
    if isinstance(held, Value | Literal):
        return held
    return literal(held, target or weak_dtype(held), argument=name)


def literal(number: int | float | bool, dtype: DType, argument: str | None = None) -> Literal:
    """A number as a literal of a format.

    Raises ``ProgramError`` T007 where the format does not hold it: a fraction or a number out of range for an integer,
    beyond the largest number or an infinity or NaN that the format has not for a float.

    >>> from tilevm.dtypes import F16
    >>> literal(1, F16)
    Literal(value=1.0, dtype=dtype('f16'))
    """
    problem = None
    if dtype.kind in ("uint", "int"):
        if isinstance(number, float) and not number.is_integer():
            problem = "is not an integer"
        elif not dtype.min <= number <= dtype.max:
            problem = f"is not in {dtype.min} … {dtype.max}"
        else:
            number = bool(number) if dtype is U1 else int(number)
    else:
        number = float(number)
        if math.isnan(number):
            problem = None if dtype.has_nan else "is not a number that it has"
        elif math.isinf(number):
            problem = None if dtype.has_infinity else "is not a number that it has"
        elif not dtype.min <= number <= dtype.max:
            problem = f"is beyond its largest number, {dtype.max}"
    if problem:
        raise ProgramError("T007", f"{number} does not fit {dtype}: it {problem}", argument=argument)
    return Literal(number, dtype)


def _wrong(call: str, name: str, wanted: str, got: Any, help: str | None = None) -> ProgramError:
    return ProgramError("T004", f"`{call}` takes {wanted} for `{name}`, not {_shown(got)}", argument=name, help=help)


def _shown(got: Any) -> str:
    if isinstance(got, Value | Literal):
        return described(got.type)
    if isinstance(got, Window):
        return "a window"
    if isinstance(got, DType):
        return f"the format {got}"
    if isinstance(got, Layout | MemoryPattern):
        return f"the layout {got}"
    if isinstance(got, tuple | list):
        return f"the list {list(got)}"
    return "None" if got is None else f"{type(got).__name__} {got!r}"


def _operand(call: str, name: str, role: Role, got: Any) -> Any:
    if isinstance(got, Value | Literal | bool | int | float):
        return got
    words, _ = FORMS[role.form]
    if isinstance(got, Window):
        raise _wrong(call, name, words, got, "`load(…)` brings the window into registers")
    raise _wrong(call, name, words, got)


def _window(call: str, name: str, role: Role, got: Any) -> Window:
    if isinstance(got, Window):
        return got
    if isinstance(got, Value) and isinstance(got.type, SharedType):
        return Window.whole(got)
    if isinstance(got, Value) and isinstance(got.type, TensorType):
        raise _wrong(call, name, "a window", got, f"say which part of it: {got.name or 'x'}[i :+ 16, …]")
    raise _wrong(call, name, "a window, such as x[i :+ 16, j :+ 16],", got)


def _dtype(call: str, name: str, role: Role, got: Any) -> DType:
    if not isinstance(got, DType):
        raise _wrong(call, name, "a number format", got)
    return got


def _shape(call: str, name: str, role: Role, got: Any) -> tuple[int, ...]:
    shape = tuple(got) if isinstance(got, tuple | list) else (got,)
    for extent in shape:
        if isinstance(extent, Value):
            raise ProgramError(
                "T009",
                f"an extent of `{name}` is known when the program is compiled; this one is {described(extent.type)}",
                argument=name,
                help="make it a compile-time parameter of the kernel: kernel name[BM = 16](…)",
            )
        if isinstance(extent, bool) or not isinstance(extent, int) or extent < 1:
            raise ProgramError(
                "T009", f"an extent of `{name}` is an integer of at least 1, not {_shown(extent)}", argument=name
            )
    if math.prod(shape) > MAXIMUM_TILE_ELEMENTS:
        raise ProgramError(
            "T009",
            f"a tile of {' x '.join(map(str, shape))} = {math.prod(shape)} elements is larger than any GPU holds",
            argument=name,
            help=f"a tile has at most {MAXIMUM_TILE_ELEMENTS} elements",
        )
    return shape


def _sizes(call: str, name: str, role: Role, got: Any) -> tuple[Size, ...]:
    sizes = tuple(got) if isinstance(got, tuple | list) else (got,)
    for size in sizes:
        if isinstance(size, bool) or not isinstance(size, int | Symbol | Operation):
            raise _wrong(call, name, "a list of sizes", size, "sizes are integers, symbols such as K, and K // 64")
    return sizes


def _integer(call: str, name: str, role: Role, got: Any) -> int:
    if isinstance(got, bool) or not isinstance(got, int):
        raise _wrong(call, name, "an integer known when the program is compiled", got)
    return got


def _flag(call: str, name: str, role: Role, got: Any) -> bool:
    if not isinstance(got, bool):
        raise _wrong(call, name, "True or False", got)
    return got


def _text(call: str, name: str, role: Role, got: Any) -> str:
    if not isinstance(got, str):
        raise _wrong(call, name, 'a text in quotes, "…",', got)
    return got


def _layout(call: str, name: str, role: Role, got: Any) -> Layout | MemoryPattern:
    if not isinstance(got, Layout | MemoryPattern):
        raise _wrong(call, name, "a layout", got)
    return got


def _choice(call: str, name: str, role: Role, got: Any) -> str:
    shown = got.name if isinstance(got, DType) else got
    if shown not in role.choices:
        raise ProgramError(
            "T010",
            f"`{name}` of `{call}` is one of {', '.join(role.choices)}, not {shown}",
            argument=name,
            help=did_you_mean(str(shown), role.choices),
        )
    return str(shown)


_CONVERTERS = {
    "operand": _operand,
    "window": _window,
    "dtype": _dtype,
    "shape": _shape,
    "sizes": _sizes,
    "integer": _integer,
    "axis": _integer,
    "flag": _flag,
    "text": _text,
    "layout": _layout,
    "choice": _choice,
}
