"""Encoding and decoding: between numbers and the codes of a format, for whole arrays.

There is one exact algorithm for all floats: scale a number so that the format's quantum at its magnitude is 1, round it to an
integer, and place exponent and mantissa into the code. It works in ``float64``, where every step but the rounding is exact.

Formats of at most 8 bits are fast by tables, which that algorithm fills once. To encode, a number is cut to the upper 17 or 18
bits of its ``float32`` form, the last of which says whether anything was cut off (rounding *to odd*): all numbers with the
same upper bits lie between the same two neighbours on the same side of their middle, so they share one code. To decode to ``float32``, two
codes are looked up at a time, in a table of 65,536 pairs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tilevm.dtypes import BF16, F16, ROUNDINGS, DType, Random
from tilevm.errors import DTypeError, did_you_mean

__all__ = ["cast", "decode", "encode", "round_to", "to_codes", "to_values"]

Array = NDArray[Any]
CHUNK = 1 << 16
"""Elements that are worked on at a time, so that intermediate arrays stay in the cache."""


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
            help=did_you_mean(rounding, ROUNDINGS) or f"roundings are {', '.join(ROUNDINGS)}",
        )
    bits = _random_bits(rounding, random, values.shape)
    if values.dtype.kind == "b":
        values = values.astype(np.uint8)
    elif values.dtype.kind not in "iuf":
        values = values.astype(np.float64)
    with np.errstate(all="ignore"):
        if dtype.kind in ("int", "uint") and values.dtype.kind in "iu":
            return _encode_exact_integers(dtype, values, saturate)
        numbers = _as_floats(values)
        # Cut to 17 bits, a number still has its neighbours, but not its remainder modulo 2^bits.
        wraps = dtype.kind in ("int", "uint") and not saturate
        if dtype.bits <= 8 and bits is None and not wraps:
            return _encode_by_table(dtype, numbers, rounding, saturate)
        if dtype.name == "f16" and rounding == "nearest_even" and not saturate:
            return numbers.astype(np.float16).view(np.uint16)
        if dtype.name in ("f32", "f64") and rounding == "nearest_even" and not saturate:
            return numbers.astype(dtype.carrier).view(dtype.storage)
        return _encode_exactly(dtype, numbers.astype(np.float64), rounding, saturate, bits)


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
    if values.dtype.kind == "f" or values.dtype.itemsize <= 4:
        return values.astype(np.float32 if values.dtype == np.float16 else np.float64)
    # 64-bit integers: to odd, so that a second rounding is not misled by the first.
    near = values.astype(np.float64)
    exact = np.abs(near) <= 2.0**53
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
            result[part][unsure] = _encode_exactly(dtype, exact, rounding, saturate, None)
    return result.reshape(numbers.shape)


def _chunks(length: int) -> Iterator[slice]:
    return (slice(start, min(start + CHUNK, length)) for start in range(0, length, CHUNK))


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
    """How many bits of a ``float32`` are cut. What is left of the mantissa must hold, above its last bit, a number of the
    format and one bit more, which says on which side of the middle between two of them a number lies."""
    return 14 if dtype.kind == "uint" and dtype.bits == 8 else 15


@lru_cache(maxsize=512)
def _table(dtype: DType, rounding: str, saturate: bool) -> NDArray[np.uint8]:
    """The code of every ``float32`` number whose lower bits are zero, by its upper bits."""
    cut = _cut(dtype)
    numbers = (np.arange(1 << (32 - cut), dtype=np.uint32) << np.uint32(cut)).view(np.float32)
    # A NaN whose payload is all in the bits that are cut has the last bit set, so that it is a NaN here too.
    with np.errstate(all="ignore"):
        return _encode_exactly(dtype, numbers.astype(np.float64), rounding, saturate, None).astype(np.uint8)


@lru_cache(maxsize=64)
def _unsure(dtype: DType, rounding: str) -> NDArray[np.bool_]:
    """Where numbers with the same upper bits may have different codes: the middle between two values of a codebook, unlike
    that between two numbers of a float, may have any bits."""
    cut = _cut(dtype)
    keys = np.arange(1 << (32 - cut), dtype=np.uint32)
    last = (keys << np.uint32(cut)) + np.uint32((1 << cut) - 1)
    # An odd key stands for what was cut as well: for everything between its two even neighbours.
    first = (keys << np.uint32(cut)) - np.uint32((1 << cut) - 1) * (keys & np.uint32(1))
    with np.errstate(all="ignore"):
        ends = [
            _encode_exactly(dtype, bits.view(np.float32).astype(np.float64), rounding, True, None) for bits in (first, last)
        ]
    unsure: NDArray[np.bool_] = ends[0] != ends[1]
    return unsure


def _encode_exactly(
    dtype: DType, numbers: NDArray[np.float64], rounding: str, saturate: bool, random: NDArray[np.uint32] | None
) -> Array:
    """The one algorithm, for ``float64`` numbers."""
    if dtype.kind == "codebook":
        return _encode_codebook(dtype, numbers, rounding, random)
    if dtype.kind != "float":
        return _encode_integers(dtype, numbers, rounding, saturate, random)
    if dtype.specials == "scale":
        return _encode_scales(dtype, numbers, rounding, saturate, random)
    magnitude = np.abs(numbers)
    exponent = np.where(magnitude > 0, np.frexp(magnitude)[1], -(1 << 12))
    quantum = np.maximum(exponent - 1, 1 - dtype.bias) - dtype.mantissa
    scaled = np.ldexp(numbers, -quantum)
    whole = _round_whole(scaled, rounding, random)
    code = _place(dtype, np.abs(np.where(np.isfinite(whole), whole, 0)).astype(np.int64), quantum)
    return _specials(dtype, numbers, np.ldexp(whole, quantum), code, rounding, saturate).astype(dtype.storage)


def _round_whole(scaled: NDArray[np.float64], rounding: str, random: NDArray[np.uint32] | None) -> NDArray[np.float64]:
    """Numbers rounded to integers. ``floor`` and the difference to it are exact."""
    if random is not None:
        below = np.floor(scaled)
        return below + (random < np.ldexp(scaled - below, 32))
    return _ROUND[rounding](scaled)


def _away(scaled: NDArray[np.float64]) -> NDArray[np.float64]:
    cut = np.trunc(scaled)
    return cut + np.where(np.abs(scaled - cut) >= 0.5, np.copysign(1.0, scaled), 0.0)


_ROUND: dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "nearest_even": np.rint,
    "nearest_away": _away,
    "toward_zero": np.trunc,
    "up": np.ceil,
    "down": np.floor,
}


def _place(dtype: DType, whole: NDArray[np.int64], quantum: Array) -> NDArray[np.int64]:
    """Exponent and mantissa of |number| = whole · 2^quantum, where whole is at most 2^(mantissa + 1)."""
    field = quantum.astype(np.int64) + dtype.mantissa + dtype.bias
    # Adding the field below the implicit bit lets a carry, and the step from subnormal to normal, come out by themselves.
    return ((field - 1) << dtype.mantissa) + whole


def _specials(dtype: DType, numbers: Array, rounded: Array, code: Array, rounding: str, saturate: bool) -> Array:
    """Adds the sign, and what happens beyond the largest number and to NaN."""
    negative = np.signbit(numbers)
    top = encoded_max(dtype)
    beyond = np.abs(rounded) > float(dtype.max)
    overflow = top
    if not saturate and dtype.has_nan:
        ones = (1 << (dtype.exponent + dtype.mantissa)) - 1
        infinite = ((1 << dtype.exponent) - 1) << dtype.mantissa
        overflow = {"ieee": infinite, "fn": ones, "fnuz": 1 << (dtype.bits - 1)}[dtype.specials]
    code = np.where(beyond, overflow, code)
    if not saturate and dtype.has_infinity:
        # A directed rounding towards zero does not leave the finite numbers.
        held = {"toward_zero": True, "up": negative, "down": ~negative}.get(rounding, False)
        code = np.where(beyond & held & np.isfinite(numbers), top, code)
    if dtype.signed:
        sign = negative & ~((dtype.specials == "fnuz") & ((code == 0) | (code == 1 << (dtype.bits - 1))))
        code = code | np.where(sign, 1 << (dtype.bits - 1), 0)
    else:
        below = rounded < 0
        code = np.where(below, 0 if saturate or not dtype.has_nan else _nan_code(dtype, negative), code)
    nan = _nan_code(dtype, negative)
    return np.where(np.isnan(numbers), nan, code)


def encoded_max(dtype: DType) -> int:
    """The code of the largest number of a float format."""
    ones = (1 << (dtype.exponent + dtype.mantissa)) - 1
    return {"finite": ones, "fnuz": ones, "fn": ones - 1, "ieee": ones - (1 << dtype.mantissa), "scale": ones - 1}[
        dtype.specials
    ]


def _nan_code(dtype: DType, negative: Array) -> Array:
    ones = (1 << (dtype.exponent + dtype.mantissa)) - 1
    sign = np.where(negative & dtype.signed, 1 << (dtype.bits - 1), 0)
    if dtype.specials == "finite":
        return np.full(negative.shape, ones)
    if dtype.specials == "fnuz":
        return np.full(negative.shape, 1 << (dtype.bits - 1))
    if dtype.specials == "ieee":
        return sign | (((1 << dtype.exponent) - 1) << dtype.mantissa) | (1 << (dtype.mantissa - 1))
    return sign | ones


def _encode_scales(
    dtype: DType, numbers: Array, rounding: str, saturate: bool, random: NDArray[np.uint32] | None
) -> NDArray[np.uint8]:
    """Powers of two. There is no zero and no negative number: these are below the smallest."""
    _, exponent = np.frexp(numbers)
    whole = _round_whole(np.ldexp(numbers, 1 - exponent), rounding, random)
    field = np.where(np.isfinite(whole), whole, 1).astype(np.int64) - 2 + exponent + dtype.bias
    ones = (1 << dtype.bits) - 1
    below = (numbers <= 0) | (field < 0)
    above = (field >= ones) | (numbers == np.inf)
    code = np.where(below, 0, np.where(above, ones - 1, field))
    if not saturate:
        code = np.where((numbers <= 0) | above, ones, code)
    return np.where(np.isnan(numbers), ones, code).astype(np.uint8)


def _encode_codebook(dtype: DType, numbers: Array, rounding: str, random: NDArray[np.uint32] | None) -> Array:
    order = np.argsort(dtype.table)
    grid = np.array(dtype.table)[order]
    code = _neighbour(grid, np.clip(numbers, grid[0], grid[-1]), order, rounding, random)
    zero = int(np.argmin(np.abs(np.array(dtype.table))))
    return np.where(np.isnan(numbers), zero, code).astype(dtype.storage)


def _neighbour(
    grid: NDArray[np.float64], numbers: Array, codes: Array, rounding: str, random: NDArray[np.uint32] | None
) -> Array:
    """The code of one of the two numbers of an ascending grid between which each number lies."""
    numbers = np.where(np.isnan(numbers), grid[0], numbers)
    low = np.clip(np.searchsorted(grid, numbers, side="right") - 1, 0, len(grid) - 1)
    high = np.minimum(low + 1, len(grid) - 1)
    below, above = numbers - grid[low], grid[high] - numbers
    if random is not None:
        upper = random < np.ldexp(below / np.where(high > low, grid[high] - grid[low], 1.0), 32)
    elif rounding == "up":
        upper = below > 0
    elif rounding == "down":
        upper = np.zeros(below.shape, np.bool_)
    elif rounding == "toward_zero":
        upper = (below > 0) & (grid[low] < 0) & (grid[high] <= 0)
    elif rounding == "nearest_away":
        upper = (above < below) | ((above == below) & (numbers > 0))
    else:
        upper = (above < below) | ((above == below) & (codes[low] & 1 == 1))
    return np.where(upper, codes[high], codes[low])


def _encode_integers(
    dtype: DType, numbers: Array, rounding: str, saturate: bool, random: NDArray[np.uint32] | None
) -> Array:
    whole = _round_whole(np.where(np.isnan(numbers), 0.0, numbers), rounding, random)
    if saturate:
        low, high = int(dtype.min), int(dtype.max)
        # 2^64 - 1 is not a float64: what reaches 2^64 is replaced after the conversion.
        inside = np.clip(whole, low, float(np.nextafter(2.0**dtype.bits, 0)) if dtype.bits == 64 else high)
        exact = inside.astype(np.int64 if dtype.kind == "int" else np.uint64)
        exact = np.where(whole >= float(high), np.array(high, exact.dtype), exact)
        exact = np.where(whole <= float(low), np.array(low, exact.dtype), exact)
    else:
        exact = np.fmod(np.where(np.isfinite(whole), whole, 0.0), 2.0**64)
        negative = exact < 0
        exact = np.where(negative, -exact, exact).astype(np.uint64)
        exact = np.where(negative, ~exact + np.uint64(1), exact)
    return (exact.astype(np.int64, copy=False).view(np.uint64) & np.uint64((1 << dtype.bits) - 1)).astype(dtype.storage)


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
        return (np.ascontiguousarray(elements).view(np.uint32) >> shift).astype(dtype.storage)
    if dtype.bits == 1:
        return elements.astype(np.uint8)
    return np.ascontiguousarray(elements).view(dtype.storage) if elements.ndim else elements.view(dtype.storage)


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
        codes = encode(dtype, values, "nearest_even", False, None)
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
"""Up to this magnitude, as bits of a ``float32``, rounding is an addition: below 65520 for f16, no NaN for the others."""

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
        return (
            source.mantissa <= target.mantissa
            and source.max <= target.max
            and source.smallest >= target.smallest
        )
    if source.kind in ("int", "uint"):
        return source.bits <= target.mantissa + 1 and source.max <= target.max
    return False
