"""Vectors and scores as sentence-transformers makes them, and what is not made in silence."""

from __future__ import annotations

import dataclasses
import json
import shutil
import struct
import subprocess
import sys
import warnings
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from random import Random
from typing import Any, Literal

import numpy as np
import pytest
import trillm
from trillm.errors import ContextOverflow, InvalidRequest, TrillmError, Unsupported

from .graphs import write_graph
from .sentences import (
    CASES,
    OLD,
    PAIRS,
    SCORERS,
    SENTENCES,
    TEXTS,
    WIDTH,
    Case,
    Scorer,
    new,
    put_json,
    put_module,
    read_header,
    write,
    write_scorer,
)

GOLDEN = json.loads((Path(__file__).parent / "sentences.json").read_text(encoding="utf-8"))

EXACT: dict[str, Any] = {"threads": 1, "cache_type": "f32"}


def cosines(these: Any, those: Any) -> Any:
    products = (these * those).sum(axis=1)
    return products / np.linalg.norm(these, axis=1) / np.linalg.norm(those, axis=1)


def read_tensors(path: Path) -> dict[str, Any]:
    """Tensors of 32-bit numbers."""
    header, data = read_header(path)
    return {name: np.frombuffer(data[slice(*entry["data_offsets"])], "<f4") for name, entry in header.items()}


def embedded(case: Case, folder: Path, **params: Any) -> Any:
    """The vectors of a case; `params` are those of loading."""
    write(case, folder)
    warned = pytest.warns(trillm.TruncationWarning) if "truncate" in case.call else nullcontext()
    with trillm.load(folder, **EXACT, **params) as model, warned:
        return model.embed(case.texts, normalize=False, **case.call)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_vectors_are_those_of_sentence_transformers(case: Case, tmp_path: Path) -> None:
    vectors = embedded(case, tmp_path / "model")
    expected = np.array(GOLDEN["vectors"][case.name], dtype=np.float32)
    assert vectors.shape == expected.shape
    assert np.allclose(vectors, expected, atol=2e-5), np.abs(vectors - expected).max()
    assert cosines(vectors, expected).min() >= 0.99999


@pytest.mark.parametrize("scorer", SCORERS, ids=lambda scorer: scorer.name)
def test_scores_are_those_of_sentence_transformers(scorer: Scorer, tmp_path: Path) -> None:
    write_scorer(scorer, tmp_path / "model")
    with trillm.load(tmp_path / "model", **EXACT) as model:
        assert len(model.info.scoring) == 4
        with pytest.warns(trillm.TruncationWarning) if scorer.call else nullcontext():
            scores = model.score(PAIRS, **scorer.call)
        alone = [model.score([pair], **scorer.call)[0] for pair in PAIRS[:2]]
    expected = np.array(GOLDEN["scores"][scorer.name], dtype=np.float32)
    assert scores.shape == expected.shape == ((3,) if scorer.labels == 1 else (3, scorer.labels))
    assert np.allclose(scores, expected, atol=2e-5)
    assert np.allclose(scores[:2], alone, atol=1e-6)


OF_BERT = [case for case in CASES if case.base == "bert" and not case.path]


@pytest.mark.parametrize("case", OF_BERT, ids=lambda case: case.name)
def test_vectors_of_a_graph_are_those_of_sentence_transformers(case: Case, tmp_path: Path) -> None:
    write(case, tmp_path)
    write_graph(tmp_path)
    warned = pytest.warns(trillm.TruncationWarning) if "truncate" in case.call else nullcontext()
    with trillm.load(tmp_path, threads=1) as model, warned:
        assert (model.info.format, model.info.engine) == ("onnx", "onnx")
        vectors = model.embed(case.texts, normalize=False, **case.call)
    expected = np.array(GOLDEN["vectors"][case.name], dtype=np.float32)
    assert vectors.shape == expected.shape
    assert np.allclose(vectors, expected, atol=2e-5), np.abs(vectors - expected).max()


@pytest.mark.parametrize("scorer", SCORERS, ids=lambda scorer: scorer.name)
def test_scores_of_a_graph_are_those_of_sentence_transformers(scorer: Scorer, tmp_path: Path) -> None:
    write_scorer(scorer, tmp_path)
    write_graph(tmp_path)
    with trillm.load(tmp_path, threads=1) as model:
        assert (model.info.purpose, model.info.pipeline) == ("labels", [])
        plain = ("cross-encoder", "three-labels", "identity", "older-identity")
        function = "Identity()" if scorer.name.startswith(plain) else "Sigmoid()"
        if "softmax" in scorer.name:
            function = "Softmax()"
        assert model.info.scoring[1:] == ["Pooling, by the model itself", function]
        with pytest.warns(trillm.TruncationWarning) if scorer.call else nullcontext():
            scores = model.score(PAIRS, **scorer.call)
        with pytest.raises(Unsupported, match=r"BertForSequenceClassification models .*do not generate text") as caught:
            model.generate("the cat", max_tokens=1)
        assert "score" in (caught.value.hint or "")
        with pytest.raises(Unsupported, match="embedding"):
            model.embed("the cat")
    expected = np.array(GOLDEN["scores"][scorer.name], dtype=np.float32)
    assert scores.shape == expected.shape
    assert np.allclose(scores, expected, atol=2e-5)


@pytest.mark.parametrize("name", ["one-label", "three-labels"])
def test_the_one_output_of_a_graph_with_labels_may_have_any_name(name: str, tmp_path: Path) -> None:
    write_scorer(next(scorer for scorer in SCORERS if scorer.name == name), tmp_path)
    write_graph(tmp_path, scores="output")
    with trillm.load(tmp_path, threads=1) as model:
        assert np.allclose(model.score(PAIRS), GOLDEN["scores"][name], atol=2e-5)
    # A vector is none: the number of labels is another.
    config = json.loads((tmp_path / "config.json").read_text())
    put_json(tmp_path / "config.json", config | {"id2label": {str(label): "x" for label in range(7)}})
    with pytest.raises(TrillmError, match=r"the outputs output, expected logits"):
        trillm.load(tmp_path)


def test_a_graph_that_knows_no_kinds_of_tokens_is_told_of_none(tmp_path: Path) -> None:
    scorer = next(scorer for scorer in SCORERS if scorer.name == "one-label")
    for folder, kinds in (("with", True), ("without", False)):
        write_scorer(scorer, tmp_path / folder)
        put_json(tmp_path / folder / "tokenizer_config.json", {"model_input_names": ["input_ids", "attention_mask"]})
        write_graph(tmp_path / folder, kinds)
    # Without kinds every token is of the first: what the library gives a tokenizer that names none.
    with trillm.load(tmp_path / "with", threads=1) as model:
        expected = model.score(PAIRS)
    (tmp_path / "without" / "tokenizer_config.json").unlink()
    with trillm.load(tmp_path / "without", threads=1) as model:
        assert np.allclose(model.score(PAIRS), expected, atol=1e-6)


@pytest.mark.parametrize("name", ["BertForTokenClassification", "BertForQuestionAnswering", "BertForMaskedLM"])
def test_a_graph_with_labels_for_tokens_is_refused_by_its_class(name: str, tmp_path: Path) -> None:
    write_scorer(Scorer("tokens", config={"architectures": [name]}), tmp_path)
    write_graph(tmp_path)
    with pytest.raises(TrillmError, match=f"logits.*the scores of a {name}"):
        trillm.load(tmp_path)


def test_a_gguf_file_that_ranks_is_refused_by_name(tiny_model: Path, tmp_path: Path) -> None:
    content = tiny_model.read_bytes()
    (keys,) = struct.unpack("<Q", content[16:24])

    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value)) + value.encode()

    added = text("llama.pooling_type") + struct.pack("<II", 4, 4)
    filler = text("general.filler") + struct.pack("<I", 8)
    # Tensors stay where they are aligned to.
    filler += text("x" * (-(len(added) + len(filler) + 8) % 32))
    path = tmp_path / "ranks.gguf"
    path.write_bytes(content[:16] + struct.pack("<Q", keys + 2) + added + filler + content[24:])
    with trillm.load(path, threads=1) as model:
        assert (model.info.purpose, model.info.pipeline, model.info.scoring) == ("labels", [], [])
        assert any("ranks pairs of texts" in note for note in model.info.notes)
        with pytest.raises(Unsupported, match=r"scoring pairs of texts is not supported by this model, a llama"):
            model.score(PAIRS)
        with pytest.raises(Unsupported, match=r"embedding is not supported by this model, a llama"):
            model.embed("the man")
        with pytest.raises(Unsupported, match="llama models label or score texts: they do not generate text"):
            model.generate("the man", max_tokens=1)


@pytest.mark.parametrize("asked", [65, 1024])
def test_a_context_beyond_the_last_position_is_refused_when_it_is_loaded(asked: int, tmp_path: Path) -> None:
    write(OF_BERT[1], tmp_path / "weights")
    write(OF_BERT[1], tmp_path / "graph")
    write_graph(tmp_path / "graph")
    # The graph alone says how many positions there are.
    config = json.loads((tmp_path / "graph" / "config.json").read_text())
    rows = config.pop("max_position_embeddings")
    put_json(tmp_path / "graph" / "config.json", config)
    for folder in (tmp_path / "weights", tmp_path / "graph"):
        with pytest.raises(InvalidRequest, match=rf"context is {asked} for a model with {rows} positions"):
            trillm.load(folder, context=asked)
        with trillm.load(folder, threads=1) as model:
            assert model.info.context_trained == rows == 64
            assert model.embed("x " * (rows - 2)).shape == (1, WIDTH)
            with pytest.raises(ContextOverflow, match=rf"text 1 has {rows + 1} tokens, expected at most {rows}"):
                model.embed(["x", "x " * (rows - 1)])


@pytest.mark.real
@pytest.mark.usefixtures("all_minilm")
def test_vectors_of_a_real_model_are_those_of_sentence_transformers() -> None:
    with trillm.load("all-minilm", threads=1) as model:
        assert model.info.pipeline == [
            "Transformer(max_seq_length=256, do_lower_case=False)",
            "Pooling(pooling_mode=mean, include_prompt=True)",
            "Normalize()",
        ]
        vectors = model.embed(SENTENCES, normalize=False)
    expected = np.array(GOLDEN["all-minilm"], dtype=np.float32)
    assert cosines(vectors, expected).min() >= 0.99999
    assert np.allclose(vectors, expected, atol=1e-5)


def test_a_module_without_weights_is_named(tmp_path: Path) -> None:
    write(next(case for case in CASES if case.name == "dense-default"), tmp_path / "model")
    (tmp_path / "model" / "2_Dense" / "model.safetensors").unlink()
    with pytest.raises(TrillmError, match=r"2_Dense.*model.safetensors or pytorch_model.bin"):
        trillm.load(tmp_path / "model")


def test_info_shows_every_step(tmp_path: Path) -> None:
    files: dict[str, Any] = {
        "config_sentence_transformers.json": {"prompts": {"q": "ask: "}, "default_prompt_name": "q"},
        "sentence_bert_config.json": {"max_seq_length": 30},
    }
    modules: list[Any] = [
        new(["cls", "max"]),
        ("Dense", {"in_features": 64, "out_features": 8, "bias": False}),
        ("LayerNorm", {"dimension": 8}),
        ("Normalize", None),
    ]
    write(Case("steps", modules=modules, files=files), tmp_path / "model")
    with trillm.load(tmp_path / "model", **EXACT) as model:
        info = model.info
    assert info.pipeline == [
        "Transformer(max_seq_length=30, do_lower_case=False)",
        "Pooling(pooling_mode=cls+max, include_prompt=True)",
        "Dense(in_features=64, out_features=8, bias=False, activation_function=Tanh)",
        "LayerNorm(dimension=8)",
        "Normalize()",
    ]
    assert (info.pooling, info.purpose, info.class_name) == ("cls+max", "vectors", "BertModel")
    assert info.prompts == {"q": "ask: ", "query": "", "document": ""}
    assert info.default_prompt_name == "q"
    assert info.to_dict()["pipeline"] == info.pipeline


def test_what_is_done_without_a_list_of_modules_is_said(tmp_path: Path) -> None:
    write(Case("no-modules"), tmp_path / "encoder")
    write(Case("decoder-no-modules", "qwen3"), tmp_path / "decoder")
    with trillm.load(tmp_path / "encoder", **EXACT) as model:
        assert any("modules.json" in note and "mean" in note for note in model.info.notes)
        assert model.info.pipeline[1] == "Pooling(pooling_mode=mean), by default"
        assert model.info.pooling is None
    with trillm.load(tmp_path / "decoder", **EXACT) as model:
        assert model.info.pipeline[1] == "Pooling(pooling_mode=last), by default"


# Prompts and lengths.


@pytest.fixture(scope="module")
def prompted(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A model with prompts."""
    folder = tmp_path_factory.mktemp("models") / "prompted"
    write(next(case for case in CASES if case.name == "default-prompt"), folder)
    with trillm.load(folder, **EXACT) as model:
        yield model


def test_a_prompt_stands_before_the_text(prompted: trillm.Model) -> None:
    by_name = prompted.embed(TEXTS, prompt_name="query")
    assert np.allclose(by_name, prompted.embed([f"find: {text}" for text in TEXTS], prompt=""), atol=1e-6)
    assert np.allclose(by_name, prompted.embed(TEXTS, prompt="find: "), atol=1e-6)
    # Every model has these two names, and nothing stands there unless the files say so.
    assert np.allclose(prompted.embed(TEXTS, prompt_name="document"), prompted.embed(TEXTS, prompt=""), atol=1e-6)


def test_control_tokens_are_read_in_a_prompt_of_the_model_and_in_no_text(tmp_path: Path) -> None:
    case = next(case for case in CASES if case.name == "prompt-with-tokens")
    write(case, tmp_path / "model")
    with trillm.load(tmp_path / "model", **EXACT) as model:
        vectors = model.embed(["a [SEP] dog", "[MASK]"], normalize=False)
        expected = GOLDEN["vectors"][case.name][case.texts.index("a [ SEP ] dog")]
        assert np.allclose(vectors[0], expected, atol=2e-5)
        assert np.allclose(vectors[1], model.embed("[ MASK ]", normalize=False)[0], atol=1e-6)
        # What the call gives is text, too.
        given = model.embed("dog", prompt="[SEP] a ")
        assert np.allclose(given, model.embed("[ SEP ] a dog", prompt=""), atol=1e-6)


def test_unknown_prompts_list_those_there_are(prompted: trillm.Model) -> None:
    with pytest.raises(InvalidRequest, match=r"\"nope\".*query.*passage"):
        prompted.embed("a dog", prompt_name="nope")
    with pytest.raises(InvalidRequest, match="beside a prompt"):
        prompted.embed("a dog", prompt_name="query", prompt="x")


def test_a_text_that_is_too_long_is_named(tmp_path: Path) -> None:
    write(next(case for case in CASES if case.name == "cut"), tmp_path / "model")
    with trillm.load(tmp_path / "model", **EXACT) as model:
        with pytest.raises(ContextOverflow, match=r"text 2 has 12 tokens, expected at most 9") as caught:
            model.embed(["a dog", "x", "abcdefghij"])
        assert (caught.value.code, "truncate" in (caught.value.hint or "")) == ("context_overflow", True)
        with pytest.warns(
            trillm.TruncationWarning, match="1 text was cut to fit, 3 tokens left out: 3 of text 2"
        ) as said:
            cut = model.embed(["a dog", "x", "abcdefghij"], truncate=True)
        warning = said[0].message
        assert isinstance(warning, trillm.TruncationWarning)
        assert warning.cut == {2: 3}
        assert np.allclose(cut[2], model.embed("abcdefg")[0], atol=1e-6)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model.embed(["a dog", "abcdefg"], truncate=True)


@pytest.mark.parametrize("limit", [1, 2])
def test_a_limit_below_what_is_around_a_text_cuts_nothing_as_in_the_library(limit: int, tmp_path: Path) -> None:
    """With room for both marks alone they are what is left; with less the library `tokenizers` gives up cutting."""
    plain = next(case for case in CASES if case.name == "old-mean_tokens")
    limited = {"sentence_bert_config.json": {"max_seq_length": limit}}
    write(dataclasses.replace(plain, files=limited), tmp_path / "model")
    with trillm.load(tmp_path / "model", **EXACT) as model:
        with pytest.raises(ContextOverflow, match=f"expected at most {limit}"):
            model.embed(TEXTS)
        with pytest.warns(trillm.TruncationWarning) if limit == 2 else nullcontext():
            vectors = model.embed(TEXTS, normalize=False, truncate=True)
        expected = np.array(GOLDEN["vectors"]["cut-to-what-is-around" if limit == 2 else plain.name])
        assert np.allclose(vectors, expected, atol=2e-5)
        # More than the model has positions for is too much all the same.
        with pytest.raises(ContextOverflow, match="text 0 has"):
            model.embed("a " * 200, truncate=limit == 1)


def test_another_way_of_pooling_leaves_the_rest_out(tmp_path: Path) -> None:
    write(next(case for case in CASES if case.name == "dense-two"), tmp_path / "model")
    with trillm.load(tmp_path / "model", **EXACT) as model:
        assert model.embed(TEXTS).shape == (4, 12)
        mean = model.embed(TEXTS, pooling="mean", normalize=False)
        assert mean.shape == (4, WIDTH)
        for way in ("cls", "last", "max", "mean_sqrt_len", "weightedmean"):
            assert model.embed(TEXTS, pooling=way).shape == (4, WIDTH)
        count = len(model.tokenize(TEXTS[0]))
        root = model.embed(TEXTS[0], pooling="mean_sqrt_len", normalize=False)[0]
        assert np.allclose(root, mean[0] * np.sqrt(count), atol=1e-4)
        with pytest.raises(InvalidRequest, match="pooling"):
            model.embed(TEXTS, pooling="sum")  # type: ignore[arg-type]
        assert model.embed([]).shape == (0, 12)


# Graphs: the same folder, with the network as ONNX.


@pytest.fixture
def graph(tiny_onnx: Callable[..., Path], tmp_path: Path) -> Path:
    """A model of sentence-transformers as it is published: the graph in a folder `onnx`, all else above."""
    folder = tmp_path / "published"
    shutil.copytree(tiny_onnx("encoder"), folder)
    (folder / "onnx").mkdir()
    for file in folder.glob("*.onnx*"):
        file.rename(folder / "onnx" / file.name)
    listed(folder, (OLD + "Transformer", ""), (OLD + "Pooling", "how"), (OLD + "Dense", "2_Dense"))
    put_module(folder / "how", "Pooling", {"pooling_mode": ["cls", "max"], "include_prompt": False}, Random(0))
    dense = {"in_features": 128, "out_features": 9, "bias": True, "activation_function": "torch.nn.Tanh"}
    put_module(folder / "2_Dense", "Dense", dense, Random(1))
    put_json(folder / "sentence_bert_config.json", {"max_seq_length": 20})
    put_json(folder / "config_sentence_transformers.json", {"prompts": {"q": "the man "}})
    return folder


def test_a_graph_is_pooled_as_its_folder_says(graph: Path) -> None:
    tensors = read_tensors(graph / "2_Dense" / "model.safetensors")
    weight, bias = tensors["linear.weight"].reshape(9, 128), tensors["linear.bias"]
    for path in (graph, graph / "onnx" / "model.onnx"):
        with trillm.load(path, **EXACT) as model:
            assert model.info.pipeline[:2] == [
                "Transformer(max_seq_length=20, do_lower_case=False)",
                "Pooling(pooling_mode=cls+max, include_prompt=False)",
            ]
            ways: tuple[Literal["cls", "max"], ...] = ("cls", "max")
            pooled = np.hstack([model.embed(TEXTS[:3], pooling=way, normalize=False, prompt="") for way in ways])
            vectors = model.embed(TEXTS[:3], normalize=False)
            assert np.allclose(vectors, np.tanh(pooled @ weight.T + bias), atol=1e-5)
            assert model.embed("and then", prompt_name="q").shape == (1, 9)
            assert not np.allclose(model.embed("and then", prompt_name="q"), model.embed("the man and then"), atol=1e-3)
            with pytest.raises(ContextOverflow, match="at most 20"):
                model.embed("the man and " * 20)


def test_what_a_graph_pools_is_followed_by_the_rest_of_the_folder(tmp_path: Path) -> None:
    case = next(case for case in CASES if case.name == "dense-two")
    write(case, tmp_path)
    write_graph(tmp_path, texts="text_embeds")
    with trillm.load(tmp_path, threads=1) as model:
        assert any("text_embeds is taken to be the pooling mean" in note for note in model.info.notes)
        vectors = model.embed(case.texts, normalize=False)
    assert np.allclose(vectors, np.array(GOLDEN["vectors"][case.name]), atol=2e-5)


def test_a_graph_with_a_pooler_alone_is_not_what_its_folder_says(tmp_path: Path) -> None:
    write(next(case for case in CASES if case.name == "normalize"), tmp_path)
    write_graph(tmp_path, texts="pooler_output")
    with pytest.raises(Unsupported, match=r"the pooling mean of a graph .* but pooler_output"):
        trillm.load(tmp_path, threads=1)


def test_a_graph_that_generates_makes_no_vectors_whatever_the_folder_says(tiny_onnx: Callable[..., Path]) -> None:
    with trillm.load(tiny_onnx("grown"), **EXACT) as model:
        assert (model.info.pipeline, model.info.purpose) == ([], "text")
        with pytest.raises(Unsupported, match="embedding"):
            model.embed("the man")


# What is refused, by its name.


def listed(folder: Path, *modules: tuple[str, str]) -> None:
    put_json(
        folder / "modules.json",
        [{"idx": index, "name": str(index), "path": path, "type": kind} for index, (kind, path) in enumerate(modules)],
    )


def without_pooling(folder: Path) -> None:
    listed(folder, (OLD + "Transformer", ""), (OLD + "Normalize", "2_Normalize"))


def unknown_module(folder: Path) -> None:
    listed(folder, (OLD + "Transformer", ""), (OLD + "WordWeights", "1_WordWeights"), (OLD + "Pooling", "1_Pooling"))


def foreign_module(folder: Path) -> None:
    listed(folder, ("custom_st.Transformer", ""), (OLD + "Pooling", "1_Pooling"))


def outside(folder: Path) -> None:
    listed(folder, (OLD + "Transformer", ""), (OLD + "Pooling", "../elsewhere"))


def no_configuration(folder: Path) -> None:
    (folder / "1_Pooling" / "config.json").unlink()


def pooling_of(**config: Any) -> Callable[[Path], None]:
    return lambda folder: put_json(folder / "1_Pooling" / "config.json", config)


def dense_of(**config: Any) -> Callable[[Path], None]:
    known = {"in_features": WIDTH, "out_features": 20, "bias": True}
    return lambda folder: put_json(folder / "2_Dense" / "config.json", known | config)


def transformer_of(**config: Any) -> Callable[[Path], None]:
    return lambda folder: put_json(folder / "sentence_bert_config.json", config)


def settings_of(**config: Any) -> Callable[[Path], None]:
    return lambda folder: put_json(folder / "config_sentence_transformers.json", config)


@pytest.mark.parametrize(
    ("spoil", "match"),
    [
        (without_pooling, "Pooling"),
        (unknown_module, "WordWeights"),
        (foreign_module, "custom_st.Transformer"),
        (outside, "elsewhere"),
        (no_configuration, "1_Pooling"),
        (pooling_of(pooling_mode="sum"), "sum"),
        (pooling_of(pooling_mode=[]), "pooling_mode"),
        (pooling_of(pooling_mode=["mean", 7]), "pooling_mode"),
        (pooling_of(pooling_mode_other=True), "pooling_mode_other"),
        (pooling_of(pooling_mode_cls_token="yes"), "pooling_mode_cls_token"),
        (dense_of(activation_function="torch.nn.modules.activation.Threshold"), "Threshold"),
        (dense_of(activation_function="custom.Snake"), "Snake"),
        (dense_of(activation_function=None), "activation_function"),
        (dense_of(in_features=31), "in_features"),
        (dense_of(out_features=21), "linear.weight"),
        (dense_of(bias=False), "linear.bias"),
        (dense_of(module_input_name="token_embeddings"), "token_embeddings"),
        (transformer_of(transformer_task="fill-mask"), "fill-mask"),
        (transformer_of(module_output_name="sentence_embedding"), "sentence_embedding"),
        (transformer_of(modality_config={"message": {"method": "forward"}}), "message"),
        (transformer_of(config_args={"is_decoder": True}), "is_decoder"),
        # What is switched off may be on without it.
        (transformer_of(config_kwargs={"is_causal": False}), "is_causal"),
        (transformer_of(tokenizer_args={"do_lower_case": False}), "do_lower_case.*tokenizer_args"),
        (transformer_of(processor_kwargs={"strip_accents": False}), "strip_accents.*processor_kwargs"),
        (transformer_of(processor_kwargs={"tokenize_chinese_chars": False}), "tokenize_chinese_chars"),
        (settings_of(model_type="SparseEncoder"), "SparseEncoder"),
        (settings_of(prompts={"a": "b"}, default_prompt_name="c"), "default_prompt_name"),
        (settings_of(prompts={"a": 1}), "prompts"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_not_known_is_refused_by_name(spoil: Callable[[Path], None], match: str, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    write(next(case for case in CASES if case.name == "dense-default"), folder)
    spoil(folder)
    with pytest.raises(TrillmError, match=match) as caught:
        trillm.load(folder)
    assert caught.value.code != "internal_error"


# Classes that do not generate.


def test_classifiers_generate_no_text(tmp_path: Path) -> None:
    for name, purpose in [
        ("Qwen3ForSequenceClassification", "labels"),
        ("Qwen3ForTokenClassification", "labels"),
        ("Qwen3ForQuestionAnswering", "labels"),
        ("Qwen3Model", "vectors"),
    ]:
        folder = tmp_path / name
        write(Case("no-modules", "qwen3"), folder)
        config = json.loads((folder / "config.json").read_text()) | {"architectures": [name]}
        put_json(folder / "config.json", config)
        with trillm.load(folder, **EXACT) as model:
            assert (model.info.purpose, model.info.class_name) == (purpose, name)
            with pytest.raises(Unsupported, match=f"{name} models .*do not generate text") as caught:
                model.generate("the cat", max_tokens=1)
            # What is advised works.
            assert "embed" in (caught.value.hint or "")
            assert "score" not in (caught.value.hint or "")
            with pytest.raises(Unsupported, match=name):
                model.score(PAIRS)
            # As sentence-transformers does with a model that it knows nothing of.
            assert model.info.pipeline[1] == "Pooling(pooling_mode=mean), by default"
            assert model.embed("the cat").shape == (1, WIDTH)


def test_options_that_change_no_vector_are_taken(tmp_path: Path) -> None:
    case = next(case for case in CASES if case.name == "old-mean_tokens")
    options = {
        "model_kwargs": {"add_pooling_layer": False, "trust_remote_code": False, "dtype": "float32"},
        "tokenizer_args": {"use_fast": False, "padding_side": "left", "do_lower_case": None},
        "config_kwargs": {"use_cache": False, "trust_remote_code": True},
    }
    vectors = embedded(dataclasses.replace(case, files={"sentence_bert_config.json": options}), tmp_path / "model")
    assert np.allclose(vectors, np.array(GOLDEN["vectors"][case.name]), atol=2e-5)


@pytest.mark.parametrize("name", ["one-label", "cross-encoder", "identity", "older-identity"])
def test_notes_of_a_cross_encoder_are_about_scores(name: str, tmp_path: Path) -> None:
    write_scorer(next(scorer for scorer in SCORERS if scorer.name == name), tmp_path / "model")
    with trillm.load(tmp_path / "model", **EXACT) as model:
        notes = [note for note in model.info.notes if not note.startswith("tensors copied")]
        assert notes == [
            "a BertForSequenceClassification is made for scores: a vector is the pooling mean of its network, as in "
            "sentence-transformers"
        ]
        assert model.info.scoring[-1].startswith("Dense(")
        assert model.info.pipeline[-1] == "Pooling(pooling_mode=mean), by default"


def test_the_largest_of_nothing_is_refused(tmp_path: Path) -> None:
    case = next(case for case in CASES if case.name == "prompt-of-all-tokens")
    write(case, tmp_path / "model")
    with trillm.load(tmp_path / "model", **EXACT) as model:
        with pytest.raises(InvalidRequest, match="nothing but the prompt in text 1"):
            model.embed(["a dog", "t"], pooling="max")
        assert model.embed("t", pooling="cls").shape == (1, WIDTH)


def test_what_embeds_scores_nothing(prompted: trillm.Model) -> None:
    with pytest.raises(Unsupported, match="BertModel"):
        prompted.score(PAIRS)


def test_pairs_must_be_pairs(tmp_path: Path) -> None:
    write_scorer(SCORERS[0], tmp_path / "model")
    with trillm.load(tmp_path / "model", **EXACT) as model:
        for wrong in ("ab", ["a", "b"], [("a",)], [("a", "b", "c")], 7, [(1, 2)]):
            with pytest.raises(InvalidRequest, match="pairs"):
                model.score(wrong)  # type: ignore[arg-type]
        with pytest.raises(ContextOverflow, match="text 1 has"):
            model.score([("a", "b"), ("a " * 80, "b")])
        assert model.score([]).shape == (0,)


# Without numpy.


@pytest.mark.parametrize("numpy", ["None", "types.ModuleType('numpy')"])
def test_without_numpy_there_is_an_error_of_its_own(numpy: str, tmp_path: Path) -> None:
    write(Case("no-modules"), tmp_path / "model")
    program = f"""
import sys, types
sys.modules["numpy"] = {numpy}
import trillm
with trillm.load(sys.argv[1]) as model:
    for call in (lambda: model.embed("a"), lambda: model.score([("a", "b")])):
        try:
            call()
        except Exception as error:
            assert isinstance(error, ImportError) and isinstance(error, trillm.errors.MissingDependency), type(error)
            assert "numpy" in str(error) and error.code == "missing_dependency" and "numpy" in error.hint
        else:
            raise SystemExit("no error")
print("said so")
"""
    done = subprocess.run(
        [sys.executable, "-c", program, tmp_path / "model"], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.returncode) == ("said so\n", 0), done.stderr


def test_a_copy_without_the_list_pools_as_the_usual_folder_says(tmp_path: Path) -> None:
    write(CASES[0], tmp_path / "model")
    (tmp_path / "model" / "modules.json").unlink()
    with trillm.load(tmp_path / "model", **EXACT) as model:
        assert model.info.pooling == "cls"
        assert any("1_Pooling" in note for note in model.info.notes)
        vectors = model.embed(TEXTS, normalize=False)
    assert np.allclose(vectors, GOLDEN["vectors"][CASES[0].name], atol=2e-5)
