"""What no client of a protocol sends: every field with every kind of value, on every route that takes a body."""

from __future__ import annotations

from typing import Any

import pytest
from trillm import _core

from .asking import Asker

CHAT = [{"role": "user", "content": "the"}]
BODIES: dict[str, dict[str, Any]] = {
    "/generate": {"prompt": "the", "max_tokens": 1, "temperature": 0, "stop": ["x"], "seed": 1},
    "/v1/chat/completions": {"messages": CHAT, "max_tokens": 1, "n": 1, "stop": "x", "stream_options": {}},
    "/v1/completions": {"prompt": "the", "max_tokens": 1, "n": 1, "logprobs": 1, "suffix": ""},
    "/v1/embeddings": {"input": "the", "encoding_format": "float"},
    "/v1/responses": {
        "input": [{"role": "user", "content": [{"type": "input_text", "text": "the"}]}],
        "max_output_tokens": 1,
        "instructions": "x",
        "metadata": {},
        "text": {"format": {"type": "text"}},
        "tools": [],
        "store": True,
    },
    "/v1/messages": {
        "messages": [{"role": "user", "content": [{"type": "text", "text": "the"}]}],
        "max_tokens": 1,
        "system": [{"type": "text", "text": "x"}],
        "stop_sequences": ["x"],
        "tools": [],
        "thinking": {"type": "disabled"},
    },
    "/v1/messages/count_tokens": {"messages": CHAT, "system": "x", "tool_choice": {"type": "none"}},
    "/tokenize": {"content": "the", "add_special": True, "with_pieces": True},
    "/detokenize": {"tokens": [1, 2]},
    "/apply-template": {"messages": CHAT, "add_generation_prompt": True, "chat_template_kwargs": {}},
    "/rerank": {"query": "the", "documents": ["a", "b"], "top_n": 1, "return_documents": True},
    "/v1/rerank": {"query": "the", "documents": ["a"]},
    "/api/generate": {
        "prompt": "the",
        "system": "",
        "raw": True,
        "options": {"num_predict": 1, "num_ctx": 64, "stop": ["x"], "seed": 1, "temperature": 0},
        "keep_alive": "5m",
        "images": [],
        "context": [],
        "format": "",
    },
    "/api/chat": {"messages": CHAT, "options": {"num_predict": 1}, "keep_alive": 60, "tools": [], "think": False},
    "/api/embed": {"input": ["the"], "truncate": True, "keep_alive": 60},
    "/api/embeddings": {"prompt": "the", "keep_alive": 60},
    "/api/show": {},
    "/api/pull": {"insecure": False, "stream": False},
    "/api/delete": {},
    "/api/copy": {"source": "tiny", "destination": "x/y"},
    "/api/create": {"from": "tiny", "parameters": {"temperature": 0}, "system": "x", "stream": False},
}
STRANGE: list[Any] = [None, True, -1, 1.5, 1e300, 1 << 63, "", "\0", "x" * 10_000, [], [None], [[]], {}, {"type": 1}]


def changed(value: Any, strange: Any) -> list[Any]:
    """The value with each of its parts replaced, one at a time."""
    found = [strange]
    if isinstance(value, dict):
        found += [{**value, key: other} for key in value for other in changed(value[key], strange)]
    if isinstance(value, list):
        found += [
            [*value[:at], other, *value[at + 1 :]] for at in range(len(value)) for other in changed(value[at], strange)
        ]
    return found


def test_every_route_with_a_body_is_here() -> None:
    takes = {path for method, path, _ in _core.Server.routes() if method in ("POST", "DELETE")}
    assert takes - set(BODIES) == {"/models/{*path}", "/stop"}


@pytest.mark.parametrize("path", BODIES)
def test_no_value_of_a_field_is_an_error_of_the_servers(ask: Asker, path: str) -> None:
    method = "DELETE" if path == "/api/delete" else "POST"
    body = {"model": "tiny", **BODIES[path]}
    for strange in STRANGE:
        for sent in changed(body, strange):
            answer = ask(path, sent, method=method)
            assert answer.status in (200, 400, 404), (sent, answer.text)
            if answer.status != 200:
                assert answer.json["error"], sent
