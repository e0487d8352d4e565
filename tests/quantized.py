"""Numbers to quantise, and what becomes of them, written apart from the code: NumPy in float32, formats by the table of
all their numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import tilevm
from tilevm import ops
from tilevm.ops import Quantized
from tilevm.quantization import Hadamard

PROGRAM = Path(ops.__file__).with_name("quantization.tvm")


def numbers(*shape: int, dtype: Any = np.float16, seed: int = 0) -> np.ndarray:
    """Rows of very different magnitude, with negative zeros, a row and a stretch of zeros, and large numbers."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(shape) * 10.0 ** rng.integers(-3, 4, (shape[0], 1))
    x[:, 3::17] = -0.0
    x[:, 16:48] = 0
    x[2:3] = 0
    x[1:2, -1:] = 60000
    return x.astype(dtype)


def table(kind: tilevm.DType) -> tuple[np.ndarray, np.ndarray]:
    """All finite numbers of a format of up to 8 bits in order, and for each whether a tie goes to it."""
    values = kind.decode(np.arange(1 << kind.bits, dtype=np.uint8))
    codes = np.flatnonzero(np.isfinite(values))
    order = codes[np.argsort(values[codes], kind="stable")]
    return values[order], order % 2 == 0


def nearest(kind: tilevm.DType, y: np.ndarray) -> np.ndarray:
    """The nearest number of the format, of two the one with an even code; the last one beyond it."""
    values, even = table(kind)
    wide = np.clip(y.astype(np.float64), values[0], values[-1])
    above = np.clip(np.searchsorted(values, wide), 1, len(values) - 1)
    low, high = values[above - 1], values[above]
    up = (high - wide < wide - low) | ((high - wide == wide - low) & even[above])
    return np.where(up, high, low)


def rounded_up(name: str, exact: np.ndarray) -> np.ndarray:
    """The least number of a scale format that is not below, float32; the largest where there is none."""
    if name == "f32":
        return exact
    kind = tilevm.dtype(name)
    if kind.bits <= 8:
        values = table(kind)[0]
        return values[np.minimum(np.searchsorted(values, exact), len(values) - 1)].astype(np.float32)
    if name == "bf16":
        bits = exact.view(np.uint32)
        return ((bits + 0xFFFF) & 0xFFFF0000).view(np.float32)
    with np.errstate(over="ignore"):
        half = exact.astype(np.float16)
    return np.minimum(np.where(half < exact, np.nextafter(half, np.float16(np.inf)), half), 65504).astype(np.float32)


def butterflies(x: np.ndarray, size: int) -> np.ndarray:
    """The transform by its definition as a recursion: H(2n) = [[H, H], [H, -H]], in float32."""
    if size == 1:
        return x
    runs = x.reshape(-1, size)
    # The last doubling adds halves; the ones before it are within them.
    first, second = (butterflies(np.ascontiguousarray(half), size // 2) for half in np.split(runs, 2, axis=1))
    return np.concatenate([first + second, first - second], axis=1).reshape(x.shape)


def reference(
    x: np.ndarray, name: str, group: int | None, rows: int, scale_format: str, transform: Hadamard | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The numbers that the codes stand for, scales, and zero points."""
    kind = tilevm.dtype(name)
    wide = x.astype(np.float32)
    if transform is not None:
        signed = wide * np.tile(transform.signs, x.shape[1] // transform.size)
        wide = butterflies(signed, transform.size) * np.float32(1 / np.sqrt(transform.size))
    own = group or x.shape[1]
    grid = (-(-x.shape[0] // rows), -(-x.shape[1] // own))
    padded = np.zeros((grid[0] * rows, grid[1] * own), np.float32)
    padded[: x.shape[0], : x.shape[1]] = wide
    blocks = padded.reshape(grid[0], rows, grid[1], own)
    if kind.signed:
        exact = np.abs(blocks).max((1, 3)) / np.float32(kind.max)
        zeros = np.zeros(grid, np.float32)
    else:
        low, high = np.minimum(blocks.min((1, 3)), 0), np.maximum(blocks.max((1, 3)), 0)
        exact = (high - low) / np.float32(kind.max)
        zeros = -low
    scales = rounded_up(scale_format, np.where(exact > 0, exact, np.float32(1)))
    zeros = np.clip(np.rint(zeros / scales), 0, kind.max)
    y = blocks / scales[:, None, :, None] + zeros[:, None, :, None]
    codes = nearest(kind, y).reshape(padded.shape)[: x.shape[0], : x.shape[1]]
    return codes, scales, zeros


def values(array: Any) -> np.ndarray:
    """What an array of any format holds, in float64."""
    return np.asarray(array.numpy() if isinstance(array, tilevm.PackedArray) else array, np.float64)


def bits(array: Any) -> np.ndarray:
    """The codes of an array of any format."""
    if isinstance(array, tilevm.PackedArray):
        return array.codes()
    return np.ascontiguousarray(array).view(np.uint8)


def check(found: Quantized, expected: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    codes, scales, zeros = expected
    np.testing.assert_array_equal(values(found.scales), scales)
    np.testing.assert_array_equal(values(found.codes), codes)
    if found.zeros is not None:
        np.testing.assert_array_equal(values(found.zeros), zeros)


FORMATS = [
    (name, {"scale_format": scale}) for name in ("i8", "f6e3m2", "nf4", "trit", "u3") for scale in ("f16", "bf16")
]
SAME = [
    *(("mx" + each, {}) for each in ("fp8e4m3", "fp8e5m2", "fp6e2m3", "fp6e3m2", "fp4", "int8")),
    *((each, {}) for each in ("nvfp4", "nvfp4-2d", "nvint4", "ue5m3fp4", "ue5m3fp4-g32", "w4a8-fp8", "w4a8-int8")),
    *(
        (each, {})
        for each in ("fp8", "int8", "fp8-tensor", "int8-tensor", "nf4-block64", "u4g128", "i3g64", "f6e3m2g32")
    ),
    ("nvfp4", {"hadamard": 16, "seed": 5}),
    ("nvfp4", {"rounding": "stochastic", "seed": 2**63 + 1}),
    ("nvfp4-2d", {"rounding": "stochastic", "seed": 8}),
    ("int8-tensor", {"rounding": "stochastic", "seed": 8, "hadamard": 128}),
    ("u4g32", {"zero": "float"}),
    ("u8", {"group": 64, "zero": "code", "scale_format": "f32", "hadamard": 32}),
    ("i4", {"group": (4, 32), "symmetric": True, "scale_rounding": "power", "scale_format": "bf16"}),
    *((name, {"group": 64, **more}) for name, more in FORMATS),
]
