"""What a call's arguments are kinds of: the key under which a launch that is ready is found.

    array     its type, shape, strides, device and alignment
    scalar    its Python type
    the rest  its value: compile-time parameters, sizes

Reading them is most of what a launch costs on the host, so for each type of array there is one function that knows its
attributes, and all write to one list. The tuples in it are shapes and strides, and nothing else is a tuple; ``apart``
takes them out, because calls that differ in nothing else share almost everything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tilevm.frontend import KernelDefinition
from tilevm.packed_array import PackedArray
from tilevm.runtime.backends import is_torch
from tilevm.runtime.specialisation import ALIGNMENTS

__all__ = ["KindReader", "apart"]

LOW_BITS = ALIGNMENTS[0] - 1


Reader = Callable[[Any, list[Any], list[Any]], None]
"""Takes an array, and appends what it is a kind of to one list, and its address to another."""


class KindReader:
    """Reads the kinds of the calls of one kernel. It knows the types of arrays that it was shown."""

    def __init__(self, definition: KernelDefinition) -> None:
        parameters = definition.parameters
        self._positional = [each.is_tensor for each in parameters if each.access != "out"]
        self._tensors = {each.name for each in parameters if each.is_tensor}
        self._scalars = {each.name for each in parameters if not each.is_tensor}
        self._readers: dict[type, Reader] = {type(None): _absent, PackedArray: self._packed}

    def learn(self, given: Any, cupy: Any) -> None:
        """Has arrays of this type be known, if they are CuPy's or torch's."""
        array = given.data if isinstance(given, PackedArray) else given
        if is_torch(array):
            self._readers[type(array)] = _torch
        elif isinstance(array, cupy.ndarray):
            self._readers[type(array)] = _cupy

    def read(self, args: tuple[Any, ...], keywords: Mapping[str, Any], kinds: list[Any], values: list[Any]) -> bool:
        """Reads a call: appends kinds to one list, and the addresses and scalars to another, both in the call's order.

        False where an argument is of a type that is not known, or cannot be part of a key.
        """
        if len(args) > len(self._positional):
            return False
        readers = self._readers
        try:
            for is_tensor, value in zip(self._positional, args):  # noqa: B905 (the rest may be given by name)
                if is_tensor:
                    readers[type(value)](value, kinds, values)
                else:
                    values.append(value)
                    kinds.append(type(value))
            for name, value in keywords.items():
                kinds.append(name)
                if name in self._tensors:
                    readers[type(value)](value, kinds, values)
                elif name in self._scalars:
                    values.append(value)
                    kinds.append(type(value))
                else:
                    hash(value)
                    kinds += type(value), value
        except (KeyError, TypeError):
            return False
        return True

    def place_of_shapes(self, arrays: Mapping[str, Any]) -> dict[str, tuple[int, bool]]:
        """For each of the arrays, in the order in which a call reads them: where among the shapes its own stands, and
        whether its strides follow.
        """
        places, start = {}, 0
        for name, array in arrays.items():
            kinds: list[Any] = []
            self._readers[type(array)](array, kinds, [])
            _, shapes = apart(kinds)
            places[name] = start, not isinstance(array, PackedArray) and len(shapes) == 2
            start += len(shapes)
        return places

    def _packed(self, array: PackedArray, kinds: list[Any], values: list[Any]) -> None:
        data = array.data
        # Formats and layouts are told apart by identity: whoever keeps the key keeps them.
        kinds += id(array.dtype), array.shape, id(array.layout)
        self._readers[type(data)](data, kinds, values)


def _absent(given: None, kinds: list[Any], values: list[Any]) -> None:
    """The reader of an ``out`` array that is not given."""
    kinds.append(None)


def _cupy(array: Any, kinds: list[Any], values: list[Any]) -> None:
    memory = array.data
    address = memory.ptr
    values.append(address)
    kinds += array.shape, array.strides, array.dtype, memory.device_id, address & LOW_BITS


def _torch(tensor: Any, kinds: list[Any], values: list[Any]) -> None:
    address = tensor.data_ptr()
    values.append(address)
    kinds += tensor.shape, tensor.is_contiguous(), tensor.dtype, tensor.get_device(), address & LOW_BITS


def apart(kinds: list[Any]) -> tuple[tuple[Any, ...], list[tuple[int, ...]]]:
    """Kinds without shapes and strides, and these by themselves, in order."""
    shapes = [each for each in kinds if isinstance(each, tuple)]
    return tuple([each for each in kinds if not isinstance(each, tuple)]), shapes
