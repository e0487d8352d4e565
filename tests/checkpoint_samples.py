"""Small files of every checkpoint format, made of random codes by the slow packers, with what must be read from them.

The weights are computed here as each format defines them, in plain NumPy, apart from ``dequantize``.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
from checkpoint_packers import awq_words, dense_bytes, dense_words, high_nibble_first, hqq_words, padded_words

from tilevm.dtypes import dtype
from tilevm.packed_array import PackedArray
from tilevm.safetensors import write

Random = np.random.Generator
FP4 = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.0, -0.5, -1, -1.5, -2, -3, -4, -6], "f4")


@dataclass
class Sample:
    """``tensors`` of one file and its configuration; the tensor ``name`` must be recognised as ``kind`` and stand for
    ``weights``, with ``codes`` in the order of the weights, and these scales and zeros where they are stored as such.
    """

    kind: str
    tensors: dict[str, Any]
    weights: Any
    codes: Any = None
    scales: Any = None
    zeros: Any = None
    config: dict[str, Any] = field(default_factory=dict)
    name: str = "a.weight"
    raw: bytes | None = None

    def save(self, folder: Path) -> Path:
        """What to open: the folder, if there is a configuration, or the file."""
        folder.mkdir(exist_ok=True)
        file = folder / "model.safetensors"
        if self.raw is None:
            write(file, self.tensors)
        else:
            file.write_bytes(self.raw)
        if self.config:
            (folder / "config.json").write_text(json.dumps({"quantization_config": self.config}))
            return folder
        return file


def scales(random: Random, *shape: int) -> Any:
    return random.uniform(0.01, 2, shape).astype("f2")


def packed(numbers: Any, kind: str) -> PackedArray:
    return PackedArray.from_values(numbers, kind)


# GPTQ and AWQ


def gptq(random: Random, bits: int, order: str, version: int = 1, form: str = "f2", symmetric: bool = False) -> Sample:
    rows, columns, group = (160, 32, 64) if order == "short" else (96, 32, 32)
    groups = -(-rows // group)
    codes = random.integers(0, 2**bits, (rows, columns))
    zeros = random.integers(2 - version, 2**bits - 1, (groups, columns))
    zeros[0, :2] = 1, 2**bits - 1  # never symmetric by chance
    if symmetric:
        zeros[:] = 2 ** (bits - 1)
    index = np.arange(rows) // group
    if order in ("shuffled", "uneven"):
        random.shuffle(index)
    if order == "uneven":
        index[:] = np.where(index == 2, 0, index)
    scale = scales(random, groups, columns).astype("f4")
    stored = scale.astype("f2")
    tensors = {
        "a.qweight": dense_words(codes.T, bits).T.copy(),
        "a.qzeros": dense_words(zeros - (version == 1), bits),
        "a.scales": stored,
        "a.g_idx": index.astype("i4"),
    }
    if form == "bf16":
        tensors["a.scales"] = packed(scale, "bf16")
        stored = scale.astype(ml_dtypes.bfloat16)
    weights = (codes - zeros[index]).astype("f4") * stored[index].astype("f4")
    if symmetric:
        codes = codes ^ 2 ** (bits - 1)
    config = {} if version == 1 else {"checkpoint_format": "gptq_v2"}
    held = None if order == "uneven" else stored
    return Sample("gptq", tensors, weights, codes, held, None if symmetric or held is None else zeros, config)


def awq(random: Random) -> Sample:
    codes, zeros = random.integers(0, 16, (64, 16)), random.integers(0, 16, (2, 16))
    scale, index = scales(random, 2, 16), np.arange(64) // 32
    tensors = {"a.qweight": awq_words(codes), "a.qzeros": awq_words(zeros), "a.scales": scale}
    return Sample("awq", tensors, (codes - zeros[index]).astype("f4") * scale[index].astype("f4"), codes, scale, zeros)


# compressed-tensors


def pack_quantized(random: Random, bits: int, pack: Callable[..., Any], zero: str = "", order: bool = False) -> Sample:
    rows, columns, half = 6, 80, 2 ** (bits - 1)
    codes, scale = random.integers(0, 2**bits, (rows, columns)), scales(random, rows, 3)
    zeros = random.integers(0, 2**bits, (rows, 3)) if zero else np.full((rows, 3), half)
    tensors = {
        "a.weight_packed": pack(codes, bits),
        "a.weight_scale": scale,
        "a.weight_shape": np.array([rows, columns]),
    }
    if zero:
        whole = zero == "int8"
        tensors["a.weight_zero_point"] = (zeros - half).astype("i1") if whole else pack(zeros.T, bits).T.copy()
    index = np.arange(columns) // 32
    if order:
        random.shuffle(index)
        tensors["a.weight_g_idx"] = index
    weights = (codes - zeros[:, index]).astype("f4") * scale[:, index].astype("f4")
    config = {"config_groups": {"group_0": {"weights": {"num_bits": bits, "group_size": 32}}}}
    own = codes if zero else codes ^ half
    return Sample("pack-quantized", tensors, weights, own, scale, zeros if zero else None, config)


def eight_bits(
    random: Random, kind: str, block: tuple[int, int], config: bool = False, ending: str = "", power: bool = False
) -> Sample:
    shape = (12, 40)
    grid = tuple(-(-length // side) for length, side in zip(shape, block, strict=True))
    codes, scale = random.integers(0, 256, shape, dtype=np.uint8), random.uniform(0.01, 2, grid).astype("f4")
    if kind == "f8e4m3":
        codes[codes & 127 == 127] = 0  # NaN
    numbers = (codes.view("i1") if kind == "i8" else codes.view(ml_dtypes.float8_e4m3fn)).astype("f4")
    spread = np.repeat(np.repeat(scale, block[0], 0), block[1], 1)[: shape[0], : shape[1]]
    own = scale.reshape(-1) if grid in ((1, 1), (12, 1)) else scale
    if power:
        scale = np.exp2(random.integers(-8, 8, grid)).astype("f4")
        own, spread = packed(scale, "e8m0"), np.repeat(np.repeat(scale, block[0], 0), block[1], 1)
    tensors = {"a.weight": PackedArray.from_codes(codes, kind), f"a.weight_scale{ending}": own}
    facts = {"config_groups": {"0": {"weights": {"block_structure": list(block)}}}} if config else {}
    return Sample("8-bit", tensors, numbers * spread, codes, scale, None, facts)


def eight_bits_with_zeros(random: Random) -> Sample:
    sample = eight_bits(random, "i8", (1, 40))
    point = random.integers(-128, 128, (12, 1)).astype("i1")
    weights = (sample.codes.view("i1").astype("f4") - point) * sample.scales
    tensors = sample.tensors | {"a.weight_zero_point": point}
    return Sample("8-bit", tensors, weights, sample.codes ^ 128, sample.scales, point.astype("f4") + 128)


# Microscaling


def nvfp4(random: Random, maker: str) -> Sample:
    codes, whole = random.integers(0, 16, (4, 32)), random.uniform(0.1, 40, 1).astype("f4")
    each = random.integers(1, 0x7F, (4, 2), dtype=np.uint8)
    names = ("a.weight_packed", "a.weight_global_scale") if maker == "nvfp4" else ("a.weight", "a.weight_scale_2")
    decoded = each.view(ml_dtypes.float8_e4m3fn).astype("f4")
    floats = PackedArray.from_codes(each, "f8e4m3")
    tensors = {names[0]: dense_bytes(codes, 4), "a.weight_scale": floats, names[1]: whole}
    scale = decoded / whole if maker == "nvfp4" else decoded * whole
    return Sample(maker, tensors, FP4[codes] * np.repeat(scale, 16, 1), codes, decoded)


def mx(random: Random, kind: str, main: str = "a.weight_packed", config: bool = False) -> Sample:
    form = dtype(kind)
    codes = random.integers(0, 2**form.bits, (3, 64), dtype=np.uint8)
    if kind == "f8e4m3":
        codes[codes & 127 == 127] = 0
    each = random.integers(100, 140, (3, 2), dtype=np.uint8)
    name = {"f4e2m1": "float4_e2m1fn", "f6e2m3": "float6_e2m3fn", "f6e3m2": "float6_e3m2fn", "f8e4m3": "float8_e4m3fn"}
    numbers = codes.view(getattr(ml_dtypes, name[kind])).astype("f4")
    whole = form.bits == 8
    held = PackedArray.from_codes(codes, kind) if whole else dense_bytes(codes, form.bits)
    if config:
        held = held.reshape(3, -1, 3)[..., ::-1].reshape(3, -1)
    weights = numbers * np.repeat(np.ldexp(np.float32(1), each.astype("i4") - 127), 32, 1)
    facts = {"weight": {"dtype": f"fp6_{kind[2:]}"}} if config else {}
    return Sample("mx", {main: held, "a.weight_scale": each}, weights, codes, None, None, facts)


def gpt_oss(random: Random) -> Sample:
    codes, each = random.integers(0, 16, (2, 3, 64)), random.integers(100, 140, (2, 3, 2), dtype=np.uint8)
    weights = FP4[codes] * np.repeat(np.ldexp(np.float32(1), each.astype("i4") - 127), 32, 2)
    blocks = dense_bytes(codes.reshape(-1, 32), 4).reshape(2, 3, 2, 16)
    return Sample("gpt-oss", {"a_blocks": blocks, "a_scales": each}, weights, codes, name="a")


# bitsandbytes


def bitsandbytes(random: Random, kind: str, shape: tuple[int, int], nested: bool) -> Sample:
    count = shape[0] * shape[1]
    codes, blocks = random.integers(0, 16, count), -(-count // 64)
    state = {"blocksize": 64, "shape": shape, "quant_type": kind, "nested_blocksize": 8, "nested_offset": 0.25}
    twelfths = np.array([0, 0.0625, 8, 12, 4, 6, 2, 3], "f4")
    table = np.float32(dtype("nf4").table) if kind == "nf4" else np.concatenate([twelfths, -twelfths]) / np.float32(12)
    absmax = scales(random, blocks).astype("f4")
    parts = {"absmax": absmax, "quant_map": table}
    if nested:
        short, outer = random.integers(0, 256, blocks, dtype=np.uint8), scales(random, -(-blocks // 8)).astype("f4")
        inner = np.sort(random.permutation(1000)[:256]).astype("f4") / 999
        absmax = inner[short] * outer[np.arange(blocks) // 8] + np.float32(0.25)
        parts |= {"absmax": short, "nested_absmax": outer, "nested_quant_map": inner}
    parts[f"quant_state.bitsandbytes__{kind}"] = np.frombuffer(json.dumps(state).encode(), np.uint8)
    tensors = {"a.weight": high_nibble_first(codes)} | {f"a.weight.{name}": part for name, part in parts.items()}
    weights = (table[codes] * np.repeat(absmax, 64)[:count]).reshape(shape)
    own = codes if kind == "nf4" else np.where(codes > 8, codes - 1, codes % 8)
    return Sample(kind, tensors, weights, own.reshape(shape))


def llm_int8(random: Random) -> Sample:
    codes, largest = random.integers(-128, 128, (6, 40)).astype("i1"), scales(random, 6).astype("f4")
    tensors = {"a.weight": codes, "a.SCB": largest, "a.weight_format": np.array(0, "u1")}
    weights = codes * (largest.astype("f8") / 127).astype("f4")[:, None]
    return Sample("llm-int8", tensors, weights, codes.view("u1"), largest[:, None])


# HQQ


def hqq(
    random: Random, bits: float, axis: int, group: int = 16, shape: tuple[int, int] = (32, 48), how: str = ""
) -> Sample:
    width = int(np.ceil(bits))
    last = 3 if bits == 1.58 else 2**width
    codes = random.integers(0, last, shape)
    matrix = codes.reshape(-1, group) if axis else codes.reshape(group, -1)
    if how == "one":
        matrix = codes
    groups = 1 if how == "one" else shape[0] * shape[1] // group
    scale = scales(random, groups).reshape((-1, 1) if axis else (1, -1))
    zero = random.uniform(0, last, scale.shape).astype("f2")
    weights = ((matrix.astype("f4") - zero.astype("f4")) * scale.astype("f4")).reshape(shape)
    words = hqq_words(matrix, width)
    facts = {
        "W_q": words.view("f2") if how == "float" else words,
        "shape": np.array(shape),
        "nbits": np.array(bits, "f4" if bits == 1.58 else "u1"),
        "group_size": np.array(group, "u1"),
        "axis": np.array(axis, "u1"),
        "packing": np.frombuffer({3: b"3bit_32", 6: b"8bit_u8", 5: b"8bit_u8"}.get(width, b"%dbit_u8" % width), "u1"),
        "quant_zero": np.array(0, "u1"),
    }
    facts |= {"zero_scale": np.stack([zero, scale])} if how == "both" else {"scale": scale, "zero": zero}
    return Sample("hqq", {f"a.{name}": part for name, part in facts.items()}, weights, codes)


def _all() -> dict[str, Callable[[Random], Sample]]:
    made: dict[str, Callable[[Random], Sample]] = {}

    def add(name: str, maker: Callable[..., Sample], *how: Any) -> None:
        assert name not in made
        made[name] = lambda random: maker(random, *how)

    for bits in (2, 3, 4, 8):
        for order in ("plain", "shuffled", "uneven", "short"):
            add(f"gptq-{bits}-{order}", gptq, bits, order)
        add(f"gptq-{bits}-symmetric", gptq, bits, "shuffled", 1, "f2", True)
    add("gptq-v2", gptq, 4, "plain", 2)
    add("gptq-bf16", gptq, 4, "shuffled", 1, "bf16")
    add("awq", awq)
    for bits in range(1, 9):
        for pack in (dense_words, padded_words):
            for zero in ("", "words", "int8"):
                add(f"pack-quantized-{bits}-{pack.__name__}-{zero or 'symmetric'}", pack_quantized, bits, pack, zero)
    add("pack-quantized-order", pack_quantized, 4, dense_words, "words", True)
    for block in ((12, 40), (1, 40), (1, 10), (4, 8)):
        add(f"int8-{block[0]}x{block[1]}", eight_bits, "i8", block)
    add("int8-zeros", eight_bits_with_zeros)
    add("fp8-short-blocks", eight_bits, "f8e4m3", (5, 16), True)
    add("fp8-powers", eight_bits, "f8e4m3", (6, 20), True, "_inv", True)
    add("fp8-inverse", eight_bits, "f8e4m3", (6, 20), True, "_inv")
    add("nvfp4", nvfp4, "nvfp4")
    add("nvfp4-modelopt", nvfp4, "nvfp4-modelopt")
    add("mxfp4", mx, "f4e2m1")
    add("mxfp4-weight", mx, "f4e2m1", "a.weight")
    add("mxfp6", mx, "f6e2m3")
    for kind in ("f6e3m2", "f6e2m3"):
        add(f"mxfp6-quark-{kind}", mx, kind, "a.weight", True)
    add("mxfp8", mx, "f8e4m3", "a.weight")
    add("gpt-oss", gpt_oss)
    for kind in ("nf4", "fp4"):
        for shape in ((6, 128), (6, 96), (5, 7)):
            for nested in (False, True):
                label = f"{kind}-{shape[0]}x{shape[1]}{'-nested' if nested else ''}"
                add(label, bitsandbytes, kind, shape, nested)
    add("llm-int8", llm_int8)
    for bits in (8, 6, 5, 4, 3, 2, 1.58, 1):
        for axis in (0, 1):
            add(f"hqq-{bits}-axis-{axis}", hqq, bits, axis)
    add("hqq-rows-that-end-in-a-byte", hqq, 3, 0, 16, (32, 45))
    add("hqq-across-rows", hqq, 4, 1, 32)
    for how in ("float", "both", "one"):
        add(f"hqq-{how}", hqq, 4, 1, 16, (32, 48), how)
    return made


SAMPLES = _all()
