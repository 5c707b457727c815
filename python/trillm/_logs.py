"""Native log lines, handed to Python's `logging` under their own names (`trillm.llama`, …). Quiet by default.

Native threads do not wait for the interpreter, so they put their lines by; they are fetched here when a call is done.
"""

from __future__ import annotations

import logging

from trillm import _core

__all__ = ["forward", "listen"]

_logger = logging.getLogger("trillm")
# A library says nothing on its own; without this, logging would print warnings of an application that set nothing up.
_logger.addHandler(logging.NullHandler())


def listen() -> None:
    """Has native lines collected that the application's logging would show."""
    _core.set_log_level(min(_logger.getEffectiveLevel(), logging.ERROR))


def forward() -> None:
    """Hands over what was collected."""
    for level, name, message in _core.take_logs():
        logging.getLogger(name).log(level, "%s", message)
