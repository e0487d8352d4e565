"""The product with a quantised weight: ``y = x @ w``.

    packed = tilevm.ops.pack_weight(tilevm.quantize(w, "f6e3m2", group=128))    # once
    y = tilevm.ops.matmul(x, packed)                                            # NumPy, CuPy, torch

``matmul.tvm`` has the kernels, written in the language. One packed form serves every tile and every number of rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tilevm.errors import ArgumentError
from tilevm.ops.gemv import few_rows
from tilevm.ops.quantization import hadamard
from tilevm.ops.weights import PackedWeight, kernels
from tilevm.ops.workspace import workspace
from tilevm.packed_array import PackedArray
from tilevm.runtime.backends import lies_on_gpu
from tilevm.runtime.device import current_device
from tilevm.runtime.kernel import Kernel

__all__ = ["blocks_for", "launch_of", "matmul", "tiles_for"]


def matmul(
    x: Any,
    weight: PackedWeight,
    *,
    x_scale: Any = None,
    wide_x: Any = None,
    bias: Any = None,
    activation: str | None = None,
    residual: Any = None,
    y: Any = None,
    blocks: int | None = None,
    tensor_cores: bool = True,
    backend: str | None = None,
    target: str | None = None,
    **settings: Any,
) -> Any:
    """The product of activations ``x[M, K]`` with a packed weight ``[K, N]``: ``[M, N]`` in the format of ``x``.

    ``bias[N]``, then ``activation`` (``gelu``, with erf, or ``silu``), then ``residual[M, N]`` are applied to the sums
    in f32, before they are rounded. A weight from ``pack_gated`` gives ``silu(x @ gate) * (x @ up)``, before the
    residual.

    For activations of 8 bits, ``x_scale`` is ``f32[M]``, one scale for each row, and the result is ``f16``, or the
    format of ``settings["B"]``; a weight with wide rows or a correction also takes ``wide_x``, the activations as they
    were before they were quantised, in ``f16``. ``y`` is written where it is given.

    ``blocks`` shares the work of all tiles evenly among so many thread blocks (stream-k); on a GPU that is done where
    there are too few tiles to fill it. The sums of a tile are added in a fixed order, so results repeat bit for bit.
    ``tensor_cores=False`` takes the kernel of ``tilevm.ops.gemv``, which may be faster for a row or two. ``settings``
    are compile-time parameters of the kernel, such as ``WN=2``; what is not given is chosen by the number of rows.
    ``backend`` and ``target`` are those of any call.

    Where the rows of the weight are permuted (GPTQ's act-order), those of ``x`` are taken in their order; where they
    went through a Hadamard transform, ``x`` goes through the same one first. Activations of 8 bits were quantised after
    both: ``tilevm.ops.quantize(x[:, weight.permutation], "i8", transform=…)``.

    Raises ``ArgumentError`` A026 for what is missing or not taken by the kernel of the weight, and what a call of a
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
    kernel, arguments, chosen = launch_of(
        x,
        weight,
        x_scale=x_scale,
        wide_x=wide_x,
        bias=bias,
        activation=activation,
        residual=residual,
        blocks=blocks,
        tensor_cores=tensor_cores,
        backend=backend,
        target=target,
        **settings,
    )
    if weight.columns is None:
        arguments |= {} if y is None else {"y": y}
        return kernel(backend=backend, target=target, **arguments, **chosen)
    found = _columns(kernel(backend=backend, target=target, **arguments, **chosen), weight.columns)
    if y is None:
        return found
    y[...] = found
    return y


def launch_of(
    x: Any,
    weight: PackedWeight,
    *,
    x_scale: Any = None,
    wide_x: Any = None,
    bias: Any = None,
    activation: str | None = None,
    residual: Any = None,
    blocks: int | None = None,
    tensor_cores: bool = True,
    backend: str | None = None,
    target: str | None = None,
    **settings: Any,
) -> tuple[Kernel, dict[str, Any], dict[str, Any]]:
    """The kernel that ``matmul`` calls, its arguments but for ``y``, and its compile-time parameters: what a tuner or
    ``kernel.prepare`` takes. Raises what ``matmul`` raises."""
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
    known = tiles_for(x.shape[0], weight.shape[1], weight.settings["GROUP"], weight.settings["W"].bits)
    names = {each.name for each in weight.definition.definition.compile_time}
    chosen = weight.settings | {name: value for name, value in known.items() if name in names} | settings
    ending = {"bias": bias, "activation": activation, "residual": residual, "blocks": blocks}
    ending["tensor_cores"] = None if tensor_cores else False
    kernel = weight.definition
    if weight.kernel == "matmul":
        if not tensor_cores:
            kernel, own = few_rows(weight, x.shape[0])
            chosen = own | settings
        chosen |= _ending(arguments, x.shape[0], weight, bias, activation, residual)
        if not tensor_cores and blocks is not None:
            raise ArgumentError("A026", "without tensor cores every tile has a block of its own", argument="blocks")
        if blocks is None and lies_on_gpu(x) and tensor_cores:
            blocks = blocks_for(x.shape[0], weight.shape[1], current_device().multiprocessors, chosen)
        if blocks is not None:
            kernel = kernels().matmul_stream
            arguments |= workspace(x, weight, chosen, blocks)
    elif any(each is not None for each in ending.values()):
        name = next(name for name, each in ending.items() if each is not None)
        raise ArgumentError("A026", f"the kernel `{weight.kernel}` of this weight takes no {name}", argument=name)
    if weight.columns is not None:
        chosen["WN"] = 1  # each block has columns of one format
    return kernel, arguments, chosen


ACTIVATION = {None: 0, "gelu": 1, "silu": 2}


def _ending(
    arguments: dict[str, Any], rows: int, weight: PackedWeight, bias: Any, activation: str | None, residual: Any
) -> dict[str, Any]:
    """Settings of what is done with the sums; puts its arrays among the arguments."""
    columns = weight.shape[1]
    gated = bool(weight.settings.get("GATED"))
    if activation not in ACTIVATION or (gated and (activation or bias is not None)):
        has = "has its own, and takes no bias" if gated else "is gelu or silu"
        raise ArgumentError("A026", f"the activation of this product {has}", argument="activation")
    for name, each, shape in (("bias", bias, (columns,)), ("residual", residual, (rows, columns))):
        if each is not None and tuple(each.shape) != shape:
            raise ArgumentError("A026", f"`{name}` has the shape {list(shape)}, not {list(each.shape)}", argument=name)
    arguments |= {} if bias is None else {"bias": bias.reshape(1, columns)}
    arguments |= {} if residual is None else {"residual": residual}
    return {"BIAS": bias is not None, "ACTIVATION": ACTIVATION[activation], "RESIDUAL": residual is not None}


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


def blocks_for(rows: int, columns: int, multiprocessors: int, settings: Mapping[str, Any]) -> int | None:
    """Among how many blocks the work is shared on a GPU; None where every tile has a block of its own.

    Tiles that fill a GPU four times over leave little idle at the end. Fewer are shared among two blocks for each
    multiprocessor: of more the cost model expects no shorter time, and parts of more tiles.

    >>> blocks_for(1, 8192, 132, tiles_for(1, 8192)), blocks_for(4096, 8192, 132, tiles_for(4096, 8192))
    (264, None)
    """
    high, wide = 8 * settings["WM"] * settings["MT"], 64 * settings["WN"]
    tiles = -(-rows // high) * -(-columns // wide)
    return 2 * multiprocessors if tiles < 4 * multiprocessors else None


def tiles_for(rows: int, columns: int, group: int = 128, bits: int = 4) -> dict[str, Any]:
    """Warps and tiles for a product of so many rows and columns, where no tuner has chosen.

    Few rows want many small blocks, so that every multiprocessor reads its share of the weights, and codes that are
    multiplied as they are; many rows want large tiles, in which each weight that is scaled once is multiplied often.
    ``group`` and ``bits`` are those of the weights: a stage of few rows is long enough to be worth a turn of the loop.

    >>> tiles_for(1, 8192)
    {'WM': 1, 'WN': 2, 'MT': 1, 'KU': 2, 'STAGES': 4, 'SUMS': True}
    >>> tiles_for(4096, 8192)
    {'WM': 2, 'WN': 2, 'MT': 8, 'KU': 1, 'STAGES': 3, 'SUMS': False}
    """
    few = rows <= 32
    depths = (8, 4, 2, 1) if few and bits == 1 else (2, 1) if few else (1,)
    units = next(units for units in depths if units == 1 or _whole(64 * units, group))
    return {
        "WM": 1 if rows <= 64 else 2,
        "WN": 2 if columns > 64 else 1,
        "MT": next((tiles for tiles in (1, 2, 4) if rows <= 8 * tiles), 8),
        "KU": units,
        "STAGES": 4 if rows <= 64 and units < 8 else 3,
        "SUMS": few,
    }


def _whole(stage: int, group: int) -> bool:
    """Whether groups are whole stages, or a stage at most eight groups."""
    return group % stage == 0 or (stage % group == 0 and stage <= 8 * group)
