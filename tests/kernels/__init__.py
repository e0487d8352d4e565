"""Hand-written kernels in the style of emitted ones, and how they are compiled, once in a run of the tests."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from tilevm.errors import UsageError
from tilevm.runtime.simulator import HostModule, compile_host, find_compiler

FOLDER = Path(__file__).parent
NAMES = ("intrinsics", "numbers", "atomics", "moves", "faults", "matmul_u4", "launched")
LOCAL_NAMES = ("trigonometry", "messages")
"""Kernels that use local memory: `printf` and large angles take some."""


def _lacks_compiler() -> bool:
    try:
        find_compiler()
    except UsageError:
        return True
    return False


needs_compiler = pytest.mark.skipif(_lacks_compiler(), reason="the simulator needs a C++ compiler, and there is none")


def text(name: str) -> str:
    """The source of a file of kernels."""
    return (FOLDER / f"{name}.cu").read_text(encoding="utf-8")


@cache
def module(name: str) -> HostModule:
    """The kernels of a file, compiled for the host."""
    return compile_host(text(name), name=f"{name}.cu")
