"""Several sessions of one model, which are one model to all who use it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trillm
from trillm import LLMRouter
from trillm.errors import Closed, InvalidRequest

from .helpers import ENDLESS, GREEDY, TEXTS, failing, until

EXACT: dict[str, Any] = {"threads": 1, "cache_type": "f32"}
"""Scores that do not depend on what runs beside."""


@pytest.fixture(params=["llama", "candle", "onnx"])
def model(
    request: pytest.FixtureRequest, tiny_model: Path, tiny_folder: Path, tiny_onnx: Callable[..., Path]
) -> tuple[Path, dict[str, Any]]:
    paths = {"llama": tiny_model, "candle": tiny_folder, "onnx": tiny_onnx("shared")}
    return paths[request.param], EXACT | ({"flash_attention": False} if request.param == "llama" else {})


def decoding() -> int:
    """Threads of this process that decode."""
    names = (it.read_text().strip() for it in Path("/proc/self/task").glob("*/comm"))
    return sum(name == "trillm-decode" for name in names)


@pytest.fixture
def two(tiny_model: Path) -> Iterator[trillm.Model]:
    """Two sessions with one slot each, in a context so long that a request does not end by itself."""
    with trillm.load(tiny_model, context=65536, parallel=1, replicas=2, threads=1) as model:
        yield model


def test_answers_are_those_of_one_alone(model: tuple[Path, dict[str, Any]]) -> None:
    path, params = model
    texts = [text for text in TEXTS if text]
    with trillm.load(path, **params) as alone:
        expected = [alone.generate(text, max_tokens=12, **GREEDY).text for text in texts]
    with trillm.load(path, replicas=3, **params) as several:
        # One after the other, and all at once.
        assert [several.generate(text, max_tokens=12, **GREEDY).text for text in texts] == expected
        assert [it.text for it in several.generate(texts, max_tokens=12, **GREEDY)] == expected
        stats = several.stats()
    assert (stats["finished"], stats["latency"]["count"], stats["first_token_time"]["count"]) == (12, 12, 12)
    assert stats["generated_tokens"] == 144


def test_a_request_goes_to_the_session_that_is_used_least(two: trillm.Model) -> None:
    """Each has one slot, so that of three streams one waits."""
    streams = [two.stream("the", **ENDLESS) for _ in range(3)]
    try:
        assert until(lambda: (two.stats()["running"], two.stats()["waiting"]) == (2, 1))
        for stream in streams[:2]:
            assert next(stream).text
    finally:
        for stream in streams:
            stream.close()
    assert until(lambda: two.stats()["running"] == 0)


def test_closing_it_closes_all(two: trillm.Model) -> None:
    assert decoding() == 2
    streams = [two.stream("the", **ENDLESS) for _ in range(2)]
    two.close()
    assert decoding() == 0
    for stream in streams:
        with failing(Closed, "closed"):
            list(stream)


def test_a_router_has_them_as_one_model(tiny_model: Path, tmp_path: Path) -> None:
    path = str(tiny_model)
    with LLMRouter(cache_directory=tmp_path, max_models_loaded=1, engines={"llama": {"replicas": 2}}) as router:
        router.load_model(path, context=65536, parallel=1, threads=1)
        assert (router.loaded(), decoding()) == ([path], 2)
        streams = [router.stream(path, "the", **ENDLESS) for _ in range(2)]
        stats = router.stats()["models"][path]
        assert (stats["leases"], stats["bytes"]) == (2, router.plan(path, context=65536, parallel=1, threads=1).total)
        assert until(lambda: router.stats()["models"][path]["running"] == 2)
        for stream in streams:
            stream.close()
        router.unload_model(path)
        assert (router.loaded(), decoding()) == ([], 0)


def test_vectors_are_those_of_one_alone(all_minilm: Path) -> None:
    texts = ["a house", "two houses", "a very long road"]
    with trillm.load(all_minilm, threads=1) as alone, trillm.load(all_minilm, threads=1, replicas=2) as several:
        expected = alone.embed(texts)
        for _ in range(2):
            np.testing.assert_array_equal(several.embed(texts), expected)


def test_each_session_takes_what_is_its_own(model: tuple[Path, dict[str, Any]]) -> None:
    path, params = model
    one, three = (trillm.plan(path, context=512, replicas=count, **params) for count in (1, 3))
    assert one.cache is not None
    assert one.compute is not None
    assert (three.cache, three.compute, three.scores) == (3 * one.cache, 3 * one.compute, 3 * one.scores)
    assert (three.weights_mapped, three.tokenizer) == (one.weights_mapped, one.tokenizer)
    # ONNX Runtime copies the weights for each, but not those that the file does not align, and keeps what that took.
    copies = 2 * (one.weights_mapped + one.loading) if one.engine == "onnx" else 0
    assert three.weights_private == one.weights_private + copies


@pytest.mark.parametrize("count", [0, 65])
def test_there_are_1_to_64(tiny_model: Path, count: int) -> None:
    with failing(InvalidRequest, "invalid_parameter", f"replicas.*{count}.*1 to 64"):
        trillm.load(tiny_model, replicas=count)
