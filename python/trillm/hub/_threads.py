"""Threads of downloads. Python says of one that the system does not give only that it failed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trillm.hub._failure import download_failed

if TYPE_CHECKING:
    import threading

__all__ = ["HINT", "start"]

HINT = "end other programs, or allow more processes (ulimit -u, or the container's limit)"


def start(thread: threading.Thread) -> None:
    """Starts it. Raises `DownloadError`."""
    try:
        thread.start()
    except RuntimeError as error:
        raise download_failed(f"a thread cannot be started: {error}", HINT) from None
