"""OpenAI's own client against the server: what it gets is what the model says without one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import openai
import pytest
import trillm

MESSAGES: list[Any] = [{"role": "user", "content": "the man"}]
EXACT: dict[str, Any] = {"temperature": 0, "max_tokens": 12}


@pytest.fixture(scope="module")
def client(server: trillm.Server) -> Iterator[openai.OpenAI]:
    """OpenAI's client, which tries once."""
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as made:
        yield made


def test_a_chat_says_what_the_model_says(client: openai.OpenAI, model: trillm.RoutedModel) -> None:
    expected = model.chat(MESSAGES, **EXACT)
    said = client.chat.completions.create(model="tiny", messages=MESSAGES, **EXACT)
    assert said.object == "chat.completion"
    assert said.id.startswith("chatcmpl-")
    assert said.model == "tiny"
    (choice,) = said.choices
    assert (choice.message.role, choice.message.content) == ("assistant", expected.text)
    assert choice.finish_reason == expected.finish_reason == "length"
    assert said.usage is not None
    counts = (said.usage.prompt_tokens, said.usage.completion_tokens, said.usage.total_tokens)
    assert counts == (expected.usage.prompt_tokens, 12, expected.usage.prompt_tokens + 12)


@pytest.mark.parametrize("tells_usage", [False, True])
def test_a_stream_joins_to_the_same_text(client: openai.OpenAI, model: trillm.RoutedModel, tells_usage: bool) -> None:
    options: Any = {"stream_options": {"include_usage": True}} if tells_usage else {}
    chunks = list(client.chat.completions.create(model="tiny", messages=MESSAGES, stream=True, **EXACT, **options))
    assert len({(chunk.id, chunk.created, chunk.object) for chunk in chunks}) == 1
    choices = [chunk.choices[0] for chunk in chunks if chunk.choices]
    assert choices[0].delta.role == "assistant"
    assert "".join(choice.delta.content or "" for choice in choices) == model.chat(MESSAGES, **EXACT).text
    assert [choice.finish_reason for choice in choices[:-1]] == [None] * (len(choices) - 1)
    assert choices[-1].finish_reason == "length"
    usages = [chunk.usage for chunk in chunks]
    assert usages[:-1] == [None] * (len(chunks) - 1)
    if tells_usage:
        assert usages[-1] is not None
        assert usages[-1].completion_tokens == 12
        assert chunks[-1].choices == []
    else:
        assert usages[-1] is None


def test_asyncio_streams_too(server: trillm.Server, model: trillm.RoutedModel) -> None:
    async def read() -> list[str]:
        async with openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as client:

            async def one(salt: int) -> str:
                messages: Any = [{"role": "user", "content": f"the man {salt}"}]
                stream = await client.chat.completions.create(model="tiny", messages=messages, stream=True, **EXACT)
                return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

            return await asyncio.gather(*map(one, range(6)))

    expected = [model.chat([{"role": "user", "content": f"the man {salt}"}], **EXACT).text for salt in range(6)]
    assert asyncio.run(read()) == expected


def test_several_answers_have_seeds_that_follow_one_another(client: openai.OpenAI, model: trillm.RoutedModel) -> None:
    said = client.chat.completions.create(model="tiny", messages=MESSAGES, n=3, seed=7, max_tokens=8, temperature=1.0)
    expected = [model.chat(MESSAGES, seed=7 + index, max_tokens=8, temperature=1.0).text for index in range(3)]
    assert [choice.index for choice in said.choices] == [0, 1, 2]
    assert [choice.message.content for choice in said.choices] == expected
    assert said.usage is not None
    assert said.usage.completion_tokens == 24
    chunks = client.chat.completions.create(
        model="tiny", messages=MESSAGES, n=3, seed=7, max_tokens=8, temperature=1.0, stream=True
    )
    texts = ["", "", ""]
    for chunk in chunks:
        texts[chunk.choices[0].index] += chunk.choices[0].delta.content or ""
    assert texts == expected


def test_log_probabilities_are_the_models_own(client: openai.OpenAI, model: trillm.RoutedModel) -> None:
    expected = model.chat(MESSAGES, logprobs=2, **EXACT).logprobs
    assert expected is not None
    said = client.chat.completions.create(model="tiny", messages=MESSAGES, logprobs=True, top_logprobs=2, **EXACT)
    found = said.choices[0].logprobs
    assert found is not None
    assert found.content is not None
    assert len(found.content) == len(expected)
    for ours, theirs in zip(found.content, expected, strict=True):
        assert (ours.token, bytes(ours.bytes or [])) == (theirs.chosen.text, theirs.chosen.bytes)
        assert ours.logprob == pytest.approx(theirs.logprob, abs=1e-5)
        assert [top.token for top in ours.top_logprobs] == [top.text for top in theirs[1]]


def test_stop_bias_and_penalties_count(client: openai.OpenAI, model: trillm.RoutedModel) -> None:
    plain = model.chat(MESSAGES, **EXACT)
    stop = plain.text[3:6]
    said = client.chat.completions.create(model="tiny", messages=MESSAGES, stop=stop, **EXACT).choices[0]
    assert (said.message.content, said.finish_reason) == (model.chat(MESSAGES, stop=[stop], **EXACT).text, "stop")
    first = plain.token_ids[0]
    said = client.chat.completions.create(
        model="tiny", messages=MESSAGES, logit_bias={str(first): -100}, **EXACT
    ).choices[0]
    assert said.message.content == model.chat(MESSAGES, logit_bias={first: -float("inf")}, **EXACT).text
    assert said.message.content != plain.text
    penalties: Any = {"presence_penalty": 1.5, "frequency_penalty": 1.5}
    said = client.chat.completions.create(model="tiny", messages=MESSAGES, **penalties, **EXACT).choices[0]
    assert said.message.content == model.chat(MESSAGES, **penalties, **EXACT).text


def test_what_is_asked_for_beyond_the_context_ends_there(client: openai.OpenAI, model: trillm.RoutedModel) -> None:
    said = client.chat.completions.create(model="tiny", messages=MESSAGES, max_completion_tokens=100_000, temperature=0)
    assert said.usage is not None
    assert said.usage.total_tokens <= model.info.context_trained
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model="tiny", messages=[{"role": "user", "content": "the man " * 2000}])
    assert caught.value.code == "context_length_exceeded"


def test_completions_continue_texts_and_tokens(client: openai.OpenAI, model: trillm.RoutedModel) -> None:
    texts = ["the man", "there was"]
    expected = [model.generate(text, **EXACT).text for text in texts]
    said = client.completions.create(model="tiny", prompt=texts, **EXACT)
    assert [choice.text for choice in said.choices] == expected
    tokens = model.tokenize(texts[0])
    said = client.completions.create(model="tiny", prompt=tokens, **EXACT)
    assert said.choices[0].text == expected[0]
    assert said.choices[0].finish_reason == "length"
    pieces = client.completions.create(model="tiny", prompt=texts[0], stream=True, **EXACT)
    assert "".join(piece.choices[0].text for piece in pieces) == expected[0]
    assert len(model.tokenize(client.completions.create(model="tiny", prompt="the").choices[0].text)) > 0
    assert client.completions.create(model="tiny", prompt="the", logprobs=1, **EXACT).choices[0].logprobs is not None


def test_more_answers_than_can_be_queued_are_too_many(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="n is 4 for each of 100 prompts, expected at most 256"):
        client.completions.create(model="tiny", prompt=["the"] * 100, n=4, max_tokens=1)


def test_embeddings_are_the_models_own(client: openai.OpenAI, model: trillm.RoutedModel) -> None:
    texts = ["the man", "there was nothing"]
    expected = model.embed(texts)
    # Asked as numbers in base 64, which is what the client does by itself.
    found = client.embeddings.create(model="tiny", input=texts)
    assert np.array_equal(np.array([it.embedding for it in found.data], np.float32), expected)
    found = client.embeddings.create(model="tiny", input=texts[0], encoding_format="float")
    assert np.allclose(np.array(found.data[0].embedding, np.float32), expected[0], atol=1e-6)
    assert found.usage.prompt_tokens == found.usage.total_tokens > 0
    with pytest.raises(openai.BadRequestError, match="dimensions is 3, expected"):
        client.embeddings.create(model="tiny", input="x", dimensions=3)


def test_models_are_listed(client: openai.OpenAI, tiny_model: Path) -> None:
    listed = client.models.list().data
    assert [it.id for it in listed] == ["tiny"]
    assert client.models.retrieve("tiny").id == "tiny"
    # A path is no name, though it is the same model's.
    for name in (str(tiny_model), "../tiny.gguf", "/etc/passwd"):
        with pytest.raises(openai.NotFoundError):
            client.chat.completions.create(model=name, messages=MESSAGES)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"temperature": "hot"}, "temperature"),
        ({"temperature": -1}, "temperature"),
        ({"functions": [{"name": "f"}]}, "functions"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"n": 0}, "n"),
        ({"stop": 5}, "stop"),
        ({"top_logprobs": 3}, "top_logprobs"),
        ({"logit_bias": {"x": 1}}, "logit_bias"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools"),
        ({"messages": "hello"}, "messages"),
        ({"messages": [{"content": "x"}]}, "messages"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]},
            "messages[0].content[0]",
        ),
    ],
)
def test_what_is_wrong_is_said_of_the_field(client: openai.OpenAI, wrong: Any, field: str | None) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(**{"model": "tiny", "messages": MESSAGES, **wrong})
    body: Any = caught.value.body
    assert set(body) == {"message", "type", "param", "code"}
    assert (body["type"], body["param"]) == ("invalid_request_error", field)
