"""Which products are measured: shapes of models, rows, number formats; and in which order, the telling ones first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from tilevm.dtypes import dtype

__all__ = ["DECISIVE", "FORMATS", "ROWS", "SHAPES", "Case", "Weights", "plan"]

SHAPES: dict[str, tuple[tuple[int, int], ...]] = {
    "Llama-2-7B": ((12288, 4096), (4096, 4096), (22016, 4096), (4096, 11008)),
    "Llama-3-8B": ((6144, 4096), (4096, 4096), (28672, 4096), (4096, 14336)),
    "Llama-3-70B": ((10240, 8192), (8192, 8192), (57344, 8192), (8192, 28672)),
    "Llama-3-70B in four": ((2560, 8192), (8192, 2048), (14336, 8192), (8192, 7168)),
    "Qwen2.5-32B": ((7168, 5120), (5120, 5120), (55296, 5120), (5120, 27648)),
    "Qwen3-8B": ((6144, 4096), (24576, 4096), (4096, 12288)),
    "Gemma-2-9B": ((8192, 3584), (3584, 4096), (28672, 3584), (3584, 14336)),
    "one expert of Mixtral": ((28672, 4096), (4096, 14336)),
    "one expert of Qwen3-30B-A3B": ((1536, 2048), (2048, 768)),
    "one expert of DeepSeek-V3": ((4096, 7168), (7168, 2048)),
    "one expert of gpt-oss-20b": ((5760, 2880), (2880, 2880)),
    "awkward": ((4096, 10944), (4096, 7392), (4096, 1408), (4096, 192), (258, 4096), (32, 4096)),
}
"""(n, k) of the weights, by model: what a token goes through in a layer."""

DECISIVE = ((57344, 8192), (8192, 28672), (8192, 8192))
"""The shapes that the published figures are for."""

ROWS = (1, 2, 4, 8, 16, 32, 48, 64, 96, 128, 256, 512, 1024, 4096, 8192)

WIDTHS = ("u4", "u8", "u2", "u3", "u6", "u1", "u5", "u7", "f4e2m1", "f6e3m2", "f8e4m3", "f3e1m1", "f5e2m2", "f7e3m3")
FORMATS = (*WIDTHS, *(f"i{bits}" for bits in range(2, 9)), "f6e2m3", "f8e5m2", "nf4")
MAIN = ("u4", "u8", "f6e3m2", "f4e2m1")

NO_GROUP = 0
"""One group for each column."""


@dataclass(frozen=True)
class Weights:
    """The weights of a product: ``[k, n]`` codes of a format, a scale for each group of rows of each column."""

    n: int
    k: int
    format: str
    group: int = 128
    """Rows that share a scale; 0 for all of them."""
    scale: str = "f16"

    @property
    def groups(self) -> int:
        """Groups of a column."""
        return -(-self.k // self.group) if self.group else 1

    @property
    def nbytes(self) -> int:
        """Bytes of codes and scales."""
        return (self.n * self.k * dtype(self.format).bits + 7) // 8 + self.groups * self.n * dtype(self.scale).bits // 8

    def __str__(self) -> str:
        group = f"g{self.group}" if self.group else "channel"
        return f"{self.n} x {self.k} {self.format} {group} {self.scale}"


@dataclass(frozen=True)
class Case:
    """A product of ``m`` rows of activations with weights."""

    weights: Weights
    m: int

    @property
    def nbytes(self) -> int:
        """Bytes that have to move: weights, scales, activations and results, once."""
        return self.weights.nbytes + 2 * self.m * (self.weights.n + self.weights.k)

    @property
    def operations(self) -> int:
        """Multiplications and additions."""
        return 2 * self.m * self.weights.n * self.weights.k

    def __str__(self) -> str:
        return f"{self.m} x {self.weights}"


@cache
def plan() -> tuple[Case, ...]:
    """Every case, the most telling first.

    >>> cases = plan()
    >>> str(cases[0]), len(cases) == len(set(cases)), len(cases) > 10_000
    ('1 x 57344 x 8192 u4 g128 f16', True, True)
    """
    return tuple(dict.fromkeys(_cases()))


def _cases() -> Iterator[Case]:
    every = list(dict.fromkeys(shape for shapes in SHAPES.values() for shape in shapes))
    yield from _grid(DECISIVE, WIDTHS, (1, 16))
    yield from _grid(DECISIVE, MAIN, (64, 256, 4096))
    yield from _grid(every, MAIN, (1, 16, 256, 4096))
    for n, k in DECISIVE:
        for weights in _schemes(n, k):
            yield from (Case(weights, m) for m in (1, 16, 4096))
    yield from _grid(every, FORMATS, ROWS)
    for n, k in every:
        yield from (Case(weights, m) for weights in _schemes(n, k) for m in ROWS)


def _grid(shapes: Sequence[tuple[int, int]], formats: Sequence[str], rows: Sequence[int]) -> Iterator[Case]:
    for n, k in shapes:
        for format in formats:
            yield from (Case(Weights(n, k, format), m) for m in rows)


def _schemes(n: int, k: int) -> Iterator[Weights]:
    """Other groups, and block-scaled formats."""
    for group in (64, 32, NO_GROUP):
        yield Weights(n, k, "u4", group)
    for format in ("f4e2m1", "f6e3m2", "f6e2m3", "f8e4m3"):
        yield Weights(n, k, format, 32, "e8m0")
    yield Weights(n, k, "f4e2m1", 16, "f8e4m3")
