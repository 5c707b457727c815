"""Progress on standard error: a bar on a terminal, a line now and then in a log."""

from __future__ import annotations

import logging
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from trillm.cli.output import draws, readable, say, size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.progress import Progress as Display
    from rich.progress import TaskID

    from trillm.hub import Progress

__all__ = ["converting", "downloading", "loading", "said"]

_LOG_EVERY = 10.0
"""Seconds between two lines of one step in a log."""

_SHOW_LOADING_AFTER = 0.5
"""Seconds: most models are mapped before anyone could read a line."""


@contextmanager
def downloading() -> Iterator[Callable[[Progress], None]]:
    """Shows a download, what was chosen, and why it is tried again; yields what to call with its progress."""
    with said("trillm.hub", logging.INFO), _shown() as show:
        yield lambda progress: show(_title(progress), progress.transferred, progress.total)


@contextmanager
def converting(name: str) -> Iterator[Callable[[int, int], None]]:
    """Shows a conversion; yields what to call with the bytes written and those there will be."""
    with _shown() as show:
        yield lambda written, total: show(f"converting {readable(name)}", written, total)


@contextmanager
def said(name: str, level: int) -> Iterator[None]:
    """Shows what the library says under this name, from this level on."""
    logger, lines = logging.getLogger(name), _Lines()
    before = logger.level
    logger.addHandler(lines)
    logger.setLevel(level)
    try:
        yield
    finally:
        logger.setLevel(before)
        logger.removeHandler(lines)


@contextmanager
def _shown() -> Iterator[Callable[[str, int, int | None], None]]:
    """Yields what to call with the title of a step, its bytes so far, and its bytes in all where known."""
    bar = _Bar() if draws(sys.stderr) else _Log()
    try:
        yield bar
    finally:
        if isinstance(bar, _Bar):
            bar.stop()


class _Lines(logging.Handler):
    """Log records as lines; warnings like errors."""

    def emit(self, record: logging.LogRecord) -> None:
        kind = f"{record.levelname.lower()}: " if record.levelno > logging.INFO else ""
        say(f"{kind}{record.getMessage()}")


class _Log:
    """Lines: one when a step begins, then one every few seconds."""

    def __init__(self) -> None:
        self._next: dict[str, float] = {}

    def __call__(self, title: str, done: int, total: int | None) -> None:
        now = time.monotonic()
        if now < self._next.get(title, 0.0):
            return
        self._next[title] = now + _LOG_EVERY
        amount = ""
        if total:
            amount = f" {size(done)} of {size(total)}"
        elif done:
            amount = f" {size(done)}"
        say(f"{title}{amount}")


class _Bar:
    """A bar for each step, which appears with its first progress: what is in the store already shows none."""

    def __init__(self) -> None:
        self._display: Display | None = None
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, title: str, done: int, total: int | None) -> None:
        display = self._display or self._start()
        task = self._tasks.get(title)
        if task is None:
            task = self._tasks[title] = display.add_task(title, total=None)
        display.update(task, completed=done, total=total or None, refresh=True)

    def _start(self) -> Display:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn
        from rich.progress import Progress as Display

        self._display = Display(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
            # It would start a thread; reports come often enough.
            auto_refresh=False,
        )
        self._display.start()
        return self._display

    def stop(self) -> None:
        if self._display is not None:
            self._display.stop()


def _title(progress: Progress) -> str:
    if progress.phase == "waiting":
        return f"waiting for another process that fetches {readable(progress.file)}"
    return f"{progress.phase} {readable(progress.file)}"


@contextmanager
def loading() -> Iterator[Callable[[float], object] | None]:
    """Shows how far a slow load is, and what it warns of; yields what `trillm.load` takes as `progress`."""
    with said("trillm.llm", logging.WARNING), _share() as show:
        yield show


@contextmanager
def _share() -> Iterator[Callable[[float], object] | None]:
    if not draws(sys.stderr):
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
