"""Eight streams of one Python process, against eight clients of `llama-server -np 8`."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import trillm
from models import random_model, smollm2
from ours import STREAMS, together
from peers import THREADS, Server, llama_server
from protocol import Comparison, compare

TOKENS = 128


def our_client(llm: trillm.Model, prompt: list[int]) -> int:
    """Tokens that a stream gave."""
    stream = llm.stream(prompt, max_tokens=TOKENS, temperature=0, ignore_eos=True)
    return sum(1 for piece in stream if piece.token_id is not None)


def peers_client(server: Server, prompt: list[int]) -> int:
    """Tokens that the server says it sent."""
    return max(count for _, count in server.stream(prompt, TOKENS))


def run(blocks: int) -> Iterator[Comparison]:
    """One row for each model."""
    for name, path in (("smollm2 Q4_1", smollm2()), ("random Q8_0", random_model())):
        arguments = ("-np", str(STREAMS), "-c", str(STREAMS * 512), "--no-cache-prompt")
        with trillm.Model(path, threads=THREADS, parallel=STREAMS) as llm, llama_server(path, *arguments) as server:
            ours = partial(together, partial(our_client, llm), TOKENS)
            peer = partial(together, partial(peers_client, server), TOKENS)
            yield compare(f"eight streams {name}", "tokens/s", ours, peer, goal="≥ 1.0", blocks=blocks)
