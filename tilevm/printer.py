"""Programs as text in the language: ``parse(print(p)) == p``.

What is printed is a kernel without compile-time parameters, one instruction a line. The values of a program are defined
once, the names of the language change; so a value that a loop carries is printed as a name that its body assigns:

    acc = zeros(f32, [16, 128])
    for k in range(0, K, 64):
        a = load(x[0 :+ 16, k :+ 64])
        b = load(w[k :+ 64, 0 :+ 128])
        acc = dot(a, b, acc)

Names are those that the values have, made unique. Where the update of a carried value cannot take its name at the place
where it is computed, because the old value is needed after it, an assignment at the end of the body does it, such as
``a, b = b, a``. A number is printed with its format, ``f16(1.0)``, where it would be read with another.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from tilevm import binding
from tilevm.dtypes import DType, dtype
from tilevm.errors import DTypeError, TilevmError
from tilevm.instruction import Instruction, Role
from tilevm.ir import Carry, For, If, Join, Let, Program, Statement, While, walk
from tilevm.layout_text import NAMES, NAMESPACES
from tilevm.printer_names import End, early
from tilevm.sizes import text as size_text
from tilevm.uses import defined, defined_within, used
from tilevm.values import Literal, Operand, TensorType, Value, Window

__all__ = ["print_program"]

INDENT = "    "
WIDTH = 120

STATEMENT_WORDS = frozenset(
    (
        *("break", "const", "continue", "def", "elif", "else", "for", "from", "func", "grid", "if", "import", "kernel"),
        *("layout", "pass", "require", "return", "tune", "warps", "while"),
    )
)
VALUE_WORDS = frozenset(("and", "False", "in", "inf", "nan", "None", "not", "or", "True"))
TAKEN = STATEMENT_WORDS | VALUE_WORDS | NAMES.keys() | NAMESPACES.keys()
"""Words that have a meaning of their own somewhere, so that no value is given them as its name."""


def print_program(program: Program) -> str:
    """The program as text that parses and lowers back to an equal program.

    >>> from tilevm.dtypes import F32
    >>> from tilevm.instructions.tiles import Zeros
    >>> tile = Zeros(F32, (4,))
    >>> program = Program("fill", (), (), (1,), 4, (), (Let(Value(tile.infer(), "a"), tile),))
    >>> print(print_program(program), end="")
    kernel fill():
        grid 1
        warps 4
        a = zeros(f32, [4])
    """
    return _Printer(program).text()


class _Printer:
    """Gives values their names and collects lines."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.taken = set(TAKEN)
        self.counts: Counter[str] = Counter()
        self.names: dict[Value, str] = {}
        self.replaced: dict[Value, Value] = {}
        """For a value that takes an old name, the value that had it."""
        for value in (*program.parameters, *program.sizes):
            self.names[value] = value.name
            self.taken.add(value.name)
        self.uses: Counter[Value] = Counter(value for each in walk(program.body) for value in used(each))
        self.functions: list[str] = []
        self.lines: list[str] = []
        self.assigned: list[str] = []
        """The names that the lines assign, in order, with repetitions."""
        self.depth = 1

    def text(self) -> str:
        program = self.program
        self.lines += _header(program)
        self.write("grid " + ", ".join(map(size_text, program.grid)))
        self.write(f"warps {program.warps}")
        for requirement in program.requires:
            message = f", {_quoted(requirement.message)}" if requirement.message else ""
            self.write(f"require {size_text(requirement.condition)}{message}")
        self.body(program.body)
        return "\n".join([*self.functions, *self.lines]) + "\n"

    def write(self, line: str) -> None:
        self.lines.append(INDENT * self.depth + line)

    def assign(self, names: Sequence[str], text: str) -> None:
        self.assigned += names
        self.write(f"{', '.join(names)} = {text}")

    # Names

    def unique(self, wanted: str) -> str:
        """A name that nothing has yet, like the one that is wanted."""
        base = re.sub(r"\W", "_", wanted, flags=re.ASCII) or "t"
        if base[0].isdigit() or _is_format(base):
            base = f"_{base}"
        name = base
        while name in self.taken:
            self.counts[base] += 1
            name = f"{base}_{self.counts[base]}"
        self.taken.add(name)
        return name

    def name(self, value: Value) -> str:
        """The name of a value, which it is given where it is met first."""
        if value not in self.names:
            self.names[value] = self.unique(value.name)
        return self.names[value]

    # Statements

    def body(self, statements: Sequence[Statement]) -> None:
        """The statements of one body. ``here`` holds what it has defined so far."""
        here: set[Value] = set()
        for statement in statements:
            if isinstance(statement, Let):
                self.let(statement)
            elif isinstance(statement, If):
                self.branch(statement)
            else:
                self.loop(statement, here)
            here.update(defined(statement))

    def let(self, statement: Let) -> None:
        line = self.instruction(statement.instruction)
        if statement.result is None:
            self.write(line)
        else:
            self.assign([self.name(statement.result)], line + _annotation(statement))

    def loop(self, loop: For | While, here: set[Value]) -> None:
        for carry in loop.carried:
            self.carry(carry, here)
        if isinstance(loop, For):
            self.write(f"for {self.name(loop.index)} in range({self.range(loop)}):")
        else:
            self.write(f"while {self.test(loop)}:")
        ends = [End(self.names[each.result], each.update, each.inner) for each in loop.carried]
        self.ordered(loop.body, ends)

    def carry(self, carry: Carry, here: set[Value]) -> None:
        """One name for a carried value; that of the value before the loop, where that is not needed otherwise."""
        initial = carry.initial
        name = self.names.get(carry.result)
        if name is None and isinstance(initial, Value) and initial in here and self.uses[initial] == 1:
            name = self.names[initial]
        elif name is None:
            name = self.unique(carry.result.name or carry.inner.name)
        if not isinstance(initial, Value) or self.names[initial] != name:
            self.assign([name], self.standing_alone(initial))
        self.names[carry.inner] = self.names[carry.result] = name

    def range(self, loop: For) -> str:
        start, stop, step = (self.operand(each) for each in (loop.start, loop.stop, loop.step))
        bounds = [start, stop, step] if step != "1" else [start, stop] if start != "0" else [stop]
        options = [f"{name}={getattr(loop, name)}" for name in ("stages", "unroll") if getattr(loop, name) != 1]
        return ", ".join([*bounds, *options])

    def branch(self, branch: If) -> None:
        self.write(f"if {self.operand(branch.condition)}:")
        for join in branch.joins:
            self.name(join.result)
        self.ordered(branch.then, [self.end(join, join.then) for join in branch.joins], typed=True)
        ends = [self.end(join, join.otherwise) for join in branch.joins]
        ends = [each for each in ends if each.before is None or each.before is not each.value]
        if branch.otherwise or ends:
            self.write("else:")
            self.ending(branch.otherwise, ends, typed=True)

    def end(self, join: Join, value: Operand) -> End:
        return End(self.names[join.result], value, self.replaced.get(join.result))

    def ordered(self, statements: Sequence[Statement], ends: Sequence[End], typed: bool = False) -> None:
        """A body that, read back, changes names in the order of its ends: that in which it first assigns them.

        One that would give another order begins with an assignment that changes nothing, of the names that stand for
        something before it.
        """
        place, before = len(self.lines), len(self.assigned)
        self.ending(statements, ends, typed)
        names = [end.name for end in ends]
        held = [end.name for end in ends if end.before is not None]
        if held and [name for name in dict.fromkeys(self.assigned[before:]) if name in names] != names:
            self.lines.insert(place, f"{INDENT * (self.depth + 1)}{', '.join(held)} = {', '.join(held)}")
            self.assigned[before:before] = held

    def ending(self, statements: Sequence[Statement], ends: Sequence[End], typed: bool = False) -> None:
        """A body and what names stand for at its end: the first ones from where it is computed, the others assigned."""
        self.depth += 1
        count = early(statements, ends)
        for end in ends[:count]:
            assert isinstance(end.value, Value)
            self.names[end.value] = end.name
            if end.before is not None:
                self.replaced[end.value] = end.before
        self.body(statements)
        late = ends[count:]
        if late:
            values = ", ".join(self.standing_alone(end.value, typed) for end in late)
            self.assign([end.name for end in late], values)
        if not statements and not ends:
            self.write("pass")
        self.depth -= 1

    # Tests of while loops

    def test(self, loop: While) -> str:
        """The condition of a loop: an expression where the test is a tree, else a call of a function printed before."""
        held = {each.result: each for each in loop.test if isinstance(each, Let) and each.result is not None}
        order = list(_in_order(loop.condition, held))
        plain = all(self.uses[value] == 1 and not _annotation(let) for value, let in held.items())
        if plain and order == list(loop.test):
            return self.nested(loop.condition, held)
        return self.function(loop)

    def nested(self, operand: Operand, held: dict[Value, Let], within: bool = False) -> str:
        """An operand with the instructions that compute it written in its place."""
        if not isinstance(operand, Value) or operand not in held:
            return self.operand(operand)
        instruction = held[operand].instruction
        for each in instruction.operands():
            if isinstance(each, Value) and each in held:
                self.names[each] = self.nested(each, held, within=True)
        text = self.instruction(instruction)
        return f"({text})" if within and instruction.operator is not None else text

    def function(self, loop: While) -> str:
        inside = {value for each in walk(loop.test) for value in defined_within(each)}
        needed = [value for each in walk(loop.test) for value in used(each)]
        if isinstance(loop.condition, Value):
            needed.append(loop.condition)
        outer = ", ".join(self.name(value) for value in dict.fromkeys(needed) if value not in inside)
        name = self.unique("goes_on")
        lines, self.lines, depth, self.depth = self.lines, [], self.depth, 1
        self.body(loop.test)
        self.write(f"return {self.operand(loop.condition)}")
        self.functions += [f"func {name}({outer}):", *self.lines, ""]
        self.lines, self.depth = lines, depth
        return f"{name}({outer})"

    # Instructions

    def instruction(self, instruction: Instruction) -> str:
        """An instruction as a call, or with its operator between its operands."""
        typed = _needs_formats(instruction)
        if instruction.operator is not None:
            operands = [self.operand(each, typed, within=True) for each in instruction.operands()]
            if len(operands) == 1:
                return f"{instruction.operator}{' ' if instruction.operator.isalpha() else ''}{operands[0]}"
            return f" {instruction.operator} ".join(operands)
        arguments: list[str] = []
        by_name = False
        for field in dataclasses.fields(instruction):
            role: Role = field.metadata["role"]
            held = getattr(instruction, field.name)
            if field.default is not dataclasses.MISSING and held == field.default:
                by_name = True
            elif role.variadic:
                arguments += (self.argument(each, role, typed) for each in held)
            else:
                prefix = f"{field.name}=" if by_name or role.keyword else ""
                arguments.append(prefix + self.argument(held, role, typed))
        return f"{instruction.name}({', '.join(arguments)})"

    def argument(self, held: Any, role: Role, typed: bool) -> str:
        if held is None:
            return "None"
        if role.kind == "operand":
            return self.operand(held, typed)
        if role.kind == "window":
            return self.window(held)
        if role.kind in ("shape", "sizes"):
            return f"[{', '.join(map(str, held))}]"
        return _quoted(held) if role.kind == "text" else str(held)

    def window(self, window: Window) -> str:
        items = [
            self.operand(offset) if extent is None else f"{self.operand(offset)} :+ {extent}"
            for offset, extent in zip(window.offsets, window.extents, strict=True)
        ]
        return f"{self.operand(window.base)}[{', '.join(items)}]"

    def operand(self, operand: Operand, typed: bool = False, within: bool = False) -> str:
        """A name or a number; ``typed`` with its format, ``within`` an operator in parentheses if it has a sign."""
        if isinstance(operand, Value):
            return self.name(operand)
        if typed:
            return f"{operand.dtype.name}({_number(operand.value)})"
        written = _number(operand.value)
        return f"({written})" if within and written.startswith("-") else written

    def standing_alone(self, operand: Operand, typed: bool = False) -> str:
        """An operand that a name is given; a number with its format unless it has it anyway."""
        plain = isinstance(operand, Literal) and binding.weak_dtype(operand.value) is operand.dtype
        return self.operand(operand, typed=typed or not plain)


def _header(program: Program) -> Iterator[str]:
    declared = [_parameter(value) for value in program.parameters]
    line = f"kernel {program.name}({', '.join(declared)}):"
    if len(line) <= WIDTH:
        yield line
        return
    yield f"kernel {program.name}("
    for place, each in enumerate(declared):
        yield f"{2 * INDENT}{each}" + ("):" if place == len(declared) - 1 else ",")


def _parameter(value: Value) -> str:
    kind = value.type
    access = f"{kind.access} " if isinstance(kind, TensorType) and kind.access != "in" else ""
    return f"{access}{value.name}: {kind}"


def _is_format(name: str) -> bool:
    try:
        return isinstance(dtype(name), DType)
    except DTypeError:
        return False


def _in_order(operand: Operand, held: dict[Value, Let]) -> Iterator[Let]:
    """The instructions that compute an operand, as the front end would emit those of the expression."""
    if isinstance(operand, Value) and operand in held:
        for each in held[operand].instruction.operands():
            yield from _in_order(each, held)
        yield held[operand]


# Text of instructions


def _annotation(let: Let) -> str:
    """The layout of a result, where the instruction does not give it anyway."""
    layout = None if let.result is None else getattr(let.result.type, "layout", None)
    if layout is None:
        return ""
    try:
        given = getattr(let.instruction.infer(), "layout", None)
    except TilevmError:
        given = None
    return "" if given is not None else f" @ {layout}"


def _needs_formats(instruction: Instruction) -> bool:
    """Whether numbers, if they were written without their formats, would be read with others, or computed at once."""
    fields = {name: getattr(instruction, name) for name in instruction.roles()}
    held = [each for value in fields.values() for each in (value if isinstance(value, tuple) else (value,))]
    if not any(isinstance(each, Literal) for each in held):
        return False
    if all(isinstance(each, Literal) for each in held):
        return True
    plain = {name: _without_formats(value) for name, value in fields.items()}
    try:
        return binding.build(type(instruction), plain) != instruction
    except TilevmError:
        return True


def _without_formats(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(_without_formats(each) for each in value)
    return value.value if isinstance(value, Literal) else value


def _number(value: int | float | bool) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
    return repr(value)


_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r", "\0": "\\0"}


def _quoted(text: str) -> str:
    return '"' + "".join(_ESCAPES.get(char, char) for char in text) + '"'
