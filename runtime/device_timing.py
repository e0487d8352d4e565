"""Timing launches by CUDA events: the stream of a measurement, launches recorded as a graph, and the stopwatch.

What is launched may be CuPy's or torch's, so both take the stream of the measurement for their current one. It is a
stream of its own: the default stream cannot be recorded.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

__all__ = ["Recorded", "Stopwatch", "capture", "streams"]

PLUG_BYTES = 1 << 30
"""What is read and written before each measurement, half of it each: a quarter of a millisecond at 4 TB/s, and several
times any second-level cache."""


@contextmanager
def streams(cupy: Any) -> Iterator[Any]:
    """A new stream, the current one of CuPy and, where it is loaded, of torch. What was launched before has ended."""
    cupy.cuda.runtime.deviceSynchronize()
    stream = cupy.cuda.Stream(non_blocking=True)
    with ExitStack() as stack:
        stack.enter_context(stream)
        torch = sys.modules.get("torch")
        if torch is not None and torch.cuda.is_available():
            stack.enter_context(torch.cuda.stream(torch.cuda.ExternalStream(stream.ptr)))
        yield stream
        stream.synchronize()


@dataclass(frozen=True)
class Recorded:
    """Launches that are repeated as one: ``launch`` makes them all, ``count`` says how many callables they are."""

    launch: Callable[[], object]
    count: int
    note: str = ""
    """Why there is no graph, where one was asked for."""


def capture(cupy: Any, stream: Any, tasks: Sequence[Callable[[], object]], graph: bool) -> Recorded:
    """Callables as one launch: a CUDA graph, or one after another where none is asked for or they cannot be recorded.

    Each is called once before, so that what is compiled or allocated in a first call is there. Raises what they raise.
    """

    def one_by_one() -> None:
        for task in tasks:
            task()

    one_by_one()
    stream.synchronize()
    if not graph:
        return Recorded(one_by_one, len(tasks))
    stream.begin_capture()
    try:
        one_by_one()
    except Exception as error:  # a callable that worked a moment ago does what a graph cannot hold
        _abandon(cupy, stream)
        return Recorded(one_by_one, len(tasks), _reason(error))
    try:
        made = stream.end_capture()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        return Recorded(one_by_one, len(tasks), _reason(error))
    return Recorded(lambda: made.launch(stream), len(tasks))


def _abandon(cupy: Any, stream: Any) -> None:
    """Ends a recording that went wrong; that it did is what ending it reports."""
    try:
        stream.end_capture()
    except cupy.cuda.runtime.CUDARuntimeError:
        return


def _reason(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"without a CUDA graph: {lines[0] if lines else type(error).__name__}"


class Stopwatch:
    """Times launches on a stream, each behind a long copy that keeps the GPU busy until all of them wait for it."""

    def __init__(self, cupy: Any, stream: Any) -> None:
        self._cupy, self._stream = cupy, stream
        self._source = cupy.empty(PLUG_BYTES // 2, cupy.uint8)
        self._target = cupy.empty_like(self._source)
        self._start, self._end = cupy.cuda.Event(), cupy.cuda.Event()

    def time(self, launch: Callable[[], object]) -> float:
        """Microseconds between the beginning and the end of what is launched."""
        self._cupy.copyto(self._target, self._source)
        self._start.record(self._stream)
        launch()
        self._end.record(self._stream)
        self._end.synchronize()
        return 1e3 * float(self._cupy.cuda.get_elapsed_time(self._start, self._end))
