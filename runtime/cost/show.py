"""A cost as a page of text for people, and as JSON for programs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tilevm.errors import Source
from tilevm.runtime.cost.machine_code import Loop
from tilevm.runtime.cost.model import ENOUGH_IN_FLIGHT, Bound, Cost
from tilevm.runtime.cost.work import Traffic

__all__ = ["COLUMNS", "NUMBERS", "as_json", "rendered", "traffic_rows"]

NUMBERS = ("line", "width", "times", "bytes", "moved", "passes")
COLUMNS = ("line", "call", "memory", *NUMBERS[1:], "text")
"""Headings of the table of traffic; those of ``NUMBERS`` hold numbers: bytes that a lane moves at once, how often
blocks run the instruction, bytes that are asked for, bytes of whole sectors, passes through the banks of shared
memory."""

BAR = 16
KIB = 1024


def rendered(cost: Cost) -> RenderableType:
    """A cost for a terminal, but for the rows of its traffic."""
    parts: list[RenderableType] = [_head(cost), Text(), _bounds(cost), Text(), _facts(cost)]
    parts += [Text(f"note: {note}", style="yellow") for note in cost.notes]
    return Group(*parts, Text())


def _head(cost: Cost) -> Text:
    sizes = " ".join(f"{name}={value}" for name, value in cost.work.sizes.items())
    text = Text()
    text.append(f"{cost.kernel} on {cost.device.title}", "bold")
    text.append(f"  {sizes}\n")
    text.append(f"predicted {cost.predicted_microseconds:.1f} µs", "bold")
    text.append(f", bound by {cost.bound}; the floor is {cost.floor.microseconds:.1f} µs ({cost.floor.bound}), ")
    text.append(f"{100 * cost.share_of_floor:.0f}% of that\n")
    text.append("a model from published figures: nothing was measured", "dim")
    return text


def _bounds(cost: Cost) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("bound", no_wrap=True)
    table.add_column("µs", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("because of", overflow="fold")
    longest = cost.bounds[0].microseconds or 1.0
    for number, each in enumerate(cost.bounds):
        bar = "█" * round(BAR * each.microseconds / longest)
        table.add_row(
            each.name, f"{each.microseconds:.2f}", bar, each.explanation, style="bold" if not number else None
        )
    floor = cost.floor
    bar = "█" * round(BAR * floor.microseconds / longest)
    text = f"{_amount(floor.bytes)} once, {floor.operations / 1e9:,.2f} GFLOP"
    table.add_row("floor", f"{floor.microseconds:.2f}", bar, text, style="green")
    return table


def _facts(cost: Cost) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(overflow="fold")
    for name, text, style in _rows(cost):
        table.add_row(name, Text(text, style=style))
    return table


def _rows(cost: Cost) -> Iterator[tuple[str, str, str]]:
    work, levels, filled = cost.work, cost.levels, cost.occupancy
    grid = " x ".join(str(extent) for extent in work.grid)
    yield "grid", f"{grid} = {work.blocks:,} blocks of {work.threads} threads", ""
    fits = f"{filled.blocks} blocks a multiprocessor, limited by {filled.limit}"
    taken = "registers not known: an upper bound" if cost.registers is None else f"{cost.registers} registers a thread"
    yield "occupancy", f"{fits}; {taken}, {work.shared_bytes:,} bytes of shared memory a block", ""
    yield "waves", f"{cost.waves:.2f} over {cost.device.multiprocessors} multiprocessors", ""
    yield (
        "bytes",
        f"unique {_amount(levels.unique)}, DRAM {_amount(levels.dram)}, L2 {_amount(levels.l2)}, "
        f"shared memory {_amount(levels.shared)}, registers {_amount(levels.registers)}",
        "",
    )
    flying = cost.in_flight
    enough = cost.in_flight_bytes >= ENOUGH_IN_FLIGHT
    yield (
        "in flight",
        f"{cost.in_flight_bytes / KIB:.1f} KiB a multiprocessor: {cost.blocks_together} "
        f"block{'s' if cost.blocks_together > 1 else ''} with {flying.asynchronous / KIB:.1f} KiB by copies, "
        f"{flying.direct / KIB:.1f} KiB by loads; {ENOUGH_IN_FLIGHT // KIB} KiB are enough",
        "" if enough else "yellow",
    )
    if cost.spilled_bytes is not None:
        words = f"{cost.spilled_bytes} bytes a thread" if cost.spilled_bytes else "none"
        yield "spills", words, "red" if cost.spilled_bytes else ""
    if cost.main_loop is not None:
        yield from _loop_rows(cost.main_loop)


def _loop_rows(loop: Loop) -> Iterator[tuple[str, str, str]]:
    line = "" if loop.line is None else f"line {loop.line}, "
    pipes = sorted(loop.by_pipe.items(), key=lambda item: -item[1])
    yield (
        "main loop",
        f"{line}{loop.iterations:,.0f} times {loop.instructions:.0f} instructions: "
        + ", ".join(f"{pipe} {count:.0f}" for pipe, count in pipes),
        "",
    )
    if loop.instructions_per_weight is not None:
        yield "", f"{loop.instructions_per_weight:.2f} instructions of a lane for each element of {loop.weights}", ""
    cycles = sorted(loop.cycles.items(), key=lambda item: -item[1])
    yield "", "clocks on a scheduler: " + ", ".join(f"{name} {count:.0f}" for name, count in cycles), ""
    yield "loads", ", ".join(f"{count} x {name}" for name, count in loop.loads.items()) or "none", ""


def traffic_rows(cost: Cost, source: Source | None = None) -> Iterator[tuple[str, ...]]:
    """A row of a table under ``COLUMNS`` for each instruction that moves data; ``source`` is the text that its lines
    are of. ``~`` marks what was not counted exactly."""
    for each in cost.work.traffic:
        counts = each.counts
        passes = f"{counts.wavefronts:,.0f}" if each.shared else ""
        if each.shared and counts.wavefronts > counts.ideal_wavefronts > 0:
            passes += f" ({counts.wavefronts / counts.ideal_wavefronts:.1f}x)"
        yield (
            "" if each.line is None else str(each.line),
            each.call,
            f"{'to' if each.writes else 'from'} {each.memory}",
            str(each.width),
            f"{each.executions:,.0f}",
            ("" if each.exact else "~") + _amount(counts.bytes),
            "" if each.shared else _amount(32 * counts.sectors),
            passes,
            _line(source, each.line),
        )


def _line(source: Source | None, line: int | None) -> str:
    if source is None or line is None or not 1 <= line <= len(source.line_starts):
        return ""
    return source.line(line).strip()


def _amount(bytes: float) -> str:
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if bytes >= size:
            return f"{bytes / size:.1f} {unit}"
    return f"{bytes:.0f} B"


def as_json(cost: Cost) -> dict[str, Any]:
    """A cost as what ``json`` writes. Times are in microseconds, all else in bytes and counts."""
    levels, filled, floor = cost.levels, cost.occupancy, cost.floor
    return {
        "kernel": cost.kernel,
        "device": cost.device.name,
        "architecture": cost.device.arch.name,
        "sizes": dict(cost.work.sizes),
        "measured": False,
        "predicted_us": cost.predicted_microseconds,
        "bound": cost.bound,
        "bounds": [_bound(cost, each) for each in cost.bounds],
        "floor": {
            "us": floor.microseconds,
            "bound": floor.bound,
            "bytes": floor.bytes,
            "operations": floor.operations,
        },
        "bytes": {
            "unique": levels.unique,
            "dram": levels.dram,
            "l2": levels.l2,
            "shared": levels.shared,
            "registers": levels.registers,
        },
        "grid": list(cost.work.grid),
        "threads": cost.work.threads,
        "waves": cost.waves,
        "occupancy": {"blocks": filled.blocks, "warps": filled.warps, "limit": filled.limit},
        "registers": cost.registers,
        "shared_bytes": cost.work.shared_bytes,
        "spilled_bytes": cost.spilled_bytes,
        "in_flight_bytes": cost.in_flight_bytes,
        "operations": cost.work.operations,
        "main_loop": None if cost.main_loop is None else _loop(cost.main_loop),
        "traffic": [_traffic_json(each) for each in cost.work.traffic],
        "exact": cost.work.exact,
        "notes": list(cost.notes),
    }


def _bound(cost: Cost, bound: Bound) -> dict[str, Any]:
    margin = cost.margin(bound)
    return {
        "name": bound.name,
        "us": bound.microseconds,
        "margin": None if margin == float("inf") else margin,
        "because": bound.explanation,
    }


def _loop(loop: Loop) -> dict[str, Any]:
    return {
        "line": loop.line,
        "instructions": loop.instructions,
        "by_pipe": dict(loop.by_pipe),
        "opcodes": dict(loop.opcodes),
        "iterations": loop.iterations,
        "loads": dict(loop.loads),
        "spills": loop.spills,
        "cycles": dict(loop.cycles),
        "weights": loop.weights,
        "instructions_per_weight": loop.instructions_per_weight,
    }


def _traffic_json(traffic: Traffic) -> dict[str, Any]:
    return {
        "line": traffic.line,
        "call": traffic.call,
        "memory": traffic.memory,
        "space": "shared" if traffic.shared else "global",
        "writes": traffic.writes,
        "asynchronous": traffic.asynchronous,
        "width": traffic.width,
        "executions": traffic.executions,
        "requests": traffic.counts.requests,
        "bytes": traffic.counts.bytes,
        "sectors": traffic.counts.sectors,
        "wavefronts": traffic.counts.wavefronts,
        "ideal_wavefronts": traffic.counts.ideal_wavefronts,
        "exact": traffic.exact,
    }
