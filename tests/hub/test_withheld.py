"""A source that gives a model no more, or not to us: a complete copy of another program's counts, as for its client."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from arriving import content, job
from hub_server import Hub, sha256
from huggingface_hub import close_session, constants, hf_hub_download, snapshot_download
from huggingface_hub.errors import HfHubHTTPError
from ollama_server import Registry
from trillm._core import Store
from trillm.errors import DownloadError, MissingDependency, ModelNotFound
from trillm.hub._pull import pull
from trillm.hub._sources import hub_api
from web import Fault

FILES = {"model.safetensors": b"weights" * 900, "config.json": b'{"model_type": "llama"}', "tokenizer.json": b"{}"}


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    """A hub with one repository, of which its own client has everything."""
    for name in ("HUGGINGFACE_TOKEN", "HF_TOKEN", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", "/nowhere")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("OLLAMA_MODELS", str(tmp_path / "ollama"))
    server = Hub()
    server.add("org/tiny", FILES)
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    snapshot_download("org/tiny", cache_dir=tmp_path / "hub", endpoint=server.url, token=False)
    yield server
    server.close()


def gated(hub: Hub) -> None:
    hub.repositories["org/tiny"].gated = True


def private(hub: Hub) -> None:
    hub.repositories["org/tiny"].private = True


def removed(hub: Hub) -> None:
    del hub.repositories["org/tiny"]


def answers(status: int) -> Callable[[Hub], None]:
    def answer(hub: Hub) -> None:
        hub.break_next(*[Fault(status=status)] * 50)

    return answer


WAYS = [gated, private, removed, answers(401), answers(403), answers(404)]
SAYS = [
    "is given only to those who accepted its conditions",
    "has no repository org/tiny",
    "has no repository org/tiny",
    "or it is private|does not let us read",
    r"does not let us read org/tiny \(403\)",
    r"does not have org/tiny \(404\)",
]


@pytest.mark.parametrize("token", [None, "hf_another"])
@pytest.mark.parametrize(("withhold", "says"), list(zip(WAYS, SAYS, strict=True)))
def test_what_the_hub_does_not_give_is_taken_from_its_cache(
    hub: Hub,
    store: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    *,
    withhold: Callable[[Hub], None],
    says: str,
    token: str | None,
) -> None:
    withhold(hub)
    if token is not None:
        monkeypatch.setenv("HF_TOKEN", token)
    there = hf_hub_download(
        "org/tiny", "config.json", cache_dir=tmp_path / "hub", endpoint=hub.url, token=token or False
    )
    assert Path(there).read_bytes() == FILES["config.json"]
    assert content(pull(job(store, "hf:org/tiny"))) == FILES
    notes = [record.getMessage() for record in caplog.records if record.name == "trillm.hub"]
    if withhold is gated and token is not None:
        # The hub lists what is gated, and no file is missing.
        assert notes == []
        return
    [note] = notes
    told, _, used = note.partition("; ")
    assert re.search(says, told)
    assert used == "using what another program left on this machine"


@pytest.mark.parametrize("withhold", WAYS)
def test_what_the_hub_does_not_give_is_an_error_for_those_who_ask_what_it_has(
    hub: Hub, store: Store, withhold: Callable[[Hub], None]
) -> None:
    pull(job(store, "hf:org/tiny"))
    withhold(hub)
    with pytest.raises((DownloadError, ModelNotFound)):
        pull(job(store, "hf:org/tiny"), again=True)


@pytest.mark.parametrize("withhold", WAYS)
def test_a_part_in_the_cache_does_not_count(
    hub: Hub, store: Store, tmp_path: Path, withhold: Callable[[Hub], None]
) -> None:
    withhold(hub)
    next((tmp_path / "hub").rglob("snapshots/*/tokenizer.json")).unlink()
    with pytest.raises((DownloadError, ModelNotFound)):
        pull(job(store, "hf:org/tiny"))
    assert store.list() == ([], [])


def test_a_revision_that_the_hub_has_no_more_is_an_error_as_for_its_client(
    hub: Hub, store: Store, tmp_path: Path
) -> None:
    hub.add("org/tiny", {**FILES, "config.json": b"{}"}, "old")
    cache = tmp_path / "hub"
    snapshot_download("org/tiny", revision="old", cache_dir=cache, endpoint=hub.url, token=False)
    del hub.repositories["org/tiny"].branches["old"]
    with pytest.raises(HfHubHTTPError):
        hf_hub_download("org/tiny", "config.json", revision="old", cache_dir=cache, endpoint=hub.url, token=False)
    with pytest.raises(ModelNotFound, match="no branch, tag or commit old"):
        pull(job(store, "hf:org/tiny@old"))


@pytest.mark.usefixtures("hub")
def test_a_proxy_that_lacks_a_package_is_not_needed_for_what_the_cache_has(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    close_session()
    monkeypatch.setattr(hub_api, "find_spec", lambda _: None)
    monkeypatch.setattr("huggingface_hub.get_session", no_socks)
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:9")
    monkeypatch.setenv("HF_ENDPOINT", "http://hub.example")
    assert content(pull(job(store, "hf:org/tiny"))) == FILES
    assert "needs the package socksio for a SOCKS proxy (ALL_PROXY); using what another program left" in caplog.text
    with pytest.raises(MissingDependency):
        pull(job(store, "hf:org/other"))


def no_socks() -> None:
    raise ImportError("Using SOCKS proxy, but the 'socksio' package is not installed.")


@pytest.mark.usefixtures("hub")
def test_what_a_registry_does_not_have_is_taken_from_ollama(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Such are the models that somebody made with `ollama create`."""
    registry = Registry()
    try:
        weights = FILES["model.safetensors"]
        path = tmp_path / "ollama" / "manifests" / registry.host / "library" / "mine" / "latest"
        path.parent.mkdir(parents=True)
        path.write_bytes(registry.add("library/mine:latest", [("model", weights)]))
        blobs = tmp_path / "ollama" / "blobs"
        blobs.mkdir()
        (blobs / f"sha256-{sha256(weights)}").write_bytes(weights)
        registry.manifests.clear()
        reference = f"ollama:{registry.host}/library/mine"
        assert content(pull(job(store, reference))) == {"model.gguf": weights}
        assert "has no model" in caplog.text
        assert "using what another program left on this machine" in caplog.text
        with pytest.raises(ModelNotFound, match="has no model"):
            pull(job(store, reference), again=True)
        with pytest.raises(ModelNotFound, match="has no model"):
            pull(job(store, f"ollama:{registry.host}/library/other"))
    finally:
        registry.close()
