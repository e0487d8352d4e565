"""``tilevm inspect``: what a kernel takes, and the program that it becomes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from tilevm.ir import Program

__all__ = ["command"]


@click.command("inspect", short_help="Show a kernel, or the program it becomes.")
@click.argument("file", type=click.Path())
@click.option("--kernel", "name", metavar="NAME", help="Which kernel; needed for a program where the file has several.")
@click.option("--ir", is_flag=True, help="Print the program with all compile-time parameters bound.")
@click.option("--passes", is_flag=True, help="Print the program after the compiler's passes, with all layouts.")
@click.option("--remarks", is_flag=True, help="Print what the passes have to say, line by line.")
@click.option("--arch", default=None, metavar="NAME", help="Architecture for --passes and --remarks; default: sm_80.")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="A compile-time parameter.")
def command(
    file: str, name: str | None, ir: bool, passes: bool, remarks: bool, arch: str | None, settings: tuple[str, ...]
) -> None:
    """Show the kernels of FILE with their parameters, or the program that one becomes.

    \b
    tilevm inspect matmul.tvm --kernel matmul --ir --set W=u4 --set BM=32
    tilevm inspect matmul.tvm --kernel matmul --passes --remarks --set W=u4
    """
    from tilevm.runtime.command_input import assignments, chosen_kernel, compile_time
    from tilevm.runtime.kernel import load
    from tilevm.runtime.terminal import write_line

    if ir or passes or remarks:
        kernel = chosen_kernel(file, name)
        program = kernel.specialise(**compile_time(kernel.definition, assignments("--set", settings)))
        if ir:
            write_line(str(program).rstrip("\n"))
        if passes or remarks:
            _show_lowered(program, arch, passes, remarks)
        return
    module = load(file)
    for each in [name] if name is not None else list(module):
        _show(module[each])


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
