"""Eight streams of smollm2 as ONNX, against onnxruntime-genai, which answers one request after the other.

With a cache that grows, which the peer does not run: against one stream of our own.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import trillm
from bench_bf16_streams import after_prompts
from bench_streams import TOKENS, our_client
from models import OnnxForm, smollm2_onnx
from ours import PROMPTS, STREAMS, together
from peers import THREADS
from peers_python import worker
from protocol import Comparison, compare

GOALS: tuple[tuple[OnnxForm, str], ...] = (("int4", "≥ 1.8"), ("fp32", "≥ 4"))


def run(blocks: int) -> Iterator[Comparison]:
    """A row for each type of weights, and one for streams of equal length with a cache that grows."""
    for form, goal in GOALS:
        path = smollm2_onnx(form)
        with (
            trillm.Model(path, threads=THREADS, parallel=STREAMS) as llm,
            # One request stands for eight in a row: they would take as long each.
            worker("worker_genai.py", path, THREADS, "answer", len(PROMPTS[0]), TOKENS) as peer,
        ):
            ours = partial(together, partial(our_client, llm), TOKENS)
            what = f"eight streams ONNX {form}, against onnxruntime-genai, one after the other"
            yield compare(what, "tokens/s", ours, peer, goal=goal, blocks=blocks)

    with trillm.Model(smollm2_onnx("plain"), threads=THREADS, parallel=STREAMS) as llm:
        ours, one = partial(after_prompts, llm, STREAMS), partial(after_prompts, llm, 1)
        yield compare("eight streams ONNX plain, against one", "tokens/s", ours, one, goal="none", blocks=blocks)
