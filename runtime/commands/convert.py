"""``tilevm convert IN OUT``: a quantised checkpoint repacked without loss."""

from __future__ import annotations

import click

__all__ = ["command"]


@click.command("convert", short_help="Repack a quantised checkpoint for tilevm.")
@click.argument("source", metavar="IN")
@click.argument("target", metavar="OUT")
def command(source: str, target: str) -> None:
    """Repack IN, a safetensors or GGUF file or a folder of them, as the safetensors file OUT, without loss.

    Reads GPTQ, AWQ, compressed-tensors, NVFP4, MXFP4, gpt-oss, NF4 of bitsandbytes, and GGUF. OUT appears whole or not.
    """
    from rich.console import Console
    from rich.progress import Progress

    from tilevm import checkpoints

    with checkpoints.open(source) as checkpoint, Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("converting", total=len(checkpoint.names))
        checkpoints.convert(checkpoint, target, lambda name: bar.advance(task))
    click.echo(f"{len(checkpoint.names)} tensors in {target}")
