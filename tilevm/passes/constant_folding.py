"""Constant folding: what literals decide is decided now.

A scalar is folded by running its instruction as the interpreter does, on a batch of one block, so that folding cannot
differ from running. A result that no literal stands for bit by bit (a NaN with a payload) is left alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from tilevm.arch import Arch
from tilevm.batch import BlockBatch, Launch
from tilevm.ir import For, If, Let, Program, Statement, While, map_children
from tilevm.passes.remarks import Remark
from tilevm.values import Literal, Operand, ScalarType, Value

__all__ = ["fold_constants"]


def fold_constants(program: Program, arch: Arch) -> tuple[Program, tuple[Remark, ...]]:
    """Computes scalars of literals, and resolves the branches and loops that they decide."""
    return replace(program, body=_Folding().body(program.body)), ()


class _Folding:
    """One way through a program, with what the values met so far turned out to be."""

    def __init__(self) -> None:
        self.known: dict[Value, Operand] = {}

    def operand(self, operand: Operand) -> Operand:
        return self.known.get(operand, operand) if isinstance(operand, Value) else operand

    def body(self, statements: tuple[Statement, ...]) -> tuple[Statement, ...]:
        return tuple(each for statement in statements for each in self.statement(statement))

    def statement(self, statement: Statement) -> Iterator[Statement]:
        if isinstance(statement, If):
            yield from self.branch(statement)
        elif isinstance(statement, Let):
            folded = map_children(statement, self.body, self.operand)
            literal = _folded(folded)
            if literal is None:
                yield folded
            else:
                assert folded.result is not None
                self.known[folded.result] = literal
        elif isinstance(statement, For) and self.never_runs(statement):
            for carry in statement.carried:
                self.known[carry.result] = self.operand(carry.initial)
        else:
            # A loop's update is only known once its body is folded, so operands are replaced after the bodies.
            yield self.loop(statement)

    def branch(self, branch: If) -> Iterator[Statement]:
        condition = self.operand(branch.condition)
        if not isinstance(condition, Literal):
            then, otherwise = self.body(branch.then), self.body(branch.otherwise)
            yield replace(map_children(branch, lambda body: body, self.operand), then=then, otherwise=otherwise)
            return
        yield from self.body(branch.then if condition.value else branch.otherwise)
        for join in branch.joins:
            self.known[join.result] = self.operand(join.then if condition.value else join.otherwise)

    def loop(self, loop: For | While) -> Statement:
        if isinstance(loop, For):
            body = self.body(loop.body)
            return replace(map_children(loop, lambda body: body, self.operand), body=body)
        test, body = self.body(loop.test), self.body(loop.body)
        return replace(map_children(loop, lambda body: body, self.operand), test=test, body=body)

    def never_runs(self, loop: For) -> bool:
        bounds = [self.operand(each) for each in (loop.start, loop.stop, loop.step)]
        numbers = [int(each.value) for each in bounds if isinstance(each, Literal)]
        return len(numbers) == 3 and numbers[2] != 0 and not range(*numbers)


def _folded(let: Let) -> Literal | None:
    """The literal that an instruction gives, None where it is not known."""
    instruction, result = let.instruction, let.result
    operands = tuple(instruction.operands())
    if result is None or not isinstance(result.type, ScalarType) or not instruction.pure or not operands:
        return None
    if not all(isinstance(each, Literal) for each in operands):
        return None
    batch = BlockBatch(Launch((1,)), np.zeros(1, np.int64))
    array = instruction.evaluate(batch)
    assert array is not None
    dtype = result.dtype
    codes = dtype.to_codes(array)
    number = (dtype.to_values(array) if dtype.carrier is not None else dtype.decode(codes))[0].item()
    literal = Literal(number, dtype)
    same = np.array_equal(batch.codes(literal), codes)
    return literal if same else None
