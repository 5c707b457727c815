"""Tokens a second of mistral.rs in bf16, greedy, from one token. Arguments: model, tokens."""

from __future__ import annotations

import sys
from collections.abc import Callable

from mistralrs import CompletionRequest, ModelDType, Runner, Which  # type: ignore[import-not-found]
from worker import serve


def load() -> Callable[[], float]:
    """The model, on all cores."""
    path, tokens = sys.argv[1], int(sys.argv[2])
    runner = Runner(which=Which.Plain(model_id=path, dtype=ModelDType.BF16), max_seqs=1, prefix_cache_n=0)
    settings = {"max_tokens": tokens + 1, "temperature": 0.0, "ignore_eos": True}
    request = CompletionRequest(prompt="A", model="default", **settings)

    def decode() -> float:
        """By the times that it reports itself, the prompt's apart."""
        usage = runner.send_completion_request(request).usage
        assert usage.completion_tokens == tokens + 1
        return tokens / float(usage.total_completion_time_sec)

    return decode


serve(load)
