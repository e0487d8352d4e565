"""What a template sees: the values of a kernel as C++ variables, and one instruction at a time.

``Held`` is a value and where it lies; ``Scope`` knows every value of the kernel that is being emitted; a ``Step`` is
one instruction, with its operands, its result and its plan. Templates ask these, and decide nothing but the spelling.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tilevm.arch import Arch
from tilevm.codegen.element_numbers import element_numbers, repetitions
from tilevm.codegen.expressions import expression, wide_expression
from tilevm.codegen.literals import code_of, literal
from tilevm.codegen.naming import Names
from tilevm.codegen.slots import broadcast_slots, moved_slots
from tilevm.codegen.storage import Storage, storage
from tilevm.codegen.word_moves import word_moves
from tilevm.dtypes import DType
from tilevm.instruction import Instruction
from tilevm.layout import Layout
from tilevm.plan import Plan
from tilevm.sizes import Size
from tilevm.values import Literal, Operand, TensorType, TileType, Type, Value

__all__ = ["Held", "Scope", "Step"]

POLICIES = {"evict_first": "no_allocate", "evict_last": "default"}
"""The hints that come with a policy for the second-level cache, and what is left of them where there are none."""


@dataclass(frozen=True)
class Held:
    """A value in C++. Of a tile ``name`` is an array, of a shared tile its address, of a tensor a pointer to bytes."""

    name: str
    type: Type

    @property
    def dtype(self) -> DType:
        """The number format of the elements."""
        return self.type.dtype

    @property
    def bits(self) -> int:
        """The width of an element."""
        return self.type.dtype.bits

    @property
    def storage(self) -> Storage:
        """How elements of the format are held."""
        return storage(self.type.dtype)

    @property
    def from_bits(self) -> str:
        """What makes an element of 32 or 64 bits of an integer with its bits."""
        return f"tv::as_{self.dtype.name}" if self.dtype.kind == "float" else self.ctype

    @property
    def ctype(self) -> str:
        """The C++ type of a scalar, and of the elements of a tile's array."""
        return self.storage.ctype

    @property
    def scalar(self) -> bool:
        """Whether it is one number, the same in every thread; else it is a tile."""
        return not isinstance(self.type, TileType)

    @property
    def layout(self) -> Layout:
        """The register layout of a tile."""
        assert isinstance(self.type, TileType)
        assert self.type.layout is not None
        return self.type.layout

    @property
    def slots(self) -> int:
        """How many elements a thread holds; 1 of a scalar."""
        return 1 if self.scalar else self.layout.slots

    @property
    def words(self) -> int:
        """How long the array of a tile is."""
        return self.storage.array_length(self.slots)


class Scope:
    """The values of one kernel by their C++ names. ``early`` where it may begin before the launches before it end."""

    def __init__(self, arch: Arch, threads: int, grid_rank: int, *, early: bool = False) -> None:
        self.arch = arch
        self.threads = threads
        self.early = early and arch.has("programmatic_launch")
        self.grid_rank = grid_rank
        self.names = Names()
        self.symbols: dict[str, str] = {}
        self.policies: dict[str, str] = {}
        """The variables of cache policies that the kernel uses, by what they are called in the library."""
        self._held: dict[Value, Held] = {}

    def define(self, value: Value) -> Held:
        """Gives a value a name of its own."""
        return self.alias(value, self.names.fresh(value.name))

    def alias(self, value: Value, name: str) -> Held:
        """Gives a value the name of a variable that holds it already."""
        self._held[value] = Held(name, value.type)
        return self._held[value]

    def held(self, operand: Operand) -> Held:
        """An operand in C++; a literal as the constant."""
        return Held(literal(operand), operand.type) if isinstance(operand, Literal) else self._held[operand]

    def size(self, size: Size) -> str:
        """An expression of sizes in C++."""
        return expression(size, self.symbols)

    def policy(self, cache: str) -> str:
        """The variable of a cache policy, which the kernel makes once, at its start."""
        if cache not in self.policies:
            self.policies[cache] = self.names.fresh(cache)
        return self.policies[cache]


@dataclass(frozen=True)
class Step:
    """One instruction as its template sees it. ``scratch`` is the address of the shared memory lent to it."""

    scope: Scope
    instruction: Instruction
    result: Held | None
    plan: Plan | None
    line: int
    scratch: str
    offsets: Mapping[Value, int]
    value: Value | None

    @property
    def arch(self) -> Arch:
        """The architecture that the kernel is emitted for."""
        return self.scope.arch

    @property
    def threads(self) -> int:
        """Threads of a block."""
        return self.scope.threads

    @property
    def offset(self) -> int:
        """Where the shared tile that the instruction makes begins, in bytes of the block's shared memory."""
        assert self.value is not None
        return self.offsets[self.value]

    def held(self, operand: Operand) -> Held:
        """An operand in C++."""
        return self.scope.held(operand)

    @property
    def cache(self) -> str:
        """What the library calls the hint to the caches; empty where there is none."""
        cache = self.instruction.cached()
        if cache in POLICIES and not self.arch.has("cache_policy"):
            cache = POLICIES[cache]
        return "" if cache == "default" else f"tv::{cache.upper()}"

    @property
    def policy(self) -> str:
        """The variable of the policy that goes with the hint; empty where none does."""
        cache = self.instruction.cached()
        return self.scope.policy(cache) if cache in POLICIES and self.arch.has("cache_policy") else ""

    @property
    def operands(self) -> list[Held]:
        """Every operand in C++, in the order of the fields; those that are left out are left out."""
        return [self.held(each) for each in self.instruction.operands()]

    def size(self, size: Size) -> str:
        """An expression of sizes in C++."""
        return self.scope.size(size)

    def wide(self, size: Size) -> str:
        """A stride in C++, computed in 64 bits, as a factor of a product."""
        return wide_expression(size, self.scope.symbols)

    def read_only(self, memory: Value) -> bool:
        """Whether nobody writes a tensor while the kernel runs, so that loads of it may come by the other cache, and
        in any order. Inputs of a kernel that begins early may be written until it has waited.
        """
        return isinstance(memory.type, TensorType) and memory.type.access == "in" and not self.scope.early

    def tile(self, name: str, dtype: DType, layout: Layout) -> Held:
        """A tile that only this instruction knows."""
        return Held(name, TileType(dtype, layout.shape, layout))

    def outside(self, fill: Operand | None, dtype: DType) -> Held | None:
        """What is read outside of a tensor: ``fill``, or zero; None where that has the code 0, which is read anyway."""
        zero = Literal(0, dtype)
        return self.held(zero if fill is None else fill) if fill is not None or code_of(zero) else None

    def names(self, operands: Sequence[Operand]) -> list[str]:
        """The names of several operands."""
        return [self.held(each).name for each in operands]

    def fresh(self, name: str) -> str:
        """A name that no other variable of the kernel has."""
        return self.scope.names.fresh(name)

    def slots(self, operand: Operand) -> tuple[int, ...]:
        """For each slot of the result, the slot of an operand that broadcasts to it; zeros for a scalar."""
        assert self.result is not None
        if self.result.scalar or not isinstance(operand.type, TileType):
            return (0,) * self.result.slots
        assert isinstance(operand, Value)
        assert isinstance(self.result.type, TileType)
        return broadcast_slots(self.result.type, operand)

    @property
    def sources(self) -> list[tuple[Held, tuple[int, ...]]]:
        """Of an elementwise instruction: each operand with the slots that the slots of the result need."""
        return [(self.held(each), self.slots(each)) for each in self.instruction.operands()]

    @property
    def pairs(self) -> bool:
        """Whether two elements of the result are computed at once, as 16-bit floats are."""
        assert self.result is not None
        feature = {"f16": "f16x2", "bf16": "bf16x2"}.get(self.result.dtype.name)
        return feature is not None and not self.result.scalar and self.arch.has(feature)

    @property
    def moves(self) -> list[tuple[Held, tuple[int, ...], tuple[int, ...]]]:
        """Of an instruction that only moves elements: each operand with slots of the result, and the slots of its own
        that they come from."""
        assert self.result is not None
        first = next(self.instruction.operands())
        if not isinstance(self.result.type, TileType) or isinstance(first, Literal):
            slots = self.result.slots
            return [(self.held(first), tuple(range(slots)), (0,) * slots)]
        found: dict[str, tuple[Held, list[int], list[int]]] = {}
        for slot, (operand, source) in enumerate(moved_slots(self.instruction, self.result.type)):
            held = self.held(operand)
            _, to, fro = found.setdefault(held.name, (held, [], []))
            to.append(slot)
            fro.append(source)
        return [(held, tuple(to), tuple(fro)) for held, to, fro in found.values()]

    def words(self, operand: Held, to: Sequence[int], fro: Sequence[int]) -> tuple[tuple[int, ...], ...] | None:
        """The words of the result and of a tile that slots fill, where they move as words."""
        assert self.result is not None
        if not self.result.storage.packed:
            return None
        return word_moves(self.result.bits, to, fro, self.result.slots, operand.slots)

    def numbers(self, tile: Held) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The row-major numbers of the elements of a tile: a part by thread and a part by slot."""
        return element_numbers(tile.layout)

    def repetitions(self, tile: Held) -> tuple[tuple[int, int], ...]:
        """Digits (size, weight) of the thread's number that are all 0 in one of the threads that hold an element."""
        return repetitions(tile.layout)
