"""The product with a quantised weight: ``y = x @ w``.

    packed = tilevm.ops.pack_weight(tilevm.quantize(w, "f6e3m2", group=128))    # once
    y = tilevm.ops.matmul(x, packed)                                            # NumPy, CuPy, torch

``matmul.tvm`` has the kernels, written in the language. One packed form serves every tile and every number of rows.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tilevm.errors import ArgumentError
from tilevm.ops.quantization import hadamard
from tilevm.ops.weights import PackedWeight, kernels
from tilevm.packed_array import PackedArray

__all__ = ["matmul", "tiles_for"]


def matmul(
    x: Any,
    weight: PackedWeight,
    *,
    x_scale: Any = None,
    wide_x: Any = None,
    y: Any = None,
    backend: str | None = None,
    target: str | None = None,
    **settings: Any,
) -> Any:
    """The product of activations ``x[M, K]`` with a packed weight ``[K, N]``: ``[M, N]`` in the format of ``x``.

    For activations of 8 bits, ``x_scale`` is ``f32[M]``, one scale for each row, and the result is ``f16``, or the
    format of ``settings["B"]``; a weight with wide rows or a correction also takes ``wide_x``, the activations as they
    were before they were quantised, in ``f16``. ``y`` is written where it is given. ``settings`` are compile-time
    parameters of the kernel, such as ``WN=2``; what is not given is chosen by the number of rows. ``backend`` and
    ``target`` are those of any call.

    Where the rows of the weight are permuted (GPTQ's act-order), those of ``x`` are taken in their order; where they
    went through a Hadamard transform, ``x`` goes through the same one first. Activations of 8 bits were quantised after
    both: ``tilevm.ops.quantize(x[:, weight.permutation], "i8", transform=…)``.

    Raises ``ArgumentError`` A026 for a scale, or a wide input, that is missing or not needed, and what a call of a
    kernel raises.

    >>> import numpy as np
    >>> import tilevm
    >>> from tilevm.ops.weights import pack_weight
    >>> w = np.random.default_rng(0).standard_normal((128, 96)).astype(np.float32)
    >>> q = tilevm.quantize(w, "u4", group=64)
    >>> x = np.eye(2, 128, dtype=np.float16)
    >>> bool(np.allclose(matmul(x, pack_weight(q)), q.dequantize()[:2], rtol=1e-3))
    True
    """
    narrow = weight.activations.bits == 8
    if narrow != (x_scale is not None):
        raise ArgumentError(
            "A026",
            f"activations of {weight.activations} {'need' if narrow else 'have no'} scales of their own",
            argument="x_scale",
            help="x_scale=… is f32[M], as tilevm.ops.quantize gives it" if narrow else "leave out x_scale",
        )
    arguments: dict[str, Any] = {**weight.arrays, "tensor_scale": weight.tensor_scale}
    if "wide" in weight.arrays:
        arguments["more"] = _more(_wide_input(x, wide_x, narrow), weight, backend, target)
    if weight.permutation is not None:
        x = _columns(x, weight.permutation)
    if weight.transform is not None and not narrow:
        x = hadamard(x, replace(weight.transform, axis=1), backend=backend, target=target)
    arguments |= {"x": x} | ({} if x_scale is None else {"x_scale": x_scale})
    chosen = weight.settings | tiles_for(x.shape[0], weight.shape[1])
    if weight.columns is None:
        arguments |= {} if y is None else {"y": y}
        return weight.definition(backend=backend, target=target, **arguments, **(chosen | settings))
    # Each block has columns of one format.
    found = weight.definition(backend=backend, target=target, **arguments, **(chosen | settings | {"WN": 1}))
    found = _columns(found, weight.columns)
    if y is None:
        return found
    y[...] = found
    return y


def _columns(array: Any, columns: Any) -> Any:
    """Columns of an array in another order."""
    if isinstance(array, PackedArray):
        return PackedArray.from_codes(array.codes()[:, columns], array.dtype)
    return array[:, columns]


def _wide_input(x: Any, wide_x: Any, narrow: bool) -> Any:
    """The activations that meet rows which are kept wide."""
    if narrow != (wide_x is not None):
        raise ArgumentError(
            "A026",
            "this weight has rows that are kept wide, or a correction: they meet activations of 16 bits"
            if narrow
            else "activations of 16 bits meet all of a weight",
            argument="wide_x",
            help="wide_x=… are the activations before they were quantised" if narrow else "leave out wide_x",
        )
    return wide_x if narrow else x


def _more(x: Any, weight: PackedWeight, backend: str | None, target: str | None) -> Any:
    """What of the input meets the rows that are added."""
    if weight.left is None:
        return _columns(x, weight.rows)
    return kernels().dense(x, weight.left, backend=backend, target=target)


def tiles_for(rows: int, columns: int) -> dict[str, int]:
    """Warps and tiles for a product of so many rows and columns, where no tuner has chosen.

    Few rows want many small blocks, so that every multiprocessor reads its share of the weights; many rows want large
    tiles, in which each weight that is cast is multiplied often.

    >>> tiles_for(1, 8192), tiles_for(4096, 8192)
    ({'WM': 1, 'WN': 2, 'MT': 1, 'STAGES': 4}, {'WM': 2, 'WN': 2, 'MT': 8, 'STAGES': 3})
    """
    wide = 2 if columns > 64 else 1
    if rows <= 64:
        return {"WM": 1, "WN": wide, "MT": next(tiles for tiles in (1, 2, 4, 8) if rows <= 8 * tiles), "STAGES": 4}
    return {"WM": 2, "WN": wide, "MT": 8, "STAGES": 3}
