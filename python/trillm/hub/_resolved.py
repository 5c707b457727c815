"""A model on this machine, kept there while it is used."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trillm._catalogue import published
from trillm.errors import ModelNotFound, StoreError

if TYPE_CHECKING:
    from typing_extensions import Self

    from trillm._core import Lease, Manifest, Reference, Store


_log = logging.getLogger("trillm.hub")


@dataclass(frozen=True)
class Resolved:
    """What a reference stands for here. Until released, nothing collects its files."""

    reference: Reference
    path: Path
    """Where it can be opened: a file, or a folder."""
    manifest: Manifest | None
    """What the store knows of it; `None` for a path."""
    _lease: Lease | None

    @property
    def published(self) -> dict[str, dict[str, Any]]:
        """What its alias or its source recommends, beside what its files say: each value with who gave it."""
        return published(self.reference, self.manifest)

    def release(self) -> None:
        """Lets go of its files. Harmless when called again."""
        if self._lease is not None:
            self._lease.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def stored(store: Store, wanted: Reference) -> Resolved | None:
    """The model, if the store has it. Raises `StoreError` if what it has is damaged."""
    try:
        manifest = store.get(wanted.text, wanted.generation)
        while True:
            lease = _lease(store, manifest)
            # Looked up again now that nothing can take it away: it may have been, or something newer may be in use.
            held = store.get(wanted.text, wanted.generation)
            if held.id == manifest.id:
                return Resolved(wanted, held.path, held, lease)
            if lease is not None:
                lease.release()
            manifest = held
    except ModelNotFound:
        return None


def _lease(store: Store, manifest: Manifest) -> Lease | None:
    try:
        return store.lease([sha256 for _, sha256, _ in manifest.files])
    except StoreError as error:
        # A store that can only be read, or a full disk: the model can be opened all the same.
        _log.debug("%s is not leased: %s", manifest.reference, error)
        return None
