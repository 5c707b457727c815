"""Seconds that ONNX Runtime alone takes for a token: the call that runs the graph, and nothing around it.

The cache is one buffer, bound as input and as output, and so are the scores; nobody looks at them. Arguments: model (of
onnxruntime-genai's builder, with a 32-bit cache), threads, tokens, and `spin` or `sleep`: what threads do between two
pieces of work.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime  # type: ignore[import-not-found,import-untyped,unused-ignore]
from worker import serve


def load() -> Callable[[], float]:
    """The session, with all but the mask bound to it: that grows with each token."""
    folder, threads, count, waiting = sys.argv[1:]
    tokens = int(count)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(threads)
    options.add_session_config_entry("session.intra_op.allow_spinning", str(int(waiting == "spin")))
    session = onnxruntime.InferenceSession(Path(folder) / "model.onnx", options, providers=["CPUExecutionProvider"])

    described = json.loads((Path(folder) / "genai_config.json").read_text(encoding="utf-8"))["model"]
    decoder = described["decoder"]
    binding = session.io_binding()
    bound = onnxruntime.OrtValue.ortvalue_from_numpy
    shape = (1, decoder["num_key_value_heads"], tokens + 1, decoder["head_size"])
    for layer in range(decoder["num_hidden_layers"]):
        for part in ("key", "value"):
            cache = bound(np.zeros(shape, np.float32))
            binding.bind_ortvalue_input(f"past_key_values.{layer}.{part}", cache)
            binding.bind_ortvalue_output(f"present.{layer}.{part}", cache)
    binding.bind_ortvalue_input("input_ids", bound(np.ones((1, 1), np.int64)))
    binding.bind_ortvalue_output("logits", bound(np.zeros((1, 1, described["vocab_size"]), np.float32)))

    def decode() -> float:
        """From the first token to the last, as the cache fills. Each token is the same, which takes no less time."""
        total = 0.0
        for position in range(tokens + 1):
            binding.bind_ortvalue_input("attention_mask", bound(np.ones((1, position + 1), np.int64)))
            start = time.perf_counter()
            session.run_with_iobinding(binding)
            if position > 0:
                total += time.perf_counter() - start
        return total / tokens

    return decode


serve(load)
