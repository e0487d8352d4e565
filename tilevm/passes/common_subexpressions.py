"""Common subexpressions: a scalar that was computed before, from the same operands, is the value from before.

Only scalars are shared: addresses are made of them, and they cost one register for the whole warp or a few. Keeping a
tile for a later use would hold its registers for as long, so tiles are computed again.
"""

from __future__ import annotations

from collections import ChainMap
from dataclasses import replace

from tilevm.arch import Arch
from tilevm.instruction import Instruction
from tilevm.ir import If, Let, Program, Statement, While, map_children
from tilevm.passes.remarks import Remark
from tilevm.passes.rewriting import with_bodies, with_operands
from tilevm.values import Operand, ScalarType, Value

__all__ = ["share_common_subexpressions"]

Computed = ChainMap[Instruction, Value]


def share_common_subexpressions(program: Program, arch: Arch) -> tuple[Program, tuple[Remark, ...]]:
    """Replaces a pure scalar instruction by the value that an equal one before it gave."""
    return replace(program, body=_Sharing().body(program.body, ChainMap())), ()


class _Sharing:
    """One way through a program; a body sees what the bodies around it have computed before."""

    def __init__(self) -> None:
        self.same: dict[Value, Operand] = {}

    def operand(self, operand: Operand) -> Operand:
        return self.same.get(operand, operand) if isinstance(operand, Value) else operand

    def body(self, statements: tuple[Statement, ...], computed: Computed) -> tuple[Statement, ...]:
        kept: list[Statement] = []
        for statement in statements:
            if isinstance(statement, Let):
                let = map_children(statement, lambda body: body, self.operand)
                if not self._is_shared(let, computed):
                    kept.append(let)
            else:
                kept.append(self._nested(statement, computed))
        return tuple(kept)

    def _is_shared(self, let: Let, computed: Computed) -> bool:
        instruction, result = let.instruction, let.result
        if result is None or not isinstance(result.type, ScalarType) or not instruction.pure:
            return False
        if any(True for _ in instruction.memory(written=False)):
            return False
        before = computed.get(instruction)
        if before is None:
            computed[instruction] = result
            return False
        self.same[result] = before
        return True

    def _nested(self, statement: Statement, computed: Computed) -> Statement:
        # What a loop carries is defined by its body, so operands are replaced after the bodies.
        inner = computed.new_child()
        if isinstance(statement, If):
            bodies = {
                "then": self.body(statement.then, inner),
                "otherwise": self.body(statement.otherwise, computed.new_child()),
            }
        elif isinstance(statement, While):
            # What the test computes is seen by the body.
            test = self.body(statement.test, inner)
            bodies = {"test": test, "body": self.body(statement.body, inner)}
        else:
            assert not isinstance(statement, Let)
            bodies = {"body": self.body(statement.body, inner)}
        return with_operands(with_bodies(statement, **bodies), self.operand)
