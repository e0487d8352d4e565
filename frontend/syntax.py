"""The syntax tree: what the text of a program says, before any name is looked up.

Every node is frozen, compares by structure, and carries the ``span`` of text that it was read from, which does not
count in a comparison. ``*`` marks a tuple, ``?`` what may be None; small words in brackets are plain strings.

    Module            definition*
    Definition      = Import(path: String, name: Name)                   import "path" as name
                    | FromImport(path: String, names: Name*)             from "path" import a, b
                    | Const(name: Name, value)                           const NAME = value
                    | LayoutDefinition(name: Name, parameters: Name*?, value)      layout name(a, b) = value
                    | Function(name: Name, parameters: FunctionParameter*, body: Statement*, result: Return?)
                    | Kernel(name: Name, compile_time: CompileTimeParameter*, parameters: Parameter*,
                             clauses: Clause*, body: Statement*)
    FunctionParameter       (name: Name, default?)                       name = default
    CompileTimeParameter    (name: Name, kind: Name?, default?)          NAME: kind = default
    Parameter               (name: Name, access [in, out, inout], dtype, shape: Expression*?, layout?)

    Clause          = Grid(extents*) | Warps(count) | Tune(name: Name, values*) | Require(condition, message: String?)

    Statement       = Assign(targets: Name*, values*)                    a, b = values
                    | AugmentedAssign(target: Name, operator [+ - ...], value)     target += value
                    | Evaluate(call: Call)                               a call on a line of its own
                    | For(target: Name, arguments*, keywords: Keyword*, body*)     for i in range(arguments, key=...):
                    | ForEach(target: Name, items*, body*)               for i in [items]:
                    | While(condition, body*)
                    | If(condition, then*, otherwise*)                   `elif` is an If alone in `otherwise`
                    | Pass()
    Return                  (values*)                                    only as the end of a Function

    Expression      = Name(text) | Number(value: int or float) | String(value) | Constant(value: bool or None)
                    | ListLiteral(items*) | TupleLiteral(items*)
                    | LayoutLiteral(text)                                [16,16]{2:R2 8:T4 | 2:R4 4:T1 2:R1}
                    | Attribute(value, name: Name)                       value.name
                    | Call(function, arguments*, keywords: Keyword*)
                    | Subscript(value, items*)                           an item may be Window, Whole or NewAxis
                    | Unary(operator [- + ~ not], operand)
                    | Binary(operator, left, right)                      arithmetic, bits, comparison, `and`, `or`
                    | Conditional(condition, then, otherwise)            then if condition else otherwise
                    | Annotated(value, layout)                           value @ layout
    Window(offset, extent)      offset :+ extent        Whole()   :        NewAxis()   None
    Keyword(name: Name, value)                          name=value

Where these stand is settled here, so that nobody asks again: ``Annotated`` is only a value of an assignment, an
argument, a keyword's value, or what a function returns; a comparison never chains; ``Assign`` has as many values as
targets, or one value for several targets. The span of a definition or a statement with a body is its header, up to
the colon.

The tree is at most MAXIMUM_DEPTH levels deep, so a recursive walk over it is safe.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from tilevm.errors import Span

MAXIMUM_DEPTH = 100
"""How deep expressions and blocks may be nested in each other, together."""


@dataclass(frozen=True)
class Node:
    """A piece of the text."""

    span: Span = field(kw_only=True, compare=False, repr=False)


# Expressions


@dataclass(frozen=True)
class Name(Node):
    """A name, where it is defined and where it is used."""

    text: str


@dataclass(frozen=True)
class Number(Node):
    """A number without a sign, as written: ``1`` is an int and ``1.0`` a float."""

    value: int | float


@dataclass(frozen=True)
class String(Node):
    """A text, its escapes resolved."""

    value: str


@dataclass(frozen=True)
class Constant(Node):
    """``True``, ``False`` or ``None``."""

    value: bool | None


@dataclass(frozen=True)
class ListLiteral(Node):
    """``[a, b]``: a shape."""

    items: tuple[Expression, ...]


@dataclass(frozen=True)
class TupleLiteral(Node):
    """``(a, b)``, ``(a,)`` or ``()``."""

    items: tuple[Expression, ...]


@dataclass(frozen=True)
class LayoutLiteral(Node):
    """A layout in its canonical text, not yet parsed."""

    text: str


@dataclass(frozen=True)
class Attribute(Node):
    """``value.name``."""

    value: Expression
    name: Name


@dataclass(frozen=True)
class Keyword(Node):
    """An argument by name."""

    name: Name
    value: Expression


@dataclass(frozen=True)
class Call(Node):
    """``function(arguments, keywords)``; the arguments by position come first."""

    function: Expression
    arguments: tuple[Expression, ...]
    keywords: tuple[Keyword, ...]


@dataclass(frozen=True)
class Window(Node):
    """``offset :+ extent``, an item of a subscript."""

    offset: Expression
    extent: Expression


@dataclass(frozen=True)
class Whole(Node):
    """``:``, an item of a subscript."""


@dataclass(frozen=True)
class NewAxis(Node):
    """``None`` as an item of a subscript."""


@dataclass(frozen=True)
class Subscript(Node):
    """``value[items]``."""

    value: Expression
    items: tuple[Item, ...]


@dataclass(frozen=True)
class Unary(Node):
    """``-`` ``+`` ``~`` or ``not`` of an operand."""

    operator: str
    operand: Expression


@dataclass(frozen=True)
class Binary(Node):
    """``left operator right``, the operator as written."""

    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True)
class Conditional(Node):
    """``then if condition else otherwise``."""

    condition: Expression
    then: Expression
    otherwise: Expression


@dataclass(frozen=True)
class Annotated(Node):
    """``value @ layout``."""

    value: Expression
    layout: Expression


Expression = (
    Name
    | Number
    | String
    | Constant
    | ListLiteral
    | TupleLiteral
    | LayoutLiteral
    | Attribute
    | Call
    | Subscript
    | Unary
    | Binary
    | Conditional
    | Annotated
)
Item = Expression | Window | Whole | NewAxis


# Statements


@dataclass(frozen=True)
class Assign(Node):
    """``a = e``, ``a, b = e`` (which takes a call's several results apart) or ``a, b = e1, e2``."""

    targets: tuple[Name, ...]
    values: tuple[Expression, ...]


@dataclass(frozen=True)
class AugmentedAssign(Node):
    """``target operator= value``; ``operator`` is without the ``=``."""

    target: Name
    operator: str
    value: Expression


@dataclass(frozen=True)
class Evaluate(Node):
    """A call for its effect."""

    call: Call


@dataclass(frozen=True)
class For(Node):
    """``for target in range(arguments, keywords):``."""

    target: Name
    arguments: tuple[Expression, ...]
    keywords: tuple[Keyword, ...]
    body: tuple[Statement, ...]


@dataclass(frozen=True)
class ForEach(Node):
    """``for target in [items]:``, whose body stands once for each item."""

    target: Name
    items: tuple[Expression, ...]
    body: tuple[Statement, ...]


@dataclass(frozen=True)
class While(Node):
    """``while condition:``."""

    condition: Expression
    body: tuple[Statement, ...]


@dataclass(frozen=True)
class If(Node):
    """``if condition:``; ``otherwise`` is empty without ``else``, and one ``If`` for ``elif``."""

    condition: Expression
    then: tuple[Statement, ...]
    otherwise: tuple[Statement, ...]


@dataclass(frozen=True)
class Pass(Node):
    """A body that does nothing."""


@dataclass(frozen=True)
class Return(Node):
    """``return values``, one value or more."""

    values: tuple[Expression, ...]


Statement = Assign | AugmentedAssign | Evaluate | For | ForEach | While | If | Pass


# Clauses


@dataclass(frozen=True)
class Grid(Node):
    """``grid extents``: how many blocks along one to three axes."""

    extents: tuple[Expression, ...]


@dataclass(frozen=True)
class Warps(Node):
    """``warps count``."""

    count: Expression


@dataclass(frozen=True)
class Tune(Node):
    """``tune name in values``."""

    name: Name
    values: tuple[Expression, ...]


@dataclass(frozen=True)
class Require(Node):
    """``require condition, "message"``."""

    condition: Expression
    message: String | None


Clause = Grid | Warps | Tune | Require


# Definitions


@dataclass(frozen=True)
class Import(Node):
    """``import "path" as name``."""

    path: String
    name: Name


@dataclass(frozen=True)
class FromImport(Node):
    """``from "path" import names``."""

    path: String
    names: tuple[Name, ...]


@dataclass(frozen=True)
class Const(Node):
    """``const name = value``."""

    name: Name
    value: Expression


@dataclass(frozen=True)
class LayoutDefinition(Node):
    """``layout name = value``, or ``layout name(parameters) = value`` (None tells the first from ``name()``)."""

    name: Name
    parameters: tuple[Name, ...] | None
    value: Expression


@dataclass(frozen=True)
class FunctionParameter(Node):
    """A parameter of a function, with the default that stands for it if it is not given."""

    name: Name
    default: Expression | None


@dataclass(frozen=True)
class Function(Node):
    """``func name(parameters):``; ``result`` is the ``return`` that ends it, None if it gives nothing."""

    name: Name
    parameters: tuple[FunctionParameter, ...]
    body: tuple[Statement, ...]
    result: Return | None


@dataclass(frozen=True)
class CompileTimeParameter(Node):
    """``NAME``, ``NAME = default`` or ``NAME: kind = default``; ``kind`` is any name here."""

    name: Name
    kind: Name | None
    default: Expression | None


@dataclass(frozen=True)
class Parameter(Node):
    """``access name: dtype[shape] @ layout``; a scalar has no shape, and no layout."""

    name: Name
    access: Literal["in", "out", "inout"]
    dtype: Expression
    shape: tuple[Expression, ...] | None
    layout: Expression | None


@dataclass(frozen=True)
class Kernel(Node):
    """``kernel name[compile_time](parameters):``, its clauses in order, its statements."""

    name: Name
    compile_time: tuple[CompileTimeParameter, ...]
    parameters: tuple[Parameter, ...]
    clauses: tuple[Clause, ...]
    body: tuple[Statement, ...]


Definition = Import | FromImport | Const | LayoutDefinition | Function | Kernel


@dataclass(frozen=True)
class Module(Node):
    """A text: its definitions, in order."""

    definitions: tuple[Definition, ...]
