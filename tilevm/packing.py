"""Packing: codes of any width as a dense bit stream, least significant bit first.

Element i of b bits takes the bits [i·b, (i+1)·b) of the stream, bit j of which is bit j % 8 of byte j // 8; elements straddle
bytes. Eight elements fill b bytes, so for b < 8 a group of eight codes is put together in one 64-bit word by three steps, each
of which joins neighbours: eight codes of b bits, four of 2b, two of 4b, one of 8b.

>>> pack([1, 2, 3, 4], 4).tolist(), unpack(pack([1, 2, 3, 4], 4), 4, 4).tolist()
([33, 67], [1, 2, 3, 4])
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tilevm.errors import DTypeError

__all__ = ["pack", "pack_trits", "packed_bytes", "unpack", "unpack_trits"]

GROUPS = 1 << 13
"""Groups of eight codes that are worked on at a time, so that intermediate arrays stay in the cache."""


def packed_bytes(count: int, bits: int) -> int:
    """How many bytes ``count`` elements of ``bits`` bits take.

    >>> packed_bytes(3, 6)
    3
    """
    return (count * bits + 7) // 8


def pack(codes: ArrayLike, bits: int) -> NDArray[np.uint8]:
    """Codes of ``bits`` bits (1 to 64) as a dense bit stream; an array of any shape is taken in row-major order.

    What is left of the last byte is zero. Raises ``DTypeError`` D003 for a code that has more bits, D006 for another width.
    """
    _check_width(bits)
    given = np.asarray(codes)
    if given.dtype.kind not in "uib":
        raise DTypeError("D003", f"codes are integers, not {given.dtype}")
    flat = np.ascontiguousarray(given).reshape(-1)
    if flat.size and (int(flat.max()) >= 1 << bits or int(flat.min()) < 0):
        wrong = int(flat.max()) if int(flat.max()) >= 1 << bits else int(flat.min())
        raise DTypeError("D003", f"{wrong} is not a code of {bits} bits: these are 0 … {(1 << bits) - 1}")
    if bits % 8 == 0:
        return flat.astype("<u8").view(np.uint8).reshape(-1, 8)[:, : bits // 8].reshape(-1) if bits not in _WHOLE else (
            flat.astype(_WHOLE[bits]).view(np.uint8)
        )
    if bits > 8:
        return _pack_bits(flat, bits)
    stream = np.zeros((-(-flat.size // 8), bits), np.uint8)
    flat = flat.astype(np.uint8, copy=False)
    whole = flat.size // 8
    for part in _parts(whole):
        words = flat[8 * part.start : 8 * part.stop].view("<u8")
        stream[part] = _join(words, bits).view(np.uint8).reshape(-1, 8)[:, :bits]
    if flat.size % 8:
        last = np.zeros(8, np.uint8)
        last[: flat.size % 8] = flat[8 * whole :]
        stream[whole] = _join(last.view("<u8"), bits).view(np.uint8)[:bits]
    return stream.reshape(-1)[: packed_bytes(flat.size, bits)]


def unpack(stream: ArrayLike, bits: int, count: int) -> NDArray[Any]:
    """The first ``count`` codes of a dense bit stream, in the smallest unsigned NumPy type that holds ``bits`` bits.

    Raises ``DTypeError`` D006 for a width that is not 1 to 64, D007 for a stream that is too short.
    """
    _check_width(bits)
    given = np.asarray(stream)
    if given.dtype != np.uint8:
        raise DTypeError("D007", f"packed data are bytes (uint8), not {given.dtype}")
    data = np.ascontiguousarray(given).reshape(-1)
    if data.size < packed_bytes(count, bits):
        raise DTypeError(
            "D007", f"{count} codes of {bits} bits take {packed_bytes(count, bits)} bytes, but there are {data.size}"
        )
    if bits in _WHOLE:
        return data[: count * bits // 8].view(_WHOLE[bits]).astype(_WHOLE[bits][1:])
    if bits > 8:
        return _unpack_bits(data, bits, count)
    codes = np.empty(-(-count // 8) * 8, np.uint8)
    whole = min(count // 8, data.size // bits)
    words = np.zeros((min(GROUPS, max(whole, 1)), 8), np.uint8)
    for part in _parts(whole):
        own = words[: part.stop - part.start]
        own[:, :bits] = data[bits * part.start : bits * part.stop].reshape(-1, bits)
        codes[8 * part.start : 8 * part.stop] = _split(own.view("<u8").reshape(-1), bits).view(np.uint8)
    if count > 8 * whole:
        last = np.zeros(8, np.uint8)
        rest = data[bits * whole : packed_bytes(count, bits)]
        last[: rest.size] = rest
        codes[8 * whole :] = _split(last.view("<u8"), bits).view(np.uint8)
    return codes[:count]


_WHOLE = {8: "<u1", 16: "<u2", 32: "<u4", 64: "<u8"}


def _check_width(bits: int) -> None:
    if not 1 <= bits <= 64:
        raise DTypeError("D006", f"an element has 1 to 64 bits, not {bits}")


def _parts(groups: int) -> Iterator[slice]:
    return (slice(start, min(start + GROUPS, groups)) for start in range(0, groups, GROUPS))


def _masks(bits: int) -> list[tuple[np.uint64, np.uint64, np.uint64]]:
    """For each step: by how much the odd neighbours move, and where the even and the odd ones lie before it."""
    steps = []
    for width, lane in ((bits, 8), (2 * bits, 16), (4 * bits, 32)):
        ones = (1 << width) - 1
        even = sum(ones << (2 * lane * place) for place in range(64 // (2 * lane)))
        steps.append((np.uint64(lane - width), np.uint64(even), np.uint64(even << lane)))
    return steps


def _join(words: NDArray[np.uint64], bits: int) -> NDArray[np.uint64]:
    """Eight codes, one in each byte of a word, moved together at its foot."""
    for shift, even, odd in _masks(bits):
        moved = words & odd
        moved >>= shift
        words = words & even
        words |= moved
    return words


def _split(words: NDArray[np.uint64], bits: int) -> NDArray[np.uint64]:
    """The inverse of ``_join``."""
    for shift, even, odd in reversed(_masks(bits)):
        moved = words << shift
        moved &= odd
        words = words & even
        words |= moved
    return words


def _pack_bits(flat: NDArray[Any], bits: int) -> NDArray[np.uint8]:
    """Widths above 8 that are not whole bytes, bit by bit."""
    planes = (flat.astype(np.uint64)[:, None] >> np.arange(bits, dtype=np.uint64)) & np.uint64(1)
    return np.packbits(planes.astype(np.uint8).reshape(-1), bitorder="little")


def _unpack_bits(data: NDArray[np.uint8], bits: int, count: int) -> NDArray[Any]:
    planes = np.unpackbits(data, count=count * bits, bitorder="little").reshape(count, bits)
    codes = np.zeros(count, np.uint64)
    for place in range(bits):
        codes |= planes[:, place].astype(np.uint64) << np.uint64(place)
    return codes.astype(np.uint16 if bits <= 16 else np.uint32 if bits <= 32 else np.uint64)


def pack_trits(codes: ArrayLike) -> NDArray[np.uint8]:
    """Codes 0, 1, 2 of ``trit``, five in a byte: 1.6 bits each. The first is the least significant digit in base 3.

    Raises ``DTypeError`` D003 for another code.

    >>> pack_trits([2, 0, 1, 0, 0, 1]).tolist()
    [11, 1]
    """
    flat = np.asarray(codes).reshape(-1)
    if flat.size and (int(flat.max()) > 2 or int(flat.min()) < 0):
        raise DTypeError("D003", "codes of trit are 0, 1 and 2")
    digits = np.zeros(-(-flat.size // 5) * 5, np.uint8)
    digits[: flat.size] = flat
    return (digits.reshape(-1, 5) * np.array([1, 3, 9, 27, 81], np.uint8)).sum(axis=1, dtype=np.uint8)


def unpack_trits(stream: ArrayLike, count: int) -> NDArray[np.uint8]:
    """The inverse of ``pack_trits``. Raises ``DTypeError`` D007 for a stream that is too short or holds a byte above 242."""
    data = np.asarray(stream, np.uint8).reshape(-1)
    if 5 * data.size < count:
        raise DTypeError("D007", f"{count} trits take {-(-count // 5)} bytes, but there are {data.size}")
    if data.size and int(data.max()) > 242:
        raise DTypeError("D007", f"a byte of five trits is 0 … 242, not {int(data.max())}")
    return (data[:, None] // np.array([1, 3, 9, 27, 81], np.uint8) % 3).astype(np.uint8).reshape(-1)[:count]
