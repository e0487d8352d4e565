"""Where shared tiles lie: each at an offset in the block's shared memory; tiles that are never in use together may
share bytes.

A tile is in use from its first access to its last, over every loop that it lives through; one that is copied to
asynchronously until a ``wait(0)`` after that; one that is made in a loop for the whole of the body that makes it, since
sharing bytes there would cost a barrier in every iteration. Tiles are placed from the largest to the smallest, each at
the lowest offset that is free while it is in use. Before bytes are used for another tile there has to be a barrier,
which ``barriers`` sets.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tilevm.arch import Arch
from tilevm.errors import OutOfResources, Related
from tilevm.ir import If, Let, Program, Statement, bodies
from tilevm.values import SharedType, Value

__all__ = ["SharedPlan", "check_shared_memory", "plan_shared_memory", "tile_bytes"]

ALIGNMENT = 128
"""In bytes: all banks once."""

SWIZZLE_ALIGNMENT = 1024
"""In bytes: what the hardware's swizzles reach (PTX ISA, tensor swizzling modes)."""


@dataclass(frozen=True)
class SharedPlan:
    """The offset of each shared tile, in bytes from the start of the block's shared memory, and how many bytes are
    used."""

    offsets: Mapping[Value, int]
    total_bytes: int

    def overlap(self, first: Value, second: Value) -> bool:
        """Whether two tiles have bytes in common."""
        one, other = (self.offsets.get(tile) for tile in (first, second))
        if one is None or other is None:
            return False
        return one < other + tile_bytes(second) and other < one + tile_bytes(first)


def tile_bytes(tile: Value) -> int:
    """The bytes of a shared tile, padding between its rows included."""
    kind = tile.type
    assert isinstance(kind, SharedType)
    bits = kind.layout.size_bits if kind.layout is not None else kind.elements * kind.dtype.bits
    return -(-bits // 8)


def _alignment(tile: Value) -> int:
    kind = tile.type
    assert isinstance(kind, SharedType)
    xor = kind.layout.xor if kind.layout is not None else None
    if xor is None:
        return ALIGNMENT
    reach = max(xor.block, 1 << xor.sources.bit_length()) // 8
    return max(ALIGNMENT, min(reach, SWIZZLE_ALIGNMENT))


def plan_shared_memory(program: Program) -> SharedPlan:
    """An offset for every shared tile of a program that is used."""
    lives = _Lives()
    lives.body(program.body, ())
    ranges = lives.ranges()
    offsets: dict[Value, int] = {}
    for tile in sorted(ranges, key=lambda each: (-tile_bytes(each), ranges[each])):
        first, last = ranges[tile]
        taken = sorted(
            (offsets[other], offsets[other] + tile_bytes(other))
            for other in offsets
            if ranges[other][0] <= last and first <= ranges[other][1]
        )
        step, at = _alignment(tile), 0
        for begin, end in taken:
            if at + tile_bytes(tile) <= begin:
                break
            at = max(at, -(-end // step) * step)
        offsets[tile] = at
    total = max((offset + tile_bytes(tile) for tile, offset in offsets.items()), default=0)
    return SharedPlan({tile: offsets[tile] for tile in ranges}, total)


Path = tuple[tuple[int, int], ...]
"""The bodies around a statement, outermost first: the number of the loop or branch, and which of its bodies."""


class _Lives:
    """Statements counted in order of the text, and where each tile is used."""

    def __init__(self) -> None:
        self.position = 0
        self.made: dict[Value, Path] = {}
        """The bodies around the statement that makes each tile."""
        self.uses: dict[Value, list[tuple[int, Path]]] = {}
        self.copied: set[Value] = set()
        self.waits: list[tuple[int, Path]] = []
        """Where all copies have landed."""
        self.loops: dict[int, tuple[int, int]] = {}
        """The first and the last position of each loop."""
        self.extents: dict[Path, tuple[int, int]] = {}
        """The first and the last position of each body."""

    def body(self, statements: Iterable[Statement], around: Path) -> None:
        start = self.position
        for statement in statements:
            self.position += 1
            if isinstance(statement, Let):
                self.let(statement, around)
                continue
            number = self.position
            for part, body in enumerate(bodies(statement)):
                self.body(body, (*around, (number, part)))
            self.position += 1
            if not isinstance(statement, If):
                self.loops[number] = (number, self.position)
        self.extents[around] = (start, self.position)

    def let(self, let: Let, around: Path) -> None:
        instruction, result = let.instruction, let.result
        if result is not None and isinstance(result.type, SharedType):
            self.made[result] = around
            self.uses[result] = []
        if instruction.groups_left() == 0:
            self.waits.append((self.position, around))
        for written in (False, True):
            for base in instruction.memory(written=written):
                if base in self.uses:
                    self.uses[base].append((self.position, around))
                    if written and instruction.asynchronous:
                        self.copied.add(base)

    def ranges(self) -> dict[Value, tuple[int, int]]:
        """The first and the last position at which each tile is in use; of tiles that are used at all."""
        found = {}
        for tile, uses in self.uses.items():
            if not uses:
                continue
            made = self.made[tile]
            spans = [self.span(at, around[len(made) :]) for at, around in uses]
            first, last = min(span[0] for span in spans), max(span[1] for span in spans)
            if tile in self.copied:
                landed = [at for at, around in self.waits if at >= last and around == made[: len(around)]]
                last = min(landed, default=self.extents[()][1])
            if any(number in self.loops for number, _ in made):
                start, end = self.extents[made]
                first, last = min(first, start), max(last, end)
            found[tile] = (first, last)
        return found

    def span(self, at: int, within: Path) -> tuple[int, int]:
        """The position of a use, or the outermost loop through which the tile lives on."""
        return next((self.loops[number] for number, _ in within if number in self.loops), (at, at))


def check_shared_memory(program: Program, plan: SharedPlan, arch: Arch, scratch_bytes: int = 0) -> None:
    """Raises ``OutOfResources`` F040 where a block of the program needs more shared memory than the architecture has:
    its tiles, and ``scratch_bytes`` through which instructions exchange elements."""
    needed, limit = plan.total_bytes + scratch_bytes, arch.shared_memory_per_block
    if needed <= limit:
        return
    tiles = sorted(plan.offsets, key=lambda tile: -tile_bytes(tile))
    rows = [(tile.name, _line(tile), str(tile.type.dtype) + str(list(tile.shape)), tile_bytes(tile)) for tile in tiles]
    rows += [("", "", "to exchange elements", scratch_bytes)] if scratch_bytes else []
    widths = [max(len(str(row[column])) for row in rows) for column in range(4)]
    table = "".join(
        f"\n  {name:{widths[0]}}  {line:{widths[1]}}  {kind:{widths[2]}}  {size:{widths[3]}} bytes"
        for name, line, kind, size in rows
    )
    largest = tiles[0] if tiles else None
    raise OutOfResources(
        "F040",
        f"a block of `{program.name}` needs {needed} bytes of shared memory, {arch.name} has {limit}:{table}",
        span=largest.span if largest is not None else program.span,
        related=[Related(tile.span, f"{tile_bytes(tile)} bytes") for tile in tiles[1:] if tile.span is not None],
        help="use fewer stages or smaller tiles, or compile for an architecture with more shared memory",
    )


def _line(tile: Value) -> str:
    return "" if tile.span is None else f"line {tile.span.line}"
