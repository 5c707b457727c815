"""Embeddings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trillm
from trillm._core import inspect
from trillm.errors import ContextOverflow, InvalidRequest, Unsupported

from .helpers import failing

TEXTS = ["the man", "a man", "and then there was nothing in the end", "x", "the man"]


def test_one_row_for_each_text(llm: trillm.Model) -> None:
    vectors = llm.embed(TEXTS)
    assert vectors.dtype == np.float32
    assert vectors.shape == (5, llm.info.width)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert np.isfinite(vectors).all()


def test_a_text_alone_is_one_row(llm: trillm.Model) -> None:
    assert llm.embed("the man").shape == (1, 64)


def test_no_texts_are_no_rows(llm: trillm.Model) -> None:
    assert llm.embed([]).shape == (0, 64)


def test_the_same_text_has_the_same_vector_and_others_have_others(llm: trillm.Model) -> None:
    vectors = llm.embed(TEXTS)
    cosines = vectors @ vectors.T
    assert cosines[0, 4] > 0.9999
    assert (cosines[0, 1:4] < 0.9999).all()


def test_a_batch_is_as_one_by_one(llm: trillm.Model) -> None:
    """Also one that takes many steps, and texts of all lengths."""
    texts = [f"w{n} the " * (n % 30 + 1) for n in range(100)]
    together = llm.embed(texts)
    alone = np.concatenate([llm.embed(text) for text in texts])
    assert ((together * alone).sum(axis=1) > 0.9999).all()


def test_ways_of_pooling(llm: trillm.Model) -> None:
    mean, cls, last = (llm.embed(TEXTS[2], pooling=pooling)[0] for pooling in ("mean", "cls", "last"))
    # The file says none, and the model is one that predicts the next token.
    assert (llm.embed(TEXTS[2])[0] @ last) > 0.9999
    assert mean @ cls < 0.9999
    assert mean @ last < 0.9999
    # The first token is BOS, whatever follows: this model looks back only.
    assert llm.embed(TEXTS[0], pooling="cls")[0] @ cls > 0.9999


def test_raw_vectors(llm: trillm.Model) -> None:
    raw, unit = llm.embed(TEXTS, normalize=False), llm.embed(TEXTS)
    lengths = np.linalg.norm(raw, axis=1, keepdims=True)
    assert not np.allclose(lengths, 1, atol=1e-3)
    assert np.allclose(raw / lengths, unit, atol=1e-4)


def test_control_tokens_in_a_text_are_text(llm: trillm.Model) -> None:
    assert (llm.embed("a<s>b") @ llm.embed("ab").T)[0, 0] < 0.9999


def test_generating_goes_on_beside_it(llm: trillm.Model) -> None:
    stream = llm.stream("the man", max_tokens=50, temperature=0, ignore_eos=True)
    first = next(stream)
    llm.embed(TEXTS)
    got = [first.token_id, *(piece.token_id for piece in stream)]
    assert got == llm.generate("the man", max_tokens=50, temperature=0, ignore_eos=True).token_ids


def test_a_text_that_is_too_long(llm: trillm.Model) -> None:
    with failing(ContextOverflow, "context_overflow", "512"):
        llm.embed(["fine", "b" * 600])
    assert llm.embed("b" * 500).shape == (1, 64)


@pytest.mark.parametrize(
    "arguments",
    [{"texts": 7}, {"texts": None}, {"texts": [1, 2]}, {"texts": "a", "pooling": "sum"}, {"texts": b"bytes"}],
    ids=str,
)
def test_parameters_outside_their_range(llm: trillm.Model, arguments: dict[str, Any]) -> None:
    with failing(InvalidRequest, "invalid_parameter"):
        llm.embed(**arguments)


def test_unknown_parameters(llm: trillm.Model) -> None:
    with pytest.raises(TypeError):
        llm.embed("the", normalise=True)  # type: ignore[call-arg]


def test_the_context_limits_a_text(tiny_model: Path) -> None:
    with trillm.load(tiny_model, context=256, threads=1) as model:
        assert model.embed("b" * 255).shape == (1, 64)
        with pytest.raises(ContextOverflow):
            model.embed("b" * 256)


@pytest.mark.real
def test_what_can_be_asked_of_a_model(llm: trillm.Model, tiny_folder: Path, all_minilm: Path) -> None:
    assert (llm.info.purpose, llm.info.capabilities) == ("text", ["generate", "chat", "embed"])
    assert inspect(tiny_folder).capabilities == ["generate", "chat", "embed"]
    encoder = inspect(all_minilm)
    assert (encoder.purpose, encoder.capabilities) == ("vectors", ["embed"])
    with trillm.load(all_minilm, threads=1) as model, pytest.raises(Unsupported) as caught:
        model.generate("a")
    assert caught.value.code == "unsupported"
