"""What other programs left on this machine is used, and what we leave in the hub's cache is taken."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import shutil
import socket
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from arriving import content, files_of, job, with_odd_weights
from hub_server import Hub, git_id, sha256
from huggingface_hub import constants, hf_hub_download, snapshot_download
from huggingface_hub.errors import EntryNotFoundError
from ollama_server import Registry
from trillm._core import Manifest, Store
from trillm.errors import DownloadError, InvalidRequest, ModelNotFound, StoreError
from trillm.hub import fetch, update
from trillm.hub._network.retries import limits
from trillm.hub._pull import pull
from trillm.hub._remote import Location, RemoteFile
from trillm.hub._sources import caches
from trillm.hub._sources.caches import adopt, find, publish
from web import Fault

WEIGHTS = b"GGUF" + bytes(range(256)) * 300
CONFIG = b'{"model_type": "llama"}'
FILES = {"model.safetensors": WEIGHTS, "config.json": CONFIG, "tokenizer.json": b"{}"}


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No cache of the user's own, no login, and no proxy."""
    for name in (
        "HUGGINGFACE_TOKEN",
        "HF_TOKEN",
        "HF_HUB_OFFLINE",
        "TRANSFORMERS_OFFLINE",
        "HUGGINGFACE_HUB_CACHE",
        "HTTP_PROXY",
        "http_proxy",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", "/nowhere")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("OLLAMA_MODELS", str(tmp_path / "ollama"))


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub with one repository."""
    server = Hub()
    server.add("org/tiny", FILES)
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    yield server
    server.close()


@pytest.fixture
def no_sockets(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """No connection may be opened; gives where they were tried to."""
    return forbid_sockets(monkeypatch)


def forbid_sockets(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    opened: list[object] = []

    def connect(_: socket.socket, address: object) -> None:
        opened.append(address)
        raise OSError("no connection may be opened")

    monkeypatch.setattr(socket.socket, "connect", connect)
    return opened


def nowhere() -> Location:
    raise AssertionError("this must not be asked")


def remote(data: bytes, *, git: bool = False, size: int | None = None) -> RemoteFile:
    """A file of a source, which must not be asked for it."""
    sha, blob_id = (None, git_id(data)) if git else (sha256(data), None)
    return RemoteFile("x", None, len(data) if size is None else size, sha, blob_id, nowhere)


def in_hub_cache(folder: Path, name: str, data: bytes) -> Path:
    blob = folder / "hub" / "models--org--other" / "blobs" / name
    blob.parent.mkdir(parents=True, exist_ok=True)
    blob.write_bytes(data)
    return blob


def in_ollama(folder: Path, data: bytes) -> Path:
    blob = folder / "ollama" / "blobs" / f"sha256-{sha256(data)}"
    blob.parent.mkdir(parents=True, exist_ok=True)
    blob.write_bytes(data)
    return blob


@pytest.mark.parametrize("git", [False, True])
def test_the_hubs_cache_is_used(tmp_path: Path, store: Store, *, git: bool) -> None:
    blob = in_hub_cache(tmp_path, git_id(CONFIG) if git else sha256(CONFIG), CONFIG)
    assert find(remote(CONFIG, git=git)) == blob
    assert adopt(job(store, "hf:org/tiny"), remote(CONFIG, git=git)) == (sha256(CONFIG), len(CONFIG))
    assert store.has(sha256(CONFIG), len(CONFIG))


def test_ollamas_models_are_used(tmp_path: Path, store: Store) -> None:
    in_ollama(tmp_path, WEIGHTS)
    assert adopt(job(store, "ollama:tiny"), remote(WEIGHTS)) == (sha256(WEIGHTS), len(WEIGHTS))


def test_links_in_a_cache_are_followed(tmp_path: Path, store: Store) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(WEIGHTS)
    blob = in_ollama(tmp_path, WEIGHTS)
    blob.unlink()
    blob.symlink_to(elsewhere)
    assert find(remote(WEIGHTS)) == elsewhere
    assert adopt(job(store, "ollama:tiny"), remote(WEIGHTS)) == (sha256(WEIGHTS), len(WEIGHTS))


def test_a_file_of_another_size_is_passed_by(tmp_path: Path) -> None:
    in_ollama(tmp_path, WEIGHTS)
    assert find(remote(WEIGHTS, size=7)) is None


def test_a_link_that_leads_nowhere_or_round_is_passed_by(tmp_path: Path) -> None:
    blob = in_ollama(tmp_path, WEIGHTS)
    blob.unlink()
    blob.symlink_to(blob)
    assert find(remote(WEIGHTS)) is None


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_passed_by(tmp_path: Path) -> None:
    blob = in_ollama(tmp_path, WEIGHTS)
    blob.parent.chmod(0)
    try:
        assert find(remote(WEIGHTS)) is None
    finally:
        blob.parent.chmod(0o700)


def test_a_file_without_a_digest_is_not_looked_for(store: Store) -> None:
    assert adopt(job(store, "hf:org/tiny"), RemoteFile("x", None, 3, None, None, nowhere)) is None


def test_wrong_bytes_in_a_cache_stay_there_and_do_not_count(
    tmp_path: Path, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    blob = in_ollama(tmp_path, WEIGHTS)
    wrong = WEIGHTS[:-1] + b"!"
    blob.write_bytes(wrong)
    with caplog.at_level(logging.WARNING, "trillm.hub"):
        assert adopt(job(store, "ollama:tiny"), remote(WEIGHTS)) is None
    assert str(blob) in caplog.text
    assert blob.read_bytes() == wrong
    assert not store.has(sha256(WEIGHTS), len(WEIGHTS))


@pytest.mark.usefixtures("hub")
def test_what_the_store_has_is_not_looked_for(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    pull(job(store, "hf:org/tiny"))
    monkeypatch.setattr(caches, "find", nowhere)
    assert adopt(job(store, "hf:org/tiny"), remote(WEIGHTS)) == (sha256(WEIGHTS), len(WEIGHTS))


def test_the_blobs_of_the_real_client_need_no_request(hub: Hub, store: Store, tmp_path: Path) -> None:
    snapshot_download("org/tiny", cache_dir=tmp_path / "hub", endpoint=hub.url, token=False)
    files, stored = hub.requests, hub.storage.requests
    before = len(stored), sum("/resolve/" in request.path for request in files)
    assert content(pull(job(store, "hf:org/tiny"))) == FILES
    assert before == (len(stored), sum("/resolve/" in request.path for request in files))


def test_ollamas_blobs_need_no_request(store: Store, tmp_path: Path) -> None:
    registry = Registry()
    try:
        registry.add("library/tiny:latest", [("model", WEIGHTS)])
        in_ollama(tmp_path, WEIGHTS)
        assert content(pull(job(store, f"ollama:{registry.host}/library/tiny"))) == {"model.gguf": WEIGHTS}
        assert registry.storage.requests == []
    finally:
        registry.close()


@pytest.mark.parametrize("revision", ["", "@main", "@commit"])
def test_offline_a_snapshot_of_the_real_client_is_enough(
    hub: Hub, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, revision: str
) -> None:
    folder = snapshot_download("org/tiny", cache_dir=tmp_path / "hub", endpoint=hub.url, token=False)
    tried = forbid_sockets(monkeypatch)
    asked = revision.replace("commit", Path(folder).name)
    assert content(pull(job(store, f"hf:org/tiny{asked}", offline=True))) == FILES
    assert tried == []


def ollama_manifest(folder: Path, host: str = "registry.ollama.ai") -> None:
    """A model as Ollama keeps it."""
    registry = Registry()
    try:
        text = registry.add("x:y", [("model", WEIGHTS), ("system", b"Be brief.")])
    finally:
        registry.close()
    path = folder / "ollama" / "manifests" / host / "library" / "tiny" / "latest"
    path.parent.mkdir(parents=True)
    path.write_bytes(text)


@pytest.mark.parametrize("host", ["", "example.org:5000/"])
def test_offline_a_model_of_ollamas_is_enough(
    store: Store, tmp_path: Path, no_sockets: list[object], host: str
) -> None:
    ollama_manifest(tmp_path, host.rstrip("/") or "registry.ollama.ai")
    in_ollama(tmp_path, WEIGHTS)
    in_ollama(tmp_path, b"Be brief.")
    name = f"{host}library/tiny" if host else "tiny"
    manifest = pull(job(store, f"ollama:{name}", offline=True))
    assert content(manifest) == {"model.gguf": WEIGHTS, "system.txt": b"Be brief."}
    assert '"Be brief."' in manifest.model
    assert no_sockets == []


@pytest.mark.parametrize("reference", ["hf:org/none", "hf:org/none@" + "a" * 40, "ollama:none"])
def test_offline_what_is_nowhere_is_a_typed_error(store: Store, no_sockets: list[object], reference: str) -> None:
    with pytest.raises(DownloadError, match="offline"):
        pull(job(store, reference, offline=True))
    assert no_sockets == []


def test_offline_a_blob_that_is_missing_is_a_typed_error(
    store: Store, tmp_path: Path, no_sockets: list[object]
) -> None:
    ollama_manifest(tmp_path)
    with pytest.raises(DownloadError, match="offline"):
        pull(job(store, "ollama:tiny", offline=True))
    assert no_sockets == []
    assert store.list() == ([], [])


SHARDS = {
    "model-00001-of-00002.safetensors": WEIGHTS,
    "model-00002-of-00002.safetensors": WEIGHTS[::-1],
    "model.safetensors.index.json": b'{"weight_map": {"a": "model-00001-of-00002.safetensors", '
    b'"b": "model-00002-of-00002.safetensors"}}',
    "config.json": CONFIG,
    "tokenizer.json": b"{}",
}

SENTENCES = {
    **FILES,
    "modules.json": b'[{"type": "sentence_transformers.models.Transformer", "path": ""}, '
    b'{"type": "sentence_transformers.models.Pooling", "path": "1_Pooling"}, '
    b'{"type": "sentence_transformers.models.Normalize", "path": "2_Normalize"}]',
    "1_Pooling/config.json": b"{}",
    "config_sentence_transformers.json": b"{}",
}

DENSE = {
    **FILES,
    "modules.json": b'[{"type": "sentence_transformers.models.Transformer", "path": ""}, '
    b'{"type": "sentence_transformers.models.Pooling", "path": "1_Pooling"}, '
    b'{"type": "sentence_transformers.models.Dense", "path": "2_Dense"}]',
    "1_Pooling/config.json": b"{}",
    "2_Dense/config.json": b"{}",
    "2_Dense/model.safetensors": WEIGHTS,
}

ODD = {
    "model.safetensors.index.json": b'{"weight_map": {"a": "first.safetensors", "b": "second.bin"}}',
    "first.safetensors": WEIGHTS,
    "second.bin": WEIGHTS[::-1],
    "config.json": CONFIG,
    "tokenizer.json": b"{}",
}


def in_cache(hub: Hub, folder: Path, files: dict[str, bytes]) -> Path:
    """The snapshot that the real client makes of a repository with these files."""
    hub.add("org/tiny", files)
    return Path(snapshot_download("org/tiny", cache_dir=folder / "hub", endpoint=hub.url, token=False))


@pytest.mark.parametrize(
    ("files", "lacks"),
    [
        *((FILES, name) for name in ("config.json", "tokenizer.json")),
        *((SHARDS, name) for name in SHARDS),
        *((SENTENCES, name) for name in ("modules.json", "1_Pooling/config.json", "tokenizer.json")),
        *((DENSE, name) for name in ("2_Dense/config.json", "2_Dense/model.safetensors")),
        *((ODD, name) for name in ODD if name != "model.safetensors.index.json"),
    ],
)
def test_offline_a_part_of_a_model_is_not_taken_for_the_whole(
    hub: Hub, store: Store, tmp_path: Path, files: dict[str, bytes], lacks: str
) -> None:
    snapshot = in_cache(hub, tmp_path, files)
    link = (snapshot / lacks).readlink()
    (snapshot / lacks).unlink()
    with pytest.raises(DownloadError, match=f"^{lacks} is not on this machine, and offline mode forbids fetching it"):
        pull(job(store, "hf:org/tiny", offline=True))
    assert store.list() == ([], [])
    (snapshot / lacks).symlink_to(link)
    assert content(pull(job(store, "hf:org/tiny", offline=True))) == files


def test_a_name_that_is_no_unicode_in_a_cache_is_none_of_the_hubs(hub: Hub, store: Store, tmp_path: Path) -> None:
    snapshot = in_cache(hub, tmp_path, FILES)
    (Path(os.fsdecode(os.fsencode(snapshot) + b"/caf\xe9.txt"))).write_text("mine")
    assert content(pull(job(store, "hf:org/tiny", offline=True))) == FILES


@pytest.mark.parametrize(
    ("files", "lacks"),
    [(FILES, ["model.safetensors"]), (SHARDS, list(SHARDS)[:3])],
)
def test_offline_a_model_without_weights_is_not_on_this_machine(
    hub: Hub, store: Store, tmp_path: Path, files: dict[str, bytes], lacks: list[str]
) -> None:
    """Nobody knows here what the repository has, so nothing is said of it."""
    snapshot = in_cache(hub, tmp_path, files)
    for name in lacks:
        (snapshot / name).unlink()
    with pytest.raises(DownloadError, match=r"^hf:org/tiny is not on this machine, and offline"):
        pull(job(store, "hf:org/tiny", offline=True))
    with pytest.raises(DownloadError, match=r"^hf:org/tiny:x\.gguf is not on this machine, and offline"):
        pull(job(store, "hf:org/tiny:x.gguf", offline=True))
    assert store.list() == ([], [])


def test_offline_the_weights_that_a_graph_names_are_a_part_of_it(
    hub: Hub, store: Store, tmp_path: Path, tiny_onnx: Callable[..., Path]
) -> None:
    files = files_of(with_odd_weights(tiny_onnx("shared"), tmp_path / "graph"))
    snapshot = in_cache(hub, tmp_path, files)
    link = (snapshot / "odd" / "weights.bin").readlink()
    (snapshot / "odd" / "weights.bin").unlink()
    with pytest.raises(DownloadError, match=r"^odd/weights.bin is not on this machine, and offline"):
        pull(job(store, "hf:org/tiny", offline=True))
    assert store.list() == ([], [])
    (snapshot / "odd" / "weights.bin").symlink_to(link)
    assert content(pull(job(store, "hf:org/tiny", offline=True))) == files


def test_offline_what_the_hub_does_not_have_is_not_missed(hub: Hub, store: Store, tmp_path: Path) -> None:
    """The real client writes down what it asked for in vain."""
    files = {name: data for name, data in FILES.items() if name != "tokenizer.json"}
    in_cache(hub, tmp_path, files)
    with pytest.raises(EntryNotFoundError):
        hf_hub_download("org/tiny", "tokenizer.json", cache_dir=tmp_path / "hub", endpoint=hub.url, token=False)
    assert content(pull(job(store, "hf:org/tiny", offline=True))) == files


LISTED = {
    "config.json": b'{"architectures": ["BertModel"]}',
    **{name: FILES[name] for name in list(FILES) if name != "config.json"},
}
"""A model that makes vectors."""


def noted(manifest: Manifest) -> str:
    """What is said wherever a model is used."""
    return " / ".join(manifest.notes)


def forget_what_there_is(folder: Path) -> None:
    """As versions of the real client before 2.0 leave a cache: they wrote no list of a repository's files."""
    shutil.rmtree(folder / "hub" / "models--org--tiny" / "trees")


def ask_for(hub: Hub, folder: Path, *names: str) -> None:
    """As libraries ask for single files, which may not be there."""
    for name in names:
        with contextlib.suppress(EntryNotFoundError):
            hf_hub_download("org/tiny", name, cache_dir=folder / "hub", endpoint=hub.url, token=False)


def test_offline_what_nobody_asked_for_is_said_and_no_reason_to_refuse(
    hub: Hub, store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """An encoder as transformers leaves it, which never asks for a list of modules."""
    hub.add("org/tiny", LISTED)
    ask_for(hub, tmp_path, *LISTED, *OF_TOKENS)
    manifest = pull(job(store, "hf:org/tiny", offline=True))
    assert content(manifest) == LISTED
    assert noted(manifest) == (
        "hf:org/tiny was taken from a cache, and nothing says whether org/tiny has modules.json, by which its answers "
        "may be others; fetch all of it once while online: trillm update hf:org/tiny"
    )
    # Wherever it is used, until its source was asked.
    for _ in range(2):
        with pytest.warns(RuntimeWarning, match="nothing says whether org/tiny has modules.json"):
            fetch("hf:org/tiny", store=store, offline=True)
    assert "nothing says whether" in caplog.text
    update("hf:org/tiny", store=store)
    assert noted(store.get("hf:org/tiny")) == ""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fetch("hf:org/tiny", store=store, offline=True)


OF_TOKENS = ("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "chat_template.jinja")


@pytest.mark.parametrize("files", [LISTED, FILES])
@pytest.mark.parametrize("listed", [False, True])
def test_offline_a_whole_snapshot_leaves_no_doubt(
    hub: Hub, store: Store, tmp_path: Path, files: dict[str, bytes], *, listed: bool
) -> None:
    in_cache(hub, tmp_path, files | {".gitattributes": b""})
    if not listed:
        forget_what_there_is(tmp_path)
    manifest = pull(job(store, "hf:org/tiny", offline=True))
    assert (content(manifest), manifest.notes) == (files, [])


def test_offline_a_download_of_all_that_was_cut_is_not_the_whole(hub: Hub, store: Store, tmp_path: Path) -> None:
    in_cache(hub, tmp_path, LISTED | {".gitattributes": b""})
    forget_what_there_is(tmp_path)
    (tmp_path / "hub" / "models--org--tiny" / "blobs" / "x.incomplete").write_bytes(b"")
    assert "modules.json" in noted(pull(job(store, "hf:org/tiny", offline=True)))


@pytest.mark.parametrize(
    ("class_", "lacks"),
    [
        ("LlamaForCausalLM", "tokenizer_config.json"),
        ("LlamaForCausalLM", "generation_config.json"),
        ("LlamaForCausalLM", "chat_template.jinja"),
        ("LlamaForCausalLM", "additional_chat_templates/tool_use.jinja"),
        ("BertModel", "modules.json"),
        ("Qwen3ForCausalLM", "modules.json"),
    ],
)
def test_offline_what_the_repository_is_known_to_have_is_missed(
    hub: Hub, store: Store, tmp_path: Path, class_: str, lacks: str
) -> None:
    """The real client writes down what there is when it is to fetch more than one file of it."""
    files = FILES | {"config.json": json.dumps({"architectures": [class_]}).encode()}
    hub.add("org/tiny", {**files, lacks: b"[]", "vocab.txt": b"of no use", "README.md": b"a card"})
    snapshot_download("org/tiny", cache_dir=tmp_path / "hub", endpoint=hub.url, token=False, allow_patterns=[*FILES])
    with pytest.raises(DownloadError, match=f"^{lacks} is not on this machine, and offline mode forbids"):
        pull(job(store, "hf:org/tiny", offline=True))
    assert store.list() == ([], [])
    ask_for(hub, tmp_path, lacks)
    manifest = pull(job(store, "hf:org/tiny", offline=True))
    assert {name for name, _, _ in manifest.files} == {*FILES, lacks}


DOUBTED: list[tuple[str, tuple[str, ...], list[str]]] = [
    ("LlamaForCausalLM", (), ["tokenizer_config", "generation_config", "chat_template"]),
    ("LlamaForCausalLM", OF_TOKENS, ["generation_config"]),
    ("LlamaForCausalLM", (*OF_TOKENS, "generation_config.json"), []),
    ("BertModel", (), ["tokenizer_config", "modules"]),
    ("BertModel", (*OF_TOKENS, "modules.json"), []),
    ("BertForSequenceClassification", OF_TOKENS, []),
]
"""Classes of models, what was asked for in vain, and what is doubted then."""


@pytest.mark.parametrize("case", DOUBTED)
def test_offline_what_changes_answers_is_doubted_until_it_was_asked_for(
    hub: Hub, store: Store, tmp_path: Path, case: tuple[str, tuple[str, ...], list[str]]
) -> None:
    class_, asked, doubted = case
    files = FILES | {"config.json": json.dumps({"architectures": [class_]}).encode()}
    hub.add("org/tiny", files)
    ask_for(hub, tmp_path, *files, *asked)
    said = noted(pull(job(store, "hf:org/tiny", offline=True)))
    names = ("tokenizer_config", "generation_config", "chat_template", "modules", "config_sentence_transformers")
    assert [name for name in names if f"{name}.j" in said] == doubted
    assert bool(said) == bool(doubted)


def test_offline_what_a_list_of_modules_goes_with_is_doubted(hub: Hub, store: Store, tmp_path: Path) -> None:
    files = {name: data for name, data in SENTENCES.items() if name != "config_sentence_transformers.json"}
    hub.add("org/tiny", files)
    ask_for(hub, tmp_path, *files, *OF_TOKENS)
    said = noted(pull(job(store, "hf:org/tiny", offline=True)))
    assert "config_sentence_transformers.json, sentence_bert_config.json, by which" in said


@pytest.mark.parametrize("wanted", ["onnx/", "onnx/*", "*.safetensors"])
def test_offline_a_folder_or_pattern_is_what_the_cache_has_and_that_is_said(
    hub: Hub, store: Store, tmp_path: Path, wanted: str
) -> None:
    files = FILES | {"onnx/a.json": b"1", "onnx/b.json": b"2", "other.safetensors": WEIGHTS}
    hub.add("org/tiny", files | {".gitattributes": b""})
    ask_for(hub, tmp_path, *FILES, "onnx/a.json")
    reference = f"hf:org/tiny:{wanted}"
    manifest = pull(job(store, reference, offline=True))
    count = len(manifest.files)
    assert f"nothing says whether org/tiny has more files that fit than {count}; fetch all" in noted(manifest)
    with pytest.warns(RuntimeWarning, match="was taken from a cache"):
        fetch(reference, store=store)
    store.remove(reference)
    # What is there is known, and that it is not all.
    patterns = ["onnx/a.json"]
    snapshot_download("org/tiny", cache_dir=tmp_path / "hub", endpoint=hub.url, token=False, allow_patterns=patterns)
    assert f"and org/tiny has more files that fit than {count};" in noted(pull(job(store, reference, offline=True)))
    store.remove(reference)
    snapshot_download("org/tiny", cache_dir=tmp_path / "hub", endpoint=hub.url, token=False)
    manifest = pull(job(store, reference, offline=True))
    assert (len(manifest.files), manifest.notes) == (count + 1, [])


def test_a_cached_name_that_says_there_are_a_million_parts_costs_nothing(
    hub: Hub, store: Store, tmp_path: Path
) -> None:
    in_cache(hub, tmp_path, {"m-000001-of-999999.gguf": WEIGHTS})
    for listed in (True, False):
        if not listed:
            forget_what_there_is(tmp_path)
        start = time.process_time()
        with pytest.raises(DownloadError, match="is not on this machine, and offline"):
            pull(job(store, "hf:org/tiny", offline=True))
        assert time.process_time() - start < 1


@pytest.mark.parametrize("down", [False, True])
def test_a_cache_without_links_is_used(hub: Hub, store: Store, tmp_path: Path, *, down: bool) -> None:
    """As `cp -rL` copies one, and as the real client makes it where there are no links."""
    in_cache(hub, tmp_path / "linked", SHARDS)
    shutil.copytree(tmp_path / "linked" / "hub", tmp_path / "hub")
    hub.close()
    assert content(pull(job(store, "hf:org/tiny", offline=not down))) == SHARDS


def gone(hub: Hub) -> None:
    hub.close()


def busy(hub: Hub) -> None:
    hub.break_next(*[Fault(status=503)] * 50)


@pytest.fixture(params=[gone, busy])
def hub_that_is_down(request: pytest.FixtureRequest, hub: Hub, tmp_path: Path) -> None:
    """From after a download by the real client."""
    snapshot_download("org/tiny", cache_dir=tmp_path / "hub", endpoint=hub.url, token=False)
    request.param(hub)


@pytest.mark.usefixtures("hub_that_is_down")
def test_a_hub_that_is_down_is_not_needed_for_what_its_cache_has(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """At once, and it is said."""
    monkeypatch.setattr(limits, "backoff", 1000.0)
    assert content(pull(job(store, "hf:org/tiny"))) == FILES
    assert [record.getMessage().partition("; ")[2] for record in caplog.records] == [
        "using what another program left on this machine"
    ]
    # What its source has now is another question.
    monkeypatch.setattr(limits, "backoff", 0.001)
    with pytest.raises(DownloadError):
        pull(job(store, "hf:org/tiny"), again=True)


@pytest.mark.parametrize("lacks", list(FILES))
def test_a_hub_that_is_down_is_an_error_for_what_its_cache_has_in_part(
    hub: Hub, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lacks: str
) -> None:
    monkeypatch.setattr(limits, "backoff", 0.001)
    folder = Path(snapshot_download("org/tiny", cache_dir=tmp_path / "hub", endpoint=hub.url, token=False))
    (folder / lacks).unlink()
    hub.close()
    with pytest.raises(DownloadError, match=r"could not be reached|connection to"):
        pull(job(store, "hf:org/tiny"))
    assert store.list() == ([], [])


def test_a_registry_that_is_down_is_not_needed_for_what_ollama_has(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        host = f"127.0.0.1:{nobody.getsockname()[1]}"
    ollama_manifest(tmp_path, host)
    in_ollama(tmp_path, WEIGHTS)
    in_ollama(tmp_path, b"Be brief.")
    manifest = pull(job(store, f"ollama:{host}/library/tiny"))
    assert content(manifest) == {"model.gguf": WEIGHTS, "system.txt": b"Be brief."}
    assert "using what another program left" in caplog.text


def test_what_the_store_has_asks_nobody(hub: Hub, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    del hub
    manifest = pull(job(store, "hf:org/tiny"))
    tried = forbid_sockets(monkeypatch)
    assert fetch(manifest.reference, store=store) == manifest.path
    assert tried == []


@pytest.mark.parametrize("name", ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"])
def test_the_environment_may_forbid_connections(
    store: Store, no_sockets: list[object], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "1")
    for reference in ("hf:org/none", "ollama:none", "https://models.example/a.gguf", "pypi:none==1.0:a.gguf"):
        with pytest.raises(DownloadError, match="offline"):
            fetch(reference, store=store)
    assert no_sockets == []


def test_the_cache_is_where_the_real_client_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HF_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    assert caches.hub_cache() == Path("~/.cache/huggingface/hub").expanduser()
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    assert caches.hub_cache() == Path("/x/huggingface/hub")
    monkeypatch.setenv("HF_HOME", "$HOME/h")
    assert caches.hub_cache() == Path.home() / "h/hub"
    monkeypatch.setenv("HF_HUB_CACHE", "~/c")
    assert caches.hub_cache() == Path.home() / "c"


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A cache of the real client's, which nothing was downloaded to."""
    return tmp_path / "published"


def test_the_real_client_takes_what_we_publish_offline(hub: Hub, store: Store, cache: Path) -> None:
    folder = publish(store, pull(job(store, "hf:org/tiny")), cache)
    hub.close()
    for name, data in FILES.items():
        path = Path(hf_hub_download("org/tiny", name, cache_dir=cache, local_files_only=True))
        assert path == folder / name
        assert path.read_bytes() == data
    assert Path(snapshot_download("org/tiny", cache_dir=cache, local_files_only=True)) == folder


def downloads(hub: Hub) -> list[str]:
    """The files that were asked for, rather than asked about."""
    requests = [*hub.requests, *hub.storage.requests]
    return [request.path for request in requests if request.method == "GET" and "/api/models" not in request.path]


def test_the_real_client_takes_what_we_publish_online(hub: Hub, store: Store, cache: Path) -> None:
    publish(store, pull(job(store, "hf:org/tiny")), cache)
    before = downloads(hub)
    for name, data in FILES.items():
        path = Path(hf_hub_download("org/tiny", name, cache_dir=cache, endpoint=hub.url, token=False))
        assert path.read_bytes() == data
    folder = Path(snapshot_download("org/tiny", cache_dir=cache, endpoint=hub.url, token=False))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == FILES
    assert downloads(hub) == before


def test_blobs_have_the_names_that_the_real_client_gives(hub: Hub, store: Store, cache: Path, tmp_path: Path) -> None:
    """So another commit with the same files needs no download of them either."""
    publish(store, pull(job(store, "hf:org/tiny")), cache)
    theirs = tmp_path / "theirs"
    snapshot_download("org/tiny", cache_dir=theirs, endpoint=hub.url, token=False)
    blobs = "models--org--tiny/blobs"
    assert {path.name for path in (cache / blobs).iterdir()} == {path.name for path in (theirs / blobs).iterdir()}
    hub.add("org/tiny", FILES | {"README.md": b"new"})
    before = downloads(hub)
    for name in FILES:
        hf_hub_download("org/tiny", name, cache_dir=cache, endpoint=hub.url, token=False)
    assert downloads(hub) == before


@pytest.mark.usefixtures("hub")
def test_links_are_relative_and_survive_a_move(store: Store, cache: Path) -> None:
    folder = publish(store, pull(job(store, "hf:org/tiny")), cache)
    assert (folder / "config.json").readlink() == Path("../../blobs") / git_id(CONFIG)
    cache.rename(cache.with_name("moved"))
    path = hf_hub_download("org/tiny", "config.json", cache_dir=cache.with_name("moved"), local_files_only=True)
    assert Path(path).read_bytes() == CONFIG


def test_files_lie_in_the_folders_that_the_repository_has(hub: Hub, store: Store, cache: Path) -> None:
    hub.add("org/deep", {"onnx/model.onnx": WEIGHTS, "config.json": CONFIG, "tokenizer.json": b"{}"})
    publish(store, pull(job(store, "hf:org/deep")), cache)
    path = hf_hub_download("org/deep", "onnx/model.onnx", cache_dir=cache, local_files_only=True)
    assert Path(path).read_bytes() == WEIGHTS


def test_branches_lead_to_the_commit_and_commits_to_themselves(hub: Hub, store: Store, cache: Path) -> None:
    commit = hub.add("org/tiny", {"model.gguf": WEIGHTS}, branch="refs/pr/1")
    publish(store, pull(job(store, "hf:org/tiny@refs/pr/1")), cache)
    path = hf_hub_download("org/tiny", "model.gguf", revision="refs/pr/1", cache_dir=cache, local_files_only=True)
    assert Path(path).read_bytes() == WEIGHTS
    publish(store, pull(job(store, f"hf:org/tiny@{commit}")), cache)
    assert not (cache / "models--org--tiny" / "refs" / commit).exists()


@pytest.mark.usefixtures("hub")
def test_publishing_again_changes_nothing(store: Store, cache: Path) -> None:
    manifest = pull(job(store, "hf:org/tiny"))
    folder = publish(store, manifest, cache)
    before = {path: path.lstat().st_ino for path in sorted(cache.rglob("*")) if "refs" not in path.parts}
    assert publish(store, manifest, cache) == folder
    assert {path: path.lstat().st_ino for path in sorted(cache.rglob("*")) if "refs" not in path.parts} == before


def test_what_is_in_the_cache_stays_as_it_is(hub: Hub, store: Store, cache: Path) -> None:
    snapshot_download("org/tiny", cache_dir=cache, endpoint=hub.url, token=False)
    before = {path: path.lstat().st_ino for path in sorted(cache.rglob("*")) if "refs" not in path.parts}
    publish(store, pull(job(store, "hf:org/tiny")), cache)
    assert {path: path.lstat().st_ino for path in sorted(cache.rglob("*")) if "refs" not in path.parts} == before


def test_only_models_of_the_hub_can_be_published(store: Store, tmp_path: Path, cache: Path) -> None:
    ollama_manifest(tmp_path)
    in_ollama(tmp_path, WEIGHTS)
    in_ollama(tmp_path, b"Be brief.")
    with pytest.raises(InvalidRequest):
        publish(store, pull(job(store, "ollama:tiny", offline=True)), cache)
    assert not cache.exists()


@pytest.mark.usefixtures("hub")
def test_a_file_that_is_gone_is_named(store: Store, cache: Path) -> None:
    manifest = pull(job(store, "hf:org/tiny"))
    (store.root / "blobs" / "sha256" / sha256(WEIGHTS)).unlink()
    with pytest.raises(ModelNotFound, match=sha256(WEIGHTS)):
        publish(store, manifest, cache)


@pytest.mark.usefixtures("hub")
def test_a_cache_that_cannot_be_written_is_a_typed_error(store: Store, cache: Path) -> None:
    manifest = pull(job(store, "hf:org/tiny"))
    cache.write_bytes(b"a file")
    with pytest.raises(StoreError):
        publish(store, manifest, cache)


def test_git_ids_are_those_of_git() -> None:
    assert git_id(b"hello\n") == "ce013625030ba8dba906f756967f9e9ca394464a"
    assert hashlib.sha1(b"blob 0\0").hexdigest() == git_id(b"")
