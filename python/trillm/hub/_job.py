"""One download: what it needs, who waits for it, and whether it may go on."""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from trillm.errors import DownloadError
from trillm.hub._failure import CancelledError
from trillm.hub._progress import Meter, Phase, Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from trillm._core import Claim, Manifest, Reference, Store
    from trillm.hub._options import Options

_KEEP = 5.0
"""Seconds between two signs of life for other processes that want the same model."""


class Job:
    """What the parts of one download share. Its threads ask :meth:`check` whenever they come round."""

    def __init__(self, store: Store, wanted: Reference, options: Options) -> None:
        self.store = store
        self.wanted = wanted
        self.options = options
        self.attempts = options.retry_attempts
        """How often what failed is tried again."""
        self._meters: list[Meter] = []
        self._ended: list[Progress] = []
        self._lock = threading.Lock()
        self._cancelled = threading.Event()
        self._claim: Claim | None = None
        self._next_keep = 0.0
        self._late = False
        self._on_cancel: dict[int, Callable[[], None]] = {}
        self._deadline = None if options.download_timeout is None else time.monotonic() + options.download_timeout

    def put(self, model: Mapping[str, Any]) -> Manifest:
        """Makes what was fetched visible, and puts it in use, unless one generation was asked for."""
        return self.store.put(json.dumps(model), in_use=self.wanted.generation is None)

    def cancel(self) -> None:
        """Ends the download: no thread of it starts anything new, and those that wait for bytes are woken."""
        self._cancelled.set()
        self._wake()

    def _wake(self) -> None:
        with self._lock:
            wake = list(self._on_cancel.values())
        for call in wake:
            call()

    @contextmanager
    def on_cancel(self, call: Callable[[], None]) -> Iterator[None]:
        """While inside, cancelling calls this, from another thread: it must wake what blocks."""
        with self._lock:
            self._on_cancel[id(call)] = call
        try:
            self.check()
            yield
        finally:
            with self._lock:
                del self._on_cancel[id(call)]

    @contextmanager
    def kept(self, claim: Claim) -> Iterator[None]:
        """While inside, those who wait keep the claim alive: they come round also when our threads block."""
        self._claim = claim
        try:
            yield
        finally:
            self._claim = None

    def tick(self) -> None:
        """To be called now and then by those who wait."""
        claim, now = self._claim, time.monotonic()
        if self._deadline is not None and now > self._deadline and not self._late:
            # Whoever waits for bytes does not see the time pass.
            self._late = True
            self._wake()
        if claim is not None and now > self._next_keep:
            self._next_keep = now + _KEEP
            claim.keep()

    def check(self) -> None:
        """Raises if nobody waits any more, or the time is up."""
        if self._cancelled.is_set():
            raise CancelledError
        if self._deadline is not None and time.monotonic() > self._deadline:
            raise DownloadError(
                f"{self.wanted.text} did not arrive within {self.options.download_timeout:g} s",
                "download_timeout",
                "what arrived is kept, so trying again goes on from there; or allow more time (download_timeout)",
            )

    def sleep(self, seconds: float) -> None:
        """Waits, but not longer than anybody waits for us."""
        if self._deadline is not None:
            seconds = min(seconds, max(0.0, self._deadline - time.monotonic()) + 0.001)
        self._cancelled.wait(seconds)
        self.check()

    @contextmanager
    def once(self) -> Iterator[None]:
        """While inside, nothing that failed is tried again."""
        self.attempts = 0
        try:
            yield
        finally:
            self.attempts = self.options.retry_attempts

    @contextmanager
    def meter(self, phase: Phase, file: str, total: int | None = None) -> Iterator[Meter]:
        """Counts one step's bytes; whoever waits sees them."""
        meter = Meter(phase, file, total)
        with self._lock:
            self._meters.append(meter)
        try:
            yield meter
        finally:
            with self._lock:
                self._meters.remove(meter)
                self._ended.append(meter.read())

    def ended(self, seen: int) -> list[Progress]:
        """The last moments of the steps that are over, but for the first ``seen``."""
        with self._lock:
            return self._ended[seen:]

    def meters(self) -> list[Meter]:
        """What is going on now."""
        with self._lock:
            return list(self._meters)
