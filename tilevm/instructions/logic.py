"""Logic and shifts on the bits of integers, element by element: ``& | ^ ~ << >>`` and ``not``.

The operands have one format, an integer or ``u1``; their shapes broadcast as NumPy's do. On ``u1`` these are the
operators of logic, and ``and`` and ``or`` of a program become ``&`` and ``|``. Nothing is skipped: both operands are
always computed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tilevm.instruction import INTEGER, LOGIC, TRUTH, instruction, operand
from tilevm.instructions.elementwise import Elementwise
from tilevm.machine import Array
from tilevm.values import Operand

__all__ = ["And", "ExclusiveOr", "Invert", "Not", "Or", "ShiftLeft", "ShiftRight"]


@dataclass(frozen=True)
class _Bitwise(Elementwise):
    a: Operand = operand(LOGIC, group="bits")
    b: Operand = operand(LOGIC, group="bits")


@instruction("and", operator="&")
class And(_Bitwise):
    """``a & b``: the bits that both have. Reference: PTX ``and``."""

    function: ClassVar[Callable[..., Array]] = np.bitwise_and


@instruction("or", operator="|")
class Or(_Bitwise):
    """``a | b``: the bits that one of the two has, or both. Reference: PTX ``or``."""

    function: ClassVar[Callable[..., Array]] = np.bitwise_or


@instruction("exclusive_or", operator="^")
class ExclusiveOr(_Bitwise):
    """``a ^ b``: the bits that exactly one of the two has. Reference: PTX ``xor``."""

    function: ClassVar[Callable[..., Array]] = np.bitwise_xor


@instruction("invert", operator="~")
class Invert(Elementwise):
    """``~x``: every bit changed: ``-x - 1`` for a signed integer, ``2^bits - 1 - x`` for an unsigned one, the opposite
    of a ``u1``. Reference: PTX ``not``."""

    x: Operand = operand(LOGIC)
    function: ClassVar[Callable[..., Array]] = np.invert


@instruction("not", operator="not")
class Not(Elementwise):
    """``not x``: the opposite of a ``u1``. For the bits of an integer write ``~x``, for "is zero" ``x == 0``.
    Reference: PTX ``not.pred``."""

    x: Operand = operand(TRUTH)
    function: ClassVar[Callable[..., Array]] = np.logical_not


@dataclass(frozen=True)
class _Shift(Elementwise):
    a: Operand = operand(INTEGER, group="bits")
    b: Operand = operand(INTEGER, group="bits")


@instruction("shift_left", operator="<<")
class ShiftLeft(_Shift):
    """``a << b``: the bits moved up by ``b`` places, zeros moved in, modulo 2^bits.

    The count is taken as unsigned, and one of the format's width or more (so also a negative one) moves every bit
    out: the result is 0. C leaves such counts undefined. Reference: PTX ``shl``, which clamps the count to the width.
    """

    function: ClassVar[Callable[..., Array]] = np.left_shift


@instruction("shift_right", operator=">>")
class ShiftRight(_Shift):
    """``a >> b``: the bits moved down by ``b`` places; copies of the sign are moved in, or zeros if unsigned.

    The count is taken as unsigned, and one of the format's width or more (so also a negative one) leaves only what was
    moved in: 0, or -1 for a negative number. C leaves such counts undefined. Reference: PTX ``shr``, which clamps the
    count to the width.
    """

    function: ClassVar[Callable[..., Array]] = np.right_shift
