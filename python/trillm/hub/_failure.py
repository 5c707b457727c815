"""How an attempt says that another one may do better."""

from __future__ import annotations

from trillm.errors import DownloadError, TrillmError


class TransientError(Exception):
    """Wraps an error that another attempt may not meet."""

    def __init__(self, error: TrillmError, retry_after: float | None = None) -> None:
        super().__init__(str(error))
        self.error = error
        self.retry_after = retry_after
        """Seconds that the server asked us to wait."""


class CancelledError(Exception):
    """Nobody waits for this download any more. Seen by its own threads only."""


def download_failed(message: str, hint: str) -> DownloadError:
    """The usual error of a download."""
    return DownloadError(message, "download_failed", hint)
