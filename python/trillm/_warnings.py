"""What a caller should hear of a model that was loaded, whether the program has logging or not."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING
from warnings import warn

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["give", "give_once"]

_given: set[str] = set()


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


def give_once(warning: str) -> None:
    """Gives a warning that would be the same with every model, and logs it: the command line shows that."""
    if warning in _given:
        return
    _given.add(warning)
    # Imported here, where it is needed for once: most programs never come here.
    import logging

    logging.getLogger("trillm.references").warning("%s", warning)
    give([warning])
