"""What a router does about an error before it tries once more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trillm._later import Later
from trillm.errors import TrillmError

if TYPE_CHECKING:
    from trillm import _core
    from trillm._journal import Recovery
    from trillm._shelf import Shelf

__all__ = ["recover"]


def recover(action: Recovery, name: str, core: _core.Router, shelf: Shelf) -> bool:
    """Does that for a model; whether anything was done, so that it is worth trying again."""
    try:
        match action:
            case "unload_models":
                return _unload_others(name, core)
            case "reload_model":
                core.unload(name, at_once=False)
                return True
            case "download_model":
                return _mend(shelf.wished(name).reference, shelf)
    except TrillmError:
        return False


def _unload_others(name: str, core: _core.Router) -> bool:
    idle = [other for other, _ in core.idle() if other != name]
    for other in idle:
        core.unload(other, at_once=False)
    return bool(idle)


def _mend(reference: str, shelf: Shelf) -> bool:
    """Fetches what is damaged of a model that came from somewhere."""
    with Later("trillm.hub"):
        from trillm._reference import parse
        from trillm.hub import repair

    options = shelf.options.hub()
    wanted = parse(reference, options.models_directory)
    if wanted.local is not None:
        return False
    damages = shelf.store.verify(wanted.text)
    if damages:
        repair(wanted.text, damages, store=shelf.store, options=options)
    return bool(damages)
