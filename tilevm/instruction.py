"""What an instruction is: a frozen dataclass whose fields say what it takes, and that knows what it gives and means.

    @instruction("fma")
    class FusedMultiplyAdd(Instruction):
        "``fma(a, b, c)``: a * b + c, rounded once."
        a: Operand = operand(FLOAT, group="x")
        ...
        def infer(self) -> Type: ...
        def evaluate(self, batch: Batch) -> Array: ...

Each field has a *role* (``operand``, ``window``, ``attribute``), from which everything generic follows: how the
arguments of a call bind to it, what it accepts, how it is checked, printed and traversed. So adding an instruction is
adding one class; the grammar, the front end, the verifier and the printer do not change.

Operands of one *group* have the same number format; a literal among them takes it from the others.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar, dataclass_transform

from tilevm.arch import Arch
from tilevm.dtypes import DType
from tilevm.errors import LayoutError, ProgramError
from tilevm.layout import Layout
from tilevm.layout_relation import Relation
from tilevm.machine import Array, Batch
from tilevm.memory_pattern import MemoryPattern
from tilevm.plan import Plan, Planning
from tilevm.values import Literal, Operand, ScalarType, SharedType, TensorType, TileType, Type, Value, Window

__all__ = [
    "ANY",
    "FLOAT",
    "INSTRUCTIONS",
    "INTEGER",
    "LOGIC",
    "NUMBER",
    "OPERATORS",
    "TRUTH",
    "DTypeClass",
    "Instruction",
    "Role",
    "attribute",
    "instruction",
    "operand",
    "window",
]


@dataclass(frozen=True)
class DTypeClass:
    """A named set of number formats that an operand accepts."""

    name: str
    accepts: Callable[[DType], bool]


ANY = DTypeClass("any format", lambda dtype: True)
NUMBER = DTypeClass("a number format with arithmetic", lambda dtype: dtype.arithmetic and dtype.bits > 1)
FLOAT = DTypeClass("f16, bf16, f32 or f64", lambda dtype: dtype.arithmetic and dtype.kind == "float")
INTEGER = DTypeClass(
    "an integer of 8, 16, 32 or 64 bits",
    lambda dtype: dtype.arithmetic and dtype.kind in ("int", "uint") and dtype.bits > 1,
)
TRUTH = DTypeClass("u1", lambda dtype: dtype.bits == 1 and dtype.kind == "uint")
LOGIC = DTypeClass("u1 or an integer", lambda dtype: TRUTH.accepts(dtype) or INTEGER.accepts(dtype))


@dataclass(frozen=True)
class Role:
    """What a field of an instruction takes.

    ``kind`` is ``operand``, ``window`` or an attribute: ``dtype shape sizes integer axis flag text layout choice``.
    For operands, ``form`` is ``any``, ``tile``, ``scalar``, ``tensor`` or ``memory`` (a tensor or a shared tile);
    ``fixed`` a format that the operand must have. A variadic role takes all positional arguments that are left.
    """

    kind: str
    dtypes: DTypeClass = ANY
    form: str = "any"
    group: str | None = None
    fixed: DType | None = None
    writes: bool = False
    reads: bool = True
    spaces: tuple[str, ...] = ("tensor", "shared")
    choices: tuple[str, ...] = ()
    variadic: bool = False
    keyword: bool = False
    optional: bool = False


def _field(role: Role, default: Any) -> Any:
    metadata = {"role": role}
    if default is dataclasses.MISSING:
        return dataclasses.field(metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def operand(
    dtypes: DTypeClass = ANY,
    *,
    form: str = "any",
    group: str | None = None,
    fixed: DType | None = None,
    writes: bool = False,
    variadic: bool = False,
    keyword: bool = False,
    default: Any = dataclasses.MISSING,
) -> Any:
    """A field that takes a scalar, a tile or (``form``) memory, which is read, or where it says so written instead.

    ``default`` None makes it optional.
    """
    role = Role(
        "operand",
        dtypes,
        form,
        group,
        fixed,
        writes=writes,
        reads=not writes,
        variadic=variadic,
        keyword=keyword,
        optional=default is None,
    )
    return _field(role, default)


def window(
    *,
    group: str | None = None,
    writes: bool = False,
    reads: bool = True,
    spaces: tuple[str, ...] = ("tensor", "shared"),
) -> Any:
    """A field that takes a window of a tensor or a shared tile, which the instruction reads or writes."""
    return _field(Role("window", group=group, writes=writes, reads=reads, spaces=spaces), dataclasses.MISSING)


def attribute(
    kind: str,
    *,
    group: str | None = None,
    choices: tuple[str, ...] = (),
    variadic: bool = False,
    keyword: bool = False,
    default: Any = dataclasses.MISSING,
) -> Any:
    """A field that is known when the program is compiled: ``dtype shape integer axis flag text layout choice``;
    ``sizes`` may hold symbols.

    A ``dtype`` attribute may belong to a group: literals of the group take their format from it.
    """
    role = Role(kind, group=group, choices=choices, variadic=variadic, keyword=keyword, optional=default is None)
    return _field(role, default)


@dataclass(frozen=True)
class Instruction:
    """The base of every instruction. A subclass defines ``infer`` and ``evaluate`` and is made by ``@instruction``."""

    name: ClassVar[str]
    operator: ClassVar[str | None] = None
    spelling: ClassVar[str]
    """How a program spells it: the operator, else the name."""
    pure: ClassVar[bool] = True
    """Whether the instruction does nothing but give its result, so that it may be removed or repeated; one that reads
    memory may be moved only where nothing writes that memory in between."""
    synchronises: ClassVar[bool] = False
    """Whether all threads of the block meet in it."""
    asynchronous: ClassVar[bool] = False
    """Whether it only starts what it does to memory; that is done after a wait that covers its group of copies."""
    closes_group: ClassVar[bool] = False
    """Whether it closes the group of the asynchronous copies before it."""

    awaits_launches: ClassVar[bool] = False
    """Whether it waits until the launches before this one have ended."""

    def infer(self) -> Type | None:
        """The type of the result, None where there is none.

        Raises ``ProgramError`` where the operands do not fit together; ``argument`` of the error is the field's name.
        """
        raise AssertionError(f"{type(self).__name__} does not define infer")

    def evaluate(self, batch: Batch) -> Array | None:
        """The result for all blocks of a batch (see ``tilevm.machine``), None where there is none."""
        raise AssertionError(f"{type(self).__name__} does not define evaluate")

    def layouts(self, arch: Arch) -> Iterator[tuple[str, int | None, Relation]]:
        """How the register layouts of operands go with that of the result, or, where there is none, with that of the
        tile of elements that the instruction works on: the field, the place in it if it is variadic, the relation.

        An operand that is not named may have any layout, whatever the result has.
        """
        return iter(())

    def assumed(self) -> Iterator[Operand]:
        """Truth values (u1 scalars) that may be taken for true because the instruction says so."""
        return iter(())

    @property
    def grid_axis(self) -> int | None:
        """The axis of the grid along which the result is the index of the block; None if it is something else."""
        return None

    def bounds(self) -> tuple[int | None, int | None]:
        """The least and the greatest integer that a scalar result can be, None where that is not known."""
        return None, None

    def groups_left(self) -> int | None:
        """How many of the newest groups of copies may be under way after the instruction; None if it does not wait."""
        return None

    def plainly_reads(self) -> Window | None:
        """The window whose elements are the result, zeros where it lies outside of a tensor; None where the result is
        anything else."""
        return None

    def cached(self) -> str:
        """How long caches keep what it moves to or from a tensor, as its field ``cache`` says; it changes no result."""
        choice: str = getattr(self, "cache", "default")
        return choice

    def preferred_layout(self, warps: int, arch: Arch) -> Layout | None:
        """The layout of the result that the hardware asks for, None where it asks for none."""
        return None

    def plan(self, result: Value | None, planning: Planning) -> Plan | None:
        """How the instruction is carried out, when all layouts are chosen; None where there is nothing to choose."""
        return None

    def ready(self, batch: Batch) -> bool:
        """Whether the instruction can run now; a block whose instruction is not ready lets other blocks run."""
        return True

    @classmethod
    def roles(cls) -> dict[str, Role]:
        """The role of each field, in order."""
        if cls not in _ROLES:
            _ROLES[cls] = {each.name: each.metadata["role"] for each in dataclasses.fields(cls)}
        return _ROLES[cls]

    def operands(self) -> Iterator[Operand]:
        """Every value and literal that the instruction uses, offsets and bases of windows between them."""
        for name, role in self.roles().items():
            held = getattr(self, name)
            if role.kind == "window":
                yield held.base
                yield from held.offsets
            elif role.kind == "operand" and held is not None:
                yield from held if role.variadic else (held,)

    def memory(self, *, written: bool) -> Iterator[Value]:
        """The tensors and shared tiles that the instruction writes, or those that it reads."""
        for name, role in self.roles().items():
            held = getattr(self, name)
            if not (role.writes if written else role.reads):
                continue
            if role.kind == "window":
                yield held.base
            elif role.kind == "operand" and role.form in ("memory", "tensor"):
                yield held

    def substituted(self, replace: Callable[[Operand], Operand]) -> Instruction:
        """The same instruction with every operand replaced."""

        def base(value: Value) -> Value:
            replaced = replace(value)
            assert isinstance(replaced, Value)
            return replaced

        changes: dict[str, Any] = {}
        for name, role in self.roles().items():
            held = getattr(self, name)
            if role.kind == "window":
                changes[name] = Window(base(held.base), tuple(map(replace, held.offsets)), held.extents)
            elif role.kind == "operand" and held is not None:
                changes[name] = tuple(map(replace, held)) if role.variadic else replace(held)
        return dataclasses.replace(self, **changes)

    def check(self) -> Type | None:
        """Checks every field against its role, then gives ``infer``'s result. Raises ``ProgramError``, T005 to T015."""
        for name, role in self.roles().items():
            _check_field(self, name, role)
        self._check_groups()
        return self.infer()

    def _check_groups(self) -> None:
        first: dict[str, tuple[str, DType]] = {}
        for name, role in self.roles().items():
            if role.group is None:
                continue
            for dtype in _formats(getattr(self, name), role):
                known, expected = first.setdefault(role.group, (name, dtype))
                if dtype is not expected:
                    raise ProgramError(
                        "T005",
                        f"`{self.spelling}` takes one format, but `{known}` is {expected} and `{name}` is {dtype}",
                        argument=name,
                        help=f"convert one of them: cast(…, {expected}) or cast(…, {dtype})",
                    )


def _formats(held: Any, role: Role) -> Iterator[DType]:
    """The formats that a field adds to its group."""
    if isinstance(held, DType):
        yield held
    elif isinstance(held, tuple) and role.variadic:
        yield from (element.dtype for element in held)
    elif held is not None:
        yield held.dtype


def _check_field(owner: Instruction, name: str, role: Role) -> None:
    held = getattr(owner, name)
    if held is None and role.optional:
        return
    if role.kind == "window":
        _check_window(owner, name, role, held)
    elif role.kind == "operand":
        for each in held if role.variadic else (held,):
            _check_operand(owner, name, role, each)


FORMS: dict[str, tuple[str, tuple[type, ...]]] = {
    "any": ("a scalar or a register tile", (ScalarType, TileType)),
    "tile": ("a register tile", (TileType,)),
    "scalar": ("a scalar", (ScalarType,)),
    "tensor": ("a tensor parameter", (TensorType,)),
    "memory": ("a tensor or a shared tile", (TensorType, SharedType)),
}
"""What each form of operand is called, and the types it admits."""


def described(kind: Type) -> str:
    """The type in words.

    >>> from tilevm.dtypes import F16
    >>> described(TileType(F16, (2, 3)))
    'a register tile f16[2, 3]'
    """
    words = {ScalarType: "a scalar", TileType: "a register tile", SharedType: "a", TensorType: "a tensor"}
    return f"{words[type(kind)]} {kind}"


def _check_operand(owner: Instruction, name: str, role: Role, held: Operand) -> None:
    words, admitted = FORMS[role.form]
    if not isinstance(held.type, admitted):
        memory = isinstance(held.type, TensorType | SharedType)
        raise ProgramError(
            "T008",
            f"`{owner.spelling}` takes {words} for `{name}`, not {described(held.type)}",
            argument=name,
            help="`load` brings a window of it into registers" if memory else None,
        )
    _check_access(owner, name, role, held)
    if role.fixed is not None and held.dtype is not role.fixed:
        raise ProgramError(
            "T006",
            f"`{owner.spelling}` takes {role.fixed} for `{name}`, not {held.dtype}",
            argument=name,
            help=f"cast(…, {role.fixed}) converts it",
        )
    if not role.dtypes.accepts(held.dtype):
        raise ProgramError(
            "T006",
            f"`{owner.spelling}` takes {role.dtypes.name} for `{name}`, not {held.dtype}",
            argument=name,
            help=_format_help(held.dtype, role.dtypes),
        )


def _check_access(owner: Instruction, name: str, role: Role, base: Operand) -> None:
    layout = base.type.layout if isinstance(base.type, TensorType) else None
    if isinstance(layout, MemoryPattern) and not layout.addressable and role.form != "tensor":
        raise LayoutError(
            "L047",
            f"`{owner.spelling}` takes elements, and those of a tensor @ {layout} have no address of their own",
            argument=name,
            help="memory_view(…, u8, […]) gives its bytes: load these, and `view` makes elements of them",
        )
    if role.writes and isinstance(base, Value) and isinstance(base.type, TensorType) and base.type.access == "in":
        raise ProgramError(
            "T013",
            f"`{owner.spelling}` writes `{base.name}`, which is an input",
            argument=name,
            help=f"declare it as `out {base.name}: …` or `inout {base.name}: …`",
        )


def _format_help(dtype: DType, wanted: DTypeClass) -> str:
    if not dtype.arithmetic:
        target = "f16" if dtype.kind in ("float", "codebook") else "i32"
        return f"{dtype} is a storage format: `cast(…, {target})` first, then compute"
    return f"`cast` converts it to {wanted.name}"


def _check_window(owner: Instruction, name: str, role: Role, held: Window) -> None:
    kind = held.base.type
    space = {TensorType: "tensor", SharedType: "shared"}.get(type(kind))
    if space not in role.spaces:
        allowed = " or ".join({"tensor": "a tensor", "shared": "a shared tile"}[each] for each in role.spaces)
        raise ProgramError(
            "T011", f"`{owner.spelling}` takes a window of {allowed} for `{name}`, not {described(kind)}", argument=name
        )
    _check_access(owner, name, role, held.base)
    for offset in held.offsets:
        if not isinstance(offset.type, ScalarType) or offset.dtype.name != "i32":
            raise ProgramError(
                "T014",
                f"an offset of a window is an i32 scalar, not {described(offset.type)}",
                argument=name,
                help="cast(…, i32) converts it",
            )
    for axis, (offset, extent) in enumerate(zip(held.offsets, held.extents, strict=True)):
        length = kind.shape[axis]
        if isinstance(kind, SharedType) and isinstance(offset, Literal) and isinstance(length, int):
            end = int(offset.value) + (1 if extent is None else extent)
            if offset.value < 0 or end > length:
                raise ProgramError(
                    "T015",
                    f"elements {offset.value} to {end} lie outside dimension {axis} of the shared tile, {length} long",
                    argument=name,
                )


_ROLES: dict[type[Instruction], dict[str, Role]] = {}

INSTRUCTIONS: dict[str, type[Instruction]] = {}
"""Every instruction that is written as a call, by its name."""

OPERATORS: dict[tuple[str, int], type[Instruction]] = {}
"""Every instruction that is written as an operator, by its symbol and its number of operands."""

_Made = TypeVar("_Made", bound=Instruction)


@dataclass_transform(frozen_default=True, field_specifiers=(operand, window, attribute))
def instruction(name: str, *, operator: str | None = None, pure: bool = True) -> Callable[[type[_Made]], type[_Made]]:
    """Makes a class an instruction: a frozen dataclass, registered under its name or its operator."""

    def register(cls: type[_Made]) -> type[_Made]:
        made = dataclass(frozen=True)(cls)
        made.name, made.operator, made.spelling, made.pure = name, operator, operator or name, pure
        if operator is None:
            assert name not in INSTRUCTIONS, name
            INSTRUCTIONS[name] = made
        else:
            count = len(dataclasses.fields(made))
            assert (operator, count) not in OPERATORS, operator
            OPERATORS[operator, count] = made
        return made

    return register
