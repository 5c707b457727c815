"""Sentences a second of sentence-transformers, in its own batches of 32.

Arguments: model, threads, a JSON file with the sentences, and the file that the vectors are written to.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch  # type: ignore[import-not-found]
from sentence_transformers import SentenceTransformer  # type: ignore[import-not-found]
from worker import serve


def load() -> Callable[[], float]:
    """The model and the sentences."""
    path, threads, sentences_path, vectors_path = sys.argv[1:]
    torch.set_num_threads(int(threads))
    model = SentenceTransformer(path, device="cpu")
    sentences = json.loads(Path(sentences_path).read_text(encoding="utf-8"))

    def embed() -> float:
        """All sentences in one call."""
        start = time.perf_counter()
        vectors = model.encode(sentences, show_progress_bar=False)
        seconds = time.perf_counter() - start
        np.save(vectors_path, vectors)
        return len(sentences) / seconds

    return embed


serve(load)
