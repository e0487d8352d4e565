"""What a number of the target is made of in a word: lanes, fields, and the operations there are.

>>> from tilevm.dtypes import F16
>>> lanes = Lanes(F16)
>>> lanes.count, hex(lanes.every(lanes.power(0))), hex(lanes.number(1032))
(2, '0x3c003c00', '0x6408')
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tilevm.dtypes import DType
from tilevm.synthesis.steps import Builder, Term

__all__ = ["Lanes"]


@dataclass(frozen=True)
class Lanes:
    """Numbers of f16, bf16 or f32 side by side in a word."""

    dtype: DType

    @property
    def width(self) -> int:
        """Bits of a lane."""
        return self.dtype.bits

    @property
    def count(self) -> int:
        """Lanes of a word."""
        return 32 // self.width

    @property
    def sign(self) -> int:
        """The sign bits of all lanes."""
        return self.every(1 << (self.width - 1))

    def every(self, code: int) -> int:
        """A word with the same bits in every lane."""
        return self.word([code] * self.count)

    def word(self, codes: list[int]) -> int:
        """A word of lanes."""
        return sum(code << place * self.width for place, code in enumerate(codes))

    def power(self, exponent: int) -> int:
        """The code of 2^exponent, which the target has as a normal number."""
        assert 0 < exponent + self.dtype.bias < (1 << self.dtype.exponent) - 1, f"{self.dtype} has no 2^{exponent}"
        return exponent + self.dtype.bias << self.dtype.mantissa

    def number(self, value: float) -> int:
        """The code of a number that the target has."""
        code = int(self.dtype.to_codes(self.dtype.encode(np.array(value, np.float64))))
        assert float(self.dtype.decode(np.array(code))) == value, f"{self.dtype} has no {value}"
        return code

    def arithmetic(self, builder: Builder, operation: str, *operands: Term) -> Term:
        """``add``, ``sub``, ``mul``, ``fma``, ``min`` or ``max`` of all lanes."""
        suffix = "" if self.count == 1 else f"x{self.count}"
        return builder.step(f"{operation}_{self.dtype.name}{suffix}", *operands)
