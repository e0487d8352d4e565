"""One instruction by itself in a kernel: every thread's registers are given, and taken afterwards, as they are.

So an instruction is tested without loads and stores, in every thread, also in those that hold what others hold. Several
make one source, since a compilation costs more than a run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import ChoiceLoader, Environment, FileSystemLoader
from numpy.typing import NDArray

from tilevm.arch import arch
from tilevm.codegen.emission import Scope, Step
from tilevm.codegen.environment import environment
from tilevm.dtypes import DType
from tilevm.instruction import Instruction
from tilevm.layout import Layout
from tilevm.machine import Array
from tilevm.multiples import UNKNOWN, Known
from tilevm.plan import Plan
from tilevm.plans.packets import held_bits, is_packed
from tilevm.runtime.simulator import HostModule, Simulation, compile_host
from tilevm.values import Operand, TileType, Type, Value

Words = NDArray[np.uint32]
LINE = 7
"""The line of the program that the instruction stands on."""


@dataclass
class Planner:
    """What an instruction may ask while it makes its plan, where nothing is known."""

    threads: int
    arch: Any = field(default_factory=lambda: arch("sm_80"))
    remarks: list[str] = field(default_factory=list)

    def known(self, operand: Operand) -> Known:
        return UNKNOWN

    def known_size(self, size: Any) -> Known:
        return UNKNOWN

    def inside(self, window: Any, dim: int) -> bool:
        return False

    def alignment(self, tensor: Value) -> int:
        return 1

    def require(self, feature: str) -> None:
        raise AssertionError(feature)

    def remark(self, text: str) -> None:
        self.remarks.append(text)


@cache
def _environment() -> Environment:
    """The environment of the templates, with the template of the tests."""
    made = environment()
    assert made.loader is not None
    return made.overlay(loader=ChoiceLoader([made.loader, FileSystemLoader(Path(__file__).parent)]))


def in_registers(dtype: DType, codes: NDArray[Any], layout: Layout) -> Words:
    """The words of each thread of a tile, of shape ``[threads, words]``."""
    held = np.asarray(codes, np.uint64).ravel()[layout.thread_slot_to_flat()]
    bits = held_bits(dtype)
    if not is_packed(dtype):
        return np.ascontiguousarray(held.astype("<u8" if bits == 64 else "<u4")).view(np.uint32)
    stream = (held[..., None] >> np.arange(bits, dtype=np.uint64) & 1).astype(np.uint8).reshape(len(held), -1)
    stream = np.pad(stream, ((0, 0), (0, -stream.shape[1] % 32)))
    return np.packbits(stream, axis=1, bitorder="little").view("<u4")


def from_registers(dtype: DType, words: Words, slots: int) -> NDArray[np.uint64]:
    """The codes of each thread's slots, of shape ``[threads, slots]``."""
    bits = held_bits(dtype)
    if not is_packed(dtype):
        return np.ascontiguousarray(words).view("<u8" if bits == 64 else "<u4").astype(np.uint64)
    stream = np.unpackbits(np.ascontiguousarray(words).view(np.uint8), axis=1, bitorder="little")[:, : slots * bits]
    return (stream.reshape(len(words), slots, bits).astype(np.uint64) << np.arange(bits, dtype=np.uint64)).sum(axis=2)


@dataclass(frozen=True, eq=False)
class Case:
    """An instruction on tiles of given formats and layouts, whose result lies as ``layout`` says, None for a scalar."""

    make: Callable[..., Instruction]
    given: tuple[tuple[DType, Layout], ...]
    layout: Layout | None

    @cached_property
    def operands(self) -> tuple[Value, ...]:
        return tuple(
            Value(TileType(dtype, layout.shape, layout), name)
            for (dtype, layout), name in zip(self.given, "xyz", strict=False)
        )

    @cached_property
    def instruction(self) -> Instruction:
        return self.make(*self.operands)

    @cached_property
    def type(self) -> Type:
        kind = self.instruction.check()
        assert kind is not None
        return TileType(kind.dtype, kind.shape, self.layout) if isinstance(kind, TileType) else kind

    @cached_property
    def planner(self) -> Planner:
        return Planner(self.given[0][1].threads)

    @cached_property
    def plan(self) -> Plan:
        plan = self.instruction.plan(Value(self.type), self.planner)
        assert plan is not None
        return plan

    def text(self, name: str, change: Callable[[str], str] = str) -> str:
        """The kernel; ``change`` plants a fault in the text of the instruction."""
        scope = Scope(arch("sm_80"), self.planner.threads, 1)
        held = [scope.define(operand) for operand in self.operands]
        result = scope.define(Value(self.type, "result"))
        step = Step(scope, self.instruction, result, self.plan, LINE, "(shared + 0u)", {}, None)
        made = _environment()
        text = change(made.get_template(f"inst/{self.instruction.name}.cu.j2").render(it=step))
        return made.get_template("kernels/registers.cu.j2").render(
            it=step, name=name, operands=held, result=result, text=text, line=LINE, shared_bytes=self.plan.scratch_bytes
        )

    def run(self, module: HostModule, name: str, *codes: Array) -> tuple[NDArray[np.uint64], Simulation]:
        """The codes of the result's slots in every thread, from the codes of the tiles."""
        given = [in_registers(dtype, array, layout) for (dtype, layout), array in zip(self.given, codes, strict=True)]
        slots = 1 if self.layout is None else self.layout.slots
        dtype = self.type.dtype
        count = -(-slots * held_bits(dtype) // 32) if is_packed(dtype) else slots * (2 if dtype.bits == 64 else 1)
        words = np.zeros((self.planner.threads, count), np.uint32)
        found = module.launch(name, 1, [*map(np.ascontiguousarray, given), words])
        return from_registers(dtype, words, slots), found

    def expected(self, codes: Array) -> NDArray[np.uint64]:
        """The codes that every thread should have, from those of the result."""
        flat = np.asarray(codes, np.uint64).ravel()
        if self.layout is None:
            return np.broadcast_to(flat, (self.planner.threads, 1))
        return flat[self.layout.thread_slot_to_flat()]


def compiled(cases: Sequence[Case], change: Callable[[str], str] = str) -> HostModule:
    """The kernels ``k0``, ``k1``, … of cases, as one module."""
    return compile_host("".join(case.text(f"k{n}", change) for n, case in enumerate(cases)), options=("-O0",))
