"""Progress on standard error: a bar on a terminal, a line now and then in a log."""

from __future__ import annotations

import logging
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from trillm.cli.output import readable, say, size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from trillm.hub import Progress

__all__ = ["downloading", "loading"]

_LOG_EVERY = 10.0
"""Seconds between two lines of one download in a log."""

_SHOW_LOADING_AFTER = 0.5
"""Seconds: most models are mapped before anyone could read a line."""


@contextmanager
def downloading() -> Iterator[Callable[[Progress], None]]:
    """Shows a download, and why it is tried again; yields what to call with its progress."""
    logger, warnings = logging.getLogger("trillm.hub"), _Warnings()
    logger.addHandler(warnings)
    bar = _Bar()
    try:
        yield bar if sys.stderr.isatty() else _Log()
    finally:
        bar.stop()
        logger.removeHandler(warnings)


class _Warnings(logging.Handler):
    """Log records as lines like those of errors."""

    def emit(self, record: logging.LogRecord) -> None:
        say(f"{record.levelname.lower()}: {record.getMessage()}")


class _Log:
    """Lines: one when a step begins, then one every few seconds."""

    def __init__(self) -> None:
        self._step: tuple[str, str] | None = None
        self._next = 0.0

    def __call__(self, progress: Progress) -> None:
        step = (progress.phase, progress.file)
        now = time.monotonic()
        if step == self._step and now < self._next:
            return
        self._step, self._next = step, now + _LOG_EVERY
        amount = ""
        if progress.total:
            amount = f" {size(progress.transferred)} of {size(progress.total)}"
        elif progress.transferred:
            amount = f" {size(progress.transferred)}"
        say(f"{_title(progress)}{amount}")


class _Bar:
    """A bar that appears with the first progress: what is in the store already shows none."""

    def __init__(self) -> None:
        self._stop: Callable[[], None] | None = None
        self._show: Callable[[Progress], None] | None = None

    def __call__(self, progress: Progress) -> None:
        if self._show is None:
            self._start()
        assert self._show is not None
        self._show(progress)

    def _start(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn
        from rich.progress import Progress as Display

        display = Display(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        task = display.add_task("", total=None)

        def show(progress: Progress) -> None:
            display.update(
                task, description=_title(progress), completed=progress.transferred, total=progress.total or None
            )

        display.start()
        self._stop, self._show = display.stop, show

    def stop(self) -> None:
        if self._stop is not None:
            self._stop()


def _title(progress: Progress) -> str:
    if progress.phase == "waiting":
        return f"waiting for another process that fetches {readable(progress.file)}"
    return f"{progress.phase} {readable(progress.file)}"


@contextmanager
def loading() -> Iterator[Callable[[float], object] | None]:
    """Shows how far a slow load is; yields what `trillm.load` takes as `progress`."""
    if not sys.stderr.isatty():
        yield None
        return
    start = time.monotonic()

    def show(share: float) -> None:
        if time.monotonic() > start + _SHOW_LOADING_AFTER:
            sys.stderr.write(f"\r\x1b[Kloading {share:.0%}")
            sys.stderr.flush()

    try:
        yield show
    finally:
        if time.monotonic() > start + _SHOW_LOADING_AFTER:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
