"""What is measured of ours by more than one benchmark, and the tokens that it is measured with."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import trillm

__all__ = ["PROMPTS", "STREAMS", "any_tokens", "first_token", "salts", "seconds_per_token", "together"]

STREAMS = 8
PROMPTS = [[1, *range(400 + 50 * i, 416 + 50 * i)] for i in range(STREAMS)]

salts = itertools.count(1)
"""The next one keeps a request apart from all that was computed before."""

_draw = random.Random(1)


def any_tokens(count: int) -> list[int]:
    """Others every time."""
    return [_draw.randrange(300, 20000) for _ in range(count)]


def first_token(llm: trillm.Model, prompt: list[int], salt: int = 0) -> float:
    """Seconds until the first token."""
    start = time.perf_counter()
    next(llm.stream(prompt, max_tokens=1, temperature=0, ignore_eos=True, cache_salt=salt))
    return time.perf_counter() - start


def seconds_per_token(llm: trillm.Model, tokens: int, salt: int = 0) -> float:
    """From the first token to the last of a stream that starts from one token."""
    stream = llm.stream([1], max_tokens=tokens + 1, temperature=0, ignore_eos=True, cache_salt=salt)
    next(stream)
    start = time.perf_counter()
    count = sum(1 for piece in stream if piece.token_id is not None)
    assert count == tokens
    return (time.perf_counter() - start) / count


def together(client: Callable[[list[int]], int], tokens: int, streams: int = STREAMS) -> float:
    """Tokens a second of clients that count `tokens` each, from the first start to the last end."""
    with ThreadPoolExecutor(streams) as pool:
        start = time.perf_counter()
        total = sum(pool.map(client, PROMPTS[:streams]))
        seconds = time.perf_counter() - start
    assert total == streams * tokens
    return total / seconds
