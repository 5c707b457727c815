"""One download for all threads of this process that ask for the same model.

The download runs on a thread of its own, and whoever asked waits beside it: so Ctrl-C, or an error in a callback, ends
the waiting at once. The download ends with the last one that waits.
"""

from __future__ import annotations

import copy
import os
import threading
from typing import TYPE_CHECKING, Generic, TypeVar

from trillm.hub._failure import CancelledError
from trillm.hub._threads import start

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from trillm.hub._job import Job
    from trillm.hub._progress import Report

T = TypeVar("T")

_TICK = 0.1
"""Seconds between two reports."""

_GRACE = 5.0
"""Seconds that a cancelled download has to put its files away before nobody waits for that any more."""

_flights: dict[Hashable, _Flight[object]] = {}
_lock = threading.Lock()


def share(key: Hashable, job: Job, work: Callable[[Job], T], report: Report | None) -> T:
    """What ``work`` returns or raises, run once for all that ask for ``key`` meanwhile. ``job`` is the first one's."""
    with _lock:
        flight = _flights.get(key)
        if flight is None:
            flight = _Flight(key, job, work)
            start(flight.thread)
            _flights[key] = flight
        flight.waiting += 1
    try:
        flight.wait(report)
    finally:
        with _lock:
            flight.waiting -= 1
            abandoned = flight.waiting == 0
            if abandoned and _flights.get(key) is flight:
                del _flights[key]
        if abandoned:
            flight.job.cancel()
            flight.thread.join(_GRACE)
    result: T = flight.result()  # type: ignore[assignment]  # one key, one kind of work
    return result


class _Flight(Generic[T]):
    def __init__(self, key: Hashable, job: Job, work: Callable[[Job], T]) -> None:
        self.job = job
        self.waiting = 0
        self.thread = threading.Thread(target=self._run, args=(key, work), name="trillm-download", daemon=True)
        self._done = threading.Event()
        self._result: T | None = None
        self._error: BaseException | None = None

    def _run(self, key: Hashable, work: Callable[[Job], T]) -> None:
        try:
            self._result = work(self.job)
        except BaseException as error:
            self._error = error
        with _lock:
            if _flights.get(key) is self:
                del _flights[key]
        self._done.set()

    def wait(self, report: Report | None) -> None:
        seen = 0
        done = False
        while not done:
            done = self._done.wait(_TICK)
            self.job.tick()
            if report is not None:
                ended = self.job.ended(seen)
                seen += len(ended)
                for moment in ended:
                    report(moment)
                for meter in self.job.meters():
                    report(meter.read())

    def result(self) -> T:
        if self._error is not None:
            # Each has a traceback of its own.
            raise copy.copy(self._error).with_traceback(self._error.__traceback__) from self._error.__cause__
        if not self._done.is_set():
            raise CancelledError
        return self._result  # type: ignore[return-value]  # set if there was no error


def _after_fork() -> None:
    """The threads of the parent do not exist in the child, and its lock may be held by one of them."""
    global _lock  # noqa: PLW0603
    _lock = threading.Lock()
    _flights.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
