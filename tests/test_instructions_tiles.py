"""Making tiles and changing their shape, against nested lists and loops over indices."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from batches import Given, evaluate, oracle

from tilevm.dtypes import BF16, F16, F32, I32, U1, DType, dtype
from tilevm.errors import TilevmError
from tilevm.instruction import INSTRUCTIONS
from tilevm.instructions.tiles import (
    Assume,
    Broadcast,
    Concatenate,
    ConvertLayout,
    Full,
    Iota,
    Permute,
    Reshape,
    Slice,
    Squeeze,
    Unsqueeze,
    Zeros,
)
from tilevm.layout_constructors import local, row_major, spatial
from tilevm.machine import Array
from tilevm.report import Report
from tilevm.values import Literal, ScalarType, TileType

U4, U8 = dtype("u4"), dtype("u8")
FORMATS = [F16, F32, I32, U1, U4, dtype("f6e3m2")]
each_format = pytest.mark.parametrize("format", FORMATS, ids=str)


def numbered(format: DType, *shape: int) -> Array:
    """Elements that differ from their neighbours, with the block axis first."""
    return (np.arange(math.prod(shape)) % (2 if format is U1 else 13)).reshape(shape)


def refused(code: str, make: Any, *given: Given) -> None:
    with pytest.raises(TilevmError) as caught:
        evaluate(make, *given)
    assert caught.value.code == code


def test_the_groups_are_registered() -> None:
    names = "zeros full iota reshape permute broadcast squeeze unsqueeze slice concat convert_layout assume"
    assert set(names.split()) <= set(INSTRUCTIONS)


@oracle(Zeros)
@pytest.mark.parametrize("format", [*FORMATS, BF16, dtype("nf4"), dtype("trit"), dtype("i3")], ids=str)
def test_zeros_are_zero_in_every_format_that_has_one(format: DType) -> None:
    found = evaluate(lambda: Zeros(format, (2, 3)))
    assert found.shape == (1, 2, 3)
    assert (format.decode(format.to_codes(found)) == 0).all()
    assert Zeros(format, ()).infer() == ScalarType(format)


def test_zeros_refuses_a_format_without_zero() -> None:
    refused("T021", lambda: Zeros(dtype("e8m0"), (4,)))


@oracle(Full)
@each_format
def test_full_repeats_its_value_in_each_block(format: DType) -> None:
    found = evaluate(lambda value: Full(format, (2, 3), value), Given(format, [0, 1, 1]))
    assert found.tolist() == [[[each] * 3] * 2 for each in found[:, 0, 0].tolist()]
    assert [bool(each) for each in found[:, 0, 0]] == [False, True, True]
    assert (evaluate(lambda: Full(F16, (4,), Literal(-math.inf, F16))) == -math.inf).all()


@oracle(Iota)
def test_iota_counts_in_row_major_order() -> None:
    assert evaluate(lambda: Iota((5,))).tolist() == [[0, 1, 2, 3, 4]]
    assert evaluate(lambda: Iota((2, 3), F16)).tolist() == [[[0, 1, 2], [3, 4, 5]]]
    assert Iota((5,)).check() == TileType(I32, (5,))


@pytest.mark.parametrize(("format", "most"), [(U8, 256), (dtype("i8"), 128), (F16, 2049), (BF16, 257)])
def test_iota_refuses_a_format_that_does_not_hold_every_number(format: DType, most: int) -> None:
    assert evaluate(lambda: Iota((most,), format))[0].astype(int).tolist() == list(range(most))
    refused("T021", lambda: Iota((most + 1,), format))
    refused("T021", lambda: Iota((most + 2,), format))
    refused("T021", lambda: Iota((2,), U4))


@oracle(Reshape)
@each_format
def test_reshape_keeps_the_row_major_order(format: DType) -> None:
    x = numbered(format, 2, 3, 4)
    found = evaluate(lambda x: Reshape(x, (2, 6)), Given(format, x))
    for block, row, column in np.ndindex(2, 2, 6):
        place = 6 * row + column
        assert found[block, row, column] == x[block, place // 4, place % 4]
    refused("T023", lambda x: Reshape(x, (5, 2)), Given(format, x))


@oracle(Permute)
@each_format
def test_permute_moves_each_dimension(format: DType) -> None:
    x = numbered(format, 2, 2, 3, 4)
    for order in itertools.permutations(range(3)):
        found = evaluate(lambda x, order=order: Permute(x, order), Given(format, x))
        for index in np.ndindex(2, 3, 4):
            assert found[(1, *(index[axis] for axis in order))] == x[(1, *index)]
    assert evaluate(lambda x: Permute(x, (0, -1, 1)), Given(format, x)).shape == (2, 2, 4, 3)
    refused("T024", lambda x: Permute(x, (0, 1)), Given(format, x))
    refused("T024", lambda x: Permute(x, (0, 1, 1)), Given(format, x))
    refused("T020", lambda x: Permute(x, (0, 1, 3)), Given(format, x))


@oracle(Broadcast)
@each_format
def test_broadcast_repeats(format: DType) -> None:
    x = numbered(format, 3, 2, 1)
    found = evaluate(lambda x: Broadcast(x, (4, 2, 5)), Given(format, x))
    for block, first, row, column in np.ndindex(3, 4, 2, 5):
        assert found[block, first, row, column] == x[block, row, 0]
    assert evaluate(lambda x: Broadcast(x, (2,)), Given(format, [0, 1])).tolist() == [[0, 0], [1, 1]]
    for shape in ((2,), (3, 5), (1, 1)):
        refused("T025", lambda x, shape=shape: Broadcast(x, shape), Given(format, x))


@oracle(Squeeze, Unsqueeze)
@each_format
def test_squeeze_undoes_unsqueeze(format: DType) -> None:
    x = numbered(format, 2, 3, 4)
    for axis, shape in [(0, (1, 3, 4)), (1, (3, 1, 4)), (2, (3, 4, 1)), (-1, (3, 4, 1)), (-3, (1, 3, 4))]:
        wider = evaluate(lambda x, axis=axis: Unsqueeze(x, axis), Given(format, x))
        assert wider.shape == (2, *shape)
        assert wider.ravel().tolist() == x.ravel().tolist()
        assert evaluate(lambda x, axis=axis: Squeeze(x, axis), Given(format, wider)).tolist() == x.tolist()
    refused("T020", lambda x: Unsqueeze(x, 3), Given(format, x))
    refused("T020", lambda x: Squeeze(x, -3), Given(format, x))
    refused("T026", lambda x: Squeeze(x, 1), Given(format, x))


def test_a_tile_of_one_element_becomes_a_scalar_and_back() -> None:
    assert evaluate(lambda x: Squeeze(x, 0), Given(F16, [[3], [4]])).tolist() == [3, 4]
    assert evaluate(lambda x: Unsqueeze(x, 0), Given(F16, [3, 4])).tolist() == [[3], [4]]
    assert evaluate(lambda x: Reshape(x, ()), Given(F16, [[[3]], [[4]]])).tolist() == [3, 4]
    refused("T020", lambda x: Squeeze(x, 0), Given(F16, [3, 4]))


@oracle(Slice)
@each_format
def test_slice_takes_a_part_of_one_dimension(format: DType) -> None:
    x = numbered(format, 2, 3, 5)
    for axis, start, size in [(1, 1, 3), (-1, 0, 5), (0, 2, 1), (1, -2, 2)]:
        found = evaluate(lambda x, a=axis, b=start, c=size: Slice(x, a, b, c), Given(format, x))
        extent = (3, 5)[axis]
        places = [start % extent + step for step in range(size)]
        rows, columns = (places, range(5)) if axis == 0 else (range(3), places)
        assert found.tolist() == [[[x[block, row, column] for column in columns] for row in rows] for block in range(2)]
    for axis, start, size in [(1, 3, 3), (1, 0, 0), (0, -4, 1), (0, 3, 1)]:
        refused("T027", lambda x, a=axis, b=start, c=size: Slice(x, a, b, c), Given(format, x))
    refused("T020", lambda x: Slice(x, 2, 0, 1), Given(format, x))


@oracle(Concatenate)
@each_format
def test_concat_puts_tiles_one_after_another(format: DType) -> None:
    a, b, c = numbered(format, 3, 2, 2), numbered(format, 1, 2, 3), numbered(format, 3, 2, 1)
    given = [Given(format, each) for each in (a, b, c)]
    found = evaluate(lambda *tiles: Concatenate(tiles, axis=1), *given)
    for block, row in np.ndindex(3, 2):
        assert found[block, row].tolist() == [*a[block, row], *b[0, row], *c[block, row]]
    assert evaluate(lambda *tiles: Concatenate(tiles), given[0]).tolist() == a.tolist()
    refused("T028", lambda *tiles: Concatenate(tiles), *given)
    refused("T028", lambda *tiles: Concatenate(tiles), given[0], Given(format, [[1, 0]]))
    refused("T020", lambda *tiles: Concatenate(tiles, axis=2), given[0])


@oracle(ConvertLayout)
def test_convert_layout_keeps_the_elements_and_gives_the_type_a_layout() -> None:
    layout = spatial(4, 8) * local(2, 1)
    x = numbered(F16, 2, 8, 8)
    for before in (None, spatial(8, 4) * local(1, 2)):
        assert evaluate(lambda x: ConvertLayout(x, layout), Given(F16, x, before)).tolist() == x.tolist()

    def checked(x: Any) -> ConvertLayout:
        made = ConvertLayout(x, layout)
        assert made.infer() == TileType(F16, (8, 8), layout)
        return made

    evaluate(checked, Given(F16, x))
    refused("T029", lambda x: ConvertLayout(x, spatial(4, 8)), Given(F16, x))
    refused("T029", lambda x: ConvertLayout(x, row_major(8, 8, width=16)), Given(F16, x))


@oracle(Assume)
def test_what_is_assumed_and_false_is_a_finding_of_debug_mode() -> None:
    for conditions, found in [
        ([True, True], []),
        ([True], []),
        ([True, False], ["R011"]),
        ([False], ["R011"]),
    ]:
        report = Report()
        assert evaluate(Assume, Given(U1, conditions), report=report).size == 0
        assert [finding.code for finding in report.findings] == found
    assert not Assume.pure
