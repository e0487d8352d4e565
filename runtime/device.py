"""The GPU that a launch runs on, through CuPy: which it is, what is loaded on it, and what its errors mean.

CuPy is imported when a launch is to run on a GPU, or when it is asked whether one could. The driver is called directly
(``cupy.cuda.driver``), because a launch through ``cupy.cuda.Function`` converts every argument anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any
from weakref import WeakKeyDictionary

from tilevm.arch import Arch, arch_of_device
from tilevm.errors import ExecutionError, NoDeviceError, OutOfResources, TilevmError, UsageError
from tilevm.runtime.compiled import CompiledKernel

__all__ = ["Device", "current_device", "launch_error"]

MAX_DYNAMIC_SHARED_BYTES = 8
"""``CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES`` of the driver's ``CUfunction_attribute``."""

STOPPED = {
    "CUDA_ERROR_ILLEGAL_ADDRESS": "an address outside of every array was used",
    "CUDA_ERROR_MISALIGNED_ADDRESS": "an address that is not aligned to the access was used",
    "CUDA_ERROR_LAUNCH_FAILED": "a kernel failed",
    "CUDA_ERROR_LAUNCH_TIMEOUT": "a kernel ran for longer than the driver allows",
    "CUDA_ERROR_ILLEGAL_INSTRUCTION": "a kernel reached a trap or an illegal instruction",
    "CUDA_ERROR_INVALID_ADDRESS_SPACE": "an address was used as one of another memory",
    "CUDA_ERROR_INVALID_PC": "a kernel jumped outside of its code",
    "CUDA_ERROR_HARDWARE_STACK_ERROR": "a kernel damaged its stack",
    "CUDA_ERROR_ASSERT": "an assertion failed",
}
"""Errors after which the GPU takes no more work from this process, by the driver's names, in words. They come from work
that was begun before, which is noticed at the next call."""

WITHOUT = (
    'without one: backend="interpreter" and backend="simulator" run every kernel on NumPy arrays, '
    'and kernel.compile(target="sm_90a") compiles it'
)


@dataclass(frozen=True, eq=False)
class Device:
    """A GPU, with the kernels that were loaded on it."""

    cupy: Any
    number: int
    capability: tuple[int, int]
    _loaded: WeakKeyDictionary[CompiledKernel, Any] = field(default_factory=WeakKeyDictionary, repr=False)

    @property
    def arch(self) -> Arch:
        """The newest architecture that runs here. Raises ``UsageError`` F023 where there is none."""
        return arch_of_device(self.capability)

    @property
    def name(self) -> str:
        """What its maker calls it: ``NVIDIA H200``."""
        return str(self._properties["name"].decode())

    @property
    def multiprocessors(self) -> int:
        """How many there are."""
        return int(self._properties["multiProcessorCount"])

    @property
    def cache_bytes(self) -> int:
        """The second-level cache."""
        return int(self._properties["l2CacheSize"])

    @cached_property
    def _properties(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.cupy.cuda.runtime.getDeviceProperties(self.number)
        return found

    def check_target(self, target: Arch) -> None:
        """Raises ``UsageError`` F023 for an architecture whose machine code does not run here."""
        if not target.runs_on(self.capability):
            major, minor = self.capability
            raise UsageError(
                "F023",
                f"machine code for {target.name} does not run on a device of compute capability {major}.{minor}",
                help=f"leave the target out: {self.arch.name} is taken",
            )

    def load(self, compiled: CompiledKernel) -> Any:
        """The function of a compiled kernel, loaded once. It must be kept for as long as it is launched.

        Raises what compiling raises, and ``OutOfResources`` F042, F043 where no block of it can run.
        """
        function = self._loaded.get(compiled)
        if function is None:
            function = self._loaded.setdefault(compiled, self._load(compiled))
        return function

    def _load(self, compiled: CompiledKernel) -> Any:
        taken = compiled.resources
        driver = self.cupy.cuda.driver
        try:
            module = self.cupy.cuda.function.Module()
            module.load(compiled.cubin)
            function = module.get_function(compiled.emitted.kernel)
            if taken.dynamic_shared_bytes + taken.shared_bytes > compiled.arch.shared_memory_without_opt_in:
                driver.funcSetAttribute(function.ptr, MAX_DYNAMIC_SHARED_BYTES, taken.dynamic_shared_bytes)
        except driver.CUDADriverError as error:
            raise launch_error(compiled.name, error) from None
        return function

    def make_context(self) -> None:
        """Makes the device's context the one of this thread, as the first use of a device in a thread does."""
        self.cupy.cuda.runtime.setDevice(self.number)
        self.cupy.cuda.runtime.free(0)

    def synchronise(self, name: str, stream: int) -> None:
        """Waits for a stream. Raises ``ExecutionError`` R050 where kernel ``name``, or one before it, went wrong."""
        runtime = self.cupy.cuda.runtime
        try:
            runtime.streamSynchronize(stream)
        except runtime.CUDARuntimeError as error:
            raise launch_error(name, error) from None


def current_device() -> Device:
    """The current device of CuPy, which is that of torch as well.

    Raises ``NoDeviceError`` F041 where there is no CuPy, no driver or no GPU.
    """
    cupy = _cupy()
    runtime = cupy.cuda.runtime
    try:
        if runtime.getDeviceCount() == 0:
            raise _no_device("the driver finds none")
        return _device(cupy, runtime.getDevice())
    except runtime.CUDARuntimeError as error:
        raise _no_device(str(error)) from None


@cache
def _device(cupy: Any, number: int) -> Device:
    digits = cupy.cuda.Device(number).compute_capability
    return Device(cupy, number, (int(digits[:-1]), int(digits[-1])))


def _cupy() -> Any:
    try:
        import cupy
    except (ImportError, RuntimeError, OSError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise NoDeviceError(
            "F041",
            f"launching on a GPU needs CuPy: {reason}",
            help=f"pip install 'tilevm[cuda13]', or 'tilevm[cuda12]' for a driver older than 580; {WITHOUT}",
        ) from None
    return cupy


def _no_device(reason: str) -> NoDeviceError:
    return NoDeviceError("F041", f"there is no GPU that can be used: {reason}", help=WITHOUT)


def launch_error(kernel: str, error: Exception) -> TilevmError:
    """What an error of the driver or of the runtime means for a launch of a kernel."""
    text = str(error)
    name = text.partition(":")[0]
    key = name if name.startswith("CUDA_ERROR_") else _driver_name(name)
    if key in ("CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES", "CUDA_ERROR_OUT_OF_MEMORY"):
        return OutOfResources(
            "F044",
            f"the GPU has no room for kernel `{kernel}`: {text}",
            help="its local memory, or its code, does not fit beside what other arrays take"
            if "MEMORY" in key
            else None,
        )
    if key in STOPPED:
        return ExecutionError(
            "R050",
            f"at the launch of kernel `{kernel}` the GPU had stopped: {STOPPED[key]} ({text})",
            help="it was this kernel or one before it, and this process cannot use the GPU any more. In a new one, "
            'debug=True waits for each kernel; backend="simulator" finds the line',
        )
    return ExecutionError("R050", f"the driver refuses to launch kernel `{kernel}`: {text}")


def _driver_name(name: str) -> str:
    """The driver's name of an error that the runtime names ``cudaErrorIllegalAddress``."""
    words = name.removeprefix("cudaError")
    spelled = "".join(f"_{letter}" if letter.isupper() else letter.upper() for letter in words)
    return f"CUDA_ERROR{spelled}".replace("_LAUNCH_FAILURE", "_LAUNCH_FAILED")
