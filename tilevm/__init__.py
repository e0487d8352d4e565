"""tilevm: a virtual machine and compiler for GPU kernels on numbers of any bit width.

    load  kernel  Kernel  Module  Report          programs: tilevm.load("matmul.tvm").matmul(x, w)
    dtype  DType  codebook                        number formats: tilevm.dtype("f6e3m2")
    PackedArray  pack  unpack                     arrays of them
    quantize  QuantizedTensor                     weights in them
    layout  Layout  memory_pattern  MemoryPattern where each element lies
    TilevmError and its subclasses  explain       what goes wrong

Importing tilevm needs NumPy only; the front end is loaded when the first program is. ``tilevm.layout`` and
``tilevm.memory_pattern`` are the functions; the modules of these names are imported from, never reached as attributes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tilevm.dtypes import DType, codebook, dtype
from tilevm.errors import (
    ArgumentError,
    Diagnostic,
    DTypeError,
    ExecutionError,
    LayoutError,
    ProgramError,
    TilevmError,
    UsageError,
    explain,
)
from tilevm.layout import Layout
from tilevm.layout_text import layout, memory_pattern
from tilevm.memory_pattern import MemoryPattern
from tilevm.packed_array import PackedArray
from tilevm.packing import pack, unpack
from tilevm.quantization import QuantizedTensor, quantize
from tilevm.report import Report

if TYPE_CHECKING:
    from tilevm.runtime.kernel import Kernel, Module, kernel, load

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
    "PackedArray",
    "ProgramError",
    "QuantizedTensor",
    "Report",
    "TilevmError",
    "UsageError",
    "__version__",
    "codebook",
    "dtype",
    "explain",
    "kernel",
    "layout",
    "load",
    "memory_pattern",
    "pack",
    "quantize",
    "unpack",
]

__version__ = "0.1.0"

_LOADED_LATE = ("Kernel", "Module", "kernel", "load")


def __getattr__(name: str) -> Any:
    if name in _LOADED_LATE:
        from tilevm.runtime import kernel as module

        return getattr(module, name)
    raise AttributeError(f"module 'tilevm' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
