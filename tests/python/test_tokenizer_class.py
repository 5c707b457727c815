"""The class of a tokenizer has some things otherwise than `tokenizer.json`; values are from transformers 5.24."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import trillm
from trillm.errors import TrillmError

from .sentences import SPECIAL, put_json, put_tokenizer

Json = dict[str, Any]

TEXT = "Thé 日本 ca"


def of_bert(folder: Path, model_type: str | None, named: Json) -> Path:
    """A vocabulary of letters whose tokenizer.json keeps their case."""
    folder.mkdir()
    put_tokenizer(folder, "bert")
    put_json(folder / "tokenizer_config.json", SPECIAL | named)
    if model_type is not None:
        put_json(folder / "config.json", {"model_type": model_type})
    return folder


def of_bytes(folder: Path, prefix: bool, model_type: str | None, named: Json) -> Path:
    """Byte-level tokens, a few of them."""
    folder.mkdir()
    put_json(
        folder / "tokenizer.json",
        {
            "version": "1.0",
            "truncation": None,
            "padding": None,
            "added_tokens": [],
            "normalizer": None,
            "pre_tokenizer": {
                "type": "ByteLevel",
                "add_prefix_space": prefix,
                "trim_offsets": True,
                "use_regex": True,
            },
            "post_processor": None,
            "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
            "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "Ġ": 2, "Ġa": 3}, "merges": ["Ġ a"]},
        },
    )
    put_json(folder / "tokenizer_config.json", named)
    if model_type is not None:
        put_json(folder / "config.json", {"model_type": model_type})
    return folder


OF_BERT: list[tuple[str | None, Json, list[int]]] = [
    ("bert", {}, [2, 57, 1, 1, 7, 31, 3]),
    ("bert", {"do_lower_case": False}, [2, 1, 1, 1, 7, 31, 3]),
    ("bert", {"strip_accents": False}, [2, 1, 1, 1, 7, 31, 3]),
    ("bert", {"tokenize_chinese_chars": False}, [2, 57, 1, 7, 31, 3]),
    ("bert", {"tokenizer_class": "BertTokenizerFast", "do_lower_case": False}, [2, 1, 1, 1, 7, 31, 3]),
    ("bert", {"tokenizer_class": "ElectraTokenizer", "strip_accents": False}, [2, 1, 1, 1, 7, 31, 3]),
    ("bert", {"tokenizer_class": "DistilBertTokenizerFast", "tokenize_chinese_chars": False}, [2, 57, 1, 7, 31, 3]),
    ("mpnet", {"bos_token": "[CLS]", "eos_token": "[SEP]", "do_lower_case": False}, [2, 1, 1, 1, 7, 31, 3]),
    ("distilbert", {"do_lower_case": False}, [2, 1, 1, 1, 7, 31, 3]),
    ("bert", {"tokenizer_class": "ConvBertTokenizer", "do_lower_case": False}, [2, 1, 1, 1, 7, 31, 3]),
    ("dpr", {"do_lower_case": False}, [2, 57, 1, 1, 7, 31, 3]),
    ("llama", {"tokenizer_class": "BertTokenizer"}, [2, 57, 1, 1, 7, 31, 3]),
    (None, {"tokenizer_class": "BertTokenizer"}, [2, 57, 1, 1, 7, 31, 3]),
    ("bert", {"tokenizer_class": "PreTrainedTokenizerFast"}, [2, 1, 1, 1, 7, 31, 3]),
    ("bert", {"tokenizer_class": "NoSuchTokenizer", "do_lower_case": True}, [2, 1, 1, 1, 7, 31, 3]),
    ("modernbert", {"tokenizer_class": "BertTokenizer"}, [2, 1, 1, 1, 7, 31, 3]),
]

OF_BYTES: list[tuple[bool, str | None, Json, list[int]]] = [
    (False, "gpt2", {"add_prefix_space": True}, [3, 1, 3]),
    (True, "gpt2", {}, [0, 1, 3]),
    (True, "gpt2", {"add_prefix_space": False}, [0, 1, 3]),
    (False, None, {"tokenizer_class": "GPT2TokenizerFast", "add_prefix_space": True}, [3, 1, 3]),
    (True, "llama", {"tokenizer_class": "GPTNeoXTokenizer"}, [0, 1, 3]),
    (False, "llama", {"tokenizer_class": "CodeGenTokenizer", "add_prefix_space": True}, [3, 1, 3]),
    (True, "gpt2", {"tokenizer_class": "PreTrainedTokenizerFast", "add_prefix_space": False}, [3, 1, 3]),
    (True, "llama", {}, [3, 1, 3]),
]


@pytest.mark.parametrize(("model_type", "named", "expected"), OF_BERT)
def test_berts_kind_makes_words_as_its_class_does(
    model_type: str | None, named: Json, expected: list[int], tmp_path: Path
) -> None:
    folder = of_bert(tmp_path / "model", model_type, named)
    for path in (folder, folder / "tokenizer.json"):
        assert trillm.Tokenizer(path).encode(TEXT) == expected


@pytest.mark.parametrize(("prefix", "model_type", "named", "expected"), OF_BYTES)
def test_bytes_have_the_prefix_of_the_class(
    prefix: bool, model_type: str | None, named: Json, expected: list[int], tmp_path: Path
) -> None:
    folder = of_bytes(tmp_path / "model", prefix, model_type, named)
    assert trillm.Tokenizer(folder).encode("ab a", add_special=False) == expected


@pytest.mark.parametrize("value", [None, 0, "false"])
def test_what_the_class_would_not_take_is_refused(value: Any, tmp_path: Path) -> None:
    folder = of_bert(tmp_path / "model", "bert", {"do_lower_case": value})
    with pytest.raises(TrillmError, match="do_lower_case"):
        trillm.Tokenizer(folder)
    # It is nothing to a class that does not ask.
    put_json(folder / "tokenizer_config.json", {"tokenizer_class": "PreTrainedTokenizerFast", "do_lower_case": value})
    assert trillm.Tokenizer(folder).encode("a") == [2, 5, 3]


@pytest.mark.parametrize(
    "config",
    [
        {"model_type": "gpt2", "n_embd": 8},
        {"model_type": "xlm-roberta", "architectures": ["XLMRobertaModel"]},
        {"model_type": "t5"},
        {"model_type": "roberta", "hidden_size": "none"},
        {"model_type": "llama"},
        {},
    ],
    ids=json.dumps,
)
def test_a_tokenizer_needs_no_model_that_is_run_here(config: Json, tmp_path: Path) -> None:
    folder = of_bert(tmp_path / "model", None, {"tokenizer_class": "PreTrainedTokenizerFast"})
    put_json(folder / "config.json", config)
    for path in (folder, folder / "tokenizer.json"):
        assert trillm.Tokenizer(path).encode("a") == [2, 5, 3]


def test_where_llamas_class_puts_other_spaces_it_is_said(shared: Path) -> None:
    """The class gives 346, 306, 414: the file puts a sign before the text whether or not a space is there."""
    folder = shared / "models" / "stories260K" / "hf"
    assert trillm.Tokenizer(folder).encode(" Hello", add_special=False) == [410, 346, 306, 414]
    with trillm.load(folder, threads=1) as model:
        assert [note for note in model.info.notes if "spaces go before a text" in note]
