"""Brings models to this machine, keeps them up to date and whole: whatever a reference stands for.

:func:`fetch` returns where a model can be opened. :func:`update` asks its source for something newer, :func:`repair`
fetches what was damaged, :func:`import_model` takes in what is on this machine, :func:`available` lists it all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

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
    from importlib import import_module

    return getattr(import_module(_LATER[name]), name)
