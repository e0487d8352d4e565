"""A stand-in for CuPy, for the host's side of a launch where there is no GPU.

It has what tilevm uses and nothing else. "Device memory" is host memory, and a kernel is a Python function: a launch
reads the arguments through the pointers that the driver would read them through, as the types of the kernel's C
parameters, finds the arrays by their addresses, calls the function, and keeps a record.
"""

from __future__ import annotations

import ctypes
import types
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

POINTER = ctypes.c_void_p


@dataclass(frozen=True)
class Kernel:
    """A kernel that can be launched: the C types of its parameters, and what it does with them."""

    types: Sequence[type]
    run: Callable[..., None] = lambda *arguments: None


@dataclass(frozen=True)
class Record:
    """One launch as the driver sees it."""

    grid: tuple[int, int, int]
    block: tuple[int, int, int]
    shared_bytes: int
    stream: int
    arguments: tuple[Any, ...]


@dataclass
class Memory:
    """A pointer with the device that it is on."""

    ptr: int
    device_id: int


class ndarray:
    """An array on the stand-in's device; ``host`` are its elements."""

    def __init__(self, host: NDArray[Any], device: int) -> None:
        self.host = host
        self.data = Memory(host.ctypes.data, device)
        self.shape, self.strides, self.dtype = host.shape, host.strides, host.dtype
        self.size, self.itemsize, self.flags = host.size, host.itemsize, host.flags

    def __getitem__(self, index: Any) -> ndarray:
        return ndarray(self.host[index], self.data.device_id)

    def __setitem__(self, index: Any, value: ndarray) -> None:
        self.host[index] = value.host

    def __len__(self) -> int:
        return len(self.host)

    def reshape(self, *shape: int) -> ndarray:
        return ndarray(self.host.reshape(*shape), self.data.device_id)

    def view(self, dtype: Any) -> ndarray:
        return ndarray(self.host.view(dtype), self.data.device_id)

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        dense = self.host.flags.c_contiguous
        return {
            "shape": self.shape,
            "typestr": self.dtype.str,
            "data": (self.data.ptr, False),
            "strides": None if dense else self.strides,
            "version": 3,
        }


class DriverError(RuntimeError):
    """What CuPy's driver raises; its text begins with the driver's name of the error."""


class RuntimeAPIError(RuntimeError):
    """What CuPy's runtime raises."""


@dataclass
class StandIn:
    """The machine behind the stand-in: what it has, what is on it, and what happened."""

    kernels: dict[str, Kernel] = field(default_factory=dict)
    devices: list[str] = field(default_factory=lambda: ["90"])
    """The compute capability of each device."""
    current: int = 0
    stream: int = 7
    records: list[Record] = field(default_factory=list)
    attributes: list[tuple[int, int, int]] = field(default_factory=list)
    """What was set of functions: function, attribute, value."""
    loaded: list[bytes] = field(default_factory=list)
    fails: list[Exception] = field(default_factory=list)
    """What the next calls of the driver raise."""
    contexts: int = 0
    waited: list[int] = field(default_factory=list)
    arrays: dict[int, ndarray] = field(default_factory=dict)
    functions: list[str] = field(default_factory=list)
    made: int = 0
    """How many arrays ``empty`` made."""

    def array(self, host: NDArray[Any], device: int = 0) -> ndarray:
        """Elements put on a device, at an address that is a multiple of 16."""
        room = np.empty(host.nbytes + 32, np.uint8)
        skip = -room.ctypes.data % 16
        own = room[skip : skip + host.nbytes].view(host.dtype).reshape(host.shape)
        own[...] = host
        return self.known(ndarray(own, device))

    def known(self, array: ndarray) -> ndarray:
        """Has launches find the array by its address."""
        self.arrays[array.data.ptr] = array
        return array

    def empty(self, shape: tuple[int, ...], dtype: Any) -> ndarray:
        self.made += 1
        return self.array(np.empty(shape, dtype), self.current)

    def launch(self, function: int, *given: int) -> None:
        *extents, shared, stream, pointers, extra = given
        if self.fails:
            raise self.fails.pop(0)
        assert extra == 0
        kernel = self.kernels[self.functions[function]]
        places = (ctypes.c_void_p * len(kernel.types)).from_address(pointers)
        values = [kind.from_address(place).value for kind, place in zip(kernel.types, places, strict=True)]
        x, y, z, *block = extents
        self.records.append(Record((x, y, z), (block[0], block[1], block[2]), shared, stream, tuple(values)))
        pairs = zip(kernel.types, values, strict=True)
        kernel.run(*(self.arrays[value].host if kind is POINTER else value for kind, value in pairs))

    def module(self) -> types.ModuleType:
        """What ``import cupy`` gives."""
        machine = self

        class Module:
            def load(self, cubin: bytes) -> None:
                machine.loaded.append(cubin)

            def get_function(self, name: str) -> Any:
                machine.functions.append(name)
                return types.SimpleNamespace(ptr=len(machine.functions) - 1, module=self)

        def set_attribute(function: int, attribute: int, value: int) -> None:
            machine.attributes.append((function, attribute, value))

        def count() -> int:
            if not machine.devices:
                raise RuntimeAPIError("cudaErrorInsufficientDriver: CUDA driver version is insufficient")
            return len(machine.devices)

        def make_context(pointer: int) -> None:
            machine.contexts += 1

        def synchronise(stream: int) -> None:
            if machine.fails:
                raise machine.fails.pop(0)
            machine.waited.append(stream)

        runtime = types.SimpleNamespace(
            CUDARuntimeError=RuntimeAPIError,
            getDeviceCount=count,
            getDevice=lambda: machine.current,
            setDevice=lambda number: None,
            free=make_context,
            streamSynchronize=synchronise,
        )
        driver = types.SimpleNamespace(
            CUDADriverError=DriverError, launchKernel=self.launch, funcSetAttribute=set_attribute
        )
        cupy = types.ModuleType("cupy")
        cupy.__dict__.update(
            ndarray=ndarray,
            empty=self.empty,
            asarray=lambda given: self.known(given.array),
            from_dlpack=lambda given: self.known(given.array),
            cuda=types.SimpleNamespace(
                runtime=runtime,
                driver=driver,
                function=types.SimpleNamespace(Module=Module),
                Device=lambda number: types.SimpleNamespace(compute_capability=machine.devices[number]),
                get_current_stream=lambda number: types.SimpleNamespace(ptr=machine.stream),
            ),
        )
        return cupy
