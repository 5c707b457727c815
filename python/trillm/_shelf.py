"""What a router's native half asks Python for: to find models, to load them, and to hear what becomes of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from os import fsdecode
from typing import TYPE_CHECKING, Any

from trillm._later import Later
from trillm._reference import a_path
from trillm._responses import ResponseCache
from trillm.errors import InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from trillm import _core
    from trillm._model import Model
    from trillm._options import RouterOptions
    from trillm.hub import Report, Resolved
    from trillm.types import LoadParams

__all__ = ["Shelf", "Wish"]


@dataclass(frozen=True)
class Wish:
    """A model that somebody wants by name, and how it is to be loaded."""

    reference: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    force: bool = False
    """Load it though memory will not suffice by its plan."""
    said: bool = False
    """Whether somebody said how, if only that there are no settings."""

    @classmethod
    def of(cls, wanted: Any, settings: Mapping[str, Any] | None = None, *, force: bool = False) -> Wish:
        """A reference, or a mapping with `file` and maybe `engine` and `settings`; the others come before those.

        Raises `InvalidRequest`.
        """
        if not isinstance(wanted, Mapping):
            reference = a_path("model", wanted, "a text, a path, or a mapping with `file`")
            return cls(fsdecode(reference), settings or {}, force, settings is not None)
        if unknown := [key for key in wanted if key not in _KEYS]:
            raise InvalidRequest(
                f"model has the key {unknown[0]!r}, expected some of {', '.join(_KEYS)}", "invalid_parameter"
            )
        if "file" not in wanted:
            raise InvalidRequest("model is a mapping without `file`, expected the model's name", "invalid_parameter")
        own = wanted.get("settings") or {}
        if not isinstance(own, Mapping):
            raise InvalidRequest(
                f"settings of a model are {own!r:.200}, expected a mapping of names to values", "invalid_parameter"
            )
        engine = {} if wanted.get("engine") is None else {"engine": wanted["engine"]}
        reference = a_path("file", wanted["file"], "a text or a path")
        said = settings is not None or any(wanted.get(key) is not None for key in ("engine", "settings"))
        return cls(fsdecode(reference), {**own, **engine, **(settings or {})}, force, said)

    def forced(self) -> Wish:
        """The same, whatever memory there is."""
        return replace(self, force=True)


_KEYS = ("file", "engine", "settings")


class Shelf:
    """Finds and loads what a router has names for."""

    def __init__(
        self, options: RouterOptions, store: _core.Store, on_event: Callable[[dict[str, Any]], object] | None
    ) -> None:
        self.options = options
        self.store = store
        self.wishes: dict[str, Wish] = {}
        self.responses = ResponseCache(options.response_cache)
        self._on_event = on_event
        self._loads: dict[str, int] = {}
        # How models are loaded just now, and how they were loaded last.
        self._tried: dict[str, Wish] = {}
        self._proven: dict[str, Wish] = {}

    def wish(self, name: str, wish: Wish) -> Wish | None:
        """Takes down how a model is to be loaded from now on; how it was to be before, if that was otherwise."""
        before = self.wished(name)
        if wish.said and wish.settings != before.settings:
            self.wishes[name] = wish
            return before
        self.wishes[name] = before.forced() if wish.force else before
        return None

    def unwish(self, name: str, wish: Wish, before: Wish) -> None:
        """Takes a wish back that came to nothing, unless another one has come since."""
        if self.wishes.get(name) is wish:
            self.wishes[name] = before

    def resolve(self, reference: Any, progress: Report | None = None) -> Resolved:
        """What a reference stands for, downloaded first if need be, and kept from being collected."""
        with Later("trillm.hub"):
            from trillm.hub import resolve

        return resolve(reference, store=self.store, options=self.options.hub(), progress=progress)

    def fetch(self, reference: Any, progress: Report | None = None) -> Path:
        """Where it can be opened, downloaded first if need be."""
        with self.resolve(reference, progress) as found:
            return found.path

    def bring(self, name: str, progress: Report) -> None:
        """Makes a model present that is wanted by name, and tells how far that is."""
        self.fetch(self.wished(name).reference, progress)

    def wished(self, name: str) -> Wish:
        """How a model is to be loaded; one that a server's client named first, as all are."""
        return self.wishes.get(name) or Wish(name)

    def find(self, name: str, wanted: _core.Wanted) -> tuple[Path, Resolved, LoadParams, str | None]:
        """Makes a model present as long as `wanted` says so.

        Where it is, what keeps it there, and by what an engine is chosen: what is asked of whichever it will be, and
        the one to prefer.
        """
        wish = self._tried[name] = self.wished(name)
        found = self.resolve(wish.reference, wanted)
        return found.path, found, self.options.asked(wish.settings), self.options.preferred

    def settings(self, name: str, engine: str, trained: int, wanted: _core.Wanted) -> tuple[LoadParams, bool]:
        """How a model is loaded that `engine` runs, and whether it is forced."""
        from trillm._model import bring_tokenizer

        wish = self.wished(name)
        params = self.options.load_params(wish.settings, engine=engine, trained=trained or None)
        bring_tokenizer(params, lambda tokenizer: self.fetch(tokenizer, wanted))
        return params, wish.force

    def load(self, name: str, found: Resolved, params: LoadParams, wanted: _core.Wanted) -> Model:
        """Loads what was found."""
        from trillm._model import load_resolved

        told = params.get("progress")
        params["progress"] = wanted if told is None else lambda share: wanted() and told(share)
        model = load_resolved(found, params)
        # One load of a model at a time: nobody else writes this.
        self._loads[name] = self._loads.get(name, 0) + 1
        self._proven[name] = self._tried[name]
        return model

    def place(self, name: str) -> tuple[str, int]:
        """What stands for a model as it is loaded, for whoever uses it meanwhile: another one after each load."""
        return name, self._loads[name]

    def event(self, kind: str, name: str, details: dict[str, Any]) -> None:
        """Tells what happened to a model."""
        if kind in ("evicted", "unloaded"):
            self.responses.drop(name)
        # It may be told when the next load of the model has begun.
        if kind == "failed" and (tried := self._tried.get(name)) is not None:
            # Others who want the model must not get that error for ever.
            self.unwish(name, tried, self._proven.get(name, Wish(name)))
        if self._on_event is not None:
            self._on_event({"event": kind, "model": name, **details})
