"""The addresses that the threads of a block form for one instruction, and what memory makes of them.

Plans hold addresses as sums of parts; here they are added up, in bytes, for every thread at once. What is counted is
what the simulator counts when it runs the emitted source (``host/machine/requests.h``): a *request* is one instruction
of a warp; global memory moves the sectors of 32 bytes that it touches; shared memory passes once for each different
word of its fullest bank, 32 lanes at a time for up to 4 bytes, 16 for 8 and 8 for 16 bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tilevm.memory_terms import Term
from tilevm.plans.accesses import Access, Address, Bound, ElementAddress, ThreadStep
from tilevm.plans.matrix_access import Matrices
from tilevm.plans.window_terms import BYTE
from tilevm.sizes import Size, evaluate

__all__ = ["Counts", "access_requests", "base_address", "count_global", "count_shared", "matrix_requests"]

Numbers = NDArray[np.int64]
Mask = NDArray[np.bool_]

LANES, BANKS, WORD, SECTOR = 32, 32, 4, 32
OUTSIDE = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Counts:
    """What some executions of an instruction ask of memory."""

    requests: float = 0
    lane_bytes: float = 0
    """What all lanes move, those that move the same too."""
    bytes: float = 0
    """Different bytes, of each request for itself."""
    sectors: float = 0
    """Sectors of global memory, 32 bytes each."""
    wavefronts: float = 0
    """Passes through the banks of shared memory."""
    ideal_wavefronts: float = 0
    """The fewest that would do."""

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.requests + other.requests,
            self.lane_bytes + other.lane_bytes,
            self.bytes + other.bytes,
            self.sectors + other.sectors,
            self.wavefronts + other.wavefronts,
            self.ideal_wavefronts + other.ideal_wavefronts,
        )

    def times(self, factor: float) -> Counts:
        """So many times as many executions."""
        return Counts(
            self.requests * factor,
            self.lane_bytes * factor,
            self.bytes * factor,
            self.sectors * factor,
            self.wavefronts * factor,
            self.ideal_wavefronts * factor,
        )


def _value(size: Size, sizes: Mapping[str, int]) -> int:
    return size if isinstance(size, int) else evaluate(size, sizes)


def _terms(terms: Iterable[Term], indices: Sequence[Numbers], sizes: Mapping[str, int]) -> Numbers:
    """The sum of terms over the index along each dimension."""
    total: Numbers = np.zeros((), np.int64)
    for term in terms:
        number = indices[term.dim] // term.divide
        number = number if term.modulo is None else number % term.modulo
        total = total + number * _value(term.stride, sizes)
    return total


def _threads(steps: Iterable[ThreadStep], threads: Numbers, sizes: Mapping[str, int]) -> Numbers:
    total = np.zeros_like(threads)
    for step in steps:
        digit = threads // step.divide
        total = total + (digit if step.modulo is None else digit % step.modulo) * _value(step.stride, sizes)
    return total


def _swizzled(moves: Iterable[tuple[int, int]], offset: Numbers) -> Numbers:
    for mask, distance in moves:
        moved = offset & mask
        offset = offset ^ (moved >> distance if distance >= 0 else moved << -distance)
    return offset


def base_address(access: Access, offsets: Sequence[Numbers], sizes: Mapping[str, int]) -> Numbers:
    """What the offsets of a window add to an address, in bits, of each of many executions; of elements that have
    addresses of their own a number that differs where they may differ."""
    if isinstance(access.address, ElementAddress):
        return sum((offset * 8191**dim for dim, offset in enumerate(offsets)), np.zeros((), np.int64))
    address = access.address
    return _terms(address.base, offsets, sizes) * address.base_unit


def access_requests(
    access: Access,
    offsets: Sequence[int],
    shape: Sequence[int],
    sizes: Mapping[str, int],
    threads: int,
    *,
    owned: bool,
) -> tuple[Numbers, int]:
    """The addresses of one execution, ``[requests, 32]`` in bytes, and the bytes that each lane moves there; a lane
    that does not take part has ``OUTSIDE``.

    ``offsets`` of the window and ``shape`` of the memory in elements; ``owned``: only owners take part. Addresses count
    from where the memory begins, which is a multiple of 128 bytes.
    """
    thread = np.arange(threads, dtype=np.int64)[:, None]
    given = [np.int64(offset) for offset in offsets]
    bits = _bit_addresses(access, thread, given, sizes)
    active = np.ones(bits.shape, np.bool_)
    for bound in access.bounds:
        index = _index(bound, thread, given, sizes)
        active &= (index >= 0) & (index < shape[bound.dim])
    if owned:
        for divide, modulo in access.owner:
            digit = thread // divide
            active &= (digit if modulo is None else digit % modulo) == 0
    return _expanded(access, bits, active)


def _index(bound: Bound, thread: Numbers, offsets: Sequence[np.int64], sizes: Mapping[str, int]) -> Numbers:
    table = np.array(bound.table, np.int64)
    found: Numbers = offsets[bound.dim] + _threads(bound.threads, thread, sizes) + table
    return found


def _bit_addresses(access: Access, thread: Numbers, offsets: Sequence[np.int64], sizes: Mapping[str, int]) -> Numbers:
    """Where each piece of each thread begins, ``[threads, pieces]``, in bits."""
    address = access.address
    if isinstance(address, ElementAddress):
        indices: list[Numbers] = [np.zeros((), np.int64)] * len(offsets)
        for bound in access.indices:
            indices[bound.dim] = _index(bound, thread, offsets, sizes)
        shape = np.broadcast_shapes((len(thread), access.pieces), *(index.shape for index in indices))
        return np.broadcast_to(_swizzled(address.moves, _terms(address.terms, indices, sizes)) * address.unit, shape)
    more = np.zeros((1, access.pieces), np.int64)
    for stride, table in address.steps:
        more = more + np.array(table, np.int64) * _value(stride, sizes)
    base = _terms(address.base, [np.asarray(offset) for offset in offsets], sizes) * address.base_unit // address.unit
    return _placed(address, base, _threads(address.threads, thread, sizes) + more) * address.unit


def _placed(address: Address, base: Numbers, own: Numbers) -> Numbers:
    swizzle = address.swizzle
    if swizzle is None:
        return base + own
    if swizzle.base_outside:
        return base + _swizzled(swizzle.moves, own)
    return _swizzled(swizzle.moves, base + own)


def _expanded(access: Access, bits: Numbers, active: Mask) -> tuple[Numbers, int]:
    """Pieces as the instructions that move them; bits of shared bytes byte by byte."""
    if access.unit:
        width = access.unit // BYTE
        at = (bits // BYTE)[..., None] + np.arange(access.chunk // access.unit) * width
        used = np.broadcast_to(active[..., None], at.shape)
    else:
        width = 1
        at = (bits // BYTE)[..., None] + np.arange((access.bits + 14) // 8)
        used = active[..., None] & (at * BYTE < bits[..., None] + access.bits)
    placed = np.where(used, at, OUTSIDE)
    return _by_warps(placed), width


def _by_warps(placed: Numbers) -> Numbers:
    """``[threads, pieces, steps]`` as ``[requests, 32]``."""
    threads = placed.shape[0]
    warps = placed.reshape(threads // LANES, LANES, -1)
    return np.ascontiguousarray(warps.transpose(0, 2, 1)).reshape(-1, LANES)


def matrix_requests(
    plan: Matrices, offsets: Sequence[int], sizes: Mapping[str, int], threads: int, *, owned: bool
) -> tuple[Numbers, int]:
    """The rows that the lanes name for ``ldmatrix`` or ``stmatrix``, as ``access_requests`` gives addresses."""
    thread = np.arange(threads, dtype=np.int64)
    lane = thread % LANES
    row = thread // LANES * LANES + (lane % 8 // 2 if plan.transposed else lane % 8 * 4)
    matrix = lane // 8 % plan.count
    own = _threads(plan.address.threads, row, sizes)
    for bit in range(plan.count.bit_length() - 1):
        own = own + (matrix >> bit & 1) * plan.matrices[1 << bit]
    own = own + lane % 2 * plan.element
    more = np.zeros((1, plan.instructions), np.int64)
    for stride, table in plan.address.steps:
        more = more + np.array(table, np.int64) * _value(stride, sizes)
    base = _terms(plan.address.base, [np.asarray(offset) for offset in offsets], sizes)
    base = base * plan.address.base_unit // plan.address.unit
    at = _placed(plan.address, base, own[:, None] + more)
    used = np.broadcast_to((lane < 8 * plan.count)[:, None], at.shape)
    for divide, modulo in plan.owner if owned else ():
        digit = thread // divide
        used = used & ((digit if modulo is None else digit % modulo) == 0)[:, None]
    return _by_warps(np.where(used, at, OUTSIDE)[..., None]), 16


def _different(sorted_rows: Numbers) -> Mask:
    """Which entries of sorted rows are the first of their kind, and no lane that is outside."""
    first = np.ones(sorted_rows.shape, np.bool_)
    first[:, 1:] = sorted_rows[:, 1:] != sorted_rows[:, :-1]
    kept: Mask = first & (sorted_rows != OUTSIDE)
    return kept


def count_global(requests: Numbers, width: int) -> Counts:
    """What requests to global memory move. Each lane's bytes are a multiple of their number apart from the start.

    >>> row = np.arange(32, dtype=np.int64)[None] * 16
    >>> count_global(row, 4).sectors, count_global(row // 4, 4).sectors, count_global(row // 4, 4).bytes
    (16.0, 4.0, 128.0)
    """
    rows = np.sort(requests, axis=1)
    bytes = _different(rows).sum() * width
    sectors = _different(np.where(rows == OUTSIDE, OUTSIDE, rows // SECTOR)).sum()
    started, lanes = (rows[:, 0] != OUTSIDE).sum(), (rows != OUTSIDE).sum()
    return Counts(float(started), float(lanes * width), float(bytes), float(sectors))


def count_shared(requests: Numbers, width: int) -> Counts:
    """What requests to shared memory take.

    >>> row = np.arange(32, dtype=np.int64)[None] * 8
    >>> count_shared(row, 4).wavefronts, count_shared(row, 8).wavefronts, count_shared(row * 16, 4).wavefronts
    (2.0, 2.0, 32.0)
    """
    words = max(1, width // WORD)
    together = LANES // words
    lanes = requests.reshape(-1, together)
    touched = np.where(lanes == OUTSIDE, OUTSIDE, lanes // WORD)[..., None] + np.arange(words)
    touched = np.where(lanes[..., None] == OUTSIDE, OUTSIDE, touched).reshape(len(lanes), -1)
    rows = np.sort(touched, axis=1)
    new = _different(rows)
    place = np.broadcast_to(np.arange(len(rows))[:, None], rows.shape)
    banks = np.bincount(place[new] * BANKS + rows[new] % BANKS, minlength=len(rows) * BANKS).reshape(-1, BANKS)
    started = (requests != OUTSIDE).any(axis=1)
    whole = np.sort(requests, axis=1)
    return Counts(
        float(started.sum()),
        float((requests != OUTSIDE).sum() * width),
        float(_different(whole).sum() * width),
        0.0,
        float(banks.max(axis=1).sum()),
        float((-(-new.sum(axis=1) // BANKS)).sum()),
    )
