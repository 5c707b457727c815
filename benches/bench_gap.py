"""The longest pause of a running stream while a 2,000-token prompt arrives, against `llama-server`."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from functools import partial

import trillm
from models import smollm2
from ours import any_tokens, salts
from peers import THREADS, llama_server
from protocol import Comparison, compare

PROMPT = 2000


def longest_pause(running: Iterator[float], long_prompt: Callable[[], None]) -> float:
    """Seconds between two tokens of `running`, at most, from when `long_prompt` starts until it has its first token."""
    arrived = threading.Event()

    def arrive() -> None:
        long_prompt()
        arrived.set()

    for _ in range(8):
        last = next(running)
    thread = threading.Thread(target=arrive)
    thread.start()
    longest = 0.0
    for now in running:
        longest = max(longest, now - last)
        last = now
        if arrived.is_set():
            break
    thread.join()
    return longest


def our_pause(llm: trillm.Model) -> float:
    """Nothing of either text is in the cache."""

    def arrives() -> None:
        llm.generate(any_tokens(PROMPT), max_tokens=1, temperature=0, cache_salt=next(salts))

    stream = llm.stream([1, 400], max_tokens=2000, temperature=0, ignore_eos=True, cache_salt=next(salts))
    with stream:
        return longest_pause((time.perf_counter() for _ in stream), arrives)


def run(blocks: int) -> Iterator[Comparison]:
    """One row."""
    path = smollm2()
    arguments = ("-np", "2", "-c", "8192", "--no-cache-prompt")
    with trillm.Model(path, threads=THREADS, context=8192) as llm, llama_server(path, *arguments) as server:

        def peers_arrives() -> None:
            for _ in server.stream(any_tokens(PROMPT), 1):
                pass

        def peer() -> float:
            return longest_pause((when for when, _ in server.stream([1, 400], 2000)), peers_arrives)

        yield compare("longest pause smollm2", "s", partial(our_pause, llm), peer, goal="≤ 0.1", blocks=blocks)
