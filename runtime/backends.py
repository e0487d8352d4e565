"""The backends, and which of them runs a call: the one that is named, else that of the place where the arguments lie.

interpreter   NumPy arrays   the definition of the machine, and where nothing is named what runs on the host
simulator     NumPy arrays   the emitted source, compiled as C++, thread by thread: finds races and stray accesses
cuda          GPU arrays     the emitted source, compiled by NVRTC, launched through CuPy
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

from tilevm.errors import ArgumentError, UsageError, did_you_mean
from tilevm.packed_array import PackedArray

__all__ = ["BACKENDS", "byte_view", "choose_backend", "is_torch", "lies_on_gpu"]

BACKENDS = ("interpreter", "simulator", "cuda")

CUDA_DEVICES = (2, 13)
"""kDLCUDA and kDLCUDAManaged of DLPack's ``DLDeviceType``."""


def choose_backend(backend: str | None, tensors: Mapping[str, Any]) -> str:
    """The backend that runs a call with these tensors, by parameter.

    Raises ``UsageError`` F004 for a name that is no backend, ``ArgumentError`` A021 where no name is given and some
    arrays lie on a GPU and others on the host.

    >>> choose_backend(None, {"x": np.zeros(3)})
    'interpreter'
    """
    if backend is not None:
        if backend not in BACKENDS:
            helps = did_you_mean(str(backend), BACKENDS) or f"the backends are {', '.join(BACKENDS)}"
            raise UsageError("F004", f"there is no backend {backend!r}", help=helps)
        return backend
    on_gpu = [name for name, given in tensors.items() if lies_on_gpu(given)]
    on_host = [name for name in tensors if name not in on_gpu]
    if on_gpu and on_host:
        raise ArgumentError(
            "A021",
            f"`{on_gpu[0]}` lies on a GPU and `{on_host[0]}` on the host",
            argument=on_host[0],
            help="copy one of them: cupy.asarray(x) to the GPU, cupy.asnumpy(x) to the host",
        )
    return "cuda" if on_gpu else "interpreter"


def is_torch(given: Any) -> bool:
    """Whether something is a torch tensor. torch is not imported for it: who passes a tensor has done so."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(given, torch.Tensor)


def lies_on_gpu(given: Any) -> bool:
    """Whether an argument lies on a GPU."""
    if isinstance(given, PackedArray):
        return given.on_device
    if isinstance(given, np.ndarray):
        return False
    if is_torch(given):
        return bool(given.is_cuda)
    if hasattr(given, "__cuda_array_interface__"):
        return True
    return hasattr(given, "__dlpack_device__") and given.__dlpack_device__()[0] in CUDA_DEVICES


def byte_view(given: Any) -> Any:
    """The bytes of an array of NumPy, CuPy or torch without gaps, as ``uint8[bytes]``, not copied.

    >>> byte_view(np.float32([[1, 2]])).shape
    (8,)
    """
    flat = given.reshape(-1)
    return flat.view(sys.modules["torch"].uint8 if is_torch(given) else np.uint8)
