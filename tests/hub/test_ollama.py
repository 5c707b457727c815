"""Models from registries that speak Ollama's protocol."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gguf_file
import numpy as np
import pytest
import trillm
from arriving import BREAKS, FAULTS, arrives_or_says_why, be_impatient, content, job
from ollama_server import IMAGE, Registry
from trillm._core import Reference, Store
from trillm.errors import DigestMismatch, DownloadError, ModelFormatError, ModelNotFound, TrillmError, Unsupported
from trillm.hub import Options, Source
from trillm.hub._job import Job
from trillm.hub._network.client import Client
from trillm.hub._network.retries import limits
from trillm.hub._pull import pull
from trillm.hub._sources import ollama
from web import Fault

GGUF = b"GGUF" + bytes(range(256)) * 300
LAYERS = [
    ("model", GGUF),
    ("template", b"{{ .Prompt }}"),
    ("system", b"Be brief."),
    ("params", b'{"temperature": 0.5, "top_p": 0.25, "stop": ["<|end|>"]}'),
    ("license", b"                    Apache License\n              Version 2.0\n"),
    ("license", b"use policy"),
]


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    """A registry with one model."""
    for name in ("HF_HUB_OFFLINE", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(limits, "backoff", 0.01)
    monkeypatch.setattr(limits, "stall", 0.3)
    server = Registry()
    server.add("library/tiny:latest", LAYERS)
    yield server
    server.close()


def wanted(registry: Registry, name: str = "library/tiny") -> str:
    return f"ollama:{registry.host}/{name}"


def test_all_layers_arrive_under_names_that_say_what_they_are(registry: Registry, store: Store) -> None:
    text = registry.add("library/tiny:latest", LAYERS)
    manifest = pull(job(store, wanted(registry)))
    assert content(manifest) == {
        "model.gguf": GGUF,
        "template": LAYERS[1][1],
        "system.txt": LAYERS[2][1],
        "params.json": LAYERS[3][1],
        "LICENSE": LAYERS[4][1],
        "LICENSE-2": LAYERS[5][1],
    }
    model = json.loads(manifest.model)
    assert model["source"] == {
        "kind": "ollama",
        "host": registry.host,
        "name": "library/tiny",
        "tag": "latest",
        "manifest": hashlib.sha256(text).hexdigest(),
    }
    assert (model["open"], manifest.licence) == ("model.gguf", "Apache-2.0")
    stop = ["<|end|>"]
    assert model["chat"] == {"system": "Be brief.", "temperature": 0.5, "top_p": 0.25, "stop": stop}


def test_the_registry_is_ollamas_unless_set_otherwise(registry: Registry, store: Store) -> None:
    sources = {"ollama": Source(base_url=registry.url)}
    assert "model.gguf" in content(pull(job(store, "ollama:tiny", sources=sources)))
    assert ollama.HOST == "registry.ollama.ai"


def test_namespaces_and_tags_are_asked_for(registry: Registry, store: Store) -> None:
    registry.add("someone/other:q8", [("model", b"another")])
    assert content(pull(job(store, wanted(registry, "someone/other:q8")))) == {"model.gguf": b"another"}


def test_one_digest_may_be_several_layers(registry: Registry, store: Store) -> None:
    registry.add("library/twice:latest", [("model", b"same"), ("template", b"same"), ("license", b"same")])
    found = content(pull(job(store, wanted(registry, "library/twice"))))
    assert found == {"model.gguf": b"same", "template": b"same", "LICENSE": b"same"}


def test_projectors_and_adapters_come_along(registry: Registry, store: Store) -> None:
    layers = [("model", b"m"), ("projector", b"p"), ("adapter", b"a"), ("adapter", b"b"), ("messages", b"[]")]
    registry.add("library/more:latest", layers)
    found = content(pull(job(store, wanted(registry, "library/more"))))
    assert found == {
        "model.gguf": b"m",
        "projector.gguf": b"p",
        "adapter.gguf": b"a",
        "adapter-2.gguf": b"b",
        "messages.json": b"[]",
    }


def test_an_adapter_is_a_part_of_the_model(registry: Registry, store: Store, tiny_model: Path, tmp_path: Path) -> None:
    keys, tensors = gguf_file.lora({f"blk.{layer}.attn_q": (64, 64) for layer in range(2)}, 8)
    head, size = gguf_file.header(keys, tensors)
    adapter = tmp_path / "adapter.gguf"
    adapter.write_bytes(head + np.random.default_rng(1).normal(0, 0.5, size // 4).astype("<f4").tobytes())
    layers = [("model", tiny_model.read_bytes()), ("adapter", adapter.read_bytes())]
    registry.add("library/adapted:latest", layers)
    reference = wanted(registry, "library/adapted")

    def logprobs(model: trillm.Model) -> list[float]:
        with model:
            found = model.generate("the man", max_tokens=3, temperature=0, logprobs=0).logprobs
        return [entry.logprob for entry in found or []]

    with trillm.LLMRouter(cache_directory=store.root, threads=1) as router:
        adapted = logprobs(router.load(reference, threads=1))
    assert adapted == pytest.approx(logprobs(trillm.load(tiny_model, threads=1, lora=[adapter])), abs=1e-5)
    assert adapted != pytest.approx(logprobs(trillm.load(tiny_model, threads=1)), abs=1e-3)


def authorizations(server: Any) -> set[str | None]:
    return {request.headers.get("Authorization") for request in server.requests}


def test_a_challenge_is_met_and_the_token_stays_with_the_registry(registry: Registry, store: Store) -> None:
    registry.challenge = True
    assert "model.gguf" in content(pull(job(store, wanted(registry))))
    assert authorizations(registry) == {None, f"Bearer {registry.token}"}
    assert authorizations(registry.storage) == {None}


def test_a_token_that_is_old_is_renewed(registry: Registry, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    registry.challenge = True
    asked = job(store, wanted(registry))
    client = Client(asked, {})
    planned = ollama.plan(asked, client)
    registry.token = "second_canary"
    later = time.monotonic() + 3600
    with monkeypatch.context() as patched:
        patched.setattr("trillm.hub._sources.registry.time.monotonic", lambda: later)
        location = planned.files[0].locate()
    with client.get(location.url) as answer:
        assert answer.status == 200
    assert f"Bearer {registry.token}" in authorizations(registry)


def test_a_token_of_ones_own_is_sent_to_its_registry_only(registry: Registry, store: Store) -> None:
    sources = {"ollama": Source(base_url=registry.url, token="own_canary")}
    pull(job(store, "ollama:tiny", sources=sources))
    assert authorizations(registry) == {"Bearer own_canary"}
    assert authorizations(registry.storage) == {None}
    other = Registry()
    try:
        other.add("library/tiny:latest", LAYERS)
        pull(job(store, wanted(other), sources=sources))
        assert authorizations(other) == {None}
    finally:
        other.close()


def test_a_realm_elsewhere_is_not_asked(registry: Registry, store: Store) -> None:
    other = Registry()
    try:
        registry.challenge = True
        for realm in (f"{other.url}/token", "https://example.org/token", "https://127.0.0.1.example.org/token"):
            registry.realm = realm
            with pytest.raises(DownloadError) as caught:
                pull(job(store, wanted(registry)))
            assert caught.value.code == "redirect_refused"
        assert other.requests == []
    finally:
        other.close()


@pytest.mark.parametrize("realm", ["", "/token", "file:///etc/passwd", "http://[", "https://"])
def test_a_realm_that_is_none_is_a_typed_error(registry: Registry, store: Store, realm: str) -> None:
    registry.challenge = True
    registry.realm = realm
    with pytest.raises(DownloadError):
        pull(job(store, wanted(registry)))


@pytest.mark.parametrize("token", ["", "two words", "a\r\nX-Injected: 1", "x" * 20_000])
def test_a_token_that_is_none_is_a_typed_error(registry: Registry, store: Store, token: str) -> None:
    registry.challenge = True
    registry.token = token
    with pytest.raises(DownloadError):
        pull(job(store, wanted(registry)))


def test_a_registry_that_wants_a_newer_client_says_so(registry: Registry, store: Store) -> None:
    registry.too_old = True
    with pytest.raises(Unsupported, match="newer"):
        pull(job(store, wanted(registry)))


def test_what_is_not_there_is_not_found(registry: Registry, store: Store) -> None:
    with pytest.raises(ModelNotFound, match="none"):
        pull(job(store, wanted(registry, "library/none")))


def test_wrong_bytes_never_become_visible(registry: Registry, store: Store) -> None:
    registry.storage.put(f"/{hashlib.sha256(GGUF).hexdigest()}", GGUF[:-1] + b"!", etag='"x"')
    with pytest.raises(DigestMismatch):
        pull(job(store, wanted(registry)))
    assert store.list() == ([], [])


def test_wrong_advice_is_not_followed(registry: Registry, store: Store) -> None:
    registry.storage.put(f"/{hashlib.sha256(b'Be brief.').hexdigest()}", b"Be rude..", etag='"x"')
    with pytest.raises(DigestMismatch, match="system"):
        pull(job(store, wanted(registry)))


def test_a_manifest_that_is_not_the_announced_one_is_refused(registry: Registry, store: Store) -> None:
    registry.announced = "sha256:" + "0" * 64
    with pytest.raises(DigestMismatch):
        pull(job(store, wanted(registry)))


DIGEST = "sha256:" + "a" * 64


def layer(**changed: Any) -> dict[str, Any]:
    return {"mediaType": f"{IMAGE}model", "digest": DIGEST, "size": 3} | changed


@pytest.mark.parametrize(
    "changed",
    [
        {"layers": [layer(digest="sha256:../../../etc/passwd")]},
        {"layers": [layer(digest="../../../etc/passwd")]},
        {"layers": [layer(digest="sha256:" + "a" * 63 + "/")]},
        {"layers": [layer(digest=DIGEST + "\n")]},
        {"layers": [layer(digest="sha512:" + "a" * 128)]},
        {"layers": [layer(digest=7)]},
        {"layers": [layer(size=-1)]},
        {"layers": [layer(size=True)]},
        {"layers": [layer(size=1 << 70)]},
        {"layers": [layer(size="3")]},
        {"layers": [layer(mediaType=None)]},
        {"layers": [{}]},
        {"layers": [[]]},
        {"layers": []},
        {"layers": {}},
        {"layers": [layer()] * 1025},
        {"schemaVersion": 1},
    ],
)
def test_a_manifest_that_lies_is_a_typed_error(registry: Registry, store: Store, changed: dict[str, Any]) -> None:
    registry.add("library/bad:latest", [], changed)
    with pytest.raises(DownloadError, match="bad"):
        pull(job(store, wanted(registry, "library/bad")))
    assert registry.storage.requests == []


@pytest.mark.parametrize("text", [b"[" * 200_000, b"[]", b"null", b"", b"\xff\xfe", b'{"schemaVersion": 2'])
def test_a_manifest_that_is_none_is_a_typed_error(registry: Registry, store: Store, text: bytes) -> None:
    registry.manifests["/v2/library/bad/manifests/latest"] = text
    with pytest.raises(DownloadError):
        pull(job(store, wanted(registry, "library/bad")))


def test_an_endless_manifest_is_not_read_to_its_end(registry: Registry, store: Store) -> None:
    registry.manifests["/v2/library/bad/manifests/latest"] = b" " * (64 << 20)
    with pytest.raises(DownloadError, match="bytes"):
        pull(job(store, wanted(registry, "library/bad")))
    assert registry.requests[-1].sent < 48 << 20


BROKEN = BREAKS | {"other bytes": Fault(flip=10)}


@pytest.mark.parametrize("fault", BROKEN.values(), ids=BROKEN)
def test_a_manifest_that_breaks_is_asked_for_again(registry: Registry, store: Store, fault: Fault) -> None:
    registry.break_next(fault)
    with pytest.raises((DownloadError, DigestMismatch)):
        pull(job(store, wanted(registry)))
    registry.break_next(fault)
    asked = Job(store, Reference(wanted(registry)), Options(retry_attempts=1))
    assert content(pull(asked))["model.gguf"] == GGUF


@pytest.mark.parametrize("fault", BROKEN.values(), ids=BROKEN)
def test_a_token_whose_answer_breaks_is_asked_for_again(registry: Registry, store: Store, fault: Fault) -> None:
    registry.challenge = True
    registry.break_next(None, fault)
    asked = Job(store, Reference(wanted(registry)), Options(retry_attempts=1))
    if fault.flip is not None:
        # What is no JSON is no hiccup.
        with pytest.raises(DownloadError):
            pull(asked)
    else:
        assert content(pull(asked))["model.gguf"] == GGUF


def test_upper_case_digests_are_the_same_ones(registry: Registry, store: Store) -> None:
    upper = {"mediaType": f"{IMAGE}model", "digest": "sha256:" + hashlib.sha256(GGUF).hexdigest().upper()}
    registry.add("library/upper:latest", [], {"layers": [upper | {"size": len(GGUF)}]})
    assert content(pull(job(store, wanted(registry, "library/upper")))) == {"model.gguf": GGUF}


@pytest.mark.parametrize("kinds", [["template"], ["model", "model"], ["license"]])
def test_a_model_without_one_file_of_weights_is_refused(registry: Registry, store: Store, kinds: list[str]) -> None:
    registry.add("library/odd:latest", [(kind, b"x") for kind in kinds])
    with pytest.raises(ModelFormatError):
        pull(job(store, wanted(registry, "library/odd")))


def test_weights_in_pieces_are_refused(registry: Registry, store: Store) -> None:
    registry.add("library/odd:latest", [("tensor", b"x"), ("tensor", b"y"), ("json", b"{}")])
    with pytest.raises(Unsupported, match="pieces"):
        pull(job(store, wanted(registry, "library/odd")))


def test_layers_nobody_knows_are_left_out_and_named(
    registry: Registry, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    registry.add("library/odd:latest", [("model", GGUF), ("dream", b"x")])
    with caplog.at_level(logging.WARNING, "trillm.hub"):
        assert content(pull(job(store, wanted(registry, "library/odd")))) == {"model.gguf": GGUF}
    assert "dream" in caplog.text


@pytest.mark.parametrize(
    ("params", "chat"),
    [
        (b'{"temperature": 0, "top_p": 1}', {"temperature": 0.0, "top_p": 1.0}),
        (b'{"temperature": -1, "top_p": 2}', None),
        (
            b'{"top_k": 40, "repeat_penalty": 1.5, "repeat_last_n": -1, "min_p": 0.25, "num_ctx": 4096, "stop": "x"}',
            {"top_k": 40, "repetition_penalty": 1.5, "repeat_last_n": (1 << 32) - 1, "min_p": 0.25, "stop": ["x"]},
        ),
        (b'{"top_k": "all", "repeat_penalty": 0, "stop": [""], "repeat_last_n": 1.5}', None),
        (b'{"temperature": "hot", "top_p": true}', None),
        (b'{"temperature": NaN, "top_p": 1e400}', None),
        (b"[1]", None),
        (b"[" * 100_000, None),
        (b"\xff", None),
    ],
)
def test_only_advice_that_makes_sense_is_taken(
    registry: Registry, store: Store, params: bytes, chat: dict[str, Any] | None
) -> None:
    registry.add("library/odd:latest", [("model", GGUF), ("params", params)])
    manifest = pull(job(store, wanted(registry, "library/odd")))
    found = json.loads(manifest.model).get("chat")
    assert ({name: value for name, value in (found or {}).items() if value is not None} or None) == chat
    assert content(manifest)["params.json"] == params


@pytest.mark.parametrize(
    ("text", "licence"),
    [
        (b"MIT License\n\nCopyright", "MIT"),
        (b"\n\n  LLAMA 3.2 COMMUNITY LICENSE AGREEMENT  \n", "LLAMA 3.2 COMMUNITY LICENSE AGREEMENT"),
        (b"Copyright 2024 somebody\n", None),
        (b"", None),
        (b"\xff\xff", None),
    ],
)
def test_a_licence_is_known_by_its_title(registry: Registry, store: Store, text: bytes, licence: str | None) -> None:
    registry.add("library/odd:latest", [("model", GGUF), ("license", text)])
    assert pull(job(store, wanted(registry, "library/odd"))).licence == licence


def test_errors_are_typed_when_nobody_answers(registry: Registry, store: Store) -> None:
    registry.close()
    with pytest.raises(TrillmError):
        pull(job(store, wanted(registry)))


@pytest.mark.parametrize("fault", FAULTS)
def test_whatever_goes_wrong_the_right_bytes_arrive_or_a_typed_error(
    registry: Registry, store: Store, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    registry.challenge = True
    layers = {"model.gguf": GGUF, "template": b"{{ .Prompt }}", "system.txt": b"Be brief."}
    registry.add("library/tiny:latest", LAYERS[:3])
    be_impatient(monkeypatch)
    arrives_or_says_why(fault, store, wanted(registry), [registry, registry.storage], layers)
    assert authorizations(registry.storage) == {None}
