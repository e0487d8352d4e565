"""``tilevm doctor``: what is installed, what works, and what each backend lacks."""

from __future__ import annotations

import click

__all__ = ["command"]


@click.command("doctor", short_help="Show what tilevm finds on this machine.")
@click.pass_context
def command(context: click.Context) -> None:
    """Show what tilevm finds on this machine. Exit code 1 if kernels do not run in the interpreter."""
    import tilevm
    from tilevm.runtime.doctor import examine
    from tilevm.runtime.terminal import show_table, write_line

    findings = list(examine())
    rows = [(each.name, each.status, each.detail, each.needed_for) for each in findings]
    show_table(f"tilevm {tilevm.__version__}", ("what", "status", "found", "needed for"), rows)
    failing = [each.name for each in findings if not each.found and not each.optional]
    if failing:
        write_line(f"fails: {', '.join(failing)}", "red")
        context.exit(1)
    write_line("kernels run in the interpreter", "green")
