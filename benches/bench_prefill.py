"""Time to the first token of a 512-token prompt, against `llama-bench` pp512."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Iterator
from functools import partial

import trillm
from bench_decode import best_attention
from models import random_model, smollm2
from peers import THREADS, llama_bench
from protocol import Comparison, compare

LENGTH = 512


def prefill_speed(llm: trillm.Model, draw: random.Random, salts: Iterator[int]) -> float:
    """Prompt tokens a second, until the first token of the answer, over two prompts."""
    total = 0.0
    for _ in range(2):
        prompt = [draw.randrange(300, 20000) for _ in range(LENGTH)]
        start = time.perf_counter()
        # A salt of its own: nothing of an earlier prompt may be found in the cache.
        next(llm.stream(prompt, max_tokens=2, temperature=0, ignore_eos=True, cache_salt=next(salts)))
        total += time.perf_counter() - start
    return 2 * LENGTH / total


def run(blocks: int) -> Iterator[Comparison]:
    """One row for each model."""
    draw = random.Random(1)
    salts = itertools.count(1)
    for name, path in (("smollm2 Q4_1", smollm2()), ("random Q8_0", random_model())):
        test = ("-p", str(LENGTH), "-n", "0", "-r", "2")
        attention = best_attention(path, *test)
        with trillm.Model(path, threads=THREADS) as llm:
            ours = partial(prefill_speed, llm, draw, salts)
            peer = partial(llama_bench, path, "-fa", attention, *test)
            yield compare(f"prefill {name}", "tokens/s", ours, peer, goal="≥ 0.98", blocks=blocks)
