"""Damaged, truncated and mislabelled checkpoints: a clear error that names tensor and byte, and nothing is written."""

from __future__ import annotations

import json
import os
import struct
import tracemalloc
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from checkpoint_gguf import TYPES, gguf_file, random_blocks
from checkpoint_samples import SAMPLES
from hypothesis import given, settings
from hypothesis import strategies as st

from tilevm import checkpoints
from tilevm.errors import CheckpointError, UsageError
from tilevm.packed_array import PackedArray
from tilevm.safetensors import write


def refused(path: Path, match: str) -> None:
    """Opening or converting raises such an error, and leaves nothing."""
    with pytest.raises(CheckpointError, match=match), checkpoints.open(path) as checkpoint:
        checkpoints.convert(checkpoint, path.parent / "out")
    assert not [each for each in os.listdir(path.parent) if each.endswith("out") or each.startswith(".out")]


GPTQ = {"a.qweight": np.zeros((4, 8), "i4"), "a.qzeros": np.zeros((1, 1), "i4"), "a.scales": np.ones((1, 8), "f2")}
PACKED = {
    "a.weight_packed": np.zeros((2, 8), "i4"),
    "a.weight_scale": np.ones((2, 1), "f2"),
    "a.weight_shape": np.array([2, 64]),
}
HQQ = {
    "a.W_q": np.zeros((4, 16), "u1"),
    "a.scale": np.ones((8, 1), "f2"),
    "a.zero": np.zeros((8, 1), "f2"),
    "a.shape": np.array([4, 32]),
    "a.nbits": np.array(4, "u1"),
    "a.axis": np.array(1, "u1"),
}
STATE = json.dumps({"blocksize": 64, "shape": [2, 64]}).encode()
NF4 = {
    "a.weight": np.zeros((64, 1), "u1"),
    "a.weight.absmax": np.ones(2, "f4"),
    "a.weight.quant_map": np.float32(PackedArray.from_codes(np.arange(16), "nf4").numpy()),
    "a.weight.quant_state.bitsandbytes__nf4": np.frombuffer(STATE, "u1"),
}
NVFP4 = {
    "a.weight_packed": np.zeros((2, 8), "u1"),
    "a.weight_scale": PackedArray.from_codes(np.full((2, 1), 60), "f8e4m3"),
    "a.weight_global_scale": np.ones(1, "f4"),
}
MX = {"a.weight": np.zeros((2, 32), "u1"), "a.weight_scale": np.full((2, 2), 127, "u1")}
EIGHT = {"a.weight": np.ones((4, 8), "i1"), "a.weight_scale": np.ones((4, 1), "f4")}
# What a sound file has, what is changed (None takes a tensor away), and what the error says.
WRONG: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "scales of another shape": (
        GPTQ,
        {"a.scales": np.ones((1, 9), "f2")},
        r"H005.*'a.qweight' at byte \d+.*scales \[1, 9\]",
    ),
    "scales of integers": (GPTQ, {"a.scales": np.ones((1, 8), "i4")}, r"H005.*'a.scales' at byte \d+: it is I32"),
    "zeros of another shape": (GPTQ, {"a.qzeros": np.zeros((2, 1), "i4")}, r"H005.*'a.qweight' at byte \d+"),
    "no zeros": (GPTQ, {"a.qzeros": None}, r"H005.*'a.qweight' at byte \d+ has no scales and zeros"),
    "no rows": (GPTQ, {"a.qweight": np.zeros((0, 8), "i4")}, r"H005.*'a.qweight'"),
    "one dimension": (GPTQ, {"a.qweight": np.zeros(8, "i4")}, r"H005.*'a.qweight'"),
    "g_idx beyond": (
        GPTQ,
        {"a.g_idx": np.full(32, 1, "i4")},
        r"H005.*'a.g_idx' at byte \d+: it does not name one of 1",
    ),
    "g_idx negative": (GPTQ, {"a.g_idx": np.full(32, -1, "i4")}, r"H005.*'a.g_idx' at byte \d+"),
    "g_idx short": (GPTQ, {"a.g_idx": np.zeros(31, "i4")}, r"H005.*'a.g_idx'.*32 elements"),
    "g_idx of floats": (GPTQ, {"a.g_idx": np.zeros(32, "f4")}, r"H005.*'a.g_idx'.*F32, not I32"),
    "groups of unknown length": (
        GPTQ,
        {"a.qzeros": np.zeros((3, 1), "i4"), "a.scales": np.ones((3, 8), "f2")},
        r"H005.*'a.scales'.*32 rows in 3 groups(.|\n)*convert the folder",
    ),
    "shape of three": (
        PACKED,
        {"a.weight_shape": np.array([2, 4, 8])},
        r"H005.*'a.weight_packed' at byte \d+.*\[2, 4, 8\]",
    ),
    "negative shape": (PACKED, {"a.weight_shape": np.array([2, -64])}, r"H005.*'a.weight_packed'"),
    "absurd shape": (PACKED, {"a.weight_shape": np.array([2, 2**62])}, r"H005.*'a.weight_packed'"),
    "no rows of words": (
        PACKED,
        {
            "a.weight_packed": np.zeros((0, 8), "i4"),
            "a.weight_scale": np.ones((0, 1), "f2"),
            "a.weight_shape": np.array([0, 64]),
        },
        r"H005.*'a.weight_packed' at byte \d+.*\[0, 64\]",
    ),
    "no scales": (PACKED, {"a.weight_scale": None}, r"H005.*'a.weight_packed' at byte \d+ has no scales"),
    "scales of other rows": (PACKED, {"a.weight_scale": np.ones((3, 1), "f2")}, r"H005.*'a.weight_packed'.*\[3, 1\]"),
    "zero point out of range": (
        PACKED,
        {"a.weight_zero_point": np.full((2, 1), 8, "i1")},
        r"H005.*'a.weight_zero_point' at byte \d+: zero points from 8 to 8 are not of 4 bits",
    ),
    "zero point of another shape": (
        PACKED,
        {"a.weight_zero_point": np.zeros((2, 2), "i1")},
        r"H005.*zero_point \[2, 2\]",
    ),
    "wrong axis": (HQQ, {"a.axis": np.array(2, "u1")}, r"H005.*'a.W_q' at byte \d+.*along axis 2"),
    "wrong bits": (HQQ, {"a.nbits": np.array(7, "u1")}, r"H005.*'a.W_q'.*7 bits"),
    "bits that are no number": (HQQ, {"a.nbits": np.array(np.nan, "f4")}, r"H005.*'a.W_q'.*0 bits"),
    "wrong packing": (HQQ, {"a.packing": np.frombuffer(b"3bit_32", "u1")}, r"H005.*'a.W_q'.*'3bit_32'"),
    "too many bits in bytes": (
        HQQ,
        {"a.W_q": np.full((8, 16), 64, "u1"), "a.nbits": np.array(6, "u1")},
        r"H005.*'a.W_q' at byte \d+: there is a code 64",
    ),
    "NaN for a zero": (
        HQQ,
        {"a.zero": np.full((8, 1), np.nan, "f2")},
        r"H005.*'a.weight'.*zero point is infinite or NaN",
    ),
    "other zeros than scales": (HQQ, {"a.zero": np.zeros((4, 1), "f2")}, r"H005.*'a.shape'.*4 zeros for 8 scales"),
    "no zeros beside scales": (HQQ, {"a.zero": None}, r"H005.*'a.W_q' at byte \d+: there is no 'a.zero'"),
    "no scales beside zeros": (HQQ, {"a.scale": None}, r"H005.*'a.W_q' at byte \d+: there is no 'a.scale'"),
    "too few bytes": (HQQ, {"a.W_q": np.zeros((3, 16), "u1")}, r"H005.*'a.W_q' at byte \d+: 48 bytes"),
    "groups across columns": (
        HQQ,
        {"a.axis": np.array(0, "u1"), "a.W_q": np.zeros((8, 8), "u1"), "a.scale": np.ones((1, 8), "f2")},
        r"H007.*'a.weight'.*lie across columns",
    ),
    "another table": (NF4, {"a.weight.quant_map": np.ones(16, "f4")}, r"H005.*'a.weight.quant_map' at byte \d+"),
    "state that is no JSON": (
        NF4,
        {"a.weight.quant_state.bitsandbytes__nf4": np.frombuffer(b"[1", "u1")},
        r"H005.*'a.weight.quant_state.bitsandbytes__nf4' at byte \d+: its facts are damaged",
    ),
    "state of absurd size": (
        NF4,
        {"a.weight.quant_state.bitsandbytes__nf4": np.frombuffer(STATE.replace(b"64]", b"9" * 30 + b"]"), "u1")},
        r"H005.*'a.weight' at byte \d+: 64 bytes are not",
    ),
    "too few scales": (NF4, {"a.weight.absmax": np.ones(1, "f4")}, r"H005.*'a.weight.absmax' at byte \d+: 1 scales"),
    "bytes for scales": (NF4, {"a.weight.absmax": np.ones(2, "u1")}, r"H005.*'a.weight.absmax'.*absmax is bytes if"),
    "several scales of the tensor": (
        NVFP4,
        {"a.weight_global_scale": np.ones(2, "f4")},
        r"H005.*'a.weight_global_scale'.*one",
    ),
    "tensor's scale 0": (
        NVFP4,
        {"a.weight_global_scale": np.zeros(1, "f4")},
        r"H005.*'a.weight_global_scale' at byte \d+.*0",
    ),
    "scales of 32": (NVFP4, {"a.weight_packed": np.zeros((2, 16), "u1")}, r"H005.*'a.weight_packed'.*\[2, 16\]"),
    "no config for 6 bits": (
        MX,
        {"a.weight": np.zeros((2, 48), "u1")},
        r"H005.*'a.weight' at byte \d+.*no format of 6",
    ),
    "scales of floats": (
        MX,
        {"a.weight_scale": np.ones((2, 2), "f4")},
        r"H005.*'a.weight' at byte \d+: it is U8, not I8",
    ),
    "rows of a GPU": (
        {"a.weight": np.ones((4, 8), "i1"), "a.SCB": np.ones(4, "f4")},
        {"a.weight_format": np.array(1, "u1")},
        r"H005.*'a.weight_format' at byte \d+",
    ),
    "no grid": (
        EIGHT,
        {"a.weight_scale": np.ones((3, 3), "f4")},
        r"H005.*'a.weight' at byte \d+.*weight_scale \[3, 3\]",
    ),
    "floats with a scale": (EIGHT, {"a.weight": np.ones((4, 8), "f2")}, r"H005.*'a.weight' at byte \d+: it is F16"),
}


@pytest.mark.parametrize("case", WRONG)
def test_parts_that_do_not_go_together_name_tensor_and_byte(case: str, tmp_path: Path) -> None:
    sound, changes, match = WRONG[case]
    write(tmp_path / "sound", sound)
    with checkpoints.open(tmp_path / "sound") as checkpoint:
        (name,) = checkpoint.names
        checkpoint.tensor(name)
    write(tmp_path / "a", {each: part for each, part in (sound | changes).items() if part is not None})
    refused(tmp_path / "a", match)


def test_an_index_that_leads_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "outside.safetensors", EIGHT)
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("../outside.safetensors", str(tmp_path / "outside.safetensors"), "..", ""):
        (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a.weight": name}}))
        with pytest.raises(CheckpointError, match=r"H007.*index names"):
            checkpoints.open(folder)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a.weight": "lost.safetensors"}}))
    with pytest.raises(UsageError, match=r"F002.*lost.safetensors"):
        checkpoints.open(folder)
    (folder / "model.safetensors.index.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"H005.*not JSON"):
        checkpoints.open(folder)
    (folder / "model.safetensors.index.json").unlink()
    with pytest.raises(CheckpointError, match=r"H007.*no safetensors files"):
        checkpoints.open(folder)
    for each in ("1", "2"):
        write(folder / f"{each}.safetensors", EIGHT)
    with pytest.raises(CheckpointError, match=r"H005.*'a.weight(_scale)?' is in two files"):
        checkpoints.open(folder)


# GGUF


def gguf_bytes(
    *,
    tensors: int = 1,
    keys: int = 0,
    shape: tuple[int, ...] = (32,),
    kind: int = 2,
    more: bytes = b"",
    offset: int = 0,
    data: int = 64,
) -> bytes:
    """A header with one tensor ``a``, as the claims are, and so many bytes of data."""
    head = b"GGUF" + struct.pack("<IQQ", 3, tensors, keys) + more
    entry = struct.pack("<Q", 1) + b"a" + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset)
    text = head + entry
    return text + bytes(-len(text) % 32 + data)


CLAIMS = {
    "too many tensors": (gguf_bytes(tensors=2**60), "H006.*byte"),
    "too many keys": (gguf_bytes(keys=2**60), "H006.*byte"),
    "long text": (gguf_bytes(keys=1, more=struct.pack("<Q", 2**62)), r"H006.*bytes are wanted"),
    "long array": (gguf_bytes(keys=1, more=struct.pack("<QIIQ", 0, 9, 8, 2**60)), r"H006.*array is said to have"),
    "no such value": (gguf_bytes(keys=1, more=struct.pack("<QI", 0, 77)), r"H006.*no type of values 77"),
    "alignment": (
        gguf_bytes(keys=1, more=struct.pack("<Q", 17) + b"general.alignment" + struct.pack("<II", 4, 0)),
        r"H006.*aligned to 0",
    ),
    "five dimensions": (gguf_bytes(shape=(32, 1, 1, 1, 1)), r"H006.*'a'.*5 dimensions"),
    "absurd shape": (gguf_bytes(shape=(2**40, 2**40)), r"H006.*'a'.*not a shape"),
    "half a block": (gguf_bytes(shape=(48,)), r"H006.*'a'.*whole blocks of 32"),
    "beyond the end": (gguf_bytes(shape=(32, 8)), r"H006.*'a' at byte \d+ is said to end at byte \d+"),
    "offset": (gguf_bytes(offset=2**63), r"H006.*'a' at byte"),
    "not aligned": (gguf_bytes(offset=8), r"H006.*'a' at byte"),
    "type": (gguf_bytes(kind=99), r"H007.*'a' has the GGUF type 99"),
    "trits": (gguf_bytes(kind=35, shape=(256,), data=0) + b"\xff" * 66, r"H005.*'a' at byte \d+.*not a code of trit"),
    "scale": (gguf_bytes(kind=39, data=0) + b"\xff" * 17, r"H005.*'a' at byte \d+.*255 is not the code of a scale"),
}


@pytest.mark.parametrize("case", CLAIMS)
def test_gguf_headers_that_lie_are_refused(case: str, tmp_path: Path) -> None:
    content, match = CLAIMS[case]
    (tmp_path / "a").write_bytes(gguf_bytes())
    checkpoints.open(tmp_path / "a").close()
    (tmp_path / "a").write_bytes(content)
    tracemalloc.start()
    refused(tmp_path / "a", match)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20


def test_overlapping_tensors_of_gguf_are_refused(tmp_path: Path) -> None:
    head = b"GGUF" + struct.pack("<IQQ", 3, 2, 0)
    entries = b"".join(struct.pack("<Q", 1) + name + struct.pack("<IQIQ", 1, 64, 2, 0) for name in (b"a", b"b"))
    (tmp_path / "a").write_bytes(head + entries + bytes(-len(head + entries) % 32 + 64))
    refused(tmp_path / "a", r"H006.*'b' at byte \d+ overlaps 'a'")


# Random damage


FILES: dict[str, bytes] = {}


def sound_file(name: str, folder: Path) -> bytes:
    """A sound file of a format, with all of what it says in the file."""
    if name not in FILES:
        random = np.random.default_rng(1)
        if name in TYPES:
            gguf_file(folder / "sound", random_blocks(name, random), name)
            FILES[name] = (folder / "sound").read_bytes()
        elif name == "converted":
            with checkpoints.open(SAMPLES["nf4-6x128-nested"](random).save(folder / "in")) as checkpoint:
                checkpoints.convert(checkpoint, folder / "sound")
            FILES[name] = (folder / "sound").read_bytes()
        else:
            sample = SAMPLES[name](random)
            write(folder / "sound", sample.tensors)
            FILES[name] = (folder / "sound").read_bytes()
    return FILES[name]


def damaged(data: Any, sound: bytes) -> bytes:
    """Bytes or the claims of the header changed, or the end cut off."""
    if sound[:4] != b"GGUF" and data.draw(st.booleans()):
        start = 8 + int.from_bytes(sound[:8], "little")
        header = json.loads(sound[8:start])
        names = [each for each in header if each != "__metadata__"]
        entry = header[data.draw(st.sampled_from(names))]
        if data.draw(st.booleans()):
            entry["dtype"] = data.draw(st.sampled_from(["U8", "I8", "F8_E4M3", "F16", "BF16", "F32", "I32", "I64"]))
        size = (
            8
            * (entry["data_offsets"][1] - entry["data_offsets"][0])
            // {"6": 16, "2": 32, "4": 64}.get(entry["dtype"][-1], 8)
        )
        entry["shape"] = data.draw(st.sampled_from([[size], [1, size], [size, 1], [size // 2, 2], [2, size // 2], []]))
        text = json.dumps(header).encode()
        sound = len(text).to_bytes(8, "little") + text + sound[start:]
    content = bytearray(sound)
    for place, value in data.draw(
        st.lists(st.tuples(st.integers(0, len(content) - 1), st.integers(0, 255)), max_size=3)
    ):
        content[place] = value
    return bytes(content[: data.draw(st.one_of(st.just(len(content)), st.integers(0, len(content))))])


def survives(data: Any, name: str, folder: Path) -> None:
    """Damage gives an error of ours and nothing else, and what fails leaves nothing."""
    path = folder / "damaged"
    path.write_bytes(damaged(data, sound_file(name, folder)))
    target = folder / "target"
    target.unlink(missing_ok=True)
    try:
        with checkpoints.open(path) as checkpoint:
            checkpoints.convert(checkpoint, target)
    except (CheckpointError, UsageError):
        assert not target.exists()
    else:
        with checkpoints.open(target) as checkpoint:
            for each in checkpoint.names:
                checkpoint.tensor(each)
    assert not [each for each in os.listdir(folder) if each.startswith(".target")]


ALL = [*SAMPLES, *TYPES, "converted"]


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_damage_never_gives_another_exception(tmp_path_factory: pytest.TempPathFactory, data: Any) -> None:
    pytest.importorskip("gguf")
    survives(data, data.draw(st.sampled_from(ALL)), tmp_path_factory.getbasetemp())


ANY = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-4, 300), st.floats(), st.text(max_size=3)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["weights", "0"]), inner)),
    max_leaves=6,
)
WEIGHTS = st.dictionaries(st.sampled_from(["num_bits", "group_size", "block_structure"]), ANY)
CONFIG = st.one_of(
    st.dictionaries(st.sampled_from(["config_groups", "group_size", "checkpoint_format", "weight_block_size"]), ANY),
    WEIGHTS.map(lambda weights: {"config_groups": {"0": {"weights": weights}}}),
    ANY,
)


@given(
    st.sampled_from(["gptq-4-short", "pack-quantized-4-dense_words-words", "fp8-inverse", "mxfp6-quark-f6e3m2"]), CONFIG
)
@settings(max_examples=80, deadline=None)
def test_no_configuration_gives_another_exception(
    tmp_path_factory: pytest.TempPathFactory, name: str, config: Any
) -> None:
    folder = tmp_path_factory.getbasetemp() / "configured"
    folder.mkdir(exist_ok=True)
    (folder / "model.safetensors").write_bytes(sound_file(name, folder))
    (folder / "config.json").write_text(json.dumps({"quantization_config": config}))
    with suppress(CheckpointError), checkpoints.open(folder) as checkpoint:
        checkpoint.tensor("a.weight")


@pytest.mark.fuzz
@pytest.mark.parametrize("name", ALL)
def test_damage_of_each_format(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    pytest.importorskip("gguf")
    folder = tmp_path_factory.mktemp("damage")

    @given(st.data())
    @settings(max_examples=500, deadline=None)
    def run(data: Any) -> None:
        survives(data, name, folder)

    run()
