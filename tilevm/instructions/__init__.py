"""Every instruction of the machine, one class each, by group.

    tiles         zeros full iota reshape permute broadcast squeeze unsqueeze slice concat convert_layout assume
    arithmetic    + - * / // % **, -x, cdiv
    comparison    == != < <= > >=
    logic         & | ^ ~ << >> not
    mathematics   abs exp exp2 log log2 sqrt rsqrt sin cos tanh erf floor ceil round fma
    selection     minimum maximum clamp where select
    convert       cast view dequantize
    memory        shared load store gather scatter copy_async commit wait prefetch memory_view
    reduce        sum max min any all argmax argmin cumsum scan shuffle vote
    tensor_core   dot dot_scaled
    sync          sync fence atomic_add atomic_min atomic_max atomic_exchange atomic_cas acquire release
    control       block_index grid_size depend launch_dependents random print assert trap

Importing this package fills the registry, ``tilevm.instruction.INSTRUCTIONS`` and ``OPERATORS``. An instruction is
added by adding a class to a group, and a group by adding a module to the imports below.

>>> from tilevm.instruction import INSTRUCTIONS, OPERATORS
>>> INSTRUCTIONS["fma"].__name__, OPERATORS["-", 2].__name__, OPERATORS["-", 1].__name__
('FusedMultiplyAdd', 'Subtract', 'Negative')
"""

from __future__ import annotations

from tilevm.instructions import (
    arithmetic,
    comparison,
    control,
    convert,
    logic,
    mathematics,
    memory,
    reduce,
    selection,
    sync,
    tensor_core,
    tiles,
)

__all__ = [
    "arithmetic",
    "comparison",
    "control",
    "convert",
    "logic",
    "mathematics",
    "memory",
    "reduce",
    "selection",
    "sync",
    "tensor_core",
    "tiles",
]
