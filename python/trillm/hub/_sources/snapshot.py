"""The part of a repository that the cache of ``huggingface_hub`` has, as a listing.

That library fetches file by file, so a cache may have any part of a repository, and nothing says which. What a model
cannot do without is listed though it is not there: whoever wants the model then misses it, and nobody takes the part
for the whole.
"""

from __future__ import annotations

import json
import posixpath
from typing import TYPE_CHECKING

from trillm._core import needed
from trillm.hub._named import beside, named_by
from trillm.hub._sources.caches import folder_name, hub_cache
from trillm.hub._sources.listing import GIT, SHA256, Entry, Listing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from trillm._core import HuggingFace

_MODULES = "modules.json"

_OF_MODULES = ("config_sentence_transformers.json", "sentence_bert_config.json")
"""What sentence-transformers writes beside the list of a model's modules."""

_WEIGHTS = ("model.safetensors", "pytorch_model.bin")
"""What the matrix of a Dense module is in: one of them."""

_CONFIGURED = ("Pooling", "Dense", "LayerNorm")
"""Modules that are nothing without their configuration."""


def read(wanted: HuggingFace) -> Listing | None:
    """What the cache has of a repository at a revision, and what it should have; `None` if it has nothing."""
    folder = hub_cache() / folder_name(wanted.repo)
    revision = wanted.revision or "main"
    try:
        commit = (folder / "refs" / revision).read_text().strip()
    except (OSError, UnicodeDecodeError):
        commit = revision
    snapshot = folder / "snapshots" / commit
    if not GIT.fullmatch(commit) or not snapshot.is_dir():
        return None
    there = [_entry(path, path.relative_to(snapshot).as_posix()) for path in sorted(snapshot.rglob("*"))]
    entries = {entry.path: entry for entry in there if entry is not None}
    # Where the hub said once that it does not have a file, the library wrote that down.
    absent = folder / ".no_exist" / commit
    for path in sorted(set(_needed(snapshot, entries))):
        if path not in entries and not (absent / path).is_file():
            entries[path] = Entry(path, None, None, None)
    return Listing(commit, tuple(entries.values()))


def _entry(path: Path, name: str) -> Entry | None:
    """A file of a snapshot: a link to a blob that is named by what the hub calls its content.

    A name that is no Unicode is none that the hub has.
    """
    try:
        name.encode()
        if not path.is_file():
            return None
        size = path.stat().st_size
        digest = path.readlink().name if path.is_symlink() else ""
    except (OSError, UnicodeEncodeError):
        return None
    sha256 = digest if SHA256.fullmatch(digest) else None
    git = digest if GIT.fullmatch(digest) else None
    return Entry(name, size, sha256, git, None if sha256 or git else path)


def _needed(snapshot: Path, paths: dict[str, Entry]) -> Iterator[str]:
    """What the models of a snapshot cannot do without, there or not."""
    yield from needed(list(paths))
    for path in paths:
        yield from (beside(path, other) for other in named_by(snapshot / path, path))
    folders = {posixpath.dirname(path) for path in paths if posixpath.basename(path) in (_MODULES, *_OF_MODULES)}
    for folder in folders:
        yield posixpath.join(folder, _MODULES)
        for module, kind in _modules(snapshot / folder / _MODULES):
            yield posixpath.join(folder, module, "config.json")
            weights = [posixpath.join(folder, module, name) for name in _WEIGHTS]
            if kind == "Dense" and not any(path in paths for path in weights):
                yield weights[0]


def _modules(path: Path) -> list[tuple[str, str]]:
    """The folders and kinds of the modules that have a configuration; a list that cannot be read has none."""
    try:
        modules = [(module["path"], module["type"].rpartition(".")[2]) for module in json.loads(path.read_bytes())]
        return [(path, kind) for path, kind in modules if kind in _CONFIGURED]
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return []
