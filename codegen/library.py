"""The intrinsics that emitted CUDA is written in: one interface, inline PTX for the device, C++ for the simulator.

An emitted kernel uses nothing but ``TV_KERNEL``, ``TV_SHARED``, ``TV_LINE`` and the functions of namespace ``tv``. The
device's library is put before it as text, so that the whole includes nothing; the host's is a folder of headers. What
is the same on both sides is written once, over the intrinsics.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from pathlib import Path

__all__ = ["DEVICE_PARTS", "SHARED_PARTS", "device_library", "host_headers"]

DEVICE_PARTS = (
    "device.cuh",
    "device/conversions.cuh",
    "device/arithmetic.cuh",
    "device/mathematics.cuh",
    "device/matrix.cuh",
    "device/atomics.cuh",
    "device/messages.cuh",
)
"""The device's own files, each of which may use those before it."""

SHARED_PARTS = (
    *("common.cuh", "exchange.cuh", "elements.cuh", "atomics.cuh", "bits.cuh"),
    *("numbers.cuh", "conversions.cuh", "rounding.cuh", "narrow.cuh"),
)
"""The files of both sides, in order; ``host.h`` includes the same after its own."""


@cache
def device_library() -> str:
    """The text of the library for NVRTC, which includes nothing.

    >>> "#include" in device_library()
    False
    """
    parts = (f'#line 1 "{part}"\n{_text(part)}' for part in (*DEVICE_PARTS, *SHARED_PARTS))
    return "".join((*parts, '#line 1 "kernel.cu"\n'))


def host_headers() -> Path:
    """The folder in which a C++ compiler finds ``host.h``.

    >>> (host_headers() / "host.h").is_file()
    True
    """
    return _folder()


def _text(part: str) -> str:
    return (_folder() / part).read_text(encoding="utf-8")


def _folder() -> Path:
    return Path(str(resources.files("tilevm.codegen"))) / "templates" / "lib"
