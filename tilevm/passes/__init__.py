"""From a program as it was written to one that says everything a code generator needs: passes from IR to IR.

A pass is a function of a program and an architecture, one file each, with one sentence that says what it does.
``PIPELINE`` names them in the order in which they run; the verifier runs after each. No pass changes what a program
computes: the interpreter gives the same bits before and after.

    constant_folding       scalars of literals are computed, branches and loops with known conditions resolved
    loop_invariants        what is the same in every iteration moves in front of the loop
    common_subexpressions  a scalar that was computed before is not computed again
    dead_code              what has no effect and is not used goes
    layout_inference       every register tile gets a layout

``divisibility`` is an analysis: what surely divides a scalar, and its bounds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tilevm.arch import Arch, arch
from tilevm.ir import Program
from tilevm.passes.common_subexpressions import share_common_subexpressions
from tilevm.passes.constant_folding import fold_constants
from tilevm.passes.dead_code import remove_dead_code
from tilevm.passes.layout_inference import infer_layouts
from tilevm.passes.loop_invariants import hoist_loop_invariants
from tilevm.passes.remarks import Remark
from tilevm.verify import verify

__all__ = ["DEFAULT_ARCHITECTURE", "PIPELINE", "Lowered", "Pass", "Remark", "run_passes"]

DEFAULT_ARCHITECTURE = "sm_80"
"""What programs are lowered for where nothing else is said: the first with every warp-level mma of 16 bits."""

Pass = Callable[[Program, Arch], tuple[Program, tuple[Remark, ...]]]
"""A program and an architecture to a program that computes the same, and remarks."""

PIPELINE: tuple[Pass, ...] = (
    fold_constants,
    hoist_loop_invariants,
    share_common_subexpressions,
    remove_dead_code,
    infer_layouts,
    hoist_loop_invariants,
)


@dataclass(frozen=True)
class Lowered:
    """A program after the passes, for one architecture, with what the passes had to say, in order of the text."""

    program: Program
    remarks: tuple[Remark, ...]
    arch: Arch


def run_passes(program: Program, arch_name: str = DEFAULT_ARCHITECTURE, passes: Sequence[Pass] = PIPELINE) -> Lowered:
    """Runs passes one after another, the verifier after each.

    Raises ``UsageError`` F020 for an architecture that is not known, ``LayoutError`` L046 for written layouts that
    clash; ``ProgramError`` of the verifier (V codes) would be a fault of a pass.
    """
    target = arch(arch_name)
    remarks: list[Remark] = []
    for each in passes:
        program, found = each(program, target)
        verify(program)
        remarks += found
    ordered = sorted(dict.fromkeys(remarks), key=lambda remark: remark.line or 0)
    return Lowered(program, tuple(ordered), target)
