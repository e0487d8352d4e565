"""Dead code: what nothing needs is left out.

Needed is what has an effect, and what something needed uses; what stands in a loop or a branch needs its bounds or its
condition. A value that a loop carries is needed only if somebody other than itself uses it. A ``while`` loop stays,
because it may never end, and so does a ``for`` loop whose step might be 0, which is an error when it runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from tilevm.arch import Arch
from tilevm.ir import Carry, For, If, Let, Program, Statement, While
from tilevm.passes.remarks import Remark
from tilevm.values import Literal, Operand, Value

__all__ = ["remove_dead_code"]


def remove_dead_code(program: Program, arch: Arch) -> tuple[Program, tuple[Remark, ...]]:
    """Removes instructions, carried values, joins, loops and branches that nothing needs."""
    needs = _Needs()
    needs.body(program.body, ())
    live = needs.closure()
    return replace(program, body=tuple(_kept(program.body, live))), ()


def _has_effect(let: Let) -> bool:
    """Whether an instruction does more than give its result: a shared tile that nobody uses is not made."""
    instruction = let.instruction
    touches = any(True for written in (False, True) for _ in instruction.memory(written=written))
    return not instruction.pure and (let.result is None or touches or any(True for _ in instruction.operands()))


class _Needs:
    """What each value needs to be defined, and what is needed in any case."""

    def __init__(self) -> None:
        self.of: dict[Value, list[Operand]] = {}
        self.roots: list[Operand] = []

    def body(self, statements: Iterable[Statement], around: tuple[Operand, ...]) -> None:
        for statement in statements:
            if isinstance(statement, Let):
                self._let(statement, around)
            elif isinstance(statement, If):
                self._if(statement, around)
            else:
                self._loop(statement, around)

    def _let(self, let: Let, around: tuple[Operand, ...]) -> None:
        needed = [*let.instruction.operands(), *around]
        if _has_effect(let):
            self.roots += needed
        if let.result is not None:
            self.of[let.result] = needed

    def _if(self, branch: If, around: tuple[Operand, ...]) -> None:
        around = (*around, branch.condition)
        self.body(branch.then, around)
        self.body(branch.otherwise, around)
        for join in branch.joins:
            self.of[join.result] = [join.then, join.otherwise, *around]

    def _loop(self, loop: For | While, around: tuple[Operand, ...]) -> None:
        if isinstance(loop, For):
            around = (*around, loop.start, loop.stop, loop.step)
            self.of[loop.index] = list(around)
            if not _ends(loop):
                self.roots += around
        else:
            around = (*around, loop.condition)
            self.roots += around
            self.body(loop.test, around)
        self.body(loop.body, around)
        for carry in loop.carried:
            self.of[carry.inner] = self.of[carry.result] = [carry.initial, carry.update, carry.inner, *around]

    def closure(self) -> set[Value]:
        """Every value that is needed."""
        live: set[Value] = set()
        waiting = list(self.roots)
        while waiting:
            value = waiting.pop()
            if isinstance(value, Value) and value not in live:
                live.add(value)
                waiting += self.of.get(value, ())
        return live


def _ends(loop: For) -> bool:
    return isinstance(loop.step, Literal) and loop.step.value != 0


def _kept(statements: Iterable[Statement], live: set[Value]) -> Iterator[Statement]:
    for statement in statements:
        if isinstance(statement, Let):
            if _has_effect(statement) or statement.result in live:
                yield statement
        elif isinstance(statement, If):
            branch = replace(
                statement,
                then=tuple(_kept(statement.then, live)),
                otherwise=tuple(_kept(statement.otherwise, live)),
                joins=tuple(join for join in statement.joins if join.result in live),
            )
            if branch.then or branch.otherwise or branch.joins:
                yield branch
        elif isinstance(statement, For):
            counted = replace(statement, body=tuple(_kept(statement.body, live)), carried=_carried(statement, live))
            if counted.body or counted.carried or not _ends(statement):
                yield counted
        else:
            yield replace(
                statement,
                test=tuple(_kept(statement.test, live)),
                body=tuple(_kept(statement.body, live)),
                carried=_carried(statement, live),
            )


def _carried(loop: For | While, live: set[Value]) -> tuple[Carry, ...]:
    return tuple(carry for carry in loop.carried if carry.inner in live or carry.result in live)
