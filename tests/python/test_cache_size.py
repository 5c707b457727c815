"""What `info` says that a context takes is what llama.cpp allocates for it."""

from __future__ import annotations

import json
import logging
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trillm
from trillm import _core

GOLDEN = Path(__file__).resolve().parents[2] / "crates" / "candle" / "tests" / "golden"

CONTEXT = 65_536
"""So long that llama.cpp's hundredths of a mebibyte tell each byte of a token."""


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A golden model as GGUF."""

    def convert(name: str) -> Path:
        folder = tmp_path_factory.mktemp(name)
        shutil.copy(GOLDEN / name / "model.safetensors", folder)
        config = json.loads((GOLDEN / name / "config.json").read_text())
        if "query_pre_attn_scalar" in config:
            # llama.cpp computes with no other.
            config["query_pre_attn_scalar"] = config["head_dim"]
        (folder / "config.json").write_text(json.dumps(config))
        (folder / "tokenizer.json").write_text(json.dumps(tokenizer()))
        _core.convert(folder, folder / "model.gguf", to="gguf", dtype="f32")
        return folder / "model.gguf"

    return convert


def tokenizer() -> dict[str, Any]:
    """A byte-level vocabulary of as many tokens as the golden models have rows."""
    words = ["<unk>", "<s>", "</s>", "<|endoftext|>", *map(chr, range(33, 123)), "ab"]
    flags = dict.fromkeys(["single_word", "lstrip", "rstrip", "normalized"], False)
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    return {
        "version": "1.0",
        "added_tokens": [{"id": id_, "content": words[id_], "special": True, **flags} for id_ in range(4)],
        "normalizer": None,
        "pre_tokenizer": level,
        "post_processor": None,
        "decoder": level,
        "model": {"type": "BPE", "vocab": {word: id_ for id_, word in enumerate(words)}, "merges": [["a", "b"]]},
    }


def allocated(path: Path, caplog: pytest.LogCaptureFixture) -> float:
    """Mebibytes of keys and values that llama.cpp says it has for `CONTEXT` tokens."""
    caplog.clear()
    with caplog.at_level(logging.DEBUG, logger="trillm"):
        trillm.load(path, context=CONTEXT, threads=1).close()
    sizes = re.findall(r"KV buffer size = +([0-9.]+) MiB", caplog.text)
    assert sizes, caplog.text
    return sum(map(float, sizes))


@pytest.mark.parametrize("name", ["tiny", "qwen3", "gemma2", "gemma3-text"])
def test_keys_and_values_take_what_is_said(
    name: str, tiny_model: Path, converted: Callable[[str], Path], caplog: pytest.LogCaptureFixture
) -> None:
    """With heads that share keys, heads wider than the model, and windows, behind which llama.cpp keeps all, too."""
    path = tiny_model if name == "tiny" else converted(name)
    info = _core.inspect(path)
    assert info.cache_bytes is not None
    assert allocated(path, caplog) == pytest.approx(info.cache_bytes / info.context_default * CONTEXT / 2**20, abs=0.02)


def of_its_own() -> int:
    """Bytes of memory that are this process's own."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("RssAnon:"))
    return 1024 * int(line.split()[1])


@pytest.mark.real
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what is in memory")
def test_a_real_model_takes_what_is_said() -> None:
    """Not by the log, of which only the last lines are kept: llama.cpp writes zeros to all of a cache."""
    path = trillm.hub.fetch("smollm2")
    info = _core.inspect(path)
    # 30 layers with three heads of 64 numbers for keys, and for values, in two bytes each.
    expected = 4096 * 30 * 3 * (64 + 64) * 2
    assert (info.context_default, info.cache_bytes) == (4096, expected)
    taken = []
    for context in (8192, 24_576):
        with trillm.load(path, context=context, threads=1):
            taken.append(of_its_own())
    assert taken[1] - taken[0] == pytest.approx(4 * expected, rel=0.05)
