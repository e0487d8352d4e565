"""``tilevm profile``: which lines of a kernel waste memory traffic, found without a GPU."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from tilevm.ir import Program
    from tilevm.runtime.kernel import Kernel

__all__ = ["command"]


@click.command("profile", short_help="Count what each line of a kernel does to memory.")
@click.argument("file", type=click.Path())
@click.option("--kernel", "name", metavar="NAME", help="Which kernel; needed where the file has several.")
@click.option("--arg", "given", multiple=True, metavar="NAME=VALUE", help="A file.npy, 64x128:f16[:seed], or a number.")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="A compile-time parameter.")
@click.option("--arch", default=None, metavar="NAME", help="Architecture to compile for; default: sm_80.")
def command(file: str, name: str | None, given: tuple[str, ...], settings: tuple[str, ...], arch: str | None) -> None:
    """Run a kernel of FILE in the simulator and show, line by line, what it does to shared and global memory.

    Needs a C++ compiler and no GPU. Wavefronts stand beside the fewest that would do, bytes moved beside those asked
    for. What the simulator finds wrong is an error, as in a run.

    \b
    tilevm profile matmul.tvm --kernel matmul --arg x=16x512:f16 --arg w=512x256:u4 --arg scale=4x256:f16
    """
    from tilevm.passes import DEFAULT_ARCHITECTURE
    from tilevm.runtime.command_input import arguments, assignments, chosen_kernel, compile_time
    from tilevm.runtime.profile import COLUMNS, NUMBERS, profile_rows, verdict
    from tilevm.runtime.simulated import simulate
    from tilevm.runtime.terminal import show_table, write_line

    kernel = chosen_kernel(file, name)
    values = arguments(kernel.definition, assignments("--arg", given))
    program = _program(kernel, values, compile_time(kernel.definition, assignments("--set", settings)))
    simulation, _ = simulate(program, values, arch=arch or DEFAULT_ARCHITECTURE)
    simulation.check()
    source = None if program.span is None else program.span.source
    show_table(f"{kernel.name} in the simulator", COLUMNS, profile_rows(simulation, source), numbers=NUMBERS)
    write_line(verdict(simulation))


def _program(kernel: Kernel, values: dict[str, Any], bound: dict[str, Any]) -> Program:
    """The program for arguments of these formats."""
    from tilevm.runtime.arrays import adopt
    from tilevm.runtime.compile_time import infer_formats

    formats = {
        parameter.name: adopt(parameter.name, values[parameter.name], written=False).dtype
        for parameter in kernel.definition.parameters
        if parameter.is_tensor and parameter.name in values
    }
    return kernel.specialise(**{**bound, **infer_formats(kernel.definition, formats, bound)})
