"""The pipeline and its simple passes: programs compute the same bits, and each pass removes what it says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lowering import PROGRAMS
from random_programs import programs
from run_text import execute, program

import tilevm
from tilevm.dtypes import F32, I32
from tilevm.errors import ExecutionError, UsageError
from tilevm.frontend.kernels import KernelDefinition
from tilevm.ir import For, If, Let, Program, While, walk
from tilevm.passes import PIPELINE, Pass, run_passes
from tilevm.passes.common_subexpressions import share_common_subexpressions
from tilevm.passes.constant_folding import fold_constants
from tilevm.passes.dead_code import remove_dead_code
from tilevm.passes.instruction_plans import make_plans
from tilevm.passes.layout_inference import infer_layouts
from tilevm.passes.loop_invariants import hoist_loop_invariants
from tilevm.values import Literal

EXAMPLES = Path(__file__).parent.parent / "examples"
HEAD = "kernel k(x: f32[N], inout y: f32[N], z: i32[N], n: i32):\n    grid 2\n    warps 1\n"


def run(body: str, *passes: Pass) -> Program:
    text = HEAD + "".join(f"    {line}\n" for line in body.strip().splitlines())
    return run_passes(program(text), passes=passes).program


def names(made: Program) -> list[str]:
    """The instructions of a program, in order."""
    return [each.instruction.name for each in walk(made.body) if isinstance(each, Let)]


@settings(max_examples=40, deadline=None)
@given(programs(), st.integers(-3, 5), st.sampled_from([PIPELINE, *((each,) for each in PIPELINE)]))
def test_random_programs_compute_the_same(text: str, n: int, passes: tuple[Pass, ...]) -> None:
    before = program(text)
    after = run_passes(before, passes=passes).program
    one, two = (execute(each, y=np.full(8, -7), N=8, n=n)["y"].tolist() for each in (before, after))
    assert one == two


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("each", dict.fromkeys(PIPELINE), ids=lambda each: each.__name__)
def test_every_pass_leaves_what_it_made_as_it_is(name: str, each: Pass) -> None:
    before = PROGRAMS[name]()
    if each is make_plans:
        before = run_passes(before, passes=[infer_layouts]).program
    once = run_passes(before, passes=[each]).program
    assert run_passes(once, passes=[each]).program == once


def _normal(*shape: int, dtype: Any = np.float16, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def _quantized(name: str) -> tuple[Any, ...]:
    found = tilevm.quantize(_normal(256, 130, dtype=np.float32), name)
    return tuple(each for each in (found.codes, found.scales, found.zeros) if each is not None)


def _attention() -> tuple[Any, ...]:
    codes = np.random.default_rng(0).integers(-8, 8, (70, 2, 128)).astype(np.int8)
    return _normal(4, 128), codes, _normal(70, 2), codes[::-1].copy(), _normal(70, 2, seed=1)


def _packed() -> tuple[Any, ...]:
    order = tilevm.memory_pattern("blocks(64, 64) * warps(1, 4) * local(4, 2) * mma.m16n8k16.b")
    codes = np.random.default_rng(0).integers(0, 64, (256, 128)).astype(np.uint8)
    kind = tilevm.dtype("f6e3m2")
    return _normal(20, 256), tilevm.PackedArray.from_codes(codes, kind, order.bind((256, 128), 6)), _normal(2, 128)


CALLS: Mapping[str, tuple[str, Callable[[], tuple[Any, ...]], dict[str, Any]]] = {
    "vector_add": ("vector_add", lambda: (_normal(3001, dtype=np.float32), _normal(3001, dtype=np.float32)), {}),
    "softmax": ("softmax", lambda: (_normal(7, 300, dtype=np.float32),), {}),
    "layer_norm": ("normalize", lambda: (_normal(3, 700), _normal(700), _normal(700)), {"epsilon": 1e-5}),
    "rms_norm": ("normalize", lambda: (_normal(3, 700), _normal(700)), {"epsilon": 1e-5}),
    "matmul_plain": ("matmul", lambda: (_normal(33, 200), _normal(200, 130)), {"BM": 32}),
    "matmul": ("matmul", lambda: (_normal(17, 256), *_quantized("i4")), {}),
    "matmul_zero": ("matmul", lambda: (_normal(17, 256), *_quantized("u3")), {}),
    "attend": ("attention", _attention, {"scale": 0.1, "KV": "i8"}),
    "matmul_explicit": ("matmul_explicit", _packed, {}),
}


@pytest.mark.parametrize("name", CALLS)
def test_examples_compute_the_same_bits(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    file, arguments, keywords = CALLS[name]
    before = tilevm.load(EXAMPLES / f"{file}.tvm")[name](*arguments(), **keywords)
    original = KernelDefinition.specialise
    monkeypatch.setattr(KernelDefinition, "specialise", lambda self, bound: run_passes(original(self, bound)).program)
    after = tilevm.load(EXAMPLES / f"{file}.tvm")[name](*arguments(), **keywords)
    assert before.dtype == after.dtype
    assert np.isfinite(before.astype(np.float32)).all()
    assert before.tobytes() == after.tobytes()


def test_an_unknown_architecture_is_an_error() -> None:
    with pytest.raises(UsageError) as caught:
        run_passes(program("kernel k(out y: f32[N]):\n    grid 1\n    store(y[0], 1.0)\n"), "sm_1")
    assert caught.value.diagnostics[0].code == "F020"


# Constant folding


def test_scalars_of_literals_become_literals() -> None:
    made = run(
        "a = i32(7)\nb = f32(0.1)\nfor i in range(0):\n    b = b + 1.0\nstore(y[a // -2 + 4], b * b)", fold_constants
    )
    (store,) = made.body
    assert isinstance(store, Let)
    offset, value = list(store.instruction.operands())[1:]
    assert (offset, value) == (Literal(0, I32), Literal(float(np.float32(0.1) * np.float32(0.1)), F32))


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["+", "-", "*", "//", "%", "&", "|", "^", "<<", ">>"]),
    st.integers(-(2**31), 2**31 - 1),
    st.integers(-(2**31), 2**31 - 1) | st.integers(-2, 40),
)
def test_folded_integers_are_those_of_the_interpreter(operator: str, a: int, b: int) -> None:
    text = f"kernel k(n: i32, m: i32, out y: i32[2]):\n    grid 1\n    store(y[0], n {operator} m)\n"
    unfolded = execute(text, n=a, m=b)["y"][0]
    known = f"    a = {a}\n    for i in range(1, 0):\n        a = n\n    store(y[0], a {operator} {b})\n"
    loop = f"kernel k(n: i32, out y: i32[2]):\n    grid 1\n{known}"
    made = run_passes(program(loop), passes=[fold_constants]).program
    assert names(made) == ["store"]
    assert execute(made, n=0)["y"][0] == unfolded


def test_branches_and_loops_that_literals_decide_are_resolved() -> None:
    body = """
a = 1.0
b = True
for i in range(3, 3):
    b = False
if b:
    a = a + 2.0
else:
    a = load(x[0])
store(y[0], a)
"""
    made = run(body, fold_constants)
    assert names(made) == ["store"]
    assert not any(isinstance(each, If | For) for each in walk(made.body))
    assert execute(made, x=[9] * 4, y=[0] * 4, z=[0] * 4, N=4, n=0)["y"][0] == 3.0


def test_what_a_literal_does_not_stand_for_is_not_folded() -> None:
    body = "a = load(z[0])\nstore(y[0], cast(a + n, f32))\nb = block_index(0)\nstore(y[b], 1.0)"
    assert names(run(body, fold_constants)) == names(run(body))


# Dead code


def test_what_nothing_needs_goes_and_what_has_an_effect_stays() -> None:
    body = """
a = load(x[0 :+ 32])
b = exp(a)
s = shared(f32, [32])
unused = 0
used = 0
for i in range(n):
    unused = unused + 1
    used = used + 2
if n > 2:
    c = a * 2.0
print("n", used)
atomic_add(y[0], 1.0)
"""
    made = run(body, remove_dead_code)
    assert names(made) == ["add", "print", "atomic_add"]
    (loop,) = (each for each in made.body if isinstance(each, For))
    assert [carry.result.name for carry in loop.carried] == ["used"]


def test_what_a_loop_or_a_branch_needs_for_its_effects_stays() -> None:
    body = "a = n + 1\nb = a > 2\nfor i in range(a):\n    if b:\n        store(y[i], 1.0)"
    assert run(body, remove_dead_code) == run(body)


def test_a_loop_that_may_not_end_or_fail_stays() -> None:
    made = run("a = n\nwhile a > 0:\n    a = a + 1\nfor i in range(0, 4, n):\n    b = i", remove_dead_code)
    assert [type(each) for each in made.body] == [While, For]
    with pytest.raises(ExecutionError, match="R030"):
        execute(made, x=[0], y=[0], z=[0], N=1, n=0)


# Common subexpressions


def test_equal_scalars_are_computed_once() -> None:
    body = """
a = n * 4 + 1
b = n * 4 + 1
for i in range(n):
    c = n * 4 + i
    d = n * 4 + i
    store(y[c], cast(d, f32))
store(y[a], cast(b, f32))
"""
    made = run(body, share_common_subexpressions)
    assert names(made) == ["multiply", "add", "add", "cast", "store", "cast", "store"]


def test_what_one_branch_computed_is_not_known_in_the_other_or_after() -> None:
    body = "if n > 1:\n    store(y[n + 1], 1.0)\nelse:\n    store(y[n + 1], 2.0)\nstore(y[n + 1], 3.0)"
    assert run(body, share_common_subexpressions) == run(body)


def test_what_is_read_from_memory_or_differs_each_time_is_not_shared() -> None:
    body = """
a = load(y[0])
store(y[0], a + 1.0)
b = load(y[0])
c = atomic_add(y[1], 1.0)
d = atomic_add(y[1], 1.0)
store(y[2], b + c + d)
"""
    assert run(body, share_common_subexpressions) == run(body)


# Loop-invariant code motion


def first_loop(made: Program) -> For | While:
    return next(each for each in made.body if isinstance(each, For | While))


def inside(made: Program) -> list[str]:
    return [each.instruction.name for each in walk([first_loop(made)]) if isinstance(each, Let)]


def test_what_does_not_change_moves_out_of_all_loops() -> None:
    body = """
for i in range(n):
    for j in range(n):
        a = load(x[n * 2 :+ 32]) * 2.0
        b = i * 3
        store(y[b + j :+ 32], a)
"""
    made = run(body, hoist_loop_invariants)
    assert [each.instruction.name for each in made.body if isinstance(each, Let)] == ["multiply", "load", "multiply"]
    assert inside(made) == ["multiply", "add", "store"]
    outer = first_loop(made)
    assert [type(each) for each in outer.body] == [Let, For]


@pytest.mark.parametrize(
    ("body", "moves"),
    [
        ("for i in range(n):\n    store(y[i], load(x[3]))", True),
        ("for i in range(n):\n    print(\"y\", load(y[3]))", False),
        ("for i in range(n):\n    store(y[i], load(y[3]))", False),
        ("for i in range(n):\n    a = load(y[3])\nstore(y[0], 1.0)", True),
        ("for i in range(n):\n    sync()\n    a = load(y[3])", False),
        ("s = shared(f32, [4])\nfor i in range(n):\n    a = load(s[3])", False),
        ("a = n\nwhile a > load(z[2]):\n    a = a - 1", True),
    ],
)  # fmt: skip
def test_a_load_moves_only_where_nothing_may_change_what_it_reads(body: str, moves: bool) -> None:
    assert ("load" not in inside(run(body, hoist_loop_invariants))) == moves


def test_effects_stay_in_their_loop() -> None:
    made = run(
        """
for i in range(n):
    a = atomic_add(y[0], 1.0)
    assert(n > 0, "n")
""",
        hoist_loop_invariants,
    )
    assert names(made)[0] == "greater"
    assert inside(made) == ["atomic_add", "assert"]


# Remarks


def test_remarks_name_what_is_moved_and_where() -> None:
    body = """
a = load(x[0 :+ 64]) @ spatial(32) * local(2)
b = load(x[0 :+ 64]) @ local(2) * spatial(32)
for i in range(n):
    store(y[0 :+ 64], a * load(x[1]))
print("b", a + b)
"""
    text = HEAD + "".join(f"    {line}\n" for line in body.strip().splitlines())
    assert {str(each) for each in run_passes(program(text)).remarks} > {
        "line 7: loaded once, before the loop",
        "line 8: `b` is moved between layouts, from [64]{2:R1 32:T1} to [64]{32:T1 2:R1}",
    }
