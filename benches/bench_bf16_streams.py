"""Eight streams of smollm2 in bf16, against one of our own and against `llama-batched-bench`."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import trillm
from bench_streams import PROMPTS, STREAMS, TOKENS
from models import smollm2_bf16, smollm2_bf16_gguf
from peers import THREADS, llama_batched_bench
from protocol import Comparison, compare

_salts = itertools.count(1)


def together(llm: trillm.Model, streams: int) -> float:
    """Tokens a second of all streams, from the first start to the last end.

    The token that a prompt itself gives is not counted: the peer counts steps after the prompts. No prompt is known
    from the time before.
    """
    salt = next(_salts)

    def client(prompt: list[int]) -> int:
        stream = llm.stream(prompt, max_tokens=TOKENS + 1, temperature=0, ignore_eos=True, cache_salt=salt)
        return sum(1 for piece in stream if piece.token_id is not None) - 1

    with ThreadPoolExecutor(streams) as pool:
        start = time.perf_counter()
        total = sum(pool.map(client, PROMPTS[:streams]))
        seconds = time.perf_counter() - start
    assert total == streams * TOKENS
    return total / seconds


def run(blocks: int) -> Iterator[Comparison]:
    """Two rows."""
    with trillm.Model(smollm2_bf16(), threads=THREADS, parallel=STREAMS) as llm:
        ours, one = partial(together, llm, STREAMS), partial(together, llm, 1)
        yield compare("eight streams bf16, against one", "tokens/s", ours, one, goal="≥ 5", blocks=blocks)

        def llama(attention: str) -> float:
            path = smollm2_bf16_gguf()
            return llama_batched_bench(path, len(PROMPTS[0]), TOKENS, STREAMS, "-fa", attention)

        peer = partial(llama, max(("on", "off"), key=llama))
        yield compare("eight streams bf16, against llama.cpp", "tokens/s", ours, peer, goal="≥ 1.2", blocks=blocks)
