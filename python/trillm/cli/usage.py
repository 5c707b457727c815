"""Usage errors on one line, and help that shows flags as flags.

typer checks values by pydantic, whose messages are made for programmers, and lists choices on lines of their own.
"""

from __future__ import annotations

import os
import re
import sys
from typing import Any

import typer
import typer.core

from trillm._program import Interruptible
from trillm.cli import flags
from trillm.cli.numbers import SEED
from trillm.cli.output import draws

__all__ = ["Command", "Group", "hint", "message"]

_KINDS = {"integer": "a whole number", "number": "a number", "boolean": "true or false"}

_SHOWN = 200
"""Characters of a wrong value, as the native half has it."""

_PROSE = ("PROMPT...", "TEXT...")
"""Arguments that are words of people."""


def message(error: typer.TyperException) -> str:
    """What is wrong with a command line."""
    text = error.format_message().replace("Value error, ", "")
    text = re.sub(
        r"Input should be a valid (\w+).*", lambda kind: f"expected {_KINDS.get(kind[1], f'a {kind[1]}')}", text
    )
    text = text.replace("Input should be", "expected")
    text = text.replace("Unable to parse input string as an integer, exceeded maximum size", "expected fewer digits")
    # Choices come one on a line, behind commas of their own.
    text = re.sub(r"\s*\n\s*", " ", text).removesuffix(".")
    text = re.sub(r"expected (?:greater than|less than|fewer digits)[^,]*", lambda _: _range(error), text)
    return text + _found(error) if "expected" in text else text


def hint(error: typer.TyperException) -> str:
    """What to do about it: where to read on, and where words that look like options go."""
    context = getattr(error, "ctx", None)
    if context is None:
        return "see trillm --help"
    see = f"see {context.command_path} --help"
    option: str | None = getattr(error, "option_name", None)
    names = [param.metavar for param in context.command.params if param.param_type_name == "argument"]
    if option is None or getattr(error, "possibilities", None) or not names:
        return see
    last = names[-1].removesuffix("...")
    quotes = ", or into quotes with the words before it" if names[-1] in _PROSE else ""
    line = " ".join((context.command_path, *names[:-1], "--", last))
    return f"if {option} belongs to {last}, put it behind --{quotes}: {line}; else {see}"


def _found(error: typer.TyperException) -> str:
    """What was given instead, as far as pydantic tells."""
    details: list[dict[str, Any]] = getattr(error.__cause__, "errors", list)()
    if not details:
        return ""
    text = str(details[0]["input"])
    return f", found {text if len(text) <= _SHOWN else f'{text[:_SHOWN]}…'!r}"


def _plainly() -> None:
    """Has rich, which writes help, send no escape sequences to where they are not wanted.

    By itself it believes every terminal that is not called dumb, and prints bold in spite of `NO_COLOR`.
    """
    if not draws(sys.stdout):
        os.environ["TTY_COMPATIBLE"] = "0"


class Command(typer.core.TyperCommand):
    """A command whose flags take no value, and whose help says so."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """As its base does it."""
        _plainly()
        super().format_help(ctx, formatter)

    def get_params(self, ctx: Any) -> Any:
        """As its base has them."""
        return _plain(super().get_params(ctx))

    def invoke(self, ctx: Any) -> Any:
        """As its base does it; an error of usage that is found later knows, too, whose help to see."""
        flags.learn(self.params)
        try:
            with Interruptible():
                return super().invoke(ctx)
        except typer.TyperException as error:
            if getattr(error, "ctx", None) is None:
                error.ctx = ctx  # type: ignore[attr-defined]
            raise


class Group(typer.core.TyperGroup):
    """The same for the program itself."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """As its base does it."""
        _plainly()
        super().format_help(ctx, formatter)

    def get_params(self, ctx: Any) -> Any:
        """As its base has them."""
        return _plain(super().get_params(ctx))


def _plain(params: list[Any]) -> list[Any]:
    for param in params:
        if getattr(param, "is_flag", False):
            param.metavar = ""
    return params


def _range(error: typer.TyperException) -> str:
    """Both bounds of an option, as the native half gives them."""
    param = getattr(error, "param", None)
    least, most = getattr(param, "min", None), getattr(param, "max", None)
    kind = "" if isinstance(most, float) else "a whole number, "
    return f"expected {kind}{least:g} to " + (f"{most:g}" if not kind else "2**64 - 1" if most == SEED else f"{most}")
