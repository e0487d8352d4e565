"""Opens a checkpoint and tells its formats by the names and types of its tensors and by its configuration."""

from __future__ import annotations

import builtins
import json
import os
from types import TracebackType
from typing import Any, Self

from numpy.typing import NDArray

from tilevm.checkpoints import bitsandbytes, compressed_tensors, gptq, hqq, microscaling
from tilevm.checkpoints.gguf import Gguf
from tilevm.checkpoints.parts import Format, Parts
from tilevm.errors import CheckpointError, DTypeError
from tilevm.files import file_errors
from tilevm.packed_array import PackedArray
from tilevm.quantization import QuantizedTensor
from tilevm.quantization.files import entries, rebuilt
from tilevm.safetensors import SafeTensors

__all__ = ["Checkpoint", "Tensor", "open"]

Tensor = QuantizedTensor | NDArray[Any] | PackedArray

# In the order in which they are tried: what has more parts stands first.
_FORMATS: tuple[Format, ...] = (
    *gptq.FORMATS,
    *compressed_tensors.PACKED,
    *microscaling.FORMATS,
    *bitsandbytes.FORMATS,
    *hqq.FORMATS,
    *compressed_tensors.WHOLE,
)
# How a tensor ends that belongs to a format, and what it lacks where none was recognised.
_ALONE = {".qweight": "scales and zeros", ".weight_packed": "scales", ".W_q": "shape, nbits and axis", ".SCB": "weight"}


class Checkpoint:
    """An open checkpoint; a context manager. Get one from ``open``."""

    def __init__(self, files: list[SafeTensors], gguf: Gguf | None, config: dict[str, Any]) -> None:
        self._gguf, self._config, self._files = gguf, config, files
        self._where: dict[str, SafeTensors] = {}
        for file in files:
            for name in file.names:
                if name in self._where:
                    twice = f"{self._where[name].path!r} and {file.path!r}"
                    raise CheckpointError("H005", f"tensor {name!r} is in two files: {twice}")
                self._where[name] = file
        self._parts: dict[str, Parts] = {}
        self._entries: dict[str, Any] = {}
        self._formats: dict[str, str]
        if gguf is not None:
            self._formats = {name: gguf.format_of(name) for name in gguf.places}
        elif files and "tilevm" in files[0].metadata:
            self._entries = entries(files[0])
            self._formats = dict.fromkeys(self._entries, "tilevm")
        else:
            self._recognise()

    @property
    def names(self) -> tuple[str, ...]:
        """The weights, those that are not quantised too."""
        return tuple(self._formats)

    def format_of(self, name: str) -> str:
        """The format that a tensor was recognised as; ``plain`` where it is not quantised."""
        if name not in self._formats:
            raise CheckpointError("H003", f"the checkpoint has no tensor {name!r}")
        return self._formats[name]

    def nbytes(self, name: str) -> int:
        """Bytes that a tensor takes in its file, with all of its parts."""
        self.format_of(name)
        if self._gguf is not None:
            return self._gguf.nbytes(name)
        return sum(self._where[each].info(each).nbytes for each in self._tensors_of(name))

    def tensor(self, name: str) -> Tensor:
        """The tensor: quantised; plain as a NumPy array; or plain in a format that NumPy lacks, packed.

        Raises ``CheckpointError`` H003 for an unknown name, H005 for parts that do not go together, H007 for a variant
        of a format that is not read, H008 for a converted file that is damaged.
        """
        kind = self.format_of(name)
        if self._gguf is None and kind == "plain":
            return self._plain(name)
        if kind == "tilevm":
            return rebuilt(self._files[0], name, self._entries[name])
        try:
            if self._gguf is not None:
                return self._gguf.tensor(name)
            return self._parts[name].format.read(self._parts[name])
        except DTypeError as error:
            where = f"at byte {self._gguf.places[name].start} " if self._gguf is not None else ""
            reason = error.diagnostics[0].message
            raise CheckpointError("H005", f"tensor {name!r} {where}is not sound {kind}: {reason}") from None

    def release(self, name: str) -> None:
        """Lets the system take back the memory into which the tensor was read; it is read again if it is used again."""
        self.format_of(name)
        if self._gguf is not None:
            self._gguf.release(name)
            return
        for each in self._tensors_of(name):
            self._where[each].release(each)

    def _tensors_of(self, name: str) -> list[str]:
        """The tensors of the files that make up a tensor."""
        if name in self._parts:
            return self._parts[name].names()
        if name in self._entries:
            return [each for each in _named(name, self._entries[name]) if each in self._where]
        return [name]

    def _plain(self, name: str) -> NDArray[Any] | PackedArray:
        file = self._where[name]
        info = file.info(name)
        packed = info.format is not None and (info.dtype == "BF16" or info.dtype[:2] in ("F8", "F6", "F4"))
        return file.packed(name) if packed else file.array(name)

    def _recognise(self) -> None:
        found: dict[str, Parts] = {}
        used: set[str] = set()
        for form in _FORMATS:
            for name in self._where:
                base = name.removesuffix(form.main)
                if (
                    not name.endswith(form.main)
                    or name in used
                    or not all(base + each in self._where for each in form.needed)
                ):
                    continue
                own = base if form.main == "_blocks" else f"{base}.weight"
                parts = Parts(own, base, form, self._where, self._config)
                if form.holds(parts):
                    used |= set(parts.names())
                    found[own] = parts
        for name in self._where:
            self._check_known(name, used)
        rest = {name: "plain" for name in self._where if name not in used}
        for name in rest.keys() & found.keys():
            raise CheckpointError("H005", f"tensor {name!r} is there as it is, and quantised as well")
        self._parts = found
        self._formats = {name: parts.format.name for name, parts in found.items()} | rest

    def _check_known(self, name: str, used: set[str]) -> None:
        for ending, lacking in _ALONE.items():
            if name.endswith(ending) and name not in used:
                start = self._where[name].info(name).start
                raise CheckpointError("H005", f"tensor {name!r} at byte {start} has no {lacking} beside it")

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


def _named(name: str, entry: Any) -> list[str]:
    """The tensors of a converted file that an entry of its metadata names."""
    parts = entry["parts"] if isinstance(entry, dict) and isinstance(entry.get("parts"), dict) else None
    if parts is None:
        return [name]
    return [each for part, inner in parts.items() for each in _named(f"{name}.{part}", inner)]


def open(path: str | os.PathLike[str]) -> Checkpoint:
    """Opens a file, ``.safetensors`` or GGUF, or a folder of safetensors files with their configuration.

    Raises ``UsageError`` F002 for what cannot be read, ``CheckpointError`` H001, H002, H006 for a header that lies,
    H005 for parts that do not go together, H007 for a format that is not read.
    """
    given = os.fspath(path)
    if os.path.isdir(given):
        names = _file_names(given)
        return Checkpoint([SafeTensors(os.path.join(given, each)) for each in names], None, _configuration(given))
    with file_errors(path, "read"), builtins.open(path, "rb") as file:
        magic = file.read(4)
    return Checkpoint([], Gguf(path), {}) if magic == b"GGUF" else Checkpoint([SafeTensors(path)], None, {})


def _configuration(folder: str) -> dict[str, Any]:
    """What the files of a folder say of the quantisation: under two names of two times, and in a file of its own."""
    whole = _json(folder, "config.json")
    inner = next((whole[each] for each in ("quantization_config", "compression_config") if each in whole), None)
    return (inner if isinstance(inner, dict) else {}) | _json(folder, "quantize_config.json")


def _file_names(folder: str) -> list[str]:
    """Those that the index lists, or else all of the folder. A name that leads out of it is refused."""
    index = _json(folder, "model.safetensors.index.json").get("weight_map")
    listed = {str(each) for each in index.values()} if isinstance(index, dict) else set()
    with file_errors(folder, "read"):
        names = sorted(listed or {each for each in os.listdir(folder) if each.endswith(".safetensors")})
    outside = [each for each in names if os.path.basename(each) != each or each in ("", os.curdir, os.pardir)]
    if outside or not names:
        reason = (
            f"the index names {outside[0]!r}, which is not in it" if outside else "there are no safetensors files in it"
        )
        raise CheckpointError("H007", f"{folder!r} is not the folder of a checkpoint: {reason}")
    return names


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
