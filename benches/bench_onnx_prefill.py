"""Time to the first token of a 512-token prompt, smollm2 as ONNX, against onnxruntime-genai.

And against our own without rearranged weights.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import trillm
from bench_onnx_decode import FORMS
from bench_prefill import LENGTH, ONE_PROMPT, prefill_speed
from models import OnnxForm, smollm2_onnx
from ours import any_tokens, first_token
from peers import THREADS
from peers_python import worker
from protocol import Comparison, compare


def run(blocks: int) -> Iterator[Comparison]:
    """For each type of weights a row against the peer, and one for what rearranging them is worth."""
    for form in FORMS:
        path = smollm2_onnx(form)
        with worker("worker_genai.py", path, THREADS, "prefill", LENGTH, 1) as peer:
            what = f"prefill ONNX {form}, against onnxruntime-genai"
            yield compare(what, "tokens/s", partial(prefill_speed, path), peer, goal="≥ 1.0", blocks=blocks)
        yield prepacked(form, blocks)


def prepacked(form: OnnxForm, blocks: int) -> Comparison:
    """With `prepack`, the default, against without."""
    path = smollm2_onnx(form)

    def speed(llm: trillm.Model) -> float:
        return LENGTH / first_token(llm, any_tokens(LENGTH))

    with (
        trillm.Model(path, threads=THREADS, context=ONE_PROMPT) as packed,
        trillm.Model(path, threads=THREADS, context=ONE_PROMPT, prepack=False) as plain,
    ):
        ours, peer = partial(speed, packed), partial(speed, plain)
        what = f"prefill ONNX {form}, prepack, against without"
        return compare(what, "tokens/s", ours, peer, goal="none", blocks=blocks)
