"""A Python `for` over a stream, against `llama-bench` tg128."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import trillm
from models import random_model, smollm2
from ours import seconds_per_token
from peers import THREADS, best_llama_bench
from protocol import Comparison, compare

TOKENS = 128


def decode_speed(model: Path, idle: int = 0) -> float:
    """Tokens a second, from the first token to the last, of a stream that starts from one token.

    The cache is empty, as the peer's is, but for `idle` tokens that other requests left behind.
    """
    with trillm.Model(model, threads=THREADS) as llm:
        if idle:
            llm.generate([1] * idle, max_tokens=1, cache_salt=1)
        return 1 / seconds_per_token(llm, TOKENS)


def llama_decode(model: Path) -> Callable[[], float]:
    """The peer's."""
    return best_llama_bench(model, "-p", "0", "-n", str(TOKENS), "-r", "2")


def run(blocks: int) -> Iterator[Comparison]:
    """One row for each model."""
    for name, path, goal in (("smollm2 Q4_1", smollm2(), "≥ 0.97"), ("random Q8_0", random_model(), "≥ 0.99")):
        peer = llama_decode(path)
        yield compare(f"decode {name}", "tokens/s", partial(decode_speed, path), peer, goal=goal, blocks=blocks)
        if path == smollm2():
            ours = partial(decode_speed, path, 2000)
            what = f"decode {name}, 2,000 tokens of others kept in the cache"
            yield compare(what, "tokens/s", ours, peer, goal="none", blocks=max(1, blocks // 2))
