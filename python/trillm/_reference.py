"""What people type for a model, read in one place: a home is `~`, and other programs' names get a hint.

The native half says what a reference means; what a name means elsewhere is knowledge about other programs.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from trillm import _warnings
from trillm._core import Reference, Store
from trillm.errors import InvalidRequest, ModelNotFound, TrillmError

if TYPE_CHECKING:
    from pathlib import Path

    from trillm._core import Lease

__all__ = ["a_path", "at_home", "located", "parse"]

_NAME = r"[\w-][\w.-]*(?::[\w.-]+)?"
"""How Ollama, and programs that think of nothing else, write a model."""


_HUB_PAGE = (
    r"https?://(?:www\.)?(?:huggingface\.co|hf\.co)/"
    r"(?P<repo>(?!(?:api|blog|collections|datasets|docs|models|organizations|papers|settings|spaces)/)[\w.-]+/[\w.-]+)"
    r"(?:/(?:tree/(?P<tree>[^/?#]+)(?:/[^?#]*)?|blob/(?P<blob>[^/?#]+)/(?P<file>[^?#]+)))?/?(?:[?#].*)?"
)
_OLLAMA_PAGE = r"https?://(?:www\.)?ollama\.com/(?:library/)?((?:[\w.-]+/)?[\w.-]+(?::[\w.-]+)?)/?"
"""Addresses of pages that show a model to people, which are no file of it. Compiled when one is read: an import need
not wait for that."""


def parse(
    given: str | bytes | os.PathLike[str] | os.PathLike[bytes], models_directory: Path | None = None
) -> Reference:
    """What is meant. Raises `InvalidRequest`, and `ModelNotFound` for a name or a path that is not there."""
    text = os.fsdecode(a_path("the reference", given, "a text or a path"))
    if "\0" in text:
        # Said here of bytes, too, which may be no text that the native half would read.
        raise InvalidRequest(f"{text!a} is not a model reference: it has a NUL character", "invalid_reference")
    if meant := _of_page(text):
        raise InvalidRequest(
            f"{text} is a page about a model, expected the address of a file", "invalid_reference", f"give {meant}"
        )
    try:
        found = Reference(at_home(text), models_directory)
        # A path that leads nowhere is found out here.
        _ = found.local
    except ModelNotFound as error:
        raise ModelNotFound(str(error), error.code, _hint(text, error.hint)) from None
    if found.warning is not None:
        _warnings.give_once(found.warning)
    return found


def located(given: Any) -> tuple[Any, Lease | None]:
    """Where it is on this machine, and what keeps it there as long as somebody has that; nothing is downloaded.

    A text is a reference, anything else a path. Raises as `parse` does.
    """
    if not isinstance(given, str):
        return at_home(a_path("the path", given, "a text or a path")), None
    wanted = parse(given)
    if wanted.local is not None:
        return wanted.local, None
    manifest, lease = Store().present(wanted)
    return manifest.path, lease


def a_path(name: str, given: Any, expected: str) -> Any:
    """What may be a path, by its kind. Raises `InvalidRequest` for anything else."""
    if not isinstance(given, str | bytes | os.PathLike):
        raise InvalidRequest(f"{name} is {repr(given)[:200]}, expected {expected}", "invalid_parameter")
    return given


def at_home(value: Any) -> Any:
    """A path, or paths within lists and tuples, with the user's home for `~`; anything else as it is.

    Raises `InvalidRequest` for a text that can name nothing on this system.
    """
    if isinstance(value, str | bytes | os.PathLike):
        # Not by `Path`, which makes the current folder of an empty text.
        return os.path.expanduser(_named(os.fsdecode(value)))  # noqa: PTH111
    if isinstance(value, list | tuple):
        return type(value)(map(at_home, value))
    return value


def _of_page(address: str) -> str | None:
    """The reference that a page's address stands for, if it is one."""
    if found := re.fullmatch(_OLLAMA_PAGE, address):
        return f"ollama:{found[1]}"
    if found := re.fullmatch(_HUB_PAGE, address):
        revision = found["tree"] or found["blob"]
        at = f"@{revision}" if revision not in (None, "main") else ""
        return f"hf:{found['repo']}{at}{':' + found['file'] if found['file'] else ''}"
    return None


def _named(text: str) -> str:
    if "\0" in text:
        raise InvalidRequest(f"{text!a} has a NUL character, which no name of a file has", "invalid_parameter")
    try:
        os.fsencode(text)
    except UnicodeEncodeError as error:
        index = error.start
        wrong = "a lone surrogate" if "\ud800" <= text[index] <= "\udfff" else ascii(text[index])
        raise InvalidRequest(
            f"{text!a} has {wrong} at index {index}, expected what names of files can have here ({error.encoding})",
            "invalid_parameter",
        ) from None
    return text


def _hint(text: str, hint: str | None) -> str | None:
    if not re.fullmatch(_NAME, text):
        return hint
    if _is_imported(text):
        return f"did you mean local:{text}, which is in the store?"
    elsewhere = f"if it is a model of Ollama's: ollama:{text}"
    return f"{elsewhere}; {hint}" if hint else elsewhere


def _is_imported(name: str) -> bool:
    try:
        Store().get(f"local:{name}")
    except TrillmError:
        return False
    return True
