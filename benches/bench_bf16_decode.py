"""A stream of smollm2 in bf16, against llama.cpp, torch, mistral.rs and what memory allows."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

from bandwidth import read_bandwidth
from bench_decode import TOKENS, decode_speed, llama_decode
from models import smollm2_bf16, smollm2_bf16_gguf, weights_file, weights_read
from peers import THREADS
from peers_python import worker
from protocol import Comparison, compare


def transformers(model: Path, dtype: str) -> AbstractContextManager[Callable[[], float]]:
    """transformers, with the weights as numbers of this type."""
    return worker("worker_transformers.py", model, dtype, THREADS, TOKENS)


def best_type(model: Path) -> str:
    """The type of numbers with which transformers is faster."""
    speeds = {}
    for dtype in ("bfloat16", "float32"):
        with transformers(model, dtype) as peer:
            speeds[dtype] = peer()
    return max(speeds, key=lambda dtype: speeds[dtype])


def as_written(model: Path, gguf: Path, blocks: int) -> Comparison:
    """Against llama.cpp again, with both files in memory in the pages that writing them made: as after a download."""
    with tempfile.TemporaryDirectory(dir=gguf.parent) as folder:
        ours = Path(shutil.copytree(model, Path(folder) / model.name))
        theirs = Path(shutil.copy(gguf, folder))
        what = "decode bf16, against llama.cpp, both files in memory as they were written"
        speed = partial(decode_speed, ours)
        return compare(what, "tokens/s", speed, llama_decode(theirs), goal="≥ 1.2", blocks=blocks)


def run(blocks: int) -> Iterator[Comparison]:
    """Two rows for llama.cpp, one for each other peer, and two for the share of the memory's bandwidth."""
    model, gguf = smollm2_bf16(), smollm2_bf16_gguf()
    ours = partial(decode_speed, model)
    yield compare("decode bf16, against llama.cpp", "tokens/s", ours, llama_decode(gguf), goal="≥ 1.2", blocks=blocks)
    yield as_written(model, gguf, blocks)

    dtype = best_type(model)
    with transformers(model, dtype) as peer:
        yield compare(f"decode bf16, against torch ({dtype})", "tokens/s", ours, peer, goal="≥ 3", blocks=blocks)

    with worker("worker_mistralrs.py", model, TOKENS) as mistral:
        yield compare("decode bf16, against mistral.rs", "tokens/s", ours, mistral, goal="≥ 4", blocks=blocks)

    size = weights_read(model)
    for huge, what in ((False, "the mapped file"), (True, "memory in huge pages")):
        yield compare(
            f"decode bf16, weights read, against plainly reading {what}",
            "GB/s",
            lambda: ours() * size / 1e9,
            partial(read_bandwidth, weights_file(model), huge=huge),
            goal="≥ 0.75",
            blocks=blocks,
        )
