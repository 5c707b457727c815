"""Who is told of progress: a function, or nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trillm.errors import InvalidRequest

if TYPE_CHECKING:
    from trillm.hub._progress import Report

__all__ = ["checked"]


def checked(progress: Report | None) -> Report | None:
    """The same, also where there will be nothing to tell. Raises `InvalidRequest` for what cannot be called."""
    if progress is not None and not callable(progress):
        raise InvalidRequest(f"progress is {repr(progress)[:200]}, expected a function, or None", "invalid_parameter")
    return progress
