"""Quantising where the numbers lie: ``quantize`` and ``hadamard`` choose a kernel of ``quantization.tvm`` and its tile.

Codes and scales are those of ``tilevm.quantize``, bit for bit. A row that fits into the registers of a thread block is
read once, however many rows, groups or blocks a tile holds; a longer one that has a single scale is read twice.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tilevm.dtypes import DType, dtype
from tilevm.errors import DTypeError
from tilevm.quantization import Hadamard
from tilevm.runtime.backends import lies_on_gpu
from tilevm.runtime.kernel import Module, load

__all__ = ["Quantized", "hadamard", "quantize"]

LONGEST_ROW = 32768
"""Numbers that the registers of 32 warps hold, 32 in each thread."""
THREAD_NUMBERS = 32
LANES = 32
WARPS = 4
"""Warps of a thread block, where its tile needs no more."""


class Quantized(NamedTuple):
    """Codes in the shape of the numbers, and a scale (for unsigned formats a zero point too) for each block of them."""

    codes: Any
    scales: Any
    zeros: Any = None


def quantize(
    x: Any,
    format: DType | str,
    group: int | None = None,
    *,
    rows: int = 1,
    scale_format: DType | str = "f32",
    transform: Hadamard | None = None,
    seed: int | None = None,
    backend: str | None = None,
    target: str | None = None,
) -> Quantized:
    """Codes and scales of ``x[M, K]``, of f16, bf16 or f32, for blocks of ``rows`` × ``group`` numbers.

    ``group=None`` gives each row (a token) one scale. Scales are ``[ceil(M / rows), ceil(K / group)]``, ``[M, 1]`` for
    rows; the last blocks may be short. A scale is the largest magnitude of its block, over the largest number of the
    format, rounded up to ``scale_format``; 1 for zeros; the largest of ``scale_format`` where that does not reach. A
    code is the nearest to ``x / scale``; beyond the largest it is the largest. Unsigned integers have zero points,
    integers in the scales' format: the code is the nearest to ``x / scale + zero``.

    ``transform`` is applied to the rows first, each run of ``transform.size`` numbers times the same matrix. With a
    ``seed`` (0 … 2^64 - 1) codes are rounded stochastically, element i of ``x`` by word i of Philox. What numbers that
    are not finite become is not defined.

    Raises ``DTypeError`` D011 for blocks that are no powers of two or too large, D012 and D013 for formats that hold no
    numbers of both signs, scales or zero points, D020 for a transform of another axis or that does not divide it; and
    what a call of a kernel raises.

    >>> x = np.float32([[0.5, -1, 0.25, 0], [0, 0, 0, 0]])
    >>> quantize(x, "i8").codes.tolist(), quantize(x, "i8", group=2).scales.shape
    ([[64, -127, 32, 0], [0, 0, 0, 0]], (2, 2))
    """
    kind, scale_kind = dtype(format), dtype(scale_format)
    _check_formats(kind, scale_kind)
    order = _order(x, transform)
    name = "quantize" if kind.signed else "quantize_zero"
    length = int(x.shape[-1]) if getattr(x, "shape", ()) else 1
    if group is None and length > LONGEST_ROW:
        _check_block(rows, 1)
        name, tile = name.replace("quantize", "quantize_long"), dict[str, Any]()
    else:
        tile = _tile(length, group, rows, order, seed is not None)
    if order > LANES // 2:
        tile["RUN"] = LANES
    made = _kernels()[name](
        x,
        _signs(transform, x),
        seed=seed or 0,
        Q=kind,
        S=scale_kind,
        HADAMARD=order,
        STOCHASTIC=seed is not None,
        backend=backend,
        target=target,
        **tile,
    )
    return Quantized(*made)


def hadamard(
    x: Any, transform: Hadamard, *, inverse: bool = False, backend: str | None = None, target: str | None = None
) -> Any:
    """``x[M, K]`` with each run of ``transform.size`` numbers of a row transformed, or its inverse, in the format of x.

    Computed in f32 in the order of ``Hadamard.apply`` and ``Hadamard.undo``, and rounded once. Raises ``DTypeError``
    D020 for a transform of another axis or one that does not divide it, and what a call of a kernel raises.

    >>> x = np.eye(16, dtype=np.float16)
    >>> signs = Hadamard(axis=1, size=16, seed=3)
    >>> bool((hadamard(hadamard(x, signs), signs, inverse=True) == x).all())
    True
    """
    order = _order(x, transform)
    run = LANES if order > LANES // 2 else LANES // 2
    block = max(order, WARPS * LANES * run)
    return _kernels().hadamard(
        x, _signs(transform, x), HADAMARD=order, INVERSE=inverse, BLOCK=block, RUN=run, backend=backend, target=target
    )


@cache
def _kernels() -> Module:
    return load(Path(__file__).with_name("quantization.tvm"))


def _tile(length: int, group: int | None, rows: int, order: int, stochastic: bool) -> dict[str, Any]:
    """The compile-time parameters that say how many numbers a block works on; all are powers of two."""
    run = LANES if order > LANES // 2 else LANES // 2
    least = WARPS * LANES * run
    whole = max(run, order, 1 << max(0, length - 1).bit_length())
    own = whole if group is None else group
    _check_block(rows, own)
    block = max(own, order, whole if group is None else min(whole, max(run, least // rows)))
    if stochastic:
        block, tile_rows = max(block, least), 1
    else:
        tile_rows = max(rows, least // block)
    warps = max(WARPS, tile_rows * block // (LANES * THREAD_NUMBERS))
    return {"GROUP": own, "GROUP_ROWS": rows, "ROWS": tile_rows, "BLOCK": block, "WARPS": warps}


def _check_block(rows: int, group: int) -> None:
    for extent in (rows, group):
        if not isinstance(extent, int | np.integer) or extent < 1 or extent & (extent - 1):
            raise DTypeError("D011", f"a block has powers of two of rows and columns, not {rows!r} x {group!r}")
    if rows * group > LONGEST_ROW:
        raise DTypeError("D011", f"a block has up to {LONGEST_ROW} numbers, not {rows} x {group}")


def _check_formats(kind: DType, scale_kind: DType) -> None:
    if not kind.signed and kind.kind != "uint":
        raise DTypeError("D012", f"{kind} has no negative numbers and takes no zero point", help="it is for scales")
    if scale_kind.kind != "float":
        raise DTypeError("D013", f"scales are floats, not {scale_kind}", help="f16, bf16, f32, ue4m3, e8m0, …")
    whole = scale_kind.specials != "scale" and scale_kind.mantissa + 1 >= kind.bits and scale_kind.max >= kind.max
    if kind.kind == "uint" and not whole:
        raise DTypeError(
            "D013",
            f"zero points of {kind} are integers up to {kind.max}, and {scale_kind} does not hold all of them",
            help="f16, bf16 and f32 hold those of u1 to u8; signed formats need none",
        )


def _order(x: Any, transform: Hadamard | None) -> int:
    """The order of the Hadamard matrix; that of order 1 changes nothing."""
    if transform is None:
        return 1
    shape = tuple(getattr(x, "shape", ()))
    if transform.axis != 1 or transform.size > 128:
        raise DTypeError(
            "D020",
            f"rows are transformed along axis 1 in runs of up to 128, not along {transform.axis} in {transform.size}",
        )
    transform.check(shape)
    return transform.size


def _signs(transform: Hadamard | None, x: Any) -> Any:
    """The signs of a run, where x lies."""
    if not lies_on_gpu(x):
        return _host_signs(transform)
    import cupy

    return _device_signs(transform, int(cupy.cuda.runtime.getDevice()))


@cache
def _host_signs(transform: Hadamard | None) -> Any:
    return np.ones(1, np.float32) if transform is None else transform.signs


@cache
def _device_signs(transform: Hadamard | None, device: int) -> Any:
    """On one GPU; copied there once."""
    import cupy

    return cupy.asarray(_host_signs(transform))
