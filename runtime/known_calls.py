"""Calls of a kernel on a GPU whose kinds are known: ready launches, and how they are made for other shapes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from tilevm.errors import ArgumentError
from tilevm.runtime.compiled import CompiledKernel
from tilevm.runtime.device import Device
from tilevm.runtime.device_arrays import place_on
from tilevm.runtime.device_launch import DeviceLaunch
from tilevm.runtime.launch import shape_of
from tilevm.runtime.memory_image import views
from tilevm.runtime.programs import Programs
from tilevm.runtime.shapes import bind_sizes, check_launch, grid_of
from tilevm.runtime.specialisation import Specialisation
from tilevm.values import TensorType

__all__ = ["Family", "KnownCall"]


class KnownCall:
    """What is known of calls of the same kinds and shapes: the launch, what is to be made for it, where it goes.

    ``names`` are the arrays and scalars that a call gives, in its order; ``outs`` all ``out`` arrays. No array is kept.
    """

    def __init__(
        self,
        device: Device,
        compiled: CompiledKernel,
        names: Sequence[str],
        outs: Sequence[str],
        torch: Any,
        sizes: Mapping[str, int],
        grid: tuple[int, ...],
    ) -> None:
        self.device, self.compiled, self.names, self.torch = device, compiled, names, torch
        self.outs = outs
        self.made = [name for name in outs if name not in names]
        self.launch = DeviceLaunch(device, compiled, [*names, *self.made], self.made, sizes, grid)
        self.stream = _cupy_stream(device) if torch is None else _torch_stream(torch, device.number)
        self.kept: Any = None
        """What must live as long as this does."""
        self._out = outs[0] if len(outs) == 1 else None
        values = {value.name: value for value in compiled.program.tensors}
        make = place_on(device, torch).make if self.made else None
        self._make = {
            name: partial(make, name, values[name].dtype, shape_of(values[name], sizes)) for name in self.made if make
        }

    def run(self, values: list[Any], keywords: Mapping[str, Any]) -> Any:
        """Launches with the addresses and scalars of ``names``, and gives what a call returns."""
        if self._make:
            made = {name: make() for name, make in self._make.items()}
            values += [array.address for array in made.values()]
            keywords = {**keywords, **{name: array.given for name, array in made.items()}}
        self.launch(values, self.stream())
        if self._out is not None:
            return keywords[self._out]
        return tuple([keywords[name] for name in self.outs]) or None


class Family:
    """Calls that differ in the shapes of their arrays and nothing else.

    ``first`` is one of them, ``places`` say where among the shapes of a call that of each array stands and whether its
    strides follow, ``given`` are sizes that the call gives by name.
    """

    def __init__(
        self,
        programs: Programs,
        first: KnownCall,
        places: Mapping[str, tuple[int, bool]],
        given: Mapping[str, int],
    ) -> None:
        self._programs, self._first, self._places, self._given = programs, first, places, given
        self._program = program = first.compiled.program
        self._item_bytes = {value.name: value.dtype.bits // 8 for value in program.tensors}
        declared = any(
            isinstance(value.type, TensorType) and value.type.layout is not None for value in program.tensors
        )
        self._plain = not declared and not any(views(program))

    def call(self, shapes: Sequence[Any]) -> KnownCall | None:
        """The call with other shapes; None where the long way has to say what is wrong with them."""
        if not self._plain:
            return None
        for name, (place, has_strides) in self._places.items():
            if has_strides and not _dense(shapes[place], shapes[place + 1], self._item_bytes[name]):
                return None
        program, first = self._program, self._first
        try:
            sizes = bind_sizes(program, {name: shapes[place] for name, (place, _) in self._places.items()}, self._given)
            check_launch(program, sizes)
        except ArgumentError:
            return None
        grid = grid_of(program, sizes)
        if not math.prod(grid):
            return None
        wanted = first.compiled.specialisation
        wanted = replace(wanted, divisors=Specialisation.of(wanted.arch, sizes).divisors)
        compiled = self._programs.compiled(program, wanted)
        known = KnownCall(first.device, compiled, first.names, first.outs, first.torch, sizes, grid)
        known.kept = first.kept
        return known


def _dense(shape: tuple[int, ...], strides: tuple[int, ...], item_bytes: int) -> bool:
    """Whether elements of a shape lie row after row without gaps."""
    expected = item_bytes
    for extent, stride in zip(reversed(shape), reversed(strides), strict=True):
        if stride != expected:
            return False
        expected *= extent
    return True


def _cupy_stream(device: Device) -> Callable[[], int]:
    current, number = device.cupy.cuda.get_current_stream, device.number

    def stream() -> int:
        pointer: int = current(number).ptr
        return pointer

    return stream


def _torch_stream(torch: Any, number: int) -> Callable[[], int]:
    """torch's current stream of a device as the driver knows it."""
    # What ``torch.cuda.current_stream(number).cuda_stream`` gives, without an object around it.
    raw = getattr(torch._C, "_cuda_getCurrentRawStream", None)
    if raw is not None:

        def stream() -> int:
            pointer: int = raw(number)
            return pointer
    else:

        def stream() -> int:
            pointer: int = torch.cuda.current_stream(number).cuda_stream
            return pointer

    return stream
