"""Native log lines, handed to Python's `logging` under their own names (`trillm.llama`, …). Quiet by default.

Native threads do not wait for the interpreter, so they put their lines by; they are fetched after a model was loaded
and when it is closed. A program that never imported `logging` could not see them, and is spared the import: it takes
longer than ours, and 1.5 MB.
"""

from __future__ import annotations

import sys

from trillm import _core

__all__ = ["forward", "listen"]


def listen() -> None:
    """Has native lines collected that the application's logging would show."""
    if "logging" not in sys.modules:
        return
    import logging

    logger = logging.getLogger("trillm")
    if not logger.handlers:
        # A library says nothing on its own; without this, logging would print warnings where nothing was set up.
        logger.addHandler(logging.NullHandler())
    _core.set_log_level(min(logger.getEffectiveLevel(), logging.ERROR))


def forward() -> None:
    """Hands over what was collected."""
    lines = _core.take_logs()
    # At the very end there is nobody to hand them to.
    if not lines or sys.is_finalizing():
        return
    import logging

    for level, name, message in lines:
        logging.getLogger(name).log(level, "%s", message)
