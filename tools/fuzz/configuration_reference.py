"""What transformers makes of folders, for `configuration.py`: one line of JSON each way."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import torch  # type: ignore[import-not-found]
import transformers  # type: ignore[import-not-found]
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast

Json = dict[str, Any]

STEPS = 6


def make_model(folder: str, config: Json, seed: int) -> None:
    """Writes a tiny model with random weights."""
    torch.manual_seed(seed)
    made = AutoConfig.for_model(config.pop("model_type"), **config)
    model = AutoModelForCausalLM.from_config(made, dtype=torch.float32)
    for name, weight in model.named_parameters():
        if "norm" not in name:
            weight.data.normal_(0, 1 if "embed" in name else 2 / weight[0].numel() ** 0.5)
    model.save_pretrained(folder)


def make_tokenizer(folder: str, name: str, vocabulary: dict[str, int], merges: list[list[str]]) -> None:
    """Writes the `tokenizer.json` that a class of tokenizers makes of a vocabulary."""
    pairs = [tuple(pair) for pair in merges]
    getattr(transformers, name)(vocab=vocabulary, merges=pairs).save_pretrained(folder)


def ids(folder: str, texts: list[str], own: bool) -> list[list[int]]:
    """The ids of the texts, by the class that the files name: by the one for any file, where theirs leaves it aside."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    if not own and type(tokenizer) is not PreTrainedTokenizerFast:
        tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    return [tokenizer(text)["input_ids"] for text in texts]


def written(folder: str, prompt: list[int]) -> Json:
    """What a model writes after the prompt, with the margin of each choice."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    written: list[int] = []
    margins: list[float] = []
    with torch.no_grad():
        for _ in range(STEPS):
            best = model(torch.tensor([prompt + written])).logits[0, -1].topk(2)
            written.append(int(best.indices[0]))
            margins.append(float(best.values[0] - best.values[1]))
    return {"written": written, "margins": margins}


CALLS: dict[str, Callable[..., Any]] = {
    "make_model": make_model,
    "make_tokenizer": make_tokenizer,
    "ids": ids,
    "written": written,
}


def answer(call: Json) -> Json:
    """What one call gives, or why it gives nothing."""
    try:
        return {"answer": CALLS[call.pop("call")](**call)}
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}


def main() -> None:
    """Answers line by line: to a list of calls a list of what they give."""
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    for line in sys.stdin:
        sys.stdout.write(json.dumps([answer(call) for call in json.loads(line)]) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
