"""Kernels that are tuned when they are first called.

    mm = tilevm.autotune(tilevm.load("matmul.tvm").matmul, buckets=("M",))
    y = mm(x, w, scale)         # the first call of its key tunes, or finds a stored result; the others launch

A key is made of sizes, formats and what was given (``tuning.subject``). What a call gives by name stays as given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any, overload

from tilevm.errors import UsageError, did_you_mean
from tilevm.packed_array import PackedArray
from tilevm.report import Report
from tilevm.runtime.kernel import Kernel
from tilevm.runtime.tuning.result import TuneResult
from tilevm.runtime.tuning.space import Config
from tilevm.runtime.tuning.subject import TuneKey
from tilevm.runtime.tuning.tune import describe_call, tune

__all__ = ["Autotuned", "autotune"]

MOST_KINDS = 4096
"""Kinds of calls whose choice is remembered; when there are more, all are forgotten, and found again by their key."""


class Autotuned:
    """A kernel with the choices that tuning made for it. Get one with ``tilevm.autotune``."""

    def __init__(self, kernel: Kernel, options: Mapping[str, Any]) -> None:
        self.kernel = kernel
        self.results: dict[TuneKey, TuneResult] = {}
        """What was tuned, or found in the store, so far."""
        self._options = dict(options)
        self._choices: dict[tuple[Any, ...], Config] = {}
        self._lock = Lock()

    @property
    def name(self) -> str:
        """The name of the kernel in its text."""
        return self.kernel.name

    def __repr__(self) -> str:
        return f"<autotuned {repr(self.kernel).strip('<>')}>"

    def __call__(
        self,
        /,
        *args: Any,
        backend: str | None = None,
        target: str | None = None,
        debug: bool | Report | None = None,
        **keywords: Any,
    ) -> Any:
        """Runs the kernel with the best compile-time parameters; those that the call gives win. The first call of a key
        tunes. Takes, gives and raises what the kernel and ``tilevm.tune`` do.
        """
        choice = self.choice(args, keywords, target)
        return self.kernel(*args, backend=backend, target=target, debug=debug, **{**choice, **keywords})

    def prepare(self, /, *args: Any, target: str | None = None, **keywords: Any) -> Any:
        """A launch with all of its arguments, as ``Kernel.prepare`` makes it, with the best compile-time parameters."""
        choice = self.choice(args, keywords, target)
        return self.kernel.prepare(*args, target=target, **{**choice, **keywords})

    def tune(self, /, *args: Any, target: str | None = None, again: bool = False, **keywords: Any) -> TuneResult:
        """The result for a call: of this process, else of the store, else by tuning, which ``again`` asks for."""
        given = self._options
        call = describe_call(
            self.kernel,
            args,
            keywords,
            configs=given.get("configs"),
            buckets=given.get("buckets", ()),
            target=target,
        )
        with self._lock:
            known = self.results.get(call.key)
            if known is None or again:
                known = tune(self.kernel, args, keywords, target=target, again=again, **given)
                self.results[call.key] = known
                self._choices.clear()
        return known

    def choice(self, args: tuple[Any, ...], keywords: Mapping[str, Any], target: str | None = None) -> Config:
        """The compile-time parameters for a call, by name."""
        try:
            kinds = (target, *map(_kind, args), *((name, _kind(value)) for name, value in keywords.items()))
            found = self._choices.get(kinds)
        except TypeError:  # a value that cannot be part of a key: the long way serves
            return self.tune(*args, target=target, **keywords).best
        if found is None:
            found = self.tune(*args, target=target, **keywords).best
            if len(self._choices) >= MOST_KINDS:
                self._choices.clear()
            self._choices[kinds] = found
        return found


def _kind(value: Any) -> Any:
    """What calls of one choice have in common of an argument: format and shape of an array, anything else itself."""
    if isinstance(value, PackedArray):
        return value.dtype.name, value.shape
    dtype = getattr(value, "dtype", None)
    if dtype is not None:
        return dtype, value.shape
    return type(value) if isinstance(value, float) else (type(value), value)


OPTIONS = frozenset(
    (
        *("configs", "buckets", "reference", "tolerance", "check", "limit", "patience", "seconds"),
        *("executor", "workers", "model", "store", "progress"),
    )
)
"""Options of ``tune`` that hold for every call."""


@overload
def autotune(kernel: Kernel, /, **options: Any) -> Autotuned: ...
@overload
def autotune(kernel: None = None, /, **options: Any) -> Callable[[Kernel], Autotuned]: ...
def autotune(kernel: Kernel | None = None, /, **options: Any) -> Autotuned | Callable[[Kernel], Autotuned]:
    """A kernel that is tuned when it is first called with sizes and formats that no result holds for.

    ``options`` are those of ``tilevm.tune`` but for ``target`` and ``again``, which calls take. Without a kernel it
    gives a function that takes one. Raises ``UsageError`` F055 for another option.
    """
    unknown = sorted(set(options) - OPTIONS)
    if unknown:
        raise UsageError(
            "F055",
            f"autotune has no option `{unknown[0]}`",
            help=did_you_mean(unknown[0], OPTIONS) or f"it has {', '.join(sorted(OPTIONS))}",
        )
    if kernel is None:
        return lambda given: Autotuned(given, options)
    return Autotuned(kernel, options)
