"""From a source's file to a blob in the store: resumed, checked, and none if anything of it is wrong."""

from __future__ import annotations

import logging
import shutil
import threading
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING

from trillm._core import CHUNK
from trillm.errors import DigestMismatch, StoreError
from trillm.hub._failure import TransientError, download_failed, may_pass
from trillm.hub._network.crew import Crew
from trillm.hub._network.fill import READ, Filling
from trillm.hub._network.place import Answer, ChangedError, Place
from trillm.hub._network.retries import Retries, limits, retrying

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from trillm._core import Partial
    from trillm.hub._job import Job
    from trillm.hub._network.client import Client
    from trillm.hub._progress import Meter
    from trillm.hub._remote import RemoteFile

_log = logging.getLogger("trillm.hub")


def transfer_all(job: Job, client: Client, files: Sequence[RemoteFile]) -> list[tuple[str, int]]:
    """Each file's sha256 and size, in their order, once all are blobs; some at the same time.

    The first that fails ends the others; what arrived of them is kept for the next attempt. Raises `DownloadError`,
    `ModelNotFound`, `DigestMismatch` and `StoreError`; that with `disk_full` before the first byte.
    """
    # The same content under two names is fetched once.
    wanted = {_content(file, index): file for index, file in enumerate(files)}
    _require_space(job, list(wanted.values()))
    # Small files first, so that at the end all connections are for the largest.
    waiting = deque(sorted(wanted, key=lambda content: wanted[content].size or 0))
    blobs: dict[str | int, tuple[str, int]] = {}
    lock = threading.Lock()
    crew = Crew(client.running)

    def work() -> None:
        while True:
            with lock:
                if not waiting:
                    return
                content = waiting.popleft()
            blobs[content] = transfer(job, client.within(crew), wanted[content])

    crew.run([work] * min(job.options.parallel_downloads, len(wanted)))
    return [blobs[_content(file, index)] for index, file in enumerate(files)]


def transfer(job: Job, client: Client, file: RemoteFile) -> tuple[str, int]:
    """One file: its sha256 and size, once it is a blob. Raises as :func:`transfer_all`."""
    place = Place(file)
    changed = 0
    damaged = False
    while True:
        try:
            return _attempt(job, client, place)
        except ChangedError:
            changed += 1
            if changed > limits.restarts:
                raise download_failed(
                    f"{file.name} keeps changing while it is fetched", "try again when its source is done with it"
                ) from None
            _log.warning("%s changed while it was fetched; fetching all of it again", file.name)
            place.forget()
        except DigestMismatch as error:
            if damaged:
                raise
            damaged = True
            _log.warning("%s; fetching all of it again", error)


def fill(job: Job, client: Client, file: RemoteFile, partial: Partial) -> tuple[str, int]:
    """Brings what is missing of a file that is partly there, and makes it a blob. Raises as :func:`transfer_all`."""
    try:
        with _called(file.name, f"repair {file.sha256}"), Filling(job, client, Place(file), partial) as filling:
            return filling.run(None)
    except ChangedError:
        raise download_failed(f"{file.name} changed while it was fetched", "try again") from None


def _attempt(job: Job, client: Client, place: Place) -> tuple[str, int]:
    file = place.file
    answer = None
    if place.digest is None or place.size is None:
        # What it is, and how large, is in the answer; if we have its beginning already, one chunk came in vain.
        answer = retrying(client.running, lambda: place.open(client, 0, CHUNK))
    size, key = place.size, place.key
    if size is not None and file.sha256 is not None and job.store.has(file.sha256, size):
        if answer is not None:
            answer.response.close()
        return file.sha256, size
    if size is None or key is None:
        return _stage(job, client, place, answer)
    # Nothing here may hold the unfinished file: while anybody does, no later attempt goes on with it.
    with (
        _called(file.name, key),
        Filling(job, client, place, job.store.partial(key, size, sha256=file.sha256, git=file.git)) as filling,
    ):
        return filling.run(answer)


@contextmanager
def _called(name: str, key: str) -> Iterator[None]:
    """Has errors say the file's name where the store says what it knows an unfinished file by: a digest, say."""
    try:
        yield
    except StoreError as error:
        raise type(error)(str(error).replace(f" {key}", f" {name}", 1), error.code, error.hint) from None


def _stage(job: Job, client: Client, place: Place, answer: Answer | None) -> tuple[str, int]:
    """What nobody says the size or the version of comes over one connection, and from the beginning if that fails."""
    retries = Retries(client.running)
    with job.meter("downloading", place.file.name, place.size) as meter:
        while True:
            try:
                if answer is not None and answer.part and answer.end != place.size:
                    answer.response.close()
                    answer = None
                if answer is None:
                    place.forget()
                    answer = place.open(client, None)
                return _stream(job, place, answer, meter)
            except TransientError as failed:
                retries.failed(failed)
            meter.start(0)
            answer = None


def _stream(job: Job, place: Place, answer: Answer, meter: Meter) -> tuple[str, int]:
    file = place.file
    with answer.response as response, job.store.stage(file.name) as staging:
        position = 0
        while data := response.read(READ):
            staging.write(data)
            position += len(data)
            meter.add(len(data))
        if place.size is not None and position < place.size:
            raise may_pass(f"{response.host} stopped sending {file.name} after {position} bytes", "try again")
        if place.size is not None and position > place.size:
            raise download_failed(
                f"{response.host} sent {position} bytes of {file.name}, expected {place.size}", "try again later"
            )
        if place.digest is None and not response.ends:
            raise download_failed(
                f"{response.host} does not say how long {file.name} is, so that a part of it looks like all",
                "give its digest (#sha256=…), or use another source",
            )
        return staging.commit(sha256=file.sha256, git=file.git)


def _content(file: RemoteFile, index: int) -> str | int:
    """What tells a file's content from the others'."""
    return file.sha256 or file.git or index


def _require_space(job: Job, files: Sequence[RemoteFile]) -> None:
    """Whether what is missing of the files fits on the disk, as far as their sizes are known."""
    free = shutil.disk_usage(job.store.root).free - limits.spare
    absent = [file for file in files if not _is_there(job, file)]
    if sum(file.size or 0 for file in absent) <= free:
        return
    # What earlier attempts left is on the disk already; it is looked at only now, because it is read to be checked.
    need = sum(_missing(job, file) for file in absent)
    if need > free:
        raise StoreError(
            f"{job.wanted.text} needs {need} more bytes on the disk of {job.store.root}, "
            f"which has {free + limits.spare} free, of which {limits.spare} are to stay free",
            "disk_full",
            "free some space (trillm gc), or set LOCAL_CACHE_DIR to a folder on a larger disk",
        )


def _is_there(job: Job, file: RemoteFile) -> bool:
    return file.sha256 is not None and file.size is not None and job.store.has(file.sha256, file.size)


def _missing(job: Job, file: RemoteFile) -> int:
    key = Place(file).key
    if file.size is None or key is None:
        return file.size or 0
    partial = job.store.partial(key, file.size, sha256=file.sha256, git=file.git)
    return sum(end - first for first, end in partial.missing())
