"""One download for all threads of this process that ask for the same model.

The download runs on a thread of its own, and whoever asked waits beside it: so Ctrl-C, or an error in a callback, ends
the waiting at once. The download ends with the last one that waits. Native code waits outside of the interpreter lock
and looks in now and then, so nothing here but `share` takes long.
"""

from __future__ import annotations

import copy
import os
import threading
import time
from typing import TYPE_CHECKING, Generic, TypeVar

from trillm.errors import Cancelled
from trillm.hub._threads import start

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from trillm.hub._job import Job
    from trillm.hub._progress import Progress, Report

T = TypeVar("T")

_TICK = 0.1
"""Seconds between two reports."""

_GRACE = 5.0
"""Seconds that a cancelled download has to put its files away before nobody waits for that any more."""

_flights: dict[Hashable, _Flight[object]] = {}
_lock = threading.Lock()


def share(key: Hashable, job: Job, work: Callable[[Job], T], report: Report | None) -> T:
    """What ``work`` returns or raises, run once for all that ask for ``key`` meanwhile. ``job`` is the first one's."""
    seat = board(key, job, work, report)
    try:
        while not seat.look():
            seat.wait(_TICK)
        return seat.result()
    finally:
        seat.leave()
        while seat.is_leaving():
            seat.wait(_TICK)


def board(key: Hashable, job: Job, work: Callable[[Job], T], report: Callable[[Progress], object] | None) -> Seat[T]:
    """A seat in the download of ``key``, which begins unless somebody else has one already."""
    with _lock:
        flight = _flights.get(key)
        if flight is None:
            flight = _Flight(key, job, work)
            start(flight.thread)
            _flights[key] = flight
        flight.seats += 1
    return Seat(key, flight, report)  # type: ignore[arg-type]  # one key, one kind of work


class Seat(Generic[T]):
    """One that waits for a download."""

    def __init__(self, key: Hashable, flight: _Flight[T], report: Callable[[Progress], object] | None) -> None:
        self._key = key
        self._flight = flight
        self._report = report
        self._seen = 0
        self._until: float | None = None

    def look(self) -> bool:
        """Reports how far it is, and says whether it is over.

        It ends for this one if the reporter raises, or returns `False`.
        """
        flight = self._flight
        done = flight.done.is_set()
        flight.job.tick()
        if self._report is not None:
            ended = flight.job.ended(self._seen)
            self._seen += len(ended)
            for moment in (*ended, *(meter.read() for meter in flight.job.meters())):
                if self._report(moment) is False:
                    raise Cancelled("the download was ended by whoever watched it", "cancelled")
        return done

    def result(self) -> T:
        """What came, once it is over. Raises what ended it."""
        return self._flight.result()

    def wait(self, seconds: float) -> None:
        """Waits for the end of it, but not longer than that."""
        if self._until is None:
            self._flight.done.wait(seconds)
        else:
            self._flight.thread.join(seconds)

    def leave(self) -> bool:
        """Gives up the seat. If it was the last, the download ends: whether it still does."""
        flight = self._flight
        with _lock:
            flight.seats -= 1
            is_last = flight.seats == 0
            if is_last and _flights.get(self._key) is flight:
                del _flights[self._key]
        if is_last:
            flight.job.cancel()
            self._until = time.monotonic() + _GRACE
        return self.is_leaving()

    def is_leaving(self) -> bool:
        """Whether the download that this one ended still puts its files away, and has time to."""
        return self._until is not None and time.monotonic() < self._until and self._flight.thread.is_alive()


class _Flight(Generic[T]):
    def __init__(self, key: Hashable, job: Job, work: Callable[[Job], T]) -> None:
        self.job = job
        self.seats = 0
        self.thread = threading.Thread(target=self._run, args=(key, work), name="trillm-download", daemon=True)
        self.done = threading.Event()
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
        self.done.set()

    def result(self) -> T:
        if self._error is not None:
            # Each has a traceback of its own.
            raise copy.copy(self._error).with_traceback(self._error.__traceback__) from self._error.__cause__
        return self._result  # type: ignore[return-value]  # set if there was no error


def _after_fork() -> None:
    """The threads of the parent do not exist in the child, and its lock may be held by one of them."""
    global _lock  # noqa: PLW0603
    _lock = threading.Lock()
    _flights.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
