"""`trillm plan`: what a model would take of memory, and whether that is there."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from trillm import _plan
from trillm.cli.numbers import CONTEXT
from trillm.cli.options import Engine, Threads
from trillm.cli.output import failing_clearly, print_columns, print_json, size

if TYPE_CHECKING:
    from trillm.types import LoadParams

__all__ = ["command"]

_PARALLEL = 256
"""As many sequences as a session may have."""

_WORDS = {
    "fits": "it fits",
    "tight": "tight: weights would be read from the disk again and again",
    "refused": "it does not fit",
    "unknown": "the system does not tell how much memory there is",
}


def command(
    model: Annotated[
        str,
        typer.Argument(metavar="MODEL", help="A name such as smollm2, a source, or a file or folder."),
    ],
    *,
    context: Annotated[
        int | None,
        typer.Option(
            min=1, max=CONTEXT, metavar="N", help="Tokens in the cache.", show_default="as trained, at most 4096"
        ),
    ] = None,
    parallel: Annotated[int, typer.Option(min=1, max=_PARALLEL, metavar="N", help="Requests that run at once.")] = 8,
    cache_type: Annotated[
        Literal["f32", "f16", "q8_0", "q4_0"], typer.Option(help="The type of keys and values.")
    ] = "f16",
    threads: Threads = None,
    engine: Engine = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Says what loading MODEL would take of memory, and whether that is there; nothing is loaded.

    Of a model that is not on this machine the headers of its files are fetched, and how much the rest is, is said.

    Exit code 0 whatever the verdict is: it is in the output.
    """
    with failing_clearly(as_json=as_json):
        params: LoadParams = {
            "context": context,
            "parallel": parallel,
            "cache_type": cache_type,
            "threads": threads,
            "engine": engine,
        }
        made = _plan.plan(model, **params)
        if as_json:
            print_json(asdict(made))
            return
        print_columns(_rows(made))


def _rows(made: _plan.Plan) -> list[tuple[str, str]]:
    def known(count: int | None) -> str:
        return "not known" if count is None else size(count)

    # Where a part is not known, the sums are of those that are.
    at_least = "" if made.cache is not None and made.compute is not None else "at least "
    slots = "1 request" if made.parallel == 1 else f"{made.parallel} requests"
    rows = [
        ("for", f"{made.engine or 'no engine'}, a context of {made.context}, {slots} at once"),
        ("weights", f"{size(made.weights_mapped)} mapped, {size(made.weights_private)} private"),
        ("keys and values", known(made.cache)),
        ("compute", known(made.compute)),
        ("scores", size(made.scores)),
        ("tokenizer", size(made.tokenizer)),
        ("engine", f"{size(made.runtime)}, {size(made.runtime_mapped)} of code mapped"),
        ("loading", f"{size(made.loading)} for a while"),
        ("private", at_least + size(made.private)),
        ("total", at_least + size(made.total)),
        ("there is", "not known" if made.limit is None else f"{size(made.limit)} ({made.limit_source})"),
        ("verdict", _WORDS[made.verdict]),
    ]
    if made.download:
        rows.insert(0, ("download", f"{size(made.download)}, which are not on this machine yet"))
    rows += [("note", note) for note in made.notes]
    return rows + [("would fit", f"{_change(it)}: {size(it.private)} private") for it in made.alternatives]


def _change(it: _plan.Alternative) -> str:
    ((name, value),) = it.change.items()
    if name == "unload":
        return f"unloading {' and '.join(value)}"
    if name == "model":
        return f"the model {value}" + ("" if it.files is None else f", {size(it.files)}")
    return f"--{name.replace('_', '-')} {value}"
