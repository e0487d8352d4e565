"""The product of few rows with a packed weight, without matrix instructions.

``gemv.tvm`` has the kernel. It takes the arrays and the settings of the kernel ``matmul``, so that the two can be raced
on the same weight: ``few_rows`` gives it for a ``PackedWeight``. Each row costs an instruction a weight, where a matrix
instruction serves eight rows at once: it is for one or two rows.
"""

from __future__ import annotations

from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

from tilevm.errors import ArgumentError
from tilevm.ops.weight_parts import UNIT
from tilevm.ops.weights import PackedWeight
from tilevm.runtime.kernel import Kernel, load

__all__ = ["few_rows", "warps_for"]


@cache
def _kernel() -> Kernel:
    return load(Path(__file__).with_name("gemv.tvm")).gemv


def few_rows(weight: PackedWeight, rows: int) -> tuple[Kernel, dict[str, Any]]:
    """The kernel for so many rows of activations, and its settings; its arguments are those of ``matmul``.

    Raises ``ArgumentError`` A026 for a weight of another kernel: activations of 8 bits, two formats, wide rows.

    >>> import numpy as np
    >>> import tilevm
    >>> w = np.random.default_rng(0).standard_normal((256, 64)).astype(np.float32)
    >>> q = tilevm.quantize(w, "f6e3m2", group=64)
    >>> packed = tilevm.ops.pack_weight(q)
    >>> kernel, settings = few_rows(packed, 2)
    >>> x = np.eye(2, 256, dtype=np.float16)
    >>> y = kernel(x=x, tensor_scale=packed.tensor_scale, **packed.arrays, **settings)
    >>> bool(np.allclose(y, q.dequantize()[:2], rtol=1e-3))
    True
    """
    if weight.kernel != "matmul":
        raise ArgumentError(
            "A026",
            f"the kernel `{weight.kernel}` of this weight has no counterpart for few rows",
            argument="weight",
            help="tilevm.ops.matmul takes it",
        )
    codes = weight.arrays["w"].dtype
    light = bool(weight.settings.get("RAW")) and codes.bits < 8
    chosen = warps_for(rows, weight.shape[0], weight.settings["GROUP"], light)
    # Three bits go by way of the inputs' format, which takes as many instructions and fewer registers.
    return _kernel(), weight.settings | chosen | {"WIDE": codes.kind != "codebook" and codes.bits > 3}


def warps_for(rows: int, inner: int, group: int, light: bool) -> dict[str, int]:
    """Rows and warps of a block, and the units that a warp holds, for a weight with ``inner`` rows.

    Up to 16 warps, 8 for four rows; two units for one row of codes that are ``light``: raw, and of few bits. That is
    what registers hold. Fewer, where there are no more units, or where the warps of a block would not work on whole
    groups. More rows than 4 take several blocks.

    >>> warps_for(1, 8192, 128, light=True), warps_for(3, 8192, 32, light=False)
    ({'R': 1, 'WK': 16, 'KU': 2}, {'R': 4, 'WK': 8, 'KU': 1})
    >>> warps_for(1, 192, 192, light=True)
    {'R': 1, 'WK': 3, 'KU': 1}
    """
    units = max(-(-inner // UNIT), 1)
    most = next((few for few in (1, 2) if rows <= few), 4)

    def whole(warps: int, count: int) -> bool:
        step, own = UNIT * warps * count, UNIT * count
        return (
            warps * count <= units
            and group >= 16 * count
            and (group % own == 0 or own % group == 0)
            and (group >= inner or group % step == 0 or step % group == 0)
        )

    several = (2, 1) if light and most == 1 else (1,)
    fitting = [each for each in product(range(8 if most == 4 else 16, 0, -1), several) if whole(*each)]
    warps, count = max(fitting, key=lambda each: (min(each[0], 8), each[0] * each[1]))
    return {"R": most, "WK": warps, "KU": count}
