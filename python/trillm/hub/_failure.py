"""How an attempt says that another one may do better."""

from __future__ import annotations

import errno

from trillm.errors import DownloadError, ModelNotFound, StoreError, TrillmError

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
"""What the system says where there is no room left."""


class TransientError(Exception):
    """Wraps an error that another attempt may not meet: `_network/retries.py` makes that, and nothing else does."""

    def __init__(self, error: TrillmError, retry_after: float | None = None) -> None:
        super().__init__(str(error))
        self.error = error
        self.retry_after = retry_after
        """Seconds that the server asked us to wait."""


class UnknownModel(ModelNotFound):
    """A source says that it has no such model, which is also what it says to those who may not know."""


def may_pass(message: str, hint: str) -> TransientError:
    """A failure of a download that another attempt may not meet."""
    return TransientError(download_failed(message, hint))


class AbsentError(DownloadError):
    """What is not on this machine, and is not to be fetched: for a server's client it is not there."""


class CancelledError(Exception):
    """Nobody waits for this download any more. Seen by its own threads only."""


def not_written(what: object, error: OSError, hint: str) -> StoreError:
    """The error for a file or folder that the system does not let us write."""
    code = "disk_full" if error.errno in FULL else "store_io"
    return StoreError(f"{what} could not be written: {error.strerror}", code, hint)


def download_failed(message: str, hint: str) -> DownloadError:
    """The usual error of a download."""
    return DownloadError(message, "download_failed", hint)
