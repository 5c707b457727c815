"""What calls are given: what has no order, what is empty, and what belongs to another call."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trillm
from trillm.errors import InvalidRequest

from .sentences import SCORERS, Scorer, write_scorer

HELLO = [{"role": "user", "content": "Hi"}]


async def first(stream: trillm.AsyncStream) -> trillm.Piece:
    return await anext(stream)


def awaited(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(work)


@pytest.mark.parametrize("texts", [{"a", "b"}, frozenset("ab"), {"a": 1}, {"a": 1}.keys()], ids=str)
def test_texts_without_an_order_are_refused(llm: trillm.Model, texts: Any) -> None:
    """Whoever reads the results could not tell which is whose."""
    calls: list[Callable[[], object]] = [
        lambda: llm.generate(texts),
        lambda: awaited(llm.agenerate(texts)),
        lambda: llm.embed(texts),
        lambda: awaited(llm.aembed(texts)),
        lambda: llm.score(texts),
        lambda: llm.score([texts]),
        lambda: awaited(llm.ascore(texts)),
    ]
    for call in calls:
        with pytest.raises(InvalidRequest, match="expected"):
            call()


@pytest.mark.parametrize("empty", [[], (), np.array([], dtype=np.int64)], ids=repr)
def test_an_empty_prompt_is_refused(llm: trillm.Model, empty: Any) -> None:
    """An empty list is a prompt without ids, not a list of no prompts."""
    calls: list[Callable[[], object]] = [
        lambda: llm.generate(empty),
        lambda: llm.generate([[5], empty]),
        lambda: llm.stream(empty),
        lambda: awaited(llm.agenerate(empty)),
        lambda: awaited(first(llm.astream(empty))),
    ]
    for call in calls:
        with pytest.raises(InvalidRequest, match="prompt is empty, expected at least one token"):
            call()


@pytest.mark.parametrize("empty", [[], ()])
def test_a_chat_without_messages_is_refused(llm: trillm.Model, empty: Any) -> None:
    calls: list[Callable[[], object]] = [
        lambda: llm.chat(empty),
        lambda: llm.chat([HELLO, empty]),
        lambda: llm.chat_stream(empty),
        lambda: awaited(llm.achat(empty)),
        lambda: awaited(llm.achat([HELLO, empty])),
        lambda: awaited(first(llm.achat_stream(empty))),
        lambda: llm.chat(empty, template="Hello!"),
    ]
    for call in calls:
        with pytest.raises(InvalidRequest, match="messages is empty, expected at least one message") as caught:
            call()
        assert caught.value.code == "invalid_parameter"
    # What the template makes of it can be looked at.
    assert llm.render_chat(empty, template="Hello!") == "Hello!"


def test_no_texts_have_no_vectors(llm: trillm.Model) -> None:
    for vectors in (llm.embed([]), awaited(llm.aembed([])), llm.embed((), normalize=False)):
        assert (vectors.shape, vectors.dtype) == ((0, llm.info.width), np.float32)


@pytest.mark.parametrize("scorer", SCORERS, ids=lambda scorer: scorer.name)
def test_no_pairs_have_no_scores(scorer: Scorer, tmp_path: Path) -> None:
    write_scorer(scorer, tmp_path / "model")
    with trillm.load(tmp_path / "model", threads=1) as model:
        for scores in (model.score([]), awaited(model.ascore([]))):
            assert scores.shape == ((0,) if scorer.labels == 1 else (0, scorer.labels))
            assert scores.dtype == np.float32


def test_a_parameter_of_another_call_says_of_which(llm: trillm.Model, tiny_model: Path) -> None:
    calls: list[tuple[Callable[..., object], str, str]] = [
        (lambda **given: llm.generate("the", **given), "tools", "'tools' is one of chat"),
        (lambda **given: llm.stream("the", **given), "template_name", "'template_name' is one of chat"),
        (lambda **given: llm.chat(HELLO, **given), "n_ctx", "'context' is one of load"),
        (lambda **given: llm.embed("the", **given), "max_tokens", "'max_tokens' is one of generate and chat"),
        (lambda **given: llm.score([("a", "b")], **given), "pooling", "'pooling' is one of embed"),
        (lambda **given: llm.chat(HELLO, **given), "truncate", "'truncate' is one of embed and score"),
        (lambda **given: trillm.load(tiny_model, **given), "temperature", "'temperature' is one of generate and chat"),
    ]
    for call, name, advice in calls:
        with pytest.raises(TypeError, match=f"unexpected keyword argument '{name}': {advice}"):
            call(**{name: 1})


@pytest.mark.parametrize(
    "reference",
    ["/tmp/\ud800x", "\ud800", "pypi:\ud800", "ollama:\ud800", "https://x/\ud800", "hf:a/b@\ud800", "~/\udfff"],
    ids=ascii,
)
def test_no_reference_has_a_lone_surrogate(reference: str, tiny_model: Path, tiny_onnx: Callable[..., Path]) -> None:
    from trillm import hub

    bare = tiny_onnx("grown")
    calls: list[Callable[[], object]] = [
        lambda: trillm.load(reference),
        lambda: trillm.load(bare, tokenizer=reference),
        lambda: trillm.load(tiny_model, lora=[reference]),
        lambda: trillm.load(tiny_model, lora=[(reference, 0.5)]),
        lambda: trillm.load(tiny_model, runtime_library=reference),
        lambda: trillm.Model(reference),
        lambda: trillm.Tokenizer(reference),
        lambda: trillm.LLMRouter(models_directory=reference),
        lambda: trillm.LLMRouter(cache_directory=reference),
        lambda: trillm.LLMRouter().load(reference),
        lambda: hub.fetch(reference),
        lambda: hub.update(reference),
        lambda: hub.import_model(reference, name="z"),
        lambda: hub.import_model(tiny_model, name=reference),
    ]
    for call in calls:
        with pytest.raises(InvalidRequest, match="a lone surrogate at index") as caught:
            call()
        assert str(caught.value).isascii()


def test_a_model_has_no_copy(llm: trillm.Model) -> None:
    """Closing it would close the original."""
    for living in (llm, llm.astream("the", max_tokens=1), llm.stream("the", max_tokens=1)):
        for way in (copy.copy, copy.deepcopy):
            with pytest.raises(TypeError, match=r"cannot (be )?(pickle|copy)"):
                way(living)
    assert llm.tokenize("the")
