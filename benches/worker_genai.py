"""onnxruntime-genai, one request at a time, greedy, any tokens for a prompt.

Arguments: model, threads, what to measure, tokens of the prompt, tokens of the answer. It measures one of

- `prefill`: prompt tokens a second, until the first token of the answer
- `decode`: tokens a second, from the first to the last
- `answer`: tokens of the answer a second, from the prompt to the last
- `loaded`: MiB of anonymous memory, before any request
- `answered`: MiB of anonymous memory, while the request that was answered is still there
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from collections.abc import Callable

import numpy as np
import onnxruntime_genai as genai  # type: ignore[import-not-found]
from processes import anonymous
from worker import serve


def load() -> Callable[[], float]:
    """The model, as its folder says, but for the number of threads: its own choice leaves cores idle."""
    path, threads, what = sys.argv[1:4]
    prompt, tokens = map(int, sys.argv[4:])
    config = genai.Config(path)
    config.overlay(json.dumps({"model": {"decoder": {"session_options": {"intra_op_num_threads": int(threads)}}}}))
    model = genai.Model(config)
    draw = random.Random(1)

    def measure() -> float:
        """A request of its own; what it allocates beforehand is not timed."""
        if what == "loaded":
            return anonymous(os.getpid())
        length = prompt + tokens
        parameters = genai.GeneratorParams(model)
        # A least length: no end before it.
        parameters.set_search_options(max_length=length, min_length=length, do_sample=False)
        generator = genai.Generator(model, parameters)
        ids = np.array([draw.randrange(300, 20000) for _ in range(prompt)], dtype=np.int32)

        start = time.perf_counter()
        generator.append_tokens(ids)
        generator.generate_next_token()
        first = time.perf_counter()
        for _ in range(tokens - 1):
            generator.generate_next_token()
        last = time.perf_counter()
        assert len(generator.get_sequence(0)) == length

        results = {
            "prefill": prompt / (first - start),
            "decode": (tokens - 1) / (last - first),
            "answer": tokens / (last - start),
            "answered": anonymous(os.getpid()),
        }
        return results[what]

    return measure


serve(load)
