"""Finding a swizzle that lets several accesses to one shared tile pass without bank conflicts.

Shared memory has 32 banks of 4 bytes. Seen in 16-byte chunks, chunk ``x`` lies in bank group ``x mod 8``, so chunks
that threads touch together should have different low bits. A swizzle flips the three low bits of ``x`` by a 3-by-h
matrix ``C`` over GF(2) of its h high bits: the bank group becomes ``x_low ^ C x_high``. Rows keep their extent, and
16-byte pieces stay whole.

Where a tile is linear over GF(2), the words that one request touches are a subspace (moved by a constant), and it takes
``2 ** (rank(words) - rank(banks))`` passes. That depends on ``C`` alone, so ``C`` is searched for, column by column: a
partial matrix already fixes the passes of the words that use no later column, which bounds the cost from below.

>>> from tilevm.layout_constructors import row_major
>>> tile = row_major(64, 64, width=16)
>>> choice = synthesise_swizzle(tile, [chunk_rows(tile), ldmatrix_rows(tile)])
>>> print(choice.xor, choice.actual, choice.ideal)
7^10 8^11 9^12 128 128
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from tilevm import layout_checks as checks
from tilevm.access import BANK_BITS, LARGEST_VECTOR, WARP, access, request_threads, vectorise
from tilevm.errors import LayoutError
from tilevm.layout import Layout
from tilevm.layout_constructors import local, spatial
from tilevm.xor_map import Xor, rank

__all__ = [
    "HARDWARE_SWIZZLES",
    "SwizzleChoice",
    "chunk_rows",
    "ldmatrix_rows",
    "linear_wavefronts",
    "padded_row_bits",
    "synthesise_swizzle",
]

HARDWARE_SWIZZLES: tuple[Xor, ...] = tuple(
    Xor.between((7 + bit, 10 + bit) for bit in range(bits)) for bits in (0, 1, 2, 3)
)
"""What TMA and wgmma can do: no swizzle, and the modes of 32, 64 and 128 bytes."""

CHUNK_BIT = 7
"""The first bit of an offset in bits that numbers 16-byte chunks; three bits from here choose the bank group."""

GROUP_BITS = 3
WORD_BIT = 5
BANK_MASK = 31


@dataclass(frozen=True)
class SwizzleChoice:
    """A swizzle, None for none, and how many passes through the banks the accesses take: with it, and at best."""

    xor: Xor | None
    actual: int
    ideal: int


@dataclass(frozen=True)
class _Request:
    """The words that one request touches, as an echelon basis of vectors over GF(2), and how many such there are."""

    words: tuple[int, ...]
    count: int

    @property
    def ideal(self) -> int:
        return self.count << max(0, len(self.words) - BANK_MASK.bit_length())

    def passes(self, banks: Iterable[int], words: int) -> int:
        """The passes of all requests, from the banks of some of the words."""
        return self.count << words - rank(banks)


def synthesise_swizzle(
    memory: Layout, accesses: Sequence[Layout], candidates: Iterable[Xor] | None = None
) -> SwizzleChoice:
    """The swizzle of ``memory`` with the fewest passes for the given register layouts, and among these the fewest XORs.

    ``candidates`` restricts the choice, for instance to ``HARDWARE_SWIZZLES``. Raises ``LayoutError`` L020 where a
    layout is not linear over GF(2) (then pad rows, see ``padded_row_bits``), L023 where ``memory`` has a swizzle
    already, and L018 where a swizzle would tear elements; as ``access`` does for layouts that do not fit.
    """
    checks.no_swizzle(memory)
    requests = [_request(layout, memory) for layout in accesses]
    found = _search(requests) if candidates is None else _best(candidates, requests)
    actual = sum(_passes(request, found) for request in requests)
    xor = memory.swizzled(found).xor
    return SwizzleChoice(xor, actual, sum(request.ideal for request in requests))


def linear_wavefronts(memory: Layout, layout: Layout) -> int:
    """The passes through the banks of one access, in closed form. Raises ``LayoutError`` L020 for a layout not linear.

    ``memory`` may have a swizzle that keeps 16-byte chunks whole.
    """
    plain = Layout(memory.dims, (), None, memory.width)
    return _passes(_request(layout, plain), memory.xor or Xor(()))


def padded_row_bits(bits: int) -> int:
    """The length of a row padded to an odd number of 16-byte chunks, so that 8 rows start in 8 different bank groups.

    >>> padded_row_bits(96 * 8), padded_row_bits(128 * 8)
    (896, 1152)
    """
    return (-(-bits // LARGEST_VECTOR) | 1) * LARGEST_VECTOR


def chunk_rows(memory: Layout, threads: int = WARP) -> Layout:
    """The access in which threads take 16-byte chunks row by row, as ``cp.async`` writes a tile.

    Raises ``LayoutError`` L019 where the tile is not whole chunks for every thread.
    """
    rows, columns, elements = _chunks(memory)
    if rows * columns % threads or (threads % columns and columns % threads):
        raise _no_chunks(memory, f"{rows} rows of {columns} chunks for {threads} threads")
    return (local(rows * columns // threads) * spatial(threads)).reshape(rows, columns) * local(1, elements)


def ldmatrix_rows(memory: Layout) -> Layout:
    """The access of ``ldmatrix``: eight threads take 16 bytes each, one below the other.

    Raises ``LayoutError`` L019 where the tile is not whole pieces of eight rows of 16 bytes.
    """
    rows, columns, elements = _chunks(memory)
    if rows % 8:
        raise _no_chunks(memory, f"{rows} rows")
    return local(rows // 8, columns) * spatial(8, 1) * local(1, elements)


def _chunks(memory: Layout) -> tuple[int, int, int]:
    """Rows, chunks in a row, and elements in a chunk of a two-dimensional tile."""
    elements = LARGEST_VECTOR // memory.width if memory.is_memory else 0
    if memory.rank != 2 or elements * memory.width != LARGEST_VECTOR or memory.shape[1] % elements:
        raise _no_chunks(memory, "its rows")
    return memory.shape[0], memory.shape[1] // elements, elements


def _no_chunks(memory: Layout, what: str) -> LayoutError:
    return LayoutError(
        "L019",
        f"{memory} does not come in 16-byte chunks: {what} do not divide",
        help="use a tile of two dimensions whose rows are whole chunks of 16 bytes",
    )


def _request(layout: Layout, memory: Layout) -> _Request:
    """The words of one request of a warp, and how many requests the whole access takes."""
    if memory.columns is None or layout.columns is None:
        raise LayoutError(
            "L020",
            f"{layout} over {memory} is not linear over GF(2)",
            help="swizzles are found for sizes that are powers of two; else pad the rows: padded_row_bits",
        )
    found = access(layout, memory)
    vectors = vectorise(found)
    threads = min(request_threads(vectors.unit), layout.threads)
    steps = [
        digit.bit_stride << bit
        for digit in found.digits
        for bit in range(digit.size.bit_length() - 1)
        if digit.axis == "T" and digit.stride << bit < threads
    ]
    words = [step // BANK_BITS for step in steps] + [
        1 << bit for bit in range((vectors.unit // BANK_BITS).bit_length() - 1)
    ]
    return _Request(_echelon(words), layout.threads // threads * vectors.instructions)


def _echelon(vectors: Iterable[int]) -> tuple[int, ...]:
    """A basis in which every vector has another highest bit, in rising order.

    The vectors of the space below a bit are then spanned by those of the basis below it.
    """
    basis: dict[int, int] = {}
    for vector in vectors:
        while vector and vector.bit_length() in basis:
            vector ^= basis[vector.bit_length()]
        if vector:
            basis[vector.bit_length()] = vector
    return tuple(basis[bit] for bit in sorted(basis))


def _passes(request: _Request, xor: Xor) -> int:
    banks = (xor(word * BANK_BITS) // BANK_BITS & BANK_MASK for word in request.words)
    return request.passes(banks, len(request.words))


def _best(candidates: Iterable[Xor], requests: Sequence[_Request]) -> Xor:
    return min(candidates, key=lambda xor: (sum(_passes(r, xor) for r in requests), len(list(xor.pairs))))


def _search(requests: Sequence[_Request]) -> Xor:
    """The swizzle of all with the fewest passes, then the fewest XORs, by branch and bound."""
    lowest = CHUNK_BIT + GROUP_BITS - WORD_BIT
    union = 0
    for request in requests:
        for word in request.words:
            union |= word
    sources = [bit for bit in range(lowest, union.bit_length()) if union >> bit & 1]
    columns = sorted(range(1 << GROUP_BITS), key=lambda column: (column.bit_count(), column))
    ideal = sum(request.ideal for request in requests)
    best: tuple[int, int, tuple[int, ...]] | None = None

    def bound(chosen: tuple[int, ...]) -> int:
        limit = sources[len(chosen)] if len(chosen) < len(sources) else union.bit_length()
        return sum(_partial_passes(request, sources, chosen, limit) for request in requests)

    def descend(chosen: tuple[int, ...], xors: int) -> None:
        nonlocal best
        passes = max(bound(chosen), ideal)
        if best is not None and (passes, xors) >= best[:2]:
            return
        if len(chosen) == len(sources):
            best = passes, xors, chosen
            return
        for column in columns:
            descend((*chosen, column), xors + column.bit_count())

    descend((), 0)
    assert best is not None
    return Xor.between(_pairs(sources, best[2]))


def _partial_passes(request: _Request, sources: Sequence[int], chosen: Sequence[int], limit: int) -> int:
    """The passes that the words below bit ``limit`` take, which no later column can change."""
    fixed = [word for word in request.words if word >> limit == 0]
    banks = []
    for word in fixed:
        group = 0
        for source, column in zip(sources, chosen, strict=False):
            group ^= column * (word >> source & 1)
        banks.append((word ^ group << CHUNK_BIT - WORD_BIT) & BANK_MASK)
    return request.passes(banks, len(fixed))


def _pairs(sources: Sequence[int], chosen: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Target and source bits of an offset in bits."""
    for (source, column), bit in product(zip(sources, chosen, strict=True), range(GROUP_BITS)):
        if column >> bit & 1:
            yield CHUNK_BIT + bit, source + WORD_BIT
