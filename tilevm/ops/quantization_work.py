"""What a call of ``tilevm.ops.quantize`` and its like comes to: a scheme as compile-time parameters of the kernels in
``quantization.tvm``, the tile of a thread block, and the launches.

A row that fits into the registers of a thread block is read once, however many rows, groups or blocks a tile holds; a
longer one that has a single scale is read twice, and so is a tensor that has a scale.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tilevm.dtypes import DType, dtype
from tilevm.errors import DTypeError
from tilevm.quantization.calibration import Absmax, calibration
from tilevm.quantization.hadamard import Hadamard, check_seed
from tilevm.quantization.scheme import SCHEMES, Scheme, changed
from tilevm.quantization.scheme import scheme as scheme_of
from tilevm.runtime.backends import lies_on_gpu
from tilevm.runtime.kernel import Module, load

__all__ = ["Quantized", "Work", "kernels", "order_of", "plain_tile", "signs_of", "where_it_lies"]

LONGEST_ROW = 32768
"""Numbers that the registers of 32 warps hold, 32 in each thread."""
LONGEST_TRANSFORM = 128
THREAD_NUMBERS = 32
LANES = 32
WARPS = 4
"""Warps of a thread block, where its tile needs no more."""
SCALINGS = {"up": 0, "nearest": 1, "floor": 2, "power": 3}
"""How scales are rounded, as ``quantization.tvm`` numbers it."""


class Quantized(NamedTuple):
    """Codes in the shape of the numbers; a scale for each block of them, and where the scheme has them zero points and
    a scale of the tensor, ``f32[1]``. They lie where the numbers do. As in a ``tilevm.QuantizedTensor``,

        x ≈ (code - zero) · (scale · tensor_scale)
    """

    codes: Any
    scales: Any
    zeros: Any = None
    tensor_scale: Any = None


def device_scheme(given: Scheme | DType | str, group: Any, scale_format: Any, parts: dict[str, Any]) -> Scheme:
    """The scheme of a call. Raises ``DTypeError`` D022 for one that no kernel follows, and what ``Scheme`` raises."""
    own = _row_scheme(given) or scheme_of(given)
    if group is not ...:
        parts = {**parts, "block": group}
    if scale_format is not None:
        parts = {**parts, "scale": scale_format}
    own = changed(own, **parts)
    own.check_zero_points()
    for holds, what in (
        (own.learned is not None, "learns its codebooks"),
        (own.second is not None, "quantises its scales again"),
        (not isinstance(calibration(own.calibration), Absmax), "is calibrated"),
        (own.scale_rounding not in SCALINGS, f"rounds its scales by `{own.scale_rounding}`"),
        (own.scale_rounding == "floor" and own.two_levels, "has two levels of powers of two"),
        (own.idle_scale != 1, f"has codes of {own.kind}, which has no 0"),
        (own.block == "tensor" and (own.zero is not None or own.two_levels), "has one block and more than its scale"),
    ):
        if holds:
            raise DTypeError(
                "D022", f"no kernel quantises by a scheme that {what}", help="tilevm.quantize does it on the host"
            )
    return own


def _row_scheme(given: Scheme | DType | str) -> Scheme | None:
    """A format alone: a scale in f32 for each row."""
    if isinstance(given, Scheme) or (isinstance(given, str) and given in SCHEMES):
        return None
    try:
        kind = dtype(given)
    except DTypeError:
        return None
    return Scheme(kind, None, "f32", zero="scale" if kind.kind == "uint" else None)


def settings_of(scheme: Scheme, stochastic: bool) -> dict[str, Any]:
    """The compile-time parameters that a scheme gives, of kernels for signed formats or those with zero points."""
    found: dict[str, Any] = {
        "Q": scheme.kind,
        "S": scheme.scale_kind,
        "SCALING": SCALINGS[scheme.scale_rounding],
        "EMAX": math.floor(math.log2(scheme.reach * scheme.unit)) if scheme.scale_rounding == "floor" else 0,
        "TWO_LEVELS": scheme.two_levels or scheme.unit != 1,
        "STOCHASTIC": stochastic,
    }
    if scheme.zero is None:
        return found | {"SYMMETRIC": scheme.symmetric and scheme.kind.kind == "int"}
    zeros = scheme.kind if scheme.zero == "code" else scheme.scale_kind
    return found | {"Z": zeros, "FLOAT_ZEROS": scheme.zero == "float"}


@dataclass(frozen=True, eq=False)
class Choice:
    """How numbers are quantised, whatever they are: made once for the arguments of calls that differ in no more."""

    scheme: Scheme
    stochastic: bool

    @cached_property
    def settings(self) -> dict[str, Any]:
        """What kernels take by name, but for the transform and the tile."""
        return settings_of(self.scheme, self.stochastic)

    @cached_property
    def unit(self) -> NDArray[np.float32]:
        """What scales are divided by where that does not depend on the numbers."""
        return np.array([self.scheme.unit], np.float32)


def choice(given: Scheme | DType | str, group: Any, scale_format: Any, rounding: str, parts: dict[str, Any]) -> Choice:
    """The choice of a call. Raises what ``device_scheme`` raises, and ``DTypeError`` D004 for another rounding."""
    arguments = (given, group, scale_format, rounding, tuple(sorted(parts.items())))
    try:
        return _choice(*arguments)
    except TypeError:  # an argument without a hash, which the scheme may refuse
        return _choice.__wrapped__(*arguments)


@lru_cache(maxsize=256, typed=True)
def _choice(
    given: Scheme | DType | str, group: Any, scale_format: Any, rounding: str, parts: tuple[tuple[str, Any], ...]
) -> Choice:
    own = device_scheme(given, group, scale_format, dict(parts))
    if rounding not in ("nearest_even", "stochastic"):
        raise DTypeError("D004", f"kernels round to nearest_even or stochastic, not {rounding!r}")
    return Choice(own, rounding == "stochastic")


@dataclass(frozen=True, eq=False)
class Work:
    """What is quantised, ``shape`` numbers that a kernel finds in ``x`` or computes from it, and how."""

    x: Any
    shape: tuple[int, ...]
    choice: Choice
    transform: Hadamard | None
    seed: int
    where: dict[str, Any]

    @classmethod
    def of(
        cls,
        x: Any,
        shape: tuple[int, ...],
        scheme: Scheme | DType | str,
        group: Any = ...,
        scale_format: DType | str | None = None,
        rounding: str = "nearest_even",
        seed: int = 0,
        transform: Hadamard | None = None,
        backend: str | None = None,
        target: str | None = None,
        **parts: Any,
    ) -> Work:
        """The work of a call, with the arguments of ``quantize``, which says what is raised."""
        found = choice(scheme, group, scale_format, rounding, parts)
        check_seed(seed)
        if transform is None and found.scheme.hadamard is not None:
            transform = Hadamard(1, found.scheme.hadamard, seed)
        return cls(x, shape, found, transform, seed, {"backend": backend, "target": target})

    @property
    def length(self) -> int:
        """The numbers of a row; 1 for what is no array, which the kernel refuses."""
        return self.shape[-1] if self.shape else 1

    @cached_property
    def order(self) -> int:
        """That of the Hadamard matrix."""
        return order_of(self.shape, self.transform)

    @cached_property
    def settings(self) -> dict[str, Any]:
        """What kernels take by name, but for the tile."""
        return self.choice.settings | {"HADAMARD": self.order} | self.where

    @property
    def signs(self) -> Any:
        """Those of the transform, where ``x`` lies."""
        return where_it_lies(signs_of(self.transform), self.x)

    def result(self) -> Quantized:
        """``x`` quantised."""
        scheme = self.choice.scheme
        if scheme.block == "tensor":
            return self._by_tensor()
        rows, group = block_of(scheme.block, self.length)
        long = group > LONGEST_ROW
        tile = {} if long else tile_of(self.length, rows, group, self.order)
        name = f"quantize{'_long' if long else ''}{'' if scheme.zero is None else '_zero'}"
        return self._launched(name, (self.x,), tile)

    def fused(self, name: str, *arrays: Any, **scalars: Any) -> Quantized:
        """What the kernel ``name`` computes of the arrays, quantised. Raises ``DTypeError`` D022 where it cannot."""
        scheme = self.choice.scheme
        if scheme.zero is not None or scheme.two_levels or scheme.block == "tensor":
            raise DTypeError(
                "D022", f"`{name}` has no zero points and no scale of the tensor", help="quantize has them"
            )
        rows, group = block_of(scheme.block, self.length)
        tile = tile_of(self.length, rows, group, self.order, whole_rows=name == "rms_norm_quantize")
        if tile["BLOCK"] * tile["ROWS"] > LONGEST_ROW:
            raise DTypeError("D022", f"`{name}` keeps up to {LONGEST_ROW} numbers in registers, not {self.length}")
        return self._launched(name, (self.x, *arrays), tile | scalars)

    def _launched(self, name: str, arrays: tuple[Any, ...], more: dict[str, Any]) -> Quantized:
        overall = self._tensor_scale()
        settings = self.settings
        made = kernels()[name](*arrays, self.signs, overall, seed=self.seed, **settings, **more)
        codes, scales, zeros = (*made, None)[:3]
        return Quantized(codes, scales, zeros, overall if settings["TWO_LEVELS"] else None)

    def _tensor_scale(self) -> Any:
        """What scales are divided by, ``f32[1]``: 1 where the scheme has nothing such."""
        scheme = self.choice.scheme
        if not scheme.two_levels:
            return where_it_lies(self.choice.unit, self.x)
        return kernels().scale_of_scales(self._tops(), Q=scheme.kind, S=scheme.scale_kind, **self.where)

    def _tops(self) -> Any:
        """The largest magnitude of each tile."""
        tile = plain_tile(self.length, self.order)
        return kernels().magnitudes(self.x, self.signs, HADAMARD=self.order, **tile, **self.where)

    def _by_tensor(self) -> Quantized:
        settings, overall = self.settings, self._tensor_scale()
        scaling = {name: settings[name] for name in ("Q", "S", "SCALING", "EMAX", "TWO_LEVELS")}
        scales = kernels().scale_of_tensor(self._tops(), overall, **scaling, **self.where)
        coding = {name: value for name, value in settings.items() if name not in ("SCALING", "EMAX")}
        tile = plain_tile(self.length, self.order)
        codes = kernels().quantize_scaled(self.x, self.signs, overall, scales, seed=self.seed, **coding, **tile)
        return Quantized(codes, scales, None, overall if settings["TWO_LEVELS"] else None)


@lru_cache(maxsize=64)
def signs_of(transform: Hadamard | None) -> NDArray[np.float32]:
    """The signs of a run; 1 for the transform of order 1."""
    return np.ones(1, np.float32) if transform is None else transform.signs


def where_it_lies(numbers: NDArray[np.float32], x: Any) -> Any:
    """A small array of the host, where x lies. On a GPU there is one copy of equal arrays, made once."""
    if not lies_on_gpu(x):
        return numbers
    from tilevm.runtime.device import current_device

    return _on_device(numbers.tobytes(), current_device().number)


@cache
def _on_device(data: bytes, device: int) -> Any:
    import cupy

    return cupy.asarray(np.frombuffer(data, np.float32))


@cache
def kernels() -> Module:
    """The kernels of ``quantization.tvm``."""
    return load(Path(__file__).with_name("quantization.tvm"))


def order_of(shape: tuple[int, ...], transform: Hadamard | None) -> int:
    """The order of the Hadamard matrix; that of order 1 changes nothing. Raises ``DTypeError`` D020, D022."""
    if transform is None:
        return 1
    if transform.axis != 1:
        raise DTypeError("D020", f"rows are transformed along axis 1, not along axis {transform.axis}")
    if transform.size > LONGEST_TRANSFORM:
        raise DTypeError("D022", f"kernels transform runs of up to {LONGEST_TRANSFORM} numbers, not {transform.size}")
    transform.check(shape)
    return transform.size


@lru_cache(maxsize=256, typed=True)
def block_of(block: int | tuple[int, ...] | str | None, length: int) -> tuple[int, int]:
    """The rows and columns of a block, powers of two; a block that is as long as a row is a longer one.

    Raises ``DTypeError`` D022 for one that is no power of two, or has more numbers than registers hold.

    >>> block_of((16, 32), 100), block_of(None, 100), block_of(128, 96)
    ((16, 32), (1, 128), (1, 128))
    """
    given = (length,) if block is None else block if isinstance(block, tuple) else (block,)
    if not 1 <= len(given) <= 2 or not all(isinstance(each, int | np.integer) and each >= 1 for each in given):
        if not (block is None and length == 0):
            raise DTypeError("D011", f"a group of {block!r} is none", help="an integer, extents like (16, 16), or None")
        given = (1,)
    rows, group = (int(each) for each in ((1, *given)[-2:]))
    if group >= length:
        group = 1 << max(0, length - 1).bit_length()
    if rows & (rows - 1) or group & (group - 1):
        raise DTypeError("D022", f"kernels quantise in blocks of powers of two, not {rows} x {group}")
    if rows * group > LONGEST_ROW and (rows > 1 or group < length):
        raise DTypeError("D022", f"blocks have up to {LONGEST_ROW} numbers unless they are rows, not {rows} x {group}")
    return rows, group


@lru_cache(maxsize=256, typed=True)
def tile_of(length: int, rows: int, group: int, order: int, whole_rows: bool = False) -> dict[str, Any]:
    """The compile-time parameters that say on how many numbers a thread block works; all are powers of two.

    Each thread computes the scales of its blocks, so it has runs of as many numbers as registers allow; where rows have
    one scale, runs of half as many are nearer to those of the next thread.
    """
    whole = 1 << max(0, length - 1).bit_length()
    run = LANES if order > LANES // 2 or group < whole else LANES // 2
    least = WARPS * LANES * run
    block = max(group, order, run, whole if whole_rows else min(whole, least // rows))
    tile_rows = max(rows, least // block)
    warps = max(WARPS, tile_rows * block // (LANES * THREAD_NUMBERS))
    return {"GROUP": group, "GROUP_ROWS": rows, "ROWS": tile_rows, "BLOCK": block, "RUN": run, "WARPS": warps}


def plain_tile(length: int, order: int) -> dict[str, Any]:
    """The same for kernels without blocks."""
    tile = tile_of(length, 1, 1, order)
    return {name: tile[name] for name in ("ROWS", "BLOCK", "RUN", "WARPS")}
