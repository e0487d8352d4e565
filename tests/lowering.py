"""The programs that the tests of passes lower: every kernel of the examples and of ``tests/programs``."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from tilevm.ir import Program
from tilevm.runtime.kernel import Kernel, load

ROOT = Path(__file__).parent.parent
REQUIRED: dict[str, dict[str, Any]] = {
    "matmul_plain": {"W": "f16"},
    "matmul": {"W": "u4"},
    "matmul_zero": {"W": "u4"},
    "matmul_explicit": {"W": "u4"},
}
"""Compile-time parameters of kernels of the examples that have no default."""


def _specialised(kernel: Kernel) -> Program:
    wanted = {parameter.name for parameter in kernel.definition.compile_time if parameter.required}
    given = REQUIRED.get(kernel.name, {})
    return kernel.specialise(**{name: value for name, value in given.items() if name in wanted})


PROGRAMS: dict[str, Callable[[], Program]] = {
    f"{path.stem}.{name}": partial(_specialised, module[name])
    for folder in ("examples", "tests/programs")
    for path in sorted((ROOT / folder).glob("*.tvm"))
    for module in [load(str(path))]
    for name in module
}
"""Each kernel, by file and name, with its compile-time parameters bound."""
