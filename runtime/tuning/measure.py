"""Candidates on the GPU, in a process of their own: run, compared with the reference, timed.

A kernel that reads where it must not, or never ends, takes its process's use of the GPU with it. So the arguments go
once to a process that is started for them, candidates are run there one at a time, and the runner ends and renews it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tilevm.errors import TilevmError
from tilevm.packed_array import PackedArray
from tilevm.runtime.arrays import adopt
from tilevm.runtime.backends import lies_on_gpu
from tilevm.runtime.bench import bench
from tilevm.runtime.tuning.space import Config
from tilevm.runtime.tuning.subject import Subject
from tilevm.runtime.tuning.tasks import Refusal, difference, outputs, refusal

__all__ = ["Session", "Timed", "begin", "host_copy", "race", "time_candidate"]

ROUNDS = 12
"""Rounds in which a candidate is timed; those of the last race are three times as many."""


@dataclass(frozen=True)
class Session:
    """What the process is started with. ``arguments`` lie on the host, by name; so does the reference."""

    subject: Subject
    arguments: Mapping[str, Any]
    reference: tuple[Any, ...] | None
    tolerance: float | None


@dataclass(frozen=True)
class Timed:
    """Seconds of one launch: the median and the quartiles."""

    median: float
    low: float
    high: float


class _Here:
    """The session of this process, with its arrays on the GPU."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.arrays = {name: to_device(given) for name, given in session.arguments.items()}

    def prepare(self, config: Config) -> Callable[[], None]:
        """A launch of a candidate, with new outputs and copies of what it changes, compared with the reference."""
        session, kernel = self.session, self.session.subject.kernel
        changed = {each.name for each in kernel.definition.parameters if each.access != "in"}
        given = {
            name: to_device(session.arguments[name]) if name in changed else held for name, held in self.arrays.items()
        }
        given |= {name: to_device(host_copy(name, each)) for name, each in session.subject.made(config).items()}
        prepared = kernel.prepare(**{**given, **session.subject.fixed, **config}, target=session.subject.target)
        made = prepared.returned if isinstance(prepared.returned, tuple) else (prepared.returned,)
        for each in made:
            spoil(each)
        prepared()
        self.synchronise(kernel.name)
        if session.reference is not None:
            found = outputs(session.subject, made, given)
            wrong = difference(tuple(from_device(each) for each in found), session.reference, session.tolerance)
            if wrong:
                raise WrongNumbers(wrong)
        return prepared

    def synchronise(self, name: str) -> None:
        from tilevm.runtime.device import current_device

        device = current_device()
        device.synchronise(name, device.cupy.cuda.get_current_stream(device.number).ptr)


class WrongNumbers(Exception):
    """A candidate computes something else than the reference."""


_sessions: list[Session | _Here] = []


def begin(session: Session) -> None:
    """Begins a session in this process; the arrays go to the GPU with the first candidate."""
    _sessions[:] = [session]


def _here() -> _Here:
    held = _sessions[0]
    if isinstance(held, Session):
        held = _sessions[0] = _Here(held)
    return held


def time_candidate(config: Config) -> Timed | Refusal:
    """Runs a candidate, compares what it computes, and times it."""
    try:
        prepared = _here().prepare(config)
        return _timed(bench({"candidate": prepared}, rounds=ROUNDS).times["candidate"])
    except WrongNumbers as error:
        return Refusal("failed", "wrong numbers", str(error))
    except TilevmError as error:
        return refusal(error)


def race(configs: tuple[Config, ...]) -> list[Timed]:
    """Candidates that are known to work, timed in turns in one run."""
    here = _here()
    measured = bench({str(place): here.prepare(config) for place, config in enumerate(configs)}, rounds=3 * ROUNDS)
    return [_timed(measured.times[str(place)]) for place in range(len(configs))]


def _timed(microseconds: Any) -> Timed:
    from tilevm.runtime.bench import Row

    row = Row.of("", "", microseconds)
    return Timed(1e-6 * row.median, 1e-6 * row.low, 1e-6 * row.high)


def host_copy(name: str, given: Any) -> Any:
    """An argument as it is sent to another process: arrays as packed bytes on the host, scalars as they are."""
    if lies_on_gpu(given):
        from tilevm.runtime.device import current_device
        from tilevm.runtime.device_arrays import adopt_on

        device = current_device()
        cupy = device.cupy
        held = adopt_on(device, name, given, written=False)
        memory = cupy.cuda.UnownedMemory(held.address, max(1, held.nbytes), held)
        data = cupy.ndarray((held.nbytes,), cupy.uint8, cupy.cuda.MemoryPointer(memory, 0))
        return PackedArray(cupy.asnumpy(data), held.dtype, held.shape, held.layout)
    if isinstance(given, PackedArray | int | float | np.generic):
        return given
    array = adopt(name, given, written=False)
    return PackedArray.from_codes(array.dtype.to_codes(array.elements), array.dtype)


def to_device(given: Any) -> Any:
    """An array of ``host_copy`` on the GPU; a scalar as it is."""
    if not isinstance(given, PackedArray):
        return given
    import cupy

    return PackedArray(cupy.asarray(given.data), given.dtype, given.shape, given.layout)


def spoil(given: Any) -> None:
    """Fills an output with ones bits. New memory may hold the right result of the candidate before, and one that writes
    nothing is to be found out.
    """
    if given is None:
        return
    if lies_on_gpu(given):
        from tilevm.runtime.device import current_device
        from tilevm.runtime.device_arrays import adopt_on

        device = current_device()
        held = adopt_on(device, "result", given, written=True)
        device.cupy.cuda.runtime.memset(held.address, 0xFF, held.nbytes)
    else:
        (given.data if isinstance(given, PackedArray) else given.reshape(-1).view(np.uint8))[...] = 0xFF


def from_device(given: Any) -> Any:
    """An array that a kernel returned, on the host."""
    return host_copy("result", given)
