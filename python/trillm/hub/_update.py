"""Something newer from where a model came from, and what is different about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trillm._core import Store
from trillm._keywords import advising
from trillm._reference import parse
from trillm.errors import ModelNotFound
from trillm.hub._fetch import renew
from trillm.hub._report import checked

if TYPE_CHECKING:
    from collections.abc import Mapping
    from os import PathLike

    from trillm._core import Manifest
    from trillm.hub._options import Options
    from trillm.hub._progress import Report


@dataclass(frozen=True)
class Change:
    """What an update did."""

    reference: str
    before: Manifest | None
    """The generation that was in use; `None` if there was none."""
    after: Manifest
    """The one in use now."""
    added: tuple[str, ...]
    """Files that are new."""
    removed: tuple[str, ...]
    """Files that are gone."""
    changed: tuple[str, ...]
    """Files with another content."""

    @property
    def newer(self) -> bool:
        """Whether anything changed."""
        return self.before is None or self.before.id != self.after.id

    def to_dict(self) -> dict[str, Any]:
        """All of it, for JSON."""
        return {
            "reference": self.reference,
            "newer": self.newer,
            "before": None if self.before is None else f"sha256:{self.before.id}",
            "after": f"sha256:{self.after.id}",
            "generation": self.after.generation,
            "source": self.after.source,
            "added": list(self.added),
            "removed": list(self.removed),
            "changed": list(self.changed),
        }

    def lines(self) -> list[str]:
        """What people want to know."""
        if not self.newer:
            return [f"{self.reference} is up to date"]
        named = (("added", self.added), ("changed", self.changed), ("removed", self.removed))
        return [
            f"{self.reference} is generation {self.after.generation} now, from {self.after.source}",
            *(f"  {kind} {name}" for kind, names in named for name in names),
        ]


@advising
def update(
    reference: str | bytes | PathLike[str] | PathLike[bytes],
    *,
    store: Store | None = None,
    options: Options | Mapping[str, Any] | None = None,
    progress: Report | None = None,
) -> Change:
    """Fetches what the source has now, which becomes the generation in use; the one before stays in the store.

    Files that did not change are not fetched again. A program that has the model loaded keeps the generation it has.
    What was imported has no source: nothing changes. Raises as :func:`fetch` does.
    """
    progress = checked(progress)
    store = Store() if store is None else store
    wanted = parse(reference)
    before = _current(store, wanted.text)
    if wanted.source is None and before is not None:
        after = before
    else:
        after = renew(wanted.text, store=store, options=options, progress=progress)
    old = {} if before is None else {name: sha256 for name, sha256, _ in before.files}
    new = {name: sha256 for name, sha256, _ in after.files}
    return Change(
        wanted.text,
        before,
        after,
        added=tuple(sorted(new.keys() - old.keys())),
        removed=tuple(sorted(old.keys() - new.keys())),
        changed=tuple(sorted(name for name in new.keys() & old.keys() if new[name] != old[name])),
    )


def _current(store: Store, text: str) -> Manifest | None:
    """The generation in use, damaged or not."""
    try:
        generations, current = store.history(text)
    except ModelNotFound:
        return None
    return next(manifest for manifest in generations if manifest.id == current)
