"""The cost of a compiled kernel: its sizes checked, its plans counted, its machine code read where that can be had."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from tilevm.devices import device, device_for
from tilevm.errors import ArgumentError, UsageError, did_you_mean
from tilevm.ir import Program
from tilevm.runtime.cost.counting import work_of
from tilevm.runtime.cost.machine_code import MachineCode, reckon
from tilevm.runtime.cost.model import Cost, predict
from tilevm.runtime.shapes import LARGEST_SIZE, check_launch
from tilevm.sizes import symbols
from tilevm.uses import used_within
from tilevm.values import ScalarType, TensorType

if TYPE_CHECKING:
    from tilevm.runtime.compiled import CompiledKernel

__all__ = ["checked_sizes", "cost_of"]

NOT_HERE = ("F024", "F028")
"""Errors that say that machine code cannot be had on this machine."""


def cost_of(
    compiled: CompiledKernel,
    sizes: Mapping[str, int],
    name: str | None = None,
    *,
    machine_code: bool | None = None,
    weights: str | None = None,
    scratch: Collection[str] = (),
) -> Cost:
    """What ``CompiledKernel.cost`` gives."""
    target = device(name) if name is not None else device_for(compiled.arch)
    if not compiled.arch.runs_on(target.arch.capability):
        raise UsageError(
            "F029",
            f"machine code for {compiled.arch.name} does not run on {target.title}",
            help=f"compile for {target.arch.name}",
        )
    program = compiled.lowered.program
    work = work_of(compiled.lowered, checked_sizes(program, sizes))
    for argument, given in (("weights", () if weights is None else (weights,)), ("scratch", scratch)):
        _check_tensors(program, argument, given)
    if machine_code is False:
        return predict(
            work, target, scratch=scratch, notes=["machine code was not asked for: instructions are reckoned"]
        )
    try:
        taken = compiled.resources
        read: MachineCode = reckon(compiled.machine_code, work, target, weights)
    except UsageError as error:
        if machine_code or error.code not in NOT_HERE:
            raise
        return predict(work, target, scratch=scratch, notes=[f"without machine code: {error.diagnostics[0].message}"])
    spilled = None
    if taken.spill_store_bytes is not None and taken.spill_load_bytes is not None:
        spilled = taken.spill_store_bytes + taken.spill_load_bytes
    return predict(work, target, registers=taken.registers, machine_code=read, spilled_bytes=spilled, scratch=scratch)


def _check_tensors(program: Program, argument: str, names: Iterable[str]) -> None:
    known = [each.name for each in program.tensors]
    for name in names:
        if name not in known:
            raise ArgumentError(
                "A001",
                f"kernel `{program.name}` has no tensor `{name}`",
                argument=argument,
                help=did_you_mean(name, known) or f"it has {', '.join(known)}",
            )


def checked_sizes(program: Program, sizes: Mapping[str, int]) -> dict[str, int]:
    """The sizes of a launch, complete and allowed; integer scalars may be among them. Sizes of tensors that the program
    does not touch need not be given, and are 0.

    Raises ``ArgumentError`` A001 for a name that is neither, A008 for a size that is missing, A013 or A020 for what is
    no size, A018 and A019 where the program does not take them.
    """
    wanted = [size.name for size in program.sizes]
    scalars = [each.name for each in program.parameters if isinstance(each.type, ScalarType)]
    for name, value in sizes.items():
        if name not in wanted and name not in scalars:
            help = did_you_mean(name, wanted) or f"its sizes are {', '.join(wanted) or 'all bound'}"
            raise ArgumentError("A001", f"kernel `{program.name}` has no size `{name}`", argument=name, help=help)
        if isinstance(value, bool | np.bool_) or not isinstance(value, int | np.integer):
            raise ArgumentError("A013", f"the size {name} is an integer, not {value!r}", argument=name)
        if name in wanted and not 0 <= value <= LARGEST_SIZE:
            raise ArgumentError("A020", f"the size {name} is {value}; sizes are 0 to {LARGEST_SIZE}", argument=name)
    used = _used_sizes(program)
    missing = [name for name in wanted if name not in sizes and name in used]
    if missing:
        raise ArgumentError(
            "A008",
            f"nothing says what the size {missing[0]} is",
            argument=missing[0],
            help=f"give every size: {', '.join(f'{name}=…' for name in wanted if name in used)}",
        )
    complete = {name: int(value) for name, value in sizes.items()}
    complete.update({name: 0 for name in wanted if name not in sizes})
    check_launch(program, complete)
    return complete


def _used_sizes(program: Program) -> set[str]:
    """The sizes that a program computes with: in its grid, its requirements, its body, or shapes of what it touches."""
    found = set(chain.from_iterable(map(symbols, (*program.grid, *(each.condition for each in program.requires)))))
    own = {size: size.name for size in program.sizes}
    for value in chain.from_iterable(map(used_within, program.body)):
        if value in own:
            found.add(own[value])
        elif isinstance(value.type, TensorType):
            found.update(chain.from_iterable(map(symbols, value.type.shape)))
    return found
