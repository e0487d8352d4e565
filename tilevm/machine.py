"""What an instruction may ask of the machine that runs it.

An instruction computes for a *batch* of blocks at once. Every value is an array with one leading axis more than its
shape: the block axis, of length ``batch.count``, or of length 1 where all blocks of the batch hold the same.

An element is held in one of two forms. *Values* are numbers in the format's carrier (``float32`` for ``f16``, ``bf16``,
``tf32`` and ``f32``; the exact NumPy type for integers and ``f64``; ``bool`` for ``u1``). *Codes* are the bits of the
format in its unsigned storage type. Formats in which nothing is computed (``u4``, ``f6e3m2``) have codes only.
``values`` and ``codes`` convert where they must; ``raw`` gives whatever form is at hand, for instructions that only
move elements. An instruction's result may be in either form of its result type.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from numpy.typing import NDArray

from tilevm.values import Operand, Value, Window

__all__ = ["Array", "Batch"]

Array = NDArray[Any]


class Batch(Protocol):
    """The blocks that run together, with their values and their memory."""

    count: int
    """How many blocks the batch has."""

    grid: tuple[int, ...]
    """How many blocks the launch has along each axis."""

    def block_index(self, axis: int) -> Array:
        """The index of each block along an axis of the grid, ``int32[count]`` or ``int32[1]``."""

    def values(self, operand: Operand) -> Array:
        """The operand as numbers in the carrier of its format, with the block axis first."""

    def codes(self, operand: Operand) -> Array:
        """The operand as bits in the storage type of its format, with the block axis first."""

    def raw(self, operand: Operand) -> Array:
        """The operand in whichever of the two forms it is held."""

    def aligned(self, *operands: Operand) -> tuple[Array, ...]:
        """Values of the operands, with axes of length 1 after the block axis so that they broadcast as NumPy's do."""

    def read(self, window: Window, fill: Operand | None = None) -> Array:
        """The elements of a window, raw; outside of a tensor ``fill``, or zero where it is None."""

    def write(self, window: Window, elements: Array) -> None:
        """Writes raw elements of the window's shape; what lies outside of a tensor is left out."""

    def update(self, window: Window, change: Callable[[Array, int], Array]) -> Array:
        """Replaces each element of a window by ``change`` of it, one block after another; returns the old ones, raw.

        ``change`` is called once for each block, with the values of the window and the block's place in the batch.
        Elements outside of a tensor read zero and are not written.
        """

    def gather(self, base: Value, indices: tuple[Array, ...], fill: Operand | None = None) -> Array:
        """One element of a tensor or shared tile for each index tuple, raw; ``fill`` or zero outside."""

    def scatter(self, base: Value, indices: tuple[Array, ...], elements: Array) -> None:
        """Writes one element for each index tuple, outside none; of equal indices the last in row-major order stays."""

    def reinterpret(self, base: Value) -> None:
        """Makes the result of the current instruction a tensor over the packed bytes of the tensor ``base``."""

    def allocate_shared(self) -> None:
        """Gives each block a shared tile, not initialised, as the result of the current instruction."""

    def copy_async(self, target: Window, source: Window) -> None:
        """Starts a copy that lands when a ``wait`` covers the group it is committed to."""

    def commit(self) -> None:
        """Closes the group of the copies started since the last commit."""

    def wait(self, pending: int) -> None:
        """Lands every group but the newest ``pending`` ones."""

    def barrier(self) -> None:
        """All threads of the block have met: what was written before is seen after."""

    def fail(self, code: str, message: str, where: Array) -> None:
        """Raises ``ExecutionError`` if any block of ``where`` (``bool[count]`` or ``bool[1]``) is true; names it."""

    def note(self, code: str, message: str, where: Array) -> None:
        """In debug mode records a finding at the current instruction if any block of ``where`` is true."""

    def print(self, text: str, arrays: tuple[Array, ...]) -> None:
        """Prints a line for each block in order of index: the text, then the values."""
