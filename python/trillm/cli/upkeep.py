"""`trillm update history rollback verify gc import`: the store over time."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from trillm._core import Manifest, Store
from trillm.cli import progress
from trillm.cli.models import AsJson, ReferenceArgument, added, all_of, looking
from trillm.cli.numbers import COUNT
from trillm.cli.output import failing_clearly, print_columns, print_json, readable, size, write
from trillm.errors import StoreError
from trillm.types import Link

__all__ = ["gc", "history", "import_", "rollback", "update", "verify"]

Every = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="REFERENCE...", help="What `trillm list` calls it; every model if none.", show_default=False
    ),
]


def update(references: Every = None, as_json: AsJson = False) -> None:
    """Asks where models came from whether there is something newer, fetches it, and says what changed.

    What was there stays, for `trillm rollback`.
    """
    from trillm import hub

    changes: list[dict[str, Any]] = []
    with failing_clearly(as_json=as_json, done={"updated": changes}):
        store = Store()
        for reference in _all(store, references):
            with progress.downloading() as report:
                change = hub.update(reference, store=store, progress=report)
            changes.append(change.to_dict())
            if not as_json:
                write("".join(f"{readable(line)}\n" for line in change.lines()))
        if as_json:
            print_json({"updated": changes})


def history(reference: ReferenceArgument, as_json: AsJson = False) -> None:
    """Lists the generations of a model, the newest first; the one in use has a star."""
    with failing_clearly(as_json=as_json):
        name = all_of(reference)
        with looking(fetched=False):
            generations, current = Store().history(name)
        if as_json:
            print_json({"generations": [_generation(manifest, current) for manifest in generations]})
            return
        print_columns(
            [
                ("GENERATION", "DIGEST", "ADDED", "SIZE", "SOURCE"),
                *(
                    (
                        f"{manifest.generation}{' *' if manifest.id == current else ''}",
                        f"sha256:{manifest.id[:12]}",
                        added(manifest),
                        size(manifest.size),
                        manifest.source,
                    )
                    for manifest in generations
                ),
            ]
        )


def rollback(
    reference: ReferenceArgument,
    to: Annotated[
        str | None,
        typer.Argument(metavar="GENERATION", help="Its number or digest; the one before if none.", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Puts an earlier generation of a model in use again."""
    with failing_clearly(as_json=as_json):
        name = all_of(reference)
        with looking(fetched=False):
            manifest = Store().rollback(name, to)
        if as_json:
            print_json(_generation(manifest, manifest.id))
        else:
            write(f"{manifest.reference} is generation {manifest.generation} again, sha256:{manifest.id[:12]}\n")


def verify(
    references: Every = None,
    *,
    repair: Annotated[bool, typer.Option("--repair", help="Fetch what is damaged again, and only that.")] = False,
    as_json: AsJson = False,
) -> None:
    """Reads every byte of models again, and says what is not as it was when it came in."""
    from trillm import hub

    found: list[dict[str, Any]] = []
    with failing_clearly(as_json=as_json, done={"damaged": found}):
        store = Store()
        for reference in _all(store, references):
            with looking(fetched=False):
                damages = store.verify(reference)
            if damages and repair:
                with progress.downloading() as report:
                    hub.repair(reference, damages, store=store, progress=report)
            found += [
                {"reference": reference, "file": damage.file, "reason": damage.reason, "ranges": damage.ranges}
                for damage in damages
            ]
            if not as_json:
                state = "repaired" if repair else "damaged"
                lines = [
                    f"{reference}: {state}: {damage.file} {damage.reason}{_places(damage.ranges)}" for damage in damages
                ]
                write("".join(f"{readable(line)}\n" for line in lines or [f"{reference}: right"]))
        if as_json:
            print_json({"damaged": found, "repaired": repair and bool(found)})
        if found and not repair:
            raise typer.Exit(1)


def gc(
    *,
    keep: Annotated[
        int | None,
        typer.Option(
            "--keep", min=1, max=COUNT, help="Generations of each model to keep; all if not given.", show_default=False
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Removes what nobody needs: forgotten generations, downloads that were given up, what killed conversions left."""
    with failing_clearly(as_json=as_json):
        done = Store().collect(keep)
        if as_json:
            print_json(
                {
                    "generations": [{"reference": name, "id": number} for name, number in done.generations],
                    "blobs": done.blobs,
                    "partials": done.partials,
                    "conversions": done.conversions,
                    "freed": done.freed,
                    "leased": done.leased,
                }
            )
            return
        for name, number in done.generations:
            write(f"forgot {readable(name)} sha256:{number[:12]}\n")
        kept = f"; {size(done.leased)} stay until the programs that use them end" if done.leased else ""
        converted = f", {done.conversions} unfinished conversions" if done.conversions else ""
        write(f"freed {size(done.freed)}: {done.blobs} files, {done.partials} unfinished downloads{converted}{kept}\n")


def import_(
    path: Annotated[
        str, typer.Argument(metavar="PATH", help="A model file, or a folder with one.", show_default=False)
    ],
    *,
    name: Annotated[
        str | None,
        typer.Option("--name", help="It is local:NAME then; its file name if not given.", show_default=False),
    ] = None,
    link: Annotated[
        Link,
        typer.Option("--link", help="How it comes into the store; auto makes no copy."),
    ] = "auto",
    as_json: AsJson = False,
) -> None:
    """Takes a model of this machine into the store, without a copy."""
    from trillm.hub._import import imported

    with failing_clearly(as_json=as_json):
        with progress.downloading() as report:
            manifest, how, left_out = imported(path, name=name, link=link, progress=report)
        if as_json:
            print_json({"reference": manifest.reference, "path": str(manifest.path), "link": how, "left_out": left_out})
        else:
            write(f"{manifest.reference} ({how or 'was there already'})\n")


def _places(ranges: list[tuple[int, int]]) -> str:
    """Which bytes, for people; the first ones of many."""
    named = [f"{first} to {end - 1}" for first, end in ranges[:4]]
    return f"; bytes {', '.join(named)}{' and more' if len(ranges) > 4 else ''}" if named else ""


def _all(store: Store, references: list[str] | None) -> list[str]:
    """The references given, or those of every model."""
    if references:
        return [all_of(reference) for reference in dict.fromkeys(references)]
    manifests, problems = store.list()
    if problems:
        raise StoreError(problems[0], "corrupt_manifest", "name the models to go on with the others")
    return [manifest.reference for manifest in manifests]


def _generation(manifest: Manifest, current: str) -> dict[str, Any]:
    return {
        "reference": manifest.reference,
        "generation": manifest.generation,
        "digest": f"sha256:{manifest.id}",
        "in_use": manifest.id == current,
        "created": manifest.created,
        "size": manifest.size,
        "source": manifest.source,
        "files": [{"name": name, "sha256": sha256, "size": length} for name, sha256, length in manifest.files],
    }
