"""Files that the hub gives by Xet alone, by the real client of it."""

from __future__ import annotations

import sys
import threading
import time

import pytest
from arriving import content, job
from hub_server import Hub, sha256
from huggingface_hub import constants
from test_huggingface import WEIGHTS, hub  # noqa: F401
from trillm._core import CHUNK, Store
from trillm.errors import DigestMismatch, DownloadError, MissingDependency, Unsupported
from trillm.hub._failure import CancelledError
from trillm.hub._network.retries import limits
from trillm.hub._pull import pull

pytest.importorskip("hf_xet")

LARGE = {"config.json": b"{}", "model.gguf": WEIGHTS}


@pytest.fixture(autouse=True)
def few_bytes(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    monkeypatch.setattr(limits, "plain", 1000)
    hub.xet = True
    hub.add("org/large", LARGE)


def test_our_limit_is_that_of_the_library() -> None:
    assert type(limits)().plain == constants.MAX_HTTP_DOWNLOAD_SIZE


def test_a_large_file_arrives(hub: Hub, store: Store) -> None:  # noqa: F811
    assert content(pull(job(store, "hf:org/large"))) == {"model.gguf": WEIGHTS}
    asked = [request.path.split("/")[1] for request in hub.storage.requests]
    assert "xorb" in asked
    assert {request.headers.get("Authorization") for request in hub.storage.requests} <= {None, "Bearer xet"}


def test_it_goes_on_where_it_was_cut(hub: Hub, store: Store) -> None:  # noqa: F811
    large = bytes(range(256)) * (5 << 12)
    hub.add("org/large", {"model.gguf": large})
    partial = store.partial(sha256(large), len(large), sha256=sha256(large))
    partial.writer(0).write(large[:CHUNK])
    del partial
    assert content(pull(job(store, "hf:org/large"))) == {"model.gguf": large}
    ranges = [request.headers["Range"] for request in hub.storage.requests if "/v1/" in request.path]
    assert {int(asked.removeprefix("bytes=").split("-")[0]) for asked in ranges} == {CHUNK}


def test_what_is_not_what_was_announced_is_refused(hub: Hub, store: Store) -> None:  # noqa: F811
    hub.storage.share = lambda _: type(hub.storage).share(hub.storage, b"x" * len(WEIGHTS))  # type: ignore
    with pytest.raises(DigestMismatch):
        pull(job(store, "hf:org/large"))
    assert store.list() == ([], [])


def test_without_a_way_there_is_an_error_of_its_own(hub: Hub, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    hub.xet = False
    with pytest.raises(Unsupported, match="too many for plain HTTP"):
        pull(job(store, "hf:org/large"))
    monkeypatch.setitem(sys.modules, "hf_xet", None)
    with pytest.raises(MissingDependency, match="hf_xet"):
        pull(job(store, "hf:org/large"))


def test_the_token_is_not_given_to_another_host(hub: Hub, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    monkeypatch.setenv("HUGGINGFACE_TOKEN", hub.token)
    url, hub.url = hub.url, hub.storage.url
    try:
        with pytest.raises(DownloadError) as failed:
            pull(job(store, "hf:org/large"))
    finally:
        hub.url = url
    assert failed.value.code == "redirect_refused"


def test_cancelling_wakes_who_waits_for_bytes(hub: Hub, store: Store) -> None:  # noqa: F811
    stalled = threading.Event()

    def answer(request: object, usual: object = hub.storage.answer) -> object:
        if "/xorb/" in request.path:  # type: ignore[attr-defined]
            stalled.set()
            time.sleep(20)
        return usual(request)  # type: ignore[operator]

    hub.storage.answer = answer  # type: ignore[method-assign,assignment]
    wanted = job(store, "hf:org/large")
    ended: list[BaseException] = []

    def work() -> None:
        try:
            pull(wanted)
        except BaseException as error:
            ended.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    assert stalled.wait(20)
    start = time.monotonic()
    wanted.cancel()
    thread.join(10)
    assert time.monotonic() - start < 2
    assert isinstance(ended[0], CancelledError)
