"""Printing: every program comes back from its text, and the text reads like one that a person wrote."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from random_programs import programs

from tilevm.dtypes import DType, dtype
from tilevm.frontend import load_file, load_text
from tilevm.frontend.words import CLAUSES, CONSTANTS, DEFINITIONS, OPERATORS, RESERVED, STATEMENTS
from tilevm.instruction import OPERATORS as INFIX
from tilevm.instructions.control import Print
from tilevm.instructions.convert import Cast
from tilevm.instructions.memory import Load
from tilevm.instructions.tiles import ConvertLayout
from tilevm.ir import Carry, For, If, Join, Let, Program, Statement, While
from tilevm.layout import Layout
from tilevm.layout_constructors import local, spatial
from tilevm.printer import TAKEN, print_program
from tilevm.values import Literal, ScalarType, TensorType, TileType, Value, Window
from tilevm.verify import verify

ROOT = Path(__file__).parent.parent
FILES = sorted([*(ROOT / "tests" / "programs").glob("*.tvm"), *(ROOT / "examples").glob("**/*.tvm")])
F16, F32, I32, U1, U8 = dtype("f16"), dtype("f32"), dtype("i32"), dtype("u1"), dtype("u8")


def read_back(text: str, name: str) -> Program:
    return load_text(text).kernels[name].specialise({})


def check_round_trip(program: Program) -> str:
    """The text of a program, which gives the program back and is printed the same way again."""
    text = print_program(program)
    again = read_back(text, program.name)
    assert again == program, text
    assert print_program(again) == text
    return text


def specialised(file: Path) -> list[Program]:
    """The kernels of a file; a parameter without a default is u4 or 64."""
    choices: dict[str, int | bool | DType | Layout] = {
        "int": 64,
        "bool": True,
        "dtype": dtype("u4"),
        "layout": spatial(8, 4),
    }
    return [
        kernel.specialise({each.name: choices[each.kind] for each in kernel.compile_time if each.required})
        for kernel in load_file(file).kernels.values()
    ]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_program_comes_back_from_its_text(file: Path) -> None:
    for program in specialised(file):
        check_round_trip(program)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(programs())
def test_random_control_flow_comes_back_from_its_text(source: str) -> None:
    check_round_trip(read_back(source, "k"))


@pytest.mark.fuzz
@settings(max_examples=4000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(programs())
def test_any_control_flow_comes_back_from_its_text(source: str) -> None:
    check_round_trip(read_back(source, "k"))


def program_of(*body: Statement, parameters: tuple[Value, ...] = (), sizes: tuple[Value, ...] = ()) -> Program:
    program = Program("k", parameters, sizes, (1,), 1, (), body)
    verify(program)
    return program


def infix(symbol: str, *operands: Value | Literal) -> tuple[Value, Let]:
    """An operator and its result, which has no name."""
    instruction = INFIX[symbol, len(operands)](*operands)
    kind = instruction.check()
    assert kind is not None
    result = Value(kind)
    return result, Let(result, instruction)


def lines(program: Program) -> list[str]:
    return check_round_trip(program).splitlines()[3:]


def test_numbers_keep_their_formats() -> None:
    one, two = Literal(1.0, F16), Literal(2.0, F16)
    a, first = infix("+", one, two)
    b, second = infix("*", a, one)
    c, third = infix("-", Literal(-0.0, F32))
    d, fourth = infix("-", c, Literal(-1.5, F32))
    _, fifth = infix("<", Literal(3, U8), Literal(4, U8))
    _, sixth = infix("/", d, Literal(float("nan"), F32))
    _, seventh = infix("**", Literal(-2.0, F32), d)
    _, eighth = infix("+", Literal(1, I32), Literal(2, I32))
    assert b.dtype is F16
    assert lines(program_of(first, second, third, fourth, fifth, sixth, seventh, eighth)) == [
        "    t = f16(1.0) + f16(2.0)",
        "    t_1 = t * 1.0",
        "    t_2 = -f32(-0.0)",
        "    t_3 = t_2 - (-1.5)",
        "    t_4 = u8(3) < u8(4)",
        "    t_5 = t_3 / nan",
        "    t_6 = (-2.0) ** t_3",
        "    t_7 = i32(1) + i32(2)",
    ]


def test_names_are_kept_where_they_can_be() -> None:
    size, tensor = Value(ScalarType(I32), "a"), Value(TensorType(F32, (8,)), "load")
    names = ["a", "a", "f16", "grid", "inf", "x.y", "", "2nd", "mma", "sum", "row_major", "layout"]
    body: list[Statement] = []
    for name in names:
        result, let = infix("+", size, Literal(1, I32))
        body.append(dataclasses.replace(let, result=Value(result.type, name)))
    shown = lines(program_of(*body, parameters=(tensor, size)))
    assert [line.split()[0] for line in shown] == [
        "a_1", "a_2", "_f16", "grid_1", "inf_1", "x_y", "t", "_2nd", "mma_1", "sum", "row_major_1", "layout_1",
    ]  # fmt: skip


def test_words_of_the_language_are_no_names() -> None:
    assert CONSTANTS | OPERATORS | STATEMENTS | RESERVED | CLAUSES | (DEFINITIONS - {"as"}) <= TAKEN


def test_a_loop_carries_its_values_in_the_order_that_they_had() -> None:
    """An assignment that changes nothing is not printed, though it says where a name comes first."""
    source = """
kernel k(n: i32, out y: i32[2]):
    grid 1
    warps 1
    a = n
    b = 2
    for i in range(n):
        a = a
        b += a
        for j in range(i):
            a = b
            b = a + 1
            for k in range(j):
                b = b
                a = n
                b = a
    store(y[0], a)
    store(y[1], b)
"""
    shown = check_round_trip(read_back(source, "k")).splitlines()
    assert "        a, b = a, b" in shown


def test_a_branch_changes_its_names_in_the_order_that_they_had() -> None:
    source = """
kernel k(n: i32, out y: i32[2]):
    grid 1
    warps 1
    a = 1
    b = 2
    count = 0
    while count < n:
        count += 1
        if a > n:
            for i in range(n):
                b = a
                a = a
            a = a
        a = 0
    store(y[0], a)
    store(y[1], b)
"""
    shown = check_round_trip(read_back(source, "k")).splitlines()
    assert "            b = b" in shown


def test_a_carried_value_is_a_name_that_changes() -> None:
    n = Value(ScalarType(I32), "n")
    source = "kernel k(n: i32):\n    grid 1\n    warps 1\n    a = 0\n    for i in range(n):\n        a = a + i\n"
    assert check_round_trip(read_back(source, "k")) == source
    inner, result, index = (Value(ScalarType(I32), name) for name in ("b", "b", "i"))
    before, let = infix("+", n, n)
    loop = For(index, n, Literal(-3, I32), Literal(-1, I32), (Carry(before, inner, inner, result),), ())
    _, use = infix("*", result, before)
    assert lines(program_of(let, loop, use, parameters=(n,))) == [
        "    t = n + n",
        "    b = t",
        "    for i in range(n, -3, -1):",
        "        b = b",
        "    t_1 = b * t",
    ]


def test_values_that_trade_places_are_assigned_together() -> None:
    kind = ScalarType(I32)
    names = [[Value(kind, name) for name in "xy"] for _ in range(2)]
    (x, y), (x_after, y_after) = names
    zero, one = Literal(0, I32), Literal(1, I32)
    total, let = infix("+", x, y)
    carried = (Carry(zero, x, y, x_after), Carry(one, y, total, y_after))
    loop = For(Value(kind, "i"), zero, Literal(9, I32), one, carried, (let,))
    assert lines(program_of(loop)) == [
        "    x = 0",
        "    y = 1",
        "    for i in range(9):",
        "        t = x + y",
        "        x, y = y, t",
    ]


def test_branches_that_only_one_side_changes_have_no_else() -> None:
    source = (
        "kernel k(n: i32, s: f32):\n    grid 1\n    warps 1\n    t = s > 0.0\n    a = 0\n"
        "    for i in range(n):\n        if t:\n            a = a + i\n"
    )
    assert check_round_trip(read_back(source, "k")) == source


def test_joins_of_numbers_keep_the_numbers() -> None:
    n = Value(ScalarType(U1), "n")
    result = Value(ScalarType(I32), "a")
    join = If(n, (), (), (Join(Literal(1, I32), Literal(1, I32), result),))
    assert lines(program_of(join, parameters=(n,))) == [
        "    if n:",
        "        a = i32(1)",
        "    else:",
        "        a = i32(1)",
    ]
    assert lines(program_of(If(n, (), (), ()), parameters=(n,))) == ["    if n:", "        pass"]


def test_the_test_of_a_while_loop_is_an_expression_where_it_is_a_tree() -> None:
    source = (
        "kernel k(x: f32[N]):\n    grid 1\n    warps 1\n    a = 0\n"
        "    while (not ((a * 2) > N)) & (load(x[(a + 1)]) < 1.5):\n        a = a + 1\n"
    )
    assert check_round_trip(read_back(source, "k")) == source


def test_the_test_of_a_while_loop_is_a_function_where_it_is_not_a_tree() -> None:
    source = (
        "func goes_on(a, n):\n    t = a * 2\n    t_1 = t + t\n    t_2 = t_1 < n\n    return t_2\n\n"
        "kernel k(n: i32):\n    grid 1\n    warps 1\n    a = 0\n"
        "    while goes_on(a, n):\n        a = a + 1\n"
    )
    assert check_round_trip(read_back(source, "k")) == source
    n = Value(ScalarType(U1), "n")
    _, unused = infix("not", n)
    text = check_round_trip(program_of(While((unused,), Literal(False, U1), (), ()), parameters=(n,)))
    assert text.startswith("func goes_on(n):\n    t = not n\n    return False\n\nkernel k(n: u1):")


def test_results_carry_their_layouts_and_arguments_their_names() -> None:
    tensor = Value(TensorType(F16, (16, 64), "inout"), "x")
    window = Window(tensor, (Literal(-1, I32), Literal(0, I32)), (8, None))
    tile = Value(TileType(F16, (8,), local(8)), "a")
    load = Load(window, Literal(1.0, F16))
    plain = Load(window, None)
    cast = Cast(tile, F32)
    converted = ConvertLayout(tile, spatial(8))
    body = (
        Let(Value(TileType(F16, (8,), spatial(8) * local(1)), "b"), plain),
        Let(tile, load),
        Let(Value(TileType(F32, (8,)), "c"), cast),
        Let(Value(TileType(F16, (8,), spatial(8)), "d"), converted),
        Let(None, Print('say "\t\\\n', (tile,))),
    )
    # The layouts are not for the 32 threads of the block, so that this one is only printed.
    program = Program("k", (tensor,), (), (1,), 1, (), body)
    assert print_program(program).splitlines()[3:] == [
        "    b = load(x[-1 :+ 8, 0]) @ [8]{8:T1}",
        "    a = load(x[-1 :+ 8, 0], fill=1.0) @ [8]{8:R1}",
        "    c = cast(a, f32)",
        "    d = convert_layout(a, [8]{8:T1})",
        '    print("say \\"\\t\\\\\\n", a)',
    ]


def test_long_headers_are_broken() -> None:
    parameters = ",\n".join(f"        parameter_{i}: f32[N, {i}]" for i in range(6))
    source = f"kernel k(\n{parameters}):\n    grid N\n    warps 1\n    t = N + 1\n"
    assert check_round_trip(read_back(source, "k")) == source
