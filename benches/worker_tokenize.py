"""Megabytes a second of tiktoken or of the library tokenizers.

Arguments: which of them, GPT-2's `tokenizer.json`, and a JSON file with a text and its ids.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

from worker import serve

PATTERN = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"
"""GPT-2's, as tiktoken has it."""


def alphabet() -> dict[str, int]:
    """The byte that each character of GPT-2's alphabet stands for."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in plain]
    return {chr(byte): byte for byte in plain} | {chr(256 + at): byte for at, byte in enumerate(others)}


def encoder(which: str, path: str) -> Callable[[str], list[int]]:
    """A function from a text to its ids."""
    if which == "tokenizers":
        from tokenizers import Tokenizer

        library = Tokenizer.from_file(path)
        return lambda text: library.encode(text, add_special_tokens=False).ids
    import tiktoken

    bytes_of = alphabet()
    vocabulary = json.loads(Path(path).read_text(encoding="utf-8"))["model"]["vocab"]
    plain = {text: rank for text, rank in vocabulary.items() if all(character in bytes_of for character in text)}
    ranks = {bytes(bytes_of[character] for character in text): rank for text, rank in plain.items()}
    encoding = tiktoken.Encoding("gpt2", pat_str=PATTERN, mergeable_ranks=ranks, special_tokens={})
    encode: Callable[[str], list[int]] = encoding.encode_ordinary
    return encode


def load() -> Callable[[], float]:
    """The text, and a check that its ids are the expected ones."""
    which, path, case = sys.argv[1:]
    encode = encoder(which, path)
    text, expected = json.loads(Path(case).read_text(encoding="utf-8"))
    if encode(text) != expected:
        raise SystemExit(f"{which} gives other ids")
    size = len(text.encode()) / 1e6

    def measure() -> float:
        start = time.perf_counter()
        encode(text)
        return size / (time.perf_counter() - start)

    return measure


serve(load)
