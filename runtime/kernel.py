"""Kernels and modules as Python sees them.

    mm = tilevm.load("matmul.tvm").matmul       # or tilevm.kernel("kernel matmul...")
    y = mm(x, w6.codes, w6.scales)              # out tensors are made and returned
    mm(x, w6.codes, w6.scales, y=out, BM=32)    # or given; compile-time parameters by name
    c = mm.compile(target="sm_90a", W="u4")     # needs no GPU: c.cuda c.ptx c.cubin c.resources

A kernel is a definition; with every compile-time parameter bound it becomes a ``Program``, which is kept. A call
binds the parameters, from what is written, from the formats of the arrays and from the defaults, and launches that
program on a backend: the one that is named, else that of the place where the arguments lie.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from tilevm.dtypes import DType
from tilevm.errors import ArgumentError, UsageError, did_you_mean
from tilevm.frontend import KernelDefinition, load_file, load_text
from tilevm.frontend import Module as ModuleDefinition
from tilevm.ir import Program
from tilevm.packed_array import PackedArray
from tilevm.passes import DEFAULT_ARCHITECTURE
from tilevm.report import Report
from tilevm.runtime.arguments import Arguments, sizes_among, sort_arguments
from tilevm.runtime.arrays import ArrayArgument, adopt
from tilevm.runtime.backends import choose_backend
from tilevm.runtime.compile_time import infer_formats, read_compile_time
from tilevm.runtime.interpreted import interpret
from tilevm.runtime.launch import HOST, Launch, check
from tilevm.runtime.packing import check_tensor, packed, packing_argument, unpacked
from tilevm.runtime.programs import Programs
from tilevm.runtime.signature import signature
from tilevm.runtime.specialisation import Specialisation
from tilevm.values import Value

if TYPE_CHECKING:
    from tilevm.runtime.compiled import CompiledKernel
    from tilevm.runtime.cuda import CudaCalls
    from tilevm.runtime.device_launch import Prepared

__all__ = ["Kernel", "Module", "kernel", "load"]

OPTIONS = ("backend", "debug", "target", "divisible", "order", "resident")
"""What a call and ``compile`` take besides the parameters of the kernel."""


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
        self._programs = Programs(definition)
        self._cuda: CudaCalls | None = None
        _check_names(definition)

    @property
    def name(self) -> str:
        """The name of the kernel in its text."""
        return self.definition.name

    def __repr__(self) -> str:
        return f"<kernel {signature(self.definition)}>"

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy has what the text says; what was compiled for this one stays with it."""
        return Kernel, (self.definition,)

    def __call__(
        self,
        /,
        *args: Any,
        backend: str | None = None,
        target: str | None = None,
        debug: bool | Report | None = None,
        order: int | None = None,
        resident: int | None = None,
        **keywords: Any,
    ) -> Any:
        """Runs the kernel.

        Positional arguments are the parameters that are not ``out``, in their order; any parameter, compile-time
        parameter or size may be given by name. ``out`` arrays that are not given are made and returned: the array if
        there is one, else a tuple in the order of the parameters, with given ones among them. None if there are none.

        ``backend`` is ``interpreter``, ``simulator`` or ``cuda``; left out, it is ``cuda`` for arrays on a GPU and else
        ``interpreter``. ``target`` is the architecture that the simulator and cuda compile for; left out, it is that of
        the GPU, and in the simulator ``sm_80``.

        ``debug=True`` follows every element in the interpreter and raises ``ExecutionError`` with every error found; a
        ``tilevm.Report`` collects the findings instead. On ``cuda`` it waits for the kernel, and raises what went
        wrong; the simulator always raises what it finds.

        ``order`` and ``resident`` are for the simulator. It runs blocks in the order of their numbers, each until it
        ends or waits. With a seed, ``order=7``, they begin in an order of its own, and a few at a time run in turns
        that change after barriers, atomics and flags; the same seed repeats it. ``resident`` is how many blocks have a
        place at once, as on a GPU: one that waits keeps its place.

        Raises ``ArgumentError`` for arguments that do not fit (A codes), ``UsageError`` F004 for a name that is no
        backend, F007 for another ``debug``, F012 for ``order`` or ``resident`` that is none or elsewhere than in the
        simulator, ``NoDeviceError`` F041 where a GPU is needed and there is none.
        """
        shuffled = order is not None or resident is not None
        if self._cuda is not None and not debug and not shuffled and backend in (None, "cuda"):
            result = self._cuda.warm(args, keywords, target)
            if result is not NotImplemented:
                return result
        arguments = sort_arguments(self.definition, args, keywords)
        chosen = choose_backend(backend, arguments.tensors)
        report = _report(debug, chosen)
        if shuffled:
            _check_order(order, resident, chosen)
        if chosen == "cuda":
            return self._on_cuda().call(args, keywords, target, wait=bool(debug))
        launch = self._on_host(arguments)
        if chosen == "simulator":
            from tilevm.runtime.simulated import run_simulated

            wanted = Specialisation.of(target or DEFAULT_ARCHITECTURE, launch.sizes)
            compiled = self._programs.compiled(launch.program, wanted)
            simulation = run_simulated(compiled, launch, order, resident)
            print(simulation.printed, end="")
            simulation.check()
        else:
            interpret(launch, report)
        if report is not None and report is not debug:
            report.raise_errors()
        returned = launch.returned
        return returned[0] if len(returned) == 1 else returned or None

    def prepare(self, /, *args: Any, target: str | None = None, **keywords: Any) -> Prepared:
        """A launch on a GPU with all of its arguments, which a call of it repeats: for hot loops and CUDA graphs.

        Takes what a call takes. Raises what a call on ``cuda`` raises.
        """
        return self._on_cuda().prepare(args, keywords, target)

    def compile(
        self, /, target: str | None = None, *, divisible: Mapping[str, int] | None = None, **bindings: Any
    ) -> CompiledKernel:
        """The kernel compiled for an architecture, by default ``sm_80``. Needs no GPU.

        ``bindings`` are compile-time parameters and sizes: ``W="u4", K=8192``. A size that is given is a constant of
        the program. ``divisible={"N": 128}`` says what is known to divide a size that stays open.

        Raises what ``specialise`` raises; ``ArgumentError`` A001 for a name that the kernel does not have, A013 and
        A020 for what is no size or no divisor, A018 for sizes that a ``require`` refuses; ``UsageError`` F020 for an
        unknown architecture; and what the passes raise: ``LayoutError``, ``UsageError`` F022 for a feature that the
        architecture lacks, ``OutOfResources`` F040. What the compilers may raise is raised by the parts of the result.
        """
        from tilevm.arch import arch

        names = {each.name for each in self.definition.compile_time}
        program = self.specialise(**{name: value for name, value in bindings.items() if name in names})
        others = {name: value for name, value in bindings.items() if name not in names}
        constants = sizes_among(self.definition, program, others)
        divisors = sizes_among(self.definition, program, divisible or {})
        for name, divisor in divisors.items():
            if divisor == 0:
                raise ArgumentError("A013", f"nothing is known to divide by 0: {name}", argument="divisible")
        known = tuple(sorted((name, divisor) for name, divisor in divisors.items() if divisor > 1))
        wanted = Specialisation(arch(target or DEFAULT_ARCHITECTURE).name, known)
        return self._programs.compiled(self._programs.with_sizes(program, constants), wanted)

    def pack(self, name: str, array: Any, /, *, backend: str | None = None, **compile_time: Any) -> PackedArray:
        """The array as the tensor parameter ``name`` declares it in memory, to be passed to the kernel; done once.

        ``array`` has the parameter's format and its whole shape: a ``PackedArray``, or a NumPy array where NumPy has
        the format. Formats that are compile-time parameters are found from it; what else the layout depends on is given
        by name, as in a call. A tensor that is no whole number of blocks is padded, in its packed form alone.

        NumPy does it for arrays on the host. A kernel does it for arrays on a GPU, which stay there, and on ``backend``
        where that is named; both for fragments.

        Raises ``ArgumentError`` A001 for an unknown name, A005 to A007 and A024 for an array that does not fit, and
        what ``specialise`` and a call raise.
        """
        check_tensor(self.definition, name)
        given = packing_argument(name, array)
        return packed(self._parameter(name, given.dtype, compile_time), given, backend)

    def unpack(
        self, name: str, array: PackedArray, /, *, backend: str | None = None, **compile_time: Any
    ) -> PackedArray:
        """The inverse of ``pack``: the same elements, row after row.

        Raises ``ArgumentError`` A001, A022 for an array that lies in another way, and what ``specialise`` and a call
        raise.
        """
        check_tensor(self.definition, name)
        return unpacked(self._parameter(name, array.dtype, compile_time), array, backend)

    def _parameter(self, name: str, dtype: DType, compile_time: Mapping[str, Any]) -> Value:
        """A tensor parameter of the program whose formats are found from the array that is passed for it."""
        written = read_compile_time(self.definition, compile_time)
        inferred = infer_formats(self.definition, {name: dtype}, written)
        program = self._programs.specialised(written | inferred)
        return next(value for value in program.tensors if value.name == name)

    def _on_cuda(self) -> CudaCalls:
        if self._cuda is None:
            from tilevm.runtime.cuda import CudaCalls

            self._cuda = CudaCalls(self._programs)
        return self._cuda

    def _on_host(self, arguments: Arguments) -> Launch[ArrayArgument]:
        """A launch on NumPy arrays, checked."""
        arrays = {
            parameter.name: adopt(parameter.name, arguments.tensors[parameter.name], written=parameter.access != "in")
            for parameter in self.definition.parameters
            if parameter.name in arguments.tensors
        }
        formats = {name: array.dtype for name, array in arrays.items()}
        inferred = infer_formats(self.definition, formats, arguments.compile_time)
        program = self._programs.specialised(read_compile_time(self.definition, arguments.compile_time) | inferred)
        sizes = sizes_among(self.definition, program, arguments.others)
        return check(program, arrays, arguments.scalars, sizes, HOST)

    def specialise(self, /, **compile_time: Any) -> Program:
        """The program with every compile-time parameter bound: to what is given, else to its default.

        Raises ``ArgumentError`` A010 for a text that is no format or layout, A031 to A034 for a parameter without a
        value, an unknown one, a value of the wrong kind, and a ``require`` that does not hold; ``ProgramError`` where
        the program makes no sense with these values.
        """
        return self._programs.specialised(read_compile_time(self.definition, compile_time))

    def ir(self, /, **compile_time: Any) -> str:
        """The printed program, for the given compile-time parameters. Raises what ``specialise`` raises."""
        return str(self.specialise(**compile_time))


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


def _report(debug: bool | Report | None, backend: str) -> Report | None:
    if isinstance(debug, Report):
        if backend != "interpreter":
            raise UsageError(
                "F007",
                f"a Report is filled by the interpreter, not by backend {backend}",
                help="debug=True raises what went wrong",
            )
        return debug
    if debug is None or isinstance(debug, bool):
        return Report() if debug and backend == "interpreter" else None
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


def _check_order(order: int | None, resident: int | None, backend: str) -> None:
    """Raises F012 for values that say nothing, and where another backend than the simulator runs the blocks."""
    for name, value, least in (("order", order, 0), ("resident", resident, 1)):
        if value is None:
            continue
        if backend != "simulator":
            raise UsageError(
                "F012",
                f"`{name}` is for the simulator, not for backend {backend}",
                help='backend="simulator"; the interpreter runs blocks in the order of their numbers, a GPU in its own',
            )
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise UsageError("F012", f"`{name}` is an integer of at least {least}, not {value!r}")
