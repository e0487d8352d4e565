"""Backend cuda: calls of a kernel on arrays that lie on a GPU.

A call goes one of three ways. The first call with arguments of some kinds (``tilevm.runtime.kinds``) takes the long
way: everything is checked, the program is specialised, compiled and loaded. A call that differs only in shapes has its
sizes checked, and shares the rest. A call whose kinds and shapes are known writes addresses and scalars and launches:
it compiles, allocates on the device and waits for nothing.

Where an array is not of CuPy, torch or a ``PackedArray`` of these, it is converted in every call, by the long way.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tilevm.arch import arch
from tilevm.packed_array import PackedArray
from tilevm.runtime.arguments import Arguments, sizes_among, sort_arguments
from tilevm.runtime.backends import is_torch
from tilevm.runtime.compile_time import infer_formats, read_compile_time
from tilevm.runtime.device import current_device
from tilevm.runtime.device_arrays import DeviceArray, adopt_on, check_layouts, place_on
from tilevm.runtime.device_launch import Prepared
from tilevm.runtime.kinds import KindReader, apart
from tilevm.runtime.known_calls import Family, KnownCall
from tilevm.runtime.launch import Launch, check
from tilevm.runtime.memory_image import check_views
from tilevm.runtime.programs import Programs
from tilevm.runtime.specialisation import Specialisation

__all__ = ["CudaCalls"]

MOST_CALLS = 4096
"""Known calls that are kept for one kernel; when there are more, all are forgotten."""


class CudaCalls:
    """The calls of one kernel."""

    def __init__(self, programs: Programs) -> None:
        self._programs = programs
        self._definition = programs.definition
        parameters = self._definition.parameters
        self._positional = [each.name for each in parameters if each.access != "out"]
        self._outs = [each.name for each in parameters if each.access == "out"]
        self._reader = KindReader(self._definition)
        self._known: dict[tuple[Any, ...], KnownCall] = {}
        self._families: dict[tuple[Any, ...], Family] = {}
        self._device_number: Callable[[], int] | None = None
        """What asks for the current device, once there was one."""

    def warm(self, args: tuple[Any, ...], keywords: Mapping[str, Any], target: str | None) -> Any:
        """The result of a call of known kinds; ``NotImplemented`` where they are not known, and nothing was done."""
        if self._device_number is None:
            return NotImplemented
        kinds: list[Any] = [target, self._device_number()]
        values: list[Any] = []
        if not self._reader.read(args, keywords, kinds, values):
            return NotImplemented
        known = self._known.get(tuple(kinds)) or self._of_family(kinds)
        if known is None:
            return NotImplemented
        return known.run(values, keywords)

    def _of_family(self, kinds: list[Any]) -> KnownCall | None:
        """What is made for a call whose shapes are new and whose other kinds are known."""
        others, shapes = apart(kinds)
        family = self._families.get(others)
        known = None if family is None else family.call(shapes)
        if known is not None:
            self._keep(kinds, known)
        return known

    def call(self, args: tuple[Any, ...], keywords: Mapping[str, Any], target: str | None, wait: bool) -> Any:
        """Launches the kernel; ``wait`` has it waited for, so that what goes wrong is reported here."""
        known, values, _ = self._first(args, keywords, target)
        result = known.run(values, keywords)
        if wait:
            known.device.synchronise(self._definition.name, known.stream())
        return result

    def prepare(self, args: tuple[Any, ...], keywords: Mapping[str, Any], target: str | None) -> Prepared:
        """A launch with all of its arguments."""
        known, values, launch = self._first(args, keywords, target)
        made = (launch.arrays[name].address for name in known.made)
        return Prepared(known.launch, [*values, *made], known.stream, launch)

    def _first(
        self, args: tuple[Any, ...], keywords: Mapping[str, Any], target: str | None
    ) -> tuple[KnownCall, list[Any], Launch[DeviceArray]]:
        """Checks a call, and makes what is to be known of its kinds. The values are those of ``known.names``."""
        device = current_device()
        definition = self._definition
        if target is not None:
            device.check_target(arch(target))
        arguments = sort_arguments(definition, args, keywords)
        written = {each.name for each in definition.parameters if each.access != "in"}
        arrays = {
            name: adopt_on(device, name, given, written=name in written) for name, given in arguments.tensors.items()
        }
        formats = {name: array.dtype for name, array in arrays.items()}
        inferred = infer_formats(definition, formats, arguments.compile_time)
        program = self._programs.specialised(read_compile_time(definition, arguments.compile_time) | inferred)
        sizes = sizes_among(definition, program, arguments.others)
        torch = sys.modules["torch"] if any(_of_torch(given) for given in arguments.tensors.values()) else None
        launch = check(program, arrays, arguments.scalars, sizes, place_on(device, torch))
        check_layouts(program, launch.arrays, launch.sizes)
        check_views(program, {name: array.nbytes for name, array in launch.arrays.items()}, launch.sizes)
        addresses = {name: array.address for name, array in launch.arrays.items()}
        wanted = Specialisation.of(target or device.arch.name, launch.sizes, addresses)
        passed = [*self._positional[: len(args)], *keywords]
        names = [name for name in passed if name in arrays or name in launch.scalars]
        compiled = self._programs.compiled(program, wanted)
        known = KnownCall(device, compiled, names, self._outs, torch, launch.sizes, launch.grid)
        given = {name: arguments.tensors[name] for name in names if name in arrays}
        self._remember(known, args, keywords, target, arguments, given, sizes)
        values = [arrays[name].address if name in arrays else launch.scalars[name] for name in names]
        return known, values, launch

    def _remember(
        self,
        known: KnownCall,
        args: tuple[Any, ...],
        keywords: Mapping[str, Any],
        target: str | None,
        arguments: Arguments,
        given: Mapping[str, Any],
        sizes: Mapping[str, int],
    ) -> None:
        """Keeps what is known for calls of the same kinds. ``given`` are the arrays in the order of the call."""
        cupy = known.device.cupy
        for array in given.values():
            self._reader.learn(array, cupy)
        self._device_number = cupy.cuda.runtime.getDevice
        if any(isinstance(scalar, np.ndarray) for scalar in arguments.scalars.values()):
            return  # an array without dimensions counts as a number, but others of its type do not
        kinds: list[Any] = [target, self._device_number()]
        if not self._reader.read(args, keywords, kinds, []):
            return
        # Formats and layouts are told apart by identity in the key, so they must live as long as it does.
        known.kept = [(each.dtype, each.layout) for each in given.values() if isinstance(each, PackedArray)]
        self._keep(kinds, known)
        family = Family(self._programs, known, self._reader.place_of_shapes(given), sizes)
        others, _ = apart(kinds)
        self._families[others] = family

    def _keep(self, kinds: list[Any], known: KnownCall) -> None:
        if len(self._known) >= MOST_CALLS:
            self._known.clear()
            self._families.clear()
        self._known[tuple(kinds)] = known


def _of_torch(given: Any) -> bool:
    return is_torch(given.data) if isinstance(given, PackedArray) else is_torch(given)
