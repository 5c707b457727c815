"""A stream of smollm2 as ONNX, against onnxruntime-genai, and against our own without rearranged weights."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import trillm
from bench_decode import TOKENS, decode_speed
from models import OnnxForm, smollm2_onnx
from ours import salts, seconds_per_token
from peers import THREADS
from peers_python import worker
from protocol import Comparison, compare

FORMS: tuple[OnnxForm, ...] = ("int4", "fp32")


def run(blocks: int) -> Iterator[Comparison]:
    """For each type of weights a row against the peer, and one for what rearranging them is worth."""
    for form in FORMS:
        path = smollm2_onnx(form)
        with worker("worker_genai.py", path, THREADS, "decode", 1, TOKENS + 1) as peer:
            what = f"decode ONNX {form}, against onnxruntime-genai"
            yield compare(what, "tokens/s", partial(decode_speed, path), peer, goal="≥ 1.0", blocks=blocks)
        yield prepacked(form, blocks)


def prepacked(form: OnnxForm, blocks: int) -> Comparison:
    """With `prepack`, the default, against without."""
    path = smollm2_onnx(form)
    with trillm.Model(path, threads=THREADS) as packed, trillm.Model(path, threads=THREADS, prepack=False) as plain:
        return compare(
            f"decode ONNX {form}, prepack, against without",
            "tokens/s",
            lambda: 1 / seconds_per_token(packed, TOKENS, next(salts)),
            lambda: 1 / seconds_per_token(plain, TOKENS, next(salts)),
            goal="none",
            blocks=blocks,
        )
