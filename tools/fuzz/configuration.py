"""Random forms of configuration, names and tokenizer, against transformers: tokens of texts, and what a model writes.

    just fuzz configuration --rounds 1000

A round takes one of some tiny models that transformers made, changes how its files say things, and asks both. What
transformers refuses must be refused or read here; what it reads must give the same tokens. A choice of the model counts
where it is clear: 1e-3 between the best two scores.
"""

from __future__ import annotations

import json
import random
import shutil
import struct
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import trillm
from environment import arguments, reference_python
from trillm.errors import TrillmError

Json = dict[str, Any]

HERE = Path(__file__).parent
COMMON: Json = {
    "vocab_size": 96,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
    "head_dim": 16,
    "pad_token_id": None,
}
FAMILIES: dict[str, Json] = {
    "llama": {},
    "mistral": {},
    "qwen2": {},
    "qwen3": {},
    "smollm3": {},
    "gemma2": {"query_pre_attn_scalar": 16},
    "gemma3_text": {"query_pre_attn_scalar": 16, "sliding_window": 8},
    "phi3": {},
    "granite": {},
}
WRAPPERS = [("model.", ""), ("_orig_mod.model.", "_orig_mod."), ("module.model.", "module."), ("", "")]
WORDS = ["the", "man", "a", "ab", " ", "<tool>", "<pad>", "</s>", "<x>", "é", "日"]
MARGIN = 1e-3


class Reference:
    """transformers, in a process of its own."""

    def __init__(self) -> None:
        command = [str(reference_python()), str(HERE / "configuration_reference.py")]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __call__(self, **call: object) -> Json:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(call) + "\n")
        self._process.stdin.flush()
        answer: Json = json.loads(self._process.stdout.readline())
        return answer


def tokenizer(chance: random.Random) -> tuple[Json, Json]:
    """`tokenizer.json` and `tokenizer_config.json`: a small byte-pair vocabulary, and tokens said here and there."""
    letters = [*"abcdefghijklmnopqrstuvwxyz<>/.|", "▁", "é", "日"]
    vocabulary = ["<unk>", "<s>", "</s>", *letters, "ab", "th", "the", "▁the"]
    flags = dict.fromkeys(["single_word", "lstrip", "rstrip", "normalized"], False)
    added = [{"id": number, "content": vocabulary[number], "special": True, **flags} for number in range(3)]
    if chance.random() < 0.5:
        added.append({"id": len(vocabulary), "content": "<tool>", "special": chance.random() < 0.5, **flags})
    model: Json = {
        "type": "BPE",
        "unk_token": "<unk>",
        "fuse_unk": True,
        "vocab": {token: number for number, token in enumerate(vocabulary)},
        "merges": ["a b", "t h", "th e", "▁ the"],
    }
    if chance.random() < 0.3:
        del model["type"]
    normalizer = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
    file: Json = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": normalizer,
        "pre_tokenizer": None,
        "post_processor": None,
        "decoder": None,
        "model": model,
    }
    config: Json = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>", "eos_token": "</s>"}
    if chance.random() < 0.4:
        config["pad_token"] = chance.choice(["<pad>", {"content": "<pad>", **flags}])
    if chance.random() < 0.4:
        key = chance.choice(["additional_special_tokens", "extra_special_tokens"])
        config[key] = chance.choice([["<x>"], ["<x>", "<tool>"], []])
    if chance.random() < 0.3:
        config["eos_token"] = chance.choice(["<x>", "<end>"])
    if chance.random() < 0.3:
        token = {"content": chance.choice(["<tool>", "<x>", "</s>"]), "special": chance.random() < 0.5, **flags}
        token["rstrip"] = chance.random() < 0.3
        config["added_tokens_decoder"] = {str(chance.choice([2, len(vocabulary), len(vocabulary) + 2])): token}
    return file, config


def wrapped(path: Path, chance: random.Random) -> None:
    """Gives the tensors other names."""
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    header.pop("__metadata__", None)
    inner, outer = chance.choice(WRAPPERS)
    renamed = {
        (inner + name.removeprefix("model.") if name.startswith("model.") else outer + name): place
        for name, place in header.items()
    }
    text = json.dumps(renamed)
    text += " " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text.encode() + content[8 + length :])


def varied(source: Path, folder: Path, chance: random.Random) -> None:
    """A copy of a model whose small files say other things, or the same otherwise."""
    shutil.copytree(source, folder)
    config = json.loads((folder / "config.json").read_text())
    for key in ("bos_token_id", "eos_token_id", "pad_token_id"):
        if chance.random() < 0.3:
            config[key] = chance.choice([-1, None, 1, 50_256])
    if chance.random() < 0.2:
        config.pop("tie_word_embeddings", None)
    if chance.random() < 0.2:
        config.pop("architectures", None)
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "generation_config.json").unlink(missing_ok=True)
    for name, content in zip(("tokenizer.json", "tokenizer_config.json"), tokenizer(chance), strict=True):
        (folder / name).write_text(json.dumps(content))
    if chance.random() < 0.2:
        (folder / "special_tokens_map.json").write_text(json.dumps({"unk_token": "<unk>", "sep_token": "<sep>"}))


def found(folder: Path, texts: list[str], prompt: list[int], steps: int) -> Json:
    """What trillm makes of a folder."""
    with trillm.load(folder, threads=1, cache_type="f32") as model:
        ids = [trillm.Tokenizer(folder).encode(text, parse_special=True) for text in texts]
        written = model.generate(prompt, max_tokens=steps, temperature=0, ignore_eos=True).token_ids
        return {"ids": ids, "written": written}


def difference(ours: Json, theirs: Json) -> str | None:
    """What is not the same."""
    if ours["ids"] != theirs["ids"]:
        return f"tokens {ours['ids']}, expected {theirs['ids']}"
    for one, other, margin in zip(ours["written"], theirs["written"], theirs["margins"], strict=True):
        if margin < MARGIN:
            return None
        if one != other:
            return f"wrote {ours['written']}, expected {theirs['written']} by {theirs['margins']}"
    return None


def main() -> None:
    """Makes the models, and tries as many forms as asked for."""
    asked = arguments(__doc__)
    chance = asked.random
    reference = Reference()
    counts = {"same": 0, "refused by both": 0, "read here alone": 0}
    with tempfile.TemporaryDirectory() as scratch:
        models = []
        for family, keys in FAMILIES.items():
            folder = Path(scratch) / family
            made = reference(call="make", folder=str(folder), config={"model_type": family, **COMMON, **keys}, seed=1)
            if made:
                sys.exit(f"{family}: {made['error']}")
            models.append(folder)
        for number in range(asked.rounds):
            folder = Path(scratch) / "round"
            varied(chance.choice(models), folder, chance)
            texts = ["".join(chance.choices(WORDS, k=chance.randint(0, 6))) for _ in range(4)]
            prompt = [chance.randrange(96) for _ in range(chance.randint(1, 20))]
            theirs = reference(call="read", folder=str(folder), texts=texts, prompt=prompt)
            # Names that wrappers give are read here and not there: the same weights must come of them.
            wrapped(folder / "model.safetensors", chance)
            try:
                ours = found(folder, texts, prompt, len(theirs.get("written", prompt)))
            except TrillmError as error:
                ours = {"error": f"{error.code}: {error}"}
            if "error" in theirs:
                counts["refused by both" if "error" in ours else "read here alone"] += 1
            elif "error" in ours or (wrong := difference(ours, theirs)):
                kept = Path(tempfile.mkdtemp(prefix="configuration-")) / "model"
                shutil.copytree(folder, kept)
                what = ours.get("error") or wrong
                sys.exit(f"round {number} of seed {asked.seed}: {what}\ntexts {texts}\nthe model is kept in {kept}")
            else:
                counts["same"] += 1
            shutil.rmtree(folder)
    sys.stdout.write(f"{asked.rounds} rounds: {counts}\n")


if __name__ == "__main__":
    main()
