"""How far a download is."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Phase = Literal["waiting", "downloading", "verifying", "unpacking"]
"""Waiting is for another process that fetches the same model; verifying is of what was on this machine already."""

_WINDOW = 5.0
"""Seconds over which the speed is taken: short enough to follow the network, long enough to be read."""


@dataclass(frozen=True, slots=True)
class Progress:
    """One moment of one file on its way."""

    phase: Phase
    file: str
    """The file being transferred, or the reference waited for."""
    transferred: int
    """Bytes that are there, those of earlier attempts included."""
    total: int | None
    """Bytes in all, where known; while pip downloads, to the three digits that it reports."""
    speed: float
    """Bytes per second, lately."""

    @property
    def eta(self) -> float | None:
        """Seconds to go, where known."""
        return None if self.total is None or self.speed <= 0 else max(self.total - self.transferred, 0) / self.speed

    @property
    def percentage(self) -> float | None:
        """From 0 to 100, where the size is known."""
        return min(100.0, 100.0 * self.transferred / self.total) if self.total else None


Report = Callable[[Progress], object]
"""Called about ten times a second, from the thread that waits for the download. What it raises ends the waiting, and
the download if nobody else waits for it; so does `False`, if it returns that."""


class Meter:
    """Counts the bytes of one file. Any thread may count; reading is cheap and never waits for long."""

    __slots__ = ("_done", "_file", "_lock", "_marks", "_phase", "_total")

    def __init__(self, phase: Phase, file: str, total: int | None = None) -> None:
        self._phase: Phase = phase
        self._file = file
        self._total = total
        self._done = 0
        self._marks: deque[tuple[float, int]] = deque([(time.monotonic(), 0)])
        self._lock = threading.Lock()

    def start(self, done: int) -> None:
        """What was there already: it counts as transferred, but not for the speed."""
        with self._lock:
            self._done = done
            self._marks = deque([(time.monotonic(), done)])

    def add(self, count: int) -> None:
        """More bytes arrived (or, negative, were lost)."""
        with self._lock:
            self._done += count

    def set(self, done: int, total: int | None) -> None:
        """As someone else counted."""
        with self._lock:
            self._done, self._total = done, total

    def read(self) -> Progress:
        """How far it is now."""
        with self._lock:
            now = time.monotonic()
            self._marks.append((now, self._done))
            while len(self._marks) > 2 and self._marks[1][0] < now - _WINDOW:
                self._marks.popleft()
            then, before = self._marks[0]
            speed = max(0.0, (self._done - before) / (now - then)) if now > then else 0.0
            return Progress(self._phase, self._file, self._done, self._total, speed)
