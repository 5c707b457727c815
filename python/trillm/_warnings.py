"""What a caller should hear of a model that was loaded, whether the program has logging or not."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING
from warnings import warn

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["of_threads"]


def of_threads(notes: Iterable[str]) -> None:
    """Warns whoever called into the package of more threads than processors, if the notes of a model say so.

    The command line shows what is logged, so it has been told.
    """
    for note in notes:
        if note.startswith("threads is "):
            level, frame = 1, sys._getframe()
            while frame.f_back is not None and (name := frame.f_globals.get("__name__", "")).startswith("trillm."):
                if name.startswith("trillm.cli"):
                    return
                level, frame = level + 1, frame.f_back
            warn(note, RuntimeWarning, stacklevel=level)
