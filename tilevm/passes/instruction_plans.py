"""Every instruction makes its plan: in which pieces it accesses memory, by which way elements change threads.

The last pass but the barriers, when every tile has its layout: a plan is a choice for one architecture, from the
layouts, from what sizes and offsets are known to divide by, and from how tensors are aligned.
"""

from __future__ import annotations

from dataclasses import replace

from tilevm.arch import Arch
from tilevm.errors import Span
from tilevm.instruction import Instruction
from tilevm.ir import If, Let, Program, Statement, walk
from tilevm.multiples import Known
from tilevm.passes.bounds import Bounds
from tilevm.passes.divisibility import analyse
from tilevm.passes.remarks import Remark
from tilevm.passes.rewriting import with_bodies
from tilevm.sizes import Size
from tilevm.values import Operand, SharedType, TensorType, Value, Window

__all__ = ["make_plans"]

TENSOR_ALIGNMENT = 16
"""Bytes: what the launch checks of a tensor's address where a program says nothing else."""
SHARED_ALIGNMENT = 128
"""Bytes: shared tiles begin where all banks do."""


def make_plans(program: Program, arch: Arch) -> tuple[Program, tuple[Remark, ...]]:
    """Gives every instruction that has something to choose its plan."""
    planning = _Planning(program, arch)
    return replace(program, body=_body(program.body, planning)), tuple(planning.remarks)


def _body(statements: tuple[Statement, ...], planning: _Planning) -> tuple[Statement, ...]:
    result: list[Statement] = []
    for statement in statements:
        if isinstance(statement, Let):
            planning.span = statement.span
            plan = statement.instruction.plan(statement.result, planning)
            result.append(replace(statement, plan=plan))
        elif isinstance(statement, If):
            then, otherwise = _body(statement.then, planning), _body(statement.otherwise, planning)
            result.append(replace(statement, then=then, otherwise=otherwise))
        else:
            parts = {
                name: _body(getattr(statement, name), planning) for name in ("test", "body") if hasattr(statement, name)
            }
            result.append(with_bodies(statement, **parts))
    return tuple(result)


class _Planning:
    """What instructions of one program may ask (``tilevm.plan.Planning``)."""

    def __init__(self, program: Program, arch: Arch) -> None:
        self.arch = arch
        self.threads = program.threads
        self.remarks: list[Remark] = []
        self.span: Span | None = None
        self._divisibility = analyse(program)
        self._bounds = Bounds(program, self._divisibility)
        self._alignment = dict(program.alignment)
        self._views = _bases(program)

    def known(self, operand: Operand) -> Known:
        return self._divisibility.of(operand)

    def known_size(self, size: Size) -> Known:
        return self._divisibility.of_size(size)

    def inside(self, window: Window, dim: int) -> bool:
        return self._bounds.inside(window, dim)

    def alignment(self, tensor: Value) -> int:
        if isinstance(tensor.type, SharedType):
            return SHARED_ALIGNMENT
        return self._alignment.get(self._views.get(tensor, tensor).name, TENSOR_ALIGNMENT)

    def require(self, feature: str) -> None:
        self.arch.require(feature, span=self.span)

    def remark(self, text: str) -> None:
        self.remarks.append(Remark(text, self.span))


def _bases(program: Program) -> dict[Value, Value]:
    """For each tensor that an instruction makes, the parameter whose bytes it shows."""
    bases: dict[Value, Value] = {}
    for statement in walk(program.body):
        if isinstance(statement, Let) and statement.result and isinstance(statement.result.type, TensorType):
            (shown,) = _tensors(statement.instruction)
            bases[statement.result] = bases.get(shown, shown)
    return bases


def _tensors(instruction: Instruction) -> list[Value]:
    return [each for each in instruction.operands() if isinstance(each, Value) and isinstance(each.type, TensorType)]
