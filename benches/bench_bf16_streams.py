"""Eight streams of smollm2 in bf16, against one of our own and against `llama-batched-bench`."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import trillm
from bench_streams import TOKENS
from models import smollm2_bf16, smollm2_bf16_gguf
from ours import PROMPTS, STREAMS, salts, together
from peers import THREADS, llama_batched_bench
from protocol import Comparison, compare


def after_prompts(llm: trillm.Model, streams: int) -> float:
    """Tokens a second of all streams, from the first start to the last end.

    The token that a prompt itself gives is not counted: the peer counts steps after the prompts. No prompt is known
    from the time before.
    """
    salt = next(salts)

    def client(prompt: list[int]) -> int:
        stream = llm.stream(prompt, max_tokens=TOKENS + 1, temperature=0, ignore_eos=True, cache_salt=salt)
        return sum(1 for piece in stream if piece.token_id is not None) - 1

    return together(client, TOKENS, streams)


def run(blocks: int) -> Iterator[Comparison]:
    """Two rows."""
    with trillm.Model(smollm2_bf16(), threads=THREADS, parallel=STREAMS) as llm:
        ours, one = partial(after_prompts, llm, STREAMS), partial(after_prompts, llm, 1)
        yield compare("eight streams bf16, against one", "tokens/s", ours, one, goal="≥ 5", blocks=blocks)

        def llama(attention: str) -> float:
            path = smollm2_bf16_gguf()
            return llama_batched_bench(path, len(PROMPTS[0]), TOKENS, STREAMS, "-fa", attention)

        peer = partial(llama, max(("on", "off"), key=llama))
        yield compare("eight streams bf16, against llama.cpp", "tokens/s", ours, peer, goal="≥ 1.2", blocks=blocks)
