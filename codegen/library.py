"""The intrinsics that emitted CUDA is written in: one interface, inline PTX for the device, C++ for the simulator.

An emitted kernel uses nothing but ``TV_KERNEL``, ``TV_SHARED``, ``TV_LINE`` and the functions of namespace ``tv``. The
device's library is put before it as text, so that the whole includes nothing; the host's is a folder of headers.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path

__all__ = ["device_library", "host_headers"]


def device_library() -> str:
    """The text of the library for NVRTC, which includes nothing.

    >>> "#include" in device_library()
    False
    """
    return (_folder() / "device.cuh").read_text(encoding="utf-8")


def host_headers() -> Path:
    """The folder in which a C++ compiler finds ``host.h``.

    >>> (host_headers() / "host.h").is_file()
    True
    """
    return _folder()


def _folder() -> Path:
    return Path(str(resources.files("tilevm.codegen"))) / "templates" / "lib"
