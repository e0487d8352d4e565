"""Quantising where the numbers lie, by itself, or fused with what computes them.

Codes and scales are those of ``tilevm.quantize``, bit for bit. ``quantization.tvm`` has the kernels.
"""

from __future__ import annotations

from types import EllipsisType
from typing import Any

from tilevm.dtypes import DType
from tilevm.ops.quantization_work import Quantized, Work, kernels, order_of, plain_tile, signs_of, where_it_lies
from tilevm.quantization.hadamard import Hadamard
from tilevm.quantization.scheme import Scheme

__all__ = ["Quantized", "hadamard", "quantize", "rms_norm_quantize", "swiglu_quantize"]


def quantize(
    x: Any,
    scheme: Scheme | DType | str,
    group: int | tuple[int, ...] | str | EllipsisType | None = ...,
    *,
    scale_format: DType | str | None = None,
    rounding: str = "nearest_even",
    seed: int = 0,
    transform: Hadamard | None = None,
    backend: str | None = None,
    target: str | None = None,
    **parts: Any,
) -> Quantized:
    """Codes and scales of ``x[M, K]``, of f16, bf16 or f32, along its rows: ``tilevm.quantize(x, …, axis=1)``.

    ``scheme`` is a name of ``tilevm.quantization.SCHEMES``, a ``Scheme``, or a format, which has a scale in ``f32`` for
    each row (a token), and where it is unsigned zero points, integers in the scales' format. ``group``,
    ``scale_format`` and ``parts`` replace parts of the scheme, as in ``tilevm.quantize``: ``group`` is a number of
    elements along the row, extents ``(rows, columns)``, None for the row or ``"tensor"``. The last blocks of the tensor
    may be short.

    ``rounding`` is ``nearest_even`` or ``stochastic``, by the word of Philox for ``seed`` at the place of each number.
    A Hadamard transform comes first where the scheme has one, with the signs of ``seed``, or ``transform`` is given; it
    is fused. Nothing is looked at on the way: a scale beyond its format becomes the format's largest number, and what
    comes of numbers that are not finite is not defined.

    Raises ``DTypeError`` D022 for schemes that need more than a look at each block (learned, calibrated, scales that
    are rounded by ``ratio`` or ``even``, or quantised again), blocks that are no powers of two or larger than 32768,
    transforms of more than 128; what ``Scheme`` raises; D004 for another rounding, D020 for a transform that does not
    divide the rows, D021 for a seed out of range; and what a call of a kernel raises.

    >>> import numpy as np
    >>> x = np.float32([[0.5, -1, 0.25, 0], [0, 0, 0, 0]])
    >>> quantize(x, "i8").codes.tolist(), quantize(x, "i8", group=2).scales.shape
    ([[64, -127, 32, 0], [0, 0, 0, 0]], (2, 2))
    >>> quantize(x, "nvfp4").tensor_scale.tolist()
    [0.00037202381645329297]
    """
    work = Work.of(
        x,
        _shape(x),
        scheme,
        group,
        scale_format=scale_format,
        rounding=rounding,
        seed=seed,
        transform=transform,
        backend=backend,
        target=target,
        **parts,
    )
    return work.result()


def hadamard(
    x: Any, transform: Hadamard, *, inverse: bool = False, backend: str | None = None, target: str | None = None
) -> Any:
    """``x[M, K]`` with each run of ``transform.size`` numbers of a row transformed, or its inverse, in the format of x.

    Computed in f32 in the order of ``Hadamard.apply`` and ``Hadamard.undo``, and rounded once. Raises ``DTypeError``
    D020 for a transform of another axis or one that does not divide it, D022 for one of more than 128, and what a call
    of a kernel raises.

    >>> import numpy as np
    >>> x = np.eye(16, dtype=np.float16)
    >>> signs = Hadamard(axis=1, size=16, seed=3)
    >>> bool((hadamard(hadamard(x, signs), signs, inverse=True) == x).all())
    True
    """
    shape = _shape(x)
    order = order_of(shape, transform)
    tile = plain_tile(shape[-1] if shape else 1, order)
    signs = where_it_lies(signs_of(transform), x)
    return kernels().hadamard(x, signs, HADAMARD=order, INVERSE=inverse, backend=backend, target=target, **tile)


def swiglu_quantize(x: Any, scheme: Scheme | DType | str, group: Any = ..., **choices: Any) -> Quantized:
    """``silu(gate) · up`` quantised, where the first half of each row of ``x[M, 2 K]`` are gates and the other half
    ups; ``silu(g) = g / (1 + exp(-g))``. Codes are ``[M, K]``.

    Computed in f32, and not rounded to the format of ``x`` in between. ``choices`` are those of ``quantize``. Raises
    ``DTypeError`` D022 for schemes with zero points, two levels or a scale of the tensor, and what ``quantize`` raises.

    >>> import numpy as np
    >>> swiglu_quantize(np.float32([[0, 10, 3, 2], [10, 0, -1, 5]]), "i8").codes.tolist()
    [[0, 127], [-127, 0]]
    """
    shape = _shape(x)
    half = (*shape[:-1], shape[-1] // 2) if shape else ()
    return Work.of(x, half, scheme, group, **choices).fused("swiglu_quantize")


def rms_norm_quantize(
    x: Any, weight: Any, scheme: Scheme | DType | str, group: Any = ..., *, epsilon: float = 1e-6, **choices: Any
) -> Quantized:
    """``x · rsqrt(mean(x²) + epsilon) · weight`` of each row of ``x[M, K]`` quantised; ``weight[K]`` has the format of
    ``x``.

    Computed in f32, and not rounded to the format of ``x`` in between; the order of a sum is not specified, so that a
    code next to the middle of two may differ between backends. ``choices`` are those of ``quantize``. Raises
    ``DTypeError`` D022 for rows of more than 32768 numbers, for schemes with zero points, two levels or a scale of the
    tensor, and what ``quantize`` raises.

    >>> import numpy as np
    >>> rms_norm_quantize(np.float32([[3, -4, 0, 0]]), np.float32([1, 1, 2, 2]), "i8").codes.tolist()
    [[95, -127, 0, 0]]
    """
    work = Work.of(x, _shape(x), scheme, group, **choices)
    return work.fused("rms_norm_quantize", weight, epsilon=epsilon)


def _shape(x: Any) -> tuple[int, ...]:
    return tuple(int(extent) for extent in getattr(x, "shape", ()))
