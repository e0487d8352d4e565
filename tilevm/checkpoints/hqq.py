"""HQQ: ``w = (q - zero) · scale`` with a zero that is a float, and the codes of far rows in one byte.

The weights ``[N, K]`` are seen as a matrix with a group in each row (axis 1) or in each column (axis 0). It is cut into
as many equal runs of rows as a byte, or an int32 of 3-bit codes, holds codes; the first run has the highest bits:

    8, 6, 5 bits   a byte each             4 bits   halves      2 and 1.58 bits   quarters
    3 bits         tenths, in an int32     1 bit    eighths

Groups along axis 0 are the rows ``i``, ``i + N/g``, ``i + 2N/g`` and so on: they are put next to each other, and
``permutation`` says where they were. Files have a tensor for each fact, texts as their bytes, and ``W_q`` of any type.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tilevm.checkpoints.numbers import Numbers, flat_groups
from tilevm.checkpoints.parts import Format, Parts
from tilevm.errors import CheckpointError
from tilevm.quantization import QuantizedTensor

__all__ = ["FORMATS"]

# Codes in a word, bits from one to the next, and the type of the words.
_PACKINGS = {
    "8bit_u8": (1, 8, "u1"),
    "4bit_u8": (2, 4, "u1"),
    "3bit_32": (10, 3, "<u4"),
    "2bit_u8": (4, 2, "u1"),
    "1bit_u8": (8, 1, "u1"),
}
_OF_BITS = {8: "8bit_u8", 6: "8bit_u8", 5: "8bit_u8", 4: "4bit_u8", 3: "3bit_32", 2: "2bit_u8", 1: "1bit_u8"}


def _hqq(parts: Parts) -> QuantizedTensor:
    matrix = _Matrix.of(parts)
    rows, columns = matrix.shape
    scale, zero = _scale_and_zero(parts, matrix)
    kind = f"u{matrix.bits}"
    if matrix.axis == 1:
        codes = parts.codes(kind, matrix.shape, matrix.height, lambda first, last: matrix.rows(np.arange(first, last)))
        held = flat_groups(matrix.group, matrix.shape)
        scale, zero = (
            each.reshape(rows, -1) if held.which is None else each.take(held.which) for each in (scale, zero)
        )
        return QuantizedTensor.grouped(codes, scale.held(), held.group, 1, zero.held())
    apart = rows // matrix.group

    def of_columns(first: int, last: int) -> NDArray[np.uint8]:
        row, place = np.divmod(np.arange(first, last), apart)
        return matrix.rows(row, place, apart)

    order = np.arange(rows).reshape(matrix.group, apart).T.reshape(-1)
    codes = parts.codes(kind, matrix.shape, rows, of_columns, order)
    scale, zero = scale.reshape(apart, columns), zero.reshape(apart, columns)
    return QuantizedTensor.grouped(codes, scale.held(), matrix.group, 0, zero.held(), permutation=order)


@dataclass(frozen=True, eq=False)
class _Matrix:
    """The matrix of groups: ``height`` rows of codes, ``words[runs, …]``."""

    parts: Parts
    shape: tuple[int, int]
    bits: int
    axis: int
    group: int
    height: int
    words: NDArray[np.unsignedinteger]

    @classmethod
    def of(cls, parts: Parts) -> _Matrix:
        shape = parts.array(".shape", "I64", "I32").reshape(-1).tolist()
        said_bits, axis = parts.number(".nbits", "U8", "F32", "I64"), int(parts.number(".axis", "U8", "I64"))
        bits = math.ceil(said_bits) if np.isfinite(said_bits) else 0
        packing = _OF_BITS.get(bits, "")
        said = parts.raw(".packing").tobytes().decode("latin-1") if ".packing" in parts else packing
        if len(shape) != 2 or min(shape) < 1 or axis not in (0, 1) or not packing or said != packing:
            raise parts.wrong(f"there is no tensor {shape} of {bits} bits along axis {axis}, packed as {said!r}")
        rows, columns = shape
        groups = _groups(parts, rows)
        if groups < 1 or rows * columns % groups:
            raise parts.wrong(f"{groups} scales do not divide {rows} by {columns} codes", ".shape")
        group = rows * columns // groups
        if axis == 0 and rows % group:
            raise CheckpointError(
                "H007",
                f"tensor {parts.name!r}: groups of {group} along {rows} rows lie across columns, which is not read",
            )
        each, _, kind = _PACKINGS[packing]
        height = groups if axis else group
        runs, width = -(-height // each), rows * columns // height
        data = parts.raw(".W_q")
        if data.size != runs * width * np.dtype(kind).itemsize or (height % each and bits != 3):
            raise parts.wrong(f"{data.size} bytes are not {rows} by {columns} codes in {packing}")
        return cls(parts, (rows, columns), bits, axis, group, height, data.view(kind).reshape(runs, width))

    def rows(self, row: NDArray[np.int64], place: NDArray[np.int64] | None = None, apart: int = 1) -> NDArray[np.uint8]:
        """The codes of some rows; of each only the part ``place`` of ``apart``, if it is given."""
        each, step, _ = _PACKINGS[_OF_BITS[self.bits]]
        runs = len(self.words)
        taken = self.words[row % runs] if place is None else self.words.reshape(runs, apart, -1)[row % runs, place]
        taken >>= ((each - 1 - row // runs) * step).astype(taken.dtype)[:, None]
        codes = (taken & taken.dtype.type(2**step - 1)).astype(np.uint8)
        if step > self.bits and codes.max(initial=0) >> self.bits:
            raise self.parts.wrong(f"there is a code {codes.max()}, and it is said to have {self.bits} bits")
        return codes


def _groups(parts: Parts, rows: int) -> int:
    """How many there are; a single scale is that of every row."""
    shape = parts.info(".zero_scale").shape[1:] if ".zero_scale" in parts else parts.info(".scale").shape
    return rows if math.prod(shape) == 1 else math.prod(shape)


def _scale_and_zero(parts: Parts, matrix: _Matrix) -> tuple[Numbers, Numbers]:
    """One of each for each group, in a row. ``zero_scale`` has both."""
    if ".zero_scale" in parts:
        both = parts.numbers(".zero_scale")
        if both.shape[:1] != (2,):
            raise parts.wrong(f"{list(both.shape)} are not zeros and scales", ".zero_scale")
        zero, scale = (Numbers(both.array[place].reshape(-1), both.kind) for place in (0, 1))
    else:  # the library does not write quantised ones to such files
        scale, zero = (parts.numbers(each).reshape(-1) for each in (".scale", ".zero"))
    groups = matrix.shape[0] * matrix.shape[1] // matrix.group
    scale, zero = (each.take(np.zeros(groups, np.int64)) if each.size == 1 else each for each in (scale, zero))
    if zero.size != groups:
        raise parts.wrong(f"there are {zero.size} zeros for {groups} scales", ".shape")
    return scale, zero


_FACTS = ("packing", "group_size", "unpack_view_dtype", "view_as_float", "compute_dtype", "quant_zero", "quant_scale")
_SETTINGS = ("offload_meta", "encoded_state_dict", "stores_quant_config", "channel_wise", "optimize", "round_zero")
FORMATS = (
    Format(
        "hqq",
        ".W_q",
        (".shape", ".nbits", ".axis"),
        (".scale", ".zero", ".zero_scale", *(f".{each}" for each in (*_FACTS, *_SETTINGS))),
        _hqq,
    ),
)
