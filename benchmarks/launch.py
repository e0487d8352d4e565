"""What a launch costs on the host: the time from the call in Python to the driver, and from the driver back.

    python -m benchmarks.launch [--json results.json]

Needs CuPy, with NVRTC, and no GPU: the arrays are CuPy's own over memory that is never touched, and the calls into
the driver and the CUDA runtime are replaced by Python functions that do nothing. What these calls take on a real
machine comes on top; it is the same for whoever makes them. Every figure but that of new shapes, a median, is the
lowest of several rounds' means, since other processes only ever add.

    known     a call whose kinds were seen before, with its output given
    shape     a call of a shape that was not seen before, of a specialisation that was compiled
    prepared  a launch made by ``Kernel.prepare``
    bare      the driver's function with an argument block that is ready: what no launcher can be faster than
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import click
import numpy as np
from rich.console import Console
from rich.table import Table

import tilevm
from benchmarks.timing import lowest
from tilevm.runtime import early_launch

EXAMPLES = Path(__file__).parent.parent / "examples"
CAPABILITY = "90"


def nothing(*arguments: object) -> None:
    """Stands for a call of the driver."""


class Module:
    """Stands for machine code that is loaded."""

    def load(self, cubin: bytes) -> None:
        """Loads nothing."""

    def get_function(self, name: str) -> Any:
        """A function that cannot be called."""
        return SimpleNamespace(ptr=1, module=self)


@contextmanager
def without_driver(cupy: Any) -> Iterator[None]:
    """CuPy with nothing below it."""
    stream = SimpleNamespace(ptr=0)
    cuda = cupy.cuda
    with (
        patch.object(cuda.driver, "launchKernel", nothing),
        patch.object(cuda.driver, "funcSetAttribute", nothing),
        patch.object(early_launch, "driver_function", lambda: nothing),
        patch.object(cuda.runtime, "getDeviceCount", lambda: 1),
        patch.object(cuda.runtime, "getDevice", lambda: 0),
        patch.object(cuda.function, "Module", Module),
        patch.object(cuda, "Device", lambda number: SimpleNamespace(compute_capability=CAPABILITY)),
        patch.object(cuda, "get_current_stream", lambda number: stream),
    ):
        yield


class Arrays:
    """CuPy arrays at made-up addresses."""

    def __init__(self, cupy: Any) -> None:
        self.cupy = cupy
        self.next = 1 << 40

    def __call__(self, shape: tuple[int, ...], dtype: Any) -> Any:
        cuda = self.cupy.cuda
        memory = cuda.UnownedMemory(self.next, 1 << 30, self, 0)
        self.next += 1 << 30
        return self.cupy.ndarray(shape, dtype, cuda.MemoryPointer(memory, 0))


def vector_add(array: Arrays) -> tuple[Any, Callable[[int], dict[str, Any]]]:
    """Two inputs and an output of f32."""
    kernel = tilevm.load(EXAMPLES / "vector_add.tvm").vector_add
    return kernel, lambda rows: {name: array((1024 * rows,), np.float32) for name in ("x", "y", "z")}


def early_vector_add(array: Arrays) -> tuple[Any, Callable[[int], dict[str, Any]]]:
    """The same by a kernel that may begin early, which another function of the driver launches."""
    text = (EXAMPLES / "vector_add.tvm").read_text(encoding="utf-8")
    lines = text.splitlines(keepends=True)
    first = next(number for number, line in enumerate(lines) if "block_index" in line)
    kernel = tilevm.kernel("".join([*lines[:first], "    depend()\n", *lines[first:]]))
    return kernel, vector_add(array)[1]


def matmul(array: Arrays) -> tuple[Any, Callable[[int], dict[str, Any]]]:
    """Activations, packed weights, scales and an output: 4-bit weights of 4096 x 4096."""
    kernel = tilevm.load(EXAMPLES / "matmul.tvm").matmul
    weights = tilevm.PackedArray(array((4096 * 4096 // 2,), np.uint8), "u4", (4096, 4096))
    scales = array((4096 // 128, 4096), np.float16)

    def arguments(rows: int) -> dict[str, Any]:
        x, y = (array((rows, 4096), np.float16) for _ in range(2))
        return {"x": x, "w": weights, "scale": scales, "y": y}

    return kernel, arguments


def measured(kernel: Any, arguments: Callable[[int], dict[str, Any]]) -> dict[str, float]:
    """Microseconds of each kind of call."""
    given = arguments(16)
    outs = {each.name for each in kernel.definition.parameters if each.access == "out"}
    args, keywords = [given[name] for name in given if name not in outs], {name: given[name] for name in outs}
    kernel(*args, **keywords)
    prepared = kernel.prepare(*args, **keywords)
    bare = prepared._submit.__self__._enqueue
    address = prepared._block.address
    fresh = iter([arguments(128 * rows) for rows in range(3, 60)])

    def new_shape() -> float:
        arrays = next(fresh)
        start = time.perf_counter()
        kernel(**arrays)
        return time.perf_counter() - start

    new_shape()
    return {
        "known": 1e6 * lowest(lambda: kernel(*args, **keywords)),
        "shape": 1e6 * median(new_shape() for _ in range(40)),
        "prepared": 1e6 * lowest(prepared),
        "bare": 1e6 * lowest(lambda: bare(0, address, 0)),
    }


@click.command()
@click.option("--json", "target", type=click.Path(path_type=Path), help="Also write the figures to this file.")
def main(target: Path | None) -> None:
    """Measures, and prints one table."""
    # With the third version an array's interface names its stream, which asks the driver.
    os.environ["CUPY_CUDA_ARRAY_INTERFACE_EXPORT_VERSION"] = "2"
    import cupy

    results = {}
    with without_driver(cupy):
        for make in (vector_add, early_vector_add, matmul):
            results[make.__name__] = measured(*make(Arrays(cupy)))
    table = Table("kernel", *next(iter(results.values())), title="microseconds of the host for one launch")
    for name, figures in results.items():
        table.add_row(name, *(f"{figure:.2f}" for figure in figures.values()))
    Console().print(table)
    if target is not None:
        target.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
