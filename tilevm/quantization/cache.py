"""A cache of keys and values: keys are quantised per channel, over the tokens of a page; values per token.

Keys have channels that are large in every token, so a scale for each channel; values have none. Tokens that attention
looks at most may be kept wide. Reference: Liu et al., "KIVI", 2024.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from tilevm.dtypes import DType
from tilevm.errors import DTypeError
from tilevm.quantization.corrections import OutlierSplit, split_outliers
from tilevm.quantization.quantizer import finite_numbers
from tilevm.quantization.scheme import Scheme

__all__ = ["quantize_keys", "quantize_values"]


def quantize_keys(
    keys: ArrayLike, scheme: Scheme | DType | str = "i4", page: int = 64, important: ArrayLike = (), **options: Any
) -> OutlierSplit:
    """Keys ``[…, tokens, channels]``, with a scale for each channel of a page of tokens; the last page may be short.

    ``important`` are the numbers of the tokens that are kept wide, in ``f16``. ``options`` are those of ``quantize``; a
    Hadamard transform is one of the channels.

    >>> k = np.random.default_rng(0).standard_normal((100, 64))
    >>> quantize_keys(k, "u2", important=[0, 1]).rest.scales.shape
    (2, 64)
    """
    numbers = _matrices(keys)
    own: dict[str, Any] = {"group": (page, 1), "partial": True} | options
    return split_outliers(numbers, scheme, important, axis=-1, along=-2, **own)


def quantize_values(
    values: ArrayLike,
    scheme: Scheme | DType | str = "i4",
    group: int | None = None,
    important: ArrayLike = (),
    **options: Any,
) -> OutlierSplit:
    """Values ``[…, tokens, channels]``, with a scale for each ``group`` of channels of a token; None takes all.
    See ``quantize_keys``.

    >>> v = np.random.default_rng(0).standard_normal((100, 64))
    >>> quantize_values(v, "u2", group=32).rest.scales.shape
    (100, 2)
    """
    numbers = _matrices(values)
    own: dict[str, Any] = {"group": group} | options
    return split_outliers(numbers, scheme, important, axis=-1, along=-2, **own)


def _matrices(numbers: ArrayLike) -> Any:
    found = finite_numbers(numbers)
    if found.ndim < 2:
        raise DTypeError("D017", f"a cache has tokens and channels, not the shape {list(np.shape(numbers))}")
    return found
