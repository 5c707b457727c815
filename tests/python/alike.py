"""What every engine is asked: the same answers as llama.cpp, whoever else is served. Each test names its own models."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import numpy as np
import pytest
import trillm

from .helpers import GREEDY, SAMPLED


def eight_tell_the_same(model: trillm.Model, golden: list[int]) -> None:
    """From different beginnings, so that no two are at the same place, and from threads of their own."""
    beginnings = [golden[: 1 + 9 * number] for number in range(8)]
    with ThreadPoolExecutor(len(beginnings)) as threads:
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


def tokens(model: trillm.Model, llm: trillm.Model, texts: Sequence[str]) -> None:
    for text in texts:
        for options in ({}, {"add_special": False}, {"parse_special": True}):
            ids = model.tokenize(text, **options)
            assert ids == llm.tokenize(text, **options), (text, options)
            assert model.detokenize(ids) == llm.detokenize(ids)


def greedy_answers(model: trillm.Model, llm: trillm.Model, texts: Sequence[str]) -> None:
    ours, theirs = (each.generate(texts, max_tokens=40, **GREEDY) for each in (model, llm))
    assert [each.token_ids for each in ours] == [each.token_ids for each in theirs]
    assert [each.text for each in ours] == [each.text for each in theirs]


def sampled_answers(model: trillm.Model, llm: trillm.Model) -> None:
    ours, theirs = (each.generate("the man", max_tokens=40, seed=7, **SAMPLED) for each in (model, llm))
    assert ours.token_ids == theirs.token_ids


def logprobs(model: trillm.Model, llm: trillm.Model, texts: Sequence[str]) -> None:
    for text in texts:
        ours, theirs = (
            each.generate(text, max_tokens=10, logprobs=20, temperature=0, ignore_eos=True) for each in (model, llm)
        )
        assert ours.logprobs is not None
        assert theirs.logprobs is not None
        for (chosen, top), (expected, expected_top) in zip(ours.logprobs, theirs.logprobs, strict=True):
            assert chosen == pytest.approx(expected, abs=1e-3)
            values = [[logprob for _, logprob in each] for each in (top, expected_top)]
            assert values[0] == pytest.approx(values[1], abs=1e-3)


def vectors(model: trillm.Model, llm: trillm.Model, texts: Sequence[str]) -> None:
    ways: tuple[Literal["mean", "cls", "last"], ...] = ("mean", "cls", "last")
    for pooling in ways:
        ours, theirs = (each.embed(texts, pooling=pooling) for each in (model, llm))
        assert ours.shape == theirs.shape == (len(texts), 64)
        assert np.allclose(np.linalg.norm(ours, axis=1), 1, atol=1e-5)
        assert np.allclose(ours, theirs, atol=1e-3), pooling
    # Its class is one that predicts the next token: sentence-transformers takes the last one's vector.
    assert np.allclose(model.embed(texts), model.embed(texts, pooling="last"))
    assert np.allclose(llm.embed(texts), llm.embed(texts, pooling="mean"), atol=1e-5)


def among_others(model: trillm.Model, texts: Sequence[str]) -> None:
    alone = model.generate("the man", max_tokens=50, seed=7, **SAMPLED)
    streams = [model.stream(text, max_tokens=40, seed=seed, **SAMPLED) for seed, text in enumerate(texts)]
    among = model.generate("the man", max_tokens=50, seed=7, **SAMPLED)
    assert among.token_ids == alone.token_ids
    for stream in streams:
        stream.close()


def a_second_time(model: trillm.Model) -> None:
    prompt = model.tokenize("there was nothing in the end " * 8)
    whole = model.generate(prompt, max_tokens=5, cache_salt=71, **GREEDY)
    again = model.generate(prompt, max_tokens=5, cache_salt=71, **GREEDY)
    assert whole.usage.cached_tokens == 0
    assert again.usage.cached_tokens > len(prompt) / 2
    assert again.token_ids == whole.token_ids
