"""A quantised tensor: codes, and what turns them into numbers, block by block.

    s = scale · tensor_scale                   the tensor's scale, where there are two levels
    w = (decode(code) - zero) · s - offset     zero points and offsets where there are any
    w = the inverse of the transform, then the rows in their own order

computed in ``float32`` and rounded after each operation, in this order. Scales and offsets may be quantised again: then
they are themselves a ``QuantizedTensor``, as in the double quantisation of NF4 and the K-quants of GGUF.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Self, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tilevm.dtypes import DType, dtype
from tilevm.errors import DTypeError
from tilevm.packed_array import PackedArray
from tilevm.quantization.blocks import grid_of, group_block, spread
from tilevm.quantization.hadamard import Hadamard

__all__ = ["QuantizedTensor"]

Numbers: TypeAlias = NDArray[Any] | PackedArray


@dataclass(frozen=True, eq=False)
class QuantizedTensor:
    """Codes with their scales, and what else belongs to them.

    ``codes`` is in the shape of the weights. A ``block`` has an extent along each dimension; those at the end may be
    short. ``scales``, ``zeros`` and ``offsets`` are in the shape of the grid of blocks (a ``QuantizedTensor`` in them
    may also be flat, in row-major order): NumPy arrays where NumPy has the format, else ``PackedArray``. Zero points
    are integers of an unsigned format, at most 2^bits, or any floats. ``axis`` is the one along which groups run, a
    product sums, and ``permutation`` orders rows: what stands at ``i`` here is ``permutation[i]`` of the weights.
    ``tensor_scale`` is above 0, its product with a scale rounded once. ``codebooks`` of the shape ``[*grid, 2^bits]``
    holds for each block the numbers that its codes, of an unsigned format, stand for; without it they are those of the
    format.

    Raises ``DTypeError`` D017 for parts that do not go together, D018 for zero points out of range, D020 for a
    transform that does not divide its axis.
    """

    codes: PackedArray
    scales: Numbers | QuantizedTensor
    zeros: Numbers | None
    block: tuple[int, ...]
    axis: int = 0
    tensor_scale: float | None = None
    offsets: Numbers | QuantizedTensor | None = None
    permutation: NDArray[np.integer[Any]] | None = None
    transform: Hadamard | None = None
    codebooks: NDArray[Any] | None = None

    def __post_init__(self) -> None:
        self._check_block()
        grid = self.grid
        for name in ("scales", "zeros", "offsets"):
            part = getattr(self, name)
            nested = isinstance(part, QuantizedTensor) and part.codes.size == int(np.prod(grid))
            if part is not None and tuple(part.shape) != grid and not (nested and part.codes.ndim == 1):
                raise self._wrong(f"{name} have the shape {list(part.shape)}, and the grid of blocks is {list(grid)}")
        if self.tensor_scale is not None and not (0 < self.tensor_scale < np.inf):
            raise self._wrong(f"a tensor's scale is finite and above 0, not {self.tensor_scale!r}")
        if self.codebooks is not None:
            wanted = (*grid, 1 << self.dtype.bits)
            if self.dtype.kind != "uint" or self.codebooks.shape != wanted:
                raise self._wrong(f"codebooks are {list(wanted)} for unsigned codes, not {list(self.codebooks.shape)}")
        if self.permutation is not None:
            length = self.shape[self.axis]
            if not np.array_equal(np.sort(self.permutation), np.arange(length)):
                raise self._wrong(f"the permutation does not name each of {length} rows once")
        if self.transform is not None:
            self.transform.check(self.shape)
        _check_zeros(self.zeros, self.dtype)

    def _check_block(self) -> None:
        extents = isinstance(self.block, tuple) and len(self.block) == self.codes.ndim
        fits = extents and all(
            isinstance(extent, int) and 1 <= extent <= max(1, length)
            for extent, length in zip(self.block, self.shape, strict=True)
        )
        if not fits:
            raise self._wrong(f"a block has an extent within each dimension, not {self.block!r}")
        if not isinstance(self.axis, int) or not 0 <= self.axis < max(1, self.codes.ndim):
            raise self._wrong(f"there is no axis {self.axis!r}")

    def _wrong(self, reason: str) -> DTypeError:
        return DTypeError("D017", f"quantised {self.dtype}{list(self.shape)}: {reason}")

    @classmethod
    def grouped(
        cls,
        codes: PackedArray,
        scales: Numbers | QuantizedTensor,
        group: int,
        axis: int,
        zeros: Numbers | None = None,
        **more: Any,
    ) -> Self:
        """Codes in groups of ``group`` elements along one axis; ``more`` are other fields of the class."""
        own = axis % max(1, codes.ndim)
        return cls(codes, scales, zeros, group_block(codes.shape, group, own), own, **more)

    @classmethod
    def from_codes(cls, codes: ArrayLike, dtype: DType | str, *parts: Any, **more: Any) -> Self:
        """``grouped`` with codes that are not packed yet: integers in the shape of the weights.

        >>> QuantizedTensor.from_codes([[1], [2], [15]], "i4", np.float16([[0.5], [2]]), 2, 0).dequantize().tolist()
        [[0.5], [1.0], [-2.0]]
        """
        return cls.grouped(PackedArray.from_codes(codes, dtype), *parts, **more)

    @property
    def dtype(self) -> DType:
        """The format of the codes."""
        return self.codes.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the weights, in elements."""
        return self.codes.shape

    @property
    def grid(self) -> tuple[int, ...]:
        """How many blocks there are along each dimension."""
        return grid_of(self.shape, self.block)

    @property
    def group(self) -> int:
        """The extent of a block along ``axis``."""
        return self.block[self.axis] if self.block else 1

    @property
    def nbytes(self) -> int:
        """Bytes of all parts together, as they lie in memory."""
        parts = (self.codes, self.scales, self.zeros, self.offsets, self.permutation, self.codebooks)
        return sum(part.nbytes for part in parts if part is not None) + 4 * (self.tensor_scale is not None)

    @property
    def bits_per_weight(self) -> float:
        """Bits of all parts together for each weight."""
        return 8 * self.nbytes / max(1, self.codes.size)

    def block_scales(self) -> NDArray[np.float32]:
        """The scale of each block, ``float32[grid]``: of both levels, where there are two."""
        scales = _numbers(self.scales, self.grid)
        if self.tensor_scale is None:
            return scales
        # In float64, so that the inverse of a divisor gives the quotient: e4m3 over f32 is never that close to a tie.
        return (scales * np.float64(self.tensor_scale)).astype(np.float32)

    def dequantize(self, transformed: bool = False) -> NDArray[np.float32]:
        """The weights that the codes stand for, ``float32`` in the weights' shape; infinite where they leave it.

        With ``transformed`` the transform is left in them, for a product with transformed inputs.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            return self._numbers(transformed)

    def _numbers(self, transformed: bool) -> NDArray[np.float32]:
        numbers = self._decoded()
        if self.zeros is not None:
            numbers -= self._spread(_numbers(self.zeros, self.grid))
        numbers *= self._spread(self.block_scales())
        if self.offsets is not None:
            numbers -= self._spread(_numbers(self.offsets, self.grid))
        if self.transform is not None and not transformed:
            numbers = self.transform.undo(numbers)
        if self.permutation is not None:
            numbers = np.take(numbers, np.argsort(self.permutation), axis=self.axis)
        return numbers

    def _decoded(self) -> NDArray[np.float32]:
        codes = self.codes.codes()
        if self.codebooks is None:
            return self.dtype.decode_to(codes, np.float32)
        tables = self.codebooks.reshape(-1, self.codebooks.shape[-1])
        block = self._spread(np.arange(len(tables)).reshape(self.grid))
        return np.asarray(tables[block, codes], np.float32)

    def _spread(self, each: NDArray[Any]) -> NDArray[Any]:
        return spread(each, self.block, self.shape)

    def __repr__(self) -> str:
        has = [_described(self.scales, "scales")]
        has += [_described(self.zeros, "zero points")] if self.zeros is not None else []
        has += ["a scale of the tensor"] if self.tensor_scale is not None else []
        has += [_described(self.offsets, "offsets")] if self.offsets is not None else []
        has += ["codebooks"] if self.codebooks is not None else []
        has += ["permuted rows"] if self.permutation is not None else []
        has += [f"a Hadamard transform of {self.transform.size}"] if self.transform is not None else []
        listed = ", ".join(has[:-1]) + " and " + has[-1] if len(has) > 1 else has[0]
        return (
            f"QuantizedTensor({self.dtype}{list(self.shape)} {self._described_blocks()} with {listed}, "
            f"{self.bits_per_weight:.2f} bits each)"
        )

    def _described_blocks(self) -> str:
        long = [place for place, extent in enumerate(self.block) if extent > 1] or [self.axis]
        if self.block and len(long) == 1:
            return f"in groups of {self.block[long[0]]} along axis {long[0]}"
        if self.block == self.shape:
            return "as one block"
        return f"in blocks of {' × '.join(map(str, self.block))}"

    def save(self, path: str | os.PathLike[str], name: str = "weight") -> None:
        """Writes a safetensors file with this tensor, whole or not at all, in the form of ``tilevm convert``.

        Raises ``UsageError`` F002 where that is not possible.
        """
        from tilevm.quantization import files

        files.save(path, {name: self})

    @classmethod
    def load(cls, path: str | os.PathLike[str], name: str | None = None) -> QuantizedTensor:
        """Reads a tensor that ``save`` or ``tilevm convert`` wrote; its name may be left out where there is one only.

        Nothing in the file is executed or unpickled. Raises ``UsageError`` F002 where the file cannot be read,
        ``CheckpointError`` H001, H002, H003 and H008 for one that is damaged or has no such quantised tensor.
        """
        from tilevm.quantization import files

        return files.load(path, name)


def _numbers(part: Numbers | QuantizedTensor, grid: tuple[int, ...]) -> NDArray[np.float32]:
    if isinstance(part, QuantizedTensor):
        return part.dequantize().reshape(grid)
    return np.asarray(part, np.float32)


def _described(part: Any, what: str) -> str:
    kind = part.dtype if isinstance(part, PackedArray | QuantizedTensor) else dtype(part.dtype)
    nested = "quantised " if isinstance(part, QuantizedTensor) else ""
    return f"{nested}{kind} {what}"


def _check_zeros(zeros: Numbers | None, kind: DType) -> None:
    """Zero points that lie on a GPU are not looked at."""
    if zeros is None or (isinstance(zeros, PackedArray) and zeros.on_device) or not hasattr(zeros, "__array__"):
        return
    if isinstance(zeros, PackedArray) and zeros.dtype.kind not in ("uint", "float"):
        raise DTypeError("D018", f"zero points are floats or unsigned integers, not {zeros.dtype}")
    numbers = np.asarray(zeros)
    if numbers.dtype.kind in "iu" and numbers.size:
        last = 1 << kind.bits
        if kind.kind != "uint" or int(numbers.min()) < 0 or int(numbers.max()) > last:
            outside = numbers.flat[int(np.argmax((numbers < 0) | (numbers > last)))]
            raise DTypeError("D018", f"integer zero points of {kind} are 0 … {last}, and one is {outside}")
    elif not np.isfinite(numbers if numbers.dtype.kind == "f" else numbers.astype(np.float32)).all():
        raise DTypeError("D018", "a zero point is infinite or NaN")
