"""Conversions that run, so that `trillm gc` finds what those left that were killed.

A conversion writes beside its destination, which may be anywhere. So it has a record in the store while it runs, locked
by its process: the lock ends with that, however it ends. What a killed process had moved out of the way of a new folder
is left to the next conversion to that place, which knows whether it is wanted again.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from trillm._core import Store
from trillm.errors import TrillmError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["clear", "recorded"]

_FOLDER = "conversions"


@contextmanager
def recorded(destination: Path) -> Iterator[None]:
    """While inside, a conversion to that place is on record; where none can be made, it goes on without."""
    with ExitStack() as stack:
        # No `fcntl`, no locks on this file system, or a store that cannot be written.
        with suppress(ImportError, OSError, TrillmError):
            stack.enter_context(_record(Path(Store().root) / _FOLDER, destination))
        yield


def clear(store: Store) -> tuple[int, int]:
    """Removes what killed conversions left; says how many they were, and how many bytes that freed."""
    folder = Path(store.root) / _FOLDER
    count = freed = 0
    with suppress(ImportError, FileNotFoundError, NotADirectoryError), _locked(folder, os.O_RDONLY):
        for record in sorted(folder.iterdir()):
            with suppress(BlockingIOError), _locked(record, os.O_RDWR, wait=False) as descriptor:
                destination = Path(os.fsdecode(os.read(descriptor, 1 << 16)))
                for partial in _partials(destination, record.name.partition("-")[0]):
                    freed += _size(partial)
                    count += 1
                    _remove(partial)
                record.unlink()
    return count, freed


@contextmanager
def _record(folder: Path, destination: Path) -> Iterator[None]:
    folder.mkdir(exist_ok=True)
    path = folder / f"{os.getpid()}-{secrets.token_hex(4)}"
    with ExitStack() as stack:
        # Whoever clears must not come between its being made and its being locked.
        with _locked(folder, os.O_RDONLY):
            descriptor = stack.enter_context(_locked(path, os.O_RDWR | os.O_CREAT | os.O_EXCL))
        stack.callback(path.unlink, missing_ok=True)
        os.write(descriptor, os.fsencode(destination.absolute()))
        yield


@contextmanager
def _locked(path: Path, flags: int, *, wait: bool = True) -> Iterator[int]:
    """Opens it, alone. Raises `BlockingIOError` if that would be to wait."""
    import fcntl

    descriptor = os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield descriptor
    finally:
        os.close(descriptor)


def _partials(destination: Path, process: str) -> list[Path]:
    """What this process had not completed, by the names that `staging.rs` of `crates/convert` gives."""
    name = re.compile(rf"\.{re.escape(destination.name)}(\.[0-9a-f]{{8}}){{3}}\.{process}\.\d+-\d+\.partial")
    try:
        return [path for path in destination.parent.iterdir() if name.fullmatch(path.name)]
    except OSError:
        return []


def _size(path: Path) -> int:
    """Bytes of a file, or of all in a folder."""
    files = [path] if path.is_symlink() or not path.is_dir() else path.rglob("*")
    return sum(file.lstat().st_size for file in files)


def _remove(path: Path) -> None:
    if path.is_symlink() or not path.is_dir():
        path.unlink()
    else:
        shutil.rmtree(path)
