"""How an instruction is carried out on an architecture: plans, and what an instruction may ask while it makes one.

A program says *what* is done; a plan says *how*: in which pieces a tile is loaded, which matrix instructions make a
product, by which way elements change threads. An instruction makes its plan itself (``Instruction.plan``), when the
layouts of all tiles are chosen; the statement that holds the instruction then holds the plan, and the templates of
``codegen`` spell it out. A plan never changes what is computed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

from tilevm.arch import Arch
from tilevm.multiples import Known
from tilevm.sizes import Size
from tilevm.values import Operand, Value, Window

__all__ = ["Plan", "Planning"]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The base of plans: what passes need to know of any of them."""

    through_others: ClassVar[bool] = False
    """Whether a thread reads or writes in memory elements that others hold in registers."""

    scratch_bytes: int = 0
    """Shared memory that the instruction needs while it runs, through which threads exchange elements."""


class Planning(Protocol):
    """What an instruction may ask when it makes its plan."""

    arch: Arch
    threads: int
    """Threads in a block."""

    def known(self, operand: Operand) -> Known:
        """What is known of an integer scalar when the program is compiled."""

    def known_size(self, size: Size) -> Known:
        """What is known of a size, or of an expression of sizes, when the program is compiled."""

    def inside(self, window: Window, dim: int) -> bool:
        """Whether a window surely lies within its tensor along a dimension, so that no access needs a bounds check."""

    def alignment(self, tensor: Value) -> int:
        """Bytes that surely divide the address at which a tensor or a shared tile begins."""

    def require(self, feature: str) -> None:
        """Raises ``UsageError`` F022 at the instruction's place where the architecture lacks a feature."""

    def remark(self, text: str) -> None:
        """Leaves a remark at the instruction's place in the text."""
