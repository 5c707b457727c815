"""Threads that work on one download: what they ask whether they may go on, and how one of them ends the others."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future, wait
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Protocol, TypeVar

from trillm.hub._failure import CancelledError
from trillm.hub._threads import start

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

T = TypeVar("T")

_TICK = 0.1
"""Seconds after which a thread that waits for others looks whether it is still wanted."""


class Running(Protocol):
    """Something that may be cancelled: a job, or a crew that works for one."""

    @property
    def attempts(self) -> int:
        """How often what failed is tried again."""

    def check(self) -> None:
        """Raises if it was cancelled."""

    def sleep(self, seconds: float) -> None:
        """Waits, or raises as soon as it is cancelled."""

    def on_cancel(self, call: Callable[[], None]) -> AbstractContextManager[None]:
        """While inside, cancelling calls this, from another thread."""


def beside(running: Running, call: Callable[[], T]) -> T:
    """What it returns, called on a thread of its own: nothing wakes it, and whoever cancels must not wait for it."""
    answer: Future[T] = Future()

    def run() -> None:
        try:
            answer.set_result(call())
        except BaseException as error:
            answer.set_exception(error)

    start(threading.Thread(target=run, name="trillm-beside", daemon=True))
    while not wait([answer], _TICK / 2).done:
        running.check()
    return answer.result()


class Crew:
    """Threads that succeed or fail together. For each of them it is what a job is for all."""

    def __init__(self, outer: Running) -> None:
        self._outer = outer
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._wake: dict[int, Callable[[], None]] = {}
        self._error: BaseException | None = None

    @property
    def attempts(self) -> int:
        """How often what failed is tried again."""
        return self._outer.attempts

    def run(self, works: Sequence[Callable[[], None]]) -> None:
        """Does these at the same time. The first that fails ends the others, and what it raised is raised."""
        threads = [threading.Thread(target=self._work, args=(work,), daemon=True) for work in works]
        try:
            for thread in threads:
                start(thread)
            for thread in threads:
                while thread.is_alive():
                    thread.join(_TICK)
                    self._outer.check()
        except BaseException:
            self._stop()
            raise
        finally:
            for thread in threads:
                if thread.ident is not None:
                    thread.join()
        if self._error is not None:
            raise self._error

    def check(self) -> None:
        """Raises if one of us failed, or nobody waits for us any more."""
        if self._stopped.is_set():
            raise CancelledError
        self._outer.check()

    def sleep(self, seconds: float) -> None:
        """Waits, but not longer than anybody waits for us."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._stopped.wait(min(left, _TICK))
            self.check()

    @contextmanager
    def on_cancel(self, call: Callable[[], None]) -> Iterator[None]:
        """While inside, this is called when the crew must end, from another thread: it must wake what blocks."""
        with self._lock:
            self._wake[id(call)] = call
        try:
            self.check()
            yield
        finally:
            with self._lock:
                del self._wake[id(call)]

    def _work(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            with self._lock:
                # Most later ones are because of the first.
                if not self._stopped.is_set():
                    self._error = error
                self._stopped.set()
            self._stop()

    def _stop(self) -> None:
        self._stopped.set()
        with self._lock:
            wake = list(self._wake.values())
        for call in wake:
            call()
