"""Who may ask, and how often: names of the server, pages of others, keys, bounds."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable
from typing import Any

import pytest
import trillm
from trillm import _core
from trillm.errors import InvalidRequest

from .asking import Answer, Asker

CHAT = {"model": "tiny", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 1}


ROUTES = _core.Server.routes()


def whole(path: str) -> str:
    """A path of a route, the rest of which is any."""
    return re.sub(r"\{\*\w+\}", "tiny/load", path).replace("{file}", "main.js")


def said(answer: Answer) -> str:
    """The message of a refusal, in whatever form it is; one to `HEAD` has none."""
    if not answer.text:
        return ""
    error = answer.json["error"]
    return error if isinstance(error, str) else error["message"]


@pytest.mark.parametrize(
    ("method", "path"), [*sorted(route[:2] for route in ROUTES), ("GET", "/nowhere"), ("GET", "/api/x")]
)
def test_another_name_is_refused_on_every_route(ask: Asker, method: str, path: str) -> None:
    answer = ask(whole(path), method=method, Host="evil.example")
    assert answer.status == 403
    assert method == "HEAD" or "the server is not called" in said(answer)
    assert ask("/livez", Host=f"localhost:{ask.port}").status == 200


def test_every_route_wants_its_key(serve: Callable[..., Asker]) -> None:
    ask = serve(api_keys=["user-key"], admin_keys=["admin-key"])
    for method, path, scope in [*ROUTES, ("GET", "/nowhere", "use"), ("POST", "/api/x", "use")]:
        missing = ask(whole(path), method=method)
        wrong = ask(whole(path), method=method, Authorization="Bearer other")
        if scope == "open":
            assert (missing.status, wrong.status) == (200, 200), path
            continue
        assert (missing.status, wrong.status) == (401, 401), path
        assert ("there is no API key" in said(missing), said(wrong)) == (True, "the API key is wrong"), path
        use = ask(whole(path), b"", method=method, Authorization="Bearer user-key")
        assert (use.status == 403) == (scope == "admin"), path
        assert scope != "admin" or "not their management" in said(use), path
    assert {path for _, path, scope in ROUTES if scope == "admin"} == {
        "/api/copy",
        "/api/create",
        "/api/delete",
        "/api/pull",
        "/errors",
        "/logs",
        "/models/{*path}",
        "/stop",
    }


def test_pages_of_others_are_refused_and_those_of_this_machine_are_not(ask: Asker, serve: Callable[..., Asker]) -> None:
    refused = ask("/v1/chat/completions", CHAT, Origin="https://evil.example")
    assert (refused.status, refused.json["error"]["code"]) == (403, "origin_not_allowed")
    assert "access-control-allow-origin" not in refused.headers
    taken = ask("/v1/chat/completions", CHAT, Origin="http://localhost:5173")
    assert (taken.status, taken.headers["access-control-allow-origin"]) == (200, "http://localhost:5173")
    preflight = ask(
        "/v1/chat/completions",
        method="OPTIONS",
        Origin="http://localhost:5173",
        Access_Control_Request_Method="POST",
        Access_Control_Request_Headers="content-type,authorization,x-stainless-lang",
    )
    assert preflight.status == 200
    assert "authorization" in preflight.headers["access-control-allow-headers"].lower()
    assert "x-stainless-lang" in preflight.headers["access-control-allow-headers"].lower()
    assert "x-request-id" in taken.headers["access-control-expose-headers"]
    other = serve(cors_origins=["https://chat.example"])
    assert other("/v1/models", Origin="https://chat.example").status == 200
    assert other("/v1/models", Origin="https://evil.example").status == 403


def test_a_key_opens_what_it_is_for(serve: Callable[..., Asker]) -> None:
    ask = serve(api_keys=["user-key"], admin_keys=["admin-key"])
    assert ask("/livez").status == 200
    for headers in (
        {"Authorization": "Bearer user-key"},
        {"x_api_key": "user-key"},
        {"Authorization": "bearer admin-key"},
    ):
        assert ask("/v1/models", **headers).status == 200
    assert ask("/models/tiny/load", {}, Authorization="Bearer user-key").status == 403
    assert ask("/models/tiny/load", {}, Authorization="Bearer admin-key").status == 200


def test_beyond_this_machine_it_wants_a_key(router: trillm.LLMRouter) -> None:
    with pytest.raises(InvalidRequest, match="can be reached from other machines") as caught:
        router.serve(host="0.0.0.0", port=0)
    assert caught.value.code == "no_api_key"
    with router.serve(host="0.0.0.0", port=0, api_keys=["k"]) as server:
        assert Asker(server.port)("/v1/models", Authorization="Bearer k").status == 200


def test_who_asks_too_often_is_told_when_to_come_back(serve: Callable[..., Asker]) -> None:
    ask = serve(rate_limit=3, rate_limit_loopback=True)
    answers = [ask("/v1/models") for _ in range(5)]
    assert [answer.status for answer in answers] == [200, 200, 200, 429, 429]
    assert [answer.headers["x-ratelimit-remaining-requests"] for answer in answers] == ["2", "1", "0", "0", "0"]
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 60
    assert answers[-1].json["error"]["type"] == "rate_limit_error"
    # Whether it lives may be asked at any time.
    assert ask("/livez").status == 200
    many = serve()
    assert [many("/v1/models").status for _ in range(70)] == [200] * 70


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "invalid_json"),
        (b"{", 400, "invalid_json"),
        (b"[]", 400, "invalid_json"),
        (b"\xff\xfe", 400, "invalid_json"),
        (b"[" * 100_000, 400, "invalid_json"),
        (json.dumps({"model": "tiny"}).encode(), 400, "invalid_json"),
        (json.dumps({**CHAT, "model": "x" * 100_000}).encode(), 400, "invalid_reference"),
        (json.dumps({**CHAT, "model": ""}).encode(), 400, "invalid_reference"),
        (json.dumps({**CHAT, "model": "hf:no/such"}).encode(), 404, None),
        (json.dumps({**CHAT, "messages": []}).encode(), 400, "invalid_parameter"),
        (b" " * (1 << 20) + b"x" * (1 << 20), 413, "body_too_large"),
    ],
)
def test_what_is_no_request_is_refused(serve: Callable[..., Asker], body: bytes, status: int, code: str | None) -> None:
    answer = serve(max_body=1 << 20)("/v1/chat/completions", body)
    assert answer.status == status, answer.text
    assert code is None or answer.json["error"]["code"] == code


def test_requests_have_names_and_unknown_fields_are_told(ask: Asker) -> None:
    answer = ask("/v1/chat/completions", {**CHAT, "shape": "round", "top_k": 1}, X_Request_Id="mine")
    assert (answer.status, answer.headers["x-request-id"]) == (200, "mine")
    assert answer.headers["x-ignored-fields"] == "shape"
    names = {ask("/livez").headers["x-request-id"] for _ in range(3)}
    assert len(names) == 3


def test_many_unknown_fields_hold_nobody_up(ask: Asker) -> None:
    """Reading them took time by the square of their number, on a thread that others wait for."""
    body = {**CHAT, **{f"field{number}": number for number in range(100_000)}}
    answer = ask("/v1/chat/completions", body)
    assert answer.status == 200
    assert len(answer.headers["x-ignored-fields"]) <= 512


def test_a_key_for_use_has_nothing_fetched(serve: Callable[..., Asker]) -> None:
    ask = serve(api_keys=["use"], admin_keys=["admin"])
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.5)
        port = listener.getsockname()[1]
        for name in (
            f"http://127.0.0.1:{port}/x.gguf#sha256={'0' * 64}",
            f"ollama:127.0.0.1:{port}/library/x",
            "hf:no/such",
            "smollm2",
            f"smollm2@sha256:{'0' * 64}",
        ):
            answer = ask("/v1/chat/completions", {**CHAT, "model": name}, Authorization="Bearer use")
            assert (answer.status, answer.json["error"]["code"]) == (404, "model_not_found"), name
        with pytest.raises(TimeoutError):
            listener.accept()
    assert ask("/v1/chat/completions", CHAT, Authorization="Bearer use").status == 200


def test_wrong_keys_are_counted(serve: Callable[..., Asker]) -> None:
    ask = serve(api_keys=["right"], rate_limit=3, rate_limit_loopback=True)
    assert [ask("/v1/models", Authorization="Bearer wrong").status for _ in range(5)] == [401, 401, 401, 429, 429]
    # Who has a key is counted by it.
    assert ask("/v1/models", Authorization="Bearer right").status == 200


def test_whether_it_lives_may_be_asked_without_a_name(ask: Asker) -> None:
    for path, status in ((b"/livez", b" 200 "), (b"/health", b" 403 ")):
        with socket.create_connection(("127.0.0.1", ask.port)) as client:
            client.sendall(b"GET " + path + b" HTTP/1.0\r\n\r\n")
            assert status in client.recv(1024)


def test_several_hosts_are_refused(ask: Asker) -> None:
    with socket.create_connection(("127.0.0.1", ask.port)) as client:
        client.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
        assert b" 400 " in client.recv(1024)


def test_what_is_not_there_and_wrong_methods(ask: Asker) -> None:
    assert (ask("/nowhere").status, ask("/nowhere").json["error"]["code"]) == (404, "unknown_route")
    for path, method in (
        ("/v1/models", "DELETE"),
        ("/generate", "GET"),
        ("/api/chat", "GET"),
        ("/v1/messages", "PUT"),
        ("/v1/chat/completions", "GET"),
    ):
        answer = ask(path, method=method)
        assert answer.status == 405
        assert "is no method of" in said(answer)


def test_settings_that_mean_nothing_are_errors(router: trillm.LLMRouter) -> None:
    def refused(settings: Any, text: str) -> None:
        with pytest.raises(InvalidRequest, match=text):
            router.serve(**{"port": 0, **settings})

    refused({"host": "example.com"}, "host is .*expected an address")
    refused({"api_keys": "key"}, "api_keys is 'key', expected a list of texts")
    refused({"api_keys": [""]}, "api_keys is .*expected a list of texts, none of them empty")
    refused({"api_keys": [1]}, "api_keys is .*expected a list of texts")
    refused({"hosts": "abc"}, "hosts is 'abc', expected a list of texts")
    refused({"models": "smollm2"}, "models is 'smollm2', expected a list")
    refused({"port": 70_000}, "port is 70000, expected a whole number, 0 to 65535")
    refused({"port": True}, "port is True, expected a whole number")
    refused({"rate_limit": 0}, "rate_limit is 0, expected a whole number, 1 to")
    refused({"max_requests": 2**62}, "max_requests is .*expected a whole number, 1 to 1048576")
    refused({"max_body": 0}, "max_body is 0, expected")
    refused({"max_bodies": 0}, "max_bodies is 0, expected a whole number")
    refused({"client_timeout": 0}, "client_timeout is 0, expected seconds, more than 0")
    refused({"client_timeout": float("nan")}, "client_timeout is nan, expected seconds, more than 0")
    refused({"client_timeout": 1e300}, "client_timeout is .*, expected seconds")
    refused({"drain": -1.0}, "drain is -1, expected seconds")
    with router.serve(port=0) as server, pytest.raises(InvalidRequest, match="cannot listen at") as caught:
        router.serve(port=server.port)
    assert caught.value.code == "cannot_listen"
