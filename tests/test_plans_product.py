"""Plans of products: every multiplication is made once, whatever the order of registers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tilevm.atoms import ATOMS
from tilevm.errors import UsageError
from tilevm.instructions.tensor_core import accumulator_layout
from tilevm.ir import Let, walk
from tilevm.layout import Layout
from tilevm.layout_constructors import local
from tilevm.passes import run_passes
from tilevm.plans.product import MatrixProduct, ScalarProduct, matrix_product, scalar_product
from tilevm.runtime.kernel import kernel

SHAPES = st.tuples(st.sampled_from([16, 32, 64]), st.sampled_from([8, 16, 64]), st.sampled_from([1, 2, 3]))


def fragments(rows: int, columns: int, steps: int, warps: int, name: str) -> tuple[Layout, Layout, Layout]:
    """Layouts of a, b and c for a product of whole atoms."""
    atom = ATOMS[name]
    c = accumulator_layout((rows, columns), warps, atom)
    assert c is not None
    outer = c / atom.c
    a = outer.reduce(1) * local(1, steps) * atom.a
    b = outer.reduce(0) * local(steps, 1) * atom.b
    return a, b, c


def products(plan: MatrixProduct, name: str, a: Layout, b: Layout, c: Layout) -> np.ndarray:
    """How often each product of row, column and k is added by each thread's view of the plan, per warp."""
    atom = ATOMS[name]
    counts = np.zeros((a.shape[0], b.shape[1], a.shape[1]), np.int64)
    registers = 32 // atom.operand_bits
    for warp in range(c.threads // 32):
        for number in range(plan.instructions):
            rows, columns, ks = set(), set(), set()
            for lane in range(32):
                thread = 32 * warp + lane
                for place, table in enumerate(plan.c):
                    assert c.at(thread, table[number]) == tuple(
                        base + part
                        for base, part in zip(
                            _base(c, atom.c, warp, plan.c[0][number]), atom.c.at(lane, place), strict=True
                        )
                    )
                for place, table in enumerate(plan.a):
                    for slot in range(registers):
                        row, k = a.at(thread, table[number] + slot)
                        inside = atom.a.at(lane, place * registers + slot)
                        rows.add(row - inside[0])
                        ks.add(k - inside[1])
                for place, table in enumerate(plan.b):
                    for slot in range(registers):
                        k, column = b.at(thread, table[number] + slot)
                        inside = atom.b.at(lane, place * registers + slot)
                        ks.add(k - inside[0])
                        columns.add(column - inside[1])
            (row,), (column,), (k,) = rows, columns, ks
            assert (row, column) == _base(c, atom.c, warp, plan.c[0][number])
            counts[row : row + atom.m, column : column + atom.n, k : k + atom.k] += 1
    return counts


def _base(c: Layout, part: Layout, warp: int, slot: int) -> tuple[int, ...]:
    first, inside = c.at(32 * warp, slot), part.at(0, 0)
    return tuple(whole - own for whole, own in zip(first, inside, strict=True))


@settings(max_examples=12, deadline=None)
@given(SHAPES, st.sampled_from([1, 2, 4]), st.sampled_from(["m16n8k16", "m16n8k8", "m16n8k32"]))
def test_every_product_is_added_once(shape: tuple[int, int, int], warps: int, name: str) -> None:
    rows, columns, steps = shape
    a, b, c = fragments(rows, columns, steps, warps, name)
    plan = matrix_product(ATOMS[name], a, b, c)
    assert plan is not None
    counts = products(plan, name, a, b, c)
    # Warps for which nothing is left hold the same as others, and add the same.
    copies = counts.flat[0]
    assert copies in (1, 2, 4)
    assert (counts == copies).all()


def test_registers_may_have_any_order_as_long_as_they_stay_whole() -> None:
    atom = ATOMS["m16n8k16"]
    renamed = local(2, 1) * Layout([[(2, "R", 4), (8, "T", 4)], [(2, "R", 2), (4, "T", 1), (2, "R", 1)]])
    plan = matrix_product(atom, renamed, atom.b, local(2, 1) * atom.c)
    assert plan is not None
    assert [table[0] for table in plan.a] == [0, 4, 2, 6]
    torn = Layout([[(2, "R", 1), (8, "T", 4)], [(2, "R", 4), (4, "T", 1), (2, "R", 2)]])
    assert matrix_product(atom, torn, atom.b, atom.c) is None


def test_scalar_products_take_each_factor_from_its_own_slot() -> None:
    a, b, c = local(3, 4), local(4, 2), local(3, 2)
    plan = scalar_product(a, b, c)
    left, right = np.arange(12).reshape(3, 4), np.arange(8).reshape(4, 2)
    sums = [0] * plan.slots
    for number, (i, j) in enumerate(zip(plan.a, plan.b, strict=True)):
        sums[number % plan.slots] += int(left.flat[i] * right.flat[j])
    assert sums == (left @ right).reshape(-1).tolist()


def planned(a: str, b: str, target: str, shape: str = "16, 32") -> tuple[object, list[str]]:
    rows, k = shape.split(", ")
    accumulator = "i32" if a[0] in "iu" else "f64" if a == "f64" else "f32"
    program = kernel(
        f"kernel k(out y: {accumulator}[N]):\n    grid 1\n    warps 1\n"
        f"    c = dot(zeros({a}, [{rows}, {k}]), zeros({b}, [{k}, 16]), zeros({accumulator}, [{rows}, 16]))\n"
        f"    store(y[0 :+ {int(rows) * 16}], reshape(c, [{int(rows) * 16}]))\n"
    ).specialise()
    lowered = run_passes(program, target)
    (plan,) = [
        each.plan for each in walk(lowered.program.body) if isinstance(each, Let) and each.instruction.name == "dot"
    ]
    return plan, [each.text for each in lowered.remarks]


@pytest.mark.parametrize(
    ("formats", "target", "atom"),
    [
        ("f16 f16", "sm_75", "m16n8k16"),
        ("bf16 bf16", "sm_80", "m16n8k16"),
        ("tf32 tf32", "sm_90a", "m16n8k8"),
        ("i8 u8", "sm_80", "m16n8k32"),
        ("f8e4m3 f8e5m2", "sm_89", "m16n8k32"),
    ],
)
def test_formats_go_to_their_matrix_instruction(formats: str, target: str, atom: str) -> None:
    plan, remarks = planned(*formats.split(), target)
    assert isinstance(plan, MatrixProduct)
    assert plan.atom == atom
    assert any(atom in each for each in remarks)


def test_what_no_tensor_core_multiplies_is_said() -> None:
    plan, remarks = planned("f32", "f32", "sm_80")
    assert isinstance(plan, ScalarProduct)
    assert any("no tensor core multiplies these formats" in each for each in remarks)
    plan, remarks = planned("f16", "f16", "sm_80", "4, 32")
    assert isinstance(plan, ScalarProduct)
    assert any("is not made of m16n8k16" in each for each in remarks)


@pytest.mark.parametrize(
    ("name", "target"), [("bf16", "sm_75"), ("f8e4m3", "sm_86"), ("f64", "sm_75"), ("i8", "sm_75")]
)
def test_an_architecture_that_lacks_the_instruction_is_refused_with_the_line(name: str, target: str) -> None:
    with pytest.raises(UsageError) as caught:
        planned(name, name, target)
    assert caught.value.code == "F022"
    shown = str(caught.value)
    assert f"{target} has no `mma_" in shown
    assert "c = dot(" in shown
    assert "help: it is in sm_" in shown
