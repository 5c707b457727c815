"""`langchain-openai` against the server: what it gets is what the model says without it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import numpy as np
import openai
import pytest
import trillm

MESSAGES: list[Any] = [{"role": "user", "content": "the man"}]
EXACT: dict[str, Any] = {"temperature": 0, "max_tokens": 12}


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """It tells nobody what it does."""
    for name in ("LANGSMITH_TRACING", "LANGCHAIN_TRACING_V2"):
        monkeypatch.setenv(name, "false")


@pytest.fixture
def settings(server: trillm.Server) -> Iterator[dict[str, Any]]:
    """Where it asks, that it tries once, and a connection that is closed: it keeps its own for good."""
    with openai.DefaultHttpxClient() as http:
        url = f"{server.url}/v1"
        yield {"model": "tiny", "base_url": url, "api_key": "none", "max_retries": 0, "http_client": http}


@pytest.fixture
def chat(settings: dict[str, Any]) -> Any:
    """A chat that answers always the same."""
    from langchain_openai import ChatOpenAI

    return ChatOpenAI(**settings, **EXACT)


@pytest.fixture(scope="module")
def expected(model: trillm.RoutedModel) -> str:
    """What the model says."""
    return str(model.chat(MESSAGES, **EXACT).text)


def test_it_invokes(chat: Any, expected: str) -> None:
    said = chat.invoke([("human", "the man")])
    assert said.content == expected
    assert (said.response_metadata["finish_reason"], said.usage_metadata["output_tokens"]) == ("length", 12)


def test_it_streams(chat: Any, expected: str) -> None:
    assert "".join(chunk.content for chunk in chat.stream("the man")) == expected
    chunks = list(chat.stream("the man", stream_usage=True))
    assert "".join(chunk.content for chunk in chunks) == expected
    assert [chunk.usage_metadata["output_tokens"] for chunk in chunks if chunk.usage_metadata] == [12]


def test_it_streams_in_asyncio(settings: dict[str, Any], expected: str) -> None:
    from langchain_openai import ChatOpenAI

    async def read() -> str:
        async with openai.DefaultAsyncHttpxClient() as http:
            chat = ChatOpenAI(**settings, **EXACT, http_async_client=http)
            return "".join([chunk.text async for chunk in chat.astream("the man")])

    assert asyncio.run(read()) == expected


def test_it_asks_several_at_once(chat: Any, model: trillm.RoutedModel) -> None:
    texts = [f"the man {salt}" for salt in range(4)]
    said = [answer.content for answer in chat.batch(texts)]
    assert said == [model.chat([{"role": "user", "content": text}], **EXACT).text for text in texts]


def test_it_chats_by_responses(settings: dict[str, Any], expected: str) -> None:
    from langchain_openai import ChatOpenAI

    chat = ChatOpenAI(**settings, **EXACT, use_responses_api=True)
    assert chat.invoke("the man").text == expected
    assert "".join(chunk.text for chunk in chat.stream("the man")) == expected


def test_it_embeds(settings: dict[str, Any], model: trillm.RoutedModel) -> None:
    from langchain_openai import OpenAIEmbeddings

    texts = ["the man", "there was nothing"]
    expected = model.embed(texts)
    # Texts are sent as texts, as its documentation has it for servers other than OpenAI's.
    embeddings = OpenAIEmbeddings(**settings, check_embedding_ctx_length=False)
    assert np.allclose(embeddings.embed_documents(texts), expected, atol=1e-6)
    assert np.allclose(embeddings.embed_query(texts[0]), expected[0], atol=1e-6)
