"""Plans without a connection: what other programs left on this machine serves as the source's answer."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from trillm._core import HuggingFace, Ollama
from trillm.errors import ModelNotFound
from trillm.hub._failure import AbsentError
from trillm.hub._sources import huggingface, ollama, snapshot
from trillm.hub._sources.caches import find, ollama_folders
from trillm.hub._sources.doubts import doubts, lacking
from trillm.hub._sources.layers import LARGEST_MANIFEST

if TYPE_CHECKING:
    from trillm.hub._job import Job
    from trillm.hub._remote import Location, Plan


def plan_offline(job: Job) -> Plan:
    """As the sources plan, from what is on this machine. Files of it that are not here cannot be located.

    Raises `DownloadError`.
    """

    def nowhere(name: str) -> Location:
        raise _offline(job, name)

    wanted = job.wanted.source
    if isinstance(wanted, HuggingFace):
        found = snapshot.read(wanted)
        try:
            if found is not None:
                plan = huggingface.arrange(job, found.listing, nowhere, find)
                lacks = lacking(found, plan)
                if lacks and found.tree is not None and not snapshot.is_several(wanted):
                    raise _offline(job, lacks[0])
                return replace(plan, notes=tuple(doubts(found, wanted, plan, job.wanted.text)))
        except ModelNotFound:
            # What the repository has is not known here.
            pass
    if isinstance(wanted, Ollama):
        # Ollama itself knows no mirrors: without a host it is always this one.
        host = wanted.host or ollama.HOST
        for folder in ollama_folders():
            text = _start(folder / "manifests" / host / wanted.namespace / wanted.name / wanted.tag)
            if text is not None:
                return ollama.arrange(job, host, text, partial(_blob, folder), nowhere)
    raise _offline(job, job.wanted.text)


def _offline(job: Job, what: str) -> Exception:
    return AbsentError(
        f"{what} is not on this machine, and offline mode forbids fetching it",
        "download_failed",
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
