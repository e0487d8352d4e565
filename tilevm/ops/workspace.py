"""Memory that thread blocks share while they work on one product: the parts of tiles, and how many have arrived.

It is made once for each size, GPU and stream, and kept: a launch that was warmed up allocates nothing. Counters are
zero between launches, since the last block of a tile sets its own back.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from tilevm.errors import ArgumentError
from tilevm.ops.weights import PackedWeight
from tilevm.runtime.backends import is_torch, lies_on_gpu
from tilevm.runtime.device import Device, current_device

__all__ = ["workspace"]

_kept: dict[tuple[Any, ...], Any] = {}


def workspace(x: Any, weight: PackedWeight, settings: dict[str, Any], blocks: int) -> dict[str, Any]:
    """The arrays ``shares`` and ``arrived`` of ``matmul_stream``, where ``x`` lies.

    No more blocks than there are stages of work take part: the first extent of ``shares`` is how many do. Raises
    ``ArgumentError`` A026 for a number of blocks below 1.
    """
    if isinstance(blocks, bool) or not isinstance(blocks, int | np.integer) or blocks < 1:
        raise ArgumentError("A026", f"blocks are an integer of at least 1, not {blocks!r}", argument="blocks")
    high, wide, deep = 8 * settings["WM"] * settings["MT"], 64 * settings["WN"], 64 * settings.get("KU", 1)
    columns = weight.shape[1] * (2 if settings.get("GATED") else 1)
    tiles = -(-x.shape[0] // high) * -(-columns // wide)
    count = max(1, min(int(blocks), tiles * -(-weight.shape[0] // deep)))
    return {
        "shares": _array(x, (count, 2, wide, high), "float32"),
        "arrived": _array(x, (tiles,), "int32"),
    }


def _array(x: Any, shape: tuple[int, ...], kind: str) -> Any:
    """Zeros where ``x`` lies: those of before where there are such, on the host always new ones."""
    if not lies_on_gpu(x):
        return np.zeros(shape, kind)
    device = current_device()
    key = (device.number, _stream(x, device), kind, shape)
    if key not in _kept:
        _kept[key] = device.cupy.zeros(shape, kind)
        # The launch may be on another stream than CuPy's, where the zeros are written.
        device.cupy.cuda.get_current_stream().synchronize()
    return _kept[key]


def _stream(x: Any, device: Device) -> int:
    """The stream that a launch with ``x`` is on, as the driver knows it."""
    if is_torch(x):
        torch: Any = sys.modules["torch"]
        return int(torch.cuda.current_stream(device.number).cuda_stream)
    return int(device.cupy.cuda.get_current_stream().ptr)
