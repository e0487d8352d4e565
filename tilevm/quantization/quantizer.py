"""Weights to codes: the ranges of blocks, their scales, then for each weight the nearest code.

For a piece of the tensor at a time, and each candidate of the calibration:

    low, high     the range of each block
    scale, zero   from it, rounded to their formats first, so that the codes make up for that
    code          encode(w / (scale · tensor_scale) + zero), in float32, rounded after each operation

A block keeps the candidate with the least squared error, which is summed in ``float64``; the first of equals.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from types import EllipsisType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tilevm.dtypes import DType
from tilevm.errors import DTypeError
from tilevm.packed_array import PackedArray
from tilevm.philox import random_words
from tilevm.quantization.blocks import Piece, grid_of, pieces
from tilevm.quantization.calibration import Search, calibration, check_factors
from tilevm.quantization.codebooks import Bins, Codebook, of_blocks, of_tensor
from tilevm.quantization.hadamard import Hadamard, check_seed
from tilevm.quantization.scales import rounded_scales, tensor_scale
from tilevm.quantization.scheme import Scheme, changed
from tilevm.quantization.scheme import scheme as scheme_of
from tilevm.quantization.tensor import QuantizedTensor

__all__ = ["axis_of", "finite_numbers", "held", "quantize"]

Grid = NDArray[np.float32]

LARGEST = 2.0**127
"""Weights are below this, so that one rounded up, by a third at most, is still a ``float32``."""


def quantize(
    weights: ArrayLike,
    scheme: Scheme | DType | str,
    group: int | tuple[int, ...] | str | EllipsisType | None = ...,
    axis: int = 0,
    scale_format: DType | str | None = None,
    rounding: str = "nearest_even",
    clips: Iterable[float] | None = None,
    seed: int = 0,
    partial: bool = False,
    **parts: Any,
) -> QuantizedTensor:
    """Quantises weights by a scheme: a name of ``SCHEMES``, a format, one with its group (``u4g128``), or a ``Scheme``.

    Groups run along ``axis``: 0 is K of ``w[K, N]``. A format alone has groups of 128, scales in ``f16`` that are
    rounded up, and where it is unsigned zero points, integers in the scales' format. ``group``, ``scale_format`` and
    ``parts`` replace parts of the scheme: ``group`` its ``block``, None takes the whole axis; ``parts`` are named as
    the fields of ``Scheme``.

    ``clips`` are fractions of each block's range to try as the range of the format: what lies beyond saturates, what
    lies within is finer; it is short for ``calibration=Search(clips)``. ``rounding`` is that of the codes; random bits
    of ``stochastic`` are ``random(shape, seed)`` of the language, and ``seed`` also makes the signs of a Hadamard
    transform. Blocks divide the weights, unless ``partial`` lets those at the end be short. Nothing is padded.

    Raises ``DTypeError`` D004 for an unknown rounding, D010 for weights that are not numbers below 2^127, D011 for
    blocks that do not divide, D013 for scales that their format does not hold, D015 for clips that are no fractions,
    D019 for an unknown scheme or part of one, D020 for a Hadamard transform that does not divide the axis, D021 for a
    seed out of range, and what ``Scheme`` raises.

    >>> w = np.linspace(-1, 1, 256).reshape(256, 1)
    >>> q = quantize(w, "f6e3m2", group=128)
    >>> q
    QuantizedTensor(f6e3m2[256, 1] in groups of 128 along axis 0 with f16 scales, 6.12 bits each)
    >>> float(np.abs(q.dequantize() - w).max().round(3))
    0.071
    >>> quantize(w, "nvfp4", calibration="mse").bits_per_weight
    4.625
    """
    own = scheme_of(scheme)
    if group is not ...:
        parts["block"] = group
    if scale_format is not None:
        parts["scale"] = scale_format
    if clips is not None:
        parts["calibration"] = Search(check_factors(clips, 1))
    own = changed(own, **parts)
    own.check_zero_points()
    if own.learned == "block" and rounding != "nearest_even":
        raise DTypeError("D004", f"numbers are rounded to the nearest of a codebook of their block, not {rounding!r}")
    numbers = finite_numbers(weights)
    axis = axis_of(numbers.shape, axis)
    block = _block(numbers.shape, own.block, axis, partial)
    check_seed(seed)
    transform = None if own.hadamard is None else Hadamard(axis, own.hadamard, seed)
    if transform is not None:
        numbers = transform.apply(numbers)
    return _Work(own, numbers, block, axis, rounding, seed).result(transform)


@dataclass(frozen=True, eq=False)
class _Choice:
    """For each block its scale, as a number of the scales' format, and its zero point, and the error they make."""

    scales: Grid
    zeros: Grid | None
    error: NDArray[np.float64]

    def better(self, other: _Choice) -> _Choice:
        """Of each block the choice with the smaller error."""
        keep = self.error <= other.error
        zeros = None
        if self.zeros is not None and other.zeros is not None:
            zeros = np.where(keep, self.zeros, other.zeros)
        return _Choice(np.where(keep, self.scales, other.scales), zeros, np.where(keep, self.error, other.error))


@dataclass(frozen=True, eq=False)
class _Work:
    """What is quantised, and how."""

    scheme: Scheme
    numbers: NDArray[np.float32]
    block: tuple[int, ...]
    axis: int
    rounding: str
    seed: int

    def result(self, transform: Hadamard | None) -> QuantizedTensor:
        """The tensor."""
        scheme, largest = self.scheme, float(np.abs(self.numbers).max(initial=0))
        overall = tensor_scale(scheme, largest)
        candidates = self._ranges()
        whole = np.maximum(-candidates[0][0], candidates[0][1])
        choices = [self._scaled(low, high, overall, whole) for low, high in candidates]
        # What is learned depends on the scales: those of the first candidate.
        book = None if scheme.learned is None else self._learned(choices[0].scales)
        if len(choices) == 1:
            best = choices[0]
        else:
            best = self._coded(choices[0], overall, book)[0]
            for each in choices[1:]:
                best = best.better(self._coded(each, overall, book)[0])
        scales: NDArray[Any] | PackedArray | QuantizedTensor = held(best.scales, scheme.scale_kind)
        if scheme.second is not None:
            scales = self._again(best.scales, scheme.second)
            best = replace(best, scales=scales.dequantize().reshape(best.scales.shape))
        codes = self._coded(best, overall, book)[1]
        kind = scheme.kind if book is None else book.kind
        zeros = None
        if best.zeros is not None:
            zeros = held(best.zeros, scheme.kind if scheme.zero == "code" else scheme.scale_kind)
        return QuantizedTensor(
            PackedArray.from_codes(codes, kind),
            scales,
            zeros,
            self.block,
            self.axis,
            overall,
            transform=transform,
            codebooks=None if book is None else book.tables,
        )

    @property
    def grid(self) -> tuple[int, ...]:
        return grid_of(self.numbers.shape, self.block)

    def _pieces(self) -> Iterable[Piece]:
        return pieces(self.numbers.shape, self.block)

    def _ranges(self) -> list[tuple[Grid, Grid]]:
        """The candidates of the calibration, for all blocks."""
        method = calibration(self.scheme.calibration)
        found: list[tuple[Grid, Grid]] = []
        for piece in self._pieces():
            for place, range_ in enumerate(method.ranges(piece.gather(self.numbers), self.scheme.zero is None)):
                if place == len(found):
                    found.append((np.zeros(self.grid, np.float32), np.zeros(self.grid, np.float32)))
                for whole, part in zip(found[place], range_, strict=True):
                    whole[piece.blocks] = part
        return found or [(np.zeros(self.grid, np.float32),) * 2]

    def _scaled(self, low: Grid, high: Grid, overall: float | None, whole: Grid) -> _Choice:
        scales = rounded_scales(self.scheme, low, high, overall, self.axis, whole)
        zeros = None
        if self.scheme.zero is not None:
            zeros = -low / (scales if overall is None else scales * np.float32(overall))
            if self.scheme.zero == "float":
                kind = self.scheme.scale_kind
                zeros = kind.decode_to(kind.encode(zeros, saturate=True), np.float32)
            else:
                zeros = np.clip(np.rint(zeros), 0, int(self.scheme.kind.max)).astype(np.float32)
        return _Choice(scales, zeros, np.zeros(self.grid))

    def _coded(self, choice: _Choice, overall: float | None, book: Codebook | None) -> tuple[_Choice, NDArray[Any]]:
        """The choice with its error, and the codes."""
        scheme, kind = self.scheme, self.scheme.kind if book is None else book.kind
        codes = np.zeros(self.numbers.shape, kind.storage)
        error = np.zeros(self.grid)
        for piece in self._pieces():
            blocks = piece.gather(self.numbers)
            scales = choice.scales[piece.blocks][..., None]
            scales = scales if overall is None else scales * np.float32(overall)
            shift = np.float32(0) if choice.zeros is None else choice.zeros[piece.blocks][..., None]
            ratios = _ratios(blocks, scales) + shift
            if scheme.symmetric and kind.kind == "int":
                ratios = np.maximum(ratios, np.float32(-kind.max))
            if book is not None and book.tables is not None:
                found, decoded = book.nearest(ratios, piece.blocks)
            else:
                found = kind.encode(ratios, self.rounding, saturate=True, random=self._random(piece))
                decoded = kind.decode_to(found, np.float32)
            # In float64: squares of large weights leave float32.
            error[piece.blocks] = np.square((decoded - shift) * scales - blocks, dtype=np.float64).sum(-1)
            piece.scatter(found, codes)
        return replace(choice, error=error), codes

    def _random(self, piece: Piece) -> NDArray[np.uint32] | None:
        if self.rounding != "stochastic":
            return None
        return random_words(piece.places(self.numbers.shape), np.array([self.seed], np.uint64))

    def _learned(self, scales: Grid) -> Codebook:
        kind = self.scheme.kind
        if self.scheme.learned == "tensor":
            bins, largest = Bins.empty(), max(float(scales.max(initial=0)), 1e-30)
            for piece in self._pieces():
                own = scales[piece.blocks][..., None]
                bins.add(_ratios(piece.gather(self.numbers), own), np.square(own / largest))
            return of_tensor(bins, kind.bits)
        tables = np.zeros((*self.grid, 1 << kind.bits), np.float16)
        for piece in self._pieces():
            ratios = _ratios(piece.gather(self.numbers), scales[piece.blocks][..., None])
            tables[piece.blocks] = of_blocks(ratios, kind.bits)
        return Codebook(kind, tables)

    def _again(self, scales: Grid, second: Scheme) -> QuantizedTensor:
        """The scales, less their mean, quantised in row-major order."""
        flat = scales.reshape(-1)
        mean = np.float32(flat.mean(dtype=np.float64)) if flat.size else np.float32(0)
        found = quantize(flat - mean, second, partial=True)
        return replace(found, offsets=np.full(found.grid, -mean, np.float32))


def _ratios(blocks: NDArray[np.float32], scales: Grid) -> NDArray[np.float32]:
    """Weights by their scales; 0 where the scale is 0, as in blocks of zeros, or because it was quantised again."""
    with np.errstate(over="ignore"):  # far beyond a range that a calibration made small
        ratios: NDArray[np.float32] = np.divide(blocks, np.where(scales != 0, scales, np.float32(np.inf)))
    return ratios


def finite_numbers(weights: ArrayLike) -> NDArray[np.float32]:
    """Weights as ``float32``. Raises ``DTypeError`` D010 for what is not a number below 2^127."""
    given = np.asarray(weights)
    if given.dtype.kind not in "iuf" and given.dtype.name != "bfloat16":
        raise DTypeError("D010", f"weights are numbers, not {given.dtype}")
    with np.errstate(over="ignore"):
        numbers = given.astype(np.float32)
    fits = np.abs(numbers) < np.float32(LARGEST)
    if not fits.all():
        place = tuple(int(each) for each in np.unravel_index(int(np.argmin(fits)), numbers.shape))
        raise DTypeError("D010", f"weights are finite and below 2^127, but element {place} is {given[place]}")
    return numbers


def axis_of(shape: tuple[int, ...], axis: int) -> int:
    """The axis, counted from the front. Raises ``DTypeError`` D011 where there is none."""
    if not isinstance(axis, int | np.integer) or not -len(shape) <= axis < len(shape):
        raise DTypeError("D011", f"weights of {len(shape)} dimensions have no axis {axis!r}")
    return int(axis) % len(shape)


def _block(
    shape: tuple[int, ...], given: int | tuple[int, ...] | str | None, axis: int, partial: bool
) -> tuple[int, ...]:
    """The extents of a block, none beyond the weights'."""
    if given is None:
        given = shape[axis]
    if given == "tensor":
        return tuple(max(1, length) for length in shape)
    wanted = (given,) if isinstance(given, int | np.integer) else given
    if not isinstance(wanted, tuple) or not all(isinstance(each, int | np.integer) and each >= 1 for each in wanted):
        raise DTypeError("D011", f"a group of {given!r} is none", help="an integer, extents like (16, 16), or None")
    if isinstance(given, tuple):
        if len(given) > len(shape):
            raise DTypeError("D011", f"a block of {given} has more dimensions than the weights, {list(shape)}")
        own = (1,) * (len(shape) - len(given)) + tuple(int(each) for each in given)
    else:
        own = tuple(int(given) if place == axis else 1 for place in range(len(shape)))
    for place, (length, extent) in enumerate(zip(shape, own, strict=True)):
        if length % extent and not partial:
            divisors = [each for each in (16, 32, 64, 96, 128, 192, 256) if length % each == 0]
            fitting = ", ".join(map(str, divisors)) or str(length)
            raise DTypeError(
                "D011",
                f"a group of {extent} does not divide axis {place}, which has {length} elements",
                help=f"{length} is a multiple of {fitting}; partial=True leaves the last group short",
            )
    return tuple(max(1, min(extent, length)) for extent, length in zip(own, shape, strict=True))


def held(numbers: Grid, kind: DType) -> NDArray[np.generic] | PackedArray:
    """Numbers as an array that a kernel takes for a parameter of their format."""
    if kind.name in ("f16", "f32", "f64"):
        return numbers.astype(f"f{kind.bits // 8}")
    return PackedArray.from_values(numbers, kind)
