"""Being asked to end, by `kill` or by a terminal that is closed, while something would be left half done.

Python's own answer is to end there and then, and nothing is removed. Elsewhere that is right: what a download left is
gone on with.
"""

from __future__ import annotations

import os
import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

__all__ = ["tidily"]


@contextmanager
def tidily() -> Iterator[None]:
    """While inside, being asked to end is heard as Ctrl-C is; on the way out the program ends by that signal."""
    wanted: list[int] = []

    def end(number: int, _frame: FrameType | None) -> None:
        wanted.append(number)
        raise KeyboardInterrupt

    heard = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    if threading.current_thread() is not threading.main_thread():
        heard = []
    # One that is ignored, as under `nohup`, stays so.
    heard = [number for number in heard if signal.getsignal(number) == signal.SIG_DFL]
    for number in heard:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in heard:
            signal.signal(number, signal.SIG_DFL)
        if wanted:
            os.kill(os.getpid(), wanted[0])
