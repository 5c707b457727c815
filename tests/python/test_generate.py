"""Generating: what comes out, and that it depends on nothing but the request."""

from __future__ import annotations

import asyncio
import copy
import json
import math
import os
import pickle
import threading
import time
from collections import UserDict, deque
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
import trillm
from trillm.errors import (
    Closed,
    ContextOverflow,
    DeadlineExceeded,
    InvalidRequest,
    ModelFormatError,
    ModelNotFound,
    Overloaded,
)

from .helpers import ENDLESS, GREEDY, LETTERS, SAMPLED, endless, failing, occupied, pickled, refused, until

PROMPTS = ["the man", "and so", "on a", "he said", "in the", "when", "a", "there was nothing in the end"]


def each(values: dict[str, list[Any]]) -> list[tuple[str, Any]]:
    return [(name, value) for name, ones in values.items() for value in ones]


def test_stories_are_told_as_by_the_reference(stories: Path) -> None:
    golden = [int(number) for number in stories.with_name("golden.ids").read_text().split()]
    with trillm.load(stories, threads=1) as model:
        told = model.generate("", max_tokens=199, temperature=0, ignore_eos=True)
    assert told.text == stories.with_name("golden.txt").read_text()
    assert told.token_ids == golden[1:]
    assert told.finish_reason == "length"
    assert (told.usage.prompt_tokens, told.usage.completion_tokens, told.usage.total_tokens) == (1, 199, 200)


@pytest.mark.real
@pytest.mark.usefixtures("smollm2")
def test_a_real_model_knows_the_capital_of_france() -> None:
    with trillm.load("smollm2", context=512, threads=1) as model:
        answer = model.chat([{"role": "user", "content": "What is the capital of France?"}], temperature=0)
    assert answer.text == "The capital of France is Paris."
    assert answer.finish_reason == "stop"


def test_greedy_is_repeatable(llm: trillm.Model) -> None:
    first, again = (llm.generate("the man", max_tokens=50, **GREEDY) for _ in range(2))
    assert first.token_ids == again.token_ids
    assert first.text == again.text == llm.detokenize(first.token_ids)


def test_a_seed_makes_chance_repeatable(llm: trillm.Model) -> None:
    first, again, other = (llm.generate("the man", max_tokens=50, seed=seed, **SAMPLED) for seed in (7, 7, 8))
    assert first.token_ids == again.token_ids
    assert first.token_ids != other.token_ids


def test_without_a_seed_each_request_has_its_own(llm: trillm.Model) -> None:
    first, other = (llm.generate("the man", max_tokens=50, **SAMPLED) for _ in range(2))
    assert first.token_ids != other.token_ids


def test_neighbours_do_not_change_a_request(llm: trillm.Model) -> None:
    alone = llm.generate("the man", max_tokens=50, seed=7, **SAMPLED)
    streams = [llm.stream(prompt, max_tokens=40, seed=seed, **SAMPLED) for seed, prompt in enumerate(PROMPTS[1:])]
    among = llm.generate("the man", max_tokens=50, seed=7, **SAMPLED)
    assert among.token_ids == alone.token_ids
    for stream in streams:
        stream.close()


def test_an_answer_does_not_depend_on_where_the_cache_puts_it(tiny_model: Path) -> None:
    """With exact attention.

    llama.cpp's flash attention adds up in 16 bits and in chunks of the whole cache, so there the last digits depend on
    what else is in it.
    """
    with trillm.load(tiny_model, threads=1, flash_attention=False, cache_type="f32") as model:
        in_an_empty_cache, beside_it = (model.generate("", max_tokens=400, seed=0, ignore_eos=True) for _ in range(2))
    assert in_an_empty_cache.token_ids == beside_it.token_ids


def test_a_list_is_a_batch_in_order(llm: trillm.Model) -> None:
    one_by_one = [llm.generate(prompt, max_tokens=30, **GREEDY).token_ids for prompt in PROMPTS]
    steps = llm.stats()["steps"]
    batch = llm.generate(PROMPTS, max_tokens=30, **GREEDY)
    assert [completion.token_ids for completion in batch] == one_by_one
    # As a batch of eight, and not one after the other.
    assert llm.stats()["steps"] - steps < 30 * len(PROMPTS) / 2


def test_a_list_may_be_longer_than_there_are_slots(tiny_model: Path) -> None:
    with trillm.load(tiny_model, parallel=2, threads=1) as model:
        batch = model.generate([f"number {number}" for number in range(20)], max_tokens=5, **GREEDY)
        alone = model.generate("number 19", max_tokens=5, **GREEDY)
    assert len(batch) == 20
    assert batch[19].token_ids == alone.token_ids


def test_a_seed_serves_each_prompt_of_a_list(llm: trillm.Model) -> None:
    batch = llm.generate(["the man", "the man"], max_tokens=20, seed=3, **SAMPLED)
    assert batch[0].token_ids == batch[1].token_ids


def test_tuples_of_prompts_and_lists_of_ids_are_batches(llm: trillm.Model) -> None:
    texts = llm.generate(("the", "and"), max_tokens=3, **GREEDY)
    ids = llm.generate([llm.tokenize("the"), llm.tokenize("and")], max_tokens=3, **GREEDY)
    assert [completion.token_ids for completion in texts] == [completion.token_ids for completion in ids]


def test_one_bad_prompt_in_a_list_is_an_error_and_leaves_nothing_running(llm: trillm.Model) -> None:
    with pytest.raises(InvalidRequest):
        llm.generate([[1, 2], [300]], max_tokens=100, **GREEDY)
    assert until(lambda: llm.stats()["running"] == 0)


def test_token_ids_are_a_prompt(llm: trillm.Model) -> None:
    by_text = llm.generate("the man", max_tokens=20, **GREEDY)
    by_ids = llm.generate(llm.tokenize("the man"), max_tokens=20, **GREEDY)
    assert by_ids.token_ids == by_text.token_ids
    assert by_ids.usage.prompt_tokens == len(llm.tokenize("the man"))


def test_an_empty_text_is_a_bos(llm: trillm.Model) -> None:
    empty = llm.generate("", max_tokens=20, **GREEDY)
    assert empty.usage.prompt_tokens == 1
    assert empty.token_ids == llm.generate([1], max_tokens=20, **GREEDY).token_ids


def test_special_tokens_in_a_prompt_are_text_unless_asked_for(llm: trillm.Model) -> None:
    def tokens(**params: Any) -> int:
        usage: trillm.Usage = llm.generate("<|im_end|>", max_tokens=1, **params).usage
        return usage.prompt_tokens

    assert tokens() == len(llm.tokenize("<|im_end|>")) > 2
    assert tokens(parse_special=True) == 2
    assert tokens(parse_special=True, add_special=False) == 1


def test_length_ends_a_request(llm: trillm.Model) -> None:
    completion = llm.generate("the man", max_tokens=9, **GREEDY)
    assert completion.finish_reason == "length"
    assert len(completion.token_ids) == completion.usage.completion_tokens == 9
    assert completion.usage.prompt_tokens == len(llm.tokenize("the man"))
    assert completion.usage.total_tokens == completion.usage.prompt_tokens + 9


def test_without_max_tokens_the_context_is_filled(tiny_model: Path) -> None:
    with trillm.load(tiny_model, context=256, threads=1) as model:
        completion = model.generate("the man", **GREEDY)
        assert completion.usage.total_tokens == model.context
    assert completion.finish_reason == "length"


def test_the_models_own_end_ends_a_request(llm: trillm.Model) -> None:
    """Forced, since the tiny model has no plan of its own."""
    eos = 2
    completion = llm.generate("the man", max_tokens=9, temperature=0, logit_bias={eos: 1e9})
    assert completion.finish_reason == "stop"
    assert (completion.text, completion.token_ids, completion.usage.completion_tokens) == ("", [], 0)
    ignored = llm.generate("the man", max_tokens=9, temperature=0, logit_bias={eos: 1e9}, ignore_eos=True)
    assert ignored.finish_reason == "length"
    assert ignored.token_ids == [eos] * 9
    assert ignored.text == ""


def test_a_stop_string_ends_the_text_before_it(llm: trillm.Model) -> None:
    whole = llm.generate("the man", max_tokens=60, **GREEDY)
    # From the middle of the text, and across the borders of tokens.
    stop = whole.text[len(whole.text) // 2 :][:7]
    for stops in (stop, [stop], ("not in it", stop)):
        cut = llm.generate("the man", max_tokens=60, stop=stops, **GREEDY)
        assert cut.text == whole.text[: whole.text.index(stop)]
        assert cut.finish_reason == "stop"
        assert cut.usage.completion_tokens < 60


def test_of_several_stop_strings_the_first_in_the_text_counts(llm: trillm.Model) -> None:
    whole = llm.generate("the man", max_tokens=60, **GREEDY)
    early, late = whole.text[10:14], whole.text[30:34]
    cut = llm.generate("the man", max_tokens=60, stop=[late, early], **GREEDY)
    assert cut.text == whole.text[: min(whole.text.index(early), whole.text.index(late))]


def test_what_could_have_been_a_stop_string_is_not_lost(llm: trillm.Model) -> None:
    whole = llm.generate("the man", max_tokens=30, **GREEDY)
    stop = whole.text[-3:] + "never"
    assert llm.generate("the man", max_tokens=30, stop=stop, **GREEDY).text == whole.text


def test_logprobs_are_those_of_the_model(llm: trillm.Model) -> None:
    completion = llm.generate("the man", max_tokens=10, temperature=0, ignore_eos=True, logprobs=5)
    assert completion.logprobs is not None
    assert len(completion.logprobs) == 10
    for token, (chosen, top) in zip(completion.token_ids, completion.logprobs, strict=True):
        assert top[0] == (token, chosen)
        assert len(top) == len(dict(top)) == 5
        values = [logprob for _, logprob in top]
        assert values == sorted(values, reverse=True)
        assert all(logprob <= 0 for logprob in values)
        assert sum(map(math.exp, values)) <= 1 + 1e-5


def test_logprobs_add_up_to_one(llm: trillm.Model) -> None:
    """Over all tokens; so all but twenty are forbidden here."""
    bias = dict.fromkeys(range(280), -math.inf)
    completion = llm.generate("the", max_tokens=5, seed=1, ignore_eos=True, logit_bias=bias, logprobs=20)
    assert completion.logprobs is not None
    for token, (chosen, top) in zip(completion.token_ids, completion.logprobs, strict=True):
        assert dict(top).keys() == set(range(280, 300))
        assert sum(math.exp(logprob) for _, logprob in top) == pytest.approx(1, abs=1e-4)
        assert dict(top)[token] == chosen


def test_logprobs_only_if_asked_for(llm: trillm.Model) -> None:
    assert llm.generate("the", max_tokens=2, **GREEDY).logprobs is None
    only_chosen = llm.generate("the", max_tokens=2, logprobs=0, **GREEDY).logprobs
    assert only_chosen is not None
    assert [top for _, top in only_chosen] == [[], []]


def test_temperature_flattens(llm: trillm.Model) -> None:
    def best(temperature: float) -> float:
        logprobs = llm.generate("the", max_tokens=1, seed=1, temperature=temperature, logprobs=1).logprobs
        assert logprobs is not None
        return logprobs[0][1][0][1]

    assert best(0.5) > best(1) > best(2)


def test_bias_forbids_and_forces(llm: trillm.Model) -> None:
    plain = llm.generate("the man", max_tokens=20, **GREEDY)
    banned = plain.token_ids[0]
    without = llm.generate("the man", max_tokens=20, temperature=0, logit_bias=LETTERS | {banned: -math.inf})
    assert banned not in without.token_ids
    assert llm.generate("the man", max_tokens=4, logit_bias={270: 1e4}).token_ids == [270] * 4


@pytest.mark.parametrize(
    "params",
    [{"top_k": 1}, {"top_p": 0}, {"min_p": 1}, {"typical_p": 1, "top_k": 1}, {"temperature": 1e-6}],
    ids=str,
)
def test_the_narrowest_choice_is_the_most_probable(llm: trillm.Model, params: dict[str, Any]) -> None:
    greedy = llm.generate("the man", max_tokens=30, **GREEDY)
    narrow: dict[str, Any] = {**SAMPLED, **params}
    assert llm.generate("the man", max_tokens=30, seed=5, **narrow).token_ids == greedy.token_ids


@pytest.mark.parametrize("params", [{"top_k": 3}, {"top_p": 0.3}, {"min_p": 0.5}, {"typical_p": 0.3}], ids=str)
def test_a_narrower_choice_is_from_the_most_probable(llm: trillm.Model, params: dict[str, Any]) -> None:
    drawn = llm.generate(["the man"] * 8, max_tokens=10, logprobs=20, **SAMPLED, **params)
    for completion in drawn:
        assert completion.logprobs is not None
        for token, (_, top) in zip(completion.token_ids, completion.logprobs, strict=True):
            assert token in dict(top)
            if "top_k" in params:
                assert token in dict(top[:3])
            if "min_p" in params:
                assert dict(top)[token] >= top[0][1] + math.log(0.5) - 1e-4


@pytest.mark.parametrize(
    "params", [{"repetition_penalty": 50}, {"presence_penalty": 2}, {"frequency_penalty": 2}], ids=str
)
def test_penalties_make_it_repeat_itself_less(llm: trillm.Model, params: dict[str, Any]) -> None:
    plain = llm.generate("the man", max_tokens=60, **GREEDY)
    varied = llm.generate("the man", max_tokens=60, **GREEDY, **params)
    assert len(set(varied.token_ids)) > len(set(plain.token_ids))


def test_a_penalty_that_looks_back_at_nothing_does_nothing(llm: trillm.Model) -> None:
    plain = llm.generate("the man", max_tokens=30, **GREEDY)
    blind = llm.generate("the man", max_tokens=30, repetition_penalty=50, repeat_last_n=0, **GREEDY)
    assert blind.token_ids == plain.token_ids


def test_overflow_is_an_error_with_the_numbers(llm: trillm.Model) -> None:
    prompt = [270] * 500
    for more in (13, 10**6):
        with pytest.raises(ContextOverflow) as caught:
            llm.generate(prompt, max_tokens=more)
        assert all(str(number) in str(caught.value) for number in (500, more, 512))
        assert caught.value.code == "context_overflow"
        assert caught.value.hint
    with pytest.raises(ContextOverflow, match=r"512 tokens.*512"):
        llm.generate([270] * 512)
    assert len(llm.generate(prompt, max_tokens=12, **GREEDY).token_ids) == 12


WRONG: dict[str, list[Any]] = {
    "max_tokens": [0, -1, "ten", 1.5],
    "temperature": [-0.1, 101, math.nan, math.inf, "hot"],
    "top_k": [-1, 0.5],
    "top_p": [1.1, -0.1, math.nan],
    "min_p": [1.1],
    "typical_p": [-1],
    "repetition_penalty": [0, 1000],
    "presence_penalty": [2.1],
    "frequency_penalty": [-2.1],
    "repeat_last_n": [-1],
    "seed": [-1, 2**64],
    "logprobs": [21, -1],
    "logit_bias": [{300: 1.0}, {-1: 1.0}, {1: math.nan}, {1: math.inf}, [1, 2]],
    "stop": ["", ["a", ""], ["x"] * 17, 7],
    "ignore_eos": ["yes"],
    "priority": ["high", 2**40],
    "timeout": [0, -1, math.nan, "soon"],
    "cache_salt": [-1],
    "add_special": ["yes"],
    "parse_special": [2],
    "prompt": [[300], [-1], [2**40], [1, "two"], 5, None, b"bytes are no text", []],
}
"""Values that a parameter of generating may not have."""


@pytest.mark.parametrize(("name", "value"), each(WRONG), ids=lambda value: str(value)[:20])
def test_parameters_outside_their_range(llm: trillm.Model, name: str, value: object) -> None:
    arguments: dict[str, Any] = {"prompt": "the", "max_tokens": 1, name: value}
    with failing(InvalidRequest, "invalid_parameter", name) as caught:
        llm.generate(**arguments)
    assert isinstance(caught.value, ValueError)


def test_unknown_parameters(llm: trillm.Model) -> None:
    with pytest.raises(TypeError, match="temprature"):
        llm.generate("the", temprature=1)  # type: ignore[call-overload]


def test_none_is_the_default(llm: trillm.Model) -> None:
    given = llm.generate("the", max_tokens=5, logprobs=None, timeout=None, **GREEDY)
    assert given.token_ids == llm.generate("the", max_tokens=5, **GREEDY).token_ids


def test_a_repeated_prefix_is_not_computed_again(llm: trillm.Model) -> None:
    prompt = "there was nothing in the end but the sea and the sky"
    length = len(llm.tokenize(prompt))
    first = llm.generate(prompt, max_tokens=3, cache_salt=11, **GREEDY)
    again = llm.generate(prompt, max_tokens=3, cache_salt=11, **GREEDY)
    longer = llm.generate(prompt + " and more", max_tokens=3, cache_salt=11, **GREEDY)
    assert first.usage.cached_tokens == 0
    # The last token is computed, or there would be nothing to go on from.
    assert again.usage.cached_tokens == length - 1
    assert longer.usage.cached_tokens >= length - 1
    assert again.token_ids == first.token_ids


def test_a_salt_keeps_prefixes_apart(llm: trillm.Model) -> None:
    prompt = "there was nothing in the end but the sea and the sky"
    first, other = (llm.generate(prompt, max_tokens=3, cache_salt=salt, **GREEDY) for salt in (21, 22))
    assert first.usage.cached_tokens == other.usage.cached_tokens == 0
    assert first.token_ids == other.token_ids


def test_timings_are_parts_of_the_time_it_took(llm: trillm.Model) -> None:
    began = time.monotonic()
    timings = llm.generate("the man", max_tokens=20, **GREEDY).timings
    took = time.monotonic() - began
    assert min(timings.queue, timings.prefill, timings.decode) >= 0
    assert 0 < timings.queue + timings.prefill + timings.decode <= took


def test_completions_become_json(llm: trillm.Model) -> None:
    completion = llm.generate("the man", max_tokens=2, logprobs=1, **GREEDY)
    said = completion.to_dict()
    assert said["text"] == completion.text
    assert said["token_ids"] == completion.token_ids
    assert said["finish_reason"] == "length"
    assert said["usage"] == completion.usage.to_dict()
    assert said["timings"].keys() == {"queue", "prefill", "decode"}
    assert len(said["logprobs"]) == 2


def test_a_timeout_ends_a_request(tiny_model: Path) -> None:
    with endless(tiny_model) as model:
        with failing(DeadlineExceeded, "deadline_exceeded") as caught:
            model.generate("the", timeout=0.05, **ENDLESS)
        assert isinstance(caught.value, TimeoutError)
        assert model.generate("the", max_tokens=3, timeout=60, **GREEDY).finish_reason == "length"


def test_a_call_that_returned_counts_nowhere(tiny_model: Path) -> None:
    with trillm.load(tiny_model, threads=1, parallel=2) as model:
        calls: list[Callable[[], object]] = [
            lambda: model.generate("the", max_tokens=1, **GREEDY),
            lambda: model.generate(["the"] * 3, max_tokens=1, **GREEDY),
            lambda: list(model.stream("the", max_tokens=2, **GREEDY)),
            lambda: asyncio.run(model.agenerate("the", max_tokens=1, **GREEDY)),
        ]
        for call in calls * 20:
            call()
            stats = model.stats()
            assert (stats["running"], stats["waiting"], stats["paused"]) == (0, 0, 0)


def test_a_full_queue_refuses(tiny_model: Path) -> None:
    with endless(tiny_model, parallel=1, queue=2) as model:
        with occupied(model):
            waiting = [model.stream("the", max_tokens=1, **GREEDY) for _ in range(2)]
            with failing(Overloaded, "overloaded") as caught:
                model.generate("the", max_tokens=1)
            assert caught.value.hint
        assert all(len(list(stream)) == 1 for stream in waiting)


def test_a_higher_priority_goes_first(tiny_model: Path) -> None:
    with trillm.load(tiny_model, context=65536, parallel=1, threads=1) as model:
        low = model.stream("the", **ENDLESS)
        next(low)
        # There is one slot, and the other request never ends: this one would wait for ever.
        assert model.generate("and", max_tokens=3, priority=1, **GREEDY).finish_reason == "length"
        assert next(low).token_id is not None
        low.close()


def test_a_closed_model(tiny_model: Path) -> None:
    model = trillm.load(tiny_model, threads=1)
    model.close()
    model.close()
    for use in (
        lambda: model.generate("the"),
        lambda: model.stream("the"),
        lambda: model.chat([{"role": "user", "content": "hi"}]),
        lambda: model.embed("the"),
        lambda: model.tokenize("the"),
        lambda: model.detokenize([1]),
        model.stats,
    ):
        with failing(Closed, "closed"):
            use()
    assert model.info.name == "tiny"


def test_leaving_the_block_closes(tiny_model: Path) -> None:
    with trillm.load(tiny_model, threads=1) as model:
        stream = model.stream("the", **GREEDY)
    with pytest.raises(Closed):
        model.generate("the")
    with pytest.raises(Closed):
        list(stream)


WRONG_TO_LOAD: dict[str, list[Any]] = {
    "context": [0, "long"],
    "parallel": [0],
    "threads": [-1],
    "batch": [0],
    "ubatch": [0],
    "queue": [0],
    "prompt_chunk": [0],
    "gpu_layers": [-1],
    "device": ["abacus"],
    "cache_type": ["f64"],
    "engine": ["steam"],
    "mmap": ["yes"],
    "lora": [7, [7]],
}


@pytest.mark.parametrize(("name", "value"), each(WRONG_TO_LOAD))
def test_parameters_of_loading(tiny_model: Path, name: str, value: object) -> None:
    params: dict[str, Any] = {name: value}
    with pytest.raises(InvalidRequest, match=name):
        trillm.load(tiny_model, **params)


def test_unknown_parameters_of_loading(tiny_model: Path) -> None:
    with pytest.raises(TypeError, match="contxt"):
        trillm.load(tiny_model, contxt=5)  # type: ignore[call-arg]


def test_ways_of_loading_do_not_change_the_answer(tiny_model: Path) -> None:
    def answer(**params: Any) -> list[int]:
        with trillm.load(tiny_model, **{"threads": 1, **params}) as model:
            ids: list[int] = model.generate("the man", max_tokens=20, **GREEDY).token_ids
            return ids

    expected = answer()
    assert answer(mmap=False) == expected
    assert answer(device="cpu", engine="llama", context=64) == expected
    assert answer(batch=4, ubatch=2, prompt_chunk=1) == expected
    assert answer(threads=2) == expected


def test_the_info_says_what_was_decided(llm: trillm.Model, tiny_model: Path) -> None:
    info = llm.info
    assert (info.name, info.architecture, info.format, info.engine) == ("tiny", "llama", "gguf", "llama")
    assert (info.path, info.bytes) == (str(tiny_model), tiny_model.stat().st_size)
    assert (info.vocabulary, info.width, info.layers, info.context_trained) == (300, 64, 2, 512)
    assert info.device
    assert info.to_dict()["license"] == info.license == "apache-2.0"
    assert "tiny" in repr(llm)


@pytest.mark.parametrize(
    ("name", "meant"),
    [("temprature", "temperature"), ("n_predict", "max_tokens"), ("max_new_tokens", "max_tokens"), ("Seed", "seed")],
)
@pytest.mark.parametrize("value", [1, None])
def test_a_misspelt_parameter_names_the_one_that_is_meant(
    llm: trillm.Model, name: str, meant: str, value: int | None
) -> None:
    with pytest.raises(TypeError, match=f"unexpected keyword argument '{name}': did you mean '{meant}'"):
        llm.generate("the", **{name: value})  # type: ignore[call-overload]


def test_a_parameter_of_nothing_says_where_they_are_listed(llm: trillm.Model, tiny_model: Path) -> None:
    with pytest.raises(TypeError, match=r"'xyzzy': trillm\.types\.ChatParams lists those there are"):
        llm.chat([{"role": "user", "content": "Hi"}], xyzzy=1)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="'n_ctx': did you mean 'context'"):
        trillm.load(tiny_model, n_ctx=512)  # type: ignore[call-arg]


def test_results_are_values(llm: trillm.Model) -> None:
    """They are copied, pickled, compared and made anew from what they show."""
    completion = llm.generate("the man", max_tokens=4, logprobs=2, **GREEDY)
    pieces = list(llm.stream("the man", max_tokens=4, logprobs=1, **GREEDY))
    for value in (completion, completion.usage, completion.timings, *pieces):
        for again in (copy.copy(value), copy.deepcopy(value), *pickled(value)):
            assert again == value
            assert type(again) is type(value)
            assert again.to_dict() == value.to_dict()
            assert repr(again) == repr(value)
    assert completion != llm.generate("the man", max_tokens=3, **GREEDY)
    usage, timings = trillm.Usage(3, 0, 2), trillm.Timings(0.5, 1.0, 2.0)
    made = trillm.Completion("a b", [7, 8], "stop", usage, timings)
    assert (made.text, made.usage.total_tokens, made.timings.decode, made.logprobs) == ("a b", 5, 2.0, None)
    with pytest.raises(InvalidRequest, match="finish_reason is tired, expected stop or length"):
        trillm.Completion("", [], "tired", usage, timings)  # type: ignore[arg-type]


def test_other_mappings_and_arrays_are_taken_as_the_plain_ones_are(llm: trillm.Model) -> None:
    ids = llm.tokenize("the man")
    expected = llm.generate(ids, max_tokens=5, **GREEDY).token_ids
    options: Any = {**GREEDY, "max_tokens": np.int64(5), "temperature": np.float32(0), "ignore_eos": np.True_}
    others: list[Any] = [
        np.array(ids),
        np.array(ids, dtype=np.uint32),
        tuple(ids),
        deque(ids),
        list(map(np.int64, ids)),
    ]
    for given in others:
        assert llm.generate(given, **options).token_ids == expected
        assert llm.detokenize(given) == llm.detokenize(ids)
    options = {**GREEDY, "logit_bias": MappingProxyType(LETTERS)}
    assert llm.generate("the", max_tokens=5, **options).text == llm.generate("the", max_tokens=5, **GREEDY).text
    message = {"role": "user", "content": "Hi"}
    rendered = llm.render_chat([message])
    for other in (MappingProxyType(message), UserDict(message)):
        assert llm.render_chat([other]) == rendered
        assert llm.render_chat([message], template_args=MappingProxyType({"n": np.int64(3)})) == rendered


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        (bytearray(b"abc"), "prompt is <class 'bytearray'>, expected a text, or a list, tuple or array of token ids"),
        (memoryview(b"abc"), "prompt is <class 'memoryview'>"),
        ({1: 2}, "prompt is <class 'dict'>"),
        ({1, 2}, "prompt is <class 'set'>, expected a text, or a list, tuple or array of token ids"),
        (frozenset([1, 2]), "prompt is <class 'frozenset'>"),
        ({1: 2}.keys(), "prompt is <class 'dict_keys'>"),
        ({"a": 1}.values(), "prompt is <class 'dict_values'>"),
        ([[1], {2, 3}], r"prompt\[1\] is <class 'set'>"),
        ({"a", "b"}, "prompt is <class 'set'>"),
        (7, "prompt is <class 'int'>"),
        ([1, 2, -3], "prompt is -3 at index 2, expected token ids: whole numbers from 0 to 4294967295"),
        ([1, 2.5], r"prompt is 2.5 at index 1"),
        (np.array([1.0, 2.0]), r"prompt is np.float64\(1.0\) at index 0"),
        ("ab\ud800c", "prompt is a text with a lone surrogate at index 2, expected Unicode"),
    ],
)
def test_a_prompt_that_is_none_is_named(llm: trillm.Model, prompt: Any, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        llm.generate(prompt)


def test_text_that_is_no_unicode_is_refused_wherever_it_is_given(llm: trillm.Model, tiny_model: Path) -> None:
    broken = "a\udcffb"
    tokenizer = trillm.Tokenizer(tiny_model)
    refused(
        InvalidRequest,
        ".",
        lambda: llm.tokenize(broken),
        lambda: tokenizer.encode(broken),
        lambda: llm.chat([{"role": "user", "content": broken}]),
        lambda: llm.generate("the", stop=broken),
        lambda: llm.generate("the", stop=["x", broken]),
        lambda: llm.chat([{"role": "user", "content": "Hi"}], template=broken),
        lambda: llm.chat([{"role": "user", "content": "Hi"}], template_args={"a": broken}),
        lambda: llm.generate(["the", broken]),
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("a\ud800", r"messages\[0\]\['content'\] is a text with a lone surrogate at index 1, expected Unicode"),
        (b"Hi", r"messages\[0\]\['content'\] is an object of type bytes, expected text"),
        (object(), r"messages\[0\]\['content'\] is an object of type object"),
        (
            [{"type": "text", "text": float("nan")}],
            r"messages\[0\]\['content'\]\[0\]\['text'\] is nan, expected a finite",
        ),
        ({"\ud800": 1}, r"a key of messages\[0\]\['content'\] is a text with a lone surrogate"),
        ({(1, 2): 3}, r"messages\[0\]\['content'\] is a mapping with the key \(1, 2\), expected keys that are text"),
    ],
)
def test_messages_that_json_cannot_say_are_named(llm: trillm.Model, content: Any, said: str) -> None:
    with pytest.raises(InvalidRequest, match=said):
        llm.chat([{"role": "user", "content": content}])
    with pytest.raises(InvalidRequest, match=said.replace("messages", r"messages\[1\]", 1)):
        llm.chat([[{"role": "user", "content": "Hi"}], [{"role": "user", "content": content}]])


def test_messages_within_themselves_are_refused(llm: trillm.Model) -> None:
    circle: dict[str, Any] = {"role": "user", "content": "Hi"}
    circle["me"] = [circle]
    with pytest.raises(InvalidRequest, match=r"messages\[0\]\['me'\]\[0\] is a value that contains itself"):
        llm.chat([circle])
    deep: Any = 1
    for _ in range(500):
        deep = [deep]
    with pytest.raises(InvalidRequest, match="is within 100 lists and mappings"):
        llm.chat([{"role": "user", "content": "Hi", "more": deep}])


def test_an_element_that_is_wrong_is_named(llm: trillm.Model) -> None:
    chat = [{"role": "user", "content": "Hi"}]
    with pytest.raises(InvalidRequest, match=r"prompt\[2\] is <class 'NoneType'>"):
        llm.generate(["a", "b", None])  # type: ignore[list-item]
    with pytest.raises(InvalidRequest, match=r"prompt\[1\] is a text with a lone surrogate at index 1"):
        llm.generate(["a", "b\udcff"])
    with pytest.raises(InvalidRequest, match=r"prompt\[1\] is 'x' at index 1, expected token ids"):
        llm.generate([[1], [1, "x"]])  # type: ignore[list-item]
    with pytest.raises(InvalidRequest, match=r"messages\[1\]\[0\]: role is missing"):
        llm.chat([chat, [{"content": "Hi"}]])
    with pytest.raises(InvalidRequest, match=r"stop\[1\] is 5, expected a text"):
        llm.generate("a", stop=["b", 5])  # type: ignore[list-item]
    with pytest.raises(InvalidRequest, match=r"texts\[1\] is a text with a lone surrogate at index 0"):
        llm.embed(["a", "\udcff"])
    with pytest.raises(InvalidRequest, match=r"pairs\[1\] is \('a',\), expected two texts"):
        llm.score([("a", "b"), ("a",)])


def test_messages_are_counted_as_they_were_given(tiny_model: Path) -> None:
    """And not behind the system message that was put before them."""
    given: list[Any] = [{"role": "user", "content": "Hi"}, {"role": "user", "content": [{"type": "image"}]}]
    with trillm.load(tiny_model, threads=1, system="Be brief.") as model:
        with pytest.raises(InvalidRequest, match=r"^messages\[1\]: "):
            model.chat(given)
        with pytest.raises(InvalidRequest, match=r"^messages\[1\]: "):
            model.render_chat(given)


def test_a_number_that_is_too_large_is_told_its_bounds(llm: trillm.Model, tiny_model: Path) -> None:
    for name, most in (("context", 2**30), ("parallel", 256), ("threads", 512), ("batch", 2**20), ("queue", 2**32 - 1)):
        options: Any = {name: 2**32}
        with pytest.raises(InvalidRequest, match=f"^{name} is 4294967296, expected a whole number, 1 to {most}$"):
            trillm.load(tiny_model, **options)
    with pytest.raises(
        InvalidRequest, match='max_tokens is 4294967296, expected a whole number, 1 to 4294967295, or "fit"'
    ):
        llm.generate("the", max_tokens=2**32)
    with pytest.raises(InvalidRequest, match="top_k is 4294967296, expected a whole number, 0 to 4294967295"):
        llm.generate("the", top_k=2**32)


def test_as_many_tokens_as_fit_are_asked_for(tiny_model: Path) -> None:
    with trillm.load(tiny_model, context=32, threads=1) as model:
        prompt = model.tokenize("the man")
        fitting = model.generate("the man", max_tokens="fit", **GREEDY)
        assert len(fitting.token_ids) == 32 - len(prompt)
        assert fitting.finish_reason == "length"
        assert len(list(model.stream("the man", max_tokens="fit", **GREEDY))) == 32 - len(prompt)
        assert asyncio.run(model.agenerate("the man", max_tokens="fit", **GREEDY)).token_ids == fitting.token_ids
        with pytest.raises(ContextOverflow) as caught:
            model.generate("the man", max_tokens=32)
        assert caught.value.hint is not None
        assert '"fit"' in caught.value.hint
        # Nothing fits, so asking for that is no help.
        with pytest.raises(ContextOverflow) as caught:
            model.generate("the " * 32, max_tokens=1)
        assert '"fit"' not in (caught.value.hint or "")
        with pytest.raises(InvalidRequest, match="max_tokens is 'all', expected"):
            model.generate("the man", max_tokens="all")  # type: ignore[call-overload]


def test_an_adapter_that_is_not_there_is_not_found(tiny_model: Path, tmp_path: Path) -> None:
    missing = tmp_path / "no.gguf"
    with pytest.raises(ModelNotFound) as caught:
        trillm.load(tiny_model, lora=[missing])
    assert (str(caught.value), caught.value.hint) == (f"there is no file or folder {missing}", "check the path")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"no adapter", "expected a LoRA adapter (GGUF), found plain text"),
        (b"", "expected a LoRA adapter (GGUF), found an empty file"),
        (b"version https://git-lfs.github.com/spec/v1\n", "found a Git LFS pointer"),
        (b"GGUF\x03\0\0\0\1", "the file ends inside"),
        (None, "the key general.type holds"),
    ],
)
def test_a_file_that_is_no_adapter_is_told_as_a_file_that_is_no_model(
    tiny_model: Path, tmp_path: Path, content: bytes | None, says: str
) -> None:
    path = tmp_path / "no.gguf"
    path.write_bytes(tiny_model.read_bytes() if content is None else content)
    with pytest.raises(ModelFormatError) as caught:
        trillm.load(tiny_model, lora=[path])
    assert str(caught.value).startswith(f"{path}: ")
    assert says in str(caught.value)
    assert "load:" not in str(caught.value)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_an_adapter_that_is_a_pipe_or_a_folder_is_not_waited_for(tiny_model: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, tmp_path):
        with pytest.raises(ModelNotFound) as caught:
            trillm.load(tiny_model, lora=[path])
        assert str(caught.value) == f"{path} is not a regular file"


def test_a_list_waits_for_a_queue_that_others_fill(tiny_model: Path) -> None:
    with endless(tiny_model, parallel=1, queue=1) as model, occupied(model) as first:
        second = model.stream("the", max_tokens=2, **GREEDY)
        with pytest.raises(Overloaded):
            model.generate("the", max_tokens=2, **GREEDY)
        with pytest.raises(DeadlineExceeded):
            model.generate(["the"], timeout=0.1, **GREEDY)
        closing = threading.Timer(0.2, first.close)
        closing.start()
        assert [len(one.token_ids) for one in model.generate(["the"] * 3, max_tokens=2, **GREEDY)] == [2, 2, 2]
        assert len(list(second)) == 2


def test_log_probabilities_say_what_their_tokens_are(llm: trillm.Model) -> None:
    completion = llm.generate("the man", max_tokens=8, temperature=0, ignore_eos=True, logprobs=20)
    pieces = list(llm.stream("the man", max_tokens=8, temperature=0, ignore_eos=True, logprobs=20))
    assert completion.logprobs is not None
    vocabulary = trillm.Tokenizer(llm.info.path)
    for token, entry, piece in zip(completion.token_ids, completion.logprobs, pieces, strict=True):
        chosen, top = entry
        assert (entry.logprob, entry.top, entry.token_id) == (chosen, top, token)
        assert piece.logprobs is not None
        assert piece.logprobs.token_id == token
        for one in [entry.chosen, *top]:
            # Decoding takes away the space that a whole text begins with: not so behind a letter.
            alone = vocabulary.decode([*vocabulary.encode("a", add_special=False), one.token_id])[1:]
            assert one.bytes.decode(errors="replace") == alone
            assert one.text == alone or not one.bytes
            assert one == (one.token_id, one.logprob)
        assert dict(top) == {one.token_id: one.logprob for one in top}
        for again in pickled(entry):
            assert (again.text, again.bytes, again.to_dict()) == (entry.text, entry.bytes, entry.to_dict())
            assert (again, type(again)) == (entry, trillm.Logprobs)
        assert [one.text for one in copy.deepcopy(entry).top] == [one.text for one in top]
    said = json.loads(json.dumps(completion.to_dict()))
    assert said["logprobs"][0].keys() == {"token_id", "logprob", "text", "bytes", "top"}
    assert bytes(said["logprobs"][0]["top"][3]["bytes"]) == completion.logprobs[0].top[3].bytes
    assert json.loads(json.dumps(pieces[0].to_dict()))["logprobs"]["text"] == pieces[0].logprobs.text  # type: ignore[union-attr]


def test_the_bytes_of_a_token_are_exact_where_it_is_part_of_a_character(llm: trillm.Model) -> None:
    """The tiny model's tokens 5 to 260 are bytes."""
    entries = {token: (llm.generate([1], **_forced(token)).logprobs or [])[0] for token in range(261)}
    part = next(token for token, entry in entries.items() if entry.bytes == b"\xc3")
    assert (entries[part].token_id, entries[part].text) == (part, "\ufffd")


def _forced(token: int) -> dict[str, Any]:
    return {"logit_bias": {token: 1e9}, "temperature": 0, "max_tokens": 1, "ignore_eos": True, "logprobs": 0}


def test_facts_about_a_model_are_values(llm: trillm.Model, tiny_model: Path) -> None:
    info = llm.info
    for again in (copy.copy(info), copy.deepcopy(info), *pickled(info)):
        assert again == info
        assert again.to_dict() == info.to_dict()
        assert repr(again) == repr(info)
    assert trillm.ModelInfo(**info.to_dict()) == info
    assert trillm.ModelInfo(**{**info.to_dict(), "name": "another"}) != info
    published: Any = {"temperature": {"value": 0.2, "source": "alias"}, "top_k": {"value": 3, "source": "ollama"}}
    with trillm.load(tiny_model, threads=1, published=published) as model:
        assert pickle.loads(pickle.dumps(model.info)) == model.info != info
    with pytest.raises(TypeError, match="missing keyword argument"):
        trillm.ModelInfo(name="x")


def test_ids_that_do_not_exist_are_named(llm: trillm.Model, tiny_model: Path) -> None:
    for decode in (llm.detokenize, trillm.Tokenizer(tiny_model).decode):
        with pytest.raises(
            InvalidRequest, match="ids is 300 at index 1, expected ids of this model's vocabulary, below"
        ):
            decode([5, 300])
        with pytest.raises(InvalidRequest, match="ids is <class 'str'>, expected a list, tuple or array of token ids"):
            decode("abc")  # type: ignore[arg-type]
