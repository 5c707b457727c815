"""Models from a hub: what arrives is what the commit has, and the token stays with the hub."""

from __future__ import annotations

import json
import logging
import re
import threading
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from arriving import BREAKS, FAULTS, arrives_or_says_why, be_impatient, content, job
from hub_server import Hub, sha256
from huggingface_hub import constants, hf_hub_download, snapshot_download
from socks_server import SocksServer
from trillm._core import Reference, Store
from trillm.errors import DigestMismatch, DownloadError, InvalidRequest, MissingDependency, ModelNotFound, TrillmError
from trillm.hub import Options, Source
from trillm.hub._failure import CancelledError
from trillm.hub._job import Job
from trillm.hub._network.client import Client
from trillm.hub._network.retries import limits
from trillm.hub._network.transfer import transfer_all
from trillm.hub._pull import pull
from trillm.hub._remote import Plan
from trillm.hub._sources import hub_api, huggingface
from web import Fault

WEIGHTS = bytes(range(256)) * 300
FILES = {
    "README.md": b"# a model\n",
    "config.json": b'{"model_type": "llama"}',
    "tokenizer.json": b"{}",
    "tiny-Q4_K_M.gguf": b"GGUF four" + WEIGHTS,
    "tiny-Q8_0.gguf": b"GGUF eight" + WEIGHTS,
}


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub that the environment leads to, without a login."""
    server = Hub()
    for name in ("HUGGINGFACE_TOKEN", "HF_TOKEN", "HF_HUB_OFFLINE", "HF_HUB_CACHE", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", "/nowhere")
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(limits, "backoff", 0.01)
    yield server
    server.close()


def plan(wanted: Job) -> Plan:
    return huggingface.plan(wanted, Client(wanted, huggingface.credentials(wanted.options)))


@pytest.mark.parametrize("name", ["config.json", "tiny-Q8_0.gguf"])
def test_the_real_client_takes_our_hub_for_one(hub: Hub, tmp_path: Path, name: str) -> None:
    hub.add("org/tiny", FILES)
    path = hf_hub_download("org/tiny", name, cache_dir=tmp_path, endpoint=hub.url, token=False)
    assert Path(path).read_bytes() == FILES[name]


def test_the_real_client_takes_a_snapshot_of_our_hub(hub: Hub, tmp_path: Path) -> None:
    commit = hub.add("org/tiny", FILES)
    folder = Path(snapshot_download("org/tiny", cache_dir=tmp_path, endpoint=hub.url, token=False))
    assert folder.name == commit
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == FILES


def test_the_preferred_quantization_arrives(hub: Hub, store: Store) -> None:
    commit = hub.add("org/tiny", FILES)
    manifest = pull(job(store, "hf:org/tiny"))
    assert content(manifest) == {"tiny-Q4_K_M.gguf": FILES["tiny-Q4_K_M.gguf"]}
    model = json.loads(manifest.model)
    assert model["source"] == {"kind": "hugging_face", "repo": "org/tiny", "revision": "main", "commit": commit}
    assert manifest.licence == "apache-2.0"


def test_the_options_choose_another(hub: Hub, store: Store) -> None:
    hub.add("org/tiny", FILES)
    chosen = plan(job(store, "hf:org/tiny", quantization_preference=("Q8_0",)))
    assert [file.name for file in chosen.files] == ["tiny-Q8_0.gguf"]
    assert "Q8_0" in (chosen.why or "")


def test_companions_come_along_and_are_checked_by_their_git_id(hub: Hub, store: Store) -> None:
    files = {"config.json": b"{}", "tokenizer.json": b'{"a": 1}', "model.safetensors": WEIGHTS}
    files["additional_chat_templates/tool_use.jinja"] = b"{{ tools }}"
    hub.add("org/tiny", files)
    assert content(pull(job(store, "hf:org/tiny"))) == files


def test_a_file_that_is_named_arrives_alone(hub: Hub, store: Store) -> None:
    hub.add("org/tiny", FILES)
    assert list(content(pull(job(store, "hf:org/tiny:tiny-Q8_0.gguf")))) == ["tiny-Q8_0.gguf"]


def test_files_come_from_the_commit_though_the_branch_moves(hub: Hub, store: Store) -> None:
    first = hub.add("org/tiny", FILES)
    wanted = job(store, "hf:org/tiny")
    planned = plan(wanted)
    hub.add("org/tiny", {"tiny-Q4_K_M.gguf": b"another"})
    assert planned.source["commit"] == first
    expected = FILES["tiny-Q4_K_M.gguf"]
    assert transfer_all(wanted, Client(wanted, {}), planned.files) == [(sha256(expected), len(expected))]


def test_branches_and_commits_can_be_asked_for(hub: Hub, store: Store) -> None:
    first = hub.add("org/tiny", {"model.gguf": b"first"})
    hub.add("org/tiny", {"model.gguf": b"second"})
    hub.add("org/tiny", {"model.gguf": b"third"}, branch="refs/pr/1")
    assert content(pull(job(store, f"hf:org/tiny@{first}"))) == {"model.gguf": b"first"}
    assert content(pull(job(store, "hf:org/tiny"))) == {"model.gguf": b"second"}
    assert content(pull(job(store, "hf:org/tiny@refs/pr/1"))) == {"model.gguf": b"third"}


def test_names_with_odd_characters_arrive(hub: Hub, store: Store) -> None:
    name = "größe 100% #1+2.gguf"
    hub.add("org/tiny", {name: WEIGHTS})
    assert content(pull(job(store, "hf:org/tiny"))) == {name: WEIGHTS}


def seen(hub: Hub) -> list[str | None]:
    """The credentials that the second host got."""
    return [request.headers.get("Authorization") for request in hub.storage.requests]


@pytest.mark.parametrize("way", ["HUGGINGFACE_TOKEN", "HF_TOKEN", "options"])
def test_the_token_goes_to_the_hub_and_no_further(
    hub: Hub, store: Store, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    hub.add("org/tiny", FILES)
    hub.repositories["org/tiny"].private = True
    sources = {}
    if way == "options":
        sources = {"huggingface": Source(token=hub.token)}
    else:
        monkeypatch.setenv(way, hub.token)
    pull(job(store, "hf:org/tiny", sources=sources))
    assert {request.headers.get("Authorization") for request in hub.requests} == {f"Bearer {hub.token}"}
    assert seen(hub) == [None]


def test_a_hub_that_moved_does_not_take_the_token_along(hub: Hub, store: Store) -> None:
    """The listing is redirected to another host."""
    other = Hub()
    try:
        other.add("org/tiny", FILES)
        hub.redirect("/api/models/org/tiny/revision/main", f"{other.url}/api/models/org/tiny/revision/main")
        hub.moved.add("org/tiny")
        plan(job(store, "hf:org/tiny", sources={"huggingface": Source(token=hub.token)}))
        assert [request.headers.get("Authorization") for request in other.requests] == [None]
    finally:
        other.close()


def test_a_login_that_cannot_be_read_is_a_typed_error(
    hub: Hub, store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path))
    with pytest.raises(DownloadError) as caught:
        plan(job(store, "hf:org/tiny"))
    assert caught.value.code == "access_denied"
    assert hub.requests == []


@pytest.mark.parametrize("token", ["hf_\nx", "hf_ä"])
def test_a_token_that_is_none_is_not_sent(hub: Hub, store: Store, token: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        plan(job(store, "hf:org/tiny", sources={"huggingface": Source(token=token)}))
    assert token not in str(caught.value)
    assert hub.requests == []


def test_a_private_repository_needs_a_token(hub: Hub, store: Store) -> None:
    hub.add("org/tiny", FILES)
    hub.repositories["org/tiny"].private = True
    with pytest.raises(ModelNotFound) as caught:
        pull(job(store, "hf:org/tiny"))
    assert "HUGGINGFACE_TOKEN" in (caught.value.hint or "")
    assert caught.value.code == "model_not_found"


@pytest.mark.parametrize("token", [None, "hf_canary"])
def test_a_gated_repository_says_where_its_conditions_are(hub: Hub, store: Store, token: str | None) -> None:
    hub.add("org/tiny", FILES)
    hub.repositories["org/tiny"].gated = True
    with pytest.raises(DownloadError) as caught:
        pull(job(store, "hf:org/tiny", sources={"huggingface": Source(token=token)}))
    assert caught.value.code == "access_denied"
    assert "hf_canary" not in f"{caught.value} {caught.value.hint}"
    if token is None:
        assert f"{hub.url}/org/tiny" in (caught.value.hint or "")


def test_a_gated_repository_opens_to_those_who_accepted(hub: Hub, store: Store) -> None:
    hub.add("org/tiny", FILES)
    hub.repositories["org/tiny"].gated = hub.accepted = True
    content(pull(job(store, "hf:org/tiny", sources={"huggingface": Source(token=hub.token)})))


@pytest.mark.parametrize("reference", ["hf:org/none", "hf:org/tiny@none", "hf:org/tiny:none.gguf"])
def test_what_is_not_there_is_not_found(hub: Hub, store: Store, reference: str) -> None:
    hub.add("org/tiny", FILES)
    with pytest.raises(ModelNotFound):
        pull(job(store, reference))


def test_a_hub_that_is_gone_is_a_failed_download(hub: Hub, store: Store) -> None:
    hub.close()
    with pytest.raises(DownloadError) as caught:
        pull(job(store, "hf:org/tiny"))
    assert caught.value.code == "download_failed"


def test_wrong_bytes_never_become_visible(hub: Hub, store: Store) -> None:
    hub.add("org/tiny", FILES)
    wanted = FILES["tiny-Q4_K_M.gguf"]
    hub.storage.put(f"/{sha256(wanted)}", wanted[:-1] + b"!", etag='"x"')
    with pytest.raises(DigestMismatch, match=r"^checksum mismatch for tiny-Q4_K_M\.gguf: expected sha256 "):
        pull(job(store, "hf:org/tiny"))
    assert store.list() == ([], [])


PYTHONS = re.compile(r"[a-z](Error|Exception)\b|object has no|object is not")
"""Words of the interpreter, which say nothing to whoever wants a model."""

SIBLING = {"rfilename": "model.gguf", "size": 3, "blobId": "a" * 40}


@pytest.mark.parametrize(
    "fields",
    [
        {"siblings": [{**SIBLING, "lfs": {"sha256": "../../../etc/passwd", "size": 3, "pointerSize": 1}}]},
        {"siblings": [{**SIBLING, "lfs": {"sha256": "A" * 64, "size": 3, "pointerSize": 1}}]},
        {"siblings": [{**SIBLING, "lfs": "x"}]},
        {"siblings": [{**SIBLING, "blobId": "../x"}]},
        {"siblings": [{**SIBLING, "size": -1}]},
        {"siblings": [{**SIBLING, "size": True}]},
        {"siblings": [{**SIBLING, "size": 1e300}]},
        {"siblings": [{**SIBLING, "size": 1 << 63}]},
        {"siblings": [{**SIBLING, "rfilename": None}]},
        {"siblings": [{}]},
        {"siblings": [[]]},
        {"siblings": {}},
        {"siblings": None},
        {"sha": "../../main"},
        {"sha": None},
    ],
)
def test_a_listing_that_lies_is_a_typed_error(hub: Hub, store: Store, fields: dict[str, Any]) -> None:
    hub.add("org/tiny", FILES)
    hub.announced = fields
    with pytest.raises(TrillmError) as caught:
        pull(job(store, "hf:org/tiny"))
    assert not PYTHONS.search(str(caught.value))
    assert store.list() == ([], [])


@pytest.mark.parametrize(
    "name", ["../model.gguf", "a/../../model.gguf", "/model.gguf", "C:model.gguf", "a\\model.gguf", "\ud800.gguf"]
)
def test_files_that_would_lie_elsewhere_are_left_out(hub: Hub, store: Store, name: str) -> None:
    hub.add("org/tiny", FILES)
    hub.announced = {"siblings": [{**SIBLING, "rfilename": name}]}
    with pytest.raises(ModelNotFound):
        pull(job(store, "hf:org/tiny"))


def test_what_is_left_out_is_said_in_order(hub: Hub, store: Store, caplog: pytest.LogCaptureFixture) -> None:
    names = [f"{letter}:x.gguf" for letter in "hgfedcba"]
    hub.add("org/tiny", FILES)
    hub.announced = {"siblings": [{**SIBLING, "rfilename": name} for name in [*names, names[0]]]}
    with caplog.at_level(logging.WARNING, "trillm.hub"), pytest.raises(ModelNotFound):
        pull(job(store, "hf:org/tiny"))
    said = [record.getMessage() for record in caplog.records]
    assert said == [f"org/tiny lists a file named {name!r}, which is left out" for name in sorted(names)]


@pytest.mark.parametrize(
    ("card", "licence"),
    [
        ({"license": "other", "license_name": "llama3.2"}, "llama3.2"),
        ({"license": ["mit", "gpl-3.0"]}, None),
        ({"license": "\x1b[31mred"}, None),
        ({"license": "\ud800"}, None),
        ([], None),
        (None, None),
    ],
)
def test_a_licence_is_what_the_card_names(hub: Hub, store: Store, card: Any, licence: str | None) -> None:
    hub.add("org/tiny", FILES)
    hub.announced = {"cardData": card}
    assert plan(job(store, "hf:org/tiny")).licence == licence


@pytest.mark.parametrize("fault", BREAKS.values(), ids=BREAKS)
def test_a_listing_that_breaks_is_asked_for_again(
    hub: Hub, store: Store, monkeypatch: pytest.MonkeyPatch, fault: Fault
) -> None:
    monkeypatch.setenv("HF_HUB_ETAG_TIMEOUT", "0.3")
    hub.add("org/tiny", FILES)
    hub.break_next(fault)
    with pytest.raises(DownloadError) as caught:
        plan(job(store, "hf:org/tiny"))
    assert caught.value.code == "download_failed"
    assert not PYTHONS.search(str(caught.value))
    hub.break_next(fault)
    assert plan(Job(store, Reference("hf:org/tiny"), Options(retry_attempts=1))).files


@pytest.mark.parametrize(("status", "code"), [(401, "access_denied"), (403, "access_denied"), (404, "model_not_found")])
def test_a_refusal_is_not_asked_for_again(hub: Hub, store: Store, status: int, code: str) -> None:
    hub.add("org/tiny", FILES)
    hub.break_next(Fault(status=status))
    with pytest.raises(TrillmError) as caught:
        plan(Job(store, Reference("hf:org/tiny"), Options(retry_attempts=1)))
    assert caught.value.code == code
    assert len(hub.requests) == 1


def test_a_listing_that_is_packed_unasked_is_refused(hub: Hub, store: Store) -> None:
    """It could unpack to anything."""
    hub.add("org/tiny", FILES)
    hub.break_next(Fault(packed=True))
    with pytest.raises(DownloadError, match="packed"):
        plan(job(store, "hf:org/tiny"))


def test_cancelling_does_not_wait_for_the_hub(hub: Hub, store: Store) -> None:
    hub.add("org/tiny", FILES)
    hub.break_next(Fault(stall=-1))
    asked = job(store, "hf:org/tiny")
    threading.Timer(0.2, asked.cancel).start()
    start = time.monotonic()
    with pytest.raises(CancelledError):
        plan(asked)
    assert time.monotonic() - start < 1


PORTAL = b"<html><body>Welcome to the airport: log in</body></html>"


@pytest.mark.parametrize("body", [b"[" * 200_000, b"[]", b"null", b"", b"\xff\xfe", b'{"sha": 1', b"{}", PORTAL])
def test_a_listing_that_is_none_is_a_typed_error(hub: Hub, store: Store, body: bytes) -> None:
    hub.add("org/tiny", FILES)
    hub.says = body
    with pytest.raises(DownloadError) as caught:
        pull(job(store, "hf:org/tiny"))
    assert not PYTHONS.search(str(caught.value))
    assert body != PORTAL or str(caught.value).endswith("is not a listing: it is no JSON")


def test_an_endless_listing_is_not_read_to_its_end(hub: Hub, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_api, "_LARGEST_LISTING", 1 << 20)
    hub.add("org/tiny", FILES)
    hub.says = b" " * (64 << 20)
    with pytest.raises(DownloadError, match="1 MiB"):
        pull(job(store, "hf:org/tiny"))
    assert hub.requests[-1].sent < 32 << 20


@pytest.mark.parametrize("fault", FAULTS)
def test_whatever_goes_wrong_the_right_bytes_arrive_or_a_typed_error(
    hub: Hub, store: Store, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    files = {"config.json": b"{}", "tokenizer.json": b'{"a": 1}', "model.safetensors": WEIGHTS}
    hub.add("org/tiny", files)
    hub.repositories["org/tiny"].private = True
    monkeypatch.setenv("HUGGINGFACE_TOKEN", hub.token)
    be_impatient(monkeypatch)
    arrives_or_says_why(fault, store, "hf:org/tiny", [hub, hub.storage], files)
    assert set(seen(hub)) == {None}


def test_a_socks_proxy_leads_to_the_hub_or_an_error_says_what_to_install(
    hub: Hub, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`huggingface_hub` makes its session by httpx, which needs a package for that."""
    from huggingface_hub import close_session

    close_session()
    try:
        with SocksServer(int(hub.url.rpartition(":")[2])) as proxy:
            monkeypatch.setenv("NO_PROXY", "")
            monkeypatch.setenv("HF_ENDPOINT", "http://hub.example")
            monkeypatch.setenv("ALL_PROXY", f"socks5h://{proxy.place}")
            if find_spec("socksio") is None:
                with pytest.raises(MissingDependency, match=r"socksio for a SOCKS proxy \(ALL_PROXY\)") as caught:
                    pull(job(store, "hf:org/tiny"))
                assert caught.value.hint == "install it: pip install socksio"
            else:
                hub.add("org/tiny", FILES)
                pull(job(store, "hf:org/tiny"))
                assert proxy.asked
    finally:
        close_session()


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:9", "socks://127.0.0.1:9", "socks4://127.0.0.1:9", "http://x:y"])
def test_a_proxy_that_is_not_for_the_hub_does_not_matter(
    hub: Hub, store: Store, monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    """The library's session leads through all that are set, and cannot be made."""
    from huggingface_hub import close_session

    close_session()
    try:
        hub.add("org/tiny", FILES)
        monkeypatch.setenv("ALL_PROXY", proxy)
        assert list(content(pull(job(store, "hf:org/tiny")))) == ["tiny-Q4_K_M.gguf"]
    finally:
        close_session()


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("proxy", ["http://user:hunter2@127.0.0.1:9", "127.0.0.1:9"])
def test_a_proxy_that_cannot_be_reached_is_named(
    store: Store, monkeypatch: pytest.MonkeyPatch, scheme: str, proxy: str
) -> None:
    from huggingface_hub import close_session

    close_session()
    try:
        monkeypatch.setenv("HF_ENDPOINT", f"{scheme}://hub.example")
        monkeypatch.setenv(f"{scheme}_proxy", proxy)
        with pytest.raises(
            DownloadError,
            match=rf"^hub\.example could not be reached through the proxy 127\.0\.0\.1:9 \({scheme}_proxy\): ",
        ) as caught:
            pull(job(store, "hf:org/tiny"))
        assert f"check the network and {scheme}_proxy" in str(caught.value.hint)
    finally:
        close_session()


@pytest.mark.parametrize("address", ["hf-mirror.example", "http://", "ftp://x"])
def test_an_address_of_the_hub_that_is_none_is_refused_at_once(
    store: Store, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", address)
    with pytest.raises(InvalidRequest, match=f"the address of the hub is '{address}'") as caught:
        pull(job(store, "hf:org/tiny"))
    assert "HF_ENDPOINT" in str(caught.value.hint)


@pytest.mark.parametrize(
    "proxy",
    ["socks://127.0.0.1:9", "socks4://127.0.0.1:9", "ftp://127.0.0.1:9", "http://x:y", "http://127.0.0.1:99999"],
)
def test_a_proxy_that_cannot_be_used_for_the_hub_is_named(
    hub: Hub, store: Store, monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    from huggingface_hub import close_session

    del hub
    close_session()
    try:
        monkeypatch.setenv("NO_PROXY", "")
        monkeypatch.setenv("ALL_PROXY", proxy)
        with pytest.raises(DownloadError, match=f"^ALL_PROXY is {proxy}, which is no proxy"):
            pull(job(store, "hf:org/tiny"))
    finally:
        close_session()
