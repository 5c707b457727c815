"""What llama-server has beside OpenAI's interface."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trillm
from python.sentences import SCORERS, write_scorer

from .asking import Asker

MESSAGES: list[Any] = [{"role": "user", "content": "the man"}]


@pytest.fixture
def cross_encoder(tmp_path: Path) -> Path:
    """A model that scores pairs of texts."""
    write_scorer(next(scorer for scorer in SCORERS if scorer.name == "cross-encoder"), tmp_path / "scorer")
    return tmp_path / "scorer"


def test_texts_become_tokens_and_back(ask: Asker, model: trillm.RoutedModel) -> None:
    text = "the man\u00e9"
    tokens = model.tokenize(text, add_special=False)
    answer = ask("/tokenize", {"model": "tiny", "content": text})
    assert answer.json == {"tokens": tokens}
    assert ask("/tokenize", {"model": "tiny", "content": text, "add_special": True}).json == {
        "tokens": model.tokenize(text, add_special=True)
    }
    pieces = ask("/tokenize", {"model": "tiny", "content": text, "with_pieces": True}).json["tokens"]
    assert [piece["id"] for piece in pieces] == tokens
    said = [piece["piece"] for piece in pieces]
    assert b"".join(bytes(it) if isinstance(it, list) else it.encode() for it in said).decode().strip() == text
    assert ask("/detokenize", {"model": "tiny", "tokens": tokens}).json == {"content": model.detokenize(tokens)}
    # The only model in memory is meant where none is named.
    assert ask("/tokenize", {"content": text}).json == {"tokens": tokens}


def test_chats_become_texts(ask: Asker, model: trillm.RoutedModel) -> None:
    assert ask("/apply-template", {"model": "tiny", "messages": MESSAGES}).json == {
        "prompt": model.render_chat(MESSAGES)
    }
    whole = model.render_chat(MESSAGES, add_generation_prompt=False)
    body = {"model": "tiny", "messages": MESSAGES, "add_generation_prompt": False}
    assert ask("/apply-template", body).json == {"prompt": whole}


@pytest.mark.parametrize("path", ["/rerank", "/v1/rerank"])
def test_documents_are_put_in_order_by_their_vectors(ask: Asker, model: trillm.RoutedModel, path: str) -> None:
    query, documents = "the man", ["there was nothing", "the man", "was it"]
    vectors = model.embed([*documents, query])
    cosines = vectors[:-1] @ vectors[-1]
    answer = ask(path, {"model": "tiny", "query": query, "documents": documents, "top_n": 2, "return_documents": True})
    assert (answer.status, answer.json["scored_by"], answer.json["object"]) == (200, "cosine", "list")
    results = answer.json["results"]
    order = [int(index) for index in np.argsort(-cosines)[:2]]
    assert [it["index"] for it in results] == order
    assert order[0] == 1
    assert [it["relevance_score"] for it in results] == pytest.approx([float(cosines[at]) for at in order], abs=1e-5)
    assert [it["document"]["text"] for it in results] == [documents[at] for at in order]
    tokens = sum(len(model.tokenize(text)) for text in [*documents, query])
    assert answer.json["usage"] == {"prompt_tokens": tokens, "total_tokens": tokens}


def test_a_model_of_pairs_scores_them(router: trillm.LLMRouter, ask: Asker, cross_encoder: Path) -> None:
    scorer = router.load_model(cross_encoder, threads=1)
    query, documents = "w3 w4", ["w9 w10", "w3 w4", "w5"]
    expected = scorer.score([(query, document) for document in documents]).reshape(len(documents), -1)[:, 0]
    answer = ask("/rerank", {"model": cross_encoder.name, "query": query, "documents": documents})
    assert (answer.status, answer.json["scored_by"]) == (200, "cross_encoder"), answer.text
    results = answer.json["results"]
    assert [it["index"] for it in results] == [int(index) for index in np.argsort(-expected, kind="stable")]
    found = {it["index"]: it["relevance_score"] for it in results}
    assert [found[at] for at in range(3)] == pytest.approx(expected.tolist(), abs=1e-5)
    # Two models are in memory: which one is meant has to be said.
    answer = ask("/tokenize", {"content": "x"})
    assert (answer.status, answer.json["error"]["param"]) == (400, "model")
    router.unload_model(cross_encoder)


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/tokenize", {"content": 5}, "content"),
        ("/tokenize", {"content": "a", "add_special": "x"}, "add_special"),
        ("/detokenize", {"tokens": ["a"]}, "tokens[0]"),
        ("/detokenize", {"tokens": [-1]}, "tokens[0]"),
        ("/detokenize", {"tokens": [1 << 31]}, None),
        ("/apply-template", {"messages": "x"}, "messages"),
        ("/apply-template", {"messages": [{"content": "x"}]}, "messages"),
        ("/apply-template", {"messages": [{"role": "user", "content": [{"type": "image"}]}]}, "messages[0].content[0]"),
        ("/rerank", {"query": 5, "documents": ["a"]}, "query"),
        ("/rerank", {"query": "a", "documents": "a"}, "documents"),
        ("/rerank", {"query": "a", "documents": []}, "documents"),
    ],
)
def test_what_is_wrong_is_said_of_the_field(ask: Asker, path: str, body: Any, field: str | None) -> None:
    answer = ask(path, {"model": "tiny", **body})
    assert answer.status == 400, answer.text
    assert answer.json["error"]["param"] == field
    assert ask(path, {"model": "nothing", **body}).status in (400, 404)


def test_what_nobody_knows_is_named(ask: Asker) -> None:
    answer = ask("/tokenize", {"model": "tiny", "content": "a", "shape": 1})
    assert (answer.status, answer.headers["x-ignored-fields"]) == (200, "shape")
