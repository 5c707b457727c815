"""What the command line prints.

Text from a model, a model's file or a server is not trusted: a terminal obeys control characters, so there they are
shown instead of sent. A pipe gets the text exactly as it was generated, in UTF-8, whatever the locale: what reads it is
a program, and two runs can be compared byte by byte.
"""

from __future__ import annotations

import codecs
import errno
import io
import json
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from trillm.cli.flags import misgiven, named_by_flags
from trillm.errors import InvalidRequest, TrillmError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import TextIO

__all__ = [
    "UsageError",
    "complain",
    "draws",
    "failing_clearly",
    "failure",
    "lost",
    "obeys",
    "prepare",
    "print_columns",
    "print_json",
    "readable",
    "say",
    "size",
    "tell",
    "unread",
    "write",
]

# Pictures of C0 and DEL; C1 has none. A carriage return is dropped: harmless before a line feed, deceptive elsewhere.
_SHOWN = {
    **{code: 0x2400 + code for code in range(0x20)},
    **dict.fromkeys(range(0x80, 0xA0), 0xFFFD),
    0x7F: 0x2421,
    ord("\r"): None,
}
del _SHOWN[ord("\n")], _SHOWN[ord("\t")]


_OUTPUT_FAILED = "output_failed"


class UsageError(typer.TyperException):
    """The command line makes no sense: exit code 2."""


def prepare() -> None:
    """Makes the standard streams safe to use."""
    if isinstance(sys.stdin, io.TextIOWrapper) and sys.stdin.isatty():
        sys.stdin.reconfigure(encoding=_encoding(sys.stdin), errors="surrogateescape")
    # Nothing can be written to the one, so that a result that is lost is an error; what else is said may get lost.
    sys.stdout = sys.stdout or _in_place_of(1, os.O_RDONLY)
    sys.stderr = sys.stderr or _in_place_of(2, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            if stream.isatty():
                stream.reconfigure(encoding=_encoding(stream), errors="replace")
            else:
                stream.reconfigure(encoding="utf-8", errors="replace", newline="\n")


def _in_place_of(number: int, how: int) -> TextIO:
    """What stands in for a closed descriptor, at its number: else the next file that is opened would get the output."""
    descriptor = os.open(os.devnull, how)
    if descriptor != number and not _is_open(number):
        os.dup2(descriptor, number)
        os.close(descriptor)
        descriptor = number
    return open(descriptor, "w")  # noqa: PTH123 - a descriptor, and as long as the process


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def _encoding(terminal: io.TextIOWrapper) -> str:
    """The one it has; a locale that knows ASCII alone says nothing about the terminal, and UTF-8 includes it."""
    return "utf-8" if codecs.lookup(terminal.encoding).name == "ascii" else terminal.encoding


def readable(text: str) -> str:
    """The text with control characters other than line feed and tab shown rather than meant."""
    return text.translate(_SHOWN)


def obeys(stream: TextIO) -> bool:
    """Whether escape sequences have a meaning there."""
    return stream.isatty() and os.environ.get("TERM", "") not in ("", "dumb")


def draws(stream: TextIO) -> bool:
    """Whether colours and bars are wanted there, too."""
    return obeys(stream) and not os.environ.get("NO_COLOR")


def write(text: str) -> None:
    """Writes to standard output at once."""
    try:
        sys.stdout.write(readable(text) if sys.stdout.isatty() else text)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        _abandon(sys.stdout)
        raise TrillmError(f"cannot write to standard output: {error.strerror}", _OUTPUT_FAILED) from error


def lost() -> TrillmError | None:
    """What is wrong if something that was printed cannot be got rid of: typer prints help without asking us."""
    try:
        write("")
    except BrokenPipeError:
        unread()
    except TrillmError as error:
        return error
    return None


def say(line: str) -> None:
    """A line on standard error."""
    try:
        sys.stderr.write(readable(line) + "\n")
        sys.stderr.flush()
    except OSError:
        # There is nobody left to tell.
        _abandon(sys.stderr)


def unread() -> int:
    """The exit code when nobody reads on: the reader has what it wanted, as in `trillm run … | head`."""
    _abandon(sys.stdout)
    return 0


def _abandon(stream: TextIO) -> None:
    """Lets what is still buffered go nowhere: written again at exit, it would fail again."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def complain(message: str, hint: str | None = None) -> None:
    """The error on one line, and what to do on another."""
    for kind, text in (("error", message), ("hint", hint)):
        if text:
            say(f"{kind}: {'; '.join(line.strip() for line in text.splitlines() if line.strip())}")


def print_json(document: object) -> None:
    """One document. All ASCII, so that it survives any locale and no terminal obeys it."""
    write(json.dumps(_unicode(document), indent=2) + "\n")


def _unicode(value: object) -> object:
    """The same without halves of surrogate pairs, as Python has them in names of files that are not UTF-8.

    Readers of JSON in other languages refuse a document with one of them.
    """
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {_unicode(name): _unicode(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_unicode(item) for item in value]
    return value


def print_columns(rows: Sequence[Sequence[str]]) -> None:
    """Rows with their cells aligned; never cut to the terminal's width, so that nothing is lost to `grep` and `awk`."""
    cells = [[readable(cell).replace("\n", " ") for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        write("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() + "\n")


def size(count: float) -> str:
    """A number of bytes for people, decimal like those of pip and of disks."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def failure(error: TrillmError | OSError | UnicodeError) -> tuple[str, str, str | None]:
    """What to say of an error that is not a bug: a message, its code, and a hint if there is one."""
    if isinstance(error, TrillmError):
        return str(error), error.code, error.hint and named_by_flags(error.hint)
    if isinstance(error, UnicodeError):
        return "a text that was given is not UTF-8", "not_utf8", None
    where = f": {os.fsdecode(error.filename)}" if isinstance(error.filename, (str, bytes)) else ""
    code = errno.errorcode.get(error.errno or 0, "os_error").lower()
    return (error.strerror or str(error)) + where, code, None


def tell(code: str, message: str, hint: str | None, *, as_json: bool, done: Mapping[str, object] | None = None) -> None:
    """Says what went wrong: by a clear line, or by a document, with what was done before it."""
    if as_json and code != _OUTPUT_FAILED:
        # It may fail as well, on a full device: then that is said.
        with failing_clearly(as_json=False):
            print_json({**(done or {}), "error": {"code": code, "message": message, "hint": hint}})
    else:
        complain(message, hint)


@contextmanager
def failing_clearly(*, as_json: bool, done: Mapping[str, object] | None = None) -> Iterator[None]:
    """Turns the errors that are not bugs into a clear line, or a JSON document, and exit code 1.

    A value that an option does not take is an error of usage, whoever finds it. Ctrl-C is a document, too; a person who
    pressed it needs no line. `done` is of the document what is true whatever fails later.
    """
    try:
        yield
    except BrokenPipeError:
        raise typer.Exit(unread()) from None
    except KeyboardInterrupt:
        if not as_json:
            raise
        tell("interrupted", "interrupted", None, as_json=True, done=done)
        raise typer.Exit(130) from None
    except (TrillmError, OSError, UnicodeError) as error:
        usage = misgiven(error) if isinstance(error, InvalidRequest) else None
        if usage is not None:
            raise UsageError(usage) from None
        message, code, hint = failure(error)
        tell(code, message, hint, as_json=as_json, done=done)
        raise typer.Exit(1) from None
