"""Backend simulator: a checked launch of the emitted source, run on the host, one fiber for each GPU thread.

The kernel gets the bytes of its tensors as they would lie in a GPU's memory, and nothing else: what it may not write
is read-only, and an access outside of a tensor is found. Addresses begin at multiples of 16.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tilevm.ir import Program
from tilevm.passes import DEFAULT_ARCHITECTURE
from tilevm.runtime.arrays import ArrayArgument, adopt
from tilevm.runtime.compiled import CompiledKernel
from tilevm.runtime.launch import HOST, Launch, access, check
from tilevm.runtime.memory_image import bring_back, check_views, image
from tilevm.runtime.scalars import scalar_code
from tilevm.runtime.simulator import Simulation
from tilevm.runtime.specialisation import Specialisation
from tilevm.values import ScalarType, TensorType

__all__ = ["run_simulated", "simulate"]


def simulate(
    program: Program,
    arguments: Mapping[str, Any],
    *,
    arch: str = DEFAULT_ARCHITECTURE,
    order: int | None = None,
    resident: int | None = None,
) -> tuple[Simulation, tuple[Any, ...]]:
    """Compiles a program for the host and runs it; gives what was found and counted, and the ``out`` arrays.

    ``arguments`` are arrays, scalars and sizes by name; only ``out`` arrays may be missing, and are made. Results are
    in the caller's arrays. Findings are returned and not raised: see ``Simulation.check``. ``order`` and ``resident``
    are as in a call of a kernel.

    Raises what a call of the kernel raises, ``UsageError`` F030 where there is no C++ compiler.
    """
    tensors = {value.name: access(value) for value in program.tensors}
    scalars = {value.name for value in program.parameters if isinstance(value.type, ScalarType)}
    arrays = {
        name: adopt(name, arguments[name], written=held != "in") for name, held in tensors.items() if name in arguments
    }
    sizes = {name: value for name, value in arguments.items() if name not in tensors and name not in scalars}
    numbers = {name: arguments[name] for name in scalars}
    launch = check(program, arrays, numbers, sizes, HOST)
    compiled = CompiledKernel(program, Specialisation.of(arch, launch.sizes))
    return run_simulated(compiled, launch, order, resident), launch.returned


def run_simulated(
    compiled: CompiledKernel,
    launch: Launch[ArrayArgument],
    order: int | None = None,
    resident: int | None = None,
) -> Simulation:
    """Runs a launch of what ``compiled`` was made from, and brings the results to the caller's arrays."""
    if not launch.blocks:
        return Simulation((), {})
    images = {
        value.name: _readable(image(value, launch.arrays[value.name], launch.sizes), access(value) != "in")
        for value in launch.program.tensors
    }
    check_views(launch.program, {name: data.nbytes for name, data in images.items()}, launch.sizes)
    emitted = compiled.emitted
    simulation = compiled.host.launch(
        emitted.kernel,
        launch.grid,
        list(_words(compiled, launch, images)),
        source=compiled.text,
        order=order,
        resident=resident,
    )
    for value in launch.program.tensors:
        if access(value) != "in":
            bring_back(value, launch.arrays[value.name], images[value.name], launch.sizes)
    return simulation


def _readable(data: NDArray[np.uint8], written: bool) -> NDArray[np.uint8]:
    """The bytes of a tensor, which only what the kernel declares as written may change."""
    if written:
        return data
    view = data.view()
    view.flags.writeable = False
    return view


def _words(
    compiled: CompiledKernel, launch: Launch[ArrayArgument], images: Mapping[str, NDArray[np.uint8]]
) -> Iterator[Any]:
    """The arguments of the emitted kernel, in order."""
    for value in compiled.emitted.arguments:
        if isinstance(value.type, TensorType):
            yield images[value.name]
        elif value.name in launch.scalars:
            yield scalar_code(value.dtype, launch.scalars[value.name])
        else:
            yield launch.sizes[value.name]
