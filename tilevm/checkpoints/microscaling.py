"""Blocks of small floats: NVFP4 (two makers), MXFP4, MXFP6, MXFP8, and the MXFP4 of gpt-oss. All along the last axis.

NVFP4 has an e4m3 scale for 16 and one float for the tensor: compressed-tensors divides by it, ModelOpt multiplies.
MX formats have an e8m0 scale for 32. Codes are dense, the first in the low bits, four of 6 bits in three bytes: files
have them as a ``PackedArray`` has, and nothing is unpacked. Quark, which names the packed weights ``weight``, turns the
three bytes round.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tilevm.checkpoints.parts import FOLDER, Format, Parts
from tilevm.dtypes import dtype
from tilevm.packed_array import PackedArray
from tilevm.quantization import QuantizedTensor

__all__ = ["FORMATS"]

_SCALES = ("U8", "F8_E8M0")


def _nvfp4(parts: Parts) -> QuantizedTensor:
    overall = ".weight_global_scale" if ".weight_global_scale" in parts else ".weight_scale_2"
    whole = parts.number(overall)
    if not (np.isfinite(whole) and whole > 0):
        raise parts.wrong(f"the tensor's scale is {whole}", overall)
    factor = 1 / float(whole) if overall == ".weight_global_scale" else float(whole)
    return _blocks(parts, "f4e2m1", 16, ("F8_E4M3",), factor)


def _mx(parts: Parts) -> QuantizedTensor:
    packed, scales = parts.info(parts.format.main), parts.info(parts.format.needed[0])
    if packed.dtype != "U8":
        kind = "f8e5m2" if packed.dtype == "F8_E5M2" else "f8e4m3"
    elif packed.shape[-1:] != tuple(24 * each for each in scales.shape[-1:]):
        kind = "f4e2m1"
    elif parts.format.main == ".weight_packed":
        kind = "f6e2m3"  # the only one that compressed-tensors writes
    else:
        return _turned(_blocks(parts, _six_bits(parts), 32, _SCALES))
    return _blocks(parts, kind, 32, _SCALES)


def _six_bits(parts: Parts) -> str:
    """Which of the two formats of 6 bits the configuration of Quark names."""
    text = str(dict(parts.config))
    named = [each for each in ("e3m2", "e2m3") if f"fp6_{each}" in text]
    if len(named) != 1:
        raise parts.wrong(f"the configuration names {' and '.join(named) or 'no'} format of 6 bits", help=FOLDER)
    return f"f6{named[0]}"


def _turned(tensor: QuantizedTensor) -> QuantizedTensor:
    """Codes whose bytes stand the other way round in threes."""
    data = np.ascontiguousarray(tensor.codes.data.reshape(-1, 3)[:, ::-1]).reshape(-1)
    return replace(tensor, codes=PackedArray(data, tensor.dtype, tensor.shape))


def _blocks(parts: Parts, kind: str, group: int, types: tuple[str, ...], whole: float | None = None) -> QuantizedTensor:
    """``packed[…, K·bits/8]`` bytes with ``scales[…, K/group]``."""
    main, ending = parts.format.main, parts.format.needed[0]
    packed, scales = parts.array(main, "U8", "F8_E4M3", "F8_E5M2"), parts.numbers(ending, *types)
    each = group * dtype(kind).bits // 8
    if packed.ndim == 0 or 0 in packed.shape or (*packed.shape[:-1], packed.shape[-1] / each) != scales.shape:
        raise parts.mismatch(main, ending)
    shape = (*packed.shape[:-1], scales.shape[-1] * group)
    codes = PackedArray(np.ascontiguousarray(packed).reshape(-1).view(np.uint8), kind, shape)
    return QuantizedTensor.grouped(codes, scales.held(), group, len(shape) - 1, tensor_scale=whole)


def _gpt_oss(parts: Parts) -> QuantizedTensor:
    """``blocks[E, N, K/32, 16]`` and ``scales[E, N, K/32]``."""
    blocks, scales = parts.array("_blocks", "U8"), parts.numbers("_scales", *_SCALES)
    if blocks.ndim < 2 or 0 in blocks.shape or blocks.shape[-1] != 16 or blocks.shape[:-1] != scales.shape:
        raise parts.mismatch("_blocks", "_scales")
    shape = (*scales.shape[:-1], scales.shape[-1] * 32)
    return QuantizedTensor.grouped(PackedArray(blocks.reshape(-1), "f4e2m1", shape), scales.held(), 32, len(shape) - 1)


def _is_mx(parts: Parts) -> bool:
    """Whether there are scales of one byte; of weights that are not packed, one for 32."""
    weight, scales = parts.info(parts.format.main), parts.info(parts.format.needed[0])
    groups = weight.dtype == "U8" or weight.shape[-1:] == tuple(32 * each for each in scales.shape[-1:])
    return scales.dtype in _SCALES and groups


FORMATS = (
    Format("nvfp4", ".weight_packed", (".weight_scale", ".weight_global_scale"), (), _nvfp4),
    Format("nvfp4-modelopt", ".weight", (".weight_scale", ".weight_scale_2"), (), _nvfp4),
    Format("mx", ".weight_packed", (".weight_scale",), (), _mx),
    Format("mx", ".weight", (".weight_scale",), (), _mx, _is_mx),
    Format("gpt-oss", "_blocks", ("_scales",), (), _gpt_oss),
)
