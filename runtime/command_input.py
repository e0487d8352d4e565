"""What the commands read from the command line: kernels, arguments, compile-time parameters.

--arg x=weights.npy          an array from a file, also a saved PackedArray
--arg x=64x128:f16           random elements, seeded by the place of the parameter, so that runs repeat
--arg x=64x128:f6e3m2:7      the same with seed 7
--arg n=3                    a scalar, or a size
--set BM=32 --set W=u4       a compile-time parameter
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tilevm.dtypes import DType
from tilevm.dtypes import dtype as parse_dtype
from tilevm.errors import UsageError, did_you_mean
from tilevm.files import file_errors
from tilevm.frontend import KernelDefinition
from tilevm.memory import in_memory_form
from tilevm.packed_array import PackedArray
from tilevm.packing import packed_bytes
from tilevm.runtime.arrays import make
from tilevm.runtime.kernel import Kernel, load

__all__ = [
    "arguments",
    "assignments",
    "chosen_kernel",
    "compile_time",
    "empty_array",
    "random_array",
    "read_array",
    "size_assignments",
]

RANDOM = re.compile(r"(?P<shape>\d+(?:[x,]\d+)*):(?P<dtype>[a-z]\w*)(?::(?P<seed>\d+))?")
WIDEST_RANDOM = 128
"""Random integers lie in [-128, 128), so that their sums and products stay in a wide format's range."""


def chosen_kernel(path: str, name: str | None) -> Kernel:
    """The kernel of a file that has that name, or its only one.

    Raises ``UsageError`` F005 where there is no name and not one kernel, F006 where there is none of that name.
    """
    return load(path).choose(name, "--kernel NAME")


def assignments(option: str, texts: Iterable[str]) -> dict[str, str]:
    """The ``NAME=VALUE`` texts of an option. Raises ``UsageError`` F009 for one of another form, or a name given twice.

    >>> assignments("--set", ["BM=32", "W=u4"])
    {'BM': '32', 'W': 'u4'}
    """
    result: dict[str, str] = {}
    for text in texts:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not equals or not name.isidentifier() or not value:
            raise UsageError("F009", f"{option} {text!r} is not of the form NAME=VALUE")
        if name in result:
            raise UsageError("F009", f"{option} {name}=… is given twice")
        result[name] = value
    return result


Make = Callable[[str, tuple[int, ...], DType, int], Any]
"""Makes an array that is described: name of the parameter, shape, format, seed."""


def size_assignments(option: str, texts: Iterable[str]) -> dict[str, int]:
    """The sizes of an option, separated by commas or given one by one. Raises ``UsageError`` F009 for what is none.

    >>> size_assignments("--sizes", ["M=16,N=8192", "K=0x100"])
    {'M': 16, 'N': 8192, 'K': 256}
    """
    given = assignments(option, [part for text in texts for part in text.split(",")])
    sizes = {}
    for name, text in given.items():
        try:
            sizes[name] = int(text, 0)
        except ValueError:
            raise UsageError("F009", f"{option} {name}={text}: the size {name} is an integer") from None
    return sizes


def arguments(definition: KernelDefinition, texts: Mapping[str, str], make: Make | None = None) -> dict[str, Any]:
    """The arguments that the texts of ``--arg`` describe. A name that no parameter has may be a size: an integer.

    ``make`` makes arrays that are described, by default ``random_array``.

    Raises ``UsageError`` F009 for a text that describes none, F002, F003 or F010 for a file that is none.
    """
    places = {parameter.name: place for place, parameter in enumerate(definition.parameters)}
    result: dict[str, Any] = {}
    for name, text in texts.items():
        if name in places and definition.parameters[places[name]].is_tensor:
            result[name] = _array(name, text, places[name], make or random_array)
        elif name in places or re.fullmatch(r"\d+", text):
            result[name] = _number(name, text)
        else:
            raise UsageError(
                "F009",
                f"kernel `{definition.name}` has no parameter `{name}`",
                help=did_you_mean(name, places) or f"it has {', '.join(places)}",
            )
    return result


def _array(name: str, text: str, seed: int, make: Make) -> Any:
    described = RANDOM.fullmatch(text)
    if described is None:
        return read_array(text)
    shape = tuple(int(extent) for extent in re.split("[x,]", described["shape"]))
    return make(name, shape, parse_dtype(described["dtype"]), int(described["seed"] or seed))


def read_array(path: str) -> NDArray[Any] | PackedArray:
    """An array from a file that ``numpy.save`` or ``PackedArray.save`` wrote. Nothing is unpickled.

    Raises ``UsageError`` F009 where there is no such file, F002 where it cannot be read, F010 where it holds no array,
    F003 where it is an archive but no PackedArray.
    """
    if not Path(path).exists():
        raise UsageError(
            "F009",
            f"{path!r} is no file, and no description of an array",
            help="a file.npy, or shape and format such as 64x128:f16, or with a seed 64x128:f16:7",
        )
    with file_errors(path, "read"):
        with open(path, "rb") as file:
            start = file.read(4)
        if start == b"PK\x03\x04":
            return PackedArray.load(path)
        try:
            array: NDArray[Any] = np.load(path, allow_pickle=False)
        except (ValueError, EOFError) as error:
            reason = str(error).splitlines()[0]
            raise UsageError(
                "F010", f"{path!r} holds no array: {reason}", help="numpy.save writes such a file"
            ) from None
    return array


def random_array(name: str, shape: tuple[int, ...], dtype: DType, seed: int) -> NDArray[Any] | PackedArray:
    """Seeded random elements for the parameter ``name``, in the array that a kernel would make for them.

    Floats are normal with deviation 1, without their sign where the format has none; integers spread evenly over the
    format, but within [-128, 128); the values of a codebook all alike often.

    >>> random_array("w", (2, 2), parse_dtype("u4"), 0).numpy().tolist()
    [[13, 10], [8, 4]]
    """
    generator = np.random.default_rng(seed)
    array = make(name, dtype, shape)
    if dtype.kind == "float":
        numbers = generator.standard_normal(shape)
        codes = dtype.encode(numbers if dtype.signed else np.abs(numbers))
    elif dtype.kind == "codebook":
        codes = generator.integers(0, len(dtype.table), shape, dtype.storage)
    else:
        low, high = max(int(dtype.min), -WIDEST_RANDOM), min(int(dtype.max), WIDEST_RANDOM - 1)
        codes = dtype.encode(generator.integers(low, high, shape, np.int64, endpoint=True))
    array.elements[...] = in_memory_form(dtype, codes)
    array.finish()
    result: NDArray[Any] | PackedArray = array.given
    return result


def empty_array(name: str, shape: tuple[int, ...], dtype: DType, seed: int) -> PackedArray:
    """Zeros in place of random elements, where only the format and the shape count: they take no time, nor memory."""
    return PackedArray(np.zeros(packed_bytes(math.prod(shape), dtype.bits), np.uint8), dtype, shape)


def _number(name: str, text: str) -> int | float | bool:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    try:
        return int(text, 0)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        raise UsageError("F009", f"--arg {name}={text}: `{name}` is a scalar, and {text!r} is no number") from None


def compile_time(definition: KernelDefinition, texts: Mapping[str, str]) -> dict[str, Any]:
    """The compile-time parameters that the texts of ``--set`` describe; formats and layouts stay texts.

    Raises ``UsageError`` F009 for a name that is no such parameter, or a text that does not fit its kind.
    """
    kinds = {parameter.name: parameter.kind for parameter in definition.compile_time}
    return {name: _compile_time_value(definition, kinds, name, text) for name, text in texts.items()}


def _compile_time_value(definition: KernelDefinition, kinds: Mapping[str, str], name: str, text: str) -> Any:
    if name not in kinds:
        raise UsageError(
            "F009",
            f"kernel `{definition.name}` has no compile-time parameter `{name}`",
            help=did_you_mean(name, kinds) or (f"it has {', '.join(kinds)}" if kinds else None),
        )
    if kinds[name] == "bool":
        if text.lower() not in ("true", "false"):
            raise UsageError("F009", f"{name}={text}: `{name}` is true or false")
        return text.lower() == "true"
    if kinds[name] == "int":
        try:
            return int(text, 0)
        except ValueError:
            raise UsageError("F009", f"{name}={text}: `{name}` is an integer") from None
    return text
