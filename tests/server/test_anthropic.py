"""Anthropic's own client against the server: what it gets is what the model says without one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anthropic
import pytest
import trillm

from .asking import Asker
from .breaking import broken_off

MESSAGES: list[Any] = [{"role": "user", "content": "the man"}]
OURS: dict[str, Any] = {"temperature": 0, "max_tokens": 12}
# The client knows no temperature; the interface does.
EXACT: dict[str, Any] = {"max_tokens": 12, "extra_body": {"temperature": 0}}


@pytest.fixture(scope="module")
def client(server: trillm.Server) -> Iterator[anthropic.Anthropic]:
    """Anthropic's client, which tries once."""
    with anthropic.Anthropic(base_url=server.url, api_key="none", max_retries=0) as made:
        yield made


def text(said: anthropic.types.Message) -> str:
    (block,) = said.content
    assert block.type == "text"
    return block.text


def test_a_message_says_what_the_model_says(client: anthropic.Anthropic, model: trillm.RoutedModel) -> None:
    expected = model.chat(MESSAGES, **OURS)
    said = client.messages.create(model="tiny", messages=MESSAGES, **EXACT)
    assert (said.type, said.role, said.model, said.id[:4]) == ("message", "assistant", "tiny", "msg-")
    assert (text(said), said.stop_reason, said.stop_sequence) == (expected.text, "max_tokens", None)
    assert said.usage.input_tokens + (said.usage.cache_read_input_tokens or 0) == expected.usage.prompt_tokens
    assert said.usage.output_tokens == 12
    # A system message, as a text and as blocks; blocks of text in messages.
    with_system = model.chat([{"role": "system", "content": "was"}, *MESSAGES], **OURS).text
    blocks: Any = [{"type": "text", "text": "was", "cache_control": {"type": "ephemeral"}}]
    content: Any = [{"type": "text", "text": "the man"}]
    for system in ("was", blocks):
        said = client.messages.create(
            model="tiny", system=system, messages=[{"role": "user", "content": content}], **EXACT
        )
        assert text(said) == with_system != expected.text
    turns: list[Any] = [*MESSAGES, {"role": "assistant", "content": "was"}, *MESSAGES]
    said = client.messages.create(model="tiny", messages=turns, **EXACT)
    assert text(said) == model.chat(turns, **OURS).text


def test_it_says_at_which_text_it_stopped(client: anthropic.Anthropic, model: trillm.RoutedModel) -> None:
    plain = model.chat(MESSAGES, **OURS).text
    stop = plain[3:6]
    stops = ["never", stop]
    said = client.messages.create(model="tiny", messages=MESSAGES, stop_sequences=stops, **EXACT)
    assert (text(said), said.stop_reason, said.stop_sequence) == (plain[: plain.index(stop)], "stop_sequence", stop)
    with client.messages.stream(model="tiny", messages=MESSAGES, stop_sequences=stops, **EXACT) as stream:
        last = stream.get_final_message()
    assert (text(last), last.stop_reason, last.stop_sequence) == (text(said), "stop_sequence", stop)


def test_parameters_count(client: anthropic.Anthropic, model: trillm.RoutedModel) -> None:
    first = model.chat(MESSAGES, temperature=0, max_tokens=12).text
    # Of one token to choose from there is one answer.
    body = {"temperature": 1.0, "top_k": 1, "top_p": 0.9}
    said = client.messages.create(model="tiny", messages=MESSAGES, max_tokens=12, extra_body=body)
    assert text(said) == first


def test_events_come_in_their_order(client: anthropic.Anthropic, model: trillm.RoutedModel) -> None:
    expected = model.chat(MESSAGES, **OURS)
    events: list[Any] = list(client.messages.create(model="tiny", messages=MESSAGES, stream=True, **EXACT))
    kinds = [event.type for event in events]
    deltas = kinds.count("content_block_delta")
    assert deltas >= 1
    ends = ["content_block_stop", "message_delta", "message_stop"]
    assert kinds == ["message_start", "content_block_start"] + ["content_block_delta"] * deltas + ends
    assert events[0].message.usage.input_tokens == expected.usage.prompt_tokens
    assert events[0].message.content == []
    assert "".join(event.delta.text for event in events if event.type == "content_block_delta") == expected.text
    assert (events[-2].delta.stop_reason, events[-2].usage.output_tokens) == ("max_tokens", 12)


def test_events_have_names(ask: Asker) -> None:
    """The client reads over pings: they are sent all the same."""
    body = {"model": "tiny", "messages": MESSAGES, "stream": True, **OURS}
    answer = ask("/v1/messages", body)
    assert answer.headers["content-type"] == "text/event-stream"
    names = [line[7:] for line in answer.text.split("\n") if line.startswith("event: ")]
    assert names == [event["type"] for event in answer.events]
    assert names[:3] == ["message_start", "content_block_start", "ping"]


def test_asyncio_streams_too(server: trillm.Server, model: trillm.RoutedModel) -> None:
    async def read() -> list[str]:
        async with anthropic.AsyncAnthropic(base_url=server.url, api_key="none", max_retries=0) as client:

            async def one(salt: int) -> str:
                messages: Any = [{"role": "user", "content": f"the man {salt}"}]
                async with client.messages.stream(model="tiny", messages=messages, **EXACT) as stream:
                    return "".join([part async for part in stream.text_stream])

            return await asyncio.gather(*map(one, range(6)))

    expected = [model.chat([{"role": "user", "content": f"the man {salt}"}], **OURS).text for salt in range(6)]
    assert asyncio.run(read()) == expected


def test_tokens_are_counted(client: anthropic.Anthropic, model: trillm.RoutedModel) -> None:
    counted = client.messages.count_tokens(model="tiny", messages=MESSAGES, system="was")
    asked = [{"role": "system", "content": "was"}, *MESSAGES]
    assert counted.input_tokens == model.chat(asked, max_tokens=1).usage.prompt_tokens
    # Also those of more than the model takes.
    long: Any = [{"role": "user", "content": "the man " * 2000}]
    assert client.messages.count_tokens(model="tiny", messages=long).input_tokens > model.info.context_trained
    with pytest.raises(anthropic.BadRequestError, match="context"):
        client.messages.create(model="tiny", messages=long, max_tokens=1)


def test_models_are_listed_in_anthropics_form(client: anthropic.Anthropic) -> None:
    listed = client.models.list()
    assert [it.id for it in listed.data] == ["tiny"]
    assert listed.has_more is False
    model = client.models.retrieve("tiny")
    assert (model.id, model.type, model.display_name) == ("tiny", "model", "tiny")
    with pytest.raises(anthropic.NotFoundError) as caught:
        client.models.retrieve("nothing")
    body: Any = caught.value.body
    assert (body["type"], body["error"]["type"]) == ("error", "not_found_error")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"temperature": "hot"}, "temperature is wrong"),
        ({"temperature": -1}, "temperature is -1"),
        ({"max_tokens": 0}, "max_tokens is 0"),
        ({"max_tokens": None}, "max_tokens is wrong"),
        ({"messages": "hello"}, "messages is wrong"),
        ({"messages": []}, "messages is empty"),
        ({"messages": [{"role": "system", "content": "x"}]}, "messages[0].role is"),
        ({"messages": [{"content": "x"}]}, "messages[0].role is null"),
        ({"messages": [{"role": "user", "content": 5}]}, "content must be text"),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": 5}]}]}, "has no text"),
        ({"messages": [{"role": "user", "content": [{"type": "image"}]}]}, "a part of type image is not supported"),
        ({"messages": [{"role": "user", "content": [{"type": "tool_result"}]}]}, "a part of type tool_result"),
        ({"messages": [*MESSAGES, {"role": "assistant", "content": "x"}]}, "going on with an answer"),
        ({"system": 5}, "system is wrong"),
        ({"system": [{"type": "image"}]}, "a block of type image is not supported"),
        ({"stop_sequences": "x"}, "stop_sequences is wrong"),
        ({"stop_sequences": [""]}, "stop is an empty string"),
        ({"tools": [{"name": "f", "input_schema": {}}]}, "tools is not supported"),
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, "thinking apart from the answer"),
    ],
)
def test_what_is_wrong_is_said_in_anthropics_form(ask: Asker, wrong: Any, said: str) -> None:
    answer = ask("/v1/messages", {"model": "tiny", "messages": MESSAGES, **OURS, **wrong})
    assert answer.status == 400, answer.text
    assert (set(answer.json), answer.json["type"]) == ({"type", "error"}, "error")
    assert set(answer.json["error"]) == {"type", "message"}
    assert answer.json["error"]["type"] == "invalid_request_error"
    assert said in answer.json["error"]["message"]


def test_what_nobody_knows_is_named(ask: Asker) -> None:
    body = {"model": "tiny", "messages": MESSAGES, "shape": "round", "metadata": {"user_id": "x"}, **OURS}
    answer = ask("/v1/messages", body)
    assert (answer.status, answer.headers["x-ignored-fields"]) == (200, "shape, metadata")


def test_keys_come_in_a_header_of_their_own(serve: Callable[..., Asker]) -> None:
    ask = serve(api_keys=["use"])
    url = f"http://127.0.0.1:{ask.port}"
    given: list[dict[str, Any]] = [{"api_key": "use"}, {"auth_token": "use"}]
    for settings in given:
        with anthropic.Anthropic(base_url=url, max_retries=0, **settings) as client:
            assert text(client.messages.create(model="tiny", messages=MESSAGES, **EXACT))
    with (
        anthropic.Anthropic(base_url=url, api_key="wrong", max_retries=0) as client,
        pytest.raises(anthropic.AuthenticationError) as caught,
    ):
        client.messages.create(model="tiny", messages=MESSAGES, **EXACT)
    body: Any = caught.value.body
    assert body["error"] == {"type": "authentication_error", "message": "the API key is wrong"}
    with (
        anthropic.Anthropic(base_url=url, api_key="use", max_retries=0) as client,
        pytest.raises(anthropic.NotFoundError),
    ):
        client.messages.create(model="smollm2", messages=MESSAGES, **EXACT)
    refused = ask("/v1/messages", {}, Host="evil.example")
    assert (refused.status, refused.json["error"]["type"]) == (403, "permission_error")


def test_an_error_in_a_stream_is_an_event(ask: Asker, router: trillm.LLMRouter, tiny_model: Path) -> None:
    body = {"model": "tiny", "messages": MESSAGES, "max_tokens": 480, "temperature": 2.0, "stream": True}
    answer = broken_off(router, tiny_model, lambda: ask("/v1/messages", body), lambda line: '"type":"error"' in line)
    assert answer.text.rstrip().splitlines()[-2] == "event: error"
    assert answer.events[-1]["error"]["type"] == "overloaded_error"
    assert ask("/v1/messages", {"model": "tiny", "messages": MESSAGES, **OURS}).status == 200
