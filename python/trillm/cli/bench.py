"""`trillm bench`: which engine is how fast with a model on this machine."""

from __future__ import annotations

import errno
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trillm import _benchmark
from trillm._reference import at_home, parse
from trillm.cli import bars, ending, progress
from trillm.cli.flags import named_by_flags
from trillm.cli.given import argument_text
from trillm.cli.numbers import CONTEXT, COUNT
from trillm.cli.options import Threads
from trillm.cli.output import UsageError, failing_clearly, print_columns, print_json, say, size

if TYPE_CHECKING:
    from trillm._benchmark import EngineResult

__all__ = ["command"]

_COLUMNS = ("ENGINE", "LOAD", "FIRST TOKEN", "GENERATION", "TOKENS", "TOKENS/S", "DECODING/S", "PRIVATE", "ERROR")


def command(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A name such as smollm2, or what `run` takes.")],
    *,
    engine: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Measure this one. May be repeated.", show_default="all that there are"),
    ] = None,
    prompt: Annotated[str, typer.Option(metavar="TEXT", help="What is continued.")] = _benchmark.PROMPT,
    max_tokens: Annotated[
        int, typer.Option("--max-tokens", "-n", min=1, max=COUNT, metavar="N", help="Tokens to generate.")
    ] = 100,
    runs: Annotated[
        int,
        typer.Option(
            min=1, max=_benchmark.MOST_RUNS, metavar="N", help="Loads and generates so often; of times, the median."
        ),
    ] = 1,
    context: Annotated[
        int | None,
        typer.Option(
            min=1, max=CONTEXT, metavar="N", help="Tokens in the cache.", show_default="as trained, at most 4096"
        ),
    ] = None,
    threads: Threads = None,
    force: Annotated[
        bool, typer.Option("--force", help="Load a model that there is not enough memory for, by `trillm plan`.")
    ] = False,
    plot: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Draw speed, load time and memory as bars, by matplotlib, to a .png, .svg or .pdf file.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Measures every engine with MODEL, each in a process of its own.

    How long it takes to load, to the first token and to generate them all; tokens a second, in all and behind the
    first; and the memory that loading and generating add to the process.

    One that cannot run MODEL is a row with the reason. Exit code 1 if none could.
    """
    from trillm.hub import resolve

    with ending.tidily(), failing_clearly(as_json=as_json):
        # What is mistyped is an error before anything is fetched.
        parse(model)
        prompt = argument_text(prompt, "--prompt")
        chart = None if plot is None else _chart(plot)
        with progress.downloading() as show:
            found = resolve(model, progress=show)
        with found:
            measured = _benchmark.benchmark_file(
                found.path,
                engines=engine,
                prompt=prompt,
                max_tokens=max_tokens,
                runs=runs,
                force=force,
                report=_said,
                context=context,
                threads=threads,
                # One request at a time needs no room for others.
                parallel=1,
            )
        results = list(measured.values())
        if as_json:
            document = {"model": model, "prompt": prompt, "max_tokens": max_tokens, "runs": runs}
            print_json(document | {"engines": [asdict(it) for it in results]})
        else:
            print_columns([_COLUMNS, *map(_row, results)])
            for it in results:
                # Of an engine that runs another format there is nothing to advise.
                if it.hint and it.code != "wrong_engine":
                    say(f"hint: {it.engine}: {named_by_flags(it.hint)}")
        if not any(it.success for it in results):
            raise typer.Exit(1)
        if chart is not None:
            chart.draw(f"{model}, {max_tokens} tokens", [it for it in results if it.success])


def _chart(plot: str) -> bars.Chart:
    """Where it is drawn. What would keep it from being drawn is found before anything is measured."""
    path = Path(at_home(plot))
    if path.suffix.lower() not in bars.SUFFIXES:
        raise UsageError(f"Invalid value for '--plot': expected a name with {', '.join(bars.SUFFIXES)}, found {plot!r}")
    if not path.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path.parent))
    return bars.Chart(path)


def _said(name: str, result: EngineResult | None) -> None:
    """A line when an engine begins, and another with what came of it."""
    if result is None:
        say(f"measuring {name}")
    elif result.success:
        say(f"{name}: {result.tokens_per_second:.1f} tokens/s")
    else:
        say(f"{name}: {result.error}")


def _row(it: EngineResult) -> tuple[str, ...]:
    def known(value: float | None, form: str) -> str:
        return "-" if value is None else form.format(value)

    return (
        it.engine,
        known(it.load_time, "{:.3f} s"),
        known(it.first_token_time, "{:.3f} s"),
        known(it.generation_time, "{:.3f} s"),
        known(it.tokens, "{}"),
        known(it.tokens_per_second, "{:.1f}"),
        known(it.decode_tokens_per_second, "{:.1f}"),
        "-" if it.peak_private_bytes is None else size(it.peak_private_bytes),
        it.error or "-",
    )
