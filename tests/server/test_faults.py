"""Clients that are slow, send too much, or leave; and what a server does when it has to end or has no room."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import trillm
from trillm.errors import InvalidRequest

from .asking import Answer, Asker
from .raw import Raw

CHAT = {"model": "tiny", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 1}


@pytest.fixture(scope="module")
def long_model(write_model: Callable[..., None], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that goes on for thousands of tokens."""
    path = tmp_path_factory.mktemp("models") / "long.gguf"
    write_model("tiny", path, "--context", "16384")
    return path


@contextmanager
def running(ask: Asker, router: trillm.LLMRouter, long_model: Path, **more: Any) -> Iterator[list[Answer]]:
    """Somebody uses the long model meanwhile, for as long as it takes; what that came to."""
    router.load_model(long_model, threads=1, context=16384, parallel=2)
    body = {"model": "long", "prompt": "the", "max_tokens": 16_000, "ignore_eos": True, "temperature": 0, **more}
    answers: list[Answer] = []

    def generated() -> int:
        count: int = router.stats()["models"][str(long_model)]["generated_tokens"]
        return count

    before = generated()
    thread = threading.Thread(target=lambda: answers.append(ask("/v1/completions", body)))
    thread.start()
    until(lambda: generated() > before)
    yield answers
    thread.join()


def until(done: Callable[[], bool]) -> None:
    """Waits for something that comes soon."""
    end = time.monotonic() + 30
    while not done():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_headers_that_do_not_come_end_the_connection(serve: Callable[..., Asker]) -> None:
    ask = serve(client_timeout=0.3)
    for begun in (b"", b"GET /livez HTTP/1.1\r\nHost: loc"):
        with Raw(ask.port) as client:
            client.send(begun)
            assert b"200" not in client.rest()
    # A byte now and then is no more than none; nor does a connection that was used stay for longer.
    with Raw(ask.port) as client:
        client.head("/livez", 0, method="GET")
        assert client.answer()[2] == b"ok"
        client.send(b"GET /livez HTTP/1.1\r\n")
        sender = threading.Thread(target=trickle, args=(client,))
        sender.start()
        assert b"200" not in client.rest()
        sender.join()
    assert ask("/livez").status == 200


def test_a_body_that_trickles_is_given_up(serve: Callable[..., Asker]) -> None:
    ask = serve(client_timeout=0.3)
    with Raw(ask.port) as client:
        client.head("/v1/chat/completions", 1000)
        sender = threading.Thread(target=trickle, args=(client,))
        sender.start()
        status, headers, body = client.answer()
        assert (status, json.loads(body)["error"]["code"]) == (408, "body_timeout")
        assert headers["connection"] == "close"
        sender.join()


def trickle(client: Raw) -> None:
    """Sends a byte now and then, until nobody takes it any more."""
    try:
        for _ in range(60):
            client.send(b"x")
            time.sleep(0.05)
    except OSError:
        pass


@pytest.mark.parametrize("expecting", [(), ("Expect: 100-continue",)])
def test_a_body_that_is_said_to_be_too_large_is_not_waited_for(ask: Asker, expecting: tuple[str, ...]) -> None:
    with Raw(ask.port) as client:
        client.head("/v1/chat/completions", 99_999_999_999, *expecting)
        status, _, body = client.answer()
        assert (status, json.loads(body)["error"]["code"]) == (413, "body_too_large")


def test_bodies_of_all_requests_have_one_bound(serve: Callable[..., Asker]) -> None:
    ask = serve(max_body=1 << 20, max_bodies=1 << 20)
    with ExitStack() as stack:
        clients = [stack.enter_context(Raw(ask.port)) for _ in range(2)]
        for client in clients:
            client.head("/v1/chat/completions", 600_000)
        clients[0].send(b" " * 590_000)
        until(lambda: taken(ask) > 0)
        clients[1].send(b" " * 590_000)
        status, headers, body = clients[1].answer()
        assert (status, json.loads(body)["error"]["code"]) == (503, "overloaded")
        assert headers["retry-after"] == "1"
        # What is small goes on.
        assert ask("/v1/chat/completions", CHAT).status == 200
        # What had room is read to its end, and gives it back.
        clients[0].send(b"x" * 10_000)
        assert clients[0].answer()[0] == 400
    until(lambda: taken(ask) == 0)
    large = {**CHAT, "unknown": "x" * 900_000}
    assert ask("/v1/chat/completions", large).status == 200


def taken(ask: Asker) -> float:
    """Bytes of bodies that are being read."""
    found = [line for line in ask("/metrics").text.splitlines() if line.startswith("trillm_http_body_bytes ")]
    return float(found[0].split(" ")[1])


def test_a_body_that_nobody_reads_does_not_end_the_connection_in_silence(ask: Asker) -> None:
    with Raw(ask.port) as client:
        for path, method, code in (
            ("/nowhere", "POST", "unknown_route"),
            ("/v1/models", "POST", "wrong_method"),
            ("/livez", "PUT", "wrong_method"),
        ):
            client.head(path, 300_000, method=method)
            client.send(b"x" * 300_000)
            _, headers, body = client.answer()
            assert json.loads(body)["error"]["code"] == code
            assert "connection" not in headers
        # The next request on it is read where it begins.
        client.head("/livez", 0, method="GET")
        assert client.answer()[2] == b"ok"


def test_a_body_that_does_not_come_is_said_to_end_the_connection(serve: Callable[..., Asker]) -> None:
    ask = serve(max_body=1000)
    for more, sent in (((), b"x" * 2000), (("Expect: 100-continue",), b"")):
        with Raw(ask.port) as client:
            client.head("/nowhere", 1_000_000, *more)
            client.send(sent)
            status, headers, _ = client.answer()
            assert (status, headers["connection"]) == (404, "close")


def test_a_stream_ends_with_an_error_when_the_time_to_drain_is_over(
    router: trillm.LLMRouter, model: trillm.RoutedModel, tiny_model: Path, long_model: Path
) -> None:
    assert model.name == str(tiny_model)
    for stream in (True, False):
        server = router.serve(models=[tiny_model], port=0, drain=0.1)
        with running(Asker(server.port), router, long_model, stream=stream) as answers:
            server.stop()
        (answer,) = answers
        if stream:
            assert answer.status == 200
            assert answer.events[-1]["error"]["code"] == "stopping"
            assert "[DONE]" not in answer.text
        else:
            assert (answer.status, answer.json["error"]["code"]) == (503, "stopping")
            assert answer.headers["retry-after"] == "1"
        until(lambda: router.stats()["models"][str(long_model)]["running"] == 0)
    router.unload_model(long_model)


def test_unloading_waits_for_a_while_or_not_at_all(
    router: trillm.LLMRouter, serve: Callable[..., Asker], long_model: Path
) -> None:
    ask = serve()
    with running(ask, router, long_model) as answers:
        busy = ask("/models/long/unload?timeout=0.2", {})
        assert (busy.status, busy.json["code"]) == (409, "busy")
        assert busy.json["error"].startswith("long is in use by 1; try again")
        assert int(busy.headers["retry-after"]) >= 1
        # It goes on as before.
        assert str(long_model) in router.loaded()
        assert answers == []
        for wrong in ("force=maybe", "timeout=x", "timeout=-1"):
            assert ask(f"/models/long/unload?{wrong}", {}).json["code"] == "invalid_parameter"
        assert ask("/models/long/unload?force=true", {}).status == 200
    assert answers[0].status == 503
    assert str(long_model) not in router.loaded()


def test_a_model_is_kept_from_going(ask: Asker, router: trillm.LLMRouter, tiny_model: Path) -> None:
    for what, is_pinned in (("pin", True), ("unpin", False)):
        assert ask(f"/models/tiny/{what}", {}).status == 200
        assert router.stats()["models"][str(tiny_model)]["pinned"] is is_pinned
    assert ask("/models/none/pin", {}).status == 404


def test_a_plan_is_that_of_the_router(ask: Asker, router: trillm.LLMRouter, tiny_model: Path) -> None:
    plan, expected = ask("/models/tiny/plan").json, router.plan(str(tiny_model))
    assert (plan["total"], plan["private"], plan["cache"]) == (expected.total, expected.private, expected.cache)
    assert (plan["engine"], plan["verdict"]) == ("llama", expected.verdict)
    missing = ask("/models/hf%3Ano%2Fsuch/plan")
    assert (missing.status, missing.json["code"]) == (404, "model_not_found")


def test_paths_that_are_no_text_are_refused_in_the_form_of_their_route(ask: Asker) -> None:
    for path, method in (("/v1/models/%ff", "GET"), ("/models/%ff/load", "POST"), ("/models/%ff/plan", "GET")):
        answer = ask(path, method=method)
        code = answer.json["code"] if "code" in answer.json else answer.json["error"]["code"]
        assert (answer.status, code) == (400, "invalid_path"), path


def test_embeddings_take_tokens(ask: Asker, model: trillm.RoutedModel) -> None:
    texts = ["the man", "a"]
    tokens = [model.tokenize(text) for text in texts]

    def vectors(given: Any) -> list[list[float]]:
        answer = ask("/v1/embeddings", {"model": "tiny", "input": given})
        assert answer.status == 200, answer.text
        return [entry["embedding"] for entry in answer.json["data"]]

    expected = vectors(texts)
    assert vectors(tokens) == expected
    assert vectors(tokens[0]) == expected[:1]
    for given, code in (([], "invalid_parameter"), ([[]], "invalid_parameter"), ([5000], "invalid_parameter")):
        answer = ask("/v1/embeddings", {"model": "tiny", "input": given})
        assert (answer.status, answer.json["error"]["code"]) == (400, code), given
    answer = ask("/v1/embeddings", {"model": "tiny", "input": [1] * 600})
    assert (answer.status, answer.json["error"]["code"]) == (400, "context_length_exceeded")


def test_models_that_cannot_all_be_loaded_are_an_error_at_the_start(tiny_model: Path, tmp_path: Path) -> None:
    paths = []
    for name in ("one", "two"):
        paths.append(tmp_path / f"{name}.gguf")
        paths[-1].write_bytes(tiny_model.read_bytes())
    options: Any = {"cache_directory": tmp_path, "download_on_demand": False, "max_models_loaded": 1}
    with trillm.LLMRouter(**options) as router:
        with pytest.raises(InvalidRequest, match=r"models is 2 models, and .*one.gguf went for another") as caught:
            router.serve(models=paths, port=0)
        assert caught.value.code == "too_many_models"
        router.serve(models=[paths[0], paths[0]], port=0).stop()


class Elsewhere(BaseHTTPRequestHandler):
    """A host with models that answers by the number in a path, or not at all."""

    def do_GET(self) -> None:
        """Answers, or waits until nobody listens."""
        status = int(self.path.split("/")[1])
        if status == 0:
            self.connection.settimeout(60)
            self.connection.recv(1)
            return
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


def test_what_does_not_come_is_told_from_what_is_not_there(tmp_path: Path) -> None:
    options: Any = {"cache_directory": tmp_path, "retry_attempts": 0, "download_timeout": 1}
    with ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere) as web:
        web.daemon_threads = True
        threading.Thread(target=web.serve_forever, daemon=True).start()
        with trillm.LLMRouter(**options) as router, router.serve(port=0) as server:
            ask = Asker(server.port)
            for found, status, code in (
                (404, 404, "model_not_found"),
                (403, 502, "access_denied"),
                (500, 502, "download_failed"),
                (0, 503, "download_timeout"),
            ):
                name = f"http://127.0.0.1:{web.server_port}/{found}/x.gguf#sha256={'0' * 64}"
                answer = ask("/v1/chat/completions", {**CHAT, "model": name})
                assert (answer.status, answer.json["error"]["code"]) == (status, code), answer.text
                assert ("retry-after" in answer.headers) == (status == 503)
            # Offline, what is not here is not there.
            router.update_config(download_on_demand=False)
            assert ask("/v1/chat/completions", {**CHAT, "model": "hf:some/model"}).status == 404
        web.shutdown()


def test_the_log_has_a_line_for_each_request_and_no_text(ask: Asker) -> None:
    start = ask("/logs").json["next"]
    body = {**CHAT, "messages": [{"role": "user", "content": "a secret"}], "max_tokens": 3, "temperature": 0}
    for stream in (False, True):
        assert ask("/v1/chat/completions", {**body, "stream": stream}, X_Request_Id=f"mine-{stream}").status == 200
    assert ask("/v1/chat/completions", {**body, "model": "hf:no/such"}).status == 404
    assert ask("/livez").status == 200

    def logged() -> list[Any]:
        lines = ask(f"/logs?from={start}").json["lines"]
        assert "/livez" not in [it["route"] for it in lines]
        return [it for it in lines if it["route"] == "/v1/chat/completions"]

    until(lambda: len(logged()) == 3)
    lines = logged()
    said = [(it["id"], it["method"], it["status"], it["model"], it["completion_tokens"], it["error"]) for it in lines]
    assert said[:2] == [("mine-False", "POST", 200, "tiny", 3, None), ("mine-True", "POST", 200, "tiny", 3, None)]
    assert said[2][2:5] == (404, "hf:no/such", 0)
    assert said[2][5] is not None
    assert all(it["seconds"] > 0 and it["prompt_tokens"] >= 0 for it in lines)
    assert lines[0]["prompt_tokens"] == lines[1]["prompt_tokens"] > 0
    assert "secret" not in json.dumps(lines)
    assert ask("/logs?from=x").json["error"]["code"] == "invalid_parameter"
