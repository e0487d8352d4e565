"""Kernels and modules as Python sees them.

    mm = tilevm.load("matmul.tvm").matmul       # or tilevm.kernel("kernel matmul...")
    y = mm(x, w6.codes, w6.scales)              # out tensors are made and returned
    mm(x, w6.codes, w6.scales, y=out, BM=32)    # or given; compile-time parameters by name

A kernel is a definition; with every compile-time parameter bound it becomes a ``Program``, which is kept. A call
binds the parameters, from what is written, from the formats of the arrays and from the defaults, and launches that
program.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from tilevm.errors import UsageError, did_you_mean
from tilevm.frontend import KernelDefinition, load_file, load_text
from tilevm.frontend import Module as ModuleDefinition
from tilevm.ir import Program
from tilevm.report import Report
from tilevm.runtime.arguments import sizes_among, sort_arguments
from tilevm.runtime.arrays import adopt
from tilevm.runtime.compile_time import infer_formats, read_compile_time
from tilevm.runtime.launch import launch
from tilevm.runtime.signature import signature

__all__ = ["Kernel", "Module", "kernel", "load"]

LATER_BACKENDS = ("simulator", "cuda")
OPTIONS = ("backend", "debug")
"""What a call takes besides the parameters of the kernel."""


class Kernel:
    """A kernel that can be called with arrays.

    >>> double = kernel('''
    ... kernel double(x: f32[N], out y: f32[N]):
    ...     grid cdiv(N, 32)
    ...     warps 1
    ...     i = block_index(0) * 32
    ...     store(y[i :+ 32], load(x[i :+ 32]) * 2.0)
    ... ''')
    >>> double
    <kernel double(x: f32[N], out y: f32[N])>
    >>> import numpy as np
    >>> double(np.arange(4, dtype=np.float32))
    array([0., 2., 4., 6.], dtype=float32)
    """

    def __init__(self, definition: KernelDefinition) -> None:
        self.definition = definition
        self.__name__ = definition.name
        self.__doc__ = f"The kernel ``{signature(definition)}``."
        self._programs: dict[tuple[Any, ...], Program] = {}
        _check_names(definition)

    @property
    def name(self) -> str:
        """The name of the kernel in its text."""
        return self.definition.name

    def __repr__(self) -> str:
        return f"<kernel {signature(self.definition)}>"

    def __call__(
        self, /, *args: Any, backend: str | None = None, debug: bool | Report | None = None, **keywords: Any
    ) -> Any:
        """Runs the kernel.

        Positional arguments are the parameters that are not ``out``, in their order; any parameter, compile-time
        parameter or size may be given by name. ``out`` arrays that are not given are made and returned: the array if
        there is one, else a tuple in the order of the parameters, with given ones among them. None if there are none.

        ``debug=True`` follows every element and raises ``ExecutionError`` with every error found; a ``tilevm.Report``
        collects the findings instead. Raises ``ArgumentError`` for arguments that do not fit (A codes), ``UsageError``
        F004 for a backend that this version does not have, F007 for another ``debug``.
        """
        _check_backend(backend)
        arguments = sort_arguments(self.definition, args, keywords)
        arrays = {
            parameter.name: adopt(parameter.name, arguments.tensors[parameter.name], written=parameter.access != "in")
            for parameter in self.definition.parameters
            if parameter.name in arguments.tensors
        }
        formats = {name: array.dtype for name, array in arrays.items()}
        inferred = infer_formats(self.definition, formats, arguments.compile_time)
        program = self._specialised(read_compile_time(self.definition, arguments.compile_time) | inferred)
        sizes = sizes_among(self.definition, program, arguments.others)
        report = _report(debug)
        returned = launch(program, arrays, arguments.scalars, sizes, report)
        if report is not None and report is not debug:
            report.raise_errors()
        return returned[0] if len(returned) == 1 else returned or None

    def specialise(self, /, **compile_time: Any) -> Program:
        """The program with every compile-time parameter bound: to what is given, else to its default.

        Raises ``ArgumentError`` A010 for a text that is no format or layout, A031 to A034 for a parameter without a
        value, an unknown one, a value of the wrong kind, and a ``require`` that does not hold; ``ProgramError`` where
        the program makes no sense with these values.
        """
        return self._specialised(read_compile_time(self.definition, compile_time))

    def ir(self, /, **compile_time: Any) -> str:
        """The printed program, for the given compile-time parameters. Raises what ``specialise`` raises."""
        return str(self.specialise(**compile_time))

    def _specialised(self, bindings: dict[str, Any]) -> Program:
        try:
            # The type is part of the key, because True == 1.
            key = tuple((name, type(value), value) for name, value in sorted(bindings.items()))
            program = self._programs.get(key)
        except TypeError:  # a value that cannot be a key is none that a parameter can have: this says which
            return self.definition.specialise(bindings)
        if program is None:
            program = self._programs[key] = self.definition.specialise(bindings)
        return program


class Module:
    """The kernels of a file, as attributes. Get one with ``tilevm.load``.

    ``dir(module)`` and iteration give their names; a kernel whose name is no attribute, say ``name``, is
    ``module["name"]``.
    """

    def __init__(self, definition: ModuleDefinition, name: str) -> None:
        self._name = name
        self._kernels = {each: Kernel(found) for each, found in definition.kernels.items()}

    def __getattr__(self, name: str) -> Kernel:
        if name.startswith("__") or "_kernels" not in vars(self):
            raise AttributeError(name)
        return self[name]

    def __getitem__(self, name: str) -> Kernel:
        if name not in self._kernels:
            raise _unknown_kernel(name, self._name, list(self._kernels))
        return self._kernels[name]

    def choose(self, name: str | None, how: str) -> Kernel:
        """The kernel of that name or, if it is None, the only one; ``how`` says how to give the name.

        Raises ``UsageError`` F005 where there is no name and not one kernel, F006 where there is none of that name.
        """
        if name is not None:
            return self[name]
        names = list(self)
        if len(names) != 1:
            raise UsageError(
                "F005",
                f"{self._name} has {len(names)} kernels{': ' + ', '.join(names) if names else ''}",
                help=f"say which: {how}" if names else "begin one with `kernel name(parameters):`",
            )
        return self[names[0]]

    def __iter__(self) -> Iterator[str]:
        return iter(self._kernels)

    def __len__(self) -> int:
        return len(self._kernels)

    def __dir__(self) -> list[str]:
        return sorted([*super().__dir__(), *self._kernels])

    def __repr__(self) -> str:
        return "\n".join(
            [
                f"<module {self._name}>",
                *(f"    {signature(each.definition)}" for each in self._kernels.values()),
            ]
        )


class _UnknownKernel(UsageError, AttributeError, KeyError):
    """A kernel that a module does not have; ``hasattr`` and ``getattr`` with a default take it as they should."""

    __str__ = UsageError.__str__


def _unknown_kernel(name: str, module: str, known: list[str]) -> UsageError:
    has = f"it has {', '.join(known)}" if known else "it has none"
    return _UnknownKernel("F006", f"{module} has no kernel `{name}`", help=did_you_mean(name, known) or has)


def _check_backend(backend: str | None) -> None:
    if backend in (None, "interpreter"):
        return
    if backend in LATER_BACKENDS:
        raise UsageError(
            "F004",
            f"the backend {backend!r} is not in this version",
            help='leave it out, or backend="interpreter"',
        )
    names = ("interpreter", *LATER_BACKENDS)
    helps = did_you_mean(str(backend), names) or f"the backends are {', '.join(names)}"
    raise UsageError("F004", f"there is no backend {backend!r}", help=helps)


def _report(debug: bool | Report | None) -> Report | None:
    if isinstance(debug, Report):
        return debug
    if debug is None or isinstance(debug, bool):
        return Report() if debug else None
    raise UsageError("F007", f"debug is True, False or a tilevm.Report, not {debug!r}")


def _check_names(definition: KernelDefinition) -> None:
    """Refuses a kernel that could not be called by name, because a call has an option of the same name."""
    spans = {each.name: each.span for each in definition.parameters}
    spans |= {each.name: each.span for each in definition.compile_time}
    for option in OPTIONS:
        if option in spans:
            raise UsageError(
                "F008",
                f"`{option}` is an option of every call, so kernel `{definition.name}` may not have such a parameter",
                span=spans[option],
                help="rename the parameter",
            )


def load(path: str | os.PathLike[str]) -> Module:
    """The kernels of a file.

    Raises ``ProgramError`` with every mistake of the text, ``UsageError`` F002 for a file that cannot be read.
    """
    return Module(load_file(path), os.fspath(path))


def kernel(text: str, *, name: str | None = None) -> Kernel:
    """The kernel of a text; where the text has several, the one called ``name``.

    Names in the text resolve in the text alone, so it does not matter where this is called. Raises ``ProgramError``
    with every mistake of the text, ``UsageError`` F005 where it does not hold exactly one kernel, F006 for an unknown
    ``name``.

    >>> kernel("kernel nothing(x: f32[N]):\\n    grid 1\\n    a = load(x[0 :+ 8])\\n").name
    'nothing'
    """
    return Module(load_text(text, "<text>"), "the text").choose(name, "tilevm.kernel(text, name=…)")
