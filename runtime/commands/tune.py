"""``tilevm tune``: the fastest values of a kernel's compile-time parameters, for given sizes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from tilevm.frontend import KernelDefinition

__all__ = ["command"]


@click.command("tune", short_help="Find the fastest values of compile-time parameters.")
@click.argument("file", type=click.Path())
@click.option("--kernel", "name", metavar="NAME", help="Which kernel; needed where the file has several.")
@click.option("--arg", "given", multiple=True, metavar="NAME=VALUE", help="A file.npy, 64x128:f16[:seed], or a number.")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="A compile-time parameter that is given.")
@click.option("--try", "axes", multiple=True, metavar="NAME=A,B,C", help="Values to try, instead of the tune clauses.")
@click.option("--bucket", "buckets", multiple=True, metavar="SIZE", help="A size that counts as its next power of two.")
@click.option("--target", default=None, metavar="NAME", help="The architecture; default: the GPU's, or sm_80.")
@click.option("--check", type=click.Choice(["interpreter", "simulator"]), help="Compare candidates on the host.")
@click.option("--limit", type=click.IntRange(1), default=None, metavar="N", help="Compile at most N; default: 40.")
@click.option("--workers", type=click.IntRange(1), default=None, metavar="N", help="Processes; default: one a core.")
@click.option("--again", is_flag=True, help="Tune in spite of a stored result.")
@click.option("--plot", default=None, metavar="FILE", help="Draw the times of the candidates; needs matplotlib.")
@click.option("--export", "exported", default=None, metavar="FILE", help="Write every stored result of FILE's kernels.")
def command(
    file: str,
    name: str | None,
    given: tuple[str, ...],
    settings: tuple[str, ...],
    axes: tuple[str, ...],
    buckets: tuple[str, ...],
    target: str | None,
    check: str | None,
    limit: int | None,
    workers: int | None,
    again: bool,
    plot: str | None,
    exported: str | None,
) -> None:
    """Tune a kernel of FILE for arguments like these; the result is stored, and autotuned kernels find it.

    With a GPU candidates are measured; without one they are ranked by the cost model, and the last lines say so.

    \b
    tilevm tune matmul.tvm --kernel matmul --target sm_90a \\
        --arg x=16x8192:f16 --arg w=8192x8192:u4 --arg scale=64x8192:f16 --bucket M
    """
    from tilevm.runtime.command_input import arguments, assignments, chosen_kernel, compile_time
    from tilevm.runtime.terminal import emit, show_note, write_line
    from tilevm.runtime.tuning.store import TuneStore
    from tilevm.runtime.tuning.tune import DEFAULT_LIMIT, tune

    kernel = chosen_kernel(file, name)
    definition = kernel.definition
    result = tune(
        kernel,
        arguments(definition, assignments("--arg", given), None if check or _has_gpu() else _empty()),
        compile_time(definition, assignments("--set", settings)),
        configs=_axes(definition, assignments("--try", axes)),
        buckets=buckets,
        target=target,
        check=check,
        limit=DEFAULT_LIMIT if limit is None else limit,
        workers=workers,
        again=again,
    )
    emit(result.table)
    for reason, configs in result.failures.items():
        show_note(f"{len(configs)} × {reason}")
    if result.stored:
        show_note("from the store: --again tunes anew")
    write_line(str(result))
    if plot is not None:
        result.plot(plot)
    if exported is not None:
        count = TuneStore().export(exported, [kernel.name])
        show_note(f"{count} results of {kernel.name} in {exported}")


def _has_gpu() -> bool:
    from tilevm.errors import NoDeviceError
    from tilevm.runtime.device import current_device

    try:
        current_device()
    except NoDeviceError:
        return False
    return True


def _empty() -> Any:
    from tilevm.runtime.command_input import empty_array

    return empty_array


def _axes(definition: KernelDefinition, texts: dict[str, str]) -> dict[str, list[Any]] | None:
    """The values to try, by name; None where none are given."""
    from tilevm.runtime.command_input import compile_time

    def read(name: str, values: Iterable[str]) -> list[Any]:
        return [compile_time(definition, {name: value.strip()})[name] for value in values]

    return {name: read(name, text.split(",")) for name, text in texts.items()} or None
