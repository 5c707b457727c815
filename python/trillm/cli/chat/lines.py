"""What is typed: lines with editing and a history, and messages of several lines."""

from __future__ import annotations

from dataclasses import dataclass

from trillm.cli.chat import locale
from trillm.cli.chat.editor import Editor
from trillm.cli.chat.history import History
from trillm.cli.output import complain, say, write

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
        self._editor = Editor()
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
                line = self._input(">>> ")
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

    def _input(self, prompt: str) -> str:
        line = held = ""
        try:
            line = input(prompt)
        finally:
            # Also of a line that was given up: the next one would have it.
            held = self._editor.held_back().decode(errors="surrogateescape")
        return line + held

    def _block(self, first: str) -> str:
        """All of a message of several lines, quotes included.

        Ctrl-D ends it as the quotes do: what was typed is not lost, and a terminal that is gone is not asked for ever.
        """
        text = first
        while not text.removeprefix(QUOTES).rstrip().endswith(QUOTES):
            try:
                text += "\n" + self._input("... ")
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
        self._editor.remember(entry)

    def _without_history(self, error: OSError) -> None:
        self._history = None
        say(f"note: what you type is not kept for later: {error.strerror}: {error.filename}")


def _encodable(text: str) -> str:
    """The text, if it is one: bytes that are none arrive as lone surrogates."""
    text.encode()
    return text
