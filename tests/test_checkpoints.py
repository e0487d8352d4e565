"""Checkpoints are read without loss: each format against a slow packer, GGUF against the package `gguf`."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from checkpoint_packers import awq_words, dense_words, padded_words
from click.testing import CliRunner

from tilevm import checkpoints
from tilevm.dtypes import dtype
from tilevm.errors import CheckpointError, TilevmError
from tilevm.packed_array import PackedArray
from tilevm.runtime.cli import cli
from tilevm.safetensors import write

RANDOM = np.random.default_rng(5)


def scales(*shape: int) -> Any:
    return RANDOM.uniform(0.01, 2, shape).astype("f2")


def round_trip(path: Path, name: str, expected: Any, kind: str) -> None:
    """Read, and read again after conversion: exactly the expected weights."""
    with checkpoints.open(path) as checkpoint:
        assert checkpoint.format_of(name) == kind
        np.testing.assert_array_equal(checkpoint.tensor(name).dequantize(), expected)
        checkpoints.convert(checkpoint, path.parent / "converted")
    with checkpoints.open(path.parent / "converted") as checkpoint:
        np.testing.assert_array_equal(checkpoint.tensor(name).dequantize(), expected)


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
@pytest.mark.parametrize("order", ["plain", "shuffled", "uneven"])
def test_gptq(bits: int, order: str, tmp_path: Path) -> None:
    rows, columns, group = 128, 32, 32
    codes = RANDOM.integers(0, 2**bits, (rows, columns))
    zeros = RANDOM.integers(1, 2**bits, (4, columns))
    index = np.arange(rows) // group
    if order != "plain":
        RANDOM.shuffle(index)
    if order == "uneven":
        index[:] = np.where(index == 3, 0, index)
    scale = scales(4, columns)
    parts = {
        "a.qweight": dense_words(codes.T, bits).T.copy(),
        "a.qzeros": dense_words(zeros - 1, bits),
        "a.scales": scale,
        "a.g_idx": index.astype("i4"),
    }
    write(tmp_path / "a", parts)
    expected = (codes - zeros[index]).astype("f4") * scale[index].astype("f4")
    round_trip(tmp_path / "a", "a.weight", expected, "gptq")


@pytest.mark.parametrize("less", [0, 1])
def test_symmetric_gptq_shows_its_version_against_its_label(less: int, tmp_path: Path) -> None:
    codes, scale = RANDOM.integers(0, 16, (32, 8)), scales(1, 8)
    zeros = dense_words(np.full((1, 8), 8 - less), 4)
    write(
        tmp_path / "a.safetensors",
        {"a.qweight": dense_words(codes.T, 4).T.copy(), "a.qzeros": zeros, "a.scales": scale},
    )
    (tmp_path / "quantize_config.json").write_text(json.dumps({"checkpoint_format": ["gptq", "gptq_v2"][less]}))
    with checkpoints.open(tmp_path) as checkpoint:
        np.testing.assert_array_equal(checkpoint.tensor("a.weight").dequantize(), (codes - 8) * scale.astype("f4"))


def test_awq(tmp_path: Path) -> None:
    codes, zeros, scale = RANDOM.integers(0, 16, (64, 16)), RANDOM.integers(0, 16, (2, 16)), scales(2, 16)
    write(tmp_path / "a", {"a.qweight": awq_words(codes), "a.qzeros": awq_words(zeros), "a.scales": scale})
    index = np.arange(64) // 32
    expected = (codes - zeros[index]).astype("f4") * scale[index].astype("f4")
    round_trip(tmp_path / "a", "a.weight", expected, "awq")


@pytest.mark.parametrize("bits", range(1, 9))
@pytest.mark.parametrize("pack", [dense_words, padded_words])
@pytest.mark.parametrize("asymmetric", [False, True])
def test_pack_quantized(bits: int, pack: Any, asymmetric: bool, tmp_path: Path) -> None:
    rows, columns, half = 6, 80, 2 ** (bits - 1)
    codes, scale = RANDOM.integers(0, 2**bits, (rows, columns)), scales(rows, 3)
    zeros = RANDOM.integers(0, 2**bits, (rows, 3)) if asymmetric else np.full((rows, 3), half)
    shape = np.array([rows, columns])
    parts = {"a.weight_packed": pack(codes, bits), "a.weight_scale": scale, "a.weight_shape": shape}
    if asymmetric:
        parts["a.weight_zero_point"] = pack(zeros.T, bits).T.copy()
    write(tmp_path / "a.safetensors", parts)
    config = {"quantization_config": {"config_groups": {"group_0": {"weights": {"num_bits": bits}}}}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    index = np.arange(columns) // 27
    expected = (codes - zeros[:, index]).astype("f4") * scale[:, index].astype("f4")
    with checkpoints.open(tmp_path) as checkpoint:
        np.testing.assert_array_equal(checkpoint.tensor("a.weight").dequantize(), expected)


@pytest.mark.parametrize("kind", ["Q4_0", "Q8_0", "Q4_K", "Q5_K", "Q6_K", "MXFP4"])
def test_gguf(kind: str, tmp_path: Path) -> None:
    gguf = pytest.importorskip("gguf")
    enum = gguf.GGMLQuantizationType[kind]
    size = gguf.GGML_QUANT_SIZES[enum][1]
    data = RANDOM.integers(0, 256, (3, 2, size), dtype=np.uint8)
    for at in {"Q4_0": (0,), "Q8_0": (0,), "Q4_K": (0, 2), "Q5_K": (0, 2), "Q6_K": (208,), "MXFP4": ()}[kind]:
        data[..., at : at + 2] = scales(3, 2, 1).view("u1")
    if kind == "MXFP4":
        data[..., 0] = 120 + data[..., 0] % 16
    data = data.reshape(3, -1)
    writer = gguf.GGUFWriter(tmp_path / "a", "llama")
    writer.add_array("some.texts", ["a", "b"])
    writer.add_tensor("a", data, raw_dtype=enum)
    for write_part in (writer.write_header_to_file, writer.write_kv_data_to_file, writer.write_tensors_to_file):
        write_part()
    writer.close()
    round_trip(tmp_path / "a", "a", gguf.quants.dequantize(data, enum), kind)
    whole = (tmp_path / "a").read_bytes()
    for place in range(0, len(whole) - data.nbytes, 3):
        for damaged in (whole[:place], whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :]):
            (tmp_path / "b").write_bytes(damaged)
            try:
                checkpoints.open(tmp_path / "b").close()
            except TilevmError as error:
                assert error.code in ("H001", "H006", "H007")  # noqa: PT017


def test_parts_that_do_not_go_together_name_the_tensor_and_write_nothing(tmp_path: Path) -> None:
    parts = {"a.qweight": np.zeros((4, 8), "i4"), "a.qzeros": np.zeros((1, 3), "i4"), "a.scales": scales(1, 8)}
    write(tmp_path / "a", parts)
    with checkpoints.open(tmp_path / "a") as checkpoint, pytest.raises(CheckpointError, match=r"H005.*'a.weight'"):
        checkpoints.convert(checkpoint, tmp_path / "b")
    write(tmp_path / "a", parts | {"a.scales": np.zeros((1, 8), "i4")})
    with (
        checkpoints.open(tmp_path / "a") as checkpoint,
        pytest.raises(CheckpointError, match=r"'a.scales' at byte \d+"),
    ):
        checkpoints.convert(checkpoint, tmp_path / "b")
    assert not (tmp_path / "b").exists()


FP4 = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.0, -0.5, -1, -1.5, -2, -3, -4, -6], "f4")


def pairs(codes: Any) -> Any:
    return (codes[..., ::2] | codes[..., 1::2] << 4).astype(np.uint8)


@pytest.mark.parametrize("maker", ["nvfp4", "nvfp4-modelopt"])
def test_nvfp4(maker: str, tmp_path: Path) -> None:
    codes, whole = RANDOM.integers(0, 16, (4, 32)), np.array([3.7], "f4")
    each = RANDOM.integers(1, 0x7F, (4, 2), dtype=np.uint8)
    names = ("a.weight_packed", "a.weight_global_scale") if maker == "nvfp4" else ("a.weight", "a.weight_scale_2")
    floats = PackedArray(each.reshape(-1), "f8e4m3", each.shape)
    write(tmp_path / "a", {names[0]: pairs(codes), "a.weight_scale": floats, names[1]: whole})
    decoded = each.view(ml_dtypes.float8_e4m3fn).astype("f4")
    scale = decoded / whole if maker == "nvfp4" else decoded * whole
    round_trip(tmp_path / "a", "a.weight", FP4[codes] * np.repeat(scale, 16, 1), maker)


def test_mxfp4_and_gpt_oss(tmp_path: Path) -> None:
    codes, each = RANDOM.integers(0, 16, (2, 3, 64)), RANDOM.integers(100, 140, (2, 3, 2), dtype=np.uint8)
    expected = FP4[codes] * np.repeat(np.ldexp(np.float32(1), each.astype("i4") - 127), 32, 2)
    write(tmp_path / "a", {"a_blocks": pairs(codes).reshape(2, 3, 2, 16), "a_scales": each})
    round_trip(tmp_path / "a", "a", expected, "gpt-oss")
    write(tmp_path / "a", {"a.weight_packed": pairs(codes[0]), "a.weight_scale": each[0]})
    round_trip(tmp_path / "a", "a.weight", expected[0], "mx")


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("columns", [128, 96])
def test_nf4(nested: bool, columns: int, tmp_path: Path) -> None:
    codes = RANDOM.integers(0, 16, 6 * columns)
    state = {"blocksize": 64, "shape": [6, columns], "quant_type": "nf4", "nested_blocksize": 8, "nested_offset": 0.25}
    table, blocks = np.float32(dtype("nf4").table), 6 * columns // 64
    absmax = scales(blocks).astype("f4")
    parts = {"absmax": absmax, "quant_map": table}
    if nested:
        short, outer, inner = RANDOM.integers(0, 256, blocks, dtype=np.uint8), scales(2).astype("f4"), scales(256)
        inner = inner.astype("f4")
        absmax = inner[short] * outer[np.arange(blocks) // 8] + np.float32(0.25)
        parts |= {"absmax": short, "nested_absmax": outer, "nested_quant_map": inner}
    parts["quant_state.bitsandbytes__nf4"] = np.frombuffer(json.dumps(state).encode(), np.uint8)
    packed = (codes[::2] << 4 | codes[1::2]).astype(np.uint8)[:, None]
    write(tmp_path / "a", {"a.weight": packed} | {f"a.weight.{name}": part for name, part in parts.items()})
    expected = (table[codes] * np.repeat(absmax, 64)).reshape(6, columns)
    round_trip(tmp_path / "a", "a.weight", expected, "nf4")


def test_the_command_converts_and_shows_mistakes(tmp_path: Path) -> None:
    write(tmp_path / "a", {"w": np.ones((2, 2), "f4")})
    done = CliRunner().invoke(cli, ["convert", str(tmp_path / "a"), str(tmp_path / "b")])
    assert done.exit_code == 0, done.output
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


@pytest.mark.parametrize("name", ["l.W_q", "l.weight.quant_state.bitsandbytes__fp4"])
def test_formats_that_are_not_read_are_not_taken_for_plain_tensors(tmp_path: Path, name: str) -> None:
    write(tmp_path / "a", {name: np.ones(4, "u1")})
    with pytest.raises(CheckpointError, match=f"H007.*{name}"):
        checkpoints.open(tmp_path / "a")


def peak_of_conversion(path: Path, tensors: int) -> int:
    """Bytes at most held while so many GPTQ tensors of 512 by 512 are converted."""
    parts: dict[str, Any] = {}
    for each in range(tensors):
        parts[f"{each}.qweight"] = RANDOM.integers(-(2**31), 2**31, (64, 512)).astype("i4")
        parts[f"{each}.qzeros"] = RANDOM.integers(0, 9, (4, 64)).astype("i4")
        parts[f"{each}.scales"] = scales(4, 512)
    write(path / "a", parts)
    with checkpoints.open(path / "a") as checkpoint:
        tracemalloc.start()
        checkpoints.convert(checkpoint, path / "b")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return peak


def test_conversion_holds_one_tensor_at_a_time(tmp_path: Path) -> None:
    peak_of_conversion(tmp_path, 1)  # imports
    one, eight = peak_of_conversion(tmp_path, 1), peak_of_conversion(tmp_path, 8)
    assert eight < one + 64 * 1024
    assert one < 5 * 512 * 512, one / 512**2  # bytes for each weight
