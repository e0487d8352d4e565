"""Launches that may begin before those before them have ended: programmatic dependent launch.

A kernel that waits by itself (``depend()``) is launched with an attribute that says so, by ``cuLaunchKernelEx`` of the
driver. CuPy has no binding of it, so it is called through ``ctypes``. What it reads is a structure that is written
once; a launch changes its stream and nothing else. Threads take a structure from a list and put it back, so two that
launch the same kernel never share one. Reference: CUDA Driver API, CUlaunchConfig, CUlaunchAttribute.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from functools import cache
from typing import Any

__all__ = ["LaunchAttribute", "LaunchConfig", "driver_function", "early_launch"]

PROGRAMMATIC_STREAM_SERIALIZATION = 6
"""``CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION`` of the driver's ``CUlaunchAttributeID``."""


class LaunchAttribute(ctypes.Structure):
    """``CUlaunchAttribute``: its value is a union of 64 bytes, of which this attribute takes an ``int``."""

    _fields_ = (
        ("id", ctypes.c_uint),
        ("padding", ctypes.c_uint),
        ("value", ctypes.c_int),
        ("rest", ctypes.c_ubyte * 60),
    )


class LaunchConfig(ctypes.Structure):
    """``CUlaunchConfig``: extents in blocks and threads, bytes of shared memory, a stream, attributes."""

    _fields_ = (
        ("grid", ctypes.c_uint * 3),
        ("block", ctypes.c_uint * 3),
        ("shared_bytes", ctypes.c_uint),
        ("stream", ctypes.c_void_p),
        ("attributes", ctypes.POINTER(LaunchAttribute)),
        ("attribute_count", ctypes.c_uint),
    )


@cache
def driver_function() -> Callable[[int, int, int, int], int] | None:
    """``cuLaunchKernelEx``, which takes a structure, a function, pointers to arguments and 0, and gives a status.

    None where the driver, older than that of CUDA 11.8, has none.
    """
    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
        function = driver.cuLaunchKernelEx
    except (OSError, AttributeError):
        return None
    function.argtypes = (ctypes.c_void_p,) * 4
    function.restype = ctypes.c_int
    found: Callable[[int, int, int, int], int] = function
    return found


def early_launch(
    driver: Any, function: int, extents: tuple[int, int, int, int, int, int, int]
) -> Callable[[int, int, int], None] | None:
    """What launches a function so: it takes a stream, the address of pointers to arguments, and 0, and raises what
    CuPy's ``driver`` does. ``extents`` are blocks and threads along three axes, and bytes of shared memory.

    None where the driver cannot: a plain launch begins later, and does the same.
    """
    launch = driver_function()
    if launch is None:
        return None
    check: Callable[[int], None] = driver.check_status
    free: list[tuple[LaunchConfig, int]] = []

    def enqueue(stream: int, pointers: int, extra: int) -> None:
        try:
            held = free.pop()
        except IndexError:
            held = _configured(extents)
        config, address = held
        config.stream = stream
        status = launch(address, function, pointers, extra)
        free.append(held)
        if status:
            check(status)

    return enqueue


def _configured(extents: tuple[int, int, int, int, int, int, int]) -> tuple[LaunchConfig, int]:
    """A structure with everything but the stream, and its address. It keeps its attribute alive."""
    attribute = LaunchAttribute(id=PROGRAMMATIC_STREAM_SERIALIZATION, value=1)
    config = LaunchConfig(
        grid=extents[:3],
        block=extents[3:6],
        shared_bytes=extents[6],
        attributes=ctypes.pointer(attribute),
        attribute_count=1,
    )
    return config, ctypes.addressof(config)
