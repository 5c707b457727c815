"""Ollama's own client against the server: what it gets is what the model says without one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import ollama
import pytest
import trillm
from trillm import hub
from trillm._core import Store
from trillm._vectors import TruncationWarning
from web import Web

from .asking import Asker
from .breaking import broken_off
from .waiting import until

MESSAGES: list[Any] = [{"role": "user", "content": "the man"}]
EXACT: dict[str, Any] = {"temperature": 0, "num_predict": 12}
OURS: dict[str, Any] = {"temperature": 0, "max_tokens": 12}


@pytest.fixture(scope="module")
def client(server: trillm.Server) -> Iterator[ollama.Client]:
    """Ollama's client."""
    with ollama.Client(host=server.url) as made:
        yield made


@pytest.fixture
def kept(router: trillm.LLMRouter, model: trillm.RoutedModel, tiny_model: Path) -> Iterator[str]:
    """The same model in the router's store."""
    assert model.name == str(tiny_model)
    store = Store(router.options.cache_directory)
    hub.import_model(tiny_model, name="kept", store=store)
    yield "kept"
    for manifest in store.list()[0]:
        store.remove(manifest.reference)
        if manifest.reference in router.loaded():
            router.unload_model(manifest.reference)


def test_a_prompt_is_asked_in_the_models_own_form(client: ollama.Client, model: trillm.RoutedModel) -> None:
    expected = model.chat(MESSAGES, **OURS)
    said = client.generate("tiny", "the man", options=EXACT)
    assert (said.response, said.done, said.done_reason) == (expected.text, True, "length")
    assert (said.prompt_eval_count, said.eval_count) == (expected.usage.prompt_tokens, 12)
    durations = (said.total_duration, said.load_duration, said.prompt_eval_duration, said.eval_duration)
    assert all(isinstance(each, int) and each >= 0 for each in durations)
    assert said.total_duration is not None
    assert said.total_duration >= (said.eval_duration or 0) > 0
    # With a system message, and as it is.
    system = model.chat([{"role": "system", "content": "was"}, *MESSAGES], **OURS).text
    assert client.generate("tiny", "the man", system="was", options=EXACT).response == system
    raw = model.generate("the man", **OURS).text
    assert client.generate("tiny", "the man", raw=True, options=EXACT).response == raw
    assert len({expected.text, system, raw}) == 3


def test_answers_come_in_lines(ask: Asker, model: trillm.RoutedModel) -> None:
    """A stream unless the client says otherwise."""
    answer = ask("/api/generate", {"model": "tiny", "prompt": "the man", "options": EXACT})
    assert answer.headers["content-type"] == "application/x-ndjson"
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert "".join(line["response"] for line in lines) == model.chat(MESSAGES, **OURS).text
    assert [line["done"] for line in lines] == [False] * (len(lines) - 1) + [True]
    assert {line["model"] for line in lines} == {"tiny"}
    assert all(datetime.fromisoformat(line["created_at"][:19]) for line in lines)
    assert [key for key in lines[0] if key.endswith("duration")] == []
    assert (lines[-1]["response"], lines[-1]["eval_count"], lines[-1]["done_reason"]) == ("", 12, "length")


def test_a_chat_says_what_the_model_says(client: ollama.Client, model: trillm.RoutedModel) -> None:
    expected = model.chat(MESSAGES, **OURS)
    said = client.chat("tiny", MESSAGES, options=EXACT)
    assert (said.message.role, said.message.content, said.done_reason) == ("assistant", expected.text, "length")
    lines = list(client.chat("tiny", MESSAGES, options=EXACT, stream=True))
    assert "".join(line.message.content or "" for line in lines) == expected.text
    assert lines[-1].eval_count == 12
    # Clients put a tag behind a name that has none.
    assert client.chat("tiny:latest", MESSAGES, options=EXACT).message.content == expected.text


def test_asyncio_streams_too(server: trillm.Server, model: trillm.RoutedModel) -> None:
    async def read() -> list[str]:
        async with ollama.AsyncClient(host=server.url) as client:

            async def one(salt: int) -> str:
                messages = [{"role": "user", "content": f"the man {salt}"}]
                stream = await client.chat("tiny", messages, options=EXACT, stream=True)
                return "".join([part.message.content or "" async for part in stream])

            return await asyncio.gather(*map(one, range(6)))

    expected = [model.chat([{"role": "user", "content": f"the man {salt}"}], **OURS).text for salt in range(6)]
    assert asyncio.run(read()) == expected


def test_options_count(client: ollama.Client, model: trillm.RoutedModel) -> None:
    def said(**options: Any) -> ollama.ChatResponse:
        return client.chat("tiny", MESSAGES, options={"num_predict": 12, **options})

    ours: dict[str, Any] = {"max_tokens": 12}
    plain = model.chat(MESSAGES, temperature=0, **ours)
    stop = plain.text[3:6]
    stopped = said(temperature=0, stop=["never", stop])
    assert (stopped.message.content, stopped.done_reason) == (plain.text[: plain.text.index(stop)], "stop")
    seeded: dict[str, Any] = {"temperature": 1.0, "seed": 7, "top_k": 40, "top_p": 0.9, "min_p": 0.01, "typical_p": 0.9}
    assert said(**seeded).message.content == model.chat(MESSAGES, **seeded, **ours).text
    repeats: dict[str, Any] = {"temperature": 0, "presence_penalty": 1.5, "frequency_penalty": 0.5, "repeat_last_n": 8}
    longer = model.chat(MESSAGES, temperature=0, max_tokens=100).text
    expected = model.chat(MESSAGES, repetition_penalty=1.5, max_tokens=100, **repeats).text
    assert said(num_predict=100, repeat_penalty=1.5, **repeats).message.content == expected != longer
    # Log-probabilities, and what has no bound.
    logprobs = client.chat("tiny", MESSAGES, options=EXACT, logprobs=True, top_logprobs=2).logprobs
    assert logprobs is not None
    theirs = model.chat(MESSAGES, logprobs=2, **OURS).logprobs
    assert theirs is not None
    assert [each.token for each in logprobs] == [each.chosen.text for each in theirs]
    assert logprobs[0].logprob == pytest.approx(theirs[0].logprob, abs=1e-5)
    endless = client.generate("tiny", "the", options={"num_predict": -1, "temperature": 0})
    assert (endless.prompt_eval_count or 0) + (endless.eval_count or 0) <= model.info.context_trained


def test_num_ctx_bounds_prompt_and_answer(client: ollama.Client) -> None:
    said = client.generate("tiny", "the man", raw=True, options={"num_ctx": 16, "temperature": 0})
    assert (said.prompt_eval_count or 0) + (said.eval_count or 0) == 16
    with pytest.raises(ollama.ResponseError, match=r"context") as caught:
        client.generate("tiny", "the man " * 30, raw=True, options={"num_ctx": 16})
    assert caught.value.status_code == 400
    # More than the model has is what it has.
    larger = client.generate("tiny", "the man", options={**EXACT, "num_ctx": 1 << 20})
    assert larger.eval_count == 12


def test_what_nobody_knows_is_named(ask: Asker) -> None:
    body = {"model": "tiny", "prompt": "a", "shift": True, "options": {**EXACT, "num_gpu": 1, "mirostat": 0}}
    answer = ask("/api/generate", body)
    assert (answer.status, answer.headers["x-ignored-fields"]) == (200, "shift, options.num_gpu, options.mirostat")


def test_models_come_and_go_by_questions_without_words(client: ollama.Client, router: trillm.LLMRouter) -> None:
    def here() -> list[Any]:
        return [it.model for it in client.ps().models]

    assert client.generate("tiny", "", keep_alive=0).done_reason == "unload"
    until(lambda: here() == router.loaded() == [])
    loaded = client.generate("tiny", keep_alive="1h30m")
    assert (loaded.done_reason, loaded.response, here()) == ("load", "", ["tiny"])
    (running,) = client.ps().models
    assert running.expires_at is not None
    left = running.expires_at - datetime.now(timezone.utc)
    assert timedelta(minutes=89) < left <= timedelta(minutes=90)
    assert running.context_length == 512
    assert (running.size_vram, running.details and running.details.format) == (0, "gguf")
    # For ever is a long time.
    assert client.chat("tiny", keep_alive=-1).done_reason == "load"
    (running,) = client.ps().models
    assert running.expires_at is not None
    assert running.expires_at - datetime.now(timezone.utc) > timedelta(days=3650)
    # It goes after an answer, too.
    assert client.chat("tiny", MESSAGES, options=EXACT, keep_alive=0).eval_count == 12
    until(lambda: here() == [])
    assert client.chat("tiny", MESSAGES, options=EXACT).eval_count == 12


def test_vectors_are_the_models_own(client: ollama.Client, model: trillm.RoutedModel) -> None:
    texts = ["the man", "there was nothing"]
    expected = model.embed(texts)
    found = client.embed("tiny", texts)
    assert np.allclose(np.array(found.embeddings, np.float32), expected, atol=1e-6)
    assert (found.model, found.prompt_eval_count) == ("tiny", sum(len(model.tokenize(text)) for text in texts))
    assert np.allclose(np.array(client.embed("tiny", texts[0]).embeddings), expected[:1], atol=1e-6)
    assert np.allclose(np.array(client.embeddings("tiny", texts[0]).embedding), expected[0], atol=1e-6)
    assert client.embeddings("tiny", "").embedding == []
    # What is too long is cut, unless the client says otherwise.
    long = "the man " * 2000
    cut = client.embed("tiny", long)
    with pytest.warns(TruncationWarning):
        expected = model.embed(long, truncate=True)
    assert np.allclose(np.array(cut.embeddings[0]), expected, atol=1e-6)
    with pytest.raises(ollama.ResponseError, match="tokens") as caught:
        client.embed("tiny", long, truncate=False)
    assert caught.value.status_code == 400
    with pytest.raises(ollama.ResponseError, match="dimensions is 3, expected"):
        client.embed("tiny", "x", dimensions=3)


def test_models_are_listed_and_shown(client: ollama.Client, model: trillm.RoutedModel, ask: Asker) -> None:
    (listed,) = client.list().models
    assert (listed.model, listed.size) == ("tiny", model.info.bytes)
    assert listed.details is not None
    assert (listed.details.format, listed.details.family) == ("gguf", model.info.architecture)
    assert listed.details.quantization_level == model.info.quantization
    shown = client.show("tiny:latest")
    assert shown.capabilities is not None
    assert set(shown.capabilities) == {"completion", "embedding"}
    assert shown.modelinfo is not None
    architecture = model.info.architecture
    assert shown.modelinfo["general.architecture"] == architecture
    assert shown.modelinfo[f"{architecture}.context_length"] == 512
    assert shown.modelinfo["general.parameter_count"] == model.info.parameters
    assert shown.template == model.info.chat_template
    for name in ("nothing", "/etc/passwd", "../tiny.gguf"):
        with pytest.raises(ollama.ResponseError) as caught:
            client.show(name)
        assert caught.value.status_code == 404, name
    assert ask("/api/version").json == {"version": trillm.__version__}
    assert (ask("/", method="HEAD").status, ask("/", method="HEAD").text) == (200, "")


def test_a_model_has_another_name_and_goes(client: ollama.Client, kept: str, router: trillm.LLMRouter) -> None:
    client.copy(kept, "other:latest")
    names = {it.model: it.digest for it in client.list().models}
    assert set(names) == {"tiny", "local:kept", "local:other"}
    assert names["local:kept"] == names["local:other"] != ""
    expected = client.chat(kept, MESSAGES, options=EXACT).message.content
    assert client.chat("other", MESSAGES, options=EXACT).message.content == expected
    assert client.delete("other").status == "success"
    until(lambda: "local:other" not in router.loaded())
    assert {it.model for it in client.list().models} == {"tiny", "local:kept"}
    assert client.chat(kept, MESSAGES, options=EXACT).message.content == expected
    for name, status, said in (("other", 404, "other"), ("tiny", 400, "no store")):
        with pytest.raises(ollama.ResponseError, match=said) as caught:
            client.delete(name)
        assert caught.value.status_code == status
    with pytest.raises(ollama.ResponseError, match="after local: come") as caught:
        client.copy(kept, "no/such:name")
    assert caught.value.status_code == 400


def test_a_name_that_is_taken_makes_no_model(client: ollama.Client, kept: str) -> None:
    """Who asked for it, or removed it, would mean the other one."""
    before = {it.model for it in client.list().models}
    for name in ("tiny", "tiny:latest", "smollm2"):
        with pytest.raises(ollama.ResponseError, match="is another model's name") as caught:
            client.copy(kept, name)
        assert caught.value.status_code == 400
        with pytest.raises(ollama.ResponseError, match="is another model's name"):
            client.create(name, from_=kept, system="Be brief.")
    assert {it.model for it in client.list().models} == before
    client.copy(kept, "local:third")
    client.delete("third")
    assert {it.model for it in client.list().models} == before


def test_a_model_is_made_of_another(client: ollama.Client, kept: str, router: trillm.LLMRouter) -> None:
    parameters: dict[str, Any] = {"temperature": 0, "top_k": 5, "stop": ["never"], "repeat_penalty": 1.1}
    done = client.create("mine", from_=kept, system="was", parameters=parameters)
    assert done.status == "success"
    shown = client.show("mine")
    assert shown.parameters is not None
    found = dict(line.split(None, 1) for line in shown.parameters.splitlines())
    assert found == {"temperature": "0", "top_k": "5", "stop": '"never"', "repeat_penalty": "1.1"}
    with_system = [{"role": "system", "content": "was"}, *MESSAGES]
    expected = router.chat("local:kept", with_system, temperature=0, top_k=5, repetition_penalty=1.1, max_tokens=12)
    assert client.chat("mine", MESSAGES, options={"num_predict": 12}).message.content == expected.text
    # Made anew it is otherwise, though it was loaded.
    lines = list(client.create("mine", from_=kept, parameters={"temperature": 0}, stream=True))
    assert [line.status for line in lines] == ["success"]
    until(lambda: "local:mine" not in router.loaded())
    expected = router.chat("local:kept", MESSAGES, temperature=0, max_tokens=12)
    assert client.chat("mine", MESSAGES, options={"num_predict": 12}).message.content == expected.text
    refused: list[tuple[dict[str, Any], str]] = [
        ({"template": "{{ .Prompt }}"}, "template is not supported"),
        ({"quantize": "q4_0"}, "quantize is not supported"),
        ({"files": {"a": "sha256:0"}}, "files is not supported"),
        ({"from_": "nothing"}, "nothing"),
    ]
    for wrong, said in refused:
        given: dict[str, Any] = {"from_": kept, **wrong}
        with pytest.raises(ollama.ResponseError, match=said):
            client.create("third", **given)


def test_what_a_made_model_has_no_place_for_is_named(ask: Asker, kept: str) -> None:
    body = {"model": "mine", "from": kept, "parameters": {"num_ctx": 64, "seed": 1, "numa": True}, "stream": False}
    answer = ask("/api/create", body)
    assert (answer.status, answer.json) == (200, {"status": "success"})
    assert answer.headers["x-ignored-fields"] == "parameters.numa, parameters.num_ctx, parameters.seed"


def test_a_model_is_fetched_and_how_far_that_is_is_told(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HF_HUB_OFFLINE", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    content = tiny_model.read_bytes()
    with (
        Web() as web,
        trillm.LLMRouter(cache_directory=tmp_path, models_directory=tmp_path) as router,
        router.serve(port=0) as server,
        ollama.Client(host=server.url) as client,
    ):
        web.put("/models/small.gguf", content)
        name = f"{web.url}/models/small.gguf"
        lines = list(client.pull(name, stream=True))
        assert (lines[0].status, lines[-1].status) == ("pulling manifest", "success")
        moments = lines[1:-1]
        assert {line.status for line in moments} <= {"pulling small.gguf", "verifying small.gguf"}
        assert all(0 <= (line.completed or 0) <= len(content) for line in moments)
        assert [it.model for it in client.list().models] == [name]
        # It is here, and not in memory.
        assert (router.loaded(), client.ps().models) == ([], [])
        assert client.pull(name).status == "success"
        assert client.generate(name, "the man", options=EXACT).eval_count == 12
        # What is not there: a line at the end, or a status.
        missing = f"{web.url}/models/none.gguf"
        with pytest.raises(ollama.ResponseError, match=r"none\.gguf"):
            list(client.pull(missing, stream=True))
        with pytest.raises(ollama.ResponseError) as caught:
            client.pull(missing)
        assert caught.value.status_code == 404
        with pytest.raises(ollama.ResponseError, match="insecure is not supported"):
            client.pull(name, insecure=True)


@pytest.mark.parametrize(
    ("path", "wrong", "said"),
    [
        ("generate", {"prompt": 5}, "prompt is wrong"),
        ("generate", {"options": {"temperature": "hot"}}, "options.temperature is wrong"),
        ("generate", {"options": {"temperature": -1}}, "temperature is -1"),
        ("generate", {"options": {"stop": [1]}}, "options.stop is wrong"),
        ("generate", {"options": 1}, "options is wrong"),
        ("generate", {"keep_alive": "soon"}, "keep_alive is wrong"),
        ("generate", {"keep_alive": [1]}, "keep_alive is wrong"),
        ("generate", {"images": ["aGk="]}, "images is not supported"),
        ("generate", {"suffix": "x"}, "suffix is not supported"),
        ("generate", {"template": "x"}, "template is not supported"),
        ("generate", {"context": [1]}, "context is not supported"),
        ("generate", {"format": "json"}, "an answer in the form of"),
        ("generate", {"format": {"type": "object"}}, "an answer in the form of a schema"),
        ("generate", {"think": True}, "thinking apart from the answer"),
        ("generate", {"raw": True, "system": "x"}, "system is given, expected nothing beside raw"),
        ("generate", {"top_logprobs": 3}, "top_logprobs is given, expected logprobs"),
        ("chat", {"messages": "hello"}, "messages is wrong"),
        ("chat", {"messages": [{"content": "x"}]}, "role is missing"),
        ("chat", {"messages": [{"role": "user", "content": "x", "images": ["aGk="]}]}, "a picture is not supported"),
        ("chat", {"messages": [*MESSAGES, {"role": "assistant", "content": "x"}]}, "going on with an answer"),
        ("chat", {"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools is not supported"),
        ("chat", {"format": "json"}, "an answer in the form of"),
        ("embed", {"input": 5}, "input is wrong"),
        ("embed", {"input": ["x"] * 3000}, "input is 3000 texts"),
        ("show", {"model": 1}, "model is wrong"),
        ("copy", {"source": "tiny"}, "missing field `destination`"),
        ("create", {"model": "x"}, "messages is not supported"),
        ("create", {"model": "x", "messages": []}, "from is missing"),
    ],
)
def test_what_is_wrong_is_said_in_ollamas_form(ask: Asker, path: str, wrong: Any, said: str) -> None:
    body = {"model": "tiny", "prompt": "a", "messages": MESSAGES, "input": "a", **wrong}
    answer = ask(f"/api/{path}", body)
    assert answer.status == 400, answer.text
    assert set(answer.json) == {"error"}
    assert said in answer.json["error"]


def test_other_refusals_have_ollamas_form_too(serve: Callable[..., Asker]) -> None:
    ask = serve(api_keys=["use"], admin_keys=["admin"])
    body = {"model": "tiny", "prompt": "a"}
    for answer, status in (
        (ask("/api/generate", body), 401),
        (ask("/api/generate", body, Authorization="Bearer wrong"), 401),
        (ask("/api/pull", {"model": "smollm2"}, Authorization="Bearer use"), 403),
        (ask("/api/delete", {"model": "tiny"}, method="DELETE", Authorization="Bearer use"), 403),
        (ask("/api/tags", Host="evil.example"), 403),
        (ask("/api/nothing", Authorization="Bearer use"), 404),
        (ask("/api/chat", Authorization="Bearer use"), 405),
        (ask("/api/generate", b"{", Authorization="Bearer use"), 400),
        (ask("/api/generate", {**body, "model": "smollm2"}, Authorization="Bearer use"), 404),
        (ask("/api/generate", {**body, "model": "llama3.2:1b"}, Authorization="Bearer use"), 404),
    ):
        assert answer.status == status, answer.text
        assert set(answer.json) == {"error"}
        assert isinstance(answer.json["error"], str)
    with ollama.Client(host=f"http://127.0.0.1:{ask.port}", headers={"Authorization": "Bearer use"}) as client:
        assert client.generate("tiny", "a", options=EXACT).eval_count == 12


def test_an_error_in_a_stream_is_its_last_line(ask: Asker, router: trillm.LLMRouter, tiny_model: Path) -> None:
    body = {"model": "tiny", "prompt": "the", "raw": True, "options": {"temperature": 2.0, "num_predict": 480}}
    answer = broken_off(router, tiny_model, lambda: ask("/api/generate", body), lambda line: '"error"' in line)
    last = json.loads(answer.text.splitlines()[-1])
    assert set(last) == {"error"}
    assert "closed" in last["error"]
    assert ask("/api/generate", {"model": "tiny", "prompt": "a", "options": EXACT}).status == 200
