"""What a kernel has become: programs by their compile-time parameters, compiled kernels by their specialisation.

Everything is made once and kept for as long as the kernel is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tilevm.frontend import KernelDefinition
from tilevm.ir import Program
from tilevm.runtime.specialisation import Specialisation, bind_constants

if TYPE_CHECKING:
    from tilevm.runtime.compiled import CompiledKernel

__all__ = ["Programs"]


class Programs:
    """The programs of one kernel."""

    def __init__(self, definition: KernelDefinition) -> None:
        self.definition = definition
        self._specialised: dict[tuple[Any, ...], Program] = {}
        # Programs compare by structure, which takes long; one that is kept here is told by its identity.
        self._bound: dict[tuple[int, tuple[tuple[str, int], ...]], Program] = {}
        self._compiled: dict[tuple[int, Specialisation], CompiledKernel] = {}

    def specialised(self, bindings: dict[str, Any]) -> Program:
        """The program for compile-time parameters as ``read_compile_time`` gives them.

        Raises what ``Kernel.specialise`` raises.
        """
        try:
            # The type is part of the key, because True == 1.
            key = tuple((name, type(value), value) for name, value in sorted(bindings.items()))
            program = self._specialised.get(key)
        except TypeError:  # a value that cannot be a key is none that a parameter can have: this says which
            return self.definition.specialise(bindings)
        if program is None:
            program = self._specialised.setdefault(key, self.definition.specialise(bindings))
        return program

    def with_sizes(self, program: Program, constants: Mapping[str, int]) -> Program:
        """One of the programs with some of its sizes bound. Raises what ``bind_constants`` raises."""
        key = id(program), tuple(sorted(constants.items()))
        bound = self._bound.get(key)
        if bound is None:
            bound = self._bound.setdefault(key, bind_constants(program, constants))
        return bound

    def compiled(self, program: Program, specialisation: Specialisation) -> CompiledKernel:
        """One of the programs, compiled. Its parts are made when they are asked for."""
        from tilevm.runtime.cache import Cache
        from tilevm.runtime.compiled import CompiledKernel

        key = id(program), specialisation
        found = self._compiled.get(key)
        if found is None:
            found = self._compiled.setdefault(key, CompiledKernel(program, specialisation, Cache()))
        return found
