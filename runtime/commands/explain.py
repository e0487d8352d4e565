"""``tilevm explain CODE``: what an error code means and what to do."""

from __future__ import annotations

import click

__all__ = ["command"]


@click.command("explain", short_help="Explain an error code such as L012.")
@click.argument("code")
def command(code: str) -> None:
    """Explain an error code, as shown in brackets by an error: tilevm explain L012."""
    from rich.markdown import Markdown

    from tilevm.errors import explain
    from tilevm.runtime.terminal import emit

    emit(Markdown(explain(code)))
