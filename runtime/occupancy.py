"""How many blocks of a kernel one multiprocessor holds at once, and what it is that lets no more in.

The arithmetic is that of ``cuda_occupancy.h``, which is part of the CUDA toolkit: registers are given to warps in units
of 256, and each quarter of the register file serves the warps of its own quarter; shared memory is given to blocks in
units of 128 bytes (256 before compute capability 8), with what the system reserves for each. Of the ways to divide the
memory between shared memory and the first-level cache the one with the most shared memory is taken.

>>> from tilevm.arch import arch
>>> occupancy(arch("sm_80"), threads=128, registers=128, shared_bytes=50 << 10)
Occupancy(blocks=3, warps=12, limit='shared memory')
"""

from __future__ import annotations

from dataclasses import dataclass

from tilevm.arch import Arch
from tilevm.errors import OutOfResources

__all__ = ["Occupancy", "check_fits", "occupancy"]

REGISTER_UNIT = 256
"""Registers that a warp is given at a time."""

SUBPARTITIONS = 4
"""Parts of a multiprocessor with a register file of their own."""

SHARED_UNIT, OLD_SHARED_UNIT = 128, 256
"""Bytes of shared memory that a block is given at a time, from compute capability 8.0 on and before."""


@dataclass(frozen=True)
class Occupancy:
    """How full a multiprocessor gets."""

    blocks: int
    """Blocks that run at once on one multiprocessor."""
    warps: int
    """Their warps."""
    limit: str
    """What lets no more in: ``registers``, ``shared memory``, ``threads`` or ``blocks``."""


def occupancy(arch: Arch, *, threads: int, registers: int, shared_bytes: int) -> Occupancy:
    """The occupancy of blocks of so many threads, with so many 32-bit registers a thread and so many bytes of shared
    memory a block, static and dynamic together.

    ``blocks`` is 0 where not even one fits.
    """
    warps = _up(threads, arch.warp_threads)
    unit = OLD_SHARED_UNIT if arch.capability < (8, 0) else SHARED_UNIT
    shared = _up(shared_bytes + arch.reserved_shared_per_block, unit) * unit
    limits = {
        "threads": arch.maximum_threads_per_multiprocessor // (warps * arch.warp_threads),
        "blocks": arch.maximum_blocks_per_multiprocessor,
        "registers": _by_registers(arch, warps, registers),
    }
    if shared:
        limits["shared memory"] = arch.shared_memory_per_multiprocessor // shared
    if threads > arch.maximum_threads_per_block:
        limits["threads"] = 0
    if shared_bytes > arch.shared_memory_per_block:
        limits["shared memory"] = 0
    limit = min(limits, key=lambda name: limits[name])
    return Occupancy(limits[limit], limits[limit] * warps, limit)


def _by_registers(arch: Arch, warps: int, registers: int) -> int:
    """How many blocks the register file has room for."""
    of_warp = _registers_of_warp(arch, registers)
    if of_warp == 0:
        return arch.maximum_blocks_per_multiprocessor
    # A block may begin in any quarter, so the hardware wants room for its warps rounded up to all four.
    if of_warp * _up(warps, SUBPARTITIONS) * SUBPARTITIONS > arch.registers_per_block:
        return 0
    quarter = arch.registers_per_multiprocessor // SUBPARTITIONS
    return quarter // of_warp * SUBPARTITIONS // warps


def _registers_of_warp(arch: Arch, registers: int) -> int:
    return _up(registers * arch.warp_threads, REGISTER_UNIT) * REGISTER_UNIT


def _up(amount: int, unit: int) -> int:
    return -(-amount // unit)


def check_fits(name: str, arch: Arch, *, threads: int, registers: int) -> None:
    """Refuses a kernel of which not one block can run. Shared memory is checked where it is planned.

    Raises ``OutOfResources`` F042 for registers, F043 for threads.
    """
    if threads > arch.maximum_threads_per_block:
        raise OutOfResources(
            "F043",
            f"kernel `{name}` has {threads} threads in a block; {arch.name} takes {arch.maximum_threads_per_block}",
            help=f"at most `warps {arch.maximum_threads_per_block // arch.warp_threads}`",
        )
    if not _by_registers(arch, _up(threads, arch.warp_threads), registers):
        whole = _registers_of_warp(arch, registers) * _up(threads, arch.warp_threads)
        raise OutOfResources(
            "F042",
            f"a block of kernel `{name}` takes {whole:,} registers, {registers} for each of {threads} threads; "
            f"{arch.name} has {arch.registers_per_block:,} for a block",
            help="fewer warps, or smaller tiles: a thread holds its part of every tile that is in use",
        )
