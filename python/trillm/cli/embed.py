"""`trillm embed`: vectors of texts."""

from __future__ import annotations

import json
import warnings
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from trillm._reference import parse
from trillm._vectors import TruncationWarning
from trillm.cli import loaded
from trillm.cli.given import INPUT, argument_text, attached_text, input_text
from trillm.cli.numbers import CONTEXT
from trillm.cli.options import Engine, Threads
from trillm.cli.output import UsageError, failing_clearly, print_json, say, write

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["command"]


def command(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A name such as all-minilm, or what `run` takes.")],
    texts: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TEXT...", help="The texts. Each line of standard input is one more.", show_default=False
        ),
    ] = None,
    *,
    files: Annotated[
        list[str] | None,
        typer.Option(
            "--file",
            "-f",
            metavar="FILE",
            help="A text file, as one text, behind the others; '-' is standard input. May be repeated.",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    pooling: Annotated[
        Literal["auto", "mean", "cls", "last", "max", "mean_sqrt_len", "weightedmean"],
        typer.Option(help="How the vectors of a text's tokens become one; auto does as the model's file says."),
    ] = "auto",
    prompt_name: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Put the model's prompt of this name before each text.",
            show_default="the one that the model's files name, if any",
        ),
    ] = None,
    prompt: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Put this before each text, instead.", show_default=False)
    ] = None,
    truncate: Annotated[bool, typer.Option("--truncate", help="Cut texts that are too long, and say so.")] = False,
    unscaled: Annotated[bool, typer.Option("--no-normalize", help="Leave vectors as long as they come.")] = False,
    context: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=CONTEXT,
            metavar="N",
            help="Tokens that a text may have.",
            show_default="as trained, at most 4096",
        ),
    ] = None,
    threads: Threads = None,
    engine: Engine = "auto",
) -> None:
    """Prints a vector for each text: a JSON list on a line of its own, in the order of the texts."""
    with failing_clearly(as_json=as_json):
        parse(model)
        given = _texts(texts or [], files or [])
        prompt = None if prompt is None else argument_text(prompt, "--prompt")
        prompt_name = None if prompt_name is None else argument_text(prompt_name, "--prompt-name")
        with loaded.load(model, engine=engine, context=context, threads=threads) as it:
            with warnings.catch_warnings(record=True) as cut:
                warnings.simplefilter("always", TruncationWarning)
                vectors = it.llm.embed(
                    [text for _, text in given],
                    pooling=pooling,
                    normalize=not unscaled,
                    prompt_name=prompt_name,
                    prompt=prompt,
                    truncate=truncate,
                )
            for warning in cut:
                say(f"warning: {warning.message}")
            # The shortest digits that mean the same in single precision, and not those of the double.
            lists = [[float(str(number)) for number in vector] for vector in vectors]
            if not as_json:
                write("".join(f"{json.dumps(numbers)}\n" for numbers in lists))
                return
            embeddings = [{**source, "vector": numbers} for (source, _), numbers in zip(given, lists, strict=True)]
            print_json({"model": it.llm.info.name, "width": vectors.shape[1], "embeddings": embeddings})


def _texts(texts: Sequence[str], files: Sequence[str]) -> list[tuple[dict[str, Any], str]]:
    """The texts, each with what it is called in a document."""
    # Errors that need no model are found here, before one is loaded.
    texts = [argument_text(text, "TEXT") for text in texts]
    attached = [attached_text(path) for path in files]
    # An empty line is a text, too: the vectors are counted by the lines.
    piped = input_text()
    lines = [line.removesuffix("\r") for line in piped.split("\n")] if piped else []
    if not texts and not lines and not files:
        raise UsageError(f"no TEXT, and nothing on {INPUT}")
    return [
        *(({"text": text}, text) for text in [*texts, *lines]),
        *(({"file": name}, text) for name, text in attached),
    ]
