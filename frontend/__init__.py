"""The front end: the text of a program to verified intermediate representation.

    text ── parser ──▶ syntax ── module, kernels ──▶ KernelDefinition ── specialise ──▶ Program

``syntax`` says what a text may be, ``parser`` reads it. ``module`` gives names their meaning; ``kernels`` binds
compile-time parameters and lowers a body: ``header`` its shapes and clauses, ``statements``, ``loops`` and ``branches``
what runs, ``evaluation``, ``operators``, ``subscripts``, ``placement`` and ``calls`` its expressions.
"""

from __future__ import annotations

from tilevm.frontend.kernels import CompileTimeParameter, KernelDefinition, ParameterDefinition
from tilevm.frontend.module import Module, load_file, load_text
from tilevm.frontend.parameters import MISSING

__all__ = [
    "MISSING",
    "CompileTimeParameter",
    "KernelDefinition",
    "Module",
    "ParameterDefinition",
    "load_file",
    "load_text",
]
