"""What transformers makes of a folder, for `configuration.py`: one line of JSON each way."""

from __future__ import annotations

import json
import sys
from typing import Any

import torch  # type: ignore[import-not-found]
import transformers  # type: ignore[import-not-found]
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

STEPS = 6


def make(folder: str, config: dict[str, Any], seed: int) -> dict[str, Any]:
    """Writes a tiny model with random weights."""
    torch.manual_seed(seed)
    made = AutoConfig.for_model(config.pop("model_type"), **config)
    model = AutoModelForCausalLM.from_config(made, dtype=torch.float32)
    for name, weight in model.named_parameters():
        if "norm" not in name:
            weight.data.normal_(0, 1 if "embed" in name else 2 / weight[0].numel() ** 0.5)
    model.save_pretrained(folder)
    return {}


def read(folder: str, texts: list[str], prompt: list[int]) -> dict[str, Any]:
    """The ids of the texts, and what the model writes after the prompt, with the margin of each choice."""
    # By this class: those of some families build a tokenizer of their own and leave the file's aside.
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    ids = [tokenizer(text)["input_ids"] for text in texts]
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    written: list[int] = []
    margins: list[float] = []
    with torch.no_grad():
        for _ in range(STEPS):
            best = model(torch.tensor([prompt + written])).logits[0, -1].topk(2)
            written.append(int(best.indices[0]))
            margins.append(float(best.values[0] - best.values[1]))
    return {"ids": ids, "written": written, "margins": margins}


def main() -> None:
    """Answers line by line."""
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    for line in sys.stdin:
        call = json.loads(line)
        try:
            answer = make(**call) if call.pop("call") == "make" else read(**call)
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
