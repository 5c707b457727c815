"""Whole numbers: how large some may be, and reading those of any length.

Python reads 4,300 digits at most, and its error for more is none of ours.
"""

from __future__ import annotations

__all__ = ["CONTEXT", "COUNT", "SEED", "THREADS", "whole_number"]

COUNT = (1 << 32) - 1
CONTEXT = 1 << 30
SEED = (1 << 64) - 1
THREADS = 512
"""The most that the native half takes: options know it, so that what is mistyped is an error before a model is read."""

_MOST = 100
"""Digits that are read: several times those of any bound."""


def whole_number(digits: str) -> int:
    """The number that the digits are; of a longer one the first of them, which no bound lets pass either."""
    return int((digits.lstrip("0") or "0")[:_MOST])
