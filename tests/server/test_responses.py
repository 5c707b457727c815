"""OpenAI's client against `/v1/responses`: what it gets is what the model says without one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
import trillm

from .asking import Asker
from .breaking import broken_off

MESSAGES: list[Any] = [{"role": "user", "content": "the man"}]
EXACT: dict[str, Any] = {"temperature": 0, "max_output_tokens": 12}
OURS: dict[str, Any] = {"temperature": 0, "max_tokens": 12}


@pytest.fixture(scope="module")
def client(server: trillm.Server) -> Iterator[openai.OpenAI]:
    """OpenAI's client, which tries once."""
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as made:
        yield made


def test_a_response_says_what_the_model_says(client: openai.OpenAI, model: trillm.RoutedModel) -> None:
    expected = model.chat(MESSAGES, **OURS)
    said = client.responses.create(model="tiny", input="the man", metadata={"a": "b"}, **EXACT)
    assert (said.output_text, said.object, said.model, said.id[:5]) == (expected.text, "response", "tiny", "resp-")
    assert said.status == "incomplete"
    assert said.incomplete_details is not None
    assert said.incomplete_details.reason == "max_output_tokens"
    assert said.usage is not None
    counts = (said.usage.input_tokens, said.usage.output_tokens, said.usage.total_tokens)
    assert counts == (expected.usage.prompt_tokens, 12, expected.usage.prompt_tokens + 12)
    assert (said.max_output_tokens, said.temperature, said.metadata, said.error) == (12, 0, {"a": "b"}, None)
    # Nothing is kept, and that is said.
    assert said.model_dump()["store"] is False
    (item,) = said.output
    assert (item.type, item.id != said.id) == ("message", True)


def test_messages_and_instructions_are_a_chat(client: openai.OpenAI, model: trillm.RoutedModel) -> None:
    turns: list[Any] = [*MESSAGES, {"role": "assistant", "content": "was"}, *MESSAGES]
    expected = model.chat([{"role": "system", "content": "there"}, *turns], **OURS).text
    parts: list[Any] = [
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "the man"}]},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "was"}]},
        *MESSAGES,
    ]
    for given in (turns, parts):
        said = client.responses.create(model="tiny", input=given, instructions="there", store=True, **EXACT)
        assert said.output_text == expected != model.chat(MESSAGES, **OURS).text
        assert said.instructions == "there"


def test_events_come_in_their_order(client: openai.OpenAI, model: trillm.RoutedModel) -> None:
    expected = model.chat(MESSAGES, **OURS).text
    events: list[Any] = list(client.responses.create(model="tiny", input="the man", stream=True, **EXACT))
    kinds = [event.type for event in events]
    deltas = kinds.count("response.output_text.delta")
    assert deltas >= 1
    assert kinds == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        *["response.output_text.delta"] * deltas,
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.incomplete",
    ]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == expected
    first, last = events[0].response, events[-1].response
    assert (first.status, first.output, first.usage) == ("in_progress", [], None)
    assert (last.id, last.output_text, last.usage.output_tokens) == (first.id, expected, 12)
    items = {event.item_id for event in events if "text" in event.type or "part" in event.type}
    assert items == {last.output[0].id}
    with client.responses.stream(model="tiny", input="the man", **EXACT) as stream:
        for _ in stream:
            pass
        kinds = [event.type for event in events]
    assert kinds[-1] == "response.incomplete"


def test_asyncio_streams_too(server: trillm.Server, model: trillm.RoutedModel) -> None:
    async def read() -> str:
        async with openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as client:
            stream = await client.responses.create(model="tiny", input="the man", stream=True, **EXACT)
            return "".join([event.delta async for event in stream if event.type == "response.output_text.delta"])

    assert asyncio.run(read()) == model.chat(MESSAGES, **OURS).text


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"temperature": "hot"}, "temperature"),
        ({"temperature": -1}, "temperature"),
        ({"max_output_tokens": "x"}, "max_output_tokens"),
        ({"input": 5}, "input"),
        ({"input": []}, None),
        ({"input": [5]}, "input[0].role"),
        ({"input": [{"type": "function_call_output"}]}, "input[0]"),
        ({"input": [{"role": "user", "content": [{"type": "input_image"}]}]}, "input[0].content[0]"),
        ({"input": [{"role": "user", "content": 5}]}, "input"),
        ({"instructions": ["x"]}, "instructions"),
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"background": True}, "background"),
        ({"truncation": "auto"}, "truncation"),
        ({"text": {"format": {"type": "json_object"}}}, "text.format"),
        ({"text": {"format": 5}}, "text.format"),
        ({"tools": [{"type": "web_search"}]}, "tools"),
    ],
)
def test_what_is_wrong_is_said_of_the_field(ask: Asker, wrong: Any, field: str | None) -> None:
    answer = ask("/v1/responses", {"model": "tiny", "input": "the man", **wrong})
    assert answer.status == 400, answer.text
    error = answer.json["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["type"] == "invalid_request_error"
    assert field is None or error["param"] == field


def test_what_nobody_knows_is_named(ask: Asker) -> None:
    answer = ask("/v1/responses", {"model": "tiny", "input": "a", "shape": "round", "text": {"verbosity": 1}, **EXACT})
    assert (answer.status, answer.headers["x-ignored-fields"]) == (200, "shape, text.verbosity")


def test_an_error_in_a_stream_is_an_event(ask: Asker, router: trillm.LLMRouter, tiny_model: Path) -> None:
    body = {"model": "tiny", "input": "the", "max_output_tokens": 480, "temperature": 2.0, "stream": True}
    failed = "response.failed"
    answer = broken_off(router, tiny_model, lambda: ask("/v1/responses", body), lambda line: failed in line)
    last = answer.events[-1]
    assert (last["type"], last["response"]["status"]) == (failed, "failed")
    assert "closed" in last["response"]["error"]["message"]
