"""From a lowered program to one CUDA source: each statement by its template, in the order of the program.

Values keep the names that they have in the text. Every statement follows a comment with its line of the text and a
``#line``, so that what a compiler, a debugger or a profiler says about it is said about the program. The same text is
compiled for a GPU and, with another library of intrinsics, for the simulator.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tilevm.codegen.emission import Held, Scope, Step
from tilevm.codegen.environment import environment, quoted
from tilevm.codegen.naming import comment
from tilevm.errors import Span
from tilevm.ir import Carry, For, If, Let, Program, Statement, While
from tilevm.passes import Lowered
from tilevm.values import Operand, ScalarType, TensorType, TileType, Value

__all__ = ["Emitted", "emit"]

SCRATCH_ALIGNMENT = 128
MARK = re.compile(r'^\s*#line \d+ "(?:[^"\\]|\\.)*"$')


@dataclass(frozen=True)
class Emitted:
    """A kernel in CUDA C++, without the intrinsics library that it is written in."""

    kernel: str
    """The name of the function."""
    text: str
    """For people: every statement after its line of the program."""
    arguments: tuple[Value, ...]
    """What the function takes: tensors as pointers to their bytes, scalars, then every size."""
    shared_bytes: int
    """Dynamic shared memory of a block."""
    threads: int
    """Threads of a block."""

    @property
    def source(self) -> str:
        """For compilers: a ``#line`` in front of every line, since a statement may take several."""
        return "\n".join(_marked(self.text.splitlines())) + "\n"


def emit(lowered: Lowered) -> Emitted:
    """The CUDA source of a program whose tiles all have layouts and whose instructions have plans."""
    return _Emitter(lowered).kernel()


def _marked(lines: Sequence[str]) -> Iterator[str]:
    mark = None
    for line in lines:
        if MARK.match(line):
            mark = line.strip()
        elif mark is not None and line.strip():
            yield mark
            yield line
        else:
            yield line


class _Emitter:
    """Emits one program. A body is the text of its statements, rendered from the inside out."""

    def __init__(self, lowered: Lowered) -> None:
        self.lowered = lowered
        self.program: Program = lowered.program
        self.scope = Scope(
            lowered.arch, self.program.threads, len(self.program.grid), early=self.program.awaits_launches
        )
        self.scratch_offset = -(-lowered.shared.total_bytes // SCRATCH_ALIGNMENT) * SCRATCH_ALIGNMENT

    def render(self, template: str, **context: object) -> str:
        return environment().get_template(template).render(**context)

    def kernel(self) -> Emitted:
        arguments = (*self.program.parameters, *self.program.sizes)
        held = [self.scope.define(value) for value in arguments]
        for size in self.program.sizes:
            self.scope.symbols[size.name] = self.scope.held(size).name
        name = f"{self.scope.names.fresh(self.program.name)}_kernel"
        scratch = self.lowered.scratch_bytes
        shared = self.scratch_offset + scratch if scratch else self.lowered.shared.total_bytes
        text = self.render(
            "kernel.cu.j2",
            name=name,
            program=self.program,
            arch=self.lowered.arch,
            parameters=[_parameter(each) for each in held],
            header=_header(self.program),
            shared_bytes=shared,
            body=self.body(self.program.body),
            policies=self.scope.policies,
        )
        return Emitted(name, text, arguments, shared, self.program.threads)

    def body(self, statements: Sequence[Statement]) -> str:
        text, before = [], None
        for statement in statements:
            # Of instructions that come from one line of the program only the first says so.
            repeated = isinstance(statement, Let) and _line(statement) == before
            text.append(self.statement(statement, repeated))
            if not isinstance(statement, Let):
                before = None
            elif text[-1]:
                before = _line(statement)
        return "".join(text)

    def statement(self, statement: Statement, repeated: bool) -> str:
        if isinstance(statement, Let):
            return self.let(statement, repeated)
        if isinstance(statement, For):
            return self.counted(statement)
        if isinstance(statement, While):
            return self.repeated(statement)
        return self.branch(statement)

    def place(self, span: Span | None) -> dict[str, object]:
        """Where a statement stands in the text: for its comment, ``#line`` and ``TV_LINE``."""
        if span is None:
            return {"line": 0, "file": '""', "written": ""}
        name = quoted(span.source.name or "")
        return {"line": span.line, "file": name, "written": comment(span.source.line(span.line))}

    def let(self, let: Let, repeated: bool) -> str:
        result = None if let.result is None else self.scope.define(let.result)
        place = self.place(None if repeated else let.span)
        step = Step(
            self.scope,
            let.instruction,
            result,
            let.plan,
            let.span.line if let.span else 0,
            f"(shared + {self.scratch_offset}u)",
            self.lowered.shared.offsets,
            let.result,
        )
        text = _without_blank_lines(self.render(f"inst/{let.instruction.name}.cu.j2", it=step))
        variable = result if let.result is not None and isinstance(let.result.type, ScalarType | TileType) else None
        return self.render("statement.cu.j2", **place, variable=variable, text=text) if text.strip() else ""

    # What loops and branches carry

    def variables(self, carried: Sequence[Carry]) -> list[tuple[Held, Held]]:
        """A variable for each carried value, with what it begins as. The value after the loop is what it ends as."""
        made = []
        for carry in carried:
            initial = self.scope.held(carry.initial)
            variable = self.scope.define(carry.inner)
            self.scope.alias(carry.result, variable.name)
            made.append((variable, initial))
        return made

    def updates(self, carried: Sequence[Carry]) -> list[tuple[Held, Held, bool]]:
        """Each variable with its next value, and whether that is another carried variable, which may change first."""
        inner = {carry.inner for carry in carried}
        return [
            (self.scope.held(carry.inner), self.scope.held(carry.update), carry.update in inner)
            for carry in carried
            if carry.update != carry.inner
        ]

    def counted(self, loop: For) -> str:
        variables = self.variables(loop.carried)
        start, stop, step = (self.scope.held(each) for each in (loop.start, loop.stop, loop.step))
        index = self.scope.define(loop.index)
        body = self.body(loop.body)
        return self.render(
            "for.cu.j2",
            **self.place(loop.span),
            variables=variables,
            index=index,
            start=start,
            stop=stop,
            step=step,
            direction=_direction(loop.step),
            unroll=loop.unroll,
            body=body,
            updates=self.updates(loop.carried),
            fresh=self.scope.names.fresh,
        )

    def repeated(self, loop: While) -> str:
        variables = self.variables(loop.carried)
        test = self.body(loop.test)
        condition = self.scope.held(loop.condition)
        body = self.body(loop.body)
        return self.render(
            "while.cu.j2",
            **self.place(loop.span),
            variables=variables,
            test=test,
            condition=condition,
            body=body,
            updates=self.updates(loop.carried),
            fresh=self.scope.names.fresh,
        )

    def branch(self, branch: If) -> str:
        condition = self.scope.held(branch.condition)
        sides = []
        for body, name in ((branch.then, "then"), (branch.otherwise, "otherwise")):
            text = self.body(body)
            sides.append((text, [self.scope.held(getattr(join, name)) for join in branch.joins]))
        results = [self.scope.define(join.result) for join in branch.joins]
        return self.render("if.cu.j2", **self.place(branch.span), condition=condition, sides=sides, results=results)


def _without_blank_lines(text: str) -> str:
    return "".join(f"{line}\n" for line in text.splitlines() if line.strip())


def _header(program: Program) -> list[str]:
    """The lines of the program's text up to the end of its parameters."""
    lines = str(program).splitlines()
    ends = next(number for number, line in enumerate(lines) if line.endswith(":"))
    return [comment(line) for line in lines[: ends + 1]]


def _line(let: Let) -> tuple[str | None, int] | None:
    return None if let.span is None else (let.span.source.name, let.span.line)


def _direction(step: Operand) -> int:
    """1 or -1 for a loop that surely counts up or down, 0 where that is only known when it runs."""
    value = getattr(step, "value", None)
    return 0 if value is None else 1 if value > 0 else -1


def _parameter(held: Held) -> str:
    if isinstance(held.type, TensorType):
        const = "const " if held.type.access == "in" else ""
        return f"{const}tv::u8* __restrict__ {held.name}"
    return f"{held.ctype} {held.name}"
