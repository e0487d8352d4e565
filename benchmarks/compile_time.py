"""From text to a cubin for this GPU: all of it in a process that has compiled before, and from the cache."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import tilevm
from tilevm.runtime.bench import Row

__all__ = ["measure"]

EXAMPLES = Path(__file__).parent.parent / "examples"
KERNELS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("vector_add", "vector_add", {}),
    ("softmax", "softmax", {}),
    ("matmul", "matmul", {"W": "u4"}),
    ("matmul_explicit", "matmul_explicit", {"W": "u4"}),
    ("attention", "attend", {}),
)
ROUNDS = 5


def measure() -> list[Row]:
    """Each kernel, with an empty cache and with a full one, for the GPU that is there. Needs CuPy and NVRTC."""
    from tilevm.runtime.device import current_device

    return compile_times(current_device().arch.name)


def compile_times(target: str) -> list[Row]:
    """The rows for an architecture."""
    rows = []
    for file, name, bindings in KERNELS:
        text = (EXAMPLES / f"{file}.tvm").read_text(encoding="utf-8")

        def made(text: str = text, name: str = name, bindings: dict[str, Any] = bindings) -> object:
            return tilevm.kernel(text, name=name).compile(target=target, **bindings).cubin

        made()  # the grammar, the templates and NVRTC are loaded once in a process
        cold, warm = [], []
        for _ in range(ROUNDS):
            with tempfile.TemporaryDirectory() as folder, patch.dict("os.environ", TILEVM_CACHE_DIR=folder):
                cold.append(_microseconds(made))
                warm.append(_microseconds(made))
        rows.append(Row.of(f"{file}.{name} for {target}", "text to cubin", cold))
        rows.append(Row.of(f"{file}.{name} for {target}", "from the cache", warm))
    return rows


def _microseconds(task: Callable[[], object]) -> float:
    start = time.perf_counter()
    task()
    return 1e6 * (time.perf_counter() - start)
