"""What the quantised product is made of, for every format of 1 to 8 bits, read from machine code without a GPU.

    python -m benchmarks.static_matmul [--file F --kernel K --set NAME=VALUE … --rows M --device h200] [--write]

The kernel is compiled with the parameters that are given, or with ``--choose`` with the tile that the cost model finds
fastest for each width among those of its ``tune`` clauses. For each format: instructions of a lane for each weight in
the main loop, beside the budget that the device's bandwidth leaves; how wide weights are loaded; registers and spills;
passes through the banks of shared memory beside the fewest, counted by the simulator in a run of the emitted source;
bytes in flight on a multiprocessor, predicted time and floor from the cost model. Triton's machine code for the plain
product of 4-bit weights is read beside it, where Triton is installed. ``--write`` puts the table in
``benchmarks/results/static_matmul.json``, from which ``python -m benchmarks.report`` makes a section of
docs/performance.md.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

import tilevm
from benchmarks.stages import ROOT
from tilevm import UsageError
from tilevm.devices import Device, device
from tilevm.dtypes import F16, dtype
from tilevm.ir import Program
from tilevm.ops.matmul import tiles_for
from tilevm.ops.weight_parts import stored_as
from tilevm.runtime.command_input import assignments, compile_time, random_array, size_assignments
from tilevm.runtime.compiled import CompiledKernel
from tilevm.runtime.cost import Cost, predict, work_of_program
from tilevm.runtime.cost.compiled_cost import checked_sizes
from tilevm.runtime.cubin import disassemble
from tilevm.runtime.kernel import Kernel
from tilevm.runtime.launch import shape_of
from tilevm.runtime.sass import read_sass
from tilevm.runtime.simulated import simulate
from tilevm.runtime.specialisation import divisor_class
from tilevm.runtime.terminal import show_table
from tilevm.runtime.tuning.space import candidates
from tilevm.values import ScalarType

__all__ = ["FORMATS", "PATH", "Peer", "Row", "budget", "main", "section"]

PATH = ROOT / "benchmarks" / "results" / "static_matmul.json"
SCHEMA = 1
FORMATS = (
    *(f"{kind}{bits}" for kind in "ui" for bits in range(1, 9)),
    *"f3e1m1 f4e2m1 f5e2m2 f6e2m3 f6e3m2 f7e3m3 f8e4m3 f8e5m2".split(),
)
SIZES = {"N": 8192, "K": 8192}
GROUP = 128
LOWERED, COMPILED = 12, 3
"""Of the candidates for a tile so many are lowered, and so many compiled, the most promising ones."""

SIMULATED = {"M": 16, "N": 512, "K": 384, "G": 6}
"""A launch that is small enough to be simulated, and goes through the pipeline more than once."""


@dataclass(frozen=True)
class Row:
    """A format of the weights."""

    format: str
    parameters: Mapping[str, Any]
    """The compile-time parameters that were chosen."""
    instructions_per_weight: float
    budget: float
    main_loop: float
    loads: Mapping[str, int]
    weight_widths: Sequence[int]
    """Bytes of every instruction that moves weights, from global memory to registers."""
    registers: int
    spilled_bytes: int
    wavefronts: int
    ideal_wavefronts: int
    in_flight_bytes: float
    predicted_us: float
    bound: str
    floor_us: float


@dataclass(frozen=True)
class Peer:
    """Another's machine code for the product of 4-bit weights; the reason where there is none."""

    who: str
    architecture: str
    instructions_per_weight: float | None
    loads: Mapping[str, int]
    reason: str = ""


def budget(on: Device, bits: int) -> float:
    """Instructions of a lane for each weight of so many bits, if weights arrive at the bandwidth of memory and each
    warp scheduler issues one instruction a clock.

    >>> f"{budget(device('h200'), 4):.2f} {budget(device('h200'), 1):.2f}"
    '3.60 0.90'
    """
    issued = on.multiprocessors * on.clock_ghz * 4 * 32
    return issued / (on.dram_gbps * 8 / bits)


def rows(
    kernel: Kernel,
    bindings: Mapping[str, Any],
    sizes: Mapping[str, int],
    on: Device,
    *,
    simulated: bool,
    choose: bool,
    scratch: Sequence[str] = (),
    formats: Sequence[str] = FORMATS,
) -> Iterator[Row]:
    """A row for each format that the kernel takes. The tile is chosen once for each width."""
    found: dict[int, list[dict[str, Any]]] = {}
    for name in formats:
        bits = dtype(name).bits
        fixed, tile = settings_of(kernel, bindings, name, sizes)
        if bits not in found:
            found[bits] = promising(kernel, fixed, sizes, on) if choose else [tile]
        configs = [{**config, **fixed} for config in found[bits]]
        compiled = [_compiled(kernel, config, sizes, on) for config in configs]
        costs = [each.cost(sizes, on.name, machine_code=True, weights="w", scratch=scratch) for each in compiled]
        best = min(range(len(configs)), key=lambda place: (bool(costs[place].spilled_bytes), _rank(costs[place])))
        parameters = {key: value for key, value in configs[best].items() if key not in fixed}
        yield _row(name, parameters, compiled[best], costs[best], simulated)


def settings_of(
    kernel: Kernel, bindings: Mapping[str, Any], name: str, sizes: Mapping[str, int]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What is bound for weights of a format, and the tile: those of ``tilevm.ops.matmul`` for its kernels.

    >>> kernel = tilevm.load(ROOT / "tilevm/ops/matmul.tvm").matmul
    >>> settings_of(kernel, {"WN": 1}, "i4", {"M": 1, **SIZES})[0]
    {'RAW': True, 'MIDDLE': 8, 'WN': 1, 'W': dtype('u4')}
    """
    known = {each.name for each in kernel.definition.compile_time}
    if "RAW" not in known:
        return {**bindings, "W": name}, {}
    stored, raw = stored_as(dtype(name), bindings.get("GROUP", GROUP), F16)
    tile = tiles_for(sizes["M"], sizes["N"], bindings.get("GROUP", GROUP), stored.bits)
    return {**raw, **bindings, "W": stored}, {key: value for key, value in tile.items() if key not in bindings}


def promising(kernel: Kernel, fixed: Mapping[str, Any], sizes: Mapping[str, int], on: Device) -> list[dict[str, Any]]:
    """The configurations of the kernel's ``tune`` clauses that the cost model finds best from the program alone."""
    ranked = []
    for config in candidates(kernel.definition, None, fixed):
        try:
            program = kernel.specialise(**config)
            whole = checked_sizes(program, sizes)
        except tilevm.TilevmError:
            continue  # what the kernel refuses is no candidate
        ranked.append((_rank(predict(work_of_program(program, whole), on)), dict(config)))
    lowered = []
    for _, config in sorted(ranked, key=lambda each: each[0])[:LOWERED]:
        try:
            cost = _compiled(kernel, config, sizes, on).cost(sizes, on.name, machine_code=False)
        except tilevm.OutOfResources:
            continue
        lowered.append((_rank(cost), config))
    return [config for _, config in sorted(lowered, key=lambda each: each[0])[:COMPILED]]


def _rank(cost: Cost) -> tuple[float, float]:
    """The predicted time, then what all parts of the device need."""
    return cost.predicted_microseconds, sum(each.microseconds for each in cost.bounds)


def _compiled(kernel: Kernel, config: Mapping[str, Any], sizes: Mapping[str, int], on: Device) -> CompiledKernel:
    divisible = {size: divisor_class(value) for size, value in sizes.items()}
    return kernel.compile(on.arch.name, divisible=divisible, **config)


def _row(name: str, parameters: Mapping[str, Any], compiled: CompiledKernel, cost: Cost, simulated: bool) -> Row:
    loop = cost.main_loop
    assert loop is not None
    assert loop.instructions_per_weight is not None
    passes = conflicts(compiled.program, cost.device.arch.name) if simulated else (0, 0)
    return Row(
        format=name,
        parameters=parameters,
        instructions_per_weight=loop.instructions_per_weight,
        budget=budget(cost.device, dtype(name).bits),
        main_loop=loop.instructions,
        loads=loop.loads,
        weight_widths=_weight_widths(cost),
        registers=cost.registers or 0,
        spilled_bytes=cost.spilled_bytes or 0,
        wavefronts=passes[0],
        ideal_wavefronts=passes[1],
        in_flight_bytes=cost.in_flight_bytes,
        predicted_us=cost.predicted_microseconds,
        bound=cost.bound,
        floor_us=cost.floor.microseconds,
    )


def _weight_widths(cost: Cost) -> list[int]:
    """The widths of what brings weights to registers: from the tensor, and from the tile that it is copied to."""
    lines = {each.line for each in cost.work.traffic if each.memory == "w" and not each.shared}
    tiles = {each.memory for each in cost.work.traffic if each.shared and each.asynchronous and each.line in lines}
    return sorted({each.width for each in cost.work.traffic if each.memory in {"w", *tiles}})


def conflicts(program: Program, architecture: str) -> tuple[int, int]:
    """Passes through the banks of shared memory of a simulated launch, and the fewest that would do."""
    sizes = {size.name: SIMULATED.get(size.name, 1) for size in program.sizes}
    arguments: dict[str, Any] = dict(sizes)
    for seed, value in enumerate(program.parameters):
        if isinstance(value.type, ScalarType):
            arguments[value.name] = 1.0
        elif value.type.access != "out":  # type: ignore[union-attr]
            array = random_array(value.name, shape_of(value, sizes), value.dtype, seed)
            # What blocks tell each other begins as zeros.
            arguments[value.name] = array if value.type.access == "in" else np.zeros_like(array)  # type: ignore[union-attr]
    simulation, _ = simulate(program, arguments, arch=architecture)
    simulation.check()
    counts = simulation.lines.values()
    return sum(each.wavefronts for each in counts), sum(each.ideal_wavefronts for each in counts)


def peers() -> Iterator[Peer]:
    """Triton's plain product of 4-bit weights, for two architectures."""
    try:
        from benchmarks import triton_product
    except ImportError as error:
        yield Peer("Triton, plain", "", None, {}, f"Triton is not installed: {error}")
        return
    for capability in (80, 90):
        made = triton_product.machine_code(capability)
        (kernel,) = read_sass(disassemble(made.cubin)).values()
        loop = kernel.main_loop()
        assert loop is not None
        weights = math.prod(triton_product.TILE[1:]) / (32 * triton_product.WARPS)
        tile = "x".join(map(str, triton_product.TILE))
        name = f"Triton {made.version}, plain, tile {tile}"
        yield Peer(name, f"sm_{capability}", loop.count / weights, loop.loads())


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the table, and writes it if asked to."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--file", default="tilevm/ops/matmul.tvm", help="the program, relative to the repository")
    parser.add_argument("--kernel", default="matmul")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a compile-time parameter")
    parser.add_argument("--rows", type=int, default=16, help="rows of the activations")
    parser.add_argument("--sizes", action="append", default=[], metavar="NAME=SIZE", help="further sizes of the kernel")
    parser.add_argument(
        "--scratch", action="append", default=[], metavar="NAME", help="tensors that the floor leaves out"
    )
    parser.add_argument("--device", default="h200")
    parser.add_argument("--no-simulator", action="store_true", help="leave out bank conflicts")
    parser.add_argument("--choose", action="store_true", help="the tile that the cost model finds fastest")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args(arguments)
    kernel = tilevm.load(ROOT / given.file)[given.kernel]
    bindings = compile_time(kernel.definition, assignments("--set", given.set))
    on = device(given.device)
    sizes = {"M": given.rows, **SIZES, **size_assignments("--sizes", given.sizes)}
    simulated, choose = not given.no_simulator, given.choose
    found = list(rows(kernel, bindings, sizes, on, simulated=simulated, choose=choose, scratch=given.scratch))
    others = list(peers())
    result = {
        "schema": SCHEMA,
        "kind": "static_matmul",
        "file": given.file,
        "kernel": given.kernel,
        "set": given.set,
        "sizes": sizes,
        "device": on.name,
        "architecture": on.arch.name,
        "rows": [asdict(each) for each in found],
        "peers": [asdict(each) for each in others],
    }
    show_table(_title(result), COLUMNS, _cells(result), numbers=NUMBERS)
    for each in others:
        print(_peer(asdict(each)))
    if given.write:
        PATH.parent.mkdir(exist_ok=True)
        PATH.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


# The page

MARLIN = (
    "- Marlin, sm_80, tile 16x256x64: about 2.6 instructions a weight, counted once by hand and not by this script\n"
)
COLUMNS = (
    *("weights", "instructions a weight", "budget", "bytes a load", "registers", "spilled", "passes: least"),
    *("in flight", "predicted µs", "bound", "floor µs", "tile"),
)
NUMBERS = tuple(name for name in COLUMNS if name not in ("weights", "bound", "tile"))


def _title(result: Mapping[str, Any]) -> str:
    sizes = ", ".join(f"{name} = {value}" for name, value in result["sizes"].items())
    how = " ".join(result["set"])
    return f"{result['kernel']} of {result['file']}{' with ' + how if how else ''}, {sizes}, {result['architecture']}"


def _cells(result: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for row in result["rows"]:
        passes = f"{row['wavefronts']} : {row['ideal_wavefronts']}" if row["wavefronts"] else "not run"
        yield (
            row["format"],
            f"{row['instructions_per_weight']:.2f}",
            f"{row['budget']:.2f}",
            ", ".join(map(str, row["weight_widths"])),
            str(row["registers"]),
            str(row["spilled_bytes"]) if row["spilled_bytes"] else "none",
            passes,
            f"{row['in_flight_bytes'] / 1024:.1f} KiB",
            f"{row['predicted_us']:.1f}",
            row["bound"],
            f"{row['floor_us']:.1f}",
            " ".join(f"{name}={value}" for name, value in row["parameters"].items()) or "as given",
        )


def _peer(peer: Mapping[str, Any]) -> str:
    if peer["instructions_per_weight"] is None:
        return f"{peer['who']}: {peer['reason']}"
    loads = ", ".join(f"{count} x {name}" for name, count in peer["loads"].items())
    return (
        f"{peer['who']}, {peer['architecture']}: {peer['instructions_per_weight']:.2f} instructions a weight; {loads}"
    )


def section(path: Path = PATH) -> str:
    """The section of docs/performance.md: the table as Markdown, or how it is made."""
    head = (
        "## Machine code of the quantised product\n\nRead without a GPU (`python -m benchmarks.static_matmul`): "
        "instructions of a lane for each weight in the main loop, everything included, beside the budget that the "
        "bandwidth of the device leaves; bytes of the loads that move weights; passes through the banks of shared "
        "memory in a simulated launch, beside the fewest. Bytes in flight on a multiprocessor, times and floors are "
        "those of the [cost model](cost.md): predicted, not measured.\n"
    )
    if not path.exists():
        return f"{head}\nThere is no result yet.\n"
    result = json.loads(path.read_text(encoding="utf-8"))
    if result["schema"] != SCHEMA:
        return f"{head}\nThe result is of another version.\n"
    lines = [COLUMNS, ("---",) * len(COLUMNS), *_cells(result)]
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    others = "\n".join(f"- {_peer(each)}" for each in result["peers"])
    return f"{head}\n{_title(result)}:\n\n{table}\n\nFor 4-bit weights, by the same reader:\n\n{others}\n{MARLIN}"


if __name__ == "__main__":
    try:
        main()
    except UsageError as error:
        raise SystemExit(str(error)) from None
