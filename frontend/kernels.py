"""A kernel: its definition as it stands in a module, and the program that it becomes for given compile-time parameters.

``KernelDefinition`` is what a caller has to know before anything is bound: which compile-time parameters there are and
which have defaults, which arguments a launch takes, what may be tuned. ``specialise`` binds the compile-time
parameters, checks everything and gives a verified ``Program``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from tilevm.dtypes import DType
from tilevm.errors import Source, Span
from tilevm.frontend import branches, calls, header, loops, placement, subscripts, syntax
from tilevm.frontend.diagnostics import Diagnostics
from tilevm.frontend.evaluation import Names, State, evaluate
from tilevm.frontend.parameters import bind, default_of, kind_of
from tilevm.frontend.scope import Scope
from tilevm.frontend.statements import lower_body
from tilevm.ir import Program, Statement
from tilevm.layout import Layout
from tilevm.memory_pattern import MemoryPattern
from tilevm.verify import verify

__all__ = ["CompileTimeParameter", "KernelDefinition", "ParameterDefinition"]

_REGISTERED = (branches, calls, loops, placement, subscripts)
"""Modules that are imported because they register how their nodes are lowered."""

CompileTimeValue = int | bool | DType | Layout | MemoryPattern


@dataclass(frozen=True)
class CompileTimeParameter:
    """A compile-time parameter. ``kind`` is ``int``, ``bool``, ``dtype`` or ``layout``.

    ``default`` is ``MISSING`` where there is none, and where it depends on a parameter without one; ``required`` tells.
    """

    name: str
    kind: str
    default: Any
    required: bool
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True)
class ParameterDefinition:
    """A parameter of a launch.

    ``access`` is ``in``, ``out`` or ``inout``. ``rank`` counts the dimensions of a tensor, 0 for a scalar. ``dtype`` is
    the format, or the name of the compile-time parameter that says it, or None where an expression does.
    """

    name: str
    access: str
    is_tensor: bool
    rank: int
    dtype: DType | str | None
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, eq=False)
class KernelDefinition:
    """A kernel of a module."""

    node: syntax.Kernel
    names: Names = field(repr=False)

    @property
    def name(self) -> str:
        """The name of the kernel."""
        return self.node.name.text

    @property
    def span(self) -> Span:
        """The header of the kernel."""
        return self.node.span

    @property
    def source(self) -> Source:
        """The text that the kernel stands in."""
        return self.node.span.source

    @cached_property
    def compile_time(self) -> tuple[CompileTimeParameter, ...]:
        """The compile-time parameters, in order."""
        state = State(Diagnostics(), self.names, Scope())
        found = []
        for each in self.node.compile_time:
            default = default_of(state, each)
            found.append(
                CompileTimeParameter(
                    each.name.text, kind_of(each, default), default, each.default is None, each.name.span
                )
            )
        return tuple(found)

    @cached_property
    def parameters(self) -> tuple[ParameterDefinition, ...]:
        """The parameters of a launch, in order."""
        formats = {each.name for each in self.compile_time if each.kind == "dtype"}
        state = State(Diagnostics(), self.names, Scope())
        return tuple(self._parameter(state, each, formats) for each in self.node.parameters)

    def _parameter(self, state: State, node: syntax.Parameter, formats: set[str]) -> ParameterDefinition:
        dtype: DType | str | None
        if isinstance(node.dtype, syntax.Name) and node.dtype.text in formats:
            dtype = node.dtype.text
        else:
            found = evaluate(state, node.dtype)
            dtype = found if isinstance(found, DType) else None
        is_tensor, rank = node.shape is not None, len(node.shape or ())
        return ParameterDefinition(node.name.text, node.access, is_tensor, rank, dtype, node.name.span)

    @cached_property
    def tunes(self) -> Mapping[str, tuple[int, ...]]:
        """The values to try for compile-time parameters, by name."""
        state = State(Diagnostics(), self.names, Scope())
        return {
            clause.name.text: tuple(header.tuned(state, clause))
            for clause in self.node.clauses
            if isinstance(clause, syntax.Tune)
        }

    def specialise(self, bindings: Mapping[str, CompileTimeValue]) -> Program:
        """The verified program for compile-time parameters by name; those that are left out take their defaults.

        Raises ``ArgumentError`` A031 (a parameter has no value), A032 (there is no such parameter), A033 (a value of
        the wrong kind), A034 (a ``require`` does not hold); ``ProgramError`` with every mistake of the kernel.

        >>> from tilevm.frontend import load_text
        >>> module = load_text("kernel k[B = 16](out x: f32[N]):\\n    grid cdiv(N, B)\\n    a = zeros(f32, [B])\\n")
        >>> str(module.kernels["k"].specialise({"B": 32}).body[0].result.type)
        'f32[32]'
        """
        diagnostics = Diagnostics()
        state = State(diagnostics, self.names, Scope())
        bind(state, self.node, self.compile_time, bindings)
        top = header.lower(state, self.node)
        body: list[Statement] = []
        state.warps = top.warps
        with state.within(scope=top.scope, block=body):
            lower_body(state, self.node.body)
        diagnostics.check()
        program = Program(
            self.name, top.parameters, top.sizes, top.grid, top.warps, top.requires, tuple(body), self.node.span
        )
        verify(program)
        return program
