"""Random programs on tiles: loads, casts, views, arithmetic, reductions, products, movements, shared memory, loops.

Every program is well typed by construction, and says nothing that machines may answer differently: sums and products
of floats are taken only of small integers, so that they are exact in any order. So all backends give the same bits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import strategies as st

import tilevm
from tilevm.dtypes import dtype

FORMATS = (
    "u1 u2 u3 u4 u5 u6 u7 u8 i2 i3 i4 i5 i6 i7 i8 u16 i16 u32 i32 f16 bf16 f32 f8e4m3 f8e5m2 f6e3m2 f5e2m2 f4e2m1 nf4"
).split()
SMALL = "u2 u3 u4 i2 i3 i4 i5".split()
COMPUTED = "f16 bf16 f32 i32 u32 i16 u8 i8".split()
EXACT = {"f32": 2**24, "f16": 2**11, "bf16": 2**8, "i32": 2**31}
"""Below which magnitude every integer is a number of the format."""
SHAPES = [(32,), (64,), (8, 16), (16, 16), (4, 32), (2, 8, 8), (16, 1), (1, 32), (3, 32), (96,), (16, 6)]


@dataclass(frozen=True)
class Tile:
    """A variable; ``bound`` is the largest magnitude of the integers that it holds, None where it holds others."""

    name: str
    format: str
    shape: tuple[int, ...]
    bound: int | None = None


@dataclass
class RandomProgram:
    """A program as text, with arguments for its inputs and the names of what it writes."""

    text: str
    arguments: dict[str, Any] = field(repr=False)
    outputs: list[str] = field(default_factory=list)


@st.composite
def tile_programs(draw: st.DrawFn) -> RandomProgram:
    """A kernel ``k`` of two blocks, with inputs ``x0`` … and outputs ``y0`` …."""
    return _Writer(draw, draw(st.sampled_from([1, 2, 4]))).program()


class _Writer:
    def __init__(self, draw: Any, warps: int) -> None:
        self.draw = draw
        self.warps = warps
        self.lines: list[str] = []
        self.tiles: list[Tile] = []
        self.inputs: list[tuple[str, str, tuple[int, ...]]] = []
        self.count = 0

    # Draws

    def one(self, choices: Any) -> Any:
        return self.draw(st.sampled_from(list(choices)))

    def name(self) -> str:
        self.count += 1
        return f"t{self.count}"

    def tile(self, *formats: str) -> Tile | None:
        fitting = [each for each in self.tiles if not formats or each.format in formats]
        return self.one(fitting) if fitting else None

    def layout(self, shape: tuple[int, ...]) -> str:
        """A register layout of the shape for the block's threads, written as digits; now and then none."""
        if self.draw(st.integers(0, 3)):
            return ""
        threads, stride, slots = 32 * self.warps, 1, 1
        dims: list[list[str]] = [[] for _ in shape]
        rest = list(shape)
        while any(extent > 1 for extent in rest):
            dim = self.one([number for number, extent in enumerate(rest) if extent > 1])
            size = self.one([n for n in range(2, rest[dim] + 1) if rest[dim] % n == 0])
            if (threads // stride) % size == 0 and self.draw(st.booleans()):
                digit, stride = f"{size}:T{stride}", stride * size
            else:
                digit, slots = f"{size}:R{slots}", slots * size
            dims[dim].insert(0, digit)
            rest[dim] //= size
        if slots > 256:
            return ""
        written = " | ".join(" ".join(digits) or "1" for digits in dims)
        rep = f"; rep {threads // stride}:T{stride}" if stride < threads else ""
        return f" @ [{','.join(map(str, shape))}]{{{written}{rep}}}"

    def make(self, expression: str, format: str, shape: tuple[int, ...], bound: int | None = None) -> Tile:
        made = Tile(self.name(), format, shape, bound)
        self.lines.append(f"{made.name} = {expression}{self.layout(shape)}")
        self.tiles.append(made)
        return made

    # Statements

    def write_load(self) -> None:
        format, shape = self.one(FORMATS if self.draw(st.booleans()) else SMALL), self.one(SHAPES)
        extents = tuple(extent + self.one([0, 0, 0, -1, 3, 16]) for extent in shape)
        if min(extents) < 1:
            extents = shape
        name = f"x{len(self.inputs)}"
        self.inputs.append((name, format, extents))
        starts = [self.one(["0", "0", "0", "b", "2 * b", "-1", "3"]) for _ in shape]
        window = ", ".join(f"{start} :+ {extent}" for start, extent in zip(starts, shape, strict=True))
        bound = 2 ** dtype(format).bits if format in SMALL else None
        self.make(f"load({name}[{window}])", format, shape, bound)

    def write_cast(self) -> None:
        x = self.tile()
        if x is None or x.format == "u1":
            return
        exact = [to for to, limit in EXACT.items() if x.bound is not None and x.bound <= limit]
        target = self.one(exact if exact and self.draw(st.booleans()) else [*COMPUTED, "f8e4m3", "u4", "i3", "f6e3m2"])
        kept = x.bound if target in exact and (target[0] in "fb" or x.format[0] == target[0]) else None
        self.make(f"cast({x.name}, {target})", target, x.shape, kept)

    def write_arithmetic(self) -> None:
        a = self.tile(*COMPUTED)
        if a is None:
            return
        others = [each for each in self.tiles if each.format == a.format and _broadcast(a.shape, each.shape)]
        b = self.one(others)
        operators = ["+", "-", "*"] + (["&", "|", "^", "//", "%"] if a.format[0] in "iu" else ["/"])
        operator = self.one(operators)
        bound = None
        if a.bound is not None and b.bound is not None and operator in "+-*":
            bound = a.bound * b.bound if operator == "*" else a.bound + b.bound
            bound = bound if bound <= EXACT.get(a.format, 0) and a.format[0] != "u" else None
        self.make(f"{a.name} {operator} {b.name}", a.format, _broadcast(a.shape, b.shape) or (), bound)

    def write_choice(self) -> None:
        a = self.tile(*COMPUTED)
        if a is None:
            return
        b = self.one([each for each in self.tiles if each.format == a.format and each.shape == a.shape])
        bound = max(a.bound, b.bound) if a.bound is not None and b.bound is not None else None
        form = self.one(
            ["minimum({a}, {b})", "maximum({a}, {b})", "where({a} < {b}, {a}, {b})", "where({a} != {b}, {b}, {a})"]
        )
        self.make(form.format(a=a.name, b=b.name), a.format, a.shape, bound)

    def write_reduction(self) -> None:
        x = self.tile(*COMPUTED)
        if x is None or len(x.shape) < 2:
            return
        axis = self.one(range(len(x.shape)))
        shape = (*x.shape[:axis], *x.shape[axis + 1 :])
        limit = EXACT.get(x.format, 0)
        exact = x.format[0] in "iu" or (x.bound is not None and x.bound * x.shape[axis] <= limit)
        call = self.one(["max", "min", *(["sum", "cumsum"] if exact else [])])
        bound = None if x.bound is None else x.bound * (x.shape[axis] if "sum" in call else 1)
        bound = bound if bound is not None and bound <= limit else None
        self.make(f"{call}({x.name}, axis={axis})", x.format, x.shape if call == "cumsum" else shape, bound)

    def write_product(self) -> None:
        format = self.one(["f16", "bf16", "f16"])
        m, n, k = (self.one(sizes) for sizes in ([16, 32], [8, 16, 32], [16, 32]))
        factors = []
        for shape in ((m, k), (k, n)):
            name, small = f"x{len(self.inputs)}", self.one(SMALL)
            self.inputs.append((name, small, shape))
            tile = self.make(f"load({name}[0 :+ {shape[0]}, 0 :+ {shape[1]}])", small, shape, 2 ** dtype(small).bits)
            factors.append(self.make(f"cast({tile.name}, {format})", format, shape, tile.bound))
        a, b = factors
        assert a.bound is not None
        assert b.bound is not None
        self.make(f"dot({a.name}, {b.name}, zeros(f32, [{m}, {n}]))", "f32", (m, n), a.bound * b.bound * k)

    def write_movement(self) -> None:
        x = self.tile()
        if x is None:
            return
        forms: list[tuple[str, tuple[int, ...]]] = [(f"{x.name}[None]", (1, *x.shape))]
        order = self.draw(st.permutations(range(len(x.shape))))
        forms.append((f"permute({x.name}, {', '.join(map(str, order))})", tuple(x.shape[axis] for axis in order)))
        forms.append((f"reshape({x.name}, [{math.prod(x.shape)}])", (math.prod(x.shape),)))
        if x.shape[0] % 2 == 0:
            forms.append((f"slice({x.name}, 0, {x.shape[0] // 2}, {x.shape[0] // 2})", (x.shape[0] // 2, *x.shape[1:])))
            forms.append((f"reshape({x.name}, [2, {math.prod(x.shape) // 2}])", (2, math.prod(x.shape) // 2)))
        if math.prod(x.shape) <= 512:
            forms.append((f"concat({x.name}, {x.name}, axis=-1)", (*x.shape[:-1], 2 * x.shape[-1])))
            forms.append((f"broadcast({x.name}, [2, {', '.join(map(str, x.shape))}])", (2, *x.shape)))
        text, shape = self.one(forms)
        if len(shape) <= 3:
            self.make(text, x.format, shape, x.bound)

    def write_view(self) -> None:
        """The bytes of each thread as elements of another width, and so that the threads' order is seen."""
        threads, bytes_each = 32 * self.warps, self.one([3, 4, 6, 8])
        name = f"x{len(self.inputs)}"
        self.inputs.append((name, "u8", (threads * bytes_each,)))
        lies = f"spatial({threads}) * local({bytes_each})"
        raw = Tile(self.name(), "u8", (threads * bytes_each,))
        self.lines.append(f"{raw.name} = load({name}[0 :+ {threads * bytes_each}]) @ {lies}")
        format = self.one([each for each in FORMATS if bytes_each * 8 % dtype(each).bits == 0 and each != "u8"])
        slots = bytes_each * 8 // dtype(format).bits
        made = Tile(self.name(), format, (threads * slots,))
        self.lines.append(f"{made.name} = view({raw.name}, {format}, spatial({threads}) * local({slots}))")
        self.tiles += [raw, made]

    def write_shared(self) -> None:
        x = self.tile()
        if x is None or math.prod(x.shape) * dtype(x.format).bits % 8:
            return
        name = self.name()
        self.lines.append(f"{name} = shared({x.format}, [{', '.join(map(str, x.shape))}])")
        self.lines.append(f"store({name}, {x.name})")
        self.lines.append("sync()")
        self.make(f"load({name})", x.format, x.shape, x.bound)

    def write_loop(self) -> None:
        x = self.tile("i32", "u32", "i16", "u8")
        if x is None:
            return
        carried = Tile(self.name(), x.format, x.shape)
        self.lines.append(f"{carried.name} = {x.name}")
        self.lines.append(f"for i in range({self.one(['3', 'b + 1', '0'])}):")
        inside = f"{carried.name} * 3 + {x.name}" if self.draw(st.booleans()) else f"{carried.name} ^ {x.name}"
        self.lines.append(f"    {carried.name} = {inside}")
        self.tiles.append(carried)

    def program(self) -> RandomProgram:
        kinds = (
            "load load cast cast cast arithmetic arithmetic choice reduction reduction "
            "product movement movement view shared loop"
        ).split()
        self.write_load()
        for kind in self.draw(st.lists(st.sampled_from(kinds), min_size=2, max_size=9)):
            getattr(self, f"write_{kind}")()
        shown = self.tiles[-4:]
        outputs = [f"y{number}" for number in range(len(shown))]
        parameters = [f"{name}: {format}[{_sizes(shape)}]" for name, format, shape in self.inputs]
        for output, tile in zip(outputs, shown, strict=True):
            # Each of the two blocks writes to a place of its own, in whole bytes.
            parameters.append(f"out {output}: {tile.format}[2, {_sizes(tile.shape)}]")
            window = ", ".join(f"0 :+ {extent}" for extent in tile.shape)
            self.lines.append(f"store({output}[b, {window}], {tile.name})")
        body = "\n    ".join(["b = block_index(0)", *self.lines])
        text = f"kernel k({', '.join(parameters)}):\n    grid 2\n    warps {self.warps}\n    {body}\n"
        return RandomProgram(text, self.arguments(), outputs)

    def arguments(self) -> dict[str, Any]:
        numbers = np.random.default_rng(self.draw(st.integers(0, 2**16)))
        made = {}
        for name, format, shape in self.inputs:
            kind = dtype(format)
            codes = numbers.integers(0, 2**kind.bits, shape, dtype=np.uint64).astype(kind.storage)
            made[name] = tilevm.PackedArray.from_codes(codes, kind)
        return made


def _sizes(shape: tuple[int, ...]) -> str:
    return ", ".join(map(str, shape))


def _broadcast(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...] | None:
    try:
        shape = np.broadcast_shapes(a, b)
    except ValueError:
        return None
    return shape if math.prod(shape) <= 2048 else None
