"""Encoding on one thread, against tiktoken and the library tokenizers: the same ids from the same vocabulary."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import trillm
from peers_python import worker
from protocol import Comparison, compare

ROOT = Path(__file__).parents[1]
SHARED = Path(os.environ.get("TRILLM_SHARED", ROOT.parent / "shared")) / "data"


def texts() -> dict[str, str]:
    """About a megabyte of each kind: English, code, and many scripts."""
    english = (SHARED / "text" / "tinyshakespeare.txt").read_text(encoding="utf-8")
    code = "".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "crates").rglob("*.rs")))
    # Which the library reads as the token, and we as text.
    code = code.replace("<|endoftext|>", "")
    vectors = SHARED / "tokenizers" / "ggml-vocab-gpt-2.gguf.inp"
    scripts = "Größe naïve Привет мир 你好世界 こんにちは 안녕하세요 مرحبا हिन्दी 😀 " + vectors.read_text(
        encoding="utf-8"
    )
    return {"English": english, "code": code[:1_000_000], "many scripts": scripts * (500_000 // len(scripts.encode()))}


def ours(tokenizer: trillm.Tokenizer, text: str) -> Callable[[], float]:
    """Megabytes a second."""
    size = len(text.encode()) / 1e6

    def measure() -> float:
        start = time.perf_counter()
        tokenizer.encode(text, add_special=False)
        return size / (time.perf_counter() - start)

    return measure


def run(blocks: int) -> Iterator[Comparison]:
    """A row for each kind of text and peer; the peers end if their ids are not ours."""
    file = SHARED / "tokenizers" / "gpt2" / "tokenizer.json"
    tokenizer = trillm.Tokenizer(SHARED / "tokenizers" / "ggml-vocab-gpt-2.gguf")
    folder = ROOT / "target" / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    for kind, text in texts().items():
        case = folder / "tokenize.json"
        case.write_text(json.dumps([text, tokenizer.encode(text, add_special=False)]), encoding="utf-8")
        for peer in ("tiktoken", "tokenizers"):
            with worker("worker_tokenize.py", peer, file, case) as measure:
                name = f"GPT-2's tokens of {kind}, against {peer}"
                yield compare(name, "MB/s", ours(tokenizer, text), measure, goal="≥ 2", blocks=blocks)
