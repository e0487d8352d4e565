"""From the work of a launch to a time: what each part of a device needs at least for it, and the longest of these.

    DRAM            bytes that come from or go to memory, at its bandwidth
    L2              sectors that multiprocessors ask for, at the bandwidth of the second-level cache
    fill            the same sectors, at what one multiprocessor takes from the cache
    shared memory   passes through the banks, one a clock
    tensor cores    operations of matrix instructions, at the rate at which a warp can have them made
    issue           instructions, one a clock and warp scheduler
    pipes           instructions of the fullest pipe, at its lanes a clock
    latency         bytes of a block over what it has under way at once, loop by loop, times the latency; for each round
                    of blocks

The first two are of the device, the others of a multiprocessor: of the one with the most blocks, ``ceil(blocks /
multiprocessors)``, so that an uneven last wave counts. Nothing overlaps better than by the longest of them, and a real
launch takes longer where they do not overlap; so this is a model that ranks and explains, and no measurement.

What comes from memory, and what from the cache, is estimated: a tensor is read once if it stays in half of the cache
beside all smaller ones; else each wave of blocks reads it anew, each of its windows once.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tilevm.devices import PIPES, Device, Floor
from tilevm.runtime.cost.executions import find_executions
from tilevm.runtime.cost.machine_code import Loop, MachineCode
from tilevm.runtime.cost.work import InFlight, Tensor, Work
from tilevm.runtime.occupancy import Occupancy, occupancy
from tilevm.values import TensorType, Value

__all__ = ["Bound", "Cost", "Levels", "predict"]

SECTOR, PASS_BYTES, SCHEDULERS = 32, 128, 4
ENOUGH_IN_FLIGHT = 24 * 1024
"""Bytes that a multiprocessor should have under way: at 0.75 µs what 132 of them need for 4.2 TB/s (Little's law)."""

EMULATED_AS = "f16"
"""What products are made of that an architecture only emulates."""


@dataclass(frozen=True)
class Bound:
    """What one part of the device needs at least."""

    name: str
    microseconds: float
    explanation: str


@dataclass(frozen=True)
class Levels:
    """Bytes that a launch moves, level by level."""

    unique: float
    """Of global memory, each byte once."""
    dram: float
    """From and to memory, as estimated."""
    l2: float
    """Whole sectors, that multiprocessors ask for."""
    shared: float
    """Whole passes through the banks."""
    registers: float
    """Into and out of registers, what lanes hold alike each time."""


@dataclass(frozen=True)
class Cost:
    """What a launch costs on a device. A model: nothing was measured."""

    device: Device
    work: Work
    levels: Levels
    occupancy: Occupancy
    registers: int | None
    """Registers of a thread, None where nothing was compiled; then the occupancy is an upper bound."""
    bounds: tuple[Bound, ...]
    """The longest first."""
    floor: Floor
    machine_code: MachineCode | None = None
    """None where it was not read; then instructions are reckoned from the program."""
    spilled_bytes: int | None = None
    """What a thread spills and loads back, None where that is not known."""
    notes: tuple[str, ...] = ()

    @property
    def kernel(self) -> str:
        """The name of the kernel."""
        return self.work.program.name

    @property
    def main_loop(self) -> Loop | None:
        """The main loop of the machine code, where it was read and has one."""
        return None if self.machine_code is None else self.machine_code.main_loop

    @property
    def predicted_microseconds(self) -> float:
        """The longest of the bounds, and what a launch takes by itself."""
        return self.bounds[0].microseconds + self.device.launch_us

    @property
    def bound(self) -> str:
        """What bounds the launch."""
        return self.bounds[0].name

    @property
    def waves(self) -> float:
        """Blocks of the launch over those that the device holds at once."""
        return self.work.blocks / max(1, self.occupancy.blocks * self.device.multiprocessors)

    @property
    def blocks_together(self) -> int:
        """Blocks that a multiprocessor has at once in this launch."""
        return max(1, min(self.occupancy.blocks, math.ceil(self.work.blocks / self.device.multiprocessors)))

    @property
    def in_flight(self) -> InFlight:
        """What a block has under way from global memory."""
        return self.work.in_flight

    @property
    def in_flight_bytes(self) -> float:
        """What a multiprocessor has under way from global memory at once."""
        return self.in_flight.bytes * self.blocks_together

    @property
    def share_of_floor(self) -> float:
        """The floor over the predicted time: 1 is as fast as the device allows."""
        return self.floor.microseconds / self.predicted_microseconds

    def margin(self, bound: Bound) -> float:
        """How many times a bound is below the longest one."""
        return self.bounds[0].microseconds / bound.microseconds if bound.microseconds else float("inf")


def predict(
    work: Work,
    device: Device,
    *,
    registers: int | None = None,
    machine_code: MachineCode | None = None,
    spilled_bytes: int | None = None,
    scratch: Collection[str] = (),
    notes: Sequence[str] = (),
) -> Cost:
    """The cost of a launch on a device. Without ``registers`` the occupancy is what threads and shared memory leave.
    ``scratch`` names tensors that only hold what blocks tell each other, which the floor leaves out."""
    filled = occupancy(device.arch, threads=work.threads, registers=registers or 1, shared_bytes=work.shared_bytes)
    levels = Levels(
        unique=_unique(work, ()),
        dram=_from_memory(work, device, max(1, filled.blocks)),
        l2=SECTOR * work.counts(shared=False).sectors,
        shared=PASS_BYTES * work.counts(shared=True).wavefronts,
        registers=sum(each.counts.lane_bytes for each in work.traffic if not each.asynchronous),
    )
    format = max(work.products, key=lambda each: each.operations).format if work.products else "f16"
    bounds = [*_of_device(levels, device), *_of_multiprocessor(work, device, filled, machine_code)]
    return Cost(
        device=device,
        work=work,
        levels=levels,
        occupancy=filled,
        registers=registers,
        bounds=tuple(sorted(bounds, key=lambda each: -each.microseconds)),
        floor=device.floor(_unique(work, scratch), work.useful_operations, format),
        machine_code=machine_code,
        spilled_bytes=spilled_bytes,
        notes=(*work.notes, *notes),
    )


# What comes from memory


def _unique(work: Work, left_out: Collection[str]) -> float:
    """Bytes of global memory that are asked for, each once."""
    return sum(each.unique_read + each.unique_written for each in work.tensors if each.name not in left_out)


def _shares(work: Work, together: int) -> dict[str, float]:
    """Of each tensor, which part of the windows that a wave of blocks reads at the same time are different ones."""
    first = find_executions(work.program, work.sizes, blocks=np.arange(min(together, work.blocks)), iterations=1)
    shares: dict[str, float] = {}
    for executions in first.executions:
        for name in executions.offsets:
            base: Value = getattr(executions.let.instruction, name).base
            if not isinstance(base.type, TensorType):
                continue
            columns, _ = executions.windows(name)
            share = 1.0
            if all(column is not None for column in columns):
                key = sum((column * 8191**place for place, column in enumerate(columns)), np.zeros(1, np.int64))
                share = len(np.unique(key)) / max(1, len(key))
            root = work.roots.get(base, base).name
            shares[root] = max(shares.get(root, 0.0), share)
    return shares


def _from_memory(work: Work, device: Device, together: int) -> float:
    """Bytes that memory gives and takes, with so many blocks on a multiprocessor."""
    total, room = 0.0, device.l2_bytes / 2
    shares: dict[str, float] | None = None
    for each in sorted(work.tensors, key=lambda tensor: tensor.bytes):
        room -= each.unique_read
        total += each.unique_written
        if room >= 0 or each.read <= each.bytes:
            total += each.unique_read
            continue
        shares = _shares(work, together * device.multiprocessors) if shares is None else shares
        total += _read_anew(each, shares.get(each.name, 1.0))
    return total


def _read_anew(tensor: Tensor, share: float) -> float:
    return max(tensor.unique_read, tensor.read * share)


# Bounds


def _of_device(levels: Levels, device: Device) -> Iterator[Bound]:
    yield Bound(
        "DRAM",
        levels.dram / device.dram_gbps / 1e3,
        f"{_megabytes(levels.dram)} at {device.dram_gbps:,.0f} GB/s",
    )
    yield Bound("L2", levels.l2 / device.l2_gbps / 1e3, f"{_megabytes(levels.l2)} at {device.l2_gbps:,.0f} GB/s")


def _megabytes(bytes: float) -> str:
    return f"{bytes / 1e6:,.1f} MB"


def _of_multiprocessor(
    work: Work, device: Device, filled: Occupancy, machine_code: MachineCode | None
) -> Iterator[Bound]:
    blocks = work.blocks
    most = math.ceil(blocks / device.multiprocessors)
    share = most / blocks if blocks else 0.0
    passes = work.counts(shared=True).wavefronts * share
    filled_bytes = SECTOR * work.counts(shared=False).sectors * share
    text = f"{_megabytes(filled_bytes)} for one multiprocessor, {device.fill_bytes_a_clock} bytes a clock"
    yield Bound("fill", device.microseconds(filled_bytes / device.fill_bytes_a_clock), text)
    yield Bound("shared memory", device.microseconds(passes), f"{passes:,.0f} passes through the banks")
    yield _tensor_bound(work, device, share)
    yield from _issue_bounds(work, device, share, filled, machine_code)
    yield _latency_bound(work, device, filled)


def _tensor_bound(work: Work, device: Device, share: float) -> Bound:
    """Matrix instructions of the multiprocessor with the most blocks."""
    microseconds, operations = 0.0, 0.0
    for each in work.products:
        if each.atom is None:
            continue
        emulated = each.format.startswith("f8") and "mma_fp8" in device.arch.emulated
        rate = device.tensor_rate(EMULATED_AS if emulated else each.format, warp=True)
        rate = rate or device.tensor_rate(EMULATED_AS, warp=True) or device.fma_tflops
        microseconds += each.operations * share * device.multiprocessors / rate / 1e6
        operations += each.operations
    return Bound("tensor cores", microseconds, f"{operations / 1e9:,.2f} GFLOP by mma.sync")


def _issue_bounds(
    work: Work, device: Device, share: float, filled: Occupancy, machine_code: MachineCode | None
) -> Iterator[Bound]:
    pipes = _instructions(work, machine_code)
    resident = max(1, min(filled.blocks, math.ceil(work.blocks / device.multiprocessors))) * work.warps
    schedulers = min(SCHEDULERS, resident)
    total = sum(pipes.values()) * share
    how = "of the machine code" if machine_code is not None else "reckoned from the program"
    yield Bound("issue", device.microseconds(total / schedulers), f"{total:,.0f} instructions, {how}")
    lanes = device.lanes
    # Integer multiply-adds go through half of the pipe of f32's.
    pipes["fma"] = pipes.get("fma", 0.0) + pipes.get("heavy", 0.0)
    fullest = max(
        (pipe for pipe in pipes if pipe in lanes), key=lambda pipe: pipes[pipe] * 32 / lanes[pipe], default=None
    )
    if fullest is not None:
        # A warp reaches only the lanes of its own quarter of a multiprocessor.
        cycles = pipes[fullest] * share * 32 / lanes[fullest] * SCHEDULERS / schedulers
        text = f"{pipes[fullest] * share:,.0f} instructions on {fullest} ({PIPES[fullest]}), {how}"
        yield Bound(f"{fullest} pipe", device.microseconds(cycles), text)


def _instructions(work: Work, machine_code: MachineCode | None) -> dict[str, float]:
    """Instructions of warps over the whole launch, by pipe, and of tensor cores under ``tensor``."""
    if machine_code is not None:
        return {pipe: count * work.blocks * work.warps for pipe, count in machine_code.instructions.items()}
    found = dict(work.instructions)
    accesses = sum(each.counts.requests for each in work.traffic if not (each.asynchronous and each.shared))
    found["lsu"] = found.get("lsu", 0.0) + accesses
    for each in work.products:
        pipe = "tensor" if each.atom is not None else "fma"
        found[pipe] = found.get(pipe, 0.0) + each.instructions
    return found


def _latency_bound(work: Work, device: Device, filled: Occupancy) -> Bound:
    turns = sum(each.turns for each in work.flights)
    rounds = math.ceil(work.blocks / max(1, filled.blocks * device.multiprocessors))
    most = work.in_flight
    text = (
        f"{turns:,.0f} turns of {device.latency_us} µs: {most.read:,.0f} bytes a block, {most.bytes:,.0f} under way; "
        f"{rounds} round{'s' if rounds != 1 else ''} of blocks"
    )
    return Bound("latency", turns * rounds * device.latency_us, text)
