"""The blocks of GGUF: how each type lays out the codes of 16 to 256 elements and what scales them.

Layouts are those of ggml's ``ggml-quants.c``. A type is data: where its codes are, their format, and the fields of
scales and offsets. Types with a float for each block of 32 have ``d``, and ``m`` that is added; K-quants, blocks of
256, have ``d`` and ``dmin`` for the block and small integers for parts of 16 or 32, which stay the quantised scales
that they are.

    nibbles      bytes whose low halves are the first elements of a run, and the high halves those behind them
    w = (d · s) · q - (dmin · m)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tilevm.checkpoints.slabs import packed_rows
from tilevm.dtypes import DType, codebook, dtype
from tilevm.errors import DTypeError
from tilevm.packed_array import PackedArray
from tilevm.quantization import QuantizedTensor

__all__ = ["BLOCKS", "Block"]

Bytes: TypeAlias = NDArray[Any]
"""Of ``uint8``; the stubs of NumPy lose that with every constant."""
_OF_DIGIT = np.array([2, 0, 1], np.uint8)
"""The codes of ``trit`` for -1, 0 and 1, which GGUF writes as digits 0, 1 and 2."""
_DIGITS = _OF_DIGIT[(np.arange(256) * 3 ** np.arange(5)[:, None] & 255) * 3 >> 8]
"""Of each byte the first five digits in base 3 of the fraction that it is of 256."""
_NONLINEAR = codebook("iq4_nl", [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113])


@dataclass(frozen=True)
class Block:
    """A type: its name, elements and bytes of a block, the format of its codes, ``codes[blocks, elements]`` from the
    bytes of blocks, how many elements share a scale, and scales and offsets as parts of a tensor.
    """

    name: str
    elements: int
    nbytes: int
    kind: str | DType
    codes: Callable[[Bytes], Bytes]
    group: int
    scales: Callable[[Bytes, tuple[int, ...]], Any]
    offsets: Callable[[Bytes, tuple[int, ...]], Any] | None = None

    def read(self, blocks: Bytes, shape: tuple[int, ...], done: Callable[[], None]) -> QuantizedTensor:
        """The tensor that ``blocks[count, nbytes]`` hold; ``done`` is called now and then while codes are unpacked."""
        grid = (*shape[:-1], shape[-1] // self.group)
        scales = self.scales(blocks, grid)
        offsets = None if self.offsets is None else self.offsets(blocks, grid)
        codes = packed_rows(self.kind, shape, len(blocks), lambda first, last: self.codes(blocks[first:last]), done)
        return QuantizedTensor.grouped(codes, scales, self.group, len(shape) - 1, offsets=offsets)


# Codes


def _nibbles(pairs: Bytes, run: int) -> Bytes:
    """Runs of ``run`` bytes, each the low halves and then the high ones."""
    split = pairs.reshape(len(pairs), -1, 1, run)
    return np.concatenate([split & 15, split >> 4], axis=2).reshape(len(pairs), -1)


def _planes(held: Bytes, run: int, bits: int) -> Bytes:
    """Runs of ``run`` bytes, each the lowest ``bits`` bits of all bytes and then the higher ones."""
    shifts = np.arange(0, 8, bits, dtype=np.uint8)[:, None]
    return (held.reshape(len(held), -1, 1, run) >> shifts & np.uint8(2**bits - 1)).reshape(len(held), -1)


def _fifth_bit(held: Bytes) -> Bytes:
    """32 bits, one for each element, as the fifth bit of a code."""
    return np.unpackbits(np.ascontiguousarray(held), axis=1, bitorder="little") << 4


def _q5_k(blocks: Bytes) -> Bytes:
    codes: Bytes = _nibbles(blocks[:, 48:], 32) | _planes(blocks[:, 16:48], 32, 1) << 4
    return codes


def _q6_k(blocks: Bytes) -> Bytes:
    low = _nibbles(blocks[:, :128], 64)
    codes: Bytes = (low | _planes(blocks[:, 128:192], 32, 2) << 4) ^ np.uint8(32)
    return codes


def _q3_k(blocks: Bytes) -> Bytes:
    codes: Bytes = _planes(blocks[:, 32:96], 32, 2) | (_planes(blocks[:, :32], 32, 1) ^ np.uint8(1)) << 2
    return codes


def _trits(held: Bytes, run: int, many: int) -> Bytes:
    """The first ``many`` digits in base 3 of bytes that are fractions in fixed point; runs as in ``_planes``."""
    digits: Bytes = _DIGITS[:many, held.reshape(len(held), -1, run)]
    return digits.transpose(1, 2, 0, 3).reshape(len(held), -1)


def _tq1_0(blocks: Bytes) -> Bytes:
    parts = [_trits(blocks[:, :32], 32, 5), _trits(blocks[:, 32:48], 16, 5), _trits(blocks[:, 48:52], 4, 4)]
    return np.concatenate(parts, axis=1)


def _tq2_0(blocks: Bytes) -> Bytes:
    digits = _planes(blocks[:, :64], 32, 2)
    if digits.max(initial=0) > 2:
        raise DTypeError("D003", f"{digits.max()} is not a code of trit")
    return _OF_DIGIT[digits]


# Scales and offsets


def _half(at: int, sign: int = 1) -> Callable[[Bytes, tuple[int, ...]], NDArray[np.float16]]:
    """A float of 16 bits for each block, at a byte; ``sign`` -1 for one that is added."""

    def read(blocks: Bytes, grid: tuple[int, ...]) -> NDArray[np.float16]:
        numbers = np.ascontiguousarray(blocks[:, at : at + 2]).view("<f2").reshape(grid)
        return numbers if sign > 0 else -numbers

    return read


def _bytes(many: int, kind: str, last: int) -> Callable[[Bytes, tuple[int, ...]], PackedArray]:
    """Scales that are floats of 8 bits, in the first bytes; their codes go up to ``last``."""

    def read(blocks: Bytes, grid: tuple[int, ...]) -> PackedArray:
        held = np.ascontiguousarray(blocks[:, :many]).reshape(-1)
        if held.max(initial=0) > last:
            raise DTypeError("D003", f"{held.max()} is not the code of a scale: these are 0 … {last}")
        return PackedArray(held, kind, grid)

    return read


def _small(at: int, kind: str, parts: Callable[[Bytes], Bytes]) -> Callable[[Bytes, tuple[int, ...]], QuantizedTensor]:
    """Integers for parts of a block, times the float of 16 bits at a byte."""

    def read(blocks: Bytes, grid: tuple[int, ...]) -> QuantizedTensor:
        held = parts(blocks)
        outer = _half(at)(blocks, (*grid[:-1], grid[-1] // held.shape[1]))
        inner = PackedArray.from_codes(held.reshape(grid), dtype(kind))
        return QuantizedTensor.grouped(inner, outer, held.shape[1], len(grid) - 1)

    return read


def _first_six(blocks: Bytes) -> Bytes:
    """Twelve bytes hold eight 6-bit scales and eight 6-bit minima: the last four of each are split."""
    first, third = blocks[:, 4:8], blocks[:, 12:16]
    return np.concatenate([first & 63, (third & 15) | (first >> 6) << 4], 1)


def _second_six(blocks: Bytes) -> Bytes:
    second, third = blocks[:, 8:12], blocks[:, 12:16]
    return np.concatenate([second & 63, third >> 4 | (second >> 6) << 4], 1)


def _q3_k_scales(blocks: Bytes) -> Bytes:
    """Sixteen of 6 bits less 32: four bits of each in eight bytes, the high two in four."""
    low, high = blocks[:, 96:104], blocks[:, 104:108]
    codes: Bytes = (_nibbles(low, 8) | _planes(high, 4, 2) << 4) ^ np.uint8(32)
    return codes


def _iq4_xs_scales(blocks: Bytes) -> Bytes:
    """Eight of 6 bits less 32: the high two bits of each in two bytes, the low four in four."""
    low = np.stack([blocks[:, 4:8] & 15, blocks[:, 4:8] >> 4], 2).reshape(-1, 8)
    high = np.ascontiguousarray(blocks[:, 2:4]).view("<u2") >> np.arange(0, 16, 2, dtype=np.uint16) & np.uint16(3)
    codes: Bytes = (low | high.astype(np.uint8) << 4) ^ np.uint8(32)
    return codes


_D = _half(0)
BLOCKS: dict[int, Block] = {
    2: Block("Q4_0", 32, 18, "i4", lambda b: _nibbles(b[:, 2:], 16) ^ np.uint8(8), 32, _D),
    3: Block("Q4_1", 32, 20, "u4", lambda b: _nibbles(b[:, 4:], 16), 32, _D, _half(2, -1)),
    6: Block("Q5_0", 32, 22, "i5", lambda b: (_nibbles(b[:, 6:], 16) | _fifth_bit(b[:, 2:6])) ^ np.uint8(16), 32, _D),
    7: Block("Q5_1", 32, 24, "u5", lambda b: _nibbles(b[:, 8:], 16) | _fifth_bit(b[:, 4:8]), 32, _D, _half(2, -1)),
    8: Block("Q8_0", 32, 34, "i8", lambda b: b[:, 2:], 32, _D),
    10: Block(
        "Q2_K",
        256,
        84,
        "u2",
        lambda b: _planes(b[:, 16:80], 32, 2),
        16,
        _small(80, "u4", lambda b: b[:, :16] & 15),
        _small(82, "u4", lambda b: b[:, :16] >> 4),
    ),
    11: Block("Q3_K", 256, 110, "i3", _q3_k, 16, _small(108, "i6", _q3_k_scales)),
    12: Block(
        "Q4_K",
        256,
        144,
        "u4",
        lambda b: _nibbles(b[:, 16:], 32),
        32,
        _small(0, "u6", _first_six),
        _small(2, "u6", _second_six),
    ),
    13: Block("Q5_K", 256, 176, "u5", _q5_k, 32, _small(0, "u6", _first_six), _small(2, "u6", _second_six)),
    14: Block("Q6_K", 256, 210, "i6", _q6_k, 16, _small(208, "i8", lambda b: b[:, 192:208])),
    20: Block("IQ4_NL", 32, 18, _NONLINEAR, lambda b: _nibbles(b[:, 2:], 16), 32, _D),
    23: Block("IQ4_XS", 256, 136, _NONLINEAR, lambda b: _nibbles(b[:, 8:], 16), 32, _small(0, "i6", _iq4_xs_scales)),
    34: Block("TQ1_0", 256, 54, "trit", _tq1_0, 256, _half(52)),
    35: Block("TQ2_0", 256, 66, "trit", _tq2_0, 256, _half(64)),
    39: Block("MXFP4", 32, 17, "f4e2m1", lambda b: _nibbles(b[:, 1:], 16), 32, _bytes(1, "e8m0", 254)),
    40: Block("NVFP4", 64, 36, "f4e2m1", lambda b: _nibbles(b[:, 4:], 8), 16, _bytes(4, "f8e4m3", 126)),
}
"""Types by their number in the file."""
