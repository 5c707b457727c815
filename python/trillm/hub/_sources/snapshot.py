"""The part of a repository that the cache of ``huggingface_hub`` has, as a listing.

That library fetches file by file, so a cache may have any part of a repository, and nothing says which. What a model
cannot do without is listed though it is not there: whoever wants the model then misses it, and nobody takes the part
for the whole. What a model may have besides is told by :mod:`doubts`.
"""

from __future__ import annotations

import contextlib
import json
import posixpath
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from trillm._core import ModuleList, needed
from trillm.errors import TrillmError
from trillm.hub._lists import NAME
from trillm.hub._named import beside, named_by
from trillm.hub._sources.caches import folder_name, hub_cache
from trillm.hub._sources.listing import GIT, SHA256, Entry, Listing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from trillm._core import HuggingFace

_FETCHED_WITH_ALL = ".gitattributes"
"""A file that every repository has since it was made, and that nobody fetches but whoever fetches all."""

_LARGEST_TREE = 64 << 20
"""Bytes of what the library wrote down of a repository's files."""


@dataclass(frozen=True)
class Snapshot:
    """What the cache has of a repository at one commit."""

    folder: Path
    listing: Listing
    """Its files, and those that it should have."""
    absent: Path
    """Where the library wrote down what it asked for in vain."""
    tree: frozenset[str] | None
    """What the repository has, where the library wrote that down."""
    whole: bool
    """Whether all of it was fetched, as far as one can tell."""

    def may_lack(self, path: str) -> bool:
        """Whether the repository has this file, as far as anybody here knows, and the cache does not."""
        if (self.folder / path).is_file() or (self.absent / path).is_file():
            return False
        return not self.whole if self.tree is None else path in self.tree


def read(wanted: HuggingFace) -> Snapshot | None:
    """What the cache has of a repository at a revision; `None` if it has nothing."""
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
    tree = _tree(folder / "trees" / f"{commit}.json")
    # A download of all that was cut leaves the beginning of a file.
    whole = _FETCHED_WITH_ALL in entries and not any(folder.glob("blobs/*.incomplete"))
    absent = folder / ".no_exist" / commit
    found = Snapshot(snapshot, Listing(commit, ()), absent, tree, whole)
    for path in sorted(set(_needed(snapshot, entries)).difference(entries)):
        # Copies of models have parts and no list of them; nothing else is done without.
        is_certain = tree is None and not (absent / path).is_file() and posixpath.basename(path) != NAME
        if is_certain or found.may_lack(path):
            entries[path] = Entry(path, None, None, None)
    return replace(found, listing=Listing(commit, tuple(entries.values())))


def _tree(path: Path) -> frozenset[str] | None:
    """The files of a repository, as the library wrote them down when it was to fetch all of them."""
    try:
        if path.stat().st_size > _LARGEST_TREE:
            return None
        found = json.loads(path.read_bytes())
        return frozenset(found["files"]) if found["format_version"] == 1 else None
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None


def is_several(wanted: HuggingFace) -> bool:
    """Whether a folder or a pattern was asked for, rather than one model."""
    asked = wanted.file or ""
    return asked.endswith("/") or any(mark in asked for mark in "*?[")


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
    lists = []
    for path in paths:
        yield from (beside(path, other) for other in named_by(snapshot / path, path))
        if posixpath.basename(path) == NAME:
            # One that names what lies elsewhere is refused where it is chosen.
            with contextlib.suppress(TrillmError):
                lists.append(ModuleList(snapshot / path, path))
    yield from needed(list(paths), lists)
