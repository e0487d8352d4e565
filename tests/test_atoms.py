"""The operand layouts of tensor-core instructions, against the formulas of the PTX manual."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from tilevm.atoms import ATOMS, NAMESPACES, MatrixAtom, wgmma_accumulator
from tilevm.errors import LayoutError
from tilevm.layout import Layout
from tilevm.layout_constructors import column_spatial, local, rep, spatial

Formula = Callable[[int, int, int], tuple[int, int]]

# PTX ISA 9.7.14, "Matrix Fragments for mma.m16n8k*": with groupID g = lane >> 2, t = lane % 4, and i the i-th element.
FRAGMENTS: dict[str, tuple[Formula, Formula, Formula]] = {
    "m8n8k4": (lambda g, t, i: (g, t), lambda g, t, i: (t, g), lambda g, t, i: (g, 2 * t + i)),
    "m16n8k8": (
        lambda g, t, i: (g if i % 2 == 0 else g + 8, t if i < 2 else t + 4),
        lambda g, t, i: (t if i == 0 else t + 4, g),
        lambda g, t, i: (g if i < 2 else g + 8, 2 * t + (i & 1)),
    ),
    "m16n8k16": (
        lambda g, t, i: (g if i < 2 or 4 <= i < 6 else g + 8, 2 * t + (i & 1) + (8 if i >= 4 else 0)),
        lambda g, t, i: (2 * t + (i & 1) + (8 if i >= 2 else 0), g),
        lambda g, t, i: (g if i < 2 else g + 8, 2 * t + (i & 1)),
    ),
    "m16n8k32": (
        lambda g, t, i: (g if i < 4 or 8 <= i < 12 else g + 8, 4 * t + (i & 3) + (16 if i >= 8 else 0)),
        lambda g, t, i: (4 * t + (i & 3) + (16 if i >= 4 else 0), g),
        lambda g, t, i: (g if i < 2 else g + 8, 2 * t + (i & 1)),
    ),
    "m16n8k64": (
        lambda g, t, i: (g if i < 8 or 16 <= i < 24 else g + 8, 8 * t + (i & 7) + (32 if i >= 16 else 0)),
        lambda g, t, i: (8 * t + (i & 7) + (32 if i >= 8 else 0), g),
        lambda g, t, i: (g if i < 2 else g + 8, 2 * t + (i & 1)),
    ),
}


@pytest.mark.parametrize("name", ATOMS)
def test_the_fragments_are_those_of_the_manual(name: str) -> None:
    atom = ATOMS[name]
    for layout, formula in zip((atom.a, atom.b, atom.c), FRAGMENTS[name], strict=True):
        for lane in range(32):
            for i in range(layout.slots):
                assert layout.at(lane, i) == formula(lane >> 2, lane % 4, i)


@pytest.mark.parametrize("n", [8, 64, 256])
def test_the_wgmma_accumulator_is_that_of_the_manual(n: int) -> None:
    layout = wgmma_accumulator(n)
    assert (layout.shape, layout.threads, layout.slots) == ((64, n), 128, n // 2)
    for thread in range(128):
        warp, lane = divmod(thread, 32)
        for i in range(layout.slots):
            row = 16 * warp + (lane >> 2) + 8 * (i // 2 % 2)
            assert layout.at(thread, i) == (row, 8 * (i // 4) + 2 * (lane % 4) + i % 2)


def test_names_lead_to_the_layouts_of_the_rows() -> None:
    for name, atom in ATOMS.items():
        assert NAMESPACES["mma"][name] == {"a": atom.a, "b": atom.b, "c": atom.c}
        assert name == f"m{atom.m}n{atom.n}k{atom.k}"


GOOD = ATOMS["m16n8k16"]


@pytest.mark.parametrize(
    "change",
    [
        {"a": local(16, 1) * spatial(1, 16) * rep(2)},
        {"b": GOOD.a},
        {"name": "m16n8k32"},
        {"c": spatial(4, 1) * local(4, 8)},
        {"c": local(16, 8).unsqueeze(0)},
        {"operand_bits": 3},
        {"c": local(2, 1) * column_spatial(8, 4) * local(1, 2)},
        {"b": local(2, 1) * spatial(4, 8) * local(2, 1)},
    ],
)
def test_a_row_that_contradicts_itself_is_refused(change: dict[str, Layout]) -> None:
    with pytest.raises(LayoutError) as error:
        replace(GOOD, **change)
    assert error.value.code == "L022"


def test_a_row_is_made_of_plain_data() -> None:
    assert MatrixAtom("m16n8k16", GOOD.a, GOOD.b, GOOD.c, 16, 32) == GOOD


@pytest.mark.parametrize("n", [0, 4, 12, 264])
def test_wgmma_has_no_other_widths(n: int) -> None:
    with pytest.raises(LayoutError) as error:
        wgmma_accumulator(n)
    assert error.value.code == "L015"
