"""The command line: `trillm run pull list show rm update history rollback verify gc import convert doctor`.

Each command is a thin layer over the Python API. Exit codes: 0 ok, 1 failed, 2 usage, 130 interrupted. Standard output
carries the result alone; progress, statistics and errors go to standard error. rich is imported only to draw a progress
bar or a help page: a wrong file should be refused faster than that import takes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from trillm.cli import convert, doctor, models, output, run, upkeep

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]

app = typer.Typer(
    help="Language models on your own machine.",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("run")(run.command)
app.command("pull")(models.pull)
app.command("list")(models.list_)
app.command("show")(models.show)
app.command("rm")(models.rm)
app.command("update")(upkeep.update)
app.command("history")(upkeep.history)
app.command("rollback")(upkeep.rollback)
app.command("verify")(upkeep.verify)
app.command("gc")(upkeep.gc)
app.command("import")(upkeep.import_)
app.command("convert")(convert.command)
app.command("doctor")(doctor.command)


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    if version:
        from trillm import __version__

        output.write(f"trillm {__version__}\n")
        raise typer.Exit
    if context.invoked_subcommand is None:
        output.write(context.get_help() + "\n")
        raise typer.Exit(2)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line and returns the exit code."""
    output.prepare()
    try:
        # Not stand-alone: typer would draw a box around a usage error, where one line says it.
        return app(args=arguments, prog_name="trillm", standalone_mode=False) or 0
    except typer.TyperException as error:
        context = getattr(error, "ctx", None)
        output.complain(error.format_message(), f"see {context.command_path if context else 'trillm'} --help")
        return 2
