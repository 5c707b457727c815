"""Random forms of configuration, names and tokenizer, against transformers: tokens of texts, and what a model writes.

    just fuzz configuration --rounds 100000

A round changes how the files of a tokenizer say things; every twentieth does so with a model, one of some tiny ones
that transformers made, and asks for what it writes. What transformers refuses may be refused or read here; what it
reads must give the same tokens. A choice of the model counts where it is clear: 1e-3 between the best two scores.

Rounds come in batches: while one is looked at here, transformers looks at it, too.
"""

from __future__ import annotations

import json
import random
import shutil
import struct
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trillm
from environment import arguments, reference_python
from trillm.errors import TrillmError

Json = dict[str, Any]

HERE = Path(__file__).parent
BATCH = 50
MODEL_EVERY = 20
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
# Classes of tokenizers that write a file of their own kind, each with a family that lets it read one.
CLASSES = {
    "LlamaTokenizer": "llama",
    "GemmaTokenizer": "gemma3_text",
    "Qwen2Tokenizer": "qwen2",
    "GPT2Tokenizer": "qwen3",
}
WRAPPERS = [("model.", ""), ("_orig_mod.model.", "_orig_mod."), ("module.model.", "module."), ("", "")]
WORDS = ["the", "man", "a", "ab", " ", "<tool>", "<pad>", "</s>", "<s>", "<x>", "é", "日"]
FLAGS = dict.fromkeys(["single_word", "lstrip", "rstrip", "normalized"], False)
MARGIN = 1e-3


class Reference:
    """transformers, in a process of its own."""

    def __init__(self) -> None:
        command = [str(reference_python()), str(HERE / "configuration_reference.py")]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, calls: list[Json]) -> None:
        """Asks, and waits for nothing."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(calls) + "\n")
        self._process.stdin.flush()

    def answers(self) -> list[Json]:
        """What became of the calls."""
        assert self._process.stdout is not None
        answers: list[Json] = json.loads(self._process.stdout.readline())
        return answers

    def make(self, calls: list[Json]) -> None:
        """Asks for files, which must come."""
        self.ask(calls)
        for call, answer in zip(calls, self.answers(), strict=True):
            if "error" in answer:
                sys.exit(f"{call['folder']}: {answer['error']}")


@dataclass
class Round:
    """Files, and what is asked about them."""

    folder: Path
    texts: list[str]
    # Whether the class that the files name reads them as they are.
    own: bool
    model: Path | None = None
    # The same weights under other names.
    renamed: Path | None = None
    prompt: list[int] = field(default_factory=list)

    def calls(self) -> list[Json]:
        """What transformers is asked."""
        calls: list[Json] = [{"call": "ids", "folder": str(self.folder), "texts": self.texts, "own": self.own}]
        if self.model is not None:
            calls.append({"call": "written", "folder": str(self.model), "prompt": self.prompt})
        return calls

    def here(self) -> list[Json]:
        """What trillm makes of the same."""
        found = [here(lambda: ids(self.folder, self.texts))]
        if self.renamed is not None:
            found.append(here(lambda: written(self.renamed, self.prompt)))
        return found


def here(what: Any) -> Json:
    """An answer as transformers' process gives it."""
    try:
        return {"answer": what()}
    except TrillmError as error:
        return {"error": f"{error.code}: {error}"}


def ids(folder: Path, texts: list[str]) -> list[list[int]]:
    """The ids of the texts."""
    tokenizer = trillm.Tokenizer(folder)
    return [tokenizer.encode(text, parse_special=True) for text in texts]


def written(folder: Path | None, prompt: list[int]) -> Json:
    """What a model writes after the prompt."""
    assert folder is not None
    with trillm.load(folder, threads=1, cache_type="f32", context=64) as model:
        return {"written": model.generate(prompt, max_tokens=6, temperature=0, ignore_eos=True).token_ids}


def plain_file() -> Json:
    """A small byte-pair vocabulary over letters."""
    letters = [*"abcdefghijklmnopqrstuvwxyz<>/.|", "▁", "é", "日"]
    vocabulary = ["<unk>", "<s>", "</s>", *letters, "ab", "th", "the", "▁the"]
    model: Json = {
        "type": "BPE",
        "unk_token": "<unk>",
        "fuse_unk": True,
        "vocab": {token: number for number, token in enumerate(vocabulary)},
        "merges": ["a b", "t h", "th e", "▁ the"],
    }
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {"id": number, "content": vocabulary[number], "special": True, **FLAGS} for number in range(3)
        ],
        "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
        "pre_tokenizer": None,
        "post_processor": None,
        "decoder": None,
        "model": model,
    }


def class_vocabulary() -> tuple[dict[str, int], list[list[str]]]:
    """Tokens and merges that every class can make something of: letters, bytes in both spellings, a few words."""
    # The characters that GPT-2 has for bytes: those that are printed stand for themselves.
    printed = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = [chr(byte) for byte in printed] + [chr(256 + number) for number in range(256 - len(printed))]
    merges = [["a", "b"], ["t", "h"], ["th", "e"], ["▁", "the"], ["Ġ", "the"]]
    bytes_ = [f"<0x{byte:02X}>" for byte in range(256)]
    special = ["<unk>", "<s>", "</s>", "<pad>", "<bos>", "<eos>", "<mask>", "<|endoftext|>"]
    tokens = [*special, *bytes_, *letters, "▁", "日", *("".join(pair) for pair in merges)]
    return {token: number for number, token in enumerate(dict.fromkeys(tokens))}, merges


def frame(chance: random.Random, vocabulary: Json) -> Json | None:
    """A post-processor."""
    kind = chance.choice(["none", "bytes", "begin", "end", "both", "sequence"])
    if kind == "none":
        return None
    bytes_: Json = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False, "use_regex": True}
    if kind == "bytes":
        return bytes_
    begin = [{"SpecialToken": {"id": "<s>", "type_id": 0}}] if kind in ("begin", "both", "sequence") else []
    end = [{"SpecialToken": {"id": "</s>", "type_id": 0}}] if kind in ("end", "both") else []
    text = [{"Sequence": {"id": "A", "type_id": 0}}]
    named = {name: {"id": name, "ids": [vocabulary[name]], "tokens": [name]} for name in ("<s>", "</s>")}
    single = [*begin, *text, *end]
    pair = [*single, {"Sequence": {"id": "B", "type_id": 1}}]
    template: Json = {"type": "TemplateProcessing", "single": single, "pair": pair, "special_tokens": named}
    return {"type": "Sequence", "processors": [bytes_, template]} if kind == "sequence" else template


def tokenizer(chance: random.Random, file: Json, name: str | None) -> tuple[Json, Json]:
    """`tokenizer.json`, changed, and `tokenizer_config.json`: tokens said here and there."""
    vocabulary = file["model"]["vocab"]
    count = max([*vocabulary.values(), *(token["id"] for token in file["added_tokens"])]) + 1
    if chance.random() < 0.5:
        special = chance.random() < 0.5
        file["added_tokens"].append({"id": count, "content": "<tool>", "special": special, **FLAGS})
    if chance.random() < 0.3 and name is None:
        del file["model"]["type"]
    if chance.random() < 0.7:
        file["post_processor"] = frame(chance, vocabulary)
    config: Json = {"bos_token": "<s>", "eos_token": "</s>"}
    if name is None:
        config["tokenizer_class"] = chance.choice(["PreTrainedTokenizerFast", "TokenizersBackend"])
    else:
        config |= {"tokenizer_class": name + chance.choice(["", "Fast"]), "unk_token": "<unk>"}
    for key in ("add_bos_token", "add_eos_token"):
        if chance.random() < 0.4:
            config[key] = chance.choice([True, False])
    if chance.random() < 0.4:
        config["pad_token"] = chance.choice(["<pad>", {"__type": "AddedToken", "content": "<pad>", **FLAGS}])
    if chance.random() < 0.4:
        key = chance.choice(["additional_special_tokens", "extra_special_tokens"])
        config[key] = chance.choice([["<x>"], ["<x>", "<tool>"], []])
    if chance.random() < 0.3:
        config["eos_token"] = chance.choice(["<x>", "<end>"])
    if chance.random() < 0.3:
        token = {"content": chance.choice(["<tool>", "<x>", "</s>"]), "special": chance.random() < 0.5, **FLAGS}
        token["rstrip"] = chance.random() < 0.3
        listed = {str(chance.choice([2, count, count + 2])): token}
        if name is not None:
            # Those classes make a tokenizer of their own of the vocabulary. They leave out tokens that are not listed
            # here, and number those that are by their order: no folder disagrees with itself so.
            listed = {str(it["id"]): {key: it[key] for key in it if key != "id"} for it in file["added_tokens"]}
            listed |= {str(count + 1): {"content": "<x>", "special": chance.random() < 0.5, **FLAGS}}
        config["added_tokens_decoder"] = listed
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


def model_config(source: Path, chance: random.Random) -> Json:
    """A model's `config.json`, which says other things, or the same otherwise."""
    config: Json = json.loads((source / "config.json").read_text())
    for key in ("bos_token_id", "eos_token_id", "pad_token_id"):
        if chance.random() < 0.3:
            config[key] = chance.choice([-1, None, 1, 50_256])
    if chance.random() < 0.2:
        config.pop("tie_word_embeddings", None)
    if chance.random() < 0.2:
        config.pop("architectures", None)
    return config


def put(path: Path, content: Json) -> None:
    """Writes a small file."""
    path.write_text(json.dumps(content))


def put_tokenizer(folder: Path, files: tuple[Json, Json]) -> None:
    """Writes the files of a tokenizer."""
    put(folder / "tokenizer.json", files[0])
    put(folder / "tokenizer_config.json", files[1])


def drawn(folder: Path, models: list[Path], files: dict[str, Json], number: int, chance: random.Random) -> Round:
    """The files of a round."""
    folder.mkdir()
    name = chance.choice([None, None, *CLASSES])
    source = next(model for model in models if model.name == CLASSES[name]) if name else chance.choice(models)
    file = json.loads(json.dumps(files[name])) if name else plain_file()
    put(folder / "config.json", model_config(source, chance))
    put_tokenizer(folder, tokenizer(chance, file, name))
    if chance.random() < 0.2:
        put(folder / "special_tokens_map.json", {"unk_token": "<unk>", "sep_token": "<sep>"})
    texts = ["".join(chance.choices(WORDS, k=chance.randint(0, 6))) for _ in range(4)]
    it = Round(folder, texts, name is not None)
    if number % MODEL_EVERY == 0:
        it.model, it.renamed = folder / "model", folder / "renamed"
        for path in (it.model, it.renamed):
            shutil.copytree(source, path)
            (path / "generation_config.json").unlink(missing_ok=True)
        config = model_config(source, chance)
        for path in (it.model, it.renamed):
            put(path / "config.json", config)
        # The tokenizer comes along, so that a model that is loaded has one.
        put_tokenizer(it.renamed, tokenizer(chance, plain_file(), None))
        # Names that wrappers give are read here and not there: the same weights must come of them.
        wrapped(it.renamed / "model.safetensors", chance)
        it.prompt = [chance.randrange(96) for _ in range(chance.randint(1, 20))]
    return it


def difference(ours: Json, theirs: Json) -> str | None:
    """What is not the same."""
    if "error" in ours:
        return str(ours["error"])
    found, expected = ours["answer"], theirs["answer"]
    if isinstance(found, list):
        return None if found == expected else f"tokens {found}, expected {expected}"
    for one, other, margin in zip(found["written"], expected["written"], expected["margins"], strict=True):
        if margin < MARGIN:
            return None
        if one != other:
            return f"wrote {found['written']}, expected {expected['written']} by {expected['margins']}"
    return None


def main() -> int:
    """Makes the models and tokenizers, and tries as many forms as asked for."""
    asked = arguments(__doc__)
    chance = asked.random
    reference = Reference()
    counts: Counter[str] = Counter()
    refusals: Counter[str] = Counter()
    differences = 0
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        models = [root / family for family in FAMILIES]
        calls: list[Json] = [
            {
                "call": "make_model",
                "folder": str(root / family),
                "config": {"model_type": family, **COMMON, **keys},
                "seed": 1,
            }
            for family, keys in FAMILIES.items()
        ]
        vocabulary, merges = class_vocabulary()
        made = {"call": "make_tokenizer", "vocabulary": vocabulary, "merges": merges}
        calls += [{**made, "folder": str(root / name), "name": name} for name in CLASSES]
        reference.make(calls)
        files = {name: json.loads((root / name / "tokenizer.json").read_text()) for name in CLASSES}
        for first in range(0, asked.rounds, BATCH):
            folder = root / "batch"
            folder.mkdir()
            numbers = range(first, min(first + BATCH, asked.rounds))
            rounds = [drawn(folder / str(number), models, files, number, chance) for number in numbers]
            reference.ask([call for it in rounds for call in it.calls()])
            found = [(it, answer) for it in rounds for answer in it.here()]
            for (it, ours), theirs in zip(found, reference.answers(), strict=True):
                if "error" in theirs:
                    counts["refused by both" if "error" in ours else "read here alone"] += 1
                    refusals[theirs["error"][:70]] += 1
                elif (wrong := difference(ours, theirs)) is None:
                    counts["same"] += 1
                else:
                    differences += 1
                    kept = Path(tempfile.mkdtemp(prefix="configuration-")) / "files"
                    shutil.copytree(it.folder, kept)
                    print(
                        f"round {it.folder.name} of seed {asked.seed}: {wrong}\n  {it.texts}, kept in {kept}",
                        flush=True,
                    )
            shutil.rmtree(folder)
    print(f"{asked.rounds} rounds: {dict(counts)}, {differences} differences; refused there: {dict(refusals)}")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
