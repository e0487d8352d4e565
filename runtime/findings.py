"""What the simulator found, in words: each kind has a code, a message and a help line, and leads to its lines."""

from __future__ import annotations

import builtins
import ctypes

from tilevm.errors import Diagnostic, Related, Source, Span

__all__ = ["Finding", "diagnostic"]


class Finding(ctypes.Structure):
    """A finding as the host library writes it: ``Finding`` in ``host/launch.h``."""

    _fields_ = (
        ("kind", ctypes.c_uint32),
        ("line", ctypes.c_uint32),
        ("other_line", ctypes.c_uint32),
        ("thread", ctypes.c_uint32),
        ("other_thread", ctypes.c_uint32),
        ("block", ctypes.c_uint32 * 3),
        ("address", ctypes.c_uint64),
        ("bytes", ctypes.c_uint32),
        ("count", ctypes.c_uint32),
        ("writes", ctypes.c_uint32),
        ("other_writes", ctypes.c_uint32),
        ("text", ctypes.c_char_p),
    )
    kind: int
    line: int
    other_line: int
    thread: int
    other_thread: int
    block: ctypes.Array[ctypes.c_uint32]
    address: int
    bytes: int
    count: int
    writes: int
    other_writes: int
    text: builtins.bytes | None


KINDS = {
    1: ("R040", "{does} {bytes} bytes at byte {address} of a buffer, which is outside of it", None),
    2: ("R041", "{does} at byte {address}, which is not a multiple of {bytes}", "a GPU stops here"),
    3: ("R042", "reads shared memory at byte {address} that nobody has written", None),
    4: ("R043", "{does} shared memory at byte {address} that another thread {did}, with no barrier between", None),
    5: ("R044", "{does} shared memory at byte {address} while an asynchronous copy to it is under way", None),
    6: ("R045", "{does} {bytes} bytes at shared address {address}, which is outside of shared memory", None),
    7: ("R046", "waits for threads that are elsewhere", "all threads must reach the same barrier or warp instruction"),
    8: ("R047", "waits for a value at byte {address} of a buffer that no block writes", None),
    9: ("R048", "writes at byte {address} of a buffer that is only to be read", None),
    10: ("R014", "trap", None),
    11: ("R013", "assertion failed", None),
}
"""Code, message and help by the number of the kind in ``host/launch.h``."""

DEADLOCK, TRAP, ASSERTION = 8, 10, 11
OUTSIDE = (
    "waits for a value at byte {address} of a buffer, and nobody goes on: {bytes} blocks have not begun, and each of "
    "those that may run at once waits"
)
"""The message of a deadlock where blocks are left that cannot begin."""
HELP_OUTSIDE = "let a block wait for such as have surely begun: those with a smaller number taken by atomic_add"
WARP, ATOMIC, SEVERAL = 0x8000, 0xFFFC, 0xFFFF


def diagnostic(found: Finding, source: Source | None) -> Diagnostic:
    """A finding as a diagnostic; ``source`` is the text that its lines are of."""
    code, message, help = KINDS[found.kind]
    if found.kind == DEADLOCK and found.bytes:
        message, help = OUTSIDE, HELP_OUTSIDE
    text = message.format(
        does="writes" if found.writes else "reads",
        did="wrote" if found.other_writes else "read",
        address=found.address,
        bytes=found.bytes,
    )
    where = f"thread {found.thread} of block ({', '.join(str(index) for index in found.block)})"
    times = f" ({found.count} times)" if found.count > 1 else ""
    span = _line(source, found.line)
    other = _line(source, found.other_line)
    place = "" if span or not found.line else f"line {found.line}: "
    against = f", line {found.other_line}" if found.other_line and not other else ""
    if found.kind in (TRAP, ASSERTION):
        message = (found.text or b"").decode("utf-8", "replace")
        return Diagnostic(code, f"{place}{text}{message and ': '}{message}, in {where}{times}", span, help=help)
    return Diagnostic(
        code,
        f"{place}{where} {text}{against}{times}",
        span,
        related=(Related(other, _other(found)),) if other else (),
        help=help,
    )


def _other(found: Finding) -> str:
    """Who is on the other line."""
    if found.kind == 5:
        return "the copy"
    if found.kind in (7, DEADLOCK):
        return f"thread {found.other_thread} is here"
    did = "wrote" if found.other_writes else "read"
    if found.other_thread == SEVERAL:
        return f"threads {did}"
    if found.other_thread == ATOMIC:
        return f"an atomic {did}"
    if found.other_thread & WARP:
        return f"warp {found.other_thread - WARP} {did}"
    return f"thread {found.other_thread} {did}"


def _line(source: Source | None, number: int) -> Span | None:
    """The text of a line, without the space around it."""
    if source is None or not 1 <= number <= len(source.line_starts):
        return None
    text = source.line(number)
    start = source.line_starts[number - 1] + len(text) - len(text.lstrip())
    return Span(source, start, start + len(text.strip()))
