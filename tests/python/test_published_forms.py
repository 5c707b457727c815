"""Models as people have them: wrapped, renamed, with more tokens than rows; each must answer as the plain one does."""

from __future__ import annotations

import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trillm
from trillm import _core
from trillm.errors import ContextOverflow, InvalidRequest, ModelFormatError, ModelNotFound

from .helpers import GREEDY, SMALL_FILES, change, failing
from .sentences import read_header

Json = dict[str, Any]

ROWS = 300
"""Rows of the tiny model's embedding, all of which have tokens."""


def put(path: Path, header: Json, data: bytes) -> None:
    text = json.dumps(header)
    text += " " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text.encode() + data)


@pytest.fixture
def folder(tiny_folder: Path, tmp_path: Path) -> Path:
    """The tiny model, to be changed."""
    for name in [*SMALL_FILES, "model.safetensors"]:
        shutil.copy(tiny_folder / name, tmp_path)
    return tmp_path


def answer(path: Path, prompt: str = "the man") -> list[int]:
    with trillm.load(path, threads=1) as model:
        ids: list[int] = model.generate(prompt, max_tokens=12, **GREEDY).token_ids
        return ids


@pytest.fixture(scope="module")
def expected(tiny_folder: Path) -> list[int]:
    return answer(tiny_folder)


# Tokens without a row.


@pytest.fixture
def more_tokens(folder: Path) -> Path:
    """A model as Gemma 3 270M and CodeLlama are: a token was added, and the embedding left as it was."""
    return with_token(folder, "<image_soft_token>")


def with_token(folder: Path, content: str) -> Path:
    """The folder, with one more token than its model has rows for."""
    path = folder / "tokenizer.json"
    flags = dict.fromkeys(["single_word", "lstrip", "rstrip", "normalized"], False)
    added = json.loads(path.read_text())["added_tokens"]
    change(path, added_tokens=[*added, {"id": ROWS, "content": content, "special": True, **flags}])
    return folder


def test_a_token_without_a_row_is_never_chosen_and_refused_as_input(more_tokens: Path, expected: list[int]) -> None:
    assert answer(more_tokens) == expected
    with trillm.load(more_tokens, threads=1) as model:
        assert model.info.vocabulary == ROWS
        with pytest.raises(InvalidRequest, match=f"token {ROWS} at index 1, beyond the last one, {ROWS - 1}"):
            model.generate([1, ROWS], max_tokens=1)
        # By its text, which can be left out.
        with pytest.raises(InvalidRequest, match=f"token {ROWS}, .* tokens 0 to {ROWS - 1}") as caught:
            model.generate("<image_soft_token>", parse_special=True, max_tokens=1)
        assert caught.value.hint
        assert model.tokenize("<image_soft_token>", parse_special=True)[-1] == ROWS
        # As the tokenizer alone writes it: nothing, for a control token.
        assert model.detokenize([ROWS]) == trillm.Tokenizer(more_tokens).decode([ROWS])
        with pytest.raises(InvalidRequest, match=f"ids is {ROWS + 1} at index 0"):
            model.detokenize([ROWS + 1])
        with pytest.raises(InvalidRequest, match=str(ROWS)):
            model.generate("the", max_tokens=1, logit_bias={ROWS: 1.0})


def test_a_graph_has_as_many_rows_as_its_embedding(tiny_onnx: Callable[..., Path], tmp_path: Path) -> None:
    source = tiny_onnx("grown")
    folder = tmp_path / "more"
    shutil.copytree(source, folder)
    assert answer(with_token(folder, "<more>")) == answer(source)
    with trillm.load(folder, threads=1) as model, pytest.raises(InvalidRequest, match=f"token {ROWS}"):
        model.generate([1, ROWS], max_tokens=1)


def test_such_a_token_is_left_out_of_a_conversion(more_tokens: Path, tmp_path: Path, expected: list[int]) -> None:
    made = tmp_path / "made.gguf"
    report = _core.convert(more_tokens, made, to="gguf", dtype="f32")
    assert any("<image_soft_token>" in note for note in report["notes"])
    assert answer(made) == expected


# Names.


@pytest.mark.parametrize(
    ("model", "head"),
    [
        ("_orig_mod.model.", "_orig_mod."),
        ("module.model.", "module."),
        ("base_model.model.model.", "base_model.model."),
        ("model.language_model.", ""),
        ("language_model.model.", "language_model."),
        ("module._orig_mod.model.", "module._orig_mod."),
        ("", ""),
    ],
)
def test_wrapped_names(folder: Path, tmp_path: Path, expected: list[int], model: str, head: str) -> None:
    path = folder / "model.safetensors"
    header, data = read_header(path)
    inner = {name: model + name.removeprefix("model.") for name in header if name.startswith("model.")}
    put(path, {inner.get(name, head + name): place for name, place in header.items()}, data)
    assert answer(folder) == expected
    made = tmp_path / "made.gguf"
    _core.convert(folder, made, to="gguf", dtype="f32")
    assert answer(made) == expected


def test_an_output_matrix_that_is_missing_is_not_made_up(folder: Path) -> None:
    path = folder / "model.safetensors"
    header, data = read_header(path)
    output = header.pop("lm_head.weight")
    put(path, header | {"other.weight": output}, data)
    with pytest.raises(ModelFormatError, match=r"lm_head\.weight is missing.*tie_word_embeddings"):
        trillm.load(folder, threads=1)
    change(folder / "config.json", tie_word_embeddings=True)
    trillm.load(folder, threads=1).close()


def test_a_matrix_that_is_both_may_have_either_name(folder: Path) -> None:
    """Transformers ties what is there to what is not."""
    path = folder / "model.safetensors"
    header, data = read_header(path)
    change(folder / "config.json", tie_word_embeddings=True)
    output = header.pop("lm_head.weight")
    put(path, header | {"other.weight": output}, data)
    expected = answer(folder)
    embedding = header.pop("model.embed_tokens.weight")
    put(path, header | {"lm_head.weight": embedding, "other.weight": output}, data)
    assert answer(folder) == expected
    inner = {name: f"base_model.{name}" for name in header}
    names = inner | {"lm_head.weight": "base_model.lm_head.weight"}
    header = {names[name]: place for name, place in (header | {"lm_head.weight": embedding}).items()}
    put(path, header | {"base_model.other.weight": output}, data)
    assert answer(folder) == expected


def test_a_class_without_an_output_matrix_makes_vectors_alone(folder: Path) -> None:
    path = folder / "model.safetensors"
    header, data = read_header(path)
    output = header.pop("lm_head.weight")
    put(path, header | {"other.weight": output}, data)
    change(folder / "config.json", architectures=["LlamaModel"])
    with trillm.load(folder, threads=1) as model:
        assert model.embed("the man").shape == (1, 64)
        with pytest.raises(trillm.errors.Unsupported):
            model.generate("the man", max_tokens=1)


# Positions.


def test_dynamic_scaling_is_none_up_to_the_context_and_ends_there(folder: Path, expected: list[int]) -> None:
    """As transformers computes it for texts that do not grow beyond `max_position_embeddings`."""
    config = json.loads((folder / "config.json").read_text())
    change(folder / "config.json", rope_scaling={"rope_type": "dynamic", "factor": 4.0})
    assert answer(folder) == expected
    most = config["max_position_embeddings"]
    with pytest.raises(InvalidRequest, match=f"a model with {most} positions"):
        trillm.load(folder, threads=1, context=most + 1)


# Tokens of the small files.


def test_no_token_is_minus_one(folder: Path, expected: list[int]) -> None:
    change(folder / "generation_config.json", eos_token_id=-1, bos_token_id=-1)
    change(folder / "config.json", eos_token_id=-1, bos_token_id=-1, pad_token_id=-1)
    assert answer(folder) == expected


def test_an_end_that_tokenizer_json_lacks(folder: Path, expected: list[int]) -> None:
    change(folder / "tokenizer_config.json", eos_token="<|never|>", additional_special_tokens=["<|more|>"])
    assert answer(folder) == expected
    tokenizer = trillm.Tokenizer(folder)
    assert tokenizer.encode("<|never|><|more|>", add_special=False, parse_special=True) == [ROWS, ROWS + 1]


def test_a_repository_without_its_source() -> None:
    with pytest.raises(ModelNotFound) as caught:
        trillm.load("someone/some-model")
    assert "hf:someone/some-model" in (caught.value.hint or "")


# Positions.


def test_a_text_behind_the_last_position_is_refused(tiny_onnx: Callable[..., Path]) -> None:
    """The graph has 32 positions, and its configuration says 512."""
    with (
        trillm.load(tiny_onnx("encoder"), threads=1) as whole,
        trillm.load(tiny_onnx("placed-encoder"), threads=1) as it,
    ):
        text = "the man " * 20
        assert len(it.tokenize(text)) > 32
        for texts in ([text], ["a dog", text, "x"], [text]):
            with failing(ContextOverflow, "context_overflow", "positions for 32 tokens"):
                it.embed(texts)
        assert it.context == 32
        assert (it.embed("the man") == whole.embed("the man")).all()


def test_which_factors_of_longrope_count_is_told(tiny_folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "model"
    shutil.copytree(tiny_folder, path)
    config = json.loads((path / "config.json").read_text())
    pairs = config.get("head_dim", config["hidden_size"] // config["num_attention_heads"]) // 2
    factors = {"short_factor": [1.0] * pairs, "long_factor": [4.0] * pairs}
    rope = {"rope_type": "longrope", "original_max_position_embeddings": 256, **factors}
    change(path / "config.json", rope_scaling=rope)
    note = "a context of 512 is over 256, so longrope's long factors count, for short texts too: load with context=256"
    with trillm.load(path, threads=1) as long, trillm.load(path, threads=1, context=256) as short:
        assert any(each.startswith(note) for each in long.info.notes)
        assert not any("longrope" in each for each in short.info.notes)


def test_behind_the_last_position_is_the_text_so_far(tiny_onnx: Callable[..., Path]) -> None:
    """The graph has 32 positions, and its configuration says 512."""
    with trillm.load(tiny_onnx("grown"), threads=1) as whole, trillm.load(tiny_onnx("placed"), threads=1) as model:
        prompt = [5] * 20
        expected = whole.generate(prompt, max_tokens=13, **GREEDY)
        found = model.generate(prompt, max_tokens=100, **GREEDY)
        # The last token is chosen from the scores of the last position.
        assert found.token_ids == expected.token_ids
        assert (found.finish_reason, found.text) == ("length", expected.text)
        assert model.context == 32
        # Neighbours go on, and so does what comes after.
        both = model.generate([prompt, [5] * 4], max_tokens=100, **GREEDY)
        assert [len(each.token_ids) for each in both] == [13, 29]
        assert {each.finish_reason for each in both} == {"length"}
        with pytest.raises(ContextOverflow, match="prompt of 40 tokens does not fit a context of 32"):
            model.generate([5] * 40, max_tokens=1)
        assert model.generate([5] * 32, max_tokens=1, **GREEDY).finish_reason == "length"
    with trillm.load(tiny_onnx("placed"), threads=1, batch=8) as model:
        with pytest.raises(ContextOverflow, match="40 tokens does not fit a context of 32"):
            model.generate([5] * 40, max_tokens=1)
        assert model.generate(prompt, max_tokens=13, **GREEDY).token_ids == expected.token_ids
