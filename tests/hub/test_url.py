"""Models at plain URLs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator

import pytest
from arriving import content, job
from trillm._core import Store
from trillm.errors import DigestMismatch, DownloadError, ModelNotFound
from trillm.hub._pull import pull
from web import Web

GGUF = b"GGUF" + bytes(range(256)) * 300
SHA256 = hashlib.sha256(GGUF).hexdigest()


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    """A server with one file."""
    for name in ("HF_HUB_OFFLINE", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = Web()
    server.put("/models/tiny.gguf", GGUF, etag='"one"')
    yield server
    server.close()


@pytest.mark.parametrize("pin", ["", f"#sha256={SHA256}"])
def test_a_file_arrives_under_the_name_it_has_there(web: Web, store: Store, pin: str) -> None:
    manifest = pull(job(store, f"{web.url}/models/tiny.gguf{pin}"))
    assert content(manifest) == {"tiny.gguf": GGUF}
    assert json.loads(manifest.model)["source"] == {"kind": "url", "url": f"{web.url}/models/tiny.gguf"}


def test_other_bytes_than_the_digest_names_are_refused(web: Web, store: Store) -> None:
    with pytest.raises(DigestMismatch):
        pull(job(store, f"{web.url}/models/tiny.gguf#sha256={'0' * 64}"))
    assert store.list() == ([], [])


def test_no_token_is_sent(web: Web, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUGGINGFACE_TOKEN", "hf_canary")
    pull(job(store, f"{web.url}/models/tiny.gguf"))
    assert {request.headers.get("Authorization") for request in web.requests} == {None}


def test_what_is_not_there_is_not_found(web: Web, store: Store) -> None:
    with pytest.raises(ModelNotFound):
        pull(job(store, f"{web.url}/models/none.gguf"))


def test_offline_nothing_is_asked(web: Web, store: Store) -> None:
    with pytest.raises(DownloadError, match="offline"):
        pull(job(store, f"{web.url}/models/tiny.gguf", offline=True))
    assert web.requests == []
