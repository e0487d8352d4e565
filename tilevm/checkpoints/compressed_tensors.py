"""compressed-tensors: integers packed in words, and whole elements of 8 bits with their scales.

pack-quantized has ``weight_packed[N, words]`` of ``q + 2^(b-1)`` along K, ``weight_scale[N, K/g]`` and
``weight_shape``, which is (N, K); ``weight_zero_point`` is packed along N in the same way, or ``int8`` as it is;
``weight_g_idx`` names the group of each column. Codes lie densely in files of recent versions, and with the rest of
each word left over in older ones.

naive-, int- and float-quantized have ``weight[N, K]`` of ``int8`` or ``f8e4m3``, and ``weight_scale`` for the tensor,
for each row, for groups of a row, or for blocks along both; ``weight_scale_inv`` of other makers multiplies as well.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tilevm.checkpoints.numbers import Grouping, even_groups
from tilevm.checkpoints.parts import FLOATS, FOLDER, WORDS, Format, Parts
from tilevm.checkpoints.words import along, words_of
from tilevm.dtypes import dtype
from tilevm.packed_array import PackedArray
from tilevm.quantization import QuantizedTensor

__all__ = ["PACKED", "WHOLE"]


def _pack_quantized(parts: Parts) -> QuantizedTensor:
    packed, scales = parts.words(".weight_packed"), parts.numbers(".weight_scale")
    shape = parts.array(".weight_shape", "I64", "I32").reshape(-1).tolist()
    rows, columns = shape if len(shape) == 2 else (0, 0)
    width = _width(packed.shape[-1:], columns, _weights(parts.config).get("num_bits"))
    groups = scales.shape[1] if scales.array.ndim == 2 else 0
    fits = packed.ndim == 2 and packed.shape[0] == rows == (scales.shape or (0,))[0]
    if width is None or not fits or rows < 1 or groups < 1:
        raise parts.wrong(
            f"{list(packed.shape)} words with scales {list(scales.shape)} are not codes {shape} of one width",
            help=FOLDER,
        )
    if groups > columns:
        raise parts.mismatch(".weight_packed", ".weight_scale", ".weight_shape")
    held = _groups(parts, columns, groups)
    loose = _is_loose(packed, width, columns)
    zeros = _zeros(parts, width, (rows, groups))
    flip = np.uint8(0 if zeros is not None else 1 << (width - 1))

    def unpacked(first: int, last: int) -> NDArray[np.uint8]:
        codes = along(packed[first:last], width, columns, loose) ^ flip
        return codes if held.order is None else codes[:, held.order]

    codes = parts.codes(f"{'iu'[zeros is not None]}{width}", (rows, columns), rows, unpacked)
    zero = None if zeros is None else held.of(scales.like(zeros), 1).held()
    return QuantizedTensor.grouped(codes, held.of(scales, 1).held(), held.group, 1, zero, permutation=held.order)


def _width(words: tuple[int, ...], columns: int, said: Any) -> int | None:
    """The bits of a code: what the configuration says, or else the only width that the number of words allows."""
    fitting = [each for each in range(1, 9) if columns > 0 and words and words[0] in words_of(columns, each)]
    if said is not None:
        return next((each for each in fitting if each == said), None)
    return fitting[0] if len(fitting) == 1 else None


def _is_loose(words: NDArray[np.uint32], bits: int, count: int) -> bool:
    """By the number of words; where both forms take as many, loose if all that words leave over is 0."""
    close, loose = words_of(count, bits)
    if close != loose or 32 % bits == 0:
        return bool(words.shape[-1] == loose)
    return not bool((words >> np.uint32(bits * (32 // bits))).any())


def _groups(parts: Parts, columns: int, groups: int) -> Grouping:
    # A -1 for every column says that they are in order.
    if ".weight_g_idx" in parts and not (parts.array(".weight_g_idx", "I32", "I64") == -1).all():
        return parts.groups(".weight_g_idx", columns, groups)
    found = even_groups(columns, groups, _weights(parts.config).get("group_size"))
    if found is None:
        raise parts.wrong(f"{columns} columns in {groups} groups of no known length", ".weight_scale", FOLDER)
    return found


def _zeros(parts: Parts, bits: int, shape: tuple[int, int]) -> NDArray[Any] | None:
    """Zero points of the codes as they are stored, which are not negative."""
    if ".weight_zero_point" not in parts:
        return None
    point = parts.array(".weight_zero_point", "I8", *WORDS)
    zeros: NDArray[Any]
    if point.dtype == np.int8:
        zeros = point.astype(np.int16) + (1 << (bits - 1))
        if point.shape == shape and (zeros.min() < 0 or zeros.max() >= 1 << bits):
            raise parts.wrong(
                f"zero points from {point.min()} to {point.max()} are not of {bits} bits", ".weight_zero_point"
            )
    else:
        if point.ndim != 2 or point.shape[0] not in words_of(shape[0], bits) or point.shape[1] != shape[1]:
            raise parts.mismatch(".weight_zero_point", ".weight_scale")
        words = np.ascontiguousarray(point.view("<u4").T)
        zeros = along(words, bits, shape[0], _is_loose(words, bits, shape[0])).T
    if zeros.shape != shape:
        raise parts.mismatch(".weight_zero_point", ".weight_scale")
    return zeros


def _weights(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the configuration says of the weights, where all of its groups agree."""
    groups = config.get("config_groups")
    listed = groups.values() if isinstance(groups, dict) else ()
    found = [each.get("weights") for each in listed if isinstance(each, dict)]
    first = found[0] if found and all(each == found[0] for each in found) else None
    return first if isinstance(first, dict) else {}


def _whole(parts: Parts) -> QuantizedTensor:
    ending = parts.format.needed[0]
    weight = parts.array(".weight", "I8", "F8_E4M3", "F8_E5M2")
    with_zeros = ".weight_zero_point" in parts
    scales = parts.numbers(ending, *FLOATS, *(() if with_zeros else ("F8_E8M0",)))
    if weight.ndim == 0 or 0 in weight.shape or scales.size == 0:
        raise parts.mismatch(".weight", ending)
    block = _block(weight.shape, scales.shape, parts.config)
    if block is None:
        raise parts.mismatch(".weight", ending)
    grid = tuple(-(-length // extent) for length, extent in zip(weight.shape, block, strict=True))
    form = parts.info(".weight").format
    assert form is not None
    data, zero = np.ascontiguousarray(weight).reshape(-1).view(np.uint8), None
    if with_zeros:
        point = parts.array(".weight_zero_point", "I8")
        if form.name != "i8" or point.size != scales.size:
            raise parts.mismatch(".weight", ending, ".weight_zero_point")
        data, form = data ^ np.uint8(128), dtype("u8")
        zero = scales.like(point.astype(np.int16) + 128).reshape(*grid).held()
    return QuantizedTensor(
        PackedArray(data, form, weight.shape), scales.reshape(*grid).held(), zero, block, weight.ndim - 1
    )


def _block(shape: tuple[int, ...], scales: tuple[int, ...], config: Mapping[str, Any]) -> tuple[int, ...] | None:
    """The block of each scale: that of the configuration if it fits, in two dimensions 128 if it fits, or else what
    divides the weights evenly.
    """
    if math.prod(scales) == 1:
        return shape
    scales = (*scales, *(1 for _ in shape[1:])) if len(scales) == 1 else scales
    if len(scales) != len(shape):
        return None
    weights = _weights(config)
    said = weights.get("block_structure") or config.get("weight_block_size")
    if not isinstance(said, list) or len(said) != len(shape):
        said = [*(None for _ in shape[1:]), weights.get("group_size")]
    usual = 128 if sum(each > 1 for each in scales) > 1 else None
    block = []
    for length, many, own in zip(shape, scales, said, strict=True):
        even = length // many if many and length % many == 0 else None
        sides = (length if many == 1 else None, own, usual, even)
        fitting = [each for each in sides if isinstance(each, int) and each > 0 and -(-length // each) == many]
        if not fitting:
            return None
        block.append(fitting[0])
    return tuple(block)


PACKED = (
    Format(
        "pack-quantized",
        ".weight_packed",
        (".weight_scale", ".weight_shape"),
        (".weight_zero_point", ".weight_g_idx"),
        _pack_quantized,
    ),
)
WHOLE = (
    Format("8-bit", ".weight", (".weight_scale",), (".weight_zero_point",), _whole),
    Format("8-bit", ".weight", (".weight_scale_inv",), (), _whole),
)
"""Tried after all others, since the names of their parts say least."""
