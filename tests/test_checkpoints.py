"""Checkpoints are read without loss: each format against a slow packer, GGUF against the package `gguf`."""

from __future__ import annotations

import json
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from checkpoint_gguf import TYPES, gguf_file, random_blocks
from checkpoint_packers import dense_words
from checkpoint_samples import SAMPLES, Sample, scales
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.convert import GGUF, SAFETENSORS, make
from tilevm import checkpoints
from tilevm.checkpoints import slabs
from tilevm.dtypes import dtype
from tilevm.errors import CheckpointError
from tilevm.packed_array import PackedArray
from tilevm.quantization import QuantizedTensor
from tilevm.runtime.cli import cli
from tilevm.safetensors import SafeTensors, write

RANDOM = np.random.default_rng(5)


def check(tensor: Any, sample: Sample) -> None:
    """Exactly the codes, scales and zeros that were packed, and exactly the weights that they stand for."""
    assert isinstance(tensor, QuantizedTensor)
    np.testing.assert_array_equal(tensor.dequantize(), sample.weights)
    if sample.codes is not None:
        codes = tensor.codes.codes()
        if tensor.permutation is not None:
            codes = np.take(codes, np.argsort(tensor.permutation), tensor.axis)
        np.testing.assert_array_equal(codes, sample.codes)
    for part, expected in ((tensor.scales, sample.scales), (tensor.zeros, sample.zeros)):
        if expected is not None:
            np.testing.assert_array_equal(np.asarray(part, np.float32), np.asarray(expected, np.float32))


@pytest.mark.parametrize("name", SAMPLES)
def test_what_was_packed_is_read_and_survives_conversion(name: str, tmp_path: Path) -> None:
    sample = SAMPLES[name](np.random.default_rng(zlib.crc32(name.encode())))
    assert np.isfinite(sample.weights).all()
    assert np.count_nonzero(sample.weights) > sample.weights.size // 4
    with checkpoints.open(sample.save(tmp_path / "in")) as checkpoint:
        assert checkpoint.names == (sample.name,)
        assert checkpoint.format_of(sample.name) == sample.kind
        check(checkpoint.tensor(sample.name), sample)
        checkpoints.convert(checkpoint, tmp_path / "out")
        check(checkpoint.tensor(sample.name), sample)  # what was released is read again
    with checkpoints.open(tmp_path / "out") as checkpoint:
        assert checkpoint.format_of(sample.name) == "tilevm"
        check(checkpoint.tensor(sample.name), sample)


@given(st.sampled_from(list(SAMPLES)), st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_any_codes_scales_and_zeros_are_read_exactly(
    tmp_path_factory: pytest.TempPathFactory, name: str, seed: int
) -> None:
    sample = SAMPLES[name](np.random.default_rng(seed))
    with checkpoints.open(sample.save(tmp_path_factory.mktemp("any"))) as checkpoint:
        check(checkpoint.tensor(sample.name), sample)


def test_second_levels_are_kept_bit_for_bit(tmp_path: Path) -> None:
    gguf = pytest.importorskip("gguf")
    data = random_blocks("Q4_K", RANDOM)
    gguf_file(tmp_path / "a", data, "Q4_K")
    blocks = data.reshape(-1, 144)
    small, minima = gguf.quants.Q4_K.get_scale_min(blocks[:, 4:16])
    with checkpoints.open(tmp_path / "a") as checkpoint:
        tensor: Any = checkpoint.tensor("a")
    for part, codes, at in ((tensor.scales, small, 0), (tensor.offsets, minima, 2)):
        assert (part.dtype.name, part.block) == ("u6", (1, 8))
        np.testing.assert_array_equal(part.codes.codes().reshape(-1, 8), codes)
        np.testing.assert_array_equal(part.scales.reshape(-1), blocks[:, at : at + 2].copy().view("f2")[:, 0])
    sample = SAMPLES["nf4-6x128-nested"](RANDOM)
    with checkpoints.open(sample.save(tmp_path / "nf4")) as checkpoint:
        tensor = checkpoint.tensor("a.weight")
    np.testing.assert_array_equal(tensor.scales.codes.codes(), sample.tensors["a.weight.absmax"])
    np.testing.assert_array_equal(tensor.scales.scales, sample.tensors["a.weight.nested_absmax"])
    np.testing.assert_array_equal(tensor.scales.dtype.table, sample.tensors["a.weight.nested_quant_map"])
    for name in ("nvfp4", "nvfp4-modelopt"):
        sample = SAMPLES[name](RANDOM)
        with checkpoints.open(sample.save(tmp_path / name)) as checkpoint:
            tensor = checkpoint.tensor("a.weight")
        np.testing.assert_array_equal(tensor.scales.data, sample.tensors["a.weight_scale"].data)
        factor = tensor.tensor_scale if name != "nvfp4" else 1 / tensor.tensor_scale
        (whole,) = (part for part in sample.tensors.values() if part.shape == (1,))
        assert np.float32(factor) == whole[0]


def test_parts_may_lie_in_several_files_of_a_folder_and_the_library_reads_the_result(tmp_path: Path) -> None:
    library = pytest.importorskip("safetensors.numpy")
    sample = SAMPLES["gptq-4-plain"](RANDOM)
    places = {name: f"model-{number}.safetensors" for number, name in enumerate(sample.tensors)}
    for name, place in places.items():
        write(tmp_path / place, {name: sample.tensors[name]})
    write(tmp_path / "another.safetensors", {"b": np.ones(1)})
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    with checkpoints.open(tmp_path) as checkpoint:
        assert checkpoint.names == ("a.weight",)
        check(checkpoint.tensor("a.weight"), sample)
        checkpoints.convert(checkpoint, tmp_path / "out")
    read = library.load_file(tmp_path / "out")
    assert sorted(read) == ["a.weight.codes", "a.weight.scales", "a.weight.zeros"]
    np.testing.assert_array_equal(read["a.weight.scales"], sample.scales)


@pytest.mark.parametrize("kind", TYPES)
def test_gguf(kind: str, tmp_path: Path) -> None:
    gguf = pytest.importorskip("gguf")
    data = [random_blocks(kind, RANDOM)]
    if kind not in (
        "Q2_K",
        "Q3_K",
        "Q4_K",
        "Q5_K",
        "Q6_K",
        "IQ4_NL",
        "IQ4_XS",
        "NVFP4",
    ):  # the package writes the others
        numbers = RANDOM.normal(size=(3, 512)).astype("f4")
        data.append(gguf.quants.quantize(numbers, gguf.GGMLQuantizationType[kind]))
    for each in data:
        sample = Sample(kind, {}, gguf_file(tmp_path / "a", each, kind), name="a")
        assert np.count_nonzero(sample.weights) > sample.weights.size // 16
        with checkpoints.open(tmp_path / "a") as checkpoint:
            assert checkpoint.format_of("a") == kind
            check(checkpoint.tensor("a"), sample)
            checkpoints.convert(checkpoint, tmp_path / "out")
        with checkpoints.open(tmp_path / "out") as checkpoint:
            check(checkpoint.tensor("a"), sample)


@pytest.mark.parametrize("less", [0, 1])
def test_symmetric_gptq_shows_its_version_against_its_label(less: int, tmp_path: Path) -> None:
    codes, scale = RANDOM.integers(0, 16, (32, 8)), scales(RANDOM, 1, 8)
    zeros = dense_words(np.full((1, 8), 8 - less), 4)
    write(
        tmp_path / "a.safetensors",
        {"a.qweight": dense_words(codes.T, 4).T.copy(), "a.qzeros": zeros, "a.scales": scale},
    )
    (tmp_path / "quantize_config.json").write_text(json.dumps({"checkpoint_format": ["gptq", "gptq_v2"][less]}))
    with checkpoints.open(tmp_path) as checkpoint:
        np.testing.assert_array_equal(checkpoint.tensor("a.weight").dequantize(), (codes - 8) * scale.astype("f4"))


def test_the_configuration_is_found_under_each_of_its_names(tmp_path: Path) -> None:
    sample = SAMPLES["pack-quantized-3-dense_words-words"](RANDOM)
    sample.save(tmp_path)
    for name in ("quantization_config", "compression_config"):
        (tmp_path / "config.json").write_text(json.dumps({name: sample.config}))
        with checkpoints.open(tmp_path) as checkpoint:
            check(checkpoint.tensor("a.weight"), sample)
    (tmp_path / "config.json").unlink()
    with checkpoints.open(tmp_path) as checkpoint, pytest.raises(CheckpointError, match=r"H005.*of no known length"):
        checkpoint.tensor("a.weight")


def test_the_command_converts_and_shows_mistakes(tmp_path: Path) -> None:
    write(tmp_path / "a", {"w": np.ones((2, 2), "f4")})
    done = CliRunner().invoke(cli, ["convert", str(tmp_path / "a"), str(tmp_path / "b")])
    assert done.exit_code == 0, done.output
    assert [line.split() for line in done.stdout.splitlines()[-2:]] == [
        ["plain", "1", "16", "16"],
        ["all", "1", "16", "16"],
    ]
    with checkpoints.open(tmp_path / "b") as checkpoint:
        np.testing.assert_array_equal(checkpoint.tensor("w"), np.ones((2, 2)))
    (tmp_path / "a").write_bytes(b"GGUF")
    assert CliRunner().invoke(cli, ["convert", str(tmp_path / "a"), str(tmp_path / "c")]).exit_code == 1
    assert not (tmp_path / "c").exists()


def test_damaged_metadata_of_a_converted_file_are_refused(tmp_path: Path) -> None:
    for facts in ("{", "[]", '{"version": 2, "tensors": {}}', '{"version": 1, "tensors": [1]}'):
        write(tmp_path / "a", {"w.plain": np.ones(2, "f4")}, {"tilevm": facts})
        with pytest.raises(CheckpointError, match="H008"):
            checkpoints.open(tmp_path / "a")
    lost = {"version": 1, "tensors": {"w": {"parts": {"codes": ["u4", [2]]}}}}
    write(tmp_path / "a", {"w.codes": np.ones(1, "u1")}, {"tilevm": json.dumps(lost)})
    with checkpoints.open(tmp_path / "a") as checkpoint, pytest.raises(CheckpointError, match=r"H008.*'w'"):
        checkpoint.tensor("w")


@pytest.mark.parametrize("name", ["l.W_q", "l.weight_packed", "l.qweight", "l.SCB"])
def test_what_belongs_to_a_format_is_not_taken_for_a_plain_tensor(tmp_path: Path, name: str) -> None:
    write(tmp_path / "a", {name: np.ones(4, "u1")})
    with pytest.raises(CheckpointError, match=f"H005.*{name}"):
        checkpoints.open(tmp_path / "a")


@pytest.mark.parametrize("name", [*SAFETENSORS, *GGUF])
def test_a_conversion_holds_less_than_twice_the_largest_tensor(name: str, tmp_path: Path) -> None:
    pytest.importorskip("gguf")
    make(name, 0.1, tmp_path / "small")
    largest = make(name, 4, tmp_path / "a")
    peaks = []
    for path in (tmp_path / "small", tmp_path / "a"):  # the first one imports what is needed
        tracemalloc.start()
        with checkpoints.open(path) as checkpoint:
            checkpoints.convert(checkpoint, tmp_path / "out")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 2 * largest, peaks[1] / largest


def test_a_conversion_holds_one_tensor_at_a_time(tmp_path: Path) -> None:
    one = SAFETENSORS["GPTQ, 4 bit"][1](RANDOM, 512)
    peaks = []
    for many in (1, 1, 6):
        write(tmp_path / "a", {f"{each}{name}": part for each in range(many) for name, part in one.items()})
        tracemalloc.start()
        with checkpoints.open(tmp_path / "a") as checkpoint:
            checkpoints.convert(checkpoint, tmp_path / "out")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[2] < peaks[1] + 128 * 1024


def test_a_conversion_that_fails_half_way_leaves_the_file_that_was_there(tmp_path: Path) -> None:
    sound = SAFETENSORS["GPTQ, 4 bit"][1](RANDOM, 128)
    wrong = {f"b{name}": part for name, part in sound.items()} | {"bw.scales": np.ones((2, 5), "f2")}
    write(tmp_path / "a", sound | wrong)
    (tmp_path / "out").write_text("as it was")
    done = []
    with checkpoints.open(tmp_path / "a") as checkpoint, pytest.raises(CheckpointError, match=r"H005.*'bw.qweight'"):
        checkpoints.convert(checkpoint, tmp_path / "out", done.append)
    assert [each.name for each in done] == ["w.weight"]
    assert (tmp_path / "out").read_text() == "as it was"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a", "out"]


def test_a_tensor_with_every_part_is_converted_once_more(tmp_path: Path) -> None:
    def small(kind: str, *shape: int) -> PackedArray:
        return PackedArray.from_codes(RANDOM.integers(0, 2 ** dtype(kind).bits, shape), kind)

    def nested() -> QuantizedTensor:
        halves = scales(RANDOM, 1, 2), scales(RANDOM, 1, 2)
        return QuantizedTensor.grouped(small("u6", 4, 2), halves[0], 4, 0, halves[1], offsets=scales(RANDOM, 1, 2))

    tensor = QuantizedTensor.grouped(
        small("u4", 64, 2),
        nested(),
        16,
        0,
        scales(RANDOM, 4, 2),
        offsets=nested(),
        tensor_scale=0.3,
        permutation=RANDOM.permutation(64),
        codebooks=RANDOM.normal(size=(4, 2, 16)).astype("f4"),
    )
    tensor.save(tmp_path / "a", "ß" * 200)
    for _ in range(2):
        with checkpoints.open(tmp_path / "a") as checkpoint:
            checkpoints.convert(checkpoint, tmp_path / "a")
    np.testing.assert_array_equal(QuantizedTensor.load(tmp_path / "a").dequantize(), tensor.dequantize())


def test_a_file_may_be_converted_in_its_own_place(tmp_path: Path) -> None:
    sample = SAMPLES["gptq-4-shuffled"](RANDOM)
    path = sample.save(tmp_path / "in")
    for _ in range(2):  # and again from its own form
        with checkpoints.open(path) as checkpoint:
            checkpoints.convert(checkpoint, path)
    with checkpoints.open(path) as checkpoint:
        check(checkpoint.tensor(sample.name), sample)


@pytest.mark.parametrize("name", ["gptq-3-plain", "pack-quantized-3-dense_words-words", "awq", "hqq-3-axis-1"])
@pytest.mark.parametrize("codes", [8, 100, 1000])
def test_slabs_of_any_size_give_the_same_tensor(name: str, codes: int, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(slabs, "SLAB", codes)
    sample = SAMPLES[name](RANDOM)
    with checkpoints.open(sample.save(tmp_path / "in")) as checkpoint:
        check(checkpoint.tensor(sample.name), sample)


def test_plain_tensors_of_every_type_survive_conversion_and_floats_keep_their_type(tmp_path: Path) -> None:
    kinds = ("?", "u1", "i1", "u2", "i2", "f2", "u4", "i4", "f4", "u8", "i8", "f8", "c8")
    arrays = {kind: RANDOM.integers(0, 2, (3, 4)).astype(kind) for kind in kinds}
    arrays |= {"scalar": np.array(7, "f4"), "empty": np.zeros((0, 4), "f2")}
    floats = {
        kind: PackedArray.from_codes(RANDOM.integers(0, 2 ** dtype(kind).bits, (3, 4)), kind)
        for kind in ("bf16", "f8e4m3", "f8e5m2", "e8m0", "f6e2m3", "f4e2m1")
    }
    write(tmp_path / "a", arrays | floats)
    with checkpoints.open(tmp_path / "a") as checkpoint:
        checkpoints.convert(checkpoint, tmp_path / "out")
    with checkpoints.open(tmp_path / "out") as checkpoint:
        for name, array in arrays.items():
            np.testing.assert_array_equal(checkpoint.tensor(name), array, strict=True)
        for name, packed in floats.items():
            back: Any = checkpoint.tensor(name)
            assert (back.dtype, back.shape) == (packed.dtype, packed.shape)
            np.testing.assert_array_equal(back.data, packed.data)
    with SafeTensors(tmp_path / "out") as file:
        assert [file.info(f"{name}.plain").dtype for name in ("bf16", "f8e4m3", "f8e5m2")] == [
            "BF16",
            "F8_E4M3",
            "F8_E5M2",
        ]
