"""Time to first token with a shared 1,500-token prefix, against without; alone, and with eight clients."""

from __future__ import annotations

import itertools
import random
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import trillm
from models import smollm2
from peers import THREADS
from protocol import Comparison, compare

PREFIX = 1500
SUFFIX = 8


def run(blocks: int) -> Iterator[Comparison]:
    """A row for one client, and one for eight that interleave four prefixes."""
    draw = random.Random(1)
    salts = itertools.count(1)

    def tokens(count: int) -> list[int]:
        return [draw.randrange(300, 20000) for _ in range(count)]

    def first_token(llm: trillm.Model, prompt: list[int], salt: int) -> float:
        start = time.perf_counter()
        next(llm.stream(prompt, max_tokens=1, temperature=0, ignore_eos=True, cache_salt=salt))
        return time.perf_counter() - start

    with trillm.Model(smollm2(), threads=THREADS, context=8192, parallel=8) as llm:

        def cold() -> float:
            return first_token(llm, tokens(PREFIX + SUFFIX), next(salts))

        prefix = tokens(PREFIX)
        first_token(llm, prefix + tokens(SUFFIX), 0)

        def warm() -> float:
            return first_token(llm, prefix + tokens(SUFFIX), 0)

        warm()
        yield compare("first token, prefix shared, one client", "s", warm, cold, goal="≤ 0.02", blocks=blocks)

    with trillm.Model(smollm2(), threads=THREADS, context=16384, parallel=8) as llm:
        prefixes = [tokens(PREFIX) for _ in range(4)]
        for prefix in prefixes:
            first_token(llm, prefix + tokens(SUFFIX), 0)

        def eight() -> float:
            prompts = [prefixes[client % 4] + tokens(SUFFIX) for client in range(8)]
            with ThreadPoolExecutor(8) as pool:
                return statistics.median(pool.map(lambda prompt: first_token(llm, prompt, 0), prompts))

        def alone() -> float:
            return first_token(llm, tokens(PREFIX + SUFFIX), next(salts))

        name = "first token, four prefixes shared, eight clients at once (median)"
        yield compare(name, "s", eight, alone, goal="≤ 0.05", blocks=blocks)
