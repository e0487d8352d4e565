"""Backend interpreter: a checked launch run in NumPy, over the caller's own arrays."""

from __future__ import annotations

import numpy as np

from tilevm.interpreter import run
from tilevm.memory import Tensor
from tilevm.report import Report
from tilevm.runtime.arrays import ArrayArgument
from tilevm.runtime.launch import Launch, access
from tilevm.runtime.memory_image import image, views

__all__ = ["interpret"]


def interpret(launch: Launch[ArrayArgument], report: Report | None) -> None:
    """Runs a launch; a report collects what debug mode finds.

    Raises ``ExecutionError`` where the program goes wrong.
    """
    if not launch.blocks:
        return
    run(launch.program, _tensors(launch, report), {**launch.sizes, **launch.scalars}, report=report)
    for value in launch.program.tensors:
        if access(value) != "in":
            launch.arrays[value.name].finish()


def _tensors(launch: Launch[ArrayArgument], report: Report | None) -> dict[str, Tensor]:
    viewed = {tensor for tensor, _ in views(launch.program)}
    tensors = {}
    for value in launch.program.tensors:
        array = launch.arrays[value.name]
        packed = image(value, array, launch.sizes) if value in viewed else None
        follow = report is not None and access(value) == "out"
        written = np.zeros(array.shape, np.bool_) if follow else None
        tensors[value.name] = Tensor(array.elements, array.dtype, packed, written)
    return tensors
