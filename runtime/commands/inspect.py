"""``tilevm inspect``: what a kernel takes, and the program that it becomes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from tilevm.ir import Program
    from tilevm.runtime.kernel import Kernel

__all__ = ["command"]


@click.command("inspect", short_help="Show a kernel, or the program it becomes.")
@click.argument("file", type=click.Path())
@click.option("--kernel", "name", metavar="NAME", help="Which kernel; needed for a program where the file has several.")
@click.option("--ir", is_flag=True, help="Print the program with all compile-time parameters bound.")
@click.option("--passes", is_flag=True, help="Print the program after the compiler's passes, with all layouts.")
@click.option("--remarks", is_flag=True, help="Print what the passes have to say, line by line.")
@click.option("--cost", is_flag=True, help="Print what a launch costs on a device, by a model: nothing is run.")
@click.option("--sizes", multiple=True, metavar="M=1,N=8", help="The sizes of the launch, for --cost.")
@click.option("--device", default=None, metavar="NAME", help="The device for --cost; default: one for --arch, or h200.")
@click.option("--scratch", multiple=True, metavar="NAME", help="A tensor that the floor leaves out, for --cost.")
@click.option("--json", "as_json", is_flag=True, help="Print the cost as JSON.")
@click.option("--arch", default=None, metavar="NAME", help="Architecture; default: sm_80, with --cost the device's.")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="A compile-time parameter.")
def command(
    file: str,
    name: str | None,
    ir: bool,
    passes: bool,
    remarks: bool,
    cost: bool,
    sizes: tuple[str, ...],
    device: str | None,
    scratch: tuple[str, ...],
    as_json: bool,
    arch: str | None,
    settings: tuple[str, ...],
) -> None:
    """Show the kernels of FILE with their parameters, the program that one becomes, or what a launch costs.

    \b
    tilevm inspect matmul.tvm --kernel matmul --ir --set W=u4 --set BM=32
    tilevm inspect matmul.tvm --kernel matmul --passes --remarks --set W=u4
    tilevm inspect matmul.tvm --kernel matmul --cost --set W=u4 --sizes M=16,N=8192,K=8192 --device h200
    """
    from tilevm.runtime.command_input import assignments, chosen_kernel, compile_time
    from tilevm.runtime.kernel import load
    from tilevm.runtime.terminal import write_line

    if ir or passes or remarks or cost:
        kernel = chosen_kernel(file, name)
        bound = compile_time(kernel.definition, assignments("--set", settings))
        if cost:
            _show_cost(kernel, bound, sizes, device, arch, scratch, as_json)
            return
        program = kernel.specialise(**bound)
        if ir:
            write_line(str(program).rstrip("\n"))
        if passes or remarks:
            _show_lowered(program, arch, passes, remarks)
        return
    module = load(file)
    for each in [name] if name is not None else list(module):
        _show(module[each])


def _show_cost(
    kernel: Kernel,
    bound: dict[str, object],
    sizes: tuple[str, ...],
    device: str | None,
    arch: str | None,
    scratch: tuple[str, ...],
    as_json: bool,
) -> None:
    """The cost of a launch, compiled for the classes of its sizes as a launch is."""
    import json

    from tilevm.arch import arch as architecture
    from tilevm.devices import DEFAULT_DEVICE, device_for
    from tilevm.devices import device as device_named
    from tilevm.runtime.command_input import size_assignments
    from tilevm.runtime.cost import show
    from tilevm.runtime.cost.compiled_cost import checked_sizes
    from tilevm.runtime.specialisation import divisor_class
    from tilevm.runtime.terminal import emit, show_table, write_line

    given = size_assignments("--sizes", sizes)
    chosen = device_for(architecture(arch)) if arch and not device else device_named(device or DEFAULT_DEVICE)
    known = checked_sizes(kernel.specialise(**bound), given)
    divisible = {name: divisor_class(value) for name, value in known.items()}
    compiled = kernel.compile(arch or chosen.arch.name, divisible=divisible, **bound)
    cost = compiled.cost(known, chosen.name, scratch=scratch)
    if as_json:
        write_line(json.dumps(show.as_json(cost), indent=2, ensure_ascii=False))
    else:
        emit(show.rendered(cost))
        rows = show.traffic_rows(cost, compiled.text)
        show_table("traffic of the launch", show.COLUMNS, rows, numbers=show.NUMBERS)


def _show_lowered(program: Program, arch: str | None, passes: bool, remarks: bool) -> None:
    from tilevm.passes import DEFAULT_ARCHITECTURE, run_passes
    from tilevm.runtime.terminal import write_line

    lowered = run_passes(program, arch or DEFAULT_ARCHITECTURE)
    if passes:
        write_line(str(lowered.program).rstrip("\n"))
    if remarks:
        for each in lowered.remarks:
            write_line(str(each))


def _show(kernel: object) -> None:
    from tilevm.runtime.kernel import Kernel
    from tilevm.runtime.signature import signature
    from tilevm.runtime.terminal import show_table, write_line

    assert isinstance(kernel, Kernel)
    definition = kernel.definition
    write_line(signature(definition), "bold")
    rows = [
        (
            each.name,
            each.kind,
            "required" if each.required else str(each.default),
            _tuned(definition.tunes.get(each.name)),
        )
        for each in definition.compile_time
    ]
    if rows:
        show_table(None, ("compile-time parameter", "kind", "default", "tuned over"), rows)
    parameters = [
        (
            each.name,
            each.access,
            str(each.dtype or "computed"),
            f"{each.rank} dimensions" if each.is_tensor else "scalar",
        )
        for each in definition.parameters
    ]
    show_table(None, ("parameter", "access", "dtype", "rank"), parameters)


def _tuned(values: tuple[int, ...] | None) -> str:
    return ", ".join(map(str, values or ()))
