"""The editor of a line: GNU readline or libedit, by Python's module of that name."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from trillm.cli.output import obeys

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["editor"]

_SETTINGS = ("input-meta on", "output-meta on", "convert-meta off")
"""Bytes beyond ASCII are characters, also where no locale with UTF-8 is installed."""

_ENDS = r'"\C-x\C-e' + 3 * r"\303\251" + 3 * r"\C-x\C-h" + r'\C-x\C-m"'
"""What the key Enter does: the end of the line, three é, which are taken away again, and then what it did.

readline holds back the beginning of a character, and forgets it where ASCII follows: a byte of Latin-1 would be lost,
or spoil the next line. What comes behind it brings it out, as many characters as bytes may be held back.
"""

_KEYS = {
    r"\C-x\C-e": "end-of-line",
    r"\C-x\C-h": "backward-delete-char",
    r"\C-x\C-m": "accept-line",
    r"\C-m": _ENDS,
    r"\C-j": _ENDS,
}


def editor() -> ModuleType | None:
    """The module, prepared for messages; `None` where Python was built without it."""
    try:
        import readline
    except ImportError:
        return None
    # A message of several lines is one entry.
    readline.set_auto_history(False)
    for setting in _SETTINGS:
        readline.parse_and_bind(f"set {setting}")
    if "libedit" not in (readline.__doc__ or ""):
        # Pasted line breaks belong to the message. Python turns this off; the terminal is told by an escape sequence.
        readline.parse_and_bind(f"set enable-bracketed-paste {'on' if obeys(sys.stdout) else 'off'}")
        for keys, meaning in _KEYS.items():
            readline.parse_and_bind(f'"{keys}": {meaning}')
    return readline
