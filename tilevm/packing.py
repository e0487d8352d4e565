"""Packing: codes of any width as a dense bit stream, least significant bit first.

Element i of b bits takes the bits [i·b, (i+1)·b) of the stream, bit j of which is bit j % 8 of byte j // 8; elements
straddle bytes. Below 8 bits, codes come one in a byte, and are moved together in lanes of 16, then 32, then 64 bits:

    16 bits   0000 0bbb 0000 0aaa                        x - (x >> 8) · (2^8 - 2^b)
    32 bits   0000 0000 00dd dccc 0000 0000 00bb baaa    x - (x >> 16) · (2^16 - 2^2b)

A subtraction moves the upper half down to the lower one, whatever both hold. Up to 4 bits a product needs one step
less: x · (2^10 + 2^5) holds bbbaaa in the upper bits of 16. Lanes end where they hold whole bytes: one for 2 and 4
bits, else b in a lane of 64, two of which then make 2b bytes.

>>> pack([1, 2, 3, 4], 4).tolist(), unpack(pack([1, 2, 3, 4], 4), 4, 4).tolist()
([33, 67], [1, 2, 3, 4])
"""

from __future__ import annotations

import operator
from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tilevm.errors import DTypeError

__all__ = ["pack", "pack_trits", "packed_bytes", "unpack", "unpack_trits"]

Bytes: TypeAlias = NDArray[np.uint8]

BLOCK = 32
"""Codes that make a whole number of the largest units below: 32 codes of b bits are 4b bytes, for b = 3 two of 6."""

PART = 1 << 18
"""Codes that are worked on at a time, so that intermediate arrays stay in the cache."""

_WHOLE = {8: "<u1", 16: "<u2", 32: "<u4", 64: "<u8"}


def packed_bytes(count: int, bits: int) -> int:
    """How many bytes ``count`` elements of ``bits`` bits take.

    >>> packed_bytes(3, 6)
    3
    """
    return (int(count) * int(bits) + 7) // 8


def pack(codes: ArrayLike, bits: int) -> NDArray[np.uint8]:
    """Codes of ``bits`` bits (1 to 64) as a dense bit stream; an array of any shape is taken in row-major order.

    What is left of the last byte is zero. Raises ``DTypeError`` D003 for a code that has more bits, D006 for another
    width.

    >>> pack([5, 3, 7], 3).tolist()      # 101, 011, 111: the third straddles two bytes
    [221, 1]
    """
    bits = _width(bits)
    flat = _checked(codes, (1 << bits) - 1, f"{bits} bits")
    if bits in _WHOLE:
        return flat.astype(_WHOLE[bits]).view(np.uint8)
    if bits == 1:
        return np.packbits(flat.astype(np.uint8, copy=False), bitorder="little")
    if bits > 8:
        return _pack_wide(flat, bits)
    narrow = flat.astype(np.uint8, copy=False)
    blocks = -(-narrow.size // BLOCK)
    stream = np.empty(blocks * BLOCK * bits // 8, np.uint8)
    whole = narrow.size // BLOCK * BLOCK
    spare = (np.empty(PART, np.uint8), np.empty(PART, np.uint8))
    for part in _parts(whole):
        _pack_part(narrow[part], bits, stream[part.start * bits // 8 : part.stop * bits // 8], spare)
    if whole < narrow.size:
        _pack_part(_padded(narrow[whole:], BLOCK), bits, stream[whole * bits // 8 :], spare)
    return stream[: packed_bytes(narrow.size, bits)]


def unpack(stream: ArrayLike, bits: int, count: int) -> NDArray[Any]:
    """The first ``count`` codes of a dense bit stream, in the smallest unsigned NumPy type that holds ``bits`` bits.

    Raises ``DTypeError`` D006 for a width that is not 1 to 64, D007 for a stream that is not of bytes or too short, or
    a count that is not an integer of at least 0.
    """
    bits, count = _width(bits), _count(count)
    data = np.ascontiguousarray(_bytes(stream)).reshape(-1)
    needed = packed_bytes(count, bits)
    if needed > data.size:
        raise DTypeError("D007", f"{count} codes of {bits} bits take {needed} bytes, but there are {data.size}")
    if bits in _WHOLE:
        return data[:needed].view(_WHOLE[bits]).astype(_WHOLE[bits][1:])
    if bits == 1:
        return np.unpackbits(data[:needed], count=count, bitorder="little")
    if bits > 8:
        return _unpack_wide(data[:needed], bits, count)
    codes = np.empty(-(-count // BLOCK) * BLOCK, np.uint8)
    whole = count // BLOCK * BLOCK
    spare = np.empty(PART, np.uint8)
    for part in _parts(whole):
        _unpack_part(data[part.start * bits // 8 : part.stop * bits // 8], bits, codes[part], spare)
    if whole < count:
        _unpack_part(_padded(data[whole * bits // 8 : needed], BLOCK * bits // 8), bits, codes[whole:], spare)
    return codes[:count]


def _width(bits: int) -> int:
    """A width as a Python integer: NumPy's own overflow where masks are made."""
    if not isinstance(bits, int | np.integer) or not 1 <= bits <= 64:
        raise DTypeError("D006", f"an element has 1 to 64 bits, not {bits!r}")
    return operator.index(bits)


def _count(count: int) -> int:
    if not isinstance(count, int | np.integer) or count < 0:
        raise DTypeError("D007", f"there are 0 or more codes to unpack, not {count!r}")
    return operator.index(count)


def _bytes(stream: ArrayLike) -> NDArray[np.uint8]:
    given = np.asarray(stream)
    if given.dtype != np.uint8:
        raise DTypeError("D007", f"packed data are bytes (uint8), not {given.dtype}")
    return given


def _checked(codes: ArrayLike, last: int, what: str) -> NDArray[Any]:
    """Codes in a row, all of which are in 0 … last."""
    given = np.asarray(codes)
    if given.size == 0:
        return np.zeros(0, np.uint8)
    if given.dtype.kind not in "uib":
        raise DTypeError("D003", f"codes are integers, not {given.dtype}")
    for extreme in (int(given.max()), int(given.min()) if given.dtype.kind == "i" else 0):
        if not 0 <= extreme <= last:
            raise DTypeError("D003", f"{extreme} is not a code of {what}: these are 0 … {last}")
    return np.ascontiguousarray(given).reshape(-1)


def _parts(count: int) -> Iterator[slice]:
    return (slice(start, min(start + PART, count)) for start in range(0, count, PART))


def _padded(data: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    return np.concatenate([data, np.zeros(size - data.size, np.uint8)])


# Two to seven bits


def _lanes(bits: int) -> list[tuple[int, int]]:
    """Each size of a lane, with the bits that either half of it holds."""
    sizes = {2: (16, 32), 4: (16,)}.get(bits, (16, 32, 64))
    return [(size, bits << place) for place, size in enumerate(sizes)]


def _pack_part(codes: Bytes, bits: int, stream: Bytes, spare: tuple[Bytes, Bytes]) -> None:
    held: NDArray[Any] = codes
    for size, width in _lanes(bits):
        lanes, upper = (each[: codes.size].view(f"<u{size // 8}") for each in spare)
        held = held.view(lanes.dtype)
        if 4 * width <= size:
            # The first term puts the lower half at its place and drops the upper one, which the second term places.
            np.multiply(held, (1 << (size - 2 * width)) + (1 << (size // 2 - width)), out=lanes)
            np.right_shift(lanes, size - 2 * width, out=lanes)
        else:
            np.right_shift(held, size // 2, out=upper)
            np.multiply(upper, (1 << (size // 2)) - (1 << width), out=upper)
            np.subtract(held, upper, out=lanes)
        held = lanes
    if bits in (2, 4):
        stream[:] = held
    else:
        _store(held, bits, stream)


def _unpack_part(stream: Bytes, bits: int, codes: Bytes, spare: Bytes) -> None:
    lanes = _lanes(bits)
    held = codes.view(f"<u{lanes[-1][0] // 8}")
    held[:] = stream if bits in (2, 4) else _load(stream, bits)
    for size, width in reversed(lanes):
        held = held.view(f"<u{size // 8}")
        upper = spare[: codes.size].view(held.dtype)
        np.right_shift(held, width, out=upper)
        np.multiply(upper, (1 << (size // 2)) - (1 << width), out=upper)
        np.add(held, upper, out=held)


def _store(words: NDArray[np.uint64], size: int, stream: NDArray[np.uint8]) -> None:
    """Words that hold ``size`` bytes each, without gaps. Two are written at a time, by their first and last 8 bytes."""
    if size < 4:
        words, size = words[::2] | words[1::2] << np.uint64(8 * size), 2 * size
    even, odd = words[::2], words[1::2]
    pairs = stream.reshape(-1, 2 * size)
    pairs[:, :8].view("<u8")[:, 0] = even | odd << (8 * size)
    pairs[:, -8:].view("<u8")[:, 0] = even >> (16 * size - 64) | odd << (64 - 8 * size)


def _load(stream: NDArray[np.uint8], size: int) -> NDArray[np.uint64]:
    """The inverse of ``_store``."""
    if size < 4:
        double = _load(stream, 2 * size)
        return np.stack([double & ((1 << (8 * size)) - 1), double >> (8 * size)], axis=1).reshape(-1)
    pairs = stream.reshape(-1, 2 * size)
    words = np.empty((len(pairs), 2), np.uint64)
    words[:, 0] = pairs[:, :8].view("<u8")[:, 0] & ((1 << (8 * size)) - 1)
    words[:, 1] = pairs[:, -8:].view("<u8")[:, 0] >> (64 - 8 * size)
    return words.reshape(-1)


# More than eight bits: eight elements take a whole number of bytes


def _pack_wide(flat: NDArray[Any], bits: int) -> NDArray[np.uint8]:
    groups = np.zeros((-(-flat.size // 8), 8), np.uint64)
    groups.reshape(-1)[: flat.size] = flat
    stream = np.zeros((len(groups), bits), np.uint8)
    for element in range(8):
        for byte, shift in _bytes_of(element, bits):
            moved = groups[:, element] << -shift if shift < 0 else groups[:, element] >> shift
            stream[:, byte] |= moved.astype(np.uint8)
    return stream.reshape(-1)[: packed_bytes(flat.size, bits)]


def _unpack_wide(data: NDArray[np.uint8], bits: int, count: int) -> NDArray[Any]:
    length = -(-count // 8)
    stream = _padded(data, length * bits).reshape(length, bits)
    storage = np.dtype(np.uint16 if bits <= 16 else np.uint32 if bits <= 32 else np.uint64)
    groups = np.zeros((length, 8), storage)
    for element in range(8):
        for byte, shift in _bytes_of(element, bits):
            held = stream[:, byte].astype(storage)
            groups[:, element] |= held >> -shift if shift < 0 else held << shift
    groups &= storage.type((1 << bits) - 1)
    return groups.reshape(-1)[:count]


def _bytes_of(element: int, bits: int) -> Iterator[tuple[int, int]]:
    """The bytes of a group in which an element lies, and which bit of the element is the lowest of each byte."""
    first = element * bits
    return ((byte, 8 * byte - first) for byte in range(first // 8, (first + bits + 7) // 8))


# Trits


def pack_trits(codes: ArrayLike) -> NDArray[np.uint8]:
    """Codes 0, 1, 2 of ``trit``, five in a byte: 1.6 bits each. The first is the least significant digit in base 3.

    Raises ``DTypeError`` D003 for another code.

    >>> pack_trits([2, 0, 1, 0, 0, 1]).tolist()
    [11, 1]
    """
    flat = _checked(codes, 2, "trit")
    digits = _padded(flat.astype(np.uint8, copy=False), -(-flat.size // 5) * 5).reshape(-1, 5)
    packed = digits[:, 4].copy()
    for place in (3, 2, 1, 0):
        packed *= np.uint8(3)
        packed += digits[:, place]
    return packed


def unpack_trits(stream: ArrayLike, count: int) -> NDArray[np.uint8]:
    """The first ``count`` trits of bytes of five, as codes.

    Raises ``DTypeError`` D007 for a stream that is not of bytes, is too short or holds a byte above 242, or a count
    that is not an integer of at least 0.
    """
    count = _count(count)
    data = _bytes(stream).reshape(-1)
    needed = -(-count // 5)
    if needed > data.size:
        raise DTypeError("D007", f"{count} trits take {needed} bytes, but there are {data.size}")
    data = data[:needed]
    if data.size and int(data.max()) > 242:
        raise DTypeError("D007", f"a byte of five trits is 0 … 242, not {int(data.max())}")
    digits = data[:, None] // np.array([1, 3, 9, 27, 81], np.uint8)
    digits %= np.uint8(3)
    return digits.reshape(-1)[:count]
