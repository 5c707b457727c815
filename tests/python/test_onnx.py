"""ONNX models, by ONNX Runtime: the answers are those of the reference, of llama.cpp and of the runtime itself."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trillm
from numpy.typing import NDArray
from trillm import _core
from trillm.errors import Closed, EngineError, InvalidRequest, ModelFormatError, ModelNotFound, Unsupported
from trillm.hub import import_model

from .helpers import ENDLESS, GREEDY, SAMPLED, TEXTS, another_counts_beside, failing, idle, until
from .sentences import SENTENCES

TinyOnnx = Callable[..., Path]

CACHED = ["grown", "shared", "joined", "merged"]
"""The forms of the tiny model that keep earlier positions."""

FORMS = [*CACHED, "no-cache"]


@pytest.fixture(scope="module", params=FORMS)
def form(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def onnx(tiny_onnx: TinyOnnx, form: str) -> Iterator[trillm.Model]:
    """The tiny model in each form."""
    with trillm.load(tiny_onnx(form), threads=1) as model:
        yield model


@pytest.fixture(scope="module")
def grown(tiny_onnx: TinyOnnx) -> Iterator[trillm.Model]:
    """The tiny model in the form that most exporters write."""
    with trillm.load(tiny_onnx("grown"), threads=1) as model:
        yield model


@contextmanager
def endless(tiny_onnx: TinyOnnx, form: str = "grown", parallel: int = 8) -> Iterator[trillm.Model]:
    """The tiny model with a context so long that a request without `max_tokens` does not end by itself."""
    path = tiny_onnx(form, "--context", "65536")
    with trillm.load(path, context=65536, parallel=parallel, threads=1) as model:
        yield model


def test_heads_that_the_runtime_cannot_compute_are_refused(stories: Path) -> None:
    """By name, before anything is loaded: `GroupQueryAttention` wants heads of a multiple of 16 numbers."""
    for open_ in (trillm.load, _core.inspect):
        with pytest.raises(Unsupported, match="head size 8"):
            open_(stories.parent / "onnx-gqa-fp32")


# Beside others.


def test_more_requests_than_slots(tiny_onnx: TinyOnnx, form: str) -> None:
    """From threads of their own: a slot that is given to the next one holds nothing of the last."""
    with trillm.load(tiny_onnx(form), threads=1, parallel=3) as model, ThreadPoolExecutor(9) as threads:

        def ask(number: int) -> list[int]:
            text = "the man " * (number % 5 + 1)
            ids: list[int] = model.generate(text, max_tokens=20 + number, seed=number, **SAMPLED).token_ids
            return ids

        expected = [ask(number) for number in range(9)]
        assert [len(ids) for ids in expected] == list(range(20, 29))
        assert list(threads.map(ask, range(9))) == expected
        assert idle(model)


@pytest.mark.parametrize("form", ["grown", "shared"], indirect=True)
def test_closing_ends_what_other_threads_wait_for(tiny_onnx: TinyOnnx, form: str) -> None:
    """Among them requests that run, and some that still queue."""
    with endless(tiny_onnx, form, parallel=2) as model, ThreadPoolExecutor(4) as threads:
        running = [threads.submit(lambda: model.generate("the", **ENDLESS)) for _ in range(4)]
        assert until(lambda: model.stats()["running"] == 2 and model.stats()["waiting"] == 2)
        model.close()
        assert [type(each.exception()) for each in running] == [Closed] * 4
        with pytest.raises(Closed):
            model.generate("the")


def test_a_stream_that_is_closed_frees_its_slot(tiny_onnx: TinyOnnx) -> None:
    with endless(tiny_onnx, parallel=1) as model:
        expected = model.generate("the man", max_tokens=9, **GREEDY).token_ids
        with model.stream("the", **ENDLESS) as stream:
            next(stream)
        assert model.generate("the man", max_tokens=9, **GREEDY).token_ids == expected


@pytest.mark.parametrize("call", ["load", "generate", "stream", "embed", "tokenize"])
def test_no_call_keeps_the_lock(tiny_onnx: TinyOnnx, call: str) -> None:
    """With threads switched only when the lock is let go, what another counts proves that it was."""
    path, text = tiny_onnx("grown"), "there was nothing " * 20
    with trillm.load(path, threads=1) as model, trillm.load(tiny_onnx("encoder"), threads=1) as encoder:
        calls: dict[str, Callable[[], object]] = {
            "load": lambda: trillm.load(path, threads=1).close(),
            "generate": lambda: model.generate("the", max_tokens=20, **GREEDY),
            "stream": lambda: list(model.stream("the", max_tokens=20, **GREEDY)),
            "embed": lambda: encoder.embed([text] * 8),
            "tokenize": lambda: model.tokenize(text),
        }
        assert another_counts_beside(calls[call])


# What is said of a model, and how it is loaded.


def test_info(onnx: trillm.Model, tiny_onnx: TinyOnnx, form: str) -> None:
    info, file = onnx.info, tiny_onnx(form) / "model.onnx"
    assert (info.format, info.engine, info.device, info.path) == ("onnx", "onnx", "cpu", str(file))
    assert info.weights == "mapped, and copied by the runtime"
    # What does not lie where it can be read from is copied once more. Weights inside the graph lie anywhere.
    copied = [note for note in info.notes if "bytes of weights are copied once more" in note]
    assert bool(copied) == (form != "shared")
    assert (info.vocabulary, info.context_trained) == (300, 512)
    assert info.bytes >= file.stat().st_size
    assert info.parameters > 0
    assert info.chat_template is not None
    unloaded = _core.inspect(file.parent)
    assert (unloaded.engine, unloaded.weights, unloaded.parameters) == ("", "", info.parameters)


def test_a_copy_is_said_to_be_one(tiny_onnx: TinyOnnx) -> None:
    with trillm.load(tiny_onnx("shared"), threads=1, copy=True) as model:
        assert model.info.weights == "read, and copied by the runtime"


@pytest.mark.parametrize(
    "options",
    [
        {"copy": True},
        {"prepack": False},
        {"providers": ["CPUExecutionProvider"]},
        {"execution_mode": "sequential"},
        {"execution_mode": "parallel"},
        {"execution_mode": "parallel", "inter_threads": 3},
        {"graph_optimization_level": "disabled"},
        {"graph_optimization_level": "basic"},
        {"graph_optimization_level": "extended"},
        {"graph_optimization_level": "all"},
        {"providers": None, "inter_threads": None, "tokenizer": None, "runtime_library": None},
    ],
    ids=str,
)
@pytest.mark.parametrize("form", ["grown", "shared"], indirect=True)
def test_options_do_not_change_the_answers(onnx: trillm.Model, options: dict[str, Any]) -> None:
    expected = onnx.generate(TEXTS, max_tokens=20, **GREEDY)
    with trillm.load(onnx.info.path, threads=2, **options) as model:
        assert model.info.weights.startswith("read") == ("copy" in options)
        told = model.generate(TEXTS, max_tokens=20, **GREEDY)
    assert [each.token_ids for each in told] == [each.token_ids for each in expected]


def test_a_provider_that_is_absent_is_an_error(tiny_onnx: TinyOnnx) -> None:
    with pytest.raises(Unsupported, match="NoSuchExecutionProvider") as caught:
        trillm.load(tiny_onnx("grown"), providers=["CPUExecutionProvider", "NoSuchExecutionProvider"])
    # What there is instead.
    assert "which has" in str(caught.value)
    assert "CPUExecutionProvider" in str(caught.value).split("which has")[1]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"providers": "CPUExecutionProvider"}, "a list of names"),
        ({"providers": [1]}, "a list of names"),
        ({"providers": True}, "a list of names"),
        ({"execution_mode": "fast"}, "sequential or parallel"),
        ({"execution_mode": 1}, "a text"),
        ({"graph_optimization_level": "most"}, "disabled, basic, extended or all"),
        ({"graph_optimization_level": 99}, "a text"),
        ({"inter_threads": 0}, "1 to 4294967295"),
        ({"inter_threads": -1}, "1 to 4294967295"),
        ({"inter_threads": "two"}, "1 to 4294967295"),
        ({"prepack": "yes"}, "True or False"),
        ({"prepack": 1}, "True or False"),
        ({"tokenizer": 7}, "a path"),
        ({"runtime_library": 7}, "a path"),
    ],
    ids=str,
)
def test_options_outside_their_range(tiny_onnx: TinyOnnx, options: dict[str, Any], expected: str) -> None:
    with failing(InvalidRequest, "invalid_parameter", expected) as caught:
        trillm.load(tiny_onnx("grown"), **options)
    assert str(caught.value).startswith(next(iter(options)))


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"prepack": False}, "prepack"),
        ({"providers": ["CPUExecutionProvider"]}, "providers"),
        ({"execution_mode": "parallel"}, "execution mode"),
        ({"graph_optimization_level": "basic"}, "optimization"),
        ({"tokenizer": "elsewhere"}, "tokenizer"),
        ({"runtime_library": "libonnxruntime.so"}, "a library of ONNX Runtime"),
    ],
    ids=str,
)
@pytest.mark.parametrize("engine", ["llama", "candle"])
def test_other_engines_refuse_what_is_for_graphs(
    tiny_model: Path, tiny_folder: Path, engine: str, options: dict[str, Any], named: str
) -> None:
    path = tiny_model if engine == "llama" else tiny_folder
    with failing(Unsupported, "unsupported", named) as caught:
        trillm.Model(path, **options)
    assert engine in str(caught.value)


def test_a_tokenizer_from_elsewhere(tiny_onnx: TinyOnnx, grown: trillm.Model, tmp_path: Path) -> None:
    folder, elsewhere = Path(shutil.copytree(tiny_onnx("grown"), tmp_path / "model")), tmp_path / "tokenizer"
    elsewhere.mkdir()
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).rename(elsewhere / name)
    with pytest.raises(ModelNotFound, match=r"tokenizer\.json") as caught:
        trillm.load(folder)
    assert "`tokenizer`" in str(caught.value.hint)
    with pytest.raises(ModelNotFound, match=r"tokenizer\.json"):
        trillm.load(folder, tokenizer=tmp_path)
    for open_, tokenizer in ((trillm.load, elsewhere), (trillm.load, str(elsewhere)), (trillm.Model, elsewhere)):
        with open_(folder, threads=1, tokenizer=tokenizer) as model:
            told = model.generate(TEXTS, max_tokens=9, **GREEDY)
        expected = grown.generate(TEXTS, max_tokens=9, **GREEDY)
        assert [each.token_ids for each in told] == [each.token_ids for each in expected]


def test_a_tokenizer_of_a_gguf_file(
    tiny_onnx: TinyOnnx, tiny_model: Path, llm: trillm.Model, grown: trillm.Model, tmp_path: Path
) -> None:
    """As its own file has it, with its chat template; by a path, or by its name in the store."""
    folder = Path(shutil.copytree(tiny_onnx("grown"), tmp_path / "model"))
    for path in folder.glob("*token*"):
        path.unlink()
    (folder / "chat_template.jinja").unlink(missing_ok=True)
    store = _core.Store(tmp_path / "store")
    import_model(tiny_model, name="words", store=store)
    router = trillm.LLMRouter(cache_directory=tmp_path / "store")
    for model in (
        trillm.load(folder, threads=1, tokenizer=tiny_model),
        trillm.Model(folder, threads=1, tokenizer=tiny_model),
        router.load(folder, threads=1, tokenizer="local:words"),
    ):
        with model:
            for text in TEXTS:
                assert model.tokenize(text) == llm.tokenize(text)
            told = model.generate(TEXTS, max_tokens=9, **GREEDY)
            expected = grown.generate([llm.tokenize(text) for text in TEXTS], max_tokens=9, **GREEDY)
            assert [each.token_ids for each in told] == [each.token_ids for each in expected]
            chat = [{"role": "user", "content": "hi"}]
            assert model.render_chat(chat) == llm.render_chat(chat)
    damaged = tmp_path / "damaged.gguf"
    damaged.write_bytes(tiny_model.read_bytes()[:1000])
    with pytest.raises(ModelFormatError, match=r"damaged\.gguf: the file ends inside"):
        trillm.load(folder, tokenizer=damaged)


def test_a_graph_is_not_called_by_what_exported_it(tiny_onnx: TinyOnnx, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_onnx("encoder"), tmp_path / "model"))
    (folder / "config.json").unlink()
    with trillm.load(folder, threads=1) as model, pytest.raises(Unsupported) as caught:
        model.generate("the")
    assert str(caught.value) == "this model turns texts into vectors: it does not generate text"
    assert model.info.architecture == "unknown"


def test_a_tokenizer_that_is_nowhere(tiny_onnx: TinyOnnx) -> None:
    for tokenizer in ("./nonexistent", "no-such-name"):
        with pytest.raises(ModelNotFound, match=tokenizer.removeprefix("./")):
            trillm.load(tiny_onnx("grown"), tokenizer=tokenizer)


def test_the_tokenizer_alone(tiny_onnx: TinyOnnx, grown: trillm.Model) -> None:
    tokenizer = trillm.Tokenizer(tiny_onnx("grown"))
    for text in TEXTS:
        assert tokenizer.encode(text) == grown.tokenize(text)


# Vectors.

MORE = [*SENTENCES, "Größe 😀", "word " * 200]


def test_what_makes_vectors_generates_nothing(tiny_onnx: TinyOnnx) -> None:
    with trillm.load(tiny_onnx("encoder"), threads=1) as encoder:
        for call in (encoder.generate, encoder.stream):
            with pytest.raises(Unsupported, match="generat"):
                call("the man", max_tokens=3)
        assert encoder.embed("It still makes vectors.").shape == (1, 64)


def test_what_generates_makes_no_vectors(onnx: trillm.Model) -> None:
    with pytest.raises(Unsupported, match="embedding"):
        onnx.embed("the man")
    assert len(onnx.generate("the man", max_tokens=3, **GREEDY).token_ids) == 3


def reference(path: Path, texts: list[list[int]]) -> NDArray[np.float32]:
    """What the runtime's own Python package computes of these tokens, one text at a time: the mean, of length 1."""
    import onnxruntime  # type: ignore[import-not-found,import-untyped,unused-ignore]

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    vectors = []
    for ids in texts:
        tokens = np.array([ids], np.int64)
        feeds = {
            "input_ids": tokens,
            "attention_mask": np.ones_like(tokens),
            "token_type_ids": np.zeros_like(tokens),
        }
        states = session.run(["last_hidden_state"], feeds)[0][0]
        mean = states.mean(axis=0)
        vectors.append(mean / np.linalg.norm(mean))
    return np.stack(vectors)


@pytest.mark.real
@pytest.mark.usefixtures("all_minilm")
def test_a_model_in_8_bits_makes_the_vectors_that_the_runtime_makes(all_minilm_int8: Path) -> None:
    with trillm.load(all_minilm_int8, threads=1, tokenizer="all-minilm") as model:
        assert (model.info.engine, model.info.format, model.info.width) == ("onnx", "onnx", 384)
        ids = [model.tokenize(text) for text in MORE]
        together = model.embed(MORE)
        alone = np.concatenate([model.embed(text) for text in MORE])
        raw = model.embed(MORE, normalize=False)
    expected = reference(all_minilm_int8, ids)
    assert together.dtype == np.float32
    assert together.shape == (len(MORE), 384)
    # Its activations are quantized with one scale for all rows of a run: neighbours must not be in it.
    for vectors in (together, alone, raw / np.linalg.norm(raw, axis=1, keepdims=True)):
        assert np.allclose(vectors, expected, atol=1e-5)
    with trillm.load("all-minilm", threads=1) as model:
        assert [model.tokenize(text) for text in MORE] == ids
        in_32_bits = model.embed(MORE)
    # Eight bits cost less than this.
    assert (together * in_32_bits).sum(axis=1).min() > 0.99


def test_a_file_that_shrank_is_an_error_each_time(tiny_onnx: TinyOnnx, form: str, tmp_path: Path) -> None:
    """Its last pages are gone, and the runtime must not be let near them again."""
    folder = shutil.copytree(tiny_onnx(form), tmp_path / "model")
    with trillm.load(folder, threads=1) as model:
        assert model.generate("the man", max_tokens=3, **GREEDY).finish_reason == "length"
        for file in folder.glob("*.onnx*"):
            os.truncate(file, file.stat().st_size // 3)
        for _ in range(5):
            with pytest.raises(EngineError, match="was changed while it was in use, from"):
                model.generate("the man", max_tokens=3, **GREEDY)
