"""What a caller should hear of a model that was loaded, whether the program has logging or not."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING
from warnings import warn

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["give"]


def give(warnings: Sequence[str]) -> None:
    """Gives a model's warnings to whoever called into the package.

    The command line shows what is logged, so it has been told.
    """
    if not warnings:
        return
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and (name := frame.f_globals.get("__name__", "")).startswith("trillm."):
        if name.startswith("trillm.cli"):
            return
        level, frame = level + 1, frame.f_back
    for warning in warnings:
        warn(warning, RuntimeWarning, stacklevel=level)
