"""``tilevm convert IN OUT``: a quantised checkpoint repacked without loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from tilevm.checkpoints import Converted

__all__ = ["command"]


@click.command("convert", short_help="Repack a quantised checkpoint for tilevm.")
@click.argument("source", metavar="IN")
@click.argument("target", metavar="OUT")
def command(source: str, target: str) -> None:
    """Repack IN, a safetensors or GGUF file or a folder, as the safetensors file OUT, without loss.

    Reads GPTQ, AWQ, compressed-tensors, NVFP4, MXFP4, MXFP6, MXFP8, gpt-oss, bitsandbytes, HQQ and GGUF.
    OUT appears whole or not at all, and takes the place of a file of that name. A table shows what was converted.
    """
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    from tilevm import checkpoints

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with (
        checkpoints.open(source) as checkpoint,
        Progress(*columns, console=Console(stderr=True), transient=True) as bar,
    ):
        task = bar.add_task("converting", total=sum(map(checkpoint.nbytes, checkpoint.names)))
        done: list[Converted] = []

        def report(tensor: Converted) -> None:
            done.append(tensor)
            bar.update(task, advance=tensor.bytes_in, description=tensor.name)

        checkpoints.convert(checkpoint, target, report)
    _summary(done, target)


def _summary(done: list[Converted], target: str) -> None:
    """A row for each format, and one for all."""
    from tilevm.runtime.terminal import show_table

    formats = sorted({each.format for each in done})
    groups = [(name, [each for each in done if each.format == name]) for name in formats]
    rows = [
        (
            name,
            f"{len(group):,}",
            f"{sum(each.bytes_in for each in group):,}",
            f"{sum(each.bytes_out for each in group):,}",
        )
        for name, group in [*groups, ("all", done)]
    ]
    heads = ("format", "tensors", "bytes before", "bytes now")
    show_table(target, heads, rows, numbers=heads[1:])
