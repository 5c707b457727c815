"""Time to the first token of a 512-token prompt, against `llama-bench` pp512."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import trillm
from bench_decode import best_attention
from models import random_model, smollm2
from peers import THREADS, llama_bench
from protocol import Comparison, compare

LENGTH = 512
# Room for one prompt: the warm-up is evicted before the measured one, as llama-bench clears its cache between the two.
ONE_PROMPT = 2 * LENGTH

_draw = random.Random(1)


def prompt(length: int) -> list[int]:
    """Any tokens, others every time."""
    return [_draw.randrange(300, 20000) for _ in range(length)]


def prefill_speed(model: Path, others: int = 0) -> float:
    """Prompt tokens a second, until the first token of the answer.

    After a warm-up of the same length, as the peer's. The cache is empty then, but for `others` prompts as long that
    were computed before and are kept.
    """
    with trillm.Model(model, threads=THREADS, context=4096 if others else ONE_PROMPT) as llm:
        for _ in range(max(1, others)):
            llm.generate(prompt(LENGTH), max_tokens=1)
        measured = prompt(LENGTH)
        start = time.perf_counter()
        next(llm.stream(measured, max_tokens=1, temperature=0, ignore_eos=True))
        return LENGTH / (time.perf_counter() - start)


def run(blocks: int) -> Iterator[Comparison]:
    """One row for each model, and one for a cache that keeps other prompts."""
    for name, path in (("smollm2 Q4_1", smollm2()), ("random Q8_0", random_model())):
        test = ("-p", str(LENGTH), "-n", "0", "-r", "1")
        attention = best_attention(path, *test)
        peer = partial(llama_bench, path, "-fa", attention, *test)
        yield compare(f"prefill {name}", "tokens/s", partial(prefill_speed, path), peer, goal="≥ 0.98", blocks=blocks)
        if path == smollm2():
            what = f"prefill {name}, four other prompts kept in the cache"
            ours = partial(prefill_speed, path, 4)
            yield compare(what, "tokens/s", ours, peer, goal="none", blocks=max(1, blocks // 2))
