"""A plan refuses what loading refuses, in the same words; and what it does not refuse is loaded."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf_file
import pytest
import trillm
from trillm import LLMRouter
from trillm.errors import InvalidRequest, TrillmError, Unsupported
from trillm.types import LoadParams

from .helpers import failing

TRIED: dict[str, list[Any]] = {
    "engine": ["auto", "llama", "candle", "onnx", "none"],
    "context": [64, 1 << 20, 1 << 31],
    "parallel": [1, 257],
    "replicas": [2, 65],
    "threads": [1, 513],
    "device": ["cpu", "cuda"],
    "gpu_layers": [0, 1, 99],
    "mmap": [True, False],
    "copy": [True],
    "quantize": ["q8_0", "q4_k", "q2_k"],
    "mlock": [False],
    "batch": [1, 1 << 21],
    "ubatch": [1, 1 << 21],
    "cache_type": ["f32", "f16", "q8_0", "q4_0", "q2_0"],
    "flash_attention": [True, False],
    "lora": [[], ["none.gguf"]],
    "tokenizer": ["none.json", "tokenizer"],
    "providers": [[], ["CPUExecutionProvider"], ["NoExecutionProvider"]],
    "execution_mode": ["sequential", "parallel", "none"],
    "inter_threads": [2],
    "graph_optimization_level": ["disabled", "none"],
    "prepack": [True, False],
    "runtime_library": ["none.so"],
    "queue": [1, 0],
    "prompt_chunk": [1, 0],
    "system": ["be brief", 1],
    "defaults": ["neutral", "none"],
    "published": [{}],
    "progress": [lambda _: True],
}
"""Values of each option that some engine takes, and that some or all refuse."""

TOGETHER: list[dict[str, Any]] = [
    {"cache_type": "q8_0", "flash_attention": False},
    {"cache_type": "q4_0", "flash_attention": True},
    {"cache_type": "f32", "flash_attention": True},
    {"mmap": True, "copy": True},
    {"device": "cpu", "gpu_layers": 1},
    {"quantize": "q8_0", "prepack": False},
]


def outcome(call: Callable[[], object]) -> tuple[object, ...]:
    """What an error says; nothing if there is none."""
    try:
        made = call()
    except TrillmError as error:
        return type(error), error.code, str(error), error.hint
    if isinstance(made, trillm.Model):
        made.close()
    return ()


@pytest.fixture(scope="module")
def models(tiny_model: Path, tiny_folder: Path, tiny_onnx: Callable[..., Path]) -> dict[str, Path]:
    return {"llama": tiny_model, "candle": tiny_folder, "onnx": tiny_onnx("grown")}


def test_every_option_is_tried() -> None:
    assert set(TRIED) == set(LoadParams.__annotations__)


@pytest.mark.parametrize("engine", ["llama", "candle", "onnx"])
def test_what_is_planned_is_loaded_and_what_is_refused_is_refused_alike(
    models: dict[str, Path], engine: str, tiny_folder: Path
) -> None:
    path = models[engine]
    tried = [{name: value} for name, values in TRIED.items() for value in values] + TOGETHER
    refused = 0
    for params in tried:
        given: dict[str, Any] = {"threads": 1, "context": 64, **params}
        if given.get("tokenizer") == "tokenizer":
            given["tokenizer"] = tiny_folder
        loaded = outcome(lambda: trillm.load(path, **given))  # noqa: B023
        assert outcome(lambda: trillm.plan(path, **given)) == loaded, params  # noqa: B023
        refused += loaded != ()
    # As many as are wrong anywhere, and some that are so here.
    assert 20 < refused < len(tried) - 20


EXPECTED = {
    "llama": {
        "quantize": ("q8_0", "quantizing to q8_0 while loading is not supported by llama"),
        "gpu_layers": (1, "putting layers on a GPU is not supported by llama without a GPU"),
        "prepack": (False, "an option for graphs"),
        "providers": (["CUDAExecutionProvider"], "an option for graphs"),
        "tokenizer": ("tokenizer.json", "a tokenizer from elsewhere"),
    },
    "candle": {
        "lora": (["adapter.gguf"], "a LoRA adapter is not supported by candle"),
        "cache_type": ("q8_0", "a cache of 8-bit or 4-bit numbers is not supported by candle"),
        "prepack": (False, "an option for graphs"),
    },
    "onnx": {
        "lora": (["adapter.gguf"], "a LoRA adapter is not supported by onnx"),
        "quantize": ("q8_0", "quantizing while loading is not supported by onnx"),
        "flash_attention": (True, "choosing a kind of attention is not supported by graphs"),
        "providers": (["NoExecutionProvider"], 'the execution provider "NoExecutionProvider"'),
    },
}


@pytest.mark.parametrize("engine", ["llama", "candle", "onnx"])
def test_a_plan_says_what_an_engine_cannot_do(
    models: dict[str, Path], engine: str, tmp_path: Path, tiny_folder: Path
) -> None:
    given: dict[str, Any]
    for name, (value, message) in EXPECTED[engine].items():
        given = {name: tiny_folder / value if name == "tokenizer" else value}  # type: ignore[operator]
        with failing(Unsupported, "unsupported", message):
            trillm.plan(models[engine], **given)
        with LLMRouter(cache_directory=tmp_path) as router, failing(Unsupported, "unsupported", message):
            router.plan(str(models[engine]), **given)


def test_a_cache_in_blocks_needs_flash_attention(tiny_model: Path, tmp_path: Path) -> None:
    for call in (trillm.plan, trillm.load):
        with failing(Unsupported, "unsupported", "a cache of q8_0 numbers without flash attention is not supported"):
            call(tiny_model, cache_type="q8_0", flash_attention=False)
    # Heads of 16 numbers, in which there are no blocks of 32.
    shape = {"layers": 1, "width": 32, "heads": 2, "feed_forward": 64, "vocabulary": 300}
    encoder = gguf_file.write(tmp_path / "encoder.gguf", *gguf_file.bert(context=64, **shape))
    for call in (trillm.plan, trillm.load):
        with failing(Unsupported, "unsupported", "blocks of 32, for heads of 16"):
            call(encoder, cache_type="q8_0")


def test_a_context_that_is_longer_than_a_models_positions_is_refused_in_a_plan(tmp_path: Path) -> None:
    shape = {"layers": 1, "width": 64, "heads": 2, "feed_forward": 64, "vocabulary": 300}
    encoder = gguf_file.write(tmp_path / "encoder.gguf", *gguf_file.bert(context=64, **shape))
    for call in (trillm.plan, trillm.load):
        with failing(InvalidRequest, "invalid_parameter", "65 for a model with 64 positions"):
            call(encoder, context=65)


def test_nothing_is_unloaded_for_a_model_that_an_engine_refuses(
    tiny_model: Path, tiny_folder: Path, tmp_path: Path
) -> None:
    """It is found out before there is room made for it."""
    events: list[dict[str, Any]] = []
    with LLMRouter(cache_directory=tmp_path, max_models_loaded=1, on_event=events.append) as router:
        router.load_model(str(tiny_folder), threads=1, context=64)
        with failing(Unsupported, "unsupported", "quantizing to q8_0 while loading"):
            router.load_model(str(tiny_model), quantize="q8_0")
        assert len(router.loaded()) == 1
        assert not [event for event in events if event["event"] in ("evicted", "unloaded")]


def test_what_would_fit_is_nothing_that_the_engine_refuses(tiny_model: Path, tmp_path: Path) -> None:
    """With flash attention a cache of 8 bits is proposed, and without it is not."""
    shutil.copy(tiny_model, tmp_path / "model.gguf")
    for flash_attention in (True, False):
        planned = trillm.plan(
            tmp_path / "model.gguf", context=1 << 29, parallel=1, flash_attention=flash_attention, threads=1
        )
        assert planned.verdict == "refused"
        for it in planned.alternatives:
            assert it.change.get("cache_type") is None or flash_attention
