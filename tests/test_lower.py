"""Lowering: what a text means as a program."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from random_programs import in_python, programs

from tilevm.dtypes import dtype
from tilevm.errors import ArgumentError, ProgramError, UsageError
from tilevm.frontend import MISSING, Module, load_file, load_text
from tilevm.frontend.constants import FUNCTIONS
from tilevm.frontend.evaluation import CONSTANTS
from tilevm.instruction import INSTRUCTIONS
from tilevm.instructions.memory import Load
from tilevm.interpreter import run
from tilevm.ir import For, If, Let, Program, While
from tilevm.layout_constructors import local, spatial
from tilevm.layout_text import CONSTRUCTORS
from tilevm.memory import Tensor
from tilevm.sizes import Operation, Symbol, text
from tilevm.values import Literal, SharedType, TensorType, TileType, Value

F16, F32, I32, U4 = dtype("f16"), dtype("f32"), dtype("i32"), dtype("u4")
PROGRAMS = Path(__file__).parent / "programs"
HEADER = "kernel k[B = 16, W: dtype = f16](x: f32[M, N], s: f32, n: i32, out y: f32[M, N]):\n    grid cdiv(M, B)\n"


def lowered(body: str, before: str = "", **bindings: object) -> Program:
    """The kernel ``k`` with a body, whose lines are given without their indentation."""
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    return load_text(f"{before}\n{HEADER}{lines}").kernels["k"].specialise(bindings)  # type: ignore[arg-type]


def instructions(program: Program) -> list[str]:
    """The spellings of the instructions of the top level."""
    return [each.instruction.spelling for each in program.body if isinstance(each, Let)]


def last(program: Program) -> Let:
    statement = program.body[-1]
    assert isinstance(statement, Let)
    return statement


def result(program: Program) -> Value:
    value = last(program).result
    assert value is not None
    return value


@pytest.mark.parametrize("file", sorted(PROGRAMS.glob("*.tvm")), ids=lambda file: file.stem)
def test_every_program_lowers_with_its_defaults(file: Path) -> None:
    kernels = load_file(file).kernels
    assert kernels
    for name, kernel in kernels.items():
        assert kernel.specialise({}).name == name


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(programs())
def test_control_flow_on_integers_means_what_python_means(source: str) -> None:
    program = load_text(source).kernels["k"].specialise({})
    y = np.zeros(4, np.int32)
    run(program, {"y": Tensor(y, I32)}, {"n": 7, "N": 4})
    assert y.tolist() == in_python(source, 7)


# Definitions


def test_a_kernel_definition_says_what_a_launch_needs() -> None:
    kernel = load_text(
        "kernel k[W: dtype, A: dtype = f16, BM = 16, LAST = True, L: layout = local(2), HALF = BM // 2, Q = W.bits](\n"
        "        x: A[M, K], w: W[K, N], s: f32, inout y: f8e4m3[M], z: f16[2 * M]):\n"
        "    grid M\n    tune BM in 16, 2 * 16\n    tune HALF in 8\n"
    ).kernels["k"]
    assert [(each.name, each.kind, each.required) for each in kernel.compile_time] == [
        ("W", "dtype", True),
        ("A", "dtype", False),
        ("BM", "int", False),
        ("LAST", "bool", False),
        ("L", "layout", False),
        ("HALF", "int", False),
        ("Q", "int", False),
    ]
    assert [each.default for each in kernel.compile_time] == [MISSING, F16, 16, True, local(2), 8, MISSING]
    assert [(each.name, each.access, each.is_tensor, each.rank, each.dtype) for each in kernel.parameters] == [
        ("x", "in", True, 2, "A"),
        ("w", "in", True, 2, "W"),
        ("s", "in", False, 0, F32),
        ("y", "inout", True, 1, dtype("f8e4m3")),
        ("z", "in", True, 1, F16),
    ]
    assert kernel.tunes == {"BM": (16, 32), "HALF": (8,)}
    assert (kernel.name, kernel.source.name, kernel.span.line) == ("k", "<text>", 1)


def test_a_header_becomes_sizes_and_types() -> None:
    program = load_file(PROGRAMS / "header.tvm").kernels["sizes"].specialise({"GROUP": 64, "LAST": True})
    assert [value.name for value in program.sizes] == ["M", "K", "N"]
    assert all(value.type == Value(value.type).type and value.dtype is I32 for value in program.sizes)
    assert program.warps == 8
    assert [text(extent) for extent in program.grid] == ["cdiv(M, 16) * 2", "max(N, 3)", "2"]
    x, w, v, bias, *_ = (value.type for value in program.parameters)
    assert isinstance(x, TensorType)
    assert x.shape == (Symbol("M"), Operation("//", (Symbol("K"), 64)), 4, Symbol("K"))
    assert isinstance(bias, TensorType)
    assert bias.access == "inout"
    assert str(getattr(w, "layout", None)).startswith("blocks(16, 8) * ")
    assert str(getattr(v, "layout", None)) == "column_major"
    assert [text(each.condition) for each in program.requires][:1] == ["K % 64 == 0"]
    assert program.requires[1].message == 'M is "small"\n\\ or N is'


def test_four_warps_are_the_default() -> None:
    assert lowered("pass").threads == 128


def test_defaults_depend_on_what_is_bound() -> None:
    kernel = load_text("kernel k[A = 2, B = A * 2](out y: f32[N]):\n    grid B\n").kernels["k"]
    assert kernel.specialise({}).grid == (4,)
    assert kernel.specialise({"A": 5}).grid == (10,)
    assert kernel.specialise({"A": 5, "B": 1}).grid == (1,)


@pytest.mark.parametrize(
    ("bindings", "code", "argument", "message"),
    [
        ({}, "A031", "W", "`k` needs a value for its compile-time parameter `W`, a number format"),
        ({"W": 3}, "A033", "W", "the compile-time parameter `W` of `k` is a number format, not the int 3"),
        ({"W": F16, "B": True}, "A033", "B", "`B` of `k` is an integer, not the bool True"),
        ({"W": F16, "B": "4"}, "A033", "B", "is an integer, not the text '4'"),
        ({"W": F16, "B": [4]}, "A033", "B", "is an integer, not list [4]"),
        ({"W": F16, "C": 1}, "A032", "C", "`k` has no compile-time parameter `C`"),
        ({"W": F16, "B": 3}, "A034", "B", "`k` requires B % 2 == 0 or W.bits < 8, but B is 3, W is f16: even!"),
    ],
)
def test_compile_time_values_that_do_not_fit(
    bindings: dict[str, object], code: str, argument: str, message: str
) -> None:
    source = 'kernel k[B = 16, W: dtype](y: W[N]):\n    grid B\n    require B % 2 == 0 or W.bits < 8, "even!"\n'
    kernel = load_text(source).kernels["k"]
    with pytest.raises(ArgumentError) as raised:
        kernel.specialise(bindings)  # type: ignore[arg-type]
    (found,) = raised.value.diagnostics
    assert (found.code, found.argument) == (code, argument)
    assert message in found.message


def test_all_wrong_compile_time_values_are_reported() -> None:
    kernel = load_text("kernel k[A, B, C: layout](y: f32[N]):\n    grid 1\n").kernels["k"]
    with pytest.raises(ArgumentError) as raised:
        kernel.specialise({"D": 3, "A": F16})
    assert [(each.code, each.argument) for each in raised.value.diagnostics] == [
        ("A032", "D"),
        ("A033", "A"),
        ("A031", "B"),
        ("A031", "C"),
    ]


# Compile-time values


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("7 // 2 - -7 // 2", 7),
        ("7 / 2", 3.5),
        ("2 ** 10 % 1000", 24),
        ("-7 % 3", 2),
        ("1 << 40 >> 38 | 8 & 12 ^ 1", 13),
        ("~5", -6),
        ("cdiv(7, 2) + max(1, 5, 3) - min(4, 2)", 7),
        ("ceil(log2(1000))", 10),
        ("floor(2.5) + round(2.6) + abs(-3)", 8),
        ("sqrt(16.0) * exp(0) * exp2(3.0) / rsqrt(4.0)", 64.0),
        ("minimum(3, 4) + maximum(3, 4)", 7),
        ("sin(0.0) + cos(0.0) + tanh(0.0) + erf(0.0) + log(1.0)", 1.0),
        ("not 1 > 2 and (2 >= 2 or undefined)", True),
        ("3 if u4.bits == 4 else undefined", 3),
        ("u4.max - i8.min", 143),
        ("f16.max", 65504.0),
        ("f16 == f16 and f16 != u4", True),
        ("-inf < 0.0", True),
        ("spatial(8, 4).threads * local(2, 3).slots", 192),
        ("(spatial(8, 4) * local(1, 2)).shape[1]", 8),
        ("(spatial(8, 4) * local(1, 2)).bits(u3)", 192),
        ("(spatial(8, 4) * local(1, 2)) / local(1, 2) == spatial(8, 4)", True),
        ("(spatial(8, 4) * local(1, 2)).reduce(1) == spatial(8, 1) * rep(4)", True),
        ("mma.m16n8k16.a.permute(1, 0).shape == [16, 16]", True),
        ("[1, 2] + [3] == [1, 2, 3] and [1, 2][-1] == 2", True),
        ('"a" == "a"', True),
        ("row_major == column_major", False),
        ("[8,8]{8:T4 | 4:T1 2:R1} == spatial(8, 4) * local(1, 2)", True),
    ],
)
def test_compile_time_expressions(expression: str, value: object) -> None:
    binding = load_text(f"const A = {expression}\n").names["A"]
    found = getattr(binding, "value", None)
    assert found == value
    assert type(found) is type(value)


def test_compile_time_and_run_time_functions_have_the_same_names() -> None:
    assert set(FUNCTIONS) <= set(INSTRUCTIONS)
    assert not set(CONSTRUCTORS) & set(INSTRUCTIONS)
    assert not set(CONSTANTS) & set(INSTRUCTIONS)


def test_names_resolve_in_the_program_before_the_language() -> None:
    program = lowered("f16 = 3\nsum = iota(f16)\nsum = sum(sum) + sum(sum)\nb = zeros(u8, [f16])", "const inf = 2")
    assert instructions(program) == ["iota", "sum", "sum", "+", "zeros"]
    assert str(result(program).type) == "u8[3]"


def test_a_chosen_branch_alone_is_lowered() -> None:
    program = lowered("if W.bits == 16:\n    a = iota(4)\nelse:\n    a = undefined(1)\nb = a + 1")
    assert instructions(program) == ["iota", "+"]


# Operators and calls


def test_numbers_take_the_format_of_what_they_meet() -> None:
    program = lowered("a = zeros(W, [4])\nb = a * 2 + 0.5\nc = where(b > 1, b, -inf)")
    literals = [each for let in program.body if isinstance(let, Let) for each in let.instruction.operands()]
    held = [each for each in literals if isinstance(each, Literal)]
    assert [(each.value, each.dtype) for each in held] == [(2.0, F16), (0.5, F16), (1.0, F16), (float("-inf"), F16)]


def test_a_format_makes_a_number() -> None:
    program = lowered("a = u8(255) + 1")
    assert str(result(program).type) == "u8"


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        ("s > 0.0 and n < 3", [">", "<", "&"]),
        ("s > 0.0 or not n < 3", [">", "<", "not", "|"]),
        ("True and s > 0.0", [">"]),
        ("s > 0.0 or True", [">"]),
        ("s > 0.0 and False or n > 3", [">", ">"]),
        ("1.0 if n > 3 else s", [">", "select"]),
        ("iota(4) if n > 3 else 0", [">", "iota", "where"]),
        ("cdiv(n, 3)", ["cdiv"]),
        ("cdiv(8, 3) + n", ["+"]),
        ("max(n, 3)", ["maximum"]),
        ("min(s, 3)", ["minimum"]),
        ("max(iota(4))", ["iota", "max"]),
        ("max(iota([4, 4]), 1)", ["iota", "max"]),
        ("sum(iota([4, 4]), axis=0)", ["iota", "sum"]),
        ("+n + (-n)", ["-", "+"]),
        ("exp(s) * exp(1)", ["exp", "*"]),
        ("cast(s, f16, rounding=toward_zero)", ["cast"]),
        ("n * M", ["*"]),
    ],
)
def test_what_becomes_an_instruction(expression: str, names: list[str]) -> None:
    assert instructions(lowered(f'a = {expression}\nprint("a")'))[:-1] == names


def test_a_choice_is_a_bare_name_whatever_it_is_otherwise() -> None:
    program = lowered("up = n\na = cast(s, f16, rounding=up)")
    assert getattr(last(program).instruction, "rounding", None) == "up"


def test_functions_are_inlined_with_names_of_their_own() -> None:
    before = (
        "const A = 5\n"
        "func scaled(x, factor=A, shift=0.0):\n    n = x * factor\n    return n + shift\n"
        "func both(x):\n    return scaled(x, 2.0), scaled(shift=1.0, x=x)\n"
        "func effect(y):\n    store(y[0, 0], 1.0)\n"
    )
    program = lowered("a, b = both(s)\neffect(y)\nc = n + 1", before)
    assert instructions(program) == ["*", "+", "*", "+", "store", "+"]
    assert str(result(program).type) == "i32"


def test_functions_take_windows_and_tensors() -> None:
    before = "func first(t, w):\n    return load(t[0, 0 :+ 4]) + load(w)\n"
    program = lowered("a = first(x, x[1, n :+ 4])", before)
    assert instructions(program) == ["load", "load", "+"]


def test_a_value_has_the_name_that_it_is_computed_for() -> None:
    program = lowered("total = exp(s) + 1.0")
    assert result(program).name == "total"
    assert result(program).span is not None


def test_a_result_that_is_not_needed_is_dropped() -> None:
    program = load_text(
        "kernel k(inout t: f32[1]):\n    grid 1\n    atomic_add(t[0], 1.0)\n    a = atomic_add(t[0], 1.0)\n"
    )
    dropped, kept = program.kernels["k"].specialise({}).body
    assert isinstance(dropped, Let)
    assert isinstance(kept, Let)
    assert dropped.result is None
    assert kept.result is not None


def test_static_assertions_that_hold_leave_nothing() -> None:
    assert lowered('static_assert(W.bits == 16, "half")\nstatic_assert(B > 1)').body == ()


# Subscripts


def test_windows() -> None:
    program = lowered(
        "a = load(x[n :+ 4, 3])\nxs = shared(f16, [2, 8, 8])\nb = load(xs[n])\nc = load(xs[1, :, 2 :+ 2])"
    )
    loads = [each.instruction for each in program.body if isinstance(each, Let)]
    windows = [each.source for each in loads if isinstance(each, Load)]
    assert [window.extents for window in windows] == [(4, None), (None, 8, 8), (None, 8, 2)]
    assert windows[0].offsets[1] == Literal(3, I32)
    assert windows[2].offsets == (Literal(1, I32), Literal(0, I32), Literal(2, I32))


@pytest.mark.parametrize(
    ("subscript", "names", "shape"),
    [
        ("[1]", ["slice", "squeeze"], "[8, 2]"),
        ("[:, None]", ["unsqueeze"], "[4, 1, 8, 2]"),
        ("[None, :, :, :, None]", ["unsqueeze", "unsqueeze"], "[1, 4, 8, 2, 1]"),
        ("[-1, 2 :+ 3]", ["slice", "squeeze", "slice"], "[3, 2]"),
        ("[:]", [], "[4, 8, 2]"),
        ("[0, 0, 0]", ["slice", "squeeze"] * 3, ""),
    ],
)
def test_subscripts_of_register_tiles(subscript: str, names: list[str], shape: str) -> None:
    program = lowered(f"a = iota([4, 8, 2])\nb = a{subscript}")
    assert instructions(program)[1:] == names
    assert str(result(program).type) == f"i32{shape}"


def test_attributes_of_values() -> None:
    program = lowered("a = iota([4, 8])\nb = zeros(s.dtype, [a.shape[1], x.dtype.bits])")
    assert str(result(program).type) == "f32[8, 32]"


# Layouts


def test_layouts_after_at() -> None:
    before = "layout lanes = spatial(8, 4)\nlayout tile(n) = lanes * local(1, n)\n"
    program = lowered(
        "a = zeros(f32, [16, 16]) @ warps(2, 2) * tile(2)\n"
        "xs = shared(f16, [64, 64]) @ swizzle(3, 4, 3)\n"
        "ys = shared(u4, [8, 8]) @ column_major(8, 8)\n"
        "zs = shared(u4, [8, 8]) @ row_major(8, 8, width=8)\n",
        before,
    )
    types = [each.result.type for each in program.body if isinstance(each, Let) and each.result is not None]
    a, xs, ys, zs = types
    assert isinstance(a, TileType)
    assert a.layout == spatial(2, 2) * spatial(8, 4) * local(1, 2)
    assert isinstance(xs, SharedType)
    assert str(xs.layout) == "[64,64]{64:B1024 | 64:B16; xor 7^10 8^11 9^12; 16 bits}"
    assert str(getattr(ys, "layout", None)) == "[8,8]{8:B4 | 8:B32; 4 bits}"
    assert str(getattr(zs, "layout", None)) == "[8,8]{8:B64 | 8:B8; 8 bits}"


def test_a_layout_may_be_a_compile_time_parameter() -> None:
    source = "kernel k[L: layout](out y: f32[N]):\n    grid 1\n    warps 1\n    a = zeros(f32, L.shape) @ L\n"
    program = load_text(source).kernels["k"].specialise({"L": spatial(8, 4)})
    assert str(result(program).type) == "f32[8, 4] @ [8,4]{8:T4 | 4:T1}"


# Control


def test_a_loop_carries_what_it_changes() -> None:
    program = lowered(
        "a = 0\nb = zeros(W, [4])\nc = n\nfor i in range(2, n, 3, stages=4, unroll=2):\n    a, b = a + c, b + 1"
    )
    (loop,) = (each for each in program.body if isinstance(each, For))
    assert (loop.start, loop.step, loop.stages, loop.unroll) == (Literal(2, I32), Literal(3, I32), 4, 2)
    assert [carry.result.name for carry in loop.carried] == ["a", "b"]
    assert loop.carried[0].initial == Literal(0, I32)
    assert [str(carry.inner.type) for carry in loop.carried] == ["i32", "f16[4]"]


def test_a_number_takes_the_format_of_what_a_loop_carries() -> None:
    program = lowered("a = f16(1)\nfor i in range(n):\n    a = 2")
    (loop,) = program.body
    assert isinstance(loop, For)
    assert loop.carried[0].update == Literal(2.0, F16)


def test_a_while_loop_computes_its_condition_in_every_iteration() -> None:
    program = lowered("a = n\nwhile a * 2 > 3 and s > 0.0:\n    a -= 1")
    (loop,) = program.body
    assert isinstance(loop, While)
    assert [each.instruction.spelling for each in loop.test if isinstance(each, Let)] == ["*", ">", ">", "&"]


def test_an_if_joins_what_its_branches_change() -> None:
    program = lowered(
        "a = 1\nif s > 0.0:\n    a = n\n    b = 2\n    c = 3\nelse:\n    b = 0.5\n    c = 3\nd = zeros(u8, [c])"
    )
    (branch,) = (each for each in program.body if isinstance(each, If))
    joined = {join.result.name: (join.then, join.otherwise) for join in branch.joins}
    assert joined["b"] == (Literal(2.0, F32), Literal(0.5, F32))
    assert joined["a"][1] == Literal(1, I32)
    assert list(joined) == ["a", "b"]
    assert str(result(program).type) == "u8[3]"


def test_compile_time_values_survive_loops_that_do_not_change_them() -> None:
    program = lowered("a = f16\nb = [4]\nfor i in range(n):\n    a = W\n    b = [4]\nc = zeros(a, b)")
    assert str(result(program).type) == "f16[4]"


# Modules


def test_imports_are_relative_to_the_file_and_read_once(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "base.tvm").write_text("const A = 3\nlayout L(n) = local(n)\nfunc f(x):\n    return x + A\n")
    (tmp_path / "deep" / "middle.tvm").write_text('from "../base.tvm" import f, A\nconst B = A + 1\n')
    (tmp_path / "top.tvm").write_text(
        'import "deep/middle.tvm" as m\nimport "base.tvm" as base\n'
        "kernel k(out y: i32[N]):\n    grid m.B, m.A\n    store(y[0], m.f(base.f(base.L(2).slots + N)))\n"
    )
    program = load_file(tmp_path / "top.tvm").kernels["k"].specialise({})
    assert program.grid == (4, 3)
    source = (tmp_path / "top.tvm").read_text()
    assert load_text(source, folder=tmp_path).kernels["k"].specialise({}) == program


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as raised:
        load_file(tmp_path / "missing.tvm")
    assert raised.value.code == "F002"
    assert "No such file" in str(raised.value)
    (tmp_path / "latin.tvm").write_bytes(b"# \xe9\n")
    with pytest.raises(UsageError, match="not UTF-8"):
        load_file(tmp_path / "latin.tvm")


def test_an_empty_text_is_a_module() -> None:
    module = load_text("")
    assert isinstance(module, Module)
    assert not module.kernels


def test_errors_of_imported_files_name_both_files(tmp_path: Path) -> None:
    (tmp_path / "base.tvm").write_text("const A = nothing\nconst B = also_nothing\n")
    (tmp_path / "top.tvm").write_text('from "base.tvm" import A\nconst C = A + 1\nconst D = missing\n')
    with pytest.raises(ProgramError) as raised:
        load_file(tmp_path / "top.tvm")
    found = raised.value.diagnostics
    assert [(each.code, Path(str(each.span.source.name)).name) for each in found if each.span] == [
        ("N001", "base.tvm"),
        ("N001", "base.tvm"),
        ("N001", "top.tvm"),
    ]
    assert found[0].related[0].label == "imported here"


def test_a_loop_over_a_list_stands_once_for_each_item() -> None:
    body = """
t = load(x[0, 0 :+ 16])
sizes = 1
for step in [1, 2, 4 if B > 16 else 8]:
    t = reshape(reshape(t, [16 // step, step]) * step, [16])
    sizes = sizes * step
for side in [t, -t]:
    store(y[0, 0 :+ 16], side + sizes)
for nothing in []:
    t = zeros(f32, [3])
""".strip()
    written = """
t = load(x[0, 0 :+ 16])
t = reshape(reshape(t, [16, 1]) * 1, [16])
t = reshape(reshape(t, [8, 2]) * 2, [16])
t = reshape(reshape(t, [2, 8]) * 8, [16])
u = -t
store(y[0, 0 :+ 16], t + 16)
store(y[0, 0 :+ 16], u + 16)
""".strip()
    found, expected = lowered(body), lowered(written)
    assert instructions(found) == instructions(expected)
    types = [
        [each.result.type for each in made.body if isinstance(each, Let) and each.result] for made in (found, expected)
    ]
    assert types[0] == types[1]
    x = np.arange(16, dtype=np.float32).reshape(1, 16)
    for program in (found, expected):
        y = np.zeros((1, 16), np.float32)
        run(program, {"x": Tensor(x, F32), "y": Tensor(y, F32)}, {"s": 0, "n": 0, "M": 1, "N": 16})
        np.testing.assert_array_equal(y, 16 - 16 * x)


def test_what_a_loop_over_a_list_assigns_is_carried_through_a_loop_around_it() -> None:
    program = lowered(
        "a = 0\nfor i in range(3):\n    for step in [1, 2]:\n        a += step\nstore(y[0, 0], cast(a, f32))"
    )
    (loop,) = (each for each in program.body if isinstance(each, For))
    assert [carry.inner.name for carry in loop.carried] == ["a"]
    found = np.zeros((1, 1), np.float32)
    run(program, {"x": Tensor(found.copy(), F32), "y": Tensor(found, F32)}, {"s": 0, "n": 0, "M": 1, "N": 1})
    assert found[0, 0] == 9
