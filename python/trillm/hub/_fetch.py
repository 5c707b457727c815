"""From a reference to a path, with at most one download for all threads and processes that ask at once."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trillm import _warnings
from trillm._core import HuggingFace, Ollama, Store
from trillm._keywords import advising
from trillm._reference import parse
from trillm.errors import ModelNotFound, StoreError
from trillm.hub._failure import download_failed
from trillm.hub._flight import Seat, board, share
from trillm.hub._job import Job
from trillm.hub._options import Options
from trillm.hub._report import checked
from trillm.hub._resolved import Resolved

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from trillm._core import Manifest, Reference
    from trillm.hub._progress import Progress, Report

_log = logging.getLogger("trillm.hub")

_PATIENCE = 0.2
"""Seconds between two looks at whether another process is still fetching."""


@advising
def fetch(
    reference: str | bytes | PathLike[str] | PathLike[bytes],
    *,
    store: Store | None = None,
    options: Options | Mapping[str, Any] | None = None,
    progress: Report | None = None,
    offline: bool = False,
) -> Path:
    """Where the model can be opened: a file, or a folder if it has several.

    What is neither a path nor in the store is downloaded, verified and kept. With ``offline`` no connection is opened.
    ``options`` are `Options`, or a mapping of their names to values.
    ``progress`` is called about ten times a second; an exception it raises, or ``False`` that it returns, ends the
    waiting, and the download if nobody else in this process waits for it. Only callers with the same ``options`` share
    a download.

    Raises `ModelNotFound`, `DownloadError`, `DigestMismatch`, `StoreError`, `InvalidRequest`.
    """
    options = _options(options, offline=offline)
    with resolve(reference, store=store, options=options, progress=progress) as found:
        return found.path


@advising
def resolve(
    reference: str | bytes | PathLike[str] | PathLike[bytes],
    *,
    store: Store | None = None,
    options: Options | Mapping[str, Any] | None = None,
    progress: Report | None = None,
) -> Resolved:
    """As :func:`fetch`, and keeps the model's files from being collected until it is released."""
    options = _options(options)
    progress = checked(progress)
    wanted = parse(reference, options.models_directory)
    if wanted.local is not None:
        return Resolved(wanted, wanted.local, None, None)
    store = Store() if store is None else store
    manifest, lease = store.present(wanted, lambda report: _board(store, wanted, options, report), progress)
    found = Resolved(wanted, manifest.path, manifest, lease)
    for note in found.notes:
        _log.warning("%s", note)
    _warnings.give(found.notes)
    return found


def renew(
    reference: str | bytes | PathLike[str] | PathLike[bytes],
    *,
    store: Store | None = None,
    options: Options | Mapping[str, Any] | None = None,
    progress: Report | None = None,
) -> Manifest:
    """Asks the source again, though the store has the model: what it gives now becomes the generation in use."""
    wanted = parse(reference)
    if wanted.local is not None:
        raise ModelNotFound(f"{wanted.text} is a file, which has no source", "model_not_found")
    store = Store() if store is None else store
    if wanted.source is None:
        # Either it is not there, or it came from no source.
        store.get(wanted.text)
        raise ModelNotFound(f"{wanted.text} was imported, and has no source", "model_not_found")
    job = Job(store, wanted, _options(options))
    return share(
        (store.root, wanted.text, "renew", job.options.key), job, lambda job: _pull_in_turn(job, again=True), progress
    )


def _options(given: Options | Mapping[str, Any] | None, *, offline: bool = False) -> Options:
    options = Options.of(given)
    return options.without_network() if offline else options


def _board(store: Store, wanted: Reference, options: Options, report: Callable[[Progress], object]) -> Seat[str]:
    """A seat in the download of what is not there, which ends with the id of the generation that came."""
    # What other programs left on this machine needs no connection.
    if options.no_network and not isinstance(wanted.source, HuggingFace | Ollama):
        raise download_failed(
            f"{wanted.text} is not in the store, and offline mode forbids fetching it",
            f"fetch it once while online: trillm pull {wanted.text}",
        )
    key = (store.root, wanted.text, wanted.generation, options.key)
    return board(key, Job(store, wanted, options), lambda job: _pull_in_turn(job, again=False).id, report)


def _pull_in_turn(job: Job, *, again: bool) -> Manifest:
    # Imported here: what is in the store already needs none of it.
    from trillm.hub._pull import pull

    with _turn(job):
        # Whoever had the turn before may have fetched it.
        there = None if again else _there(job.store, job.wanted)
        return pull(job, again=again) if there is None else there


def _there(store: Store, wanted: Reference) -> Manifest | None:
    try:
        held = store.hold(wanted.text, wanted.generation)
    except StoreError as error:
        if error.code != "model_damaged":
            raise
        _log.warning("%s; fetching it again", error)
        return None
    if held is None:
        return None
    manifest, lease = held
    if lease is not None:
        lease.release()
    return manifest


@contextmanager
def _turn(job: Job) -> Iterator[None]:
    """Waits until no other process fetches this model; then none will before we are done, unless we stop."""
    claim = job.store.claim(job.wanted.text)
    if claim is None:
        with job.meter("waiting", job.wanted.text):
            while claim is None:
                job.sleep(_PATIENCE)
                claim = job.store.claim(job.wanted.text)
    with claim, job.kept(claim):
        yield
