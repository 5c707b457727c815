"""When something is tried again: the one policy of all downloads.

What: whatever raises `TransientError`, which is for those to say who saw it fail (`meaning.py`, for connections and
answers). How often: as often as `retry_attempts` has it, counted for each thing alone, and anew once it got further.
How long after: `limits.backoff`, doubled each time, or as long as the server asks for. After the last try comes the
error itself, which nothing around it tries again.
"""

from __future__ import annotations

import logging
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from trillm.hub._failure import TransientError

if TYPE_CHECKING:
    from collections.abc import Callable

    from trillm.hub._network.crew import Running

_log = logging.getLogger("trillm.hub")

T = TypeVar("T")


@dataclass
class Limits:
    """How patient requests are, and with what. One for all, which tests change."""

    connect: float = 10.0
    """Seconds for a connection to be made, and again for its TLS."""
    stall: float = 30.0
    """Seconds that nothing may come."""
    answer: float = 60.0
    """Seconds until an answer's headers must be there, however steadily they drip."""
    slowest: float = 1024.0
    """Bytes per second below which, over `stall` seconds, a transfer counts as standing still."""
    redirects: int = 5
    """How many are followed."""
    backoff: float = 1.0
    """Seconds before the second try; each later one doubles them."""
    longest_backoff: float = 30.0
    """Seconds; what a server asks for may be more."""
    longest_wait: float = 300.0
    """Seconds that a server may ask us to wait."""
    small: int = 32 << 20
    """Bytes up to which one connection is enough: more of them would not have got up to speed."""
    restarts: int = 3
    """How often a file may change while it is fetched."""
    plain: int = 50 * 10**9
    """Bytes of a file above which the hub gives it by Xet alone (`MAX_HTTP_DOWNLOAD_SIZE` of `huggingface_hub`)."""
    spare: int = 64 << 20
    """Bytes of the disk that a download leaves free."""


limits = Limits()


class Retries:
    """The tries of one thing."""

    def __init__(self, running: Running) -> None:
        self._running = running
        self._made = 0

    def failed(self, failed: TransientError) -> None:
        """Waits until it is time to try again, or raises if that was the last try."""
        if self._made >= self._running.attempts:
            raise failed.error from None
        wait = min(limits.backoff * 2**self._made, limits.longest_backoff)
        # Spread out, so that many clients of one server that hiccuped do not come back together.
        wait = max(wait * random.uniform(0.5, 1.5), min(failed.retry_after or 0.0, limits.longest_wait))
        self._made += 1
        _log.warning("%s; trying again in %.0f s", failed.error, wait)
        self._running.sleep(wait)

    def progress(self) -> None:
        """The last try was worth it: counting starts anew."""
        self._made = 0


def retrying(running: Running, call: Callable[[], T]) -> T:
    """What it returns, in the end; raises what the last `TransientError` wraps."""
    retries = Retries(running)
    while True:
        try:
            return call()
        except TransientError as failed:
            retries.failed(failed)
