"""What a launch tells the compiler beyond the program: which sizes divide by what, how pointers are aligned.

A program serves every shape. Machine code is better where it need not: a row whose length divides by 8 is loaded 16
bytes at a time. So a launch *specialises* the program further, by the class of each size and of each pointer, and all
launches of the same classes share one compiled kernel. There are few classes, for each is compiled on its own:

    sizes       the largest power of two, up to 128, that divides it; 0 counts as 128
    pointers    the largest power of two, up to 16, that divides the address in bytes

A size may also be bound when the kernel is compiled; then it is a constant of the program, and no longer a size.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from tilevm.dtypes import I32
from tilevm.errors import ArgumentError, Related
from tilevm.instruction import Instruction
from tilevm.ir import Let, Program, Requirement, Statement, map_children
from tilevm.passes import DEFAULT_ARCHITECTURE
from tilevm.sizes import Operation, Size, Symbol, operation, text
from tilevm.values import Literal, Operand, TensorType, Value

__all__ = ["ALIGNMENTS", "DIVISORS", "Specialisation", "alignment_class", "bind_constants", "divisor_class"]

DIVISORS = (128, 64, 32, 16, 8, 4, 2, 1)
"""Classes of sizes: 128 elements of 1 bit are 16 bytes, the widest access."""

ALIGNMENTS = (16, 8, 4, 2, 1)
"""Classes of pointers, in bytes."""


def divisor_class(size: int) -> int:
    """The largest of ``DIVISORS`` that divides a size.

    >>> [divisor_class(size) for size in (4096, 96, 258, 17, 0)]
    [128, 32, 2, 1, 128]
    """
    return min(size & -size, DIVISORS[0]) if size else DIVISORS[0]


def alignment_class(address: int) -> int:
    """The largest of ``ALIGNMENTS``, in bytes, that divides an address.

    >>> [alignment_class(address) for address in (0x7F00, 0x7F08, 0x7F02, 3)]
    [16, 8, 2, 1]
    """
    return min(address & -address, ALIGNMENTS[0]) if address else ALIGNMENTS[0]


@dataclass(frozen=True)
class Specialisation:
    """An architecture, the divisor of each size that is known to have one, the alignment of each pointer below 16."""

    arch: str = DEFAULT_ARCHITECTURE
    divisors: tuple[tuple[str, int], ...] = ()
    alignments: tuple[tuple[str, int], ...] = ()

    @classmethod
    def of(
        cls, arch: str, sizes: Mapping[str, int] | None = None, addresses: Mapping[str, int] | None = None
    ) -> Specialisation:
        """The classes of a launch: ``sizes`` in elements, ``addresses`` of the tensors in bytes, both by name.

        >>> Specialisation.of("sm_80", {"K": 192, "M": 1}, {"x": 0x1000, "y": 0x1008})
        Specialisation(arch='sm_80', divisors=(('K', 64),), alignments=(('y', 8),))
        """
        divisors = ((name, divisor_class(size)) for name, size in sorted((sizes or {}).items()))
        alignments = ((name, alignment_class(address)) for name, address in sorted((addresses or {}).items()))
        return cls(
            arch,
            tuple(each for each in divisors if each[1] > 1),
            tuple(each for each in alignments if each[1] < ALIGNMENTS[0]),
        )

    def apply(self, program: Program) -> Program:
        """The program with the divisors stated as requirements, which the passes take for granted."""
        stated = tuple(
            Requirement(Operation("==", (Operation("%", (Symbol(name), divisor)), 0)))
            for name, divisor in self.divisors
            if any(size.name == name for size in program.sizes)
        )
        return replace(program, requires=(*program.requires, *stated)) if stated else program


def bind_constants(program: Program, constants: Mapping[str, int]) -> Program:
    """The program with some of its sizes bound: they become literals, and are no sizes any more.

    Raises ``ArgumentError`` A018 where a requirement does not hold for them; names that are no sizes are the caller's
    to refuse.
    """
    if not constants:
        return program
    return _Binding(program, constants).program()


class _Binding:
    """One way through a program. Tensors get other types, and so are other values."""

    def __init__(self, program: Program, constants: Mapping[str, int]) -> None:
        self.old = program
        self.constants = constants
        self.replaced: dict[Value, Operand] = {
            size: Literal(constants[size.name], I32) for size in program.sizes if size.name in constants
        }

    def program(self) -> Program:
        old = self.old
        return replace(
            old,
            parameters=tuple(self.value(each) for each in old.parameters),
            sizes=tuple(each for each in old.sizes if each not in self.replaced),
            grid=tuple(self.size(each) for each in old.grid),
            requires=tuple(self.requires(old.requires)),
            body=self.body(old.body),
        )

    def size(self, size: Size) -> Size:
        if isinstance(size, Symbol):
            return self.constants.get(size.name, size)
        if isinstance(size, Operation):
            return operation(size.operator, *map(self.size, size.operands))
        return size

    def requires(self, requires: Iterable[Requirement]) -> Iterable[Requirement]:
        for each in requires:
            condition = self.size(each.condition)
            if not isinstance(condition, int):
                yield replace(each, condition=condition)
            elif not condition:
                bound = ", ".join(f"{name} = {value}" for name, value in self.constants.items())
                raise ArgumentError(
                    "A018",
                    f"kernel `{self.old.name}` requires {text(each.condition)}; here {bound}",
                    related=() if each.span is None else (Related(each.span, "required here"),),
                    help=each.message or None,
                )

    def value(self, value: Value) -> Value:
        """A tensor with its new shape; any other value as it is."""
        if not isinstance(value.type, TensorType):
            return value
        bound = Value(replace(value.type, shape=tuple(map(self.size, value.type.shape))), value.name, value.span)
        self.replaced[value] = bound
        return bound

    def operand(self, operand: Operand) -> Operand:
        return self.replaced.get(operand, operand) if isinstance(operand, Value) else operand

    def body(self, statements: tuple[Statement, ...]) -> tuple[Statement, ...]:
        return tuple(self.statement(each) for each in statements)

    def statement(self, statement: Statement) -> Statement:
        changed = map_children(statement, self.body, self.operand)  # type: ignore[type-var]
        if not isinstance(changed, Let):
            return changed
        instruction = self.instruction(changed.instruction)
        result = None if changed.result is None else self.value(changed.result)
        return replace(changed, instruction=instruction, result=result)

    def instruction(self, instruction: Instruction) -> Instruction:
        """The instruction with the sizes among its attributes bound."""
        changes = {
            name: tuple(map(self.size, getattr(instruction, name)))
            for name, role in instruction.roles().items()
            if role.kind == "sizes"
        }
        return replace(instruction, **changes) if changes else instruction
