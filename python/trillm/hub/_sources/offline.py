"""Plans without a connection: what other programs left on this machine serves as the source's answer."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from trillm._core import HuggingFace, Ollama
from trillm.hub._failure import download_failed
from trillm.hub._sources import huggingface, ollama
from trillm.hub._sources.caches import folder_name, hub_cache, ollama_folders
from trillm.hub._sources.layers import LARGEST_MANIFEST
from trillm.hub._sources.listing import GIT, SHA256, Entry, Listing

if TYPE_CHECKING:
    from trillm.hub._job import Job
    from trillm.hub._remote import Location, Plan


def plan_offline(job: Job) -> Plan:
    """As the sources plan, from what is on this machine. Files of it that are not here cannot be located.

    Raises `ModelNotFound`, `DownloadError`.
    """

    def nowhere(name: str) -> Location:
        raise _offline(job, name)

    wanted = job.wanted.source
    if isinstance(wanted, HuggingFace):
        listing = _snapshot(wanted)
        if listing is None:
            raise _offline(job, job.wanted.text)
        return huggingface.arrange(job, listing, nowhere)
    if isinstance(wanted, Ollama):
        # Ollama itself knows no mirrors: without a host it is always this one.
        host = wanted.host or ollama.HOST
        for folder in ollama_folders():
            text = _start(folder / "manifests" / host / wanted.namespace / wanted.name / wanted.tag)
            if text is not None:
                return ollama.arrange(job, host, text, partial(_blob, folder), nowhere)
    raise _offline(job, job.wanted.text)


def _offline(job: Job, what: str) -> Exception:
    return download_failed(
        f"{what} is not on this machine, and offline mode forbids fetching it",
        f"fetch it once while online: trillm pull {job.wanted.text}",
    )


def _blob(folder: Path, digest: str) -> bytes | None:
    return _start(folder / "blobs" / f"sha256-{digest}")


def _start(path: Path) -> bytes | None:
    """A small file; of a large one enough to see that it is too large."""
    try:
        with path.open("rb") as file:
            return file.read(LARGEST_MANIFEST + 1)
    except OSError:
        return None


def _snapshot(wanted: HuggingFace) -> Listing | None:
    """The part of a repository that the hub's cache has."""
    folder = hub_cache() / folder_name(wanted.repo)
    revision = wanted.revision or "main"
    try:
        commit = (folder / "refs" / revision).read_text().strip()
    except (OSError, UnicodeDecodeError):
        commit = revision
    snapshot = folder / "snapshots" / commit
    if not GIT.fullmatch(commit) or not snapshot.is_dir():
        return None
    entries = [_cached(path, path.relative_to(snapshot).as_posix()) for path in sorted(snapshot.rglob("*"))]
    return Listing(commit, tuple(entry for entry in entries if entry is not None))


def _cached(path: Path, name: str) -> Entry | None:
    """A file of a snapshot: a link to a blob that is named by what the hub calls its content."""
    try:
        if not path.is_file():
            return None
        size = path.stat().st_size
        digest = path.readlink().name if path.is_symlink() else ""
    except OSError:
        return None
    sha256 = digest if SHA256.fullmatch(digest) else None
    git = digest if GIT.fullmatch(digest) else None
    return Entry(name, size, sha256, git)
