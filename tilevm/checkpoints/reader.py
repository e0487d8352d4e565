"""Opens a checkpoint and tells its format by the names and types of its tensors and by its configuration."""

from __future__ import annotations

import builtins
import json
import os
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from tilevm.checkpoints import bitsandbytes, compressed_tensors, converted, gptq, microscaling
from tilevm.checkpoints.gguf import Gguf
from tilevm.errors import CheckpointError
from tilevm.files import file_errors
from tilevm.packed_array import PackedArray
from tilevm.quantization import QuantizedTensor
from tilevm.safetensors import SafeTensors

__all__ = ["Checkpoint", "open"]

_STATE = ".quant_state.bitsandbytes__nf4"
# The tensor that names a format, and the others that belong to it; the first that fits counts.
_FORMATS: tuple[tuple[str, str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("gptq", ".qweight", (".qzeros", ".scales"), (".g_idx",)),
    ("pack-quantized", ".weight_packed", (".weight_scale", ".weight_shape"), (".weight_zero_point",)),
    ("nvfp4", ".weight_packed", (".weight_scale", ".weight_global_scale"), ()),
    ("mx", ".weight_packed", (".weight_scale",), ()),
    ("nvfp4-modelopt", ".weight", (".weight_scale", ".weight_scale_2"), ()),
    ("gpt-oss", "_blocks", ("_scales",), ()),
    (
        "nf4",
        ".weight",
        (".weight.absmax", ".weight.quant_map", f".weight{_STATE}"),
        (".weight.nested_absmax", ".weight.nested_quant_map"),
    ),
)
# How a tensor of a format that is not read ends, and the format's name.
_UNREAD = ((".W_q", "HQQ"), (".quant_state.bitsandbytes__fp4", "bitsandbytes FP4"))


class Checkpoint:
    """An open checkpoint; a context manager. Get one from ``open``."""

    def __init__(self, files: list[SafeTensors], gguf: Gguf | None, config: dict[str, Any]) -> None:
        self._gguf, self._config, self._files = gguf, config, files
        self._where = {name: file for file in files for name in file.names}
        self._formats: dict[str, tuple[str, str]] = {}
        if gguf is not None:
            self._formats = {name: (gguf.format_of(name), "") for name in gguf.places}
        elif files and "tilevm" in files[0].metadata:
            self._entries = converted.entries(files[0])
            self._formats = dict.fromkeys(self._entries, ("tilevm", ""))
        else:
            self._formats = self._recognised()

    @property
    def names(self) -> tuple[str, ...]:
        """The weights, those that are not quantised too."""
        return tuple(self._formats)

    def format_of(self, name: str) -> str:
        """The format that a tensor was recognised as; ``plain`` where it is not quantised."""
        if name not in self._formats:
            raise CheckpointError("H003", f"the checkpoint has no tensor {name!r}")
        return self._formats[name][0]

    def tensor(self, name: str) -> QuantizedTensor | NDArray[Any] | PackedArray:
        """The tensor: quantised; plain as a NumPy array; or plain in a format that NumPy lacks, packed.

        Raises ``CheckpointError`` H003 for an unknown name, H005 for parts that do not go together.
        """
        kind = self.format_of(name)
        if self._gguf is not None:
            return self._gguf.tensor(name)
        if kind == "tilevm":
            return converted.rebuilt(self._files[0], name, self._entries[name])
        if kind == "plain":
            file = self._where[name]
            info = file.info(name)
            packed = info.format is not None and (info.dtype == "BF16" or info.dtype[:2] in ("F8", "F6", "F4"))
            return file.packed(name) if packed else file.array(name)
        return self._quantized(name, kind, self._formats[name][1])

    def _recognised(self) -> dict[str, tuple[str, str]]:
        for name in self._where:
            for ending, unread in _UNREAD:
                if name.endswith(ending):
                    raise CheckpointError("H007", f"tensor {name!r} belongs to {unread}, which is not read")
        found: dict[str, tuple[str, str]] = {}
        used: set[str] = set()
        for kind, main, needed, optional in _FORMATS:
            for name in self._where:
                base = name.removesuffix(main)
                if not name.endswith(main) or name in used or not all(base + each in self._where for each in needed):
                    continue
                awq = kind == "gptq" and gptq.is_awq(self._shape(name), self._shape(base + ".scales"))
                used |= {name, *(base + each for each in (*needed, *optional))}
                found[base if main == "_blocks" else f"{base}.weight"] = ("awq" if awq else kind, base)
        for name in self._where:
            if name.endswith((".qweight", ".weight_packed")) and name not in used:
                raise CheckpointError("H005", f"tensor {name!r} has no scales or zeros beside it")
        return found | {name: ("plain", "") for name in self._where if name not in used and name not in found}

    def _shape(self, name: str) -> tuple[int, ...]:
        return self._where[name].info(name).shape

    def _quantized(self, name: str, kind: str, base: str) -> QuantizedTensor:
        def part(suffix: str, *types: str) -> NDArray[Any]:
            file = self._where[base + suffix]
            info = file.info(base + suffix)
            if types and info.dtype not in types:
                raise CheckpointError(
                    "H005",
                    f"tensor {base + suffix!r} at byte {info.start} is {info.dtype}, not {' or '.join(types)}",
                )
            if info.dtype == "BF16":
                return np.asarray(file.packed(base + suffix), np.float32)
            return file.array(base + suffix)

        floats, words = ("F16", "BF16", "F32"), ("I32", "U32")
        if kind in ("gptq", "awq"):
            weights, zeros, scales = part(".qweight", *words), part(".qzeros", *words), part(".scales", *floats)
            if kind == "awq":
                return gptq.awq(name, weights, zeros, scales)
            index = part(".g_idx", "I32", "I64") if base + ".g_idx" in self._where else None
            version = {"gptq": 1, "gptq_v2": 2}.get(str(self._config.get("checkpoint_format")))
            return gptq.gptq(name, weights, zeros, scales, index, version)
        if kind == "pack-quantized":
            point = part(".weight_zero_point", "I8", *words) if base + ".weight_zero_point" in self._where else None
            packed, scales, shape = (
                part(".weight_packed", *words),
                part(".weight_scale", *floats),
                part(".weight_shape"),
            )
            return compressed_tensors.pack_quantized(name, packed, scales, shape, point, _num_bits(self._config))
        if kind == "nvfp4":
            packed, scales = part(".weight_packed", "U8"), part(".weight_scale", "F8_E4M3")
            return microscaling.nvfp4(name, packed, scales, part(".weight_global_scale", *floats), divide=True)
        if kind == "nvfp4-modelopt":
            packed, scales = part(".weight", "U8"), part(".weight_scale", "F8_E4M3")
            return microscaling.nvfp4(name, packed, scales, part(".weight_scale_2", *floats), divide=False)
        if kind == "mx":
            return microscaling.mx(name, part(".weight_packed", "U8"), part(".weight_scale", "U8", "F8_E8M0"), "f4e2m1")
        if kind == "gpt-oss":
            return microscaling.gpt_oss(name, part("_blocks", "U8"), part("_scales", "U8", "F8_E8M0"))
        parts = {"absmax": part(".weight.absmax", "F32", "U8"), "quant_map": part(".weight.quant_map", "F32")}
        if base + ".weight.nested_absmax" in self._where:
            parts |= {each: part(f".weight.{each}", "F32") for each in ("nested_absmax", "nested_quant_map")}
        return bitsandbytes.nf4(name, part(".weight", "U8"), part(f".weight{_STATE}", "U8").tobytes(), parts)

    def close(self) -> None:
        """Lets go of the files."""
        for file in self._files:
            file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _num_bits(config: dict[str, Any]) -> int | None:
    """Bits of the weights where all groups of the configuration agree."""
    groups = config.get("config_groups")
    found = set()
    for each in groups.values() if isinstance(groups, dict) else ():
        weights = each.get("weights") if isinstance(each, dict) else None
        found.add(weights.get("num_bits") if isinstance(weights, dict) else None)
    only = found.pop() if len(found) == 1 else None
    return only if isinstance(only, int) else None


def open(path: str | os.PathLike[str]) -> Checkpoint:
    """Opens a file, ``.safetensors`` or GGUF, or a folder of safetensors files with their configuration.

    Raises ``UsageError`` F002 for what cannot be read, ``CheckpointError`` H001, H002, H006 for a header that lies,
    H005 for parts that do not go together, H007 for a format that is not read.
    """
    given = os.fspath(path)
    if os.path.isdir(given):
        index = _json(given, "model.safetensors.index.json").get("weight_map")
        listed = {str(each) for each in index.values()} if isinstance(index, dict) else set()
        names = sorted(listed or {each for each in os.listdir(given) if each.endswith(".safetensors")})
        if not names or any(os.path.basename(each) != each for each in names):
            raise CheckpointError("H007", f"the folder {given!r} names no safetensors files of its own")
        inner = _json(given, "config.json").get("quantization_config")
        config = (inner if isinstance(inner, dict) else {}) | _json(given, "quantize_config.json")
        return Checkpoint([SafeTensors(os.path.join(given, each)) for each in names], None, config)
    with file_errors(path, "read"), builtins.open(path, "rb") as file:
        magic = file.read(4)
    return Checkpoint([], Gguf(path), {}) if magic == b"GGUF" else Checkpoint([SafeTensors(path)], None, {})


def _json(folder: str, name: str) -> dict[str, Any]:
    path = os.path.join(folder, name)
    if not os.path.exists(path):
        return {}
    try:
        with file_errors(path, "read"), builtins.open(path, "rb") as file:
            found = json.load(file)
    except (ValueError, RecursionError) as error:
        raise CheckpointError("H005", f"{path!r} is not JSON: {error}") from None
    return found if isinstance(found, dict) else {}
