"""Tokenizers: llama.cpp's own vectors, and there and back again."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
import trillm
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from trillm.errors import InvalidRequest, ModelNotFound

VOCABULARIES = ["bert-bge", "falcon", "gpt-2", "llama-spm", "phi-3"]


@pytest.fixture(scope="module")
def tokenizer(tiny_model: Path) -> trillm.Tokenizer:
    """Falls back on bytes: it has tokens for any text."""
    return trillm.Tokenizer(tiny_model)


@pytest.mark.parametrize("name", VOCABULARIES)
def test_llama_cpps_vectors(shared: Path, name: str) -> None:
    path = shared / "tokenizers" / f"ggml-vocab-{name}.gguf"
    tokenizer = trillm.Tokenizer(path)
    texts = path.with_name(path.name + ".inp").read_bytes().decode().split("\n__ggml_vocab_test__\n")
    lines = path.with_name(path.name + ".out").read_text().splitlines()
    expected = [[int(number) for number in line.split()] for line in lines]
    # The last text is empty, and has no line.
    assert len(texts) == len(expected) + 1 > 40
    got = [tokenizer.encode(text, add_special=False, parse_special=False) for text in texts]
    assert dict(zip(texts, got, strict=True)) == dict(zip(texts, [*expected, []], strict=True))


@pytest.mark.parametrize("name", ["falcon", "gpt-2", "llama-spm", "phi-3"])
def test_there_and_back(shared: Path, name: str) -> None:
    path = shared / "tokenizers" / f"ggml-vocab-{name}.gguf"
    tokenizer = trillm.Tokenizer(path)
    for text in path.with_name(path.name + ".inp").read_bytes().decode().split("\n__ggml_vocab_test__\n"):
        assert tokenizer.decode(tokenizer.encode(text, add_special=False)) == text


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text())
def test_any_text_there_and_back(tokenizer: trillm.Tokenizer, text: str) -> None:
    ids = tokenizer.encode(text, add_special=False)
    assert set(ids) <= set(range(tokenizer.vocabulary))
    assert tokenizer.decode(ids) == text


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(alphabet="<|im_startend>s/ ab\n"))
def test_control_tokens_only_if_asked_for(tokenizer: trillm.Tokenizer, text: str) -> None:
    ids = tokenizer.encode(text, add_special=False)
    assert not {1, 2, 259, 260} & set(ids)
    assert tokenizer.decode(ids) == text


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ids=st.lists(st.integers(0, 299)))
def test_any_ids_have_a_text(tokenizer: trillm.Tokenizer, ids: list[int]) -> None:
    assert isinstance(tokenizer.decode(ids), str)


def test_special_tokens(tokenizer: trillm.Tokenizer) -> None:
    assert (tokenizer.bos, tokenizer.eos, tokenizer.vocabulary) == (1, 2, 300)
    assert tokenizer.encode("") == [1]
    assert tokenizer.encode("", add_special=False) == []
    assert tokenizer.encode("<|im_end|>", parse_special=True) == [1, 260]
    assert tokenizer.encode("<|im_end|>", True, True) == [1, 260]


def test_a_model_says_the_same(tokenizer: trillm.Tokenizer, llm: trillm.Model) -> None:
    for text in ("the man", "", "a<|im_end|>", "Größe 😀"):
        assert llm.tokenize(text) == tokenizer.encode(text)
        assert llm.tokenize(text, parse_special=True) == tokenizer.encode(text, parse_special=True)
        assert llm.tokenize(text, add_special=False) == tokenizer.encode(text, add_special=False)
        ids = llm.tokenize(text, add_special=False)
        assert llm.detokenize(ids) == tokenizer.decode(ids) == text


def test_half_a_character_is_marked(tokenizer: trillm.Tokenizer) -> None:
    ids = tokenizer.encode("😀", add_special=False)
    assert len(ids) == 4
    assert tokenizer.decode(ids[:3]) == "\N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize("run", ["=", " ", "a", "7", "中", "😀", "\n", "don't "])
def test_a_long_run_has_tokens_on_a_small_stack(tokenizer: trillm.Tokenizer, run: str) -> None:
    """llama.cpp's own tokenizer ended the process at 27,000 characters of a kind."""
    text = run * 300_000
    found: list[list[int]] = []
    before = threading.stack_size(512 * 1024)
    try:
        thread = threading.Thread(target=lambda: found.append(tokenizer.encode(text, add_special=False)))
        thread.start()
        thread.join()
    finally:
        threading.stack_size(before)
    assert tokenizer.decode(found[0]) == text


def test_a_space_that_encoding_added_is_taken_away(shared: Path) -> None:
    for path in ["ggml-vocab-llama-spm.gguf", "phi3"]:
        tokenizer = trillm.Tokenizer(shared / "tokenizers" / path)
        for text in ["Hello world", " Hello", "  two", ""]:
            assert tokenizer.decode(tokenizer.encode(text, add_special=False)) == text
            assert tokenizer.decode(tokenizer.encode(text)) == text


def test_what_is_no_text(tokenizer: trillm.Tokenizer) -> None:
    with pytest.raises(InvalidRequest, match="text is 7, expected a text"):
        tokenizer.encode(7)  # type: ignore[arg-type]
    with pytest.raises(InvalidRequest, match="a lone surrogate at index 0"):
        tokenizer.encode("\ud800")
    with pytest.raises(InvalidRequest, match="ids is -1 at index 0"):
        tokenizer.decode([-1])


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound) as caught:
        trillm.Tokenizer(tmp_path / "none.gguf")
    assert "none.gguf" in str(caught.value)


def test_what_the_store_has_is_opened_by_its_reference(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCAL_CACHE_DIR", str(tmp_path / "store"))
    trillm.hub.import_model(tiny_model, name="mine")
    assert trillm.Tokenizer("local:mine").encode("the man") == trillm.Tokenizer(tiny_model).encode("the man")
    # Nothing keeps it there any more.
    trillm._core.Store().remove("local:mine")
    assert trillm._core.Store().collect().leased == 0


@pytest.mark.parametrize(
    ("reference", "hint"),
    [
        ("smollm2", "fetch it with: trillm pull smollm2"),
        ("hf:org/repo", "fetch it with: trillm pull hf:org/repo"),
        ("local:mine", "import it first: trillm import PATH --name mine"),
    ],
)
def test_nothing_is_fetched_for_a_tokenizer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reference: str, hint: str
) -> None:
    monkeypatch.setenv("LOCAL_CACHE_DIR", str(tmp_path / "store"))
    with pytest.raises(ModelNotFound, match=f'"{reference}" is not in the store') as caught:
        trillm.Tokenizer(reference)
    assert (caught.value.code, caught.value.hint) == ("model_not_found", hint)


def test_a_name_that_nothing_has_is_no_path() -> None:
    with pytest.raises(ModelNotFound, match="smolm2") as caught:
        trillm.Tokenizer("smolm2")
    assert "smollm2" in str(caught.value.hint)
