"""What a launch of a program has to do: its traffic, its products, its tensors, over the whole grid.

``tilevm.runtime.cost.counting`` counts it; the model makes a time of it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from tilevm.ir import Program
from tilevm.runtime.cost.addresses import Counts
from tilevm.values import Value

__all__ = ["InFlight", "Product", "Tensor", "Traffic", "Work"]


@dataclass(frozen=True)
class Traffic:
    """What one instruction asks of one memory, over the whole launch."""

    line: int | None
    call: str
    memory: str
    """The tensor (a parameter, also where a view of it is accessed), the shared tile, or what is exchanged."""
    shared: bool
    writes: bool
    asynchronous: bool
    width: int
    """Bytes that a lane moves at once."""
    executions: float
    """How often a block executes it, all blocks together."""
    counts: Counts
    whole_bytes: float
    """What it would move if no part of its windows were outside of the tensor."""
    exact: bool
    loop: int | None = field(repr=False, default=None)
    """The ``id`` of the innermost loop around it."""

    @property
    def reads(self) -> bool:
        """Whether it reads the memory."""
        return not self.writes


@dataclass(frozen=True)
class Product:
    """Matrix products, over the whole launch: instructions of a warp, or multiply-adds of lanes where ``atom`` is
    None."""

    line: int | None
    format: str
    atom: str | None
    executions: float
    instructions: float
    operations: float
    """Multiplications and additions, those of replicas too."""
    loop: int | None = field(repr=False, default=None)


@dataclass(frozen=True)
class Tensor:
    """A tensor, and what the launch asks of it."""

    name: str
    access: str
    bits: int
    """Of an element; all else is in bytes."""
    bytes: int
    read: float
    """What is asked for, by each request for itself."""
    written: float

    @property
    def unique_read(self) -> float:
        """What has to be read: no more than there is, and no more than is asked for."""
        return min(self.bytes, self.read)

    @property
    def unique_written(self) -> float:
        """What has to be written."""
        return min(self.bytes, self.written)


@dataclass(frozen=True)
class InFlight:
    """What a block has under way from global memory at once, in a loop or outside of all. In bytes."""

    asynchronous: float
    """By copies of all groups that are not waited for."""
    direct: float
    """By loads of one iteration to registers."""
    read: float
    """What a block reads there in all."""
    line: int | None = None
    """The line of the loop."""

    @property
    def bytes(self) -> float:
        """Both."""
        return self.asynchronous + self.direct

    @property
    def turns(self) -> float:
        """How often a block waits for memory there, one after another: once for each time what is under way."""
        return max(1.0, self.read / self.bytes) if self.bytes else 0.0


@dataclass(frozen=True)
class Work:
    """A launch: its shape, and what it does in all."""

    program: Program = field(repr=False)
    sizes: Mapping[str, int]
    grid: tuple[int, ...]
    warps: int
    shared_bytes: int
    """Of a block, what its tiles and exchanges take."""
    traffic: tuple[Traffic, ...]
    products: tuple[Product, ...]
    tensors: tuple[Tensor, ...]
    instructions: Mapping[str, float]
    """Instructions of warps, by pipe, that are reckoned for everything but accesses and products."""
    flights: tuple[InFlight, ...]
    """Of each loop that reads global memory, and of what is outside of them."""
    iterations: Mapping[int, float] = field(repr=False)
    """Of each loop, by its ``id``, the iterations of all blocks."""
    roots: Mapping[Value, Value] = field(repr=False)
    """For each view the parameter that it is of."""
    lines: Mapping[tuple[int | None, int], float] = field(repr=False)
    """How often the launch executes instructions of a line in a loop, by the loop's ``id`` and the line."""
    complete: bool
    """Whether every execution was looked at, and not a sample."""
    notes: tuple[str, ...] = ()

    @property
    def blocks(self) -> int:
        """Blocks of the launch."""
        return math.prod(self.grid)

    @property
    def threads(self) -> int:
        """Threads of a block."""
        return 32 * self.warps

    @property
    def in_flight(self) -> InFlight:
        """Where most is read."""
        return max(self.flights, key=lambda each: each.read, default=InFlight(0.0, 0.0, 0.0))

    @property
    def exact(self) -> bool:
        """Whether every count is that of the launch, and none of a sample."""
        return self.complete and not self.notes and all(each.exact for each in self.traffic)

    def counts(self, *, shared: bool) -> Counts:
        """All traffic of one memory."""
        total = Counts()
        for each in self.traffic:
            if each.shared == shared:
                total = total + each.counts
        return total

    @property
    def operations(self) -> float:
        """Multiplications and additions of all products."""
        return sum(each.operations for each in self.products)

    @property
    def useful_operations(self) -> float:
        """Those whose results are inside of a tensor: the share that is stored of the windows that stores have."""
        stores = [each for each in self.traffic if each.writes and not each.shared]
        whole = sum(each.whole_bytes for each in stores)
        return self.operations * (min(1.0, sum(each.counts.bytes for each in stores) / whole) if whole else 1.0)
