"""Tools that a template does not show: an error wherever a chat begins, on every engine, unless asked otherwise."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trillm
from trillm.errors import ChatTemplateError, InvalidRequest
from trillm.types import Message

from .helpers import GREEDY, failing

MESSAGES: list[Message] = [{"role": "user", "content": "hi"}]
TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
SHOWN = "You can call any of the following tools to satisfy the user's requests:\n" + (
    '{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}'
)


@pytest.fixture(scope="module", params=["gguf", "safetensors", "onnx"])
def llm(
    request: pytest.FixtureRequest, tiny_model: Path, tiny_folder: Path, tiny_onnx: Callable[..., Path]
) -> Iterator[trillm.Model]:
    """A model of each engine; the template of all of them shows no tools."""
    paths = {"gguf": lambda: tiny_model, "safetensors": lambda: tiny_folder, "onnx": lambda: tiny_onnx("grown")}
    with trillm.load(paths[request.param](), threads=1) as model:
        yield model


async def first(stream: trillm.AsyncStream) -> trillm.Piece:
    return await anext(stream)


def test_every_chat_refuses_tools_that_are_not_shown(llm: trillm.Model) -> None:
    begun: list[Callable[[], object]] = [
        lambda: llm.chat(MESSAGES, tools=TOOLS),
        lambda: llm.chat_stream(MESSAGES, tools=TOOLS),
        lambda: asyncio.run(llm.achat(MESSAGES, tools=TOOLS)),
        # Rendered beside the loop: the first piece says so.
        lambda: asyncio.run(first(llm.achat_stream(MESSAGES, tools=TOOLS))),
        lambda: llm.render_chat(MESSAGES, tools=TOOLS),
        lambda: llm.render_chat(MESSAGES, tools=TOOLS, template="{{ messages[0].content }}"),
    ]
    for begin in begun:
        with failing(ChatTemplateError, "tools_not_shown", "no place for tools") as caught:
            begin()
        assert caught.value.hint
        assert "polyfill_tools" in caught.value.hint


def test_tools_go_into_the_system_message_when_asked(llm: trillm.Model) -> None:
    rendered = llm.render_chat(MESSAGES, tools=TOOLS, polyfill_tools=True)
    assert rendered == llm.render_chat([{"role": "system", "content": SHOWN}, *MESSAGES])
    said: list[Message] = [{"role": "system", "content": "be brief"}, *MESSAGES]
    rendered = llm.render_chat(said, tools=TOOLS, polyfill_tools=True)
    assert rendered == llm.render_chat([{"role": "system", "content": f"be brief\n\n{SHOWN}"}, *MESSAGES])


def test_a_chat_with_such_tools_is_that_with_the_system_message(llm: trillm.Model) -> None:
    plain = llm.chat([{"role": "system", "content": SHOWN}, *MESSAGES], max_tokens=4, **GREEDY)
    given = llm.chat(MESSAGES, tools=TOOLS, polyfill_tools=True, max_tokens=4, **GREEDY)
    assert given.usage.prompt_tokens == plain.usage.prompt_tokens


def test_a_template_that_shows_tools_is_left_alone(llm: trillm.Model) -> None:
    template = "{% for tool in tools %}{{ tool.function.name }}{% endfor %} {{ messages[0].content }}"
    for polyfill in (False, True):
        rendered = llm.render_chat(MESSAGES, tools=TOOLS, template=template, polyfill_tools=polyfill)
        assert rendered == "weather hi"
    assert llm.render_chat(MESSAGES, tools=[]) == llm.render_chat(MESSAGES)


def test_the_option_is_checked(llm: trillm.Model) -> None:
    with pytest.raises(InvalidRequest, match="polyfill_tools"):
        llm.render_chat(MESSAGES, polyfill_tools="yes")  # type: ignore[arg-type]
