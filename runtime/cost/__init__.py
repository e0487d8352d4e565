"""What a launch costs on a device, reckoned and not measured: traffic, work, occupancy, bounds, a time.

``work_of`` counts what a lowered program does in a launch, in some milliseconds and without a compiler;
``work_of_program`` the same, roughly, of one that was not lowered. ``predict`` makes a ``Cost`` of it for a device, and
``CompiledKernel.cost`` does all of that and reads the machine code.
"""

from __future__ import annotations

from tilevm.runtime.cost.counting import work_of, work_of_program
from tilevm.runtime.cost.machine_code import Loop, MachineCode, reckon
from tilevm.runtime.cost.model import Bound, Cost, Levels, predict
from tilevm.runtime.cost.work import Work

__all__ = [
    "Bound",
    "Cost",
    "Levels",
    "Loop",
    "MachineCode",
    "Work",
    "predict",
    "reckon",
    "work_of",
    "work_of_program",
]
