"""A stand-in for what CuPy has for timing: its clock is the work that was launched, in microseconds.

Streams record graphs as CUDA does: what is launched while a stream records is not done, but done when the graph is.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

COPY_MICROSECONDS = 500.0


class CaptureError(RuntimeError):
    """What CuPy's runtime raises for a recording that went wrong."""


class Clock:
    """The GPU: the time that its work has taken, what was launched in which order, and how many graphs were made."""

    def __init__(self) -> None:
        self.now = 0.0
        self.order: list[str] = []
        self.graphs = 0
        self.recording: list[Callable[[], None]] | None = None
        self.broken = False
        """Whether what was recorded cannot be a graph."""

    def task(self, name: str, microseconds: float, recordable: bool = True) -> Callable[[], None]:
        """Something to launch. What is not recordable breaks a recording, as a wait for the GPU does."""

        def done() -> None:
            self.now += microseconds
            self.order.append(name)

        def launch() -> None:
            if self.recording is None:
                done()
            elif recordable:
                self.recording.append(done)
            else:
                self.broken = True
                raise CaptureError("cudaErrorStreamCaptureUnsupported: not permitted while capturing")

        return launch

    def module(self) -> types.ModuleType:
        """What ``import cupy`` gives."""
        clock = self

        class Stream:
            ptr = 7

            def __init__(self, non_blocking: bool = False) -> None:
                assert non_blocking

            def __enter__(self) -> Stream:
                return self

            def __exit__(self, *error: object) -> None:
                assert clock.recording is None

            def synchronize(self) -> None:
                assert clock.recording is None

            def begin_capture(self) -> None:
                clock.recording, clock.broken = [], False

            def end_capture(self) -> Any:
                recorded, clock.recording = clock.recording, None
                if clock.broken or not recorded:
                    raise CaptureError("cudaErrorStreamCaptureInvalidated: the capture is invalid")
                clock.graphs += 1
                return SimpleNamespace(launch=lambda stream: [done() for done in recorded])

        def event() -> Any:
            made = SimpleNamespace(at=0.0, synchronize=lambda: None)
            made.record = lambda stream: setattr(made, "at", clock.now)
            return made

        def copyto(target: Any, source: Any) -> None:
            clock.now += COPY_MICROSECONDS

        runtime = SimpleNamespace(
            CUDARuntimeError=CaptureError,
            getDeviceCount=lambda: 1,
            getDevice=lambda: 0,
            deviceSynchronize=lambda: None,
            streamSynchronize=lambda stream: None,
            getDeviceProperties=lambda number: {"name": b"Clock", "l2CacheSize": 60_000_000},
        )
        cupy = types.ModuleType("cupy")
        cupy.__dict__.update(
            uint8=np.uint8,
            empty=lambda count, kind: np.empty(0, kind),
            empty_like=np.empty_like,
            copyto=copyto,
            asarray=np.array,
            get_default_memory_pool=lambda: SimpleNamespace(free_all_blocks=lambda: None),
            cuda=SimpleNamespace(
                runtime=runtime,
                Stream=Stream,
                get_current_stream=lambda number: Stream(non_blocking=True),
                Event=event,
                get_elapsed_time=lambda start, end: (end.at - start.at) / 1e3,
                Device=lambda number: SimpleNamespace(compute_capability="90"),
            ),
        )
        return cupy
