"""The tensors of a file that together are one quantised tensor, and how a format is told by their names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tilevm.checkpoints.numbers import Grouping, Numbers, named_groups
from tilevm.checkpoints.slabs import packed_rows
from tilevm.dtypes import DType
from tilevm.errors import CheckpointError
from tilevm.packed_array import PackedArray
from tilevm.quantization import QuantizedTensor
from tilevm.safetensors import SafeTensors, TensorInfo

__all__ = ["FLOATS", "FOLDER", "WORDS", "Format", "Parts"]

FLOATS = ("F16", "BF16", "F32")
WORDS = ("I32", "U32")
FOLDER = "config.json says it: convert the folder, not one file"


@dataclass(frozen=True)
class Format:
    """A format: its name, how the name of the tensor ends that shows it, how the others end that it needs and that it
    may have, how it is read, and where names are not enough what else must hold.
    """

    name: str
    main: str
    needed: tuple[str, ...]
    optional: tuple[str, ...]
    read: Callable[[Parts], QuantizedTensor]
    holds: Callable[[Parts], bool] = lambda parts: True


@dataclass(frozen=True)
class Parts:
    """What belongs to the tensor ``name``: the tensors of ``files`` whose names are ``base`` and an ending of
    ``format``, and what the configuration says.
    """

    name: str
    base: str
    format: Format
    files: Mapping[str, SafeTensors]
    config: Mapping[str, Any]

    def __contains__(self, ending: str) -> bool:
        return self.base + ending in self.files

    def names(self) -> list[str]:
        """The names of those that are there."""
        endings = (self.format.main, *self.format.needed, *self.format.optional)
        return [self.base + each for each in endings if each in self]

    def info(self, ending: str) -> TensorInfo:
        """Type, shape and place of a part. Raises ``CheckpointError`` H005 where it is not there."""
        if ending not in self:
            raise self.wrong(f"there is no {self.base + ending!r} beside it")
        return self.files[self.base + ending].info(self.base + ending)

    def array(self, ending: str, *types: str) -> NDArray[Any]:
        """A part as the file has it. Raises ``CheckpointError`` H005 where its type is none of ``types``."""
        kind = self.info(ending).dtype
        if types and kind not in types:
            raise self.wrong(f"it is {kind}, not {' or '.join(types)}", ending)
        return self.files[self.base + ending].array(self.base + ending)

    def words(self, ending: str) -> NDArray[np.uint32]:
        """A part of 32-bit words."""
        return self.array(ending, *WORDS).view("<u4")

    def raw(self, ending: str) -> NDArray[np.uint8]:
        """A part of any type as ``uint8[bytes]``."""
        return np.ascontiguousarray(self.array(ending)).reshape(-1).view(np.uint8)

    def numbers(self, ending: str, *types: str) -> Numbers:
        """A part of floats, ``types`` or else F16, BF16 or F32."""
        array = self.array(ending, *(types or FLOATS))
        kind = self.info(ending).dtype
        if kind in ("F16", "F32"):
            return Numbers(array)
        form = self.info(ending).format
        return Numbers(array, "e8m0" if kind == "U8" else None if form is None else form.name)

    def number(self, ending: str, *types: str) -> np.float32:
        """A part that is one number, of ``types`` or else F16, BF16 or F32. Raises ``CheckpointError`` H005 where it is
        none or several.
        """
        found = self.array(ending, *(types or FLOATS))
        if found.size != 1:
            raise self.wrong(f"there are {found.size} numbers, and one is wanted", ending)
        held = self.numbers(ending).floats() if self.info(ending).dtype == "BF16" else found
        return np.float32(held.reshape(-1)[0])

    def groups(self, ending: str, length: int, many: int) -> Grouping:
        """The groups of a part that names one of ``many`` for each of ``length`` elements."""
        index = self.array(ending, "I32", "I64").astype(np.int64)
        if index.shape != (length,) or index.min() < 0 or index.max() >= many:
            raise self.wrong(f"it does not name one of {many} groups for each of {length} elements", ending)
        return named_groups(index, many)

    def codes(
        self,
        kind: DType | str,
        shape: tuple[int, ...],
        rows: int,
        unpacked: Callable[[int, int], NDArray[np.uint8]],
        order: NDArray[np.int64] | None = None,
    ) -> PackedArray:
        """``packed_rows`` of the part that shows the format; the row at ``i`` of the result is row ``order[i]``."""
        places = None if order is None else np.argsort(order)
        return packed_rows(kind, shape, rows, unpacked, self.release, places)

    def release(self) -> None:
        """Lets the system take back the memory into which the part that shows the format was read."""
        self.files[self.base + self.format.main].release(self.base + self.format.main)

    def wrong(self, reason: str, ending: str | None = None, help: str | None = None) -> CheckpointError:
        """An error that names a part and its first byte, that which shows the format if it is not said."""
        ending = self.format.main if ending is None else ending
        start = self.info(ending).start
        return CheckpointError("H005", f"tensor {self.base + ending!r} at byte {start}: {reason}", help=help)

    def mismatch(self, *endings: str) -> CheckpointError:
        """An error for parts whose shapes do not go together."""
        shapes = ", ".join(f"{each.lstrip('._')} {list(self.info(each).shape)}" for each in endings)
        return self.wrong(f"the shapes of {self.format.name} do not go together: {shapes}")
