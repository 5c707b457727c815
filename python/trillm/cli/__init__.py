"""The command line.

run embed pull list show rm update history rollback verify gc import convert plan bench serve ps stop logs doctor

Each command is a thin layer over the Python API. Exit codes: 0 ok, 1 failed, 2 usage, 130 interrupted. Standard output
carries the result alone, with --json an error too, as a document; progress, statistics and other errors go to standard
error. rich is imported only to draw a progress bar or a help page: a wrong file should be refused faster than that
import takes.
"""

from __future__ import annotations

import logging
import sys
from itertools import takewhile
from typing import TYPE_CHECKING, Annotated

import typer

from trillm.cli import bench, convert, doctor, embed, models, output, plan, progress, remote, run, serve, upkeep, usage
from trillm.errors import TrillmError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["EXAMPLES", "main"]

app = typer.Typer(
    cls=usage.Group,
    help="Language models on your own machine.",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_COMMANDS: dict[str, Callable[..., None]] = {
    "run": run.command,
    "embed": embed.command,
    "pull": models.pull,
    "list": models.list_,
    "show": models.show,
    "rm": models.rm,
    "update": upkeep.update,
    "history": upkeep.history,
    "rollback": upkeep.rollback,
    "verify": upkeep.verify,
    "gc": upkeep.gc,
    "import": upkeep.import_,
    "convert": convert.command,
    "plan": plan.command,
    "bench": bench.command,
    "serve": serve.command,
    "ps": remote.ps,
    "stop": remote.stop,
    "logs": remote.logs,
    "doctor": doctor.command,
}

EXAMPLES = {
    "run": (
        'trillm run smollm2 "What is the capital of France?"',
        'cat notes.txt | trillm run smollm2 "When is the meeting?"',
        "trillm run smollm2 -f notes.txt -f todo.txt What is left to do",
        'trillm run smollm2 -s "Answer in one word." -t 0 -n 8 "Is water wet?"',
        'trillm run smollm2 --raw "Once upon a time" > story.txt',
    ),
    "embed": (
        'trillm embed all-minilm "a text" "another text"',
        "trillm embed all-minilm --json < notes.txt",
    ),
    "convert": ("trillm convert smollm2 ./smollm2 --to safetensors --dtype bf16",),
    "plan": ("trillm plan smollm2 --context 8192 --parallel 1",),
    "bench": ("trillm bench smollm2", "trillm bench smollm2 --engine llama --max-tokens 32 --runs 3 --json"),
    "pull": ("trillm pull hf:org/repo",),
    "import": ("trillm import ~/models/x.gguf --name mine",),
}
"""Shown in the help; each of them runs in a test."""

for _name, _command in _COMMANDS.items():
    # Each paragraph becomes a line.
    _epilog = "\n\n".join(("Examples:", *EXAMPLES[_name])) if _name in EXAMPLES else None
    app.command(_name, cls=usage.Command, epilog=_epilog)(_command)


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    if version:
        from trillm import __version__

        with output.failing_clearly(as_json=False):
            output.write(f"trillm {__version__}\n")
        raise typer.Exit
    if context.invoked_subcommand is None:
        output.write(context.get_help() + "\n")
        raise typer.Exit(2)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line and returns the exit code."""
    output.prepare()
    given = sys.argv[1:] if arguments is None else arguments
    # A command line that makes no sense was not read to its end.
    as_json = "--json" in takewhile(lambda argument: argument != "--", given)
    try:
        # Not stand-alone: typer would draw a box around a usage error, where one line says it.
        with progress.said("trillm.references", logging.WARNING):
            code = app(args=arguments, prog_name="trillm", standalone_mode=False) or 0
        # What typer printed may lie in a buffer still.
        output.write("")
    except typer.TyperException as error:
        return _failed(2, "usage", usage.message(error), usage.hint(error), as_json=as_json)
    except BrokenPipeError:
        return output.unread()
    except SystemExit as ended:
        # What prints help ends the program there and then where nobody reads on.
        if isinstance(ended.__context__, BrokenPipeError):
            return output.unread()
        raise
    except (TrillmError, OSError) as error:
        message, code_of_error, hint = output.failure(output.lost() or error)
        return _failed(1, code_of_error, message, hint, as_json=as_json)
    return code


def _failed(exit_code: int, code: str, message: str, hint: str | None, *, as_json: bool) -> int:
    """Says it; the exit code, unless it cannot be said."""
    try:
        output.tell(code, message, hint, as_json=as_json)
    except typer.Exit as ended:
        return ended.exit_code
    return exit_code
