"""``tune``: the arguments of a call, the space, what is stored; and where nothing is, a search."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

from tilevm.arch import arch
from tilevm.errors import ArgumentError, NoDeviceError, TilevmError, UsageError
from tilevm.passes import DEFAULT_ARCHITECTURE
from tilevm.runtime.arguments import sizes_among, sort_arguments
from tilevm.runtime.compile_time import infer_formats
from tilevm.runtime.device import Device, current_device
from tilevm.runtime.kernel import Kernel
from tilevm.runtime.launch import Argument, check_formats
from tilevm.runtime.tuning.estimate import CostModel, predicted
from tilevm.runtime.tuning.result import TuneResult
from tilevm.runtime.tuning.search import REFUSED, Options, Search
from tilevm.runtime.tuning.space import Config, Configs, candidates, check_configs, written
from tilevm.runtime.tuning.store import TuneStore, current_versions
from tilevm.runtime.tuning.subject import Buckets, Subject, TuneKey, describe_arrays, key_of

__all__ = ["DEFAULT_LIMIT", "DEFAULT_PATIENCE", "DEFAULT_SECONDS", "TunedCall", "describe_call", "tune"]

DEFAULT_LIMIT = 40
DEFAULT_PATIENCE = 16
DEFAULT_SECONDS = 60.0


def tune(
    kernel: Kernel,
    args: Sequence[Any] | Mapping[str, Any] = (),
    keywords: Mapping[str, Any] | None = None,
    *,
    configs: Configs = None,
    buckets: Buckets = (),
    target: str | None = None,
    reference: Callable[..., Any] | None = None,
    tolerance: float | None = None,
    check: str | None = None,
    limit: int = DEFAULT_LIMIT,
    patience: int = DEFAULT_PATIENCE,
    seconds: float = DEFAULT_SECONDS,
    executor: Executor | None = None,
    workers: int | None = None,
    model: CostModel = predicted,
    store: TuneStore | None = None,
    again: bool = False,
    progress: bool | None = None,
) -> TuneResult:
    """Finds the compile-time parameters with which a kernel is fastest for arguments like these.

    ``args`` and ``keywords`` are those of a call: positional ones, or all by name. What they give is not open any more.
    ``inout`` arrays that they leave out are memory to work in: zeros, for each candidate in the shape that it declares.
    The space is that of the kernel's ``tune`` clauses, or ``configs``: lists of values by name, or a list of
    configurations. ``buckets`` names sizes whose results serve all sizes up to the next power of two, or says the
    bounds: ``{"M": (1, 16, 64)}``.

    With a GPU, candidates are run and timed in a process of their own, and what they compute has to agree with
    ``reference``, a function that takes the arguments by name and gives what the kernel gives, or else with the
    interpreter: within ``tolerance`` times the norm of the reference, by default 2^-7 for formats up to 16 bits, 1e-4
    for f32, 1e-10 for f64 and nothing for integers. Without one they are ranked by the cost ``model``, for ``target``
    or ``sm_80``, and the result says so; ``check="interpreter"`` or ``"simulator"`` has them compared there.

    At most ``limit`` candidates are compiled, each within ``seconds``; ``patience`` in a row that are no faster end the
    search. ``executor`` is any of ``concurrent.futures``, by default processes on this machine; ``workers`` is how many
    tasks it is given at once. Results are kept in ``store``, by default the user's; ``again`` tunes in spite of one.
    ``progress`` shows a bar, by default on a terminal.

    Raises ``UsageError`` F051 for an empty space, F052 where no candidate works, ``ArgumentError`` for arguments as a
    call does, and for configs A010, A032, A033; ``UsageError`` F020 and F023 for the target, F004 for ``check``.
    """
    if check not in (None, "interpreter", "simulator"):
        raise UsageError("F004", f"candidates are checked by interpreter or simulator, not by {check!r}")
    options = Options(limit, patience, seconds, executor, workers, model, reference, tolerance, check, progress)
    call = describe_call(kernel, args, keywords, configs=configs, buckets=buckets, target=target)
    store = TuneStore() if store is None else store
    kept = None if again else store.get(call.key)
    if kept is not None and _fits(kernel, kept):
        return kept
    search = Search(call.subject, call.arguments, call.space, options, call.device)
    best = search.run()
    result = TuneResult(
        call.key,
        best.config,
        best.seconds or 0.0,
        best.measured is not None,
        search.ordered(),
        tuple(search.notes),
        current_versions(),
    )
    store.put(result)
    return result


@dataclass(frozen=True)
class TunedCall:
    """A call that is to be tuned: what is tuned, its arguments by name, the space, and the calls that it stands for."""

    subject: Subject
    arguments: Mapping[str, Any]
    space: Sequence[Config]
    key: TuneKey
    device: Device | None
    """The GPU that candidates are measured on, if there is one."""


def describe_call(
    kernel: Kernel,
    args: Sequence[Any] | Mapping[str, Any],
    keywords: Mapping[str, Any] | None,
    *,
    configs: Configs,
    buckets: Buckets,
    target: str | None,
) -> TunedCall:
    """What a call of ``tune`` is about. Takes and raises what ``tune`` does."""
    device = _device(target)
    subject, arrays, arguments = _subject(kernel, args, keywords or {}, target, device)
    space = candidates(kernel.definition, configs, _given_among(subject, configs))
    return TunedCall(subject, arguments, space, _key(subject, arrays, space, buckets, device), device)


def _device(target: str | None) -> Device | None:
    """The GPU, if there is one that runs the target."""
    try:
        device = current_device()
    except NoDeviceError:
        return None
    return device if target is None or arch(target).runs_on(device.capability) else None


def _subject(
    kernel: Kernel,
    args: Sequence[Any] | Mapping[str, Any],
    keywords: Mapping[str, Any],
    target: str | None,
    device: Device | None,
) -> tuple[Subject, dict[str, Argument], dict[str, Any]]:
    """What is tuned, its arrays, and the arguments of a launch by name: arrays and scalars."""
    definition = kernel.definition
    named = {**(args if isinstance(args, Mapping) else {}), **keywords}
    positional = () if isinstance(args, Mapping) else tuple(args)
    taking = [each for each in definition.parameters if each.access != "out"]
    left_out = [each.name for each in taking[len(positional) :] if each.access == "inout" and each.name not in named]
    arguments = sort_arguments(definition, positional, {**named, **dict.fromkeys(left_out)})
    for each in left_out:
        del arguments.tensors[each]
    arrays = describe_arrays(arguments.tensors)
    formats = {each: array.dtype for each, array in arrays.items()}
    given = {name: written(value) for name, value in arguments.compile_time.items()}
    inferred = infer_formats(definition, formats, given)
    bound = {**given, **{name: found.name for name, found in inferred.items()}}
    name = arch(target or (device.arch.name if device else DEFAULT_ARCHITECTURE)).name
    texts = {each: found.name for each, found in formats.items()}
    shapes = {each: tuple(array.shape) for each, array in arrays.items()}
    subject = Subject(kernel, name, bound, shapes, texts, dict(arguments.others), tuple(left_out))
    return subject, arrays, {**arguments.tensors, **arguments.scalars}


def _key(
    subject: Subject,
    arrays: Mapping[str, Argument],
    space: Sequence[Config],
    buckets: Buckets,
    device: Device | None,
) -> TuneKey:
    """The key of a call. The sizes are those of the first candidate that a launch can have."""
    name = None if device is None else device.name
    sizes: Mapping[str, int] = {}
    for config in space:
        try:
            program = subject.program(config)
            sizes_among(subject.kernel.definition, program, subject.given_sizes)
            check_formats(program, arrays)
            sizes = subject.sizes(program)
        except ArgumentError as error:
            if error.code not in REFUSED:
                raise  # the call itself is wrong, whatever the candidate
        except TilevmError:
            continue
        else:
            break
    return key_of(subject, space, sizes, buckets, name)


def _given_among(subject: Subject, configs: Configs) -> Config:
    """What the caller fixed of the parameters that the space is about."""
    axes = subject.kernel.definition.tunes if configs is None else configs
    names = set(axes) if isinstance(axes, Mapping) else {name for each in axes for name in each}
    return {name: value for name, value in subject.compile_time.items() if name in names}


def _fits(kernel: Kernel, result: TuneResult) -> bool:
    """Whether what is stored can be given to the kernel."""
    try:
        check_configs(kernel.definition, [result.best])
    except ArgumentError:
        return False
    return True
