"""tilevm: a virtual machine and compiler for GPU kernels on numbers of any bit width.

    load  kernel  Kernel  Module  Report          programs: tilevm.load("matmul.tvm").matmul(x, w)
    dtype  DType  codebook                        number formats: tilevm.dtype("f6e3m2")
    PackedArray  pack  unpack                     arrays of them
    quantize  QuantizedTensor                     weights in them
    layout  Layout  memory_pattern  MemoryPattern where each element lies
    autotune  tune  TuneResult  TuneStore         the fastest compile-time parameters
    bench                                         how long work takes on a GPU
    TilevmError and its subclasses  explain       what goes wrong

Importing tilevm needs NumPy only; the rest is loaded when it is first asked for. ``tilevm.layout`` and
``tilevm.memory_pattern`` are the functions; the modules of these names are imported from, never reached as attributes.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tilevm.dtypes import DType, codebook, dtype
from tilevm.errors import (
    ArgumentError,
    Diagnostic,
    DTypeError,
    ExecutionError,
    LayoutError,
    NoDeviceError,
    OutOfResources,
    ProgramError,
    TilevmError,
    UsageError,
    explain,
)
from tilevm.layout import Layout
from tilevm.layout_text import layout, memory_pattern
from tilevm.memory_pattern import MemoryPattern
from tilevm.version import __version__

if TYPE_CHECKING:
    from tilevm.packed_array import PackedArray
    from tilevm.packing import pack, unpack
    from tilevm.quantization import QuantizedTensor, quantize
    from tilevm.report import Report
    from tilevm.runtime.bench import bench
    from tilevm.runtime.kernel import Kernel, Module, kernel, load
    from tilevm.runtime.tuning.autotune import autotune
    from tilevm.runtime.tuning.result import TuneResult
    from tilevm.runtime.tuning.store import TuneStore
    from tilevm.runtime.tuning.tune import tune

__all__ = [
    "ArgumentError",
    "DType",
    "DTypeError",
    "Diagnostic",
    "ExecutionError",
    "Kernel",
    "Layout",
    "LayoutError",
    "MemoryPattern",
    "Module",
    "NoDeviceError",
    "OutOfResources",
    "PackedArray",
    "ProgramError",
    "QuantizedTensor",
    "Report",
    "TilevmError",
    "TuneResult",
    "TuneStore",
    "UsageError",
    "__version__",
    "autotune",
    "bench",
    "codebook",
    "dtype",
    "explain",
    "kernel",
    "layout",
    "load",
    "memory_pattern",
    "pack",
    "quantize",
    "tune",
    "unpack",
]

_LOADED_LATE = {
    **dict.fromkeys(("Kernel", "Module", "kernel", "load"), "tilevm.runtime.kernel"),
    **dict.fromkeys(("QuantizedTensor", "quantize"), "tilevm.quantization"),
    **dict.fromkeys(("pack", "unpack"), "tilevm.packing"),
    "PackedArray": "tilevm.packed_array",
    "Report": "tilevm.report",
    "TuneResult": "tilevm.runtime.tuning.result",
    "TuneStore": "tilevm.runtime.tuning.store",
    "autotune": "tilevm.runtime.tuning.autotune",
    "bench": "tilevm.runtime.bench",
    "tune": "tilevm.runtime.tuning.tune",
}
"""What is imported when it is first asked for, so that ``import tilevm`` costs little more than NumPy's import."""


def __getattr__(name: str) -> Any:
    if name not in _LOADED_LATE:
        raise AttributeError(f"module 'tilevm' has no attribute {name!r}")
    found = getattr(import_module(_LOADED_LATE[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
