"""From a program as it was written to one that says everything a code generator needs: passes from IR to IR.

A pass is a function of a program and an architecture, one file each, with one sentence that says what it does.
``PIPELINE`` names them in the order in which they run; the verifier runs after each. No pass changes what a program
computes: the interpreter gives the same bits before and after.

    constant_folding       scalars of literals are computed, branches and loops with known conditions resolved
    loop_invariants        what is the same in every iteration moves in front of the loop
    common_subexpressions  a scalar that was computed before is not computed again
    dead_code              what has no effect and is not used goes
    staging                loops with stages become pipelines of asynchronous copies through shared memory
    layout_inference       every register tile gets a layout
    shared_layouts         every shared tile gets a layout in which accesses do not collide
    instruction_plans      every instruction says how it is carried out
    barriers               threads meet where one needs what another wrote

``divisibility`` is an analysis: what surely divides a scalar, and its bounds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from tilevm.arch import Arch, arch
from tilevm.ir import Let, Program, walk
from tilevm.passes.barriers import insert_barriers
from tilevm.passes.common_subexpressions import share_common_subexpressions
from tilevm.passes.constant_folding import fold_constants
from tilevm.passes.dead_code import remove_dead_code
from tilevm.passes.instruction_plans import make_plans
from tilevm.passes.layout_inference import infer_layouts
from tilevm.passes.loop_invariants import hoist_loop_invariants
from tilevm.passes.remarks import Remark
from tilevm.passes.shared_layouts import choose_shared_layouts
from tilevm.passes.shared_memory_plan import SharedPlan, check_shared_memory, plan_shared_memory
from tilevm.passes.staging import stage_loops
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
    stage_loops,
    fold_constants,
    share_common_subexpressions,
    infer_layouts,
    hoist_loop_invariants,
    choose_shared_layouts,
    make_plans,
    insert_barriers,
)


@dataclass(frozen=True)
class Lowered:
    """A program after the passes, for one architecture, with what the passes had to say, in order of the text."""

    program: Program
    remarks: tuple[Remark, ...]
    arch: Arch

    @property
    def scratch_bytes(self) -> int:
        """Shared memory that instructions use one after another while they exchange elements between threads."""
        plans = (each.plan for each in walk(self.program.body) if isinstance(each, Let))
        return max((plan.scratch_bytes for plan in plans if plan is not None), default=0)

    @property
    def shared(self) -> SharedPlan:
        """Where the shared tiles lie."""
        return plan_shared_memory(self.program)


def run_passes(
    program: Program,
    arch_name: str = DEFAULT_ARCHITECTURE,
    passes: Sequence[Pass] = PIPELINE,
    *,
    alignment: Mapping[str, int] | None = None,
) -> Lowered:
    """Runs passes one after another, the verifier after each.

    ``alignment`` names tensors whose address is not known to be a multiple of 16 bytes, with what divides it.

    Raises ``UsageError`` F020 for an architecture that is not known and F022 for one that lacks what an instruction
    needs, ``LayoutError`` L046 for written layouts that clash, ``OutOfResources`` F040 where a block needs more shared
    memory than there is; ``ProgramError`` of the verifier (V codes) would be a fault of a pass.
    """
    target = arch(arch_name)
    program = replace(program, alignment=tuple(sorted((alignment or {}).items())))
    remarks: list[Remark] = []
    for each in passes:
        program, found = each(program, target)
        verify(program)
        remarks += found
    lowered = Lowered(program, (), target)
    check_shared_memory(program, lowered.shared, target, lowered.scratch_bytes)
    ordered = sorted(dict.fromkeys(remarks), key=lambda remark: remark.line or 0)
    return Lowered(program, tuple(ordered), target)
