"""One kernel with arguments of known kinds, ready to be launched with new addresses and new scalars.

The driver reads arguments through pointers, so they are written once into memory that is kept: eight bytes for each
argument and an array of pointers to them. What changes from launch to launch (addresses, scalars) stands first, in
the order in which a call gives it, and is written by one ``struct`` call; what stays (sizes) was written when the
memory was made. The driver copies arguments before it returns, so the memory is free again at once, also where a CUDA
graph is recorded.

Threads take such a block from a list and put it back, so two that launch the same kernel never share one.
"""

from __future__ import annotations

import ctypes
import math
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import combinations
from typing import Any

from tilevm.errors import ArgumentError
from tilevm.runtime.arguments import check_scalar
from tilevm.runtime.compiled import CompiledKernel
from tilevm.runtime.device import Device, launch_error
from tilevm.runtime.device_arrays import DeviceArray
from tilevm.runtime.early_launch import early_launch
from tilevm.runtime.launch import Launch, access
from tilevm.runtime.memory_image import image_bytes
from tilevm.runtime.scalars import packer
from tilevm.values import ScalarType, TensorType, Value

__all__ = ["DeviceLaunch", "Prepared"]

INVALID_CONTEXT = "CUDA_ERROR_INVALID_CONTEXT"

BYTES = 8
"""Bytes of memory for each argument."""


class _Block:
    """Memory that the driver reads the arguments of one launch from."""

    def __init__(self, slots: int, order: Sequence[int]) -> None:
        self.values = (ctypes.c_uint64 * max(1, slots))()
        first = ctypes.addressof(self.values)
        self.pointers = (ctypes.c_void_p * max(1, len(order)))(*(first + BYTES * slot for slot in order))
        self.address = ctypes.addressof(self.pointers)


class DeviceLaunch:
    """A launch that can be repeated: a call gives the addresses and scalars of ``names``, in order.

    What was checked when it was made (formats, shapes, sizes, the grid) holds for every call of the same kinds. A call
    checks what is left: that scalars are in range, and that nothing that is written shares memory with another array.
    ``made`` are the outputs among the names that are new in every call. No array is kept alive.
    """

    def __init__(
        self,
        device: Device,
        compiled: CompiledKernel,
        names: Sequence[str],
        made: Sequence[str],
        sizes: Mapping[str, int],
        grid: tuple[int, ...],
    ) -> None:
        self._device, self._name = device, compiled.name
        self._function = device.load(compiled)  # which keeps the module loaded
        emitted, program = compiled.emitted, compiled.program
        self._sizes = sizes
        self._places = {name: place for place, name in enumerate((*names, *sizes))}
        self._order = [self._places[value.name] for value in emitted.arguments]
        values = {value.name: value for value in program.parameters}
        scalars = {name: value for name, value in values.items() if isinstance(value.type, ScalarType)}
        forms = [packer(scalars[name].dtype) if name in scalars else ("Q", None) for name in names]
        self._convert = [(place, convert) for place, (_, convert) in enumerate(forms) if convert is not None]
        self._pack = struct.Struct("<" + "".join(form for form, _ in forms)).pack_into
        self._scalars = [(place, scalars[name]) for place, name in enumerate(names) if name in scalars]
        passed = [value for name, value in values.items() if name in names and name not in made]
        self._clashes = list(_clashes(passed, self._places, sizes))
        self._driver = device.cupy.cuda.driver
        self._free: list[_Block] = []
        self._enqueue: Callable[[int, int, int], None] | None = None
        """Takes a stream, the address of the pointers and 0. None where the grid is empty."""
        if math.prod(grid):
            x, y, z = (*grid, 1, 1)[:3]
            extents = (x, y, z, emitted.threads, 1, 1, emitted.shared_bytes)
            self._enqueue = early_launch(self._driver, self._function.ptr, extents) if compiled.begins_early else None
            if self._enqueue is None:
                self._enqueue = partial(self._driver.launchKernel, self._function.ptr, *extents)

    def __call__(self, values: Sequence[Any], stream: int) -> None:
        """Launches with the given addresses and scalars on a stream, which is not waited for.

        Raises ``ArgumentError`` A014, A016, and what ``submit`` raises.
        """
        for first, first_bytes, second, second_bytes, names in self._clashes:
            one, two = values[first], values[second]
            if one < two + second_bytes and two < one + first_bytes:
                raise _overlapping(*names)
        try:
            block = self._free.pop()
        except IndexError:
            block = self._new_block()
        try:
            self._pack(block.values, 0, *(self._converted(values) if self._convert else values))
            if self._enqueue is not None:
                self._enqueue(stream, block.address, 0)
        except self._driver.CUDADriverError as error:
            self._submit_again(error, block, stream)
        except (OverflowError, struct.error, ArgumentError):
            self._check_scalars(values)
            raise
        finally:
            self._free.append(block)

    def block(self, values: Sequence[Any]) -> _Block:
        """Memory of its own with these arguments, for a launch that is repeated with all of them."""
        block = self._new_block()
        self._pack(block.values, 0, *self._converted(values))
        return block

    def submit(self, block: _Block, stream: int) -> None:
        """Launches. Raises ``ExecutionError`` R050 where the driver reports an error, ``OutOfResources`` F044."""
        try:
            if self._enqueue is not None:
                self._enqueue(stream, block.address, 0)
        except self._driver.CUDADriverError as error:
            self._submit_again(error, block, stream)

    def _submit_again(self, error: Exception, block: _Block, stream: int) -> None:
        """A thread that has not used the device yet has no context: it gets one, and tries again."""
        assert self._enqueue is not None
        if not str(error).startswith(INVALID_CONTEXT):
            raise launch_error(self._name, error) from None
        self._device.make_context()
        try:
            self._enqueue(stream, block.address, 0)
        except self._driver.CUDADriverError as second:
            raise launch_error(self._name, second) from None

    def _new_block(self) -> _Block:
        block = _Block(len(self._places), self._order)
        for name, size in self._sizes.items():
            struct.pack_into("<i4x", block.values, BYTES * self._places[name], size)
        return block

    def _converted(self, values: Sequence[Any]) -> list[Any]:
        """The values with scalars of narrow formats as their codes."""
        result = list(values)
        for place, convert in self._convert:
            result[place] = convert(values[place])
        return result

    def _check_scalars(self, values: Sequence[Any]) -> None:
        """Raises ``ArgumentError`` A014 for a scalar that is out of range."""
        for place, value in self._scalars:
            check_scalar(value.name, value.dtype, values[place])


def _clashes(
    passed: Sequence[Value], places: Mapping[str, int], sizes: Mapping[str, int]
) -> Iterator[tuple[int, int, int, int, tuple[str, str]]]:
    """The pairs of arrays that must not overlap, as places and bytes; the first of the names is written."""
    arrays = [(value, image_bytes(value, sizes)) for value in passed if isinstance(value.type, TensorType)]
    for pair in combinations(arrays, 2):
        if access(pair[0][0]) == access(pair[1][0]) == "in" or not (pair[0][1] and pair[1][1]):
            continue
        (written, first), (other, second) = pair if access(pair[0][0]) != "in" else reversed(pair)
        yield places[written.name], first, places[other.name], second, (written.name, other.name)


def _overlapping(written: str, other: str) -> ArgumentError:
    return ArgumentError(
        "A016",
        f"`{written}`, which the kernel writes, shares memory with `{other}`",
        argument=written,
        help="pass a copy of one of them",
    )


class Prepared:
    """A launch with all of its arguments, made by ``Kernel.prepare``: a call launches it again on the current stream.

    For hot loops and for CUDA graphs. The arrays are kept alive, and results are in them: ``returned`` are the ``out``
    arrays, as a call of the kernel returns them.
    """

    __slots__ = ("_block", "_held", "_stream", "_submit", "returned")

    def __init__(
        self, launch: DeviceLaunch, values: Sequence[Any], stream: Callable[[], int], held: Launch[DeviceArray]
    ) -> None:
        self._block, self._submit, self._stream, self._held = launch.block(values), launch.submit, stream, held
        returned = held.returned
        self.returned = returned[0] if len(returned) == 1 else returned or None

    def __call__(self) -> None:
        """Launches. Raises ``ExecutionError`` R050 where the driver reports an error."""
        self._submit(self._block, self._stream())
