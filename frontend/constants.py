"""Compile-time values: what a program computes before anything runs.

A compile-time value is a Python ``int``, ``float``, ``bool`` or ``str``, a number format, a layout or a memory pattern,
``None``, or a tuple of these. Arithmetic on them is Python's: integers are exact, ``/`` gives a float, ``//`` and ``%``
round down. In the header of a kernel the sizes of its tensors take part too, as ``tilevm.sizes``.

>>> binary("//", 7, 2), binary("*", Symbol("K"), 2), call("cdiv", [300, 128])
(3, Operation(operator='*', operands=(Symbol(name='K'), 2)), 3)
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tilevm import layout_text, sizes
from tilevm.dtypes import DType
from tilevm.errors import ProgramError, did_you_mean
from tilevm.layout import Layout
from tilevm.memory_pattern import MemoryPattern
from tilevm.sizes import Operation, Symbol

__all__ = [
    "FUNCTIONS",
    "Method",
    "attribute",
    "binary",
    "call",
    "is_constant",
    "is_number",
    "is_size",
    "shown",
    "unary",
]

MAXIMUM_BITS = 4096
"""Integers are exact up to this many bits; ``**`` and ``<<`` refuse to make larger ones."""


def _power(a: float, b: float) -> Any:
    if isinstance(a, int) and isinstance(b, int) and b > 0 and abs(a).bit_length() * b > MAXIMUM_BITS:
        raise OverflowError(f"it has more than {MAXIMUM_BITS} bits")
    result = a**b
    if isinstance(result, complex):
        raise ValueError("a negative number has no such power")
    return result


def _shift_left(a: int, b: int) -> int:
    if abs(a).bit_length() + b > MAXIMUM_BITS:
        raise OverflowError(f"it has more than {MAXIMUM_BITS} bits")
    return a << b


def _cdiv(a: int, b: int) -> int:
    return -(-a // b)


COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}

ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
    "**": _power,
}

BITWISE: dict[str, Callable[[Any, Any], Any]] = {
    "&": operator.and_,
    "|": operator.or_,
    "^": operator.xor,
    "<<": _shift_left,
    ">>": operator.rshift,
}

UNARY: dict[str, Callable[[Any], Any]] = {
    "-": operator.neg,
    "+": operator.pos,
    "~": operator.invert,
    "not": operator.not_,
}

FUNCTIONS: dict[str, Callable[..., Any]] = {
    "abs": abs,
    "cdiv": _cdiv,
    "ceil": math.ceil,
    "cos": math.cos,
    "erf": math.erf,
    "exp": math.exp,
    "exp2": math.exp2,
    "floor": math.floor,
    "log": math.log,
    "log2": math.log2,
    "max": max,
    "maximum": max,
    "min": min,
    "minimum": min,
    "round": round,
    "rsqrt": lambda x: 1 / math.sqrt(x),
    "sin": math.sin,
    "sqrt": math.sqrt,
    "tanh": math.tanh,
}
"""What can be called on numbers known when the program is compiled; on others the instruction of that name runs."""

ARITIES: Mapping[str, range] = {name: range(2, 64) for name in ("max", "maximum", "min", "minimum")} | {
    "cdiv": range(2, 3)
}


def is_number(value: object) -> bool:
    """Whether a compile-time value is a number; ``True`` and ``False`` count."""
    return isinstance(value, int | float)


def is_size(value: object) -> bool:
    """Whether a value is a size that the shapes of the arguments decide."""
    return isinstance(value, Symbol | Operation)


def is_constant(value: object) -> bool:
    """Whether a value is known when the program is compiled."""
    if isinstance(value, tuple):
        return all(map(is_constant, value))
    return value is None or isinstance(value, int | float | str | DType | Layout | MemoryPattern)


def shown(value: object) -> str:
    """A compile-time value in words, for messages.

    >>> shown(3), shown("a")
    ('the int 3', "the text 'a'")
    """
    if isinstance(value, DType):
        return f"the format {value}"
    if isinstance(value, Layout | MemoryPattern):
        return f"the layout {value}"
    if isinstance(value, str):
        return f"the text {value!r}"
    if is_size(value):
        return f"the size {value}"
    if isinstance(value, tuple):
        return f"the list {list(value)}"
    return "None" if value is None else f"the {type(value).__name__} {value}"


def binary(symbol: str, a: Any, b: Any) -> Any:
    """The result of an operator on two compile-time values or sizes.

    Raises ``ProgramError`` T060 where the operator does not take such values, T061 where the arithmetic fails, and
    ``LayoutError`` for a product or quotient of layouts that does not exist.
    """
    if is_size(a) or is_size(b):
        return _of_sizes(symbol, a, b)
    if isinstance(a, Layout | MemoryPattern) and isinstance(b, Layout | MemoryPattern) and symbol in "*/":
        return _of_layouts(symbol, a, b)
    if symbol in COMPARISONS and (symbol in ("==", "!=") or (is_number(a) and is_number(b))):
        return COMPARISONS[symbol](a, b)
    if is_number(a) and is_number(b):
        if symbol in ARITHMETIC:
            return _computed(f"{a} {symbol} {b}", ARITHMETIC[symbol], a, b)
        if symbol in BITWISE and isinstance(a, int) and isinstance(b, int):
            return _computed(f"{a} {symbol} {b}", BITWISE[symbol], a, b)
    if symbol == "+" and isinstance(a, tuple) and isinstance(b, tuple):
        return a + b
    raise ProgramError("T060", f"`{symbol}` does not take {shown(a)} and {shown(b)}", help=_operator_help(symbol, a, b))


def _operator_help(symbol: str, a: Any, b: Any) -> str | None:
    if isinstance(a, DType) or isinstance(b, DType):
        return "a format has .bits, .min, .max and .smallest, which are numbers"
    return None


def _of_layouts(symbol: str, a: Any, b: Any) -> Any:
    try:
        return a * b if symbol == "*" else a / b
    except TypeError:
        raise ProgramError(
            "T060",
            f"`{symbol}` does not take {shown(a)} and {shown(b)}",
            help="blocks(64, 32) * layout orders each block",
        ) from None


def _of_sizes(symbol: str, a: Any, b: Any) -> sizes.Size:
    if symbol not in sizes.OPERATORS or not all(is_size(each) or isinstance(each, int) for each in (a, b)):
        help = "`//` divides sizes" if symbol == "/" else "sizes are integers: + - * // % cdiv min max and comparisons"
        raise ProgramError("T060", f"`{symbol}` does not take {shown(a)} and {shown(b)}", help=help)
    return sizes.operation(symbol, a, b)


def _computed(text: str, function: Callable[..., Any], *operands: Any) -> Any:
    try:
        return function(*operands)
    except ZeroDivisionError:
        raise ProgramError("T061", f"{text} divides by zero") from None
    except (ArithmeticError, ValueError) as error:
        raise ProgramError("T061", f"{text} cannot be computed: {error}") from None


def unary(symbol: str, a: Any) -> Any:
    """The result of ``- + ~ not`` on a compile-time value or size. Raises ``ProgramError`` T060."""
    if is_size(a) and symbol in ("-", "not"):
        return sizes.operation({"-": "negative"}.get(symbol, symbol), a)
    if is_number(a) and (symbol != "~" or isinstance(a, int)):
        return UNARY[symbol](a)
    raise ProgramError("T060", f"`{symbol}` does not take {shown(a)}")


def call(name: str, arguments: Sequence[Any]) -> Any:
    """A function of ``FUNCTIONS`` on numbers, or ``cdiv``, ``min`` or ``max`` where sizes are among them.

    Raises ``ProgramError`` T060 for other arguments or too many or few of them, T061 where the arithmetic fails.
    """
    if len(arguments) not in ARITIES.get(name, (1,)):
        expected = ARITIES.get(name, range(1, 2))
        number = "at least 2 arguments" if len(expected) > 1 else f"{expected[0]} argument{'s' * (expected[0] > 1)}"
        raise ProgramError("T060", f"`{name}` takes {number}, not {len(arguments)}")
    if any(map(is_size, arguments)):
        if name not in sizes.OPERATORS or not all(is_size(each) or isinstance(each, int) for each in arguments):
            raise ProgramError("T060", f"`{name}` does not take sizes", help="cdiv, min and max do")
        first, *others = arguments
        for other in others:
            first = sizes.operation(name, first, other)
        return first
    for argument in arguments:
        if not is_number(argument) or (name == "cdiv" and not isinstance(argument, int)):
            raise ProgramError("T060", f"`{name}` does not take {shown(argument)}")
    return _computed(f"{name}({', '.join(map(str, arguments))})", FUNCTIONS[name], *arguments)


# Attributes and methods

DTYPE_ATTRIBUTES: tuple[str, ...] = ("bits", "max", "min", "name", "smallest")
LAYOUT_ATTRIBUTES: tuple[str, ...] = ("rank", "shape", "slots", "threads")


@dataclass(frozen=True)
class Method:
    """A method of a layout, to be called."""

    name: str
    function: Callable[..., Any]

    def __call__(self, arguments: list[Any], keywords: dict[str, Any]) -> Any:
        """The result. Raises ``LayoutError`` L015 for arguments that the method does not take, and what it raises."""
        if self.name == "bits":
            return self.function(*arguments, **keywords)
        return layout_text.call(self.name, self.function, arguments, keywords)


def _layout_bits(layout: Layout) -> Callable[..., int]:
    def bits(*arguments: Any) -> int:
        if len(arguments) != 1 or not isinstance(arguments[0], DType):
            raise ProgramError(
                "T060", "`bits` takes a format: tile.bits(u4)", help="it gives the bits of a whole tile of that format"
            )
        return math.prod(layout.shape) * arguments[0].bits

    return bits


def attribute(base: Any, name: str) -> Any:
    """An attribute of a format or a layout, a method of a layout, or an entry of a namespace such as ``mma``.

    Raises ``ProgramError`` N016 where there is none of that name.

    >>> from tilevm.layout_constructors import spatial
    >>> attribute(spatial(8, 4), "threads")
    32
    """
    known: Sequence[str] = ()
    if isinstance(base, Mapping):
        known = tuple(base)
        if name in base:
            return base[name]
    elif isinstance(base, DType):
        known = DTYPE_ATTRIBUTES
        if name in known:
            return _plain(base, getattr(base, name))
    elif isinstance(base, Layout):
        known = (*LAYOUT_ATTRIBUTES, "bits", *sorted(layout_text.METHODS))
        if name in LAYOUT_ATTRIBUTES:
            return getattr(base, name)
        if name in known:
            return Method(name, _layout_bits(base) if name == "bits" else getattr(base, name))
    has = did_you_mean(name, known) or (f"it has {', '.join(known)}" if known else None)
    what = "the namespace" if isinstance(base, Mapping) else shown(base)
    raise ProgramError("N016", f"{what} has no attribute `{name}`", help=has)


def _plain(dtype: DType, value: Any) -> Any:
    """Bounds of integer formats as integers."""
    return int(value) if dtype.kind in ("int", "uint") and isinstance(value, float) else value
