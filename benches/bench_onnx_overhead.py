"""What a token of an ONNX model costs beyond running the graph, and what a stream leaves of the interpreter to others.

The graph alone is ONNX Runtime's own call from Python, on the same model with the same number of threads. All that is
not that call counts as ours: the mask, reading the scores, sampling, text, the way to Python's `for`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import trillm
from bench_overhead import Counter
from models import smollm2_onnx, tiny_onnx
from ours import salts, seconds_per_token
from peers import THREADS
from peers_python import worker
from protocol import Comparison, compare

# Microseconds.
ALLOWED = 60.0
# Seconds. ONNX Runtime's threads spin for 50 ms after their last work, as long as a tiny model takes in all.
PAUSE = 0.2


def faster_wait(path: Path, tokens: int) -> str:
    """What the graph's threads should do between two pieces of work."""
    seconds = {}
    for waiting in ("spin", "sleep"):
        with worker("worker_ort.py", path, THREADS, tokens, waiting) as alone:
            seconds[waiting] = min(alone(), alone())
    return min(seconds, key=lambda waiting: seconds[waiting])


def rested(seconds: Callable[[], float]) -> float:
    """Microseconds of what is measured once the other side's threads have stopped."""
    time.sleep(PAUSE)
    return seconds() * 1e6


def beyond_the_graph(name: str, path: Path, tokens: int, blocks: int) -> Iterator[Comparison]:
    """A row with both times, and one with their differences, against what is allowed."""
    with (
        worker("worker_ort.py", path, THREADS, tokens, faster_wait(path, tokens)) as alone,
        trillm.Model(path, threads=THREADS) as llm,
    ):
        both = compare(
            f"a token of {name}, against running the graph alone",
            "µs",
            lambda: rested(lambda: seconds_per_token(llm, tokens, next(salts))),
            lambda: rested(alone),
            goal="none",
            blocks=blocks,
        )
    yield both
    over = [ours - graph for ours, graph in zip(both.ours, both.peer, strict=True)]
    ratios = [(one + two) / 2 / ALLOWED for one, two in zip(over[::2], over[1::2], strict=True)]
    what = f"a token of {name}, beyond running the graph, against 60 µs"
    yield Comparison(what, "µs", over, [ALLOWED] * len(over), ratios, goal="≤ 1")


def beside_a_counter(path: Path, blocks: int) -> Comparison:
    """The pace of a counting thread: our stream in its process, against the graph at work in another one.

    So the processor has the same to do on both sides, with one thread, and only what the interpreter loses differs.
    """
    tokens = 128
    counter = Counter()
    with (
        worker("worker_ort.py", path, 1, tokens, "sleep") as elsewhere,
        trillm.Model(path, threads=1) as llm,
    ):

        def read() -> None:
            seconds_per_token(llm, tokens, next(salts))

        def leave() -> None:
            elsewhere()

        row = compare(
            "pace of a counting thread while a stream of smollm2 int4 is read, against the same work elsewhere",
            "counts/s",
            lambda: counter.pace(read),
            lambda: counter.pace(leave),
            goal="≥ 0.95",
            blocks=blocks,
        )
    counter.running = False
    return row


def run(blocks: int) -> Iterator[Comparison]:
    """Two rows for a model that hardly computes, two for a real one, and one for the pace of a counting thread."""
    real = smollm2_onnx("int4")
    yield from beyond_the_graph("tiny fp32", tiny_onnx(), 400, blocks)
    yield from beyond_the_graph("smollm2 int4", real, 128, blocks)
    yield beside_a_counter(real, blocks)
