"""A number format is data: a kind, a number of bits, and for floats how these are split and what the special codes are.

Everything else — ranges, decoding, encoding under every rounding, casts, ``f16`` arithmetic, later CUDA — follows from
that one row. Formats are parsed from their names:

    u1 … u8, i1 … i8, u16 … u64, i16 … i64    unsigned, and two's complement (i1 is 0 and -1)
    f16 bf16 tf32 f32 f64                     IEEE-like
    f<bits>e<E>m<M>[fn|ieee|fnuz]             1 sign bit, E exponent bits, M mantissa bits; 3 to 16 bits
    ue<E>m<M>, e8m0                           without a sign: scale types
    nf4, trit                                 a codebook; -1, 0, 1

A bare float name means what the field means by it: below 8 bits every code is finite (OCP MX), ``f8e4m3`` is OCP's (a
NaN at S.1111.111, no infinity), all others are IEEE-like. A suffix says it outright: ``fn`` is finite but for one NaN
for each sign, ``ieee`` has infinities and NaNs, ``fnuz`` one NaN at negative zero and a bias one larger.

Formats are interned: ``dtype("f16") is F16``.

>>> dtype("f6e3m2").max, dtype("f6e3m2").decode(np.uint8([0b000001, 0b101100]))
(28.0, array([ 0.0625, -1.    ]))
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tilevm.errors import DTypeError, did_you_mean

__all__ = [
    "BF16",
    "F16",
    "F32",
    "F64",
    "I8",
    "I16",
    "I32",
    "I64",
    "ROUNDINGS",
    "TF32",
    "U1",
    "U8",
    "U16",
    "U32",
    "U64",
    "DType",
    "cast_codes",
    "codebook",
    "dtype",
]

ROUNDINGS = ("nearest_even", "nearest_away", "toward_zero", "up", "down", "stochastic")
"""To the nearest number, a tie to the one whose last digit is even (without mantissa bits the larger one, in a codebook
the even code) or away from zero; to the next one towards zero, plus or minus infinity; or to either neighbour with the
probability of its nearness.
"""

# In quotes, because merely naming numpy.random loads it, which takes longer than the rest of this module.
Random: TypeAlias = "np.random.Generator | NDArray[np.uint32] | None"


@dataclass(frozen=True, eq=False)
class DType:
    """A number format. Made by ``dtype`` or ``codebook``; compares by identity.

    ``kind`` is ``uint``, ``int``, ``float`` or ``codebook``. For floats ``exponent`` and ``mantissa`` count bits and
    ``specials`` is ``finite``, ``fn``, ``ieee``, ``fnuz`` or ``scale`` (NaN at the last code). ``table`` holds a
    codebook's values, by code.
    """

    name: str
    bits: int
    kind: str
    exponent: int = 0
    mantissa: int = 0
    signed: bool = False
    specials: str = "finite"
    table: tuple[float, ...] = field(default=(), repr=False)

    def __repr__(self) -> str:
        return f"dtype({self.name!r})"

    def __str__(self) -> str:
        return self.name

    def __reduce__(self) -> tuple[Any, ...]:
        if self.kind == "codebook":
            return codebook, (self.name, self.table)
        return dtype, (self.name,)

    @cached_property
    def storage(self) -> np.dtype[Any]:
        """The unsigned NumPy type that holds one code."""
        return np.dtype(f"u{_container(self.bits)}")

    @cached_property
    def carrier(self) -> np.dtype[Any] | None:
        """The NumPy type in which numbers of the format are computed; None where nothing is computed in it.

        >>> F16.carrier, dtype("i8").carrier, dtype("u4").carrier
        (dtype('float32'), dtype('int8'), None)
        """
        return _CARRIERS.get(self.name)

    @property
    def arithmetic(self) -> bool:
        """Whether instructions compute in the format; ``tf32`` is only multiplied, by ``dot``."""
        return self.carrier is not None and self.name != "tf32"

    @cached_property
    def bias(self) -> int:
        """What is subtracted from the exponent field of a float; 0 for other kinds."""
        if self.kind != "float":
            return 0
        if self.specials == "scale":
            return (1 << (self.exponent - 1)) - 1
        return (1 << (self.exponent - 1)) - (0 if self.specials == "fnuz" else 1)

    @property
    def has_nan(self) -> bool:
        """Whether a code is not a number."""
        return self.kind == "float" and self.specials != "finite"

    @property
    def has_infinity(self) -> bool:
        """Whether a code is infinite."""
        return self.kind == "float" and self.specials == "ieee"

    @cached_property
    def max(self) -> int | float:
        """The largest finite number; an ``int`` for integers.

        >>> dtype("u4").max, dtype("f8e4m3").max, dtype("ue4m3").max, dtype("e8m0").max == 2.0**127
        (15, 448.0, 448.0, True)
        """
        if self.kind == "uint":
            return (1 << self.bits) - 1
        if self.kind == "int":
            return (1 << (self.bits - 1)) - 1
        if self.kind == "codebook":
            return max(self.table)
        return self._largest()

    @cached_property
    def min(self) -> int | float:
        """The smallest finite number, which is negative for signed formats."""
        if self.kind == "uint":
            return 0
        if self.kind == "int":
            return -(1 << (self.bits - 1))
        if self.kind == "codebook":
            return min(self.table)
        if self.specials == "scale":
            return math.ldexp(1.0, -self.bias)
        return -self._largest() if self.signed else 0.0

    def _largest(self) -> float:
        field_value, fraction = (1 << self.exponent) - 1, (1 << self.mantissa) - 1
        if self.specials == "ieee":
            field_value -= 1
        elif self.specials in ("fn", "scale"):
            # The code of all ones is the NaN.
            field_value, fraction = (field_value, fraction - 1) if self.mantissa else (field_value - 1, 0)
        exponent = field_value - self.bias
        if field_value == 0 and self.specials != "scale":
            return math.ldexp(fraction, 1 - self.bias - self.mantissa)
        return math.ldexp((1 << self.mantissa) + fraction, exponent - self.mantissa)

    @property
    def smallest(self) -> float:
        """The smallest positive number; 0 where there is none, as in ``i1``."""
        if self.kind == "codebook":
            return min((value for value in self.table if value > 0), default=0.0)
        if self.kind != "float":
            return min(1.0, float(self.max))
        if self.specials == "scale":
            return float(self.min)
        return math.ldexp(1.0, 1 - self.bias - self.mantissa)

    def decode(self, codes: ArrayLike) -> NDArray[np.float64]:
        """The numbers of some codes, in an array of the same shape. Integers beyond 2^53 are rounded.

        Raises ``DTypeError`` D003 for a code of more than ``bits`` bits.
        """
        return self.decode_to(self.checked(codes), np.float64)

    def decode_to(self, codes: NDArray[Any], target: Any) -> NDArray[Any]:
        """The numbers of codes, which are not checked, as ``float32`` or ``float64``; rounded where it is narrower."""
        from tilevm import codec

        return codec.decode(self, codes, np.dtype(target))

    def encode(
        self,
        values: ArrayLike,
        rounding: str = "nearest_even",
        saturate: bool | None = None,
        random: Random = None,
    ) -> NDArray[Any]:
        """The codes of some numbers, each rounded once, in an array of the same shape and the storage type.

        What is out of range becomes the largest or smallest number if ``saturate`` holds; else infinity or NaN where
        the format has one, and integers wrap modulo 2^bits; a codebook always saturates. A finite number is not out of
        range where it is rounded towards zero. By default every format saturates but the IEEE-like ones of 16 bits and
        more, as hardware has it. A NaN becomes a NaN; where there is none 0 in an integer, the value nearest to 0 in a
        codebook, and the largest number in a float (as PTX ``cvt.satfinite``). ``random`` holds 32 random bits for each
        value, for ``stochastic``, or is a generator of them.

        Raises ``DTypeError`` D004 for an unknown rounding, D005 for ``stochastic`` without random bits, D014 for values
        that are no numbers or wider than 64 bits.
        """
        from tilevm import codec

        return codec.encode(
            self, np.asarray(values), rounding, self.saturates if saturate is None else saturate, random
        )

    @property
    def saturates(self) -> bool:
        """What ``saturate`` is by default: False for the IEEE-like formats of 16 bits and more."""
        return not (self.has_infinity and self.bits >= 16)

    def to_values(self, elements: NDArray[Any]) -> NDArray[Any]:
        """Codes as numbers in the carrier; what is in the carrier already is given back as it is."""
        from tilevm import codec

        return codec.to_values(self, elements)

    def to_codes(self, elements: NDArray[Any]) -> NDArray[Any]:
        """Numbers in the carrier as codes, bit for bit; what is codes already is given back as it is."""
        from tilevm import codec

        return codec.to_codes(self, elements)

    def round(self, values: NDArray[Any]) -> NDArray[Any]:
        """Numbers in the carrier, rounded to the nearest of the format, a tie to even. Overflow gives infinity."""
        from tilevm import codec

        return codec.round_to(self, values)

    def checked(self, codes: ArrayLike) -> NDArray[Any]:
        """Codes in the storage type.

        Raises ``DTypeError`` D003 where a number is not one of the format's codes.

        >>> dtype("u4").checked([15, 16])
        Traceback (most recent call last):
        ...
        tilevm.errors.DTypeError: error[D003]: 16 is not a code of u4: its codes are 0 … 15
        """
        given = np.asarray(codes)
        if given.dtype == self.storage and 8 * self.storage.itemsize == self.bits:
            return given
        if given.dtype.kind not in "uib" and given.size:
            raise DTypeError("D003", f"codes of {self} are integers, not {given.dtype}")
        last = len(self.table) - 1 if self.table else (1 << self.bits) - 1
        wrong = (given < 0) | (given > last) if given.dtype.kind == "i" else given > last
        if wrong.any():
            first = given[wrong].flat[0]
            raise DTypeError("D003", f"{first} is not a code of {self}: its codes are 0 … {last}")
        return given.astype(self.storage, copy=False)


def _container(bits: int) -> int:
    """Bytes of the smallest power-of-two container."""
    return max(1, 1 << (math.ceil(bits / 8) - 1).bit_length())


_CARRIERS: dict[str, np.dtype[Any]] = {
    "u1": np.dtype(np.bool_),
    **{f"{kind}{bits}": np.dtype(f"{kind}{bits // 8}") for kind in "ui" for bits in (8, 16, 32, 64)},
    **dict.fromkeys(("f16", "bf16", "tf32", "f32"), np.dtype(np.float32)),
    "f64": np.dtype(np.float64),
}

NF4 = (
    -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
    -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
    0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
)  # fmt: skip
"""Quantiles of the normal distribution: Dettmers et al., "QLoRA", 2023, appendix E."""

_NAMED = {
    "f16": DType("f16", 16, "float", 5, 10, True, "ieee"),
    "bf16": DType("bf16", 16, "float", 8, 7, True, "ieee"),
    "tf32": DType("tf32", 19, "float", 8, 10, True, "ieee"),
    "f32": DType("f32", 32, "float", 8, 23, True, "ieee"),
    "f64": DType("f64", 64, "float", 11, 52, True, "ieee"),
    "e8m0": DType("e8m0", 8, "float", 8, 0, False, "scale"),
    "nf4": DType("nf4", 4, "codebook", table=NF4, signed=True),
    "trit": DType("trit", 2, "codebook", table=(0.0, 1.0, -1.0), signed=True),
}
_INTERNED: dict[str, DType] = dict(_NAMED)

# Without leading zeros, which would give one format several names.
_NUMBER = "(0|[1-9][0-9]{0,3})"
_INTEGER = re.compile(f"([ui]){_NUMBER}")
_FLOAT = re.compile(f"f{_NUMBER}e{_NUMBER}m{_NUMBER}(fn|ieee|fnuz)?")
_UNSIGNED_FLOAT = re.compile(f"ue{_NUMBER}m{_NUMBER}(fn|ieee)?")


def dtype(name: object) -> DType:
    """The format of a name; a format or a NumPy type is taken as well.

    Raises ``DTypeError`` D001 for a name that is no format, with the reason or the nearest name.

    >>> dtype("f5e2m2").bits, dtype(np.float32), dtype("bool")
    (5, dtype('f32'), dtype('u1'))
    """
    if isinstance(name, DType):
        return name
    if not isinstance(name, str):
        return _from_numpy(name)
    known = _INTERNED.get(name)
    if known is None:
        made = _parse(name)
        known = _INTERNED.setdefault(made.name, made)
        _INTERNED[name] = known
    return known


def _parse(name: str) -> DType:
    if name == "bool":
        return dtype("u1")
    if match := _INTEGER.fullmatch(name):
        bits = int(match[2])
        if bits not in (*range(1, 9), 16, 32, 64):
            raise DTypeError("D001", f"there is no format `{name}`", help="integers have 1 to 8, 16, 32 or 64 bits")
        return DType(name, bits, "int" if match[1] == "i" else "uint", signed=match[1] == "i")
    if match := _FLOAT.fullmatch(name):
        bits, exponent, mantissa = (int(part) for part in match.groups()[:3])
        return _float(name, bits, exponent, mantissa, True, match[4])
    if match := _UNSIGNED_FLOAT.fullmatch(name):
        exponent, mantissa = int(match[1]), int(match[2])
        return _float(name, exponent + mantissa, exponent, mantissa, False, match[3])
    examples = [*_NAMED, *"u4 i4 u8 i8 u32 i32 f4e2m1 f6e2m3 f6e3m2 f8e4m3 f8e5m2 ue4m3".split()]
    raise DTypeError(
        "D001",
        f"there is no format `{name}`",
        help=did_you_mean(name, examples) or "formats are written u4, i8, f16, f6e3m2, ue4m3, nf4",
    )


def _float(name: str, bits: int, exponent: int, mantissa: int, signed: bool, suffix: str | None) -> DType:
    total = signed + exponent + mantissa
    if total != bits:
        raise DTypeError(
            "D001",
            f"`{name}` has 1 + {exponent} + {mantissa} = {total} bits, not {bits}",
            help=f"f{total}e{exponent}m{mantissa}",
        )
    if not 3 <= bits <= 16 or not 1 <= exponent <= 8:
        raise DTypeError(
            "D001", f"there is no format `{name}`", help="floats have 3 to 16 bits, 1 to 8 of them exponent"
        )
    no_room = exponent < 2 or mantissa < 1
    if no_room and suffix == "ieee":
        raise DTypeError("D001", f"`{name}` has no room for infinities and NaNs", help="leave out `ieee`")
    if not signed or (bits, exponent) == (8, 4):
        default = "fn"
    else:
        default = "finite" if bits < 8 else "fn" if no_room else "ieee"
    # One format has one name: a suffix that says what the bare name means is left out.
    known = name.removesuffix(default) if suffix == default else name
    return DType(known, bits, "float", exponent, mantissa, signed, suffix or default)


def _from_numpy(given: object) -> DType:
    try:
        found = np.dtype(given)  # type: ignore[call-overload]
        if given is None:
            raise TypeError("NumPy takes None for float64, which here would hide a mistake")
    except TypeError:
        raise DTypeError("D001", f"{given!r} is neither a format nor the name of one") from None
    name = _NUMPY_NAMES.get(found.name)
    if name is None:
        raise DTypeError("D001", f"there is no format for NumPy's {found.name}")
    return dtype(name)


_NUMPY_NAMES = {
    "bool": "u1",
    **{
        f"{long}{bits}": f"{short}{bits}"
        for long, short in (("int", "i"), ("uint", "u"))
        for bits in (2, 4, 8, 16, 32, 64)
    },
    "float16": "f16",
    "float32": "f32",
    "float64": "f64",
    "bfloat16": "bf16",
    # The types of ml_dtypes, which are one value in a byte.
    "float4_e2m1fn": "f4e2m1",
    "float6_e2m3fn": "f6e2m3",
    "float6_e3m2fn": "f6e3m2",
    "float8_e8m0fnu": "e8m0",
    "float8_e4m3fn": "f8e4m3",
    "float8_e4m3": "f8e4m3ieee",
    "float8_e5m2": "f8e5m2",
    "float8_e3m4": "f8e3m4",
    "float8_e4m3fnuz": "f8e4m3fnuz",
    "float8_e5m2fnuz": "f8e5m2fnuz",
    "int1": "i1",
    "uint1": "u1",
}


def codebook(name: str, values: Iterable[float]) -> DType:
    """A format whose codes stand for the given values, in order; as many bits as they need, 1 to 8.

    A value is encoded as the nearest one, a tie as the even code. Raises ``DTypeError`` D002 for a name that is not an
    identifier or already means another format, values that are not finite or not all different, less than 2 or more
    than 256.

    >>> codebook("fourths", [-1, -0.25, 0.25, 1]).encode([0.3, -2.0])
    array([2, 0], dtype=uint8)
    """
    try:
        table = tuple(float(value) for value in values)
    except (TypeError, ValueError, OverflowError):
        table = ()
    if not 2 <= len(set(table)) == len(table) <= 256 or not all(math.isfinite(value) for value in table):
        raise DTypeError("D002", f"the codebook `{name}` needs 2 to 256 different finite values")
    known = _INTERNED.get(name)
    if known is not None and known.kind == "codebook" and known.table == table:
        return known
    if known is not None or re.fullmatch(r"[a-z][a-z0-9_]*", str(name)) is None or _is_format(name):
        raise DTypeError(
            "D002", f"`{name}` cannot name a codebook", help="take a name in small letters that is not taken"
        )
    bits = (len(table) - 1).bit_length()
    return _INTERNED.setdefault(name, DType(name, bits, "codebook", table=table, signed=min(table) < 0))


def _is_format(name: str) -> bool:
    try:
        _parse(name)
    except DTypeError:
        return False
    return True


def cast_codes(
    source: DType,
    target: DType,
    elements: NDArray[Any],
    rounding: str = "nearest_even",
    saturate: bool | None = None,
    random: Random = None,
) -> NDArray[Any]:
    """Elements of one format as the nearest of another, rounded once, in the same shape.

    Elements go in, and come out, as codes or, for formats with a carrier, as numbers in the carrier.
    """
    from tilevm import codec

    return codec.cast(source, target, elements, rounding, target.saturates if saturate is None else saturate, random)


F16, BF16, TF32, F32, F64 = (dtype(name) for name in ("f16", "bf16", "tf32", "f32", "f64"))
U1, U8, U16, U32, U64 = (dtype(name) for name in ("u1", "u8", "u16", "u32", "u64"))
I8, I16, I32, I64 = (dtype(name) for name in ("i8", "i16", "i32", "i64"))
