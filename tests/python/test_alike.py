"""What every engine is asked: the same answers as the reference and as llama.cpp, whoever else is served."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import trillm
from trillm.errors import LoadError, Unsupported

from .helpers import GREEDY, MESSAGES, SAMPLED, TEXTS, failing

ONNX = ["grown", "shared", "joined", "merged", "no-cache"]
"""The forms that a graph has."""

CACHED = ["candle", *ONNX[:-1]]
"""Those that keep earlier positions."""

WEIGHTS = {"candle": "mapped", "onnx": "mapped, and copied by the runtime"}


@pytest.fixture(scope="module", params=["candle", *ONNX])
def model(request: pytest.FixtureRequest, tiny_folder: Path, tiny_onnx: Callable[..., Path]) -> Iterator[trillm.Model]:
    """The tiny model by another engine than llama.cpp, which adds up in 32 bits as that does here."""
    form: str = request.param
    options: dict[str, Any] = {"cache_type": "f32"} if form == "candle" else {}
    path = tiny_folder if form == "candle" else tiny_onnx(form)
    with trillm.load(path, threads=1, **options) as model:
        yield model


@pytest.fixture(scope="module")
def golden(stories: Path) -> list[int]:
    """BOS and the 199 tokens that the reference says after it."""
    return [int(number) for number in stories.with_name("golden.ids").read_text().split()]


# As the reference.


@pytest.mark.parametrize("choice", ["named", "auto"])
@pytest.mark.parametrize(
    ("name", "engine"),
    [
        ("hf", "candle"),
        ("hf/model.safetensors", "candle"),
        ("hf/pytorch_model.bin", "candle"),
        ("onnx-plain-fp32", "onnx"),
        ("onnx-plain-fp32/model.onnx", "onnx"),
    ],
)
def test_stories_are_told_as_by_the_reference(
    stories: Path, golden: list[int], name: str, engine: str, choice: str
) -> None:
    with trillm.load(stories.parent / name, engine=engine if choice == "named" else choice, threads=1) as model:
        assert (model.info.engine, model.info.weights) == (engine, WEIGHTS[engine])
        # Its `tokenizer.json` puts no BOS before a text.
        told = model.generate(golden[:1], max_tokens=199, temperature=0, ignore_eos=True)
    assert told.token_ids == golden[1:]
    assert told.text == stories.with_name("golden.txt").read_text()
    assert told.finish_reason == "length"
    assert (told.usage.prompt_tokens, told.usage.completion_tokens) == (1, 199)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("hf", {}),
        ("hf/pytorch_model.bin", {}),
        ("onnx-plain-fp32", {}),
        ("onnx-plain-fp32", {"prepack": False}),
        ("onnx-plain-fp32", {"copy": True}),
    ],
    ids=str,
)
def test_eight_at_once_tell_the_same(stories: Path, golden: list[int], name: str, options: dict[str, Any]) -> None:
    """From different beginnings, so that no two are at the same place, and from threads of their own."""
    beginnings = [golden[: 1 + 9 * number] for number in range(8)]
    with (
        trillm.load(stories.parent / name, threads=2, parallel=8, **options) as model,
        ThreadPoolExecutor(len(beginnings)) as threads,
    ):
        steps = model.stats()["steps"]
        told = threads.map(
            lambda beginning: model.generate(
                beginning, max_tokens=len(golden) - len(beginning), temperature=0, ignore_eos=True
            ),
            beginnings,
        )
        assert [beginning + each.token_ids for beginning, each in zip(beginnings, told, strict=True)] == [golden] * 8
        generated = sum(len(golden) - len(beginning) for beginning in beginnings)
        # As one batch, and not one after the other.
        assert model.stats()["steps"] - steps < generated / 2


def test_all_engines_at_once_tell_the_same(stories: Path, golden: list[int]) -> None:
    """With as many threads as there are cores each, so that they compute in turns, and with one each."""
    names = ["stories260K.gguf", "hf", "onnx-plain-fp32"]
    for threads in (None, 1):
        options: dict[str, Any] = {} if threads is None else {"threads": threads}
        with ExitStack() as stack, ThreadPoolExecutor(2 * len(names)) as callers:
            models = [stack.enter_context(trillm.load(stories.parent / name, **options)) for name in names]
            told = callers.map(
                lambda model: model.generate(golden[:1], max_tokens=199, temperature=0, ignore_eos=True).token_ids,
                models * 2,
            )
            assert list(told) == [golden[1:]] * (2 * len(names))


# As llama.cpp.


def test_texts_become_the_same_tokens(llm: trillm.Model, model: trillm.Model) -> None:
    for text in TEXTS:
        for options in ({}, {"add_special": False}, {"parse_special": True}):
            ids = model.tokenize(text, **options)
            assert ids == llm.tokenize(text, **options), (text, options)
            assert model.detokenize(ids) == llm.detokenize(ids)


def test_greedy_answers(llm: trillm.Model, model: trillm.Model) -> None:
    ours, theirs = (each.generate(TEXTS, max_tokens=40, **GREEDY) for each in (model, llm))
    assert [each.token_ids for each in ours] == [each.token_ids for each in theirs]
    assert [each.text for each in ours] == [each.text for each in theirs]


def test_sampled_answers(llm: trillm.Model, model: trillm.Model) -> None:
    ours, theirs = (each.generate("the man", max_tokens=40, seed=7, **SAMPLED) for each in (model, llm))
    assert ours.token_ids == theirs.token_ids


def test_logprobs(llm: trillm.Model, model: trillm.Model) -> None:
    for text in TEXTS:
        ours, theirs = (
            each.generate(text, max_tokens=10, logprobs=20, temperature=0, ignore_eos=True) for each in (model, llm)
        )
        assert ours.logprobs is not None
        assert theirs.logprobs is not None
        for (chosen, top), (expected, expected_top) in zip(ours.logprobs, theirs.logprobs, strict=True):
            assert chosen == pytest.approx(expected, abs=1e-3)
            values = [[logprob for _, logprob in each] for each in (top, expected_top)]
            assert values[0] == pytest.approx(values[1], abs=1e-3)


def test_chats(llm: trillm.Model, model: trillm.Model) -> None:
    assert model.render_chat(MESSAGES) == llm.render_chat(MESSAGES)
    ours, theirs = (each.chat(MESSAGES, max_tokens=20, **GREEDY) for each in (model, llm))
    assert ours.token_ids == theirs.token_ids


@pytest.mark.parametrize("form", ["candle", "encoder"])
def test_vectors(llm: trillm.Model, tiny_folder: Path, tiny_onnx: Callable[..., Path], form: str) -> None:
    ways: tuple[Literal["mean", "cls", "last"], ...] = ("mean", "cls", "last")
    texts = TEXTS[:5]
    with trillm.load(tiny_folder if form == "candle" else tiny_onnx(form), threads=1) as model:
        for pooling in ways:
            ours, theirs = (each.embed(texts, pooling=pooling) for each in (model, llm))
            assert ours.shape == theirs.shape == (len(texts), 64)
            assert np.allclose(np.linalg.norm(ours, axis=1), 1, atol=1e-5)
            assert np.allclose(ours, theirs, atol=1e-3), pooling
        # Its class is one that predicts the next token: sentence-transformers takes the last one's vector.
        assert np.allclose(model.embed(texts), model.embed(texts, pooling="last"))
    assert np.allclose(llm.embed(texts), llm.embed(texts, pooling="last"), atol=1e-5)


# Beside others.


def test_neighbours_do_not_change_a_request(model: trillm.Model) -> None:
    alone = model.generate("the man", max_tokens=50, seed=7, **SAMPLED)
    streams = [model.stream(text, max_tokens=40, seed=seed, **SAMPLED) for seed, text in enumerate(TEXTS[1:])]
    among = model.generate("the man", max_tokens=50, seed=7, **SAMPLED)
    assert among.token_ids == alone.token_ids
    for stream in streams:
        stream.close()


@pytest.mark.parametrize("model", CACHED, indirect=True)
def test_a_beginning_is_computed_once(model: trillm.Model) -> None:
    """`cache_salt` keeps what other tests left out of it."""
    prompt = model.tokenize("there was nothing in the end " * 8)
    whole = model.generate(prompt, max_tokens=5, cache_salt=71, **GREEDY)
    again = model.generate(prompt, max_tokens=5, cache_salt=71, **GREEDY)
    assert whole.usage.cached_tokens == 0
    assert again.usage.cached_tokens > len(prompt) / 2
    assert again.token_ids == whole.token_ids


# How a model is loaded.


def test_loading_says_how_far_it_is_and_can_be_cancelled(load_any: Callable[..., trillm.Model]) -> None:
    shares: list[float] = []
    load_any(progress=shares.append).close()
    assert shares == sorted(shares)
    assert shares[-1] == 1
    with failing(LoadError, "load_cancelled"):
        load_any(progress=lambda _: False)


@pytest.mark.parametrize(
    ("load_any", "options", "named"),
    [
        ("llama", {"quantize": "q8_0"}, "q8_0 .*llama|llama.*q8_0"),
        ("candle", {"cache_type": "q8_0"}, "cache.*candle"),
        ("onnx", {"quantize": "q8_0"}, "quantiz.*onnx"),
        *((engine, {"gpu_layers": 1}, f"GPU.*{engine}") for engine in ("candle", "onnx")),
        *((engine, {"lora": ["adapter.gguf"]}, f"LoRA.*{engine}") for engine in ("candle", "onnx")),
    ],
    ids=str,
    indirect=["load_any"],
)
def test_what_an_engine_has_not_is_an_error(load_any: Callable[..., trillm.Model], options: Any, named: str) -> None:
    with failing(Unsupported, "unsupported", named):
        load_any(**options)


@pytest.mark.parametrize("kind", ["gguf", "safetensors"])
def test_a_mapped_file_may_be_touched_appended_to_and_replaced(
    tiny_model: Path, tiny_folder: Path, tmp_path: Path, kind: str
) -> None:
    """None of it changes the weights: what is mapped stays."""
    exact: dict[str, Any] = {"threads": 1, "cache_type": "f32"}
    if kind == "gguf":
        path = weights = Path(shutil.copy(tiny_model, tmp_path))
        exact["flash_attention"] = False
    else:
        path = Path(shutil.copytree(tiny_folder, tmp_path / "copied"))
        weights = path / "model.safetensors"
    with trillm.load(path, **exact) as model:

        def told(salt: int) -> list[int]:
            ids: list[int] = model.generate("the man", max_tokens=9, cache_salt=salt, **GREEDY).token_ids
            return ids

        expected = told(0)
        for _ in range(2):
            weights.touch()
            assert told(1) == expected
            with weights.open("ab") as file:
                file.write(b"more")
            assert told(2) == expected
        another = weights.with_name("another")
        another.write_bytes(b"another model")
        another.replace(weights)
        assert told(3) == expected
