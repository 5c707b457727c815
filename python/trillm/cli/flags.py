"""Parameters by the flags that set them.

Hints name a parameter as Python gives it, between backticks: `max_tokens="fit"`, `context`. Where the command that runs
has a flag for it, people are told that: --max-tokens fit, --context.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trillm.errors import InvalidRequest

__all__ = ["learn", "misgiven", "named_by_flags"]

_PARAMETER = re.compile(r"""`([a-z_]+)(?:=("[^"`]*"|\w+))?`""")

_VALUE = re.compile(r"([a-z_]+)(?:\[\d+\])? is (.*), expected (.*)", re.DOTALL)
"""How the native half says that a parameter has a wrong value."""

_flags: dict[str, str] = {}
"""The flags of the command that runs, by their parameters."""

_given: dict[str, str] = {}
"""The same parameters and the arguments, as errors of usage call them."""


def learn(params: Iterable[Any]) -> None:
    """Takes the parameters of the command that runs."""
    for param in params:
        _given[param.name] = param.metavar if param.param_type_name == "argument" else " / ".join(map(repr, param.opts))
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


def misgiven(error: InvalidRequest) -> str | None:
    """What is wrong with the command line, if that is what a request is refused for."""
    if error.code == "unknown_engine":
        return f"Invalid value for {_given['engine']}: {error}" if "engine" in _given else None
    found = _VALUE.fullmatch(str(error))
    name = found and _given.get(found[1])
    if not found or not name:
        return None
    if not name.startswith("'-"):
        return f"{name.removesuffix('...')} is {found[2]}, expected {found[3]}"
    return f"Invalid value for {name}: expected {found[3]}, found {found[2]}"
