"""Whether smollm2 says the same from its GGUF (4-bit weights) and from the same weights converted to bf16.

Both decode greedily. Where they part, the two best tokens should be closer to each other than the arithmetic is exact:
llama.cpp rounds activations to 8 bits before it multiplies 4-bit weights, and bf16 rounds the widened weights.
"""

from __future__ import annotations

from collections.abc import Iterator

import trillm
from models import smollm2, smollm2_bf16

TOKENS = 32

PROMPTS = [
    "The capital of France is",
    "Water boils at a temperature of",
    "Once upon a time, there was a",
    "The three primary colours are",
    "def fibonacci(n):",
    "To make a good cup of tea, first",
    "The largest planet in the solar system is",
    "My favourite season is autumn because",
    "In 1969, humans first",
    "A triangle has three",
    "The opposite of hot is",
    "Photosynthesis is the process by which",
    "Dear Sir or Madam,",
    "The recipe calls for two cups of",
    "If it rains tomorrow, we will",
    "Shakespeare wrote many plays, such as",
    "The speed of light is approximately",
    "SELECT name FROM users WHERE",
    "A healthy breakfast might include",
    "The train to London leaves at",
]


def main() -> None:
    """Prints a line for each prompt, and how many agree."""
    with trillm.Model(smollm2(), context=512) as gguf, trillm.Model(smollm2_bf16(), context=512) as bf16:
        same = explained = 0
        for prompt in PROMPTS:
            left, right = (
                llm.generate(prompt, max_tokens=TOKENS, temperature=0, ignore_eos=True, logprobs=2)
                for llm in (gguf, bf16)
            )
            if left.token_ids == right.token_ids:
                same += 1
                print(f"same for {TOKENS} tokens: {prompt!r}")
                continue
            at = next(i for i, (a, b) in enumerate(zip(left.token_ids, right.token_ids, strict=True)) if a != b)
            error = max(_errors(left, right, at))
            gap = min(_gap(left, at), _gap(right, at))
            explained += gap <= error
            print(f"parts after {at} tokens: {prompt!r}: gap {gap:.3f}, error up to there {error:.3f}")
    rest = len(PROMPTS) - same
    print(f"{same} of {len(PROMPTS)} the same; {explained} of the other {rest} part where the gap is within the error")


def _top(answer: trillm.Completion, at: int) -> dict[int, float]:
    """The two best tokens after `at` tokens, with their log-probabilities."""
    assert answer.logprobs is not None
    return dict(answer.logprobs[at][1])


def _errors(left: trillm.Completion, right: trillm.Completion, at: int) -> Iterator[float]:
    """How far apart the two put the same tokens, up to where they part."""
    for i in range(at + 1):
        one, two = _top(left, i), _top(right, i)
        yield from (abs(one[token] - two[token]) for token in one.keys() & two.keys())


def _gap(answer: trillm.Completion, at: int) -> float:
    """How much better the best token was than the second, in log-probability."""
    best, second = sorted(_top(answer, at).values(), reverse=True)[:2]
    return best - second


if __name__ == "__main__":
    main()
