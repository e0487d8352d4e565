"""``tilevm inspect``: what a kernel takes, and the program that it becomes."""

from __future__ import annotations

import click

__all__ = ["command"]


@click.command("inspect", short_help="Show a kernel, or the program it becomes.")
@click.argument("file", type=click.Path())
@click.option("--kernel", "name", metavar="NAME", help="Which kernel; needed for --ir where the file has several.")
@click.option("--ir", is_flag=True, help="Print the program with all compile-time parameters bound.")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="A compile-time parameter, for --ir.")
def command(file: str, name: str | None, ir: bool, settings: tuple[str, ...]) -> None:
    """Show the kernels of FILE with their parameters; with --ir, the program that one becomes.

    \b
    tilevm inspect matmul.tvm --kernel matmul --ir --set W=u4 --set BM=32
    """
    from tilevm.runtime.command_input import assignments, chosen_kernel, compile_time
    from tilevm.runtime.kernel import load
    from tilevm.runtime.terminal import write_line

    if ir:
        kernel = chosen_kernel(file, name)
        bound = compile_time(kernel.definition, assignments("--set", settings))
        write_line(kernel.ir(**bound).rstrip("\n"))
        return
    module = load(file)
    for each in [name] if name is not None else list(module):
        _show(module[each])


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
