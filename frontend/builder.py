"""Builds the syntax tree while the parser runs: one method for each rule of the grammar, called with its children.

A child is a token (whose name in the grammar is a word, so that it is kept) or a node. What the grammar lets through
and the language does not have goes to ``problems``, and building goes on, so that all of it is reported.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from lark import Token, Transformer

from tilevm.errors import Diagnostic, Related, Source, Span
from tilevm.frontend import syntax
from tilevm.frontend.words import RESERVED

__all__ = ["Builder"]

_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "\\": "\\", '"': '"', "'": "'"}
_CLAUSES = (syntax.Grid, syntax.Warps, syntax.Tune, syntax.Require)
MAXIMUM_DIGITS = 1000


class Builder(Transformer[Token, Any]):
    """The callbacks of the parser. ``begin`` comes before each text."""

    def begin(self, source: Source, offset: int = 0) -> None:
        """Sets the source that spans point into, and where in it the parsed text starts."""
        self.source = source
        self.offset = offset
        self.problems: list[Diagnostic] = []

    def _between(self, first: Any, last: Any) -> Span:
        """From the start of a token or node to the end of another."""
        start = self._of(first).start if isinstance(first, Token) else first.span.start
        end = self._of(last).end if isinstance(last, Token) else last.span.end
        return Span(self.source, start, end)

    def _of(self, token: Token) -> Span:
        start = (token.start_pos or 0) + self.offset
        return Span(self.source, start, start + len(token))

    def _text(self, node: syntax.Node) -> str:
        return self.source.text[node.span.start : node.span.end]

    def _problem(
        self,
        code: str,
        message: str,
        span: Span,
        label: str = "",
        help: str | None = None,
        other: Related | None = None,
    ) -> None:
        related = () if other is None else (other,)
        self.problems.append(Diagnostic(code, message, span, label, related=related, help=help))

    # Atoms

    def name(self, children: list[Token]) -> syntax.Name:
        token = children[0]
        text = token.value
        span = self._of(token)
        if text in RESERVED:
            self._reserved(text, span)
        return syntax.Name(text, span=span)

    def _reserved(self, word: str, span: Span) -> None:
        if word in ("break", "continue"):
            help = "a loop runs to its end: use `while` with a condition, or `if` or `where` for what is left out"
            self._problem("S012", f"there is no `{word}`", span, help=help)
        else:
            help = f"choose another name, such as `{word}_`"
            self._problem("S016", f"`{word}` is a word of the language and cannot be a name", span, help=help)

    def number(self, children: list[Token]) -> syntax.Number:
        token = children[0]
        digits = token.value.replace("_", "").lower()
        value: int | float
        if len(digits) > MAXIMUM_DIGITS:
            self._problem("S023", f"a number of {len(digits)} characters", self._of(token), help="write fewer digits")
            value = 0
        elif digits[:2] in ("0x", "0b"):
            value = int(digits, 0)
        elif digits.isdigit():
            value = int(digits)
            if digits[0] == "0" and value:
                help = f"write `{value}`, or `0x…` for hexadecimal"
                self._problem("S023", f"`{token}` starts with a zero", self._of(token), help=help)
        else:
            value = float(digits)
            if value == float("inf"):
                help = "the largest f64 is about 1.8e308; infinity is `inf`"
                self._problem("S023", f"`{token}` is larger than any format holds", self._of(token), help=help)
        return syntax.Number(value, span=self._of(token))

    def string(self, children: list[Token]) -> syntax.String:
        token = children[0]
        span = self._of(token)
        value = token.value[1:-1]
        if "\\" in value:
            value = self._unescaped(value, span)
        return syntax.String(value, span=span)

    def _unescaped(self, text: str, span: Span) -> str:
        pieces, rest = [], text
        while rest:
            plain, backslash, rest = rest.partition("\\")
            pieces.append(plain)
            if backslash:
                escaped, rest = rest[0], rest[1:]
                if escaped not in _ESCAPES:
                    known = " ".join(f"\\{each}" for each in _ESCAPES)
                    message = f"`\\{escaped}` is not an escape"
                    self._problem("S033", message, span, help=f"the escapes are {known}; a backslash itself is \\\\")
                pieces.append(_ESCAPES.get(escaped, escaped))
        return "".join(pieces)

    def constant(self, children: list[Token]) -> syntax.Constant:
        token = children[0]
        return syntax.Constant({"True": True, "False": False, "None": None}[token.value], span=self._of(token))

    def layout_literal(self, children: list[Token]) -> syntax.LayoutLiteral:
        return syntax.LayoutLiteral(children[0].value, span=self._of(children[0]))

    # Expressions

    def parenthesised(self, children: list[Any]) -> Any:
        opening, node, closing = children
        return replace(node, span=self._between(opening, closing))

    def list_literal(self, children: list[Any]) -> syntax.ListLiteral:
        return syntax.ListLiteral(tuple(children[1:-1]), span=self._between(children[0], children[-1]))

    def tuple_literal(self, children: list[Any]) -> syntax.TupleLiteral:
        return syntax.TupleLiteral(tuple(children[1:-1]), span=self._between(children[0], children[-1]))

    def attribute(self, children: list[Any]) -> syntax.Attribute:
        value, name = children
        return syntax.Attribute(value, name, span=self._between(value, name))

    def call(self, children: list[Any]) -> syntax.Call:
        function, *given, closing = children
        positional, keywords = self._arguments(given)
        return syntax.Call(function, positional, keywords, span=self._between(function, closing))

    def _arguments(self, given: Sequence[Any]) -> tuple[tuple[syntax.Expression, ...], tuple[syntax.Keyword, ...]]:
        positional = tuple(each for each in given if not isinstance(each, syntax.Keyword))
        keywords = tuple(each for each in given if isinstance(each, syntax.Keyword))
        if keywords:
            seen: dict[str, syntax.Keyword] = {}
            for each in keywords:
                text = each.name.text
                if text in seen:
                    other = Related(seen[text].name.span, "here already")
                    self._problem("S029", f"`{text}` is given twice", each.name.span, other=other, help="remove one")
                seen.setdefault(text, each)
            for late in given[given.index(keywords[0]) :]:
                if not isinstance(late, syntax.Keyword):
                    help = f"put it before `{self._text(keywords[0])}`, or name it too"
                    self._problem("S029", "an argument by position after one by name", late.span, help=help)
        return positional, keywords

    def keyword(self, children: list[Any]) -> syntax.Keyword:
        name, value = children
        return syntax.Keyword(name, value, span=self._between(name, value))

    def subscript(self, children: list[Any]) -> syntax.Subscript:
        value, *items, closing = children
        kept = tuple(
            syntax.NewAxis(span=item.span) if isinstance(item, syntax.Constant) and item.value is None else item
            for item in items
        )
        return syntax.Subscript(value, kept, span=self._between(value, closing))

    def window(self, children: list[Any]) -> syntax.Window:
        offset, extent = children
        return syntax.Window(offset, extent, span=self._between(offset, extent))

    def whole(self, children: list[Token]) -> syntax.Whole:
        return syntax.Whole(span=self._of(children[0]))

    def unary(self, children: list[Any]) -> syntax.Unary:
        operator, operand = children
        return syntax.Unary(operator.value, operand, span=self._between(operator, operand))

    def binary(self, children: list[Any]) -> syntax.Binary:
        left, operator, right = children
        return syntax.Binary(operator.value, left, right, span=self._between(left, right))

    def comparison(self, children: list[Any]) -> syntax.Expression:
        first, operator, second, *more = children
        if more:
            span = self._between(first, children[-1])
            parts = [
                f"{self._text(children[i])} {children[i + 1]} {self._text(children[i + 2])}"
                for i in range(0, len(children) - 2, 2)
            ]
            help = f"write `{' and '.join(parts)}`"
            self._problem("S013", "comparisons do not chain", span, help=help)
        return syntax.Binary(operator.value, first, second, span=self._between(first, second))

    def conditional(self, children: list[Any]) -> syntax.Conditional:
        then, condition, otherwise = children
        return syntax.Conditional(condition, then, otherwise, span=self._between(then, otherwise))

    def annotated(self, children: list[Any]) -> syntax.Annotated:
        value, layout = children
        return syntax.Annotated(value, layout, span=self._between(value, layout))

    # Statements

    def block(self, children: list[Any]) -> tuple[Any, ...]:
        return tuple(children)

    expressions = values = parameters = names = compile_time = block

    def evaluate(self, children: list[Any]) -> Any:
        expressions = children[0]
        span = self._between(expressions[0], expressions[-1])
        if len(expressions) == 1 and isinstance(expressions[0], syntax.Call):
            return syntax.Evaluate(expressions[0], span=span)
        first = expressions[0]
        if not (isinstance(first, syntax.Name) and first.text in RESERVED):
            help = "give it a name, `name = …`, or remove it"
            if isinstance(first, syntax.Binary) and first.operator == "==":
                help = f"a single `=` assigns: `{self._text(first.left)} = {self._text(first.right)}`"
            self._problem("S025", "a statement that does nothing with its value", span, help=help)
        return syntax.Pass(span=span)

    def assign(self, children: list[Any]) -> syntax.Assign:
        targets, values = children
        span = self._between(targets[0], values[-1])
        named = tuple(self._target(each, values[0]) for each in targets)
        if len(values) not in (1, len(named)):
            message = f"{len(values)} values for {len(named)} name{'s' * (len(named) > 1)}"
            help = "as many values as names, or one call that gives several"
            self._problem("S032", message, span, help=help)
        return syntax.Assign(named, values, span=span)

    def augmented_assign(self, children: list[Any]) -> syntax.AugmentedAssign:
        targets, operator, value = children
        span = self._between(targets[0], value)
        if len(targets) > 1:
            self._problem("S032", f"`{operator}` changes one name", span, help="write one statement for each")
        return syntax.AugmentedAssign(self._target(targets[0], value), operator.value[:-1], value, span=span)

    def _target(self, node: syntax.Expression, value: syntax.Expression) -> syntax.Name:
        if isinstance(node, syntax.Name):
            return node
        help = "only a name can be assigned: `name = …`"
        if isinstance(node, syntax.Subscript):
            help = f"write to memory with `store({self._text(node)}, {self._text(value)})`"
        self._problem("S024", f"`{self._text(node)}` cannot be assigned", node.span, help=help)
        return syntax.Name("_", span=node.span)

    def for_loop(self, children: list[Any]) -> syntax.For | syntax.ForEach:
        word, target, iterated, colon, body = children
        if isinstance(iterated, syntax.ListLiteral):
            return syntax.ForEach(target, iterated.items, self._inner(body), span=self._between(word, colon))
        called = iterated.function if isinstance(iterated, syntax.Call) else None
        positional, keywords = (), ()
        if isinstance(called, syntax.Name) and called.text == "range":
            positional, keywords = iterated.arguments, iterated.keywords
            if not 1 <= len(positional) <= 3:
                help = "`range(stop)`, `range(start, stop)` or `range(start, stop, step)`"
                self._problem("S031", f"`range` with {len(positional)} bounds", iterated.span, help=help)
        else:
            loop = f"for {target.text} in"
            help = f"`{loop} range(start, stop, step):` or, once for each item, `{loop} [1, 2]:`"
            self._problem("S031", "a `for` loop runs over a `range` or a list", iterated.span, help=help)
        return syntax.For(target, positional, keywords, self._inner(body), span=self._between(word, colon))

    def while_loop(self, children: list[Any]) -> syntax.While:
        word, condition, colon, body = children
        return syntax.While(condition, self._inner(body), span=self._between(word, colon))

    def if_statement(self, children: list[Any]) -> syntax.If:
        word, condition, colon, body, otherwise = children
        if otherwise is None:
            otherwise = ()
        elif isinstance(otherwise, syntax.If):
            otherwise = (otherwise,)
        span = self._between(word, colon)
        return syntax.If(condition, self._inner(body), self._inner(otherwise), span=span)

    def pass_statement(self, children: list[Token]) -> syntax.Pass:
        return syntax.Pass(span=self._of(children[0]))

    def return_values(self, children: list[Any]) -> syntax.Return:
        word, values = children
        return syntax.Return(values, span=self._between(word, values[-1]))

    def _inner(self, body: Sequence[Any]) -> tuple[syntax.Statement, ...]:
        """A body without what may only stand in an outer one."""
        for each in body:
            if isinstance(each, _CLAUSES):
                word = type(each).__name__.lower()
                help = "clauses stand at the top of a kernel, before the first statement"
                self._problem("S026", f"the clause `{word}` among statements", each.span, help=help)
            elif isinstance(each, syntax.Return):
                help = "a function has one `return`, as its last line; a kernel has none: it writes with `store`"
                self._problem("S027", "a `return` that does not end a function", each.span, help=help)
        return tuple(each for each in body if not isinstance(each, (*_CLAUSES, syntax.Return)))

    # Clauses

    def grid(self, children: list[Any]) -> syntax.Grid:
        word, *extents = children
        span = self._between(word, extents[-1])
        if len(extents) > 3:
            self._problem("S035", f"a grid of {len(extents)} axes", span, help="a grid has one to three axes")
        return syntax.Grid(tuple(extents), span=span)

    def warps(self, children: list[Any]) -> syntax.Warps:
        word, count = children
        return syntax.Warps(count, span=self._between(word, count))

    def tune(self, children: list[Any]) -> syntax.Tune:
        word, name, *values = children
        return syntax.Tune(name, tuple(values), span=self._between(word, values[-1]))

    def require(self, children: list[Any]) -> syntax.Require:
        word, condition, message = children
        span = self._between(word, condition if message is None else message)
        return syntax.Require(condition, message, span=span)

    # Definitions

    def start(self, children: list[Any]) -> syntax.Module:
        return syntax.Module(tuple(children), span=Span(self.source, 0, len(self.source.text)))

    def import_file(self, children: list[Any]) -> syntax.Import:
        word, path, _, name = children
        return syntax.Import(path, name, span=self._between(word, name))

    def import_names(self, children: list[Any]) -> syntax.FromImport:
        word, path, _, *names = children
        return syntax.FromImport(path, tuple(names), span=self._between(word, names[-1]))

    def const(self, children: list[Any]) -> syntax.Const:
        word, name, value = children
        return syntax.Const(name, value, span=self._between(word, value))

    def layout_definition(self, children: list[Any]) -> syntax.LayoutDefinition:
        word, name, parameters, value = children
        return syntax.LayoutDefinition(name, parameters, value, span=self._between(word, value))

    def function_parameter(self, children: list[Any]) -> syntax.FunctionParameter:
        name, default = children
        span = self._between(name, name if default is None else default)
        return syntax.FunctionParameter(name, default, span=span)

    def function(self, children: list[Any]) -> syntax.Function:
        word, name, *parameters, colon, body = children
        result = body[-1] if isinstance(body[-1], syntax.Return) else None
        statements = self._inner(body if result is None else body[:-1])
        return syntax.Function(name, tuple(parameters), statements, result, span=self._between(word, colon))

    def compile_time_parameter(self, children: list[Any]) -> syntax.CompileTimeParameter:
        name, kind, default = children
        last = next(each for each in (default, kind, name) if each is not None)
        return syntax.CompileTimeParameter(name, kind, default, span=self._between(name, last))

    def mark(self, children: list[Token]) -> syntax.Name:
        return syntax.Name(children[0].value, span=self._of(children[0]))

    def input(self, children: list[Any]) -> syntax.Parameter:
        name, written = children
        return self._parameter(name, name, "in", written)

    def parameter(self, children: list[Any]) -> syntax.Parameter:
        access, name, written = children
        if access.text not in ("out", "inout"):
            help = "`out` is written, `inout` is read and written; what is only read has no mark"
            self._problem("S030", f"`{access.text}` is not a mark of a parameter", access.span, help=help)
        return self._parameter(access, name, access.text, written)

    def type(self, children: list[Any]) -> list[Any]:
        return children

    def _parameter(self, first: syntax.Name, name: syntax.Name, access: Any, written: list[Any]) -> syntax.Parameter:
        written_type, layout = written
        span = self._between(first, written_type if layout is None else layout)
        if not isinstance(written_type, syntax.Subscript):
            if layout is not None:
                help = f"a tensor is `{name.text}: {self._text(written_type)}[size, …] @ layout`"
                self._problem("S030", f"the scalar `{name.text}` has a layout", layout.span, help=help)
            return syntax.Parameter(name, access, written_type, None, None, span=span)
        sizes = self._sizes(written_type.items)
        return syntax.Parameter(name, access, written_type.value, sizes, layout, span=span)

    def _sizes(self, items: Iterable[syntax.Item]) -> tuple[syntax.Expression, ...]:
        kept: list[syntax.Expression] = []
        for item in items:
            if isinstance(item, syntax.Window | syntax.Whole | syntax.NewAxis):
                help = "every dimension has a size, a number or a name such as `N`"
                self._problem("S030", f"`{self._text(item)}` is not a size", item.span, help=help)
            else:
                kept.append(item)
        return tuple(kept)

    def kernel(self, children: list[Any]) -> syntax.Kernel:
        word, name, compile_time, parameters, colon, body = children
        count = next((place for place, each in enumerate(body) if not isinstance(each, _CLAUSES)), len(body))
        span = self._between(word, colon)
        statements = self._inner(body[count:])
        return syntax.Kernel(name, compile_time or (), parameters or (), body[:count], statements, span=span)
