"""How the arguments of a call become an instruction, and what is refused on the way."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

import tilevm.instructions  # noqa: F401  (registers every instruction)
from tilevm.binding import assign, build, literal, signature
from tilevm.dtypes import BF16, F16, F32, I32, I64, U1, U8, dtype
from tilevm.errors import ProgramError, TilevmError
from tilevm.instruction import INSTRUCTIONS, OPERATORS, Instruction, attribute, operand, window
from tilevm.layout_constructors import spatial
from tilevm.values import Literal, Operand, ScalarType, SharedType, TensorType, TileType, Type, Value, Window

U4 = dtype("u4")


@dataclass(frozen=True)
class Probe(Instruction):
    """An instruction with a field of every kind; it is not registered."""

    name: ClassVar[str] = "probe"
    spelling: ClassVar[str] = "probe"
    target: Window = window(writes=True, reads=False)
    source: Window = window(spaces=("shared",))
    count: Operand = operand(form="scalar", fixed=I32, default=Literal(1, I32))
    mode: str = attribute("choice", choices=("fast", "slow"), default="fast")
    layout: Any = attribute("layout", default=None)
    label: str = attribute("text", keyword=True, default="")
    flag: bool = attribute("flag", keyword=True, default=False)

    def infer(self) -> Type | None:
        return None


def tile(format: Any, *shape: int) -> Value:
    return Value(TileType(format, shape), "t")


def scalar(format: Any) -> Value:
    return Value(ScalarType(format), "s")


def tensor(access: str = "inout") -> Value:
    return Value(TensorType(F16, (64, 64), access), "x")


def shared(*shape: int) -> Value:
    return Value(SharedType(F16, shape), "xs")


def part(base: Value, *offsets: int, size: int = 8) -> Window:
    return Window(base, tuple(Literal(offset, I32) for offset in offsets), (size,) * len(offsets))


def call(name: str, *positional: Any, **keywords: Any) -> Instruction:
    """Binds, builds and checks a call."""
    made = build(INSTRUCTIONS[name], assign(INSTRUCTIONS[name], positional, keywords))
    made.check()
    return made


def apply(symbol: str, *positional: Any) -> Instruction:
    """Binds, builds and checks an operator."""
    cls = OPERATORS[symbol, len(positional)]
    made = build(cls, assign(cls, positional, {}))
    made.check()
    return made


def probe(*positional: Any, **keywords: Any) -> Instruction:
    made = build(Probe, assign(Probe, positional, keywords))
    made.check()
    return made


def refused(code: str, make: Any, *positional: Any, **keywords: Any) -> TilevmError:
    """The error of a call, which has the code, names an argument or shows the call, and is a ``ProgramError``."""
    with pytest.raises(ProgramError) as caught:
        make(*positional, **keywords)
    assert caught.value.code == code
    return caught.value


def test_arguments_bind_by_place_and_by_name() -> None:
    x, y, z = (tile(F16, 4) for _ in range(3))
    assert call("fma", x, y, z) == call("fma", x, c=z, b=y)
    assert call("iota", 4) == call("iota", shape=4, dtype=I32)


def test_a_variadic_field_takes_every_argument_that_is_left() -> None:
    x, y, z = (tile(F16, 4) for _ in range(3))
    joined = call("concat", x, y, z, axis=-1)
    assert joined.tiles == (x, y, z)  # type: ignore[attr-defined]
    assert call("permute", tile(F16, 2, 3, 4), 2, 0, 1).order == (2, 0, 1)  # type: ignore[attr-defined]


def test_too_few_and_too_many_arguments_are_refused_and_the_call_is_shown() -> None:
    x = tile(F16, 4)
    few = refused("T001", call, "fma", x, x)
    assert "`c`" in str(few)
    assert "it is written fma(a, b, c)" in str(few)
    assert "at most 3 arguments by position, not 4" in str(refused("T001", call, "fma", x, x, x, x))
    assert "`tiles`" in str(refused("T001", call, "concat", axis=0))


def test_an_unknown_keyword_is_refused_and_the_nearest_is_offered() -> None:
    error = refused("T002", call, "cast", tile(F16, 4), F32, roundin="up")
    assert error.diagnostics[0].help == "did you mean `rounding`?"
    assert error.diagnostics[0].argument == "roundin"
    assert signature(INSTRUCTIONS["exp"]) in str(refused("T002", call, "exp", tile(F16, 4), qqq=1))


def test_an_argument_given_twice_is_refused() -> None:
    assert refused("T003", call, "exp", tile(F16, 4), x=tile(F16, 4)).diagnostics[0].argument == "x"


@pytest.mark.parametrize(
    ("make", "wanted"),
    [
        (lambda: call("exp", "text"), "a scalar or a register tile"),
        (lambda: call("exp", part(tensor(), 0, 0)), "`load(…)` brings the window into registers"),
        (lambda: call("zeros", 4, [4]), "a number format"),
        (lambda: call("zeros", [4], F16), "a number format"),
        (lambda: call("squeeze", tile(F16, 1), True), "an integer known when the program is compiled"),
        (lambda: call("squeeze", tile(F16, 1), scalar(I32)), "a scalar i32"),
        (lambda: call("cast", tile(F16, 1), I32, saturate=1), "True or False"),
        (lambda: call("convert_layout", tile(F16, 4), F16), "a layout"),
        (lambda: probe(tensor(), part(shared(8), 0)), "x[i :+ 16, …]"),
        (lambda: probe(tile(F16, 8), part(shared(8), 0)), "a window, such as"),
        (lambda: probe(part(tensor(), 0, 0), shared(8), label=3), "a text in quotes"),
        (lambda: call("exp", None), "None"),
        (lambda: call("exp", spatial(4)), "the layout"),
        (lambda: call("exp", [1, 2]), "the list [1, 2]"),
    ],
)
def test_an_argument_of_the_wrong_kind_is_refused(make: Any, wanted: str) -> None:
    assert wanted in str(refused("T004", make))


def test_operands_of_one_group_have_one_format() -> None:
    error = refused("T005", apply, "+", tile(F16, 4), tile(F32, 4))
    assert "`a` is f16 and `b` is f32" in str(error)
    assert "cast(…, f16)" in str(error)
    refused("T005", call, "full", F16, [4], scalar(F32))
    refused("T005", call, "concat", tile(F16, 4), tile(BF16, 4))


def test_a_format_that_the_instruction_is_not_defined_for_is_refused() -> None:
    storage = refused("T006", apply, "+", tile(U4, 4), tile(U4, 4))
    assert "u4 is a storage format" in str(storage)
    refused("T006", apply, "/", tile(I32, 4), tile(I32, 4))
    refused("T006", apply, "&", tile(F16, 4), tile(F16, 4))
    refused("T006", apply, "not", tile(I32, 4))
    refused("T006", apply, "<<", tile(U1, 4), tile(U1, 4))
    refused("T006", apply, "+", tile(U1, 4), tile(U1, 4))
    refused("T006", probe, part(tensor(), 0, 0), shared(8), scalar(I64))


@pytest.mark.parametrize(
    ("number", "format"),
    [(300, U8), (-1, U8), (2**31, I32), (1.5, I32), (math.inf, I32), (math.nan, I32), (1e6, F16), (2, U1)],
)
def test_a_number_that_the_format_does_not_hold_is_refused(number: float, format: Any) -> None:
    refused("T007", literal, number, format)


def test_an_infinity_or_nan_needs_a_format_that_has_it() -> None:
    for name in ("f4e2m1", "f6e3m2"):
        refused("T007", literal, math.inf, dtype(name))
        refused("T007", literal, math.nan, dtype(name))
    assert literal(math.inf, F16).value == math.inf
    assert math.isnan(literal(math.nan, BF16).value)


def test_a_number_takes_the_format_of_its_group_else_its_own() -> None:
    assert apply("*", tile(F16, 4), 2).b == Literal(2.0, F16)  # type: ignore[attr-defined]
    assert apply("-", 1, tile(U8, 4)).a == Literal(1, U8)  # type: ignore[attr-defined]
    assert call("full", BF16, [4], 1).value == Literal(1.0, BF16)  # type: ignore[attr-defined]
    mixed = apply("+", 1, 2.5)
    assert (mixed.a, mixed.b) == (Literal(1.0, F32), Literal(2.5, F32))  # type: ignore[attr-defined]
    assert apply("-", 3).x == Literal(3, I32)  # type: ignore[attr-defined]
    assert apply("not", True).x == Literal(True, U1)  # type: ignore[attr-defined]
    refused("T007", apply, "+", tile(U8, 4), 300)


def test_memory_where_a_value_is_expected_is_refused_and_load_is_offered() -> None:
    for memory in (tensor(), shared(8)):
        assert "`load` brings a window" in str(refused("T008", call, "exp", memory))
    refused("T008", call, "select", tile(U1, 4), tile(F16, 4), tile(F16, 4))
    refused("T008", call, "concat", scalar(F16))


@pytest.mark.parametrize("shape", [0, [4, 0], [-1], [True], [2.5], [1 << 11, 1 << 10], ["a"], scalar(I32)])
def test_what_is_not_a_shape_is_refused(shape: Any) -> None:
    assert refused("T009", call, "zeros", F16, shape).diagnostics[0].argument == "shape"


def test_one_extent_is_a_shape_and_an_empty_list_is_a_scalar() -> None:
    assert call("zeros", F16, 4).infer() == TileType(F16, (4,))
    assert call("zeros", F16, []).infer() == ScalarType(F16)


def test_a_word_that_is_not_a_choice_is_refused_and_the_nearest_is_offered() -> None:
    error = refused("T010", call, "cast", tile(F32, 4), F16, rounding="nearest_evn")
    assert "did you mean `nearest_even`?" in str(error)


def test_a_window_of_the_wrong_memory_is_refused() -> None:
    assert "a window of a shared tile" in str(refused("T011", probe, part(tensor(), 0, 0), part(tensor(), 0, 0)))


def test_shapes_that_do_not_broadcast_are_refused() -> None:
    assert "[16, 32] and [16]" in str(refused("T012", apply, "+", tile(F16, 16, 32), tile(F16, 16)))
    assert apply("+", tile(F16, 16, 32), tile(F16, 16, 1)).infer() == TileType(F16, (16, 32))
    assert apply("+", scalar(F16), tile(F16, 3)).infer() == TileType(F16, (3,))
    assert apply("+", scalar(F16), 2).infer() == ScalarType(F16)


def test_an_input_is_not_written() -> None:
    assert "out x" in str(refused("T013", probe, part(tensor("in"), 0, 0), shared(8)))
    probe(part(tensor("out"), 0, 0), shared(8))


@pytest.mark.parametrize("offset", [scalar(I64), tile(I32, 4), Literal(1.0, F32)])
def test_an_offset_is_an_i32_scalar(offset: Operand) -> None:
    refused("T014", probe, Window(tensor(), (offset, Literal(0, I32)), (8, 8)), shared(8))


@pytest.mark.parametrize(("start", "size"), [(-1, 8), (9, 8), (16, 1)])
def test_a_constant_window_lies_within_its_shared_tile(start: int, size: int) -> None:
    refused("T015", probe, part(tensor(), 0, 0), part(shared(16), start, size=size))
    probe(part(tensor(), -4, 60), part(shared(16), 16 - size, size=size))


def test_replacing_operands_keeps_everything_else() -> None:
    x, y, z = tile(F16, 4), tile(F16, 4), scalar(I32)
    joined = call("concat", x, y, axis=0)
    assert joined.substituted(lambda each: y if each is x else each) == call("concat", y, y, axis=0)
    window = Window(tensor(), (z, z), (8, None))
    moved = probe(window, shared(8)).substituted(lambda each: Literal(3, I32) if each is z else each)
    assert moved.target == Window(window.base, (Literal(3, I32),) * 2, (8, None))  # type: ignore[attr-defined]


def test_memory_is_told_apart_by_what_is_done_to_it() -> None:
    made = probe(part(tensor(), 0, 0), shared(8))
    assert [each.name for each in made.memory(written=True)] == ["x"]
    assert [each.name for each in made.memory(written=False)] == ["xs"]
