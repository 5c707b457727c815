"""The editor of a line: GNU readline or libedit, by Python's module of that name."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from trillm.cli.output import obeys

if TYPE_CHECKING:
    from ctypes import PyDLL
    from types import ModuleType

__all__ = ["Editor"]

_SETTINGS = ("input-meta on", "output-meta on", "convert-meta off")
"""Bytes beyond ASCII are characters, also where no locale with UTF-8 is installed."""


class Editor:
    """What lines are edited with; nothing, where Python was built without it."""

    def __init__(self) -> None:
        """Prepares it for messages."""
        self._module: ModuleType | None = None
        self._gnu: PyDLL | None = None
        try:
            import readline
        except ImportError:
            return
        self._module = readline
        # A message of several lines is one entry.
        readline.set_auto_history(False)
        for setting in _SETTINGS:
            readline.parse_and_bind(f"set {setting}")
        if "libedit" not in (readline.__doc__ or ""):
            # Pasted line breaks belong to the message. Python turns this off; an escape sequence tells the terminal.
            readline.parse_and_bind(f"set enable-bracketed-paste {'on' if obeys(sys.stdout) else 'off'}")
            self._gnu = _library(readline)

    def remember(self, entry: str) -> None:
        """Has the arrow keys fetch what was typed."""
        if self._module is not None:
            # It keeps what the locale can say, and what has no NUL in it; the rest is no loss.
            with suppress(ValueError):
                self._module.add_history(entry)

    def held_back(self) -> bytes:
        """What was typed of characters that did not come to their end, to be asked for after each line.

        GNU readline waits for the rest of such a character where ASCII follows, whatever key ends the line: a byte of
        Latin-1 would be lost, or spoil the next line. Characters behind it bring it out, as many as bytes may be held
        back. Between two lines nobody sees them, and a key that types them would print them.
        """
        if self._gnu is None:
            return b""
        from ctypes import c_char_p, c_int

        # As before each line: an empty one, to be inserted into and not overwritten.
        self._gnu.rl_initialize()
        # With a limit it takes no more characters from the terminal than it is given.
        limit = c_int.in_dll(self._gnu, "rl_num_chars_to_read")
        limit.value = 1
        behind = 3 * "é".encode()
        for byte in behind:
            self._gnu.rl_insert(1, byte)
        limit.value = 0
        line = c_char_p.in_dll(self._gnu, "rl_line_buffer").value or b""
        self._gnu.rl_replace_line(b"", 1)
        return line.removesuffix(behind)


def _library(module: ModuleType) -> PyDLL | None:
    """The library below the module, within Python itself where that has no file; `None` where it cannot be called."""
    try:
        from ctypes import PyDLL

        library = PyDLL(getattr(module, "__file__", None))
        for name in ("rl_initialize", "rl_insert", "rl_replace_line", "rl_num_chars_to_read", "rl_line_buffer"):
            getattr(library, name)
    except (ImportError, OSError, AttributeError):
        return None
    return library
