"""Whole numbers of any length: Python reads 4,300 digits at most, and its error for more is none of ours."""

from __future__ import annotations

__all__ = ["whole_number"]

_MOST = 100
"""Digits that are read: several times those of any bound."""


def whole_number(digits: str) -> int:
    """The number that the digits are; of a longer one the first of them, which no bound lets pass either."""
    return int((digits.lstrip("0") or "0")[:_MOST])
