"""Parameters by the flags that set them.

Hints name a parameter as Python gives it, between backticks: `max_tokens="fit"`, `context`. Where the command that runs
has a flag for it, people are told that: --max-tokens fit, --context.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["learn", "named_by_flags"]

_PARAMETER = re.compile(r"""`([a-z_]+)(?:=("[^"`]*"|\w+))?`""")

_flags: dict[str, str] = {}
"""The flags of the command that runs, by their parameters."""


def learn(params: Iterable[Any]) -> None:
    """Takes the parameters of the command that runs."""
    for param in params:
        for flag in param.opts:
            if flag.startswith("--"):
                _flags[param.name] = flag


def named_by_flags(hint: str) -> str:
    """The hint, as it is given on the command line."""
    return _PARAMETER.sub(_flag, hint)


def _flag(found: re.Match[str]) -> str:
    name, value = found.groups()
    flag = _flags.get(name)
    if flag is None:
        return found[0]
    # Giving a flag without a value means true.
    return flag if value in (None, "True") else f"{flag} {value}".replace('"', "")
