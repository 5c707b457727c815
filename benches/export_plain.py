"""Exports a Hugging Face folder as ONNX with a cache that grows, by torch's own exporter. Arguments: model, folder.

Optimum would do the same, but its exporter does not install beside this transformers. The names of inputs and outputs
are Optimum's: `past_key_values.N.key` goes in, `present.N.key` comes out, longer by the new positions.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import torch  # type: ignore[import-not-found]
from transformers import AutoModelForCausalLM  # type: ignore[import-not-found]
from transformers.cache_utils import DynamicCache  # type: ignore[import-not-found]

# Lengths to trace with; the graph leaves them free.
BATCH, SEQUENCE, PAST = 2, 3, 4


class Step(torch.nn.Module):  # type: ignore[misc]
    """The model with its cache as plain tensors: a key and a value for each layer."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Any, attention_mask: Any, position_ids: Any, *past: Any) -> tuple[Any, ...]:
        """Scores, and the cache after the step."""
        cache = DynamicCache()
        for layer, (key, value) in enumerate(zip(past[::2], past[1::2], strict=True)):
            cache.update(key, value, layer)
        answer = self.model(
            input_ids=input_ids,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=cache,
            use_cache=True,
        )
        present = [tensor for layer in answer.past_key_values.layers for tensor in (layer.keys, layer.values)]
        return (answer.logits, *present)


def main() -> None:
    """Writes `model.onnx`, and copies what lies beside the weights."""
    source, folder = map(Path, sys.argv[1:])
    # The other form of attention makes a graph of 700 nodes more.
    model = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32, attn_implementation="eager").eval()
    layers, heads = range(model.config.num_hidden_layers), model.config.num_key_value_heads
    width = getattr(model.config, "head_dim", None) or model.config.hidden_size // model.config.num_attention_heads

    past, present = (
        [f"{side}.{layer}.{part}" for layer in layers for part in ("key", "value")]
        for side in ("past_key_values", "present")
    )
    axes = {name: {0: "batch_size", 1: "sequence_length"} for name in ("input_ids", "position_ids", "logits")}
    axes["attention_mask"] = {0: "batch_size", 1: "total_sequence_length"}
    axes |= {name: {0: "batch_size", 2: "past_sequence_length"} for name in past}
    axes |= {name: {0: "batch_size", 2: "total_sequence_length"} for name in present}
    example = (
        torch.ones(BATCH, SEQUENCE, dtype=torch.long),
        torch.ones(BATCH, PAST + SEQUENCE, dtype=torch.long),
        torch.arange(PAST, PAST + SEQUENCE).repeat(BATCH, 1),
        *(torch.zeros(BATCH, heads, PAST, width) for _ in past),
    )

    folder.mkdir(parents=True)
    with torch.no_grad():
        torch.onnx.export(
            Step(model),
            example,
            str(folder / "model.onnx"),
            input_names=["input_ids", "attention_mask", "position_ids", *past],
            output_names=["logits", *present],
            dynamic_axes=axes,
            opset_version=17,
            dynamo=False,
        )
    for file in (*source.glob("*.json"), *source.glob("*.jinja")):
        if not file.name.endswith(".index.json"):
            shutil.copy(file, folder)


main()
