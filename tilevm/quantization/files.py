"""Quantised tensors in files: a safetensors file whose metadata say how the parts of each tensor go together.

Part ``codes`` of tensor ``w`` is the tensor ``w.codes`` of the file, and so on; those of scales that are quantised
again are ``w.scales.codes`` and so on. Formats of less than 8 bits are bytes, and trits lie five in a byte. The
metadata entry ``tilevm`` has format and shape of every part, and what is not an array. A plain tensor has one part,
``plain``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tilevm.dtypes import DType, codebook, dtype
from tilevm.errors import CheckpointError, DTypeError
from tilevm.packed_array import PackedArray
from tilevm.packing import pack_trits, packed_bytes, unpack, unpack_trits
from tilevm.quantization.hadamard import Hadamard
from tilevm.quantization.tensor import QuantizedTensor
from tilevm.safetensors import Chunks, SafeTensors, write

__all__ = ["Part", "announced", "chunks", "described", "entries", "load", "metadata", "parts", "rebuilt", "save"]

Part: TypeAlias = NDArray[Any] | PackedArray
_ARRAYS = ("codes", "scales", "zeros", "offsets", "permutation", "codebooks")
_FLOATS = {"bf16": "BF16", "f8e4m3": "F8_E4M3", "f8e5m2": "F8_E5M2"}
"""Those that NumPy lacks and every library of safetensors has."""
_TRITS = 20 << 13
"""Trits that are packed at a time, whole bytes of four and of five: unpacked each is a byte."""
_NUMPY = {"f2": "F16", "f4": "F32", "f8": "F64", "b1": "BOOL", "c8": "C64"} | {
    f"{kind}{size}": f"{kind.upper()}{8 * size}" for kind in "iu" for size in (1, 2, 4, 8)
}


def save(path: str | os.PathLike[str], tensors: Mapping[str, QuantizedTensor | Part]) -> None:
    """Writes tensors to a file, whole or not at all."""
    streams = {
        f"{name}.{each}": Chunks(*announced(part), chunks(part))
        for name, tensor in tensors.items()
        for each, part in parts(tensor).items()
    }
    write(path, streams, metadata({name: described(tensor) for name, tensor in tensors.items()}))


def load(path: str | os.PathLike[str], name: str | None = None) -> QuantizedTensor:
    """The quantised tensor of a name, or the only one."""
    with SafeTensors(path) as file:
        found = entries(file)
        quantized = [each for each, entry in found.items() if "plain" not in entry["parts"]]
        if name is None and len(quantized) == 1:
            name = quantized[0]
        if name not in quantized:
            raise CheckpointError(
                "H003",
                f"{file.path!r} has {len(quantized)} quantised tensors, so one has to be named"
                if name is None
                else f"{file.path!r} has no quantised tensor {name!r}",
            )
        tensor = rebuilt(file, name, found[name])
        assert isinstance(tensor, QuantizedTensor)
        return tensor


# Writing


def parts(tensor: QuantizedTensor | Part) -> dict[str, Part]:
    """The arrays of a tensor, by what is appended to its name."""
    if not isinstance(tensor, QuantizedTensor):
        return {"plain": tensor}
    found: dict[str, Part] = {}
    for name in _ARRAYS:
        part = getattr(tensor, name)
        if isinstance(part, QuantizedTensor):
            found |= {f"{name}.{inner}": each for inner, each in parts(part).items()}
        elif part is not None:
            found[name] = part
    return found


def described(tensor: QuantizedTensor | Part) -> dict[str, Any]:
    """What the metadata say of a tensor."""
    if not isinstance(tensor, QuantizedTensor):
        return {"parts": {"plain": _fact(tensor)}}
    facts: dict[str, Any] = {"parts": {}, "block": list(tensor.block), "axis": tensor.axis}
    for name in _ARRAYS:
        part = getattr(tensor, name)
        if part is not None:
            facts["parts"][name] = described(part) if isinstance(part, QuantizedTensor) else _fact(part)
    if tensor.tensor_scale is not None:
        facts["tensor_scale"] = float(tensor.tensor_scale)
    if tensor.transform is not None:
        facts["hadamard"] = tensor.transform.facts()
    return facts


def metadata(facts: Mapping[str, Any]) -> dict[str, str]:
    """The metadata of a file whose tensors are described like this."""
    return {"tilevm": json.dumps({"version": 1, "tensors": facts})}


def announced(part: Part) -> tuple[str, tuple[int, ...]]:
    """Type and shape in the header of the file."""
    if isinstance(part, PackedArray):
        own = _FLOATS.get(part.dtype.name)
        return (own, part.shape) if own else ("U8", (_stored_bytes(part.dtype, part.size),))
    return _NUMPY[np.dtype(part.dtype).str[1:]], part.shape


def chunks(part: Part) -> Iterator[NDArray[Any]]:
    """The elements as they lie in the file, in arrays that follow each other."""
    if not isinstance(part, PackedArray):
        yield part
        return
    dense = part if part.layout is None else PackedArray.from_codes(part.codes(), part.dtype)
    if part.dtype.name != "trit":
        yield dense.data
        return
    for first in range(0, part.size, _TRITS):
        yield pack_trits(unpack(dense.data[first // 4 :], 2, min(_TRITS, part.size - first)))


def _stored_bytes(kind: DType, count: int) -> int:
    return -(-count // 5) if kind.name == "trit" else packed_bytes(count, kind.bits)


def _fact(part: Part) -> list[Any]:
    if not isinstance(part, PackedArray):
        return [None, list(part.shape)]
    own_table = part.dtype.kind == "codebook" and part.dtype.name not in ("nf4", "trit")
    return [part.dtype.name, list(part.shape), *([list(part.dtype.table)] if own_table else [])]


# Reading


def entries(file: SafeTensors) -> dict[str, Any]:
    """What the metadata say of each tensor. Raises ``CheckpointError`` H008 for metadata of another form."""
    try:
        facts = json.loads(file.metadata["tilevm"])
        if facts["version"] == 1 and all(isinstance(each["parts"], dict) for each in facts["tensors"].values()):
            return dict(facts["tensors"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        pass
    raise CheckpointError("H008", f"{file.path!r}: the metadata entry `tilevm` is damaged or of another version")


def rebuilt(file: SafeTensors, name: str, entry: dict[str, Any]) -> QuantizedTensor | Part:
    """The tensor that was described by ``entry``. Raises ``CheckpointError`` H008 where its parts do not fit that."""
    try:
        if "plain" in entry["parts"]:
            return _array(file, f"{name}.plain", entry["parts"]["plain"])
        return _tensor(file, name, entry)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError, DTypeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CheckpointError("H008", f"{file.path!r}: the parts of {name!r} do not go together: {reason}") from None


def _tensor(file: SafeTensors, name: str, entry: dict[str, Any]) -> QuantizedTensor:
    unknown = set(entry["parts"]) - set(_ARRAYS) | set(entry) - {"parts", "block", "axis", "tensor_scale", "hadamard"}
    if unknown:
        raise ValueError(f"there is no part {sorted(unknown)[0]!r}")
    found: dict[str, Any] = {
        each: _tensor(file, f"{name}.{each}", fact) if isinstance(fact, dict) else _array(file, f"{name}.{each}", fact)
        for each, fact in entry["parts"].items()
    }
    transform = Hadamard(**entry["hadamard"]) if "hadamard" in entry else None
    tensor_scale = float(entry["tensor_scale"]) if "tensor_scale" in entry else None
    found |= {"tensor_scale": tensor_scale, "transform": transform, "zeros": found.get("zeros")}
    if not isinstance(found["codes"], PackedArray):
        raise ValueError("the codes have no format")
    return QuantizedTensor(block=tuple(entry["block"]), axis=entry["axis"], **found)


def _array(file: SafeTensors, name: str, fact: list[Any]) -> Part:
    held, (kind, shape, *table) = file.array(name), fact
    if kind is None:
        if list(held.shape) != shape:
            raise ValueError(f"{name!r} has the shape {list(held.shape)}, not {shape}")
        return held
    stream = held.reshape(-1).view(np.uint8)
    own = codebook(kind, table[0]) if table else dtype(kind)
    packed_shape = tuple(shape)
    if not all(isinstance(each, int) and each >= 0 for each in packed_shape):
        raise ValueError(f"{shape} is no shape")
    count = int(np.prod([1, *packed_shape], dtype=object))
    if stream.size != _stored_bytes(own, count):
        raise ValueError(f"{name!r} has {stream.size} bytes, and {own}{shape} takes {_stored_bytes(own, count)}")
    if own.name == "trit":
        return PackedArray.from_codes(unpack_trits(stream, count).reshape(packed_shape), own)
    return PackedArray(stream, own, packed_shape)
