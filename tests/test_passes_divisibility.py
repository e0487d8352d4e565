"""Divisibility: what is said of a scalar holds for every value that the interpreter gives it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_programs import END, programs
from run_text import execute, program

from tilevm.ir import Let, Program
from tilevm.multiples import UNKNOWN, Known, apply, exactly, implied, wrapped
from tilevm.passes.divisibility import Divisibility, analyse
from tilevm.sizes import OPERATORS, Symbol, operation
from tilevm.values import Value

HEAD = "kernel k(x: f32[M, K], n: i32, inout y: i32[8]):\n    grid cdiv(M, 16)\n"


def analysed(body: str, requires: str = "") -> tuple[Program, Divisibility]:
    lines = [*requires.splitlines(), *body.strip().splitlines()]
    made = program(HEAD + "".join(f"    {line}\n" for line in lines))
    return made, analyse(made)


def known(body: str, name: str, requires: str = "") -> str:
    """What is known of the last value of a name."""
    made, found = analysed(body, requires)
    values: dict[str, Value] = {value.name: value for value in found.values}
    return str(found.of(values[name])) if name in values else str(found.of(made.parameters[1]))


@pytest.mark.parametrize(
    ("body", "name", "expected"),
    [
        ("a = block_index(0) * 16", "a", "multiple of 16 in 0 … 2147483632"),
        ("a = block_index(0) % 4 * 16 + 8", "a", "multiple of 8 in 8 … 56"),
        ("for k in range(0, K, 64):\n    a = k // 32", "k", "multiple of 64 in 0 … 2147483584"),
        ("for k in range(0, K, 64):\n    a = k // 32", "a", "multiple of 2 in 0 … 67108862"),
        ("for k in range(96, 0, -24):\n    a = k + 0", "k", "multiple of 24 in 24 … 96"),
        ("a = 0\nfor i in range(n):\n    a = (a + 4) % 12\nb = a", "a", "multiple of 4 in 0 … 8"),
        ("a = 6\nif n > 3:\n    a = 10\nb = a + 2", "b", "multiple of 2 in 8 … 12"),
        ("a = n * 12", "a", "multiple of 4 in -2147483648 … 2147483644"),
        ("a = n % 100 * 12", "a", "multiple of 12 in 0 … 1188"),
        ("a = min(n, 7)", "a", "multiple of 1 in -2147483648 … 7"),
        ("a = (n << 3) >> 1", "a", "multiple of 4 in -1073741824 … 1073741820"),
        ("assume(K % 8 == 0 and K > 8 and K <= 1000)\na = K // 4", "a", "multiple of 2 in 4 … 250"),
        ("assume(n == 24)\na = n // 5", "a", "4"),
        ("assume(n % 16 == 8)", "n", "multiple of 8 in -2147483648 … 2147483640"),
        ("if n > 1:\n    assume(n % 16 == 0)\n    a = n + 16\nb = n", "a",
         "multiple of 16 in -2147483648 … 2147483632"),
        ("if n > 1:\n    assume(n % 16 == 0)\n    a = n + 16\nb = n + 1", "b",
         "multiple of 1 in -2147483648 … 2147483647"),
        ("assume(cast(n, u8) == 0)", "n", "multiple of 1 in -2147483648 … 2147483647"),
    ],
)  # fmt: skip
def test_what_is_known_of_a_scalar(body: str, name: str, expected: str) -> None:
    assert known(body, name) == expected


def test_requirements_say_what_divides_sizes() -> None:
    _, found = analysed("a = K + 1", "require K % 64 == 0 and M <= 4096\nrequire M")
    assert str(found.of_size(Symbol("K"))) == "multiple of 64 in 0 … 2147483584"
    assert str(found.of_size(operation("//", Symbol("K"), 16))) == "multiple of 4 in 0 … 134217724"
    assert str(found.of_size(Symbol("M"))) == "multiple of 1 in 0 … 4096"
    assert found.of_size(operation("*", Symbol("M"), 8)).divides_by(8)


def test_assumptions_at_the_top_level_hold_for_sizes() -> None:
    _, found = analysed("assume(K % 32 == 0)")
    assert found.of_size(Symbol("K")).divides_by(32)


@settings(max_examples=40, deadline=None)
@given(programs(), st.integers(-3, 5))
def test_facts_hold_for_every_value_of_a_random_program(text: str, n: int) -> None:
    stored = re.sub(r"    if d:\n        store\(y\[3\], 1\)\n", "", END)
    made = program(text.removesuffix(END) + stored)
    found = analyse(made)
    results = execute(made, N=8, n=n, y=[0] * 8)["y"].tolist()
    stores = [each.instruction for each in made.body if isinstance(each, Let) and each.instruction.name == "store"]
    assert len(stores) == 3
    for place, store in enumerate(stores):
        fact = found.of(list(store.operands())[-1])
        assert fact.holds(results[place]), (str(fact), results[place])


SETS = st.builds(
    lambda divisor, low, length: Known(divisor, low, low + length),
    st.integers(1, 12),
    st.integers(-40, 40),
    st.integers(0, 60),
) | st.builds(exactly, st.integers(-20, 20))


def members(known: Known) -> list[int]:
    return [number for number in range(-110, 110) if known.holds(number)]


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["+", "-", "*", "//", "%", "min", "max", "cdiv"]), SETS, SETS)
def test_an_operator_on_sets_holds_every_result(operator: str, a: Known, b: Known) -> None:
    result = apply(operator, a, b)
    for x in members(a):
        for y in members(b):
            if y or operator not in ("//", "%", "cdiv"):
                assert result.holds(int(OPERATORS[operator][1](x, y))), (str(a), str(b), str(result), x, y)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(["%", "==", "<", "<=", ">", ">="]), SETS, SETS)
def test_what_a_result_implies_holds_for_every_operand_that_gives_it(operator: str, a: Known, b: Known) -> None:
    for fact in (exactly(1), exactly(0)):
        learnt = list(implied(operator, fact, a, b))
        for x in members(a):
            for y in members(b):
                if (y or operator != "%") and fact.holds(int(OPERATORS[operator][1](x, y))):
                    assert all(each.holds((x, y)[place]) for place, each in learnt)


@settings(max_examples=60, deadline=None)
@given(SETS, SETS)
def test_both_and_either_are_sets_of_what_they_say(a: Known, b: Known) -> None:
    assert set(members(a)) | set(members(b)) <= set(members(a.or_else(b)))
    assert set(members(a)) & set(members(b)) == set(members(a.and_also(b)))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 48), st.integers(-(2**34), 2**34))
def test_a_register_of_32_bits_keeps_what_is_said_of_it(divisor: int, factor: int) -> None:
    number = divisor * factor
    register = (number + 2**31) % 2**32 - 2**31
    assert wrapped(Known(divisor)).holds(register)
    assert wrapped(exactly(number)).holds(register)


def test_what_is_not_followed_is_unknown() -> None:
    assert apply("exp", exactly(1)) == UNKNOWN
    assert str(UNKNOWN) == "multiple of 1"
    assert apply("//", exactly(4), exactly(0)) == UNKNOWN
    assert not Known(4, 5, 7).holds(6)
    assert Known(4, 5, 7).is_empty
