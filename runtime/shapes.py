"""Sizes of a launch: bound from the shapes of the arguments, checked against each other, ``require`` and the grid.

A parameter ``scale: f16[K // 128, N]`` says two things: the second extent *is* ``N``, the first must *equal*
``K // 128``. So plain symbols are bound first, from the first argument that has them, and everything else is compared
with what they give. A symbol that no given array has (a size of an ``out`` alone) is given by keyword.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tilevm.errors import ArgumentError, Diagnostic, Related
from tilevm.ir import Program
from tilevm.sizes import Size, Symbol, evaluate, symbols, text
from tilevm.values import TensorType, Value

__all__ = ["LARGEST_SIZE", "bind_sizes", "check_launch", "grid_of"]

LARGEST_SIZE = 2**31 - 1
"""Sizes are ``i32`` values in a program."""

LARGEST_GRID = (2**31 - 1, 65535, 65535)
"""Blocks along each axis of a grid (CUDA C++ Programming Guide, table of compute capabilities)."""

Shape = tuple[int, ...]


def bind_sizes(program: Program, shapes: Mapping[str, Shape], given: Mapping[str, int]) -> dict[str, int]:
    """The value of every size of a program.

    ``shapes`` are those of the arrays that were passed, by parameter; ``given`` the sizes passed by keyword. Raises
    ``ArgumentError`` with every mistake found: A006 wrong rank, A020 an extent above 2^31 - 1, A007 a size that is not
    the same everywhere, A008 a size that nothing gives.
    """
    binder = _Binder(given)
    passed = [value for value in program.tensors if value.name in shapes]
    fitting = [value for value in passed if binder.check_rank(value, shapes[value.name])]
    for value in fitting:
        binder.bind_symbols(value, shapes[value.name])
    if not binder.mistakes:
        for value in fitting:
            binder.compare(value, shapes[value.name])
    if not binder.mistakes:
        for size in program.sizes:
            binder.require_bound(size, program)
    if binder.mistakes:
        raise ArgumentError.of(binder.mistakes)
    return binder.bound


class _Binder:
    """Gathers sizes, where each came from, and the mistakes."""

    def __init__(self, given: Mapping[str, int]) -> None:
        self.bound = dict(given)
        self.origins = dict.fromkeys(given, "the call")
        self.mistakes: list[Diagnostic] = []

    def check_rank(self, value: Value, shape: Shape) -> bool:
        kind = _tensor(value)
        if len(shape) != len(kind.shape):
            self.mistake(
                "A006",
                value,
                f"`{value.name}` has {_dimensions(len(shape))}, shape {list(shape)}; "
                f"the kernel takes {_dimensions(len(kind.shape))}: {_declared(value)}",
                help="reshape it",
            )
            return False
        for axis, extent in enumerate(shape):
            if extent > LARGEST_SIZE:
                self.mistake(
                    "A020",
                    value,
                    f"dimension {axis} of `{value.name}` is {extent}; sizes are i32, at most {LARGEST_SIZE}",
                    help="split the array, or give it more dimensions",
                )
                return False
        return True

    def bind_symbols(self, value: Value, shape: Shape) -> None:
        for size, extent in zip(_tensor(value).shape, shape, strict=True):
            if not isinstance(size, Symbol):
                continue
            known = self.bound.setdefault(size.name, extent)
            origin = self.origins.setdefault(size.name, f"`{value.name}`")
            if known != extent:
                self.mistake("A007", value, f"{size} is {known} in {origin} but {extent} in `{value.name}`")

    def compare(self, value: Value, shape: Shape) -> None:
        for axis, (size, extent) in enumerate(zip(_tensor(value).shape, shape, strict=True)):
            if isinstance(size, Symbol):
                continue
            unbound = [name for name in symbols(size) if name not in self.bound]
            if unbound:
                self.mistakes.append(_unknown(unbound[0], value))
                continue
            expected = evaluate(size, self.bound)
            if expected != extent:
                taken = self._explained(size, expected)
                message = f"dimension {axis} of `{value.name}` is {extent}, but the kernel takes {taken}"
                self.mistake("A007", value, message)

    def _explained(self, size: Size, value: int) -> str:
        """``K // 128 = 32, where K is 4096 in `x```."""
        if isinstance(size, int):
            return str(size)
        names = dict.fromkeys(symbols(size))
        where = " and ".join(f"{name} is {self.bound[name]} in {self.origins[name]}" for name in names)
        return f"{text(size)} = {value}, where {where}"

    def require_bound(self, size: Value, program: Program) -> None:
        if size.name in self.bound:
            return
        users = (value for value in program.tensors if any(size.name in symbols(each) for each in _tensor(value).shape))
        self.mistakes.append(_unknown(size.name, next(users, size)))

    def mistake(self, code: str, value: Value, message: str, help: str | None = None) -> None:
        self.mistakes.append(Diagnostic(code, message, argument=value.name, related=_place(value), help=help))


def _unknown(name: str, value: Value) -> Diagnostic:
    return Diagnostic(
        "A008",
        f"nothing says what the size {name} is",
        argument=value.name,
        related=_place(value),
        help=f"pass an array that has it, or the size by name: {name}=…",
    )


def check_launch(program: Program, sizes: Mapping[str, int]) -> None:
    """Checks ``require`` and the grid.

    Raises ``ArgumentError`` with every mistake: A018 for a condition that is not met, A019 for a grid out of range.
    """
    mistakes = [*_unmet(program, sizes), *_bad_grid(program, sizes)]
    if mistakes:
        raise ArgumentError.of(mistakes)


def _unmet(program: Program, sizes: Mapping[str, int]) -> Iterator[Diagnostic]:
    for require in program.requires:
        if evaluate(require.condition, sizes):
            continue
        names = dict.fromkeys(symbols(require.condition))
        values = ", ".join(f"{name} = {sizes[name]}" for name in names)
        message = f"kernel `{program.name}` requires {text(require.condition)}"
        message += f"; here {values}" if values else ""
        related = () if require.span is None else (Related(require.span, "required here"),)
        yield Diagnostic("A018", message, related=related, help=require.message or None)


def grid_of(program: Program, sizes: Mapping[str, int]) -> Shape:
    """The extents of the grid, in blocks."""
    return tuple(evaluate(extent, sizes) for extent in program.grid)


def _bad_grid(program: Program, sizes: Mapping[str, int]) -> Iterator[Diagnostic]:
    for axis, (extent, count, largest) in enumerate(
        zip(program.grid, grid_of(program, sizes), LARGEST_GRID, strict=False)
    ):
        if not 0 <= count <= largest:
            written = "" if isinstance(extent, int) else f"{text(extent)} = "
            yield Diagnostic(
                "A019",
                f"the grid of kernel `{program.name}` has {written}{count} blocks along axis {axis}; "
                f"it may have 0 to {largest}",
                span=program.span,
            )


def _tensor(value: Value) -> TensorType:
    assert isinstance(value.type, TensorType)
    return value.type


def _declared(value: Value) -> str:
    return f"{value.name}: {value.type}"


def _dimensions(count: int) -> str:
    return f"{count} dimension" if count == 1 else f"{count} dimensions"


def _place(value: Value) -> tuple[Related, ...]:
    return () if value.span is None else (Related(value.span, "declared here"),)
