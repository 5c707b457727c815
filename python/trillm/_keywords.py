"""Keyword arguments that a function does not have, answered with the one that was probably meant.

Python names the wrong one alone, and `timeout=` beside `download_timeout=` is soon written.
"""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from trillm._later import Later

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["advising"]

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
                raise _unexpected(name, names)
        return call(*args, **given)

    return advised


def _unexpected(name: str, names: list[str]) -> TypeError:
    with Later("difflib"):
        from difflib import get_close_matches

    close = get_close_matches(name, names, 1, 0.5) or [known for known in names if name in known.split("_")][:1]
    advice = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(names)}"
    return TypeError(f"unexpected keyword argument {name!r}: {advice}")
