"""The guide's own routes, and what a server tells of itself."""

from __future__ import annotations

import gc
import http.client
import json
import os
import re
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import trillm
from trillm.errors import InvalidRequest

from .asking import Answer, Asker
from .waiting import until


def test_generate_answers_with_figures(ask: Asker, model: trillm.RoutedModel) -> None:
    wanted = {"model": "tiny", "prompt": "the man", "maxTokens": 6, "temperature": 0}
    answer = ask("/generate", wanted)
    assert answer.status == 200
    expected = model.generate("the man", max_tokens=6, temperature=0)
    assert (answer.json["text"], answer.json["finish_reason"]) == (expected.text, "length")
    assert answer.json["usage"]["completion_tokens"] == 6
    assert answer.json["latency"] > 0
    assert answer.json["stats"]["uptime"] > 0


def test_a_missing_field_is_named(ask: Asker) -> None:
    for body, field in (
        ({"prompt": "x"}, "model"),
        ({"model": "tiny"}, "prompt"),
        ({"model": "", "prompt": "x"}, "model"),
    ):
        answer = ask("/generate", body)
        assert answer.status == 400
        assert answer.json["error"].startswith(f"{field} is missing")
        assert answer.json["param"] == field


def test_health_tells_of_models_and_requests(serve: Callable[..., Asker]) -> None:
    ask = serve()
    assert ask("/generate", {"model": "tiny", "prompt": "a", "max_tokens": 1}).status == 200
    assert ask("/generate", {"model": "tiny"}).status == 400
    health = ask("/health").json
    assert health["status"] == "healthy"
    assert [it["name"] for it in health["models"]] == ["tiny"]
    stats = health["stats"]
    assert (stats["requests"], stats["errors"], stats["error_rate"]) == (2, 1, 50.0)
    assert stats["average_latency"] > 0
    assert (ask("/livez").text, ask("/readyz").text) == ("ok", "ok")


def test_models_are_loaded_and_unloaded_by_name(ask: Asker, router: trillm.LLMRouter) -> None:
    assert [it["name"] for it in ask("/models").json["available"]] == ["tiny"]
    assert ask("/models/tiny/unload", {}).status == 200
    assert (ask("/models").json["loaded"], router.loaded()) == ([], [])
    gone = ask("/models/tiny/unload", {})
    assert (gone.status, gone.json["code"]) == (404, "not_loaded")
    assert ask("/models/tiny/load", {}).json["message"] == "model tiny is loaded"
    assert [it["name"] for it in ask("/models").json["loaded"]] == ["tiny"]
    assert ask("/models/hf%3Ano%2Fsuch/load", {}).status == 404
    assert ask("/models/tiny/dance", {}).status == 404
    # It is loaded when it is asked for, too.
    assert ask("/models/tiny/unload", {}).status == 200
    assert ask("/generate", {"model": "tiny", "prompt": "a", "max_tokens": 1}).status == 200


def test_metrics_are_in_the_format_of_prometheus(ask: Asker) -> None:
    assert ask("/generate", {"model": "tiny", "prompt": "a", "max_tokens": 3}).status == 200
    answer = ask("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    line = re.compile(r'(# (HELP|TYPE) trillm_\w+ .+|trillm_\w+(\{model="tiny"(,quantile="[0-9.]+")?\})? [0-9.e+-]+)')
    lines = answer.text.splitlines()
    assert [text for text in lines if not line.fullmatch(text)] == []
    found = dict(text.rsplit(" ", 1) for text in lines if not text.startswith("#"))
    assert float(found['trillm_generated_tokens_total{model="tiny"}']) >= 3
    assert float(found["trillm_http_requests_total"]) >= 1
    assert float(found['trillm_first_token_seconds_count{model="tiny"}']) >= 1
    assert float(found['trillm_request_seconds{model="tiny",quantile="0.5"}']) > 0


def test_a_client_that_leaves_takes_its_request_along(ask: Asker, model: trillm.RoutedModel) -> None:
    before = model.stats()["cancelled"]
    for streams in (False, True):
        with socket.create_connection(("127.0.0.1", ask.port)) as client:
            client.sendall(endless(stream=streams))
            until(lambda: model.stats()["running"] > 0)
        until(lambda: model.stats()["running"] == 0)
    assert model.stats()["cancelled"] == before + 2


def test_who_stops_reading_holds_nobody_up(ask: Asker) -> None:
    held = []
    try:
        for _ in range(8):
            client = socket.socket()
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            client.connect(("127.0.0.1", ask.port))
            client.sendall(endless(stream=True))
            held.append(client)
        for _ in range(4):
            assert ask("/generate", {"model": "tiny", "prompt": "a", "max_tokens": 4}).status == 200
    finally:
        for client in held:
            client.close()


def test_stopping_lets_those_that_run_end(router: trillm.LLMRouter, tiny_model: object) -> None:
    server = router.serve(models=[tiny_model], port=0)
    ask, answers = Asker(server.port), []
    body = {"model": "tiny", "prompt": "the", "max_tokens": 200, "ignore_eos": True}
    thread = threading.Thread(target=lambda: answers.append(ask("/v1/completions", body)))
    thread.start()
    until(lambda: router.stats()["models"][str(tiny_model)]["running"] > 0)
    server.stop()
    thread.join()
    assert answers[0].status == 200
    assert answers[0].json["usage"]["completion_tokens"] == 200
    # Harmless when called again, and nobody listens any more.
    server.stop()
    with socket.socket() as client:
        assert client.connect_ex(("127.0.0.1", server.port)) != 0


def test_stopping_waits_for_the_end_whoever_waits(router: trillm.LLMRouter, tiny_model: object) -> None:
    server = router.serve(models=[tiny_model], port=0)
    ask = Asker(server.port)
    answers: list[Answer] = []
    ended: list[list[Answer]] = []
    body = {"model": "tiny", "prompt": "the", "max_tokens": 300, "ignore_eos": True}

    def wait() -> None:
        server.wait()
        ended.append(list(answers))

    threads = [
        threading.Thread(target=wait),
        threading.Thread(target=lambda: answers.append(ask("/v1/completions", body))),
    ]
    for thread in threads:
        thread.start()
    until(lambda: router.stats()["models"][str(tiny_model)]["running"] > 0)
    others = [threading.Thread(target=server.stop) for _ in range(3)]
    for thread in others:
        thread.start()
    for thread in threads + others:
        thread.join()
    assert answers[0].json["usage"]["completion_tokens"] == 300
    assert len(ended) == 1


def test_two_models_cannot_have_one_name(router: trillm.LLMRouter, tiny_model: Path, tmp_path: Path) -> None:
    for name in ("other/tiny.gguf", "smollm2.gguf"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(tiny_model.read_bytes())
        with pytest.raises(InvalidRequest, match=r"clients would call .* and so they call") as caught:
            router.serve(models=[tiny_model, path], port=0)
        assert caught.value.code == "name_taken"


def test_a_model_that_is_loaded_later_has_its_files_name(
    router: trillm.LLMRouter, ask: Asker, tiny_model: Path, tmp_path: Path
) -> None:
    path = tmp_path / "later.gguf"
    path.write_bytes(tiny_model.read_bytes())
    assert ask("/generate", {"model": "later", "prompt": "a", "max_tokens": 1}).status == 404
    router.load_model(path, threads=1)
    assert "later" in [it["id"] for it in ask("/v1/models").json["data"]]
    assert str(path) not in ask("/v1/models").text
    assert ask("/generate", {"model": "later", "prompt": "a", "max_tokens": 1}).status == 200
    router.unload_model(path)


def test_a_connection_goes_on_after_a_body_that_nobody_needs(ask: Asker) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", ask.port, timeout=60)
    for _ in range(5):
        connection.request("POST", "/models/tiny/load", b"{}")
        assert connection.getresponse().read()
    connection.close()


def test_nobody_listens_after_the_end_though_a_child_has_the_socket(router: trillm.LLMRouter) -> None:
    server = router.serve(port=0)
    child = os.fork()
    if child == 0:
        time.sleep(60)
        os._exit(0)
    try:
        server.stop()
        with socket.socket() as client:
            assert client.connect_ex(("127.0.0.1", server.port)) != 0
        router.serve(port=server.port).stop()
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_a_server_that_nobody_keeps_goes_on(router: trillm.LLMRouter) -> None:
    port = router.serve(port=0).port
    gc.collect()
    assert Asker(port)("/livez").status == 200


def endless(*, stream: bool) -> bytes:
    """A request for hundreds of tokens."""
    wanted = {"model": "tiny", "prompt": "the", "max_tokens": 450, "ignore_eos": True, "stream": stream}
    body = json.dumps(wanted)
    head = f"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    return (head + body).encode()
