"""Arrays to the GPU and back, and hand-written kernels compiled for it. CuPy is imported when a test runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from tests.intrinsic import Intrinsic
from tests.kernels import text
from tilevm import PackedArray
from tilevm.codegen.library import device_library
from tilevm.dtypes import dtype
from tilevm.runtime.device import current_device
from tilevm.runtime.nvrtc import compile_cuda

__all__ = ["capability", "from_gpu", "launched", "on_gpu", "on_host", "to_gpu"]

SHARED_BYTES = 16384
"""Dynamic shared memory of every launch; the kernels take less."""


def to_gpu(given: Any) -> Any:
    """An array on the GPU; formats that CuPy has not, and truth values, packed. Anything else as it is."""
    import cupy

    if isinstance(given, PackedArray):
        return PackedArray(cupy.asarray(given.data), given.dtype, given.shape, given.layout)
    if not isinstance(given, np.ndarray):
        return given
    kind = dtype(given.dtype)
    if kind.bits % 8 or given.dtype.kind not in "fiu":
        codes = kind.to_codes(given) if given.dtype.kind in "fiub" else given.view(kind.storage)
        return to_gpu(PackedArray.from_codes(codes, kind))
    return cupy.asarray(given)


def from_gpu(found: Any) -> Any:
    """The same on the host, when the GPU has done its work."""
    import cupy

    if isinstance(found, PackedArray):
        return PackedArray(cupy.asnumpy(found.data), found.dtype, found.shape, found.layout)
    return cupy.asnumpy(found) if isinstance(found, cupy.ndarray) else found


def on_gpu(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments by name, on the GPU."""
    return {name: to_gpu(given) for name, given in arguments.items()}


def on_host(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments by name, back from the GPU."""
    return {name: from_gpu(found) for name, found in arguments.items()}


def capability() -> int:
    """The compute capability, without the point."""
    major, minor = current_device().capability
    return 10 * major + minor


@cache
def _module(source: str) -> Any:
    import cupy

    compiled = compile_cuda(f'{device_library()}\n#line 1 "{source}.cu"\n{text(source)}', current_device().arch)
    module = cupy.cuda.function.Module()
    module.load(compiled.cubin)
    return module


def launched(case: Intrinsic) -> list[Any]:
    """The arguments of an intrinsic after its launch."""
    import cupy

    arguments: Sequence[Any] = [
        cupy.asarray(each) if isinstance(each, np.ndarray) else each for each in case.arguments()
    ]
    function = _module(case.source).get_function(case.kernel)
    function((case.grid, 1, 1), (case.threads, 1, 1), tuple(arguments), shared_mem=SHARED_BYTES)
    cupy.cuda.runtime.deviceSynchronize()
    return [from_gpu(each) for each in arguments]
