"""What programs ask, and what each question alone is answered: whatever else goes on, the answer must be this one.

Run as a program, it answers all of them with one model, one by one, and prints that as JSON.
"""

from __future__ import annotations

import json
import math
import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trillm
from specimens import SPECIMENS

__all__ = ["LONGEST", "PROMPTS", "STYLES", "TEXTS", "Answers", "ask_alone", "exact"]

LETTERS = dict.fromkeys(range(261), -math.inf)
"""Leaves the tiny model letters and words: no control tokens, and no bytes that are no text."""

STYLES: list[dict[str, Any]] = [
    {"temperature": 0, "ignore_eos": True, "logit_bias": LETTERS, "max_tokens": 12},
    {"temperature": 0, "ignore_eos": True, "logit_bias": LETTERS, "max_tokens": 40},
    {"temperature": 1, "ignore_eos": True, "logit_bias": LETTERS, "max_tokens": 24, "seed": 5},
    {"temperature": 1, "top_p": 0.9, "top_k": 30, "max_tokens": 24, "seed": 6, "logprobs": 3},
    {"temperature": 0, "repetition_penalty": 1.3, "max_tokens": 32, "stop": ["w27", "w28"], "logit_bias": LETTERS},
]

LONGEST = 40
"""The most tokens of an answer."""


def _prompts() -> list[str | list[dict[str, str]]]:
    chance = random.Random(0)

    def text(words: int) -> str:
        return " ".join(chance.choice(["the", "a", "and", "in", "he", "on", "s", "w"]) for _ in range(words))

    begin = text(30)
    texts = [text(1), text(3), text(9), begin + text(2), begin + text(20), begin, text(50), text(120)]
    return [*texts, *([{"role": "user", "content": text(words)}] for words in (1, 8))]


PROMPTS = _prompts()
"""Texts, some with a beginning in common, and chats."""

TEXTS = ["the man", "a", "and in the end", "he " * 40]
"""For vectors."""


def exact(options: dict[str, Any]) -> bool:
    """Whether a model that is loaded so gives the very tokens: with fewer bits two of them may come out as good."""
    return options.get("cache_type") == "f32" and not options.get("quantize")


@dataclass(frozen=True)
class Answers:
    """What a specimen says."""

    tokens: list[list[list[int]]]
    """By prompt and style."""
    texts: list[list[str]]
    vectors: list[list[float]]
    read: list[list[int]]
    """The tokens of each text to embed."""

    @classmethod
    def load(cls, path: Path) -> Answers:
        """As `main` printed them."""
        return cls(**json.loads(path.read_text()))


def ask_alone(model: trillm.Model, prompt: int, style: dict[str, Any]) -> trillm.Completion:
    """One request from beginning to end."""
    asked = PROMPTS[prompt]
    return model.generate(asked, **style) if isinstance(asked, str) else model.chat(asked, **style)


def _answer(path: Path, engine: str, generates: bool, embeds: bool) -> dict[str, Sequence[Any]]:
    with trillm.load(path, engine=engine, threads=1, cache_type="f32") as model:
        answers = [[ask_alone(model, n, style) for style in STYLES] for n in range(len(PROMPTS) if generates else 0)]
        return {
            "tokens": [[answer.token_ids for answer in styles] for styles in answers],
            "texts": [[answer.text for answer in styles] for styles in answers],
            "vectors": [model.embed(text)[0].tolist() for text in TEXTS] if embeds else [],
            "read": [model.tokenize(text) for text in TEXTS],
        }


def main() -> None:
    """Arguments: the folder of specimens, and the name of one."""
    folder, name = sys.argv[1:]
    specimen = SPECIMENS[name]
    answers = _answer(Path(folder) / specimen.file, specimen.engine, specimen.generates, specimen.embeds)
    print(json.dumps(answers))


if __name__ == "__main__":
    main()
