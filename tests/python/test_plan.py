"""What a model takes of memory is known before it is loaded; and what would not fit is refused, with what would."""

from __future__ import annotations

import json
import pickle
import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import gguf_file
import pytest
import trillm
from trillm import _plan
from trillm.errors import (
    DownloadError,
    InvalidRequest,
    MemoryRefused,
    ModelFormatError,
    ModelNotFound,
    TrillmError,
)

from .helpers import failing
from .program import output

LAYERS, KV_HEADS, HEAD = 4, 4, 64
TOKEN = 2 * LAYERS * KV_HEADS * HEAD * 2
"""Bytes of keys and values of a token, in 16 bits."""

SHAPE = ("--layers", "4", "--width", "1024", "--heads", "16", "--kv-heads", "4", "--feed-forward", "4096")
OPTIONS = (*SHAPE, "--vocabulary", "2000", "--context", "8192")


@pytest.fixture(scope="module")
def grouped(write_model: Callable[..., None], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A model of 65 to 250 MB, whose heads share keys, in each format."""
    folder = tmp_path_factory.mktemp("grouped")
    paths = {"llama": folder / "model.gguf", "candle": folder / "folder", "onnx": folder / "graph"}
    write_model("random", paths["llama"], *OPTIONS)
    write_model("random", paths["candle"], "--type", "bf16", "--format", "huggingface", *OPTIONS)
    write_model("tiny", paths["onnx"], "--format", "onnx", "--form", "shared", *OPTIONS)
    return paths


def files(path: Path) -> int:
    return sum(it.stat().st_size for it in ([path] if path.is_file() else path.iterdir()))


@pytest.mark.parametrize("engine", ["llama", "candle", "onnx"])
def test_parts_are_those_of_the_model(grouped: dict[str, Path], engine: str) -> None:
    path = grouped[engine]
    plan = trillm.plan(path, context=2048, parallel=4, threads=2)
    assert (plan.engine, plan.context, plan.parallel) == (engine, 2048, 4)
    assert 0.95 * files(path) <= plan.weights_mapped <= files(path)
    cache = {
        "llama": 2048 * (TOKEN + 48),
        # Half a page of 64 for each slot.
        "candle": (2048 + 4 * 32) * TOKEN,
        # Of 32 bits, and a context for each slot.
        "onnx": 2 * 4 * 2048 * TOKEN,
    }
    assert plan.cache == cache[engine]
    assert plan.weights_private == (plan.weights_mapped if engine == "onnx" else 0)
    assert plan.verdict in {"fits", "tight"}
    assert plan.private + plan.weights_mapped + plan.runtime_mapped == plan.total
    assert plan.alternatives == ()


MEASURED = """
import gc, json, random, sys, numpy, trillm
def status():
    lines = open("/proc/self/status").read().splitlines()
    return {line.split(":")[0]: int(line.split()[1]) << 10 for line in lines if line.startswith(("Rss", "Vm"))}
path, params = sys.argv[1], json.loads(sys.argv[2])
gc.collect()
open("/proc/self/clear_refs", "w").write("5")
before = status()
model = trillm.load(path, **params)
draw = random.Random(1)
words = model.info.vocabulary
full = [[draw.randrange(300, words) for _ in range(count)] for count in (512, 1000)]
for prompt in full if "generate" in model.info.capabilities else []:
    model.generate(prompt, max_tokens=8, temperature=0, ignore_eos=True)
if "generate" not in model.info.capabilities:
    # One token for each letter, and one before and after them.
    model.embed("a " * (params["context"] - 2))
# As it is now: nothing is given back until it is closed.
after = status()
print(after["RssAnon"] - before["RssAnon"], after["VmHWM"] - before["VmRSS"])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="memory is told apart by what Linux says of it")
@pytest.mark.parametrize("engine", ["llama", "candle", "onnx"])
def test_what_was_planned_is_what_is_taken(grouped: dict[str, Path], engine: str) -> None:
    """Roughly: `benches/memory.py` has more cases and a narrower band."""
    params = {"context": 1024, "parallel": 1, "threads": 2}
    private, total = map(int, output(MEASURED, str(grouped[engine]), json.dumps(params)).split())
    plan = trillm.plan(grouped[engine], context=1024, parallel=1, threads=2)
    assert 0.85 <= plan.private / private <= 1.2, (plan, private)
    assert 0.85 <= plan.total / total <= 1.2, (plan, total)


@pytest.mark.skipif(sys.platform != "linux", reason="memory is told apart by what Linux says of it")
@pytest.mark.parametrize("context", [1024, 2048])
@pytest.mark.parametrize("flash_attention", [False, True])
def test_what_embedding_takes_was_planned(tmp_path: Path, context: int, flash_attention: bool) -> None:
    """Without flash attention each token's weights for each other are there, in every head: 64 MiB of 2048 tokens."""
    shape = {"layers": 2, "width": 256, "heads": 4, "feed_forward": 2048, "vocabulary": 2000}
    path = gguf_file.write(tmp_path / "encoder.gguf", *gguf_file.bert(context=2048, **shape))
    params: dict[str, Any] = {"context": context, "parallel": 1, "threads": 2, "flash_attention": flash_attention}
    private, _ = map(int, output(MEASURED, str(path), json.dumps(params)).split())
    plan = trillm.plan(path, **params)
    assert plan.compute is not None
    assert plan.compute > 4 * 4 * context**2 or flash_attention
    assert 0.9 <= plan.private / private <= 1.15, (plan, private)


BESIDE = """
import json, sys, trillm
def private():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("RssAnon"))
path, params = sys.argv[1], json.loads(sys.argv[2])
model = trillm.load(path, **params)
model.generate([400] * 200, max_tokens=4, temperature=0)
before = private()
# One token for each letter, and one before them.
model.embed("a" * (params["context"] - 4))
print(private() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="memory is told apart by what Linux says of it")
@pytest.mark.parametrize("flash_attention", [False, True])
def test_what_vectors_take_beside_texts_is_said(tmp_path: Path, flash_attention: bool) -> None:
    """Whole texts are computed at once for them, with the scores of each token."""
    keys, tensors = gguf_file.llama(vocabulary=16_000, width=256, feed_forward=1024)
    path = gguf_file.write(tmp_path / "model.gguf", keys | {"llama.pooling_type": 3}, tensors)
    params: dict[str, Any] = {"context": 2048, "parallel": 1, "threads": 2, "flash_attention": flash_attention}
    taken = int(output(BESIDE, str(path), json.dumps(params)))
    (note,) = trillm.plan(path, **params).notes
    said = re.fullmatch(r"embed makes a session of its own .* of (\d+) bytes more, not counted here", note)
    assert said
    assert 0.9 <= int(said[1]) / taken <= 1.15, (note, taken)


@pytest.mark.skipif(sys.platform != "linux", reason="memory is told apart by what Linux says of it")
def test_adapters_count(grouped: dict[str, Path], tmp_path: Path) -> None:
    rows = {"attn_q": 1024, "attn_k": 256, "attn_v": 256, "ffn_gate": 4096, "ffn_up": 4096}
    products = {f"blk.{layer}.{name}": (1024, count) for layer in range(LAYERS) for name, count in rows.items()}
    rank = 256
    adapter = gguf_file.write(tmp_path / "adapter.gguf", *gguf_file.lora(products, rank))
    bytes_of_it = LAYERS * 4 * rank * sum(1024 + count for count in rows.values())
    params: dict[str, Any] = {"context": 1024, "parallel": 1, "threads": 2, "lora": [str(adapter)]}
    plan = trillm.plan(grouped["llama"], **params)
    plain = trillm.plan(grouped["llama"], **params | {"lora": None})
    assert plan.weights_private - plain.weights_private == bytes_of_it == 60_817_408
    private, _ = map(int, output(MEASURED, str(grouped["llama"]), json.dumps(params)).split())
    assert 0.9 <= plan.private / private <= 1.15, (plan, private)
    with failing(ModelNotFound, "model_not_found"):
        trillm.plan(grouped["llama"], lora=[tmp_path / "none.gguf"])
    with failing(ModelFormatError, "invalid_key", "a LoRA adapter"):
        trillm.plan(grouped["llama"], lora=[grouped["llama"]])


LIMITED = """
import json, resource, sys, trillm
from trillm import _plan
from trillm.errors import MemoryRefused
path, room, params = sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3])
size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (size + room, resource.RLIM_INFINITY))
try:
    _plan.check(path, **params)
    print(json.dumps(None))
except MemoryRefused as error:
    changes = [it.change for it in error.plan.alternatives]
    print(json.dumps([error.code, error.plan.limit_source, changes]))
    params |= changes[0]
    _plan.check(path, **params)
    with trillm.load(path, **params) as model:
        print(len(model.generate([400] * 64, max_tokens=8, temperature=0, ignore_eos=True).token_ids))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="addresses are limited there")
@pytest.mark.parametrize(("engine", "context"), [("llama", 131072), ("candle", 131072), ("onnx", 8192)])
def test_what_does_not_fit_is_refused_and_what_is_proposed_loads(
    grouped: dict[str, Path], engine: str, context: int
) -> None:
    """A cache of half a gigabyte, in a process that may have less than that beside the rest."""
    path = grouped[engine]
    params = {"context": context, "parallel": 8, "threads": 2}
    plan = trillm.plan(path, context=context, parallel=8, threads=2)
    assert plan.cache is not None
    assert plan.cache >= 500 << 20
    said = output(LIMITED, str(path), str(plan.total - plan.cache // 2 + (256 << 20)), json.dumps(params))
    first, tokens = said.splitlines()
    code, source, changes = json.loads(first)
    assert (code, source, tokens) == ("memory_refused", "RLIMIT_AS", "8")
    assert changes


@pytest.mark.skipif(sys.platform != "linux", reason="addresses are limited there")
def test_a_refusal_keeps_its_plan_and_is_overruled(grouped: dict[str, Path]) -> None:
    # More than any machine has.
    much = 1 << 30
    with failing(MemoryRefused, "memory_refused", "needs") as caught:
        _plan.check(grouped["llama"], context=much)
    error: MemoryRefused = caught.value
    assert issubclass(MemoryRefused, (TrillmError, MemoryError))
    assert error.plan is not None
    assert error.plan == _plan.check(grouped["llama"], context=much, force=True)
    assert error.plan.verdict == "refused"
    copy = pickle.loads(pickle.dumps(error))
    assert (copy.plan, copy.hint) == (error.plan, error.hint)


def test_a_plan_is_a_value(tiny_model: Path) -> None:
    plan = trillm.plan(tiny_model)
    assert plan == trillm.plan(str(tiny_model)) or plan.limit is not None
    assert json.loads(json.dumps(asdict(plan)))["verdict"] in ("fits", "tight")


def test_a_smaller_model_and_idle_ones_are_proposed(grouped: dict[str, Path], tiny_model: Path) -> None:
    plan = trillm.plan(grouped["llama"], context=1 << 30, smaller=[str(tiny_model)], idle={"other": 1 << 60})
    changes = [it.change for it in plan.alternatives]
    assert {"unload": ["other"]} in changes
    assert all(it.verdict != "refused" for it in plan.alternatives)


def test_what_cannot_be_planned_is_an_error(tiny_model: Path) -> None:
    with failing(DownloadError, "download_failed"):
        trillm.plan("hf:nobody/nothing", download={"offline": True})
    with failing(InvalidRequest, "unknown_engine"):
        trillm.plan(tiny_model, engine="steam")
    with failing(InvalidRequest, "invalid_parameter", "parallel is 257"):
        trillm.plan(tiny_model, parallel=257)


@pytest.mark.parametrize("form", ["folder", "graph"])
@pytest.mark.parametrize("content", [None, b"{", b"[]", b'{"a": "\xff"}'])
def test_what_loading_refuses_for_want_of_a_tokenizer_is_refused(
    tiny_folder: Path, tiny_onnx: Callable[..., Path], tmp_path: Path, form: str, content: bytes | None
) -> None:
    whole = tiny_folder if form == "folder" else tiny_onnx("grown")
    lacking = tmp_path / "lacking"
    shutil.copytree(whole, lacking)
    if content is None:
        (lacking / "tokenizer.json").unlink()
    else:
        (lacking / "tokenizer.json").write_bytes(content)
    said = []
    for call in (trillm.load, trillm.plan):
        with pytest.raises(TrillmError) as caught:
            call(lacking)
        said.append((type(caught.value), str(caught.value), caught.value.code, caught.value.hint))
    assert said[0] == said[1]
    if form == "graph":
        assert trillm.plan(lacking, tokenizer=whole).verdict in {"fits", "tight"}
