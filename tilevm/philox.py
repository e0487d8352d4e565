"""Random bits that are a function of a place and a seed: Philox4x32-10, the same on every machine.

Reference: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011. The language's ``random`` gives the same.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["philox", "random_words"]

Array: TypeAlias = NDArray[Any]


def random_words(places: NDArray[np.uint64], seeds: NDArray[np.uint64]) -> NDArray[np.uint32]:
    """32 random bits for each place and seed, which broadcast: the first word of Philox for the counter (low, high, 0,
    0) of the place and the key (low, high) of the seed.

    >>> [f"{word:08x}" for word in random_words(np.arange(2, dtype=np.uint64), np.zeros(1, np.uint64))]
    ['6627e8d5', 'f8e4cca4']
    """
    words: NDArray[np.uint32] = philox((*_halves(places), 0, 0), _halves(seeds))[0]
    return words


def _halves(numbers: Array) -> tuple[Array, Array]:
    """The low and the high word of 64-bit numbers."""
    return numbers.astype(np.uint32), (numbers >> np.uint64(32)).astype(np.uint32)


def philox(counter: tuple[Array | int, ...], key: tuple[Array | int, ...]) -> tuple[Array, ...]:
    """Philox4x32-10: four u32 words for each four-word counter and two-word key, which broadcast.

    >>> [f"{int(word):08x}" for word in philox((0, 0, 0, 0), (0, 0))]
    ['6627e8d5', 'e169c58d', 'bc57ac4c', '9b00dbd8']
    """
    words = [np.asarray(word, np.uint32) for word in counter]
    keys = [np.asarray(word, np.uint32) for word in key]
    with np.errstate(over="ignore"):
        for step in range(10):
            if step:
                keys = [keys[0] + np.uint32(0x9E3779B9), keys[1] + np.uint32(0xBB67AE85)]
            first = words[0].astype(np.uint64) * np.uint64(0xD2511F53)
            second = words[2].astype(np.uint64) * np.uint64(0xCD9E8D57)
            words = [
                (second >> np.uint64(32)).astype(np.uint32) ^ words[1] ^ keys[0],
                second.astype(np.uint32),
                (first >> np.uint64(32)).astype(np.uint32) ^ words[3] ^ keys[1],
                first.astype(np.uint32),
            ]
    return tuple(np.broadcast_arrays(*words))
