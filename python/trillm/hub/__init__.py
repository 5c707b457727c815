"""Brings models to this machine, keeps them up to date and whole: whatever a reference stands for.

:func:`fetch` returns where a model can be opened. :func:`update` asks its source for something newer, :func:`repair`
fetches what was damaged, :func:`import_model` takes in what is on this machine, :func:`available` lists it all.

What happens to a reference that is not in the store: the native store reads it; ``_fetch.py`` joins or starts the one
download of this process (``_flight.py``) and waits for its turn among processes (a claim); ``_pull.py`` asks the source
for a plan, leases what it names, transfers, and puts the manifest. A source, one module of ``_sources`` each, says what
files there are, with which digests, and where they are now; the store picks those that make a model, by their names,
and ``_named.py`` adds those that a graph or an index names, once these are here. ``_network/transfer.py`` brings them:
ranges, connections, resuming, over a native partial file. ``_job.py`` is what the parts of one download share,
``_resolved.py`` keeps a model from being collected while it is used. ``_outline.py`` fetches no more than what says
what a model is, for plans.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trillm._later import bring
from trillm.hub._fetch import fetch, resolve
from trillm.hub._options import Options, Source
from trillm.hub._progress import Phase, Progress, Report
from trillm.hub._resolved import Resolved

if TYPE_CHECKING:
    from trillm._catalogue import available
    from trillm.hub._import import import_model
    from trillm.hub._repair import repair
    from trillm.hub._sources.caches import publish
    from trillm.hub._update import Change, update

__all__ = [
    "Change",
    "Options",
    "Phase",
    "Progress",
    "Report",
    "Resolved",
    "Source",
    "available",
    "fetch",
    "import_model",
    "publish",
    "repair",
    "resolve",
    "update",
]

_LATER = {
    "Change": "trillm.hub._update",
    "available": "trillm._catalogue",
    "import_model": "trillm.hub._import",
    "publish": "trillm.hub._sources.caches",
    "repair": "trillm.hub._repair",
    "update": "trillm.hub._update",
}
"""Where the names are that loading a model does not need: it should not pay for importing them."""


def __getattr__(name: str) -> object:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(bring(_LATER[name]), name)
