"""The characters of a terminal whose locale knows ASCII alone: `LC_ALL=C`, or one that is not installed.

Such a locale says nothing about the terminal, and Python takes it for one of UTF-8. The C library and readline do not:
they would edit bytes, and refuse to keep what has others than ASCII's. So they are told UTF-8, too.
"""

from __future__ import annotations

import codecs
import locale
import os
from contextlib import suppress

__all__ = ["use_utf8"]

_NAMES = ("C.UTF-8", "C.utf8", "UTF-8", "en_US.UTF-8")
"""How systems call a locale with UTF-8: Linux, older Linux, macOS, and where none of these is."""


def use_utf8() -> None:
    """Has the C library read and write UTF-8 where it would ASCII; where no locale can, nothing changes.

    To be called before readline is imported, which looks at the environment each time it reads a line.
    """
    if not _ascii():
        return
    for name in _NAMES:
        with suppress(locale.Error):
            locale.setlocale(locale.LC_CTYPE, name)
            # Stronger than LC_CTYPE, so that it is what has to be another.
            os.environ["LC_ALL" if os.environ.get("LC_ALL") else "LC_CTYPE"] = name
            return


def _ascii() -> bool:
    try:
        return codecs.lookup(locale.nl_langinfo(locale.CODESET)).name == "ascii"
    except LookupError:
        return False
