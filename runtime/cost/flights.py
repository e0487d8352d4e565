"""What a block has under way from global memory at once, loop by loop.

Copies are waited for by groups: a loop that closes a group in each iteration and waits for all but the newest ``n`` has
``n + 1`` of them under way. Loads to registers are under way together within an iteration.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tilevm.ir import For, While
from tilevm.runtime.cost.executions import Executions, Found
from tilevm.runtime.cost.work import InFlight, Traffic

__all__ = ["flights"]


def flights(found: Found, traffic: Sequence[Traffic], blocks: int) -> Iterator[InFlight]:
    """What is under way in each loop that reads global memory, and outside of them."""
    reads = [each for each in traffic if each.reads and not each.shared and each.whole_bytes]
    inside: dict[int, list[Executions]] = {}
    for each in found.executions:
        if each.loops:
            inside.setdefault(id(each.loops[-1]), []).append(each)
    for key in dict.fromkeys(each.loop for each in reads):
        own = [each for each in reads if each.loop == key]
        direct = sum(each.whole_bytes for each in own if not each.asynchronous)
        copied = sum(each.whole_bytes for each in own if each.asynchronous)
        if key is not None:
            loop, times = inside[key][0].loops[-1], found.iterations[key]
            line = None if loop.span is None else loop.span.line
            # The last iterations may copy nothing more: what counts is an iteration that does.
            each_time = sum(each.whole_bytes / each.executions for each in own if each.asynchronous)
            flying = each_time * _iterations_under_way(inside[key], times, loop)
            yield InFlight(flying, direct / times, (direct + copied) / blocks, line)
        elif direct or not any(each.asynchronous for each in reads if each.loop is not None):
            # Copies before a loop of copies fill its pipeline, and are waited for in it.
            yield InFlight(copied / blocks, direct / blocks, (direct + copied) / blocks)


def _iterations_under_way(inside: Sequence[Executions], times: float, loop: For | While) -> float:
    """How many iterations' copies are under way at once."""
    commits = sum(each.count for each in inside if each.let.instruction.closes_group) / times
    pending = [each.let.instruction.groups_left() for each in inside]
    left = max((each for each in pending if each is not None), default=None)
    if commits and left is not None:
        return (left + commits) / commits
    return max(1, loop.stages - 1) if isinstance(loop, For) else 1.0
