"""Writes the golden files: tiny random models, and what transformers computes with them.

    python -m pip install torch transformers safetensors numpy
    python crates/candle/tests/golden/make.py [CASE…]

`golden.json` of each case says which versions made it. With the same versions every file comes out the same, byte for
byte; with others the golden values may move by a rounding. Never run this to make a failing test pass.

A case is a folder beside this file, as it would be on the Hugging Face hub, without a tokenizer: `config.json` (word
for word from `cases.py`) and `model.safetensors` (bf16). Beside them lie:

- `golden.safetensors`. Decoders: `prompt.N`, int32 [tokens], and `logits.N`, float32 [tokens, vocabulary]. Encoders:
  `text.N`, int32 [tokens]; `states.N`, float32 [tokens, width], the last layer's; `mean.N`, `cls.N` and `last.N`,
  float32 [width], the vectors of length 1 that the three ways of pooling make. Each prompt and text was run alone.
- `golden.json`: versions, the spread of the logits, and, as the largest difference for each prompt, how far from the
  golden values transformers' own float64 and bf16 arithmetic are, and how far the logits are when a feature of the
  family is left out. (Norms and rotation stay float32 in float64 arithmetic.)

Golden values are float32 arithmetic on the bf16 weights, with attention spelled out (`eager`).
"""

from __future__ import annotations

import copy
import json
import shutil
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from cases import DECODERS, ENCODERS, Decoder, Encoder, Json
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM

HERE = Path(__file__).parent
LENGTHS = {Decoder: (7, 40), Encoder: (3, 11, 30)}
VERSIONS = {"transformers": transformers.__version__, "torch": torch.__version__.split("+")[0]}

# Logits must be this far off without a feature: a hundred times what float32 rounding makes of them.
TELLING = 0.05
SPREAD = (1.5, 5.0)


def main() -> None:
    """Makes all cases, or those named."""
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    named = set(sys.argv[1:])
    for case in (*DECODERS, *ENCODERS):
        if named and case.name not in named:
            continue
        random = np.random.default_rng(zlib.crc32(case.name.encode()))
        folder = HERE / case.name
        shutil.rmtree(folder, ignore_errors=True)
        write_model(case, folder, random)
        golden_of = golden_decoder if isinstance(case, Decoder) else golden_encoder
        golden, about = golden_of(case, folder, random)
        save_file(golden, folder / "golden.safetensors")
        write_json(folder / "golden.json", {"versions": VERSIONS, **about})
        size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        sys.stdout.write(f"{case.name}: {size} bytes, {json.dumps(about)}\n")


def write_model(case: Decoder | Encoder, folder: Path, random: np.random.Generator) -> None:
    """Writes the configuration, and weights drawn at random under the names that the hub's files have."""
    config = read_config(case.config)
    kind = AutoModelForCausalLM if isinstance(case, Decoder) else AutoModel
    model = kind.from_config(config, dtype=torch.float32)
    for name, weight in sorted(model.named_parameters()):
        drawn = draw(case, name, weight, random)
        weight.data.copy_(torch.from_numpy(drawn))
    model.to(torch.bfloat16).save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    write_json(folder / "config.json", case.config)
    for name, content in (case.files if isinstance(case, Encoder) else {}).items():
        write_json(folder / name, content)


def draw(case: Decoder | Encoder, name: str, weight: torch.Tensor, random: np.random.Generator) -> np.ndarray:
    """One random weight.

    Its size makes attention sharp and spreads the logits: what is nearly uniform hides mistakes in rotation, masks and
    scales.
    """
    noise = random.standard_normal(tuple(weight.shape)).astype(np.float32)
    fan_in = weight[0].numel()
    if "norm" in name.lower() and name.endswith("weight"):
        # Norms are left at what they were made with, 1 or (where the code adds 1) 0, and shaken.
        raised = case.query_key_norm if isinstance(case, Decoder) and ("q_norm" in name or "k_norm" in name) else 0.0
        return weight.detach().numpy() + np.float32(raised) + 0.2 * noise
    if name.endswith("bias"):
        return 0.3 * noise
    if "embed" in name and weight.dim() == 2:
        return (case.embedding if isinstance(case, Decoder) else 1.0) * noise
    gain = 1.0
    if "lm_head" in name and isinstance(case, Decoder):
        gain = case.output
    elif any(part in name for part in ("q_proj", "k_proj", "qkv_proj", "query", "key")):
        gain = 1.5
    return gain / np.sqrt(np.float32(fan_in)) * noise


def golden_decoder(case: Decoder, folder: Path, random: np.random.Generator) -> tuple[dict[str, torch.Tensor], Json]:
    """The prompts and their logits, and what is worth knowing about them."""
    vocabulary = case.config.get("text_config", case.config)["vocab_size"]
    # The last ids of the wrapped model stand for images; other cases have nothing special there.
    limit = case.config.get("boi_token_index", vocabulary)
    prompts = [torch.from_numpy(random.integers(3, limit, length)) for length in LENGTHS[Decoder]]
    wanted = logits(folder, case.config, prompts)
    finer, rounded = (logits(folder, case.config, prompts, dtype) for dtype in (torch.float64, torch.bfloat16))
    without = {}
    for feature, changes in case.without.items():
        others = logits(folder, changed(case.config, changes), prompts)
        without[feature] = largest(others, wanted)
        require(max(without[feature]) > TELLING, f"{case.name} is the same without {feature}")
    spread = [round(float(one.std()), 3) for one in wanted]
    require(all(SPREAD[0] < one < SPREAD[1] for one in spread), f"the logits of {case.name} are spread by {spread}")
    golden = {f"prompt.{n}": prompt.to(torch.int32) for n, prompt in enumerate(prompts)}
    golden |= {f"logits.{n}": one for n, one in enumerate(wanted)}
    about = {
        "logits_std": spread,
        "float64_difference": largest(finer, wanted),
        "bf16_difference": largest(rounded, wanted),
        "difference_without": without,
    }
    return golden, about


def logits(
    folder: Path, config: Json, prompts: list[torch.Tensor], dtype: torch.dtype = torch.float32
) -> list[torch.Tensor]:
    """The logits of every position of each prompt, computed in `dtype`."""
    model = load(AutoModelForCausalLM, folder, config, dtype)
    with torch.no_grad():
        return [model(input_ids=prompt[None]).logits[0].float().contiguous() for prompt in prompts]


def golden_encoder(case: Encoder, folder: Path, random: np.random.Generator) -> tuple[dict[str, torch.Tensor], Json]:
    """The texts, their token states and their vectors."""
    texts = [torch.from_numpy(random.integers(3, case.config["vocab_size"], length)) for length in LENGTHS[Encoder]]
    wanted, finer, rounded = (
        [encode(folder, case.config, text, dtype) for text in texts]
        for dtype in (torch.float32, torch.float64, torch.bfloat16)
    )
    golden = {f"text.{n}": text.to(torch.int32) for n, text in enumerate(texts)}
    for n, states in enumerate(wanted):
        pooled = {"mean": states.mean(0), "cls": states[0], "last": states[-1]}
        golden[f"states.{n}"] = states
        golden |= {f"{how}.{n}": vector / vector.norm() for how, vector in pooled.items()}
    return golden, {"float64_difference": largest(finer, wanted), "bf16_difference": largest(rounded, wanted)}


def encode(folder: Path, config: Json, text: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """The last layer's states of one text, [tokens, width]."""
    with torch.no_grad():
        return load(AutoModel, folder, config, dtype)(input_ids=text[None]).last_hidden_state[0].float().contiguous()


def load(kind: Any, folder: Path, config: Json, dtype: torch.dtype) -> Any:
    """The model as the files have it: golden values are those of the committed bytes."""
    model, info = kind.from_pretrained(
        folder,
        config=read_config(config),
        dtype=dtype,
        attn_implementation="eager",
        output_loading_info=True,
    )
    require(not info["missing_keys"], f"{folder.name} lacks {info['missing_keys']}")
    return model.eval()


def read_config(config: Json) -> Any:
    """What transformers makes of a `config.json`."""
    # A copy: transformers moves rope settings about inside what it is given.
    config = copy.deepcopy(config)
    return AutoConfig.for_model(config.pop("model_type"), **config)


def changed(config: Json, changes: Json) -> Json:
    """`config` with other values; `a.b` is `b` in the part `a`."""
    config = copy.deepcopy(config)
    for name, value in changes.items():
        *parts, last = name.split(".")
        inner = config
        for part in parts:
            inner = inner[part]
        inner[last] = value
    return config


def largest(these: list[torch.Tensor], those: list[torch.Tensor]) -> list[float]:
    """For each pair the largest difference."""
    return [float(f"{(this - that).abs().max():.3g}") for this, that in zip(these, those, strict=True)]


def require(holds: bool, otherwise: str) -> None:
    """Ends the program if a golden file would not be worth having."""
    if not holds:
        sys.exit(otherwise)


def write_json(path: Path, content: Any) -> None:
    """Writes JSON as the hub's files have it: two spaces, in the order given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
