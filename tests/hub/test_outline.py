"""Plans of models that are not here: the same as once they are, for the bytes of their headers."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import gguf_file
import pytest
import trillm
from hub_server import Hub, sha256
from huggingface_hub import constants
from ollama_server import Registry
from trillm._core import Store
from trillm.errors import DownloadError, ModelFormatError, ModelNotFound, Unsupported
from trillm.hub import fetch
from trillm.hub._network.retries import limits
from web import Fault, Request, Web

SHAPE = ("--layers", "4", "--width", "512", "--heads", "8", "--kv-heads", "2", "--feed-forward", "2048")
OPTIONS = (*SHAPE, "--vocabulary", "2000", "--context", "4096")
FAR_BELOW = 10
"""As many times fewer bytes come for a plan than the model has."""

ONLINE: dict[str, Any] = {"retry_attempts": 0}


@pytest.fixture(scope="module")
def models(write_model: Callable[..., None], tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, bytes]]:
    """Models of ten megabytes or more, as repositories have them."""
    folder = tmp_path_factory.mktemp("models")
    write_model("random", folder / "tiny-Q8_0.gguf", *OPTIONS)
    write_model("random", folder / "checkpoint", "--type", "bf16", "--format", "huggingface", *OPTIONS)
    write_model("random", folder / "pytorch", "--type", "bf16", "--format", "pytorch", *OPTIONS)
    write_model("tiny", folder / "graph", "--format", "onnx", "--form", "shared", *OPTIONS)
    write_model("tiny", folder / "inline", "--format", "onnx", "--form", "joined", *OPTIONS)
    made = {name: read(folder / name) for name in ("checkpoint", "pytorch", "graph", "inline")}
    gguf = (folder / "tiny-Q8_0.gguf").read_bytes()
    return made | {"gguf": {"tiny-Q8_0.gguf": gguf}, "sharded": sharded(made["checkpoint"])}


def read(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def sharded(files: dict[str, bytes]) -> dict[str, bytes]:
    """The same checkpoint with its tensors in three files."""
    whole = files["model.safetensors"]
    (length,) = struct.unpack_from("<Q", whole)
    tensors = json.loads(whole[8 : 8 + length])
    tensors.pop("__metadata__", None)
    made = {name: content for name, content in files.items() if name != "model.safetensors"}
    places = {}
    for number in range(3):
        header, data = {}, b""
        for name in sorted(tensors)[number::3]:
            first, end = tensors[name]["data_offsets"]
            content = whole[8 + length + first : 8 + length + end]
            header[name] = {**tensors[name], "data_offsets": [len(data), len(data) + len(content)]}
            data += content
            places[name] = shard = f"model-{number + 1:05}-of-00003.safetensors"
        text = json.dumps(header).encode()
        made[shard] = struct.pack("<Q", len(text)) + text + data
    made["model.safetensors.index.json"] = json.dumps({"weight_map": places}).encode()
    return made


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a login, a proxy, or what other programs have here."""
    for name in ("HUGGINGFACE_TOKEN", "HF_TOKEN", "HF_HUB_OFFLINE", "HF_HUB_CACHE", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", "/nowhere")
    monkeypatch.setattr(limits, "backoff", 0.01)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    server = Hub()
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    yield server
    server.close()


@pytest.fixture
def registry() -> Iterator[Registry]:
    server = Registry()
    yield server
    server.close()


@pytest.fixture
def web() -> Iterator[Web]:
    server = Web()
    yield server
    server.close()


def plan(reference: str, store: Store, **params: Any) -> trillm.Plan:
    return trillm.plan(reference, store=store, download=ONLINE, **{"context": 1024, "parallel": 2, **params})


def facts(made: trillm.Plan) -> dict[str, Any]:
    """All but what changes from one moment to the next, and what is said of the download."""
    return {name: value for name, value in asdict(made).items() if name not in {"limit", "download"}}


def is_same_before_and_after(reference: str, store: Store, servers: list[Web], size: int, whole: int = 0) -> None:
    """What is planned before the download is planned after it; before, far fewer bytes come, but for ``whole`` ones."""
    before = plan(reference, store)
    sent = sum(server.sent for server in servers)
    assert store.list() == ([], [])
    assert list(store.staging.iterdir()) == []
    fetch(reference, store=store, options=ONLINE)
    after = plan(reference, store)
    assert facts(before) == facts(after)
    assert (before.download, after.download) == (size, 0)
    assert (sent - whole) * FAR_BELOW < size, f"{sent} of {size} bytes came"


@pytest.mark.parametrize("kind", ["gguf", "checkpoint", "sharded", "graph"])
def test_a_repository(hub: Hub, store: Store, models: dict[str, dict[str, bytes]], kind: str) -> None:
    files = models[kind]
    hub.add("org/tiny", files)
    small = sum(len(content) for content in files.values() if len(content) < 1 << 20)
    is_same_before_and_after("hf:org/tiny", store, [hub, hub.storage], sum(map(len, files.values())), small)
    # Listings are no more than that.
    assert small < 1 << 20


def test_an_ollama_model(registry: Registry, store: Store, models: dict[str, dict[str, bytes]]) -> None:
    (weights,) = models["gguf"].values()
    registry.challenge = True
    registry.add("library/tiny:latest", [("model", weights), ("system", b"Be brief."), ("license", b"free")])
    size = len(weights) + len(b"Be brief.") + len(b"free")
    is_same_before_and_after(f"ollama:{registry.host}/library/tiny", store, [registry, registry.storage], size)


def test_an_address(web: Web, store: Store, models: dict[str, dict[str, bytes]]) -> None:
    (weights,) = models["gguf"].values()
    web.put("/tiny.gguf", weights, etag='"one"')
    is_same_before_and_after(f"{web.url}/tiny.gguf", store, [web], len(weights))


def test_an_alias_and_a_router(
    hub: Hub, store: Store, models: dict[str, dict[str, bytes]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.add("org/tiny", models["gguf"])
    aliases = tmp_path / "aliases.toml"
    aliases.write_text('mine = "hf:org/tiny"\n')
    monkeypatch.setenv("TRILLM_ALIASES", str(aliases))
    with trillm.LLMRouter(cache_directory=store.root) as router:
        made = router.plan("mine", context=1024, parallel=2)
    assert made.download == len(models["gguf"]["tiny-Q8_0.gguf"])
    assert facts(made) == facts(plan("hf:org/tiny", store)) == facts(plan("mine", store))


def test_weights_are_asked_for_by_their_beginnings_alone(
    hub: Hub, store: Store, models: dict[str, dict[str, bytes]]
) -> None:
    hub.add("org/tiny", models["sharded"])
    plan("hf:org/tiny", store)
    asked = hub.storage.asked()
    assert len(asked) == 3
    assert {request.headers["Range"] for request in asked} == {f"bytes=0-{(1 << 20) - 1}"}


def test_a_long_header_is_fetched_in_parts_that_grow(web: Web, store: Store) -> None:
    weights = gguf_file.file(*gguf_file.llama(vocabulary=100_000))
    web.put("/long.gguf", weights, etag='"one"')
    made = plan(f"{web.url}/long.gguf", store)
    assert made.tokenizer > 0
    ranges = [request.headers["Range"] for request in web.asked()]
    firsts = [int(asked.removeprefix("bytes=").partition("-")[0]) for asked in ranges]
    # Each twice as far as the last, and nothing twice: of a header of some 3 MB.
    assert firsts == [0, 1 << 20, 2 << 20]
    assert web.sent <= 4 << 20


def test_a_model_that_does_not_fit_names_its_smaller_quantizations(
    hub: Hub, store: Store, tmp_path: Path, models: dict[str, dict[str, bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of three, the largest would take more than any machine has; so would the next."""
    monkeypatch.setattr(limits, "plain", 1 << 60)
    (small,) = models["gguf"].values()
    contents: dict[str, Any] = {"huge-Q4_0.gguf": small}
    sizes = {"huge-Q4_0.gguf": len(small)}
    for name, feed_forward in (("huge-F32.gguf", 1 << 20), ("huge-Q8_0.gguf", 1 << 19)):
        # Nothing of the disk is taken by what is not written.
        header, data = gguf_file.header(*gguf_file.llama(feed_forward=feed_forward, width=1 << 18))
        path = tmp_path / name
        path.write_bytes(header)
        sizes[name] = len(header) + data
        with path.open("r+b") as file:
            file.truncate(sizes[name])
        contents[name] = name.encode()
        hub.storage.put(f"/{sha256(contents[name])}", path, etag=f'"{name}"')
    hub.add("org/huge", contents)
    hub.announced["siblings"] = [
        {"rfilename": name, "size": size, "lfs": {"sha256": sha256(contents[name]), "size": size}}
        for name, size in sizes.items()
    ]
    made = plan("hf:org/huge:huge-F32.gguf", store, mmap=False)
    assert made.verdict == "refused"
    assert made.download == sizes["huge-F32.gguf"]
    proposed = [(it.change["model"], it.files) for it in made.alternatives if "model" in it.change]
    assert proposed == [("hf:org/huge:huge-Q4_0.gguf", len(small))]
    # Nobody asks for what the smallest could be replaced by, and what fits asks for nothing.
    assert plan("hf:org/huge:Q4_0", store).alternatives == ()
    # The hub is asked when that is needed, and what it does not say is no error.
    whole = fetch("hf:org/huge:Q4_0", store=store, options=ONLINE)
    assert whole.stat().st_size == len(small)
    many = {"context": 1 << 30}
    with hub.refusing():
        alone = plan("hf:org/huge:Q4_0", store, **many)
    assert alone.verdict == "refused"
    assert "what else its source has is not known" in alone.notes[-1]
    assert not any("not known" in note for note in plan("hf:org/huge:Q4_0", store, **many).notes)


def test_offline_is_an_error(hub: Hub, registry: Registry, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.add("org/tiny", {"a.gguf": b"GGUF"})
    references = ["hf:org/tiny", f"ollama:{registry.host}/library/tiny", f"{hub.url}/tiny.gguf", "smollm2"]
    for reference in references:
        with pytest.raises(DownloadError, match="offline mode forbids") as caught:
            trillm.plan(reference, store=store, download={"offline": True})
        assert caught.value.code == "download_failed"
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(DownloadError, match="offline mode forbids"):
        trillm.plan("hf:org/tiny", store=store)
    assert hub.requests == registry.requests == []


def test_a_source_without_parts_is_an_error(hub: Hub, store: Store, models: dict[str, dict[str, bytes]]) -> None:
    hub.add("org/tiny", models["gguf"])
    hub.storage.faults = lambda _: Fault(whole=True)
    with pytest.raises(Unsupported, match=r"hf:org/tiny cannot be planned .* as a whole only") as caught:
        plan("hf:org/tiny", store)
    assert caught.value.code == "needs_download"
    assert caught.value.hint == "download it first: trillm pull hf:org/tiny"
    assert list(store.staging.iterdir()) == []
    # Where it does not say how long the file is, neither.
    hub.storage.faults = lambda _: Fault(whole=True, chunked=True)
    with pytest.raises(Unsupported, match="as a whole only"):
        plan("hf:org/tiny", store)


@pytest.mark.parametrize(
    ("kind", "said"), [("pytorch", "does not show at its beginning"), ("inline", "with its weights among them")]
)
def test_what_headers_do_not_say_is_an_error(
    hub: Hub, store: Store, models: dict[str, dict[str, bytes]], kind: str, said: str
) -> None:
    hub.add("org/tiny", models[kind])
    with pytest.raises(Unsupported, match=said) as caught:
        plan("hf:org/tiny", store)
    assert caught.value.code == "needs_download"
    assert hub.storage.sent <= 1 << 20
    fetch("hf:org/tiny", store=store, options=ONLINE)
    assert plan("hf:org/tiny", store).download == 0


def test_what_fails_on_the_way_is_tried_again(hub: Hub, store: Store, models: dict[str, dict[str, bytes]]) -> None:
    hub.add("org/tiny", models["gguf"])
    hub.storage.break_next(Fault(cut=100_000), Fault(status=503))
    made = trillm.plan("hf:org/tiny", store=store, download={"retry_attempts": 2})
    assert made.download == len(models["gguf"]["tiny-Q8_0.gguf"])
    hub.storage.break_next(Fault(cut=100_000))
    with pytest.raises(DownloadError):
        plan("hf:org/tiny", store)
    assert list(store.staging.iterdir()) == []


def test_a_file_that_changes_meanwhile_is_fetched_anew(web: Web, store: Store) -> None:
    weights = gguf_file.file(*gguf_file.llama(vocabulary=100_000))
    web.put("/a.gguf", weights, etag='"one"')

    def change(request: Request) -> Fault | None:
        if request.headers.get("If-Range") == '"one"':
            web.put("/a.gguf", weights, etag='"two"')
        return None

    web.faults = change
    assert plan(f"{web.url}/a.gguf", store).download == len(weights)


def test_a_file_that_is_none_is_an_error_that_names_the_reference(web: Web, store: Store) -> None:
    web.put("/a.gguf", struct.pack("<4sIQQ", b"GGUF", 9, 0, 0) + bytes(2 << 20), etag='"one"')
    with pytest.raises(ModelFormatError) as caught:
        plan(f"{web.url}/a.gguf", store)
    assert caught.value.code == "unsupported_version"
    web.put("/b.gguf", b"no model", etag='"one"')
    with pytest.raises(ModelFormatError, match=f"{web.url}/b.gguf: expected a model"):
        plan(f"{web.url}/b.gguf", store)
    with pytest.raises(ModelNotFound):
        plan(f"{web.url}/c.gguf", store)


def test_what_is_here_already_is_no_download(hub: Hub, store: Store, models: dict[str, dict[str, bytes]]) -> None:
    files = models["sharded"]
    hub.add("org/tiny", files)
    hub.add("org/part", {"a.safetensors": files["model-00001-of-00003.safetensors"], "config.json": b"{}"})
    fetch("hf:org/part:a.safetensors", store=store, options=ONLINE)
    rest = sum(map(len, files.values())) - len(files["model-00001-of-00003.safetensors"])
    assert plan("hf:org/tiny", store).download == rest
