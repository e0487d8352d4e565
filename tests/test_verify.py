"""Each rule of the verifier catches a program that breaks it, and only that rule's code is raised."""

from __future__ import annotations

from dataclasses import replace

import pytest

import tilevm.instructions  # noqa: F401  (registers every instruction)
from tilevm.dtypes import F16, F32, I32, U1
from tilevm.errors import ProgramError
from tilevm.instruction import INSTRUCTIONS, OPERATORS
from tilevm.ir import Carry, For, If, Join, Let, Program, Requirement, Statement, While, map_children, walk
from tilevm.layout_text import layout
from tilevm.sizes import Symbol, operation
from tilevm.values import Literal, ScalarType, TensorType, TileType, Value, Window
from tilevm.verify import verify

INDEX = ScalarType(I32)
TILE = TileType(F32, (64,))


def number(value: int) -> Literal:
    return Literal(value, I32)


def program(*body: Statement, warps: int = 1, grid: tuple[object, ...] = (1,), **changes: object) -> Program:
    """A program with one input ``x: f32[N]``, one output ``y: f32[N]`` and the given body."""
    base = Program("test", (X, Y), (N,), grid, warps, (), body)  # type: ignore[arg-type]
    return replace(base, **changes)  # type: ignore[arg-type]


X = Value(TensorType(F32, (Symbol("N"),)), "x")
Y = Value(TensorType(F32, (Symbol("N"),), "out"), "y")
N = Value(INDEX, "N")


def load(result: Value, extent: int = 64) -> Let:
    return Let(result, INSTRUCTIONS["load"](Window(X, (number(0),), (extent,))))  # type: ignore[call-arg]


def add(result: Value, a: Value | Literal, b: Value | Literal) -> Let:
    return Let(result, OPERATORS["+", 2](a, b))  # type: ignore[call-arg]


def tile(name: str = "t", kind: TileType = TILE) -> Value:
    return Value(kind, name)


def refused(wrong: Program) -> list[str]:
    with pytest.raises(ProgramError) as caught:
        verify(wrong)
    return [diagnostic.code for diagnostic in caught.value.diagnostics]


def test_a_program_that_keeps_the_rules_is_accepted() -> None:
    t, start, inner, update, result = (tile(name) for name in ("t", "start", "inner", "update", "result"))
    carry = Carry(start, inner, update, result)
    loop = For(Value(INDEX, "i"), number(0), N, number(1), (carry,), (load(t), add(update, t, inner)))
    store = INSTRUCTIONS["store"](Window(Y, (number(0),), (64,)), result)  # type: ignore[call-arg]
    verify(program(load(start), loop, Let(None, store)))


def test_a_value_is_used_only_where_it_is_visible() -> None:
    t, s = tile("t"), tile("s")
    assert refused(program(add(s, t, t))) == ["V001", "V001"]
    inside = For(Value(INDEX, "i"), number(0), number(2), number(1), (), (load(t),))
    assert refused(program(inside, add(s, t, t))) == ["V001", "V001"]


def test_a_value_is_defined_once() -> None:
    t = tile()
    assert refused(program(load(t), load(t))) == ["V002"]


def test_a_result_has_the_type_that_its_instruction_gives() -> None:
    assert refused(program(load(tile(kind=TileType(F16, (64,)))))) == ["V003"]
    assert refused(program(load(tile(kind=TileType(F32, (32,)))))) == ["V003"]


def test_the_operands_of_an_instruction_are_checked() -> None:
    t, h, s = tile("t"), tile("h", TileType(F16, (64,))), tile("s")
    cast = Let(h, INSTRUCTIONS["cast"](t, F16))  # type: ignore[call-arg]
    assert refused(program(load(t), cast, add(s, t, h))) == ["T005"]


@pytest.mark.parametrize("place", ["inner", "update", "result"])
def test_a_carried_value_keeps_its_type(place: str) -> None:
    start, other = tile("start"), tile("other", TileType(F32, (32,)))
    names = {"inner": tile("inner"), "update": start, "result": tile("result")}
    names[place] = other if place == "update" else Value(TileType(F32, (32,)), place)
    carry = Carry(start, names["inner"], names["update"], names["result"])
    loop = For(Value(INDEX, "i"), number(0), number(2), number(1), (carry,), ())
    assert refused(program(load(start), load(other, 32), loop)) == ["V004"]


def test_the_two_sides_of_an_if_have_one_type() -> None:
    a, b = tile("a"), tile("b", TileType(F32, (32,)))
    branch = If(Literal(True, U1), (), (), (Join(a, b, tile("c")),))
    assert refused(program(load(a), load(b, 32), branch)) == ["V004"]


def test_bounds_are_index_scalars_and_conditions_truth_values() -> None:
    index = Value(INDEX, "i")
    assert refused(program(For(index, Literal(0.0, F32), N, number(1), (), ()))) == ["V005"]
    assert refused(program(For(index, number(0), N, number(0), (), ()))) == ["V005"]
    assert refused(program(While((), number(1), (), ()))) == ["V005"]
    assert refused(program(If(number(1), (), (), ()))) == ["V005"]


def test_a_register_layout_fits_the_tile_and_the_block() -> None:
    right = layout("spatial(32) * local(2)")
    verify(program(load(tile(kind=TileType(F32, (64,), right)))))
    assert refused(program(load(tile(kind=TileType(F32, (64,), right))), warps=2)) == ["V006"]
    small = layout("spatial(32) * local(1)")
    assert refused(program(load(tile(kind=TileType(F32, (64,), small))))) == ["V006"]


def test_the_header_is_checked() -> None:
    assert refused(program(warps=33)) == ["V007"]
    assert refused(program(grid=(1, 1, 1, 1))) == ["V007"]
    assert refused(program(grid=(Symbol("K"),))) == ["V007"]
    assert refused(program(requires=(Requirement(operation("==", Symbol("K"), 1)),))) == ["V007"]
    assert refused(program(sizes=(Value(ScalarType(F32), "N"),))) == ["V007"]


def test_all_violations_are_reported_at_once() -> None:
    assert refused(program(add(tile("a"), tile("b"), Literal(1.0, F32)), warps=0)) == ["V007", "V001"]


def test_equal_structure_is_equality_whatever_the_names() -> None:
    def build(name: str, scale: float) -> Program:
        t, s = tile(name), tile(name + "2")
        return program(load(t), add(s, t, Literal(scale, F32)))

    assert build("a", 1.0) == build("b", 1.0)
    assert hash(build("a", 1.0)) == hash(build("b", 1.0))
    assert build("a", 1.0) != build("a", 2.0)
    assert build("a", 0.0) != build("a", -0.0)
    assert build("a", float("nan")) == build("b", float("nan"))


def test_walk_and_map_children_reach_every_statement_and_operand() -> None:
    a, b, c = tile("a"), tile("b"), tile("c")
    loop = For(Value(INDEX, "i"), number(0), number(2), number(1), (Carry(a, b, b, c),), (load(tile("d")),))
    assert [type(each).__name__ for each in walk((load(a), loop))] == ["Let", "For", "Let"]
    seen = []
    same = map_children(loop, lambda body: body, lambda operand: seen.append(operand) or operand)  # type: ignore[func-returns-value]
    assert same == loop
    assert seen == [number(0), number(2), number(1), a, b]
