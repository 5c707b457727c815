"""What is typed: lines with editing and a history, and messages of several lines."""

from __future__ import annotations

import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trillm.cli.chat import locale
from trillm.cli.chat.history import History
from trillm.cli.output import complain, obeys, say, write

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["QUOTES", "Lines", "Typed"]

QUOTES = '"""'


@dataclass(frozen=True)
class Typed:
    """A message, or a command."""

    text: str
    quoted: bool = False
    """In quotes it is a message, whatever it begins with."""


class Lines:
    """The terminal, as something to read from."""

    def __init__(self) -> None:
        """Prepares `input` for editing, where Python can."""
        locale.use_utf8()
        self._readline = _readline()
        self._history: History | None = History()
        self._last = ""
        try:
            for entry in History().read():
                self._remember(entry)
        except OSError as error:
            self._without_history(error)

    def next(self) -> Typed | None:
        """What is typed next; `None` at the end."""
        interrupted = False
        while True:
            try:
                line = input(">>> ")
                if not line.lstrip().startswith(QUOTES):
                    self._keep(line)
                    return Typed(_encodable(line))
                raw = self._block(line.lstrip())
                self._keep(raw)
                text = raw.removeprefix(QUOTES).rstrip().removesuffix(QUOTES).strip("\n")
                return Typed(_encodable(text), quoted=True)
            except KeyboardInterrupt:
                if interrupted:
                    write("\n")
                    return None
                interrupted = True
                write("\n(Ctrl-C again or Ctrl-D ends)\n")
            except EOFError:
                write("\n")
                return None
            except UnicodeError:
                complain("that was not UTF-8")

    def _block(self, first: str) -> str:
        """All of a message of several lines, quotes included.

        Ctrl-D ends it as the quotes do: what was typed is not lost, and a terminal that is gone is not asked for ever.
        """
        text = first
        while not text.removeprefix(QUOTES).rstrip().endswith(QUOTES):
            try:
                text += "\n" + input("... ")
            except EOFError:
                write("\n")
                return text + QUOTES
        return text

    def _keep(self, entry: str) -> None:
        if not entry.strip() or entry == self._last:
            return
        self._remember(entry)
        if self._history is not None:
            try:
                self._history.append(entry)
            except OSError as error:
                self._without_history(error)

    def _remember(self, entry: str) -> None:
        self._last = entry
        if self._readline is not None:
            # It keeps what the locale can say, of which we need not be reminded here.
            with suppress(UnicodeEncodeError):
                self._readline.add_history(entry)

    def _without_history(self, error: OSError) -> None:
        self._history = None
        say(f"note: what you type is not kept for later: {error.strerror}: {error.filename}")


def _readline() -> ModuleType | None:
    try:
        import readline
    except ImportError:
        return None
    # A message of several lines is one entry.
    readline.set_auto_history(False)
    # Bytes beyond ASCII are characters, also where no locale with UTF-8 is installed.
    for setting in ("input-meta on", "output-meta on", "convert-meta off"):
        readline.parse_and_bind(f"set {setting}")
    # Pasted line breaks belong to the message. Python turns this off; the terminal is told by an escape sequence.
    if "libedit" not in (readline.__doc__ or ""):
        readline.parse_and_bind(f"set enable-bracketed-paste {'on' if obeys(sys.stdout) else 'off'}")
    return readline


def _encodable(text: str) -> str:
    """The text, if it is one: bytes that are none arrive as lone surrogates."""
    text.encode()
    return text
