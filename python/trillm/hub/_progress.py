"""How far a download is."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Phase = Literal["waiting", "downloading", "unpacking"]
"""Waiting is for another process that fetches the same model."""


@dataclass(frozen=True, slots=True)
class Progress:
    """One moment of a download."""

    phase: Phase
    file: str
    """The file being transferred, or the reference waited for."""
    transferred: int
    """Bytes so far."""
    total: int | None
    """Bytes in all, where known; while downloading, to the three digits that pip reports."""
    speed: float
    """Bytes per second."""
    eta: float | None
    """Seconds to go, where known."""


Report = Callable[[Progress], None]
"""Called from the thread that fetches. What it raises ends the download."""


class Meter:
    """Turns byte counts of one file into :class:`Progress`."""

    __slots__ = ("_file", "_phase", "_report", "_start")

    def __init__(self, report: Report | None, phase: Phase, file: str) -> None:
        self._report = report
        self._phase: Phase = phase
        self._file = file
        self._start = time.monotonic()

    def __call__(self, transferred: int, total: int | None) -> None:
        if self._report is None:
            return
        elapsed = time.monotonic() - self._start
        speed = transferred / elapsed if elapsed > 0 else 0.0
        eta = None if total is None or speed <= 0 else max(total - transferred, 0) / speed
        self._report(Progress(self._phase, self._file, transferred, total, speed, eta))
