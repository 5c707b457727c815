"""Tokens a second of transformers, greedy, from one token. Arguments: model, type, threads, tokens."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import torch  # type: ignore[import-not-found]
from transformers import AutoModelForCausalLM  # type: ignore[import-not-found]
from worker import serve


def load() -> Callable[[], float]:
    """The model, with its weights as numbers of the type named."""
    path, dtype, threads, tokens = sys.argv[1:]
    torch.set_num_threads(int(threads))
    model = AutoModelForCausalLM.from_pretrained(path, dtype=getattr(torch, dtype)).eval()

    def decode() -> float:
        """From the first token to the last. The loop is written out: `generate` does more between two tokens."""
        with torch.inference_mode():
            answer = model(torch.tensor([[1]]), use_cache=True)
            token = answer.logits.argmax(-1)
            start = time.perf_counter()
            for _ in range(int(tokens)):
                answer = model(token, past_key_values=answer.past_key_values, use_cache=True)
                token = answer.logits.argmax(-1)
            return int(tokens) / (time.perf_counter() - start)

    return decode


serve(load)
