"""A quantised tensor stands for the numbers of its definition, comes back from a file as it was, or is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tilevm.dtypes import codebook, dtype
from tilevm.errors import CheckpointError, DTypeError, TilevmError
from tilevm.packed_array import PackedArray
from tilevm.quantization import Hadamard, QuantizedTensor
from tilevm.safetensors import SafeTensors, write

RANDOM = np.random.default_rng(11)
SHAPE, BLOCK, GRID = (37, 20), (8, 3), (5, 7)


def codes(name: str = "u4", shape: tuple[int, ...] = SHAPE) -> PackedArray:
    kind = dtype(name)
    return PackedArray.from_codes(RANDOM.integers(0, len(kind.table) or 1 << kind.bits, shape), kind)


def numbers(*shape: int) -> Any:
    return RANDOM.uniform(0.5, 2, shape or GRID).astype(np.float32)


def tensor(name: str = "u4", **parts: Any) -> QuantizedTensor:
    return QuantizedTensor(codes(name), **{"scales": numbers(), "zeros": None, "block": BLOCK} | parts)


def second_level() -> QuantizedTensor:
    return QuantizedTensor.grouped(codes("u6", (35,)), numbers(5), 8, 0, offsets=-numbers(5))


def every_kind() -> dict[str, QuantizedTensor]:
    own = codebook("seven_own_numbers", [-3, -1.1, -0.2, 0, 0.3, 1.3, 2.7])
    return {
        "plain": tensor(zeros=np.float16(RANDOM.integers(0, 16, GRID))),
        "packed zeros": tensor("u3", zeros=codes("u3", GRID), scales=PackedArray.from_values(numbers(), "f8e4m3")),
        "two levels": tensor("f4e2m1", scales=PackedArray.from_values(numbers(), "ue4m3"), tensor_scale=0.3),
        "nested": tensor("nf4", scales=second_level(), offsets=second_level()),
        "permuted": tensor(permutation=RANDOM.permutation(37), axis=0),
        "permuted columns": tensor(permutation=RANDOM.permutation(20).astype(np.int32), axis=1),
        "transformed": tensor("i5", transform=Hadamard(1, 4, 77)),
        "codebook": tensor(own.name),
        "trits": tensor("trit"),
        "own codebooks": tensor("u2", codebooks=numbers(*GRID, 4).astype(np.float16)),
        "one number": QuantizedTensor(codes("i4", ()), np.float32(3), None, ()),
        "nothing": QuantizedTensor(codes("i4", (0, 4)), numbers(0, 2), None, (1, 2)),
    }


def defined(q: QuantizedTensor) -> Any:
    """The numbers by the definition, element by element."""
    result = np.empty(q.shape, np.float32)
    values, stored = q.dtype, q.codes.codes()
    for place in np.ndindex(q.shape):
        at = tuple(index // extent for index, extent in zip(place, q.block, strict=True))
        table = None if q.codebooks is None else q.codebooks[at]
        number = np.float32(values.decode(stored[place]) if table is None else table[stored[place]])
        if q.zeros is not None:
            number -= np.asarray(q.zeros, np.float32)[at]
        flat = int(np.ravel_multi_index(at, q.grid)) if at else 0
        held = [None if part is None else _grid(part).reshape(-1)[flat] for part in (q.scales, q.offsets)]
        number *= held[0] if q.tensor_scale is None else np.float32(np.float64(held[0]) * q.tensor_scale)
        result[place] = number if held[1] is None else number - held[1]
    if q.transform is not None:
        moved = np.moveaxis(result, q.transform.axis, -1)
        runs = moved.reshape(*moved.shape[:-1], -1, q.transform.size)
        result = np.moveaxis((runs @ q.transform.matrix()).reshape(moved.shape), -1, q.transform.axis)
    if q.permutation is not None:
        rows = np.moveaxis(result, q.axis, 0)
        restored = np.empty_like(rows)
        restored[q.permutation] = rows
        result = np.moveaxis(restored, 0, q.axis)
    return result


def _grid(part: Any) -> Any:
    return defined(part) if isinstance(part, QuantizedTensor) else np.asarray(part, np.float32)


@pytest.mark.parametrize("kind", every_kind())
def test_numbers_are_those_of_the_definition(kind: str) -> None:
    q = every_kind()[kind]
    exact = {"rtol": 1e-5, "atol": 1e-5} if q.transform else {"rtol": 0, "atol": 0}
    np.testing.assert_allclose(q.dequantize(), defined(q), **exact)
    assert not q.shape or q.codes.size == 0 or np.abs(q.dequantize()).max() > 0.1


@pytest.mark.parametrize("kind", every_kind())
def test_a_file_gives_back_every_part(kind: str, tmp_path: Path) -> None:
    q = every_kind()[kind]
    q.save(tmp_path / "q", "layer.weight")
    for name in (None, "layer.weight"):
        again = QuantizedTensor.load(tmp_path / "q", name)
        np.testing.assert_array_equal(again.dequantize(), q.dequantize())
        assert repr(again) == repr(q)
        assert (again.block, again.axis, again.transform) == (q.block, q.axis, q.transform)
        assert again.nbytes == q.nbytes


def test_trits_take_five_to_a_byte_in_a_file(tmp_path: Path) -> None:
    tensor("trit").save(tmp_path / "q")
    with SafeTensors(tmp_path / "q") as file:
        assert file.info("weight.codes").nbytes == 37 * 20 // 5


def test_numbers_beyond_float32_are_infinite() -> None:
    q = tensor("i4", scales=np.full(GRID, 3e38, np.float32))
    assert np.isinf(q.dequantize()[np.abs(q.codes.numpy()) > 1]).all()


def test_sizes_count_every_part() -> None:
    q = tensor("nf4", scales=second_level(), tensor_scale=2.0, permutation=np.arange(37, dtype=np.int32))
    assert q.nbytes == 37 * 20 // 2 + (35 * 6 + 7) // 8 + 2 * 5 * 4 + 4 + 37 * 4
    assert q.bits_per_weight == 8 * q.nbytes / (37 * 20)


def test_groups_and_blocks_are_described() -> None:
    q = QuantizedTensor.from_codes(np.zeros((5, 8), int), "i4", np.ones((5, 2), "f2"), 4, -1)
    assert (q.group, q.axis, q.block, q.grid) == (4, 1, (1, 4), (5, 2))
    assert repr(q) == "QuantizedTensor(i4[5, 8] in groups of 4 along axis 1 with f16 scales, 8.00 bits each)"
    assert "in blocks of 8 × 3 with f32 scales" in repr(tensor())
    assert "as one block" in repr(QuantizedTensor(codes(), numbers(1, 1), None, SHAPE))


def test_transformed_weights_serve_transformed_inputs() -> None:
    hadamard = Hadamard(0, 16, 3)
    w, x = (RANDOM.standard_normal(shape).astype(np.float32) for shape in ((64, 5), (7, 64)))
    moved, inputs = hadamard.apply(w), replace(hadamard, axis=1).apply(x)
    np.testing.assert_allclose(inputs @ moved, x @ w, atol=1e-4)
    assert np.linalg.norm(moved - w) > 1
    np.testing.assert_allclose(hadamard.undo(moved), w, atol=1e-5)
    matrix = hadamard.matrix()
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(16), atol=1e-6)
    np.testing.assert_allclose(moved[:16], matrix @ w[:16], atol=1e-5)
    cube = RANDOM.standard_normal((3, 32, 5)).astype(np.float32)
    for size in (2, 16, 32):
        inner = Hadamard(1, size, 3).apply(cube).transpose(0, 2, 1).reshape(3, 5, -1, size)
        runs = cube.transpose(0, 2, 1).reshape(3, 5, -1, size) @ Hadamard(0, size, 3).matrix().T
        np.testing.assert_allclose(inner, runs, atol=1e-5)
    assert Hadamard(0, 16).apply(np.zeros((16, 0), np.float32)).shape == (16, 0)
    assert len({Hadamard(0, 16, seed).signs.tobytes() for seed in range(8)}) == 8


@pytest.mark.parametrize(
    ("code", "message", "wrong"),
    [
        ("D017", "scales have the shape", lambda: tensor(scales=numbers(7, 5))),
        ("D017", "scales have the shape", lambda: tensor(scales=numbers(35))),
        ("D017", "zeros have the shape", lambda: tensor(zeros=numbers(1, 7))),
        ("D017", "offsets have the shape", lambda: tensor(offsets=numbers(5))),
        ("D017", "a block has an extent", lambda: tensor(block=(8,))),
        ("D017", "a block has an extent", lambda: tensor(block=(0, 3))),
        ("D017", "a block has an extent", lambda: tensor(block=(38, 3))),
        ("D017", "a block has an extent", lambda: tensor(block=[8, 3])),
        ("D017", "no axis", lambda: tensor(axis=2)),
        ("D017", "above 0", lambda: tensor(tensor_scale=0.0)),
        ("D017", "finite", lambda: tensor(tensor_scale=float("nan"))),
        ("D017", "permutation", lambda: tensor(permutation=np.zeros(37, int))),
        ("D017", "codebooks", lambda: tensor(codebooks=numbers(5, 7, 8))),
        ("D017", "codebooks", lambda: tensor("i4", codebooks=numbers(5, 7, 16))),
        ("D018", "0 … 16, and one is 17", lambda: tensor(zeros=np.full(GRID, 17, np.uint8))),
        ("D018", "one is -1", lambda: tensor(zeros=np.full(GRID, -1, np.int8))),
        ("D018", "infinite or NaN", lambda: tensor(zeros=np.full(GRID, np.nan, np.float16))),
        ("D018", "not i4", lambda: tensor(zeros=codes("i4", GRID))),
        ("D020", "power of two", lambda: Hadamard(0, 24)),
        ("D020", "does not divide", lambda: tensor(transform=Hadamard(0, 16))),
        ("D020", "axis 2, which has no", lambda: tensor(transform=Hadamard(2, 16))),
        ("D021", "a seed", lambda: Hadamard(0, 16, -1)),
        ("D021", "a seed", lambda: Hadamard(0, 16, 0.5)),  # type: ignore[arg-type]
    ],
)
def test_parts_that_do_not_go_together_are_refused(code: str, message: str, wrong: Any) -> None:
    with pytest.raises(DTypeError, match=message) as caught:
        wrong()
    assert caught.value.code == code


def test_a_gptq_zero_point_may_be_one_beyond_the_codes() -> None:
    assert tensor(zeros=np.full(GRID, 16, np.uint8)).dequantize().max() < 0


def test_a_file_that_lies_is_refused(tmp_path: Path) -> None:
    tensor("u3", scales=second_level(), zeros=codes("u3", GRID)).save(tmp_path / "q")
    with SafeTensors(tmp_path / "q") as file:
        arrays = {name: file.array(name).copy() for name in file.names}
        facts = json.loads(file.metadata["tilevm"])

    def changed(*path: str, to: Any) -> dict[str, Any]:
        entry = json.loads(json.dumps(facts))
        inner = entry["tensors"]["weight"]
        for each in path[:-1]:
            inner = inner[each]
        inner[path[-1]] = to
        return entry

    lies = [
        changed("parts", "codes", to=["u4", [37, 20]]),
        changed("parts", "codes", to=["u3", [37, 10**12]]),
        changed("parts", "codes", to=["u3", [-37, -20]]),
        changed("parts", "codes", to=["u3", [37.0, 20]]),
        changed("parts", "codes", to=["f9", [37, 20]]),
        changed("parts", "codes", to=None),
        changed("parts", "codes", to=[None, [278]]),
        changed("parts", "zeros", to=["u3", [7, 5]]),
        changed("parts", "zeros", to=["i3", [5, 7]]),
        changed("parts", "scales", "parts", "offsets", to=[None, [4]]),
        changed("parts", "more", to=[None, [5]]),
        changed("more", to=1),
        changed("block", to=[8]),
        changed("block", to=[8, "3"]),
        changed("block", to=None),
        changed("axis", to=7),
        changed("tensor_scale", to="one"),
        changed("tensor_scale", to=-1),
        changed("hadamard", to={"axis": 0, "size": 16}),
        changed("hadamard", to={"axis": 0, "size": 10**30}),
        changed("hadamard", to={"axes": 0}),
    ]
    for lie in lies:
        write(tmp_path / "lie", arrays, {"tilevm": json.dumps(lie)})
        with pytest.raises(CheckpointError) as caught:
            QuantizedTensor.load(tmp_path / "lie")
        assert caught.value.code == "H008", lie
    for lost in arrays:
        write(
            tmp_path / "lie",
            {name: each for name, each in arrays.items() if name != lost},
            {"tilevm": json.dumps(facts)},
        )
        with pytest.raises(CheckpointError, match=f"H003.*{lost}"):
            QuantizedTensor.load(tmp_path / "lie")


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    tensor().save(tmp_path / "q")
    whole = (tmp_path / "q").read_bytes()
    for length in (0, 7, 100, len(whole) - 1):
        (tmp_path / "q").write_bytes(whole[:length])
        with pytest.raises(TilevmError) as caught:
            QuantizedTensor.load(tmp_path / "q")
        assert caught.value.code in ("H001", "H002")


@pytest.mark.parametrize("kind", ["packed zeros", "nested", "transformed", "trits", "codebook"])
def test_a_damaged_byte_gives_an_error_of_ours_or_another_tensor(kind: str, tmp_path: Path) -> None:
    every_kind()[kind].save(tmp_path / "q")
    whole = (tmp_path / "q").read_bytes()
    header = 8 + int.from_bytes(whole[:8], "little")
    for place in [*range(0, header, 5), *range(header, len(whole), 97)]:
        flip = 1 << place % 8
        (tmp_path / "q").write_bytes(whole[:place] + bytes([whole[place] ^ flip]) + whole[place + 1 :])
        try:
            QuantizedTensor.load(tmp_path / "q").dequantize()
        except TilevmError as error:
            assert error.code[0] in "HD"  # noqa: PT017


def test_the_name_of_a_tensor_is_asked_for_where_there_are_several(tmp_path: Path) -> None:
    from tilevm.quantization import files

    files.save(tmp_path / "q", {"a": tensor(), "b": tensor(), "plain": np.ones(3, "f4")})
    assert QuantizedTensor.load(tmp_path / "q", "b").shape == SHAPE
    for name, message in ((None, "has 2 quantised tensors"), ("c", "no quantised tensor 'c'"), ("plain", "'plain'")):
        with pytest.raises(CheckpointError, match=f"H003.*{message}"):
            QuantizedTensor.load(tmp_path / "q", name)


def test_nothing_is_written_where_the_folder_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(TilevmError, match="F002"):
        tensor().save(tmp_path / "missing" / "q")
