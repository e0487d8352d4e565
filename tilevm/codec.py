"""Encoding and decoding: between numbers and the codes of a format, for whole arrays.

``tilevm.codec_exact`` rounds ``float64`` numbers to any format. Formats of at most 8 bits are fast by tables, which it
fills once. To encode, a number is cut to the upper 17 or 18 bits of its ``float32`` form, the last of which says
whether anything was cut off (rounding *to odd*): all numbers with the same upper bits lie between the same two
neighbours on the same side of their middle, so they share one code. To decode to ``float32``, two codes are looked up
at a time, in a table of 65,536 pairs.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tilevm.codec_exact import encode_exactly, round_wide_integers
from tilevm.dtypes import BF16, F16, ROUNDINGS, TF32, DType, Random
from tilevm.errors import DTypeError, did_you_mean

__all__ = ["cast", "decode", "encode", "round_to", "to_codes", "to_values"]

Array = NDArray[Any]
CHUNK = 1 << 16
"""Elements that are worked on at a time, so that intermediate arrays stay in the cache."""

EXACT_CHUNK = 1 << 14
"""The same for the exact algorithm, which has more of these arrays, in ``float64``."""


# Decoding


def decode(dtype: DType, codes: Array, target: np.dtype[Any]) -> Array:
    """The numbers of codes as ``float32`` or ``float64``."""
    if dtype.bits <= 8:
        if target == np.float32 and codes.dtype == np.uint8:
            return _decode_pairs(dtype, codes)
        return _values(dtype, target)[codes]
    if dtype.carrier is not None:
        with np.errstate(invalid="ignore", over="ignore"):
            return to_values(dtype, codes.astype(dtype.storage, copy=False)).astype(target, copy=False)
    return _values(dtype, target)[codes]


@lru_cache(maxsize=256)
def _values(dtype: DType, target: np.dtype[Any]) -> Array:
    """The number of every code of a format of at most 16 bits."""
    codes = np.arange(1 << dtype.bits, dtype=np.int64)
    if dtype.kind == "codebook":
        return np.array([*dtype.table, *[np.nan] * (len(codes) - len(dtype.table))]).astype(target)
    if dtype.kind != "float":
        sign = (codes >> (dtype.bits - 1)) << dtype.bits
        return (codes - sign if dtype.kind == "int" else codes).astype(target)
    return _float_values(dtype, codes).astype(target)


def _float_values(dtype: DType, codes: NDArray[np.int64]) -> NDArray[np.float64]:
    fraction = codes & ((1 << dtype.mantissa) - 1)
    exponent = (codes >> dtype.mantissa) & ((1 << dtype.exponent) - 1)
    values: NDArray[np.float64]
    if dtype.specials == "scale":
        values = np.ldexp(1.0, exponent - dtype.bias)
    else:
        whole = np.where(exponent > 0, 1 << dtype.mantissa, 0) + fraction
        values = np.ldexp(whole.astype(np.float64), np.maximum(exponent, 1) - dtype.bias - dtype.mantissa)
    negative = dtype.signed & (codes >> (dtype.bits - 1) == 1)
    magnitude = codes & ((1 << (dtype.exponent + dtype.mantissa)) - 1)
    ones = (1 << (dtype.exponent + dtype.mantissa)) - 1
    if dtype.specials == "ieee":
        last = exponent == (1 << dtype.exponent) - 1
        values = np.where(last, np.where(fraction == 0, np.inf, np.nan), values)
    elif dtype.specials in ("fn", "scale"):
        values = np.where(magnitude == ones, np.nan, values)
    values = np.where(negative, -values, values)
    if dtype.specials == "fnuz":
        values = np.where(codes == 1 << (dtype.bits - 1), np.nan, values)
    return values


@lru_cache(maxsize=32)
def _pairs(dtype: DType) -> NDArray[np.uint64]:
    """Two ``float32`` numbers for each pair of bytes, as they lie in memory."""
    single = np.zeros(256, np.float32)
    single[: 1 << dtype.bits] = _values(dtype, np.dtype(np.float32))
    pairs = np.empty((256, 256, 2), np.float32)
    pairs[..., 0], pairs[..., 1] = single[None, :], single[:, None]
    return pairs.reshape(-1, 2).view(np.uint64).reshape(-1)


def _decode_pairs(dtype: DType, codes: Array) -> NDArray[np.float32]:
    flat = np.ascontiguousarray(codes).reshape(-1)
    result = np.empty(flat.shape, np.float32)
    even = len(flat) & ~1
    # Memory may not be aligned to two bytes where the array is a view; a copy always is.
    pairs = (flat[:even] if flat.ctypes.data % 2 == 0 else flat[:even].copy()).view("<u2")
    np.take(_pairs(dtype), pairs, out=result[:even].view(np.uint64), mode="clip")
    result[even:] = _values(dtype, np.dtype(np.float32))[flat[even:]]
    return result.reshape(codes.shape)


# Encoding


def encode(dtype: DType, values: Array, rounding: str, saturate: bool, random: Random) -> Array:
    """The codes of numbers; see ``DType.encode``."""
    if rounding not in ROUNDINGS:
        raise DTypeError(
            "D004",
            f"there is no rounding `{rounding}`",
            help=did_you_mean(str(rounding), ROUNDINGS) or f"roundings are {', '.join(ROUNDINGS)}",
        )
    bits = _random_bits(rounding, random, values.shape)
    with np.errstate(all="ignore"):
        values = _ordinary(values)
        if dtype.kind in ("int", "uint") and values.dtype.kind in "iu":
            return _encode_exact_integers(dtype, values, saturate)
        if dtype.name == "f64" and values.dtype.kind in "iu":
            return round_wide_integers(values, rounding, bits).view(np.uint64)
        numbers = _as_floats(values)
        # Cut to 17 bits, a number still has its neighbours, but not its remainder modulo 2^bits.
        wraps = dtype.kind in ("int", "uint") and not saturate
        if dtype.bits <= 8 and bits is None and not wraps:
            return _encode_by_table(dtype, numbers, rounding, saturate)
        if rounding == "nearest_even" and not saturate:
            if dtype.name in ("f16", "f32", "f64"):
                return numbers.astype(f"f{dtype.bits // 8}").view(dtype.storage)
            if dtype in (BF16, TF32) and numbers.dtype == np.float32:
                return to_codes(dtype, round_to(dtype, numbers))
        return _encode_in_chunks(dtype, numbers, rounding, saturate, bits)


def _ordinary(values: Array) -> Array:
    """Numbers of one of NumPy's own types."""
    if values.dtype.kind == "b":
        return values.astype(np.uint8)
    if values.dtype.kind in "iuf" and values.dtype.itemsize <= 8:
        return values.astype(values.dtype.newbyteorder("="), copy=False)
    # Types that are registered with NumPy: those of ml_dtypes.
    if values.dtype.isbuiltin == 2:
        return values.astype(np.float64)
    raise DTypeError(
        "D014", f"{values.dtype} values cannot be encoded", help="integers, bool, or floats of at most 64 bits can"
    )


def _encode_in_chunks(
    dtype: DType, numbers: Array, rounding: str, saturate: bool, random: NDArray[np.uint32] | None
) -> Array:
    flat, drawn = numbers.reshape(-1), None if random is None else random.reshape(-1)
    result = np.empty(flat.shape, dtype.storage)
    for part in _chunks(len(flat), EXACT_CHUNK):
        own = None if drawn is None else drawn[part]
        result[part] = encode_exactly(dtype, flat[part].astype(np.float64), rounding, saturate, own)
    return result.reshape(numbers.shape)


def _random_bits(rounding: str, random: Random, shape: tuple[int, ...]) -> NDArray[np.uint32] | None:
    if rounding != "stochastic":
        return None
    if isinstance(random, np.random.Generator):
        return random.integers(0, 1 << 32, shape, np.uint32)
    if random is None or np.asarray(random).dtype != np.uint32:
        raise DTypeError(
            "D005",
            "stochastic rounding needs 32 random bits for each value",
            help="random=np.random.default_rng(0), or a uint32 array of the values' shape",
        )
    try:
        return np.broadcast_to(random, shape)
    except ValueError:
        raise DTypeError("D005", f"random bits of shape {random.shape} do not fit values of shape {shape}") from None


def _as_floats(values: Array) -> Array:
    """Numbers as ``float32`` or ``float64``, such that rounding the result is rounding the number."""
    if values.dtype in (np.float32, np.float64):
        return values
    if values.dtype == np.float16:
        return values.astype(np.float32)
    near = values.astype(np.float64)
    # Long integers to odd, so that a second rounding, to a format of fewer bits, is not misled by the first.
    exact = np.abs(near) < 2.0**53
    if exact.all():
        return near
    shifted = (values >> 12 << 12).astype(np.float64)
    lost = values & 0xFFF != 0
    return np.where(exact, near, shifted + np.where(lost, 2048.0, 0.0))


def _encode_exact_integers(dtype: DType, values: Array, saturate: bool) -> Array:
    mask = (1 << dtype.bits) - 1
    if saturate:
        limits = np.iinfo(values.dtype)
        values = np.clip(values, max(int(dtype.min), int(limits.min)), min(int(dtype.max), int(limits.max)))
    wide = values.astype(np.int64 if values.dtype.kind == "i" else np.uint64)
    return (wide.view(np.uint64) & np.uint64(mask)).astype(dtype.storage)


def _encode_by_table(dtype: DType, numbers: Array, rounding: str, saturate: bool) -> NDArray[np.uint8]:
    table = _table(dtype, rounding, saturate)
    flat = np.ascontiguousarray(numbers).reshape(-1)
    result = np.empty(flat.shape, np.uint8)
    key = np.empty(min(CHUNK, len(flat)), np.uint32)
    inexact = np.empty(len(key), np.bool_)
    cut = _cut(dtype)
    for part in _chunks(len(flat)):
        bits = _odd_float32(flat[part]).view(np.uint32)
        own, lost = key[: len(bits)], inexact[: len(bits)]
        np.bitwise_and(bits, np.uint32((1 << cut) - 1), out=own)
        np.not_equal(own, 0, out=lost)
        np.right_shift(bits, np.uint32(cut), out=own)
        np.bitwise_or(own, lost, out=own)
        np.take(table, own, out=result[part], mode="clip")
        if dtype.kind == "codebook":
            unsure = np.flatnonzero(_unsure(dtype, rounding)[own])
            exact = flat[part][unsure].astype(np.float64)
            result[part][unsure] = encode_exactly(dtype, exact, rounding, saturate, None)
    return result.reshape(numbers.shape)


def _chunks(length: int, size: int = CHUNK) -> Iterator[slice]:
    return (slice(start, min(start + size, length)) for start in range(0, length, size))


def _odd_float32(numbers: Array) -> NDArray[np.float32]:
    """``float64`` numbers as ``float32``, rounded to odd: an inexact one is cut and its last bit set."""
    if numbers.dtype == np.float32:
        return numbers
    near = numbers.astype(np.float32)
    wide = near.astype(np.float64)
    inexact = (wide != numbers) & ~np.isnan(numbers)
    if not inexact.any():
        return near
    bits = near.view(np.uint32)
    cut = bits - (np.abs(wide) > np.abs(numbers))
    return np.where(inexact, cut | 1, bits).view(np.float32)


def _cut(dtype: DType) -> int:
    """How many bits of a ``float32`` are cut. What is left of the mantissa must hold, above its last bit, a number of
    the format and one bit more, which says on which side of the middle between two of them a number lies."""
    return 14 if (dtype.kind == "uint" and dtype.bits == 8) or dtype.mantissa == 7 else 15


@lru_cache(maxsize=512)
def _table(dtype: DType, rounding: str, saturate: bool) -> NDArray[np.uint8]:
    """The code of every ``float32`` number whose lower bits are zero, by its upper bits."""
    cut = _cut(dtype)
    numbers = (np.arange(1 << (32 - cut), dtype=np.uint32) << np.uint32(cut)).view(np.float32)
    # A NaN whose payload is all in the bits that are cut has the last bit set, so that it is a NaN here too.
    with np.errstate(all="ignore"):
        return _encode_in_chunks(dtype, numbers, rounding, saturate, None)


@lru_cache(maxsize=64)
def _unsure(dtype: DType, rounding: str) -> NDArray[np.bool_]:
    """Where numbers with the same upper bits may have different codes: the middle between two values of a codebook,
    unlike that between two numbers of a float, may have any bits."""
    cut = _cut(dtype)
    keys = np.arange(1 << (32 - cut), dtype=np.uint32)
    last = (keys << np.uint32(cut)) + np.uint32((1 << cut) - 1)
    # An odd key stands for what was cut as well: for everything between its two even neighbours.
    first = (keys << np.uint32(cut)) - np.uint32((1 << cut) - 1) * (keys & np.uint32(1))
    with np.errstate(all="ignore"):
        ends = [
            encode_exactly(dtype, bits.view(np.float32).astype(np.float64), rounding, True, None)
            for bits in (first, last)
        ]
    unsure: NDArray[np.bool_] = ends[0] != ends[1]
    return unsure


# The two forms of an element


def to_values(dtype: DType, elements: Array) -> Array:
    """Codes as numbers in the carrier."""
    assert dtype.carrier is not None, f"nothing is computed in {dtype}"
    if elements.dtype == dtype.carrier:
        return elements
    if dtype.name == "f16":
        return elements.view(np.float16).astype(np.float32)
    if dtype.name == "bf16":
        return (elements.astype(np.uint32) << np.uint32(16)).view(np.float32)
    if dtype.name == "tf32":
        return (elements.astype(np.uint32) << np.uint32(13)).view(np.float32)
    if dtype.bits == 1:
        return elements.astype(np.bool_)
    return elements.view(dtype.carrier)


def to_codes(dtype: DType, elements: Array) -> Array:
    """Numbers in the carrier, which the format has exactly, as codes."""
    if elements.dtype == dtype.storage:
        return elements
    assert elements.dtype == dtype.carrier, f"{elements.dtype} is not a form of {dtype}"
    if dtype.name == "f16":
        with np.errstate(over="ignore", invalid="ignore"):
            return elements.astype(np.float16).view(np.uint16)
    if dtype.name in ("bf16", "tf32"):
        shift = np.uint32(16 if dtype.name == "bf16" else 13)
        return (elements.view(np.uint32) >> shift).astype(dtype.storage)
    if dtype.bits == 1:
        return elements.astype(np.uint8)
    return elements.view(dtype.storage)


def round_to(dtype: DType, values: Array) -> Array:
    """Numbers in the carrier, rounded to nearest even."""
    if dtype.name in ("f32", "f64") or dtype.kind != "float":
        return values
    flat = np.ascontiguousarray(values).reshape(-1)
    result = np.empty(flat.shape, np.float32)
    for part in _chunks(len(flat)):
        _round_chunk(dtype, flat[part], result[part])
    return result.reshape(values.shape)


def _round_chunk(dtype: DType, values: NDArray[np.float32], result: NDArray[np.float32]) -> None:
    cut = 16 if dtype is BF16 else 13
    bits, rounded = values.view(np.uint32), result.view(np.uint32)
    magnitude = bits & np.uint32(0x7FFFFFFF)
    if int(magnitude.max()) > _LARGEST_SIMPLE[dtype.name]:
        with np.errstate(all="ignore"):
            codes = encode_exactly(dtype, values.astype(np.float64), "nearest_even", False, None)
            result[:] = to_values(dtype, codes)
        return
    np.right_shift(bits, np.uint32(cut), out=rounded)
    rounded &= np.uint32(1)
    rounded += np.uint32((1 << (cut - 1)) - 1)
    rounded += bits
    rounded &= np.uint32(0xFFFFFFFF << cut & 0xFFFFFFFF)
    if dtype is F16:
        # Below the smallest normal number the quantum is 2^-24, which is that of the float32 numbers around 0.75.
        magnitude -= np.uint32(1)
        small = np.flatnonzero(magnitude < np.uint32(_SMALLEST_NORMAL_F16 - 1))
        if len(small):
            tiny = values[small]
            result[small] = np.copysign((tiny + np.float32(0.75)) - np.float32(0.75), tiny)


_LARGEST_SIMPLE = {"f16": 0x477FEFFF, "bf16": 0x7F800000, "tf32": 0x7F800000}
"""Up to this magnitude, as bits of a ``float32``, rounding is an addition: below 65520 for f16, no NaN for others."""

_SMALLEST_NORMAL_F16 = 0x38800000


# Casts


def cast(source: DType, target: DType, elements: Array, rounding: str, saturate: bool, random: Random) -> Array:
    """Elements of one format as the nearest of another; see ``dtypes.cast_codes``."""
    if source is target:
        return elements
    numbers = _numbers(source, elements)
    if rounding == "nearest_even" and target.carrier is not None and target.kind == "float":
        finite = not saturate and numbers.dtype.kind == "f"
        if finite and numbers.dtype == np.float32 and target.name != "f64":
            return numbers if _holds(target, source) else round_to(target, numbers)
        if finite and target.name in ("f32", "f64"):
            with np.errstate(over="ignore", invalid="ignore"):
                return numbers.astype(target.carrier)
    codes = encode(target, numbers, rounding, saturate, random)
    return to_values(target, codes) if target.carrier is not None else codes


def _numbers(source: DType, elements: Array) -> Array:
    """Elements as exact numbers: in the carrier, or ``float32``, which holds every format of at most 16 bits."""
    if source.carrier is not None:
        return to_values(source, elements)
    return decode(source, elements, np.dtype(np.float32))


def _holds(target: DType, source: DType) -> bool:
    """Whether every number of one format, a float or a narrow one, is a number of another float format."""
    if source.kind == "float" and source.specials != "scale":
        return source.mantissa <= target.mantissa and source.max <= target.max and source.smallest >= target.smallest
    if source.kind in ("int", "uint"):
        return source.bits <= target.mantissa + 1 and source.max <= target.max
    return False
