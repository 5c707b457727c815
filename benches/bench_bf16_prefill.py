"""Time to the first token of a 512-token prompt, smollm2 in bf16, against `llama-bench` pp512."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from bench_prefill import llama_prefill, prefill_speed
from models import smollm2_bf16, smollm2_bf16_gguf
from protocol import Comparison, compare


def run(blocks: int) -> Iterator[Comparison]:
    """One row."""
    ours, peer = partial(prefill_speed, smollm2_bf16()), llama_prefill(smollm2_bf16_gguf())
    yield compare("prefill bf16", "tokens/s", ours, peer, goal="≥ 1.0", blocks=blocks)
