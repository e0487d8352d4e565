"""From lowered programs to CUDA: one Jinja2 template an instruction, and a library of intrinsics.

``emit`` writes a kernel, ``device_library`` is what goes in front of it for a GPU. Python decides sizes and addresses
and the templates spell them; no CUDA stands in Python.
"""

from __future__ import annotations

from tilevm.codegen.emit import Emitted, emit
from tilevm.codegen.library import device_library, host_headers

__all__ = ["Emitted", "device_library", "emit", "host_headers"]
