"""A model's files are read once: what was checked is what the engine gets."""

from __future__ import annotations

import ctypes
import os
import shutil
import struct
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trillm

from .sentences import CASES, SCORERS, write, write_scorer

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells who opens a file")

IN_ACCESS, IN_CLOSE, IN_OPEN = 0x1, 0x18, 0x20


@contextmanager
def opens(folder: Path) -> Iterator[Counter[str]]:
    """How often each file in a folder is opened within the block, by whomever: what the system itself counts.

    It counts several openings as one if nothing happens between them: those are of a file that was not read.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    queue = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    assert queue >= 0, os.strerror(ctypes.get_errno())
    counts: Counter[str] = Counter()
    try:
        watched = libc.inotify_add_watch(queue, os.fsencode(folder), IN_OPEN | IN_ACCESS | IN_CLOSE)
        assert watched >= 0, os.strerror(ctypes.get_errno())
        yield counts
        counts.update(names(os.read(queue, 1 << 20)))
    finally:
        os.close(queue)


def names(events: bytes) -> Iterator[str]:
    """The files of events; those of the folder itself have no name."""
    at = 0
    while at < len(events):
        _, mask, _, length = struct.unpack_from("iIII", events, at)
        at += 16 + length
        if mask & IN_OPEN and (name := events[at - length : at].rstrip(b"\0")):
            yield os.fsdecode(name)


Written = tuple[Path, dict[str, int]]
"""A model, and the files that are opened more than once for it."""

NAMED = 1
"""A file that is named is opened once more, to see what it is."""


@pytest.fixture(scope="module")
def models(
    tiny_model: Path,
    tiny_folder: Path,
    tiny_onnx: Callable[..., Path],
    write_model: Callable[..., None],
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Written]:
    folder = tmp_path_factory.mktemp("read once")
    shutil.copy(tiny_model, folder)
    write_model("tiny", folder / "pytorch", "--format", "pytorch")
    write(next(case for case in CASES if case.name == "old-mean_tokens"), folder / "vectors")
    write_scorer(SCORERS[0], folder / "scores")
    weights = tiny_folder / "model.safetensors"
    # Weights are opened to read the header, and to be mapped.
    return {
        # By us to read the header and to watch the file, by llama.cpp to read the header and to map the weights.
        "gguf": (folder / tiny_model.name, {tiny_model.name: NAMED + 4}),
        "safetensors": (tiny_folder, {weights.name: 2}),
        "safetensors by name": (weights, {weights.name: NAMED + 2}),
        "pytorch": (folder / "pytorch", {"pytorch_model.bin": 2}),
        "vectors": (folder / "vectors", {"model.safetensors": 2}),
        # The matrices and biases of the two last layers are read by themselves.
        "scores": (folder / "scores", {"model.safetensors": 2 + 4}),
        # The graph is opened once: what is read of it goes to the runtime, and weights are mapped from the same file.
        "onnx": (tiny_onnx("grown"), {}),
        # This file is asked which one has the graph.
        "onnx of genai": (tiny_onnx("shared"), {"genai_config.json": 2}),
    }


NAMES = ["gguf", "safetensors", "safetensors by name", "pytorch", "vectors", "scores", "onnx", "onnx of genai"]


@pytest.mark.parametrize("name", NAMES)
def test_loading_reads_each_file_once(models: dict[str, Written], name: str) -> None:
    path, more = models[name]
    with opens(path if path.is_dir() else path.parent) as counts:
        trillm.load(path, threads=1).close()
    assert counts == dict.fromkeys(counts, 1) | more


@pytest.mark.parametrize("name", NAMES)
def test_a_tokenizer_reads_each_file_once_and_no_weights(models: dict[str, Written], name: str) -> None:
    path, _ = models[name]
    more = {path.name: NAMED} if name == "safetensors by name" else {}
    more |= {path.name: NAMED + 1} if name == "gguf" else {}
    more |= {"genai_config.json": 2} if name == "onnx of genai" else {}
    with opens(path if path.is_dir() else path.parent) as counts:
        trillm.Tokenizer(path)
    assert counts == dict.fromkeys(counts, 1) | more
    assert name in ("gguf", "safetensors by name") or not any("model" in file for file in counts)
