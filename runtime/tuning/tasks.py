"""What an executor is given: functions of this module on a ``Job`` and a configuration, all of it small to pickle.

Each gives what the search needs to know and nothing else, so that results are small too. Machine code goes into the
cache on disk of the machine that made it, and comes back as bytes for that of the machine that runs it. A mistake that
makes a candidate useless is a ``Refusal``; anything else is raised, and the runner notes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tilevm.dtypes import DType, dtype
from tilevm.errors import TilevmError, explain
from tilevm.packed_array import PackedArray
from tilevm.runtime.compiled import CompiledKernel
from tilevm.runtime.tuning.estimate import CostModel, Estimate
from tilevm.runtime.tuning.space import Config
from tilevm.runtime.tuning.subject import Subject

__all__ = [
    "Job",
    "Made",
    "Refusal",
    "Trial",
    "compile_candidate",
    "difference",
    "lower_candidate",
    "outputs",
    "read_candidate",
    "refusal",
    "run_on_host",
]


@dataclass(frozen=True)
class Job:
    """A subject with the cost model that judges its candidates. ``number`` tells jobs apart within a process."""

    number: int
    subject: Subject
    model: CostModel

    def __hash__(self) -> int:
        return self.number

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Job) and self.number == other.number


@dataclass(frozen=True)
class Refusal:
    """Why a candidate cannot be: ``set aside``, or ``failed``. Others may share the reason, but not its detail."""

    state: str
    reason: str
    detail: str = ""


@dataclass(frozen=True)
class Made:
    """A candidate that was compiled: what it takes, what it will take in time, and its machine code for a cache."""

    entry: tuple[str, dict[str, bytes]]
    registers: int
    spilled_bytes: int | None
    shared_bytes: int
    estimate: Estimate


Task = tuple[Job, Config]


SET_ASIDE = ("A018", "A019", "A034", "F022", "F040", "F042", "F043")
"""Codes of what a kernel, an architecture or a launch refuses, which is no fault of the candidate."""


def refusal(error: TilevmError) -> Refusal:
    """What an error of a candidate says of it."""
    title = explain(error.code).partition("\n")[0].removeprefix("## ")
    return Refusal("set aside" if error.code in SET_ASIDE else "failed", title, error.diagnostics[0].message)


@lru_cache(maxsize=64)
def _lowered(job: Job, config: tuple[tuple[str, Any], ...]) -> tuple[CompiledKernel, dict[str, int]]:
    program = job.subject.program(dict(config))
    sizes = job.subject.sizes(program)
    return job.subject.compiled(program, sizes), sizes


def lower_candidate(task: Task) -> Estimate | Refusal:
    """What the cost model says of a candidate after the passes, where there is no compiler."""
    return _judged(task, thorough=False)


def read_candidate(task: Task) -> Estimate | Refusal:
    """What the cost model says of a candidate that was compiled when it reads the machine code."""
    return _judged(task, thorough=True)


def _judged(task: Task, thorough: bool) -> Estimate | Refusal:
    job, config = task
    try:
        compiled, sizes = _lowered(job, tuple(config.items()))
    except TilevmError as error:
        return refusal(error)
    return job.model(compiled, sizes, compiled.arch, thorough=thorough)


def compile_candidate(task: Task) -> Made | Refusal:
    """A candidate compiled to machine code."""
    job, config = task
    try:
        compiled, sizes = _lowered(job, tuple(config.items()))
        taken = compiled.resources
    except TilevmError as error:
        return refusal(error)
    spilled = None if taken.spill_store_bytes is None else taken.spill_store_bytes + (taken.spill_load_bytes or 0)
    shared = taken.shared_bytes + taken.dynamic_shared_bytes
    estimate = job.model(compiled, sizes, compiled.arch, thorough=False)
    return Made(compiled.cache_entry, taken.registers, spilled, shared, estimate)


@dataclass(frozen=True)
class Trial:
    """A launch on the host: a subject, its arguments by name, and where it is run."""

    subject: Subject
    arguments: Mapping[str, Any]
    config: Config
    backend: str


def run_on_host(trial: Trial) -> tuple[Any, ...] | Refusal:
    """What a candidate computes in the interpreter or the simulator: its ``out`` and ``inout`` arrays, in order."""
    kernel = trial.subject.kernel
    written = {each.name for each in kernel.definition.parameters if each.access != "in"}
    given = {name: copied(value) if name in written else value for name, value in trial.arguments.items()}
    try:
        given |= trial.subject.made(trial.config)
        returned = kernel(**{**given, **trial.subject.fixed, **trial.config}, backend=trial.backend)
    except TilevmError as error:
        return refusal(error)
    made = returned if isinstance(returned, tuple) else () if returned is None else (returned,)
    return outputs(trial.subject, made, given)


def outputs(subject: Subject, returned: tuple[Any, ...], given: Mapping[str, Any]) -> tuple[Any, ...]:
    """The arrays that a launch wrote but for its workspaces, in order; ``returned`` are the ``out`` arrays."""
    left = list(returned)
    return tuple(
        left.pop(0) if each.access == "out" else given[each.name]
        for each in subject.kernel.definition.parameters
        if each.access != "in" and each.name not in subject.workspaces
    )


def copied(array: Any) -> Any:
    """An array of its own with the same elements."""
    if isinstance(array, PackedArray):
        return PackedArray(array.data.copy(), array.dtype, array.shape, array.layout)
    return np.array(array)


def numbers_of(array: Any) -> tuple[NDArray[np.float64], DType]:
    """The elements of an array as numbers, and their format."""
    if isinstance(array, PackedArray):
        return array.numpy().astype(np.float64), array.dtype
    held = np.asarray(array)
    return held.astype(np.float64), dtype(held.dtype)


def tolerance_of(format: DType) -> float:
    """How far a result may be from the reference, relative to the norm of the reference, where nobody says.

    Two orders of adding differ by a rounding or two of the result's format; a tile that is left out, or taken twice,
    differs by much more. Integers have to be equal.

    >>> [tolerance_of(dtype(name)) for name in ("f16", "f32", "f64", "i32")]
    [0.0078125, 0.0001, 1e-10, 0.0]
    """
    if format.kind != "float" and format.kind != "codebook":
        return 0.0
    if format.bits <= 16:
        return 2.0**-7
    return 1e-4 if format.bits <= 32 else 1e-10


def difference(found: tuple[Any, ...], reference: tuple[Any, ...], tolerance: float | None) -> str:
    """What is wrong with the results of a candidate; nothing where they agree with the reference."""
    if len(found) != len(reference):
        return f"it has {len(found)} results, the reference {len(reference)}"
    for place, (mine, other) in enumerate(zip(found, reference, strict=True)):
        numbers, format = numbers_of(mine)
        exact, _ = numbers_of(other)
        if numbers.shape != exact.shape:
            return f"result {place} has shape {list(numbers.shape)}, the reference {list(exact.shape)}"
        if not np.array_equal(np.isfinite(numbers), np.isfinite(exact)):
            return f"result {place} is not finite where the reference is, or the other way round"
        whole = np.isfinite(exact)
        size = float(np.linalg.norm(exact[whole]))
        error = float(np.linalg.norm(numbers[whole] - exact[whole])) / (size or 1.0)
        most = tolerance_of(format) if tolerance is None else tolerance
        if not error <= most:
            return f"result {place} is {error:.1e} off, relative to its norm; {most:.1e} is allowed"
    return ""
