"""GPTQ and AWQ: int32 words, weights ``[K, N]``, ``w = (q - zero) · scale``.

GPTQ is dense along K: ``qweight[K·b/32, N]``, ``qzeros[groups, N·b/32]`` dense along N, ``scales[groups, N]`` and
``g_idx[K]``, the group of each row, in any order where the weights were quantised by importance. Version 1 stores
zeros less one; symmetric weights, whose zeros are all 2^(b-1), need none as signed integers. AWQ is 4 bit along N,
``qweight[K, N/8]``, eight columns to a word in the order 0 2 4 6 1 3 5 7.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tilevm.checkpoints.numbers import Grouping, even_groups
from tilevm.checkpoints.parts import FOLDER, Format, Parts
from tilevm.checkpoints.words import along, down
from tilevm.quantization import QuantizedTensor

__all__ = ["FORMATS"]

_PLACES = np.argsort([0, 2, 4, 6, 1, 3, 5, 7])


def _is_awq(parts: Parts) -> bool:
    """Whether the words lie along N, which only AWQ does."""
    qweight, scales = parts.info(".qweight").shape, parts.info(".scales").shape
    return len(qweight) == len(scales) == 2 and qweight[1] * 8 == scales[1]


def _gptq(parts: Parts) -> QuantizedTensor:
    qweight, qzeros, scales = parts.words(".qweight"), parts.words(".qzeros"), parts.numbers(".scales")
    shapes = (".qweight", ".qzeros", ".scales")
    if any(each.ndim != 2 for each in (qweight, qzeros, scales.array)) or 0 in (*qweight.shape, *scales.shape):
        raise parts.mismatch(*shapes)
    groups, columns = scales.shape
    bits = qzeros.shape[1] * 32 // columns
    rows = qweight.shape[0] * 32 // max(bits, 1)
    fits = qzeros.shape == (groups, columns * bits // 32) and qweight.shape == (rows * bits // 32, columns)
    if bits not in (2, 3, 4, 8) or columns * bits % 32 or not fits or groups > rows:
        raise parts.mismatch(*shapes)
    held = _groups(parts, rows, groups)
    order, half = held.order, 1 << (bits - 1)
    found = _zeros(parts, along(qzeros, bits, columns), bits)
    symmetric = bool((found == half).all())
    zeros = None if symmetric else held.of(scales.like(found), 0).held()
    del found  # before the codes are there, for the sake of memory

    def unpacked(first: int, last: int) -> NDArray[np.uint8]:
        codes = down(qweight, bits, np.arange(first, last))
        return codes ^ np.uint8(half) if symmetric else codes

    codes = parts.codes(f"{'i' if symmetric else 'u'}{bits}", (rows, columns), rows, unpacked, order)
    return QuantizedTensor.grouped(codes, held.of(scales, 0).held(), held.group, 0, zeros, permutation=order)


def _groups(parts: Parts, rows: int, groups: int) -> Grouping:
    if ".g_idx" in parts:
        return parts.groups(".g_idx", rows, groups)
    found = even_groups(rows, groups, parts.config.get("group_size"))
    if found is None:
        raise parts.wrong(f"{rows} rows in {groups} groups of no known length", ".scales", FOLDER)
    return found


def _zeros(parts: Parts, found: NDArray[np.uint8], bits: int) -> NDArray[np.uint16]:
    """The zero points: symmetric ones, which are all 2^(b-1), tell the version themselves, whatever the label says."""
    version = {"gptq": 1, "gptq_v2": 2}.get(str(parts.config.get("checkpoint_format")))
    for stored, own in ((2 ** (bits - 1) - 1, 1), (2 ** (bits - 1), 2)):
        if (found == stored).all():
            version = own
    return found + np.uint16(version != 2)


def _awq(parts: Parts) -> QuantizedTensor:
    qweight, qzeros, scales = parts.words(".qweight"), parts.words(".qzeros"), parts.numbers(".scales")
    rows, groups = qweight.shape[0], scales.shape[0]
    if 0 in qweight.shape or groups == 0 or rows % groups or qzeros.shape != (groups, qweight.shape[1]):
        raise parts.mismatch(".qweight", ".qzeros", ".scales")
    shape = (rows, qweight.shape[1] * 8)
    codes = parts.codes("u4", shape, rows, lambda first, last: _columns(qweight[first:last]))
    return QuantizedTensor.grouped(codes, scales.held(), rows // groups, 0, scales.like(_columns(qzeros)).held())


def _columns(words: NDArray[Any]) -> NDArray[np.uint8]:
    codes = along(words, 4, words.shape[1] * 8).reshape(len(words), -1, 8)
    return codes[..., _PLACES].reshape(len(words), -1)


FORMATS = (
    Format("awq", ".qweight", (".qzeros", ".scales"), (".g_idx",), _awq, _is_awq),
    Format("gptq", ".qweight", (".qzeros", ".scales"), (".g_idx",), _gptq),
)
"""A ``g_idx`` beside AWQ, which some files have, says nothing."""
