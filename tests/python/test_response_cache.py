"""Answers that are kept: of which requests, for how long, and how many."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trillm
from trillm import Completion, Timings
from trillm._responses import ResponseCache
from trillm.errors import InvalidRequest

from .helpers import GREEDY, MESSAGES, SAMPLED, pickled, until

EXACT: dict[str, Any] = {"cache_type": "f32", "flash_attention": False}


@pytest.fixture
def router(tmp_path: Path, tiny_model: Path) -> Iterator[trillm.LLMRouter]:
    with trillm.LLMRouter(cache_directory=tmp_path / "store", threads=1, response_cache="1MB") as router:
        router.load_model(tiny_model, settings=EXACT)
        yield router


def counted(router: trillm.LLMRouter) -> tuple[int, int, int]:
    """How many are kept, were found, and were not."""
    stats = router.stats()["response_cache"]
    return stats["entries"], stats["hits"], stats["misses"]


def same(one: Completion, other: Completion) -> bool:
    """Whether two answers are equal but for where they are from."""
    parts = ("text", "token_ids", "finish_reason", "usage", "logprobs")
    return all(getattr(one, part) == getattr(other, part) for part in parts)


def test_an_equal_request_has_the_same_answer(router: trillm.LLMRouter, tiny_model: Path) -> None:
    path = str(tiny_model)
    asked: dict[str, Any] = {"max_tokens": 8, "logprobs": 2, **GREEDY}
    first = router.generate(path, "the man", **asked)
    steps = router.stats()["models"][path]["steps"]
    again = router.generate(path, "the man", **asked)
    assert (first.cached, again.cached) == (False, True)
    assert same(first, again)
    assert again.timings == Timings(0, 0, 0)
    assert (again.to_dict()["cached"], pickled(again)) == (True, [again] * len(pickled(again)))
    # Nothing was computed for it, and it counts as use of the model.
    stats = router.stats()["models"][path]
    assert (stats["steps"], stats["leases"]) == (steps, 0)
    assert counted(router) == (1, 1, 1)
    chats = [router.chat(path, MESSAGES, max_tokens=4, **GREEDY) for _ in range(2)]
    assert [it.cached for it in chats] == [False, True]
    lists = [router.generate(path, ["the", "a"], max_tokens=4, seed=3, **SAMPLED) for _ in range(2)]
    assert [[it.cached for it in answers] for answers in lists] == [[False] * 2, [True] * 2]
    assert all(map(same, *lists))
    assert counted(router) == (3, 3, 3)


def test_what_differs_in_anything_is_another_request(router: trillm.LLMRouter, tiny_model: Path) -> None:
    path = str(tiny_model)
    turns = [{"role": "user", "content": "the man"}]
    calls: list[Callable[[], Any]] = [
        lambda: router.generate(path, "the man", temperature=0, max_tokens=2),
        lambda: router.generate(path, "the  man", temperature=0, max_tokens=2),
        lambda: router.generate(path, ["the man"], temperature=0, max_tokens=2),
        lambda: router.generate(path, [1, 5], temperature=0, max_tokens=2),
        lambda: router.generate(path, "the man", temperature=0, max_tokens=3),
        lambda: router.generate(path, "the man", temperature=0, max_tokens=2, cache_salt=1),
        lambda: router.generate(path, "the man", temperature=0, max_tokens=2, logit_bias={7: 1.0}),
        lambda: router.generate(path, "the man", seed=1, max_tokens=2),
        lambda: router.generate(path, "the man", seed=2, max_tokens=2),
        lambda: router.chat(path, turns, temperature=0, max_tokens=2),
        lambda: router.chat(path, turns, temperature=0, max_tokens=2, add_generation_prompt=False),
    ]
    assert not any(np.any([it.cached for it in np.atleast_1d(np.array(call(), dtype=object))]) for call in calls)
    assert counted(router) == (len(calls), 0, len(calls))
    for call in calls:
        call()
    assert counted(router) == (len(calls), len(calls), len(calls))
    # The same in another way of writing it.
    assert router.generate(path, np.array([1, 5]), temperature=0, max_tokens=2).cached  # type: ignore[call-overload]
    assert router.generate(path, (1, 5), max_tokens=2, temperature=0).cached


def test_what_is_drawn_by_chance_is_not_kept(router: trillm.LLMRouter, tiny_model: Path) -> None:
    path = str(tiny_model)
    for params in ({}, {"temperature": 0.5}, {"temperature": 1, "seed": None}):
        for _ in range(2):
            assert not router.generate(path, "the man", max_tokens=2, **params).cached
    with router.stream(path, "the man", temperature=0, max_tokens=2) as stream:
        list(stream)
    assert stream.completion is not None
    assert not stream.completion.cached
    assert counted(router) == (0, 0, 0)
    # What is wrong is said each time, and is no answer.
    for _ in range(2):
        with pytest.raises(InvalidRequest):
            router.generate(path, "the man", temperature=0, top_p=2)
    assert counted(router) == (0, 0, 2)


def test_it_is_off_unless_it_is_asked_for(tiny_model: Path) -> None:
    with trillm.LLMRouter(threads=1) as router:
        for _ in range(2):
            assert not router.generate(tiny_model, "the man", temperature=0, max_tokens=2).cached
        assert set(router.stats()["response_cache"].values()) == {0}
        router.update_config(response_cache=10_000)
        kept = [router.generate(tiny_model, "the man", temperature=0, max_tokens=2).cached for _ in range(2)]
        assert kept == [False, True]
        router.update_config(response_cache="off")
        assert (router.stats()["response_cache"]["bytes"], counted(router)[0]) == (0, 0)
        assert not router.generate(tiny_model, "the man", temperature=0, max_tokens=2).cached


def test_a_model_takes_its_answers_along(router: trillm.LLMRouter, tiny_model: Path) -> None:
    path = str(tiny_model)

    def ask() -> bool:
        return router.generate(path, "the man", temperature=0, max_tokens=2).cached

    assert [ask(), ask()] == [False, True]
    router.unload_model(path)
    assert counted(router)[0] == 0
    assert [ask(), ask()] == [False, True]
    # With other settings it is another model.
    router.load_model(path, settings=EXACT | {"context": 128})
    assert [ask(), ask()] == [False, True]
    router.update_config(unload_idle_time=0)
    ask()
    assert until(lambda: router.loaded() == [] and counted(router)[0] == 0)


def test_tasks_and_threads_share_it(router: trillm.LLMRouter, tiny_model: Path) -> None:
    path = str(tiny_model)

    async def main() -> list[Completion]:
        answers = [await router.agenerate(path, "the man", temperature=0, max_tokens=4)]
        answers += await asyncio.gather(
            *(router.agenerate(path, "the man", temperature=0, max_tokens=4) for _ in range(8))
        )
        chats = [await router.achat(path, MESSAGES, temperature=0, max_tokens=4) for _ in range(2)]
        assert [it.cached for it in chats] == [False, True]
        return answers

    first, *others = asyncio.run(main())
    assert not first.cached
    threads = [
        threading.Thread(target=lambda: others.append(router.generate(path, "the man", temperature=0, max_tokens=4)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(others) == 16
    assert all(it.cached and same(it, first) for it in others)
    assert router.stats()["models"][path]["leases"] == 0


def answer(text: str) -> Completion:
    return Completion(text, [1, 2], "stop", trillm.Usage(1, 0, 2), Timings(1, 1, 1))


def test_what_was_used_least_recently_goes() -> None:
    # Beside its text each counts 512 bytes, and four for each of two tokens.
    cache = ResponseCache(3 * (512 + 8 + 4))
    place = ("model", 1)
    keys = [cache.key("generate", text, {"temperature": 0}) for text in ("one", "two", "three", "four")]
    assert len(set(keys)) == 4
    for key in keys[:3]:
        assert key is not None
        cache.keep(place, key, answer("text"))
    one, two, three, four = keys
    assert one is not None
    assert two is not None
    assert three is not None
    assert four is not None
    assert cache.stats() == {"size": 1572, "bytes": 1572, "entries": 3, "hits": 0, "misses": 0}
    assert cache.find(place, one) is not None
    cache.keep(place, four, answer("text"))
    assert [cache.find(place, key) is not None for key in (one, two, three, four)] == [True, False, True, True]
    # What is larger than all of it is not kept, and what is kept again counts once.
    cache.keep(place, two, answer("text" * 400))
    cache.keep(place, four, answer("t"))
    assert cache.stats() == {"size": 1572, "bytes": 1569, "entries": 3, "hits": 4, "misses": 1}
    assert cache.find(("model", 2), four) is None
    assert cache.find(("other", 1), four) is None
    cache.resize(600)
    assert [cache.find(place, key) is not None for key in (one, three, four)] == [False, False, True]
    cache.drop("other")
    assert cache.stats()["entries"] == 1
    cache.drop("model")
    assert (cache.stats()["entries"], cache.stats()["bytes"]) == (0, 0)


def test_what_has_no_key() -> None:
    cache = ResponseCache(1000)
    for params in ({"temperature": True}, {"temperature": "0"}, {"temperature": 0.0, "stop": {1}}, {"seed": None}):
        assert cache.key("generate", "the", params) is None
    assert cache.key("generate", b"the", {"seed": 1}) is None
    assert cache.key("generate", "x" * (1 << 20), {"seed": 1}) is None
    assert cache.key("chat", [{"role": "user", "content": "x" * (1 << 20)}], {"seed": 1}) is None
    assert cache.key("generate", "\ud800", {"seed": 1}) is not None
    assert ResponseCache(0).key("generate", "the", {"seed": 1}) is None
    # The order of what a template may show counts, that of parameters does not.
    one, other = {"role": "user", "content": "a"}, {"content": "a", "role": "user"}
    assert cache.key("chat", [one], {"seed": 1}) != cache.key("chat", [other], {"seed": 1})
    assert cache.key("chat", [one], {"seed": 1, "top_k": 2}) == cache.key("chat", [one], {"top_k": 2, "seed": 1})
    assert cache.key("chat", [one], {"seed": 1}) != cache.key("generate", [one], {"seed": 1})


def test_a_template_that_tells_the_time_is_asked_each_time(router: trillm.LLMRouter, tiny_model: Path) -> None:
    path, asked = str(tiny_model), {"max_tokens": 4, **GREEDY}
    template = "{{ strftime_now('%Y-%m-%d %H:%M:%S') }}{{ messages[0].content }}"
    for _ in range(2):
        assert not router.chat(path, MESSAGES, template=template, **asked).cached
    assert counted(router) == (0, 0, 0)


def test_what_is_changed_while_it_is_asked_is_not_kept(router: trillm.LLMRouter, tiny_model: Path) -> None:
    path, asked = str(tiny_model), {"max_tokens": 4, **GREEDY}
    messages: list[Any] = [{"role": "user", "content": "the man"}]

    async def change() -> None:
        task = asyncio.create_task(router.achat(path, messages, **asked))
        await asyncio.sleep(0)
        messages[0]["content"] = "nothing else"
        await task

    asyncio.run(change())
    plain = router.chat(path, [{"role": "user", "content": "the man"}], **asked)
    assert same(plain, router.model(path).chat([{"role": "user", "content": "the man"}], **asked))
