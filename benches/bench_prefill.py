"""Time to the first token of a 512-token prompt, against `llama-bench` pp512."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import trillm
from models import random_model, smollm2
from ours import any_tokens, first_token
from peers import THREADS, best_llama_bench
from protocol import Comparison, compare

LENGTH = 512
# Room for one prompt: the warm-up is evicted before the measured one, as llama-bench clears its cache between the two.
ONE_PROMPT = 2 * LENGTH


def prefill_speed(model: Path, others: int = 0) -> float:
    """Prompt tokens a second, until the first token of the answer.

    After a warm-up of the same length, as the peer's. The cache is empty then, but for `others` prompts as long that
    were computed before and are kept.
    """
    with trillm.Model(model, threads=THREADS, context=4096 if others else ONE_PROMPT) as llm:
        for _ in range(max(1, others)):
            llm.generate(any_tokens(LENGTH), max_tokens=1)
        return LENGTH / first_token(llm, any_tokens(LENGTH))


def llama_prefill(model: Path) -> Callable[[], float]:
    """The peer's."""
    return best_llama_bench(model, "-p", str(LENGTH), "-n", "0", "-r", "1")


def run(blocks: int) -> Iterator[Comparison]:
    """One row for each model, and one for a cache that keeps other prompts."""
    for name, path in (("smollm2 Q4_1", smollm2()), ("random Q8_0", random_model())):
        peer = llama_prefill(path)
        yield compare(f"prefill {name}", "tokens/s", partial(prefill_speed, path), peer, goal="≥ 0.98", blocks=blocks)
        if path == smollm2():
            what = f"prefill {name}, four other prompts kept in the cache"
            ours = partial(prefill_speed, path, 4)
            yield compare(what, "tokens/s", ours, peer, goal="none", blocks=max(1, blocks // 2))
