"""The space of a tuning: which values of compile-time parameters are tried.

    None                                 the ``tune`` clauses of the kernel
    {"BM": [16, 32], "BN": [64, 128]}    every combination
    [{"BM": 16, "BN": 64}, ...]          these, each a configuration of its own

What the caller has given is no longer open: it is part of every configuration. Values are kept as they are written in
text (``64``, ``True``, ``"u4"``), so that a configuration can be shown, stored and read back.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tilevm.dtypes import DType
from tilevm.errors import ArgumentError, Diagnostic, UsageError, did_you_mean
from tilevm.frontend import KernelDefinition
from tilevm.frontend.parameters import KINDS, fits, in_words
from tilevm.layout import Layout
from tilevm.memory_pattern import MemoryPattern
from tilevm.runtime.compile_time import read_compile_time

__all__ = ["MOST_CANDIDATES", "Config", "Configs", "candidates", "check_configs", "written"]

Config = Mapping[str, Any]
"""Values of compile-time parameters by name, as they are written."""

Configs = Sequence[Config] | Mapping[str, Sequence[Any]] | None

MOST_CANDIDATES = 2000
"""Of a larger space so many are drawn, always the same."""


def candidates(definition: KernelDefinition, configs: Configs = None, given: Config | None = None) -> list[Config]:
    """The configurations to try, each with what was given, without repetitions.

    Raises ``UsageError`` F051 for a space with nothing in it; ``ArgumentError`` with every A010, A032 and A033 for
    texts that are no formats, names that are no compile-time parameters and values of the wrong kind.

    >>> from tilevm.frontend import load_text
    >>> kernel = load_text("kernel k[B = 16, C = 1](x: f32[N]):\\n    grid 1\\n    tune B in 16, 32\\n").kernels["k"]
    >>> candidates(kernel), candidates(kernel, {"C": [1, 2]}, {"B": 8})
    ([{'B': 16}, {'B': 32}], [{'C': 1, 'B': 8}, {'C': 2, 'B': 8}])
    """
    fixed = {name: written(value) for name, value in (given or {}).items()}
    if configs is None:
        configs = definition.tunes
        if not configs:
            raise UsageError(
                "F051",
                f"kernel `{definition.name}` has nothing to tune: no `tune` clause, and no configs were given",
                help="add `tune BM in 16, 32, 64` to its start, or pass configs={'BM': [16, 32, 64]}",
            )
    if isinstance(configs, Mapping):
        found = list(_combinations(definition, configs, fixed))
        check_configs(definition, found)
    else:
        found = _listed(definition, configs, fixed)
    merged = [{**_plain(each), **fixed} for each in found]
    return [dict(each) for each in dict.fromkeys(tuple(each.items()) for each in merged)]


def _combinations(definition: KernelDefinition, axes: Mapping[str, Sequence[Any]], fixed: Config) -> Iterator[Config]:
    """Every combination, or as many as are tried, of the axes that are open."""
    for name, values in axes.items():
        if isinstance(values, str) or not isinstance(values, Sequence | np.ndarray | range) or not len(values):
            nothing = "no value" if isinstance(values, Sequence) and not values else f"{values!r}, which is no list"
            raise UsageError(
                "F051",
                f"the space for kernel `{definition.name}` is empty: there is {nothing} for {name}",
                help=f"configs={{{name!r}: [16, 32]}} tries two",
            )
    # Of an axis that was given one value is left, so that names and values are still checked.
    axes = {name: values[:1] if name in fixed else values for name, values in axes.items()}
    total = math.prod(len(values) for values in axes.values())
    chosen: Sequence[int] = range(total)
    if total > MOST_CANDIDATES:
        chosen = sorted(random.Random(0).sample(range(total), MOST_CANDIDATES))
    for number in chosen:
        config, rest = {}, number
        for name, values in reversed(axes.items()):
            rest, place = divmod(rest, len(values))
            config[name] = values[place]
        yield {name: config[name] for name in axes}


def _listed(definition: KernelDefinition, configs: Sequence[Config], fixed: Config) -> list[Config]:
    """The configurations of a list that say nothing else than what was given."""
    wrong = next((each for each in configs if not isinstance(each, Mapping)), None)
    if not configs or wrong is not None:
        why = "the list of configs is empty" if not configs else f"{wrong!r} is no configuration"
        raise UsageError(
            "F051",
            f"the space for kernel `{definition.name}` is empty: {why}",
            help="configs=[{'BM': 16}, {'BM': 32}] tries two",
        )
    check_configs(definition, configs)
    found = [each for each in configs if _agrees(each, fixed)]
    if not found:
        raise UsageError(
            "F051",
            f"the space for kernel `{definition.name}` is empty: every config says something else than what was given",
        )
    return found


def check_configs(definition: KernelDefinition, configs: Sequence[Config]) -> None:
    """Raises ``ArgumentError`` with every mistake, each once."""
    kinds = {each.name: each.kind for each in definition.compile_time}
    mistakes: dict[str, Diagnostic] = {}
    for config in configs:
        known = read_compile_time(definition, {name: value for name, value in config.items() if name in kinds})
        for name in config:
            if name not in kinds:
                has = f"it has {', '.join(kinds)}" if kinds else "it has none"
                message = f"configs: `{definition.name}` has no compile-time parameter `{name}`"
                help = did_you_mean(name, kinds) or has
                mistakes.setdefault(message, Diagnostic("A032", message, argument=name, help=help))
            elif not fits(kinds[name], known[name]):
                kind, shown = KINDS[kinds[name]], in_words(config[name])
                message = f"configs: the compile-time parameter `{name}` of `{definition.name}` is {kind}, not {shown}"
                mistakes.setdefault(message, Diagnostic("A033", message, argument=name))
    if mistakes:
        raise ArgumentError.of(mistakes.values())


def _agrees(config: Config, fixed: Config) -> bool:
    """Whether a configuration of a list says nothing else than what was given."""
    return all(written(value) == fixed.get(name, written(value)) for name, value in config.items())


def _plain(config: Config) -> Config:
    return {name: written(value) for name, value in config.items()}


def written(value: Any) -> Any:
    """A value as it is written: an integer, a truth value, or the text of a format or a layout.

    >>> from tilevm.dtypes import dtype
    >>> written(np.int64(3)), written(dtype("f6e3m2")), written(True)
    (3, 'f6e3m2', True)
    """
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.dtype | type):
        from tilevm.dtypes import dtype as format_of

        return format_of(value).name
    if isinstance(value, DType):
        return value.name
    return str(value) if isinstance(value, Layout | MemoryPattern) else value
