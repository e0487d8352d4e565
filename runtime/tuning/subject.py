"""What is tuned: a kernel for arguments of some formats and shapes, on one architecture; and when a result holds.

A ``Subject`` is all that a candidate needs to be compiled and judged, and nothing of the arrays: it is small, and is
sent to whatever process does so. A ``TuneKey`` says which calls a result is for. Sizes are exact in it, but for those
that are put in *buckets*, so that a result for M = 13 serves M = 16.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tilevm.dtypes import DType
from tilevm.errors import ArgumentError, did_you_mean
from tilevm.ir import Program
from tilevm.packed_array import PackedArray
from tilevm.runtime.arrays import adopt, make
from tilevm.runtime.backends import lies_on_gpu
from tilevm.runtime.cache import Cache
from tilevm.runtime.compiled import CompiledKernel
from tilevm.runtime.kernel import Kernel
from tilevm.runtime.launch import Argument, shape_of
from tilevm.runtime.shapes import bind_sizes, check_launch
from tilevm.runtime.specialisation import Specialisation
from tilevm.runtime.tuning.space import Config

__all__ = ["Buckets", "Subject", "TuneKey", "bucket", "describe_arrays", "key_of", "source_hash"]

Buckets = Sequence[str] | Mapping[str, Sequence[int]]
"""Names of sizes that are rounded up to powers of two, or sizes with the bounds of their buckets."""


@dataclass(frozen=True, eq=False)
class Subject:
    """A kernel with what a call says of its arguments. ``compile_time`` is what the call fixes, formats included."""

    kernel: Kernel
    target: str
    compile_time: Config
    shapes: Mapping[str, tuple[int, ...]]
    """The shape of each array that the call gives, in elements."""
    formats: Mapping[str, str]
    """The number format of each."""
    given_sizes: Mapping[str, int] = field(default_factory=dict)
    """Sizes that the call gives by name."""
    workspaces: tuple[str, ...] = ()
    """``inout`` arrays that the call leaves out: memory to work in, zeros in the shape that a candidate declares."""

    @property
    def fixed(self) -> dict[str, Any]:
        """What a call gives besides arrays and scalars: compile-time parameters and sizes, by name."""
        return {**self.compile_time, **self.given_sizes}

    def program(self, config: Config) -> Program:
        """The program of a candidate. Raises what ``Kernel.specialise`` raises."""
        return self.kernel.specialise(**{**self.compile_time, **config})

    def sizes(self, program: Program) -> dict[str, int]:
        """The sizes of a launch of a candidate. Raises what ``bind_sizes`` and ``check_launch`` raise."""
        sizes = bind_sizes(program, self.shapes, self.given_sizes)
        check_launch(program, sizes)
        return sizes

    def made(self, config: Config) -> dict[str, Any]:
        """The workspaces of a candidate, on the host. Raises what ``program`` and ``sizes`` raise."""
        if not self.workspaces:
            return {}
        program = self.program(config)
        sizes = self.sizes(program)
        values = {value.name: value for value in program.tensors}
        return {name: make(name, values[name].dtype, shape_of(values[name], sizes)).given for name in self.workspaces}

    def compiled(self, program: Program, sizes: Mapping[str, int]) -> CompiledKernel:
        """A candidate, lowered, for arrays that are aligned. Raises what ``CompiledKernel`` raises."""
        return CompiledKernel(program, Specialisation.of(self.target, sizes), Cache())


@dataclass(frozen=True)
class TuneKey:
    """The calls that a result is for."""

    kernel: str
    source: str
    """SHA-256 of the text that the kernel stands in."""
    space: str
    """SHA-256 of the candidates."""
    arch: str
    device: str | None
    """The name of the GPU that it was measured on; None for a ranking without one."""
    sizes: tuple[tuple[str, str], ...]
    """Each size with its value, ``8192``, or its bucket, ``<= 16``."""
    compile_time: tuple[tuple[str, str], ...]
    formats: tuple[tuple[str, str], ...]

    @property
    def digest(self) -> str:
        """What names the calls in a file name: 16 hexadecimal digits, the same for every GPU and architecture."""
        parts = (self.kernel, self.source, self.space, self.sizes, self.compile_time, self.formats)
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]

    def __str__(self) -> str:
        sizes = (f"{name} {text}" if text.startswith(("<", ">")) else f"{name} = {text}" for name, text in self.sizes)
        bound = (f"{name} = {text}" for name, text in self.compile_time)
        return f"{self.kernel} for {', '.join((*sizes, *bound))} on {self.device or self.arch}"


def source_hash(kernel: Kernel) -> str:
    """SHA-256 of the text that a kernel stands in: its layouts, functions and constants are part of what it means."""
    return hashlib.sha256(kernel.definition.source.text.encode()).hexdigest()


def key_of(
    subject: Subject, space: Sequence[Config], sizes: Mapping[str, int], buckets: Buckets, device: str | None
) -> TuneKey:
    """The key of the calls like this one.

    Raises ``ArgumentError`` A001 for a bucket of a size that the kernel does not have.
    """
    for name in buckets:
        if name not in sizes:
            raise ArgumentError(
                "A001",
                f"buckets: kernel `{subject.kernel.name}` has no size `{name}`",
                argument=name,
                help=did_you_mean(name, sizes) or f"it has {', '.join(sizes) or 'none'}",
            )
    return TuneKey(
        subject.kernel.name,
        source_hash(subject.kernel),
        hashlib.sha256(repr(space).encode()).hexdigest(),
        subject.target,
        device,
        tuple((name, bucket(size, _bounds(buckets, name))) for name, size in sorted(sizes.items())),
        tuple((name, str(value)) for name, value in sorted(subject.compile_time.items())),
        tuple(sorted(subject.formats.items())),
    )


def _bounds(buckets: Buckets, name: str) -> Sequence[int] | None:
    """None: exact. Empty: powers of two."""
    if name not in buckets:
        return None
    return buckets[name] if isinstance(buckets, Mapping) else ()


def bucket(size: int, bounds: Sequence[int] | None) -> str:
    """The bucket of a size: itself where ``bounds`` is None, the power of two above it where there are no bounds.

    >>> bucket(13, None), bucket(13, ()), bucket(13, (1, 64)), bucket(100, (1, 64))
    ('13', '<= 16', '<= 64', '> 64')
    """
    if bounds is None:
        return str(size)
    if not bounds:
        return f"<= {1 << (size - 1).bit_length() if size else 0}"
    above = [bound for bound in bounds if bound >= size]
    return f"<= {min(above)}" if above else f"> {max(bounds)}"


def describe_arrays(given: Mapping[str, Any]) -> dict[str, Argument]:
    """The arrays of a call with their number formats and shapes, wherever they lie. No element is read.

    Raises ``ArgumentError`` as a call does for what is no array that a kernel can take.
    """
    return {name: _described(name, array) for name, array in given.items()}


@dataclass(frozen=True, eq=False)
class _Packed:
    """A ``PackedArray`` whose elements nobody asks for."""

    given: PackedArray
    dtype: DType
    shape: tuple[int, ...]


def _described(name: str, array: Any) -> Argument:
    if isinstance(array, PackedArray):
        return _Packed(array, array.dtype, array.shape)
    if not lies_on_gpu(array):
        return adopt(name, array, written=False)
    from tilevm.runtime.device import current_device
    from tilevm.runtime.device_arrays import adopt_on

    return adopt_on(current_device(), name, array, written=False)
