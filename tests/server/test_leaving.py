"""Clients that leave before the end take along what was done for them."""

from __future__ import annotations

import json
import select
import socket
from pathlib import Path
from typing import Any

import pytest
import trillm
from trillm._core import CHUNK, Store
from web import Fault, Request, Web

from .asking import Asker
from .waiting import until

LONG: dict[str, Any] = {"temperature": 2.0, "stream": True}
CHAT: dict[str, Any] = {"messages": [{"role": "user", "content": "the"}]}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/generate", {"prompt": "the", "raw": True, "options": {"temperature": 2.0}}),
        ("/api/generate", {"prompt": "the", "raw": True, "options": {"temperature": 2.0}, "stream": False}),
        ("/api/chat", {**CHAT, "options": {"temperature": 2.0}}),
        ("/v1/messages", {**CHAT, **LONG, "max_tokens": 480}),
        ("/v1/messages", {**CHAT, **LONG, "max_tokens": 480, "stream": False}),
        ("/v1/responses", {"input": "the", **LONG}),
        ("/v1/responses", {"input": "the", **LONG, "stream": False}),
    ],
)
def test_a_client_that_leaves_takes_its_request_along(
    ask: Asker, model: trillm.RoutedModel, path: str, body: dict[str, Any]
) -> None:
    sent = json.dumps({"model": "tiny", **body})
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {len(sent)}\r\n\r\n"

    def cancels() -> bool:
        """Whether the model hears of it; random weights may have ended before."""
        before = model.stats()["cancelled"]
        with socket.create_connection(("127.0.0.1", ask.port)) as client:
            client.sendall((head + sent).encode())
            until(lambda: model.stats()["running"] > 0 or select.select([client], [], [], 0)[0] != [])
        until(lambda: model.stats()["running"] == 0)
        return bool(model.stats()["cancelled"] > before)

    until(cancels)


def test_a_client_that_leaves_ends_its_download(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HF_HUB_OFFLINE", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with (
        Web() as web,
        trillm.LLMRouter(cache_directory=tmp_path, models_directory=tmp_path) as router,
        router.serve(port=0) as server,
    ):
        # More behind the weights than the one chunk that comes.
        web.put("/model.gguf", tiny_model.read_bytes() + bytes(2 * CHUNK), etag='"one"')

        def comes(request: Request) -> bool:
            return request.headers.get("Range", "").startswith("bytes=0-")

        web.faults = lambda request: None if comes(request) else Fault(stall=5)
        sent = json.dumps({"model": f"{web.url}/model.gguf"})
        head = f"POST /api/pull HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(sent)}\r\n\r\n"
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            client.sendall((head + sent).encode())
            until(lambda: not all(map(comes, web.asked())) and web.under_way > 0)
        until(lambda: web.under_way == 0)
        assert Store(tmp_path).list() == ([], [])
