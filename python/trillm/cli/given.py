"""Texts that people give to be read: files, standard input, and arguments.

What is no text is refused by name, whoever gives it: a model would be sent noise, and would answer to it. A file is
read as a stream, so that `--file <(command)` works, and up to a bound, so that `/dev/zero` is an error and not the end
of the machine's memory.
"""

from __future__ import annotations

import codecs
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from trillm import _core
from trillm._reference import at_home
from trillm.cli.output import UsageError, readable, size
from trillm.errors import InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "INPUT",
    "argument_text",
    "attached_text",
    "file_text",
    "input_text",
    "is_text",
    "joined",
    "named",
    "shown",
    "typed_text",
]

INPUT = "standard input"

_MOST = 64 << 20
"""Bytes: several times what the longest contexts hold, and little beside a model."""

_BEGINNING = 64 << 10
"""Bytes that are enough to tell what a file is."""

_PART_OF_MEMORY = 8
"""The part of available memory that a text may have: as characters and tokens it takes several times its bytes."""

_IMAGES = {
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"\0\0\1\0": "ICO",
    b"BM": "BMP",
}
_INSIDE = {b"WEBP": "WebP", b"ftypheic": "HEIC", b"ftypmif1": "HEIC", b"ftypavif": "AVIF"}
"""Images whose names come a few bytes later."""

_TEXT_ALONE = "models here read text alone"


def argument_text(text: str, name: str) -> str:
    """A text among the arguments, which messages call `name`.

    Bytes that are no text arrive as lone surrogates; so do those that are, where the locale knows ASCII alone.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        try:
            return os.fsencode(text).decode()
        except UnicodeDecodeError:
            raise InvalidRequest(f"{name} is not UTF-8 text: {shown(text)}", "not_utf8") from None
    return text


def attached_text(path: str) -> tuple[str, str]:
    """What `--file` names, and its text: a file, or standard input by the name `-`."""
    if path != "-":
        return path, file_text(path)
    if sys.stdin is None:
        raise UsageError(f"--file is '-', and {INPUT} is closed")
    return INPUT, typed_text() if sys.stdin.isatty() else _text(sys.stdin.buffer, INPUT)


def file_text(path: str) -> str:
    """The text in a file; `~` at its beginning is the user's home."""
    if not path:
        raise InvalidRequest("the name of a file is empty", "invalid_parameter", "name a text file")
    # Not a file object: a named pipe without a writer, too, should end by Ctrl-C and not before.
    with Path(at_home(path)).open("rb", buffering=0) as file:
        return _text(file, shown(path))


def is_text(path: str) -> bool:
    """Whether a file is text as far as its beginning tells. One that cannot be read is none."""
    try:
        with Path(path).open("rb") as file:
            content = file.read(_BEGINNING)
        # What is cut within a character is no fault.
        return not _kind(content) and "\0" not in codecs.getincrementaldecoder("utf-8")().decode(content)
    except (OSError, UnicodeDecodeError):
        return False


def input_text() -> str:
    """What is on standard input if someone gives something there, without its last line break: empty if not.

    A terminal and a closed standard input give nothing.
    """
    if sys.stdin is None or sys.stdin.isatty():
        return ""
    return _text(sys.stdin.buffer, INPUT).removesuffix("\n").removesuffix("\r")


def typed_text() -> str:
    """What is typed on a terminal up to Ctrl-D."""
    return argument_text(sys.stdin.read().removesuffix("\n"), INPUT)


def named(path: str, text: str) -> str:
    """A file's text as a model is shown it: under its name, between fences that do not occur in it."""
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    end = "" if text.endswith("\n") or not text else "\n"
    return f"{shown(path)}:\n{fence}\n{text}{end}{fence}"


def joined(parts: Sequence[str]) -> str:
    """What is given in several ways, as one text."""
    return "\n\n".join(part for part in parts if part)


def shown(path: str) -> str:
    """A path in a text. Names may be any bytes."""
    return readable(os.fsencode(path).decode(errors="replace")).replace("\n", "␊")


def _text(file: BinaryIO, name: str) -> str:
    content = _content(file, name)
    kind = _kind(content)
    if kind:
        raise InvalidRequest(f"{name} is {kind}, expected text in UTF-8", "not_text", _TEXT_ALONE)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidRequest(
            f"{name} is not UTF-8 text: byte {error.start} is 0x{content[error.start]:02x}",
            "not_utf8",
            "if it is text in another encoding, `iconv -t UTF-8` converts it",
        ) from None
    if "\0" in text:
        raise InvalidRequest(f"{name} has NUL characters, expected text", "not_text", _TEXT_ALONE)
    return text


def _content(file: BinaryIO, name: str) -> bytes:
    available = _core.machine()["memory"]["available"]
    most = _MOST if available is None else min(_MOST, available // _PART_OF_MEMORY)
    announced = os.fstat(file.fileno()).st_size
    parts: list[bytes] = []
    length = 0
    try:
        while announced <= most and length <= most and (part := file.read(1 << 20)):
            parts.append(part)
            length += len(part)
    except OSError as error:
        raise OSError(error.errno, error.strerror, name) from error
    if max(announced, length) > most:
        found = size(announced) if announced > most else f"more than {size(most)}"
        raise InvalidRequest(
            f"{name} is {found}, expected at most {size(most)} of text", "too_large", "give the part that matters"
        )
    return b"".join(parts)


def _kind(content: bytes) -> str | None:
    """What it is, if it is known to be no text."""
    for start, kind in _IMAGES.items():
        # `BM` alone begins many a text.
        if content.startswith(start) and (len(start) > 2 or b"\0" in content[:64]):
            return f"an image ({kind})"
    for inside, kind in _INSIDE.items():
        if inside in content[4:12] and b"\0" in content[:64]:
            return f"an image ({kind})"
    if content.startswith(b"%PDF-"):
        return "a PDF document"
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "text in UTF-16"
    if content.startswith(b"PK\3\4"):
        return "an archive (zip, or a document of an office program)"
    if content.startswith(b"GGUF"):
        return "a model (GGUF)"
    return None
