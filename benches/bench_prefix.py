"""Time to first token with a shared 1,500-token prefix, against without: one client, and eight with four prefixes."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import trillm
from models import smollm2
from ours import any_tokens, first_token, salts
from peers import THREADS
from protocol import Comparison, compare

PREFIX = 1500
SUFFIX = 8
CLIENTS = 8


def cold(llm: trillm.Model) -> float:
    """Nothing of the prompt is known."""
    return first_token(llm, any_tokens(PREFIX + SUFFIX), next(salts))


def in_turn(llm: trillm.Model, prefixes: list[list[int]]) -> float:
    """The median of eight clients that ask one after the other."""
    return statistics.median(
        first_token(llm, prefixes[client % len(prefixes)] + any_tokens(SUFFIX)) for client in range(CLIENTS)
    )


def at_once(llm: trillm.Model, prefixes: list[list[int]]) -> float:
    """The median of eight clients that ask at the same moment."""
    prompts = [prefixes[client % len(prefixes)] + any_tokens(SUFFIX) for client in range(CLIENTS)]
    with ThreadPoolExecutor(CLIENTS) as pool:
        return statistics.median(pool.map(partial(first_token, llm), prompts))


def run(blocks: int) -> Iterator[Comparison]:
    """A row for one client, and two for eight that interleave four prefixes."""
    # The cold prompts have a model of their own, so that neither pays for what the other keeps in the cache.
    with (
        trillm.Model(smollm2(), threads=THREADS, context=2048) as fresh,
        trillm.Model(smollm2(), threads=THREADS, context=8192, parallel=CLIENTS) as llm,
    ):
        prefixes = [any_tokens(PREFIX) for _ in range(4)]
        rows = [
            ("one client", partial(in_turn, llm, prefixes[:1]), "≤ 0.02"),
            ("eight clients in turn", partial(in_turn, llm, prefixes), "≤ 0.05"),
            ("eight clients at once", partial(at_once, llm, prefixes), "≤ 0.05"),
        ]
        for who, warm, goal in rows:
            yield compare(
                f"first token, prefix shared, {who}", "s", warm, partial(cold, fresh), goal=goal, blocks=blocks
            )
