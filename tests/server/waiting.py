"""Waiting for what comes soon."""

from __future__ import annotations

import time
from collections.abc import Callable


def until(done: Callable[[], bool]) -> None:
    """Waits for something that comes soon."""
    end = time.monotonic() + 30
    while not done():
        assert time.monotonic() < end
        time.sleep(0.01)
