"""``tilevm check``: every mistake of every file, without running anything."""

from __future__ import annotations

import click

__all__ = ["command"]


@click.command("check", short_help="Show every mistake of some files.")
@click.argument("files", nargs=-1, required=True, type=click.Path())
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="NAME=VALUE",
    help="A compile-time parameter, where a kernel has it.",
)
@click.pass_context
def command(context: click.Context, files: tuple[str, ...], settings: tuple[str, ...]) -> None:
    """Check every kernel of FILES with its defaults, and show every mistake. Exit code 1 if there is one.

    A format without a default is checked with a representative one, and an integer with the first value that it is
    tuned over; the command says which.
    """
    from tilevm.errors import TilevmError
    from tilevm.runtime.check import check_kernel
    from tilevm.runtime.command_input import assignments, compile_time
    from tilevm.runtime.kernel import load
    from tilevm.runtime.terminal import show_error, show_note, write_line

    texts = assignments("--set", settings)
    failed = False
    for file in files:
        try:
            module = load(file)
        except TilevmError as error:
            show_error(error)
            failed = True
            continue
        for name in module:
            definition = module[name].definition
            own = {each.name for each in definition.compile_time}
            try:
                bound = compile_time(definition, {key: text for key, text in texts.items() if key in own})
                assumed = check_kernel(module[name], bound)
            except TilevmError as error:
                show_error(error)
                failed = True
                continue
            write_line(f"{file}: {name} is right")
            if assumed:
                show_note(f"{name} was checked with {', '.join(f'{key}={value}' for key, value in assumed.items())}")
    if failed:
        context.exit(1)
