"""Two models of different engines that generate at once, against what each does alone: an ideal time slice gives 1.

A row's number is the sum, over both models, of the rate beside the other one through the rate alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Barrier

import trillm
from models import smollm2, smollm2_bf16, smollm2_onnx, stories
from protocol import Comparison

SECONDS = 2.0
TOKENS = 400

PAIRS: dict[str, tuple[Callable[[], Path], Callable[[], Path]]] = {
    "smollm2, GGUF and ONNX": (smollm2, partial(smollm2_onnx, "plain")),
    "smollm2, GGUF and bf16": (smollm2, smollm2_bf16),
    "stories260K, GGUF and ONNX": (partial(stories, "stories260K.gguf"), partial(stories, "onnx-plain-fp32")),
    "stories260K, GGUF and safetensors": (partial(stories, "stories260K.gguf"), partial(stories, "hf")),
    "smollm2 GGUF and stories260K ONNX": (smollm2, partial(stories, "onnx-plain-fp32")),
}


def rate(llm: trillm.Model, start: Barrier) -> float:
    """Tokens a second, from the first token on, of streams that follow one another for a while."""
    start.wait()
    first, last, count = 0.0, 0.0, -1
    while not first or last - first < SECONDS:
        for piece in llm.stream([1], max_tokens=TOKENS, temperature=0, ignore_eos=True):
            if piece.token_id is None:
                continue
            last = time.perf_counter()
            first = first or last
            count += 1
            if last - first >= SECONDS:
                break
    return count / (last - first)


def at_once(*models: trillm.Model) -> list[float]:
    """The rate of each."""
    start = Barrier(len(models))
    with ThreadPoolExecutor(len(models)) as pool:
        return list(pool.map(lambda llm: rate(llm, start), models))


def shares(name: str, paths: tuple[Path, Path], blocks: int) -> Comparison:
    """Blocks of alone, at once, at once, alone; with the threads that models have by default."""
    sums: list[float] = []
    alone_all: list[float] = []
    with trillm.Model(paths[0]) as one, trillm.Model(paths[1]) as two:
        for block in range(-1, blocks):
            first, once, again, last = (
                [*at_once(one), *at_once(two)],
                at_once(one, two),
                at_once(one, two),
                [*at_once(one), *at_once(two)],
            )
            alone = [(a + b) / 2 for a, b in zip(first, last, strict=True)]
            # Of what each does alone.
            parts = [[speed / own for speed, own in zip(run, alone, strict=True)] for run in (first, once, again, last)]
            if block >= 0:
                alone_all += [sum(parts[0]) / 2, sum(parts[3]) / 2]
                sums += [sum(parts[1]), sum(parts[2])]
    ratios = [(one + two) / 2 for one, two in zip(sums[::2], sums[1::2], strict=True)]
    return Comparison(f"two models at once, {name}", "of a time slice", sums, alone_all, ratios, "≥ 0.9")


def run(blocks: int) -> Iterator[Comparison]:
    """One row for each pair."""
    for name, (one, two) in PAIRS.items():
        yield shares(name, (one(), two()), blocks)
