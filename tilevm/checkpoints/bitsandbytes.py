"""bitsandbytes: NF4 and FP4, and rows of ``int8``.

Codes of 4 bits are flat in row-major order, the high nibble first, one absmax for each block.
``quant_state`` is JSON in bytes. With double quantisation absmax itself is 8-bit codes of a table, scaled for each
block of 256, plus one offset: ``absmax = table[code] · nested_absmax + nested_offset``. LLM.int8 has ``weight[N, K]``
of ``int8`` and in ``SCB[N]`` the largest magnitude of each row, which 127 stands for.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tilevm.checkpoints.numbers import flat_groups
from tilevm.checkpoints.parts import Format, Parts
from tilevm.checkpoints.slabs import SLAB
from tilevm.dtypes import codebook, dtype
from tilevm.packed_array import PackedArray
from tilevm.quantization import QuantizedTensor

__all__ = ["FORMATS"]

_NESTED = (".weight.nested_absmax", ".weight.nested_quant_map")
_STATE = ".weight.quant_state.bitsandbytes__"
# FP4 is a sign and three bits that stand for these twelfths; both of its zeros become code 0 of a table of 15.
_TWELFTHS = np.array([0, 0.0625, 8, 12, 4, 6, 2, 3], np.float32)
_FP4 = np.concatenate([_TWELFTHS, -_TWELFTHS]) / np.float32(12)
_CODES = {"nf4": np.arange(16), "fp4": np.array([*range(8), 0, *range(8, 15)])}


@dataclass(frozen=True)
class _State:
    shape: tuple[int, ...]
    block: int
    nested_block: int
    nested_offset: np.float32

    @classmethod
    def of(cls, parts: Parts, kind: str) -> _State:
        try:
            facts = json.loads(parts.raw(_STATE + kind).tobytes())
            shape = tuple(int(each) for each in facts["shape"])
            block, nested = int(facts["blocksize"]), int(facts.get("nested_blocksize", 256))
            offset = np.float32(facts.get("nested_offset", 0))
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            raise parts.wrong(f"its facts are damaged: {error}", _STATE + kind) from None
        if not shape or min(shape) < 1 or min(block, nested) < 1:
            raise parts.wrong(f"there is no tensor {list(shape)} in blocks of {block}", _STATE + kind)
        return cls(shape, block, nested, offset)


def _read(parts: Parts, kind: str) -> QuantizedTensor:
    state = _State.of(parts, kind)
    count = math.prod(state.shape)
    pairs = parts.raw(".weight")
    if pairs.size != -(-count // 2):
        raise parts.wrong(f"{pairs.size} bytes are not {list(state.shape)} codes of 4 bits")
    form = dtype("nf4") if kind == "nf4" else codebook("fp4_bnb", np.delete(_FP4, 8).tolist())
    table = np.array(form.table, np.float32) if kind == "nf4" else _FP4
    if not np.array_equal(parts.array(".weight.quant_map", "F32"), table):
        raise parts.wrong(f"it is not the table of {kind.upper()}", ".weight.quant_map")
    codes = PackedArray(_turned(parts, pairs, kind, count), form, state.shape)
    held = flat_groups(state.block, state.shape)
    scales = _absmax(parts, state, -(-count // state.block))
    if held.which is None and not isinstance(scales, QuantizedTensor):
        scales = scales.reshape(*state.shape[:-1], -1)
    elif held.which is not None:  # rows that do not hold whole blocks: each part of a block has its number
        numbers = scales.dequantize() if isinstance(scales, QuantizedTensor) else scales
        scales = numbers[held.which]
    return QuantizedTensor.grouped(codes, scales, held.group, len(state.shape) - 1)


def _turned(parts: Parts, pairs: NDArray[np.uint8], kind: str, count: int) -> NDArray[np.uint8]:
    """Bytes with the first of their two codes in the low half."""
    byte = np.arange(256)
    table = (_CODES[kind][byte >> 4] | _CODES[kind][byte & 15] << 4).astype(np.uint8)
    stream = np.empty_like(pairs)
    for first in range(0, pairs.size, SLAB):
        np.take(table, pairs[first : first + SLAB], out=stream[first : first + SLAB])
        parts.release()
    if count % 2:
        stream[-1] &= 15
    return stream


def _absmax(parts: Parts, state: _State, count: int) -> NDArray[np.float32] | QuantizedTensor:
    """One for each block, in a row."""
    absmax = parts.array(".weight.absmax", "F32", "U8").reshape(-1)
    if absmax.size != count:
        raise parts.wrong(f"{absmax.size} scales are not one for each of {count} blocks", ".weight.absmax")
    nested = all(each in parts for each in _NESTED)
    if nested != (absmax.dtype == np.uint8):
        raise parts.wrong("absmax is bytes if there are a nested_absmax and a nested_quant_map", ".weight.absmax")
    if not nested:
        return absmax
    outer, table = (parts.array(each, "F32").reshape(-1) for each in _NESTED)
    if outer.size != -(-count // state.nested_block) or table.size != 256:
        raise parts.mismatch(".weight.absmax", *_NESTED)
    if len(np.unique(table)) != 256 or not np.isfinite(table).all():
        raise parts.wrong("it is not a table of 256 different numbers", _NESTED[1])
    form = codebook(f"bnb_{hashlib.sha256(table.tobytes()).hexdigest()[:12]}", table.tolist())
    offset = np.full(outer.shape, -state.nested_offset, np.float32)
    return QuantizedTensor.grouped(PackedArray(absmax, form, (count,)), outer, state.nested_block, 0, offsets=offset)


def _rows(parts: Parts) -> QuantizedTensor:
    weight, largest = parts.array(".weight", "I8"), parts.array(".SCB", "F32").reshape(-1)
    if weight.ndim != 2 or 0 in weight.shape or largest.shape != weight.shape[:1]:
        raise parts.mismatch(".weight", ".SCB")
    if ".weight_format" in parts and parts.number(".weight_format", "U8", "I64"):
        raise parts.wrong("its rows are in an order for a GPU, which is not read", ".weight_format")
    codes = PackedArray(weight.reshape(-1).view(np.uint8), "i8", weight.shape)
    return QuantizedTensor.grouped(codes, largest.reshape(-1, 1), weight.shape[1], 1, tensor_scale=1 / 127)


def _four_bits(kind: str) -> Format:
    needed = (".weight.absmax", ".weight.quant_map", _STATE + kind)
    return Format(kind, ".weight", needed, _NESTED, lambda parts: _read(parts, kind))


FORMATS = (
    _four_bits("nf4"),
    _four_bits("fp4"),
    Format("llm-int8", ".weight", (".SCB",), (".weight_format",), _rows),
)
