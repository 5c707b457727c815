"""Keyword arguments that a function does not have, answered with the one that was probably meant.

Python names the wrong one alone, and `timeout=` beside `download_timeout=` is soon written.
"""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from trillm._later import Later

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["advising", "meant", "unexpected"]

P = ParamSpec("P")
T = TypeVar("T")


def advising(call: Callable[P, T]) -> Callable[P, T]:
    """The same, but for the error."""
    # Not by `inspect`, which takes longer to import than all else here.
    code = call.__code__
    names = [name for name in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount] if name != "self"]

    @wraps(call)
    def advised(*args: P.args, **given: P.kwargs) -> T:
        for name in given:
            if name not in names:
                raise unexpected(name, names)
        return call(*args, **given)

    return advised


def unexpected(name: str, names: list[str]) -> TypeError:
    """The error for a keyword argument that is none of those there are."""
    return TypeError(f"unexpected keyword argument {name!r}: {meant(name, names)}")


def meant(name: str, names: list[str]) -> str:
    """What to say of a name that is none of those there are: the one that was probably meant."""
    with Later("difflib"):
        from difflib import get_close_matches

    close = get_close_matches(name, names, 1, 0.5) or [known for known in names if name in known.split("_")][:1]
    return f"did you mean {close[0]!r}?" if close else f"there are {', '.join(names)}"
