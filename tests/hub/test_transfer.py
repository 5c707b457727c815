"""Files on their way into the store: whatever happens to a connection, what becomes visible is right or nothing.

`TRILLM_ROUNDS` says how often each fault is met, at another place each time.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from trillm._core import CHUNK, Reference, Store
from trillm.errors import DigestMismatch, DownloadError, ModelNotFound, StoreError, TrillmError
from trillm.hub._failure import CancelledError
from trillm.hub._job import Job
from trillm.hub._network.client import Client, origin
from trillm.hub._network.response import Response
from trillm.hub._network.retries import limits
from trillm.hub._network.transfer import fill, transfer, transfer_all
from trillm.hub._options import Options
from trillm.hub._remote import Location, RemoteFile
from web import Fault, Reply, Request, Web

ROUNDS = int(os.environ.get("TRILLM_ROUNDS", "3"))

CANARY = "canary-0123456789"

CONTENT = random.Random(1).randbytes(CHUNK + 123_456)

OTHER = random.Random(2).randbytes(len(CONTENT))


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits are short, and files of a few chunks are large."""
    for name, value in (("connect", 2.0), ("stall", 0.15), ("answer", 0.4), ("backoff", 0.002), ("small", CHUNK)):
        monkeypatch.setattr(limits, name, value)
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def web() -> Iterator[Web]:
    with Web() as web:
        web.put("/file", CONTENT, etag='"first"')
        yield web


@pytest.fixture
def received(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many bytes each read gave."""
    counts: list[int] = []
    read = Response.read

    def counting(response: Response, most: int) -> bytes:
        data = read(response, most)
        counts.append(len(data))
        return data

    monkeypatch.setattr(Response, "read", counting)
    return counts


def a_job(store: Store, **options: Any) -> Job:
    return Job(store, Reference("https://models.example/file.gguf"), Options(**{"connections": 3, **options}))


def remote(web: Web, path: str = "/file", content: bytes | None = CONTENT, **known: Any) -> RemoteFile:
    """A file whose size and digest are known, if its content is."""
    announced: dict[str, Any] = {"size": None, "sha256": None, "git": None}
    if content is not None:
        announced |= {"size": len(content), "sha256": sha256(content)}
    return RemoteFile(name="file.gguf", origin=None, locate=lambda: Location(web.url + path), **(announced | known))


def bring(store: Store, file: RemoteFile, web: Web, **options: Any) -> tuple[str, int]:
    job = a_job(store, **options)
    return transfer(job, Client(job, {origin(web.url): CANARY}), file)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def blobs(store: Store) -> set[str]:
    """What is visible, all of it checked."""
    names = set()
    for path in (store.root / "blobs" / "sha256").iterdir():
        assert sha256(path.read_bytes()) == path.name
        names.add(path.name)
    return names


def ranges(requests: list[Request]) -> list[str]:
    return [request.headers["Range"] for request in requests]


Make = Callable[[random.Random], Fault]


def answering(status: int) -> Make:
    return lambda _: Fault(status=status)


RECOVERABLE: dict[str, Make] = {
    "cut": lambda chance: Fault(cut=chance.randrange(len(CONTENT))),
    "cut early": lambda chance: Fault(cut=chance.randrange(100)),
    "reset": lambda chance: Fault(cut=chance.randrange(len(CONTENT)), reset=True),
    "cut before the answer": lambda _: Fault(cut=-1),
    "reset before the answer": lambda _: Fault(cut=-1, reset=True),
    "cut within the headers": lambda chance: Fault(cut_headers=chance.randrange(300)),
    "stall": lambda chance: Fault(stall=chance.randrange(len(CONTENT))),
    "stall before the answer": lambda _: Fault(stall=-1),
    "announced too long": lambda chance: Fault(longer=chance.randrange(1, 10**6)),
    "announced too short": lambda chance: Fault(longer=-chance.randrange(1, 10**6)),
    "all instead of a part": lambda _: Fault(whole=True),
    "wrong part": lambda chance: Fault(headers={"Content-Range": f"bytes {chance.randrange(9)}-99/{len(CONTENT)}"}),
    "part that makes no sense": lambda chance: Fault(headers={"Content-Range": chance.choice(["", "bytes */*", "x"])}),
    "no part named": lambda _: Fault(headers={"Content-Range": None}),
    "no length": lambda _: Fault(chunked=True),
    "no length, cut": lambda chance: Fault(chunked=True, cut=chance.randrange(len(CONTENT))),
    "drip": lambda _: Fault(drip=0.02),
    "drip of headers": lambda _: Fault(drip_headers=0.02),
    "too many requests": lambda chance: Fault(status=429, headers={"Retry-After": chance.choice(["0", "soon"])}),
    **{str(status): answering(status) for status in (408, 425, 500, 502, 503, 504)},
}
"""Faults after which a file whose digest is known arrives all the same."""

OTHERS: dict[str, Make] = {
    "wrong byte": lambda chance: Fault(flip=chance.randrange(len(CONTENT))),
    "another version": lambda _: Fault(headers={"ETag": '"second"'}),
    "no version": lambda _: Fault(headers={"ETag": None}),
    "wrong size": lambda chance: Fault(headers={"Content-Range": f"bytes 0-99/{chance.randrange(100, 10**9)}"}),
    "packed": lambda _: Fault(packed=True),
    **{str(status): answering(status) for status in (401, 403, 404, 410, 416, 418)},
}


@pytest.mark.parametrize("name", [*RECOVERABLE, *OTHERS])
def test_after_a_fault_a_file_is_right_or_absent(web: Web, tmp_path: Path, received: list[int], name: str) -> None:
    git = hashlib.sha1(b"blob %d\0" % len(CONTENT) + CONTENT).hexdigest()
    files = {
        "digest": remote(web),
        "git": remote(web, sha256=None, git=git),
        "url": remote(web, content=None),
    }
    for seed in range(ROUNDS):
        known = list(files)[seed % len(files)]
        chance = random.Random(f"{name} {seed}")
        store = Store(tmp_path / str(seed))
        fault = (RECOVERABLE | OTHERS)[name](chance)
        number = len(web.requests) + chance.randrange(3) + 1
        web.faults = lambda _, number=number, fault=fault: fault if len(web.requests) == number else None
        received.clear()
        try:
            got = bring(store, files[known], web)
        except TrillmError:
            assert known == "url" or name not in RECOVERABLE
            assert blobs(store) == set()
            web.break_next()
            got = bring(store, files[known], web)
        else:
            assert name not in RECOVERABLE or sum(received) < 1.3 * len(CONTENT)
        # What cannot be told from right without a digest is only a wrong byte.
        assert got == (sha256(CONTENT), len(CONTENT)) or (known, name) == ("url", "wrong byte")
        assert blobs(store) == {got[0]}
        shutil.rmtree(store.root)


@pytest.mark.parametrize("known", ["digest", "url"])
def test_many_faults_on_the_way_are_no_failure(web: Web, tmp_path: Path, known: str) -> None:
    file = remote(web) if known == "digest" else remote(web, content=None)
    for seed in range(ROUNDS):
        chance = random.Random(f"{known} {seed}")
        kinds = ["cut", "reset", "cut early", "cut before the answer", "502", "wrong part", "cut within the headers"]
        faults = [RECOVERABLE[kind](chance) if chance.random() < 0.7 else None for kind in kinds * 3]
        web.break_next(*chance.sample(faults, len(faults)))
        store = Store(tmp_path / str(seed))
        assert bring(store, file, web, retry_attempts=50) == (sha256(CONTENT), len(CONTENT))
        shutil.rmtree(store.root)


@pytest.mark.parametrize("name", [*RECOVERABLE, *OTHERS])
def test_a_fault_that_stays_is_a_typed_error_if_it_is_one(web: Web, store: Store, name: str) -> None:
    """Some are none: as long as more arrives each time, a connection may be cut as often as it likes."""
    make = (RECOVERABLE | OTHERS)[name]
    web.faults = lambda _: make(random.Random(1))
    try:
        assert bring(store, remote(web), web, retry_attempts=1) == (sha256(CONTENT), len(CONTENT))
    except TrillmError:
        assert blobs(store) == set()
    else:
        assert blobs(store) == {sha256(CONTENT)}


def test_a_server_that_is_gone_is_a_typed_error(web: Web, store: Store) -> None:
    with web.refusing(), pytest.raises(DownloadError, match="refused"):
        bring(store, remote(web), web, retry_attempts=1)
    assert bring(store, remote(web), web) == (sha256(CONTENT), len(CONTENT))


LARGE = random.Random(3).randbytes(6 * CHUNK + 123_456)


@pytest.mark.parametrize("known", ["digest", "url"])
def test_after_a_failure_only_what_is_missing_is_asked_for(web: Web, store: Store, known: str) -> None:
    web.put("/large", LARGE, etag='"large"')
    file = remote(web, "/large", LARGE) if known == "digest" else remote(web, "/large", None)
    web.faults = lambda _: None if len(web.requests) < 4 else Fault(cut=CHUNK // 2)
    # The error stays, as in a terminal where somebody tries again.
    with pytest.raises(DownloadError) as caught:
        bring(store, file, web, retry_attempts=0)
    there = web.sent
    web.requests.clear()
    web.break_next()
    assert bring(store, file, web) == (sha256(LARGE), len(LARGE))
    assert there > CHUNK
    # One chunk a connection, and the beginning where the size is not known before it comes.
    assert web.sent <= len(LARGE) - there + (3 if known == "digest" else 4) * CHUNK
    assert caught.value.code == "download_failed"


def test_what_a_process_left_that_was_killed_is_gone_on_with(web: Web, store: Store) -> None:
    web.put("/large", LARGE, etag='"large"')
    web.faults = lambda _: Fault(stall=CHUNK // 2) if len(web.requests) > 3 else None
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]); from test_transfer import *\n"
        "file = RemoteFile('a', None, len(LARGE), sha256(LARGE), None, lambda: Location(sys.argv[2]))\n"
        "limits.small = CHUNK\n"
        "job = a_job(Store(sys.argv[3])); transfer(job, Client(job, {}), file)\n"
    )
    arguments = [str(Path(__file__).parent), f"{web.url}/large", str(store.root)]
    process = subprocess.Popen([sys.executable, "-c", script, *arguments])
    wait(lambda: sum(request.sent == CHUNK // 2 for request in web.requests) == 3)
    time.sleep(0.05)
    process.kill()
    process.wait()
    there = web.sent
    assert blobs(store) == set()
    web.requests.clear()
    web.break_next()
    assert bring(store, remote(web, "/large", LARGE), web) == (sha256(LARGE), len(LARGE))
    assert web.sent <= len(LARGE) - there + 3 * CHUNK


def wait(until: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not until():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_connections_share_a_large_file(web: Web, store: Store) -> None:
    web.put("/large", LARGE, etag='"large"')
    # Until the first answer says that the server sends parts, there is one connection; then those that are quick wait.
    together = threading.Barrier(3, timeout=10)
    number = itertools.count()

    def meet(_: Request) -> None:
        if 1 <= next(number) <= 3:
            together.wait()

    web.faults = meet
    assert bring(store, remote(web, "/large", LARGE), web) == (sha256(LARGE), len(LARGE))
    assert len({request.client for request in web.requests}) == 3
    assert web.sent == len(LARGE)
    assert sorted(ranges(web.requests))[0] == f"bytes=0-{CHUNK - 1}"


def test_a_small_file_is_one_request(web: Web, store: Store) -> None:
    web.put("/small", b"small", etag='"small"')
    assert bring(store, remote(web, "/small", b"small"), web) == (sha256(b"small"), 5)
    assert bring(store, remote(web, "/small", None), web) == (sha256(b"small"), 5)
    assert len(web.requests) == 2


def test_what_is_there_is_not_asked_for(web: Web, store: Store) -> None:
    bring(store, remote(web), web)
    web.requests.clear()
    assert bring(store, remote(web), web) == (sha256(CONTENT), len(CONTENT))
    assert web.requests == []
    # Its size shows in the first answer only.
    assert bring(store, remote(web, size=None), web) == (sha256(CONTENT), len(CONTENT))
    assert len(web.requests) == 1


@pytest.mark.parametrize("known", [{}, {"size": None}, {"size": None, "sha256": None}])
def test_a_server_without_parts_sends_all(web: Web, store: Store, known: dict[str, Any]) -> None:
    web.faults = lambda _: Fault(whole=True)
    assert bring(store, remote(web, **known), web) == (sha256(CONTENT), len(CONTENT))
    assert (len(web.requests), web.sent) == (1, len(CONTENT))


def test_a_server_without_parts_is_gone_on_with_too(web: Web, store: Store) -> None:
    """What is there of the file is not written again, though it is sent again."""
    web.faults = lambda _: Fault(whole=True, cut=CHUNK + 1000 if len(web.requests) == 1 else None)
    assert bring(store, remote(web), web, retry_attempts=1) == (sha256(CONTENT), len(CONTENT))
    assert ranges(web.requests)[1] == f"bytes={CHUNK}-{len(CONTENT) - 1}"


@pytest.mark.parametrize("known", [{}, {"size": None}])
@pytest.mark.parametrize("headers", [{"Content-Length": None}, {"Content-Length": None, "Connection": "close"}])
def test_without_a_length_the_digest_says_whether_it_is_whole(
    web: Web, store: Store, known: dict[str, Any], headers: dict[str, None]
) -> None:
    web.faults = lambda _: Fault(whole=True, headers=headers, cut=10**9 if len(web.requests) > 1 else 1000)
    assert bring(store, remote(web, **known), web) == (sha256(CONTENT), len(CONTENT))


def test_without_a_length_and_a_digest_nothing_says_so(web: Web, store: Store) -> None:
    web.faults = lambda _: Fault(whole=True, headers={"Content-Length": None}, cut=10**9)
    with pytest.raises(DownloadError, match="does not say how long"):
        bring(store, remote(web, content=None), web)
    web.faults = lambda _: Fault(whole=True, chunked=True)
    assert bring(store, remote(web, content=None), web) == (sha256(CONTENT), len(CONTENT))


def test_without_a_version_nothing_is_gone_on_with(web: Web, store: Store) -> None:
    web.put("/file", CONTENT, headers={"Last-Modified": "", "ETag": 'W/"weak"'})
    web.faults = lambda _: Fault(cut=1000) if len(web.requests) == 2 else None
    assert bring(store, remote(web, content=None), web) == (sha256(CONTENT), len(CONTENT))
    assert [request.headers["Range"] for request in web.requests] == [f"bytes=0-{CHUNK - 1}", None, None]


def test_more_than_was_announced_is_an_error(web: Web, store: Store) -> None:
    web.faults = lambda _: Fault(whole=True, chunked=True)
    with pytest.raises(DownloadError):
        bring(store, remote(web, size=len(CONTENT) - 1), web)
    with pytest.raises(DownloadError):
        bring(store, remote(web, size=CHUNK), web)
    web.break_next()
    with pytest.raises(DownloadError, match="expected"):
        bring(store, remote(web, size=len(CONTENT) + 1), web)
    assert blobs(store) == set()


@pytest.mark.parametrize("known", [{}, {"size": None}, {"size": None, "sha256": None}])
def test_an_empty_file_arrives(web: Web, store: Store, known: dict[str, Any]) -> None:
    web.put("/empty", b"", etag='"empty"')
    assert bring(store, remote(web, "/empty", b"", **known), web) == (sha256(b""), 0)


def test_a_file_that_changes_is_fetched_anew(web: Web, store: Store) -> None:
    other = CONTENT[::-1]

    def change(_: Request) -> None:
        if len(web.requests) == 2:
            web.put("/file", other, etag='"second"')

    web.faults = change
    assert bring(store, remote(web, content=None), web) == (sha256(other), len(other))
    assert blobs(store) == {sha256(other)}
    assert web.requests[1].headers["If-Range"] == '"first"'


def test_a_file_that_changes_all_the_time_is_an_error(web: Web, store: Store) -> None:
    web.faults = lambda _: web.put("/file", CONTENT, etag=f'"{len(web.requests)}"')
    with pytest.raises(DownloadError, match="keeps changing"):
        bring(store, remote(web, content=None), web)


def test_wrong_bytes_are_fetched_once_more_and_then_refused(web: Web, store: Store) -> None:
    web.faults = lambda _: Fault(flip=1000)
    with pytest.raises(DigestMismatch, match=f"^checksum mismatch for {remote(web).name}: "):
        bring(store, remote(web), web)
    assert web.sent == 2 * len(CONTENT)
    assert blobs(store) == set()


class Signed(Web):
    """Storage whose addresses work a few times, and never show up with a token."""

    uses = 1

    def __init__(self) -> None:
        super().__init__()
        self.given = 0
        self.used: dict[str, int] = {}

    def sign(self) -> str:
        self.given += 1
        return f"{self.url}/file?signature={self.given}"

    def answer(self, request: Request) -> Reply:
        self.used[request.path] = self.used.get(request.path, 0) + 1
        return Reply(403) if self.used[request.path] > self.uses else super().answer(request)


class Leading(Web):
    """A source that leads to it."""

    storage: Signed
    expired = 0
    """How many addresses are handed out too late."""

    def answer(self, _: Request) -> Reply:
        to = self.storage.sign()
        if self.storage.given <= self.expired:
            self.storage.used[to.removeprefix(self.storage.url)] = 100
        return Reply(302, {"Location": to})


@pytest.mark.parametrize(("uses", "expired"), [(1, 0), (2, 0), (100, 0), (1, 1), (100, 1)])
def test_an_address_that_expired_is_asked_for_again(store: Store, uses: int, expired: int) -> None:
    with Signed() as storage, Leading() as web:
        storage.put("/file", LARGE, etag='"x"')
        storage.uses, web.storage, web.expired = uses, storage, expired
        assert bring(store, remote(web, content=LARGE), web) == (sha256(LARGE), len(LARGE))
        assert {request.headers["Authorization"] for request in storage.requests} == {None}
        assert {request.headers["Authorization"] for request in web.requests} == {f"Bearer {CANARY}"}
        if uses == 100:
            assert len(web.requests) == 1 + expired


def test_an_address_that_never_works_is_an_error(store: Store) -> None:
    with Signed() as storage, Leading() as web:
        storage.uses, web.storage = 0, storage
        with pytest.raises(DownloadError) as caught:
            bring(store, remote(web), web)
        assert caught.value.code == "access_denied"
        assert len(web.requests) == 2
    with Web() as web:
        with pytest.raises(ModelNotFound):
            bring(store, remote(web), web)
        assert len(web.requests) == 1


@pytest.mark.parametrize("status", [429, 503])
def test_a_server_that_wants_fewer_connections_gets_fewer(web: Web, store: Store, status: int) -> None:
    web.put("/large", LARGE, etag='"large"')
    first: list[int] = []

    def only_the_first(request: Request) -> Fault | None:
        first.append(request.client)
        return None if request.client == first[0] else Fault(status=status)

    web.faults = only_the_first
    assert bring(store, remote(web, "/large", LARGE), web) == (sha256(LARGE), len(LARGE))
    assert web.sent == len(LARGE)


def cancelling(job: Job, file: RemoteFile, waiting: Callable[[], bool]) -> float:
    """How long it takes to cancel a transfer that waits."""
    ended: list[BaseException] = []

    def run() -> None:
        try:
            transfer_all(job, Client(job, {}), [file])
        except BaseException as error:
            ended.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    wait(waiting)
    start = time.monotonic()
    job.cancel()
    thread.join()
    assert isinstance(ended[0], CancelledError)
    return time.monotonic() - start


def test_cancelling_ends_all_connections_and_keeps_what_arrived(
    web: Web, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "stall", 30)
    web.put("/large", LARGE, etag='"large"')
    web.faults = lambda _: Fault(stall=1000) if len(web.requests) > 3 else None
    file = remote(web, "/large", LARGE)
    stalled = lambda: sum(request.sent == 1000 for request in web.requests) == 3  # noqa: E731
    assert cancelling(a_job(store), file, stalled) < 1
    there = web.sent
    web.break_next()
    web.requests.clear()
    assert bring(store, file, web) == (sha256(LARGE), len(LARGE))
    assert web.sent <= len(LARGE) - there + 3 * CHUNK


def test_a_whole_download_may_have_a_limit(web: Web, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "stall", 30)
    web.faults = lambda _: Fault(stall=1000)
    job = a_job(store, download_timeout=0.5)
    start = time.monotonic()
    with pytest.raises(DownloadError) as caught:
        transfer_all(job, Client(job, {}), [remote(web)])
    assert caught.value.code == "download_timeout"
    assert time.monotonic() - start < 1.5


def test_files_arrive_together_in_their_order(web: Web, store: Store) -> None:
    contents = [random.Random(size).randbytes(size) for size in (3000, 0, 500_000, 10, 70_000)]
    for number, content in enumerate(contents):
        web.put(f"/{number}", content, etag=f'"{number}"')
    files = [remote(web, f"/{number}", content) for number, content in enumerate(contents)]
    # The same content under two names, and one that nothing is known of.
    files += [files[0], remote(web, "/4", None)]
    job = a_job(store)
    assert transfer_all(job, Client(job, {}), files) == [
        (sha256(content), len(content)) for content in [*contents, contents[0], contents[4]]
    ]
    # An empty file is known without asking, and the last one shows that it is the one before.
    assert len(web.asked()) <= 5
    assert transfer_all(job, Client(job, {}), []) == []


def test_the_first_failure_ends_the_others(web: Web, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "stall", 30)
    web.put("/large", LARGE, etag='"large"')
    web.faults = lambda _: Fault(stall=1000) if len(web.requests) > 1 else None

    class Late(Web):
        def answer(self, _: Request) -> Reply:
            wait(lambda: sum(request.sent == 1000 for request in web.requests) == 3)
            late.append(time.monotonic())
            return Reply(404)

    late: list[float] = []
    with Late() as other:
        job = a_job(store)
        files = [remote(web, "/large", LARGE), remote(other, "/missing", OTHER + LARGE)]
        with pytest.raises(ModelNotFound):
            transfer_all(job, Client(job, {}), files)
        assert time.monotonic() - late[0] < 1


def test_a_full_disk_is_known_before_the_first_byte(web: Web, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    free = shutil.disk_usage(store.root).free
    monkeypatch.setattr(limits, "spare", free - len(CONTENT) - (1 << 20))
    job = a_job(store)
    files = [remote(web), remote(web, content=OTHER)]
    with pytest.raises(StoreError) as caught:
        transfer_all(job, Client(job, {}), files)
    assert caught.value.code == "disk_full"
    assert str(len(CONTENT) + len(OTHER)) in str(caught.value)
    assert web.requests == []


def test_progress_counts_what_was_there(web: Web, store: Store) -> None:
    web.break_next(None, Fault(stall=1000))
    job = a_job(store, retry_attempts=0)
    with pytest.raises(DownloadError):
        transfer(job, Client(job, {}), remote(web))
    seen: list[tuple[int, int | None]] = []

    def look(_: Request) -> None:
        moment = job.meters()[0].read()
        seen.append((moment.transferred, moment.total))

    web.faults = look
    job = a_job(store)
    transfer(job, Client(job, {}), remote(web))
    assert seen == [(CHUNK, len(CONTENT))]


def test_damage_is_filled_in_and_no_more(web: Web, store: Store) -> None:
    web.put("/large", LARGE, etag='"large"')
    file = remote(web, "/large", LARGE)
    digest, size = bring(store, file, web)
    model = {
        "reference": "https://models.example/file.gguf",
        "source": {"kind": "url", "url": "https://models.example/file.gguf"},
        "files": [{"name": "file.gguf", "sha256": digest, "size": size, "origin": None}],
    }
    store.put(json.dumps(model))
    path = store.root / "blobs" / "sha256" / digest
    path.chmod(0o600)
    with path.open("r+b") as content:
        content.seek(3 * CHUNK + 5)
        content.write(b"wrong")
    damages: Any = store.verify("https://models.example/file.gguf")
    (damage,) = damages
    for whole in (False, True):
        web.requests.clear()
        web.faults = lambda _, whole=whole: Fault(whole=whole)
        job = a_job(store)
        assert fill(job, Client(job, {}), file, store.repair(damage)) == (digest, size)
        assert store.verify("https://models.example/file.gguf") == []
        assert web.sent <= (len(LARGE) if whole else CHUNK)
        assert blobs(store) == {digest}
