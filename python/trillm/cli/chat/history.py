"""What was typed in earlier conversations, for the arrow keys.

A file of the user's own, an entry on a line as JSON, so that one of several lines stays one; appended at once, so that
nothing is lost when a terminal is closed. Without it a conversation works all the same: failures are one note.
"""

from __future__ import annotations

import errno
import json
import os
import stat
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING

from trillm._reference import at_home

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["History"]

_KEPT = 1000
"""Entries; twice as many are let grow before the older ones are dropped."""

_LONGEST = 64 << 10
"""Bytes of an entry: a longer one was pasted, and lies elsewhere."""

_MOST = 4 << 20
"""Bytes of the file that are read, from its end."""


class History:
    """The user's file of entries."""

    def __init__(self) -> None:
        """Finds its place; nothing is opened yet."""
        state = os.environ.get("XDG_STATE_HOME", "")
        # The standard says to ignore a relative one.
        root = Path(state) if Path(state).is_absolute() else Path(at_home("~/.local/state"))
        self._path = root / "trillm" / "history"

    def read(self) -> list[str]:
        """The entries, the oldest first. Raises `OSError`."""
        entries, long = self._read()
        if long:
            with self._alone():
                entries, _ = self._read()
                self._rewrite(entries[-_KEPT:])
        return entries[-_KEPT:]

    def _read(self) -> tuple[list[str], bool]:
        """The entries, and whether the file is to be shortened."""
        try:
            with self._open(os.O_RDONLY) as file:
                length = os.fstat(file.fileno()).st_size
                file.seek(max(0, length - _MOST))
                lines = file.read(_MOST).splitlines()
        except FileNotFoundError:
            return [], False
        return [entry for line in lines if (entry := _entry(line))], len(lines) > 2 * _KEPT or length > _MOST

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """While inside, no other conversation writes: what it appends to a file that is replaced would be lost."""
        import fcntl

        folder = os.open(self._path.parent, os.O_RDONLY | os.O_CLOEXEC)
        try:
            # Some network file systems have no locks.
            with suppress(OSError):
                fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)

    def append(self, entry: str) -> None:
        """Keeps what was typed. Raises `OSError`."""
        line = _line(entry)
        if len(line) > _LONGEST:
            return
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._alone(), self._open(os.O_WRONLY | os.O_APPEND | os.O_CREAT) as file:
            # What is typed to a model is nobody else's.
            os.fchmod(file.fileno(), 0o600)
            file.write(line)

    def _open(self, flags: int) -> FileIO:
        # A pipe or a device in its place is not waited for.
        descriptor = os.open(self._path, flags | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OSError(errno.EINVAL, "It is not a regular file", str(self._path))
        return FileIO(descriptor, "rb" if flags == os.O_RDONLY else "ab")

    def _rewrite(self, entries: list[str]) -> None:
        fresh = self._path.with_name(f"history.{os.getpid()}")
        try:
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.writelines(map(_line, entries))
            fresh.replace(self._path)
        finally:
            fresh.unlink(missing_ok=True)


def _line(entry: str) -> bytes:
    return json.dumps(entry).encode() + b"\n"


def _entry(line: bytes) -> str | None:
    """The entry on a line; `None` for one that was cut off, or that something else wrote."""
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return entry if isinstance(entry, str) else None
