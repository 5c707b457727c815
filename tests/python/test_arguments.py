"""What calls are given: what has no order, what is empty, and what belongs to another call."""

from __future__ import annotations

import asyncio
import copy
import re
from collections import UserList, UserString, deque
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trillm
from trillm import _core, hub
from trillm.errors import ChatTemplateError, ContextOverflow, InvalidRequest, TrillmError

from .helpers import refused
from .sentences import SCORERS, Scorer, write_scorer

HELLO = [{"role": "user", "content": "Hi"}]


async def first(stream: trillm.AsyncStream) -> trillm.Piece:
    return await anext(stream)


def awaited(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(work)


@pytest.mark.parametrize("texts", [{"a", "b"}, frozenset("ab"), {"a": 1}, {"a": 1}.keys()], ids=str)
def test_texts_without_an_order_are_refused(llm: trillm.Model, texts: Any) -> None:
    """Whoever reads the results could not tell which is whose."""
    refused(
        InvalidRequest,
        "expected",
        lambda: llm.generate(texts),
        lambda: awaited(llm.agenerate(texts)),
        lambda: llm.embed(texts),
        lambda: awaited(llm.aembed(texts)),
        lambda: llm.score(texts),
        lambda: llm.score([texts]),
        lambda: awaited(llm.ascore(texts)),
    )


@pytest.mark.parametrize(
    "name", ["max_tokens", "top_k", "temperature", "seed", "logprobs", "priority", "cache_salt", "timeout", "min_p"]
)
def test_a_flag_is_no_number(llm: trillm.Model, name: str) -> None:
    params: Any = {name: True}
    refused(InvalidRequest, f"^{name} is True, expected ", lambda: llm.generate("the man", **params))


@pytest.mark.parametrize("ids", [[True], [5, False], np.array([True]), (np.True_,)], ids=str)
def test_true_is_no_token(llm: trillm.Model, tiny_model: Path, ids: Any) -> None:
    """Python counts it among the whole numbers, numpy does not: it is refused, however it is given."""
    tokenizer = trillm.Tokenizer(tiny_model)
    refused(
        InvalidRequest,
        r"(True|False|np\.True_|True_) at index [01], expected token ids",
        lambda: llm.generate(ids),
        lambda: llm.generate([[5], ids]),
        lambda: llm.stream(ids),
        lambda: awaited(llm.agenerate(ids)),
        lambda: llm.detokenize(ids),
        lambda: tokenizer.decode(ids),
    )
    with pytest.raises(InvalidRequest, match="a mapping with the key True, expected"):
        llm.generate([5], logit_bias={True: 1.0})


def test_a_class_that_stands_for_a_text_is_none(llm: trillm.Model) -> None:
    """Nor is it a list of those that its characters are."""
    text: Any = UserString("ab")
    for error in refused(
        (InvalidRequest, ChatTemplateError),
        ".",
        lambda: llm.generate(text),
        lambda: llm.stream(text),
        lambda: awaited(llm.agenerate(text)),
        lambda: llm.chat(text),
        lambda: llm.embed(text),
        lambda: llm.generate([5], stop=text),
    ):
        assert "[0]" not in str(error)


@pytest.mark.parametrize("value", [10**400, -(10**400), 10**5000], ids=["large", "small", "larger"])
def test_a_number_of_any_size_is_told_the_bound(llm: trillm.Model, tiny_model: Path, value: int) -> None:
    """Beyond what floating point has, and beyond what Python writes."""
    bounds = {
        "temperature": "0 to 100",
        "top_p": "0 to 1",
        "presence_penalty": "-2 to 2",
        "max_tokens": "1 to 4294967295",
        "seed": r"0 to 2\*\*64 - 1",
        "logit_bias": "a number or minus infinity",
    }
    for name, bound in bounds.items():
        given: Any = {name: {5: value} if name == "logit_bias" else value}
        if name == "logit_bias" and value < 0:
            continue
        with pytest.raises(InvalidRequest, match=f"{name} is .*, expected .*{bound}") as caught:
            llm.generate([5], **given)
        assert len(str(caught.value)) < 400
        assert "something else" not in str(caught.value)
    with pytest.raises(InvalidRequest, match=r"threads is .*, expected a whole number, 1 to 512"):
        trillm.load(tiny_model, threads=value)


@pytest.mark.parametrize("empty", [[], (), np.array([], dtype=np.int64)], ids=repr)
def test_an_empty_prompt_is_refused(llm: trillm.Model, empty: Any) -> None:
    """An empty list is a prompt without ids, not a list of no prompts."""
    refused(
        InvalidRequest,
        r"prompt(\[1\])? is empty, expected at least one token",
        lambda: llm.generate(empty),
        lambda: llm.generate([[5], empty]),
        lambda: llm.stream(empty),
        lambda: awaited(llm.agenerate(empty)),
        lambda: awaited(first(llm.astream(empty))),
    )


@pytest.mark.parametrize("empty", [[], ()])
def test_a_chat_without_messages_is_refused(llm: trillm.Model, empty: Any) -> None:
    for error in refused(
        InvalidRequest,
        r"messages(\[1\])? is empty, expected at least one message",
        lambda: llm.chat(empty),
        lambda: llm.chat([HELLO, empty]),
        lambda: llm.chat_stream(empty),
        lambda: awaited(llm.achat(empty)),
        lambda: awaited(llm.achat([HELLO, empty])),
        lambda: awaited(first(llm.achat_stream(empty))),
        lambda: llm.chat(empty, template="Hello!"),
    ):
        assert error.code == "invalid_parameter"
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


@pytest.mark.parametrize("kind", [deque, UserList, tuple], ids=lambda kind: kind.__name__)
def test_messages_chats_and_tools_may_be_any_sequence(llm: trillm.Model, kind: Callable[[Any], Any]) -> None:
    template = "{% for tool in tools or [] %}{{ tool.name }} {% endfor %}{{ messages[0].content }}"
    greedy: dict[str, Any] = {"max_tokens": 2, "temperature": 0}
    assert llm.render_chat(kind(HELLO)) == llm.render_chat(HELLO)
    one = llm.chat(HELLO, **greedy).token_ids
    assert llm.chat(kind(HELLO), **greedy).token_ids == one
    assert awaited(llm.achat(kind(HELLO), **greedy)).token_ids == one
    for chats in (kind([HELLO, HELLO]), kind([kind(HELLO), kind(HELLO)]), [kind(HELLO), HELLO]):
        assert [answer.token_ids for answer in llm.chat(chats, **greedy)] == [one, one]
        assert [answer.token_ids for answer in awaited(llm.achat(chats, **greedy))] == [one, one]
    assert llm.render_chat(HELLO, tools=kind([{"name": "add"}]), template=template) == "add Hi"
    parts = [{"role": "user", "content": kind([{"type": "text", "text": "Hi"}])}]
    assert llm.render_chat(parts) == llm.render_chat(HELLO)


@pytest.mark.parametrize("messages", [5, "Hi", {"Hi"}, b"Hi", {"role": "user"}.keys(), None], ids=repr)
def test_what_is_no_list_of_messages_says_what_is_meant(llm: trillm.Model, messages: Any) -> None:
    for call in (llm.chat, llm.chat_stream, llm.render_chat, llm.achat_stream, lambda given: awaited(llm.achat(given))):
        with pytest.raises(InvalidRequest, match=r"messages is .*, expected a list of messages, each a mapping with"):
            call(messages)


@pytest.mark.parametrize(
    ("message", "found"), [(None, "None"), ("Hi", "text"), (True, "a boolean"), (["Hi"], "a list")]
)
def test_what_is_no_message_is_called_by_pythons_words(llm: trillm.Model, message: Any, found: str) -> None:
    with pytest.raises(
        InvalidRequest, match=rf"messages\[1\]: expected a mapping with role and content, found {found}"
    ):
        llm.chat([*HELLO, message])


LONG = "a " * 9000


def test_an_error_of_one_prompt_in_a_list_says_which(llm: trillm.Model) -> None:
    top = llm.info.vocabulary
    cases: list[tuple[Any, type[TrillmError], str]] = [
        (["ok", LONG], ContextOverflow, r"^prompt\[1\] of \d+ tokens does not fit a context of \d+$"),
        (["ok", "ok", [5] * 9000], ContextOverflow, r"^prompt\[2\] of 9000 tokens does not fit"),
        (["ok", []], InvalidRequest, r"^prompt\[1\] is empty, expected at least one token$"),
        (
            [[5], [5, top]],
            InvalidRequest,
            rf"^prompt\[1\] is token {top} at index 1, beyond the last one, {top - 1}, expected ids of this model's ",
        ),
    ]
    for prompts, error, match in cases:
        for call in (llm.generate, lambda given: awaited(llm.agenerate(given))):
            with pytest.raises(error, match=match) as caught:
                call(prompts)
            assert "leave out the text" not in (caught.value.hint or "")
    with pytest.raises(ContextOverflow, match=r"^prompt of \d+ tokens"):
        llm.generate(LONG)
    with pytest.raises(InvalidRequest, match=rf"^prompt is token {top} at index 0"):
        llm.stream([top])
    # What another prompt would not have helped with is said of none.
    with pytest.raises(InvalidRequest, match=r"^temperature is 101"):
        llm.generate(["a", "b"], temperature=101)


def test_an_error_of_one_chat_in_a_list_says_which(llm: trillm.Model) -> None:
    refuses = "{{ raise_exception('no') if messages[0].content == 'no' else messages[0].content }}"
    cases: list[tuple[Any, dict[str, Any], type[TrillmError], str]] = [
        ({"role": "user", "content": LONG}, {}, ContextOverflow, r"^messages\[1\]: prompt of \d+ tokens does not fit"),
        ({"content": "x"}, {}, InvalidRequest, r"^messages\[1\]\[0\]: role is missing$"),
        (
            {"role": "user", "content": "no"},
            {"template": refuses},
            ChatTemplateError,
            r"^messages\[1\]: .* refuses .*: no$",
        ),
    ]
    for message, params, error, match in cases:
        for call in (llm.chat, lambda given, **params: awaited(llm.achat(given, **params))):
            with pytest.raises(error, match=match):
                call([HELLO, [message]], **params)
    # It is the same for all of them.
    with pytest.raises(ChatTemplateError, match=r"^the chat template is invalid"):
        llm.chat([HELLO, HELLO], template="{% if")


@pytest.mark.parametrize(
    ("tools", "said"),
    [
        ("get", r"tools is 'get', expected a list of tools, each a mapping"),
        ({"name": "get"}, r"tools is \{'name': 'get'\}, expected a list of tools, each a mapping"),
        ([{"name": "get"}, None], r"tools\[1\] is None, expected a mapping"),
        ((1,), r"tools\[0\] is 1, expected a mapping"),
        ({"get"}, r"tools is an object of type set, expected a list of tools, each a mapping"),
        ([print], r"tools\[0\] is an object of type builtin_function_or_method, expected"),
    ],
    ids=str,
)
def test_what_is_no_list_of_tools_is_refused(llm: trillm.Model, tools: Any, said: str) -> None:
    calls: list[Callable[..., object]] = [
        lambda **params: llm.chat(HELLO, **params),
        lambda **params: llm.chat_stream(HELLO, **params),
        lambda **params: llm.render_chat(HELLO, **params),
        lambda **params: awaited(llm.achat([HELLO, HELLO], **params)),
    ]
    for call in calls:
        for polyfill in (False, True):
            with pytest.raises(InvalidRequest, match=said):
                call(tools=tools, polyfill_tools=polyfill)


def test_arrays_without_dimensions_are_what_they_hold(llm: trillm.Model) -> None:
    greedy: dict[str, Any] = {"max_tokens": np.array(3), "temperature": np.array(0), "ignore_eos": np.array(True)}
    expected = llm.generate("the", max_tokens=3, temperature=0, ignore_eos=True, stop="zz").token_ids
    given, stop, false, bias = np.array("the"), np.array("zz"), np.array(False), {5: np.array(0.0)}
    model: Any = llm
    assert model.generate(given, stop=stop, **greedy).token_ids == expected
    assert awaited(model.agenerate(given, logit_bias=bias, **greedy)).token_ids == expected
    assert np.allclose(model.embed(given, normalize=false), llm.embed("the", normalize=False), atol=1e-5)
    assert np.allclose(awaited(model.aembed([given])), llm.embed("the"), atol=1e-5)
    assert model.tokenize(given, add_special=false) == llm.tokenize("the", add_special=False)
    wrong: Any
    for wrong in (np.array(5), np.array(None)):
        with pytest.raises(InvalidRequest):
            llm.generate(wrong)


def test_encoding_takes_and_refuses_what_generating_does(llm: trillm.Model, tiny_model: Path) -> None:
    tokenizer = trillm.Tokenizer(tiny_model)
    encoders: list[Any] = [llm.tokenize, tokenizer.encode]
    for encode in encoders:
        assert encode("the", add_special=None, parse_special=None) == encode("the")
        assert encode("the", add_special=False) != encode("the", add_special=True)
        wrong: Any
        for wrong in (None, 5, b"a", ["a"], np.array(["a", "b"])):
            with pytest.raises(InvalidRequest, match=r"text is .*, expected a text"):
                encode(wrong)
        with pytest.raises(InvalidRequest, match="add_special is 2, expected True or False"):
            encode("the", add_special=2)
        with pytest.raises(TypeError, match="unexpected keyword argument 'addspecial': did you mean 'add_special'"):
            encode("the", addspecial=True)
        with pytest.raises(TypeError, match="'context' is one of load"):
            encode("the", n_ctx=None)
    assert tokenizer.encode("the", False) == tokenizer.encode("the", add_special=False)


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"timeout": float("inf")}, r"timeout is inf, expected seconds, more than 0 and less than 2\*\*64, or None"),
        ({"timeout": 2**64}, r"timeout is 18446744073709551616, expected seconds, more than 0 and less than"),
        ({"timeout": 0}, r"timeout is 0, expected seconds, more than 0"),
        ({"temperature": 4294967296}, r"temperature is 4294967296, expected 0 to 100"),
        ({"temperature": -(2**70)}, r"temperature is -1180591620717411303424, expected 0 to 100"),
        ({"top_p": 1e30}, r"top_p is 1e\+30, expected 0 to 1"),
        ({"logit_bias": {"1": 1}}, r"logit_bias is a mapping with the key '1', expected a mapping of token ids, whole"),
        ({"logit_bias": {-1: 1}}, r"logit_bias is a mapping with the key -1, expected"),
        ({"logit_bias": {1: None}}, r"logit_bias\[1\] is None, expected a number"),
        ({"logit_bias": [1]}, r"logit_bias is \[1\], expected a mapping"),
        ({"stop": b"a"}, r"stop is b'a', expected a text or a list of texts"),
        ({"stop": ["a", b"a"]}, r"stop\[1\] is b'a', expected a text"),
    ],
    ids=str,
)
def test_what_is_wrong_is_quoted_as_it_was_given(llm: trillm.Model, params: dict[str, Any], said: str) -> None:
    calls: list[Callable[..., object]] = [
        llm.generate,
        llm.stream,
        lambda *args, **kw: awaited(llm.agenerate(*args, **kw)),
    ]
    for call in calls:
        with pytest.raises(InvalidRequest, match=said):
            call("the", **params)
    with pytest.raises(InvalidRequest, match=said):
        llm.chat(HELLO, **params)


def test_a_lone_surrogate_is_named_in_every_text(llm: trillm.Model, tiny_model: Path) -> None:
    half: Any = "a\ud800"
    calls: list[tuple[str, Callable[[], object]]] = [
        ("template", lambda: llm.render_chat(HELLO, template=half)),
        ("template_name", lambda: llm.chat(HELLO, template_name=half)),
        ("prompt", lambda: llm.embed("a", prompt=half)),
        ("prompt_name", lambda: llm.embed("a", prompt_name=half)),
        ("pooling", lambda: awaited(llm.aembed("a", pooling=half))),
        (r"stop\[0\]", lambda: llm.generate("a", stop=[half])),
        ("text", lambda: llm.tokenize(half)),
        ("system", lambda: trillm.load(tiny_model, system="a\udc80")),
        ("engine", lambda: trillm.load(tiny_model, engine=half)),
        ("cache_type", lambda: trillm.load(tiny_model, cache_type=half)),
    ]
    for name, call in calls:
        with pytest.raises(
            InvalidRequest, match=f"^{name} is a text with a lone surrogate at index 1, expected Unicode"
        ):
            call()


@pytest.mark.parametrize(
    "reference",
    ["/tmp/\ud800x", "\ud800", "pypi:\ud800", "ollama:\ud800", "https://x/\ud800", "hf:a/b@\ud800", "~/\udfff"],
    ids=ascii,
)
def test_no_reference_has_a_lone_surrogate(reference: str, tiny_model: Path, tiny_onnx: Callable[..., Path]) -> None:
    from trillm import hub

    bare = tiny_onnx("grown")
    for error in refused(
        InvalidRequest,
        "a lone surrogate at index",
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
    ):
        assert str(error).isascii()


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"mmap": True, "copy": True}, "copy is True, expected the opposite of mmap, which is True"),
        ({"copy": False, "mmap": False}, "copy is False, expected the opposite of mmap, which is False"),
        ({"device": "cpu", "gpu_layers": 3}, 'gpu_layers is 3, expected 0 or nothing, as device is "cpu"'),
    ],
    ids=str,
)
def test_options_that_contradict_each_other_are_refused(tiny_model: Path, params: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidRequest, match=said):
        trillm.load(tiny_model, **params)


def test_options_that_agree_are_taken(tiny_model: Path) -> None:
    agreeing: list[dict[str, Any]] = [
        {"mmap": True, "copy": False},
        {"mmap": False, "copy": True},
        {"mmap": True, "copy": None},
        {"device": "cpu", "gpu_layers": 0},
    ]
    for params in agreeing:
        trillm.load(tiny_model, threads=1, **params).close()


def test_a_model_has_no_copy(llm: trillm.Model) -> None:
    """Closing it would close the original."""
    for living in (llm, llm.astream("the", max_tokens=1), llm.stream("the", max_tokens=1)):
        for way in (copy.copy, copy.deepcopy):
            with pytest.raises(TypeError, match=r"cannot (be )?(pickle|copy)"):
                way(living)
    assert llm.tokenize("the")


def test_a_prompt_that_leaves_no_room_is_what_is_too_long(llm: trillm.Model) -> None:
    for call in (llm.embed, lambda *args, **params: awaited(llm.aembed(*args, **params))):
        with pytest.raises(ContextOverflow, match=r"^prompt of \d+ tokens does not fit a context of 512$") as caught:
            call(["a", "b"], prompt="b" * 600)
        assert caught.value.hint
        assert "shorten the prompt" in caught.value.hint
        with pytest.raises(ContextOverflow, match=r"^text 1 has \d+ tokens, expected at most 512$"):
            call(["a", "b" * 600], prompt="b")


def test_what_a_prompt_has_no_use_for_is_refused(llm: trillm.Model) -> None:
    """A template writes a chat's control tokens, and token ids are taken as they are."""
    for name in ("add_special", "parse_special"):
        for value in (True, False):
            with pytest.raises(TypeError, match=f"^unexpected keyword argument '{name}': '{name}' is one of generate$"):
                llm.chat(HELLO, **{name: value})  # type: ignore[call-overload]
        with pytest.raises(
            InvalidRequest, match=rf"^{name} is True, expected nothing or False, as prompt is token ids$"
        ):
            llm.generate([1, 2], **{name: True})  # type: ignore[call-overload]
        with pytest.raises(InvalidRequest, match=rf"^{name} is True, .* as prompt\[1\] is token ids$"):
            llm.generate(["the", [1, 2]], **{name: True})  # type: ignore[call-overload]
        for nothing in (False, None):
            assert llm.generate([1, 2], max_tokens=1, **{name: nothing}).usage.prompt_tokens == 2  # type: ignore[call-overload]


@pytest.mark.parametrize("progress", [5, "yes", [print]])
def test_progress_is_a_function(progress: Any, tiny_model: Path, tmp_path: Path) -> None:
    """Also where there is nothing to tell."""
    said = re.escape(f"progress is {progress!r}, expected a function, or None")
    store = _core.Store(tmp_path / "store")
    hub.import_model(tiny_model, name="tiny", store=store)
    for call in (
        lambda: trillm.load(tiny_model, progress=progress),
        lambda: trillm.Model(tiny_model, progress=progress),
        lambda: hub.fetch("local:tiny", store=store, progress=progress),
        lambda: hub.fetch(tiny_model, progress=progress),
        lambda: hub.update("local:tiny", store=store, progress=progress),
        lambda: hub.repair("local:tiny", [], store=store, progress=progress),
        lambda: hub.import_model(tiny_model, store=store, progress=progress),
        lambda: trillm.LLMRouter(cache_directory=tmp_path / "store").fetch("local:tiny", progress=progress),
    ):
        with pytest.raises(InvalidRequest, match=said):
            call()
    hub.fetch("local:tiny", store=store, progress=None)


def test_references_are_what_load_takes(tiny_model: Path, tmp_path: Path) -> None:
    router = trillm.LLMRouter(cache_directory=tmp_path / "store")
    for given in (tiny_model, str(tiny_model), bytes(tiny_model)):
        assert hub.fetch(given) == router.fetch(given) == tiny_model
        with router.load(given, threads=1) as model:
            assert model.info.path == str(tiny_model)
    for wrong in (None, 5, [tiny_model]):
        said = re.escape(f"is {wrong!r}, expected ")
        for call in (hub.fetch, hub.resolve, hub.update, hub.import_model, router.load, router.fetch, trillm.load):
            with pytest.raises(InvalidRequest, match=said):
                call(wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "wrong", [None, 5, 1.5, True, [], {"a": 1}, "a\0b", b"a\0b", b"\xff\0", "/tmp/a\0b"], ids=ascii
)
@pytest.mark.parametrize("call", [trillm.load, trillm.Tokenizer, trillm.plan, trillm.Model, hub.fetch, hub.resolve])
def test_what_is_no_reference_is_the_same_error_to_all(call: Callable[[Any], object], wrong: Any) -> None:
    with pytest.raises(InvalidRequest):
        call(wrong)


@pytest.mark.parametrize("name", ["lora", "tokenizer", "runtime_library"])
def test_a_path_with_a_nul_is_refused(tiny_model: Path, name: str) -> None:
    for wrong in ("a\0b", b"a\0b"):
        given: dict[str, Any] = {name: [wrong] if name == "lora" else wrong}
        with pytest.raises(InvalidRequest, match="NUL"):
            trillm.Model(tiny_model, **given)
