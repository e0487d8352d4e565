"""Layouts as text, read back: the canonical form that ``print`` shows, and expressions of constructors.

    [16,16]{2:R2 8:T4 | 2:R4 4:T1 2:R1}              sizes, then for each dimension its digits, outermost first
    [8,1]{8:T4 | 1; rep 4:T1}                        replicas
    [64,64]{64:B1024 | 64:B16; xor 7^10; 16 bits}    memory: a swizzle (bit 7 becomes bit 7 ^ bit 10), and the width

    column_local(2, 2) * spatial(8, 4) * local(1, 2)
    warps(2, 2) * mma.m16n8k16.c.reduce(1)
    blocks(8, 16) * [8,16]{8:T4 | 4:T1 4:R1}

An expression is read by Python's parser and evaluated here, node by node, from the tables below; nothing else can be
reached from it. ``CONSTRUCTORS``, ``NAMES``, ``NAMESPACES`` and ``METHODS`` also serve the language front end, whose
expressions mean the same.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from types import MappingProxyType
from typing import Any

from tilevm.atoms import NAMESPACES
from tilevm.digits import Digit
from tilevm.dtypes import DType, dtype
from tilevm.errors import DTypeError, LayoutError, Source, Span, did_you_mean
from tilevm.interleaving import interleaved
from tilevm.layout import Layout
from tilevm.layout_constructors import column_local, column_major, column_spatial, local, rep, row_major, spatial, warps
from tilevm.memory_pattern import COLUMN_MAJOR, ROW_MAJOR, MemoryPattern, blocks, fragments, packed, strides, swizzle
from tilevm.xor_map import Xor

__all__ = ["CONSTRUCTORS", "METHODS", "NAMES", "NAMESPACES", "call", "layout", "memory_pattern", "parse"]

CONSTRUCTORS: Mapping[str, Callable[..., Layout | MemoryPattern]] = MappingProxyType(
    {
        function.__name__: function
        for function in (
            local,
            spatial,
            column_local,
            column_spatial,
            warps,
            rep,
            row_major,
            column_major,
            strides,
            blocks,
            packed,
            swizzle,
            fragments,
            interleaved,
        )
    }
)
"""The functions that an expression may call, by name."""

NAMES: Mapping[str, MemoryPattern] = MappingProxyType({"row_major": ROW_MAJOR, "column_major": COLUMN_MAJOR})
"""The names that mean something without a call."""

METHODS = frozenset(
    ("broadcast", "concat", "ldiv", "permute", "reduce", "reshape", "scaled", "slice", "squeeze", "unsqueeze", "view")
)
"""The methods of ``Layout`` that an expression may call."""

_CANONICAL = re.compile(r"\[[\d\s,]*\]\s*\{[^{}]*\}")
_DIGIT = re.compile(r"(\d+):(?:([TRB])(\d+)|-)")
_SPACE = re.compile(r"#.*|[\n\r\t\f\v]")
_SOURCE_NAME = "layout"
_LARGEST = 1 << 62
_WRITE = "write a product such as local(2, 1) * spatial(8, 4)"


def layout(text: str) -> Layout:
    """The layout that a text describes, in canonical form or as an expression.

    Raises ``LayoutError`` with a span into the text: L013 for text that is not a layout, L014 for an unknown name, L015
    for wrong arguments, and the errors of the operators.

    >>> layout("column_local(2,2) * spatial(8,4) * local(1,2)")
    layout('[16,16]{2:R2 8:T4 | 2:R4 4:T1 2:R1}')
    """
    result = parse(text)
    if isinstance(result, MemoryPattern):
        raise LayoutError(
            "L013",
            f"`{result}` is a layout only together with a shape",
            span=Span(Source(_SOURCE_NAME, text), 0, len(text)),
            help="use memory_pattern(text).bind(shape, bits)",
        )
    return result


def memory_pattern(text: str) -> MemoryPattern:
    """The memory pattern that a text describes. Raises as ``layout`` does; L013 also for a layout.

    >>> memory_pattern("blocks(8, 4) * spatial(8, 4)").bind((16, 8), 4)
    layout('[16,8]{2:B256 8:B16 | 2:B128 4:B4; 4 bits}')
    """
    result = parse(text)
    if isinstance(result, Layout):
        raise LayoutError(
            "L013",
            f"`{result}` is a layout, not a memory pattern",
            span=Span(Source(_SOURCE_NAME, text), 0, len(text)),
            help="use layout(text), or packed(L) for the order of a register layout",
        )
    return result


def parse(text: str) -> Layout | MemoryPattern:
    """The layout or memory pattern that a text describes. Raises as ``layout`` does."""
    return _Text(text).value()


def call(name: str, function: Callable[..., Any], arguments: list[Any], keywords: dict[str, Any]) -> Any:
    """The result of a constructor or method; ``LayoutError`` L015 where the arguments are not what it takes."""
    try:
        inspect.signature(function).bind(*arguments, **keywords)
    except TypeError as error:
        raise LayoutError("L015", f"wrong arguments of `{name}`: {error}", help=_usage(name, function)) from None
    wanted = _parameter_kinds(function)
    for value in (*arguments, *keywords.values()):
        if not isinstance(value, wanted) or isinstance(value, bool):
            raise LayoutError("L015", f"`{name}` does not take {value!r}", help=_usage(name, function))
    return function(*arguments, **keywords)


def _parameter_kinds(function: Callable[..., Any]) -> tuple[type, ...]:
    """What the parameters of a function are: layouts, integers, formats."""
    written = {str(parameter.annotation) for parameter in inspect.signature(function).parameters.values()}
    return tuple(kind for kind in (int, Layout, DType) if kind.__name__ in written)


def _usage(name: str, function: Callable[..., Any]) -> str:
    parameters = inspect.signature(function).parameters.values()
    return f"write {name}({', '.join(str(parameter).partition(':')[0] for parameter in parameters)})"


class _Text:
    """One text on its way to a layout: knows where in the text each node of the expression is."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.source = Source(_SOURCE_NAME, text)
        # Python's parser sees one line, and for each canonical form a name of its length, so that spans stay true.
        self.canonical: dict[str, re.Match[str]] = {}
        plain = _SPACE.sub(lambda found: " " * len(found.group()), text)
        self.masked = _CANONICAL.sub(self._mask, plain)
        self.start = len(self.masked) - len(self.masked.lstrip())

    def _mask(self, found: re.Match[str]) -> str:
        name = f"_{len(self.canonical)}".ljust(found.end() - found.start(), "_")
        self.canonical[name] = found
        return name

    def span(self, start: int = 0, end: int | None = None) -> Span:
        return Span(self.source, start, len(self.text) if end is None else end)

    def value(self) -> Layout | MemoryPattern:
        try:
            result = self.evaluate(self.tree())
        except RecursionError:
            raise LayoutError("L013", "the layout is nested too deeply", span=self.span(0, 1), help=None) from None
        if not isinstance(result, Layout | MemoryPattern):
            raise LayoutError(
                "L013",
                f"`{self.text.strip()}` is not a layout",
                span=self.span(),
                help=_WRITE,
            )
        return result

    def tree(self) -> ast.expr:
        if not self.masked.isascii():
            at = next(place for place, char in enumerate(self.masked) if not char.isascii())
            raise LayoutError(
                "L013", f"{self.text[at]!r} is not part of a layout", span=self.span(at, at + 1), help=_WRITE
            )
        try:
            return ast.parse(self.masked.strip(), mode="eval").body
        except SyntaxError as error:
            # An offset of 0 says that the text ends too early.
            at = self.start + error.offset - 1 if error.offset else len(self.masked.rstrip())
            raise LayoutError("L013", "this is not a layout", span=self.span(at, at + 1), help=_WRITE) from None
        except (ValueError, MemoryError):
            raise LayoutError("L013", "this is not a layout", span=self.span(), help=_WRITE) from None

    def span_of(self, node: ast.expr) -> Span:
        assert node.end_col_offset is not None
        return self.span(self.start + node.col_offset, self.start + node.end_col_offset)

    @contextmanager
    def located(self, node: ast.expr) -> Iterator[None]:
        try:
            yield
        except LayoutError as error:
            raise LayoutError.of(error.located(self.span_of(node))) from None

    # Expressions

    def evaluate(self, node: ast.expr) -> Any:
        with self.located(node):
            match node:
                case ast.Constant(value=int(value)) if not isinstance(value, bool) and value < _LARGEST:
                    return value
                case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int(value))):
                    return -value
                case ast.Name(id=name):
                    return self.named(name)
                case ast.Attribute():
                    return self.attribute(node)
                case ast.BinOp(left=left, op=operator, right=right):
                    return _operate(operator, self.evaluate(left), self.evaluate(right))
                case ast.Call(func=function, args=args, keywords=keywords):
                    return self.called(function, args, keywords)
            raise LayoutError(
                "L013",
                f"`{ast.unparse(node)}` cannot stand in a layout"
                if not self.canonical
                else "this cannot stand in a layout",
                help="a layout is made of constructors, products, quotients, and the methods of layouts",
            )

    def named(self, name: str) -> Any:
        if name in self.canonical:
            return self.read(self.canonical[name])
        if name in NAMES:
            return NAMES[name]
        if name in NAMESPACES:
            return NAMESPACES[name]
        if name in CONSTRUCTORS:
            raise LayoutError("L015", f"`{name}` needs arguments", help=_usage(name, CONSTRUCTORS[name]))
        with suppress(DTypeError):
            return dtype(name)
        raise _unknown(name, [*CONSTRUCTORS, *NAMESPACES])

    def attribute(self, node: ast.Attribute) -> Any:
        base = self.evaluate(node.value)
        if isinstance(base, Mapping):
            if node.attr not in base:
                raise _unknown(node.attr, base)
            return base[node.attr]
        if isinstance(base, Layout) and node.attr in METHODS:
            return getattr(base, node.attr)
        raise _unknown(node.attr, METHODS)

    def called(self, function: ast.expr, args: list[ast.expr], keywords: list[ast.keyword]) -> Any:
        name = ast.unparse(function).rpartition(".")[2]
        if isinstance(function, ast.Name) and function.id in CONSTRUCTORS:
            target: Any = CONSTRUCTORS[function.id]
        else:
            target = self.evaluate(function)
        if not callable(target):
            raise LayoutError("L015", f"`{name}` takes no arguments", help="write it without parentheses")
        named = {word.arg: self.evaluate(word.value) for word in keywords if word.arg is not None}
        if len(named) < len(keywords):
            raise LayoutError("L013", "`**` cannot stand in a layout", help="write the arguments one by one")
        return call(name, target, [self.evaluate(arg) for arg in args], named)

    # The canonical form

    def read(self, found: re.Match[str]) -> Layout:
        """The layout of a canonical form."""
        head, _, body = found.group().partition("{")
        sizes = [int(size) for size in re.findall(r"\d+", head)]
        digits, *clauses = body[:-1].split(";")
        dims = [self.digits(part, found) for part in digits.split("|")] if digits.strip() else []
        rep: list[Digit] = []
        xor: Xor | None = None
        width = 0
        for clause in clauses:
            word, _, rest = clause.strip().partition(" ")
            if word == "rep":
                rep = self.digits(rest, found)
            elif word == "xor" and re.fullmatch(r"(\d+(\^\d+)+\s*)+", rest.strip()):
                chains = [[int(bit) for bit in chain.split("^")] for chain in rest.split()]
                xor = Xor.between((target, source) for target, *sources in chains for source in sources)
            elif word.isdigit() and rest in ("bit", "bits"):
                width = int(word)
            else:
                raise self.malformed(
                    clause.strip(), found, "after `;` comes `rep` with digits, `xor 7^10`, or `16 bits`"
                )
        result = Layout(tuple(map(tuple, dims)), tuple(rep), xor, width)
        if list(result.shape) != sizes:
            raise LayoutError(
                "L013",
                f"the digits count a shape of {list(result.shape)}, not {sizes}",
                help="the sizes of the digits of a dimension multiply to its size",
            )
        return result

    def digits(self, part: str, found: re.Match[str]) -> list[Digit]:
        result = []
        for word in part.split():
            match = _DIGIT.fullmatch(word)
            if match:
                size, axis, stride = match.groups()
                result.append(Digit(int(size), axis or "-", int(stride or 0)))
            elif word != "1":
                raise self.malformed(
                    word, found, "a digit is a size, an axis of T R B, and a stride: `8:T4`; or `8:-`, or `1`"
                )
        return result

    def malformed(self, word: str, found: re.Match[str], tip: str) -> LayoutError:
        at = found.group().find(word)
        start = found.start() + max(at, 0)
        return LayoutError(
            "L013", f"`{word}` cannot stand in a layout", span=self.span(start, start + max(1, len(word))), help=tip
        )


def _operate(operator: ast.operator, left: Any, right: Any) -> Any:
    """``*`` and ``/`` of layouts, and ``+ - * // %`` of integers."""
    if isinstance(left, int) and isinstance(right, int):
        match operator:
            case ast.Add():
                return left + right
            case ast.Sub():
                return left - right
            case ast.Mult() if abs(left * right) < _LARGEST:
                return left * right
            case ast.FloorDiv() if right:
                return left // right
            case ast.Mod() if right:
                return left % right
    elif isinstance(operator, ast.Mult) and isinstance(right, Layout) and hasattr(left, "__mul__"):
        if isinstance(left, Layout | MemoryPattern):
            return left * right  # type: ignore[operator]
    elif isinstance(operator, ast.Div) and isinstance(left, Layout) and isinstance(right, Layout):
        return left / right
    raise LayoutError(
        "L013",
        "this operator does not go with these operands",
        help="layouts have `*` and `/`, `blocks(...)` has `*`, whole numbers have `+ - * // %`",
    )


def _unknown(name: str, known: Any) -> LayoutError:
    near = did_you_mean(name, known)
    return LayoutError(
        "L014", f"unknown name `{name}` in a layout", help=near or f"known are {', '.join(sorted(known))}"
    )
