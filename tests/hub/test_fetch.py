"""One download for all that ask, and for as long as somebody waits."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from trillm._core import CHUNK, Reference, Store
from trillm.errors import DigestMismatch, DownloadError, InvalidRequest, ModelNotFound, TrillmError
from trillm.hub import Options, Progress, Source, fetch, resolve
from trillm.hub._network.retries import limits
from web import Fault, Request, Web

WEIGHTS = random.Random(2).randbytes(3 * CHUNK + 99)
SHA256 = hashlib.sha256(WEIGHTS).hexdigest()


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    """A server with one model."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Web() as server:
        server.put("/model.gguf", WEIGHTS, etag='"one"')
        yield server


@pytest.fixture
def model(web: Web) -> str:
    return f"{web.url}/model.gguf#sha256={SHA256}"


class Held:
    """Lets the first chunk through and five bytes more, and the rest when told to."""

    def __init__(self, web: Web) -> None:
        self._release = threading.Event()
        web.faults = self._fault

    def _fault(self, request: Request) -> Fault | None:
        first = request.headers.get("Range", "").startswith("bytes=0-")
        return None if first or self._release.is_set() else Fault(stall=5)

    def let_go(self) -> None:
        self._release.set()


def bytes_of(web: Web) -> int:
    return sum(request.sent for request in web.asked())


def test_threads_share_a_download(web: Web, store: Store, model: str) -> None:
    paths, seen = set(), []
    lock = threading.Lock()

    def work() -> None:
        moments: list[Progress] = []
        path = fetch(model, store=store, progress=moments.append)
        with lock:
            paths.add(path)
            seen.append(moments)

    threads = [threading.Thread(target=work) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [path.read_bytes() for path in paths] == [WEIGHTS]
    assert bytes_of(web) == len(WEIGHTS)
    last = [moments[-1] for moments in seen if moments]
    assert last
    assert all((moment.transferred, moment.percentage) == (len(WEIGHTS), 100.0) for moment in last)


def test_who_stops_waiting_stops_nobody_else(
    web: Web, store: Store, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A connection that stands still is soon given up; the one that is made then stands still too, until let go.
    monkeypatch.setattr(limits, "stall", 0.5)
    monkeypatch.setattr(limits, "backoff", 0.1)
    held = Held(web)
    outcome: list[Path] = []
    waiting = threading.Event()
    options = Options(retry_attempts=50)

    def stay() -> None:
        outcome.append(fetch(model, store=store, progress=lambda _: waiting.set(), options=options))

    def leave(_: Progress) -> None:
        raise KeyboardInterrupt

    thread = threading.Thread(target=stay)
    thread.start()
    assert waiting.wait(10)
    with pytest.raises(KeyboardInterrupt):
        fetch(model, store=store, progress=leave, options=options)
    held.let_go()
    thread.join(30)
    [path] = outcome
    assert path.read_bytes() == WEIGHTS


def test_the_last_one_ends_it_and_what_arrived_is_kept(web: Web, store: Store, model: str) -> None:
    held = Held(web)

    def leave(moment: Progress) -> None:
        if moment.transferred > CHUNK:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(model, store=store, progress=leave)
    assert store.list() == ([], [])
    held.let_go()
    assert fetch(model, store=store).read_bytes() == WEIGHTS
    asked = [request.headers.get("Range", "") for request in web.asked()]
    # The second download asks from the beginning once, to learn the size.
    assert any(wanted.startswith(f"bytes={CHUNK}-") for wanted in asked)
    assert len([wanted for wanted in asked if wanted.startswith("bytes=0-")]) == 2


def test_a_download_may_take_so_long_and_no_longer(web: Web, store: Store, model: str) -> None:
    held = Held(web)
    with pytest.raises(DownloadError) as failed:
        fetch(model, store=store, options=Options(download_timeout=0.5))
    assert failed.value.code == "download_timeout"
    held.let_go()
    assert fetch(model, store=store).read_bytes() == WEIGHTS


def test_everybody_gets_the_error(web: Web, store: Store) -> None:
    web.faults = lambda _: Fault(status=404)
    errors = []

    def work() -> None:
        try:
            fetch(f"{web.url}/none.gguf#sha256={SHA256}", store=store)
        except TrillmError as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [type(error) for error in errors] == [ModelNotFound] * 4
    assert len({id(error) for error in errors}) == 4


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_forked_child_downloads_for_itself(web: Web, store: Store, model: str) -> None:
    script = f"""
import os, threading
from trillm._core import Store
from trillm.hub import fetch
started = threading.Event()
store = Store({str(store.root)!r})
thread = threading.Thread(target=lambda: fetch({model!r}, store=store, progress=lambda _: started.set()))
thread.start()
started.wait(10)
if os.fork() == 0:
    # Waits for the parent's claim, and has none of its threads.
    assert fetch({model!r}, store=store).stat().st_size == {len(WEIGHTS)}
    os._exit(0)
thread.join()
assert os.waitstatus_to_exitcode(os.wait()[1]) == 0
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", script], check=True, timeout=60)
    assert bytes_of(web) == len(WEIGHTS)


def test_what_is_resolved_stays(store: Store, model: str) -> None:
    with resolve(model, store=store) as found:
        assert found.manifest is not None
        store.remove(found.reference.text)
        assert found.path.read_bytes() == WEIGHTS
    store.collect()
    assert resolve_or_none(model, store) is None


def resolve_or_none(reference: str, store: Store) -> Path | None:
    try:
        return store.get(Reference(reference).text).path
    except ModelNotFound:
        return None


def test_offline_takes_what_is_there_and_opens_no_connection(
    web: Web, store: Store, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DownloadError):
        fetch(model, store=store, offline=True)
    fetch(model, store=store)
    count = len(web.requests)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert fetch(model, store=store).read_bytes() == WEIGHTS
    assert len(web.requests) == count


def test_a_pin_is_that_generation_or_an_error(web: Web, store: Store) -> None:
    reference = f"{web.url}/model.gguf"
    fetch(reference, store=store)
    first = store.get(reference)
    assert fetch(f"{reference}@sha256:{first.id}", store=store).read_bytes() == WEIGHTS
    with pytest.raises(DigestMismatch):
        fetch(f"{reference}@sha256:{'0' * 64}", store=store)
    store.remove(reference)
    # What is not there is fetched, if the source still has it.
    assert fetch(f"{reference}@sha256:{first.id}", store=store).read_bytes() == WEIGHTS


def test_asking_for_one_generation_puts_no_other_in_use(web: Web, store: Store) -> None:
    reference = f"{web.url}/model.gguf"
    fetch(reference, store=store)
    first = store.get(reference)
    web.put("/model.gguf", WEIGHTS[::-1], etag='"two"')
    with pytest.raises(DigestMismatch):
        fetch(f"{reference}@sha256:{'0' * 64}", store=store)
    assert store.get(reference).id == first.id
    assert len(store.history(reference)[0]) == 2


def test_two_files_at_one_address_are_not_mixed(web: Web, store: Store) -> None:
    other = WEIGHTS[::-1]
    date = {"Last-Modified": "Sun, 22 Nov 2026 10:00:00 GMT"}
    for name, content in (("one", WEIGHTS), ("two", other)):
        web.put(f"/{name}/model.gguf", content, headers=date)
    web.break_next(Fault(cut=CHUNK + 9), *[Fault(status=500)] * 9)
    web.redirect("/dl/model.gguf", "/one/model.gguf")
    with pytest.raises(DownloadError):
        fetch(f"{web.url}/dl/model.gguf", store=store, options=Options(retry_attempts=0))
    web.break_next()
    web.redirect("/dl/model.gguf", "/two/model.gguf")
    assert fetch(f"{web.url}/dl/model.gguf", store=store).read_bytes() == other


def test_other_options_are_another_download(
    web: Web, store: Store, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "stall", 3.0)
    held = Held(web)
    refused: list[TrillmError] = []
    started = threading.Event()

    def hurried() -> None:
        try:
            fetch(model, store=store, options=Options(download_timeout=1), progress=lambda _: started.set())
        except DownloadError as error:
            refused.append(error)

    thread = threading.Thread(target=hurried)
    thread.start()
    assert started.wait(10)
    patient = threading.Thread(target=lambda: fetch(model, store=store))
    patient.start()
    thread.join(20)
    assert [error.code for error in refused] == ["download_timeout"]
    held.let_go()
    patient.join(20)
    assert fetch(model, store=store, offline=True).read_bytes() == WEIGHTS


def test_what_was_damaged_is_fetched_again(web: Web, store: Store, model: str) -> None:
    fetch(model, store=store)
    blob = store.root / "blobs" / "sha256" / SHA256
    blob.chmod(0o644)
    blob.write_bytes(WEIGHTS[:-1] + b"?")
    count = len(web.requests)
    assert fetch(model, store=store).read_bytes() == WEIGHTS
    assert len(web.requests) > count


def test_a_name_of_what_was_imported_has_no_source(store: Store) -> None:
    with pytest.raises(ModelNotFound, match="not in the store"):
        fetch("local:mine", store=store)


@pytest.mark.parametrize(
    "options",
    [
        {"sources": {"nowhere": Source()}},
        {"preferred_formats": ("ggml",)},
        {"retry_attempts": -1},
        {"parallel_downloads": 0},
        {"connections": 1000},
        {"download_timeout": 0.0},
    ],
)
def test_options_out_of_range(options: dict[str, object]) -> None:
    with pytest.raises(InvalidRequest):
        Options(**options)  # type: ignore[arg-type]


def test_a_token_is_not_shown() -> None:
    assert Source(token="hf_secret\n").token == "hf_secret"
    with pytest.raises(InvalidRequest) as refused:
        Source(token="hf_\nsecret")
    assert "secret" not in str(refused.value)
    assert "hf_secret" not in repr(Options(sources={"huggingface": Source(token="hf_secret")}))
