"""Time to the first token of a 512-token prompt, smollm2 in bf16, against `llama-bench` pp512."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from bench_decode import best_attention
from bench_prefill import LENGTH, prefill_speed
from models import smollm2_bf16, smollm2_bf16_gguf
from peers import llama_bench
from protocol import Comparison, compare


def run(blocks: int) -> Iterator[Comparison]:
    """One row."""
    model, gguf = smollm2_bf16(), smollm2_bf16_gguf()
    test = ("-p", str(LENGTH), "-n", "0", "-r", "1")
    peer = partial(llama_bench, gguf, "-fa", best_attention(gguf, *test), *test)
    yield compare("prefill bf16", "tokens/s", partial(prefill_speed, model), peer, goal="≥ 1.0", blocks=blocks)
