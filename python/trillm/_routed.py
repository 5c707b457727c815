"""A router's model, by name: each call leases it, and brings it if it is not here."""

from __future__ import annotations

from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING

from trillm._model import Model
from trillm._streaming import ByLoop, Lines, when
from trillm.errors import ModelNotFound

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from trillm import _core

__all__ = ["LeasedModel", "RoutedModel"]


class RoutedModel(Model):
    """A model of an `LLMRouter`: whoever calls it has it loaded, and it stays while it is used.

    Closing it unloads it; the next call loads it again.
    """

    __slots__ = ("_keep_alive", "_name", "_router")

    def __init__(self, router: _core.Router, name: str, keep_alive: float | None = None) -> None:
        self._router = router
        self._name = name
        self._keep_alive = keep_alive
        self._held = None
        self._lines = Lines()

    @property
    def name(self) -> str:
        """What the router calls it."""
        return self._name

    @property
    def is_loaded(self) -> bool:
        """Whether it is in memory now."""
        return any(status["name"] == self._name and status["phase"] == "loaded" for status in self._router.status())

    def kept(self, keep_alive: float | None) -> RoutedModel:
        """The same model, for calls after which it stays so many seconds if nobody uses it."""
        if keep_alive is None:
            return self
        model = RoutedModel(self._router, self._name, keep_alive)
        # One queue has one line.
        model._lines = self._lines
        return model

    @contextmanager
    def leased(self) -> Iterator[None]:
        """Keeps it in memory, loading it first if need be."""
        lease = self._use()
        try:
            yield
        finally:
            del lease

    @contextmanager
    def here(self) -> Iterator[LeasedModel]:
        """The model as it is loaded now, for a call; it is loaded first if need be."""
        model = LeasedModel(self._use(), self._lines)
        try:
            yield model
        finally:
            model.close()

    @asynccontextmanager
    async def ahere(self) -> AsyncIterator[LeasedModel]:
        """The same for an event loop."""
        model = LeasedModel(await self._ause(), self._lines)
        try:
            yield model
        finally:
            model.close()

    def close(self) -> None:
        """Unloads it once nobody uses it. Harmless if it is not loaded."""
        # Another one may need its room just now.
        with suppress(ModelNotFound):
            self._router.unload(self._name, at_once=False)

    def _use(self) -> _core.Model:
        return self._router.lease(self._name, self._keep_alive)

    def _use_now(self) -> _core.Model | None:
        return self._router.lease_now(self._name, self._keep_alive)

    async def _ause(self) -> _core.Model:
        here = self._use_now()
        if here is None:
            held = await _arrivals.get().wait(self._router, self._name)
            here = self._use_now() or held
        return here

    def __repr__(self) -> str:
        return f"<trillm.RoutedModel {self._name!r} ({'loaded' if self.is_loaded else 'not loaded'})>"


class LeasedModel(Model):
    """A router's model as it is loaded, in use until this is closed: what one load says, and no other."""

    __slots__ = ()

    def __init__(self, core: _core.Model, lines: Lines) -> None:
        self._core = core
        self._held = None
        self._lines = lines

    def close(self) -> None:
        """Uses it no more. An error keeps the frames that it came through, which must not keep the model."""
        del self._core


class _Arrivals:
    """Models that tasks of one loop wait for. However many wait for one, one thread brings it."""

    __slots__ = ("__weakref__", "_coming")

    def __init__(self) -> None:
        self._coming: dict[tuple[_core.Router, str], tuple[_core.Leasing, list[object]]] = {}

    async def wait(self, router: _core.Router, name: str) -> _core.Model:
        """The model, when it is here; who waits in vain gives up on it if nobody else waits."""
        key = (router, name)
        if key not in self._coming:
            self._coming[key] = (router.leasing(name), [])
        leasing, waiting = self._coming[key]
        me = object()
        waiting.append(me)
        try:
            model = await when(leasing)
            assert model is not None
            return model
        finally:
            waiting.remove(me)
            if not waiting:
                self._coming.pop(key, None)
                leasing.close()


_arrivals = ByLoop(lambda _: _Arrivals())
