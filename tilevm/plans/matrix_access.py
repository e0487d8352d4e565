"""Shared tiles by ``ldmatrix`` and ``stmatrix``: whole warps move matrices of 8 rows of 16 bytes.

Of a matrix, lane ``l`` holds 32 bits: word ``l % 4`` of row ``l / 4``. A row is 16 contiguous, aligned bytes and may
lie anywhere: one lane gives its address. So a register layout matches where lanes 4i … 4i+3 hold, in some register,
the four words of a row, whatever the rows of other registers, lanes and warps have to do with it. With ``.trans`` the
matrix is handed out transposed: lane ``l`` holds elements 2(l % 4) and 2(l % 4) + 1 of column ``l / 4``, 16 bits each.

What matches is read off the offsets of all elements. The address of a row is that of the thread and slot which hold its
first bits, so the row that a lane has to name is found by the same sums as any other address.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from tilevm.access import access
from tilevm.layout import Layout
from tilevm.layout_map import IndexArray
from tilevm.plan import Plan
from tilevm.plans.accesses import Address, Steps, address_of, owner_of, refined_steps, thread_offsets
from tilevm.plans.facts import Facts
from tilevm.plans.swizzled import swizzle_of
from tilevm.plans.window_terms import BYTE, WindowTerms, window_terms
from tilevm.values import SharedType, Window

__all__ = ["Matrices", "plan_matrices"]

LANES, ROW_BITS, REGISTER_BITS = 32, 128, 32
ELEMENT_BITS = (8, 16, 32)
"""Other widths go through a ``view`` as one of these."""


@dataclass(frozen=True, kw_only=True)
class Matrices(Plan):
    """A tile moved in matrices of 8 rows of 16 bytes, ``count`` (4, 2 or 1) of them by each instruction.

    The row that a lane names is that of the thread ``warp * 32 + lane % 8 * 4`` (transposed: ``lane % 8 / 2``), of
    the matrix ``lane / 8 % count`` of the instruction: ``matrices`` says how far the matrices lie apart, and
    ``element`` how far, transposed, odd rows lie from even ones. ``address`` has the rest, one piece for each
    instruction; registers are filled in order, ``count`` by each of ``instructions``. In bytes.
    """

    count: int
    transposed: bool
    address: Address
    matrices: tuple[int, ...]
    element: int
    instructions: int
    owner: tuple[tuple[int, int | None], ...]

    through_others: ClassVar[bool] = True


def plan_matrices(window: Window, layout: Layout, facts: Facts) -> Matrices | None:
    """The plan for a window of a shared tile, None where it does not come in matrices."""
    bits = window.dtype.bits
    if not isinstance(window.base.type, SharedType) or bits not in ELEMENT_BITS or layout.slots * bits % REGISTER_BITS:
        return None
    if layout.threads % LANES:
        return None
    terms = window_terms(window, facts)
    if terms is None or terms.alignment % ROW_BITS or (terms.xor is not None and terms.xor.lowest < 7):
        return None
    steps = refined_steps(layout, terms)
    if steps is None:
        return None
    memory = terms.layout(facts, bits)
    offsets = access(layout, Layout._of(memory.dims, (), None, bits)).offsets()
    for transposed in (False, True):
        if _matches(offsets, bits, transposed):
            return _matrices(terms, layout, steps, offsets, bits, transposed, facts)
    return None


def _matches(offsets: IndexArray, bits: int, transposed: bool) -> bool:
    """Whether lanes hold rows, or columns, of matrices as the instruction hands them out."""
    slots = REGISTER_BITS // bits
    if transposed and bits != 16:
        return False
    held = offsets.reshape(-1, 8, 4, offsets.shape[1] // slots, slots)
    lane, word, slot = np.ogrid[:8, :4, :slots]
    if not transposed:
        first = held[:, :, :1, :, :1]
        inside = (word * REGISTER_BITS + slot * bits).reshape(1, 1, 4, 1, slots)
    else:
        first = held[:, :1]
        inside = (lane * bits).reshape(1, 8, 1, 1, 1)
    return bool((held - first == inside).all() and (first % ROW_BITS == 0).all())


def _matrices(
    terms: WindowTerms,
    layout: Layout,
    steps: Steps,
    offsets: IndexArray,
    bits: int,
    transposed: bool,
    facts: Facts,
) -> Matrices:
    slots = REGISTER_BITS // bits
    registers = offsets[0, ::slots] // BYTE
    registers = registers - registers[0]
    count = _count(registers.tolist())
    apart = tuple(registers[:count].tolist())
    element = int(offsets[0, 1] - offsets[0, 0]) // BYTE if transposed else 0
    starts = list(range(0, layout.slots, slots * count))
    address = address_of(terms, layout, steps, starts, BYTE, facts)
    if terms.xor is not None:
        # What is swizzled for a lane is its whole part: of the thread, the matrix and, transposed, the odd row.
        own = [
            offset + matrix + odd
            for offset in set(thread_offsets(address.threads, layout.threads))
            for matrix in apart
            for odd in (0, element)
        ]
        constants = dict(address.steps).get(1, (0,) * len(starts))
        address = replace(address, swizzle=swizzle_of(terms.xor, BYTE, own, constants, terms.base_divisor // BYTE))
    return Matrices(
        count=count,
        transposed=transposed,
        address=address,
        matrices=apart,
        element=element,
        instructions=len(starts),
        owner=owner_of(layout),
    )


def _count(registers: list[int]) -> int:
    """How many matrices an instruction moves: as many as lie apart alike in every instruction, their distances a sum
    over the bits of their number."""
    for count in (4, 2):
        groups = [registers[first : first + count] for first in range(0, len(registers), count)]
        alike = {tuple(each - group[0] for each in group) for group in groups}
        if len(registers) % count == 0 and len(alike) == 1:
            (apart,) = alike
            if count < 4 or apart[3] == apart[1] + apart[2]:
                return count
    return 1
