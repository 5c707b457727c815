"""Ctrl-C while the command line starts: a quiet end.

Imports take a tenth of a second, and an exception in the middle of one is a page of traceback. Nothing is there yet
that would have to be put in order, so what the system does by itself is right. Whoever uses trillm as a library may
have a handler, or want an exception: nothing of this happens there.
"""

from __future__ import annotations

import os
import sys

__all__ = ["Interruptible"]


def _is_ours() -> bool:
    """Whether this process is the command line: its script, or `python -m trillm`."""
    started = sys.argv[0] if sys.argv else ""
    if started == "-m":
        return "trillm" in sys.orig_argv
    # Without `pathlib`, whose import takes longer than all of this.
    if os.path.basename(started) != "trillm":  # noqa: PTH119
        return False
    try:
        with open(started, "rb") as script:  # noqa: PTH123
            return b"from trillm.cli import main" in script.read(4096)
    except OSError:
        return False


def _quietly() -> bool:
    """Leaves Ctrl-C to the system; says whether it did."""
    if not _is_ours():
        return False
    import signal

    # One that is ignored, as in the background of a shell, stays so.
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        return False
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    return True


_quiet = _quietly()


class Interruptible:
    """While inside, Ctrl-C is Python's exception again. What comes after a command has as little to put in order."""

    def __enter__(self) -> None:
        """Lets it be one."""
        if _quiet:
            import signal

            signal.signal(signal.SIGINT, signal.default_int_handler)

    def __exit__(self, *_: object) -> None:
        """Leaves it to the system."""
        if _quiet:
            import signal

            signal.signal(signal.SIGINT, signal.SIG_DFL)
