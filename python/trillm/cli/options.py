"""Options that several commands have in common."""

from __future__ import annotations

from typing import Annotated

import typer

from trillm.cli.numbers import THREADS

__all__ = ["Engine", "Threads"]

Threads = Annotated[
    int | None,
    typer.Option(min=1, max=THREADS, metavar="N", help="Compute threads.", show_default="one for each physical core"),
]

Engine = Annotated[str, typer.Option(metavar="NAME", help="auto goes by the file's format.")]
