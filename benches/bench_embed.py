"""Embeddings of all-MiniLM-L6-v2, against sentence-transformers: how many a second, and how alike."""

from __future__ import annotations

import json
import math
import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import trillm
from models import minilm
from peers import THREADS
from peers_python import worker
from protocol import Comparison, compare

COUNT = 256
SHORTEST, LONGEST = 3, 200


def sentences(model: Path) -> list[str]:
    """Words of the model's own vocabulary, 3 to 200 in a sentence, mostly few: the logarithm is spread evenly."""
    vocabulary = (model / "vocab.txt").read_text(encoding="utf-8").split("\n")
    words = [word for word in vocabulary if word.isascii() and word.isalpha() and len(word) > 1]
    draw = random.Random(1)
    lengths = (round(math.exp(draw.uniform(math.log(SHORTEST), math.log(LONGEST)))) for _ in range(COUNT))
    return [" ".join(draw.choices(words, k=length)).capitalize() + "." for length in lengths]


def run(blocks: int) -> Iterator[Comparison]:
    """A row for speed, and one for the largest difference in direction."""
    path = minilm()
    texts = sentences(path)
    with tempfile.TemporaryDirectory() as folder, trillm.Model(path, threads=THREADS) as llm:
        written, vectors = Path(folder) / "sentences.json", Path(folder) / "vectors.npy"
        written.write_text(json.dumps(texts), encoding="utf-8")

        def ours() -> float:
            start = time.perf_counter()
            llm.embed(texts)
            return COUNT / (time.perf_counter() - start)

        with worker("worker_sentences.py", path, THREADS, written, vectors) as peer:
            what = f"embed {COUNT} sentences of {SHORTEST} to {LONGEST} words"
            yield compare(what, "sentences/s", ours, peer, goal="≥ 1.3", blocks=blocks)

        theirs = np.load(vectors).astype(np.float64)
        theirs /= np.linalg.norm(theirs, axis=1, keepdims=True)
        difference = 1 - float((llm.embed(texts).astype(np.float64) * theirs).sum(axis=1).min())
        yield Comparison(
            "1 − the smallest cosine between the two, against 0.0001",
            "",
            ours=[difference],
            peer=[1e-4, 1e-4],
            ratios=[difference / 1e-4],
            goal="≤ 1",
        )
