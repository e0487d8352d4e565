"""The command line: ``tilevm COMMAND``. Each command is a module of ``tilevm.runtime.commands``, loaded when used.

A mistake of the user is shown as a rendered diagnostic on standard error, never as a traceback, and ends the command
with exit code 1 (2 where the command line itself does not parse, 130 where it was interrupted). Anything else that
goes wrong is a fault of tilevm: the command says so and ends with exit code 70, and shows the traceback where the
environment variable ``TILEVM_TRACEBACK`` is 1.
"""

from __future__ import annotations

import os
import sys
import traceback
from importlib import import_module
from typing import Any

import click

from tilevm.errors import TilevmError, UsageError

__all__ = ["cli", "main"]

COMMANDS = ("run", "profile", "inspect", "compile", "tune", "check", "layout", "dtype", "explain", "doctor", "convert")
FAULT = 70
"""EX_SOFTWARE of BSD's sysexits.h: an internal software error."""


class _Commands(click.Group):
    """Finds commands by module and turns what they raise into text and an exit code."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        command: click.Command = import_module(f"tilevm.runtime.commands.{name}").command
        return command

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except TilevmError as error:
            _show(error)
            context.exit(1)
        except OSError as error:
            where = f" {error.filename!r}" if error.filename else ""
            _show(UsageError("F002", f"cannot use the file{where}: {error.strerror or error}"))
            context.exit(1)
        except MemoryError:
            _show(UsageError("F011", "there is not enough memory", help="use smaller shapes"))
            context.exit(1)
        except KeyboardInterrupt:
            click.echo("interrupted", err=True)
            context.exit(130)
        except Exception as error:
            _show_fault(error)
            context.exit(FAULT)


def _show(error: TilevmError) -> None:
    from tilevm.runtime.terminal import show_error

    show_error(error)


def _show_fault(error: Exception) -> None:
    summary = f"{type(error).__name__}: {error}"
    click.echo(f"tilevm has a fault, which is not a mistake of yours: {summary}", err=True)
    if os.environ.get("TILEVM_TRACEBACK") == "1":
        click.echo("".join(traceback.format_exception(error)), err=True)
    else:
        click.echo("set TILEVM_TRACEBACK=1 to see where, and report it with the command that you ran", err=True)


def _version(context: click.Context, parameter: click.Parameter, wanted: bool) -> None:
    if wanted:
        import tilevm

        click.echo(f"tilevm {tilevm.__version__}")
        context.exit()


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--version", is_flag=True, expose_value=False, is_eager=True, callback=_version, help="Show the version.")
def cli() -> None:
    """Run, check and inspect tilevm programs (*.tvm), layouts and number formats."""


def main() -> None:
    """The entry point of the ``tilevm`` script."""
    try:
        cli.main(prog_name="tilevm", standalone_mode=True)
    except SystemExit as end:
        _leave(end.code)


def _leave(code: str | int | None) -> None:
    """Ends the process; a reader that has gone away, as in ``tilevm … | head``, is not an error."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)
